# fuzz targets of mail
FUZZ_REPLAYS += tests/fuzz/fuzz_edits
tests_fuzz_fuzz_edits_SOURCES = tests/fuzz/fuzz_edits.c tests/unit/mta.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_edits_LDADD = libmail.la libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_edits
tests_fuzz_run_edits_SOURCES = tests/fuzz/fuzz_edits.c tests/unit/mta.h
tests_fuzz_run_edits_LDADD = libmail.la libbase.la
tests_fuzz_run_edits_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
