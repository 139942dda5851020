/*
 * Does TLS with libssl.
 *
 * Bytes go through a BIO of our own, because that of libssl calls write(2),
 * which raises SIGPIPE.  The files are read for each connection, so that
 * certificates can be replaced while a program runs.
 */
#include "redis/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "net/certificate.h"

struct tls {
	SSL *ssl;
	int fd;
	short events;
	bool refused;
};

static SSL_CTX *load(const struct tls_files *files, const char **ret_why);
static const char *load_files(SSL_CTX *context, const struct tls_files *files);
static int no_passphrase(char *ret, int size, int writing, void *ctx);
static int set_host(SSL *ssl, const char *host);
static BIO *socket_bio(struct tls *t);
static int bio_write(BIO *bio, const char *p, int len);
static int bio_read(BIO *bio, char *ret, int size);
static long bio_control(BIO *bio, int command, long n, void *p);
static int explain(
    struct tls *t, int result, const char *what, char ret_why[REASON_MAX]);
static bool is_alert(unsigned long error);

const char *
tls_check_files(const struct tls_files *files)
{
	const char *why = NULL;

	SSL_CTX_free(load(files, &why));
	return why;
}

struct tls *
tls_open(int fd, const struct tls_files *files, const char *host,
    char ret_why[REASON_MAX])
{
	struct tls *t = calloc(1, sizeof *t);
	const char *why = LOG_NO_MEMORY;
	SSL_CTX *context = t == NULL ? NULL : load(files, &why);
	BIO *bio = NULL;

	if (context == NULL)
		goto failed;
	why = LOG_NO_MEMORY;
	t->fd = fd;
	t->ssl = SSL_new(context);
	SSL_CTX_free(context); /* t->ssl has a reference */
	if (t->ssl == NULL || set_host(t->ssl, host) < 0)
		goto failed;
	bio = socket_bio(t);
	if (bio == NULL)
		goto failed;
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_connect_state(t->ssl);
	return t;
failed:
	reason_set(ret_why, "TLS: %s", why);
	tls_close(t);
	return NULL;
}

void
tls_close(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	free(t);
}

/* NULL with *ret_why. */
static SSL_CTX *
load(const struct tls_files *files, const char **ret_why)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	*ret_why = LOG_NO_MEMORY;
	if (context == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	*ret_why = load_files(context, files);
	ERR_clear_error();
	if (*ret_why == NULL)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/* NULL, or what is wrong. */
static const char *
load_files(SSL_CTX *context, const struct tls_files *files)
{
	if (files->cacert[0] == '\0') {
		if (SSL_CTX_set_default_verify_paths(context) != 1)
			return "the system's certificates can't be read";
	} else if (SSL_CTX_load_verify_file(context, files->cacert) != 1) {
		return "no certificates in the file of cacert";
	}
	if (files->cert[0] == '\0')
		return NULL;
	if (SSL_CTX_use_certificate_chain_file(context, files->cert) != 1)
		return "no certificate in the file of cert";
	if (SSL_CTX_use_PrivateKey_file(
		context, files->key, SSL_FILETYPE_PEM) != 1)
		return "no key in the file of key that fits the certificate";
	return NULL;
}

/* Else libssl would ask at the terminal. */
static int
no_passphrase(char *ret, int size, int writing, void *ctx)
{
	(void)ret, (void)size, (void)writing, (void)ctx;
	return -1;
}

/* 0 or -1 */
static int
set_host(SSL *ssl, const char *host)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
		return 0;
	ERR_clear_error();
	if (SSL_set1_host(ssl, host) != 1 ||
	    SSL_set_tlsext_host_name(ssl, host) != 1)
		return -1;
	return 0;
}

/* -- bytes to and from the socket ---------------------------------------- */

static BIO *
socket_bio(struct tls *t)
{
	static BIO_METHOD *method; /* made once */
	BIO *bio;

	if (method == NULL) {
		method = BIO_meth_new(
		    BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
		if (method == NULL)
			return NULL;
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_ctrl(method, bio_control);
	}
	bio = BIO_new(method);
	if (bio == NULL)
		return NULL;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	return bio;
}

static int
bio_write(BIO *bio, const char *p, int len)
{
	const struct tls *t = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = send(t->fd, p, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_write(bio);
	return (int)n;
}

static int
bio_read(BIO *bio, char *ret, int size)
{
	const struct tls *t = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = recv(t->fd, ret, (size_t)size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(bio);
	return (int)n;
}

static long
bio_control(BIO *bio, int command, long n, void *p)
{
	(void)bio, (void)n, (void)p;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/* -- calls --------------------------------------------------------------- */

int
tls_handshake(struct tls *t, char ret_why[REASON_MAX])
{
	int result;

	ERR_clear_error();
	errno = 0;
	result = SSL_do_handshake(t->ssl);
	return result == 1 ? 1 : explain(t, result, "TLS", ret_why);
}

ssize_t
tls_send(struct tls *t, const void *p, size_t len, char ret_why[REASON_MAX])
{
	int result;

	ERR_clear_error();
	errno = 0;
	result = SSL_write(t->ssl, p, (int)len);
	return result > 0 ? result : explain(t, result, "send", ret_why);
}

ssize_t
tls_receive(struct tls *t, void *ret, size_t size, char ret_why[REASON_MAX])
{
	int result;

	ERR_clear_error();
	errno = 0;
	t->events = 0;
	result = SSL_read(t->ssl, ret, (int)size);
	return result > 0 ? result : explain(t, result, "receive", ret_why);
}

/* 0 if the call waits for the socket, else -1 with the reason. */
static int
explain(struct tls *t, int result, const char *what, char ret_why[REASON_MAX])
{
	int error = SSL_get_error(t->ssl, result), saved = errno;
	unsigned long code = ERR_peek_error();
	long verified = SSL_get_verify_result(t->ssl);
	const char *why;

	t->events = error == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
	if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ)
		return 0;
	why = ERR_reason_error_string(code);
	if (error == SSL_ERROR_ZERO_RETURN || (code == 0 && saved == 0) ||
	    ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		why = "Server closed the connection";
	} else if (verified != X509_V_OK) {
		t->refused = true;
		why = X509_verify_cert_error_string(verified);
	} else if (is_alert(code)) {
		t->refused = true;
	} else if (code == 0) {
		why = strerror(saved);
	}
	return reason_set(
	    ret_why, "%s: %s", what, why == NULL ? "failed" : why);
}

/* The server did not like our certificate, or the lack of one, or has nothing
 * in common with us.  libssl has a reason for each alert, by its number. */
static bool
is_alert(unsigned long error)
{
	static const int alerts[] = {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
	    SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
	    SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
	    SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
	    SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
	    SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SSL_R_TLSV1_ALERT_UNKNOWN_CA,
	    SSL_R_TLSV1_ALERT_ACCESS_DENIED, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
	    SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED};

	if (ERR_GET_LIB(error) != ERR_LIB_SSL)
		return false;
	for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
		if (ERR_GET_REASON(error) == alerts[i])
			return true;
	return false;
}

short
tls_events(const struct tls *t)
{
	return t->events;
}

bool
tls_refused(const struct tls *t)
{
	return t->refused;
}

int64_t
tls_expiry(const struct tls *t, bool own)
{
	struct certificate_expiry e = certificate_expiry(t->ssl);

	return own ? e.own : e.server;
}
