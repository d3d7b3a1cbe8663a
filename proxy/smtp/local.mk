# libsmtp.la: the SMTP door
noinst_LTLIBRARIES += libsmtp.la
libsmtp_la_SOURCES = \
	proxy/smtp/auth.c proxy/smtp/auth.h \
	proxy/smtp/bdat.c proxy/smtp/bdat.h \
	proxy/smtp/body.c proxy/smtp/body.h \
	proxy/smtp/chunk.c \
	proxy/smtp/command.c proxy/smtp/command.h \
	proxy/smtp/command_identity.c \
	proxy/smtp/command_mail.c \
	proxy/smtp/data.c \
	proxy/smtp/deliver.c \
	proxy/smtp/dial.c \
	proxy/smtp/door.h \
	proxy/smtp/dot.c proxy/smtp/dot.h \
	proxy/smtp/ehlo.c proxy/smtp/ehlo.h \
	proxy/smtp/etrn.c proxy/smtp/etrn.h \
	proxy/smtp/heading.c proxy/smtp/heading.h \
	proxy/smtp/hop.c proxy/smtp/hop.h \
	proxy/smtp/identity.c proxy/smtp/identity.h \
	proxy/smtp/intake.c \
	proxy/smtp/kept.c proxy/smtp/kept.h \
	proxy/smtp/limits.c proxy/smtp/limits.h \
	proxy/smtp/line.c proxy/smtp/line.h \
	proxy/smtp/linger.c proxy/smtp/linger.h \
	proxy/smtp/listener.c \
	proxy/smtp/lmtp.c proxy/smtp/lmtp.h \
	proxy/smtp/lookups.c proxy/smtp/lookups.h \
	proxy/smtp/mail.c \
	proxy/smtp/normal.c proxy/smtp/normal.h \
	proxy/smtp/pace.c proxy/smtp/pace.h \
	proxy/smtp/peers.c proxy/smtp/peers.h \
	proxy/smtp/mx.c proxy/smtp/mx.h \
	proxy/smtp/outage.c proxy/smtp/outage.h \
	proxy/smtp/plan.c \
	proxy/smtp/pregreet.c \
	proxy/smtp/probe.c proxy/smtp/probe.h \
	proxy/smtp/proxied.c \
	proxy/smtp/received.c proxy/smtp/received.h \
	proxy/smtp/relay.c \
	proxy/smtp/release.c \
	proxy/smtp/reply.c proxy/smtp/reply.h \
	proxy/smtp/resolve.c proxy/smtp/resolve.h \
	proxy/smtp/route.c proxy/smtp/route.h \
	proxy/smtp/sasl.c proxy/smtp/sasl.h \
	proxy/smtp/self.c proxy/smtp/self.h \
	proxy/smtp/session.c proxy/smtp/session.h \
	proxy/smtp/shape.c \
	proxy/smtp/smtp.h \
	proxy/smtp/source.c proxy/smtp/source.h \
	proxy/smtp/shortage.c proxy/smtp/shortage.h \
	proxy/smtp/stage.c \
	proxy/smtp/starttls.c proxy/smtp/starttls.h \
	proxy/smtp/tls.c proxy/smtp/tls.h \
	proxy/smtp/tls_client.c \
	proxy/smtp/tls_file.c \
	proxy/smtp/tls_inside.h \
	proxy/smtp/tls_server.c \
	proxy/smtp/upstream.c proxy/smtp/upstream.h \
	proxy/smtp/upstream_again.c \
	proxy/smtp/upstream_dane.c \
	proxy/smtp/upstream_dial.c \
	proxy/smtp/upstream_end.c \
	proxy/smtp/upstream_inside.h \
	proxy/smtp/upstream_say.c \
	proxy/smtp/upstream_sure.c \
	proxy/smtp/upstream_tls.c \
	proxy/smtp/wire.c proxy/smtp/wire.h \
	proxy/smtp/xtext.c proxy/smtp/xtext.h
libsmtp_la_LIBADD = libmail.la libbase.la $(SSL_LIBS) $(CRYPTO_LIBS)
