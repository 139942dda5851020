/* Tells which shard of a queue a key belongs to, and what shards are called. */
#include "queue/shards.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

/* The remainders of half a byte for the reflected polynomial 0xedb88320. */
static const uint32_t nibbles[16] = {0x00000000, 0x1db71064, 0x3b6e20c8,
    0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320,
    0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278,
    0xbdbdf21c};

unsigned
shard_of(const unsigned char key[16], unsigned n)
{
	uint32_t crc = UINT32_MAX;

	if (n <= 1)
		return 0;
	for (int i = 0; i < 16; i++) {
		crc ^= key[i];
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return ~crc % n;
}

int
shard_name(
    const char *queue, unsigned i, unsigned n, char ret[QUEUE_NAME_MAX + 1])
{
	char name[QUEUE_NAME_MAX + 1];
	int len = n <= 1 ? snprintf(name, sizeof name, "%s", queue)
			 : snprintf(name, sizeof name, "%s.%u", queue, i);

	if (len < 0 || len > QUEUE_NAME_MAX)
		return -1;
	memcpy(ret, name, (size_t)len + 1);
	return 0;
}

bool
shard_parse(
    const char *name, char ret_queue[QUEUE_NAME_MAX + 1], unsigned *ret_i)
{
	const char *dot = strrchr(name, '.');
	size_t len;
	uint64_t i;

	if (dot == NULL || num_u64(dot + 1, 0, SHARDS_MAX - 1, &i) < 0 ||
	    (dot[1] == '0' && dot[2] != '\0'))
		return false;
	len = (size_t)(dot - name);
	if (!queue_name_is_valid(name, len))
		return false;
	memcpy(ret_queue, name, len);
	ret_queue[len] = '\0';
	*ret_i = (unsigned)i;
	return true;
}
