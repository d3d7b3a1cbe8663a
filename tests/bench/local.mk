# programs that measure; not part of check
EXTRA_PROGRAMS = tests/bench/prefilter
tests_bench_prefilter_SOURCES = tests/bench/prefilter.c tests/unit/corpus.h \
	tests/unit/patterns.h tests/unit/plain_pcre.h tests/unit/rules_facts.h \
	tests/unit/raw_facts.h
tests_bench_prefilter_LDADD = librules.la libbase.la $(ARCHIVE_LIBS)
# stands in for smtp-sink where the next hop is to take XCLIENT
EXTRA_PROGRAMS += tests/bench/xclient_sink
tests_bench_xclient_sink_SOURCES = tests/bench/xclient_sink.c
tests_bench_xclient_sink_LDADD = libbase.la
CLEANFILES += $(EXTRA_PROGRAMS)

.PHONY: bench-prefilter
bench-prefilter: tests/bench/prefilter
	tests/bench/prefilter $(srcdir)/tests/data/patterns/mail.txt

# What 10,000 sessions that wait cost, and whether 500 busy ones go on.
.PHONY: bench-idle
bench-idle: all
	POSTERN_BUILD='$(abs_builddir)' python3 $(srcdir)/tests/bench/idle.py
	POSTERN_BUILD='$(abs_builddir)' python3 $(srcdir)/tests/bench/idle.py --tls

# The README's table of the proxy door: every peer in one run, then XCLIENT
# beside HAProxy in front of a sink that takes it. Half an hour; POSTERN_BENCH
# names the bench, which was set up before.
.PHONY: bench-smtp
bench-smtp: all tests/bench/xclient_sink
	POSTERN_BUILD='$(abs_builddir)' $(srcdir)/tests/bench/smtp-table
