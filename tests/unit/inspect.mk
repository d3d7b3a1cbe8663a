# unit tests of inspect
if HAVE_CMOCKA
inspect_tests = \
	tests/unit/test_findings
check_PROGRAMS += $(inspect_tests)
TESTS += $(inspect_tests)
tests_unit_test_findings_SOURCES = tests/unit/test_findings.c
tests_unit_test_findings_LDADD = libinspect.la libmail.la libbase.la $(CMOCKA_LIBS)
endif
