# fuzz targets of ipc, and of what travels by it
FUZZ_REPLAYS += tests/fuzz/fuzz_ipc tests/fuzz/fuzz_frames
fuzz_frames_libs = libinspect.la librules.la libmail.la libbase.la
tests_fuzz_fuzz_ipc_SOURCES = tests/fuzz/fuzz_ipc.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_ipc_LDADD = libbase.la
tests_fuzz_fuzz_frames_SOURCES = tests/fuzz/fuzz_frames.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_frames_LDADD = $(fuzz_frames_libs)
if FUZZERS
FUZZ_RUN += tests/fuzz/run_ipc tests/fuzz/run_frames
tests_fuzz_run_ipc_SOURCES = tests/fuzz/fuzz_ipc.c
tests_fuzz_run_ipc_LDADD = libbase.la
tests_fuzz_run_ipc_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_run_frames_SOURCES = tests/fuzz/fuzz_frames.c
tests_fuzz_run_frames_LDADD = $(fuzz_frames_libs)
tests_fuzz_run_frames_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
