# Snippets to paste, each run by tests/integration/postfix_snippets.py, that of
# submission by submission.py.
postfixfrontdir = $(docdir)/examples/postfix/in-front
dist_postfixfront_DATA = contrib/postfix/in-front/main.cf \
	contrib/postfix/in-front/master.cf contrib/postfix/in-front/postern.conf
postfixfrontproxydir = $(docdir)/examples/postfix/in-front-proxy
dist_postfixfrontproxy_DATA = contrib/postfix/in-front-proxy/master.cf \
	contrib/postfix/in-front-proxy/postern.conf
postfixmilterdir = $(docdir)/examples/postfix/milter
dist_postfixmilter_DATA = contrib/postfix/milter/main.cf \
	contrib/postfix/milter/master.cf contrib/postfix/milter/postern.conf
postfixfilterdir = $(docdir)/examples/postfix/proxy-filter
dist_postfixfilter_DATA = contrib/postfix/proxy-filter/master.cf \
	contrib/postfix/proxy-filter/postern.conf
postfixsubmissiondir = $(docdir)/examples/postfix/submission
dist_postfixsubmission_DATA = contrib/postfix/submission/master.cf \
	contrib/postfix/submission/postern.conf
