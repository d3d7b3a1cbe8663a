# libfilters.la: modules that are built in
noinst_LTLIBRARIES += libfilters.la
libfilters_la_SOURCES = \
	filters/attachment.c \
	filters/builtin.h \
	filters/header.c \
	filters/text.c \
	filters/url.c

# Modules that are loaded. What they call pn_* by is the program's.
pkglib_LTLIBRARIES += dnsbl.la
dnsbl_la_SOURCES = filters/dnsbl.c
dnsbl_la_CFLAGS = $(PN_CFLAGS) -fvisibility=hidden
dnsbl_la_LDFLAGS = $(MODULE_LDFLAGS)
