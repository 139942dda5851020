/* Names the codes of error lines and their details. */
#include "record/fault.h"

#include <string.h>

#include "base/metrics_list.h"

static const struct {
	const char *code, *detail, *label;
} faults[FAULT_COUNT] = {[FAULT_NONE] = {"none", "nothing is wrong", NULL},
#define X(name, code, detail) \
	[FAULT_##name] = {code, detail, "code=\"" code "\""},
    FAULT_LIST(X)
#undef X
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

const char *
fault_hint(enum fault f, const char *line, size_t len)
{
	static const char mark[] = "\xef\xbb\xbf";

	return f == FAULT_NOT_JSON && len >= sizeof mark - 1 &&
		       memcmp(line, mark, sizeof mark - 1) == 0
		   ? "the line must not begin with a byte order mark"
		   : NULL;
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

void
fault_series(struct metric *ret, unsigned usual)
{
	for (int f = 1; f < FAULT_COUNT; f++)
		ret[f - 1] = (struct metric){METRIC_REJECTED,
		    .labels = faults[f].label, .rare = (usual & 1U << f) == 0};
}
