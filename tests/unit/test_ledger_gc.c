/*
 * The end of old ledger rows: Redis is asked about each consumer, only rows
 * of those that are gone are deleted, page by page, once a day.
 */
#include "base/clock.h"
#include "check.h"
#include "flush/ledger_gc.h"

enum { DAY_MS = 86400000 };

static struct committer c;
static struct acknowledger a;
static struct ledger_gc gc;

static bool
waits(const struct task_queue *q, int task)
{
	return (q->waiting >> task & 1) != 0;
}

static struct id
consumer(size_t i)
{
	return (struct id){{1, (uint8_t)i}};
}

/* Postgres has found n old consumers. */
static void
find(size_t n)
{
	check(gc.state == LEDGER_GC_FIND && waits(&c.tasks, COMMITTER_FIND_OLD),
	    "old rows are looked for");
	task_queue_remove(&c.tasks, COMMITTER_FIND_OLD);
	for (size_t i = 0; i < n; i++)
		c.old.consumers[i] = consumer(i);
	c.old.n = n;
	ledger_gc_found(&gc, &c, &a);
}

/* Redis is asked about consumer i, and says so. */
static void
answer(size_t i, bool registered)
{
	struct id id = consumer(i);

	check(gc.state == LEDGER_GC_ASK && waits(&a.tasks, ACKNOWLEDGER_ASK) &&
		  id_equal(&a.asked, &id),
	    "consumer %zu is asked about", i);
	check(!waits(&c.tasks, COMMITTER_FORGET), "nothing is deleted yet");
	task_queue_remove(&a.tasks, ACKNOWLEDGER_ASK);
	a.registered = registered;
	ledger_gc_answer(&gc, &c, &a);
}

static void
forget(size_t n)
{
	check(gc.state == LEDGER_GC_FORGET &&
		  waits(&c.tasks, COMMITTER_FORGET) && c.old.n == n,
	    "%zu rows are deleted", c.old.n);
	task_queue_remove(&c.tasks, COMMITTER_FORGET);
	ledger_gc_forgotten(&gc, &c);
}

static void
start(void)
{
	c = (struct committer){0};
	a = (struct acknowledger){0};
	gc = (struct ledger_gc){0};
	ledger_gc_start(&gc, &c, clock_ms());
}

static void
rest(const char *what)
{
	int64_t now_ms = clock_ms();

	check(gc.state == LEDGER_GC_WAIT, "%s", what);
	check(gc.due_ms > now_ms && gc.due_ms <= now_ms + DAY_MS, "%s", what);
	ledger_gc_start(&gc, &c, gc.due_ms - 1);
	check(gc.state == LEDGER_GC_WAIT && c.tasks.waiting == 0, "%s", what);
	ledger_gc_start(&gc, &c, gc.due_ms);
	check(gc.state == LEDGER_GC_FIND, "%s: a day later", what);
}

int
main(void)
{
	static const struct id nil;
	struct id last = consumer(STATEMENTS_OLD_MAX - 1), second = consumer(1);

	start();
	find(0);
	rest("no old rows");

	start();
	find(2);
	answer(0, true);
	answer(1, true);
	rest("all are registered");

	start();
	find(3);
	answer(0, true);
	answer(1, false);
	answer(2, true);
	check(id_equal(&c.old.consumers[0], &second),
	    "only the one that is gone");
	forget(1);
	rest("one was gone");

	start();
	check(id_equal(&c.old_after, &nil), "from the first one on");
	find(STATEMENTS_OLD_MAX);
	for (size_t i = 0; i < STATEMENTS_OLD_MAX; i++)
		answer(i, false);
	forget(STATEMENTS_OLD_MAX);
	check(id_equal(&c.old_after, &last), "a full page: on behind it");
	find(1);
	answer(0, true);
	rest("two pages");
	return check_end();
}
