# libengine.la: what stands in proxy/engine
noinst_LTLIBRARIES += libengine.la
libengine_la_SOURCES = \
	proxy/engine/ask.c proxy/engine/ask.h \
	proxy/engine/client_name.c \
	proxy/engine/core.c \
	proxy/engine/count.c proxy/engine/count.h \
	proxy/engine/delay.c proxy/engine/delay.h \
	proxy/engine/dial.c proxy/engine/dial.h \
	proxy/engine/dns.c proxy/engine/dns.h \
	proxy/engine/effects.c \
	proxy/engine/engine.c proxy/engine/engine.h \
	proxy/engine/host.c \
	proxy/engine/judge.c \
	proxy/engine/keep.c proxy/engine/keep.h \
	proxy/engine/keep_asked.c proxy/engine/keep_inside.h \
	proxy/engine/keep_tell.c \
	proxy/engine/limits.c \
	proxy/engine/map.c proxy/engine/map.h \
	proxy/engine/missing.c \
	proxy/engine/milter_apply.c \
	proxy/engine/milter_facts.c \
	proxy/engine/milter_hear.c \
	proxy/engine/milter_link.c proxy/engine/milter_link.h \
	proxy/engine/milter_macros.c \
	proxy/engine/milter_message.c \
	proxy/engine/milter_packet.c proxy/engine/milter_packet.h \
	proxy/engine/milter_talk.c proxy/engine/milter_talk.h \
	proxy/engine/milter_talk_inside.h \
	proxy/engine/milter_tell.c \
	proxy/engine/milters.c proxy/engine/milters.h \
	proxy/engine/needs.c proxy/engine/needs.h \
	proxy/engine/object.c \
	proxy/engine/propose.c \
	proxy/engine/record.c proxy/engine/record.h \
	proxy/engine/run.h \
	proxy/engine/service.c proxy/engine/service.h \
	proxy/engine/strip.c \
	proxy/engine/tally.c \
	proxy/engine/trace.c
libengine_la_LIBADD = libmail.la libbase.la $(UNBOUND_LIBS) $(CRYPTO_LIBS)
