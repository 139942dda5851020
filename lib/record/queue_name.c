/* Says what a queue may be called. */
#include "record/queue_name.h"

#include <string.h>

bool
queue_name_is_valid(const char *text, size_t len)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789._:-";

	if (len < 1 || len > QUEUE_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (memchr(allowed, text[i], sizeof allowed - 1) == NULL)
			return false;
	return true;
}

const char *
queue_name_take(void *dest, const char *text)
{
	if (!queue_name_is_valid(text, strlen(text)))
		return "1 to 128 of A-Z a-z 0-9 . _ : -";
	*(const char **)dest = text;
	return NULL;
}

_Static_assert(QUEUE_NAME_MAX == 128, "the text above says 128");
