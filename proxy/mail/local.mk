# libmail.la: what stands in proxy/mail
noinst_LTLIBRARIES += libmail.la
libmail_la_SOURCES = \
	proxy/mail/chain.c proxy/mail/chain.h \
	proxy/mail/pn_fact.c \
	proxy/mail/pn_mail.h \
	proxy/mail/stage.h
libmail_la_LIBADD = libbase.la
