/*
 * MessagePack of strings and numbers: heads and lengths as the specification
 * has them.
 */
#include "check.h"
#include "redis/msgpack.h"

static char text[UINT16_MAX + 1];

/* Does a string of len bytes begin with these n, and is that all of it? */
static void
check_string(size_t len, const char *head, size_t n)
{
	struct buf b = {0};

	check(msgpack_add(&b, text, len) == 0, "%zu", len);
	check(b.len == n + len && memcmp(buf_ptr(&b), head, n) == 0,
	    "the head of %zu", len);
	buf_free(&b);
}

int
main(void)
{
	unsigned char head[MSGPACK_HEAD];
	struct buf b = {0};

	msgpack_head(0x01020304, head);
	check(memcmp(head, "\xdd\x01\x02\x03\x04", MSGPACK_HEAD) == 0, "array");
	check_string(0, "\xd9\x00", 2);
	check_string(255, "\xd9\xff", 2);
	check_string(256, "\xda\x01\x00", 3);
	check_string(UINT16_MAX, "\xda\xff\xff", 3);
	check(
	    msgpack_add(&b, text, UINT16_MAX + 1) < 0 && b.len == 0, "64 KiB");
	check(msgpack_add_number(&b, 0x01020304) == 0 && b.len == 5 &&
		  memcmp(buf_ptr(&b), "\xce\x01\x02\x03\x04", 5) == 0,
	    "number");
	buf_free(&b);
	return check_end();
}
