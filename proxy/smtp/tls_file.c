/*
 * tls_file - see tls.h: certificates and keys, from files, looked at before
 * anything is served with them. Called while the configuration is read (by
 * the master, and postern(1)); needs no context.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "smtp/tls_inside.h"

#define FILE_BYTES (4u << 20) /* a system's bundle has 220 KiB */

const char *
tls_reason(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text != NULL ? text : "unknown reason";
}

int
tls_complain(struct error *e, const char *what)
{
	return error_set(e, "%s: %s", what, tls_reason());
}

/* ---- files ---- */

static int
fail(struct error *e, int why)
{
	(void)error_set(e, "%s", strerror(why));
	errno = why;
	return -1;
}

static int
read_all(int fd, struct tls_file *f, struct arena *a, struct error *e)
{
	struct stat st;
	size_t n = 0;
	ssize_t r = 1;
	char *p;

	if (fstat(fd, &st) < 0)
		return fail(e, errno);
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_BYTES) {
		errno = 0;
		return error_set(e, "is no file of at most 4 MiB");
	}
	/* Straight to where it stays: no copy of a key is left elsewhere. */
	p = arena_alloc(a, (size_t)st.st_size + 1);
	if (p == NULL)
		return fail(e, ENOMEM);
	while (n < (size_t)st.st_size && r > 0) {
		r = read(fd, p + n, (size_t)st.st_size - n);
		if (r < 0 && errno == EINTR)
			r = 1;
		else if (r < 0)
			return fail(e, errno);
		else
			n += (size_t)r;
	}
	f->text = (struct pn_str){ p, n };
	return 0;
}

int
tls_file_read(struct tls_file *f, const char *path, struct arena *a,
    struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), done, saved;

	f->path = path;
	f->text = (struct pn_str){ 0 };
	if (fd < 0)
		return fail(e, errno);
	done = read_all(fd, f, a, e);
	saved = errno;
	io_close(fd);
	errno = saved;
	return done;
}

int
tls_file_system_ca(struct tls_file *f, struct arena *a, struct error *e)
{
	const char *const usual[] = { X509_get_default_cert_file(),
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem" };

	for (size_t i = 0; i < PN_COUNT(usual); i++)
		if (tls_file_read(f, usual[i], a, e) == 0)
			return 0;
	return error_set(e, "this system has no bundle of certification "
			    "authorities: name one with \"ca\"");
}

/* ---- what is in them ---- */

static BIO *
text_of(const struct tls_file *f)
{
	return BIO_new_mem_buf(f->text.p, (int)f->text.n);
}

/* No terminal may be asked for a passphrase. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static X509 *
read_cert(const struct tls_file *f, struct error *e)
{
	BIO *b = text_of(f);
	X509 *x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL);

	(void)BIO_free(b);
	if (x == NULL) {
		ERR_clear_error();
		(void)error_set(e, "%s holds no certificate (PEM)", f->path);
	}
	return x;
}

static EVP_PKEY *
read_key(const struct tls_file *f, struct error *e)
{
	BIO *b = text_of(f);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL);

	(void)BIO_free(b);
	if (k == NULL) {
		bool locked =
		    memmem(f->text.p, f->text.n, "ENCRYPTED", 9) != NULL;

		ERR_clear_error();
		(void)error_set(e,
		    locked ? "the private key in %s needs a passphrase"
			   : "%s holds no private key (PEM; one in "
			     "a file of its own: cert FILE key FILE)",
		    f->path);
	}
	return k;
}

static time_t
end_of(const X509 *x)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
		return 0;
	return timegm(&tm);
}

static int
check(struct tls_pair *p, struct error *e)
{
	X509 *x = read_cert(&p->cert, e);
	EVP_PKEY *k = x != NULL ? read_key(&p->key, e) : NULL;
	int done = k != NULL ? 0 : -1;

	if (done == 0 && X509_check_private_key(x, k) != 1) {
		ERR_clear_error();
		done = error_set(e,
		    "the private key in %s is not that of the certificate in "
		    "%s",
		    p->key.path, p->cert.path);
	}
	if (done == 0)
		p->until = end_of(x);
	EVP_PKEY_free(k);
	X509_free(x);
	return done;
}

struct finding {
	int done;
	time_t until;
	struct error e;
};

_Noreturn static void
check_and_tell(struct tls_pair *p, int to)
{
	struct finding f = { 0 };

	f.done = check(p, &f.e);
	f.until = p->until;
	_exit(io_write_all(to, &f, sizeof(f)) < 0);
}

/*
 * By a process of its own: decoding leaves pieces of the key behind in the
 * heap, and ours is inherited by those that may not have it.
 */
int
tls_pair_check(struct tls_pair *p, struct error *e)
{
	struct finding f;
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return error_set(e, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		check_and_tell(p, fd[1]);
	io_close(fd[1]);
	if (pid < 0) {
		io_close(fd[0]);
		return error_set(e, "fork: %s", strerror(errno));
	}
	do
		n = read(fd[0], &f, sizeof(f)); /* less than PIPE_BUF: whole */
	while (n < 0 && errno == EINTR);
	io_close(fd[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof(f))
		return error_set(e, "%s and %s cannot be looked at",
		    p->cert.path, p->key.path);
	*e = f.e;
	p->until = f.until;
	return f.done;
}

int
tls_ca_check(const struct tls_file *f, struct error *e)
{
	X509 *x = read_cert(f, e);

	X509_free(x);
	return x != NULL ? 0 : -1;
}

/* ---- into contexts ---- */

static int
use_chain(SSL_CTX *ctx, BIO *b)
{
	X509 *x;
	int ok = SSL_CTX_clear_chain_certs(ctx);

	while (ok == 1 &&
	    (x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL)) != NULL) {
		ok = SSL_CTX_add0_chain_cert(ctx, x);
		if (ok != 1)
			X509_free(x);
	}
	if (ok == 1)
		ERR_clear_error(); /* that the text has an end */
	return ok == 1 ? 0 : -1;
}

int
tls_use_pair(SSL_CTX *ctx, const struct tls_pair *p, struct error *e)
{
	BIO *b = text_of(&p->cert);
	X509 *x = PEM_read_bio_X509_AUX(b, NULL, no_passphrase, NULL);
	EVP_PKEY *k = x != NULL ? read_key(&p->key, e) : NULL;
	int done = -1;

	if (x == NULL)
		(void)tls_complain(e, p->cert.path);
	else if (k != NULL)
		done = SSL_CTX_use_certificate(ctx, x) == 1 &&
			       use_chain(ctx, b) == 0 &&
			       SSL_CTX_use_PrivateKey(ctx, k) == 1
			   ? 0
			   : tls_complain(e, p->cert.path);
	EVP_PKEY_free(k);
	X509_free(x);
	(void)BIO_free(b);
	return done;
}

int
tls_trust(SSL_CTX *ctx, const struct tls_file *ca, struct error *e)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	BIO *b = text_of(ca);
	size_t n = 0;
	X509 *x;

	while ((x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	(void)BIO_free(b);
	ERR_clear_error();
	return n > 0 ? 0 : error_set(e, "%s holds no certificate", ca->path);
}
