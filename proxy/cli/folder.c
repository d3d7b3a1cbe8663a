/* folder - the message files that a command line names: each file, and those
 * in each folder. Called by profile.c and replay.c. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "cli/cli.h"

/* By name; not what is hidden, no folder below. */
static int
each_in(const char *path, message_take *take, void *arg)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort), code = 0;

	if (n < 0)
		return cli_fail(EX_NOINPUT, "%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		struct stat st;
		char *file = NULL;

		if (names[i]->d_name[0] != '.' &&
		    asprintf(&file, "%s/%s", path, names[i]->d_name) >= 0 &&
		    stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
			int one = take(arg, file);

			code = code != 0 ? code : one;
		}
		free(file);
		free(names[i]);
	}
	free(names);
	return code;
}

int
each_message(int argc, char **argv, message_take *take, void *arg)
{
	int code = 0;

	for (int i = 0; i < argc; i++) {
		struct stat st;
		bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
		int one =
		    folder ? each_in(argv[i], take, arg) : take(arg, argv[i]);

		code = code != 0 ? code : one;
	}
	return code;
}
