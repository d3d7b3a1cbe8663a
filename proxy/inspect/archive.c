/*
 * archive - what a leaf truly is, and what lies in it if it is an archive.
 */
#include "inspect/part.h"
#include "inspect/type.h"

void
archive_look(struct view *v, const struct place *place, struct pn_part *p)
{
	(void)v;
	(void)place;
	p->magic = type_of(view_head(p, VIEW_HEAD));
}
