/* Reads HTTP statuses, error documents and failures as verdicts on lines. */
#include "send/http_verdict.h"

#include <string.h>

#define NOT_COUNTED ", the increment was not counted"
#define WRONG_URL "not an incr-serve there; see --url"

static const char no_token[] =
    "a token is needed; give one as --token @FILE or in INCR_TOKEN";

/* Why, and what the user can do; the first that fits. */
static const struct reason {
	long status;
	const char *code; /* of the problem, NULL: any */
	const char *detail, *remedy;
} reasons[] = {
    {0, NULL, "the server was not reached" NOT_COUNTED, NULL},
    {400, "faulty-idempotency-key", "the server remembers no keys" NOT_COUNTED,
	"the server remembers no keys; start it with --tagged, or see "
	"--no-keys"},
    {401, NULL, "the server did not accept the token" NOT_COUNTED,
	"the token is not known to the server; see --token"},
    {403, NULL, "the token may not send increments" NOT_COUNTED,
	"the token may not send increments; who gave it can permit it"},
    {404, NULL, "the server has no such path" NOT_COUNTED,
	"no such path; it ends in /increment, see --url"},
    {405, NULL, "the server takes no increments there" NOT_COUNTED,
	"no increments are taken at this path; it ends in /increment, see "
	"--url"},
    {408, NULL, "the server did not get the request in time" NOT_COUNTED,
	"the request came too slowly; see -c and --single"},
    {413, NULL, "the request was too long for the server" NOT_COUNTED,
	"the request is too long, for a proxy perhaps; see --single"},
    {415, NULL, "the server takes no such body" NOT_COUNTED, WRONG_URL},
    {429, NULL, "the rate of this client is used up" NOT_COUNTED,
	"the rate of this client is used up"},
    {431, NULL, "the head of the request was too long" NOT_COUNTED,
	"the head of the request is too long; see --token and --key"},
};

static struct http_verdict judge(const struct http_answer *a);
static struct http_verdict without_answer(const struct http_answer *a);
static enum fault problem_fault(const struct http_answer *a);
static bool find_code(
    const struct http_answer *a, const char **ret_code, size_t *ret_len);
static void explain(const struct http_answer *a, struct http_verdict *ret);
static bool has_code(const struct http_answer *a, const char *code);

struct http_verdict
http_verdict_of(const struct http_answer *a)
{
	struct http_verdict v = judge(a);

	if (v.fault == FAULT_UNAVAILABLE)
		explain(a, &v);
	return v;
}

/* The status says it all, even if the connection dropped behind it. */
static struct http_verdict
judge(const struct http_answer *a)
{
	struct http_verdict v = {.kind = HTTP_VERDICT_ALL};
	int64_t retry_after_s = a->retry_after_s;

	if (a->status < 200)
		return without_answer(a);
	if (a->deaf && (a->status < 300 || a->status == 422))
		return (struct http_verdict){
		    .kind = HTTP_VERDICT_DEAF, .fault = FAULT_UNKNOWN};
	if (a->status == 202)
		return v;
	if (a->status == 207 && a->many) {
		v.kind = HTTP_VERDICT_LINES;
		v.text = a->text;
		v.len = a->len;
	} else if (a->status == 503 || a->status == 429) {
		if (retry_after_s > INT32_MAX)
			retry_after_s = INT32_MAX;
		v.kind = HTTP_VERDICT_RETRY;
		v.fault = FAULT_UNAVAILABLE;
		v.retry_after_ms = retry_after_s * 1000;
		v.limited = a->status == 429;
	} else if (a->status >= 300 && a->status < 400) {
		v.kind = HTTP_VERDICT_WRONG;
		v.fault = FAULT_UNAVAILABLE;
	} else if (a->status >= 400 && a->status < 500) {
		v.fault = problem_fault(a);
	} else { /* another 2xx is no promise of incr-serve's */
		v.fault = FAULT_UNKNOWN;
	}
	return v;
}

/* It depends on whether anything of the request was sent. */
static struct http_verdict
without_answer(const struct http_answer *a)
{
	struct http_verdict v = {
	    .kind = HTTP_VERDICT_ALL, .fault = FAULT_UNKNOWN};

	if (a->sent)
		return v;
	v.kind = a->untrusted ? HTTP_VERDICT_WRONG : HTTP_VERDICT_RETRY;
	v.fault = FAULT_UNAVAILABLE;
	return v;
}

/*
 * The code of {"code":"not-json",...}, in the answer.  A quoted name in front
 * of a colon is a member's name wherever it stands: inside a string its quotes
 * would be escaped.
 */
static bool
find_code(const struct http_answer *a, const char **ret_code, size_t *ret_len)
{
	static const char type[] = "application/problem+json";
	static const char name[] = "\"code\"";
	const char *at, *quote, *end = a->text + a->len;

	if (a->type == NULL || strncmp(a->type, type, sizeof type - 1) != 0)
		return false;
	at = memmem(a->text, a->len, name, sizeof name - 1);
	if (at == NULL)
		return false;
	at += sizeof name - 1;
	while (at < end && (*at == ' ' || *at == ':'))
		at++;
	if (at == end || *at++ != '"')
		return false;
	quote = memchr(at, '"', (size_t)(end - at));
	if (quote == NULL)
		return false;
	*ret_code = at;
	*ret_len = (size_t)(quote - at);
	return true;
}

/* A refusal without a code of incr-record(5) was not counted. */
static enum fault
problem_fault(const struct http_answer *a)
{
	enum fault fault = FAULT_NONE;
	const char *code;
	size_t len;

	if (find_code(a, &code, &len))
		fault = fault_find(code, len);
	return fault == FAULT_NONE ? FAULT_UNAVAILABLE : fault;
}

static void
explain(const struct http_answer *a, struct http_verdict *ret)
{
	if (ret->kind == HTTP_VERDICT_WRONG) {
		ret->detail = a->untrusted
				  ? "the server is not trusted" NOT_COUNTED
				  : "the server redirects" NOT_COUNTED;
		return;
	}
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		const struct reason *r = &reasons[i];

		if (r->status != a->status ||
		    (r->code != NULL && !has_code(a, r->code)))
			continue;
		ret->detail = r->detail;
		ret->remedy =
		    r->status == 401 && !a->token ? no_token : r->remedy;
		return;
	}
	if (a->status < 400 || a->status >= 500)
		return;
	ret->detail = "the server refused the request" NOT_COUNTED;
	ret->remedy = WRONG_URL;
}

static bool
has_code(const struct http_answer *a, const char *code)
{
	const char *at;
	size_t len;

	return find_code(a, &at, &len) && len == strlen(code) &&
	       memcmp(at, code, len) == 0;
}
