#!/bin/bash
# completion.sh - what bash offers behind `postern ...`, by the shipped script
# and the built program. TAP.
set -u
if [ -z "${BASH_VERSION-}" ]; then
	command -v bash >/dev/null && exec bash "$0"
	echo "1..0 # SKIP there is no bash"
	exit 0
fi
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
PATH=${builddir:?}:$PATH
. "${srcdir:?}/contrib/completion/postern" || { echo "Bail out! no script"; exit 99; }

echo "bob@partner.example" >"$dir/partners"
cat >"$dir/postern.conf" <<CONF
hostname mx.example.com;
control unix:$dir/control;
listen smtp 127.0.0.1:2599 { upstream mta; }
listen milter unix:$dir/milter;
upstream mta { server 127.0.0.1:2598; identity none; }
map partners = text:$dir/partners;
policy default {
    rule no-programs { when any part is executable; then reject "no"; }
    rule new-one { mode shadow; when sender in partners; then tag; }
}
policy sales extends default for rcpt @sales.example.com { rule no-programs off; }
CONF
: >"$dir/mail.eml"

nr=0
# offers WORD... : WANTED - with the last word half typed; wanted is sorted.
offers() {
	local -a COMP_WORDS=() COMPREPLY=()
	local COMP_CWORD got want
	while [[ $1 != : ]]; do
		COMP_WORDS+=("$1")
		shift
	done
	shift
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_postern
	got=$(printf '%s\n' ${COMPREPLY[@]+"${COMPREPLY[@]}"} | sort -u)
	want=$(printf '%s\n' "$@" | sort -u)
	nr=$((nr + 1))
	[[ $got == "$want" ]] || printf 'not '
	echo "ok $nr - ${COMP_WORDS[*]:1}"
	[[ $got == "$want" ]] ||
	    { echo "# want: ${want//$'\n'/, }"; echo "# got:  ${got//$'\n'/, }"; }
}
c=(postern -c "$dir/postern.conf")

offers postern sc : scan
offers postern --j : --json
offers "${c[@]}" q : quarantine
offers "${c[@]}" quarantine re : release
offers "${c[@]}" promote "" : new-one
offers "${c[@]}" upstream mta "" : drain resume
offers "${c[@]}" promote --po : --policy
offers "${c[@]}" promote --policy "" : default sales
offers "${c[@]}" history --rule n : no-programs new-one
offers "${c[@]}" history --action re : reject redirect
offers "${c[@]}" history --since "" : ""
offers "${c[@]}" history --s : --server --since --subject
offers "${c[@]}" map "" : partners
offers "${c[@]}" map partners "" : ""
offers "${c[@]}" facts part.ma : part.magic
offers "${c[@]}" try --fact hel : helo.name helo.verb
offers "${c[@]}" try --he : --header --helo --help
offers "${c[@]}" scan --listener "" : 127.0.0.1:2599 "unix:$dir/milter"
offers "${c[@]}" scan "$dir/ma" : "$dir/mail.eml"
offers "${c[@]}" conf hostn : hostname
offers "${c[@]}" conf upst : "upstream mta"
offers postern -c "$dir/postern.c" : "$dir/postern.conf"
offers "${c[@]}" quarantine show "" : ""
sed -i 's/policy default {/policy default { nonsense/' "$dir/postern.conf"
offers "${c[@]}" promote "" : ""
offers "${c[@]}" facts part.ma : part.magic # though a rule is broken
# Each command has a line in the manual.
for word in $(postern --complete commands); do
	nr=$((nr + 1))
	grep -qE "^\.It (Xo|Cm $word( |$))|^\.Cm $word$" "$srcdir/contrib/man/postern.1" ||
	    printf 'not '
	echo "ok $nr - $word is in the manual"
done
echo "1..$nr"
