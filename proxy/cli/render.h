/* render - inside of the traces for people: render.c, render_action.c and
 * render_expr.c. */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

#include <jansson.h>
#include <stdio.h>

/* One action, as the rule writes it, without a line end. */
void render_action(FILE *, const json_t *action);

/* What parts of an expression are told with. */
struct telling {
	FILE *f;
	const json_t *found; /* facts of the message's parts and addresses */
};

/* Lines of it, from that column on; nothing where e is none. */
void render_expr(const struct telling *, const json_t *e, const char *lead,
    int column);

#endif
