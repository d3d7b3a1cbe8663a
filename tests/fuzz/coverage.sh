#!/bin/sh
# coverage.sh - do the seeds of each fuzz target reach 85 % of its parser's
# lines? The parser is what the target's head names after "Covers:". Runs in a
# build with --enable-coverage; prints what was not reached as well. TAP.
set -u
: "${srcdir:?}" "${builddir:?}"
want=85
nr=0
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

sources_of() {
	sed -n 's/^ \* Covers: *//p' "$1"
}

# llvm-cov knows sources by the compiler's names for them and filters by none
# that we could tell it: so both of these look for ours in its whole output.

# summary PROGRAM SOURCES: "lines missed" of these together
summary() {
	llvm-cov report "$1" -instr-profile="$tmp/data" |
	    awk -v want=" $2 " 'index(want, " " $1 " ") { n += $8; m += $9 }
		END { print n + 0, m + 0 }'
}
# missed PROGRAM SOURCES: their lines that no seed reaches
missed() {
	llvm-cov show "$1" -instr-profile="$tmp/data" | awk -v list="$2" '
	BEGIN { n = split(list, want, " ") }
	/^[^ ].*:$/ {
		ours = 0
		for (i = 1; i <= n; i++)
			if (index($0, "/" want[i] ":"))
				ours = 1
		if (ours)
			print
	}
	ours && /^ *[0-9]+\| *0\|/'
}

for program in "$builddir"/tests/fuzz/fuzz_*; do
	[ -x "$program" ] && [ -f "$srcdir/tests/fuzz/${program##*/}.c" ] ||
	    continue
	name=${program##*/fuzz_}
	nr=$((nr + 1))
	sources=$(sources_of "$srcdir/tests/fuzz/fuzz_$name.c")
	if [ -z "$sources" ]; then
		echo "not ok $nr - fuzz_$name.c has no line \"Covers: FILE...\""
		continue
	fi
	if ! LLVM_PROFILE_FILE="$tmp/raw" "$program" >"$tmp/out" 2>&1 ||
	    ! llvm-profdata merge -o "$tmp/data" "$tmp/raw" >>"$tmp/out" 2>&1
	then
		echo "not ok $nr - fuzz_$name replays its seeds"
		sed 's/^/# /' "$tmp/out"
		continue
	fi
	# shellcheck disable=SC2046 # two numbers
	set -- $(summary "$program" "$sources")
	reached=$(($1 > 0 ? ($1 - $2) * 100 / $1 : 0))
	[ "$reached" -ge $want ] || printf 'not '
	echo "ok $nr - $name: seeds reach $reached % of $1 lines of $sources"
	[ "$reached" -ge $want ] ||
	    missed "$program" "$sources" | sed 's/^/# /' | head -n 80
done
echo "1..$nr"
