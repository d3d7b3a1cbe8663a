/* html_tag - see html_tag.h; and the charset that a page's tags say it is in. */
#include "inspect/html_tag.h"

#include "inspect/html.h"

static const struct pn_str attribute_names[ATTRIBUTES] = {
	[A_HREF] = PN_STR("href"), [A_SRC] = PN_STR("src"),
	[A_ACTION] = PN_STR("action"), [A_FORMACTION] = PN_STR("formaction"),
	[A_BACKGROUND] = PN_STR("background"), [A_ALT] = PN_STR("alt"),
	[A_STYLE] = PN_STR("style"), [A_CLASS] = PN_STR("class"),
	[A_ID] = PN_STR("id"), [A_HIDDEN] = PN_STR("hidden"),
	[A_COLOR] = PN_STR("color"), [A_BGCOLOR] = PN_STR("bgcolor"),
	[A_CONTENT] = PN_STR("content"), [A_HTTP_EQUIV] = PN_STR("http-equiv"),
	[A_VALUE] = PN_STR("value"), [A_TYPE] = PN_STR("type"),
	[A_TEXT] = PN_STR("text"), [A_DATA] = PN_STR("data"), [A_XLINK] = PN_STR("xlink:href"),
	[A_CHARSET] = PN_STR("charset"),
	[A_PLACEHOLDER] = PN_STR("placeholder"),
	[A_POSTER] = PN_STR("poster"), [A_ENCODING] = PN_STR("encoding"),
	[A_FACE] = PN_STR("face"), [A_SIZE] = PN_STR("size"),
	[A_SRCSET] = PN_STR("srcset"),
};

bool
html_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

bool
html_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct pn_str
html_trim(struct pn_str s)
{
	while (s.n > 0 && html_is_space(s.p[0]))
		s = pn_str_sub(s, 1, s.n);
	while (s.n > 0 && html_is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

static size_t
read_name(struct pn_str s, struct tag *t)
{
	size_t i = 0;

	t->name.p = t->room;
	for (; i < s.n && !html_is_space(s.p[i]) && s.p[i] != '/' && s.p[i] != '>';
	     i++)
		if (t->name.n < sizeof(t->room))
			t->room[t->name.n++] = pn_lower(s.p[i]);
	return i;
}

/* 13.2.5.36 to 38: the value, quoted or not, and the bytes up to its end; 0:
 * the page ends within. */
static size_t
read_value(struct pn_str s, struct pn_str *value)
{
	size_t i = 0, from;
	const char *end;

	while (i < s.n && html_is_space(s.p[i]))
		i++;
	if (i < s.n && (s.p[i] == '"' || s.p[i] == '\'')) {
		end = memchr(s.p + i + 1, s.p[i], s.n - i - 1);
		if (end == NULL)
			return 0;
		from = i + 1;
		*value = pn_str_sub(s, from, (size_t)(end - s.p) - from);
		return (size_t)(end - s.p) + 1;
	}
	from = i;
	while (i < s.n && !html_is_space(s.p[i]) && s.p[i] != '>')
		i++;
	*value = pn_str_sub(s, from, i - from);
	return i;
}

static void
note_attribute(struct tag *t, struct pn_str name, struct pn_str value)
{
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (pn_str_caseeq(attribute_names[i], name)) {
			if (!t->has[i]) /* of two the first counts */
				t->value[i] = value;
			t->has[i] = true;
			return;
		}
}

/* 13.2.5.32 on: attributes up to '>'; 0: the page ends within. */
static size_t
read_attributes(struct pn_str s, struct tag *t)
{
	size_t i = 0;

	for (;;) {
		struct pn_str name, value = PN_STR("");
		size_t from, n;

		while (i < s.n && (html_is_space(s.p[i]) || s.p[i] == '/'))
			i++;
		if (i == s.n)
			return 0;
		if (s.p[i] == '>') {
			t->closed = i > 0 && s.p[i - 1] == '/';
			return i + 1;
		}
		from = i++; /* even a '=' begins a name */
		while (i < s.n && !html_is_space(s.p[i]) && s.p[i] != '/' &&
		    s.p[i] != '>' && s.p[i] != '=')
			i++;
		name = pn_str_sub(s, from, i - from);
		for (n = i; n < s.n && html_is_space(s.p[n]);)
			n++;
		if (n < s.n && s.p[n] == '=') {
			i = n + 1;
			n = read_value(pn_str_sub(s, i, s.n), &value);
			if (n == 0 && i < s.n && s.p[i] != '>')
				return 0;
			i += n;
		}
		note_attribute(t, name, value);
	}
}

size_t
tag_read(struct pn_str s, struct tag *t)
{
	size_t n = read_name(s, t), more;

	more = read_attributes(pn_str_sub(s, n, s.n), t);
	return more == 0 ? 0 : n + more;
}

bool
tag_is(const struct tag *t, const char *name)
{
	return pn_str_eq(t->name, pn_str_of(name));
}

struct pn_str
html_charset(struct pn_str s)
{
	static const struct pn_str word = PN_STR("charset");
	const char *lt;

	s = pn_str_sub(s, 0, 1024);
	while (s.n > 0 && (lt = memchr(s.p, '<', s.n)) != NULL) {
		struct tag t = { .end = false };
		struct pn_str at;

		s = pn_str_sub(s, (size_t)(lt - s.p) + 1, s.n);
		if (!pn_str_caseeq(pn_str_sub(s, 0, 4), PN_STR_V("meta")) ||
		    tag_read(s, &t) == 0 || !tag_is(&t, "meta"))
			continue;
		if (t.has[A_CHARSET])
			return html_trim(t.value[A_CHARSET]);
		for (at = t.value[A_CONTENT]; at.n > word.n;
		     at = pn_str_sub(at, 1, at.n)) {
			struct pn_str rest;
			size_t n = 0;

			if (!pn_str_caseeq(pn_str_sub(at, 0, word.n), word))
				continue;
			rest = html_trim(pn_str_sub(at, word.n, at.n));
			if (!pn_str_starts(rest, PN_STR_V("=")))
				continue;
			rest = html_trim(pn_str_sub(rest, 1, rest.n));
			while (n < rest.n && rest.p[n] != ';' &&
			    !html_is_space(rest.p[n]))
				n++;
			return pn_str_sub(rest, 0, n);
		}
	}
	return PN_STR_V("");
}
