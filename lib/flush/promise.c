/* Judges whether increments are in time, and says when that changes. */
#include "flush/promise.h"

#include "base/clock.h"
#include "base/io.h"
#include "flush/schedule.h"

int64_t
promise_due(const struct promise *p, const struct flusher *f)
{
	if (!f->schedule.promises || p->late || flusher_oldest(f) == IO_FOREVER)
		return IO_FOREVER;
	return flusher_oldest(f) + SCHEDULE_PROMISE_MS + 1;
}

/* Increments are late until a window is in time again. */
static bool
becomes_late(struct promise *p, const struct flusher *f)
{
	bool committed = f->tally.commits != p->commits, was = p->late;

	p->commits = f->tally.commits;
	if (clock_ms() - flusher_oldest(f) > SCHEDULE_PROMISE_MS ||
	    (committed && f->tally.staleness_ms > SCHEDULE_PROMISE_MS))
		p->late = true;
	else if (committed)
		p->late = false;
	return p->late && !was;
}

/* A kill would make increments late, until a statement is quick again. */
static bool
comes_at_risk(struct promise *p, const struct flusher *f)
{
	bool was = p->at_risk;

	p->at_risk = schedule_at_risk(&f->schedule, &f->committer.cost);
	return p->at_risk && !was;
}

bool
promise_news(
    struct promise *p, const struct flusher *f, char ret_text[REASON_MAX])
{
	if (f->schedule.promises && becomes_late(p, f)) {
		reason_set(ret_text,
		    "window: increments wait for more than %d s",
		    SCHEDULE_PROMISE_MS / 1000);
		return true;
	}
	if (!comes_at_risk(p, f))
		return false;
	reason_set(ret_text,
	    "postgres: statements take more than %.1f s; after a kill "
	    "increments may be later than %d s",
	    (double)SCHEDULE_STATEMENT_MS / 1000, SCHEDULE_PROMISE_MS / 1000);
	return true;
}
