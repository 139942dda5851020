/*
 * The addresses of a list of hosts, one after the other, without waiting.
 */
#ifndef INCR_ENDPOINTS_H
#define INCR_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/url.h"
#include "net/resolve.h"

/* All zero: no hosts. */
struct endpoints {
	const struct url_host *hosts; /* borrowed */
	size_t n_hosts, at;           /* at: the host whose turn it is */
	size_t n_tried;               /* hosts of this round that are done */
	struct resolve *resolve;      /* of that host; NULL: not begun */
};

/* Begins with the first host. */
void endpoints_set(
    struct endpoints *e, const struct url_host *hosts, size_t n_hosts);
void endpoints_clear(struct endpoints *e);

/* Other hosts in their place, in the middle of a round: it goes on. */
void endpoints_replace(
    struct endpoints *e, const struct url_host *hosts, size_t n_hosts);

/*
 * 1 with the next address of the host whose turn it is, which is
 * endpoints_host.  0: not known yet, ask again after RESOLVE_LOOK_MS.  -1
 * with the reason, constant text.
 */
int endpoints_next(
    struct endpoints *e, char ret[RESOLVE_TEXT], const char **ret_why);

const struct url_host *endpoints_host(const struct endpoints *e);

/* The last address, or the host's name, was of no use: it is the turn of the
 * next one.  False if a round of all hosts has ended with it. */
bool endpoints_advance(struct endpoints *e);

/* The last address was good: the next round begins with its host, whose
 * addresses are looked up again. */
void endpoints_restart(struct endpoints *e);

#endif
