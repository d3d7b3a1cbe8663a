# libmilterdoor.la: the milter door; MILTER_DOOR: with libmilter, which is the
# system's. MILTER_FIBERS takes its archive and renames what that calls
# (calls.h).
noinst_LTLIBRARIES += libmilterdoor.la
libmilterdoor_la_SOURCES = \
	proxy/milter/answer.c proxy/milter/answer.h \
	proxy/milter/apply.c proxy/milter/apply.h \
	proxy/milter/conversation.h \
	proxy/milter/door.h \
	proxy/milter/lend.h \
	proxy/milter/milter.c proxy/milter/milter.h \
	proxy/milter/offer.c proxy/milter/offer.h \
	proxy/milter/outcome.c \
	proxy/milter/peer.c proxy/milter/peer.h \
	proxy/milter/stages.c \
	proxy/milter/talk.c \
	proxy/milter/write.c
libmilterdoor_la_LIBADD = libmail.la libbase.la
if MILTER_FIBERS
libmilterdoor_la_SOURCES += \
	proxy/milter/calls.c proxy/milter/calls.h \
	proxy/milter/fiber.c proxy/milter/fiber.h \
	proxy/milter/lend_fibers.c \
	proxy/milter/packets.c proxy/milter/packets.h
MILTER_DOOR = libmilterdoor.la libmilter-calls.a -lpthread
# What a link-time optimiser would read instead keeps the names it has.
libmilter-calls.a: $(MILTER_ARCHIVE) $(srcdir)/proxy/milter/calls.syms
	$(AM_V_GEN)$(OBJCOPY) --remove-section='.gnu.lto_*' \
	    --redefine-syms=$(srcdir)/proxy/milter/calls.syms $(MILTER_ARCHIVE) $@
CLEANFILES += libmilter-calls.a
else
libmilterdoor_la_SOURCES += proxy/milter/lend_threads.c
MILTER_DOOR = libmilterdoor.la $(MILTER_LIBS)
endif
EXTRA_DIST += proxy/milter/calls.syms
EXTRA_DIST += contrib/m4/milter.m4
