/*
 * The codes of error lines and HTTP problems, incr-record(5).
 */
#ifndef INCR_FAULT_H
#define INCR_FAULT_H

#include <stddef.h>

struct metric;

/*
 * X(NAME, code, detail) of each, in the order of enum fault.  A code is added
 * here.  The compiler then names the switches that have to know it
 * (-Wswitch-enum), a test each page that lists codes.
 *
 * unavailable is certainly not counted, unknown may have been counted.
 */
#define FAULT_LIST(X) \
	X(NOT_JSON, "not-json", "the line must be one JSON text") \
	X(NOT_AN_OBJECT, "not-an-object", "the JSON text must be an object") \
	X(MISSING_KEY, "missing-key", "the member key is missing") \
	X(MISSING_VALUE, "missing-value", "the member value is missing") \
	X(UNKNOWN_MEMBER, "unknown-member", \
	    "only the members key and value are allowed") \
	X(REPEATED_MEMBER, "repeated-member", "a member must not be repeated") \
	X(KEY_NOT_A_UUID, "key-not-a-uuid", \
	    "key must be a UUID of 36 characters") \
	X(VALUE_NOT_AN_INTEGER, "value-not-an-integer", \
	    "value must be an integer without fraction or exponent") \
	X(VALUE_OUT_OF_RANGE, "value-out-of-range", \
	    "value must be an integer from 1 to 9223372036854775807") \
	X(TOO_LONG, "too-long", "the JSON text must not exceed 4096 bytes") \
	X(NOT_TAGGED, "not-tagged", \
	    "the line must start with a tag of at most 255 visible ASCII " \
	    "characters and one TAB") \
	X(FAULTY_HEADER, "faulty-header", \
	    "the header of the message can not be read") \
	X(CONTROL_LINE, "control-line", \
	    "a checkpoint or an error is not an increment") \
	X(IDEMPOTENCY_KEY_REUSED, "idempotency-key-reused", \
	    "the idempotency key was used before with another increment") \
	X(WRONG_SHARD, "wrong-shard", \
	    "the key belongs to another shard of the queue") \
	X(UNAVAILABLE, "unavailable", \
	    "the queue did not take the increment, it was not counted") \
	X(UNKNOWN, "unknown", \
	    "the queue did not answer, the increment may have been counted")

enum fault {
	FAULT_NONE,
#define X(name, code, detail) FAULT_##name,
	FAULT_LIST(X)
#undef X
	    FAULT_COUNT
};

/* "value-out-of-range"; constant.  "none" for FAULT_NONE. */
const char *fault_code(enum fault f);

/* One sentence for people, the same for every occurrence; constant, ASCII,
 * without characters that JSON escapes. */
const char *fault_detail(enum fault f);

/* Why a line has this fault, if there is more to say than fault_detail(): the
 * same kind of sentence, or NULL. */
const char *fault_hint(enum fault f, const char *line, size_t len);

/* The fault of a code (len bytes), FAULT_NONE if there is none. */
enum fault fault_find(const char *code, size_t len);

/* Sets of faults. */
#define FAULT_BIT(name) (1U << FAULT_##name)
/* What increment_parse says. */
#define FAULTS_OF_INCREMENTS \
	(FAULT_BIT(NOT_JSON) | FAULT_BIT(NOT_AN_OBJECT) | \
	    FAULT_BIT(MISSING_KEY) | FAULT_BIT(MISSING_VALUE) | \
	    FAULT_BIT(UNKNOWN_MEMBER) | FAULT_BIT(REPEATED_MEMBER) | \
	    FAULT_BIT(KEY_NOT_A_UUID) | FAULT_BIT(VALUE_NOT_AN_INTEGER) | \
	    FAULT_BIT(VALUE_OUT_OF_RANGE) | FAULT_BIT(TOO_LONG) | \
	    FAULT_BIT(CONTROL_LINE))
/* What becomes an error line in the place of a payload. */
#define FAULTS_OF_PAYLOADS \
	(FAULT_BIT(FAULTY_HEADER) | FAULT_BIT(TOO_LONG) | \
	    FAULT_BIT(CONTROL_LINE))

/* Fills FAULT_COUNT - 1 series of incr_rejected_total, one for each fault but
 * FAULT_NONE: that of f is ret[f - 1].  Those not in the set `usual`, which the
 * program does not say by itself, are shown once they are not 0. */
void fault_series(struct metric *ret, unsigned usual);

#endif
