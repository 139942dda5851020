/* Requests and the answers of their paths. */
#include "serve_parts.h"

#include <netinet/in.h>

#include "net/address.h"

#define HEAD(line_, fields_) line_ " HTTP/1.1\r\nHost: x\r\n" fields_ "\r\n"

static const struct origin front = {.role = ROUTES_FRONT},
			   metrics = {.role = ROUTES_METRICS},
			   surplus = {.role = ROUTES_FRONT, .surplus = true};

static void
test_heads(void)
{
	static const struct {
		const char *text;
		const struct origin *from;
		enum http_status status; /* 0: read on */
		const char *code, *allow;
		size_t limit;
		bool close;
	} cases[] = {
	    {HEAD("POST /increment", ""), &front, 0, NULL, NULL, 4096, false},
	    {HEAD("POST /increment?a=b", ""), &front, 0, NULL, NULL, 4096,
		false},
	    {HEAD("POST /increments", ""), &front, 0, NULL, NULL, 1 << 20,
		false},
	    {HEAD("GET /health/live", ""), &front, 0, NULL, NULL, 4096, true},
	    {HEAD("HEAD /health/ready", ""), &front, 0, NULL, NULL, 4096, true},
	    {HEAD("GET /metrics", ""), &metrics, 0, NULL, NULL, 4096, false},
	    {HEAD("GET /metrics", ""), &front, HTTP_404, "not-found", NULL, 0,
		false},
	    {HEAD("POST /increment", ""), &metrics, HTTP_404, "not-found", NULL,
		0, false},
	    {HEAD("POST /incremen", ""), &front, HTTP_404, "not-found", NULL, 0,
		false},
	    {HEAD("GET /increment", ""), &front, HTTP_405, "method-not-allowed",
		"POST", 4096, false},
	    {HEAD("POST /health/live", ""), &front, HTTP_405,
		"method-not-allowed", "GET, HEAD", 4096, true},
	    {HEAD("GET /health/live", ""), &surplus, HTTP_503, "unavailable",
		NULL, 0, true},
	    {HEAD("POST /increment", "Idempotency-Key: abc\r\n"), &front, 0,
		NULL, NULL, 4096, false},
	    {HEAD("POST /increment", "Idempotency-Key: \"abc\r\n"), &front,
		HTTP_400, "faulty-idempotency-key", NULL, 4096, false},
	};

	parts_open(16, 2, true);
	for (size_t i = 0; i < check_n(cases); i++) {
		struct response a;
		enum decision d;
		struct exchange *x =
		    parts_begin(cases[i].text, cases[i].from, &d, &a);

		check(d == (cases[i].status == 0 ? DECISION_READ
						 : DECISION_ANSWER),
		    "%s", cases[i].text);
		check(a.status == cases[i].status, "%s: %u", cases[i].text,
		    (unsigned)a.status);
		check(
		    (a.code == NULL) == (cases[i].code == NULL) &&
			(a.code == NULL || strcmp(a.code, cases[i].code) == 0),
		    "%s", cases[i].text);
		check((a.allow == NULL) == (cases[i].allow == NULL) &&
			  (a.allow == NULL ||
			      strcmp(a.allow, cases[i].allow) == 0),
		    "%s", cases[i].text);
		check(x->limit == cases[i].limit, "%s: %zu", cases[i].text,
		    x->limit);
		check(x->close == cases[i].close, "%s", cases[i].text);
		exchange_free(x);
	}
	parts_close();
}

/* Verdicts of exactly as many bytes as one read takes: the next one would wait
 * for ever, since standard input blocks. */
static void
test_whole_read(void)
{
	enum { VERDICTS = 32, SIZE = LINES_READ_SIZE / VERDICTS };
	static char text[LINES_READ_SIZE + 1];
	struct exchange *x[VERDICTS];
	struct response a;
	enum decision d;

	parts_open(VERDICTS, 2, true);
	check(fcntl(parts.verdicts, F_SETPIPE_SZ, 1 << 20) > 0 &&
		  fcntl(parts.backend.in.fd, F_SETFL, 0) == 0,
	    "a pipe that blocks");
	memset(text, ' ', LINES_READ_SIZE);
	for (size_t i = 0; i < VERDICTS; i++) {
		x[i] = parts_begin(HEAD("POST /increment", ""), NULL, &d, &a);
		x[i]->whole = true;
		(void)parts.handler.end(&parts.routes, x[i], "a", 1, &a);
		text[i * SIZE] = '\t';
		text[(i + 1) * SIZE - 1] = '\n';
	}
	(void)parts_lines();
	alarm(10);
	parts_answer(text);
	alarm(0);
	check(parts.n_got == VERDICTS, "%zu", parts.n_got);
	for (size_t i = 0; i < VERDICTS; i++)
		exchange_free(x[i]);
	parts_close();
}

/* One line out, one verdict in. */
static void
test_increment(void)
{
	static const struct {
		const char *verdict;
		enum http_status status;
	} cases[] = {
	    {"\t{\"key\":\"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11\","
	     "\"value\":1}\n",
		HTTP_202},
	    {"\t{\"error\":{\"code\":\"missing-key\",\"detail\":\"\","
	     "\"line\":2}}\n",
		HTTP_400},
	    {"\t{\"error\":{\"code\":\"unavailable\",\"detail\":\"\","
	     "\"line\":3}}\n",
		HTTP_503},
	};
	struct response a;
	enum decision d;

	parts_open(16, 2, true);
	for (size_t i = 0; i < check_n(cases); i++) {
		struct exchange *x =
		    parts_begin(HEAD("POST /increment", ""), NULL, &d, &a);
		const char *text;

		x->whole = true;
		check(parts.handler.end(&parts.routes, x, "a\nb", 3, &a) ==
			  DECISION_READ,
		    "later");
		check(x->pending == 1, "one line");
		text = parts_lines();
		check(strcmp(text, "\ta b\n") == 0, "%s", text);
		parts_answer(cases[i].verdict);
		check(parts.n_got == i + 1 && parts_last()->x == x &&
			  parts_last()->decision == DECISION_ANSWER,
		    "%zu", i);
		check(x->pending == 0 &&
			  parts_last()->answer.status == cases[i].status,
		    "%zu: %u", i, (unsigned)parts_last()->answer.status);
		exchange_answer(x, &parts_last()->answer);
		exchange_free(x);
	}
	check(parts.metrics.series[SERVE_METRICS_202].value == 1 &&
		  parts.metrics.series[SERVE_METRICS_400].value == 1 &&
		  parts.metrics.series[SERVE_METRICS_503].value == 1 &&
		  parts.metrics.series[SERVE_METRICS_505].value == 0,
	    "each has its series");
	parts_close();
}

/* The key is a tag, if there are tags. */
static void
test_key(void)
{
	static const char text[] =
	    HEAD("POST /increment", "Idempotency-Key: abc\r\n");
	struct response a;
	enum decision d;
	struct exchange *x;

	parts_open(16, 2, true);
	x = parts_begin(text, NULL, &d, &a);
	check(parts.handler.end(&parts.routes, x, "{}", 2, &a) == DECISION_READ,
	    "later");
	check(strcmp(strchr(parts_lines(), '.'), ".1\t{}\n") == 0, "a tag");
	exchange_free(x);
	parts_close();

	parts_open(16, 2, false);
	x = parts_begin(text, NULL, &d, &a);
	check(d == DECISION_ANSWER && a.status == HTTP_400, "no tags, no keys");
	exchange_free(x);
	parts_close();
}

static void
test_full(void)
{
	struct exchange *all[3];
	struct response a;
	enum decision d;

	parts_open(2, 2, false);
	for (size_t i = 0; i < 3; i++) {
		all[i] = parts_begin(HEAD("POST /increment", ""), NULL, &d, &a);
		if (i < 2)
			check(parts.handler.end(&parts.routes, all[i], "a", 1,
				  &a) == DECISION_READ,
			    "room");
	}
	check(d == DECISION_ANSWER && a.status == HTTP_503 && a.retry_s > 0,
	    "%u", (unsigned)a.status);
	for (size_t i = 0; i < 3; i++)
		exchange_free(all[i]);
	parts_close();
}

static enum http_status
get(const char *text, const struct origin *from, struct response *ret)
{
	enum decision d;
	struct exchange *x = parts_begin(text, from, &d, ret);

	check(d == DECISION_READ, "%s", text);
	x->whole = true;
	check(
	    parts.handler.end(&parts.routes, x, "", 0, ret) == DECISION_ANSWER,
	    "%s", text);
	exchange_answer(x, ret);
	if (ret->text != NULL)
		ret->text = strndup(ret->text, ret->text_len);
	exchange_free(x);
	return ret->status;
}

/* A health check on a Unix socket ends its connection at once, and its figures
 * wait: those of nothing else. */
static void
test_checks(void)
{
	static const struct {
		const char *text;
		uint8_t family; /* of the client's address */
		bool at_once, check;
	} cases[] = {
	    {HEAD("GET /health/live", ""), AF_UNIX, true, true},
	    {HEAD("HEAD /health/ready", ""), AF_UNIX, true, true},
	    {HEAD("POST /health/live", ""), AF_UNIX, true, true},
	    {HEAD("GET /health/live", ""), AF_INET, false, true},
	    {HEAD("POST /increment", ""), AF_UNIX, false, false},
	    {HEAD("GET /increment", ""), AF_UNIX, false, false},
	    {HEAD("POST /increments", ""), AF_UNIX, false, false},
	    {HEAD("GET /health", ""), AF_UNIX, false, false},
	};

	parts_open(16, 2, false);
	for (size_t i = 0; i < check_n(cases); i++) {
		struct sockaddr_in peer = {.sin_family = cases[i].family};
		struct origin from = {.role = ROUTES_FRONT,
		    .peer = address_of((const struct sockaddr *)&peer)};
		struct response a = {.status = HTTP_200};
		enum decision d;
		struct exchange *x = parts_begin(cases[i].text, &from, &d, &a);

		check(x->at_once == cases[i].at_once, "%s", cases[i].text);
		parts.metrics.busy_ms = 0;
		exchange_answer(x, &a);
		check((parts.metrics.busy_ms == 0) == cases[i].check, "%s",
		    cases[i].text);
		exchange_free(x);
	}
	parts_close();
}

static void
test_gets(void)
{
	static const char live[] = HEAD("GET /health/live", ""),
			  ready[] = HEAD("GET /health/ready", "");
	struct response a;

	parts_open(16, 2, false);
	check(get(live, NULL, &a) == HTTP_200 && strcmp(a.text, "live\n") == 0,
	    "live");
	free(a.text);
	check(
	    get(ready, NULL, &a) == HTTP_200 && strcmp(a.text, "ready\n") == 0,
	    "ready");
	free(a.text);
	check(
	    get(HEAD("GET /metrics", ""), &metrics, &a) == HTTP_200 &&
		strstr(a.text, "incr_http_requests_total{code=\"200\"") != NULL,
	    "metrics");
	free(a.text);
	parts.routes.unready = true;
	check(get(ready, NULL, &a) == HTTP_503, "stopping");
	check(get(live, NULL, &a) == HTTP_200, "it lives on");
	free(a.text);
	check(failure_log_due(&parts.routes.failures) == IO_FOREVER,
	    "that is no failure");
	parts_close();
}

/* A cut one is answered with the reason; ours are logged. */
static void
test_cut(void)
{
	struct response a;
	struct failure f;
	enum decision d;
	struct exchange *x;

	parts_open(16, 2, false);
	x = parts_begin(HEAD("POST /increment", ""), NULL, &d, &a);
	a = (struct response){.status = HTTP_408, .code = "request-timeout"};
	check(parts.handler.cut(&parts.routes, x, &a) == DECISION_ANSWER &&
		  a.status == HTTP_408,
	    "as it is");
	exchange_answer(x, &a);
	check(!failure_log_next(&parts.routes.failures, 1, &f), "the client's");
	exchange_free(x);
	x = parts_begin(HEAD("POST /increment", ""), NULL, &d, &a);
	a = response_fault(FAULT_UNAVAILABLE);
	exchange_answer(x, &a);
	check(failure_log_next(&parts.routes.failures, 1, &f) &&
		  f.status == HTTP_503 && strcmp(f.code, "unavailable") == 0 &&
		  memcmp(f.trace.text, x->trace.text, sizeof f.trace.text) == 0,
	    "the server's");
	exchange_free(x);
	parts_close();
}

int
main(void)
{
	test_heads();
	test_increment();
	test_whole_read();
	test_key();
	test_full();
	test_checks();
	test_gets();
	test_cut();
	return check_end();
}
