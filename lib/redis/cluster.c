/* Reads what a node of a Redis Cluster says of the others. */
#include "redis/cluster.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/num.h"

enum { PORT_MAX = 65535 };

static int set_host(const char *name, size_t len, struct url_host *ret);
static int add_node(
    const struct redis_reply *node, struct cluster_nodes *nodes);
static bool has(const struct cluster_nodes *nodes, const struct url_host *host);

/* MOVED 3999 127.0.0.1:6381 */
enum cluster_error
cluster_judge(const char *error, struct url_host *ret)
{
	struct url_host to = {.name = ""};
	const char *slot = error + strlen("MOVED "), *host, *colon;
	uint64_t n;

	if (strncmp(error, "ASK ", 4) == 0 ||
	    strncmp(error, "TRYAGAIN ", 9) == 0)
		return CLUSTER_ASIDE;
	if (strncmp(error, "MOVED ", 6) != 0)
		return CLUSTER_OTHER;
	host = strchr(slot, ' ');
	colon = strrchr(slot, ':');
	if (host == NULL || colon == NULL || colon <= host ||
	    strspn(slot, "0123456789") != (size_t)(host - slot) ||
	    num_u64(colon + 1, 1, PORT_MAX, &n) < 0)
		return CLUSTER_OTHER;
	host++;
	if (set_host(host, (size_t)(colon - host), &to) < 0)
		return CLUSTER_OTHER;
	to.port = (int)n;
	*ret = to;
	return CLUSTER_MOVED;
}

/* 0, or -1 if that is no name of a host; the empty one is. */
static int
set_host(const char *name, size_t len, struct url_host *ret)
{
	if (len >= sizeof ret->name || (len == 1 && name[0] == '?'))
		return -1;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] == 0x7f)
			return -1;
	memcpy(ret->name, name, len);
	ret->name[len] = '\0';
	return 0;
}

/* A list of first slot, last slot, node, node, …; each node is a list of host,
 * port, and more. */
int
cluster_add_nodes(const struct redis_reply *reply, struct cluster_nodes *nodes,
    char ret_why[REASON_MAX])
{
	for (size_t i = 0; i < redis_reply_count(reply); i++) {
		const struct redis_reply *range = redis_reply_at(reply, i);

		for (size_t j = 2; j < redis_reply_count(range); j++)
			if (add_node(redis_reply_at(range, j), nodes) < 0)
				return reason_set(
				    ret_why, "CLUSTER SLOTS: no node");
	}
	return redis_reply_is_list(reply)
		   ? 0
		   : reason_set(ret_why, "CLUSTER SLOTS: no list");
}

static int
add_node(const struct redis_reply *node, struct cluster_nodes *nodes)
{
	const struct redis_reply *named = redis_reply_at(node, 0);
	size_t len = 0;
	const char *name = redis_reply_text(named, &len);
	int64_t port = redis_reply_int(redis_reply_at(node, 1), 0);
	struct url_host host = {.port = (int)port};

	if (port < 1 || port > PORT_MAX ||
	    (name == NULL && !redis_reply_is_nil(named)))
		return -1;
	if (name == NULL || len == 0) {
		name = nodes->here;
		len = strlen(name);
	}
	if (len == 0 || strlen(name) != len || set_host(name, len, &host) < 0 ||
	    nodes->n == nodes->max || has(nodes, &host) ||
	    (!nodes->names && !url_is_address(host.name)))
		return 0;
	nodes->hosts[nodes->n++] = host;
	return 0;
}

static bool
has(const struct cluster_nodes *nodes, const struct url_host *host)
{
	for (size_t i = 0; i < nodes->n; i++)
		if (nodes->hosts[i].port == host->port &&
		    strcmp(nodes->hosts[i].name, host->name) == 0)
			return true;
	return false;
}
