# unit tests of who is told to be the client
if HAVE_CMOCKA
ident_tests = tests/unit/test_proxy_protocol tests/unit/test_source
check_PROGRAMS += $(ident_tests)
TESTS += $(ident_tests)
tests_unit_test_proxy_protocol_SOURCES = tests/unit/test_proxy_protocol.c
tests_unit_test_proxy_protocol_LDADD = libbase.la $(CMOCKA_LIBS)
tests_unit_test_source_SOURCES = tests/unit/test_source.c
tests_unit_test_source_LDADD = libsmtp.la libbase.la $(CMOCKA_LIBS)
endif
