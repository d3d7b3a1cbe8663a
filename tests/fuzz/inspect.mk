# fuzz targets of inspect
fuzz_mime_libs = libfilters.la libinspect.la libmail.la libbase.la
FUZZ_REPLAYS += tests/fuzz/fuzz_mime tests/fuzz/fuzz_decode
tests_fuzz_fuzz_mime_SOURCES = tests/fuzz/fuzz_mime.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_mime_LDADD = $(fuzz_mime_libs)
tests_fuzz_fuzz_decode_SOURCES = tests/fuzz/fuzz_decode.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_decode_LDADD = libinspect.la libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_mime tests/fuzz/run_decode
tests_fuzz_run_decode_SOURCES = tests/fuzz/fuzz_decode.c
tests_fuzz_run_decode_LDADD = libinspect.la libbase.la
tests_fuzz_run_decode_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_run_mime_SOURCES = tests/fuzz/fuzz_mime.c
tests_fuzz_run_mime_LDADD = $(fuzz_mime_libs)
tests_fuzz_run_mime_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
