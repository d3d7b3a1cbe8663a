# unit tests of the milter door
if HAVE_CMOCKA
milter_tests = tests/unit/test_milter_answer tests/unit/test_milter_offer \
	tests/unit/test_milter_peer
check_PROGRAMS += $(milter_tests)
TESTS += $(milter_tests)
tests_unit_test_milter_answer_SOURCES = tests/unit/test_milter_answer.c
tests_unit_test_milter_answer_LDADD = libmilterdoor.la $(CMOCKA_LIBS)
tests_unit_test_milter_offer_SOURCES = tests/unit/test_milter_offer.c
tests_unit_test_milter_offer_LDADD = libmilterdoor.la $(CMOCKA_LIBS)
tests_unit_test_milter_peer_SOURCES = tests/unit/test_milter_peer.c
tests_unit_test_milter_peer_LDADD = libmilterdoor.la $(CMOCKA_LIBS)
endif
