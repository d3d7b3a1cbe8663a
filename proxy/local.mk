# posternd: the libraries of its folders, and what stands in proxy/ itself
include proxy/base/local.mk
include proxy/mail/local.mk
include proxy/inspect/local.mk
include proxy/engine/local.mk
include proxy/smtp/local.mk
include proxy/milter/local.mk
include proxy/keeper/local.mk
include proxy/cli/local.mk
include proxy/daemon.mk
