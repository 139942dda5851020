/* Tells when certificates end. */
#include "net/certificate.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <time.h>

static int64_t
expiry(const X509 *certificate)
{
	struct tm ends;

	if (certificate == NULL ||
	    ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &ends) != 1)
		return 0;
	return timegm(&ends);
}

struct certificate_expiry
certificate_expiry(const struct ssl_st *ssl)
{
	struct certificate_expiry e = {0};

	if (ssl == NULL)
		return e;
	e.own = expiry(SSL_get_certificate(ssl));
	if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE)
		e.server = expiry(SSL_get0_peer_certificate(ssl));
	return e;
}
