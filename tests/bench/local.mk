# programs that measure; not part of check
EXTRA_PROGRAMS = tests/bench/prefilter
tests_bench_prefilter_SOURCES = tests/bench/prefilter.c tests/unit/corpus.h \
	tests/unit/patterns.h tests/unit/plain_pcre.h tests/unit/rules_facts.h \
	tests/unit/raw_facts.h
tests_bench_prefilter_LDADD = librules.la libbase.la $(ARCHIVE_LIBS)
CLEANFILES += $(EXTRA_PROGRAMS)

.PHONY: bench-prefilter
bench-prefilter: tests/bench/prefilter
	tests/bench/prefilter $(srcdir)/tests/data/patterns/mail.txt

# What 10,000 sessions that wait cost, and whether 500 busy ones go on.
.PHONY: bench-idle
bench-idle: all
	POSTERN_BUILD='$(abs_builddir)' python3 $(srcdir)/tests/bench/idle.py
