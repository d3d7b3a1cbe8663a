/* arena: zeroed, aligned, capped; reset keeps what it can; sealed is sealed. */
#include "cm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"

static void
zeroed_and_aligned(void **state)
{
	static const size_t sizes[] = { 1, 0, 3, 16, 17, 9000, 100000, 5 };
	struct arena *a = arena_new(1 << 20);

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < PN_COUNT(sizes); i++) {
			char *p = arena_alloc(a, sizes[i]);

			assert_non_null(p);
			assert_int_equal(
			    (uintptr_t)p % _Alignof(max_align_t), 0);
			for (size_t n = 0; n < sizes[i]; n++)
				assert_int_equal(p[n], 0);
			memset(p, 0xa5, sizes[i]);
		}
		arena_reset(a);
		assert_int_equal(arena_used(a), 0);
	}
	arena_free(a);
}

static void
the_cap_is_kept(void **state)
{
	struct arena *a = arena_new(1024);

	(void)state;
	assert_null(arena_alloc(a, 1025));
	assert_null(arena_alloc(a, SIZE_MAX));
	assert_null(arena_alloc(a, SIZE_MAX - 8));
	assert_non_null(arena_alloc(a, 1000));
	assert_null(arena_alloc(a, 17));
	assert_non_null(arena_alloc(a, 16));
	assert_null(arena_alloc(a, 1));
	assert_null(arena_str(a, PN_STR_V("x")).p);
	assert_null(arena_printf(a, "%d", 1));
	arena_reset(a);
	assert_non_null(arena_alloc(a, 1024));
	arena_free(a);
	arena_free(NULL);
}

static void
strings_are_copied_and_ended(void **state)
{
	struct arena *a = arena_new(4096);
	char text[] = "a\0b";
	struct pn_str s = arena_str(a, (struct pn_str){ text, 3 });

	(void)state;
	text[0] = 'x';
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.p, "a\0b", 4);
	s = arena_str(a, (struct pn_str){ NULL, 0 });
	assert_non_null(s.p);
	assert_int_equal(s.p[0], '\0');
	assert_string_equal(arena_printf(a, "%s-%d", "n", 7), "n-7");
	arena_free(a);
}

static void
sealed_memory_is_read_only(void **state)
{
	struct arena *a = arena_new_mapped(1 << 20);
	char *p = arena_alloc(a, 100);
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(p);
	memcpy(p, "policy", 7);
	assert_null(arena_alloc(a, 1 << 20));
	arena_seal(a);
	assert_string_equal(p, "policy");
	assert_null(arena_alloc(a, 1));
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		*p = 'x';
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_and_aligned),
		cmocka_unit_test(the_cap_is_kept),
		cmocka_unit_test(strings_are_copied_and_ended),
		cmocka_unit_test(sealed_memory_is_read_only),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
