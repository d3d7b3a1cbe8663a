# unit tests of who is told to be the client
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_proxy_protocol
TESTS += tests/unit/test_proxy_protocol
tests_unit_test_proxy_protocol_SOURCES = tests/unit/test_proxy_protocol.c
tests_unit_test_proxy_protocol_LDADD = libbase.la $(CMOCKA_LIBS)
endif
