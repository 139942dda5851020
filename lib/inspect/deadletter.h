/*
 * Dead letters: why a raw payload (payload.h) is one, and how it is shown
 * (layer 2).  Pure.
 */
#ifndef INCR_DEADLETTER_H
#define INCR_DEADLETTER_H

#include <stddef.h>

#include "base/buf.h"
#include "record/fault.h"
#include "record/increment.h"

/*
 * Judges a payload as incr-consume and incr-flush do.  FAULT_NONE: it is an
 * increment, *ret.  FAULT_UNAVAILABLE: memory is gone.  scratch is the
 * caller's, for one call after the other.
 */
enum fault deadletter_judge(
    struct buf *scratch, const char *raw, size_t len, struct increment *ret);

/* The code of a judgement: fault_code, or "valid".  Constant. */
const char *deadletter_code(enum fault f);

/* The judgement of a code.  0, or -1 if no payload is judged so. */
int deadletter_find(const char *code, enum fault *ret);

/* Adds the payload in printable ASCII, at most max bytes of it: any other
 * byte as \xHH, a backslash as two; what was cut off is "...".
 * 0, or -1 if memory is gone. */
int deadletter_add_shown(
    struct buf *out, const char *raw, size_t len, size_t max);

/* Adds what there is to mend as one line: the payload proper (all of it
 * behind a faulty header), newlines as spaces, and a newline.  0, or -1 if
 * memory is gone. */
int deadletter_add_line(struct buf *out, const char *raw, size_t len);

#endif
