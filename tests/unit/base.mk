# unit tests of base
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_lex
TESTS += tests/unit/test_lex
tests_unit_test_lex_SOURCES = tests/unit/test_lex.c
tests_unit_test_lex_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_lex_LDADD = libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_sandbox
TESTS += tests/unit/test_sandbox
tests_unit_test_sandbox_SOURCES = tests/unit/test_sandbox.c
tests_unit_test_sandbox_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sandbox_LDADD = libbase.la $(CMOCKA_LIBS)
endif
