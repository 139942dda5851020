#include "inspect/deadletter_tally.h"

#include "inspect/deadletter.h"

int
tally_add(struct tally *t, const struct id *key, struct buf *scratch,
    const char *raw, size_t len)
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
tally_merge(struct tally *t, const struct tally *more)
{
	t->messages += more->messages;
	t->invalid += more->invalid;
	t->sum += more->sum;
}
