/*
 * What a node of a Redis Cluster says of the others: in errors, and in its
 * answer to CLUSTER SLOTS.  Pure.
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
 *
 * A node is named by host and port.  The host may be a name, an address, also
 * of IPv6 without brackets; or empty, which is the host of the node that says
 * so; or "?", which is none.
 */
#ifndef INCR_CLUSTER_H
#define INCR_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/reason.h"
#include "base/url.h"
#include "redis/redis.h"

enum cluster_error {
	CLUSTER_OTHER, /* not of this kind, or it names no node */
	CLUSTER_MOVED, /* *ret has the slot */
	CLUSTER_ASIDE  /* keys of the slot are being moved (ASK, TRYAGAIN): the
			* node will take calls again, or say MOVED */
};

/* Judges an error reply; with CLUSTER_MOVED, *ret is the node, its name empty
 * if it is that of the node that says so. */
enum cluster_error cluster_judge(const char *error, struct url_host *ret);

enum { CLUSTER_NODES_MAX = 32 };

/* The hosts of nodes. */
struct cluster_nodes {
	const char *here; /* the host of the node that answers */
	bool names;       /* may hosts have names, beside addresses? */
	struct url_host *hosts;
	size_t n, max;
};

/* Adds the nodes of an answer to CLUSTER SLOTS to the n hosts that are there,
 * each once, up to max hosts.  0, or -1 if it is no such answer, with the
 * reason. */
int cluster_add_nodes(const struct redis_reply *reply,
    struct cluster_nodes *nodes, char ret_why[REASON_MAX]);

#endif
