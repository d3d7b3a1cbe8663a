#!/bin/sh
# names.sh - do the pages that walk through the code still tell the truth?
# What they put in backticks must exist: a path (from the top or from proxy/),
# and `name()`, defined in the file named last before it. A page with wrong
# names is tried at the end, to see that they are found. TAP.
set -u
cd "${srcdir:-.}" || exit 99
pages='README.md proxy/MESSAGE.md'
nr=0
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

# backticked PAGE: "line text" of all that stands in backticks, but for fences
backticked() {
	awk '
	/^(```|    )/ { if (/^```/) fenced = !fenced; next }
	fenced { next }
	{
		n = split($0, piece, "`")
		for (i = 2; i <= n; i += 2)
			print NR, piece[i]
	}' "$1"
}

# wrong PAGE: prints each name that does not exist, and how many were looked at
wrong() {
	backticked "$1" | {
		file='' seen=0
		while read -r line text; do
			case $text in
			*' '* | -* | *=* | '$'* | /* | ./* | *'<'* | *'*'*) ;;
			*/ | */*.[ch] | */*.sh | */*.py | */*.md | */*.conf)
				seen=$((seen + 1))
				file=
				for f in "$text" "proxy/$text"; do
					if [ -e "$f" ]; then
						file=$f
						break
					fi
				done
				[ -n "$file" ] ||
				    echo "$1:$line: no file $text"
				;;
			*'()')
				seen=$((seen + 1))
				if [ ! -f "$file" ]; then
					echo "$1:$line: $text stands after no file"
				elif ! grep -q "^${text%??}(" "$file"; then
					echo "$1:$line: no $text in $file"
				fi
				;;
			esac
		done
		echo "$seen" >"$tmp/seen"
	}
}

for page in $pages; do
	nr=$((nr + 1))
	wrong "$page" >"$tmp/wrong"
	[ ! -s "$tmp/wrong" ] || printf 'not '
	echo "ok $nr - the $(cat "$tmp/seen") names in $page exist"
	sed 's/^/# /' "$tmp/wrong"
done

nr=$((nr + 1))
cat >"$tmp/page.md" <<'END'
`arena_alloc()` before a file, `base/arena.c` and `arena_alloc()`, which is
right, `arena_nonsense()`, `base/nonsense.c`, `proxy/nonsense/`.
END
wrong "$tmp/page.md" | sed "s|^$tmp/||" >"$tmp/got"
cat >"$tmp/want" <<'END'
page.md:1: arena_alloc() stands after no file
page.md:2: no arena_nonsense() in proxy/base/arena.c
page.md:2: no file base/nonsense.c
page.md:2: no file proxy/nonsense/
END
if ! cmp -s "$tmp/got" "$tmp/want"; then
	printf 'not '
fi
echo "ok $nr - wrong names are found"
diff "$tmp/want" "$tmp/got" | sed 's/^/# /'
echo "1..$nr"
