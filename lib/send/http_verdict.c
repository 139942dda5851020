/* Reads HTTP statuses, error documents and failures as verdicts on lines. */
#include "send/http_verdict.h"

#include <string.h>

static struct http_verdict without_answer(const struct http_answer *a);
static enum fault problem_fault(const struct http_answer *a);

/* The status says it all, even if the connection dropped behind it. */
struct http_verdict
http_verdict_of(const struct http_answer *a)
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
 * The code of {"code":"not-json",...}.  A quoted name in front of a colon is
 * a member's name wherever it stands: inside a string its quotes would be
 * escaped.  A refusal without a code of incr-record(5) was not counted.
 */
static enum fault
problem_fault(const struct http_answer *a)
{
	static const char type[] = "application/problem+json";
	static const char name[] = "\"code\"";
	const char *at, *quote, *end = a->text + a->len;
	enum fault fault = FAULT_NONE;

	if (a->type == NULL || strncmp(a->type, type, sizeof type - 1) != 0)
		return FAULT_UNAVAILABLE;
	at = memmem(a->text, a->len, name, sizeof name - 1);
	if (at == NULL)
		return FAULT_UNAVAILABLE;
	at += sizeof name - 1;
	while (at < end && (*at == ' ' || *at == ':'))
		at++;
	if (at == end || *at++ != '"')
		return FAULT_UNAVAILABLE;
	quote = memchr(at, '"', (size_t)(end - at));
	if (quote != NULL)
		fault = fault_find(at, (size_t)(quote - at));
	return fault == FAULT_NONE ? FAULT_UNAVAILABLE : fault;
}
