/*
 * The hosts of a connection string, looked up without waiting: libpq would wait
 * in line for the name server, for as long as resolv.conf(5) allows.
 */
#ifndef INCR_PG_HOSTS_H
#define INCR_PG_HOSTS_H

#include <stdbool.h>

#include "base/reason.h"

/* How long a name may take; the other hosts are tried without it then. */
enum { PG_HOSTS_WAIT_MS = 3000 };

/* Lists with commas, as libpq takes them; NULL or empty: not told. */
struct pg_hosts_lists {
	const char *host, *hostaddr, *port;
};

struct pg_hosts;

/* No look-up yet; told is copied.  NULL if there is no memory.  Caller closes.
 */
struct pg_hosts *pg_hosts_open(const struct pg_hosts_lists *told);
void pg_hosts_close(struct pg_hosts *h); /* NULL is allowed */

/* Would a look-up of these be the same? */
bool pg_hosts_are(const struct pg_hosts *h, const struct pg_hosts_lists *told);

/*
 * 1 with the lists that say the same with the addresses of all names, which
 * stay names beside them, for certificates; borrowed until the next call.  All
 * NULL: there is no name, or the lists do not fit together, which libpq says.
 * 0: not known yet; worth another call in RESOLVE_LOOK_MS.  -1 with the reason:
 * no host is known; a name that is late is still waited for by the next call.
 * After 1 and -1 everything that is known is looked up again.
 */
int pg_hosts_look(
    struct pg_hosts *h, struct pg_hosts_lists *ret, char ret_why[REASON_MAX]);

#endif
