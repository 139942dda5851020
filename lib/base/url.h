/*
 * URLs of Redis, and passwords in any URL.  Pure.
 */
#ifndef INCR_URL_H
#define INCR_URL_H

#include <stdbool.h>

/*
 * True if text carries a password: scheme://[user]:password@…, or a libpq
 * connection string or query with password=.
 */
bool url_has_password(const char *text);

enum { URL_PART_MAX = 512 };

/* The parts of a Redis URL; empty where absent. */
struct url_redis {
	char host[URL_PART_MAX]; /* or empty: path */
	char path[URL_PART_MAX]; /* of a Unix socket */
	int port;
	int db; /* 0 to 65535 */
	char user[URL_PART_MAX], password[URL_PART_MAX];
};

/*
 * Parses redis://[user[:password]@]host[:port][/db], IPv6 hosts in square
 * brackets, and unix:///path[?db=n] (unix://user:password@/path, too);
 * %XX is decoded in user, password and path.  0, or -1 with *ret_why: a
 * constant text that never contains the URL.
 */
int url_parse_redis(
    const char *text, struct url_redis *ret, const char **ret_why);

#endif
