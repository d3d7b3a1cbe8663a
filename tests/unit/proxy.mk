# unit tests of proxy
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_config tests/unit/test_policy \
	tests/unit/test_generation tests/unit/test_listen tests/unit/test_check \
	tests/unit/test_needs
TESTS += tests/unit/test_config tests/unit/test_policy \
	tests/unit/test_generation tests/unit/test_listen tests/unit/test_check \
	tests/unit/test_needs
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_config_LDADD = libconfig.la libengine.la libmail.la libbase.la $(CMOCKA_LIBS)
policy_libs = libpolicy.la libconfig.la libengine.la librules.la libfilters.la \
	libinspect.la libmail.la libbase.la
tests_unit_test_policy_SOURCES = tests/unit/test_policy.c tests/unit/policy_world.h
tests_unit_test_policy_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_policy_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_needs_SOURCES = tests/unit/test_needs.c tests/unit/policy_world.h
tests_unit_test_needs_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_needs_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_generation_SOURCES = tests/unit/test_generation.c
tests_unit_test_generation_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_generation_LDADD = libmaster.la $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_listen_SOURCES = tests/unit/test_listen.c
tests_unit_test_listen_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_listen_LDADD = libmaster.la libconfig.la libengine.la libmail.la libbase.la $(CMOCKA_LIBS)
tests_unit_test_check_SOURCES = tests/unit/test_check.c
tests_unit_test_check_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_check_LDADD = $(policy_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_modules
TESTS += tests/unit/test_modules
tests_unit_test_modules_SOURCES = tests/unit/test_modules.c
tests_unit_test_modules_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
# -u: of the archives only what is wanted is taken.
tests_unit_test_modules_LDFLAGS = $(AM_LDFLAGS) -export-dynamic -Wl,-u,pn_worker
tests_unit_test_modules_LDADD = $(policy_libs) $(CMOCKA_LIBS)
endif
