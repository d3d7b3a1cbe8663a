# libmail.la: what stands in proxy/mail
noinst_LTLIBRARIES += libmail.la
libmail_la_SOURCES = \
	proxy/mail/address.c proxy/mail/address.h \
	proxy/mail/chain.c proxy/mail/chain.h \
	proxy/mail/domain.c proxy/mail/domain.h \
	proxy/mail/edit_header.c proxy/mail/edit_header.h \
	proxy/mail/edit_ops.c \
	proxy/mail/edit_ranges.c \
	proxy/mail/edit_text.c proxy/mail/edit_text.h \
	proxy/mail/edits.c proxy/mail/edits.h \
	proxy/mail/envelope.c proxy/mail/envelope.h \
	proxy/mail/facts.c proxy/mail/facts.h \
	proxy/mail/field.c proxy/mail/field.h \
	proxy/mail/keep.c proxy/mail/keep.h \
	proxy/mail/option.c proxy/mail/option.h \
	proxy/mail/parcel.c proxy/mail/parcel.h \
	proxy/mail/pn_fact.c proxy/mail/pn_mail.h \
	proxy/mail/reply.h \
	proxy/mail/site.c proxy/mail/site.h \
	proxy/mail/spool.c proxy/mail/spool.h \
	proxy/mail/stage.h \
	proxy/mail/transaction.c proxy/mail/transaction.h \
	proxy/mail/verdict.c proxy/mail/verdict.h
libmail_la_LIBADD = libbase.la $(IDN2_LIBS)
