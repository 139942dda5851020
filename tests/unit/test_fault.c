/* Codes are names for ever; details can stand in JSON as they are. */
#include "base/metrics.h"
#include "check.h"
#include "record/fault.h"

static const char *const codes[] = {"none", "not-json", "not-an-object",
    "missing-key", "missing-value", "unknown-member", "repeated-member",
    "key-not-a-uuid", "value-not-an-integer", "value-out-of-range", "too-long",
    "not-tagged", "faulty-header", "control-line", "idempotency-key-reused",
    "wrong-shard", "unavailable", "unknown"};

static void
series(void)
{
	struct metric all[FAULT_COUNT - 1];
	char label[64];

	fault_series(all, FAULTS_OF_PAYLOADS);
	for (enum fault f = FAULT_NOT_JSON; f < FAULT_COUNT; f++) {
		snprintf(label, sizeof label, "code=\"%s\"", codes[f]);
		check(strcmp(all[f - 1].labels, label) == 0, "%s", label);
		check(strcmp(all[f - 1].name, "incr_rejected_total") == 0, "%s",
		    all[f - 1].name);
		check(all[f - 1].rare ==
			  (f != FAULT_FAULTY_HEADER && f != FAULT_TOO_LONG &&
			      f != FAULT_CONTROL_LINE),
		    "%s", label);
		check(
		    all[f - 1].value == 0 && all[f - 1].kind == METRICS_COUNTER,
		    "%s", label);
	}
}

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
	series();
	return check_end();
}
