# tests: the scripts that look at the tree; each folder adds its own
TESTS += tests/arrows.sh tests/arrows_test.sh tests/names.sh tests/man.sh \
	tests/completion.sh
EXTRA_DIST += tests/arrows.sh tests/arrows_test.sh tests/names.sh \
	tests/man.sh tests/completion.sh tests/unit/cm.h
EXTRA_DIST += tests/bench

# Memory over 200,000 messages and a reload a second; minutes, so by hand.
soak: all
	POSTERN_BUILD='$(abs_builddir)' python3 $(srcdir)/tests/bench/soak.py
# 1,000 milter connections, abort storms, memory over 100,000 messages.
milter-load: all
	POSTERN_BUILD='$(abs_builddir)' python3 $(srcdir)/tests/bench/milter_load.py
# Patterns and texts made to be slow, and who waits for them.
hostile: all
	POSTERN_BUILD='$(abs_builddir)' python3 $(srcdir)/tests/bench/hostile.py
# Every disaster at every step of 10,000 messages; --enable-fault-hooks, root.
torture: all
	builddir='$(abs_builddir)' python3 $(srcdir)/tests/faults/torture.py 10000
.PHONY: soak milter-load hostile torture

# What runs in a build with --enable-fault-hooks alone; tests/faults adds to
# it. TESTS has it too there.
FAULT_TESTS =

# The ones without servers, for distcheck's second round.
quick-tests:
	@for t in $(TESTS); do \
		case $$t in \
		tests/unit/*|tests/fuzz/*|tests/*.sh) echo $$t ;; \
		esac; \
	done
.PHONY: quick-tests

include tests/unit/base.mk
include tests/unit/mail.mk
include tests/unit/inspect.mk
include tests/unit/rules.mk
include tests/unit/lists.mk
include tests/unit/smtp.mk
include tests/unit/ident.mk
include tests/unit/milter.mk
include tests/unit/engine.mk
include tests/unit/keeper.mk
include tests/unit/proxy.mk
include tests/bench/local.mk
include tests/fuzz/local.mk
include tests/integration/local.mk
include tests/dialogs/local.mk
include tests/milter/local.mk
include tests/packaging/local.mk

if FAULT_HOOKS
TESTS += $(FAULT_TESTS)
endif
