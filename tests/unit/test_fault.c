/* Codes are names for ever; details can stand in JSON as they are. */
#include "check.h"
#include "record/fault.h"

static const char *const codes[] = {"none", "not-json", "not-an-object",
    "missing-key", "missing-value", "unknown-member", "repeated-member",
    "key-not-a-uuid", "value-not-an-integer", "value-out-of-range", "too-long",
    "not-tagged", "faulty-header", "control-line", "idempotency-key-reused",
    "unavailable", "unknown"};

int
main(void)
{
	check(check_n(codes) == FAULT_COUNT, "%d codes", FAULT_COUNT);
	for (enum fault f = FAULT_NONE; f < FAULT_COUNT; f++) {
		const char *detail = fault_detail(f);

		check(strcmp(fault_code(f), codes[f]) == 0, "%s", codes[f]);
		check(fault_find(codes[f], strlen(codes[f])) == f, "%s",
		    codes[f]);
		check(*detail != '\0', "%s", codes[f]);
		for (; *detail != '\0'; detail++)
			check(*detail >= ' ' && *detail <= '~' &&
				  *detail != '"' && *detail != '\\',
			    "%s", codes[f]);
	}
	check(fault_find("not-jso", 7) == FAULT_NONE, "a beginning");
	check(fault_find("not-json!", 9) == FAULT_NONE, "more");
	check(fault_find("not-json!", 8) == FAULT_NOT_JSON, "with a length");
	check(fault_find("", 0) == FAULT_NONE, "nothing");
	return check_end();
}
