# fuzz targets of who is told to be the client
FUZZ_REPLAYS += tests/fuzz/fuzz_proxy_protocol
tests_fuzz_fuzz_proxy_protocol_SOURCES = tests/fuzz/fuzz_proxy_protocol.c \
	$(FUZZ_REPLAY)
tests_fuzz_fuzz_proxy_protocol_LDADD = libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_proxy_protocol
tests_fuzz_run_proxy_protocol_SOURCES = tests/fuzz/fuzz_proxy_protocol.c
tests_fuzz_run_proxy_protocol_LDADD = libbase.la
tests_fuzz_run_proxy_protocol_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
