/* Tokens and rates at the head of a request. */
#include "check.h"
#include "serve/access.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/reason.h"
#include "base/sha256.h"

static const struct loop no_loop; /* used with a Redis only */
static char path[] = "/tmp/test_access.XXXXXX";

/* A head with these fields, from an address. */
static enum decision
enter(struct access *a, const char *fields, const char *from,
    struct client *ret_client, struct response *ret)
{
	static char text[1024];
	struct http_parser h = {0};
	struct address_trust one = {0};
	struct origin origin = {0};
	size_t eaten;
	int n = snprintf(text, sizeof text,
	    "POST /increment HTTP/1.1\r\nHost: x\r\n%s\r\n", fields);

	check(address_trust(&one, from) == 0, "%s", from);
	if (one.unix_sockets)
		memset(&origin.peer, 0xff, sizeof origin.peer);
	else
		origin.peer = one.nets[0];
	check(http_parser_step(&h, text, (size_t)n, &eaten) == HTTP_HEAD, "%s",
	    text);
	*ret_client = (struct client){0};
	*ret = (struct response){0};
	return access_check(a,
	    &(struct request_head){&h.request, text, &origin}, ret_client, ret);
}

/* Writes "name SHA-256 of secret, more" as the file of tokens. */
static void
write_tokens(const char *const lines[][3], size_t n)
{
	FILE *f = fopen(path, "w");

	check(f != NULL, "%s", path);
	for (size_t i = 0; i < n; i++) {
		uint8_t digest[SHA256_BYTES];
		char hex[2 * SHA256_BYTES + 1] = "";

		check(sha256_digest(lines[i][1], strlen(lines[i][1]), digest) ==
			  0,
		    "digest");
		hex_write(hex, digest, sizeof digest);
		fprintf(f, "%s %s %s\n", lines[i][0], hex, lines[i][2]);
	}
	fclose(f);
}

static void
open_access(struct access *a, const struct access_options *o)
{
	char why[REASON_MAX] = "";

	check(access_open(a, o, &no_loop, why) == 0, "%s", why);
}

static void
test_open_to_all(void)
{
	struct access_options o = {0};
	struct access a = {0};
	struct client c;
	struct response r;

	open_access(&a, &o);
	check(enter(&a, "", "unix", &c, &r) == DECISION_READ, "all may");
	check(c.limit.per_s == 0, "no limit");
	check(access_take(&a, &c, RATELIMIT_UNITS_MAX, &r) == DECISION_READ,
	    "any number");
	access_close(&a);
}

static void
test_tokens(void)
{
	static const char *const lines[][3] = {{"shop", "secret", "5/s:10"},
	    {"mill", "other", ""}, {"old", "barred", "-"}};
	static const struct {
		const char *fields;
		enum http_status status; /* 0: may */
		const char *challenge;   /* its end */
	} cases[] = {
	    {"", HTTP_401, "realm=\"incr\""},
	    {"Authorization: Basic secret\r\n", HTTP_401, "realm=\"incr\""},
	    {"Authorization: Bearer \r\n", HTTP_401, "realm=\"incr\""},
	    {"Authorization: Bearer secre\r\n", HTTP_401,
		"error=\"invalid_token\""},
	    {"Authorization: Bearer barred\r\n", HTTP_403,
		"error=\"insufficient_scope\""},
	    {"Authorization: Bearer secret\r\n", 0, NULL},
	    {"Authorization: bEARER    secret\r\n", 0, NULL},
	};
	struct access_options o = {.tokens = path, .rate = {7, 8}};
	struct access a = {0};
	struct client c;
	struct response r;
	char why[REASON_MAX] = "";

	write_tokens(lines, check_n(lines));
	open_access(&a, &o);
	for (size_t i = 0; i < check_n(cases); i++) {
		enum decision d = enter(&a, cases[i].fields, "::1", &c, &r);

		check((d == DECISION_READ) == (cases[i].status == 0), "%s",
		    cases[i].fields);
		check(r.status == cases[i].status, "%s: %u", cases[i].fields,
		    (unsigned)r.status);
		if (cases[i].challenge != NULL)
			check(
			    r.challenge != NULL &&
				strstr(r.challenge, cases[i].challenge) != NULL,
			    "%s", cases[i].fields);
		else
			check(strcmp(c.name, "shop") == 0 && c.own_limit &&
				  c.limit.per_s == 5 && c.limit.burst == 10,
			    "its own rate: %s", c.name);
	}
	check(enter(&a, "Authorization: Bearer other\r\n", "::1", &c, &r) ==
		      DECISION_READ &&
		  !c.own_limit && c.limit.per_s == 7 && c.limit.burst == 8,
	    "everybody's rate");

	/* Another file, then a faulty one, which changes nothing. */
	write_tokens(&lines[1], 1);
	check(access_reload(&a, why) == 0, "%s", why);
	check(enter(&a, "Authorization: Bearer secret\r\n", "::1", &c, &r) ==
		  DECISION_ANSWER,
	    "it is no more");
	unlink(path);
	check(
	    access_reload(&a, why) < 0 && strstr(why, path) != NULL, "%s", why);
	check(enter(&a, "Authorization: Bearer other\r\n", "::1", &c, &r) ==
		  DECISION_READ,
	    "the tokens stay");
	access_close(&a);
}

/* Whose rate it is, without tokens: the address, if it can be believed. */
static void
test_addresses(void)
{
	static const struct {
		const char *from, *fields;
		bool taken; /* the one unit was already */
	} cases[] = {
	    {"192.0.2.1", "", false},
	    {"192.0.2.1", "", true},
	    {"192.0.2.2", "", false},
	    {"2001:db8::1", "", false},
	    {"2001:db8::ffff", "", true}, /* the same /64 */
	    {"2001:db8:0:1::1", "", false},
	    /* From a trusted proxy, and from another one. */
	    {"10.0.0.1", "X-Forwarded-For: 192.0.2.3\r\n", false},
	    {"10.0.0.1", "X-Forwarded-For: 192.0.2.3\r\n", true},
	    {"10.0.0.1", "X-Forwarded-For: 192.0.2.4\r\n", false},
	    {"192.0.2.1", "X-Forwarded-For: 192.0.2.5\r\n", true},
	};
	struct access_options o = {.rate = {1, 1}};
	struct access a = {0};
	struct client c;
	struct response r;

	check(address_trust(&o.trust, "10.0.0.0/8") == 0, "trust");
	open_access(&a, &o);
	for (size_t i = 0; i < check_n(cases); i++) {
		check(enter(&a, cases[i].fields, cases[i].from, &c, &r) ==
			  DECISION_READ,
		    "%zu", i);
		check((access_take(&a, &c, 1, &r) == DECISION_ANSWER) ==
			  cases[i].taken,
		    "%zu: %s %s", i, cases[i].from, cases[i].fields);
	}
	access_close(&a);
}

static void
test_rate(void)
{
	struct access_options o = {.rate = {1, 3}};
	struct access a = {0};
	struct client c;
	struct response r;

	open_access(&a, &o);
	check(enter(&a, "", "unix", &c, &r) == DECISION_READ, "may");
	check(access_take(&a, &c, 1, &r) == DECISION_READ, "the first");
	check(access_take(&a, &c, 3, &r) == DECISION_ANSWER, "all or none");
	check(r.status == HTTP_429 && r.quota == 1 && r.left == 2 &&
		  r.retry_s == 1 && strcmp(r.policy, "default") == 0,
	    "%u left, %u s", r.left, r.retry_s);
	check(access_take(&a, &c, 2, &r) == DECISION_READ, "the rest");
	/* What is owed is paid for before anything is let in. */
	access_owe(&a, &c, 10);
	check(access_take(&a, &c, 1, &r) == DECISION_ANSWER && r.left == 0 &&
		  r.retry_s >= 10,
	    "%u s", r.retry_s);
	c.own_limit = true;
	check(access_take(&a, &c, 1, &r) == DECISION_ANSWER &&
		  strcmp(r.policy, "token") == 0,
	    "%s", r.policy);
	access_close(&a);
}

/* The other lines of a request: all or none. */
static void
test_lines(void)
{
	struct access_options o = {.rate = {1, 3}};
	struct access a = {0};
	struct client c;
	struct response r;
	int64_t wait_ms;

	open_access(&a, &o);
	check(enter(&a, "", "unix", &c, &r) == DECISION_READ, "may");
	check(access_limits(&c) && access_left(&a, &c, &wait_ms) == 3 &&
		  wait_ms == 0,
	    "3 left");
	check(access_take(&a, &c, 1, &r) == DECISION_READ, "the first");
	check(access_take_more(&a, &c, 63, &r) == DECISION_ANSWER &&
		  r.status == HTTP_429 && r.most == 63 && r.left == 2 &&
		  r.retry_s == 1,
	    "never: %u, %u s", r.most, r.retry_s);
	check(access_take_more(&a, &c, 62, &r) == DECISION_READ, "63 in all");
	check(access_left(&a, &c, &wait_ms) == 0 && wait_ms > 60000 &&
		  wait_ms <= 61000,
	    "%jd ms", (intmax_t)wait_ms);
	check(access_take_more(&a, &c, 9, &r) == DECISION_ANSWER &&
		  r.most == 0 && r.retry_s > 9,
	    "later: %u s", r.retry_s);
	r = access_refusal(&a, &c);
	check(r.status == HTTP_429 && r.retry_s == 61, "%u s", r.retry_s);
	access_close(&a);
}

/* Who takes a place. */
static void
test_identity(void)
{
	static const char *const other = "X-Forwarded-For: 192.0.2.9\r\n";
	struct access_options o = {0};
	struct access a = {0};
	struct client c[3];
	struct http_parser h = {0};
	struct origin from = {0};
	char text[128];
	size_t eaten;
	int n;

	open_access(&a, &o);
	for (size_t i = 0; i < 3; i++) {
		memset(&from.peer, i == 2 ? 1 : 0xff, sizeof from.peer);
		n = snprintf(text, sizeof text,
		    "POST /increments HTTP/1.1\r\nHost: x\r\n%s\r\n",
		    i == 0 ? "" : other);
		h = (struct http_parser){0};
		check(
		    http_parser_step(&h, text, (size_t)n, &eaten) == HTTP_HEAD,
		    "%s", text);
		access_identify(
		    &a, &(struct request_head){&h.request, text, &from}, &c[i]);
	}
	check(memcmp(&c[0].who, &c[1].who, sizeof c[0].who) != 0 &&
		  memcmp(&c[1].who, &c[2].who, sizeof c[0].who) != 0,
	    "a Unix socket is believed, another peer is not");
	access_close(&a);
}

int
main(void)
{
	int fd = mkstemp(path);

	check(fd >= 0, "%s", path);
	close(fd);
	test_open_to_all();
	test_tokens();
	test_addresses();
	test_rate();
	test_lines();
	test_identity();
	unlink(path);
	return check_end();
}
