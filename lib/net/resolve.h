/*
 * Looks up host names, without waiting.
 *
 * Addresses in digits are known at once.  Names are looked up by
 * getaddrinfo_a(3), whose thread may take as long as resolv.conf(5) allows
 * while the program goes on.
 */
#ifndef INCR_RESOLVE_H
#define INCR_RESOLVE_H

#include <stdbool.h>

enum {
	RESOLVE_TEXT = 64,   /* bytes of an address in digits, with its NUL */
	RESOLVE_LOOK_MS = 10 /* how often resolve_next is worth calling */
};

struct resolve;

/* No look-up yet; host is copied.  NULL if there is no memory.  Caller closes.
 */
struct resolve *resolve_open(const char *host);
void resolve_close(struct resolve *r); /* NULL is allowed */

/*
 * 1 with the next address, best first; after the last one the host is
 * looked up again.  0: not known yet.  -1 with the reason, constant text.
 */
int resolve_next(
    struct resolve *r, char ret[RESOLVE_TEXT], const char **ret_why);

/* Is there an address that was not given since the look-up? */
bool resolve_more(const struct resolve *r);

/* Gives up what is known or asked for: the next call looks up. */
void resolve_restart(struct resolve *r);

#endif
