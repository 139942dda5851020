/*
 * Any bytes as an increment: what the recogniser accepts, jansson accepts
 * with the same key and value, and whoever judges says the same; what is
 * accepted has one canonical form, which is recognised; an out-parameter is
 * untouched on failure.
 */
#include "record/increment.h"
#include "base/lines.h"
#include "fuzz.h"

static const struct increment untouched = {.value = -77};

static int
same(const struct increment *a, const struct increment *b)
{
	return a->value == b->value && id_equal(&a->key, &b->key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct increment seen = untouched, judged = untouched, again;
	const char *text = (const char *)data;
	int recognised = increment_recognise(text, len, &seen) == 0;
	enum fault fault = increment_load(text, len, &judged);
	char canonical[INCREMENT_TEXT];
	size_t n;

	promise(increment_is_canonical(text, len) == (recognised != 0));
	promise(fault != FAULT_UNAVAILABLE && fault < FAULT_COUNT);
	promise((fault == FAULT_TOO_LONG) == (len > LINES_JSON_MAX));
	promise(increment_judge(text, len, &again) == fault);
	promise(increment_parse(text, len, &again) == fault);
	if (!recognised)
		promise(same(&seen, &untouched));
	if (fault != FAULT_NONE) {
		promise(!recognised);
		promise(same(&judged, &untouched));
		return 0;
	}
	promise(judged.value > 0);
	promise(same(&again, &judged));
	if (recognised)
		promise(same(&seen, &judged));
	n = increment_format(&judged, canonical);
	promise(n <= sizeof canonical);
	promise(increment_recognise(canonical, n, &again) == 0);
	promise(same(&again, &judged));
	promise(recognised == (n == len && memcmp(text, canonical, n) == 0));
	return 0;
}
