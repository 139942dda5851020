/* Bearer tokens and rate limits at the head of a request. */
#include "serve/access.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/reason.h"

enum { CLIENTS = 1 << 16 }; /* with known rates: 1.5 MiB */

static bool is_limited(const struct access *a);
static struct ratelimit_key key_of_address(
    const struct address_trust *trust, const struct request_head *h);
static const char *find_bearer(const struct request_head *h, size_t *ret_len);
static enum decision refuse(struct response *ret, enum http_status status,
    const char *code, const char *detail, const char *challenge);
static struct response used_up(
    const struct client *c, const struct ratelimit_left *left);

int
access_open(struct access *a, const struct access_options *o,
    const struct loop *loop, char ret_why[REASON_MAX])
{
	const char *why = LOG_NO_MEMORY;
	struct hash_seed seed;

	a->options = o;
	if (o->tokens != NULL && access_reload(a, ret_why) < 0)
		return -1;
	hash_seed_make(&seed);
	if (!is_limited(a) ||
	    (ratelimit_open(&a->rates, CLIENTS, &seed) == 0 &&
		(o->redis == NULL || ratelimit_shared_open(&a->shared, loop,
					 o->redis, &a->rates, &why) == 0)))
		return 0;
	return reason_set(ret_why, "%s", why);
}

/* A token read later may have a rate of its own. */
static bool
is_limited(const struct access *a)
{
	return a->options->tokens != NULL || a->options->rate.per_s != 0;
}

int
access_reload(struct access *a, char ret_why[REASON_MAX])
{
	struct tokens *t = tokens_read(a->options->tokens, ret_why);

	if (t == NULL)
		return -1;
	tokens_free(a->tokens);
	a->tokens = t;
	return 0;
}

size_t
access_tokens(const struct access *a)
{
	return tokens_count(a->tokens);
}

void
access_close(struct access *a)
{
	tokens_free(a->tokens);
	a->tokens = NULL;
	ratelimit_shared_close(&a->shared);
	ratelimit_close(&a->rates);
}

/* -- tokens -------------------------------------------------------------- */

enum decision
access_check(struct access *a, const struct request_head *h,
    struct client *ret_client, struct response *ret_answer)
{
	const struct access_options *o = a->options;
	const char *text;
	const struct token *t;
	size_t len;

	if (!is_limited(a))
		return DECISION_READ;
	if (a->tokens == NULL) {
		ret_client->key = key_of_address(&o->trust, h);
		ret_client->limit = o->rate;
		return DECISION_READ;
	}
	text = find_bearer(h, &len);
	if (text == NULL)
		return refuse(ret_answer, HTTP_401, "unauthorized",
		    "a bearer token is needed", "Bearer realm=\"incr\"");
	t = tokens_find(a->tokens, text, len);
	if (t == NULL)
		return refuse(ret_answer, HTTP_401, "unauthorized",
		    "the bearer token is not known",
		    "Bearer realm=\"incr\", error=\"invalid_token\"");
	if (t->barred)
		return refuse(ret_answer, HTTP_403, "forbidden",
		    "the bearer token may not send increments",
		    "Bearer realm=\"incr\", error=\"insufficient_scope\"");
	*ret_client = t->client;
	if (!ret_client->own_limit)
		ret_client->limit = o->rate;
	return DECISION_READ;
}

static struct ratelimit_key
key_of_address(const struct address_trust *trust, const struct request_head *h)
{
	const struct http_value *forwarded = &h->fields->forwarded;
	struct address p = address_client(address_behind(
	    trust, h->from->peer, h->text + forwarded->at, forwarded->len));
	struct ratelimit_key key;

	memcpy(key.bytes, p.ip, sizeof p.ip);
	return key;
}

void
access_identify(
    const struct access *a, const struct request_head *h, struct client *c)
{
	struct address_trust trust = a->options->trust;

	trust.unix_sockets = true;
	c->who = a->tokens != NULL ? c->key : key_of_address(&trust, h);
}

/* Authorization: Bearer 1*SP token (RFC 6750, section 2.1), or NULL. */
static const char *
find_bearer(const struct request_head *h, size_t *ret_len)
{
	static const char scheme[] = "bearer ";
	const char *text = h->text + h->fields->authorization.at;
	size_t len = h->fields->authorization.len, n = sizeof scheme - 1;

	if (len <= n || strncasecmp(text, scheme, n) != 0)
		return NULL;
	while (n < len && text[n] == ' ')
		n++;
	*ret_len = len - n;
	return text + n;
}

static enum decision
refuse(struct response *ret, enum http_status status, const char *code,
    const char *detail, const char *challenge)
{
	*ret = (struct response){.status = status,
	    .code = code,
	    .detail = detail,
	    .challenge = challenge};
	return DECISION_ANSWER;
}

/* -- rates --------------------------------------------------------------- */

enum decision
access_take(struct access *a, const struct client *c, uint32_t n,
    struct response *ret_answer)
{
	struct ratelimit_left left;
	int64_t now_ns;

	if (c->limit.per_s == 0)
		return DECISION_READ;
	now_ns = clock_us() * 1000;
	if (ratelimit_take(&a->rates, &c->key, &c->limit, n, now_ns, &left)) {
		ratelimit_shared_spent(
		    &a->shared, &c->key, &c->limit, n, now_ns);
		return DECISION_READ;
	}
	*ret_answer = used_up(c, &left);
	return DECISION_ANSWER;
}

static struct response
used_up(const struct client *c, const struct ratelimit_left *left)
{
	int64_t wait_s = (left->wait_ns + 999999999) / 1000000000;

	return (struct response){.status = HTTP_429,
	    .code = "quota-exceeded",
	    .detail = "the rate of this client is used up for now, nothing was "
		      "counted",
	    .retry_s = wait_s > 1 ? (uint32_t)wait_s : 1,
	    .policy = c->own_limit ? "token" : "default",
	    .quota = c->limit.per_s,
	    .left = left->units};
}

enum decision
access_take_more(struct access *a, const struct client *c, uint32_t n,
    struct response *ret_answer)
{
	struct ratelimit_left left;
	int64_t now_ns;

	if (!access_limits(c) || n == 0)
		return DECISION_READ;
	if (n >= ratelimit_most(&c->limit)) {
		*ret_answer = access_refusal(a, c);
		ret_answer->detail =
		    "the rate of this client allows fewer lines in one "
		    "request, nothing was counted: at most";
		ret_answer->most = ratelimit_most(&c->limit);
		return DECISION_ANSWER;
	}
	now_ns = clock_us() * 1000;
	if (!ratelimit_take_more(
		&a->rates, &c->key, &c->limit, n, now_ns, &left)) {
		*ret_answer = used_up(c, &left);
		return DECISION_ANSWER;
	}
	ratelimit_shared_spent(&a->shared, &c->key, &c->limit, n, now_ns);
	return DECISION_READ;
}

uint32_t
access_left(struct access *a, const struct client *c, int64_t *ret_wait_ms)
{
	struct ratelimit_left left =
	    ratelimit_look(&a->rates, &c->key, &c->limit, clock_us() * 1000);

	*ret_wait_ms = (left.wait_ns + 999999) / 1000000;
	return left.units;
}

struct response
access_refusal(struct access *a, const struct client *c)
{
	struct ratelimit_left left =
	    ratelimit_look(&a->rates, &c->key, &c->limit, clock_us() * 1000);

	return used_up(c, &left);
}

void
access_owe(struct access *a, const struct client *c, uint32_t n)
{
	int64_t now_ns;

	if (c->limit.per_s == 0 || n == 0)
		return;
	now_ns = clock_us() * 1000;
	ratelimit_owe(&a->rates, &c->key, &c->limit, n, now_ns);
	ratelimit_shared_spent(&a->shared, &c->key, &c->limit, n, now_ns);
}
