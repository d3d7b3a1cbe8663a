# unit tests of inspect
if HAVE_CMOCKA
inspect_tests = \
	tests/unit/test_archive \
	tests/unit/test_corpus \
	tests/unit/test_decode \
	tests/unit/test_findings \
	tests/unit/test_header \
	tests/unit/test_host \
	tests/unit/test_html \
	tests/unit/test_inspector \
	tests/unit/test_pool \
	tests/unit/test_texts \
	tests/unit/test_type \
	tests/unit/test_urls \
	tests/unit/test_view
inspect_libs = libinspect.la libmail.la libbase.la $(CMOCKA_LIBS)
check_PROGRAMS += $(inspect_tests)
TESTS += $(inspect_tests)

tests_unit_test_archive_SOURCES = tests/unit/test_archive.c tests/unit/viewdump.h
tests_unit_test_archive_LDADD = $(inspect_libs)

tests_unit_test_corpus_SOURCES = tests/unit/test_corpus.c tests/unit/corpus.h
tests_unit_test_corpus_LDADD = $(inspect_libs)

tests_unit_test_decode_SOURCES = tests/unit/test_decode.c
tests_unit_test_decode_LDADD = $(inspect_libs)

tests_unit_test_findings_SOURCES = tests/unit/test_findings.c
tests_unit_test_findings_LDADD = $(inspect_libs)

# Rules behind inspect, modules before it: each needs what follows.
inspect_all = libfilters.la libinspect.la librules.la libmail.la libbase.la $(CMOCKA_LIBS)

tests_unit_test_inspector_SOURCES = tests/unit/test_inspector.c tests/unit/inspect_world.h
tests_unit_test_inspector_LDADD = $(inspect_all)

tests_unit_test_pool_SOURCES = tests/unit/test_pool.c tests/unit/inspect_world.h
tests_unit_test_pool_LDADD = $(inspect_all)

tests_unit_test_header_SOURCES = tests/unit/test_header.c
tests_unit_test_header_LDADD = $(inspect_libs)

tests_unit_test_host_SOURCES = tests/unit/test_host.c
tests_unit_test_host_LDADD = libfilters.la $(inspect_libs)

tests_unit_test_html_SOURCES = tests/unit/test_html.c
tests_unit_test_html_LDADD = $(inspect_libs)

tests_unit_test_texts_SOURCES = tests/unit/test_texts.c
tests_unit_test_texts_LDADD = $(inspect_libs)

tests_unit_test_type_SOURCES = tests/unit/test_type.c
tests_unit_test_type_LDADD = $(inspect_libs)

tests_unit_test_urls_SOURCES = tests/unit/test_urls.c
tests_unit_test_urls_LDADD = $(inspect_libs)

tests_unit_test_view_SOURCES = tests/unit/test_view.c tests/unit/viewdump.h
tests_unit_test_view_LDADD = $(inspect_libs)
endif
