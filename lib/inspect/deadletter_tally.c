#include "inspect/deadletter_tally.h"

#include "inspect/deadletter.h"

int
deadletter_tally_add(struct deadletter_tally *t, const struct id *key,
    struct buf *scratch, const char *raw, size_t len)
{
	struct increment inc;
	enum fault fault = deadletter_judge(scratch, raw, len, &inc);
	bool valid = fault == FAULT_NONE;

	if (fault == FAULT_UNAVAILABLE)
		return -1;
	if (key != NULL && (!valid || !id_equal(key, &inc.key)))
		return 0;
	t->messages++;
	if (valid)
		t->sum += (uint64_t)inc.value;
	else
		t->invalid++;
	return 0;
}

void
deadletter_tally_merge(
    struct deadletter_tally *t, const struct deadletter_tally *more)
{
	t->messages += more->messages;
	t->invalid += more->invalid;
	t->sum += more->sum;
}
