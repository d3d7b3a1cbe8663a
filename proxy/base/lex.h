/*
 * lex - the words of postern.conf and of policies: one lexer for both.
 *
 *   word    letters digits _ - . @ / : * % + [ ] and bytes over 127; whether
 *           it is a name, a number, an address or a path is the parser's
 *           business
 *   string  "..." with \" \\ \n \t \r; no raw line end inside
 *   op      { } ( ) ; , = != < > <= >= ~ !~
 *   regex   /.../flags, only when the parser asks for it (after ~ and !~)
 *   comment # to the end of the line
 *
 * The text must stay as long as the tokens are used. Errors are one
 * `file:line:column: what`, the line and a caret, in struct error.
 */
#ifndef BASE_LEX_H
#define BASE_LEX_H

#include "base/error.h"
#include "filters/pn_str.h"

enum lex_kind { LEX_END, LEX_WORD, LEX_STRING, LEX_OP, LEX_REGEX };

struct lex_pos {
	const char *file; /* as the operator named it */
	struct pn_str text; /* of the whole file, for the caret */
	unsigned line;      /* from 1 */
	unsigned column;    /* from 1, in bytes */
};

struct lex_token {
	enum lex_kind kind;
	struct pn_str text;  /* word or op as written; a string or regex
				without its delimiters, escapes as written */
	struct pn_str flags; /* regex only */
	struct lex_pos pos;
};

struct lex {
	const char *file;
	struct pn_str text;
	size_t at;
	unsigned line;
	size_t line_start;
	struct lex_token peeked;
	int has_peeked;
	/* What was seen, taken or not. .pos.file NULL: nothing yet. */
	struct lex_seen {
		struct lex_token last, before; /* and the one before that */
		struct lex_token first;	       /* on last's line, ... */
		struct lex_token before_first; /* ... on a line before */
		bool told; /* what is missing at a line's end */
	} seen;
};

void lex_init(struct lex *, const char *file, struct pn_str text);
/* The next token; -1 and an error for a byte that begins none. */
int lex_next(struct lex *, struct lex_token *, struct error *);
/* The same without taking it. */
int lex_peek(struct lex *, struct lex_token *, struct error *);
/* A regex must stand here. Nothing may be peeked. */
int lex_regex(struct lex *, struct lex_token *, struct error *);

bool lex_is(const struct lex_token *, const char *op_or_word);
/* The next token must be this op or word; it is taken. What is missing at a
 * line's end is told there. */
int lex_expect(struct lex *, const char *op_or_word, struct error *);
/* If the next token is this op or word, take it: 1; else 0; -1 error. */
int lex_accept(struct lex *, const char *op_or_word, struct error *);
/* A string's value: escapes resolved, into out (at least text.n bytes). */
struct pn_str lex_unescape(struct pn_str text, char *out);

/* `missing "what" after "token"`, behind that token. Returns -1. */
int lex_missing(struct error *, const struct lex_token *, const char *what);
/* Behind the token, on its line. */
struct lex_pos lex_end(const struct lex_token *);
/* `file:line:column: ...` + line + caret. Returns -1. */
int lex_error(struct error *, const struct lex_pos *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "10", "50M" (K M G, 1024-based); "20s" "5m" "2h" "7d" "0" in ms; 0 or -1. */
int lex_size(struct pn_str, unsigned long long *bytes);
int lex_duration(struct pn_str, unsigned long long *ms);

#endif
