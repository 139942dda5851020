/* Writes arrays of strings as MessagePack. */
#include "redis/msgpack.h"

#include <string.h>

#include "base/bigendian.h"

enum { ARRAY_32 = 0xdd, STR_8 = 0xd9, STR_16 = 0xda, UINT_32 = 0xce };

void
msgpack_head(uint32_t n, unsigned char ret_head[MSGPACK_HEAD])
{
	ret_head[0] = ARRAY_32;
	bigendian_put32((char *)ret_head + 1, n);
}

int
msgpack_add(struct buf *out, const void *p, size_t len)
{
	enum { HEAD_MAX = 3 };
	char *to = len > UINT16_MAX ? NULL : buf_room(out, HEAD_MAX + len);
	size_t head = 0;

	if (to == NULL)
		return -1;
	to[head++] = (char)(len > UINT8_MAX ? STR_16 : STR_8);
	if (len > UINT8_MAX)
		to[head++] = (char)(len >> 8);
	to[head++] = (char)(len & UINT8_MAX);
	memcpy(to + head, p, len);
	buf_grow(out, head + len);
	return 0;
}

int
msgpack_add_number(struct buf *out, uint32_t n)
{
	char text[5] = {(char)UINT_32};

	bigendian_put32(text + 1, n);
	return buf_add(out, text, sizeof text);
}
