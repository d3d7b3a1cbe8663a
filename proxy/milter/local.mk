# libmilterdoor.la: the milter door (libmilter itself is the system's)
noinst_LTLIBRARIES += libmilterdoor.la
libmilterdoor_la_SOURCES = \
	proxy/milter/answer.c proxy/milter/answer.h \
	proxy/milter/apply.c proxy/milter/apply.h \
	proxy/milter/conversation.h \
	proxy/milter/door.h \
	proxy/milter/lend.c proxy/milter/lend.h \
	proxy/milter/milter.c proxy/milter/milter.h \
	proxy/milter/offer.c proxy/milter/offer.h \
	proxy/milter/outcome.c \
	proxy/milter/peer.c proxy/milter/peer.h \
	proxy/milter/stages.c \
	proxy/milter/talk.c \
	proxy/milter/write.c
libmilterdoor_la_LIBADD = libmail.la libbase.la $(MILTER_LIBS)
EXTRA_DIST += contrib/m4/milter.m4
