/*
 * Writes the requests of the handshake and checks their replies.
 *
 * Requests are sent in two groups, each at once, and the first reply that is no
 * good decides.
 */
#include "redis/handshake.h"

#include <string.h>

#include "base/clock.h"
#include "base/reason.h"
#include "redis/resp.h"

static void begin(struct handshake *h, struct buf *out);
static int add_scripts(struct handshake *h, const char *const *scripts,
    size_t n_scripts, struct buf *out);
static const char *key_name(const struct handshake *h, size_t i);
static int add_auth(struct buf *out, const struct url_redis *u);
static int add_get(struct buf *out, const char *key);
static enum server_fitness check_ok(const struct redis_reply *reply,
    const char *request, char ret_why[REASON_MAX]);
static enum server_fitness check_info(struct handshake *h,
    const struct redis_reply *reply, char ret_why[REASON_MAX]);
static enum server_fitness check_key(struct handshake *h,
    const struct redis_reply *reply, char ret_why[REASON_MAX]);

int
handshake_write(
    struct handshake *h, const struct url_redis *url, struct buf *out)
{
	int failed = 0;

	begin(h, out);
	if (url->password[0] != '\0' || url->user[0] != '\0') {
		h->steps[h->n++] = HANDSHAKE_AUTH;
		failed |= add_auth(out, url);
	}
	h->steps[h->n++] = HANDSHAKE_SELECT;
	h->steps[h->n++] = HANDSHAKE_INFO;
	return failed | buf_addf(out, "SELECT %d\r\nINFO\r\n", url->db);
}

int
handshake_write_rest(struct handshake *h, const char *const *scripts,
    size_t n_scripts, struct buf *out)
{
	int failed = 0;

	begin(h, out);
	if (h->cluster) {
		h->steps[h->n++] = HANDSHAKE_NODES;
		failed |= buf_addf(out, "CLUSTER SLOTS\r\n");
	}
	for (size_t i = 0; i < h->n_keys; i++) {
		h->steps[h->n++] = HANDSHAKE_GET;
		failed |= add_get(out, key_name(h, i));
	}
	return failed | add_scripts(h, scripts, n_scripts, out);
}

int
handshake_write_scripts(struct handshake *h, const char *const *scripts,
    size_t n_scripts, struct buf *out)
{
	begin(h, out);
	return add_scripts(h, scripts, n_scripts, out);
}

static void
begin(struct handshake *h, struct buf *out)
{
	buf_clear(out);
	h->n = h->n_answered = h->n_got = h->n_loaded = 0;
}

static int
add_scripts(struct handshake *h, const char *const *scripts, size_t n_scripts,
    struct buf *out)
{
	int failed = 0;

	for (size_t i = 0; i < n_scripts; i++) {
		h->steps[h->n++] = HANDSHAKE_LOAD;
		failed |= buf_addf(out, "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n");
		failed |= resp_encode(out, scripts[i], strlen(scripts[i]));
	}
	return failed;
}

static const char *
key_name(const struct handshake *h, size_t i)
{
	return h->cluster ? h->keys[i].in_cluster : h->keys[i].name;
}

static int
add_auth(struct buf *out, const struct url_redis *u)
{
	int failed =
	    buf_addf(out, "*%d\r\n$4\r\nAUTH\r\n", u->user[0] != '\0' ? 3 : 2);

	if (u->user[0] != '\0')
		failed |= resp_encode(out, u->user, strlen(u->user));
	return failed | resp_encode(out, u->password, strlen(u->password));
}

static int
add_get(struct buf *out, const char *key)
{
	int failed = buf_addf(out, "*2\r\n$3\r\nGET\r\n");

	return failed | resp_encode(out, key, strlen(key));
}

enum server_fitness
handshake_check(struct handshake *h, const struct redis_reply *reply,
    char ret_why[REASON_MAX])
{
	const char *error = redis_reply_error(reply), *sha;
	size_t len;

	if (error != NULL) {
		reason_set(ret_why, "%s", error);
		return server_info_handshake_error(error);
	}
	switch (h->steps[h->n_answered++]) {
	case HANDSHAKE_AUTH: return check_ok(reply, "AUTH", ret_why);
	case HANDSHAKE_SELECT: return check_ok(reply, "SELECT", ret_why);
	case HANDSHAKE_INFO: return check_info(h, reply, ret_why);
	case HANDSHAKE_NODES: return FIT; /* dial_learn judges it */
	case HANDSHAKE_GET: return check_key(h, reply, ret_why);
	case HANDSHAKE_LOAD: break;
	}
	sha = redis_reply_text(reply, &len);
	if (sha == NULL || len != HANDSHAKE_SHA ||
	    strspn(sha, "0123456789abcdef") != len) {
		reason_set(ret_why, "SCRIPT LOAD: no digest");
		return UNFIT_NOW;
	}
	memcpy(h->shas[h->n_loaded++], sha, HANDSHAKE_SHA + 1);
	return FIT;
}

static enum server_fitness
check_ok(const struct redis_reply *reply, const char *request,
    char ret_why[REASON_MAX])
{
	size_t len;
	const char *text = redis_reply_text(reply, &len);

	if (text != NULL && strcmp(text, "OK") == 0)
		return FIT;
	reason_set(ret_why, "%s: not OK", request);
	return UNFIT_NOW;
}

static enum server_fitness
check_key(struct handshake *h, const struct redis_reply *reply,
    char ret_why[REASON_MAX])
{
	size_t i = h->n_got++;
	const struct handshake_key *key = &h->keys[i];
	size_t len;
	const char *text = redis_reply_text(reply, &len);

	if (key->judge == NULL)
		return FIT;
	if (text != NULL || redis_reply_is_nil(reply))
		return key->judge(key->ctx, text, h->replicas, ret_why);
	reason_set(ret_why, "GET %s: no text", key_name(h, i));
	return UNFIT_NOW;
}

static enum server_fitness
check_info(struct handshake *h, const struct redis_reply *reply,
    char ret_why[REASON_MAX])
{
	size_t len;
	const char *info = redis_reply_text(reply, &len);
	enum server_fitness f = UNFIT_NOW;

	h->look_ms = clock_ms() + HANDSHAKE_LOOK_MS;
	if (info == NULL ||
	    server_info_run_id(info, h->run_id, sizeof h->run_id) < 0) {
		reason_set(ret_why, "INFO: no run_id");
	} else {
		h->maxmemory = server_info_maxmemory(info);
		h->replicas = server_info_replicas(info);
		h->cluster = server_info_cluster(info);
		f = server_info_check(info, ret_why);
	}
	h->unfit = f != FIT;
	return f;
}

int
handshake_add_look(const struct handshake *h, struct buf *out)
{
	int failed = buf_addf(out, "INFO\r\n");

	for (size_t i = 0; i < h->n_keys; i++)
		failed |= add_get(out, key_name(h, i));
	return failed;
}

void
handshake_begin_look(struct handshake *h)
{
	h->n_got = 0;
	h->n_looks = 1 + h->n_keys;
}

/* INFO comes first: keys are judged by it. */
void
handshake_look(struct handshake *h, const struct redis_reply *reply,
    char ret_why[REASON_MAX])
{
	const char *error = redis_reply_error(reply);

	if (h->n_looks-- == 1 + h->n_keys) {
		(void)check_info(h, reply, ret_why);
	} else if (error != NULL) {
		reason_set(ret_why, "%s", error);
		h->unfit = true;
	} else if (!h->unfit && check_key(h, reply, ret_why) != FIT) {
		h->unfit = true;
	}
}

enum handshake_step
handshake_next(const struct handshake *h)
{
	return h->steps[h->n_answered];
}

bool
handshake_done(const struct handshake *h)
{
	return h->n_answered == h->n;
}
