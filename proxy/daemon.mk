# posternd. libconfig and libpolicy are what it shares with postern(1): the
# configuration, the compiled policy, and the run of its tests.
noinst_LTLIBRARIES += libconfig.la libpolicy.la libmaster.la
libconfig_la_SOURCES = \
	proxy/config.c proxy/config.h \
	proxy/config_blocks.c proxy/config_blocks.h \
	proxy/config_keeper.c proxy/config_keeper.h \
	proxy/config_limits.c proxy/config_limits.h \
	proxy/config_values.c proxy/config_values.h \
	proxy/config_listen.c proxy/config_listen.h \
	proxy/config_loop.c proxy/config_loop.h \
	proxy/config_route.c proxy/config_route.h \
	proxy/config_milter.c proxy/config_milter.h \
	proxy/config_tls.c proxy/config_tls.h \
	proxy/endpoint.c proxy/endpoint.h \
	proxy/modules.c proxy/modules.h \
	proxy/setting.c proxy/setting.h
libconfig_la_LIBADD = libsmtp.la
libconfig_la_CPPFLAGS = $(AM_CPPFLAGS) -DPKGLIBDIR='"$(pkglibdir)"'
libpolicy_la_SOURCES = \
	proxy/policy.c proxy/policy.h \
	proxy/policy_names.c \
	proxy/check.c proxy/check.h \
	proxy/users.c proxy/users.h
libmaster_la_SOURCES = \
	proxy/child.c proxy/child.h \
	proxy/generation.c proxy/generation.h \
	proxy/listen.c proxy/listen.h \
	proxy/notify.c proxy/notify.h \
	proxy/running.c proxy/running.h \
	proxy/watch.c proxy/watch.h

sbin_PROGRAMS += posternd
posternd_SOURCES = \
	proxy/main.c \
	proxy/master.c proxy/master.h \
	proxy/reload.c proxy/reload.h \
	proxy/single.c proxy/single.h \
	proxy/spawn.c proxy/spawn.h \
	proxy/worker.c proxy/worker.h
posternd_CPPFLAGS = $(AM_CPPFLAGS) \
	-DDEFAULT_CONF='"$(sysconfdir)/postern/postern.conf"'
# Modules call pn_* back; nothing else is visible.
posternd_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
posternd_LDADD = libmaster.la libpolicy.la libconfig.la libkeeper.la \
	$(MILTER_DOOR) libsmtp.la libengine.la libinspect.la librules.la libfilters.la \
	libmail.la libbase.la
