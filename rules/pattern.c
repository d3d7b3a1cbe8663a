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
 * Subjects are hostile. PCRE2's limit on steps begins anew at each place where
 * a match may begin, and not all its steps count, so it bounds no time: see
 * "the search" below. What goes past a limit is unknown.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "rules/literal.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#define PATTERN_MAX (64 * 1024) /* bytes of one regex */
#define GROUPS_MAX 250		/* ( ) of one regex */
#define STARTS_MAX                                                             \
	(16u << 20)	    /* a match that begins behind them is unknown      \
			     */
#define MATCH_LIMIT 1000000 /* steps from one start */
#define DEPTH_LIMIT 10000
#define HEAP_LIMIT (20 * 1024) /* KiB */
#define JIT_STACK (512 * 1024)
#define SCRATCH_MAX (4u << 20) /* for the analysis of one pattern */

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

static struct pattern_memory *
memory_new(struct rules_builder *b)
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

/* How one call of PCRE2 is kept short: starts times steps stays the same. */
struct effort {
	size_t starts; /* places where a match may begin */
	size_t reach;  /* bytes behind the last that it sees */
	size_t steps;  /* from each start, as PCRE2 counts them */
};

struct pattern {
	pcre2_code *code;
	struct need need;
	struct effort effort;
	bool anchored; /* matches at the very beginning only */
	bool utf;
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
	*options = PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT;
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

/*
 * One call takes two or three milliseconds at most. A step may read on to the
 * window's end, at a third of a nanosecond a byte: so the three numbers are
 * such that their product is CALL_STEPS, the window being starts and reach.
 * Where a start has few ways to go on (need.steps), they take steps' place.
 */
#define CALL_STEPS (8u << 20)
#define TAME_STEPS (CALL_STEPS / 64)

static void
choose_effort(struct pattern *p)
{
	const struct need *need = &p->need;
	uint32_t all, steps = need->steps > 0 ? need->steps : 1;

	must(pcre2_pattern_info(p->code, PCRE2_INFO_ALLOPTIONS, &all) == 0);
	p->anchored = (all & PCRE2_ANCHORED) != 0;
	p->utf = (all & PCRE2_UTF) != 0;
	if (need->known && need->degree == 0 && steps <= TAME_STEPS)
		p->effort = (struct effort){ CALL_STEPS / steps, SIZE_MAX,
			MATCH_LIMIT };
	else if (need->known && need->degree == 1 && steps <= 16)
		p->effort = (struct effort){ 1024 / steps, 4096, MATCH_LIMIT };
	else
		p->effort = (struct effort){ 512, 448, 32 };
}

/*
 * \G and (*COMMIT) and its like speak of the whole search, of which PCRE2 only
 * sees slices. What regex.c knows has none of them.
 */
static const char *
unsliceable(struct pn_str text)
{
	for (size_t i = 0; i + 1 < text.n; i++) {
		if (text.p[i] == '(' && text.p[i + 1] == '*')
			return "\"(*\" of a regex, as in (*COMMIT), is not "
			       "available; write [(]* for parentheses";
		if (text.p[i] == '\\' && text.p[++i] == 'G')
			return "\"\\G\" of a regex is not available; write \\A";
	}
	return NULL;
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
	if (b->scratch == NULL)
		b->scratch = arena_new(SCRATCH_MAX);
	p->need = regex_need(b, b->scratch, p->text, p->flags);
	if (!p->need.known && unsliceable(p->text) != NULL)
		return lex_error(e, &regex->pos, "%s", unsliceable(p->text));
	choose_effort(p);
	/* Without JIT (not built in, or a pattern it does not do) PCRE2
	 * interprets: slower, the same answers. */
	(void)pcre2_jit_compile(
	    p->code, p->effort.reach == SIZE_MAX
			 ? PCRE2_JIT_COMPLETE
			 : PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
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
		b->memory = memory_new(b);
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

const struct need *
pattern_need(const struct pattern *p)
{
	return &p->need;
}

bool
pattern_is_tame(const struct pattern *p)
{
	return p->effort.reach == SIZE_MAX;
}

/* ---- the search ---- */

/*
 * A text is searched in slices: each call of PCRE2 tries some places where a
 * match may begin (the offset limit) and sees the text up to a window's end.
 * Where it wants to see more it says so (PCRE2_PARTIAL_HARD), and that one
 * place is tried again with a window four times as wide; where it runs out of
 * steps, an eighth of the places with eight times the steps, as long as there
 * is time for that. So each call takes at most a few times as long as one that
 * was measured, the answer is that of a single call, and between any two of
 * them time can be up.
 */

struct pattern_scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

struct pattern_scratch *
pattern_scratch_new(void)
{
	struct pattern_scratch *s = xcalloc(1, sizeof(*s));

	s->data = pcre2_match_data_create(GROUPS_MAX + 1, NULL);
	s->context = pcre2_match_context_create(NULL);
	s->stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK, NULL);
	must(s->data != NULL && s->context != NULL);
	must(pcre2_set_depth_limit(s->context, DEPTH_LIMIT) == 0);
	must(pcre2_set_heap_limit(s->context, HEAP_LIMIT) == 0);
	if (s->stack != NULL) /* NULL without JIT */
		pcre2_jit_stack_assign(s->context, NULL, s->stack);
	return s;
}

void
pattern_scratch_free(struct pattern_scratch *s)
{
	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->context);
	pcre2_jit_stack_free(s->stack);
	free(s);
}

struct search {
	const struct pattern *p;
	struct rules_run *run;
	struct pn_str subject;
	struct effort effort; /* of the next call */
	bool timed;
	uint64_t now; /* when the last call ended */
	struct budget budget;
	int n; /* pairs of the match */
	enum rules_limit limit;
};

static bool
continues(const struct search *s, size_t at)
{
	if (at >= s->subject.n || at == 0)
		return false;
	if (s->p->utf && ((unsigned char)s->subject.p[at] & 0xc0) == 0x80)
		return true;
	return s->subject.p[at] == '\n' && s->subject.p[at - 1] == '\r';
}

/* No slice begins, no window ends, within a character or a line end: a single
 * call would not begin there either. */
static size_t
end_of_unit(const struct search *s, size_t at)
{
	while (continues(s, at))
		at++;
	return at;
}

static size_t
begin_of_unit(const struct search *s, size_t at)
{
	while (continues(s, at))
		at--;
	return at;
}

static size_t
plus(size_t a, size_t b)
{
	return b > SIZE_MAX - a ? SIZE_MAX : a + b;
}

/* One call: from `from` to last, seeing the subject up to end. */
static int
call(struct search *s, size_t from, size_t last, size_t end)
{
	struct pattern_scratch *scratch = s->run->scratch;
	uint32_t options = end < s->subject.n ? PCRE2_PARTIAL_HARD : 0;

	s->run->spent.calls++;
	(void)pcre2_set_match_limit(
	    scratch->context, (uint32_t)s->effort.steps);
	(void)pcre2_set_offset_limit(scratch->context, last);
	return pcre2_match(s->p->code,
	    (PCRE2_SPTR)(s->subject.n ? s->subject.p : ""), end, from, options,
	    scratch->data, scratch->context);
}

/* False: the next call, which may take so many times as long as this one, has
 * no time. */
static bool
has_time(struct search *s, unsigned longer)
{
	struct rules_run *run = s->run;
	uint64_t now = run_now(run), took = s->timed ? now - s->now : 0;

	if (!s->timed)
		budget_start(&s->budget, now, run->limits.pattern_us * 1000);
	s->timed = true;
	s->now = now;
	if (!budget_has(run, &s->budget, now, longer * took))
		s->limit = RULES_LIMIT_PATTERN;
	else if (!budget_has(run, &run->message, now, 0))
		s->limit = RULES_LIMIT_MESSAGE;
	return s->limit == RULES_NO_LIMIT;
}

/* A call met its limits: fewer starts, then more of what it lacked. */
static bool
try_harder(struct search *s, bool partial)
{
	struct effort *e = &s->effort;
	size_t fewer = e->starts > 8 ? e->starts / 8 : 1;

	if (e->starts > 1) {
		e->steps *= e->starts / fewer;
		e->starts = fewer;
		if (e->steps > MATCH_LIMIT)
			e->steps = MATCH_LIMIT;
		return has_time(s, 1);
	}
	if (partial)
		e->reach *= 4;
	else
		e->steps *= 4;
	if (e->steps <= MATCH_LIMIT)
		return has_time(s, 4);
	s->limit = RULES_LIMIT_PATTERN;
	return false;
}

/* A call found that nothing begins there. */
static void
relax(struct search *s)
{
	const struct effort *usual = &s->p->effort;
	size_t starts = 2 * s->effort.starts;

	s->effort = *usual;
	if (starts >= usual->starts)
		return;
	s->effort.starts = starts;
	s->effort.steps = usual->steps * (usual->starts / starts);
	if (s->effort.steps > MATCH_LIMIT)
		s->effort.steps = MATCH_LIMIT;
}

/* Where the call got to, if it says so for certain: \K moves it. */
static size_t
failing_start(const struct search *s, int n, size_t from, size_t next)
{
	size_t at = pcre2_get_ovector_pointer(s->run->scratch->data)[0];

	return n == PCRE2_ERROR_PARTIAL && s->p->need.known && at > from &&
		       at < next
		   ? begin_of_unit(s, at)
		   : from;
}

/* Is there a match that begins within [from, to]? */
static enum tri
search(struct search *s, size_t from, size_t to)
{
	while (from <= to) {
		size_t next = end_of_unit(s, plus(from, s->effort.starts));
		size_t end = plus(next, s->effort.reach);
		int n;

		next = next > to ? to + 1 : next;
		end = end >= s->subject.n ? s->subject.n : end_of_unit(s, end);
		n = s->n = call(s, from, next - 1, end);
		if (n > 0)
			return TRI_TRUE;
		if (n == PCRE2_ERROR_NOMATCH) {
			from = next;
			relax(s);
			if (from <= to && !has_time(s, 0))
				return TRI_UNKNOWN;
		} else if (n == PCRE2_ERROR_PARTIAL ||
			   n == PCRE2_ERROR_MATCHLIMIT) {
			from = failing_start(s, n, from, next);
			if (!try_harder(s, n == PCRE2_ERROR_PARTIAL))
				return TRI_UNKNOWN;
		} else {
			/* stack, depth, heap: more would be needed */
			s->limit = RULES_LIMIT_PATTERN;
			return TRI_UNKNOWN;
		}
	}
	return TRI_FALSE;
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

static void
take_match(const struct search *s, struct match *m)
{
	const struct pattern *p = s->p;
	const PCRE2_SIZE *pairs =
	    pcre2_get_ovector_pointer(s->run->scratch->data);

	m->text = cut(s->subject, pairs);
	m->n_captures = p->n_captures;
	for (uint32_t i = 0; i < p->n_captures; i++) {
		m->captures[i].name = p->names[i];
		m->captures[i].text =
		    p->numbers[i] < (uint32_t)s->n
			? cut(s->subject, pairs + 2 * (size_t)p->numbers[i])
			: (struct pn_str){ "", 0 };
	}
}

/* Is it worth a look at the clock? */
static bool
is_costly(const struct pattern *p, struct pn_str subject)
{
	return !pattern_is_tame(p) || subject.n > p->effort.starts / 64;
}

enum tri
pattern_match_in(const struct pattern *p, struct rules_run *run,
    struct pn_str subject, const struct span spans[LANES], struct match *m)
{
	struct search s = {
		.p = p, .run = run, .subject = subject, .effort = p->effort
	};
	enum tri found = TRI_FALSE;
	size_t next = 0;

	if (run_is_benched(run, p))
		s.limit = RULES_LIMIT_ON_BENCH;
	else if (is_costly(p, subject) &&
		 !budget_has(run, &run->message, run_now(run), 0))
		s.limit = RULES_LIMIT_MESSAGE;
	for (int i = 0; i < LANES && s.limit == RULES_NO_LIMIT; i++) {
		size_t from = spans[i].from > next ? spans[i].from : next;
		size_t to = p->anchored ? 0 : spans[i].to;
		bool cut_off = to > STARTS_MAX;

		to = cut_off ? STARTS_MAX : to;
		if (spans[i].to < spans[i].from || (from > to && !cut_off))
			continue;
		found = search(&s, begin_of_unit(&s, from), to);
		if (found == TRI_TRUE) {
			take_match(&s, m);
			return TRI_TRUE;
		}
		if (found == TRI_FALSE && cut_off)
			s.limit = RULES_LIMIT_SIZE;
		next = to + 1;
	}
	if (s.limit == RULES_NO_LIMIT)
		return TRI_FALSE;
	run->spent.limits++;
	run->limit =
	    s.limit == RULES_LIMIT_PATTERN ? run_strike(run, p) : s.limit;
	return TRI_UNKNOWN;
}

enum tri
pattern_match(const struct pattern *p, struct rules_run *run,
    struct pn_str subject, struct match *m)
{
	struct span all[LANES] = { { 0, subject.n }, { 1, 0 }, { 1, 0 },
		{ 1, 0 } };

	return pattern_match_in(p, run, subject, all, m);
}

struct pn_str
pattern_group(
    const struct rules_run *run, struct pn_str subject, unsigned group)
{
	const PCRE2_SIZE *pair =
	    pcre2_get_ovector_pointer(run->scratch->data) + 2 * (size_t)group;

	if (pair[0] == PCRE2_UNSET || pair[1] < pair[0])
		return (struct pn_str){ "", 0 };
	return pn_str_sub(subject, pair[0], pair[1] - pair[0]);
}
