# The Debian package: built, installed and run. Not of `make check`: it builds
# everything once more; contrib/check has a leg for it.
PACKAGING_TESTS = tests/packaging/debian.py
EXTRA_DIST += $(PACKAGING_TESTS) tests/packaging/inside.sh \
	tests/packaging/overlay.sh
