# postern(1)
bin_PROGRAMS += postern
postern_SOURCES = \
	proxy/cli/ask.c \
	proxy/cli/cli.h \
	proxy/cli/complete.c \
	proxy/cli/conf.c \
	proxy/cli/doctor.c proxy/cli/doctor.h \
	proxy/cli/doctor_ask.c proxy/cli/doctor_ask.h \
	proxy/cli/doctor_dane.c \
	proxy/cli/doctor_dns.c \
	proxy/cli/doctor_find.c proxy/cli/doctor_find.h \
	proxy/cli/doctor_milter.c \
	proxy/cli/doctor_smtp.c \
	proxy/cli/doctor_talk.c proxy/cli/doctor_talk.h \
	proxy/cli/explain.c \
	proxy/cli/facts.c \
	proxy/cli/folder.c \
	proxy/cli/given.c \
	proxy/cli/history.c \
	proxy/cli/letter.c \
	proxy/cli/main.c \
	proxy/cli/map.c \
	proxy/cli/profile.c \
	proxy/cli/promote.c \
	proxy/cli/quarantine.c \
	proxy/cli/render.c proxy/cli/render.h \
	proxy/cli/render_action.c proxy/cli/render_expr.c \
	proxy/cli/replay.c \
	proxy/cli/scan.c proxy/cli/scan.h \
	proxy/cli/scanner.c proxy/cli/scanner.h \
	proxy/cli/search.c \
	proxy/cli/settings.c \
	proxy/cli/show.c \
	proxy/cli/source.c \
	proxy/cli/status.c \
	proxy/cli/test.c \
	proxy/cli/top.c \
	proxy/cli/try.c \
	proxy/cli/upstream.c
postern_CPPFLAGS = $(AM_CPPFLAGS) -DSYSCONFDIR='"$(sysconfdir)"'
postern_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
postern_LDADD = libpolicy.la libconfig.la libengine.la libfilters.la \
	libinspect.la librules.la libmail.la libbase.la $(JANSSON_LIBS)
dist_man_MANS += contrib/man/postern.1
