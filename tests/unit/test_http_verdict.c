/* What statuses, error documents and failures say of the lines. */
#include "check.h"
#include "send/http_verdict.h"

#define PROBLEM "application/problem+json"
#define SENT(status_) .status = (status_), .sent = true
#define BODY(text_) .text = (text_), .len = sizeof(text_) - 1

static const struct {
	const char *what;
	struct http_answer answer;
	struct http_verdict verdict;
} cases[] = {
    {"accepted", {SENT(202)}, {.kind = HTTP_VERDICT_ALL}},
    {"another 2xx", {SENT(200)}, {.fault = FAULT_UNKNOWN}},
    {"no lines asked for", {SENT(207), BODY("x")}, {.fault = FAULT_UNKNOWN}},
    {"lines", {SENT(207), .many = true, BODY("x")},
	{.kind = HTTP_VERDICT_LINES, .text = "x", .len = 1}},
    {"busy", {SENT(503), .retry_after_s = 3},
	{.kind = HTTP_VERDICT_RETRY,
	    .fault = FAULT_UNAVAILABLE,
	    .retry_after_ms = 3000}},
    {"too many", {SENT(429)},
	{.kind = HTTP_VERDICT_RETRY, .fault = FAULT_UNAVAILABLE}},
    {"for ever", {SENT(429), .retry_after_s = INT64_MAX},
	{.kind = HTTP_VERDICT_RETRY,
	    .fault = FAULT_UNAVAILABLE,
	    .retry_after_ms = (int64_t)INT32_MAX * 1000}},
    {"taken, of which lines is not said", {SENT(202), .deaf = true},
	{.kind = HTTP_VERDICT_DEAF, .fault = FAULT_UNKNOWN}},
    {"some of them", {SENT(207), .many = true, .deaf = true, BODY("x")},
	{.kind = HTTP_VERDICT_DEAF, .fault = FAULT_UNKNOWN}},
    {"taken for others", {SENT(422), .deaf = true},
	{.kind = HTTP_VERDICT_DEAF, .fault = FAULT_UNKNOWN}},
    {"busy all the same", {SENT(503), .deaf = true},
	{.kind = HTTP_VERDICT_RETRY, .fault = FAULT_UNAVAILABLE}},
    {"500", {SENT(500)}, {.fault = FAULT_UNKNOWN}},
    {"502", {SENT(502)}, {.fault = FAULT_UNKNOWN}},
    {"504", {SENT(504), .retry_after_s = 3}, {.fault = FAULT_UNKNOWN}},
    {"never sent", {.status = 0},
	{.kind = HTTP_VERDICT_RETRY, .fault = FAULT_UNAVAILABLE}},
    {"no answer", {SENT(0)}, {.fault = FAULT_UNKNOWN}},
    {"100 only", {SENT(100)}, {.fault = FAULT_UNKNOWN}},
    {"no trust", {.untrusted = true},
	{.kind = HTTP_VERDICT_WRONG, .fault = FAULT_UNAVAILABLE}},
    {"moved", {SENT(301)},
	{.kind = HTTP_VERDICT_WRONG, .fault = FAULT_UNAVAILABLE}},
    {"moved, with a code",
	{SENT(308), .type = PROBLEM, BODY("{\"code\":\"too-long\"}")},
	{.kind = HTTP_VERDICT_WRONG, .fault = FAULT_UNAVAILABLE}},
    {"refused", {SENT(404)}, {.fault = FAULT_UNAVAILABLE}},
    {"with a code",
	{SENT(400), .type = PROBLEM "; charset=utf-8",
	    BODY("{\"code\" : \"too-long\"}")},
	{.fault = FAULT_TOO_LONG}},
    {"a code inside a string",
	{SENT(400), .type = PROBLEM,
	    BODY("{\"detail\":\"\\\"code\\\":\\\"unknown\\\"\","
		 "\"code\":\"not-json\"}")},
	{.fault = FAULT_NOT_JSON}},
    {"a code of another type",
	{SENT(400), .type = "application/json",
	    BODY("{\"code\":\"too-long\"}")},
	{.fault = FAULT_UNAVAILABLE}},
    {"no type", {SENT(400), BODY("{\"code\":\"too-long\"}")},
	{.fault = FAULT_UNAVAILABLE}},
    {"a code that is none",
	{SENT(401), .type = PROBLEM, BODY("{\"code\":\"unauthorized\"}")},
	{.fault = FAULT_UNAVAILABLE}},
    {"a code cut off", {SENT(400), .type = PROBLEM, BODY("{\"code\":\"too-l")},
	{.fault = FAULT_UNAVAILABLE}},
    {"a code whose end may be cut off",
	{SENT(400), .type = PROBLEM, BODY("{\"code\":\"too-long")},
	{.fault = FAULT_UNAVAILABLE}},
    {"a name cut off",
	{SENT(400), .type = PROBLEM, .text = "{\"code\":\"too-long\"}",
	    .len = 8},
	{.fault = FAULT_UNAVAILABLE}},
    {"no document", {SENT(400), .type = PROBLEM, .text = ""},
	{.fault = FAULT_UNAVAILABLE}},
};

/* What the user is told of lines that were certainly not counted. */
static const struct {
	const char *what;
	struct http_answer answer;
	const char *detail, *remedy; /* a part of each, NULL: there is none */
} told[] = {
    {"no token", {SENT(401)}, "accept the token", "a token is needed"},
    {"a token", {SENT(401), .token = true}, "accept the token", "not known"},
    {"barred", {SENT(403), .token = true}, "may not send", "can permit it"},
    {"no path", {SENT(404)}, "no such path", "--url"},
    {"no method", {SENT(405)}, "takes no increments", "--url"},
    {"slow", {SENT(408)}, "in time", "--single"},
    {"long", {SENT(413)}, "too long", "--single"},
    {"a proxy's 413", {SENT(413), .type = "text/html", BODY("too-long")},
	"too long", "--single"},
    {"body", {SENT(415)}, "no such body", "--url"},
    {"rate", {SENT(429)}, "rate of this client", "rate of this client"},
    {"head", {SENT(431)}, "head", "--token"},
    {"another", {SENT(418)}, "refused the request", "--url"},
    {"no keys",
	{SENT(400), .type = PROBLEM,
	    BODY("{\"code\":\"faulty-idempotency-key\"}")},
	"remembers no keys", "--no-keys"},
    {"another 400",
	{SENT(400), .type = PROBLEM, BODY("{\"code\":\"faulty-request\"}")},
	"refused the request", "--url"},
    {"a longer code",
	{SENT(400), .type = PROBLEM,
	    BODY("{\"code\":\"faulty-idempotency-key-of-others\"}")},
	"refused the request", "--url"},
    {"a shorter code",
	{SENT(400), .type = PROBLEM, BODY("{\"code\":\"faulty-idem\"}")},
	"refused the request", "--url"},
    {"busy", {SENT(503)}, NULL, NULL},
    {"moved", {SENT(308)}, "redirects", NULL},
    {"no trust", {.untrusted = true}, "not trusted", NULL},
    {"never sent", {.status = 0}, "not reached", NULL},
    {"no answer", {SENT(0)}, NULL, NULL},
    {"taken", {SENT(202)}, NULL, NULL},
    {"in doubt", {SENT(502)}, NULL, NULL},
    {"with a code",
	{SENT(413), .type = PROBLEM, BODY("{\"code\":\"too-long\"}")}, NULL,
	NULL},
};

static bool
says(const char *text, const char *part)
{
	return part == NULL ? text == NULL
			    : text != NULL && strstr(text, part) != NULL;
}

static void
explained(void)
{
	static const char end[] = ", the increment was not counted";

	for (size_t i = 0; i < check_n(told); i++) {
		struct http_answer a = told[i].answer;
		struct http_verdict v;

		if (a.text == NULL)
			a.text = "";
		v = http_verdict_of(&a);
		check(says(v.detail, told[i].detail), "%s: %s", told[i].what,
		    v.detail == NULL ? "-" : v.detail);
		check(v.detail == NULL || says(v.detail, end), "%s: %s",
		    told[i].what, v.detail);
		check(says(v.remedy, told[i].remedy), "%s: %s", told[i].what,
		    v.remedy == NULL ? "-" : v.remedy);
	}
}

int
main(void)
{
	explained();
	for (size_t i = 0; i < check_n(cases); i++) {
		const struct http_verdict *is, *due = &cases[i].verdict;
		struct http_answer a = cases[i].answer;
		struct http_verdict v;

		if (a.text == NULL)
			a.text = "";
		v = http_verdict_of(&a);
		is = &v;
		check(is->kind == due->kind, "%s: kind %d", cases[i].what,
		    (int)is->kind);
		check(is->fault == due->fault, "%s: %s", cases[i].what,
		    fault_code(is->fault));
		check(is->retry_after_ms == due->retry_after_ms, "%s",
		    cases[i].what);
		check(is->limited == (a.status == 429), "%s", cases[i].what);
		check(is->len == due->len &&
			  (due->text == NULL || is->text == a.text),
		    "%s", cases[i].what);
	}
	return check_end();
}
