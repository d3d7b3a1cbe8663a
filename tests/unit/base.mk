# unit tests of base
if HAVE_CMOCKA
base_tests = \
	tests/unit/test_arena \
	tests/unit/test_buf \
	tests/unit/test_crowd \
	tests/unit/test_ipc \
	tests/unit/test_json \
	tests/unit/test_lex \
	tests/unit/test_pack \
	tests/unit/test_sandbox \
	tests/unit/test_suggest \
	tests/unit/test_utf8
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
tests_unit_test_arena_SOURCES = tests/unit/test_arena.c
tests_unit_test_arena_LDADD = libbase.la $(CMOCKA_LIBS)
tests_unit_test_buf_SOURCES = tests/unit/test_buf.c
tests_unit_test_buf_LDADD = libbase.la $(CMOCKA_LIBS)
tests_unit_test_crowd_SOURCES = tests/unit/test_crowd.c
tests_unit_test_crowd_LDADD = libbase.la $(CMOCKA_LIBS)
tests_unit_test_ipc_SOURCES = tests/unit/test_ipc.c
tests_unit_test_ipc_LDADD = libbase.la $(CMOCKA_LIBS)
tests_unit_test_json_SOURCES = tests/unit/test_json.c
tests_unit_test_json_LDADD = libbase.la $(CMOCKA_LIBS)
tests_unit_test_lex_SOURCES = tests/unit/test_lex.c
tests_unit_test_lex_LDADD = libbase.la $(CMOCKA_LIBS)
tests_unit_test_pack_SOURCES = tests/unit/test_pack.c
tests_unit_test_pack_LDADD = libbase.la $(CMOCKA_LIBS)
tests_unit_test_sandbox_SOURCES = tests/unit/test_sandbox.c
tests_unit_test_sandbox_LDADD = libbase.la $(CMOCKA_LIBS)
tests_unit_test_suggest_SOURCES = tests/unit/test_suggest.c
tests_unit_test_suggest_LDADD = libbase.la $(CMOCKA_LIBS)
tests_unit_test_utf8_SOURCES = tests/unit/test_utf8.c
tests_unit_test_utf8_LDADD = libbase.la $(CMOCKA_LIBS)
endif
