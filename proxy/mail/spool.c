/*
 * spool - see spool.h.
 *
 * In memory the message is a list of blocks: the first small (most mail is),
 * the rest larger. Every block but the last is full, so an offset finds its
 * block by arithmetic. A message that is to have no more memory is written to
 * an unlinked file once; its blocks go back to the pool, but for one that
 * becomes the write buffer.
 */
#include "mail/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/must.h"

#define FIRST (16 * 1024)
#define REST (128 * 1024)
#define KEEP_BLOCKS 64 /* of REST, in the pool of a worker at rest: 8 MiB */
#define KEEP_FIRST 256

struct block {
	struct block *next;
	size_t size;
	size_t used;
	char data[];
};

struct spool_pool {
	struct spool_conf conf;
	pthread_mutex_t lock; /* of what follows */
	struct block *free_first, *free_rest;
	unsigned n_first, n_rest;
	size_t in_use; /* bytes of REST blocks that messages hold */
};

struct spool {
	struct spool_pool *pool;
	struct block *blocks, *last;
	size_t size;
	bool dotted;
	int fd;             /* of the unlinked file, or -1 */
	size_t in_file;     /* bytes of it; the rest is in `last` */
	struct block *page; /* file only: what spool_at() read */
	size_t page_at;
	/* Where the last spool_at() was: walks are sequential. */
	struct block *walk;
	size_t walk_at;
};

struct spool_pool *
spool_pool_new(const struct spool_conf *conf)
{
	struct spool_pool *p = xcalloc(1, sizeof(*p));

	p->conf = *conf;
	must(pthread_mutex_init(&p->lock, NULL) == 0);
	return p;
}

static void
free_list(struct block *b)
{
	while (b != NULL) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

void
spool_pool_free(struct spool_pool *p)
{
	if (p == NULL)
		return;
	free_list(p->free_first);
	free_list(p->free_rest);
	must(pthread_mutex_destroy(&p->lock) == 0);
	free(p);
}

size_t
spool_pool_idle(struct spool_pool *p)
{
	size_t idle;

	must(pthread_mutex_lock(&p->lock) == 0);
	idle = p->n_first * (size_t)FIRST + p->n_rest * (size_t)REST;
	must(pthread_mutex_unlock(&p->lock) == 0);
	return idle;
}

/* One from the pool, or NULL: it is empty, and the caller makes one. */
static struct block *
pool_take(struct spool_pool *p, size_t size)
{
	struct block **list = size == FIRST ? &p->free_first : &p->free_rest;
	struct block *b;

	must(pthread_mutex_lock(&p->lock) == 0);
	b = *list;
	if (b != NULL) {
		*list = b->next;
		*(size == FIRST ? &p->n_first : &p->n_rest) -= 1;
	}
	p->in_use += size == REST ? REST : 0;
	must(pthread_mutex_unlock(&p->lock) == 0);
	return b;
}

/* False: it has enough of them. */
static bool
pool_give(struct spool_pool *p, struct block *b)
{
	bool first = b->size == FIRST;
	struct block **list = first ? &p->free_first : &p->free_rest;
	unsigned *n = first ? &p->n_first : &p->n_rest;
	bool room;

	must(pthread_mutex_lock(&p->lock) == 0);
	p->in_use -= first ? 0 : REST;
	room = *n < (first ? KEEP_FIRST : KEEP_BLOCKS);
	if (room) {
		b->next = *list;
		*list = b;
		*n += 1;
	}
	must(pthread_mutex_unlock(&p->lock) == 0);
	return room;
}

/* One that could not be made is no longer in use. */
static void
pool_miss(struct spool_pool *p, size_t size)
{
	must(pthread_mutex_lock(&p->lock) == 0);
	p->in_use -= size == REST ? REST : 0;
	must(pthread_mutex_unlock(&p->lock) == 0);
}

/* May a message have one more block than its share? */
static bool
pool_has_more(struct spool_pool *p)
{
	bool more;

	must(pthread_mutex_lock(&p->lock) == 0);
	more = p->in_use + REST <= p->conf.all_memory;
	must(pthread_mutex_unlock(&p->lock) == 0);
	return more;
}

static struct block *
block_get(struct spool_pool *p, size_t size)
{
	struct block *b = pool_take(p, size);

	if (b == NULL && (b = malloc(sizeof(*b) + size)) == NULL) {
		pool_miss(p, size);
		return NULL;
	}
	b->next = NULL;
	b->size = size;
	b->used = 0;
	return b;
}

static void
block_put(struct spool_pool *p, struct block *b)
{
	if (!pool_give(p, b))
		free(b);
}

struct spool *
spool_new(struct spool_pool *p)
{
	struct spool *s = xcalloc(1, sizeof(*s));

	s->pool = p;
	s->fd = -1;
	return s;
}

struct spool *
spool_like(const struct spool *s)
{
	return spool_new(s->pool);
}

static void
put_blocks(struct spool *s)
{
	while (s->blocks != NULL) {
		struct block *next = s->blocks->next;

		block_put(s->pool, s->blocks);
		s->blocks = next;
	}
	s->last = s->walk = NULL;
}

void
spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	put_blocks(s);
	if (s->page != NULL)
		block_put(s->pool, s->page);
	io_close(s->fd);
	free(s);
}

/* RFC 5321 4.2.5: a disk that is full must end in a 4xx, not in a cut. */
static int
open_file(struct spool *s, struct error *e)
{
	const char *dir = s->pool->conf.dir;

	s->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return error_errno(e, "spool %s", dir);
	return 0;
}

static int
write_block(struct spool *s, struct block *b, struct error *e)
{
	if (io_write_all(s->fd, b->data, b->used) < 0)
		return error_errno(e, "spool");
	s->in_file += b->used;
	b->used = 0;
	return 0;
}

/* Everything to the file; afterwards the only block is the write buffer. */
static int
move_to_file(struct spool *s, struct error *e)
{
	if (s->fd < 0 && open_file(s, e) < 0)
		return -1;
	for (struct block *b = s->blocks; b != NULL; b = b->next)
		if (b->used > 0 && write_block(s, b, e) < 0)
			return -1;
	put_blocks(s);
	s->blocks = s->last = block_get(s->pool, REST);
	return s->last ? 0 : error_set(e, "spool: out of memory");
}

static int
next_block(struct spool *s, struct error *e)
{
	struct block *b;

	if (s->fd >= 0 || (s->size >= s->pool->conf.max_memory &&
			      !pool_has_more(s->pool)))
		return move_to_file(s, e);
	b = block_get(s->pool, s->blocks ? REST : FIRST);
	if (b == NULL)
		return error_set(e, "spool: out of memory");
	if (s->last != NULL)
		s->last->next = b;
	else
		s->blocks = b;
	s->last = b;
	return 0;
}

char *
spool_room(struct spool *s, size_t *n, struct error *e)
{
	if ((s->last == NULL || s->last->used == s->last->size) &&
	    next_block(s, e) < 0)
		return NULL;
	*n = s->last->size - s->last->used;
	return s->last->data + s->last->used;
}

int
spool_commit(struct spool *s, size_t n, struct error *e)
{
	must(s->last != NULL && n <= s->last->size - s->last->used);
	s->last->used += n;
	s->size += n;
	if (s->fd >= 0 && s->last->used == s->last->size)
		return write_block(s, s->last, e);
	return 0;
}

int
spool_append(struct spool *s, struct pn_str text, struct error *e)
{
	while (text.n > 0) {
		size_t n;
		char *to = spool_room(s, &n, e);

		if (to == NULL)
			return -1;
		if (n > text.n)
			n = text.n;
		memcpy(to, text.p, n);
		if (spool_commit(s, n, e) < 0)
			return -1;
		text = pn_str_sub(text, n, text.n);
	}
	return 0;
}

void
spool_set_dotted(struct spool *s)
{
	s->dotted = true;
}

bool
spool_dotted(const struct spool *s)
{
	return s->dotted;
}

size_t
spool_size(const struct spool *s)
{
	return s->size;
}

static struct pn_str
at_in_memory(struct spool *s, size_t offset)
{
	struct block *b = s->walk;
	size_t at = s->walk_at;

	if (b == NULL || offset < at) {
		b = s->blocks;
		at = 0;
	}
	while (offset - at >= b->used) {
		at += b->used;
		b = b->next;
		must(b != NULL);
	}
	s->walk = b;
	s->walk_at = at;
	return (struct pn_str){ b->data + (offset - at), b->used - (offset - at) };
}

static struct pn_str
at_in_file(struct spool *s, size_t offset)
{
	ssize_t got;

	if (s->page == NULL && (s->page = block_get(s->pool, REST)) == NULL)
		return (struct pn_str){ NULL, 0 };
	if (s->page->used == 0 || offset < s->page_at ||
	    offset - s->page_at >= s->page->used) {
		got = io_pread(s->fd, s->page->data, s->page->size,
		    (off_t)offset);
		s->page->used = got > 0 ? (size_t)got : 0;
		s->page_at = offset;
		if (got <= 0)
			return (struct pn_str){ NULL, 0 };
	}
	offset -= s->page_at;
	return (struct pn_str){ s->page->data + offset, s->page->used - offset };
}

struct pn_str
spool_at(struct spool *s, size_t offset)
{
	if (offset >= s->size)
		return (struct pn_str){ "", 0 };
	if (s->fd < 0)
		return at_in_memory(s, offset);
	if (offset < s->in_file)
		return at_in_file(s, offset);
	return pn_str_sub((struct pn_str){ s->last->data, s->last->used },
	    offset - s->in_file, SIZE_MAX);
}

/* Does a line begin with a dot? *bol: the piece begins a line. */
static bool
has_dot(struct pn_str piece, bool *bol)
{
	bool found = *bol && piece.n > 0 && piece.p[0] == '.';
	const char *at = piece.p, *end = piece.p + piece.n;

	while (!found && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		found = at < end && *at == '.';
	}
	if (piece.n > 0)
		*bol = end[-1] == '\n';
	return found;
}

struct spool *
spool_from_fd(struct spool_pool *p, int fd, size_t n, struct error *e)
{
	struct spool *s = spool_new(p);
	bool bol = true;

	while (s->size < n) {
		size_t room;
		char *to = spool_room(s, &room, e);
		ssize_t got;

		if (to == NULL)
			goto bad;
		if (room > n - s->size)
			room = n - s->size;
		got = io_pread(fd, to, room, (off_t)s->size);
		if (got <= 0) {
			(void)error_set(e, "spool: %s",
			    got < 0 ? strerror(errno) : "the file is short");
			goto bad;
		}
		if (has_dot((struct pn_str){ to, (size_t)got }, &bol))
			spool_set_dotted(s);
		if (spool_commit(s, (size_t)got, e) < 0)
			goto bad;
	}
	return s;
bad:
	spool_free(s);
	return NULL;
}
