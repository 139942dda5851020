/* Parses Redis URLs and finds passwords in URLs. */
#include "base/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/num.h"

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379, DB_MAX = 65535 };

static bool names_password(const char *text);
static bool has_userinfo_password(const char *authority, const char *ends);
static bool is_port(const char *from, const char *ends);
static int parse_user(
    const char *from, size_t len, struct url_redis *ret, const char **ret_why);
static int parse_unix(
    const char *from, struct url_redis *ret, const char **ret_why);
static int parse_network(
    const char *from, struct url_redis *ret, const char **ret_why);
static int parse_hosts(const char *from, const char *end, struct url_redis *ret,
    const char **ret_why);
static int parse_host(const char *from, const char *end, struct url_redis *ret,
    const char **ret_why);
static int parse_query(
    const char *from, struct url_redis *ret, const char **ret_why);
static int check_parts(const struct url_redis *u, const char **ret_why);
static int parse_int(const char *from, size_t len, int min, int max, int *ret);
static int decode(const char *from, size_t len, char *ret);
static size_t decode_char(const char *from, int *ret);

bool
url_has_password(const char *text)
{
	const char *authority = strstr(text, "://");
	bool libpq = strncmp(text, "postgres", 8) == 0;

	return names_password(text) ||
	       (authority != NULL &&
		   has_userinfo_password(authority + 3, libpq ? ",/" : ",/?"));
}

const char *
url_judge_redis(void *dest, const char *text)
{
	struct url_redis u;
	const char *why;

	(void)dest;
	return url_parse_redis(text, &u, &why) < 0 ? why : NULL;
}

/* Such as libc takes for an address without looking anything up. */
bool
url_is_address(const char *host)
{
	struct in6_addr ip;

	return inet_pton(AF_INET, host, &ip) == 1 ||
	       inet_pton(AF_INET6, host, &ip) == 1;
}

bool
url_has_names(const struct url_redis *u)
{
	for (size_t i = 0; i < u->n_hosts; i++)
		if (!url_is_address(u->hosts[i].name))
			return true;
	return u->tls || u->sentinel;
}

/* Is there a "password", also an encoded one, before an equals sign? */
static bool
names_password(const char *text)
{
	static const char word[] = "password";

	for (; *text != '\0'; text++) {
		const char *p = text;
		size_t n = 0;
		int c;

		while (word[n] != '\0') {
			p += decode_char(p, &c);
			if (c != word[n])
				break;
			n++;
		}
		if (word[n] != '\0')
			continue;
		while (decode_char(p, &c) > 0 && c != 0 &&
		       strchr(" \t\n\v\f\r", c) != NULL)
			p += decode_char(p, &c);
		if (c == '=')
			return true;
	}
	return false;
}

/*
 *	user:password@host:port,[::1]:port/path?user=a@b
 *
 * A colon before an @ begins a password; if the @ is in the query, only
 * unless a port comes behind it, and one of ends behind that: to libpq all in
 * front of an @ is a user with a password if there is no / before it.  Who
 * writes a / or ? into a password without encoding it has put it into argv all
 * the same.
 */
static bool
has_userinfo_password(const char *authority, const char *ends)
{
	const char *at = strrchr(authority, '@'), *p = authority;
	const char *query = authority + strcspn(authority, "?");
	size_t len;
	int c;

	if (*authority == '/' || at == NULL)
		return false;
	for (; p < at && p < query; p += len) {
		len = decode_char(p, &c);
		if (at > query && *p == '[' && strchr(p, ']') != NULL)
			len = (size_t)(strchr(p, ']') - p);
		else if (c == ':' && (at < query || !is_port(p + len, ends)))
			return true;
	}
	return false;
}

/* Only digits up to one of ends? */
static bool
is_port(const char *from, const char *ends)
{
	size_t n = strspn(from, "0123456789");

	return n > 0 && n <= 5 && from[n] != '\0' &&
	       strchr(ends, from[n]) != NULL;
}

int
url_parse_redis(const char *text, struct url_redis *ret, const char **ret_why)
{
	static const struct {
		const char *prefix;
		bool tls, sentinel;
	} schemes[] = {
	    {"redis://", false, false},
	    {"rediss://", true, false},
	    {"redis-sentinel://", false, true},
	    {"rediss-sentinel://", true, true},
	};
	struct url_redis u = {0};
	int result = -1;

	*ret_why = "not redis://host[:port][/db] or unix:///path[?db=n]";
	if (strncmp(text, "unix://", 7) == 0)
		result = parse_unix(text + 7, &u, ret_why);
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t len = strlen(schemes[i].prefix);

		if (strncmp(text, schemes[i].prefix, len) != 0)
			continue;
		u.tls = schemes[i].tls;
		u.sentinel = schemes[i].sentinel;
		result = parse_network(text + len, &u, ret_why);
	}
	if (result == 0)
		*ret = u;
	return result;
}

void
url_take_login(const char *text, struct url_redis *u)
{
	struct url_redis now;
	const char *why;

	if (url_parse_redis(text, &now, &why) < 0)
		return;
	memcpy(u->user, now.user, sizeof u->user);
	memcpy(u->password, now.password, sizeof u->password);
	memcpy(u->sentinel_user, now.sentinel_user, sizeof u->sentinel_user);
	memcpy(u->sentinel_password, now.sentinel_password,
	    sizeof u->sentinel_password);
}

int
url_add_place(const struct url_redis *u, struct buf *out)
{
	int failed = buf_addf(out, "redis%s%s %s", u->tls ? "s" : "",
	    u->sentinel ? "-sentinel" : "", u->path);

	for (size_t i = 0; i < u->n_hosts; i++)
		failed |=
		    buf_addf(out, "%s:%d,", u->hosts[i].name, u->hosts[i].port);
	return failed | buf_addf(out, " /%d %s", u->db, u->master);
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

/* What stands behind the scheme. */
static int
parse_network(const char *from, struct url_redis *ret, const char **ret_why)
{
	const char *end = from + strcspn(from, "/?#"), *at = NULL, *query;

	for (const char *p = from; p < end; p++)
		if (*p == '@')
			at = p;
	if (at != NULL) {
		if (parse_user(from, (size_t)(at - from), ret, ret_why) < 0)
			return -1;
		from = at + 1;
	}
	if (parse_hosts(from, end, ret, ret_why) < 0)
		return -1;
	query = end + strcspn(end, "?");
	if (query - end > 1 &&
	    (*end != '/' || parse_int(end + 1, (size_t)(query - end - 1), 0,
				DB_MAX, &ret->db) < 0)) {
		*ret_why = "the database must be a number from 0 to 65535";
		return -1;
	}
	if (query - end == 1 && *end != '/')
		return -1;
	if (*query == '?' && parse_query(query + 1, ret, ret_why) < 0)
		return -1;
	return check_parts(ret, ret_why);
}

static int
parse_hosts(const char *from, const char *end, struct url_redis *ret,
    const char **ret_why)
{
	for (;; from++) {
		const char *comma = memchr(from, ',', (size_t)(end - from));

		if (ret->n_hosts == URL_HOSTS_MAX) {
			*ret_why = "more than 16 hosts";
			return -1;
		}
		if (parse_host(
			from, comma == NULL ? end : comma, ret, ret_why) < 0)
			return -1;
		if (comma == NULL)
			return 0;
		from = comma;
	}
}

/* host[:port] or [IPv6][:port] */
static int
parse_host(const char *from, const char *end, struct url_redis *ret,
    const char **ret_why)
{
	struct url_host *host = &ret->hosts[ret->n_hosts++];
	const char *colon;
	size_t len;

	host->port = ret->sentinel ? SENTINEL_PORT : REDIS_PORT;
	if (from < end && *from == '[') {
		const char *close = memchr(from, ']', (size_t)(end - from));

		if (close == NULL)
			return -1;
		colon = close + 1;
		len = (size_t)(close - ++from);
	} else {
		colon = memchr(from, ':', (size_t)(end - from));
		colon = colon == NULL ? end : colon;
		len = (size_t)(colon - from);
	}
	if (len == 0 || decode(from, len, host->name) < 0)
		return -1;
	if (colon < end &&
	    (*colon != ':' || parse_int(colon + 1, (size_t)(end - colon - 1), 1,
				  65535, &host->port) < 0)) {
		*ret_why = "the port must be a number from 1 to 65535";
		return -1;
	}
	return 0;
}

/* name=value[&name=value…], each name once */
static int
parse_query(const char *from, struct url_redis *ret, const char **ret_why)
{
	const struct {
		const char *name;
		bool known;
		char *value;
	} parts[] = {
	    {"master=", ret->sentinel, ret->master},
	    {"sentinel-user=", ret->sentinel, ret->sentinel_user},
	    {"sentinel-password=", ret->sentinel, ret->sentinel_password},
	    {"cacert=", ret->tls, ret->cacert},
	    {"cert=", ret->tls, ret->cert},
	    {"key=", ret->tls, ret->key},
	};
	enum { N = sizeof parts / sizeof *parts };
	size_t i, len, name_len;

	*ret_why = "behind the ? may stand master, sentinel-user and "
		   "sentinel-password of a sentinel, and cacert, cert and key "
		   "with TLS, each once";
	for (;; from += len + 1) {
		len = strcspn(from, "&");
		for (i = 0; i < N; i++)
			if (parts[i].known && strncmp(from, parts[i].name,
						  strlen(parts[i].name)) == 0)
				break;
		if (i == N || parts[i].value[0] != '\0')
			return -1;
		name_len = strlen(parts[i].name);
		if (len == name_len ||
		    decode(from + name_len, len - name_len, parts[i].value) < 0)
			return -1;
		if (from[len] == '\0')
			return 0;
	}
}

/* What needs what. */
static int
check_parts(const struct url_redis *u, const char **ret_why)
{
	if (u->sentinel && u->master[0] == '\0')
		*ret_why = "sentinels need ?master=NAME";
	else if ((u->cert[0] == '\0') != (u->key[0] == '\0'))
		*ret_why = "cert and key need each other";
	else
		return 0;
	return -1;
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
	size_t n = 0, used;
	int c;

	for (size_t i = 0; i < len; i += used) {
		used = decode_char(from + i, &c);
		if (used > len - i || (c == '%' && used == 1))
			return -1;
		if (c == 0 || n == URL_PART_MAX - 1)
			return -1;
		ret[n++] = (char)c;
	}
	ret[n] = '\0';
	return 0;
}

/* A character, or %XX as the byte that it is; an incomplete one is '%'.
 * Returns its length; at the end of text 1, with *ret 0. */
static size_t
decode_char(const char *from, int *ret)
{
	*ret = (unsigned char)from[0];
	if (*ret != '%' || hex_value(from[1]) < 0 || hex_value(from[2]) < 0)
		return 1;
	*ret = hex_value(from[1]) << 4 | hex_value(from[2]);
	return 3;
}
