/*
 * incr-send: increments over HTTP, one verdict per line.
 *
 * In: increments, one per line.  Out: one line per line, in order: the line
 * itself once the server has taken it, else an error line.
 *
 * What has come together goes in one request.  A line belongs to whoever
 * wrote it until its verdict is on standard output; a line without a verdict
 * may or may not have been counted.  A request is repeated, for a while,
 * under the key that it had the first time, and so counted once; without
 * keys only what was certainly not counted is sent again.  Killed at any
 * line: at most the lines in hand are without a verdict, and their keys are
 * lost.
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
#include "base/metrics.h"
#include "base/options.h"
#include "base/signals.h"
#include "send/http_client.h"
#include "send/line_window.h"
#include "send/progress.h"
#include "send/retry.h"
#include "send/send_request.h"

enum {
	SINGLE_LINES = 4,   /* lines in hand per connection, one per request */
	BATCH_LINES = 1000, /* of one request */
	BATCHES = 16,       /* in hand, with many lines per request */
	OUT_MAX = 1 << 16,  /* verdicts that wait for a slow reader */
	SAY_AGAIN_MS = 60000,
	/* Less than half the time for which servers remember a key. */
	REPEAT_MS = 1500000
};

struct sender {
	struct http_client *client;
	struct lines in;
	struct buf out;
	struct line_window hand;
	struct send_request *parcels; /* concurrency of them */
	size_t batch;                 /* lines of one request at most */
	size_t flying;                /* requests whose answer is awaited */
	size_t again;                 /* parcels to be sent again */
	int signals;
	bool ended;    /* nothing more comes in */
	bool stopping; /* a signal said so */
	bool in_dry;   /* standard input must be read */
	bool failed;   /* not because of a line */
	struct retry outage;
	int64_t say_ms; /* the next outage is said from then on */
	bool said_unknown, said_refused;
	struct progress progress;
};

static struct http_client_settings settings;
static uint64_t concurrency;
static int64_t wait_ms;
static bool single, no_keys;

/* clang-format off */
static const struct option_def options[] = {
    {.letter = 'u', .name = "url", .arg = "URL", .env = "INCR_URL",
	.def = "http://localhost:3333/increment",
	.help = "where to send", .kind = OPTIONS_URL, .dest = &settings.url},
    {.letter = 'c', .name = "concurrency", .arg = "N", .def = "32",
	.help = "requests in flight", .kind = OPTIONS_NUMBER,
	.dest = &concurrency, .min = 1, .max = 512},
    {.letter = 'w', .name = "wait", .arg = "SECONDS", .def = "30",
	.help = "how long to repeat what was not taken",
	.kind = OPTIONS_SECONDS, .dest = &wait_ms, .max = 86400000},
    {.name = "timeout", .arg = "SECONDS", .def = "20",
	.help = "how long to wait for an answer", .kind = OPTIONS_SECONDS,
	.dest = &settings.timeout_ms, .min = 100, .max = 600000},
    {.name = "single",
	.help = "one increment per request", .kind = OPTIONS_FLAG,
	.dest = &single},
    {.name = "no-keys",
	.help = "no Idempotency-Key; in doubt nothing is sent again",
	.kind = OPTIONS_FLAG, .dest = &no_keys},
    {.name = "cacert", .arg = "FILE", .env = "CURL_CA_BUNDLE",
	.help = "authorities for https", .kind = OPTIONS_TEXT,
	.dest = &settings.cacert},
    {.name = "token", .arg = "FILE", .env = "INCR_TOKEN",
	.help = "the bearer token, as @FILE", .kind = OPTIONS_SECRET,
	.dest = &settings.token},
};
/* clang-format on */

static const struct options_prog prog = {.name = "incr-send",
    .purpose = "Sends increments over HTTP, answers every line with one line.",
    .defs = options,
    .n_defs = sizeof options / sizeof *options};

enum { DELIVERED, REJECTED, UNAVAILABLE, UNKNOWN, REPEATS, IN_HAND, DURATION };

#define BY_VERDICT(v) \
	{ \
		.name = "incr_send_lines_total", \
		.help = "Lines by their verdict.", \
		.labels = "verdict=\"" v "\"" \
	}

static struct metric series[] = {
    [DELIVERED] = BY_VERDICT("delivered"),
    [REJECTED] = BY_VERDICT("rejected"),
    [UNAVAILABLE] = BY_VERDICT("unavailable"),
    [UNKNOWN] = BY_VERDICT("unknown"),
    [REPEATS] = {.name = "incr_send_repeats_total",
	.help = "Requests repeated because they were not taken."},
    [IN_HAND] = {.name = "incr_send_lines_in_hand",
	.help = "Lines without a verdict yet.",
	.kind = METRICS_GAUGE},
    [DURATION] = {.name = "incr_send_request_duration_seconds",
	.help = "From a request to its answer.",
	.kind = METRICS_HISTOGRAM},
};

static void open_all(struct sender *s);
static void open_hand(struct sender *s);
static void run(struct sender *s);
static void take_lines(struct sender *s);
static void send_requests(struct sender *s);
static void send_parcel(struct sender *s, struct send_request *p);
static void answer(struct sender *s, const struct http_client_result *r);
static bool may_repeat(struct sender *s, struct send_request *p,
    const struct http_client_result *r);
static void say_outage(struct sender *s, const char *why);
static void say_verdict(struct sender *s, const struct http_client_result *r);
static void give_up(struct sender *s);
static void write_verdicts(struct sender *s);
static void wait_for_work(struct sender *s);
static bool has_work(const struct sender *s);
static int64_t next_due(struct sender *s, int64_t due_ms);
static void count(struct sender *s);
static void read_input(struct sender *s);
static int finish(struct sender *s);
static _Noreturn void no_memory(void);

int
main(int argc, char **argv)
{
	struct sender s = {.in_dry = true};

	log_name(prog.name);
	options_parse(&prog, argc, argv);
	open_all(&s);
	run(&s);
	return finish(&s);
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
	settings.max = concurrency;
	s->outage.wait_ms = wait_ms;
	s->client = http_client_open(&settings, &why);
	if (s->client == NULL)
		log_die(EXIT_CONFIG, "--url: %s", why);
	open_hand(s);
	progress_open(&s->progress);
}

static void
open_hand(struct sender *s)
{
	bool many = !single && http_client_takes_many(s->client);
	size_t size = many ? BATCHES * BATCH_LINES : SINGLE_LINES * concurrency;

	s->batch = many ? BATCH_LINES : 1;
	s->parcels = calloc(concurrency, sizeof *s->parcels);
	if (s->parcels == NULL || line_window_open(&s->hand, size) < 0 ||
	    lines_open(&s->in, STDIN_FILENO, LINES_JSON_MAX) < 0)
		no_memory();
}

static void
run(struct sender *s)
{
	struct http_client_result r;

	for (;;) {
		take_lines(s);
		give_up(s);
		send_requests(s);
		write_verdicts(s);
		if ((s->ended || s->stopping) && s->hand.first == s->hand.end &&
		    s->out.len == 0)
			return;
		wait_for_work(s);
		while (http_client_next(s->client, &r))
			answer(s, &r);
	}
}

/* From the input buffer into the hand, as far as both go. */
static void
take_lines(struct sender *s)
{
	const char *text;
	size_t len;

	while (!s->stopping && !s->in_dry && !line_window_full(&s->hand)) {
		enum lines_result got = lines_next(&s->in, &text, &len);

		if (got == LINES_MORE || got == LINES_END)
			s->in_dry = true;
		else if (line_window_add(&s->hand, text, len, got == LINES_LINE,
			     s->in.number) < 0)
			no_memory();
		s->ended = s->ended || got == LINES_END;
	}
}

/* -- requests ------------------------------------------------------------ */

/* During an outage one request at a time finds out whether it is over. */
static void
send_requests(struct sender *s)
{
	size_t limit = s->outage.on ? 1 : concurrency;

	if (!retry_try(&s->outage, clock_ms()))
		return;
	for (size_t i = 0; s->again > 0 && s->flying < limit; i++) {
		struct send_request *p = &s->parcels[i];

		if (p->left > 0 && !p->flying) {
			series[REPEATS].value++;
			s->again--;
			send_parcel(s, p);
		}
	}
	for (size_t i = 0; i < concurrency && s->flying < limit &&
			   line_window_waiting(&s->hand);
	     i++) {
		struct send_request *p = &s->parcels[i];

		if (p->left > 0)
			continue;
		if (send_request_fill(p, &s->hand, s->batch, !no_keys) < 0)
			no_memory();
		p->until_ms = 0;
		send_parcel(s, p);
	}
}

static void
send_parcel(struct sender *s, struct send_request *p)
{
	struct http_client_request request = {.body = buf_ptr(&p->body),
	    .len = p->body.len - (p->n == 1), /* one goes without newline */
	    .many = p->n > 1,
	    .key = p->keyed ? p->key : NULL,
	    .token = p};

	if (http_client_start(s->client, &request) < 0)
		no_memory();
	p->sent_us = clock_us();
	p->flying = true;
	s->flying++;
}

/* -- answers ------------------------------------------------------------- */

static void
answer(struct sender *s, const struct http_client_result *r)
{
	struct send_request *p = r->token;
	int64_t left;

	FAILPOINT("send-answer");
	metrics_observe(
	    &series[DURATION], (double)(clock_us() - p->sent_us) / 1e6);
	p->flying = false;
	s->flying--;
	left = send_request_learn(p, &s->hand, &r->verdict);
	if (left < 0)
		no_memory();
	if (left == 0) {
		if (r->verdict.fault != FAULT_UNKNOWN)
			retry_over(&s->outage);
		say_verdict(s, r);
	} else if (may_repeat(s, p, r)) {
		s->again++;
	} else {
		send_request_give_up(p, &s->hand);
	}
}

/* A key is remembered for a while: longer than it is repeated here. */
static bool
may_repeat(struct sender *s, struct send_request *p,
    const struct http_client_result *r)
{
	int64_t now_ms = clock_ms();

	say_outage(s, r->verdict.kind == HTTP_VERDICT_LINES
			  ? "some lines were not taken"
			  : r->why);
	if (!send_request_doubtful(p, &s->hand))
		p->until_ms = 0;
	else if (p->until_ms == 0)
		p->until_ms =
		    now_ms + (wait_ms < REPEAT_MS ? wait_ms : REPEAT_MS);
	return retry_failed(&s->outage, now_ms, r->verdict.retry_after_ms) &&
	       (p->until_ms == 0 || now_ms < p->until_ms);
}

static void
say_outage(struct sender *s, const char *why)
{
	int64_t now_ms = clock_ms();

	if (s->outage.on || now_ms < s->say_ms)
		return;
	log_say("%s: %s; trying for %g s", http_client_name(s->client), why,
	    (double)s->outage.wait_ms / 1000);
	s->say_ms = now_ms + SAY_AGAIN_MS;
}

/* What is not tried again is said once. */
static void
say_verdict(struct sender *s, const struct http_client_result *r)
{
	enum fault fault = r->verdict.fault;
	bool *said =
	    fault == FAULT_UNKNOWN ? &s->said_unknown : &s->said_refused;

	if ((fault != FAULT_UNKNOWN && fault != FAULT_UNAVAILABLE) || *said)
		return;
	*said = true;
	log_say("%s: %s: %s", http_client_name(s->client), r->why,
	    fault_detail(fault));
}

/*
 * An outage that was waited out, or that nobody waits for any more: what
 * can't be sent now is unavailable, what was sent before and may have been
 * counted unknown.
 */
static void
give_up(struct sender *s)
{
	if (!s->outage.on ||
	    (!s->stopping && !retry_hopeless(&s->outage, clock_ms())))
		return;
	for (size_t i = 0; s->again > 0; i++) {
		struct send_request *p = &s->parcels[i];

		if (p->left == 0 || p->flying)
			continue;
		send_request_give_up(p, &s->hand);
		s->again--;
	}
	line_window_give_up(&s->hand);
}

static void
write_verdicts(struct sender *s)
{
	if (line_window_release(&s->hand, &s->out, OUT_MAX) < 0)
		no_memory();
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

/* -- waiting ------------------------------------------------------------- */

static void
wait_for_work(struct sender *s)
{
	bool reading = s->in_dry && !s->ended && !s->stopping &&
		       !line_window_full(&s->hand);
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
		s->stopping = true;
	if (fds[1].revents != 0)
		read_input(s);
	if (fds[2].revents & (POLLERR | POLLHUP))
		log_die(EXIT_TEMPFAIL, "stdout: the reader has gone");
	http_client_step(s->client);
}

/* Is there anything that needs no waiting? */
static bool
has_work(const struct sender *s)
{
	bool takable =
	    !s->in_dry && !s->stopping && !line_window_full(&s->hand);

	return takable ||
	       (line_window_has_verdict(&s->hand) && s->out.len < OUT_MAX);
}

static int64_t
next_due(struct sender *s, int64_t due_ms)
{
	int64_t now_ms = clock_ms();
	bool waiting = s->again > 0 || line_window_waiting(&s->hand);
	int64_t due[] = {metrics_tick(now_ms),
	    waiting ? retry_due(&s->outage, now_ms) : IO_FOREVER,
	    progress_tick(&s->progress, now_ms, s->hand.end, s->hand.first)};

	if (has_work(s))
		return now_ms;
	for (size_t i = 0; i < sizeof due / sizeof *due; i++)
		due_ms = due[i] < due_ms ? due[i] : due_ms;
	return due_ms;
}

static void
count(struct sender *s)
{
	const struct line_window *h = &s->hand;

	series[DELIVERED].value = (double)h->delivered;
	series[REJECTED].value = (double)h->rejected;
	series[UNAVAILABLE].value = (double)h->unavailable;
	series[UNKNOWN].value = (double)h->unknown;
	series[IN_HAND].value = (double)(h->end - h->first);
}

static void
read_input(struct sender *s)
{
	if (lines_fill(&s->in) < 0) {
		if (errno == EAGAIN)
			return;
		log_say("stdin: %s", strerror(errno));
		s->ended = s->failed = true;
	}
	s->in_dry = false;
}

static int
finish(struct sender *s)
{
	const struct line_window *h = &s->hand;
	bool failed = s->failed || h->unavailable > 0 || h->unknown > 0;

	progress_close(&s->progress);
	if (h->rejected > 0)
		log_say("stdin: %ju rejected, the first at line %ju: %s",
		    (uintmax_t)h->rejected, (uintmax_t)h->first_rejected,
		    h->first_fault == FAULT_NONE ? "an error line"
						 : fault_code(h->first_fault));
	count(s);
	metrics_close();
	http_client_close(s->client);
	lines_close(&s->in);
	line_window_close(&s->hand);
	for (size_t i = 0; i < concurrency; i++)
		buf_free(&s->parcels[i].body);
	free(s->parcels);
	buf_free(&s->out);
	if (io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	return failed            ? EXIT_TEMPFAIL
	       : h->rejected > 0 ? EXIT_REJECTED
				 : EXIT_DELIVERED;
}

static void
no_memory(void)
{
	log_die(EXIT_TEMPFAIL, "out of memory");
}
