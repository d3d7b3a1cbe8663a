# unit tests of engine
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_dns
TESTS += tests/unit/test_dns
tests_unit_test_dns_SOURCES = tests/unit/test_dns.c tests/unit/dnsserver.c tests/unit/dnsserver.h
tests_unit_test_dns_LDADD = libengine.la libmail.la libbase.la $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_effects
TESTS += tests/unit/test_effects
tests_unit_test_effects_SOURCES = tests/unit/test_effects.c
tests_unit_test_effects_LDADD = libengine.la librules.la libmail.la libbase.la $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_engine
TESTS += tests/unit/test_engine
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c tests/unit/dnsserver.c tests/unit/dnsserver.h
tests_unit_test_engine_LDADD = libengine.la librules.la libmail.la libbase.la $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_propose
TESTS += tests/unit/test_propose
tests_unit_test_propose_SOURCES = tests/unit/test_propose.c
tests_unit_test_propose_LDADD = libengine.la librules.la libmail.la libbase.la $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_shuffle
TESTS += tests/unit/test_shuffle
tests_unit_test_shuffle_SOURCES = tests/unit/test_shuffle.c
tests_unit_test_shuffle_LDADD = libengine.la librules.la libmail.la libbase.la $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_milter_packet
TESTS += tests/unit/test_milter_packet
tests_unit_test_milter_packet_SOURCES = tests/unit/test_milter_packet.c
tests_unit_test_milter_packet_LDADD = libengine.la libmail.la libbase.la $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_milter_message
TESTS += tests/unit/test_milter_message
tests_unit_test_milter_message_SOURCES = tests/unit/test_milter_message.c
tests_unit_test_milter_message_LDADD = libengine.la libmail.la libbase.la $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_service
TESTS += tests/unit/test_service
tests_unit_test_service_SOURCES = tests/unit/test_service.c
tests_unit_test_service_LDADD = libengine.la libmail.la libbase.la $(CMOCKA_LIBS)
endif
