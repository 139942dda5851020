/* Writes and reads integers in network byte order. */
#include "base/bigendian.h"

#include <endian.h>
#include <string.h>

char *
bigendian_put16(char *to, uint16_t n)
{
	n = htobe16(n);
	memcpy(to, &n, sizeof n);
	return to + sizeof n;
}

char *
bigendian_put32(char *to, uint32_t n)
{
	n = htobe32(n);
	memcpy(to, &n, sizeof n);
	return to + sizeof n;
}

char *
bigendian_put64(char *to, uint64_t n)
{
	n = htobe64(n);
	memcpy(to, &n, sizeof n);
	return to + sizeof n;
}

uint64_t
bigendian_get64(const void *from)
{
	uint64_t n;

	memcpy(&n, from, sizeof n);
	return be64toh(n);
}
