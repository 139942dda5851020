/* Growable bytes: what goes in at the end comes out at the front. */
#include <stdint.h>

#include "base/buf.h"
#include "check.h"

static void
empty(void)
{
	struct buf b = {0};

	check(buf_ptr(&b) == NULL && b.len == 0, "nothing yet");
	check(buf_free_space(&b) == 0, "nothing yet");
	check(buf_add(&b, "", 0) == 0 && b.len == 0, "adding nothing");
	check(buf_add(&b, NULL, 0) == 0 && b.len == 0, "adding nothing");
	buf_clear(&b);
	buf_free(&b);
	check(b.data == NULL && b.cap == 0, "freed");
	check(buf_room(&b, 0) != NULL, "room for nothing is no failure");
	buf_free(&b);
}

static void
formatted(void)
{
	struct buf b = {0};

	check(buf_addf(&b, "%s-%d", "a", 7) == 0, "printf");
	check(buf_addf(&b, "%0600d", 1) == 0, "more than it has");
	check(b.len == 603 && memcmp(buf_ptr(&b), "a-7000", 6) == 0, "%zu",
	    b.len);
	buf_free(&b);
}

/* Ten million bytes through a buffer that never holds more than 1,400. */
static void
flat(void)
{
	struct buf b = {0};
	uint32_t in = 0, out = 0, seen;

	while (out < 2500000) {
		while (in < out + 350)
			if (buf_add(&b, &in, sizeof in) == 0)
				in++;
		for (int i = 0; i < 100; i++) {
			memcpy(&seen, buf_ptr(&b), sizeof seen);
			if (seen != out)
				check(0, "%u instead of %u", seen, out);
			buf_drop(&b, sizeof seen);
			out++;
		}
	}
	check(b.len == (in - out) * sizeof in, "%zu left", b.len);
	check(b.cap <= 4096, "grew to %zu", b.cap);
	buf_free(&b);
}

static void
room(void)
{
	struct buf b = {0};
	char *to = buf_room(&b, 1000);

	check(to != NULL && buf_free_space(&b) >= 1000, "room");
	memset(to, 'x', 1000);
	buf_grow(&b, 1000);
	buf_drop(&b, 999);
	check(b.len == 1 && *buf_ptr(&b) == 'x', "the last one");
	check(buf_room(&b, SIZE_MAX / 2) == NULL, "more than there is");
	check(b.len == 1 && *buf_ptr(&b) == 'x', "unchanged");
	buf_drop(&b, 1);
	check(b.len == 0 && b.head == 0, "starts again at the front");
	buf_free(&b);
}

int
main(void)
{
	empty();
	formatted();
	flat();
	room();
	return check_end();
}
