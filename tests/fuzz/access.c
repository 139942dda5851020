/*
 * What decides who may enter, by its first byte: any bytes as a file of
 * tokens, as X-Forwarded-For, as a rate, as a peer to be trusted.
 */
#include "fuzz.h"
#include "net/address.h"
#include "serve/tokens.h"

static void
read_tokens(const char *text, size_t len)
{
	unsigned line;
	const char *why = NULL;
	struct tokens *t = tokens_parse(text, len, &line, &why);
	size_t lines = len > 0;

	for (size_t i = 0; i + 1 < len; i++)
		lines += text[i] == '\n';
	promise(t != NULL || (why != NULL && line >= 1 && line <= lines));
	if (t != NULL)
		promise(tokens_find(t, text, len) == NULL);
	tokens_free(t);
}

/* However it is written, nobody is taken for a proxy of ours, or for a Unix
 * socket, which has no name in it. */
static void
read_forwarded(const char *text, size_t len)
{
	static const struct address unix_socket = {{255, 255, 255, 255, 255,
	    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}};
	struct address_trust none = {0}, some = {0};
	struct address from = {{[15] = 1}}, got;

	promise(address_trust(&some, "::1") == 0);
	got = address_behind(&none, from, text, len);
	promise(memcmp(&got, &from, sizeof got) == 0);
	got = address_behind(&some, from, text, len);
	promise(memcmp(&got, &unix_socket, sizeof got) != 0);
}

static void
read_option(const char *text)
{
	struct ratelimit_quota l = {0};
	struct address_trust t = {0};

	if (ratelimit_parse(text, &l) == 0)
		promise(l.per_s >= 1 && l.per_s <= RATELIMIT_MAX &&
			l.burst >= 1 && l.burst <= RATELIMIT_MAX);
	else
		promise(l.per_s == 0 && l.burst == 0);
	if (address_trust(&t, text) == 0)
		promise(t.unix_sockets != (t.n == 1) && t.bits[0] <= 128);
	else
		promise(t.n == 0 && !t.unix_sockets);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;

	if (len == 0)
		return 0;
	text = malloc(len); /* its own size, so that reading on is seen */
	if (text == NULL)
		return 0;
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	switch (data[0] % 3) {
	case 0: read_tokens(text, len - 1); break;
	case 1: read_forwarded(text, len - 1); break;
	case 2: read_option(text); break;
	}
	free(text);
	return 0;
}
