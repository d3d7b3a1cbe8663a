# libinspect.la: what stands in proxy/inspect
noinst_LTLIBRARIES += libinspect.la
libinspect_la_SOURCES = \
	proxy/inspect/archive.c \
	proxy/inspect/charset.c \
	proxy/inspect/charset.h \
	proxy/inspect/clean.c \
	proxy/inspect/clean.h \
	proxy/inspect/css.c \
	proxy/inspect/css.h \
	proxy/inspect/decode.c \
	proxy/inspect/decode.h \
	proxy/inspect/entity.c \
	proxy/inspect/entity.h \
	proxy/inspect/entity_names.c \
	proxy/inspect/findings.c \
	proxy/inspect/findings.h \
	proxy/inspect/format.c \
	proxy/inspect/format.h \
	proxy/inspect/header.c \
	proxy/inspect/header.h \
	proxy/inspect/host.c \
	proxy/inspect/host.h \
	proxy/inspect/html.c \
	proxy/inspect/html.h \
	proxy/inspect/inspector.c \
	proxy/inspect/inspector.h \
	proxy/inspect/mailbox.c \
	proxy/inspect/mailbox.h \
	proxy/inspect/mime.c \
	proxy/inspect/param.c \
	proxy/inspect/param.h \
	proxy/inspect/part.h \
	proxy/inspect/pool.c \
	proxy/inspect/pool.h \
	proxy/inspect/probe.c \
	proxy/inspect/probe.h \
	proxy/inspect/rar.c \
	proxy/inspect/rar.h \
	proxy/inspect/text.c \
	proxy/inspect/text.h \
	proxy/inspect/tnef.c \
	proxy/inspect/tnef.h \
	proxy/inspect/type.c \
	proxy/inspect/type.h \
	proxy/inspect/url.c \
	proxy/inspect/url.h \
	proxy/inspect/urls.c \
	proxy/inspect/urls.h \
	proxy/inspect/uu.c \
	proxy/inspect/uu.h \
	proxy/inspect/view.c \
	proxy/inspect/view.h \
	proxy/inspect/zip.c \
	proxy/inspect/zip.h
libinspect_la_LIBADD = $(ARCHIVE_LIBS) $(IDN2_LIBS) $(PSL_LIBS)
