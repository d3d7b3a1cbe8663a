# libkeeper.la: what stands in proxy/keeper
noinst_LTLIBRARIES += libkeeper.la
libkeeper_la_SOURCES = \
	proxy/keeper/ask_history.c \
	proxy/keeper/command.c \
	proxy/keeper/control.c proxy/keeper/control.h \
	proxy/keeper/drain.c \
	proxy/keeper/db.c proxy/keeper/db.h \
	proxy/keeper/files.c proxy/keeper/files.h \
	proxy/keeper/history.c proxy/keeper/history.h \
	proxy/keeper/history_db.h \
	proxy/keeper/history_search.c \
	proxy/keeper/http.c proxy/keeper/http.h \
	proxy/keeper/inside.h \
	proxy/keeper/keeper.c proxy/keeper/keeper.h \
	proxy/keeper/maildir.c proxy/keeper/maildir.h \
	proxy/keeper/match.c proxy/keeper/match.h \
	proxy/keeper/metrics.c proxy/keeper/metrics.h \
	proxy/keeper/ready.c proxy/keeper/ready.h \
	proxy/keeper/modules.c proxy/keeper/modules.h \
	proxy/keeper/protocol.h \
	proxy/keeper/query.c proxy/keeper/query.h \
	proxy/keeper/quarantine.c proxy/keeper/quarantine.h \
	proxy/keeper/quarantine_index.h \
	proxy/keeper/quarantine_json.c \
	proxy/keeper/quarantine_keep.c \
	proxy/keeper/quarantine_release.c \
	proxy/keeper/release.c \
	proxy/keeper/settings.c proxy/keeper/settings.h \
	proxy/keeper/state.c proxy/keeper/state.h \
	proxy/keeper/suspect.c \
	proxy/keeper/trace.c proxy/keeper/trace.h
libkeeper_la_LIBADD = libmail.la libbase.la $(SQLITE_LIBS) $(JANSSON_LIBS)
