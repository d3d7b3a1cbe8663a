# librules.la
noinst_LTLIBRARIES += librules.la
librules_la_SOURCES = \
	rules/rules.h rules/tree.h rules/lists.h rules/text.h rules/parse.h rules/judge.h \
	rules/parse.c rules/parse_words.c rules/parse_expr.c rules/parse_action.c \
	rules/parse_rule.c rules/parse_policy.c rules/roster.c rules/parse_list.c \
	rules/sets.c rules/nets.c rules/map.c rules/map_file.c rules/people.c \
	rules/names.c rules/uses.c rules/profile.c rules/pattern.c \
	rules/literal.h rules/literal.c rules/rarity.c rules/regex_inside.h \
	rules/regex.c rules/regex_char.c rules/prefilter.h \
	rules/prefilter.c rules/run.c rules/limited.c \
	rules/fact.c rules/atoms_inside.h rules/atoms.c rules/operand.c \
	rules/ask.c rules/check.h rules/check.c rules/check_expr.c \
	rules/check_action.c rules/check_test.c rules/place.c rules/text.c \
	rules/condition.c rules/answers.c rules/judge.c rules/effects.c rules/score.c \
	rules/explain.c rules/print.c rules/describe.c \
	rules/lint.h rules/lint.c rules/lint_logic.c rules/lint_pattern.c \
	rules/lint_doors.c rules/lint_numbers.c
librules_la_LIBADD = libbase.la $(PCRE2_LIBS) $(CDB_LIBS)
