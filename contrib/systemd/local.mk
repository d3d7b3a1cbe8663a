# The unit, its users and folders; below the prefix, so that an installation
# in somebody's home stays there. Packagers say --prefix=/usr.
systemdsystemunitdir = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d

nodist_systemdsystemunit_DATA = contrib/systemd/postern.service
dist_sysusers_DATA = contrib/systemd/sysusers.d/postern.conf
dist_tmpfiles_DATA = contrib/systemd/tmpfiles.d/postern.conf
CLEANFILES += contrib/systemd/postern.service
EXTRA_DIST += contrib/systemd/postern.service.in

contrib/systemd/postern.service: contrib/systemd/postern.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) contrib/systemd && $(SED) \
	    -e 's,[@]sbindir[@],$(sbindir),g' -e 's,[@]bindir[@],$(bindir),g' \
	    -e 's,[@]sysconfdir[@],$(sysconfdir),g' \
	    $(srcdir)/contrib/systemd/postern.service.in >$@.tmp && mv $@.tmp $@
