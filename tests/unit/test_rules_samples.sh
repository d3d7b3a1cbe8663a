#!/bin/sh
# test_rules_samples.sh - the sample policies through posternd -t: it reads
# them, forks a sandboxed inspector and runs the tests that stand in them.
# Their broken twins must end it with 78 (EX_CONFIG) and a place. TAP.
set -u
: "${srcdir:?}" "${builddir:?}"
data=$(cd "$srcdir" && pwd)/tests/data/policy
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
nr=0

# check POLICY: posternd's status; what it says is in $tmp/said
check() {
	cat >"$tmp/postern.conf" <<-END
		hostname mx.example.com;
		upstream mta { server 127.0.0.1:2525; identity none; }
		listen smtp 127.0.0.1:0 { upstream mta; }
		include $1;
	END
	"$builddir/posternd" -t -c "$tmp/postern.conf" >"$tmp/said" 2>&1
}

# report NAME: ok if the last command succeeded
report() {
	[ $? -eq 0 ] || printf 'not '
	nr=$((nr + 1))
	echo "ok $nr - $1"
	sed 's/^/# /' "$tmp/said"
}

for policy in "$data"/*.conf; do
	check "$policy"
	report "${policy##*/}: its tests pass"
done
for policy in "$data"/broken/*.conf; do
	check "$policy"
	[ $? -eq 78 ] && grep -Eq '^[^ ]+:[0-9]+:[0-9]+: ' "$tmp/said"
	report "broken ${policy##*/}: 78, and where"
done
echo "1..$nr"
