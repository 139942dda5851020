/* Checks, makes and continues W3C trace contexts. */
#include "http/traceparent.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

enum {
	ID_BYTES = TRACEPARENT_ID / 2,
	PARENT_AT = TRACEPARENT_ID_AT + TRACEPARENT_ID + 1,
	PARENT_BYTES = 8,
	FLAGS_AT = PARENT_AT + 2 * PARENT_BYTES + 1,
	POOL = 256 /* bytes drawn at once */
};

static bool is_id(const char *text, size_t len);
static const uint8_t *draw(size_t n);

bool
traceparent_is_valid(const char *text, size_t len)
{
	return len == TRACEPARENT_TEXT &&
	       memcmp(text, "00-", TRACEPARENT_ID_AT) == 0 &&
	       is_id(text + TRACEPARENT_ID_AT, TRACEPARENT_ID) &&
	       text[PARENT_AT - 1] == '-' &&
	       is_id(text + PARENT_AT, (size_t)2 * PARENT_BYTES) &&
	       text[FLAGS_AT - 1] == '-' && hex_is_lower(text + FLAGS_AT, 2);
}

/* All zero is none. */
static bool
is_id(const char *text, size_t len)
{
	return hex_is_lower(text, len) && strspn(text, "0") < len;
}

void
traceparent_make(struct traceparent *ret)
{
	memcpy(ret->text, "00-", TRACEPARENT_ID_AT);
	hex_write(ret->text + TRACEPARENT_ID_AT, draw(ID_BYTES), ID_BYTES);
	ret->text[PARENT_AT - 1] = '-';
	hex_write(ret->text + PARENT_AT, draw(PARENT_BYTES), PARENT_BYTES);
	memcpy(ret->text + FLAGS_AT - 1, "-00", sizeof "-00");
}

void
traceparent_adopt(struct traceparent *t)
{
	if (traceparent_is_valid(t->text, strlen(t->text))) {
		hex_write(
		    t->text + PARENT_AT, draw(PARENT_BYTES), PARENT_BYTES);
		memcpy(t->text + FLAGS_AT, "00", 2);
	} else {
		traceparent_make(t);
	}
}

/* The next n random bytes, of many that were drawn at once. */
static const uint8_t *
draw(size_t n)
{
	static uint8_t pool[POOL];
	static size_t at = POOL;

	if (POOL - at < n) {
		at = 0;
		arc4random_buf(pool, POOL);
	}
	at += n;
	return pool + at - n;
}
