/* Formats HTTP responses and problem documents. */
#include "http/response.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { PROBLEM_MAX = 512, FIELDS_MAX = 512, RETRY_S = 1 };

static int add_accepted(struct buf *out);
static void format_fields(
    const struct response *a, char *ret_text, size_t size);
static size_t format_problem(
    const struct response *a, char *ret_text, size_t size);
static const char *date(void);

struct response
response_fault(enum fault f)
{
	struct response a = {.status = HTTP_400,
	    .code = fault_code(f),
	    .detail = fault_detail(f)};

	switch (f) {
	case FAULT_NONE: return (struct response){.status = HTTP_202};
	case FAULT_NOT_JSON:
	case FAULT_NOT_AN_OBJECT:
	case FAULT_MISSING_KEY:
	case FAULT_MISSING_VALUE:
	case FAULT_UNKNOWN_MEMBER:
	case FAULT_REPEATED_MEMBER:
	case FAULT_KEY_NOT_A_UUID:
	case FAULT_VALUE_NOT_AN_INTEGER:
	case FAULT_VALUE_OUT_OF_RANGE:
	case FAULT_NOT_TAGGED:
	case FAULT_FAULTY_HEADER:
	case FAULT_CONTROL_LINE:
	case FAULT_WRONG_SHARD: break;
	case FAULT_TOO_LONG: a.status = HTTP_413; break;
	case FAULT_IDEMPOTENCY_KEY_REUSED: a.status = HTTP_422; break;
	case FAULT_UNAVAILABLE:
		a.status = HTTP_503;
		a.retry_s = RETRY_S;
		break;
	case FAULT_UNKNOWN:
	case FAULT_COUNT: a.status = HTTP_504; break;
	}
	return a;
}

int
response_add(
    struct buf *out, const struct response *a, bool close, bool head_only)
{
	char problem[PROBLEM_MAX], fields[FIELDS_MAX];
	const char *text = a->text, *type = a->type;
	size_t len = a->text_len, before = out->len;

	if (a->status == HTTP_202 && a->text == NULL && a->first_line == 0 &&
	    a->more == NULL && !close)
		return add_accepted(out);
	if (a->code != NULL) {
		len = format_problem(a, problem, sizeof problem);
		text = problem;
		type = "application/problem+json";
	}
	format_fields(a, fields, sizeof fields);
	if (buf_addf(out,
		"HTTP/1.1 %u %s\r\nDate: %s\r\n%s%s%s%s%s%s"
		"Content-Length: %zu\r\n\r\n",
		(unsigned)a->status, http_status_phrase(a->status), date(),
		fields, a->more == NULL ? "" : a->more,
		close ? "Connection: close\r\n" : "",
		type == NULL ? "" : "Content-Type: ", type == NULL ? "" : type,
		type == NULL ? "" : "\r\n", len) == 0 &&
	    (head_only || buf_add(out, text, len) == 0))
		return 0;
	out->len = before;
	return -1;
}

/* The response to nearly every request, formatted once a second. */
static int
add_accepted(struct buf *out)
{
	static char text[128];
	static const char *dated;
	static int len;
	const char *now = date();

	if (dated == NULL || memcmp(dated, now, strlen(now)) != 0)
		len = 0;
	if (len == 0)
		len = snprintf(text, sizeof text,
		    "HTTP/1.1 202 Accepted\r\nDate: %s\r\n"
		    "Content-Length: 0\r\n\r\n",
		    now);
	dated = text + sizeof "HTTP/1.1 202 Accepted\r\nDate: " - 1;
	return buf_add(out, text, (size_t)len);
}

/* The optional fields, but for those of the body; all are constants or
 * numbers, and fit. */
static void
format_fields(const struct response *a, char *ret_text, size_t size)
{
	char *to = ret_text, *end = ret_text + size;

	*to = '\0';
	if (a->allow != NULL)
		to +=
		    snprintf(to, (size_t)(end - to), "Allow: %s\r\n", a->allow);
	if (a->encoding != NULL)
		to += snprintf(to, (size_t)(end - to),
		    "Accept-Encoding: %s\r\n", a->encoding);
	if (a->challenge != NULL)
		to += snprintf(to, (size_t)(end - to),
		    "WWW-Authenticate: %s\r\n", a->challenge);
	if (a->retry_s > 0)
		to += snprintf(to, (size_t)(end - to), "Retry-After: %ju\r\n",
		    (uintmax_t)a->retry_s);
	if (a->first_line > 0)
		to += snprintf(to, (size_t)(end - to),
		    "Incr-Line-Offset: %ju\r\n",
		    (uintmax_t)(a->first_line - 1));
	if (a->trace != NULL)
		to += snprintf(to, (size_t)(end - to), "traceresponse: %s\r\n",
		    a->trace->text);
	if (a->policy != NULL)
		snprintf(to, (size_t)(end - to),
		    "RateLimit-Policy: \"%s\";q=%ju;w=1\r\n"
		    "RateLimit: \"%s\";r=%ju;t=%ju\r\n",
		    a->policy, (uintmax_t)a->quota, a->policy,
		    (uintmax_t)a->left, (uintmax_t)a->retry_s);
}

/* Its members are constants without characters that JSON escapes. */
static size_t
format_problem(const struct response *a, char *ret_text, size_t size)
{
	static const char quota[] =
	    "https://iana.org/assignments/http-problem-types#quota-exceeded";
	bool limited = a->policy != NULL, named = a->trace != NULL;
	char most[16] = "";
	int n;

	if (a->most > 0)
		snprintf(most, sizeof most, " %ju", (uintmax_t)a->most);
	n = snprintf(ret_text, size,
	    "{\"type\":\"%s\",\"title\":\"%s\",\"status\":%u,"
	    "\"code\":\"%s\",\"detail\":\"%s%s\"%s%s%s%s%.*s%s}\n",
	    limited ? quota : "about:blank", http_status_phrase(a->status),
	    (unsigned)a->status, a->code, a->detail, most,
	    limited ? ",\"violated-policies\":[\"" : "",
	    limited ? a->policy : "", limited ? "\"]" : "",
	    named ? ",\"trace_id\":\"" : "", TRACEPARENT_ID,
	    named ? a->trace->text + TRACEPARENT_ID_AT : "", named ? "\"" : "");

	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

/* IMF-fixdate of RFC 9110, section 5.6.7. */
static const char *
date(void)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static char text[64];
	static time_t last = -1;
	time_t now = (time_t)(clock_unix_ms() / 1000);
	struct tm t;

	if (now == last || gmtime_r(&now, &t) == NULL)
		return text;
	last = now;
	snprintf(text, sizeof text, "%.3s, %02d %.3s %d %02d:%02d:%02d GMT",
	    days + 3 * t.tm_wday, t.tm_mday, months + 3 * t.tm_mon,
	    t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
	return text;
}
