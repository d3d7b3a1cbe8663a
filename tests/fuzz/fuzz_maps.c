/*
 * fuzz_maps - a map's file. The first byte says of which kind it is, then up
 * to a NUL comes a key to look for, then the file. Whatever a file holds, it
 * is refused with an error or looked into; a value found is of the file, and
 * the same key is found again.
 *
 * Covers: rules/map.c rules/map_file.c rules/nets.c
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/unit/rules_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAP_FD 99

static void
write_map(struct pn_str text)
{
	static bool open_already;
	int fd;

	if (!open_already) {
		fd = memfd_create("map", MFD_CLOEXEC);
		must(fd >= 0 && dup2(fd, MAP_FD) == MAP_FD && close(fd) == 0);
		open_already = true;
	}
	must(ftruncate(MAP_FD, 0) == 0);
	must(pwrite(MAP_FD, text.p, text.n, 0) == (ssize_t)text.n);
}

static int
count(void *arg, struct pn_str value, const struct lex_pos *pos,
    struct error *e)
{
	(void)value;
	(void)pos;
	(void)e;
	++*(size_t *)arg;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const maps[] = { "map m = text:99;",
		"map m = cidr:99;", "map m = pcre:99;", "map m = cdb:99;" };
	struct rules_run *run;
	struct arena *arena;
	struct rules_map_entry one, two;
	struct pn_str all = { (const char *)data, size }, key, text;
	struct rules *r;
	struct error e;

	if (size == 0)
		return 0;
	run = rules_run_new();
	arena = arena_new(16 << 20);
	key = pn_str_sub(all, 1, strnlen(all.p + 1, size - 1));
	text = pn_str_sub(all, key.n + 2, size);
	write_map(text);
	r = compile_text(
	    pn_str_of(maps[data[0] % 4]), "/proc/self/fd", arena, &e);
	if (r != NULL &&
	    rules_map_find(r, run, PN_STR_V("m"), key, &one, &e) >= 0) {
		must(rules_map_find(r, run, PN_STR_V("m"), key, &two, &e) >= 0);
		must(pn_str_eq(buf_str(&one.value), buf_str(&two.value)));
		must(one.line == two.line);
		buf_fini(&one.value);
		buf_fini(&two.value);
	}
	if (r != NULL) {
		size_t n = 0;

		(void)rules_map_each(r, PN_STR_V("m"), count, &n, &e);
		must(rules_map_find(r, run, PN_STR_V("mm"), key, &one, &e) < 0);
	}
	rules_free(r);
	rules_run_free(run);
	arena_free(arena);
	return 0;
}
