# fuzz targets of inspect
fuzz_mime_libs = libfilters.la libinspect.la libmail.la libbase.la
FUZZ_REPLAYS += tests/fuzz/fuzz_mime tests/fuzz/fuzz_decode
tests_fuzz_fuzz_mime_SOURCES = tests/fuzz/fuzz_mime.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_mime_LDADD = $(fuzz_mime_libs)
tests_fuzz_fuzz_decode_SOURCES = tests/fuzz/fuzz_decode.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_decode_LDADD = libinspect.la libbase.la
FUZZ_REPLAYS += tests/fuzz/fuzz_html tests/fuzz/fuzz_url tests/fuzz/fuzz_charset
tests_fuzz_fuzz_html_SOURCES = tests/fuzz/fuzz_html.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_html_LDADD = libinspect.la libbase.la
tests_fuzz_fuzz_url_SOURCES = tests/fuzz/fuzz_url.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_url_LDADD = libinspect.la libbase.la
tests_fuzz_fuzz_charset_SOURCES = tests/fuzz/fuzz_charset.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_charset_LDADD = libinspect.la libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_html tests/fuzz/run_url tests/fuzz/run_charset
tests_fuzz_run_html_SOURCES = tests/fuzz/fuzz_html.c
tests_fuzz_run_html_LDADD = libinspect.la libbase.la
tests_fuzz_run_html_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_run_url_SOURCES = tests/fuzz/fuzz_url.c
tests_fuzz_run_url_LDADD = libinspect.la libbase.la
tests_fuzz_run_url_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_run_charset_SOURCES = tests/fuzz/fuzz_charset.c
tests_fuzz_run_charset_LDADD = libinspect.la libbase.la
tests_fuzz_run_charset_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_RUN += tests/fuzz/run_mime tests/fuzz/run_decode
tests_fuzz_run_decode_SOURCES = tests/fuzz/fuzz_decode.c
tests_fuzz_run_decode_LDADD = libinspect.la libbase.la
tests_fuzz_run_decode_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_run_mime_SOURCES = tests/fuzz/fuzz_mime.c
tests_fuzz_run_mime_LDADD = $(fuzz_mime_libs)
tests_fuzz_run_mime_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
