# fuzz targets of the milter door
if MILTER_FIBERS
FUZZ_REPLAYS += tests/fuzz/fuzz_milter_packets
tests_fuzz_fuzz_milter_packets_SOURCES = tests/fuzz/fuzz_milter_packets.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_milter_packets_LDADD = $(MILTER_DOOR)
if FUZZERS
FUZZ_RUN += tests/fuzz/run_milter_packets
tests_fuzz_run_milter_packets_SOURCES = tests/fuzz/fuzz_milter_packets.c
tests_fuzz_run_milter_packets_LDADD = $(MILTER_DOOR)
tests_fuzz_run_milter_packets_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif
endif
