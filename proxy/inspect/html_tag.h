/*
 * html_tag - one tag of a page and the attributes that html asks for: HTML
 * 13.2.5.6 to 13.2.5.40. For html; css has the same blanks.
 */
#ifndef INSPECT_HTML_TAG_H
#define INSPECT_HTML_TAG_H

#include "filters/pn_str.h"

#define TAG_ROOM 24    /* letters of a tag's name, more than any known has */

enum attribute {
	A_HREF, A_SRC, A_ACTION, A_FORMACTION, A_BACKGROUND, A_ALT, A_STYLE,
	A_CLASS, A_ID, A_HIDDEN, A_COLOR, A_BGCOLOR, A_CONTENT, A_HTTP_EQUIV,
	A_VALUE, A_TYPE, A_TEXT, A_DATA, A_XLINK, A_CHARSET, A_PLACEHOLDER, A_POSTER,
	A_ENCODING, A_FACE, A_SIZE, A_SRCSET,
	ATTRIBUTES
};
struct tag {
	char room[TAG_ROOM];
	struct pn_str name;  /* lower case; of a longer one its beginning */
	bool end, closed;    /* </x>, <x/> */
	bool has[ATTRIBUTES];
	struct pn_str value[ATTRIBUTES]; /* as written */
};

/* A tag whose name begins at s; its bytes, 0: the page ends within. */
size_t tag_read(struct pn_str s, struct tag *);
bool tag_is(const struct tag *, const char *name);

bool html_is_space(char);
bool html_is_letter(char);
struct pn_str html_trim(struct pn_str);

#endif
