/* batch_history: the latest batches, and what a Redis that went back lacks. */
#include "queue/batch_history.h"

#include <string.h>

#include "check.h"

static const struct id A = {{1}}, B = {{2}};

static void
test_above(void)
{
	static struct batch_history h;

	check(batch_history_above(&h, &A, 0, 0) == 0, "no batch");
	check(batch_history_above(&h, &A, 0, 1) == UINT64_MAX, "not known");
	for (uint64_t seq = 1; seq <= 10; seq++) {
		batch_history_add(&h, &A, seq, seq);
		batch_history_add(&h, &B, seq, 100);
	}
	batch_history_add(&h, &A, 9, 9); /* adopted, and adopted again */
	batch_history_add(&h, &A, 10, 10);
	check(batch_history_above(&h, &A, 7, 10) == 27, "8, 9 and 10");
	check(batch_history_above(&h, &A, 7, 9) == 17, "8 and 9");
	check(batch_history_above(&h, &A, 0, 10) == 55, "all");
	check(batch_history_above(&h, &B, 9, 10) == 100, "of another");
	check(batch_history_above(&h, &A, 10, 10) == 0, "none");
	for (uint64_t seq = 11; seq <= 1200; seq++)
		batch_history_add(&h, &A, seq, 1);
	check(batch_history_above(&h, &A, 200, 1200) == 1000, "a thousand");
	check(batch_history_above(&h, &A, 100, 1200) == UINT64_MAX, "too old");
}

static void
test_explain(void)
{
	struct batch_history_loss b = {
	    .consumer = A, .seq = 7, .known = true, .last = 4, .messages = 30};
	char why[REASON_MAX];

	batch_history_explain(&b, "q", why);
	check(strcmp(why, "queue q: Redis knows consumer "
			  "01000000-0000-0000-0000-000000000000, but as far as "
			  "batch 4 of 7: another Redis, or one that went back; "
			  "30 messages at most may be counted twice") == 0,
	    "messages: %s", why);
	b.messages = UINT64_MAX;
	batch_history_explain(&b, "q", why);
	check(strstr(why, "; 3 batches at most") != NULL, "batches: %s", why);
	b = (struct batch_history_loss){.consumer = A};
	batch_history_explain(&b, "q", why);
	check(strstr(why, "does not know consumer") != NULL &&
		  strstr(why, "at most") == NULL,
	    "a stranger: %s", why);
}

int
main(void)
{
	test_above();
	test_explain();
	return check_end();
}
