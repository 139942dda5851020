/*
 * incr-send: sends increments over HTTP and writes one verdict per line.
 *
 * In: increments, one per line.  Out: one line per line, in order: the line
 * itself once the server has taken it, else an error line.
 *
 * What has come together goes in one request.  A line belongs to whoever
 * wrote it until its verdict is on standard output; a line without a verdict
 * may or may not have been counted.  A request is repeated, for a while,
 * under the key that it had the first time, and so counted once; without
 * keys only what was certainly not counted is sent again.  Killed at any
 * line: the lines read last are without a verdict, and their keys are lost;
 * with --key, which makes them of a name and the number of the input line, the
 * same input may be sent again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/metrics_list.h"
#include "base/num.h"
#include "base/options.h"
#include "base/sandbox.h"
#include "base/signals.h"
#include "send/http_client.h"
#include "send/key_field.h"
#include "send/line_window.h"
#include "send/progress.h"
#include "send/request_pool.h"
#include "send/retry.h"

#define DEAF \
	" without Incr-Line-Offset, which --key needs: " \
	"a server of an older release"

enum {
	SINGLE_LINES = 4,   /* lines per connection, one per request */
	BATCH_LINES = 1000, /* lines of one request */
	BATCHES = 16,       /* of lines in the window, many per request; and
			     * requests, of which a server has few places */
	OUT_MAX = 1 << 16,  /* bytes of verdicts that wait for a slow reader */
	SAY_AGAIN_MS = 60000,
	REPEAT_MS = 1500000 /* under half the time that servers keep a key */
};

enum input {
	INPUT_BUFFERED, /* lines may be in the buffer */
	INPUT_DRY,      /* standard input must be read */
	INPUT_ENDED,    /* no more comes: its end, or an error */
	INPUT_STOPPED   /* no more is taken, nothing is repeated: a signal, or
			 * the server is not the right one */
};

struct sender {
	struct http_client *client;
	enum input input;
	struct lines in;
	struct line_window window;
	struct request_pool pool;
	struct retry retry;
	struct buf out;
	int signals;
	int status;         /* EXIT_DELIVERED, or what is wrong but for lines */
	const char *detail; /* of the last answer in the outage */
	int64_t say_ms;     /* the next outage is said from then on */
	bool understood;    /* Incr-Line-Offset is, by the server */
	bool said[FAULT_COUNT]; /* of faults of all lines */
	struct progress progress;
};

static struct http_client_settings settings;
static int64_t wait_ms;
static const char *input_key;
static bool single, no_keys;
static struct sandbox sandbox = {.needs = SANDBOX_PAIR};

static const char *judge_url(void *dest, const char *text);
static const char *set_key(void *dest, const char *text);

static const struct option_def options[] = {
    {.letter = 'u',
	.name = "url",
	.arg = "URL",
	.env = "INCR_URL",
	.def = "http://localhost:3333/increment",
	.help = "where to send",
	.kind = OPTIONS_URL,
	.dest = &settings.url,
	.call = judge_url},
    {.letter = 'c',
	.name = "concurrency",
	.arg = "N",
	.def = "32",
	.help = "requests in flight",
	.kind = OPTIONS_NUMBER,
	.dest = &settings.max,
	.min = 1,
	.max = 512},
    OPTIONS_WAIT(&wait_ms, "30", 0, "how long to repeat requests"),
    {.name = "timeout",
	.arg = "SECONDS",
	.def = "20",
	.help = "how long to wait for an answer",
	.kind = OPTIONS_SECONDS,
	.dest = &settings.timeout_ms,
	.min = 100,
	.max = 600000},
    {.name = "single",
	.help = "one increment per request",
	.kind = OPTIONS_FLAG,
	.dest = &single},
    {.name = "key",
	.arg = "NAME",
	.help = "one Idempotency-Key for the whole input",
	.kind = OPTIONS_CALL,
	.dest = &input_key,
	.call = set_key},
    {.name = "no-keys",
	.help = "no Idempotency-Key; send nothing again in doubt",
	.kind = OPTIONS_FLAG,
	.dest = &no_keys},
    OPTIONS_CACERT(&settings.cacert),
    {.name = "token",
	.arg = "FILE",
	.env = "INCR_TOKEN",
	.help = "the bearer token, as @FILE",
	.kind = OPTIONS_SECRET,
	.dest = &settings.token},
    OPTIONS_SANDBOX(&sandbox),
};

static const struct options_prog prog = {.name = "incr-send",
    .purpose = "Sends increments over HTTP, writes one verdict per line.",
    .defs = options,
    .n_defs = sizeof options / sizeof *options,
    .sandbox = &sandbox};

enum { DELIVERED, REJECTED, UNAVAILABLE, UNKNOWN, REPEATS, IN_HAND, DURATION };

#define BY_VERDICT(v) METRIC_SEND_LINES, .labels = "verdict=\"" v "\""

static struct metric series[] = {
    [DELIVERED] = {BY_VERDICT("delivered")},
    [REJECTED] = {BY_VERDICT("rejected")},
    [UNAVAILABLE] = {BY_VERDICT("unavailable")},
    [UNKNOWN] = {BY_VERDICT("unknown")},
    [REPEATS] = {METRIC_SEND_REPEATS},
    [IN_HAND] = {METRIC_SEND_LINES_IN_HAND},
    [DURATION] = {METRIC_SEND_REQUEST_DURATION},
};

static void open_all(struct sender *s);
static void enter_sandbox(void);
static void open_window(struct sender *s);
static void run(struct sender *s);
static bool is_done(const struct sender *s);
static bool takes_lines(const struct sender *s, enum input from);
static void take_lines(struct sender *s);
static void send_requests(struct sender *s);
static void send_one(struct sender *s, struct send_request *r);
static void answer(struct sender *s, const struct http_client_result *got);
static void leave(struct sender *s, const struct http_client_result *got);
static bool may_repeat(struct sender *s, struct send_request *r,
    const struct http_client_result *got);
static void say_outage(struct sender *s, const struct http_client_result *got);
static void conclude(struct sender *s, const struct http_client_result *got);
static void give_up(struct sender *s);
static void write_verdicts(struct sender *s);
static void wait_for_work(struct sender *s);
static int64_t next_due(struct sender *s, int64_t due_ms);
static void count(struct sender *s);
static void read_input(struct sender *s);
static int finish(struct sender *s);
static int exit_status(const struct sender *s);
static void say_rejected(const struct line_window *w);

int
main(int argc, char **argv)
{
	struct sender s = {.input = INPUT_DRY};

	log_name(prog.name);
	options_parse(&prog, argc, argv);
	if (no_keys && input_key != NULL)
		log_die(EXIT_CONFIG, "--no-keys: contradicts --key");
	open_all(&s);
	run(&s);
	return finish(&s);
}

static const char *
set_key(void *dest, const char *text)
{
	size_t len = 0;

	while (text[len] >= ' ' && text[len] <= '~')
		len++;
	if (len == 0 || len > KEY_FIELD_KEY_MAX || text[len] != '\0')
		return "1 to 255 printable characters of ASCII";
	*(const char **)dest = text;
	return NULL;
}

/* As far as it can be told without libcurl. */
static const char *
judge_url(void *dest, const char *text)
{
	(void)dest;
	return strncasecmp(text, "http://", 7) == 0 ||
		       strncasecmp(text, "https://", 8) == 0
		   ? NULL
		   : "not an http:// or https:// URL";
}

static void
open_all(struct sender *s)
{
	const char *why;

	io_output(STDOUT_FILENO);
	s->signals = signals_open(NULL);
	if (s->signals < 0)
		log_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	if (metrics_open(prog.name, series, sizeof series / sizeof *series) < 0)
		log_say("metrics: %s", strerror(errno));
	s->retry.wait_ms = wait_ms;
	s->client = http_client_open(&settings, &why);
	if (s->client == NULL)
		log_die(log_status(why), "--url: %s", why);
	open_window(s);
	progress_open(&s->progress);
	enter_sandbox();
}

static void
enter_sandbox(void)
{
	sandbox_names(&sandbox);
	sandbox_file(&sandbox, settings.cacert, SANDBOX_READ);
	(void)sandbox_enter(&sandbox);
}

static void
open_window(struct sender *s)
{
	bool many = !single && http_client_takes_many(s->client);
	size_t max = many && settings.max > BATCHES ? BATCHES : settings.max;
	size_t size =
	    many ? BATCHES * BATCH_LINES : SINGLE_LINES * settings.max;

	if (request_pool_open(&s->pool, max) < 0 ||
	    line_window_open(&s->window, size) < 0 ||
	    lines_open(&s->in, STDIN_FILENO, LINES_JSON_MAX) < 0)
		log_no_memory();
	s->pool.batch = many ? BATCH_LINES : 1;
	s->pool.keys.keyed = !no_keys;
	s->pool.keys.input = input_key;
}

static void
run(struct sender *s)
{
	struct http_client_result got;

	for (;;) {
		take_lines(s);
		give_up(s);
		send_requests(s);
		write_verdicts(s);
		if (is_done(s))
			return;
		wait_for_work(s);
		while (http_client_next(s->client, &got))
			answer(s, &got);
	}
}

static bool
is_done(const struct sender *s)
{
	bool taking = s->input == INPUT_BUFFERED || s->input == INPUT_DRY;

	return !taking && s->window.first == s->window.end && s->out.len == 0;
}

static bool
takes_lines(const struct sender *s, enum input from)
{
	return s->input == from && !line_window_full(&s->window);
}

/* From the input buffer into the window, as far as both go. */
static void
take_lines(struct sender *s)
{
	const char *text;
	size_t len;

	while (takes_lines(s, INPUT_BUFFERED)) {
		enum lines_result what = lines_next(&s->in, &text, &len);

		if (what == LINES_MORE)
			s->input = INPUT_DRY;
		else if (what == LINES_END)
			s->input = INPUT_ENDED;
		else if (line_window_add(&s->window, text, len,
			     what == LINES_LINE, s->in.number) < 0)
			log_no_memory();
	}
}

/* During an outage one request at a time finds out whether it is over, and one
 * whether the server knows what --key needs. */
static void
send_requests(struct sender *s)
{
	bool one = s->retry.outage || (input_key != NULL && !s->understood);
	size_t limit = one ? 1 : s->pool.size;
	struct send_request *r;
	int found;

	if (!retry_try(&s->retry, clock_ms()))
		return;
	while ((found = request_pool_next(&s->pool, &s->window, limit, &r)) > 0)
		send_one(s, r);
	if (found < 0)
		log_no_memory();
}

static void
send_one(struct sender *s, struct send_request *r)
{
	struct http_client_request request = {.body = buf_ptr(&r->body),
	    .len = r->body.len - (r->n == 1), /* one goes without newline */
	    .many = r->n > 1,
	    .key = r->keyed ? r->key : NULL,
	    .line = r->keyed && input_key != NULL ? r->first_number : 0,
	    .token = r};

	if (http_client_start(s->client, &request) < 0)
		log_no_memory();
	series[REPEATS].value += r->state == SEND_REQUEST_REPEAT;
	request_pool_sent(&s->pool, r, clock_us());
}

static void
answer(struct sender *s, const struct http_client_result *got)
{
	struct send_request *r = got->token;
	int64_t left;

	FAILPOINT("send-answer");
	metrics_observe(
	    &series[DURATION], (double)(clock_us() - r->sent_us) / 1e6);
	left = request_pool_learn(&s->pool, r, &s->window, &got->verdict);
	if (left < 0)
		log_no_memory();
	s->understood |= got->same_line;
	if (got->verdict.limited && left > 0 &&
	    request_pool_shorten(&s->pool, r, &s->window) < 0)
		log_no_memory();
	if (got->verdict.kind == HTTP_VERDICT_DEAF && left > 0)
		request_pool_give_up(&s->pool, r, &s->window);
	if (got->verdict.kind == HTTP_VERDICT_WRONG ||
	    got->verdict.kind == HTTP_VERDICT_DEAF)
		leave(s, got);
	else if (left == 0)
		conclude(s, got);
	else if (!may_repeat(s, r, got))
		request_pool_give_up(&s->pool, r, &s->window);
}

/* Answers what is taken, and ends, for it would be the same with any line. */
static void
leave(struct sender *s, const struct http_client_result *got)
{
	if (s->status != EXIT_CONFIG)
		log_say("%s: %s%s", http_client_name(s->client), got->why,
		    got->verdict.kind == HTTP_VERDICT_DEAF ? DEAF : "");
	s->status = EXIT_CONFIG;
	s->input = INPUT_STOPPED;
	line_window_give_up(&s->window, got->verdict.detail);
}

static bool
may_repeat(struct sender *s, struct send_request *r,
    const struct http_client_result *got)
{
	int64_t limit_ms = num_min(wait_ms, REPEAT_MS);
	int64_t now_ms = clock_ms();

	say_outage(s, got);
	s->detail = got->verdict.detail;
	return retry_failed(&s->retry, now_ms, got->verdict.retry_after_ms) &&
	       send_request_may_repeat(r, &s->window, now_ms, limit_ms);
}

static void
say_outage(struct sender *s, const struct http_client_result *got)
{
	const char *remedy = got->verdict.remedy;
	int64_t now_ms = clock_ms();

	if (s->retry.outage || now_ms < s->say_ms)
		return;
	log_say("%s: %s%s%s%s; retrying for %g s (--wait)",
	    http_client_name(s->client), got->why,
	    got->verdict.kind == HTTP_VERDICT_LINES ? ", some lines not taken"
						    : "",
	    remedy == NULL ? "" : ": ", remedy == NULL ? "" : remedy,
	    (double)wait_ms / 1000);
	s->say_ms = now_ms + SAY_AGAIN_MS;
}

/* The server has answered; a fault of all lines is said once. */
static void
conclude(struct sender *s, const struct http_client_result *got)
{
	enum fault fault = got->verdict.fault;
	const char *remedy = got->verdict.remedy;

	if (fault != FAULT_UNKNOWN)
		retry_over(&s->retry);
	if ((fault != FAULT_UNKNOWN && fault != FAULT_UNAVAILABLE) ||
	    s->said[fault])
		return;
	s->said[fault] = true;
	log_say("%s: %s: %s", http_client_name(s->client), got->why,
	    remedy == NULL ? fault_detail(fault) : remedy);
}

/*
 * An outage that was waited out, or that nobody waits for any more: what
 * can't be sent now is unavailable, what was sent before and may have been
 * counted unknown.
 */
static void
give_up(struct sender *s)
{
	if (!s->retry.outage || (s->input != INPUT_STOPPED &&
				    !retry_hopeless(&s->retry, clock_ms())))
		return;
	request_pool_give_up_all(&s->pool, &s->window);
	line_window_give_up(&s->window, s->detail);
}

static void
write_verdicts(struct sender *s)
{
	if (line_window_release(&s->window, &s->out, OUT_MAX) < 0)
		log_no_memory();
	while (s->out.len > 0) {
		int64_t n = io_write_some(STDOUT_FILENO, buf_ptr(&s->out),
		    FAILPOINT_CUT("send-half", buf_ptr(&s->out), s->out.len));

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
		buf_drop(&s->out, (size_t)n);
		FAILPOINT("send-written");
	}
}

static void
wait_for_work(struct sender *s)
{
	bool reading = takes_lines(s, INPUT_DRY);
	struct pollfd fds[] = {
	    {.fd = s->signals, .events = POLLIN},
	    {.fd = reading ? STDIN_FILENO : -1, .events = POLLIN},
	    {.fd = STDOUT_FILENO, .events = s->out.len > 0 ? POLLOUT : 0},
	    {.fd = -1},
	};
	int64_t due_ms = http_client_wait(s->client, &fds[3]);

	count(s);
	if (io_poll(fds, 4, next_due(s, due_ms)) < 0)
		log_die(EXIT_TEMPFAIL, "poll: %s", strerror(errno));
	if (fds[0].revents != 0 && signals_next(s->signals) != 0)
		s->input = INPUT_STOPPED;
	else if (fds[1].revents != 0)
		read_input(s);
	if (fds[2].revents & (POLLERR | POLLHUP))
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(EPIPE));
	http_client_step(s->client);
}

static int64_t
next_due(struct sender *s, int64_t due_ms)
{
	const struct line_window *w = &s->window;
	int64_t now_ms = clock_ms();
	bool verdicts = line_window_has_verdict(w) && s->out.len < OUT_MAX;

	due_ms = num_min(due_ms, metrics_tick(now_ms));
	due_ms = num_min(
	    due_ms, progress_tick(&s->progress, now_ms, w->end, w->first));
	if (s->pool.repeats > 0 || line_window_waiting(w))
		due_ms = num_min(due_ms, retry_due(&s->retry, now_ms));
	return verdicts || takes_lines(s, INPUT_BUFFERED) ? now_ms : due_ms;
}

static void
count(struct sender *s)
{
	const struct line_window *w = &s->window;

	series[DELIVERED].value = (double)w->delivered;
	series[REJECTED].value = (double)w->rejected;
	series[UNAVAILABLE].value = (double)w->unavailable;
	series[UNKNOWN].value = (double)w->unknown;
	series[IN_HAND].value = (double)(w->end - w->first);
}

static void
read_input(struct sender *s)
{
	if (lines_fill(&s->in) >= 0) {
		s->input = INPUT_BUFFERED;
	} else if (errno != EAGAIN) {
		log_say("stdin: %s", strerror(errno));
		s->status = EXIT_TEMPFAIL;
		s->input = INPUT_ENDED;
	}
}

static int
finish(struct sender *s)
{
	int status = exit_status(s);

	progress_close(&s->progress);
	say_rejected(&s->window);
	count(s);
	metrics_close();
	http_client_close(s->client);
	lines_close(&s->in);
	line_window_close(&s->window);
	request_pool_close(&s->pool);
	buf_free(&s->out);
	if (io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	return status;
}

static int
exit_status(const struct sender *s)
{
	if (s->status != EXIT_DELIVERED)
		return s->status;
	if (s->window.unavailable > 0 || s->window.unknown > 0)
		return EXIT_TEMPFAIL;
	return s->window.rejected > 0 ? EXIT_REJECTED : EXIT_DELIVERED;
}

static void
say_rejected(const struct line_window *w)
{
	if (w->rejected > 0)
		log_say("stdin: %ju line%s rejected, first: line %ju, %s",
		    (uintmax_t)w->rejected, w->rejected == 1 ? "" : "s",
		    (uintmax_t)w->first_rejected,
		    w->first_fault == FAULT_NONE ? "an error line"
						 : fault_code(w->first_fault));
}
