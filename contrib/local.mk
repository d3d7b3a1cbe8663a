# installed samples, and what stands in the tree for people to run
sampledir = $(docdir)/examples
dist_sample_DATA = contrib/sample/postern.conf contrib/sample/policy.conf \
	contrib/sample/partners
pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = contrib/postern-filter.pc
EXTRA_DIST += contrib/setup contrib/check contrib/quickstart \
	contrib/quickstart-mail contrib/m4/postern.m4
dist_man_MANS += contrib/man/postern-rules.5 \
	contrib/man/posternd.8 contrib/man/postern.conf.5
include contrib/systemd/local.mk
include contrib/debian/local.mk
include contrib/postfix/local.mk
include contrib/fail2ban/local.mk
