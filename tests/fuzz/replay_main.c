/*
 * replay_main - stands in for libFuzzer: feeds each seed of one target to it,
 * so that `make check` replays them with any compiler. A target that dies
 * takes the program with it, which the TAP driver reports.
 *
 * The program's name says which seeds: fuzz_X reads $srcdir/tests/fuzz/seeds/X,
 * or the files named as arguments (one crash of a long run, say).
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void
bail(const char *what, const char *path)
{
	printf("Bail out! %s %s: %s\n", what, path, strerror(errno));
	exit(99);
}

/*
 * The input in a block of its own size: one byte read past it is the
 * sanitizer's to see.
 */
static void
replay(const char *path, int nr)
{
	FILE *f = fopen(path, "rb");
	const char *slash = strrchr(path, '/');
	uint8_t *data;
	long n = -1;

	if (f != NULL && fseek(f, 0, SEEK_END) == 0)
		n = ftell(f);
	if (n < 0)
		bail("cannot read", path);
	rewind(f);
	data = malloc(n > 0 ? (size_t)n : 1);
	if (data == NULL || fread(data, 1, (size_t)n, f) != (size_t)n)
		bail("cannot read", path);
	(void)fclose(f);			       /* only read */
	(void)LLVMFuzzerTestOneInput(data, (size_t)n); /* always 0 */
	free(data);
	printf("ok %d - %s\n", nr, slash != NULL ? slash + 1 : path);
	(void)fflush(stdout); /* the next seed may end the program */
}

static int
is_seed(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static void
replay_folder(const char *path)
{
	struct dirent **seed;
	int n = scandir(path, &seed, is_seed, alphasort);

	if (n <= 0)
		bail("no seeds in", path);
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		char *file;

		if (asprintf(&file, "%s/%s", path, seed[i]->d_name) < 0)
			bail("no memory for", seed[i]->d_name);
		replay(file, i + 1);
		free(file);
		free(seed[i]);
	}
	free(seed);
}

int
main(int argc, char **argv)
{
	const char *src = getenv("srcdir"), *target;
	char *path;

	if (argc > 1) {
		printf("1..%d\n", argc - 1);
		for (int i = 1; i < argc; i++)
			replay(argv[i], i);
		return 0;
	}
	target = strrchr(argv[0], '/');
	target = target != NULL ? target + 1 : argv[0];
	if (strncmp(target, "lt-", 3) == 0)
		target += 3; /* libtool's own name for the real program */
	if (strncmp(target, "fuzz_", 5) != 0)
		bail("not named fuzz_X:", argv[0]);
	if (asprintf(&path, "%s/tests/fuzz/seeds/%s", src != NULL ? src : ".",
		target + 5) < 0)
		bail("no memory for", target);
	replay_folder(path);
	free(path);
	return 0;
}
