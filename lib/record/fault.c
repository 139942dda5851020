#include "record/fault.h"

#include <string.h>

static const struct {
	const char *code, *detail;
} faults[FAULT_COUNT] = {
    [FAULT_NONE] = {"none", "nothing is wrong"},
    [FAULT_NOT_JSON] = {"not-json", "the line must be one JSON text"},
    [FAULT_NOT_AN_OBJECT] = {"not-an-object",
	"the JSON text must be an object"},
    [FAULT_MISSING_KEY] = {"missing-key", "the member key is missing"},
    [FAULT_MISSING_VALUE] = {"missing-value", "the member value is missing"},
    [FAULT_UNKNOWN_MEMBER] = {"unknown-member",
	"only the members key and value are allowed"},
    [FAULT_REPEATED_MEMBER] = {"repeated-member",
	"a member must not be repeated"},
    [FAULT_KEY_NOT_A_UUID] = {"key-not-a-uuid",
	"key must be a UUID of 36 characters"},
    [FAULT_VALUE_NOT_AN_INTEGER] = {"value-not-an-integer",
	"value must be an integer without fraction or exponent"},
    [FAULT_VALUE_OUT_OF_RANGE] = {"value-out-of-range",
	"value must be an integer from 1 to 9223372036854775807"},
    [FAULT_TOO_LONG] = {"too-long", "the JSON text must not exceed 4096 bytes"},
    [FAULT_NOT_TAGGED] = {"not-tagged",
	"the line must start with a tag of at most 255 visible ASCII "
	"characters and one TAB"},
    [FAULT_FAULTY_HEADER] = {"faulty-header",
	"the header of the message can not be read"},
    [FAULT_CONTROL_LINE] = {"control-line",
	"a checkpoint or an error is not an increment"},
    [FAULT_IDEMPOTENCY_KEY_REUSED] = {"idempotency-key-reused",
	"the idempotency key was used before with another increment"},
    [FAULT_UNAVAILABLE] = {"unavailable",
	"the queue did not take the increment, it was not counted"},
    [FAULT_UNKNOWN] = {"unknown",
	"the queue did not answer, the increment may have been counted"},
};

const char *
fault_code(enum fault f)
{
	return faults[f].code;
}

const char *
fault_detail(enum fault f)
{
	return faults[f].detail;
}

enum fault
fault_find(const char *code, size_t len)
{
	for (int f = 1; f < FAULT_COUNT; f++)
		if (strlen(faults[f].code) == len &&
		    memcmp(faults[f].code, code, len) == 0)
			return (enum fault)f;
	return FAULT_NONE;
}
