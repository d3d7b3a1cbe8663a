# Scripts for miltertest, which is an MTA's side that is not ours.
TESTS += tests/milter/run.py
EXTRA_DIST += tests/milter/run.py tests/milter/common.lua \
	tests/milter/callbacks.lua tests/milter/changes.lua \
	tests/milter/connections.lua tests/milter/replies.lua \
	tests/milter/sendmail.lua
