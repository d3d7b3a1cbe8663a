#!/bin/bash
# long.sh PROGRAM... - let each libFuzzer program run_X search for FUZZ_SECONDS
# (600), FUZZ_JOBS (2) of them side by side, from the seeds in
# $srcdir/tests/fuzz/seeds/X, without touching them. What it finds new is kept
# in fuzz-found/X below the build folder, what it said in fuzz-found/X.log, an
# input that breaks the target as fuzz-found/X-crash-*. Ends with a line a
# target. Called by `make fuzz-long`.
set -u
seconds=${FUZZ_SECONDS:-600}
jobs=${FUZZ_JOBS:-2}
mkdir -p fuzz-found
# What was started ends with us, when somebody ends us.
trap 'kill $(jobs -pr); exit 1' INT TERM

# search PROGRAM NAME: the end of its log says how it ended
search() {
	local found=fuzz-found/$2 end=clean
	mkdir -p "$found"
	rm -f "$found"-{crash,leak,oom,timeout}-*
	"./$1" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 \
	    -verbosity=0 -print_final_stats=1 -artifact_prefix="$found-" \
	    "$found" "${srcdir:?}/tests/fuzz/seeds/$2" >"$found.log" 2>&1 &
	# shellcheck disable=SC2064 # this program
	trap "kill $!" INT TERM
	wait $! || end=BROKEN
	echo "end: $end" >>"$found.log"
	[ $end = clean ] || tail -n 60 "$found.log" | sed "s/^/$2: /"
}

# said NAME WORD: the number behind libFuzzer's stat::WORD:
said() {
	sed -n "s/^stat::$2: *//p" "fuzz-found/$1.log"
}

for program; do
	while [ "$(jobs -pr | wc -l)" -ge "$jobs" ]; do
		wait -n
	done
	echo "== ${program##*/run_}: $seconds s"
	search "$program" "${program##*/run_}" &
done
wait

failed=0
for program; do
	name=${program##*/run_}
	if [ "$(tail -n 1 "fuzz-found/$name.log")" = "end: clean" ]; then
		echo "ok - $name: clean in $seconds s," \
		    "$(said "$name" number_of_executed_units) inputs," \
		    "$(said "$name" new_units_added) new"
	else
		echo "not ok - $name: BROKEN, input in fuzz-found/$name-*," \
		    "see fuzz-found/$name.log"
		failed=$((failed + 1))
	fi
done
echo "$(($# - failed)) passed, $failed failed"
[ "$failed" = 0 ] && [ $# -gt 0 ]
