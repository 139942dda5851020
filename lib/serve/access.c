#include "serve/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "serve/ratelimit_shared.h"
#include "serve/request.h"
#include "serve/tokens.h"

enum { CLIENTS = 1 << 16 }; /* whose rates are known at once: 1.5 MiB */

static const struct access_options *options;
static struct tokens *tokens;
static struct ratelimit rates;

static bool is_limited(void);
static const char *find_bearer(
    const struct http_request *r, const char *head, size_t *ret_len);
static bool refuse(struct exchange *x, enum http_status status,
    const char *code, const char *detail, const char *challenge);

int
access_open(const struct access_options *o, char *ret_why, size_t why_size)
{
	const char *why = "memory is short";
	struct hash_seed seed;

	options = o;
	if (o->tokens != NULL && access_reload(ret_why, why_size) < 0)
		return -1;
	hash_seed_make(&seed);
	if (!is_limited() ||
	    (ratelimit_open(&rates, CLIENTS, &seed) == 0 &&
		(o->redis == NULL ||
		    ratelimit_shared_open(o->redis, &rates, &why) == 0)))
		return 0;
	snprintf(ret_why, why_size, "%s", why);
	return -1;
}

/* A token read later may have a rate of its own. */
static bool
is_limited(void)
{
	return options->tokens != NULL || options->rate.per_s != 0;
}

int
access_reload(char *ret_why, size_t why_size)
{
	struct tokens *t = tokens_read(options->tokens, ret_why, why_size);

	if (t == NULL)
		return -1;
	tokens_free(tokens);
	tokens = t;
	return 0;
}

void
access_close(void)
{
	tokens_free(tokens);
	tokens = NULL;
	ratelimit_shared_close();
	ratelimit_close(&rates);
}

/* -- who ----------------------------------------------------------------- */

bool
access_enter(struct exchange *x, const struct http_request *r, const char *head)
{
	const char *text;
	const struct token *t;
	struct address p;
	size_t len;

	if (!is_limited())
		return true;
	if (tokens == NULL) {
		p = address_behind(&options->trust, conn_from(x)->peer,
		    head + r->forwarded.at, r->forwarded.len);
		p = address_client(p);
		memcpy(request_of(x)->client.key.bytes, p.ip, sizeof p.ip);
		request_of(x)->client.limit = options->rate;
		return true;
	}
	text = find_bearer(r, head, &len);
	if (text == NULL)
		return refuse(x, HTTP_401, "unauthorized",
		    "a bearer token is needed", "Bearer realm=\"incr\"");
	t = tokens_find(tokens, text, len);
	if (t == NULL)
		return refuse(x, HTTP_401, "unauthorized",
		    "the bearer token is not known",
		    "Bearer realm=\"incr\", error=\"invalid_token\"");
	if (t->barred)
		return refuse(x, HTTP_403, "forbidden",
		    "the bearer token may not send increments",
		    "Bearer realm=\"incr\", error=\"insufficient_scope\"");
	request_of(x)->client = t->client;
	if (!request_of(x)->client.own_limit)
		request_of(x)->client.limit = options->rate;
	return true;
}

/* Authorization: Bearer 1*SP token (RFC 6750, section 2.1), or NULL. */
static const char *
find_bearer(const struct http_request *r, const char *head, size_t *ret_len)
{
	static const char scheme[] = "bearer ";
	const char *text = head + r->authorization.at;
	size_t len = r->authorization.len, n = sizeof scheme - 1;

	if (len <= n || strncasecmp(text, scheme, n) != 0)
		return NULL;
	while (n < len && text[n] == ' ')
		n++;
	*ret_len = len - n;
	return text + n;
}

static bool
refuse(struct exchange *x, enum http_status status, const char *code,
    const char *detail, const char *challenge)
{
	conn_answer(x, &(struct response){.status = status,
			   .code = code,
			   .detail = detail,
			   .challenge = challenge});
	return false;
}

/* -- how much ------------------------------------------------------------ */

bool
access_take(struct exchange *x, uint32_t n)
{
	const struct client *c = &request_of(x)->client;
	struct ratelimit_left left;
	int64_t now_ns;

	if (c->limit.per_s == 0)
		return true;
	now_ns = clock_us() * 1000;
	if (ratelimit_take(&rates, &c->key, &c->limit, n, now_ns, &left)) {
		ratelimit_shared_spent(&c->key, &c->limit, n, now_ns);
		return true;
	}
	conn_answer(x,
	    &(struct response){.status = HTTP_429,
		.code = "quota-exceeded",
		.detail = "the rate of this client is used up for "
			  "now, nothing was counted",
		.retry_s = (uint32_t)((left.wait_ns + 999999999) / 1000000000),
		.policy = c->own_limit ? "token" : "default",
		.quota = c->limit.per_s,
		.left = left.units});
	return false;
}

void
access_owe(const struct exchange *x, uint32_t n)
{
	const struct client *c = &request_of(x)->client;
	int64_t now_ns;

	if (c->limit.per_s == 0 || n == 0)
		return;
	now_ns = clock_us() * 1000;
	ratelimit_owe(&rates, &c->key, &c->limit, n, now_ns);
	ratelimit_shared_spent(&c->key, &c->limit, n, now_ns);
}
