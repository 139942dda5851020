/*
 * The HTTP server.  In: requests (POST /increment, POST /increments), and on
 * standard input one verdict per line written, in order.  Out: each increment
 * as one line on standard output; to the client 202 once the verdict says that
 * Redis has the increment, else an application/problem+json.
 *
 * Owner of an increment: the client, until it has read a 202, which is sent
 * only after the verdict.  503 is sent only for a line of which no byte was
 * written or that a verdict calls unavailable: it was certainly not counted.
 * Everything else that was written and has no verdict is 504: it may be.
 * Killed at any line: clients see a connection that ends without an answer,
 * which means the same as 504; lines written are still counted by the
 * programs that read them, and nothing is written twice.
 *
 * After a verdict out of order every later answer would go to the wrong
 * client: 504 for all lines in flight, and the end (101).
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/children.h"
#include "base/clock.h"
#include "base/findings.h"
#include "base/io.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/num.h"
#include "base/once.h"
#include "base/options.h"
#include "base/reason.h"
#include "base/sandbox.h"
#include "base/signals.h"
#include "serve/port_file.h"
#include "serve/serve_findings.h"
#include "serve/serve_notify.h"
#include "serve/server.h"
#include "serve/shutdown.h"

enum {
	LISTENERS_MAX = 16,
	CHILDREN_MS = 1000 /* for the rest of the pipeline to end */
};

static struct {
	char *listen[LISTENERS_MAX]; /* owned */
	size_t n_listen;
	bool listen_given; /* by option or environment, not by default */
	const char *metrics, *port_file;
	int64_t grace_ms, unready_ms;
	struct access_options access;
	struct server_options server;
	const char *redis;
	bool rate_shared;
	bool open; /* no tokens needed, whatever the address */
	bool check;
} opt = {.server = {.access = &opt.access,
	     .backend = {.in_fd = STDIN_FILENO, .out_fd = STDOUT_FILENO},
	     .limit_ms = {[CONN_LINGERING] = SHUTDOWN_LINGER_MS}}};

static struct {
	struct server server;
	struct shutdown shutdown;
	struct loop_fd signals;
	struct sandbox sandbox;
} s = {.sandbox = {.needs = SANDBOX_ACCEPT}};

static const char *add_listen(void *dest, const char *text);
static const char *set_metrics(void *dest, const char *text);
static const char *set_rate(void *dest, const char *text);
static const char *add_trust(void *dest, const char *text);
static const char *set_cors(void *dest, const char *text);
static void drop_listens(void);
static int dry_run(void);
static void open_server(void);
static void open_sockets(void);
static void open_socket(struct acceptor *a, const char *addr, uint8_t role);
static void refuse_exposure(const struct acceptor *a, const char *where);
static void enter_sandbox(void);
static void run(void);
static void log_failure(int64_t now_ms);
static int64_t next_deadline(void);
static void take_signal(struct loop_fd *w, uint32_t events);
static void reload(void);

#define SECONDS(name_, def_, dest_, min_, help_) \
	{ \
		.name = name_, .arg = "SECONDS", .def = def_, .help = help_, \
		.kind = OPTIONS_SECONDS, .dest = dest_, .min = min_, \
		.max = 3600000 \
	}

static const struct option_def defs[] = {
    {.letter = 'l',
	.name = "listen",
	.arg = "ADDR",
	.env = "INCR_LISTEN",
	.def = "127.0.0.1:8080",
	.help = "host:port, :port or path; repeatable",
	.kind = OPTIONS_LIST,
	.call = add_listen,
	.given = &opt.listen_given},
    {.letter = 't',
	.name = "tagged",
	.help = "lines and verdicts start with a tag and a TAB",
	.kind = OPTIONS_FLAG,
	.dest = &opt.server.backend.tagged},
    OPTIONS_GRACE(&opt.grace_ms, "time to finish in after a signal"),
    {.name = "tokens",
	.arg = "FILE",
	.env = "INCR_TOKENS",
	.help = "bearer tokens: name, sha256, rate per line",
	.kind = OPTIONS_FILE,
	.dest = &opt.access.tokens},
    {.name = "open",
	.help = "no tokens, though other hosts reach an address",
	.kind = OPTIONS_FLAG,
	.dest = &opt.open},
    {.name = "rate",
	.arg = "RATE",
	.env = "INCR_RATE",
	.help = "N/s[:BURST] for each client without its own",
	.kind = OPTIONS_CALL,
	.dest = &opt.access.rate,
	.call = set_rate},
    {.name = "rate-shared",
	.env = "INCR_RATE_SHARED",
	.help = "all servers of a Redis share the rates",
	.kind = OPTIONS_FLAG,
	.dest = &opt.rate_shared},
    OPTIONS_REDIS(&opt.redis, "for --rate-shared"),
    {.name = "trust",
	.arg = "PEER",
	.env = "INCR_TRUST",
	.help = "CIDR or unix: its X-Forwarded-For counts; repeatable",
	.kind = OPTIONS_LIST,
	.dest = &opt.access.trust,
	.call = add_trust},
    {.name = "cors",
	.arg = "ORIGIN",
	.env = "INCR_CORS",
	.help = "pages of this origin may send increments; * for all",
	.kind = OPTIONS_CALL,
	.dest = &opt.server.cors,
	.call = set_cors},
    {.name = "metrics",
	.arg = "ADDR",
	.help = "serve GET /metrics there",
	.kind = OPTIONS_CALL,
	.dest = &opt.metrics,
	.call = set_metrics},
    {.name = "port-file",
	.arg = "FILE",
	.help = "write the TCP ports there, one per line",
	.kind = OPTIONS_TEXT,
	.dest = &opt.port_file},
    {.name = "max-connections",
	.arg = "N",
	.def = "10000",
	.help = "more are answered 503",
	.kind = OPTIONS_NUMBER,
	.dest = &opt.server.max_connections,
	.min = 1,
	.max = 1000000},
    {.name = "max-in-flight",
	.arg = "N",
	.def = "65536",
	.help = "lines without verdict; more are answered 503",
	.kind = OPTIONS_NUMBER,
	.dest = &opt.server.backend.max_lines,
	.min = 1,
	.max = 1000000},
    {.name = "max-batches",
	.arg = "N",
	.def = "64",
	.help = "requests of many lines; more are answered 503",
	.kind = OPTIONS_NUMBER,
	.dest = &opt.server.max_bulk_requests,
	.min = 1,
	.max = 10000},
    SECONDS("linger", "4", &opt.unready_ms, 0,
	"say unready for so long before own sockets close"),
    SECONDS("head-timeout", "10", &opt.server.limit_ms[CONN_HEAD], 10,
	"time for a head"),
    SECONDS("body-timeout", "10", &opt.server.limit_ms[CONN_BODY], 10,
	"time for a body"),
    SECONDS("verdict-timeout", "6", &opt.server.backend.verdict_ms, 10,
	"time for a verdict; longer than incr-publish waits"),
    SECONDS("write-timeout", "10", &opt.server.limit_ms[CONN_WRITING], 10,
	"time for a client to read on"),
    SECONDS("idle-timeout", "150", &opt.server.limit_ms[CONN_IDLE], 10,
	"time between requests"),
    OPTIONS_CHECK(&opt.check),
    OPTIONS_SANDBOX(&s.sandbox),
};

static const struct options_prog prog = {.name = "incr-serve",
    .purpose = "Takes increments over HTTP, answers as the verdicts come.",
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .sandbox = &s.sandbox};

int
main(int argc, char **argv)
{
	log_name(prog.name);
	options_parse(&prog, argc, argv);
	if (opt.check)
		return dry_run();
	once_open(prog.name);
	if (notify_open() < 0)
		log_say("NOTIFY_SOCKET: %s", strerror(errno));
	open_server();
	open_sockets();
	enter_sandbox();
	run();
	log_failure(INT64_MAX);
	server_close(&s.server);
	return children_status(s.shutdown.status, CHILDREN_MS);
}

/* -- start --------------------------------------------------------------- */

static const char *
add_listen(void *dest, const char *text)
{
	const char *form;

	(void)dest;
	if (text == NULL) {
		drop_listens();
		return NULL;
	}
	form = listen_judge(text);
	if (form != NULL)
		return form;
	if (opt.n_listen == LISTENERS_MAX ||
	    (opt.listen[opt.n_listen] = strdup(text)) == NULL)
		return "ADDR, 16 at most";
	opt.n_listen++;
	return NULL;
}

static void
drop_listens(void)
{
	while (opt.n_listen > 0)
		free(opt.listen[--opt.n_listen]);
}

static const char *
set_metrics(void *dest, const char *text)
{
	const char *form = listen_judge(text);

	*(const char **)dest = text;
	return form;
}

static const char *
set_rate(void *dest, const char *text)
{
	return ratelimit_parse(text, dest) == 0
		   ? NULL
		   : "N/s or N/s:BURST, 1 to 1000000 each";
}

static const char *
add_trust(void *dest, const char *text)
{
	if (text == NULL)
		*(struct address_trust *)dest = (struct address_trust){0};
	else if (address_trust(dest, text) < 0)
		return "an address, a CIDR block or unix, at most 32";
	return NULL;
}

static const char *
set_cors(void *dest, const char *text)
{
	return cors_set(dest, text) == 0
		   ? NULL
		   : "*, or http[s]://host[:port] in lower case";
}

static int
dry_run(void)
{
	struct findings f = {0};
	bool exposed = opt.open || opt.access.tokens != NULL;

	for (size_t i = 0; i < opt.n_listen; i++)
		serve_findings_address(&f, opt.listen[i], exposed);
	if (opt.metrics != NULL)
		serve_findings_address(&f, opt.metrics, exposed);
	serve_findings_tokens(&f, opt.access.tokens);
	serve_findings_limit(&f, opt.server.max_connections);
	if (opt.rate_shared &&
	    (opt.access.tokens != NULL || opt.access.rate.per_s > 0))
		serve_findings_redis(&f, opt.redis);
	return findings_end(&f);
}

static void
open_server(void)
{
	static const int more[] = {SIGHUP, SIGCHLD, 0};
	char why[REASON_MAX];
	int fd = signals_open(opt.access.tokens == NULL ? more + 1 : more),
	    status;

	if (fd < 0)
		log_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	/* The variable is for all servers, also those without rates. */
	if (opt.rate_shared && opt.access.rate.per_s == 0 &&
	    opt.access.tokens == NULL && getenv("INCR_RATE_SHARED") == NULL)
		log_die(EXIT_CONFIG,
		    "--rate-shared: no rate; needs --rate, or --tokens");
	opt.access.redis = opt.rate_shared ? opt.redis : NULL;
	status = server_open(&s.server, &opt.server, why);
	if (status != 0)
		log_die(status, "%s", why);
	s.signals = (struct loop_fd){.ready = take_signal, .fd = fd};
	if (loop_set(&s.server.loop, &s.signals, EPOLLIN) < 0)
		log_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	shutdown_init(&s.shutdown, &s.server, opt.unready_ms, opt.grace_ms);
	if (serve_metrics_open(&s.server.metrics, prog.name) < 0)
		log_say("metrics: %s", strerror(errno));
}

static void
open_sockets(void)
{
	struct acceptor *front = &s.server.acceptor,
			*metrics = &s.server.metrics_acceptor;
	const char *why;
	int inherited;

	inherited = acceptor_inherit(front, ROUTES_FRONT, &why);
	if (inherited < 0)
		log_die(log_status(why), "LISTEN_FDS: %s", why);
	if (inherited > 0)
		refuse_exposure(front, "LISTEN_FDS");
	if (inherited > 0 && !opt.listen_given)
		drop_listens();
	for (size_t i = 0; i < opt.n_listen; i++)
		open_socket(front, opt.listen[i], ROUTES_FRONT);
	if (opt.metrics != NULL)
		open_socket(metrics, opt.metrics, ROUTES_METRICS);
	if (opt.port_file == NULL ||
	    port_file_write(opt.port_file, front, metrics) == 0)
		return;
	server_stop_accepting(&s.server);
	log_die(
	    EXIT_CONFIG, "--port-file: %s: %s", opt.port_file, strerror(errno));
}

static void
open_socket(struct acceptor *a, const char *addr, uint8_t role)
{
	const char *why;

	if (acceptor_open(a, addr, role, &why) == 0) {
		refuse_exposure(a, addr);
		return;
	}
	server_stop_accepting(&s.server);
	log_die(log_status(why), "%s: %s", addr, why);
}

/* Without tokens, on an address that other hosts reach, only if --open says
 * so. */
static void
refuse_exposure(const struct acceptor *a, const char *where)
{
	if (opt.open || opt.access.tokens != NULL || acceptor_is_local(a))
		return;
	server_stop_accepting(&s.server);
	log_die(EXIT_CONFIG,
	    "%s: reachable from other hosts: needs --tokens FILE or --open",
	    where);
}

/* What is still read: the tokens at SIGHUP, for --rate-shared what a connection
 * to Redis needs.  Sockets of our own are removed at the end. */
static void
enter_sandbox(void)
{
	struct sandbox *b = &s.sandbox;

	sandbox_file(b, opt.access.tokens, SANDBOX_READ);
	for (size_t i = 0; i < opt.n_listen; i++)
		if (strchr(opt.listen[i], '/') != NULL)
			sandbox_file(b, opt.listen[i], SANDBOX_REMOVE);
	if (opt.metrics != NULL && strchr(opt.metrics, '/') != NULL)
		sandbox_file(b, opt.metrics, SANDBOX_REMOVE);
	if (s.server.access.shared.session != NULL)
		options_allow(b, opt.redis);
	(void)sandbox_enter(b);
}

/* -- the loop ------------------------------------------------------------ */

static void
run(void)
{
	char unready[REASON_MAX];
	const char *why;

	for (;;) {
		why = shutdown_step(&s.shutdown, s.server.loop.time.now_ms);
		if (why != NULL)
			log_say("%s", why);
		server_send(&s.server);
		shutdown_close_output(&s.shutdown);
		if (failure_log_due(&s.server.routes.failures) != IO_FOREVER)
			log_failure(clock_ms());
		if (routes_why_unready(&s.server.routes, unready))
			log_say("%s", unready);
		if (shutdown_done(&s.shutdown))
			return;
		if (loop_wait(&s.server.loop, next_deadline()) < 0)
			log_die(EXIT_TEMPFAIL, "epoll: %s", strerror(errno));
	}
}

/* Logs a request that was answered 503 or 504, by the trace id in its
 * answer. */
static void
log_failure(int64_t now_ms)
{
	char more[64] = "";
	struct failure f;

	if (!failure_log_next(&s.server.routes.failures, now_ms, &f))
		return;
	if (f.others > 0)
		snprintf(
		    more, sizeof more, ", and %ju more", (uintmax_t)f.others);
	log_say("request %.*s: %u %s%s%s%s", TRACEPARENT_ID,
	    f.trace.text + TRACEPARENT_ID_AT, (unsigned)f.status, f.code,
	    f.why == NULL ? "" : ": ", f.why == NULL ? "" : f.why, more);
}

static int64_t
next_deadline(void)
{
	const struct judged_time *time = &s.server.loop.time;
	int64_t due_ms = server_tick(&s.server, time->now_ms);
	const char *why = ratelimit_shared_trouble(&s.server.access.shared);

	if (why != NULL)
		log_say("redis: %s; rate limits are not shared", why);
	due_ms = num_min(due_ms, serve_notify_tick(&s.shutdown, time->now_ms));
	return judged_time_due(
	    time, num_min(due_ms, shutdown_due(&s.shutdown)));
}

/* -- signals ------------------------------------------------------------- */

static void
take_signal(struct loop_fd *w, uint32_t events)
{
	int sig;

	(void)events;
	while ((sig = signals_next(w->fd)) > 0)
		if (sig == SIGHUP)
			reload();
		else if (sig == SIGCHLD)
			children_reap();
		else
			shutdown_begin(&s.shutdown);
}

/* Reads the tokens again, between two requests. */
static void
reload(void)
{
	char why[REASON_MAX];
	size_t n;

	serve_notify_reload(s.server.loop.time.now_ms);
	if (access_reload(&s.server.access, why) < 0) {
		log_say("%s; keeping the tokens read before", why);
		return;
	}
	n = access_tokens(&s.server.access);
	log_note("%s: read again: %zu token%s", opt.access.tokens, n,
	    n == 1 ? "" : "s");
}
