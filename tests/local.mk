TESTS += tests/arrows.sh tests/arrows_test.sh
EXTRA_DIST += tests/arrows.sh tests/arrows_test.sh

include tests/unit/base.mk
include tests/unit/mail.mk
include tests/unit/inspect.mk
include tests/unit/rules.mk
include tests/unit/smtp.mk
include tests/unit/engine.mk
include tests/unit/keeper.mk
include tests/unit/proxy.mk
include tests/fuzz/local.mk
include tests/integration/local.mk
include tests/dialogs/local.mk
