# libfilters.la: modules that are built in
noinst_LTLIBRARIES += libfilters.la
libfilters_la_SOURCES = \
	filters/attachment.c \
	filters/builtin.h \
	filters/header.c
