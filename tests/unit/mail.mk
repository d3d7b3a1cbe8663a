# unit tests of mail
if HAVE_CMOCKA
mail_tests = tests/unit/test_chain tests/unit/test_edits tests/unit/test_mail \
	tests/unit/test_option
check_PROGRAMS += $(mail_tests)
TESTS += $(mail_tests)
tests_unit_test_chain_SOURCES = tests/unit/test_chain.c
tests_unit_test_chain_LDADD = libmail.la libbase.la $(CMOCKA_LIBS)
tests_unit_test_option_SOURCES = tests/unit/test_option.c
tests_unit_test_option_LDADD = libmail.la libbase.la $(CMOCKA_LIBS)
tests_unit_test_edits_SOURCES = tests/unit/test_edits.c tests/unit/mta.h
tests_unit_test_edits_LDADD = libmail.la libbase.la $(CMOCKA_LIBS)
tests_unit_test_mail_SOURCES = tests/unit/test_mail.c
tests_unit_test_mail_LDADD = libmail.la libbase.la $(CMOCKA_LIBS)
endif
