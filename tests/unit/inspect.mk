# unit tests of inspect
if HAVE_CMOCKA
inspect_tests = \
	tests/unit/test_findings \
	tests/unit/test_view
inspect_libs = libinspect.la libmail.la libbase.la $(CMOCKA_LIBS)
check_PROGRAMS += $(inspect_tests)
TESTS += $(inspect_tests)

tests_unit_test_findings_SOURCES = tests/unit/test_findings.c
tests_unit_test_findings_LDADD = $(inspect_libs)

tests_unit_test_view_SOURCES = tests/unit/test_view.c
tests_unit_test_view_LDADD = $(inspect_libs)
endif
