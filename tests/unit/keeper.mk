# unit tests of keeper, and of engine/keep against it
if HAVE_CMOCKA
keeper_tests = \
	tests/unit/test_quarantine \
	tests/unit/test_maildir \
	tests/unit/test_history \
	tests/unit/test_log \
	tests/unit/test_metrics \
	tests/unit/test_state \
	tests/unit/test_settings \
	tests/unit/test_stats \
	tests/unit/test_keep
check_PROGRAMS += $(keeper_tests)
TESTS += $(keeper_tests)
tests_unit_test_quarantine_SOURCES = tests/unit/test_quarantine.c tests/unit/keeper_world.h
tests_unit_test_quarantine_LDADD = libkeeper.la $(CMOCKA_LIBS)
tests_unit_test_maildir_SOURCES = tests/unit/test_maildir.c tests/unit/keeper_world.h
tests_unit_test_maildir_LDADD = libkeeper.la $(CMOCKA_LIBS)
tests_unit_test_history_SOURCES = tests/unit/test_history.c tests/unit/keeper_world.h
tests_unit_test_history_LDADD = libkeeper.la $(CMOCKA_LIBS)
tests_unit_test_keep_SOURCES = tests/unit/test_keep.c tests/unit/keeper_world.h
tests_unit_test_keep_LDADD = libengine.la libkeeper.la $(CMOCKA_LIBS)
tests_unit_test_state_SOURCES = tests/unit/test_state.c tests/unit/keeper_world.h
tests_unit_test_state_LDADD = libkeeper.la $(CMOCKA_LIBS)
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c
tests_unit_test_metrics_LDADD = libkeeper.la $(CMOCKA_LIBS)
tests_unit_test_log_SOURCES = tests/unit/test_log.c tests/unit/keeper_world.h
tests_unit_test_log_LDADD = libmail.la libbase.la $(CMOCKA_LIBS)
tests_unit_test_settings_SOURCES = tests/unit/test_settings.c
tests_unit_test_settings_LDADD = libkeeper.la $(CMOCKA_LIBS)
tests_unit_test_stats_SOURCES = tests/unit/test_stats.c
tests_unit_test_stats_LDADD = libmail.la libbase.la $(CMOCKA_LIBS)
endif
