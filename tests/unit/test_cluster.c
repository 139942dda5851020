/*
 * Where a node of a Redis Cluster sends its clients, and which others it names.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "redis/cluster.h"

static const struct {
	const char *error;
	enum cluster_error is;
	const char *name;
	int port;
} errors[] = {{"MOVED 3999 127.0.0.1:6381", CLUSTER_MOVED, "127.0.0.1", 6381},
    {"MOVED 0 redis-2.example:1", CLUSTER_MOVED, "redis-2.example", 1},
    {"MOVED 16383 ::1:65535", CLUSTER_MOVED, "::1", 65535},
    {"MOVED 5 fe80::1:2:7001", CLUSTER_MOVED, "fe80::1:2", 7001},
    /* Of the node that says so. */
    {"MOVED 123 :7001", CLUSTER_MOVED, "", 7001},
    /* A node without a name. */
    {"MOVED 123 ?:7001", CLUSTER_OTHER, NULL, 0},
    {"MOVED 123 127.0.0.1:0", CLUSTER_OTHER, NULL, 0},
    {"MOVED 123 127.0.0.1:65536", CLUSTER_OTHER, NULL, 0},
    {"MOVED 123 127.0.0.1:", CLUSTER_OTHER, NULL, 0},
    {"MOVED 123 127.0.0.1:70 01", CLUSTER_OTHER, NULL, 0},
    {"MOVED 123 127.0.0.1", CLUSTER_OTHER, NULL, 0},
    {"MOVED 12x 127.0.0.1:7001", CLUSTER_OTHER, NULL, 0},
    {"MOVED 123 a b:7001", CLUSTER_OTHER, NULL, 0},
    {"MOVED 123 a\tb:7001", CLUSTER_OTHER, NULL, 0},
    {"MOVED 123", CLUSTER_OTHER, NULL, 0}, {"MOVED ", CLUSTER_OTHER, NULL, 0},
    {"MOVED", CLUSTER_OTHER, NULL, 0},
    {"ASK 3999 127.0.0.1:6381", CLUSTER_ASIDE, NULL, 0},
    {"TRYAGAIN Multiple keys request during rehashing of slot", CLUSTER_ASIDE,
	NULL, 0},
    {"CLUSTERDOWN The cluster is down", CLUSTER_OTHER, NULL, 0},
    {"ERR MOVED 1 127.0.0.1:1", CLUSTER_OTHER, NULL, 0},
    {"ASKING", CLUSTER_OTHER, NULL, 0}, {"", CLUSTER_OTHER, NULL, 0}};

static void
check_errors(void)
{
	for (size_t i = 0; i < check_n(errors); i++) {
		struct url_host to = {"untouched", 77};
		bool moved = errors[i].is == CLUSTER_MOVED;

		check(cluster_judge(errors[i].error, &to) == errors[i].is, "%s",
		    errors[i].error);
		check(strcmp(to.name, moved ? errors[i].name : "untouched") ==
			      0 &&
			  to.port == (moved ? errors[i].port : 77),
		    "%s: %s %d", errors[i].error, to.name, to.port);
	}
}

/* A name that is longer than any. */
static void
check_long(void)
{
	char error[URL_PART_MAX + 64];
	struct url_host to;

	snprintf(error, sizeof error, "MOVED 1 %0*d:7001", URL_PART_MAX - 1, 0);
	check(cluster_judge(error, &to) == CLUSTER_MOVED, "the longest");
	snprintf(error, sizeof error, "MOVED 1 %0*d:7001", URL_PART_MAX, 0);
	check(cluster_judge(error, &to) == CLUSTER_OTHER, "too long");
}

/* The nodes of a reply, as "name:port name:port", behind the one known. */
static void
check_nodes(
    const char *bytes, struct cluster_nodes nodes, int result, const char *due)
{
	struct redis_reply *reply = redis_reply_parse(bytes, strlen(bytes));
	struct url_host hosts[8] = {{"known", 1}};
	char is[256] = "", why[REASON_MAX];

	check(reply != NULL, "%s", bytes);
	nodes.hosts = hosts;
	nodes.n = 1;
	check(cluster_add_nodes(reply, &nodes, why) == result, "%s", bytes);
	for (size_t i = 1; i < nodes.n; i++)
		snprintf(is + strlen(is), sizeof is - strlen(is), "%s%s:%d",
		    i == 1 ? "" : " ", hosts[i].name, hosts[i].port);
	check(strcmp(is, due) == 0, "%s: %s", bytes, is);
	redis_reply_free(reply);
}

#define RANGE(nodes, n) "*" #n "\r\n:0\r\n:5\r\n" nodes
#define NODE(host, port) "*3\r\n" host ":" #port "\r\n$2\r\nid\r\n"

static void
check_slots(void)
{
	static const char two[] =
	    "*2\r\n" RANGE(NODE("$1\r\na\r\n", 7) NODE("$1\r\nb\r\n", 8), 4)
		RANGE(NODE("$1\r\na\r\n", 7) NODE("$3\r\n::1\r\n", 9), 4);

	const struct cluster_nodes h = {.here = "h", .names = true, .max = 8};

	check_nodes(two, h, 0, "a:7 b:8 ::1:9");
	check_nodes(two,
	    (struct cluster_nodes){.here = "h", .names = true, .max = 3}, 0,
	    "a:7 b:8");
	check_nodes(
	    two, (struct cluster_nodes){.here = "h", .max = 8}, 0, "::1:9");
	check_nodes("*1\r\n" RANGE(NODE("$5\r\nknown\r\n", 1), 3), h, 0, "");
	/* No name: that of the node that answers, if it has one. */
	check_nodes("*1\r\n" RANGE(NODE("$-1\r\n", 7), 3), h, 0, "h:7");
	check_nodes("*1\r\n" RANGE(NODE("$0\r\n\r\n", 7), 3), h, 0, "h:7");
	check_nodes("*1\r\n" RANGE(NODE("$-1\r\n", 7), 3),
	    (struct cluster_nodes){.here = "", .names = true, .max = 8}, 0, "");
	check_nodes("*1\r\n" RANGE(NODE("$1\r\n?\r\n", 7), 3), h, 0, "");
	check_nodes("*1\r\n" RANGE(NODE("$3\r\na b\r\n", 7), 3), h, 0, "");
	check_nodes("*1\r\n" RANGE(NODE("$1\r\na\r\n", 0), 3), h, -1, "");
	check_nodes("*1\r\n" RANGE(NODE(":1\r\n", 7), 3), h, -1, "");
	check_nodes("*1\r\n" RANGE("$1\r\na\r\n", 3), h, -1, "");
	check_nodes("*1\r\n:1\r\n", h, 0, "");
	check_nodes("*0\r\n", h, 0, "");
	check_nodes("+OK\r\n", h, -1, "");
}

int
main(void)
{
	check_errors();
	check_long();
	check_slots();
	return check_end();
}
