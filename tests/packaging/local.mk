# What is installed, by make and as a Debian package that is built, installed
# and run. Not of `make check`: that builds everything once more; contrib/check
# has a leg for it.
PACKAGING_TESTS = tests/packaging/debian.py tests/packaging/uninstall.py
EXTRA_DIST += $(PACKAGING_TESTS) tests/packaging/inside.sh \
	tests/packaging/overlay.sh
