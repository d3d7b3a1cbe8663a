include tests/fuzz/inspect.mk
include tests/fuzz/rules.mk
include tests/fuzz/smtp.mk
include tests/fuzz/ipc.mk
