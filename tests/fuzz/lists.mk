# fuzz targets of rules: lists
FUZZ_REPLAYS += tests/fuzz/fuzz_maps
tests_fuzz_fuzz_maps_SOURCES = tests/fuzz/fuzz_maps.c tests/unit/rules_facts.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_maps_LDADD = librules.la libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_maps
tests_fuzz_run_maps_SOURCES = tests/fuzz/fuzz_maps.c tests/unit/rules_facts.h
tests_fuzz_run_maps_LDADD = librules.la libbase.la
tests_fuzz_run_maps_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
FUZZ_REPLAYS += tests/fuzz/fuzz_claims
tests_fuzz_fuzz_claims_SOURCES = tests/fuzz/fuzz_claims.c tests/unit/rules_facts.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_claims_LDADD = librules.la libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_claims
tests_fuzz_run_claims_SOURCES = tests/fuzz/fuzz_claims.c tests/unit/rules_facts.h
tests_fuzz_run_claims_LDADD = librules.la libbase.la
tests_fuzz_run_claims_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
