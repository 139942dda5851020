/* Writes the requests to a sentinel and checks its replies. */
#include "redis/sentinel.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "redis/resp.h"
#include "redis/server_info.h"

static int add(struct buf *out, const char *const *words);
static enum sentinel_answer refused(
    const char *error, char ret_why[REASON_MAX]);

int
sentinel_write(const struct url_redis *url, struct buf *out)
{
	const char *const auth[] = {"AUTH", url->sentinel_password, NULL};
	const char *const auth_user[] = {
	    "AUTH", url->sentinel_user, url->sentinel_password, NULL};
	const char *const ask[] = {
	    "SENTINEL", "get-master-addr-by-name", url->master, NULL};
	int failed = 0, n = 1;

	buf_clear(out);
	if (url->sentinel_user[0] != '\0') {
		failed |= add(out, auth_user);
		n++;
	} else if (url->sentinel_password[0] != '\0') {
		failed |= add(out, auth);
		n++;
	}
	failed |= add(out, ask);
	return failed != 0 ? -1 : n;
}

static int
add(struct buf *out, const char *const *words)
{
	int n = 0, failed;

	while (words[n] != NULL)
		n++;
	failed = buf_addf(out, "*%d\r\n", n);
	for (; *words != NULL; words++)
		failed |= resp_encode(out, *words, strlen(*words));
	return failed;
}

/* +OK for AUTH; then an array of address and port, or nil. */
enum sentinel_answer
sentinel_check(const struct redis_reply *reply, struct url_host *ret,
    char ret_why[REASON_MAX])
{
	const char *error = redis_reply_error(reply), *name;
	int64_t port;
	size_t len;

	if (error != NULL)
		return refused(error, ret_why);
	name = redis_reply_text(reply, &len);
	if (name != NULL && strcmp(name, "OK") == 0)
		return SENTINEL_MORE;
	if (name == NULL && redis_reply_count(reply) == 0) {
		reason_set(ret_why, "knows no primary of this name");
		return SENTINEL_UNFIT_LONG;
	}
	name = redis_reply_text(redis_reply_at(reply, 0), &len);
	port = redis_reply_int(redis_reply_at(reply, 1), 0);
	if (redis_reply_count(reply) != 2 || name == NULL || len == 0 ||
	    len >= sizeof ret->name || strlen(name) != len || port < 1 ||
	    port > 65535) {
		reason_set(ret_why, "gave no address of the primary");
		return SENTINEL_UNFIT_NOW;
	}
	memcpy(ret->name, name, len + 1);
	ret->port = (int)port;
	return SENTINEL_FOUND;
}

static enum sentinel_answer
refused(const char *error, char ret_why[REASON_MAX])
{
	reason_set(ret_why, "%s", error);
	if (strncmp(error, "IDONTKNOW", 9) == 0)
		return SENTINEL_UNFIT_NOW;
	return server_info_handshake_error(error) == UNFIT_FOR_EVER
		   ? SENTINEL_UNFIT_LONG
		   : SENTINEL_UNFIT_NOW;
}
