#!/bin/sh
# coverage.sh - do the seeds of each fuzz target reach 85 % of the lines of
# each file of its parser? These are what the target's head names after
# "Covers:", up to the comment's end. Runs in a build with --enable-coverage,
# by `make check` there and by `make fuzz-coverage`; prints the lines of a file
# that fell short. TAP.
set -u
: "${srcdir:?}" "${builddir:?}"
want=85
nr=0
failed=0
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

sources_of() {
	sed -n '/^ \* Covers:/,/^ \*\//{s/^ \* *//; s/^Covers://; /^\//d; p}' "$1"
}

# llvm-cov knows sources by the compiler's names for them and filters by none
# that we could tell it: so both of these look for ours in its whole output.

# lines_of SOURCE: "lines missed"
lines_of() {
	awk -v want="$1" '$1 == want { n += $8; m += $9 }
	    END { print n + 0, m + 0 }' "$tmp/report"
}
# missed PROGRAM SOURCE: its lines that no seed reaches
missed() {
	llvm-cov show "$1" -instr-profile="$tmp/data" | awk -v want="/$2:" '
	/^[^ ].*:$/ { ours = index($0, want) }
	ours && /^ *[0-9]+\| *0\|/'
}

result() { # ok|not NAME
	nr=$((nr + 1))
	if [ "$1" = ok ]; then
		echo "ok $nr - $2"
	else
		failed=$((failed + 1))
		echo "not ok $nr - $2"
	fi
}

# measure PROGRAM: leaves $tmp/data and $tmp/report
measure() {
	LLVM_PROFILE_FILE="$tmp/raw" "$1" >"$tmp/out" 2>&1 &&
	    llvm-profdata merge -o "$tmp/data" "$tmp/raw" >>"$tmp/out" 2>&1 &&
	    llvm-cov report "$1" -instr-profile="$tmp/data" >"$tmp/report" \
		2>>"$tmp/out"
}

for program in "$builddir"/tests/fuzz/fuzz_*; do
	[ -x "$program" ] && [ -f "$srcdir/tests/fuzz/${program##*/}.c" ] ||
	    continue
	name=${program##*/fuzz_}
	sources=$(sources_of "$srcdir/tests/fuzz/fuzz_$name.c")
	if [ -z "$sources" ]; then
		result not "fuzz_$name.c has a line \"Covers: FILE...\""
		continue
	fi
	if ! measure "$program"; then
		result not "fuzz_$name replays its seeds"
		sed 's/^/# /' "$tmp/out"
		continue
	fi
	for source in $sources; do
		# shellcheck disable=SC2046 # two numbers
		set -- $(lines_of "$source")
		reached=$(($1 > 0 ? ($1 - $2) * 100 / $1 : 0))
		text="$name: seeds reach $reached % of $1 lines of $source"
		if [ "$reached" -ge $want ]; then
			result ok "$text"
		else
			result not "$text"
			missed "$program" "$source" | sed 's/^/# /' |
			    head -n 80
		fi
	done
done
echo "1..$nr"
[ $nr -gt 0 ] && [ $failed = 0 ]
