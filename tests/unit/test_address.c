/*
 * Addresses: what is trusted, and whose request it is behind proxies that
 * write X-Forwarded-For, whatever the client wrote there before.
 */
#include "check.h"
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static struct address
at(const char *text)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr none = {.sa_family = AF_UNIX};

	if (strcmp(text, "unix") == 0)
		return address_of(&none);
	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		return address_of((struct sockaddr *)&four);
	check(inet_pton(AF_INET6, text, &six.sin6_addr) == 1, "%s", text);
	return address_of((struct sockaddr *)&six);
}

static int
same(struct address a, struct address b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

static void
texts(void)
{
	static const char *const good[] = {"unix", "127.0.0.1", "10.0.0.0/8",
	    "0.0.0.0/0", "::/0", "::1", "fd00::/8", "2001:db8::/33",
	    "192.168.1.128/25", "1.2.3.4/32", "::1/128"};
	static const char *const bad[] = {"", "unix/1", "Unix", "10.0.0.1/8",
	    "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8",
	    "10.0.0/8", "::1/129", "2001:db8::1/32", "[::1]", "::1%lo",
	    "localhost", "1.2.3.4:80", " 1.2.3.4", "1.2.3.4 ",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	    "00000000000000000000000000000000000000000000000000::1"};
	struct address_trust t = {0};

	for (size_t i = 0; i < check_n(good); i++)
		check(address_trust(&t, good[i]) == 0, "%s", good[i]);
	check(t.n == check_n(good) - 1, "%zu", t.n);
	for (size_t i = 0; i < check_n(bad); i++)
		check(address_trust(&t, bad[i]) < 0, "%s", bad[i]);
	while (t.n < ADDRESS_NETS)
		check(address_trust(&t, "::1") == 0, "room for %zu", t.n);
	check(address_trust(&t, "::1") < 0, "no more");
}

static void
local(void)
{
	static const char *const here[] = {
	    "unix", "127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"};
	static const char *const there[] = {"0.0.0.0", "::", "10.0.0.1",
	    "128.0.0.1", "::2", "fe80::1", "::ffff:10.0.0.1", "::127.0.0.1"};

	for (size_t i = 0; i < check_n(here); i++) {
		struct address p = at(here[i]);

		check(address_is_local(&p), "%s", here[i]);
	}
	for (size_t i = 0; i < check_n(there); i++) {
		struct address p = at(there[i]);

		check(!address_is_local(&p), "%s", there[i]);
	}
}

static void
behind(void)
{
	static const struct {
		const char *trust[3], *from, *forwarded, *client;
	} cases[] = {
	    /* nobody is trusted, or another */
	    {{NULL}, "unix", "1.1.1.1", "unix"},
	    {{"unix"}, "127.0.0.1", "1.1.1.1", "127.0.0.1"},
	    {{"127.0.0.1"}, "unix", "1.1.1.1", "unix"},
	    {{"0.0.0.0/0", "::/0"}, "unix", "1.1.1.1", "unix"},
	    {{"10.0.0.0/8"}, "11.0.0.1", "1.1.1.1", "11.0.0.1"},
	    {{"10.0.0.0/9"}, "10.128.0.1", "1.1.1.1", "10.128.0.1"},
	    /* who is trusted says it at the right end */
	    {{"unix"}, "unix", "1.1.1.1", "1.1.1.1"},
	    {{"unix"}, "unix", "9.9.9.9, 1.1.1.1", "1.1.1.1"},
	    {{"unix"}, "unix", "9.9.9.9,1.1.1.1", "1.1.1.1"},
	    {{"unix"}, "unix", " 9.9.9.9 ,\t1.1.1.1\t", "1.1.1.1"},
	    {{"unix"}, "unix", "x, unix, 2001:db8::7", "2001:db8::7"},
	    {{"10.0.0.0/9"}, "10.127.0.1", "1.1.1.1", "1.1.1.1"},
	    {{"10.0.0.0/8"}, "::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"},
	    {{"unix"}, "unix", "::ffff:1.1.1.1", "1.1.1.1"},
	    /* chains of trust */
	    {{"unix", "10.0.0.0/8"}, "unix", "9.9.9.9, 1.1.1.1, 10.0.0.7",
		"1.1.1.1"},
	    {{"unix", "10.0.0.0/8"}, "unix", "10.0.0.8, 10.0.0.7", "10.0.0.8"},
	    {{"fd00::/8", "::1"}, "::1", "2001:db8::7, fd00::1", "2001:db8::7"},
	    /* what is no address ends it */
	    {{"unix"}, "unix", "", "unix"},
	    {{"unix"}, "unix", " ", "unix"},
	    {{"unix"}, "unix", "1.1.1.1,", "unix"},
	    {{"unix"}, "unix", "1.1.1.1, unknown", "unix"},
	    {{"unix"}, "unix", "1.1.1.1:80", "unix"},
	    {{"unix"}, "unix", "1.1.1.1 2.2.2.2", "unix"},
	    {{"unix", "10.0.0.0/8"}, "unix", "1.1.1.1, ,10.0.0.7", "10.0.0.7"},
	    {{"unix"}, "unix", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"unix"},
	};

	for (size_t i = 0; i < check_n(cases); i++) {
		struct address_trust t = {0};
		struct address p;

		for (size_t k = 0; k < 3 && cases[i].trust[k] != NULL; k++)
			check(
			    address_trust(&t, cases[i].trust[k]) == 0, "trust");
		p = address_behind(&t, at(cases[i].from), cases[i].forwarded,
		    strlen(cases[i].forwarded));
		check(same(p, at(cases[i].client)), "%zu: %s: %s", i,
		    cases[i].from, cases[i].forwarded);
	}
}

static void
clients(void)
{
	check(same(address_client(at("2001:db8:0:1::5")),
		  address_client(at("2001:db8:0:1:ffff::"))),
	    "one /64");
	check(!same(address_client(at("2001:db8:0:1::5")),
		  address_client(at("2001:db8:0:2::5"))),
	    "two of them");
	check(
	    !same(address_client(at("1.1.1.1")), address_client(at("1.1.1.2"))),
	    "IPv4");
	check(!same(address_client(at("unix")), address_client(at("::"))),
	    "unix");
}

int
main(void)
{
	texts();
	local();
	behind();
	clients();
	return check_end();
}
