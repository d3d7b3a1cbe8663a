# unit tests of rules
if HAVE_CMOCKA
rules_tests = tests/unit/test_rules_errors tests/unit/test_rules_judge \
	tests/unit/test_rules_print tests/unit/test_rules_answers \
	tests/unit/test_rules_policies tests/unit/test_prefilter tests/unit/test_rules_time \
	tests/unit/test_condition
check_PROGRAMS += $(rules_tests)
TESTS += $(rules_tests)
rules_test_libs = librules.la libbase.la $(CMOCKA_LIBS)
rules_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_rules_errors_SOURCES = tests/unit/test_rules_errors.c tests/unit/rules_facts.h
tests_unit_test_rules_errors_CFLAGS = $(rules_test_cflags)
tests_unit_test_rules_errors_LDADD = $(rules_test_libs)
tests_unit_test_rules_judge_SOURCES = tests/unit/test_rules_judge.c tests/unit/rules_facts.h
tests_unit_test_rules_judge_CFLAGS = $(rules_test_cflags)
tests_unit_test_rules_judge_LDADD = $(rules_test_libs)
tests_unit_test_condition_SOURCES = tests/unit/test_condition.c tests/unit/rules_facts.h
tests_unit_test_condition_CFLAGS = $(rules_test_cflags)
tests_unit_test_condition_LDADD = $(rules_test_libs)
tests_unit_test_rules_policies_SOURCES = tests/unit/test_rules_policies.c tests/unit/rules_facts.h
tests_unit_test_rules_policies_CFLAGS = $(rules_test_cflags)
tests_unit_test_rules_policies_LDADD = $(rules_test_libs)
tests_unit_test_rules_print_SOURCES = tests/unit/test_rules_print.c tests/unit/rules_facts.h
tests_unit_test_rules_print_CFLAGS = $(rules_test_cflags)
tests_unit_test_rules_print_LDADD = $(rules_test_libs)
tests_unit_test_rules_answers_SOURCES = tests/unit/test_rules_answers.c tests/unit/rules_facts.h
tests_unit_test_rules_answers_CFLAGS = $(rules_test_cflags)
tests_unit_test_rules_answers_LDADD = $(rules_test_libs)
tests_unit_test_rules_time_SOURCES = tests/unit/test_rules_time.c \
	tests/unit/rules_facts.h tests/unit/raw_facts.h
tests_unit_test_rules_time_CFLAGS = $(rules_test_cflags)
tests_unit_test_rules_time_LDADD = $(rules_test_libs)
tests_unit_test_prefilter_SOURCES = tests/unit/test_prefilter.c \
	tests/unit/rules_facts.h tests/unit/raw_facts.h tests/unit/corpus.h \
	tests/unit/patterns.h tests/unit/plain_pcre.h
tests_unit_test_prefilter_CFLAGS = $(rules_test_cflags)
tests_unit_test_prefilter_LDADD = $(rules_test_libs) $(ARCHIVE_LIBS)
endif
EXTRA_DIST += tests/data/mail tests/data/policy/broken \
	tests/data/policy/exe-attachment.conf \
	tests/data/policy/locked-archive.conf tests/data/policy/spam-tag.conf \
	tests/data/policy/text-map.conf tests/data/policy/blocked.txt \
	tests/data/policy/quantified.conf \
	tests/data/policy/organisation.conf tests/data/policy/partners
TESTS += tests/unit/test_rules_samples.sh
EXTRA_DIST += tests/unit/test_rules_samples.sh tests/data/patterns
