/*
 * Sending over TLS to a server that does not read: what was handed to TLS may
 * have arrived, also if it did not go.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "redis/redis.h"

static char folder[] = "/tmp/incr-tls.XXXXXX";
static char socket_path[64], cert_path[64];

/* A certificate for "here" that signs itself, also written to cert_path. */
static SSL_CTX *
server_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	FILE *file = fopen(cert_path, "w");

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)"here", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	check(PEM_write_X509(file, cert) == 1, "certificate");
	check(fclose(file) == 0, "certificate");
	check(SSL_CTX_use_certificate(context, cert) == 1, "certificate");
	check(SSL_CTX_use_PrivateKey(context, key) == 1, "key");
	X509_free(cert);
	EVP_PKEY_free(key);
	return context;
}

static int
listen_here(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", socket_path);
	check(bind(fd, (struct sockaddr *)&a, sizeof a) == 0, "bind");
	check(listen(fd, 1) == 0, "listen");
	return fd;
}

/* Handshakes on both sides; ends when the client is done or fails. */
static int
shake(struct redis *r, SSL *server, char why[REASON_MAX])
{
	int done = 0;

	for (int i = 0; done == 0 && i < 100; i++) {
		done = redis_secured(r, why);
		SSL_do_handshake(server);
	}
	SSL_do_handshake(server);
	return done;
}

static void
check_unread(struct redis *r)
{
	static char bytes[3 * TLS_RECORD_MAX];
	struct iovec part[REDIS_PARTS] = {
	    {bytes, 10}, {bytes, 20}, {bytes, sizeof bytes - 30}};
	char why[REASON_MAX];
	size_t done, handed, steps = 0;

	do {
		done = handed = 0;
		check(redis_send(r, part, &done, &handed, why) == 0, "%s", why);
	} while (done == sizeof bytes && ++steps < 1000);
	check(done < sizeof bytes, "it did not fill");
	check(done % TLS_RECORD_MAX == 0, "%zu", done);
	check(handed == done + TLS_RECORD_MAX, "%zu of %zu", handed, done);
}

/* The server's side is closed: the last record fails, and was handed. */
static void
check_broken(struct redis *r)
{
	struct iovec part[REDIS_PARTS] = {{(char[]){"PING\r\n"}, 6}};
	char why[REASON_MAX];
	size_t done = 0, handed = 0;

	check(redis_send(r, part, &done, &handed, why) < 0, "no error");
	check(done == 0 && handed == 6, "%zu of %zu", handed, done);
}

int
main(void)
{
	struct tls_files files = {cert_path, "", ""};
	char why[REASON_MAX] = "";
	SSL_CTX *context;
	int listener;

	check(mkdtemp(folder) != NULL, "mkdtemp");
	snprintf(socket_path, sizeof socket_path, "%s/s", folder);
	snprintf(cert_path, sizeof cert_path, "%s/c", folder);
	context = server_context();
	listener = listen_here();
	check(tls_check_files(&files) == NULL, "files");
	for (int i = 0; i < 3; i++) {
		struct redis *r = redis_connect_unix(socket_path, why);
		SSL *server = SSL_new(context);
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

		SSL_set_fd(server, fd);
		SSL_set_accept_state(server);
		check(redis_secure(r, &files, i == 2 ? "there" : "here", why) ==
			  0,
		    "%s", why);
		check(shake(r, server, why) == (i == 2 ? -1 : 1), "%s", why);
		check(redis_refused(r) == (i == 2), "%s", why);
		if (i == 0)
			check_unread(r);
		SSL_free(server);
		close(fd);
		if (i == 1)
			check_broken(r);
		redis_close(r);
	}
	SSL_CTX_free(context);
	close(listener);
	unlink(socket_path);
	unlink(cert_path);
	rmdir(folder);
	return check_end();
}
