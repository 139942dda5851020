/*
 * Tasks of a connection: their order, one that is lost or refused comes
 * again, how long it is paused, and when an outage begins and ends.
 */
#include "base/io.h"
#include "check.h"
#include "flush/task_queue.h"

enum { T = 1000000 /* a clock_ms() */ };
enum { FIRST = 1, SECOND, LAST = TASK_QUEUE_MAX };

static void
order(void)
{
	struct task_queue q;

	task_queue_init(&q, T);
	check(task_queue_next(&q, T) == TASK_QUEUE_NONE, "none");
	task_queue_add(&q, LAST);
	check(task_queue_next(&q, T) == LAST, "the only one");
	task_queue_add(&q, SECOND);
	task_queue_add(&q, SECOND);
	check(task_queue_next(&q, T) == SECOND, "the lowest");
	task_queue_add(&q, FIRST);
	check(task_queue_next(&q, T) == FIRST, "the lowest again");
	task_queue_remove(&q, FIRST);
	task_queue_remove(&q, SECOND);
	check(task_queue_next(&q, T) == LAST, "added twice, removed once");
	task_queue_remove(&q, LAST);
	check(task_queue_next(&q, T) == TASK_QUEUE_NONE, "none is left");
}

/* What one step makes of a task that is under way. */
static void
steps(void)
{
	static const struct {
		enum task_queue_link link;
		unsigned done, running;
		bool paused;
	} cases[] = {
	    {TASK_QUEUE_DOWN, TASK_QUEUE_NONE, TASK_QUEUE_NONE, false},
	    {TASK_QUEUE_IDLE, TASK_QUEUE_NONE, TASK_QUEUE_NONE, false},
	    {TASK_QUEUE_CALLING, TASK_QUEUE_NONE, SECOND, false},
	    {TASK_QUEUE_DONE, SECOND, TASK_QUEUE_NONE, false},
	    {TASK_QUEUE_REFUSED, TASK_QUEUE_NONE, TASK_QUEUE_NONE, true},
	    {TASK_QUEUE_LOST, TASK_QUEUE_NONE, TASK_QUEUE_NONE, false},
	};

	for (size_t i = 0; i < check_n(cases); i++) {
		struct task_queue q;
		unsigned done;

		task_queue_init(&q, T);
		task_queue_add(&q, SECOND);
		task_queue_begin(&q, SECOND);
		task_queue_add(&q, FIRST); /* meanwhile */
		done = task_queue_step(&q, cases[i].link, false, T);
		check(done == cases[i].done, "case %zu: %u", i, done);
		check(q.running == cases[i].running, "case %zu: %u", i,
		    q.running);
		check(
		    (q.pause_ms[SECOND] > T) == cases[i].paused, "case %zu", i);
		check(task_queue_next(&q, T) == FIRST,
		    "case %zu: no pause of another task", i);
		task_queue_remove(&q, FIRST);
		check(task_queue_next(&q, T + 10000) == SECOND,
		    "case %zu: only task_queue_remove removes", i);
	}
}

/* Refused again and again: 50 ms, doubled up to a second, less a quarter. */
static void
pauses(void)
{
	struct task_queue q;
	int64_t most_ms = 50;

	task_queue_init(&q, T);
	task_queue_add(&q, FIRST);
	for (int i = 0; i < 8; i++) {
		int64_t pause_ms;

		task_queue_begin(&q, FIRST);
		task_queue_step(&q, TASK_QUEUE_REFUSED, true, T);
		pause_ms = q.pause_ms[FIRST] - T;
		check(pause_ms <= most_ms && pause_ms >= most_ms * 3 / 4,
		    "pause %d: %jd", i, (intmax_t)pause_ms);
		check(task_queue_next(&q, T + pause_ms - 1) == TASK_QUEUE_NONE,
		    "pause %d", i);
		check(
		    task_queue_next(&q, T + pause_ms) == FIRST, "pause %d", i);
		most_ms = most_ms * 2 > 1000 ? 1000 : most_ms * 2;
	}
	task_queue_begin(&q, SECOND);
	task_queue_step(&q, TASK_QUEUE_DONE, false, T);
	task_queue_pause(&q, FIRST, T);
	check(q.pause_ms[FIRST] - T > 50, "as long: another one was done");
	task_queue_begin(&q, FIRST);
	task_queue_step(&q, TASK_QUEUE_DONE, false, T);
	task_queue_pause(&q, FIRST, T);
	check(q.pause_ms[FIRST] - T <= 50, "short again once it was done");
}

static void
due(void)
{
	struct task_queue q;
	int64_t ms;

	task_queue_init(&q, T);
	check(task_queue_due(&q, true, IO_FOREVER, T) == IO_FOREVER,
	    "no task: the connection's");
	task_queue_add(&q, FIRST);
	check(task_queue_due(&q, true, T + 5, T) == 0, "a task: at once");
	check(task_queue_due(&q, false, T + 5, T) == T + 5,
	    "not while a call is under way");
	task_queue_pause(&q, FIRST, T);
	ms = task_queue_due(&q, true, IO_FOREVER, T);
	check(ms == q.pause_ms[FIRST] && ms > T, "at the end of the pause");
	check(task_queue_due(&q, true, T + 5, T) == T + 5, "or before");
	check(
	    task_queue_due(&q, true, IO_FOREVER, ms) == 0, "the pause is over");
	task_queue_add(&q, SECOND);
	check(task_queue_due(&q, true, IO_FOREVER, T) == 0, "another one");
}

/* Held, nothing begins and nothing is missed. */
static void
held(void)
{
	struct task_queue q;

	task_queue_init(&q, T);
	q.held = true;
	task_queue_add(&q, FIRST);
	check(task_queue_next(&q, T) == TASK_QUEUE_NONE, "held");
	check(task_queue_due(&q, true, T + 5, T) == T + 5, "nothing is due");
	task_queue_step(&q, TASK_QUEUE_IDLE, false, T);
	check(q.outage.since_ms == 0, "the service is there");
	q.exempt = SECOND;
	check(task_queue_next(&q, T) == TASK_QUEUE_NONE, "the exempt is not");
	task_queue_add(&q, SECOND);
	check(task_queue_next(&q, T) == SECOND, "the exempt may begin");
	task_queue_remove(&q, SECOND);
	q.held = false;
	check(task_queue_next(&q, T) == FIRST, "no longer");

	task_queue_init(&q, T);
	q.held = true;
	task_queue_add(&q, FIRST);
	task_queue_pause(&q, FIRST, T);
	task_queue_step(&q, TASK_QUEUE_IDLE, false, T);
	check(q.outage.since_ms == 0, "a pause of what is held is none");
}

/* A sequence of steps, one per millisecond, and the outage after each. */
static void
outage(void)
{
	static const struct {
		enum task_queue_link link;
		bool explained, task; /* is there one? */
		int64_t down_ms;      /* since T + this; -1: no outage */
		bool ret_explained;
	} steps[] = {
	    {TASK_QUEUE_DOWN, false, true, 0, false},
	    {TASK_QUEUE_DOWN, true, true, 0, true},
	    {TASK_QUEUE_IDLE, false, true, 0, true}, /* not answered yet */
	    {TASK_QUEUE_CALLING, false, true, 0, true},
	    {TASK_QUEUE_DONE, false, true, -1, false},
	    {TASK_QUEUE_LOST, true, true, 6, true},
	    {TASK_QUEUE_DOWN, false, true, 6, true},
	    {TASK_QUEUE_IDLE, false, false, -1, false}, /* nothing to ask */
	    {TASK_QUEUE_CALLING, false, true, -1, false},
	    {TASK_QUEUE_REFUSED, true, true, 10, true},
	    {TASK_QUEUE_IDLE, false, false, 10, true}, /* a pause */
	    {TASK_QUEUE_DONE, false, false, -1, false},
	};
	struct task_queue q;

	task_queue_init(&q, T);
	for (size_t i = 0; i < check_n(steps); i++) {
		if (steps[i].task)
			task_queue_add(&q, FIRST);
		else
			task_queue_remove(&q, FIRST);
		task_queue_step(
		    &q, steps[i].link, steps[i].explained, T + 1 + (int64_t)i);
		check(q.outage.since_ms ==
			  (steps[i].down_ms < 0 ? 0 : T + steps[i].down_ms),
		    "step %zu: %jd", i, (intmax_t)q.outage.since_ms);
		check(q.outage.explained == steps[i].ret_explained, "step %zu",
		    i);
	}
}

/* One task is refused again and again, while another one is answered. */
static void
outage_of_one(void)
{
	struct task_queue q;

	task_queue_init(&q, T);
	task_queue_step(&q, TASK_QUEUE_DONE, false, T);
	task_queue_add(&q, FIRST);
	task_queue_add(&q, SECOND);
	task_queue_begin(&q, SECOND);
	task_queue_step(&q, TASK_QUEUE_REFUSED, true, T + 1);
	task_queue_begin(&q, FIRST);
	task_queue_step(&q, TASK_QUEUE_DONE, false, T + 2);
	check(q.outage.since_ms == T + 1, "not over by the other's answer");
	task_queue_begin(&q, SECOND);
	task_queue_step(&q, TASK_QUEUE_LOST, true, T + 3);
	check(q.outage.since_ms == T + 1, "the same outage");
	task_queue_begin(&q, SECOND);
	task_queue_step(&q, TASK_QUEUE_DONE, false, T + 4);
	check(q.outage.since_ms == 0, "over by its own");
	task_queue_begin(&q, SECOND);
	task_queue_step(&q, TASK_QUEUE_LOST, true, T + 5);
	task_queue_remove(&q, SECOND);
	task_queue_begin(&q, FIRST);
	task_queue_step(&q, TASK_QUEUE_DONE, false, T + 6);
	check(q.outage.since_ms == 0, "nobody waits for it any more");
}

int
main(void)
{
	order();
	steps();
	pauses();
	due();
	held();
	outage();
	outage_of_one();
	return check_end();
}
