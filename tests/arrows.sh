#!/bin/sh
# arrows.sh - who may include whom, read from the #include lines: the house
# stays in order because this fails when it does not. TAP.
#
#   srcdir    the tree to look at (default .)
#   ARROWS_CC the compiler and flags with which each header must compile alone
#             (not set: that part is skipped), run in
#   builddir  where config.h is
#
# The tables below are the rule; a file that no line of `groups` places is an
# error. tests/arrows_test.sh plants one breach of each kind and looks for it.
set -u
cd "${srcdir:-.}" || exit 99
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

# Group, then what its files are (shell patterns). First match counts.
groups='
main	proxy/main.c
master	proxy/master.[ch] proxy/single.[ch] proxy/child.[ch] proxy/listen.[ch] proxy/users.[ch] proxy/notify.[ch] proxy/generation.[ch] proxy/spawn.[ch] proxy/reload.[ch] proxy/running.[ch] proxy/watch.[ch]
worker	proxy/worker.[ch]
check	proxy/check.[ch]
policy	proxy/policy.[ch] proxy/policy_names.c proxy/config.[ch] proxy/config_blocks.[ch] proxy/config_keeper.[ch] proxy/config_limits.[ch] proxy/config_listen.[ch] proxy/config_loop.[ch] proxy/config_milter.[ch] proxy/config_tls.[ch] proxy/config_route.[ch] proxy/config_values.[ch] proxy/setting.[ch] proxy/endpoint.[ch] proxy/modules.[ch]
base	proxy/base/*.[ch]
mail	proxy/mail/*.[ch]
pool	proxy/inspect/pool.[ch]
inspect	proxy/inspect/*.[ch]
engine	proxy/engine/*.[ch]
smtp	proxy/smtp/*.[ch]
milter	proxy/milter/*.[ch]
keeper	proxy/keeper/*.[ch]
cli	proxy/cli/*.[ch]
contract	filters/filter.h filters/pn_str.h
filters	filters/*.[ch]
rules	rules/*.[ch]
'

# Group, then which headers it may include besides its own folder's. pn_str.h
# is the floor under everything.
arrows='
main	proxy/master.h proxy/listen.h proxy/running.h proxy/single.h proxy/check.h proxy/policy.h base/*
master	proxy/worker.h proxy/check.h proxy/policy.h proxy/config.h proxy/endpoint.h milter/* inspect/* keeper/* engine/* mail/* base/*
worker	proxy/child.h proxy/users.h proxy/policy.h proxy/config.h keeper/keeper.h smtp/* milter/* engine/* inspect/* mail/* base/*
check	proxy/users.h proxy/policy.h engine/* inspect/* rules/* mail/* base/*
policy	rules/* engine/* smtp/* milter/* inspect/* keeper/keeper.h mail/* filters/filter.h filters/builtin.h base/*
base
mail	filters/filter.h base/*
pool	mail/* rules/* filters/filter.h base/*
inspect	mail/* rules/* filters/filter.h base/*
engine	mail/* inspect/pool.h rules/* filters/filter.h base/*
smtp	engine/* mail/* base/*
milter	engine/* rules/rules.h mail/* base/*
keeper	mail/* base/*
cli	proxy/policy.h proxy/config.h proxy/endpoint.h proxy/check.h proxy/users.h engine/* inspect/* rules/* mail/* keeper/* smtp/tls.h smtp/mx.h smtp/self.h base/*
contract
filters	filters/filter.h filters/builtin.h
rules	base/*
'

# Header of a library (pattern), then the only files that may include it.
homes='
event2/http*	proxy/keeper/http.*
event2/*	proxy/cli/scanner.* proxy/master.* proxy/spawn.* proxy/worker.* proxy/single.* proxy/check.* proxy/base/loop.* proxy/base/ipc.* proxy/keeper/* proxy/inspect/pool.* proxy/engine/* proxy/smtp/* proxy/milter/*
openssl/*	proxy/smtp/tls*.[ch] proxy/engine/engine.* proxy/inspect/pool.* filters/*
libmilter/*	proxy/milter/*
pcre2.h	rules/pattern.*
unbound*	proxy/engine/dns.*
archive*	proxy/inspect/archive_unpack.*
sqlite3.h	proxy/keeper/* proxy/engine/state.*
libpq-fe.h	proxy/keeper/* proxy/engine/state.*
hiredis/*	proxy/keeper/* proxy/engine/state.*
jansson.h	proxy/cli/* proxy/keeper/*
seccomp.h	proxy/base/sandbox.*
linux/landlock.h	proxy/base/sandbox.*
iconv.h	proxy/inspect/*
magic.h	proxy/inspect/type.*
'

# Who parses or judges knows no socket: headers, then who may not, but for whom.
sockets='sys/socket.h sys/un.h netinet/* netdb.h'
no_sockets='proxy/mail/* proxy/inspect/* rules/* filters/*'
but_for='proxy/inspect/pool.*'

find proxy rules filters tests -name '*.[ch]' 2>/dev/null | sort >"$tmp/all"
[ -s "$tmp/all" ] || { echo "Bail out! no sources in ${srcdir:-.}"; exit 99; }
export groups arrows homes sockets no_sockets but_for

# Reads every file whole; complaints gather per test, END prints them.
# shellcheck disable=SC2046 # our own file names have no blanks
awk '
# Does text match one of the shell patterns in list (only "*" and "[ch]")?
function matches(text, list,    one, n, i, re) {
	n = split(list, one, " ")
	for (i = 1; i <= n; i++) {
		re = one[i]
		gsub(/\./, "\\.", re)
		gsub(/\*/, ".*", re)
		if (text ~ ("^" re "$"))
			return 1
	}
	return 0
}
function folder(path) {
	sub(/\/[^\/]*$/, "", path)
	return path
}
function stem(path) {
	sub(/\.[ch]$/, "", path)
	return path
}
# The tables: lines of KEY tab REST, in order.
function table(text, keys, rest,    line, n, i, count, tab) {
	n = split(text, line, "\n")
	for (i = 1; i <= n; i++) {
		if (line[i] == "")
			continue
		tab = index(line[i] "\t", "\t")
		keys[++count] = substr(line[i], 1, tab - 1)
		rest[count] = substr(line[i], tab + 1)
	}
	return count
}
function place(file,    i) {
	for (i = 1; i <= n_groups; i++)
		if (matches(file, members[i]))
			return groups[i]
	return ""
}
function complain(test, text) {
	if (!(test in wrong))
		wrong[test] = ""
	wrong[test] = wrong[test] "# " FILENAME ":" FNR ": " text "\n"
}
# The path from the top that "name" means in this file.
function resolve(name,    dirs, i) {
	dirs[1] = ""
	dirs[2] = "proxy/"
	dirs[3] = folder(FILENAME) "/"
	for (i = 1; i <= 3; i++)
		if ((dirs[i] name) in exists)
			return dirs[i] name
	return name
}
function own(name,    path, short) {
	if (name ~ /\.c$/) {
		complain("arrow " group, "includes a .c file, " name)
		return
	}
	path = resolve(name)
	if (path == "filters/pn_str.h" || stem(path) == stem(FILENAME))
		return
	if (folder(path) == folder(FILENAME) && group != "filters" &&
	    (folder(path) != "proxy" || place(path) == group))
		return
	short = path
	if (path ~ /^proxy\/.*\//)
		sub(/^proxy\//, "", short)
	if (!matches(short, may[group]))
		complain("arrow " group, group " may not include " name)
}
function foreign(name,    i) {
	for (i = 1; i <= n_homes; i++)
		if (matches(name, headers[i])) {
			if (!matches(FILENAME, home[i]))
				complain("home " i, "<" name "> lives in " \
				    home[i] " alone")
			break
		}
	if (matches(name, ENVIRON["sockets"]) &&
	    matches(FILENAME, ENVIRON["no_sockets"]) &&
	    !matches(FILENAME, ENVIRON["but_for"]))
		complain("sockets", "no sockets here, but <" name ">")
}
function verdict(test, name) {
	printf "%s %d - %s\n%s", (test in wrong) ? "not ok" : "ok", ++nr, name,
	    wrong[test]
}
BEGIN {
	n_groups = table(ENVIRON["groups"], groups, members)
	n = table(ENVIRON["arrows"], keys, rest)
	for (i = 1; i <= n; i++)
		may[keys[i]] = rest[i]
	n_homes = table(ENVIRON["homes"], headers, home)
	for (i = 1; i < ARGC; i++)
		exists[ARGV[i]] = 1
}
FNR == 1 {
	group = place(FILENAME)
	checked = FILENAME !~ /^tests\//
	if (checked && group == "")
		complain("placed", "stands in no known group")
	if ($0 !~ /^\/\*/)
		complain("head", "does not begin with a comment")
}
checked && /^[ \t]*#[ \t]*include[ \t]*["<]/ {
	name = $0
	sub(/^[^"<]*["<]/, "", name)
	sub(/[">].*/, "", name)
	if ($0 ~ /include[ \t]*"/)
		own(name)
	else
		foreign(name)
}
END {
	verdict("placed", "every file has its place")
	for (i = 1; i <= n_groups; i++)
		verdict("arrow " groups[i], groups[i] " includes only: " \
		    (may[groups[i]] == "" ? "its own" : may[groups[i]]))
	for (i = 1; i <= n_homes; i++)
		verdict("home " i, "<" headers[i] "> stays in: " home[i])
	verdict("sockets", "who parses or judges knows no socket")
	verdict("head", "every file begins by saying what it is")
}
' $(cat "$tmp/all") >"$tmp/tap" || { echo "Bail out! awk"; exit 99; }
cat "$tmp/tap"
nr=$(($(grep -c '^\(not \)\{0,1\}ok ' "$tmp/tap") + 1))

if [ -z "${ARROWS_CC-}" ]; then
	echo "ok $nr - every header compiles alone # SKIP ARROWS_CC is not set"
else
	# By its path from the top, the way others name it.
	grep -v '^tests/' "$tmp/all" | grep '\.h$' | while read -r f; do
		echo "#include \"$f\"" >"$tmp/alone.c"
		(cd "${builddir:-.}" && $ARROWS_CC -Werror -fsyntax-only \
		    "$tmp/alone.c") >"$tmp/out" 2>&1 ||
		    { echo "$f does not compile alone:"; cat "$tmp/out"; }
	done >"$tmp/wrong"
	[ -s "$tmp/wrong" ] && printf 'not '
	echo "ok $nr - every header compiles alone"
	sed 's/^/# /' "$tmp/wrong"
fi
echo "1..$nr"
