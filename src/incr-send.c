/*
 * incr-send: increments over HTTP, one verdict per line.
 *
 * In: increments, one per line.  Out: one line per line, in order: the line
 * itself once the server has answered 202, else an error line.
 *
 * A line belongs to whoever wrote it until its verdict is on standard
 * output; a line without a verdict may or may not have been counted.  What
 * was certainly not counted is sent again, for a while; what may have been
 * counted never is.  Killed at any line: at most the lines of one window are
 * without a verdict.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "fdio.h"
#include "increment.h"
#include "lines.h"
#include "metrics.h"
#include "msg.h"
#include "options.h"
#include "outage.h"
#include "point.h"
#include "post.h"
#include "record.h"
#include "tick.h"

enum {
	WINDOW = 4,        /* lines in hand per connection */
	OUT_MAX = 1 << 16, /* verdicts that wait for a slow reader */
	SAY_AGAIN_MS = 60000
};

enum line_state {
	LINE_WAITING, /* to be sent, or to be sent again */
	LINE_SENT,    /* its answer is awaited */
	LINE_ANSWERED /* its verdict is known */
};

/* A line in hand. */
struct line {
	enum line_state state;
	enum fault fault; /* of a line answered; FAULT_NONE: the text itself */
	uint64_t number;
	int64_t sent_us;
	struct buf text;
	size_t body_len;
	char body[INCREMENT_TEXT];
};

/* The lines in hand, in order: window[(first + i) % size], i < count. */
struct sender {
	struct post *post;
	struct lines in;
	struct buf out;
	struct line *window;
	size_t size, first, count;
	size_t waiting; /* lines in this state */
	int signals;
	bool ended;    /* nothing more comes in */
	bool stopping; /* a signal said so */
	bool in_dry;   /* standard input must be read */
	struct outage outage;
	int64_t say_ms; /* the next outage is said from then on */
	bool said_unknown, said_refused;
	uint64_t rejected, first_rejected; /* lines; the number of the first */
	enum fault first_fault;
	bool failed; /* a line is unavailable or unknown */
};

static struct post_settings settings;
static uint64_t concurrency;
static int64_t wait_ms;

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
static void run(struct sender *s);
static void take_lines(struct sender *s);
static void take_line(
    struct sender *s, const char *text, size_t len, bool whole);
static enum fault judge(
    struct line *l, const char *text, size_t len, bool whole);
static void send_lines(struct sender *s);
static void send_line(struct sender *s, struct line *l);
static void read_answers(struct sender *s);
static void answer(struct sender *s, const struct post_result *r);
static void say_outage(struct sender *s, const char *why);
static void give_up(struct sender *s);
static void settle(struct sender *s, struct line *l, enum fault fault);
static void write_verdicts(struct sender *s);
static int put_verdict(struct buf *out, const struct line *l);
static void wait_for_work(struct sender *s);
static bool has_work(const struct sender *s);
static int64_t next_due(const struct sender *s, int64_t due_ms);
static void read_input(struct sender *s);
static int finish(struct sender *s);

int
main(int argc, char **argv)
{
	struct sender s = {.in_dry = true};

	msg_name(prog.name);
	options_parse(&prog, argc, argv);
	open_all(&s);
	run(&s);
	return finish(&s);
}

static void
open_all(struct sender *s)
{
	const char *why;

	fdio_output(STDOUT_FILENO);
	s->signals = fdio_signals(NULL);
	if (s->signals < 0)
		msg_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	if (metrics_open(prog.name, series, sizeof series / sizeof *series) < 0)
		msg_say("metrics: %s", strerror(errno));
	settings.max = concurrency;
	s->outage.wait_ms = wait_ms;
	s->post = post_open(&settings, &why);
	if (s->post == NULL)
		msg_die(EXIT_CONFIG, "--url: %s", why);
	s->size = WINDOW * concurrency;
	s->window = calloc(s->size, sizeof *s->window);
	if (s->window == NULL ||
	    lines_open(&s->in, STDIN_FILENO, LINES_JSON_MAX) < 0)
		msg_die(EXIT_TEMPFAIL, "out of memory");
}

static void
run(struct sender *s)
{
	for (;;) {
		take_lines(s);
		give_up(s);
		send_lines(s);
		write_verdicts(s);
		if ((s->ended || s->stopping) && s->count == 0 &&
		    s->out.len == 0)
			return;
		wait_for_work(s);
		read_answers(s);
	}
}

/* From the input buffer into the window, as far as both go. */
static void
take_lines(struct sender *s)
{
	const char *text;
	size_t len;

	while (!s->stopping && !s->in_dry && s->count < s->size) {
		switch (lines_next(&s->in, &text, &len)) {
		case LINES_LINE: take_line(s, text, len, true); break;
		case LINES_TOO_LONG: take_line(s, text, len, false); break;
		case LINES_MORE: s->in_dry = true; break;
		case LINES_END: s->ended = s->in_dry = true; break;
		}
	}
}

static void
take_line(struct sender *s, const char *text, size_t len, bool whole)
{
	struct line *l = &s->window[(s->first + s->count) % s->size];
	enum fault fault = judge(l, text, len, whole);

	l->number = s->in.number;
	s->count++;
	if (fault != FAULT_NONE || l->body_len == 0) {
		settle(s, l, fault);
		return;
	}
	l->state = LINE_WAITING;
	s->waiting++;
}

/* An error line from a program before us is passed on: no body. */
static enum fault
judge(struct line *l, const char *text, size_t len, bool whole)
{
	struct record_error error;
	struct increment inc;
	enum fault fault;

	l->body_len = 0;
	buf_clear(&l->text);
	if (!whole)
		return FAULT_TOO_LONG;
	if (len > 0 && buf_add(&l->text, text, len) < 0)
		msg_die(EXIT_TEMPFAIL, "out of memory");
	if (record_kind(text, len) == RECORD_ERROR &&
	    record_parse_error(text, len, &error) == 0)
		return FAULT_NONE;
	fault = increment_parse(text, len, &inc);
	if (fault == FAULT_NONE)
		l->body_len = increment_format(&inc, l->body);
	return fault;
}

/* During an outage one request at a time finds out whether it is over. */
static void
send_lines(struct sender *s)
{
	size_t flying = concurrency - post_room(s->post);
	size_t limit = s->outage.on ? 1 : concurrency;

	if (s->waiting == 0 || !outage_try(&s->outage, tick_ms()))
		return;
	for (size_t i = 0; i < s->count && s->waiting > 0 && flying < limit;
	     i++) {
		struct line *l = &s->window[(s->first + i) % s->size];

		if (l->state == LINE_WAITING) {
			send_line(s, l);
			flying++;
		}
	}
}

static void
send_line(struct sender *s, struct line *l)
{
	if (post_start(s->post, l, l->body, l->body_len) < 0)
		msg_die(EXIT_TEMPFAIL, "out of memory");
	l->sent_us = tick_us();
	l->state = LINE_SENT;
	s->waiting--;
}

static void
read_answers(struct sender *s)
{
	struct post_result r;

	while (post_next(s->post, &r))
		answer(s, &r);
}

static void
answer(struct sender *s, const struct post_result *r)
{
	struct line *l = r->token;
	bool *said =
	    r->fault == FAULT_UNKNOWN ? &s->said_unknown : &s->said_refused;

	POINT("send-answer");
	metrics_observe(
	    &series[DURATION], (double)(tick_us() - l->sent_us) / 1e6);
	if (r->again) {
		say_outage(s, r->why);
		if (outage_failed(&s->outage, tick_ms(), r->retry_after_ms)) {
			l->state = LINE_WAITING;
			s->waiting++;
			series[REPEATS].value++;
		} else {
			settle(s, l, r->fault);
		}
		return;
	}
	if (r->fault != FAULT_UNKNOWN)
		outage_over(&s->outage);
	if ((r->fault == FAULT_UNKNOWN || r->fault == FAULT_UNAVAILABLE) &&
	    !*said) {
		*said = true;
		msg_say("%s: %s: %s", post_name(s->post), r->why,
		    fault_detail(r->fault));
	}
	settle(s, l, r->fault);
}

static void
say_outage(struct sender *s, const char *why)
{
	int64_t now_ms = tick_ms();

	if (s->outage.on || now_ms < s->say_ms)
		return;
	msg_say("%s: %s; trying for %g s", post_name(s->post), why,
	    (double)s->outage.wait_ms / 1000);
	s->say_ms = now_ms + SAY_AGAIN_MS;
}

/*
 * An outage that was waited out, or that nobody waits for any more: what
 * can't be sent now is unavailable.
 */
static void
give_up(struct sender *s)
{
	if (s->waiting == 0 || !s->outage.on)
		return;
	if (!s->stopping && !outage_hopeless(&s->outage, tick_ms()))
		return;
	for (size_t i = 0; i < s->count; i++) {
		struct line *l = &s->window[(s->first + i) % s->size];

		if (l->state != LINE_WAITING)
			continue;
		s->waiting--;
		settle(s, l, FAULT_UNAVAILABLE);
	}
}

/* The one place where a line gets its verdict. */
static void
settle(struct sender *s, struct line *l, enum fault fault)
{
	l->state = LINE_ANSWERED;
	l->fault = fault;
	if (fault == FAULT_NONE && l->body_len > 0) {
		series[DELIVERED].value++;
		return;
	}
	if (fault == FAULT_UNAVAILABLE || fault == FAULT_UNKNOWN) {
		s->failed = true;
		series[fault == FAULT_UNKNOWN ? UNKNOWN : UNAVAILABLE].value++;
		return;
	}
	series[REJECTED].value++;
	if (s->rejected++ == 0) {
		s->first_rejected = l->number;
		s->first_fault = fault;
	}
}

static void
write_verdicts(struct sender *s)
{
	while (s->count > 0 && s->out.len < OUT_MAX &&
	       s->window[s->first].state == LINE_ANSWERED) {
		if (put_verdict(&s->out, &s->window[s->first]) < 0)
			msg_die(EXIT_TEMPFAIL, "out of memory");
		s->first = (s->first + 1) % s->size;
		s->count--;
	}
	while (s->out.len > 0) {
		int64_t n = fdio_write_some(STDOUT_FILENO, buf_ptr(&s->out),
		    POINT_CUT("send-half", buf_ptr(&s->out), s->out.len));

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			msg_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
		buf_drop(&s->out, (size_t)n);
		POINT("send-written");
	}
}

static int
put_verdict(struct buf *out, const struct line *l)
{
	struct record_error error = {.fault = l->fault, .line = l->number};

	if (l->fault == FAULT_NONE)
		return lines_put(out, buf_ptr(&l->text), l->text.len);
	return record_add_error(out, &error);
}

static void
wait_for_work(struct sender *s)
{
	bool reading =
	    s->in_dry && !s->ended && !s->stopping && s->count < s->size;
	struct pollfd fds[] = {
	    {.fd = s->signals, .events = POLLIN},
	    {.fd = reading ? STDIN_FILENO : -1, .events = POLLIN},
	    {.fd = STDOUT_FILENO, .events = s->out.len > 0 ? POLLOUT : 0},
	    {.fd = -1},
	};
	int64_t due_ms = post_wait(s->post, &fds[3]);

	series[IN_HAND].value = (double)s->count;
	if (fdio_poll(fds, 4, next_due(s, due_ms)) < 0)
		msg_die(EXIT_TEMPFAIL, "poll: %s", strerror(errno));
	if (fds[0].revents != 0 && fdio_signal(s->signals) != 0)
		s->stopping = true;
	if (fds[1].revents != 0)
		read_input(s);
	if (fds[2].revents & (POLLERR | POLLHUP))
		msg_die(EXIT_TEMPFAIL, "stdout: the reader has gone");
	post_step(s->post);
}

/* Is there anything that needs no waiting? */
static bool
has_work(const struct sender *s)
{
	bool printable =
	    s->count > 0 && s->window[s->first].state == LINE_ANSWERED;
	bool takable = !s->in_dry && !s->stopping && s->count < s->size;

	return takable || (printable && s->out.len < OUT_MAX);
}

static int64_t
next_due(const struct sender *s, int64_t due_ms)
{
	int64_t now_ms = tick_ms();
	int64_t metrics_ms = metrics_tick(now_ms);
	int64_t outage_ms =
	    s->waiting > 0 ? outage_due(&s->outage, now_ms) : FDIO_FOREVER;

	if (has_work(s))
		return now_ms;
	due_ms = metrics_ms < due_ms ? metrics_ms : due_ms;
	return outage_ms < due_ms ? outage_ms : due_ms;
}

static void
read_input(struct sender *s)
{
	if (lines_fill(&s->in) < 0) {
		if (errno == EAGAIN)
			return;
		msg_say("stdin: %s", strerror(errno));
		s->ended = s->failed = true;
	}
	s->in_dry = false;
}

static int
finish(struct sender *s)
{
	if (s->rejected > 0)
		msg_say("stdin: %ju rejected, the first at line %ju: %s",
		    (uintmax_t)s->rejected, (uintmax_t)s->first_rejected,
		    s->first_fault == FAULT_NONE ? "an error line"
						 : fault_code(s->first_fault));
	metrics_close();
	post_close(s->post);
	lines_close(&s->in);
	for (size_t i = 0; i < s->size; i++)
		buf_free(&s->window[i].text);
	free(s->window);
	buf_free(&s->out);
	if (lines_finish(STDOUT_FILENO) < 0)
		msg_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	return s->failed         ? EXIT_TEMPFAIL
	       : s->rejected > 0 ? EXIT_REJECTED
				 : EXIT_DELIVERED;
}
