/* render - inside of the traces for people: render.c and render_action.c. */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

#include <jansson.h>
#include <stdio.h>

/* One action, as the rule writes it, without a line end. */
void render_action(FILE *, const json_t *action);

#endif
