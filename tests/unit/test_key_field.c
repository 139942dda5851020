/* Keys as strings of RFC 8941: what must be escaped is, the longest fits. */
#include <string.h>

#include "check.h"
#include "send/key_field.h"

int
main(void)
{
	static const struct {
		const char *key, *field;
	} cases[] = {
	    {"a", "Idempotency-Key: \"a\""},
	    {"May, 2", "Idempotency-Key: \"May, 2\""},
	    {"\"", "Idempotency-Key: \"\\\"\""},
	    {"a\\b", "Idempotency-Key: \"a\\\\b\""},
	};
	char key[KEY_FIELD_KEY_MAX + 1], field[KEY_FIELD_MAX];

	for (size_t i = 0; i < check_n(cases); i++) {
		key_field_format(cases[i].key, field);
		check(strcmp(field, cases[i].field) == 0, "%s: %s",
		    cases[i].key, field);
	}
	memset(key, '"', sizeof key - 1);
	key[sizeof key - 1] = '\0';
	key_field_format(key, field);
	check(strlen(field) == KEY_FIELD_MAX - 1, "%zu", strlen(field));
}
