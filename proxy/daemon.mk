# posternd, and the library of what the master and the tools share: the
# configuration and the compiled policy
noinst_LTLIBRARIES += libconfig.la
libconfig_la_SOURCES = \
	proxy/address.c proxy/address.h \
	proxy/config.c proxy/config.h \
	proxy/setting.c proxy/setting.h
