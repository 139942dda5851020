/* Tells a service manager about a flusher. */
#include "flush/flush_notify.h"

#include "base/children.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/notify.h"
#include "base/num.h"
#include "base/pulse.h"
#include "base/reason.h"

static void say_status(
    const struct flusher *f, bool greeted, bool stuck, bool stopping);
static bool is_away(const char *object, const char *why, const struct outage *o,
    char ret[REASON_MAX]);

static struct pulse consumer;

int
flush_notify_open(void)
{
	pulse_open(&consumer, children_named());
	return notify_open();
}

int64_t
flush_notify_tick(const struct flusher *f, bool stopping)
{
	static bool ready;
	int64_t now_ms = clock_ms();
	bool greeted = postgres_status(f->committer.pg)->connections > 0;
	bool stuck;

	if (notify_off())
		return IO_FOREVER;
	/* It is looked at to the end, since the next look is waited for. */
	stuck = pulse_stands(&consumer, now_ms) && !stopping && !f->ended;
	ready = ready || (greeted && f->from_consumer) ||
		now_ms >= notify_ready_due();
	if (stopping || f->ended)
		notify_state(NOTIFY_STOPPING);
	else if (ready)
		notify_state(NOTIFY_READY);
	say_status(f, greeted, stuck, stopping || f->ended);
	return num_min(notify_tick(now_ms, stuck),
	    consumer.open ? consumer.next_ms : IO_FOREVER);
}

static void
say_status(const struct flusher *f, bool greeted, bool stuck, bool stopping)
{
	const struct committer *c = &f->committer;
	const struct acknowledger *a = &f->acknowledger;
	char why[REASON_MAX];

	if (is_away(
		"postgres", postgres_status(c->pg)->why, &c->tasks.outage, why))
		notify_status(why);
	else if (f->from_consumer && is_away("redis", queue_status(a->q)->why,
					 &a->tasks.outage, why))
		notify_status(why);
	else if (stopping)
		notify_status("stopping");
	else if (stuck)
		notify_status("incr-consume stands still");
	else if (!greeted)
		notify_status("connecting to Postgres");
	else
		notify_status(
		    f->from_consumer ? "counting" : "waiting for incr-consume");
}

static bool
is_away(const char *object, const char *why, const struct outage *o,
    char ret[REASON_MAX])
{
	if (o->since_ms == 0)
		return false;
	reason_set(ret, "%s: %s; waiting", object,
	    *why == '\0' ? "no connection yet" : why);
	return true;
}
