/* Parses numbers strictly, and writes them. */
#include "base/num.h"

#include <stddef.h>
#include <string.h>

static int digits(const char *text, size_t len, uint64_t *ret);

char *
num_write(char *to, uint64_t n)
{
	char text[NUM_TEXT];
	size_t at = NUM_TEXT;

	if (n < 10) { /* as most values */
		*to = (char)('0' + n);
		return to + 1;
	}
	if (n < 100) {
		to[0] = (char)('0' + n / 10);
		to[1] = (char)('0' + n % 10);
		return to + 2;
	}
	do
		text[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	memcpy(to, text + at, NUM_TEXT - at);
	return to + NUM_TEXT - at;
}

int
num_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t n;

	if (digits(text, strlen(text), &n) < 0 || n < min || n > max)
		return -1;
	*ret = n;
	return 0;
}

int
num_seconds(const char *text, int64_t min_ms, int64_t max_ms, int64_t *ret_ms)
{
	size_t whole_len = strcspn(text, ".");
	const char *point = text + whole_len;
	uint64_t whole, part = 0;
	int64_t ms;
	size_t part_len;

	if (digits(text, whole_len, &whole) < 0 || whole > INT64_MAX / 2000)
		return -1;
	if (*point == '.') {
		part_len = strlen(point + 1);
		if (part_len > 3 || digits(point + 1, part_len, &part) < 0)
			return -1;
		for (; part_len < 3; part_len++)
			part *= 10;
	}
	ms = (int64_t)(whole * 1000 + part);
	if (ms < min_ms || ms > max_ms)
		return -1;
	*ret_ms = ms;
	return 0;
}

static int
digits(const char *text, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	if (len == 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		uint64_t d = (uint64_t)(unsigned char)text[i] - '0';

		if (d > 9 || n > (UINT64_MAX - d) / 10)
			return -1;
		n = n * 10 + d;
	}
	*ret = n;
	return 0;
}
