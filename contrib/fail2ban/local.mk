# for fail2ban: a filter of our own lines
EXTRA_DIST += contrib/fail2ban/postern.conf
