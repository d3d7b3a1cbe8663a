/* plan: which server of a next hop is tried first, second, ... */
#include "smtp/hop.h"
#include "tests/unit/cm.h"

#define DRAWS 20000

static void
sorted(struct server *all, size_t n, struct server **out, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++)
		out[i] = &all[i];
	plan_sort(out, n, seed);
}

static void
the_lowest_priority_comes_first(void **state)
{
	struct server all[] = { { .priority = 20, .weight = 1 },
		{ .priority = 5, .weight = 1 }, { .priority = 20, .weight = 9 },
		{ .priority = 0, .weight = 1 }, { .priority = 5, .weight = 4 } };
	struct server *out[5];
	uint64_t seed = 7;

	(void)state;
	for (int i = 0; i < 100; i++) {
		bool seen[5] = { false };

		sorted(all, 5, out, &seed);
		for (size_t k = 0; k < 5; k++) {
			if (k > 0)
				assert_true(out[k - 1]->priority <=
				    out[k]->priority);
			assert_false(seen[out[k] - all]); /* each once */
			seen[out[k] - all] = true;
		}
	}
}

/* Each gets its share of the first places, within two in a hundred. */
static void
equals_share_by_weight(void **state)
{
	static const struct {
		const char *name;
		unsigned weights[4];
	} cases[] = {
		{ "two alike", { 1, 1 } },
		{ "one is three times as large", { 3, 1 } },
		{ "four of their own", { 10, 1, 5, 4 } },
		{ "one alone", { 7 } },
	};

	(void)state;
	for (size_t c = 0; c < PN_COUNT(cases); c++) {
		struct server all[4] = { 0 }, *out[4];
		unsigned first[4] = { 0 }, total = 0, n = 0;
		uint64_t seed = 99;

		for (; n < 4 && cases[c].weights[n] > 0; n++) {
			all[n].weight = cases[c].weights[n];
			total += all[n].weight;
		}
		for (int i = 0; i < DRAWS; i++) {
			sorted(all, n, out, &seed);
			first[out[0] - all]++;
		}
		for (size_t k = 0; k < n; k++) {
			int share = (int)(DRAWS * all[k].weight / total);
			int off = (int)first[k] - share;

			if (off < -DRAWS / 50 || off > DRAWS / 50)
				fail_msg("%s: server %zu was first %u times",
				    cases[c].name, k, first[k]);
		}
	}
}

/* A plan leaves out who is away or drained; where all are away, those that
 * fail at once are asked all the same. */
static void
who_may_be_tried(void **state)
{
	static const struct {
		const char *name;
		const char *servers; /* u up, a away, s away and slow, d draining,
					D draining and away */
		size_t n;
		const char *tried;
	} cases[] = {
		{ "all are well", "uuu", 3, "u" },
		{ "one is away", "uau", 2, "u" },
		{ "one is left", "asu", 1, "u" },
		{ "none is left that answers", "asa", 2, "a" },
		{ "none is left", "ss", 0, "" },
		{ "draining", "ud", 1, "u" },
		{ "draining is no way out", "dDs", 0, "" },
	};

	(void)state;
	for (size_t c = 0; c < PN_COUNT(cases); c++) {
		const char *s = cases[c].servers;
		struct server all[3] = { 0 }, *next;
		struct smtp_upstream conf = { .n_servers = 3 };
		struct hop hop = { .seed = 3, .conf = &conf };
		struct plan p = { 0 };
		size_t n = 0;

		TAILQ_INIT(&hop.servers);
		for (size_t i = 0; s[i] != '\0'; i++) {
			all[i].weight = 1;
			all[i].outage.failures = s[i] != 'u' && s[i] != 'd';
			all[i].away = all[i].outage.failures > 0;
			all[i].slow = s[i] == 's';
			all[i].draining = s[i] == 'd' || s[i] == 'D';
			TAILQ_INSERT_TAIL(&hop.servers, &all[i], next);
		}
		plan_make(&p, &hop, NULL, 0);
		while ((next = plan_next(&p)) != NULL) {
			assert_non_null(
			    strchr(cases[c].tried, s[next - all]));
			n++;
		}
		plan_fini(&p);
		if (n != cases[c].n)
			fail_msg("%s: %zu are tried", cases[c].name, n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lowest_priority_comes_first),
		cmocka_unit_test(equals_share_by_weight),
		cmocka_unit_test(who_may_be_tried),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
