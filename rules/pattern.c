/*
 * pattern - regular expressions: the one home of PCRE2.
 *
 * Compiled and JIT-compiled by the master into the policy's arena; children
 * inherit them and only match. PCRE2 gets its memory from the arena through
 * struct pattern_memory, which reuses what PCRE2 gives back while compiling
 * (the JIT compiler's scratch) and is closed after that: then nothing is
 * allocated and freeing is no-one's business but the arena's. The executable
 * pages alone are the JIT's own; rules_free() gives them back in the master.
 *
 * Subjects are hostile: each match has limits on steps, depth and memory and
 * an upper bound for the subject. What goes past one is unknown.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "rules/tree.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#define PATTERN_MAX (64 * 1024) /* bytes of one regex */
#define GROUPS_MAX 250		/* ( ) of one regex */
#define SUBJECT_MAX (16u << 20) /* bytes matched in; longer is unknown */
#define MATCH_LIMIT 1000000	/* steps from one start */
#define DEPTH_LIMIT 10000
#define HEAP_LIMIT (20 * 1024) /* KiB */
#define JIT_STACK (512 * 1024)

/* ---- memory ---- */

#define GRAIN 64
#define CLASSES 256 /* multiples of GRAIN up to 16 KiB, then powers of two */

struct block {
	size_t class;
	_Alignas(16) struct block *next; /* first bytes of a free one */
};
#define BLOCK_HEAD offsetof(struct block, next)

struct pattern_memory {
	struct arena *arena;
	bool closed;
	struct block *free[CLASSES + 64];
	pcre2_general_context *general;
	pcre2_compile_context *compile;
};

/* The class of n bytes, and the bytes its blocks have. */
static size_t
class_of(size_t n, size_t *room)
{
	size_t class = CLASSES;

	if (n < GRAIN * CLASSES) {
		*room = (n / GRAIN + 1) * GRAIN;
		return n / GRAIN;
	}
	for (*room = GRAIN * CLASSES * 2; *room < n; *room *= 2)
		class ++;
	return class;
}

static void *
memory_take(size_t n, void *arg)
{
	struct pattern_memory *m = arg;
	struct block *block;
	size_t class, room;

	if (m->closed || n > SIZE_MAX / 8)
		return NULL;
	class = class_of(n, &room);
	block = m->free[class];
	if (block != NULL)
		m->free[class] = block->next;
	else if ((block = arena_alloc(m->arena, BLOCK_HEAD + room)) == NULL)
		return NULL;
	block->class = class;
	return (char *)block + BLOCK_HEAD;
}

static void
memory_give(void *p, void *arg)
{
	struct pattern_memory *m = arg;
	struct block *block;

	if (p == NULL || m->closed)
		return;
	block = (struct block *)((char *)p - BLOCK_HEAD);
	block->next = m->free[block->class];
	m->free[block->class] = block;
}

struct pattern_memory *
pattern_memory_new(struct rules_builder *b)
{
	struct pattern_memory *m = rules_alloc(b, sizeof(*m));

	m->arena = b->arena;
	m->general = pcre2_general_context_create(memory_take, memory_give, m);
	if (m->general != NULL)
		m->compile = pcre2_compile_context_create(m->general);
	if (m->compile == NULL)
		longjmp(b->full, 1);
	/* Mail's lines end in CRLF: `$` stands before it, `.` matches neither.
	 */
	must(pcre2_set_newline(m->compile, PCRE2_NEWLINE_ANYCRLF) == 0);
	must(pcre2_set_max_pattern_length(m->compile, PATTERN_MAX) == 0);
	return m;
}

void
pattern_memory_close(struct pattern_memory *m)
{
	if (m != NULL)
		m->closed = true;
}

/* ---- compiling ---- */

struct pattern {
	pcre2_code *code;
	struct pn_str text, flags;
	uint32_t groups; /* ovector pairs a match fills */
	uint32_t n_captures;
	struct pn_str names[CAPTURES_MAX];
	uint32_t numbers[CAPTURES_MAX]; /* their groups */
	struct pattern *next;
};

static int
options_of(const struct word *regex, struct pn_str flags, uint32_t *options,
    struct error *e)
{
	struct lex_pos at = regex->pos;

	/* \C splits characters; (*UTF) would switch on checks /u is for. */
	*options = PCRE2_NEVER_BACKSLASH_C;
	for (size_t i = 0; i < flags.n; i++) {
		char f = flags.p[i];
		uint32_t option =
		    f == 'i'   ? PCRE2_CASELESS
		    : f == 'm' ? PCRE2_MULTILINE
		    : f == 's' ? PCRE2_DOTALL
		    : f == 'x' ? PCRE2_EXTENDED
		    : f == 'u' ? PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF
			       : 0;

		at.column =
		    regex->pos.column + (unsigned)(regex->text.n + 2 + i);
		if (option == 0)
			return lex_error(e, &at,
			    "unknown flag \"%c\" of a regex (i m s x u)", f);
		if (*options & option)
			return lex_error(e, &at, "flag \"%c\" stands twice", f);
		*options |= option;
	}
	if ((*options & PCRE2_UTF) == 0)
		*options |= PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
	return 0;
}

static int
take_names(struct pattern *p, const struct word *regex, struct error *e)
{
	uint32_t count, size;
	PCRE2_SPTR table;

	must(pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &p->groups) ==
	     0);
	must(pcre2_pattern_info(p->code, PCRE2_INFO_NAMECOUNT, &count) == 0);
	must(pcre2_pattern_info(p->code, PCRE2_INFO_NAMEENTRYSIZE, &size) == 0);
	must(pcre2_pattern_info(p->code, PCRE2_INFO_NAMETABLE, &table) == 0);
	if (p->groups++ > GROUPS_MAX)
		return lex_error(e, &regex->pos,
		    "a regex has at most %d groups", GROUPS_MAX);
	if (count > CAPTURES_MAX)
		return lex_error(e, &regex->pos,
		    "a regex has at most %d named groups", CAPTURES_MAX);
	p->n_captures = count;
	/* An entry: the group's number in two bytes, the name and a NUL. */
	for (uint32_t i = 0; i < count; i++, table += size) {
		p->numbers[i] = (uint32_t)(table[0] << 8 | table[1]);
		p->names[i] = pn_str_of((const char *)table + 2);
	}
	return 0;
}

static int
compile(struct rules_builder *b, struct pattern *p, const struct word *regex,
    struct error *e)
{
	struct lex_pos at = regex->pos;
	unsigned char why[160];
	PCRE2_SIZE offset;
	uint32_t options;
	int code;

	if (options_of(regex, p->flags, &options, e) < 0)
		return -1;
	p->code = pcre2_compile((PCRE2_SPTR)regex->text.p, regex->text.n,
	    options, &code, &offset, b->memory->compile);
	if (p->code == NULL) {
		(void)pcre2_get_error_message(code, why, sizeof(why));
		at.column += 1 + (unsigned)offset;
		return lex_error(e, &at, "%s", (const char *)why);
	}
	/* Without JIT (not built in, or a pattern it does not do) PCRE2
	 * interprets: slower, the same answers. */
	(void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
	return take_names(p, regex, e);
}

int
pattern_compile(struct rules_builder *b, const struct word *regex,
    struct pn_str flags, const struct pattern **out, struct error *e)
{
	struct pattern *p;

	for (p = b->patterns; p != NULL; p = p->next)
		if (pn_str_eq(p->text, regex->text) &&
		    pn_str_eq(p->flags, flags)) {
			*out = p;
			return 0;
		}
	if (b->memory == NULL)
		b->memory = pattern_memory_new(b);
	*out = p = rules_alloc(b, sizeof(*p));
	p->text = regex->text;
	p->flags = flags;
	/* In the list first: what fails half-way is freed with the rest. */
	p->next = b->patterns;
	b->patterns = p;
	return compile(b, p, regex, e);
}

void
pattern_free_all(const struct pattern *p)
{
	for (; p != NULL; p = p->next)
		pcre2_code_free(p->code);
}

struct pn_str
pattern_text(const struct pattern *p)
{
	return p->text;
}

struct pn_str
pattern_flags(const struct pattern *p)
{
	return p->flags;
}

uint32_t
pattern_n_captures(const struct pattern *p)
{
	return p->n_captures;
}

uint32_t
pattern_n_groups(const struct pattern *p)
{
	return p->groups;
}

struct pn_str
pattern_capture_name(const struct pattern *p, uint32_t i)
{
	return p->names[i];
}

/* ---- matching ---- */

struct rules_run {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

struct rules_run *
rules_run_new(void)
{
	struct rules_run *run = xcalloc(1, sizeof(*run));

	run->data = pcre2_match_data_create(GROUPS_MAX + 1, NULL);
	run->context = pcre2_match_context_create(NULL);
	run->stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK, NULL);
	must(run->data != NULL && run->context != NULL);
	must(pcre2_set_match_limit(run->context, MATCH_LIMIT) == 0);
	must(pcre2_set_depth_limit(run->context, DEPTH_LIMIT) == 0);
	must(pcre2_set_heap_limit(run->context, HEAP_LIMIT) == 0);
	if (run->stack != NULL) /* NULL without JIT */
		pcre2_jit_stack_assign(run->context, NULL, run->stack);
	return run;
}

void
rules_run_free(struct rules_run *run)
{
	if (run == NULL)
		return;
	pcre2_match_data_free(run->data);
	pcre2_match_context_free(run->context);
	pcre2_jit_stack_free(run->stack);
	free(run);
}

static struct pn_str
cut(struct pn_str subject, const PCRE2_SIZE *pair)
{
	/* \K in a lookahead can put the end before the start. */
	if (pair[0] == PCRE2_UNSET || pair[1] < pair[0])
		return (struct pn_str){ "", 0 };
	return pn_str_sub(subject, pair[0],
	    pair[1] - pair[0] < MATCH_KEPT ? pair[1] - pair[0] : MATCH_KEPT);
}

enum tri
pattern_match(const struct pattern *p, struct rules_run *run,
    struct pn_str subject, struct match *m)
{
	const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer(run->data);
	int n;

	if (subject.n > SUBJECT_MAX)
		return TRI_UNKNOWN;
	n = pcre2_match(p->code, (PCRE2_SPTR)(subject.n ? subject.p : ""),
	    subject.n, 0, 0, run->data, run->context);
	if (n == PCRE2_ERROR_NOMATCH)
		return TRI_FALSE;
	if (n <= 0)
		return TRI_UNKNOWN;
	m->text = cut(subject, pairs);
	m->n_captures = p->n_captures;
	for (uint32_t i = 0; i < p->n_captures; i++) {
		m->captures[i].name = p->names[i];
		m->captures[i].text =
		    p->numbers[i] < (uint32_t)n
			? cut(subject, pairs + 2 * p->numbers[i])
			: (struct pn_str){ "", 0 };
	}
	return TRI_TRUE;
}

struct pn_str
pattern_group(
    const struct rules_run *run, struct pn_str subject, unsigned group)
{
	const PCRE2_SIZE *pair =
	    pcre2_get_ovector_pointer(run->data) + 2 * (size_t)group;

	if (pair[0] == PCRE2_UNSET || pair[1] < pair[0])
		return (struct pn_str){ "", 0 };
	return pn_str_sub(subject, pair[0], pair[1] - pair[0]);
}
