# inside.sh - the life of the package in a root that does not last: installed,
# looked at, run, removed, purged. Says "== KEY: VALUE" for debian.py.
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
say() { echo "== $1: $2"; }

# The machine may have users and folders of a postern already.
for u in postern postern-inspect postern-keeper; do
	userdel "$u" 2>/dev/null
	groupdel "$u" 2>/dev/null
done
rm -rf /etc/postern /var/lib/postern /var/spool/postern /var/log/postern

dpkg -i /tmp/debs/postern_*.deb /tmp/debs/postern-dev_*.deb >/tmp/dpkg.log 2>&1
say install $?
cat /tmp/dpkg.log
for u in postern postern-inspect postern-keeper; do
	say "user $u" "$(id -un "$u" 2>&1)"
done
say folders "$(stat -c %U:%a /var/spool/postern /var/lib/postern \
    /run/postern | tr '\n' ' ')"
say built-using "$(dpkg -s postern | grep -c '^Static-Built-Using: sendmail (= 8')"
posternd -t -c /etc/postern/postern.conf
say shipped $?

unit=/lib/systemd/system/postern.service
systemd-analyze verify $unit 2>&1 | grep -i postern
say verify "${PIPESTATUS[0]}"
systemd-analyze security --offline=yes --no-pager --threshold=40 \
    postern.service >/tmp/security 2>&1
say security $?
tail -n 1 /tmp/security

cp /tmp/debs/postern.conf /etc/postern/postern.conf
install -d -o postern-keeper -m 700 /var/lib/postern/maildir
caps=$(sed -n 's/^CapabilityBoundingSet=//p' $unit |
    sed 's/CAP_/+/g; s/ /,/g' | tr '[:upper:]' '[:lower:]')
setpriv --bounding-set "-all,$caps" --inh-caps=-all --no-new-privs \
    posternd -c /etc/postern/postern.conf </dev/null >/tmp/out 2>&1 &
daemon=$!
for _ in $(seq 100); do
	grep -q ev=ready /var/log/postern/log 2>/dev/null && break
	sleep 0.1
done
say ready "$(grep -c ev=ready /var/log/postern/log)"
cat /tmp/out /var/log/postern/log
say milter "$(stat -c %G:%a /run/postern/milter)"
say answers "$(postern doctor | grep -c 'milter unix:/run/postern/open .*protocol 6')"
echo 'listen milter unix:/run/postern/another { group adm; mode 0640; }' \
    >>/etc/postern/postern.conf
postern reload
say reload $?
say another "$(stat -c %G:%a /run/postern/another)"
swaks --server 127.0.0.1:2599 --from a@example.net --to b@example.com \
    --body marker >/tmp/swaks 2>&1
say mail $?
say delivered "$(grep -l marker /var/lib/postern/maildir/new/* | wc -l)"
postern status >/dev/null
say status $?
kill $daemon
wait $daemon
say end $?
say "sockets gone" "$(find /run/postern -type s | grep -q . || echo yes)"
man -w postern posternd postern.conf postern-rules >/dev/null
say man $?

dpkg -r postern-dev postern >/dev/null 2>&1
say remove $?
say "conf kept" "$(test -f /etc/postern/policy.conf && echo yes)"
dpkg -P postern >/tmp/purge 2>&1
say purge $?
say "conf gone" "$(test -e /etc/postern/policy.conf || echo yes)"
say "mail kept" "$(find /var/lib/postern/maildir/new -type f | wc -l)"
