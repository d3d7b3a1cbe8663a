# unit tests of rules: lists, and what is said about them
if HAVE_CMOCKA
lists_tests = tests/unit/test_maps tests/unit/test_people tests/unit/test_lint \
	tests/unit/test_grammar tests/unit/test_watch
check_PROGRAMS += $(lists_tests)
TESTS += $(lists_tests)
tests_unit_test_maps_SOURCES = tests/unit/test_maps.c tests/unit/rules_facts.h
tests_unit_test_maps_CFLAGS = $(rules_test_cflags)
tests_unit_test_maps_LDADD = $(rules_test_libs)
tests_unit_test_people_SOURCES = tests/unit/test_people.c tests/unit/rules_facts.h
tests_unit_test_people_CFLAGS = $(rules_test_cflags)
tests_unit_test_people_LDADD = $(rules_test_libs)
tests_unit_test_lint_SOURCES = tests/unit/test_lint.c tests/unit/rules_facts.h
tests_unit_test_lint_CFLAGS = $(rules_test_cflags)
tests_unit_test_lint_LDADD = $(rules_test_libs)
tests_unit_test_grammar_SOURCES = tests/unit/test_grammar.c tests/unit/grammar.h tests/unit/rules_facts.h
tests_unit_test_grammar_CFLAGS = $(rules_test_cflags)
tests_unit_test_grammar_LDADD = $(rules_test_libs)
tests_unit_test_watch_SOURCES = tests/unit/test_watch.c tests/unit/rules_facts.h
tests_unit_test_watch_CFLAGS = $(rules_test_cflags)
tests_unit_test_watch_LDADD = libmaster.la $(rules_test_libs)
endif
