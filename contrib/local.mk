# installed samples, and what stands in the tree for people to run
sampledir = $(docdir)/examples
dist_sample_DATA = contrib/sample/postern.conf contrib/sample/policy.conf \
	contrib/sample/partners
pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = contrib/postern-filter.pc
organisationdir = $(docdir)/examples/organisation
dist_organisation_DATA = contrib/sample/organisation/postern.conf \
	contrib/sample/organisation/policy.conf \
	contrib/sample/organisation/allow-clients \
	contrib/sample/organisation/allow-senders \
	contrib/sample/organisation/partners
organisation_testsdir = $(organisationdir)/tests
dist_organisation_tests_DATA = contrib/sample/organisation/tests/clean.eml \
	contrib/sample/organisation/tests/director.eml \
	contrib/sample/organisation/tests/exe-in-zip.eml \
	contrib/sample/organisation/tests/locked-zip.eml \
	contrib/sample/organisation/tests/macros.eml \
	contrib/sample/organisation/tests/spam.eml
EXTRA_DIST += contrib/setup contrib/check contrib/quickstart \
	contrib/quickstart-mail contrib/m4/postern.m4
dist_man_MANS += contrib/man/postern-rules.5 contrib/man/postern-filter.3 \
	contrib/man/postern-quarantine.7 contrib/man/postern-postfix.7 \
	contrib/man/posternd.8 contrib/man/postern.conf.5
# Folders that are ours alone go too, unless somebody keeps something there: a
# module of his own.
uninstall-hook:
	for d in '$(DESTDIR)$(docdir)' '$(DESTDIR)$(pkglibdir)' \
	    '$(DESTDIR)$(pkgincludedir)'; do \
		[ ! -d "$$d" ] || find "$$d" -depth -type d -empty -delete; \
	done
include contrib/systemd/local.mk
include contrib/debian/local.mk
include contrib/postfix/local.mk
include contrib/fail2ban/local.mk
include contrib/completion/local.mk
