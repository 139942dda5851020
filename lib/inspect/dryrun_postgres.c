/* Asks a database what --check tells of it. */
#include "inspect/dryrun_postgres.h"

#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"
#include "inspect/certificate_findings.h"
#include "inspect/postgres_findings.h"
#include "postgres/postgres.h"
#include "postgres/statements.h"
#include "postgres/survey.h"

struct run {
	const struct dryrun_postgres *d;
	struct findings *f;
	struct postgres *pg;
	int64_t deadline_ms;
};

/* Steps until the connection is idle, or the call has ended. */
static enum postgres_state
await(struct run *r, enum postgres_state while_it_is)
{
	enum postgres_state state = while_it_is;
	struct pollfd pfd;

	while (state == while_it_is && clock_ms() < r->deadline_ms) {
		int64_t due_ms = postgres_wait(r->pg, &pfd);

		if (io_poll(&pfd, 1, num_min(r->deadline_ms, due_ms)) < 0)
			break;
		state = postgres_step(r->pg, pfd.revents);
	}
	return state;
}

static bool
expect(struct run *r, enum postgres_state is, enum postgres_state wanted)
{
	const char *why = postgres_status(r->pg)->why;

	if (is == wanted)
		return true;
	findings_add(r->f, is == POSTGRES_FAULT ? FINDING_ERROR : FINDING_DOWN,
	    "postgres: %s", *why == '\0' ? "no answer in time" : why);
	return false;
}

static bool
answers(struct run *r, int begun)
{
	return expect(r,
	    begun < 0 ? POSTGRES_FAILED : await(r, POSTGRES_CALLING),
	    POSTGRES_DONE);
}

static void
tell_identity(struct run *r)
{
	char ours[ID_TEXT + 1], theirs[ID_TEXT + 1];
	const struct id *counted = &r->d->counted, none = {0};
	struct id id;

	if (statements_database(r->pg, &id) < 0) {
		findings_add(r->f, FINDING_ERROR,
		    "incr_database: no row; run incr-db create");
		return;
	}
	if (memcmp(counted, &none, sizeof none) == 0 ||
	    memcmp(counted, &id, sizeof id) == 0)
		return;
	id_format(&id, ours);
	id_format(counted, theirs);
	findings_add(r->f, FINDING_ERROR,
	    "queue %s: is counted in database %s; this is %s; see incr-db(1) "
	    "adopt",
	    r->d->queue, theirs, ours);
}

static void
ask(struct run *r)
{
	const struct postgres_status *status = postgres_status(r->pg);
	unsigned before = findings_errors(r->f);
	const char *facts;
	size_t len;

	certificate_findings(r->f, "postgres", status->expires.server,
	    status->expires.own, clock_unix_ms() / 1000);
	tell_identity(r);
	if (!answers(r, survey_call(r->pg)))
		return;
	facts = survey_facts(r->pg, &len);
	postgres_findings(r->f, facts, len, r->d->keeps);
	for (size_t i = 0; i < STATEMENTS_PLANS; i++)
		if (findings_errors(r->f) != before ||
		    !answers(r, statements_plan(r->pg, i)))
			return;
	findings_add(r->f, FINDING_OK,
	    "postgres: its tables and grants let incr-flush count");
}

void
dryrun_postgres(struct findings *f, const struct dryrun_postgres *d)
{
	struct run r = {.d = d, .f = f, .deadline_ms = clock_ms() + d->wait_ms};
	const char *why;

	r.pg = postgres_open(d->url, "incr-flush", statements_greeting, &why);
	if (r.pg == NULL) {
		findings_add(f, FINDING_ERROR, "postgres: %s", why);
		return;
	}
	if (expect(&r, await(&r, POSTGRES_DOWN), POSTGRES_IDLE))
		ask(&r);
	postgres_close(r.pg);
}
