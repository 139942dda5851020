#include "trace.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "tick.h"

enum {
	ID_BYTES = TRACE_ID / 2,
	PARENT_AT = TRACE_ID_AT + TRACE_ID + 1,
	PARENT_BYTES = 8,
	FLAGS_AT = PARENT_AT + 2 * PARENT_BYTES + 1,
	POOL = 256 /* bytes that getrandom gives in one piece, random(4) */
};

static const char hex[] = "0123456789abcdef";

static bool is_id(const char *text, size_t len);
static bool is_hex(const char *text, size_t len);
static void name(char *to, size_t bytes);
static const uint8_t *draw(size_t n);

bool
trace_is_valid(const char *text, size_t len)
{
	return len == TRACE_TEXT && memcmp(text, "00-", TRACE_ID_AT) == 0 &&
	       is_id(text + TRACE_ID_AT, TRACE_ID) &&
	       text[PARENT_AT - 1] == '-' &&
	       is_id(text + PARENT_AT, (size_t)2 * PARENT_BYTES) &&
	       text[FLAGS_AT - 1] == '-' && is_hex(text + FLAGS_AT, 2);
}

/* All zero is none. */
static bool
is_id(const char *text, size_t len)
{
	return is_hex(text, len) && strspn(text, "0") < len;
}

static bool
is_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0' || strchr(hex, text[i]) == NULL)
			return false;
	return true;
}

void
trace_make(struct trace *ret)
{
	memcpy(ret->text, "00-", TRACE_ID_AT);
	name(ret->text + TRACE_ID_AT, ID_BYTES);
	ret->text[PARENT_AT - 1] = '-';
	name(ret->text + PARENT_AT, PARENT_BYTES);
	memcpy(ret->text + FLAGS_AT - 1, "-00", sizeof "-00");
}

void
trace_adopt(struct trace *t)
{
	if (trace_is_valid(t->text, strlen(t->text))) {
		name(t->text + PARENT_AT, PARENT_BYTES);
		memcpy(t->text + FLAGS_AT, "00", 2);
	} else {
		trace_make(t);
	}
}

static void
name(char *to, size_t bytes)
{
	const uint8_t *from = draw(bytes);

	for (size_t i = 0; i < bytes; i++) {
		*to++ = hex[from[i] >> 4];
		*to++ = hex[from[i] & 15];
	}
}

/* The next n random bytes, of many that were drawn at once.  Were there none,
 * the clock would still tell names apart: they are no secrets. */
static const uint8_t *
draw(size_t n)
{
	static uint8_t pool[POOL];
	static size_t at = POOL;
	uint64_t noise;

	if (POOL - at < n) {
		at = 0;
		if (getrandom(pool, POOL, 0) != POOL)
			for (size_t i = 0; i < POOL; i += sizeof noise) {
				noise = tick_noise() + i;
				memcpy(pool + i, &noise, sizeof noise);
			}
	}
	at += n;
	return pool + at - n;
}
