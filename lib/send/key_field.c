/* Formats the field Idempotency-Key of a request. */
#include "send/key_field.h"

#include <string.h>

void
key_field_format(const char *key, char ret[KEY_FIELD_MAX])
{
	char *to = stpcpy(ret, KEY_FIELD_NAME);

	for (; *key != '\0'; key++) {
		if (*key == '"' || *key == '\\')
			*to++ = '\\';
		*to++ = *key;
	}
	*to++ = '"';
	*to = '\0';
}
