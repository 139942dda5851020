/* Parses Idempotency-Key and Incr-Line-Offset, makes tags of them. */
#include "serve/idempotency.h"

#include <string.h>

#include "base/sha256.h"

enum { NAME_MAX = 255, BASE_BYTES = IDEMPOTENCY_BASE / 4 * 3 };

static int read_string(
    const char *value, size_t len, struct idempotency_key *ret);
static int read_word(
    const char *value, size_t len, struct idempotency_key *ret);
static int add(struct idempotency_key *key, char c);
static void write_base64(const uint8_t *bytes, char ret[IDEMPOTENCY_BASE]);

int
idempotency_read(const char *value, size_t len, struct idempotency_key *ret)
{
	struct idempotency_key key = {0};
	bool string = len > 0 && value[0] == '"';

	if ((string ? read_string(value, len, &key)
		    : read_word(value, len, &key)) < 0 ||
	    key.len == 0)
		return -1;
	*ret = key;
	return 0;
}

/* A string of RFC 8941, section 3.3.3; parameters are refused. */
static int
read_string(const char *value, size_t len, struct idempotency_key *ret)
{
	size_t i = 1;

	for (; i < len && value[i] != '"'; i++) {
		if (value[i] == '\\' &&
		    (++i == len || (value[i] != '"' && value[i] != '\\')))
			return -1;
		if (value[i] < ' ' || value[i] > '~' || add(ret, value[i]) < 0)
			return -1;
	}
	return i + 1 == len ? 0 : -1;
}

static int
read_word(const char *value, size_t len, struct idempotency_key *ret)
{
	for (size_t i = 0; i < len; i++)
		if (value[i] <= ' ' || value[i] > '~' || add(ret, value[i]) < 0)
			return -1;
	return 0;
}

static int
add(struct idempotency_key *key, char c)
{
	if (key->len == IDEMPOTENCY_KEY_MAX)
		return -1;
	key->text[key->len++] = c;
	return 0;
}

int
idempotency_read_offset(const char *value, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	if (len == 0 || len > IDEMPOTENCY_DIGITS)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return -1;
		n = n * 10 + (uint64_t)(value[i] - '0');
	}
	*ret = n;
	return 0;
}

/* The digest is of name, NUL and key; a NUL is in neither. */
int
idempotency_make(const char *client, const struct idempotency_key *key,
    struct idempotency_tag *ret)
{
	char text[NAME_MAX + 1 + IDEMPOTENCY_KEY_MAX];
	size_t n = strnlen(client, NAME_MAX);
	uint8_t digest[SHA256_BYTES];

	memcpy(text, client, n);
	text[n++] = '\0';
	memcpy(text + n, key->text, key->len);
	if (sha256_digest(text, n + key->len, digest) < 0)
		return -1;
	ret->offset = 0;
	write_base64(digest, ret->base);
	return 0;
}

/* base64url of RFC 4648: visible ASCII without characters of URLs. */
static void
write_base64(const uint8_t *bytes, char ret[IDEMPOTENCY_BASE])
{
	static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz0123456789-_";

	for (size_t i = 0; i < BASE_BYTES; i += 3) {
		uint32_t v = (uint32_t)bytes[i] << 16 |
			     (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6)
			*ret++ = digits[v >> shift & 63];
	}
}

bool
idempotency_is_none(const struct idempotency_tag *t)
{
	return t->base[0] == '\0';
}

size_t
idempotency_format(
    const struct idempotency_tag *t, uint32_t line, char ret[IDEMPOTENCY_TEXT])
{
	char digits[IDEMPOTENCY_DIGITS + 1], *to = ret + IDEMPOTENCY_BASE;
	uint64_t number = t->offset + line;
	int n = 0;

	if (idempotency_is_none(t))
		return 0;
	memcpy(ret, t->base, IDEMPOTENCY_BASE);
	*to++ = '.';
	do
		digits[n++] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	while (n > 0)
		*to++ = digits[--n];
	return (size_t)(to - ret);
}
