/* What is said first to Postgres: it fits, or is refused as a whole. */
#include <string.h>

#include "check.h"
#include "postgres/pg_greeting.h"

int
main(void)
{
	char text[4096];
	size_t len;

	check(pg_greeting_write(text, sizeof text, "1, 2", 4711) == 0, "fits");
	len = strlen(text);
	check(strstr(text, "pg_backend_pid() <> 4711)") != NULL, "%s", text);
	check(strstr(text, "'tcp_user_timeout', '6000'") != NULL, "%s", text);
	check(strcmp(text + len - 14, ", 1, 2; commit") == 0, "%s", text);
	check(strstr(text, "like 'tcp%'") != NULL, "%s", text);
	check(pg_greeting_write(text, len + 1, "1, 2", 4711) == 0, "just");
	check(pg_greeting_write(text, len, "1, 2", 4711) < 0, "too long");
	return check_end();
}
