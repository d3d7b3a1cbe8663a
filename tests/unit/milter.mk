# unit tests of the milter door
if HAVE_CMOCKA
milter_tests = tests/unit/test_milter_answer tests/unit/test_milter_offer \
	tests/unit/test_milter_peer
if MILTER_FIBERS
milter_tests += tests/unit/test_milter_calls tests/unit/test_milter_packets
tests_unit_test_milter_calls_SOURCES = tests/unit/test_milter_calls.c
tests_unit_test_milter_calls_LDADD = $(MILTER_DOOR) $(CMOCKA_LIBS) $(EVENT_LIBS)
tests_unit_test_milter_packets_SOURCES = tests/unit/test_milter_packets.c
tests_unit_test_milter_packets_LDADD = $(MILTER_DOOR) $(CMOCKA_LIBS)
endif
check_PROGRAMS += $(milter_tests)
TESTS += $(milter_tests)
tests_unit_test_milter_answer_SOURCES = tests/unit/test_milter_answer.c
tests_unit_test_milter_answer_LDADD = $(MILTER_DOOR) $(CMOCKA_LIBS)
tests_unit_test_milter_offer_SOURCES = tests/unit/test_milter_offer.c
tests_unit_test_milter_offer_LDADD = $(MILTER_DOOR) $(CMOCKA_LIBS)
tests_unit_test_milter_peer_SOURCES = tests/unit/test_milter_peer.c
tests_unit_test_milter_peer_LDADD = $(MILTER_DOOR) $(CMOCKA_LIBS)
endif
