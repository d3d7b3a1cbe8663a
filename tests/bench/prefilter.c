/*
 * prefilter - what the prefilter is worth: 1,500 patterns over real mail
 * (POSTERN_CORPUS), all of them at once as the inspector does, and one by one
 * as PCRE2's JIT does. Compiling is timed too. `make bench-prefilter`.
 *
 * Processor time; read the ratios.
 */
#include <time.h>

#include "base/mem.h"
#include "rules/literal.h"
#include "rules/prefilter.h"
#include "tests/unit/corpus.h"
#include "tests/unit/patterns.h"
#include "tests/unit/plain_pcre.h"
#include "tests/unit/raw_facts.h"
#include "tests/unit/rules_facts.h"

#define ARENA (64u << 20)
#define MAILS 1500

static double
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- policies of the patterns ---- */

struct set {
	struct arena *arena;
	struct rules *rules;
	double ms;
};

static struct set
compile_set(struct pn_str policy)
{
	struct set set = { .arena = arena_new_mapped(ARENA) };
	double before = now_ms();
	struct error e;

	set.rules = compile_text(policy, "", set.arena, &e);
	set.ms = now_ms() - before;
	if (set.rules == NULL)
		fprintf(stderr, "%s\n", e.text);
	must(set.rules != NULL);
	return set;
}

/* The same without the patterns that have no literal. */
static struct set
compile_literals(const struct set *all)
{
	struct buf policy = { 0 };
	struct set set;

	buf_puts(&policy, "policy p {\n");
	for (uint32_t i = 0; i < all->rules->n_content; i++) {
		const struct atom *a = all->rules->content[i];

		if (pattern_need(a->pattern)->literals.set.n > 0)
			buf_printf(&policy, "rule r%u { when %s; then tag; }\n",
			    i, a->canonical.p);
	}
	buf_puts(&policy, "}\n");
	set = compile_set(buf_str(&policy));
	buf_fini(&policy);
	return set;
}

static void
free_set(struct set *s)
{
	rules_free(s->rules);
	arena_free(s->arena);
}

/* ---- mails ---- */

struct mails {
	struct buf all;
	size_t at[MAILS + 1];
	size_t n, seen;
};

/* Every fourth: all folders of the corpus are met. */
static void
take_mail(struct pn_str mail, void *arg)
{
	struct mails *m = arg;

	if (m->seen++ % 4 != 0 || m->n == MAILS)
		return;
	buf_add_str(&m->all, mail);
	m->at[++m->n] = buf_len(&m->all);
}

static struct pn_str
mail_at(const struct mails *m, size_t i)
{
	return pn_str_sub(buf_str(&m->all), m->at[i], m->at[i + 1] - m->at[i]);
}

struct figures {
	double ms;
	size_t held, unknown;
};

static struct figures
one_by_one(const struct rules *r, const struct mails *m)
{
	pcre2_match_data *data = pcre2_match_data_create(256, NULL);
	pcre2_code **codes = xcalloc(r->n_content, sizeof(pcre2_code *));
	struct figures f = { 0 };
	double start;

	for (uint32_t k = 0; k < r->n_content; k++) {
		const struct pattern *p = r->content[k]->pattern;

		codes[k] = plain_code(pattern_text(p), pattern_flags(p), true);
		must(codes[k] != NULL);
	}
	start = now_ms();
	for (size_t i = 0; i < m->n; i++)
		for (uint32_t k = 0; k < r->n_content; k++) {
			struct pn_str mail = mail_at(m, i);
			int n = pcre2_match(codes[k], (PCRE2_SPTR)mail.p,
			    mail.n, 0, 0, data, NULL);

			f.held += n > 0;
			f.unknown += n < 0 && n != PCRE2_ERROR_NOMATCH;
		}
	f.ms = now_ms() - start;
	for (uint32_t k = 0; k < r->n_content; k++)
		pcre2_code_free(codes[k]);
	free(codes);
	pcre2_match_data_free(data);
	return f;
}

static struct figures
filtered(const struct rules *r, struct rules_run *run, const struct mails *m)
{
	struct arena *arena = arena_new(64 << 20);
	double start = now_ms();
	struct figures f = { 0 };

	for (size_t i = 0; i < m->n; i++) {
		struct pn_str mail = mail_at(m, i);
		struct rules_facts facts = RAW_FACTS(&mail);
		struct rules_answers *a = rules_inspect(r, run, &facts, arena);

		for (uint32_t k = 0; k < r->n_content; k++) {
			f.held += a->of[k].all == TRI_TRUE;
			f.unknown += a->of[k].all == TRI_UNKNOWN;
		}
		arena_reset(arena);
	}
	f.ms = now_ms() - start;
	arena_free(arena);
	return f;
}

static void
measure(const char *name, const struct set *set, const struct mails *m)
{
	struct rules_run *run = rules_run_new();
	struct figures alone = one_by_one(set->rules, m);
	struct figures all = filtered(set->rules, run, m);
	struct rules_spent spent = rules_run_spent(run);
	double n = (double)m->n;

	printf("%s: %u patterns, compiled in %.0f ms, %zu KiB in all, %zu KiB "
	       "of the prefilter\n",
	    name, set->rules->n_content, set->ms, arena_used(set->arena) / 1024,
	    prefilter_size(set->rules->groups[0].prefilter) / 1024);
	printf("  a mail: one by one %.1f us (%zu hold, %zu unknown), filtered "
	       "%.1f us (%zu, %zu): %.1f times cheaper\n",
	    alone.ms / n * 1e3, alone.held, alone.unknown, all.ms / n * 1e3,
	    all.held, all.unknown, alone.ms / all.ms);
	printf("  %.1f candidates, %.1f calls of PCRE2\n",
	    (double)spent.candidates / n, (double)spent.calls / n);
	rules_run_free(run);
}

int
main(int argc, char **argv)
{
	struct mails *mails = xcalloc(1, sizeof(*mails));
	struct buf policy = { 0 };
	struct patterns p;
	struct set all, literal;

	if (argc != 2 || corpus_dir() == NULL || !patterns_read(&p, argv[1])) {
		fputs("usage: POSTERN_CORPUS=FOLDER prefilter PATTERNS\n",
		    stderr);
		return 64;
	}
	corpus_each(take_mail, mails);
	printf("%zu mails, %zu bytes each\n", mails->n,
	    buf_len(&mails->all) / mails->n);
	patterns_policy(&p, &policy);
	all = compile_set(buf_str(&policy));
	measure("all", &all, mails);
	literal = compile_literals(&all);
	measure("with literals", &literal, mails);
	free_set(&all);
	free_set(&literal);
	patterns_free(&p);
	buf_fini(&policy);
	buf_fini(&mails->all);
	free(mails);
	return 0;
}
