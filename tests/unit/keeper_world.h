/* keeper_world - what the keeper's tests stand on: a folder that goes when the
 * test ends, a job with two recipients, a body in a memfd. */
#ifndef TESTS_KEEPER_WORLD_H
#define TESTS_KEEPER_WORLD_H

#include "cm.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "keeper/match.h"
#include "mail/keep.h"

struct world {
	char dir[64];
	struct arena *arena;
};

static inline int
world_open(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/postern-test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->arena = arena_new(1 << 20);
	*state = w;
	return 0;
}

static inline int
world_remove(const char *path, const struct stat *st, int type,
    struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static inline int
world_close(void **state)
{
	struct world *w = *state;

	(void)nftw(w->dir, world_remove, 16, FTW_DEPTH | FTW_PHYS);
	arena_free(w->arena);
	free(w);
	return 0;
}

/* Path below the world's folder; the last eight are valid. */
static inline const char *
world_path(const struct world *w, const char *below)
{
	static char paths[8][512];
	static unsigned n;
	char *path = paths[n++ % 8];

	(void)snprintf(path, 512, "%s/%s", w->dir, below);
	return path;
}

static inline bool
world_has(const struct world *w, const char *below)
{
	return access(world_path(w, below), F_OK) == 0;
}

static inline void
world_put(const struct world *w, const char *below, const char *text)
{
	FILE *f = fopen(world_path(w, below), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static inline void
world_get(const struct world *w, const char *below, struct buf *b)
{
	struct error e;

	assert_int_equal(io_slurp(world_path(w, below), 1 << 20, b, &e), 0);
}

/* Files in a folder; the name of the last one seen. */
static inline unsigned
world_count(const struct world *w, const char *below, char name[256])
{
	DIR *d = opendir(world_path(w, below));
	const struct dirent *f;
	unsigned n = 0;

	while (d != NULL && (f = readdir(d)) != NULL)
		if (f->d_name[0] != '.') {
			n++;
			if (name != NULL)
				(void)snprintf(name, 256, "%s", f->d_name);
		}
	if (d != NULL)
		(void)closedir(d);
	return n;
}

static inline int
body_of(struct pn_str text)
{
	int fd = memfd_create("body", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text.p, text.n), 0);
	return fd;
}

static inline void
job_rcpt(struct keep_job *j, struct arena *a, const char *local,
    const char *params)
{
	struct rcpt *r = envelope_add_rcpt(&j->envelope, a);

	assert_non_null(r);
	r->local = pn_str_of(local);
	r->domain = PN_STR_V("example.com");
	r->path = pn_str_of(arena_printf(a, "%s@example.com", local));
	r->address = r->path;
	r->params = pn_str_of(params);
	r->accepted = true;
	j->envelope.n_accepted++;
}

/* Every field has a value of its own; the login holds a NUL. */
static inline struct keep_job
job_of(struct world *w, const char *id)
{
	struct keep_job j = { .id = pn_str_of(id),
		.class_name = PN_STR("attachment"), .rule = PN_STR("exe"),
		.target = PN_STR("mta"), .trace = PN_STR("[{\"rule\":\"exe\"}]"),
		.subject = PN_STR("Rechnung f\xc3\xbcr Sie"), .size = 42 };

	j.client = (struct client){ .ip = PN_STR("192.0.2.7"), .port = 40001,
		.name_state = CLIENT_NAME_OK, .name = PN_STR("c.example.net"),
		.reverse_name = PN_STR("r.example.net"), .helo = PN_STR("hi"),
		.helo_verb = PN_STR("EHLO"), .tls_version = PN_STR("TLSv1.3"),
		.tls_cipher = PN_STR("AES"), .login = { "a\0b", 3 },
		.listener = PN_STR("*:25") };
	envelope_init(&j.envelope);
	j.envelope.has_sender = true;
	j.envelope.path = PN_STR_V("bob@example.net");
	j.envelope.address = j.envelope.path;
	j.envelope.local = PN_STR_V("bob");
	j.envelope.domain = PN_STR_V("example.net");
	j.envelope.params = PN_STR_V("SIZE=42 BODY=8BITMIME RET=HDRS");
	job_rcpt(&j, w->arena, "ada", "NOTIFY=NEVER");
	job_rcpt(&j, w->arena, "eve", "");
	return j;
}

/* What an operator means by "192.0.2.0/24". */
static inline struct match_net
world_net(const char *text)
{
	struct match_net n;

	assert_true(match_net_parse(pn_str_of(text), &n));
	return n;
}

#endif
