/* Judges the lines of a consumer's stream, or of plain input. */
#include "flush/flush_input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/num.h"
#include "base/reason.h"

/* More is no age, but a number out of bounds. */
#define AGE_MAX_MS (INT64_MAX / 4)

enum { LAG_MS = 30000 };

static enum flush_input_event first_line(struct flush_input *s,
    const char *line, size_t len, bool too_long, int64_t now_ms);
static enum flush_input_event begin(struct flush_input *s, int64_t now_ms);
static enum flush_input_event plain_line(
    struct flush_input *s, const char *line, size_t len, bool too_long);
static enum flush_input_event batch_line(struct flush_input *s, int64_t now_ms);
static enum fault read_error(const char *line, size_t len);
static enum flush_input_event checkpoint(
    struct flush_input *s, const char *line, size_t len, int64_t now_ms);
static enum flush_input_event batch_point(
    struct flush_input *s, int64_t now_ms);
static void note_lag(struct flush_input *s, int64_t now_ms);
static int64_t lag_of(const struct flush_input *s, int64_t now_ms);
static enum flush_input_event stop(
    struct flush_input *s, enum flush_input_event event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

enum flush_input_event
flush_input_line(struct flush_input *s, const char *line, size_t len,
    bool too_long, int64_t now_ms)
{
	enum control_kind kind;

	switch (s->kind) {
	case FLUSH_INPUT_UNKNOWN:
		return first_line(s, line, len, too_long, now_ms);
	case FLUSH_INPUT_PLAIN: return plain_line(s, line, len, too_long);
	case FLUSH_INPUT_CONSUMER: break;
	}
	kind = too_long ? CONTROL_DATA : control_kind(line, len);
	if (kind == CONTROL_CHECKPOINT)
		return checkpoint(s, line, len, now_ms);
	if (too_long)
		s->fault = FAULT_TOO_LONG;
	else if (kind == CONTROL_ERROR)
		s->fault = read_error(line, len);
	else
		s->fault = increment_parse(line, len, &s->inc);
	return batch_line(s, now_ms);
}

/* The first line decides what the input is; without memory to parse it, it
 * must not be taken for plain input. */
static enum flush_input_event
first_line(struct flush_input *s, const char *line, size_t len, bool too_long,
    int64_t now_ms)
{
	if (!too_long && control_kind(line, len) == CONTROL_CHECKPOINT) {
		int result = control_parse_checkpoint(line, len, &s->point);

		if (result < 0 && errno == ENOMEM)
			return FLUSH_INPUT_MEMORY;
		if (result == 0 && s->point.seq == 0 && !s->point.end) {
			s->kind = FLUSH_INPUT_CONSUMER;
			return begin(s, now_ms);
		}
	}
	s->kind = FLUSH_INPUT_PLAIN;
	return plain_line(s, line, len, too_long);
}

static enum flush_input_event
plain_line(struct flush_input *s, const char *line, size_t len, bool too_long)
{
	s->fault =
	    too_long ? FAULT_TOO_LONG : increment_parse(line, len, &s->inc);
	if (s->fault == FAULT_UNAVAILABLE)
		return FLUSH_INPUT_MEMORY;
	return s->fault == FAULT_NONE ? FLUSH_INPUT_ADD : FLUSH_INPUT_BAD;
}

/* A line of a batch that was judged: s->fault. */
static enum flush_input_event
batch_line(struct flush_input *s, int64_t now_ms)
{
	if (s->ended)
		return stop(
		    s, FLUSH_INPUT_BUG, "line after the end checkpoint");
	if (s->batch.lines == FLUSH_INPUT_BATCH_MAX)
		return stop(s, FLUSH_INPUT_BUG, "batch of more than %d lines",
		    FLUSH_INPUT_BATCH_MAX);
	if (s->fault == FAULT_UNAVAILABLE)
		return FLUSH_INPUT_MEMORY;
	if (s->fault == FAULT_NONE)
		return batch_add(&s->batch, &s->inc, now_ms) < 0
			   ? FLUSH_INPUT_MEMORY
			   : FLUSH_INPUT_LINE;
	return batch_add_bad(&s->batch, now_ms) < 0 ? FLUSH_INPUT_MEMORY
						    : FLUSH_INPUT_BAD;
}

/* The fault of an error line, which incr-consume writes for a payload that is
 * no line. */
static enum fault
read_error(const char *line, size_t len)
{
	struct control_error e;

	/* FAULT_UNAVAILABLE means here that memory is gone. */
	if (control_parse_error(line, len, &e) < 0)
		return errno == ENOMEM ? FAULT_UNAVAILABLE : FAULT_CONTROL_LINE;
	return e.fault == FAULT_UNAVAILABLE ? FAULT_CONTROL_LINE : e.fault;
}

static enum flush_input_event
checkpoint(struct flush_input *s, const char *line, size_t len, int64_t now_ms)
{
	struct control_checkpoint *p = &s->point;

	if (control_parse_checkpoint(line, len, p) < 0)
		return errno == ENOMEM
			   ? FLUSH_INPUT_MEMORY
			   : stop(s, FLUSH_INPUT_BUG, "malformed checkpoint");
	if (p->lines != s->batch.lines)
		return stop(s, FLUSH_INPUT_BUG,
		    "batch %" PRIu64 " has %" PRIu64 " lines, its checkpoint "
		    "says %" PRIu64,
		    p->seq, s->batch.lines, p->lines);
	if (p->seq == 0 && !p->end)
		return begin(s, now_ms);
	if (strcmp(p->queue, s->queue) != 0)
		return stop(s, FLUSH_INPUT_CONFIG,
		    "batch of queue %s, expected queue %s (--queue)", p->queue,
		    s->queue);
	if (s->ended)
		return stop(
		    s, FLUSH_INPUT_BUG, "checkpoint after the end checkpoint");
	if (!p->end)
		return batch_point(s, now_ms);
	if (p->lines != 0)
		return stop(s, FLUSH_INPUT_BUG, "end checkpoint with lines");
	s->ended = true;
	return FLUSH_INPUT_END;
}

static enum flush_input_event
begin(struct flush_input *s, int64_t now_ms)
{
	if (strcmp(s->point.queue, s->queue) != 0)
		return stop(s, FLUSH_INPUT_CONFIG,
		    "consumer of queue %s, expected queue %s (--queue)",
		    s->point.queue, s->queue);
	s->consumer = s->point.consumer;
	s->seq = 0;
	s->ended = false;
	s->lag_ms = s->lag_before_ms = lag_of(s, now_ms);
	s->lag_since_ms = now_ms;
	return s->point.lines == 0
		   ? FLUSH_INPUT_BEGIN
		   : stop(s, FLUSH_INPUT_BUG, "first checkpoint with lines");
}

static enum flush_input_event
batch_point(struct flush_input *s, int64_t now_ms)
{
	const struct control_checkpoint *p = &s->point;

	FAILPOINT("flush-checkpoint");
	batch_history_add(&s->history, &p->consumer, p->seq, p->lines);
	if (p->adopted)
		return FLUSH_INPUT_BATCH;
	if (!id_equal(&p->consumer, &s->consumer))
		return stop(s, FLUSH_INPUT_BUG,
		    "batch of another consumer, not marked as adopted");
	if (p->seq != s->seq + 1)
		return stop(s, FLUSH_INPUT_BUG,
		    "batch out of order: expected %" PRIu64 ", got %" PRIu64,
		    s->seq + 1, p->seq);
	s->seq = p->seq;
	note_lag(s, now_ms);
	return FLUSH_INPUT_BATCH;
}

/* The least of half a minute, and that of the half before. */
static void
note_lag(struct flush_input *s, int64_t now_ms)
{
	int64_t lag_ms = lag_of(s, now_ms);

	if (now_ms - s->lag_since_ms >= LAG_MS) {
		s->lag_before_ms = s->lag_ms;
		s->lag_ms = lag_ms;
		s->lag_since_ms = now_ms;
	}
	s->lag_ms = num_min(lag_ms, s->lag_ms);
}

static int64_t
lag_of(const struct flush_input *s, int64_t now_ms)
{
	return now_ms - num_min(s->point.taken_ms, AGE_MAX_MS);
}

static enum flush_input_event
stop(struct flush_input *s, enum flush_input_event event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reason_vset(s->why, fmt, ap);
	va_end(ap);
	return event;
}

int64_t
flush_input_age_ms(const struct flush_input *s, int64_t now_ms)
{
	int64_t age_ms =
	    lag_of(s, now_ms) - num_min(s->lag_ms, s->lag_before_ms);

	if (age_ms < 0)
		age_ms = 0;
	if (s->point.since_ms > 0)
		age_ms += s->point.taken_ms - s->point.since_ms;
	return age_ms > AGE_MAX_MS ? AGE_MAX_MS : age_ms;
}
