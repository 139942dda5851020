/*
 * Addresses of clients, trusted proxies, and what these write into
 * X-Forwarded-For,
 *
 *	X-Forwarded-For: what the client wrote, its address, proxy's address
 *
 * of which only the right end, written by a proxy that is trusted, is true.
 */
#ifndef INCR_ADDRESS_H
#define INCR_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ADDRESS_NETS = 32 };

/* IPv4 as IPv6, ::ffff:a.b.c.d; all ones, which is nobody's address: a Unix
 * socket. */
struct address {
	uint8_t ip[16];
};

/* All zero trusts nobody. */
struct address_trust {
	struct address nets[ADDRESS_NETS];
	uint8_t bits[ADDRESS_NETS];
	size_t n;
	bool unix_sockets;
};

/* Adds "unix", an address or a CIDR block.  0, or -1 if it is none of them,
 * has bits behind its prefix, or there is no room. */
int address_trust(struct address_trust *t, const char *text);

/* As accept(2) gives it. */
struct address address_of(const struct sockaddr *at);

/* Of this machine alone: a Unix socket, 127.0.0.0/8 or ::1? */
bool address_is_local(const struct address *p);
bool address_is_unix(const struct address *p);

/*
 * The client of a request that came from `from` with this X-Forwarded-For (len
 * 0: without): from, unless that is trusted; then the last address in the list
 * that is not, as far as the list is made of addresses.
 */
struct address address_behind(const struct address_trust *t,
    struct address from, const char *forwarded, size_t len);

/* What counts as one client: an IPv4 address, an IPv6 /64. */
struct address address_client(struct address p);

#endif
