# fuzz targets of engine
FUZZ_REPLAYS += tests/fuzz/fuzz_milter
tests_fuzz_fuzz_milter_SOURCES = tests/fuzz/fuzz_milter.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_milter_LDADD = libengine.la libmail.la libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_milter
tests_fuzz_run_milter_SOURCES = tests/fuzz/fuzz_milter.c
tests_fuzz_run_milter_LDADD = libengine.la libmail.la libbase.la
tests_fuzz_run_milter_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
FUZZ_REPLAYS += tests/fuzz/fuzz_milter_message
tests_fuzz_fuzz_milter_message_SOURCES = tests/fuzz/fuzz_milter_message.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_milter_message_LDADD = libengine.la libmail.la libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_milter_message
tests_fuzz_run_milter_message_SOURCES = tests/fuzz/fuzz_milter_message.c
tests_fuzz_run_milter_message_LDADD = libengine.la libmail.la libbase.la
tests_fuzz_run_milter_message_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
