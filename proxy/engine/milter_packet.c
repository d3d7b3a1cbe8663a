/* milter_packet - see milter_packet.h. Called by milter_link and milter_talk. */
#include "engine/milter_packet.h"

#define LENGTH 4
#define REPLY_LINES_MAX 32 /* smfi_setmlreply(3) */
#define REPLY_LINE_MAX 980

/* ---- numbers ---- */

static uint32_t
number_at(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 |
	    (uint32_t)u[2] << 8 | u[3];
}

static void
set_number(char *p, uint32_t v)
{
	p[0] = (char)(v >> 24);
	p[1] = (char)(v >> 16);
	p[2] = (char)(v >> 8);
	p[3] = (char)v;
}

static void
put_number(struct buf *b, uint32_t v)
{
	char p[LENGTH];

	set_number(p, v);
	(void)buf_add(b, p, sizeof(p)); /* no cap, here and below */
}

static bool
take_number(struct pn_str *data, uint32_t *v)
{
	if (data->n < LENGTH)
		return false;
	*v = number_at(data->p);
	*data = pn_str_sub(*data, LENGTH, data->n);
	return true;
}

/* ---- packets ---- */

long
milter_packet_take(struct pn_str in, size_t max, struct milter_packet *out)
{
	size_t n;

	if (in.n < LENGTH)
		return 0;
	n = number_at(in.p);
	if (n == 0 || n - 1 > max)
		return -1;
	if (in.n - LENGTH < n)
		return 0;
	out->what = in.p[LENGTH];
	out->data = pn_str_sub(in, LENGTH + 1, n - 1);
	return (long)(LENGTH + n);
}

/* Where the packet begins; its length comes with end(). */
static size_t
begin(struct buf *b, enum milter_command what)
{
	char c = (char)what;
	size_t at = buf_len(b);

	put_number(b, 0);
	(void)buf_add(b, &c, 1);
	return at;
}

static void
end(struct buf *b, size_t at)
{
	set_number(buf_data(b) + at, (uint32_t)(buf_len(b) - at - LENGTH));
}

void
milter_put(struct buf *b, enum milter_command what, struct pn_str data)
{
	size_t at = begin(b, what);

	(void)buf_add_str(b, data);
	end(b, at);
}

void
milter_put_head(struct buf *b, enum milter_command what, size_t n)
{
	const char c = (char)what;

	put_number(b, (uint32_t)n + 1);
	(void)buf_add(b, &c, 1);
}

struct milter_options
milter_offer(unsigned version)
{
	struct milter_options o = { .version = version, .may = 0x3f,
		.protocol = 0x7f };

	if (version >= 3)
		o.protocol |= MILTER_NO_UNKNOWN;
	if (version >= 4)
		o.protocol |= MILTER_NO_DATA;
	if (version >= 6) {
		o.may = 0x1ff;
		/* Which recipients the next hop refuses is known too late. */
		o.protocol = 0x1fffff & ~(uint32_t)MILTER_REFUSED_RCPTS;
	}
	return o;
}

void
milter_put_options(struct buf *b, const struct milter_options *o)
{
	size_t at = begin(b, MILTER_OPTIONS);

	put_number(b, o->version);
	put_number(b, o->may);
	put_number(b, o->protocol);
	end(b, at);
}

static void
put_string(struct buf *b, struct pn_str s)
{
	while (s.n > 0) {
		const char *nul = memchr(s.p, '\0', s.n);
		size_t n = nul != NULL ? (size_t)(nul - s.p) : s.n;

		(void)buf_add(b, s.p, n);
		s = pn_str_sub(s, n + 1, s.n);
	}
	(void)buf_add(b, "", 1);
}

void
milter_put_connect(struct buf *b, struct pn_str host, char family,
    uint16_t port, struct pn_str address)
{
	size_t at = begin(b, MILTER_CONNECT);
	const char net[2] = { (char)(port >> 8), (char)port };

	put_string(b, host);
	(void)buf_add(b, &family, 1);
	if (family != 'U') {
		(void)buf_add(b, net, sizeof(net));
		put_string(b, address);
	}
	end(b, at);
}

static size_t
room_for(const struct pn_str *s, size_t n)
{
	size_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += s[i].n + 1;
	return all;
}

bool
milter_put_strings(struct buf *b, enum milter_command what,
    const struct pn_str *s, size_t n)
{
	size_t at;

	if (room_for(s, n) > MILTER_DATA_MAX)
		return false;
	at = begin(b, what);
	for (size_t i = 0; i < n; i++)
		put_string(b, s[i]);
	end(b, at);
	return true;
}

bool
milter_put_macros(struct buf *b, enum milter_command of,
    const struct pn_str *s, size_t n)
{
	const char c = (char)of;
	size_t at;

	if (room_for(s, n) > MILTER_DATA_MAX - 1)
		return false;
	at = begin(b, MILTER_MACRO);
	(void)buf_add(b, &c, 1);
	for (size_t i = 0; i < n; i++)
		put_string(b, s[i]);
	end(b, at);
	return true;
}

/* ---- answers ---- */

/* Up to its NUL, which must be there. */
static bool
take_string(struct pn_str *data, struct pn_str *out)
{
	const char *nul = data->n ? memchr(data->p, '\0', data->n) : NULL;

	if (nul == NULL)
		return false;
	*out = (struct pn_str){ data->p, (size_t)(nul - data->p) };
	*data = pn_str_sub(*data, out->n + 1, data->n);
	return true;
}

bool
milter_read_options(struct pn_str data, struct milter_options *o)
{
	uint32_t list;
	struct pn_str names;

	*o = (struct milter_options){ 0 };
	if (!take_number(&data, &o->version) || !take_number(&data, &o->may) ||
	    !take_number(&data, &o->protocol))
		return false;
	while (data.n > 0) {
		if (!take_number(&data, &list) || list >= MILTER_LISTS ||
		    !take_string(&data, &names))
			return false;
		o->macros[list] = names;
	}
	return true;
}

/* What a packet's data is made of. */
enum shape {
	SHAPE_NONE,  /* no such answer */
	SHAPE_EMPTY,
	SHAPE_NAME,  /* one string */
	SHAPE_TWO,   /* name, value */
	SHAPE_INDEX, /* index, name, value */
	SHAPE_PAR,   /* name, and a value that may be missing */
	SHAPE_TEXT,  /* one string, the value */
	SHAPE_BYTES  /* all of it, the value */
};

static const struct {
	enum shape shape;
	const char *name;
} answers[128] = {
	[MILTER_ADD_RCPT] = { SHAPE_NAME, "add recipient" },
	[MILTER_DELETE_RCPT] = { SHAPE_NAME, "delete recipient" },
	[MILTER_ADD_RCPT_PAR] = { SHAPE_PAR, "add recipient" },
	[MILTER_SHUTDOWN] = { SHAPE_EMPTY, "shutdown" },
	[MILTER_ACCEPT] = { SHAPE_EMPTY, "accept" },
	[MILTER_REPLACE_BODY] = { SHAPE_BYTES, "replace body" },
	[MILTER_CONTINUE] = { SHAPE_EMPTY, "continue" },
	[MILTER_DISCARD] = { SHAPE_EMPTY, "discard" },
	[MILTER_CHANGE_FROM] = { SHAPE_PAR, "change sender" },
	[MILTER_CONN_FAIL] = { SHAPE_EMPTY, "connection failure" },
	[MILTER_ADD_HEADER] = { SHAPE_TWO, "add header" },
	[MILTER_INSERT_HEADER] = { SHAPE_INDEX, "insert header" },
	[MILTER_CHANGE_HEADER] = { SHAPE_INDEX, "change header" },
	[MILTER_PROGRESS] = { SHAPE_EMPTY, "progress" },
	[MILTER_QUARANTINE] = { SHAPE_TEXT, "quarantine" },
	[MILTER_REJECT] = { SHAPE_EMPTY, "reject" },
	[MILTER_SKIP] = { SHAPE_EMPTY, "skip" },
	[MILTER_TEMPFAIL] = { SHAPE_EMPTY, "tempfail" },
	[MILTER_REPLY_CODE] = { SHAPE_TEXT, "reply code" },
};

bool
milter_read_answer(const struct milter_packet *p, struct milter_said *s)
{
	struct pn_str d = p->data;
	unsigned char what = (unsigned char)p->what;
	enum shape shape = what < PN_COUNT(answers) ? answers[what].shape
						    : SHAPE_NONE;

	*s = (struct milter_said){ .what = (enum milter_answer)p->what };
	switch (shape) {
	case SHAPE_NONE:
		return false;
	case SHAPE_EMPTY:
		break;
	case SHAPE_INDEX:
		if (!take_number(&d, &s->index))
			return false;
		/* FALLTHROUGH */
	case SHAPE_TWO:
		return take_string(&d, &s->name) && take_string(&d, &s->value) &&
		    d.n == 0;
	case SHAPE_NAME:
		return take_string(&d, &s->name) && d.n == 0;
	case SHAPE_PAR:
		return take_string(&d, &s->name) &&
		    (d.n == 0 || take_string(&d, &s->value)) && d.n == 0;
	case SHAPE_TEXT:
		return take_string(&d, &s->value) && d.n == 0;
	case SHAPE_BYTES:
		s->value = d;
		return true;
	}
	return d.n == 0;
}

const char *
milter_answer_name(char what)
{
	unsigned char at = (unsigned char)what;
	const char *name = at < PN_COUNT(answers) ? answers[at].name : NULL;

	return name != NULL ? name : "?";
}

const char *
milter_command_name(char what)
{
	static const char *const names[128] = { [MILTER_ABORT] = "abort",
		[MILTER_BODY] = "body", [MILTER_CONNECT] = "connect",
		[MILTER_MACRO] = "macro",
		[MILTER_END_OF_BODY] = "end of message",
		[MILTER_HELO] = "helo", [MILTER_QUIT_NC] = "quit",
		[MILTER_HEADER] = "header", [MILTER_MAIL] = "mail",
		[MILTER_END_OF_HEADER] = "end of header",
		[MILTER_OPTIONS] = "negotiation", [MILTER_QUIT] = "quit",
		[MILTER_RCPT] = "rcpt", [MILTER_DATA] = "data",
		[MILTER_UNKNOWN] = "unknown command" };
	unsigned char at = (unsigned char)what;
	const char *name = at < PN_COUNT(names) ? names[at] : NULL;

	return name != NULL ? name : "?";
}

/* ---- replies ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "5.7.1" in front of a text, of that class; 0: there is none. */
static size_t
status_length(struct pn_str s, char class)
{
	size_t at = 0, dots = 0;

	while (at < s.n && (s.p[at] == '.' || is_digit(s.p[at])))
		dots += s.p[at++] == '.';
	if (dots != 2 || s.p[0] != class || s.p[1] != '.' ||
	    s.p[at - 1] == '.' || at >= sizeof(((struct reply *)0)->status) ||
	    (at < s.n && s.p[at] != ' '))
		return 0;
	return at;
}

/* One line, "550-5.7.1 text"; what stands behind the code is left. */
static bool
take_code(struct pn_str *line, bool last, uint16_t *code)
{
	const char *p = line->p;
	bool ok = line->n >= 3 && (p[0] == '4' || p[0] == '5') &&
	    is_digit(p[1]) && is_digit(p[2]) &&
	    (line->n == 3 || p[3] == ' ' || (p[3] == '-' && !last));
	uint16_t c;

	if (!ok)
		return false;
	c = (uint16_t)((p[0] - '0') * 100 + (p[1] - '0') * 10 + p[2] - '0');
	if (*code != 0 && c != *code)
		return false;
	*code = c;
	*line = pn_str_sub(*line, 4, line->n);
	return true;
}

/* Up to the line end, which is taken. */
static struct pn_str
take_line(struct pn_str *text)
{
	const char *lf = text->n ? memchr(text->p, '\n', text->n) : NULL;
	struct pn_str line = *text;

	if (lf != NULL)
		line.n = (size_t)(lf - text->p);
	*text = pn_str_sub(*text, line.n + (lf != NULL), text->n);
	if (pn_str_ends(line, PN_STR_V("\r")))
		line.n--;
	return line;
}

/* Sendmail takes it for a format: "%%" is "%", and a lone "%" nothing. Other
 * controls have no place in a reply. */
static void
put_line(struct buf *b, struct pn_str line)
{
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] == '%' && ++i == line.n)
			break;
		if ((unsigned char)line.p[i] >= ' ' && line.p[i] != 127)
			(void)buf_add(b, &line.p[i], 1);
	}
}

static bool
read_line(struct buf *b, struct pn_str line, bool last, struct reply *r)
{
	size_t n;

	if (line.n > REPLY_LINE_MAX + 16 || !take_code(&line, last, &r->code))
		return false;
	n = status_length(line, (char)('0' + r->code / 100));
	if (n > 0 && r->status[0] == '\0')
		memcpy(r->status, line.p, n);
	if (n > 0)
		line = pn_str_sub(line, n + 1, line.n);
	put_line(b, line);
	return true;
}

bool
milter_read_reply(struct pn_str text, struct arena *a, struct reply *r)
{
	struct buf b = { 0 };
	unsigned lines = 0;
	bool ok = true;

	*r = (struct reply){ 0 };
	text = pn_str_trim(text);
	do {
		struct pn_str line = take_line(&text);

		if (lines > 0)
			(void)buf_puts(&b, "\n");
		ok = ++lines <= REPLY_LINES_MAX &&
		    read_line(&b, line, text.n == 0, r);
	} while (ok && text.n > 0);
	r->text = arena_str(a, buf_str(&b));
	buf_fini(&b);
	if (ok && r->status[0] == '\0')
		memcpy(r->status, r->code / 100 == 4 ? "4.7.1" : "5.7.1", 6);
	return ok && r->text.p != NULL;
}
