/*
 * The codes of error lines and HTTP problems, incr-record(5) (layer 0).
 */
#ifndef INCR_FAULT_H
#define INCR_FAULT_H

#include <stddef.h>

enum fault {
	FAULT_NONE,
	FAULT_NOT_JSON,
	FAULT_NOT_AN_OBJECT,
	FAULT_MISSING_KEY,
	FAULT_MISSING_VALUE,
	FAULT_UNKNOWN_MEMBER,
	FAULT_REPEATED_MEMBER,
	FAULT_KEY_NOT_A_UUID,
	FAULT_VALUE_NOT_AN_INTEGER,
	FAULT_VALUE_OUT_OF_RANGE,
	FAULT_TOO_LONG,
	FAULT_NOT_TAGGED,
	FAULT_FAULTY_HEADER,
	FAULT_CONTROL_LINE,
	FAULT_IDEMPOTENCY_KEY_REUSED,
	FAULT_UNAVAILABLE, /* certainly not counted */
	FAULT_UNKNOWN,     /* may have been counted */
	FAULT_COUNT
};

/* "value-out-of-range"; constant.  "none" for FAULT_NONE. */
const char *fault_code(enum fault f);

/* One sentence for people, the same for every occurrence; constant, ASCII,
 * without characters that JSON escapes. */
const char *fault_detail(enum fault f);

/* The fault of a code (len bytes), FAULT_NONE if there is none. */
enum fault fault_find(const char *code, size_t len);

#endif
