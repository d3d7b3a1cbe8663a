# A parser X has a target tests/fuzz/fuzz_X.c and seeds in tests/fuzz/seeds/X.
# fuzz_X replays the seeds in `make check`, linked with FUZZ_REPLAY; run_X is
# libFuzzer's program (--enable-fuzzers), run by `make fuzz-long`. The head of
# fuzz_X.c has a line "Covers: FILE..." with the parser's sources: coverage.sh
# (--enable-coverage) wants the seeds to reach 85 % of their lines.
FUZZ_REPLAY = tests/fuzz/replay_main.c
FUZZ_RUN =
EXTRA_DIST += tests/fuzz/seeds

include tests/fuzz/inspect.mk
include tests/fuzz/rules.mk
include tests/fuzz/smtp.mk
include tests/fuzz/ipc.mk

noinst_PROGRAMS += $(FUZZ_RUN)
EXTRA_DIST += tests/fuzz/long.sh tests/fuzz/coverage.sh
if COVERAGE
TESTS += tests/fuzz/coverage.sh
endif

# Needs a build folder configured with CC=clang --enable-sanitizers
# --enable-fuzzers; FUZZ_SECONDS=600 each.
fuzz-long: $(FUZZ_RUN)
	@srcdir='$(srcdir)' $(top_srcdir)/tests/fuzz/long.sh $(FUZZ_RUN)
.PHONY: fuzz-long
