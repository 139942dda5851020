/* Parses and compares addresses, reads X-Forwarded-For. */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/num.h"

enum { MAPPED = 12, CLIENT_BYTES = 8 };

static const uint8_t mapped[MAPPED] = {[10] = 0xff, [11] = 0xff};
static const struct address unix_socket = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static bool read_address(const char *text, size_t len, struct address *ret);
static bool is_v4(const struct address *p);
static bool is_trusted(const struct address_trust *t, const struct address *p);
static bool is_within(
    const struct address *p, const struct address *net, unsigned bits);

int
address_trust(struct address_trust *t, const char *text)
{
	size_t len = strcspn(text, "/");
	struct address net, low = {0};
	uint64_t bits, max;

	if (strcmp(text, "unix") == 0) {
		t->unix_sockets = true;
		return 0;
	}
	if (t->n == ADDRESS_NETS || !read_address(text, len, &net))
		return -1;
	bits = max = memchr(text, ':', len) == NULL ? 32 : 128;
	if (text[len] == '/' && num_u64(text + len + 1, 0, max, &bits) < 0)
		return -1;
	bits += 128 - max;
	for (unsigned i = 0; i < bits; i++)
		low.ip[i / 8] |= (uint8_t)(net.ip[i / 8] & 0x80 >> i % 8);
	if (memcmp(&low, &net, sizeof net) != 0)
		return -1;
	t->bits[t->n] = (uint8_t)bits;
	t->nets[t->n++] = net;
	return 0;
}

/* -- addresses ----------------------------------------------------------- */

struct address
address_of(const struct sockaddr *at)
{
	struct address p = unix_socket;

	if (at->sa_family == AF_INET6)
		memcpy(p.ip,
		    &((const struct sockaddr_in6 *)(const void *)at)->sin6_addr,
		    sizeof p.ip);
	if (at->sa_family == AF_INET) {
		memcpy(p.ip, mapped, MAPPED);
		memcpy(p.ip + MAPPED,
		    &((const struct sockaddr_in *)(const void *)at)->sin_addr,
		    sizeof p.ip - MAPPED);
	}
	return p;
}

/* Without port, brackets or zone. */
static bool
read_address(const char *text, size_t len, struct address *ret)
{
	char copy[INET6_ADDRSTRLEN];

	if (len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET6, copy, ret->ip) == 1)
		return !address_is_unix(ret);
	memcpy(ret->ip, mapped, MAPPED);
	return inet_pton(AF_INET, copy, ret->ip + MAPPED) == 1;
}

static bool
is_v4(const struct address *p)
{
	return memcmp(p->ip, mapped, MAPPED) == 0;
}

bool
address_is_unix(const struct address *p)
{
	return memcmp(p, &unix_socket, sizeof *p) == 0;
}

bool
address_is_local(const struct address *p)
{
	static const struct address loopback = {{[15] = 1}};

	if (is_v4(p))
		return p->ip[MAPPED] == 127;
	return address_is_unix(p) || memcmp(p, &loopback, sizeof loopback) == 0;
}

struct address
address_client(struct address p)
{
	if (!is_v4(&p))
		memset(p.ip + CLIENT_BYTES, 0, sizeof p.ip - CLIENT_BYTES);
	return p;
}

/* -- trust --------------------------------------------------------------- */

struct address
address_behind(const struct address_trust *t, struct address from,
    const char *forwarded, size_t len)
{
	const char *end = forwarded + len;

	while (end > forwarded && is_trusted(t, &from)) {
		const char *to, *at;
		struct address next;

		while (end > forwarded && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		for (to = end; to > forwarded && to[-1] != ',';)
			to--;
		for (at = to; at < end && (*at == ' ' || *at == '\t');)
			at++;
		if (!read_address(at, (size_t)(end - at), &next))
			break;
		from = next;
		end = to > forwarded ? to - 1 : to;
	}
	return from;
}

static bool
is_trusted(const struct address_trust *t, const struct address *p)
{
	if (address_is_unix(p))
		return t->unix_sockets;
	for (size_t i = 0; i < t->n; i++)
		if (is_within(p, &t->nets[i], t->bits[i]))
			return true;
	return false;
}

static bool
is_within(const struct address *p, const struct address *net, unsigned bits)
{
	unsigned bytes = bits / 8, rest = 0xff00u >> bits % 8 & 0xff;

	return memcmp(p->ip, net->ip, bytes) == 0 &&
	       (rest == 0 || ((p->ip[bytes] ^ net->ip[bytes]) & rest) == 0);
}
