# fuzz targets of rules
FUZZ_REPLAYS += tests/fuzz/fuzz_rules
tests_fuzz_fuzz_rules_SOURCES = tests/fuzz/fuzz_rules.c tests/unit/rules_facts.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_rules_LDADD = librules.la libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_rules
tests_fuzz_run_rules_SOURCES = tests/fuzz/fuzz_rules.c tests/unit/rules_facts.h
tests_fuzz_run_rules_LDADD = librules.la libbase.la
tests_fuzz_run_rules_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
FUZZ_REPLAYS += tests/fuzz/fuzz_prefilter
prefilter_fuzz = tests/fuzz/fuzz_prefilter.c tests/unit/rules_facts.h \
	tests/unit/raw_facts.h tests/unit/plain_pcre.h
tests_fuzz_fuzz_prefilter_SOURCES = $(prefilter_fuzz) $(FUZZ_REPLAY)
tests_fuzz_fuzz_prefilter_LDADD = librules.la libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_prefilter
tests_fuzz_run_prefilter_SOURCES = $(prefilter_fuzz)
tests_fuzz_run_prefilter_LDADD = librules.la libbase.la
tests_fuzz_run_prefilter_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
