/* What becomes of the measuring call says nothing about a batch. */
#include "check.h"
#include "publish/publisher_measure.h"
#include "queue/queue_call.h"

static struct queue_gauges gauges;
static struct queue measured = {.done = QUEUE_CALL_MEASURE};

/* The state that the publisher is told while this call is under way. */
static enum queue_state
told(enum queue_state state, bool *ret_measuring)
{
	struct publisher c = {
	    .measuring = true, .set.gauges = &gauges, .queue = &measured};
	enum queue_state result;

	gauges = (struct queue_gauges){0};
	result = publisher_measure_step(&c, state);
	*ret_measuring = c.measuring;
	return result;
}

static void
measuring(void)
{
	static const struct {
		enum queue_state is, told;
		bool measuring, failed;
	} cases[] = {
	    {QUEUE_CALLING, QUEUE_CALLING, true, false},
	    {QUEUE_FAULT, QUEUE_FAULT, true, false},
	    {QUEUE_DOWN, QUEUE_DOWN, false, true},
	    /* As lost it would end a batch, or date the outage back to the
	     * last one, and lines would expire at once. */
	    {QUEUE_LOST, QUEUE_DOWN, false, true},
	    {QUEUE_REFUSED, QUEUE_IDLE, false, true},
	    /* As done it would end an outage in which Redis takes no batch,
	     * and be looked at as the answer to one. */
	    {QUEUE_DONE, QUEUE_IDLE, false, false},
	};
	bool is_measuring;

	for (size_t i = 0; i < check_n(cases); i++) {
		check(told(cases[i].is, &is_measuring) == cases[i].told,
		    "state %d", (int)cases[i].is);
		check(is_measuring == cases[i].measuring, "state %d",
		    (int)cases[i].is);
		check((gauges.next_ms > 0) == cases[i].failed, "state %d",
		    (int)cases[i].is);
	}
}

/* All states are a batch's then. */
static void
not_measuring(void)
{
	static const enum queue_state states[] = {QUEUE_CALLING, QUEUE_FAULT,
	    QUEUE_DOWN, QUEUE_LOST, QUEUE_REFUSED, QUEUE_IDLE, QUEUE_DONE};

	for (size_t i = 0; i < check_n(states); i++) {
		struct publisher c = {.set.gauges = &gauges};

		gauges = (struct queue_gauges){0};
		check(publisher_measure_step(&c, states[i]) == states[i],
		    "state %d", (int)states[i]);
		check(gauges.next_ms == 0, "state %d", (int)states[i]);
	}
}

int
main(void)
{
	measuring();
	not_measuring();
	return check_end();
}
