/* Chooses dead letters by id, code, validity and number. */
#include "inspect/selection.h"

#include <string.h>

int
selection_choose(
    struct selection *s, const char *raw, size_t len, enum fault fault)
{
	uint64_t id;

	if (s->left == 0 || (s->code != FAULT_COUNT && fault != s->code))
		return 0;
	if (s->ids.n > 0) {
		if (message_id_of(raw, len, &id) < 0)
			return -1;
		if (!message_id_use(&s->ids, id))
			return 0;
	}
	if (s->valid_only && fault != FAULT_NONE &&
	    fault != FAULT_WRONG_SHARD) {
		s->invalid++;
		return 0;
	}
	s->left--;
	s->chosen++;
	s->counts[fault]++;
	return 1;
}

void
selection_restart(struct selection *s, uint64_t left)
{
	s->left = left;
	s->chosen = s->invalid = 0;
	memset(s->counts, 0, sizeof s->counts);
}

size_t
selection_missing(const struct selection *s)
{
	return s->ids.n - s->ids.used;
}

void
selection_free(struct selection *s)
{
	message_id_free(&s->ids);
}
