/* suggest - see suggest.h. Optimal string alignment distance, words < 64. */
#include "base/suggest.h"

#include <stdio.h>

#define WORD_MAX 64

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
distance(struct pn_str a, struct pn_str b)
{
	size_t d[3][WORD_MAX + 1]; /* the row before the last, the last, this */

	for (size_t j = 0; j <= b.n; j++)
		d[1][j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		d[2][0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			bool same = a.p[i - 1] == b.p[j - 1];

			d[2][j] = least(least(d[1][j], d[2][j - 1]) + 1,
			    d[1][j - 1] + !same);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1])
				d[2][j] = least(d[2][j], d[0][j - 2] + 1);
		}
		memcpy(d[0], d[1], sizeof(d[0]));
		memcpy(d[1], d[2], sizeof(d[1]));
	}
	return d[1][b.n];
}

struct suggest
suggest_for(struct pn_str word)
{
	/* One slip in three letters is a slip; more is another word. */
	return (struct suggest){ .word = word, .distance = word.n / 3 + 2 };
}

void
suggest_try(struct suggest *s, struct pn_str candidate)
{
	size_t d;

	if (s->word.n > WORD_MAX || candidate.n > WORD_MAX)
		return;
	d = distance(s->word, candidate);
	if (d < s->distance) {
		s->distance = d;
		s->best = candidate;
	}
}

void
suggest_starts(struct suggest *s, const char *candidate, char mark)
{
	const char *end = candidate;

	while ((end = strchr(end, mark)) != NULL) {
		suggest_try(s,
		    (struct pn_str){ candidate, (size_t)(end - candidate) });
		end++;
	}
	suggest_try(s, pn_str_of(candidate));
}

const char *
suggest_text(const struct suggest *s, char *out, size_t size)
{
	out[0] = '\0';
	if (s->best.n > 0)
		(void)snprintf(out, size, ", did you mean \"%.*s\"?",
		    PN_STR_ARG(s->best));
	return out;
}

const char *
suggest_or_list(const struct suggest *s, const char *const *words, char *out,
    size_t size)
{
	size_t n = 0;

	(void)suggest_text(s, out, size);
	if (out[0] != '\0' || words == NULL)
		return out;
	for (size_t i = 0; words[i] != NULL; i++) {
		const char *before = i == 0 ? ": "
		    : words[i + 1] == NULL  ? " or "
					    : ", ";

		n += (size_t)snprintf(out + n, size - n, "%s%s", before,
		    words[i]);
		if (n >= size)
			return suggest_text(s, out, size); /* "" */
	}
	if (n > 0 && (size_t)snprintf(out + n, size - n, " may stand here") >=
	    size - n)
		return suggest_text(s, out, size);
	return out;
}
