/* upstream - postern upstream: a server out of use for a while, and back. */
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

int
cli_upstream(const struct cli *c, int argc, char **argv)
{
	bool drain = argc > 2 && strcmp(argv[2], "drain") == 0;
	json_t *q, *answer;
	int code;

	if (argc < 3 || argc > 4 ||
	    (!drain && strcmp(argv[2], "resume") != 0))
		return cli_usage(c);
	q = question(drain ? "upstream.drain" : "upstream.resume", NULL);
	(void)json_object_set_new(q, "upstream", json_string(argv[1]));
	if (argc == 4)
		(void)json_object_set_new(q, "server", json_string(argv[3]));
	code = ask(c, q, &answer, NULL);
	if (code != 0)
		return code;
	if (c->json)
		print_json(answer);
	else
		(void)puts(drain ? "draining" : "resumed");
	json_decref(answer);
	return EX_OK;
}
