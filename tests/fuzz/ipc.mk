# fuzz targets of ipc
check_PROGRAMS += tests/fuzz/fuzz_ipc
TESTS += tests/fuzz/fuzz_ipc
tests_fuzz_fuzz_ipc_SOURCES = tests/fuzz/fuzz_ipc.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_ipc_LDADD = libbase.la
if FUZZERS
FUZZ_RUN += tests/fuzz/run_ipc
tests_fuzz_run_ipc_SOURCES = tests/fuzz/fuzz_ipc.c
tests_fuzz_run_ipc_LDADD = libbase.la
tests_fuzz_run_ipc_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
