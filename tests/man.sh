#!/bin/sh
# man.sh - are the manual pages well formed? One test a page, by mandoc. TAP.
set -u
nr=0
tmp=$(mktemp) || exit 99
trap 'rm -f "$tmp"' EXIT
if ! command -v mandoc >/dev/null; then
	echo "1..0 # SKIP mandoc is not installed"
	exit 0
fi
for page in "${srcdir:?}"/contrib/man/*.[1-9]; do
	[ -f "$page" ] || { echo "Bail out! no pages"; exit 99; }
	nr=$((nr + 1))
	# STYLE is taste (a date in another form); WARNING and up is not.
	mandoc -T lint -W warning "$page" >"$tmp" 2>&1 || printf 'not '
	echo "ok $nr - ${page##*/}"
	sed 's/^/# /' "$tmp"
done
echo "1..$nr"
