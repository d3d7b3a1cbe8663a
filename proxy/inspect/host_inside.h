/* host_inside - what host.c and pn_view.c share. */
#ifndef INSPECT_HOST_INSIDE_H
#define INSPECT_HOST_INSIDE_H

#include "inspect/text.h"
#include "inspect/view.h"

struct header_field;
struct pn_mail;

/* NULL, and counted, for a hook of the worker: there is nothing to read. */
struct view *host_view(struct pn_mail *);
/* The nth field of that name (any case), or NULL. */
struct header_field *host_field(struct view *, struct pn_str name,
    unsigned nth);
/* The decoded text of a field, kept with it. */
struct pn_str host_field_text(struct view *, struct header_field *);

#endif
