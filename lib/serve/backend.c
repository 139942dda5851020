#include "serve/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "base/lines.h"
#include "net/loop.h"
#include "record/control.h"
#include "serve/inflight.h"
#include "serve/request.h"

enum {
	OUT_MAX = 1 << 20, /* bytes that wait for the pipe */
	CROWD = OUT_MAX / 4,
	FRESH_MS = 1000
};

static struct {
	enum backend_state state;
	bool seen; /* by the program */
	char why[128];
	bool tagged;
	int64_t verdict_ms;
	void (*told)(struct exchange *x, const struct backend_verdict *v);
	int64_t refused_ms; /* of the last unavailable or unknown, or 0 */
	bool out_closed;
	struct inflight ring;
	struct lines verdicts;
	struct loop_fd in, out;
} r;

static void look_at_output(struct loop_fd *w, uint32_t events);
static void lose_output(int error);
static void read_verdicts(struct loop_fd *w, uint32_t events);
static void take_verdict(const char *line, size_t len);
static int read_verdict(
    const char *line, size_t len, uint64_t number, struct backend_verdict *ret);
static void tell(const struct inflight_line *l, struct backend_verdict *v);
static void tell_fault(const struct inflight_line *l, enum fault f);
static void end(enum backend_state state, const char *object, const char *why);

int
backend_open(const struct backend_options *o, const char **ret_why)
{
	r.tagged = o->tagged;
	r.verdict_ms = o->verdict_ms;
	r.told = o->told;
	r.in = (struct loop_fd){.ready = read_verdicts, .fd = STDIN_FILENO};
	r.out = (struct loop_fd){.ready = look_at_output, .fd = STDOUT_FILENO};
	if (lines_open(&r.verdicts, STDIN_FILENO,
		LINES_JSON_MAX + LINES_TAG_MAX + 1) < 0 ||
	    inflight_open(&r.ring, o->max_lines, OUT_MAX, o->tagged) < 0) {
		*ret_why = "memory is short";
		return -1;
	}
	io_output(STDOUT_FILENO);
	*ret_why = r.why;
	if (loop_set(&r.out, 0) < 0 && errno != EPERM) {
		end(BACKEND_FAILED, "stdout", strerror(errno));
		return -1;
	}
	if (loop_set(&r.in, EPOLLIN) < 0) {
		if (errno != EPERM) {
			end(BACKEND_FAILED, "stdin", strerror(errno));
			return -1;
		}
		read_verdicts(&r.in, EPOLLIN); /* a file: no verdicts */
	}
	return 0;
}

int
backend_add(struct exchange *x, uint32_t number, const char *body, size_t len)
{
	char tag[IDEMPOTENCY_TEXT];
	struct inflight_text text = {.tag = tag, .body = body, .len = len};

	FAILPOINT("serve-body");
	if (r.tagged)
		text.tag_len =
		    idempotency_format(&request_of(x)->tag, number, tag);
	if (backend_full() ||
	    inflight_add(&r.ring, x, number, &text, clock_ms()) < 0)
		return -1;
	x->pending++;
	return 0;
}

bool
backend_tagged(void)
{
	return r.tagged;
}

bool
backend_full(void)
{
	return backend_closed() || inflight_full(&r.ring);
}

bool
backend_closed(void)
{
	return r.out_closed || r.state != BACKEND_RUNNING;
}

bool
backend_crowded(void)
{
	return r.ring.out.len >= CROWD;
}

bool
backend_fresh(int64_t now_ms)
{
	int64_t oldest_ms = inflight_oldest(&r.ring);

	return r.state == BACKEND_RUNNING &&
	       (oldest_ms == IO_FOREVER || now_ms - oldest_ms < FRESH_MS) &&
	       (r.refused_ms == 0 || now_ms - r.refused_ms >= FRESH_MS);
}

uint64_t
backend_count(void)
{
	return inflight_count(&r.ring);
}

enum backend_state
backend_state(void)
{
	r.seen = true;
	return r.state;
}

const char *
backend_why(void)
{
	return r.why;
}

/* -- lines --------------------------------------------------------------- */

void
backend_write(void)
{
	if (r.out_closed)
		return;
	if (inflight_write(&r.ring, STDOUT_FILENO) == 0)
		(void)loop_set(&r.out, 0);
	else if (errno != EAGAIN || loop_set(&r.out, EPOLLOUT) < 0)
		lose_output(errno);
}

bool
backend_written(void)
{
	return r.ring.out.len == 0;
}

static void
look_at_output(struct loop_fd *w, uint32_t events)
{
	(void)w;
	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		lose_output(EPIPE);
}

/* What was not written is not counted; what was may still get its verdict. */
static void
lose_output(int error)
{
	end(BACKEND_UNREAD, "stdout", strerror(error));
	backend_close_output();
}

void
backend_close_output(void)
{
	struct inflight_line l;

	if (r.out_closed)
		return;
	r.out_closed = true;
	while (inflight_withdraw(&r.ring, &l))
		tell_fault(&l, FAULT_UNAVAILABLE);
	loop_forget(&r.out);
	if (io_finish(STDOUT_FILENO) < 0)
		end(BACKEND_FAILED, "stdout", strerror(errno));
}

/* -- verdicts ------------------------------------------------------------ */

static void
read_verdicts(struct loop_fd *w, uint32_t events)
{
	enum lines_result got = LINES_LINE;
	const char *line;
	size_t len;

	(void)events;
	if (lines_fill(&r.verdicts) < 0) {
		if (errno != EAGAIN)
			end(BACKEND_FAILED, "stdin", strerror(errno));
		return;
	}
	while (got == LINES_LINE && r.state <= BACKEND_UNREAD) {
		got = lines_next(&r.verdicts, &line, &len);
		/* Half an error line must not be taken for a success. */
		if (got != LINES_MORE && r.verdicts.torn)
			got = LINES_END;
		if (got == LINES_LINE)
			take_verdict(line, len);
	}
	if (got == LINES_TOO_LONG)
		end(BACKEND_CONFUSED, "stdin", "a line is no verdict");
	if (got == LINES_END)
		end(BACKEND_ENDED, "stdin", "the verdicts ended");
	if (r.state > BACKEND_UNREAD)
		loop_forget(w);
}

static void
take_verdict(const char *line, size_t len)
{
	struct inflight_line l = {.owner = NULL};
	struct backend_verdict v;
	uint64_t number;

	FAILPOINT("serve-verdict");
	if (inflight_verdict(&r.ring, &l, &number) < 0 ||
	    read_verdict(line, len, number, &v) < 0) {
		end(BACKEND_CONFUSED, "stdin",
		    "a verdict is not the one awaited");
		tell_fault(&l, FAULT_UNKNOWN);
		return;
	}
	if (v.fault == FAULT_UNAVAILABLE || v.fault == FAULT_UNKNOWN)
		r.refused_ms = clock_ms();
	else if (v.fault == FAULT_NONE)
		r.refused_ms = 0;
	tell(&l, &v);
}

/* What the verdict on line number says.  0, or -1 if it can't be one. */
static int
read_verdict(
    const char *line, size_t len, uint64_t number, struct backend_verdict *ret)
{
	struct control_error e;
	size_t tag_len;

	if (r.tagged) {
		if (lines_split_tag(line, len, &tag_len) < 0)
			return -1;
		line += tag_len + 1;
		len -= tag_len + 1;
	}
	*ret = (struct backend_verdict){.text = line, .len = len};
	if (control_kind(line, len) != CONTROL_ERROR)
		return 0;
	if (control_parse_error(line, len, &e) < 0 || e.line != number)
		return -1;
	ret->fault = e.fault;
	return 0;
}

/* Gives a line's outcome to its request, if that still waits. */
static void
tell(const struct inflight_line *l, struct backend_verdict *v)
{
	struct exchange *x = l->owner;

	if (x == NULL)
		return;
	v->number = l->number;
	x->pending--;
	r.told(x, v);
}

static void
tell_fault(const struct inflight_line *l, enum fault f)
{
	tell(l, &(struct backend_verdict){.fault = f});
}

int64_t
backend_tick(int64_t now_ms)
{
	int64_t then_ms = now_ms - r.verdict_ms, next_ms;
	enum inflight_expired e;
	struct inflight_line l;

	while ((e = inflight_expire(&r.ring, then_ms, &l)) != INFLIGHT_NONE)
		tell_fault(&l,
		    e == INFLIGHT_UNKNOWN ? FAULT_UNKNOWN : FAULT_UNAVAILABLE);
	next_ms = inflight_next(&r.ring);
	if (!r.seen)
		return now_ms;
	return next_ms == IO_FOREVER ? next_ms : next_ms + r.verdict_ms;
}

void
backend_give_up(void)
{
	backend_close_output();
	loop_forget(&r.in);
	(void)backend_tick(IO_FOREVER - 1);
}

/* The first reason stays, unless a worse one comes. */
static void
end(enum backend_state state, const char *object, const char *why)
{
	if (state <= r.state)
		return;
	r.state = state;
	r.seen = false;
	snprintf(r.why, sizeof r.why, "%s: %s", object, why);
}
