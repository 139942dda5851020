/*
 * Dead letters: why a raw payload (rmq_payload.h) is one, how it is shown,
 * and how many there are.  Pure but for memory.
 *
 * A raw payload is any bytes, `len` of them; it is borrowed for the call.
 */
#ifndef INCR_DEADLETTER_H
#define INCR_DEADLETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/u128.h"
#include "record/fault.h"
#include "record/id.h"
#include "record/increment.h"

/*
 * Judges a payload as incr-consume and incr-flush do.  FAULT_NONE: it is an
 * increment, *ret.  FAULT_UNAVAILABLE: memory ran out.  scratch is the
 * caller's, reused from call to call; the caller frees it.
 */
enum fault deadletter_judge(
    struct buf *scratch, const char *raw, size_t len, struct increment *ret);

/* Of a queue (borrowed) that has, or is one of, so many shards: does the
 * increment belong to another one?  All of the plain queue do. */
bool deadletter_is_elsewhere(
    const char *queue, unsigned shards, const struct increment *inc);

/* The code of a judgement: fault_code, or "valid".  Constant. */
const char *deadletter_code(enum fault f);

/* Finds the judgement of a code.  0, or -1 if no payload is judged so. */
int deadletter_find(const char *code, enum fault *ret);

/* Adds the payload in printable ASCII, at most max bytes of it: any other
 * byte as \xHH, a backslash as two; "..." stands for what was cut off.
 * 0, or -1 with errno ENOMEM: out is unchanged. */
int deadletter_add_shown(
    struct buf *out, const char *raw, size_t len, size_t max);

/* Adds a line: the payload's id (message_id.h), its code, what
 * deadletter_add_shown adds, its time of arrival in UTC, "unknown" if ms is 0,
 * and the queue, unless it is NULL; with TABs between them.  0, or -1 with
 * errno ENOMEM. */
int deadletter_add_entry(struct buf *out, const char *raw, size_t len,
    enum fault f, int64_t ms, size_t max, const char *queue);

/* Adds the payload as one line to be corrected: without its header, unless
 * that is faulty, with newlines as spaces, and a newline at the end.  0, or -1
 * with errno ENOMEM. */
int deadletter_add_line(struct buf *out, const char *raw, size_t len);

/* How many messages there are, how many of them are no increments, and the
 * sum of the others. */
struct deadletter_tally {
	uint64_t messages, invalid;
	u128 sum;
};

/* Counts a payload; with a key only an increment of this key.  scratch as for
 * deadletter_judge.  *ret is the increment that was added to the sum, its value
 * 0 if there is none.  0, or -1 with errno ENOMEM: t is unchanged. */
int deadletter_tally_add(struct deadletter_tally *t, const struct id *key,
    struct buf *scratch, const char *raw, size_t len, struct increment *ret);

/* Adds all that `more` has counted. */
void deadletter_tally_merge(
    struct deadletter_tally *t, const struct deadletter_tally *more);

#endif
