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
	enum relay_state state;
	bool seen; /* by the program */
	char why[128];
	bool tagged;
	int64_t verdict_ms;
	void (*told)(struct exchange *x, const struct relay_verdict *v);
	int64_t refused_ms; /* of the last unavailable or unknown, or 0 */
	bool out_closed;
	struct ring ring;
	struct lines verdicts;
	struct watch in, out;
} r;

static void look_at_output(struct watch *w, uint32_t events);
static void lose_output(int error);
static void read_verdicts(struct watch *w, uint32_t events);
static void take_verdict(const char *line, size_t len);
static int read_verdict(
    const char *line, size_t len, uint64_t number, struct relay_verdict *ret);
static void tell(const struct ring_line *l, struct relay_verdict *v);
static void tell_fault(const struct ring_line *l, enum fault f);
static void end(enum relay_state state, const char *object, const char *why);

int
relay_open(const struct relay_options *o, const char **ret_why)
{
	r.tagged = o->tagged;
	r.verdict_ms = o->verdict_ms;
	r.told = o->told;
	r.in = (struct watch){.ready = read_verdicts, .fd = STDIN_FILENO};
	r.out = (struct watch){.ready = look_at_output, .fd = STDOUT_FILENO};
	if (lines_open(&r.verdicts, STDIN_FILENO,
		LINES_JSON_MAX + LINES_TAG_MAX + 1) < 0 ||
	    ring_open(&r.ring, o->max_lines, OUT_MAX, o->tagged) < 0) {
		*ret_why = "memory is short";
		return -1;
	}
	fdio_output(STDOUT_FILENO);
	*ret_why = r.why;
	if (watch_set(&r.out, 0) < 0 && errno != EPERM) {
		end(RELAY_FAILED, "stdout", strerror(errno));
		return -1;
	}
	if (watch_set(&r.in, EPOLLIN) < 0) {
		if (errno != EPERM) {
			end(RELAY_FAILED, "stdin", strerror(errno));
			return -1;
		}
		read_verdicts(&r.in, EPOLLIN); /* a file: no verdicts */
	}
	return 0;
}

int
relay_add(struct exchange *x, uint32_t number, const char *body, size_t len)
{
	char tag[TAG_TEXT];
	struct ring_text text = {.tag = tag, .body = body, .len = len};

	POINT("serve-body");
	if (r.tagged)
		text.tag_len = tag_format(&request_of(x)->tag, number, tag);
	if (relay_full() || ring_add(&r.ring, x, number, &text, tick_ms()) < 0)
		return -1;
	x->pending++;
	return 0;
}

bool
relay_tagged(void)
{
	return r.tagged;
}

bool
relay_full(void)
{
	return relay_closed() || ring_full(&r.ring);
}

bool
relay_closed(void)
{
	return r.out_closed || r.state != RELAY_RUNNING;
}

bool
relay_crowded(void)
{
	return r.ring.out.len >= CROWD;
}

bool
relay_fresh(int64_t now_ms)
{
	int64_t oldest_ms = ring_oldest(&r.ring);

	return r.state == RELAY_RUNNING &&
	       (oldest_ms == FDIO_FOREVER || now_ms - oldest_ms < FRESH_MS) &&
	       (r.refused_ms == 0 || now_ms - r.refused_ms >= FRESH_MS);
}

uint64_t
relay_count(void)
{
	return ring_count(&r.ring);
}

enum relay_state
relay_state(void)
{
	r.seen = true;
	return r.state;
}

const char *
relay_why(void)
{
	return r.why;
}

/* -- lines --------------------------------------------------------------- */

void
relay_write(void)
{
	if (r.out_closed)
		return;
	if (ring_write(&r.ring, STDOUT_FILENO) == 0)
		(void)watch_set(&r.out, 0);
	else if (errno != EAGAIN || watch_set(&r.out, EPOLLOUT) < 0)
		lose_output(errno);
}

bool
relay_written(void)
{
	return r.ring.out.len == 0;
}

static void
look_at_output(struct watch *w, uint32_t events)
{
	(void)w;
	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		lose_output(EPIPE);
}

/* What was not written is not counted; what was may still get its verdict. */
static void
lose_output(int error)
{
	end(RELAY_UNREAD, "stdout", strerror(error));
	relay_close_output();
}

void
relay_close_output(void)
{
	struct ring_line l;

	if (r.out_closed)
		return;
	r.out_closed = true;
	while (ring_withdraw(&r.ring, &l))
		tell_fault(&l, FAULT_UNAVAILABLE);
	watch_forget(&r.out);
	if (lines_finish(STDOUT_FILENO) < 0)
		end(RELAY_FAILED, "stdout", strerror(errno));
}

/* -- verdicts ------------------------------------------------------------ */

static void
read_verdicts(struct watch *w, uint32_t events)
{
	enum lines_result got = LINES_LINE;
	const char *line;
	size_t len;

	(void)events;
	if (lines_fill(&r.verdicts) < 0) {
		if (errno != EAGAIN)
			end(RELAY_FAILED, "stdin", strerror(errno));
		return;
	}
	while (got == LINES_LINE && r.state <= RELAY_UNREAD) {
		got = lines_next(&r.verdicts, &line, &len);
		/* Half an error line must not be taken for a success. */
		if (got != LINES_MORE && r.verdicts.torn)
			got = LINES_END;
		if (got == LINES_LINE)
			take_verdict(line, len);
	}
	if (got == LINES_TOO_LONG)
		end(RELAY_CONFUSED, "stdin", "a line is no verdict");
	if (got == LINES_END)
		end(RELAY_ENDED, "stdin", "the verdicts ended");
	if (r.state > RELAY_UNREAD)
		watch_forget(w);
}

static void
take_verdict(const char *line, size_t len)
{
	struct ring_line l = {.owner = NULL};
	struct relay_verdict v;
	uint64_t number;

	POINT("serve-verdict");
	if (ring_verdict(&r.ring, &l, &number) < 0 ||
	    read_verdict(line, len, number, &v) < 0) {
		end(RELAY_CONFUSED, "stdin",
		    "a verdict is not the one awaited");
		tell_fault(&l, FAULT_UNKNOWN);
		return;
	}
	if (v.fault == FAULT_UNAVAILABLE || v.fault == FAULT_UNKNOWN)
		r.refused_ms = tick_ms();
	else if (v.fault == FAULT_NONE)
		r.refused_ms = 0;
	tell(&l, &v);
}

/* What the verdict on line number says.  0, or -1 if it can't be one. */
static int
read_verdict(
    const char *line, size_t len, uint64_t number, struct relay_verdict *ret)
{
	struct record_error e;
	size_t tag_len;

	if (r.tagged) {
		if (lines_split_tag(line, len, &tag_len) < 0)
			return -1;
		line += tag_len + 1;
		len -= tag_len + 1;
	}
	*ret = (struct relay_verdict){.text = line, .len = len};
	if (record_kind(line, len) != RECORD_ERROR)
		return 0;
	if (record_parse_error(line, len, &e) < 0 || e.line != number)
		return -1;
	ret->fault = e.fault;
	return 0;
}

/* Gives a line's outcome to its request, if that still waits. */
static void
tell(const struct ring_line *l, struct relay_verdict *v)
{
	struct exchange *x = l->owner;

	if (x == NULL)
		return;
	v->number = l->number;
	x->pending--;
	r.told(x, v);
}

static void
tell_fault(const struct ring_line *l, enum fault f)
{
	tell(l, &(struct relay_verdict){.fault = f});
}

int64_t
relay_tick(int64_t now_ms)
{
	int64_t then_ms = now_ms - r.verdict_ms, next_ms;
	enum ring_expired e;
	struct ring_line l;

	while ((e = ring_expire(&r.ring, then_ms, &l)) != RING_NONE)
		tell_fault(
		    &l, e == RING_UNKNOWN ? FAULT_UNKNOWN : FAULT_UNAVAILABLE);
	next_ms = ring_next(&r.ring);
	if (!r.seen)
		return now_ms;
	return next_ms == FDIO_FOREVER ? next_ms : next_ms + r.verdict_ms;
}

void
relay_give_up(void)
{
	relay_close_output();
	watch_forget(&r.in);
	(void)relay_tick(FDIO_FOREVER - 1);
}

/* The first reason stays, unless a worse one comes. */
static void
end(enum relay_state state, const char *object, const char *why)
{
	if (state <= r.state)
		return;
	r.state = state;
	r.seen = false;
	snprintf(r.why, sizeof r.why, "%s: %s", object, why);
}
