/* Computes SHA-256 digests with libcrypto. */
#include "base/sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

int
sha256_digest(const void *p, size_t len, uint8_t ret[SHA256_BYTES])
{
	/* Found once: EVP_sha256() would be looked up for every digest. */
	static EVP_MD *sha256;
	static EVP_MD_CTX *context;
	uint8_t digest[SHA256_BYTES];

	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (context == NULL)
		context = EVP_MD_CTX_new();
	if (sha256 == NULL || context == NULL ||
	    EVP_DigestInit_ex2(context, sha256, NULL) != 1 ||
	    EVP_DigestUpdate(context, p, len) != 1 ||
	    EVP_DigestFinal_ex(context, digest, NULL) != 1)
		return -1;
	memcpy(ret, digest, sizeof digest);
	return 0;
}

bool
sha256_equal(const uint8_t a[SHA256_BYTES], const uint8_t b[SHA256_BYTES])
{
	return CRYPTO_memcmp(a, b, SHA256_BYTES) == 0;
}
