#!/bin/sh
# arrows_test.sh - does tests/arrows.sh find what it is there to find? A small
# tree in order passes; then one breach of each kind is planted and must be
# named with file and line. TAP.
set -u
arrows=$(cd "${srcdir:-.}/tests" && pwd)/arrows.sh
tree=$(mktemp -d) || exit 99
trap 'rm -rf "$tree"' EXIT
nr=0

# put FILE LINE...: a file of the tree, its head first.
put() {
	mkdir -p "$tree/${1%/*}"
	file=$tree/$1
	echo '/* head */' >"$file"
	shift
	printf '%s\n' "$@" >>"$file"
}
look() {
	srcdir=$tree builddir=$tree ARROWS_CC="cc -I$tree -I$tree/proxy" \
	    sh "$arrows" >"$tree/out" 2>&1
}
result() {
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		grep -v '^ok' "$tree/out" | sed 's/^/# /'
	fi
}
# breach NAME COMPLAINT: the planted $file is complained of, alone, and goes.
breach() {
	look
	grep -qF "$2" "$tree/out" && [ "$(grep -c '^not ok' "$tree/out")" = 1 ]
	result $? "$1"
	rm "$file"
}

put filters/pn_str.h '#include <stddef.h>'
put filters/filter.h '#include "pn_str.h"'
put filters/attach.c '#include "filter.h"'
put rules/rules.h '#include "base/arena.h"'
put rules/pattern.c '#include "rules/rules.h"' '#include <pcre2.h>'
put proxy/base/arena.h '#include "filters/pn_str.h"'
put proxy/base/loop.c '#include <event2/event.h>'
put proxy/mail/spool.h '#include "base/arena.h"' '#include "filters/filter.h"'
put proxy/inspect/view.h '#include "mail/spool.h"' '#include "rules/rules.h"'
put proxy/inspect/pool.h '#include "inspect/view.h"' '#include <sys/socket.h>'
put proxy/engine/engine.h '#include "inspect/pool.h"'
put proxy/smtp/smtp.h '#include "engine/engine.h"'
put proxy/keeper/keeper.h '#include "mail/spool.h"'
put proxy/policy.h '#include "rules/rules.h"'
put proxy/worker.h '#include "proxy/policy.h"' '#include "smtp/smtp.h"'
put proxy/master.h '#include "proxy/worker.h"' '#include "keeper/keeper.h"'
put proxy/main.c '#include "proxy/master.h"'
put proxy/cli/scan.c '#include "proxy/policy.h"' '#include "engine/engine.h"'
look
! grep -q '^not ok\|SKIP\|Bail' "$tree/out"
result $? "a tree in order passes"

put proxy/smtp/up.c '#include "keeper/keeper.h"'
breach "a door that knows the keeper" \
    'proxy/smtp/up.c:2: smtp may not include keeper/keeper.h'
put proxy/base/up.c '' '#include "mail/spool.h"'
breach "the floor that looks up" \
    'proxy/base/up.c:3: base may not include mail/spool.h'
put proxy/base/contract.c '#include "filters/filter.h"'
breach "the floor that knows the contract" \
    'proxy/base/contract.c:2: base may not include filters/filter.h'
put proxy/inspect/up.c '  #  include "engine/engine.h"'
breach "the inspector that knows the engine, oddly spelled" \
    'proxy/inspect/up.c:2: inspect may not include engine/engine.h'
put proxy/engine/in.c '#include "inspect/view.h"'
breach "the engine past the pool" \
    'proxy/engine/in.c:2: engine may not include inspect/view.h'
put proxy/engine/top.c '#include "proxy/policy.h"'
breach "policy.h from below" \
    'proxy/engine/top.c:2: engine may not include proxy/policy.h'
put rules/up.c '#include "mail/spool.h"'
breach "rules that know mail" 'rules/up.c:2: rules may not include mail/spool.h'
put filters/other.h
put filters/up.c '#include "other.h"'
breach "one filter that knows another" \
    'filters/up.c:2: filters may not include other.h'
rm "$tree/filters/other.h"
put filters/deep.c '#include "base/arena.h"'
breach "a filter that knows the proxy" \
    'filters/deep.c:2: filters may not include base/arena.h'
put proxy/smtp/c.c '#include "smtp/other.c"'
breach "a .c file included" 'proxy/smtp/c.c:2: includes a .c file'
put proxy/smtp/ev.c '#include <pcre2.h>'
breach "a library away from home" \
    'proxy/smtp/ev.c:2: <pcre2.h> lives in rules/pattern.* alone'
put proxy/mail/ev.c '#include <event2/event.h>'
breach "libevent in mail" 'proxy/mail/ev.c:2: <event2/event.h> lives in'
put proxy/engine/http.c '#include <event2/http.h>'
breach "evhttp in the engine, which may have libevent" \
    'proxy/engine/http.c:2: <event2/http.h> lives in proxy/keeper/http.* alone'
put proxy/inspect/net.c '#include <sys/socket.h>'
breach "a socket where hostile bytes are read" \
    'proxy/inspect/net.c:2: no sockets here'
put proxy/stray.c
breach "a file without a place" 'proxy/stray.c:1: stands in no known group'
put proxy/smtp/bare.c
printf 'int x;\n' >"$file"
breach "a file without a head" \
    'proxy/smtp/bare.c:1: does not begin with a comment'
put proxy/smtp/alone.h 'extern size_t n;'
breach "a header that needs another first" \
    'proxy/smtp/alone.h does not compile alone'
echo "1..$nr"
