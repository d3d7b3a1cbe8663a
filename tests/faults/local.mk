# Tests that kill, and tests of what is on the disk when it happens.
FAULT_TESTS += tests/faults/kill9.py tests/faults/poison.py \
	tests/faults/release_kill9.py tests/faults/torture.py
EXTRA_DIST += $(FAULT_TESTS) tests/faults/fsync.py tests/faults/chaos.py \
	tests/faults/next_hop.py tests/faults/milter_chaos.py tests/faults/milter_packets.py
TESTS += tests/faults/fsync.py tests/faults/chaos.py \
	tests/faults/next_hop.py tests/faults/milter_chaos.py tests/faults/milter_packets.py

# Preloaded by fsync.py, so a shared object, and without our hardening: it
# defines what _FORTIFY_SOURCE redirects. -rpath makes libtool build it shared.
check_LTLIBRARIES = tests/faults/shim.la
tests_faults_shim_la_SOURCES = tests/faults/shim.c
tests_faults_shim_la_CFLAGS = -std=gnu17 -O2 -Wall -Wextra -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla \
	-U_FORTIFY_SOURCE
tests_faults_shim_la_LDFLAGS = -module -avoid-version -shared \
	-rpath $(abs_builddir)/nowhere
