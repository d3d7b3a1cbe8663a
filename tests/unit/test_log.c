/* log: the file under its name again, and a descriptor taken over; each line
 * is in one file, whole. */
#include "keeper_world.h"

#include <errno.h>
#include <fcntl.h>

#include "base/log.h"

static unsigned
lines_of(const struct world *w, const char *name, const char *with)
{
	struct buf b = { 0 };
	unsigned n = 0;

	world_get(w, name, &b);
	assert_true(buf_add(&b, "", 1));
	for (const char *at = buf_data(&b); (at = strstr(at, with)) != NULL;
	     at++)
		n++;
	buf_fini(&b);
	return n;
}

static void
reopened_it_is_the_new_file(void **state)
{
	struct world *w = *state;
	const char *path = world_path(w, "log");
	int fd;

	assert_int_equal(log_open("test", path, LOG_LEVEL_INFO), 0);
	fd = log_fd();
	assert_true(fd > STDERR_FILENO);
	log_info("", "one", "n=%d", 1);
	assert_int_equal(rename(path, world_path(w, "log.1")), 0);
	log_info("", "two", "n=%d", 2); /* nobody said anything yet */
	assert_int_equal(log_reopen(), 0);
	assert_int_equal(log_fd(), fd); /* what children know it by */
	log_info("", "three", "n=%d", 3);
	assert_int_equal(lines_of(w, "log.1", "ev="), 2);
	assert_int_equal(lines_of(w, "log", "ev="), 1);
	assert_int_equal(lines_of(w, "log", "ev=three n=3\n"), 1);
	assert_int_equal(log_open("test", "stderr", LOG_LEVEL_INFO), 0);
	assert_int_equal(log_fd(), STDERR_FILENO);
	assert_int_equal(log_reopen(), 0); /* nothing to do */
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* and closed */
}

static void
what_cannot_be_opened_changes_nothing(void **state)
{
	struct world *w = *state;
	const char *path = world_path(w, "log");

	assert_int_equal(log_open("test", path, LOG_LEVEL_INFO), 0);
	assert_int_equal(rename(path, world_path(w, "log.1")), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(log_reopen(), -1);
	assert_int_equal(errno, EISDIR);
	log_info("", "still", "n=%d", 1);
	assert_int_equal(lines_of(w, "log.1", "ev=still"), 1);
	assert_int_equal(log_open("test", "stderr", LOG_LEVEL_INFO), 0);
}

static void
a_descriptor_takes_its_place(void **state)
{
	struct world *w = *state;
	int fd, other;

	assert_int_equal(log_open("test", world_path(w, "log"), LOG_LEVEL_INFO),
	    0);
	fd = log_fd();
	other = open(world_path(w, "other"), O_WRONLY | O_APPEND | O_CREAT |
	    O_CLOEXEC, 0600);
	assert_true(other >= 0);
	log_take(other);
	assert_int_equal(log_fd(), fd);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	log_info("", "there", "n=%d", 1);
	assert_int_equal(lines_of(w, "log", "ev="), 0);
	assert_int_equal(lines_of(w, "other", "ev=there"), 1);
	assert_int_equal(log_open("test", "stderr", LOG_LEVEL_INFO), 0);
	/* From stderr: that stays open, it is not ours. */
	other = open(world_path(w, "other"), O_WRONLY | O_APPEND | O_CLOEXEC);
	log_take(other);
	log_info("", "again", "n=%d", 1);
	assert_int_equal(lines_of(w, "other", "ev="), 2);
	assert_true(fcntl(STDERR_FILENO, F_GETFD) >= 0);
	assert_int_equal(log_open("test", "stderr", LOG_LEVEL_INFO), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reopened_it_is_the_new_file),
		TEST(what_cannot_be_opened_changes_nothing),
		TEST(a_descriptor_takes_its_place),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
