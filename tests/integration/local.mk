# Tests with real servers; python3 and its standard library alone.
EXTRA_DIST += tests/lib/blows.py tests/lib/certs.py tests/lib/dns.py tests/lib/dnssec.py tests/lib/dovecot.py tests/lib/fault.py tests/lib/maildir.py \
	tests/lib/memory.py tests/lib/milter.py tests/lib/milter_cases.py \
	tests/lib/milter_fuzz.py tests/lib/milterd.py \
	tests/lib/mtas.py tests/lib/net.py tests/lib/nexthop.py tests/lib/postern.py tests/lib/postfix.py \
	tests/lib/service.py tests/lib/sink.py tests/lib/smuggling.py tests/lib/tap.py tests/lib/tools.py \
	tests/lib/peers.py tests/lib/milter_sides.py tests/lib/milter_tap.py

# The milter that writes down what it is told; milter_recorder.py runs it.
check_PROGRAMS += tests/lib/recorder
tests_lib_recorder_SOURCES = tests/lib/recorder.c
tests_lib_recorder_LDADD = $(MILTER_LIBS) $(JANSSON_LIBS)

# The longest first: others fill the time beside them.
INTEGRATION = tests/dialogs/daemon.py tests/integration/milter_peers.py \
	tests/integration/relay_postfix.py \
	tests/integration/tls_hostile.py \
	tests/integration/tls_in.py \
	tests/integration/tls_out.py \
	tests/integration/dane.py \
	tests/integration/smuggling_mtas.py \
	tests/integration/lmtp.py \
	tests/integration/reuse.py tests/integration/reuse_mx.py \
	tests/integration/submission.py \
	tests/integration/smtp_peers.py \
	tests/integration/postfix_snippets.py \
	tests/integration/samples.py \
	tests/integration/bench_check.py \
	tests/integration/byte_identical.py \
	tests/integration/policy.py \
	tests/integration/policies.py \
	tests/integration/policies_postfix.py \
	tests/integration/cli.py \
	tests/integration/operators_day.py \
	tests/integration/doctor.py tests/integration/doctor_hosts.py \
	tests/integration/drain.py \
	tests/integration/logs.py \
	tests/integration/release.py \
	tests/integration/release_retry.py \
	tests/integration/rotate.py \
	tests/integration/scan_equal.py \
	tests/integration/doors_equal.py \
	tests/integration/milter_recorder.py \
	tests/integration/module.py \
	tests/integration/milter_client.py \
	tests/integration/milter_hostile.py \
	tests/integration/milter_explained.py \
	tests/integration/reload.py \
	tests/integration/routes.py \
	tests/integration/milter_reload.py \
	tests/integration/errors.py \
	tests/integration/limits.py \
	tests/integration/last_words.py \
	tests/integration/maps.py \
	tests/integration/metrics.py \
	tests/integration/milter_door.py \
	tests/integration/milter_postfix.py \
	tests/integration/privacy.py \
	tests/integration/process.py \
	tests/integration/single.py \
	tests/integration/identity.py \
	tests/integration/tproxy.py
EXTRA_DIST += $(INTEGRATION)
TESTS += $(INTEGRATION)
EXTRA_DIST += tests/data/gateway tests/data/module tests/data/policies

include tests/faults/local.mk
