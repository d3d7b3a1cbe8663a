# libmail.la: what stands in proxy/mail
noinst_LTLIBRARIES += libmail.la
libmail_la_SOURCES = \
	proxy/mail/pn_fact.c \
	proxy/mail/pn_mail.h
libmail_la_LIBADD = libbase.la
