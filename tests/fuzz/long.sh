#!/bin/bash
# long.sh PROGRAM... - let each libFuzzer program run_X search for FUZZ_SECONDS
# (600), from the seeds in $srcdir/tests/fuzz/seeds/X, without touching them.
# What it finds new is kept in fuzz-found/X below the build folder, an input
# that breaks the target as fuzz-found/X-crash-*. Called by `make fuzz-long`.
set -u
seconds=${FUZZ_SECONDS:-600}
failed=0
for program; do
	name=${program##*/run_}
	found=fuzz-found/$name
	mkdir -p "$found"
	echo "== $name: $seconds s"
	if "./$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
	    -verbosity=0 -print_final_stats=1 -artifact_prefix="$found-" \
	    "$found" "${srcdir:?}/tests/fuzz/seeds/$name"; then
		echo "== $name: clean"
	else
		echo "== $name: BROKEN, input in $found-*"
		failed=$((failed + 1))
	fi
done
echo "$(($# - failed)) passed, $failed failed"
[ "$failed" = 0 ] && [ $# -gt 0 ]
