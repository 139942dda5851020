/* Parses Redis URLs and finds passwords in URLs. */
#include "base/url.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/num.h"

enum { REDIS_PORT = 6379, DB_MAX = 65535 };

static int parse_user(
    const char *from, size_t len, struct url_redis *ret, const char **ret_why);
static int parse_unix(
    const char *from, struct url_redis *ret, const char **ret_why);
static int parse_tcp(
    const char *from, struct url_redis *ret, const char **ret_why);
static int parse_int(const char *from, size_t len, int min, int max, int *ret);
static int decode(const char *from, size_t len, char *ret);

bool
url_has_password(const char *text)
{
	const char *authority = strstr(text, "://"), *end, *at = NULL;

	for (const char *p = text; (p = strstr(p, "password")) != NULL;) {
		p += strlen("password");
		if (p[strspn(p, " \t\n\v\f\r")] == '=')
			return true;
	}
	if (authority == NULL)
		return false;
	authority += 3;
	end = authority + strcspn(authority, "/?");
	for (const char *p = authority; p < end; p++)
		if (*p == '@')
			at = p;
	return at != NULL &&
	       memchr(authority, ':', (size_t)(at - authority)) != NULL;
}

int
url_parse_redis(const char *text, struct url_redis *ret, const char **ret_why)
{
	struct url_redis u = {.port = REDIS_PORT};
	int result = -1;

	*ret_why = "not redis://host[:port][/db] or unix:///path[?db=n]";
	if (strncmp(text, "rediss://", 9) == 0)
		*ret_why = "rediss:// needs TLS, which this build's hiredis "
			   "does not have";
	else if (strncmp(text, "unix://", 7) == 0)
		result = parse_unix(text + 7, &u, ret_why);
	else if (strncmp(text, "redis://", 8) == 0)
		result = parse_tcp(text + 8, &u, ret_why);
	if (result == 0)
		*ret = u;
	return result;
}

static int
parse_unix(const char *from, struct url_redis *ret, const char **ret_why)
{
	const char *slash = strchr(from, '/'), *query;

	if (slash == NULL)
		return -1;
	if (slash > from) {
		if (slash[-1] != '@')
			return -1;
		if (parse_user(from, (size_t)(slash - 1 - from), ret, ret_why) <
		    0)
			return -1;
	}
	query = slash + strcspn(slash, "?");
	if (decode(slash, (size_t)(query - slash), ret->path) < 0)
		return -1;
	if (*query == '\0')
		return 0;
	if (strncmp(query, "?db=", 4) != 0 ||
	    parse_int(query + 4, strlen(query + 4), 0, DB_MAX, &ret->db) < 0) {
		*ret_why = "after the path only ?db=n may follow";
		return -1;
	}
	return 0;
}

static int
parse_tcp(const char *from, struct url_redis *ret, const char **ret_why)
{
	const char *end = from + strcspn(from, "/?#"), *at = NULL, *colon;
	size_t host_len;

	for (const char *p = from; p < end; p++)
		if (*p == '@')
			at = p;
	if (at != NULL) {
		if (parse_user(from, (size_t)(at - from), ret, ret_why) < 0)
			return -1;
		from = at + 1;
	}
	if (*from == '[') {
		const char *close = memchr(from, ']', (size_t)(end - from));

		if (close == NULL)
			return -1;
		colon = close + 1;
		host_len = (size_t)(close - ++from);
	} else {
		colon = memchr(from, ':', (size_t)(end - from));
		colon = colon == NULL ? end : colon;
		host_len = (size_t)(colon - from);
	}
	if (host_len == 0 || decode(from, host_len, ret->host) < 0)
		return -1;
	if (colon < end &&
	    (*colon != ':' || parse_int(colon + 1, (size_t)(end - colon - 1), 1,
				  65535, &ret->port) < 0)) {
		*ret_why = "the port must be a number from 1 to 65535";
		return -1;
	}
	if (*end == '\0' || (end[0] == '/' && end[1] == '\0'))
		return 0;
	if (*end != '/' ||
	    parse_int(end + 1, strlen(end + 1), 0, DB_MAX, &ret->db) < 0) {
		*ret_why = "the database must be a number from 0 to 65535";
		return -1;
	}
	return 0;
}

/* user[:password], from and len without the @ */
static int
parse_user(
    const char *from, size_t len, struct url_redis *ret, const char **ret_why)
{
	const char *colon = memchr(from, ':', len);
	size_t user_len = colon == NULL ? len : (size_t)(colon - from);

	if (decode(from, user_len, ret->user) < 0 ||
	    (colon != NULL &&
		decode(colon + 1, len - user_len - 1, ret->password) < 0)) {
		*ret_why = "the user or password is too long or badly encoded";
		return -1;
	}
	return 0;
}

static int
parse_int(const char *from, size_t len, int min, int max, int *ret)
{
	char text[16];
	uint64_t n;

	if (len >= sizeof text)
		return -1;
	memcpy(text, from, len);
	text[len] = '\0';
	if (num_u64(text, (uint64_t)min, (uint64_t)max, &n) < 0)
		return -1;
	*ret = (int)n;
	return 0;
}

/* Decodes %XX into ret, URL_PART_MAX bytes.  0, or -1. */
static int
decode(const char *from, size_t len, char *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)from[i];

		if (c == '%') {
			if (len - i < 3 || hex_value(from[i + 1]) < 0 ||
			    hex_value(from[i + 2]) < 0)
				return -1;
			c = hex_value(from[i + 1]) << 4 |
			    hex_value(from[i + 2]);
			i += 2;
		}
		if (c == 0 || n == URL_PART_MAX - 1)
			return -1;
		ret[n++] = (char)c;
	}
	ret[n] = '\0';
	return 0;
}
