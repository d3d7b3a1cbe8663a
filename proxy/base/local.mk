# libbase.la: what stands in proxy/base
noinst_LTLIBRARIES += libbase.la
libbase_la_SOURCES = \
	proxy/base/arena.c proxy/base/arena.h \
	proxy/base/buf.c proxy/base/buf.h \
	proxy/base/crowd.c proxy/base/crowd.h \
	proxy/base/error.c proxy/base/error.h \
	proxy/base/fault.c proxy/base/fault.h \
	proxy/base/fold.c proxy/base/fold.h proxy/base/fold_table.h \
	proxy/base/io.c proxy/base/io.h \
	proxy/base/ipc.c proxy/base/ipc.h \
	proxy/base/ip.c proxy/base/ip.h \
	proxy/base/json.c proxy/base/json.h \
	proxy/base/lanes.h \
	proxy/base/lex.c proxy/base/lex.h \
	proxy/base/log.c proxy/base/log.h \
	proxy/base/loop.c proxy/base/loop.h \
	proxy/base/mem.c proxy/base/mem.h \
	proxy/base/must.c proxy/base/must.h \
	proxy/base/pack.c proxy/base/pack.h \
	proxy/base/proxy_protocol.c proxy/base/proxy_protocol.h \
	proxy/base/sandbox.c proxy/base/sandbox.h \
	proxy/base/stamp.c proxy/base/stamp.h \
	proxy/base/stats.c proxy/base/stats.h \
	proxy/base/suggest.c proxy/base/suggest.h \
	proxy/base/utf8.c proxy/base/utf8.h \
	proxy/base/value.h
libbase_la_LIBADD = $(EVENT_LIBS) $(SECCOMP_LIBS)
