# A parser X has a target tests/fuzz/fuzz_X.c and seeds in tests/fuzz/seeds/X.
# fuzz_X replays the seeds in `make check`, linked with FUZZ_REPLAY; run_X is
# libFuzzer's program (--enable-fuzzers), run by `make fuzz-long`. The head of
# fuzz_X.c ends with "Covers: FILE...", the parser's sources: coverage.sh
# (--enable-coverage) wants the seeds to reach 85 % of the lines of each.
FUZZ_REPLAY = tests/fuzz/replay_main.c
FUZZ_REPLAYS =
FUZZ_RUN =
EXTRA_DIST += tests/fuzz/seeds

include tests/fuzz/inspect.mk
include tests/fuzz/rules.mk
include tests/fuzz/lists.mk
include tests/fuzz/mail.mk
include tests/fuzz/smtp.mk
include tests/fuzz/ident.mk
include tests/fuzz/ipc.mk
include tests/fuzz/engine.mk
include tests/fuzz/milter.mk

check_PROGRAMS += $(FUZZ_REPLAYS)
TESTS += $(FUZZ_REPLAYS)
noinst_PROGRAMS += $(FUZZ_RUN)
EXTRA_DIST += tests/fuzz/long.sh tests/fuzz/coverage.sh

# Both need clang and a build of their own kind; in any other build folder they
# make one below it (fuzzing, coverage) first. FUZZ_SECONDS=600 each target.
.PHONY: fuzz-long fuzz-coverage
if FUZZERS
fuzz-long: $(FUZZ_RUN)
	@srcdir='$(srcdir)' $(top_srcdir)/tests/fuzz/long.sh $(FUZZ_RUN)
else
fuzz-long:
	$(MKDIR_P) fuzzing
	cd fuzzing && { test -f Makefile || $(abs_top_srcdir)/configure -q \
	    CC=clang --enable-sanitizers --enable-fuzzers; }
	cd fuzzing && $(MAKE) fuzz-long
endif
if COVERAGE
TESTS += tests/fuzz/coverage.sh
fuzz-coverage: $(FUZZ_REPLAYS)
	@srcdir='$(srcdir)' builddir='$(abs_top_builddir)' \
	    $(SHELL) $(top_srcdir)/tests/fuzz/coverage.sh
else
fuzz-coverage:
	$(MKDIR_P) coverage
	cd coverage && { test -f Makefile || $(abs_top_srcdir)/configure -q \
	    CC=clang --enable-coverage CFLAGS=-g; }
	cd coverage && $(MAKE) fuzz-coverage
endif

distclean-local:
	rm -rf fuzzing coverage fuzz-found
