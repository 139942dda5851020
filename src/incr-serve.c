/*
 * In: HTTP requests (POST /increment), and on standard input one verdict per
 * line written, in order.  Out: the body of each request as one line on
 * standard output; to the client 202 once its verdict says that Redis has
 * the increment, else an application/problem+json.
 *
 * Who owns an increment: the client, until it has read a 202, which is sent
 * only after the verdict.  503 is sent only for a line of which no byte was
 * written or that a verdict calls unavailable: it was certainly not counted.
 * Everything else that was written and has no verdict is 504: it may be.
 * Killed at any line: clients see a connection that ends without an answer,
 * which means the same as 504; lines written are still counted by those who
 * have them, and nothing is written twice.
 *
 * A verdict that is not the one awaited would pass other answers to the
 * wrong clients for ever: 504 for all in flight, and the end (101).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "buf.h"
#include "conn.h"
#include "door.h"
#include "fault.h"
#include "fdio.h"
#include "lines.h"
#include "msg.h"
#include "options.h"
#include "record.h"
#include "ring.h"
#include "served.h"
#include "tick.h"
#include "watch.h"

enum {
	LISTEN_MAX = 16,
	OUT_MAX = 1 << 20, /* bytes that wait for the pipe */
	FRESH_MS = 1000,   /* verdicts arrive: the oldest line is younger */
	FAREWELL_MS = 1000 /* for last answers to leave */
};

enum role { ROLE_INCREMENTS, ROLE_METRICS };

enum route { ROUTE_INCREMENT, ROUTE_LIVE, ROUTE_READY, ROUTE_METRICS, ROUTES };

static const struct {
	const char *path;
	enum role role;
	bool posts; /* POST, else GET and HEAD */
} routes[ROUTES] = {
    [ROUTE_INCREMENT] = {"/increment", ROLE_INCREMENTS, true},
    [ROUTE_LIVE] = {"/health/live", ROLE_INCREMENTS, false},
    [ROUTE_READY] = {"/health/ready", ROLE_INCREMENTS, false},
    [ROUTE_METRICS] = {"/metrics", ROLE_METRICS, false},
};

static struct {
	const char *listen[LISTEN_MAX];
	size_t n_listen;
	bool listen_given; /* by option or environment, not by default */
	const char *metrics, *port_file;
	bool tagged;
	uint64_t max_connections, max_in_flight;
	int64_t grace_ms, linger_ms, verdict_ms;
} opt;

enum stage {
	STAGE_RUNNING,
	STAGE_UNREADY,  /* told to stop; says so, but takes requests */
	STAGE_DRAINING, /* accepts nothing, reads the verdicts to their end */
	STAGE_LEAVING   /* all is answered; the last bytes are on their way */
};

static struct {
	enum stage stage;
	int64_t stage_due_ms;
	int64_t grace_due_ms;
	int status;         /* to exit with */
	int64_t refused_ms; /* of the last unavailable or unknown, or 0 */
	int64_t now_ms;     /* of this turn of the loop */
	bool stdin_is_file; /* always readable */
	bool stdout_closed;
	struct ring ring;
	struct lines verdicts;
	struct watch in, out, signals;
} s = {.status = EXIT_DELIVERED,
    .stage_due_ms = FDIO_FOREVER,
    .grace_due_ms = FDIO_FOREVER};

static int add_listen(void *dest, const char *text);
static void open_service(void);
static void open_doors(void);
static void open_door(const char *addr, enum role role);
static void write_ports(void);
static void run(void);
static int64_t next_deadline(void);
static void take_head(
    struct exchange *x, const struct http_request *r, const char *head);
static void answer_problem(struct exchange *x, uint16_t status,
    const char *code, const char *detail, const char *allow);
static void take_body(struct exchange *x, const char *body, size_t len);
static void refuse(struct exchange *x);
static void answer_text(struct exchange *x, const char *text);
static void answer_metrics(struct exchange *x);
static bool is_ready(void);
static void count_answer(const struct exchange *x);
static void write_lines(void);
static void lose_output(const char *why);
static void close_output(void);
static void read_verdicts(struct watch *w, uint32_t events);
static void take_verdict(const char *line, size_t len);
static int read_fault(
    const char *line, size_t len, uint64_t number, enum fault *ret);
static void end_verdicts(void);
static void expire_lines(int64_t then_ms);
static void tell(struct exchange *x, enum fault f);
static void take_signal(struct watch *w, uint32_t events);
static void look_at_output(struct watch *w, uint32_t events);
static void advance(void);
static void move(enum stage stage);
static void fail(int status);
static void break_off(int status);
static bool has_left(void);

static struct conn_policy policy = {
    .limit_ms = {[CONN_LINGERING] = FAREWELL_MS},
    .head = take_head,
    .body = take_body,
    .answered = count_answer};

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
	.kind = OPTIONS_CALL,
	.call = add_listen},
    {.letter = 't',
	.name = "tagged",
	.help = "lines and verdicts start with a tag and a TAB",
	.kind = OPTIONS_FLAG,
	.dest = &opt.tagged},
    {.letter = 'g',
	.name = "grace",
	.arg = "SECONDS",
	.def = "10",
	.help = "time to finish in after a signal",
	.kind = OPTIONS_SECONDS,
	.dest = &opt.grace_ms,
	.max = 3600000},
    {.name = "metrics",
	.arg = "ADDR",
	.help = "serve GET /metrics there",
	.kind = OPTIONS_TEXT,
	.dest = &opt.metrics},
    {.name = "port-file",
	.arg = "FILE",
	.help = "write the TCP ports there, one per line",
	.kind = OPTIONS_TEXT,
	.dest = &opt.port_file},
    {.name = "max-connections",
	.arg = "N",
	.def = "10000",
	.help = "more wait to be accepted",
	.kind = OPTIONS_NUMBER,
	.dest = &opt.max_connections,
	.min = 1,
	.max = 1000000},
    {.name = "max-in-flight",
	.arg = "N",
	.def = "16384",
	.help = "lines without verdict; more are answered 503",
	.kind = OPTIONS_NUMBER,
	.dest = &opt.max_in_flight,
	.min = 1,
	.max = 1000000},
    SECONDS("linger", "2", &opt.linger_ms, 0,
	"say unready for so long before stopping"),
    SECONDS("head-timeout", "10", &policy.limit_ms[CONN_HEAD], 10,
	"time for a head"),
    SECONDS("body-timeout", "10", &policy.limit_ms[CONN_BODY], 10,
	"time for a body"),
    SECONDS("verdict-timeout", "6", &opt.verdict_ms, 10,
	"time for a verdict; longer than incr-publish waits"),
    SECONDS("write-timeout", "10", &policy.limit_ms[CONN_WRITING], 10,
	"time for a client to read on"),
    SECONDS("idle-timeout", "150", &policy.limit_ms[CONN_IDLE], 10,
	"time between requests"),
};

static const struct options_prog prog = {.name = "incr-serve",
    .purpose = "Takes increments over HTTP, answers as the verdicts come.",
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs};

int
main(int argc, char **argv)
{
	msg_name(prog.name);
	options_parse(&prog, argc, argv);
	open_service();
	open_doors();
	run();
	door_close();
	served_close();
	return s.status;
}

/* -- start --------------------------------------------------------------- */

/* Called for the default, the environment, then each -l; arguments take the
 * place of what came before them. */
static int
add_listen(void *dest, const char *text)
{
	static const char separators[] = ", \t\n";
	static bool by_argument;

	(void)dest;
	if (optind > 1 && !by_argument) {
		by_argument = true;
		opt.n_listen = 0;
	}
	opt.listen_given = by_argument || getenv("INCR_LISTEN") != NULL;
	text += strspn(text, separators);
	if (*text == '\0')
		return -1;
	while (*text != '\0') {
		size_t len = strcspn(text, separators);
		char *addr =
		    opt.n_listen == LISTEN_MAX ? NULL : strndup(text, len);

		if (addr == NULL)
			return -1;
		opt.listen[opt.n_listen++] = addr;
		text += len + strspn(text + len, separators);
	}
	return 0;
}

static void
open_service(void)
{
	int fd = fdio_signals(NULL);

	if (fd < 0 || watch_open() < 0)
		msg_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	s.signals = (struct watch){.ready = take_signal, .fd = fd};
	s.in = (struct watch){.ready = read_verdicts, .fd = STDIN_FILENO};
	s.out = (struct watch){.ready = look_at_output, .fd = STDOUT_FILENO};
	if (lines_open(&s.verdicts, STDIN_FILENO,
		LINES_JSON_MAX + LINES_TAG_MAX + 1) < 0 ||
	    ring_open(&s.ring, opt.max_in_flight, OUT_MAX, opt.tagged) < 0)
		msg_die(EXIT_TEMPFAIL, "memory is short");
	fdio_output(STDOUT_FILENO);
	if (watch_set(&s.signals, EPOLLIN) < 0)
		msg_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	if (watch_set(&s.in, EPOLLIN) < 0) {
		if (errno != EPERM)
			msg_die(EXIT_TEMPFAIL, "stdin: %s", strerror(errno));
		s.stdin_is_file = true;
	}
	if (watch_set(&s.out, 0) < 0 && errno != EPERM)
		msg_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	if (served_open(prog.name) < 0)
		msg_say("metrics: %s", strerror(errno));
	conn_use(&policy);
}

static void
open_doors(void)
{
	const char *why;
	int inherited;

	door_limit(opt.max_connections);
	inherited = door_inherit(ROLE_INCREMENTS, &why);
	if (inherited < 0)
		msg_die(EXIT_CONFIG, "LISTEN_FDS: %s", why);
	if (inherited > 0 && !opt.listen_given)
		opt.n_listen = 0;
	for (size_t i = 0; i < opt.n_listen; i++)
		open_door(opt.listen[i], ROLE_INCREMENTS);
	if (opt.metrics != NULL)
		open_door(opt.metrics, ROLE_METRICS);
	if (opt.port_file != NULL)
		write_ports();
}

static void
open_door(const char *addr, enum role role)
{
	const char *why;

	if (door_open(addr, (uint8_t)role, &why) == 0)
		return;
	door_close();
	msg_die(EXIT_CONFIG, "%s: %s", addr, why);
}

/* Written aside and renamed: whoever sees the file sees all of it, after the
 * sockets listen. */
static void
write_ports(void)
{
	struct buf ports = {0};
	char aside[4096];
	int n = snprintf(aside, sizeof aside, "%s.new", opt.port_file), fd = -1;

	if (n > 0 && (size_t)n < sizeof aside)
		fd =
		    open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || door_ports(&ports) < 0 ||
	    fdio_write_all(fd, buf_ptr(&ports), ports.len, FDIO_FOREVER) < 0 ||
	    close(fd) < 0 || rename(aside, opt.port_file) < 0) {
		door_close();
		msg_die(EXIT_CONFIG, "%s: %s", opt.port_file, strerror(errno));
	}
	buf_free(&ports);
}

/* -- the loop ------------------------------------------------------------ */

static void
run(void)
{
	s.now_ms = tick_ms();
	if (s.stdin_is_file)
		read_verdicts(&s.in, EPOLLIN);
	while (!has_left()) {
		if (watch_wait(next_deadline()) < 0)
			msg_die(EXIT_TEMPFAIL, "epoll: %s", strerror(errno));
		s.now_ms = tick_ms();
		conn_tick(s.now_ms);
		expire_lines(s.now_ms - opt.verdict_ms);
		write_lines();
		advance();
		conn_flush();
		write_lines(); /* of requests that had to wait their turn */
	}
}

static int64_t
next_deadline(void)
{
	int64_t line_ms = ring_next(&s.ring), first = FDIO_FOREVER;
	int64_t due[] = {conn_deadline(), door_tick(s.now_ms),
	    served_tick(s.now_ms, conn_count(), ring_count(&s.ring)),
	    s.stage_due_ms, s.grace_due_ms,
	    line_ms == FDIO_FOREVER ? line_ms : line_ms + opt.verdict_ms};

	for (size_t i = 0; i < sizeof due / sizeof *due; i++)
		first = due[i] < first ? due[i] : first;
	return first;
}

/* -- requests ------------------------------------------------------------ */

static void
take_head(struct exchange *x, const struct http_request *r, const char *head)
{
	static const char posts[] = "POST", gets[] = "GET, HEAD";
	const char *path = head + r->path_at;
	enum role role = (enum role)conn_role(x);
	size_t i = 0;

	while (
	    i < ROUTES &&
	    (routes[i].role != role || strlen(routes[i].path) != r->path_len ||
		memcmp(routes[i].path, path, r->path_len) != 0))
		i++;
	if (i == ROUTES) {
		answer_problem(
		    x, 404, "not-found", "there is nothing here", NULL);
		return;
	}
	x->route = (uint8_t)i;
	x->limit = LINES_JSON_MAX;
	if (routes[i].posts
		? r->method != HTTP_METHOD_POST
		: r->method != HTTP_METHOD_GET && r->method != HTTP_METHOD_HEAD)
		answer_problem(x, 405, "method-not-allowed",
		    "the field Allow names the methods of this resource",
		    routes[i].posts ? posts : gets);
	else if (i == ROUTE_INCREMENT &&
		 (s.stdout_closed || ring_full(&s.ring)))
		refuse(x);
}

static void
answer_problem(struct exchange *x, uint16_t status, const char *code,
    const char *detail, const char *allow)
{
	conn_answer(x, &(struct answer){.status = status,
			   .code = code,
			   .detail = detail,
			   .allow = allow});
}

static void
take_body(struct exchange *x, const char *body, size_t len)
{
	switch ((enum route)x->route) {
	case ROUTE_INCREMENT:
		if (s.stdout_closed ||
		    ring_add(&s.ring, x, body, len, s.now_ms) < 0)
			refuse(x);
		else
			x->pending++;
		return;
	case ROUTE_LIVE: answer_text(x, "live\n"); return;
	case ROUTE_READY:
		if (is_ready())
			answer_text(x, "ready\n");
		else
			answer_problem(x, 503, "not-ready",
			    "verdicts do not arrive, or the server is stopping",
			    NULL);
		return;
	case ROUTE_METRICS: answer_metrics(x); return;
	case ROUTES: return;
	}
}

/* Certainly not counted: no byte of it was written. */
static void
refuse(struct exchange *x)
{
	struct answer a = answer_fault(FAULT_UNAVAILABLE);

	conn_answer(x, &a);
}

static void
answer_text(struct exchange *x, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		refuse(x);
	else
		conn_answer(x, &(struct answer){.status = 200,
				   .type = "text/plain; charset=utf-8",
				   .text = copy,
				   .text_len = strlen(copy)});
}

static void
answer_metrics(struct exchange *x)
{
	struct buf text = {0};

	if (served_scrape(&text) < 0) {
		buf_free(&text);
		refuse(x);
		return;
	}
	conn_answer(x, &(struct answer){.status = 200,
			   .type = "text/plain; version=0.0.4; charset=utf-8",
			   .text = text.data,
			   .text_len = text.len});
}

/*
 * Verdicts arrive if the oldest line without one is young, and the last one
 * did not say that Redis is away.  A second after that it is ready again,
 * so that a real request can find out: no increment is made up for it.
 */
static bool
is_ready(void)
{
	int64_t oldest_ms = ring_oldest(&s.ring);

	return s.stage == STAGE_RUNNING &&
	       (oldest_ms == FDIO_FOREVER || s.now_ms - oldest_ms < FRESH_MS) &&
	       (s.refused_ms == 0 || s.now_ms - s.refused_ms >= FRESH_MS);
}

static void
count_answer(const struct exchange *x)
{
	served_count(x->answer.status, tick_us() - x->began_us);
}

/* -- lines and verdicts -------------------------------------------------- */

static void
write_lines(void)
{
	if (s.stdout_closed)
		return;
	if (ring_write(&s.ring, STDOUT_FILENO) == 0)
		(void)watch_set(&s.out, 0);
	else if (errno != EAGAIN)
		lose_output(strerror(errno));
	else if (watch_set(&s.out, EPOLLOUT) < 0)
		lose_output(strerror(errno));
}

/* Nobody reads the lines any more: what was not written is not counted; what
 * was may still get its verdicts. */
static void
lose_output(const char *why)
{
	msg_say("stdout: %s", why);
	fail(EXIT_TEMPFAIL);
	move(STAGE_DRAINING);
	close_output();
}

/* The end of our output is the drain signal of those behind it. */
static void
close_output(void)
{
	void *x;

	if (s.stdout_closed)
		return;
	s.stdout_closed = true;
	while (ring_withdraw(&s.ring, &x))
		tell(x, FAULT_UNAVAILABLE);
	watch_forget(&s.out);
	if (lines_finish(STDOUT_FILENO) < 0) {
		msg_say("stdout: %s", strerror(errno));
		fail(EXIT_TEMPFAIL);
	}
}

static void
look_at_output(struct watch *w, uint32_t events)
{
	(void)w;
	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		lose_output(strerror(EPIPE));
}

static void
read_verdicts(struct watch *w, uint32_t events)
{
	enum lines_result got = LINES_LINE;
	const char *line;
	size_t len;

	(void)w;
	(void)events;
	if (lines_fill(&s.verdicts) < 0) {
		if (errno == EAGAIN)
			return;
		msg_say("stdin: %s", strerror(errno));
		break_off(EXIT_TEMPFAIL);
		return;
	}
	while (got == LINES_LINE && s.stage != STAGE_LEAVING) {
		got = lines_next(&s.verdicts, &line, &len);
		if (got == LINES_LINE)
			take_verdict(line, len);
	}
	if (got == LINES_TOO_LONG) {
		msg_say("stdin: a line is too long for a verdict");
		break_off(EXIT_BUG);
	}
	if (got == LINES_END)
		end_verdicts();
}

static void
take_verdict(const char *line, size_t len)
{
	enum fault f;
	uint64_t number;
	void *x = NULL;

	if (ring_verdict(&s.ring, &x, &number) < 0 ||
	    read_fault(line, len, number, &f) < 0) {
		msg_say("stdin: a verdict is not the one awaited");
		tell(x, FAULT_UNKNOWN);
		break_off(EXIT_BUG);
		return;
	}
	if (f == FAULT_UNAVAILABLE || f == FAULT_UNKNOWN)
		s.refused_ms = s.now_ms;
	else if (f == FAULT_NONE)
		s.refused_ms = 0;
	tell(x, f);
}

/* What the verdict on line number says.  0, or -1 if it can't be one. */
static int
read_fault(const char *line, size_t len, uint64_t number, enum fault *ret)
{
	struct record_error e;
	size_t tag_len;

	if (opt.tagged) {
		if (lines_split_tag(line, len, &tag_len) < 0)
			return -1;
		line += tag_len + 1;
		len -= tag_len + 1;
	}
	*ret = FAULT_NONE;
	if (record_kind(line, len) != RECORD_ERROR)
		return 0;
	if (record_parse_error(line, len, &e) < 0 || e.line != number)
		return -1;
	*ret = e.fault;
	return 0;
}

static void
end_verdicts(void)
{
	watch_forget(&s.in);
	if (s.stage == STAGE_LEAVING)
		return;
	if (s.stdout_closed && ring_count(&s.ring) == 0) {
		move(STAGE_LEAVING);
		return;
	}
	msg_say("stdin: the verdicts ended, %ju lines have none",
	    (uintmax_t)ring_count(&s.ring));
	break_off(EXIT_TEMPFAIL);
}

/* Answers the lines written at or before then_ms that have no verdict. */
static void
expire_lines(int64_t then_ms)
{
	enum ring_expired e;
	void *x;

	while ((e = ring_expire(&s.ring, then_ms, &x)) != RING_NONE)
		tell(x, e == RING_UNKNOWN ? FAULT_UNKNOWN : FAULT_UNAVAILABLE);
}

/* Gives a line's outcome to its request, if that still waits. */
static void
tell(struct exchange *x, enum fault f)
{
	struct answer a = answer_fault(f);

	if (x == NULL)
		return;
	x->pending--;
	conn_answer(x, &a);
}

/* -- leaving ------------------------------------------------------------- */

static void
take_signal(struct watch *w, uint32_t events)
{
	(void)events;
	while (fdio_signal(w->fd) > 0)
		move(STAGE_UNREADY);
}

/* What time or an empty pipe changes. */
static void
advance(void)
{
	switch (s.stage) {
	case STAGE_RUNNING:
	case STAGE_LEAVING: return;
	case STAGE_UNREADY:
		if (s.now_ms < s.stage_due_ms)
			return;
		move(STAGE_DRAINING);
		break;
	case STAGE_DRAINING: break;
	}
	if (s.ring.out.len == 0)
		close_output();
	if (s.now_ms < s.grace_due_ms)
		return;
	msg_say("stdin: the verdicts did not end within the grace, "
		"%ju lines have none",
	    (uintmax_t)ring_count(&s.ring));
	break_off(EXIT_TEMPFAIL);
}

/* The one place where the stage changes; never back. */
static void
move(enum stage stage)
{
	if (stage <= s.stage)
		return;
	s.stage = stage;
	s.stage_due_ms = FDIO_FOREVER;
	policy.closing = true;
	if (s.grace_due_ms == FDIO_FOREVER)
		s.grace_due_ms = tick_ms() + opt.grace_ms;
	switch (stage) {
	case STAGE_RUNNING: return;
	case STAGE_UNREADY:
		s.stage_due_ms = tick_ms() + opt.linger_ms;
		if (s.stage_due_ms > s.grace_due_ms)
			s.stage_due_ms = s.grace_due_ms;
		return;
	case STAGE_DRAINING: door_close(); return;
	case STAGE_LEAVING:
		door_close();
		s.stage_due_ms = tick_ms() + FAREWELL_MS;
		s.grace_due_ms = FDIO_FOREVER;
		return;
	}
}

/* The first failure is the one that counts, but for a bug. */
static void
fail(int status)
{
	if (s.status == EXIT_DELIVERED || status == EXIT_BUG)
		s.status = status;
}

/* No verdict can be relied on any more. */
static void
break_off(int status)
{
	fail(status);
	expire_lines(INT64_MAX - 1);
	move(STAGE_LEAVING);
}

/* All was answered, and the answers have left or had their time. */
static bool
has_left(void)
{
	return s.stage == STAGE_LEAVING &&
	       (s.now_ms >= s.stage_due_ms || conn_unsent() == 0);
}
