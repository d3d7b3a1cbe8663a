/* maildir - see maildir.h. Called by the keeper for KEEP_MAILDIR. */
#include "keeper/maildir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/mem.h"
#include "keeper/files.h"
#include "keeper/quarantine.h"

#define CHUNK (64 * 1024)

/* One recipient's copy on its way. */
struct copy {
	struct pn_str rcpt;
	char name[NAME_MAX + 1];
	bool there; /* an earlier try delivered it, or another copy here will */
	bool moved; /* this one did */
};

struct delivery {
	const char *path;
	const struct keep_job *job;
	struct copy *copies; /* [n] */
	struct copy **by_name; /* [n], sorted: thousands of recipients */
	size_t n;
};

int
maildir_make(const char *path, struct error *e)
{
	static const char *const subfolders[] = { "tmp", "new", "cur" };
	char folder[PATH_MAX];

	if (files_make_dir(path, 0700, e) < 0)
		return -1;
	for (size_t i = 0; i < PN_COUNT(subfolders); i++) {
		(void)snprintf(folder, sizeof(folder), "%s/%s", path,
		    subfolders[i]);
		if (files_make_dir(folder, 0700, e) < 0)
			return -1;
	}
	return 0;
}

static char *
path_of(const struct delivery *d, const char *folder, const struct copy *c,
    char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s/%s/%s", d->path, folder, c->name);
	return out;
}

/* FNV-1a: short, stable, and no secret. See find_twins() for the rest. */
static uint64_t
hash(struct pn_str s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3;
	return h;
}

/*
 * ID_RECIPIENT.HOST: unique for ever, because ids are, and the same for the
 * same recipient, whoever else a later release goes to. A host's name cannot
 * hold the two bytes that mean something here; maildir(5) writes them as octal.
 */
static void
make_name(struct copy *c, struct pn_str id, struct pn_str rcpt)
{
	char host[65] = "localhost", safe[4 * sizeof(host)];
	size_t at = 0;

	(void)gethostname(host, sizeof(host) - 1); /* else the preset stays */
	for (const char *p = host; *p != '\0'; p++)
		at += (size_t)snprintf(safe + at, sizeof(safe) - at,
		    *p == '/' ? "\\057" : *p == ':' ? "\\072" : "%c", *p);
	(void)snprintf(c->name, sizeof(c->name), "%.*s_%016llx.%.*s",
	    PN_STR_ARG(id), (unsigned long long)hash(rcpt), 200, safe);
}

static int
write_fields(int fd, struct pn_str sender, struct pn_str rcpt, struct error *e)
{
	struct buf b = { 0 };
	int got;

	if (!pn_str_is_one_line(sender) || !pn_str_is_one_line(rcpt))
		return error_set(e, "maildir: a control character in an address");
	(void)buf_printf(&b, "Return-Path: <%.*s>\nDelivered-To: %.*s\n",
	    PN_STR_ARG(sender), PN_STR_ARG(rcpt)); /* no cap */
	got = io_write_all(fd, buf_data(&b), buf_len(&b));
	buf_fini(&b);
	return got < 0 ? error_errno(e, "maildir") : 0;
}

/*
 * CRLF becomes LF; a CR that stands alone is content. *cr: the last byte of
 * the chunk before was a CR that is not written yet.
 */
static size_t
strip_cr(const char *in, size_t n, char *out, bool *cr)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (*cr && in[i] != '\n')
			out[at++] = '\r';
		*cr = in[i] == '\r';
		if (!*cr)
			out[at++] = in[i];
	}
	return at;
}

static int
copy_lines(int from, uint64_t size, int to, struct error *e)
{
	char in[CHUNK], out[CHUNK + 1];
	struct stat st;
	uint64_t at = 0;
	bool cr = false;

	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(e, "the body is not in a file");
	while (at < size) {
		size_t want = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
		ssize_t got = io_pread(from, in, want, (off_t)at);

		if (got <= 0)
			return error_set(e, "maildir: the body ends early");
		if (io_write_all(to, out,
		    strip_cr(in, (size_t)got, out, &cr)) < 0)
			return error_errno(e, "maildir");
		at += (uint64_t)got;
	}
	if (cr && io_write_all(to, "\r", 1) < 0)
		return error_errno(e, "maildir");
	return 0;
}

static int
write_copy(const struct delivery *d, const struct copy *c, int body,
    uint64_t size, struct error *e)
{
	char tmp[PATH_MAX];
	int fd = files_create(path_of(d, "tmp", c, tmp), e);

	if (fd < 0)
		return -1;
	if (write_fields(fd, d->job->envelope.address, c->rcpt, e) < 0 ||
	    copy_lines(body, size, fd, e) < 0) {
		io_close(fd);
		return -1;
	}
	return files_finish(fd, tmp, e);
}

static int
order(struct pn_str a, struct pn_str b)
{
	int by_bytes = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return by_bytes != 0 ? by_bytes : (a.n > b.n) - (a.n < b.n);
}

/* By name; of one name, in the order of the recipients. */
static int
by_name(const void *a, const void *b)
{
	const struct copy *const *x = a, *const *y = b;
	int names = order(pn_str_of((*x)->name), pn_str_of((*y)->name));

	return names != 0 ? names : (*x > *y) - (*x < *y);
}

static int
is_named(const void *key, const void *entry)
{
	const struct copy *const *c = entry;

	return order(*(const struct pn_str *)key, pn_str_of((*c)->name));
}

/* A reader moves a copy to cur/NAME or cur/NAME:2,FLAGS. A twin is "there"
 * already, whichever of the two is found. */
static int
seen_in_cur(void *arg, const char *folder, const char *name, struct error *e)
{
	struct delivery *d = arg;
	struct pn_str key = { name, strcspn(name, ":") };
	struct copy **found = bsearch(&key, d->by_name, d->n,
	    sizeof(struct copy *), is_named);

	(void)folder;
	(void)e;
	if (found == NULL)
		return 0;
	while (found > d->by_name && strcmp(found[-1]->name,
	    found[0]->name) == 0)
		found--; /* the first of its name is the one that is written */
	(*found)->there = true;
	return 0;
}

/* The same recipient twice is one recipient. Two with one name are an attack
 * on the hash: refused, for one of them would get nothing. */
static int
find_twins(const struct delivery *d, struct error *e)
{
	for (size_t i = 1; i < d->n; i++) {
		const struct copy *before = d->by_name[i - 1];
		struct copy *c = d->by_name[i];

		if (strcmp(before->name, c->name) != 0)
			continue;
		if (!pn_str_eq(before->rcpt, c->rcpt))
			return error_set(e, "maildir: two recipients, one name");
		c->there = true;
	}
	return 0;
}

static int
name_copies(struct delivery *d, struct error *e)
{
	struct copy *c = d->copies;
	char path[PATH_MAX];
	const struct rcpt *r;

	TAILQ_FOREACH (r, &d->job->envelope.rcpts, next) {
		if (!r->accepted)
			continue;
		c->rcpt = r->address;
		make_name(c, d->job->id, c->rcpt);
		c->there = access(path_of(d, "new", c, path), F_OK) == 0;
		d->by_name[c - d->copies] = c;
		c++;
	}
	qsort(d->by_name, d->n, sizeof(struct copy *), by_name);
	return find_twins(d, e);
}

static int
find_delivered(struct delivery *d, bool again, struct error *e)
{
	char path[PATH_MAX];

	if (name_copies(d, e) < 0)
		return -1;
	if (!again)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/cur", d->path);
	return files_each(path, seen_in_cur, d, e);
}

static int
write_copies(struct delivery *d, int fd, uint64_t size, struct error *e)
{
	for (size_t i = 0; i < d->n; i++)
		if (!d->copies[i].there &&
		    write_copy(d, &d->copies[i], fd, size, e) < 0)
			return -1;
	FAULT("keep-body");
	return 0;
}

static int
move_copies(struct delivery *d, struct error *e)
{
	char tmp[PATH_MAX], new[PATH_MAX];

	for (size_t i = 0; i < d->n; i++) {
		struct copy *c = &d->copies[i];

		if (c->there)
			continue;
		if (rename(path_of(d, "tmp", c, tmp),
		    path_of(d, "new", c, new)) < 0)
			return error_errno(e, "%s", new);
		c->moved = true;
	}
	(void)snprintf(new, sizeof(new), "%s/new", d->path);
	if (files_sync_dir(new, e) < 0)
		return -1;
	FAULT("keep-index");
	return 0;
}

/* All or none: what this call wrote goes again. */
static void
take_back(const struct delivery *d)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < d->n; i++)
		if (!d->copies[i].there)
			(void)unlink(path_of(d, d->copies[i].moved ? "new" :
			    "tmp", &d->copies[i], path));
}

int
maildir_deliver(const char *path, const struct keep_job *j, int fd,
    uint64_t size, bool again, struct error *e)
{
	struct delivery d = { .path = path, .job = j,
		.n = j->envelope.n_accepted };
	int got;

	if (!quarantine_id_valid(j->id))
		return error_set(e, "maildir: not an id");
	if (d.n == 0)
		return error_set(e, "maildir: for nobody");
	if (maildir_make(path, e) < 0)
		return -1;
	d.copies = xcalloc(d.n, sizeof(*d.copies));
	d.by_name = xcalloc(d.n, sizeof(*d.by_name));
	got = find_delivered(&d, again, e);
	if (got == 0)
		got = write_copies(&d, fd, size, e);
	if (got == 0)
		got = move_copies(&d, e);
	if (got < 0)
		take_back(&d);
	free(d.copies);
	free(d.by_name);
	return got;
}
