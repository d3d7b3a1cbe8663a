# libinspect.la: what stands in proxy/inspect
noinst_LTLIBRARIES += libinspect.la
libinspect_la_SOURCES = \
	proxy/inspect/findings.c \
	proxy/inspect/findings.h \
	proxy/inspect/inspector.h \
	proxy/inspect/pool.h \
	proxy/inspect/view.h
libinspect_la_LIBADD =
