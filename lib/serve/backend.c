/* Lines to incr-publish and its verdicts, by file descriptors. */
#include "serve/backend.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/reason.h"
#include "record/control.h"
#include "serve/request.h"

enum {
	OUT_MAX = 1 << 20,   /* bytes that wait for the pipe */
	CROWD = OUT_MAX / 4, /* backend_crowded() */
	FRESH_MS = 1000
};

static void watch_output(struct loop_fd *w, uint32_t events);
static void lose_output(struct backend *b, int error);
static void read_verdicts(struct loop_fd *w, uint32_t events);
static void take_verdicts(struct backend *b);
static void take_verdict(struct backend *b, const char *line, size_t len);
static int read_verdict(const struct backend *b, const char *line, size_t len,
    uint64_t number, struct backend_verdict *ret, char ret_why[REASON_MAX]);
static void settle(struct backend *b, const struct inflight_line *l,
    struct backend_verdict *v);
static void settle_fault(
    struct backend *b, const struct inflight_line *l, enum fault f);
static void end(struct backend *b, enum backend_state state, const char *object,
    const char *why);

int
backend_open(struct backend *b, const struct backend_options *o,
    const struct loop *loop, const char **ret_why)
{
	b->loop = loop;
	b->tagged = o->tagged;
	b->verdict_ms = o->verdict_ms;
	b->verdict = o->verdict;
	b->service = o->service;
	b->in = (struct loop_fd){.ready = read_verdicts, .fd = o->in_fd};
	b->out = (struct loop_fd){.ready = watch_output, .fd = o->out_fd};
	if (lines_open(&b->verdicts, o->in_fd,
		LINES_JSON_MAX + LINES_TAG_MAX + 1) < 0 ||
	    inflight_open(&b->inflight, o->max_lines, OUT_MAX, o->tagged) < 0) {
		*ret_why = LOG_NO_MEMORY;
		return -1;
	}
	io_output(o->out_fd);
	*ret_why = b->why;
	if (loop_set(b->loop, &b->out, 0) < 0 && errno != EPERM) {
		end(b, BACKEND_FAILED, "stdout", strerror(errno));
		return -1;
	}
	if (loop_set(b->loop, &b->in, EPOLLIN) < 0) {
		if (errno != EPERM) {
			end(b, BACKEND_FAILED, "stdin", strerror(errno));
			return -1;
		}
		read_verdicts(&b->in, EPOLLIN); /* a file: no verdicts */
	}
	return 0;
}

void
backend_close(struct backend *b)
{
	loop_forget(b->loop, &b->in);
	loop_forget(b->loop, &b->out);
	lines_close(&b->verdicts);
	inflight_close(&b->inflight);
}

int
backend_add(struct backend *b, struct exchange *x, uint32_t number,
    const char *body, size_t len, int64_t now_ms)
{
	char tag[IDEMPOTENCY_TEXT];
	struct inflight_text text = {.tag = tag, .body = body, .len = len};

	FAILPOINT("serve-body");
	if (b->tagged)
		text.tag_len =
		    idempotency_format(&request_of(x)->tag, number, tag);
	if (backend_closed(b) ||
	    inflight_add(&b->inflight, x, number, &text, now_ms) < 0)
		return -1;
	x->pending++;
	return 0;
}

bool
backend_tagged(const struct backend *b)
{
	return b->tagged;
}

bool
backend_full(const struct backend *b)
{
	return backend_closed(b) || inflight_full(&b->inflight);
}

const char *
backend_why_full(const struct backend *b)
{
	if (b->state != BACKEND_RUNNING)
		return "the programs behind the server have ended";
	if (b->out_closed)
		return "the server is stopping";
	if (inflight_count(&b->inflight) >= b->inflight.cap)
		return "too many lines in flight (--max-in-flight)";
	return inflight_full(&b->inflight) ? "the pipe is full" : LOG_NO_MEMORY;
}

bool
backend_closed(const struct backend *b)
{
	return b->out_closed || b->state != BACKEND_RUNNING;
}

bool
backend_crowded(const struct backend *b)
{
	return b->inflight.out.len >= CROWD;
}

bool
backend_fresh(const struct backend *b, int64_t now_ms)
{
	int64_t oldest_ms = inflight_oldest(&b->inflight);

	return b->state == BACKEND_RUNNING &&
	       (oldest_ms == IO_FOREVER || now_ms - oldest_ms < FRESH_MS) &&
	       (b->refused_ms == 0 || now_ms - b->refused_ms >= FRESH_MS);
}

void
backend_why_stale(
    const struct backend *b, int64_t now_ms, char ret_why[REASON_MAX])
{
	int64_t oldest_ms = inflight_oldest(&b->inflight);
	uintmax_t lines = backend_count(b);

	if (b->state != BACKEND_RUNNING)
		reason_set(ret_why, "%s", b->why);
	else if (oldest_ms != IO_FOREVER && now_ms - oldest_ms >= FRESH_MS)
		reason_set(ret_why,
		    "no verdict for %jd ms, %ju line%s in flight",
		    (intmax_t)(now_ms - oldest_ms), lines,
		    lines == 1 ? "" : "s");
	else
		reason_set(
		    ret_why, "verdicts say that the queue takes no lines");
}

uint64_t
backend_count(const struct backend *b)
{
	return inflight_count(&b->inflight);
}

enum backend_state
backend_state(struct backend *b)
{
	b->seen = true;
	return b->state;
}

const char *
backend_why(const struct backend *b)
{
	return b->why;
}

/* -- lines --------------------------------------------------------------- */

void
backend_write(struct backend *b)
{
	if (b->out_closed)
		return;
	if (inflight_write(&b->inflight, b->out.fd) == 0)
		(void)loop_set(b->loop, &b->out, 0);
	else if (errno != EAGAIN || loop_set(b->loop, &b->out, EPOLLOUT) < 0)
		lose_output(b, errno);
}

bool
backend_written(const struct backend *b)
{
	return b->inflight.out.len == 0;
}

static void
watch_output(struct loop_fd *w, uint32_t events)
{
	struct backend *b =
	    (struct backend *)((char *)w - offsetof(struct backend, out));

	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		lose_output(b, EPIPE);
}

/* Lines that were not written are not counted; written ones may still get
 * their verdicts. */
static void
lose_output(struct backend *b, int error)
{
	end(b, BACKEND_UNREAD, "stdout", strerror(error));
	backend_close_output(b);
}

void
backend_close_output(struct backend *b)
{
	struct inflight_line l;

	if (b->out_closed)
		return;
	b->out_closed = true;
	while (inflight_withdraw(&b->inflight, &l))
		settle_fault(b, &l, FAULT_UNAVAILABLE);
	loop_forget(b->loop, &b->out);
	if (io_finish(b->out.fd) < 0)
		end(b, BACKEND_FAILED, "stdout", strerror(errno));
}

/* -- verdicts ------------------------------------------------------------ */

/* All that is there: lines are given up by the clock, and what has come comes
 * first. */
static void
read_verdicts(struct loop_fd *w, uint32_t events)
{
	struct backend *b =
	    (struct backend *)((char *)w - offsetof(struct backend, in));
	ssize_t n;

	(void)events;
	do {
		n = lines_fill(&b->verdicts);
		if (n >= 0)
			take_verdicts(b);
		else if (errno != EAGAIN)
			end(b, BACKEND_FAILED, "stdin", strerror(errno));
	} while (b->state <= BACKEND_UNREAD && lines_has_more(&b->verdicts, n));
	if (b->state > BACKEND_UNREAD)
		loop_forget(b->loop, w);
}

static void
take_verdicts(struct backend *b)
{
	enum lines_result got = LINES_LINE;
	const char *line;
	size_t len;

	while (got == LINES_LINE && b->state <= BACKEND_UNREAD) {
		got = lines_next(&b->verdicts, &line, &len);
		/* Half an error line must not be taken for a success. */
		if (got != LINES_MORE && b->verdicts.torn)
			got = LINES_END;
		if (got == LINES_LINE)
			take_verdict(b, line, len);
	}
	if (got == LINES_TOO_LONG)
		end(b, BACKEND_CONFUSED, "stdin",
		    "line too long for a verdict");
	if (got == LINES_END)
		end(b, BACKEND_ENDED, "stdin", "end of verdicts");
}

static void
take_verdict(struct backend *b, const char *line, size_t len)
{
	struct inflight_line l = {.owner = NULL};
	struct backend_verdict v;
	char why[REASON_MAX];
	uint64_t number;
	int result;

	FAILPOINT("serve-verdict");
	if (inflight_verdict(&b->inflight, &l, &number) < 0)
		result = reason_set(why, "verdict without a line");
	else
		result = read_verdict(b, line, len, number, &v, why);
	if (result < 0) {
		end(b, BACKEND_CONFUSED, "stdin", why);
		settle_fault(b, &l, FAULT_UNKNOWN);
		return;
	}
	if (v.fault == FAULT_UNAVAILABLE || v.fault == FAULT_UNKNOWN)
		b->refused_ms = clock_ms();
	else if (v.fault == FAULT_NONE)
		b->refused_ms = 0;
	settle(b, &l, &v);
}

/* The verdict on line number.  0, or -1 with the reason. */
static int
read_verdict(const struct backend *b, const char *line, size_t len,
    uint64_t number, struct backend_verdict *ret, char ret_why[REASON_MAX])
{
	struct control_error e;
	size_t tag_len;

	if (b->tagged) {
		if (lines_split_tag(line, len, &tag_len) < 0)
			return reason_set(ret_why, "verdict without a tag");
		line += tag_len + 1;
		len -= tag_len + 1;
	}
	*ret = (struct backend_verdict){.text = line, .len = len};
	if (control_kind(line, len) != CONTROL_ERROR)
		return 0;
	if (control_parse_error(line, len, &e) < 0)
		return reason_set(ret_why, "malformed error line");
	if (e.line != number)
		return reason_set(ret_why,
		    "verdict out of order: expected line %ju, got %ju",
		    (uintmax_t)number, (uintmax_t)e.line);
	ret->fault = e.fault;
	return 0;
}

/* Gives the verdict on a line to its request, if that still waits. */
static void
settle(
    struct backend *b, const struct inflight_line *l, struct backend_verdict *v)
{
	struct exchange *x = l->owner;

	if (x == NULL)
		return;
	v->number = l->number;
	x->pending--;
	b->verdict(b->service, x, v);
}

static void
settle_fault(struct backend *b, const struct inflight_line *l, enum fault f)
{
	settle(b, l, &(struct backend_verdict){.fault = f});
}

int64_t
backend_tick(struct backend *b, int64_t now_ms)
{
	int64_t then_ms = now_ms - b->verdict_ms, next_ms;
	enum inflight_expired e;
	struct inflight_line l;

	while (
	    (e = inflight_expire(&b->inflight, then_ms, &l)) != INFLIGHT_NONE)
		settle_fault(b, &l,
		    e == INFLIGHT_UNKNOWN ? FAULT_UNKNOWN : FAULT_UNAVAILABLE);
	next_ms = inflight_next(&b->inflight);
	if (!b->seen)
		return now_ms;
	return next_ms == IO_FOREVER ? next_ms : next_ms + b->verdict_ms;
}

void
backend_give_up(struct backend *b)
{
	backend_close_output(b);
	loop_forget(b->loop, &b->in);
	(void)backend_tick(b, IO_FOREVER - 1);
}

/* The first reason stays, unless a worse one comes. */
static void
end(struct backend *b, enum backend_state state, const char *object,
    const char *why)
{
	if (state <= b->state)
		return;
	b->state = state;
	b->seen = false;
	reason_set(b->why, "%s: %s", object, why);
}
