# unit tests of smtp, and of mail/address
if HAVE_CMOCKA
smtp_tests = tests/unit/test_address tests/unit/test_line tests/unit/test_dot \
	tests/unit/test_ehlo tests/unit/test_identity tests/unit/test_reply \
	tests/unit/test_peers tests/unit/test_tls tests/unit/test_tls_hostile tests/unit/test_plan tests/unit/test_outage tests/unit/test_lookups tests/unit/test_mx tests/unit/test_route tests/unit/test_bdat \
	tests/unit/test_sasl tests/unit/test_heading
check_PROGRAMS += $(smtp_tests)
TESTS += $(smtp_tests)
tests_unit_test_address_SOURCES = tests/unit/test_address.c
tests_unit_test_address_LDADD = libmail.la libbase.la $(CMOCKA_LIBS)
tests_unit_test_line_SOURCES = tests/unit/test_line.c
tests_unit_test_line_LDADD = libsmtp.la $(CMOCKA_LIBS)
tests_unit_test_dot_SOURCES = tests/unit/test_dot.c
tests_unit_test_dot_LDADD = libsmtp.la $(CMOCKA_LIBS)
tests_unit_test_bdat_SOURCES = tests/unit/test_bdat.c
tests_unit_test_bdat_LDADD = libsmtp.la libmail.la libbase.la $(CMOCKA_LIBS)
tests_unit_test_ehlo_SOURCES = tests/unit/test_ehlo.c
tests_unit_test_ehlo_LDADD = libsmtp.la $(CMOCKA_LIBS)
tests_unit_test_identity_SOURCES = tests/unit/test_identity.c
tests_unit_test_identity_LDADD = libsmtp.la $(CMOCKA_LIBS)
tests_unit_test_reply_SOURCES = tests/unit/test_reply.c
tests_unit_test_reply_LDADD = libsmtp.la $(CMOCKA_LIBS)
tests_unit_test_sasl_SOURCES = tests/unit/test_sasl.c
tests_unit_test_sasl_LDADD = libsmtp.la $(CMOCKA_LIBS)
tests_unit_test_heading_SOURCES = tests/unit/test_heading.c
tests_unit_test_heading_LDADD = libsmtp.la $(CMOCKA_LIBS)
tests_unit_test_peers_SOURCES = tests/unit/test_peers.c
tests_unit_test_peers_LDADD = libsmtp.la libmail.la libbase.la $(CMOCKA_LIBS)
tests_unit_test_mx_SOURCES = tests/unit/test_mx.c
tests_unit_test_mx_LDADD = libsmtp.la libmail.la libbase.la $(CMOCKA_LIBS)
tests_unit_test_route_SOURCES = tests/unit/test_route.c
tests_unit_test_route_LDADD = libsmtp.la libengine.la librules.la libinspect.la libmail.la libbase.la $(EVENT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_lookups_SOURCES = tests/unit/test_lookups.c
tests_unit_test_lookups_LDADD = libsmtp.la $(CMOCKA_LIBS)
tests_unit_test_outage_SOURCES = tests/unit/test_outage.c
tests_unit_test_outage_LDADD = libsmtp.la $(CMOCKA_LIBS)
tests_unit_test_plan_SOURCES = tests/unit/test_plan.c
tests_unit_test_plan_LDADD = libsmtp.la libengine.la librules.la libinspect.la libmail.la libbase.la $(EVENT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tls_hostile_SOURCES = tests/unit/test_tls_hostile.c
tests_unit_test_tls_hostile_LDADD = libsmtp.la libmail.la libbase.la $(EVENT_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c
tests_unit_test_tls_LDADD = libsmtp.la libmail.la libbase.la $(EVENT_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(CMOCKA_LIBS)
endif
