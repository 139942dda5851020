/*
 * URLs of Redis, and passwords in any URL.  Pure.
 */
#ifndef INCR_URL_H
#define INCR_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * True if text carries a password, whatever characters or %XX it has:
 * scheme://[user]:password@…, or a libpq connection string or query with
 * password=.  A user with an encoded colon counts as one, too.
 */
bool url_has_password(const char *text);

enum { URL_PART_MAX = 512, URL_HOSTS_MAX = 16 };

struct url_host {
	char name[URL_PART_MAX];
	int port;
};

/* The parts of a Redis URL; empty where absent. */
struct url_redis {
	bool tls;      /* to all hosts */
	bool sentinel; /* the hosts are sentinels */
	struct url_host hosts[URL_HOSTS_MAX];
	size_t n_hosts;          /* 0: path */
	char path[URL_PART_MAX]; /* of a Unix socket */
	int db;                  /* 0 to 65535 */
	char user[URL_PART_MAX], password[URL_PART_MAX];
	char master[URL_PART_MAX]; /* the primary's name at the sentinels */
	char sentinel_user[URL_PART_MAX], sentinel_password[URL_PART_MAX];
	char cacert[URL_PART_MAX], cert[URL_PART_MAX], key[URL_PART_MAX];
};

/*
 * Parses
 *
 *	redis://[user[:password]@]host[:port][,host[:port]…][/db]
 *	redis-sentinel://[user[:password]@]host[:port],…[/db]?master=NAME
 *		[&sentinel-user=USER][&sentinel-password=PASSWORD]
 *	rediss://…, rediss-sentinel://…: the same with TLS, and
 *		[?cacert=FILE][&cert=FILE&key=FILE]
 *	unix://[user[:password]@]/path[?db=n]
 *
 * IPv6 hosts in square brackets; %XX is decoded in each part.  0, or -1 with
 * *ret_why: a constant text that never contains the URL.
 */
int url_parse_redis(
    const char *text, struct url_redis *ret, const char **ret_why);

/* Can text be connected to without looking a name up? */
bool url_is_address(const char *host);

/* May connections to u need names: has it one, or TLS, or sentinels?  What a
 * program that was told such a URL may do is decided by this (sandbox.h). */
bool url_has_names(const struct url_redis *u);

/* For options.h: NULL, or why text is no such URL, as above. */
const char *url_judge_redis(void *dest, const char *text);

/* Adds the place that u leads to as a text: hosts or path, database, primary;
 * neither users nor passwords nor files.  0, or -1 with errno ENOMEM. */
int url_add_place(const struct url_redis *u, struct buf *out);

/* Takes users and passwords from text, if it can be parsed, and nothing else.
 */
void url_take_login(const char *text, struct url_redis *u);

#endif
