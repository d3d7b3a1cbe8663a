# golden transcripts: tests/dialogs/*.txt, replayed by replay.py
DIALOG_DOOR = tests/dialogs/played.c tests/dialogs/played.h tests/dialogs/options.c tests/dialogs/options.h
check_PROGRAMS += tests/dialogs/door
tests_dialogs_door_SOURCES = tests/dialogs/door.c $(DIALOG_DOOR)
tests_dialogs_door_LDADD = libsmtp.la libengine.la libmail.la libbase.la $(EVENT_LIBS)
TESTS += tests/dialogs/replay.py tests/dialogs/busy.py tests/dialogs/early_no.py tests/dialogs/smuggle.py
EXTRA_DIST += tests/dialogs/replay.py tests/dialogs/busy.py tests/dialogs/early_no.py tests/dialogs/smuggle.py $(srcdir)/tests/dialogs/*.txt \
	$(srcdir)/tests/dialogs/*.table tests/dialogs/README.md
INTEGRATION += tests/dialogs/release.py
EXTRA_DIST += tests/dialogs/daemon.py tests/dialogs/release.py
# the milter door in the same company
check_PROGRAMS += tests/dialogs/milter_door
tests_dialogs_milter_door_SOURCES = tests/dialogs/milter_door.c $(DIALOG_DOOR)
tests_dialogs_milter_door_LDADD = $(MILTER_DOOR) libengine.la librules.la libmail.la libbase.la $(EVENT_LIBS)
TESTS += tests/dialogs/milter_door.py
EXTRA_DIST += tests/dialogs/milter_door.py
