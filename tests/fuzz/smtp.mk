# fuzz targets of smtp
FUZZ_REPLAYS += tests/fuzz/fuzz_dot tests/fuzz/fuzz_line \
	tests/fuzz/fuzz_smtp_words tests/fuzz/fuzz_bdat tests/fuzz/fuzz_sasl \
	tests/fuzz/fuzz_heading
tests_fuzz_fuzz_bdat_SOURCES = tests/fuzz/fuzz_bdat.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_bdat_LDADD = libsmtp.la libmail.la libbase.la
tests_fuzz_fuzz_dot_SOURCES = tests/fuzz/fuzz_dot.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_dot_LDADD = libsmtp.la libbase.la
tests_fuzz_fuzz_heading_SOURCES = tests/fuzz/fuzz_heading.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_heading_LDADD = libsmtp.la libbase.la
tests_fuzz_fuzz_line_SOURCES = tests/fuzz/fuzz_line.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_line_LDADD = libsmtp.la libbase.la
tests_fuzz_fuzz_smtp_words_SOURCES = tests/fuzz/fuzz_smtp_words.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_smtp_words_LDADD = libsmtp.la libbase.la
tests_fuzz_fuzz_sasl_SOURCES = tests/fuzz/fuzz_sasl.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_sasl_LDADD = libsmtp.la libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_dot tests/fuzz/run_line tests/fuzz/run_smtp_words \
	tests/fuzz/run_bdat tests/fuzz/run_heading
tests_fuzz_run_bdat_SOURCES = tests/fuzz/fuzz_bdat.c
tests_fuzz_run_bdat_LDADD = libsmtp.la libmail.la libbase.la
tests_fuzz_run_bdat_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_RUN += tests/fuzz/run_sasl
tests_fuzz_run_sasl_SOURCES = tests/fuzz/fuzz_sasl.c
tests_fuzz_run_sasl_LDADD = libsmtp.la libbase.la
tests_fuzz_run_sasl_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_run_dot_SOURCES = tests/fuzz/fuzz_dot.c
tests_fuzz_run_dot_LDADD = libsmtp.la libbase.la
tests_fuzz_run_dot_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_run_heading_SOURCES = tests/fuzz/fuzz_heading.c
tests_fuzz_run_heading_LDADD = libsmtp.la libbase.la
tests_fuzz_run_heading_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_run_line_SOURCES = tests/fuzz/fuzz_line.c
tests_fuzz_run_line_LDADD = libsmtp.la libbase.la
tests_fuzz_run_line_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_run_smtp_words_SOURCES = tests/fuzz/fuzz_smtp_words.c
tests_fuzz_run_smtp_words_LDADD = libsmtp.la libbase.la
tests_fuzz_run_smtp_words_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
