/* Waits for Postgres and Redis and changes the database of a queue. */
#include "flush/identity_change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "postgres/statements.h"

static int wait_postgres(
    struct postgres *pg, int64_t deadline_ms, char ret_why[REASON_MAX]);
static int wait_redis(struct queue *q, enum queue_state until,
    int64_t deadline_ms, char ret_why[REASON_MAX]);
static int fail(
    char ret_why[REASON_MAX], int status, const char *object, const char *why);

int
identity_change(struct postgres *pg, struct queue *q, enum queue_identity how,
    int64_t wait_ms, struct identity_change *ret, char ret_why[REASON_MAX])
{
	int64_t deadline_ms = clock_ms() + wait_ms;
	struct id ours;
	int status = wait_postgres(pg, deadline_ms, ret_why);

	if (status != 0)
		return status;
	if (statements_database(pg, &ours) < 0)
		return fail(ret_why, EXIT_CONFIG, "postgres",
		    "no row in incr_database; run incr-db create");
	status = wait_redis(q, QUEUE_IDLE, deadline_ms, ret_why);
	if (status != 0)
		return status;
	if (queue_identify(q, &ours, how, &(struct queue_ledger){0}) < 0)
		return fail(ret_why, EXIT_TEMPFAIL, "redis", LOG_NO_MEMORY);
	status = wait_redis(q, QUEUE_DONE, deadline_ms, ret_why);
	if (status == 0)
		*ret = (struct identity_change){ours, *queue_identified(q)};
	return status;
}

static int
wait_postgres(
    struct postgres *pg, int64_t deadline_ms, char ret_why[REASON_MAX])
{
	enum postgres_state state = postgres_step(pg, 0);
	struct pollfd pfd;

	while (state != POSTGRES_IDLE && state != POSTGRES_FAULT &&
	       clock_ms() < deadline_ms) {
		int64_t due_ms = postgres_wait(pg, &pfd);

		if (io_poll(&pfd, 1, num_min(due_ms, deadline_ms)) < 0)
			return fail(
			    ret_why, EXIT_TEMPFAIL, "poll", strerror(errno));
		state = postgres_step(pg, pfd.revents);
	}
	if (state == POSTGRES_IDLE)
		return 0;
	return fail(ret_why,
	    state == POSTGRES_FAULT ? EXIT_CONFIG : EXIT_TEMPFAIL, "postgres",
	    postgres_status(pg)->why);
}

static int
wait_redis(struct queue *q, enum queue_state until, int64_t deadline_ms,
    char ret_why[REASON_MAX])
{
	enum queue_state state = queue_step(q, 0);
	struct pollfd pfd;

	while (state != until && state != QUEUE_FAULT &&
	       state != QUEUE_REFUSED && state != QUEUE_LOST &&
	       clock_ms() < deadline_ms) {
		int64_t due_ms = queue_wait(q, &pfd);

		if (io_poll(&pfd, 1, num_min(due_ms, deadline_ms)) < 0)
			return fail(
			    ret_why, EXIT_TEMPFAIL, "poll", strerror(errno));
		state = queue_step(q, pfd.revents);
	}
	if (state == until)
		return 0;
	return fail(ret_why, state == QUEUE_FAULT ? EXIT_CONFIG : EXIT_TEMPFAIL,
	    "redis", queue_status(q)->why);
}

static int
fail(char ret_why[REASON_MAX], int status, const char *object, const char *why)
{
	reason_set(ret_why, "%s: %s", object,
	    *why == '\0' ? "no answer in time" : why);
	return status;
}

void
identity_change_report(const struct identity_change *c, const char *queue,
    bool adopted, char ret[IDENTITY_REPORT_MAX])
{
	char before[ID_TEXT + 1] = "none", ours[ID_TEXT + 1];

	if (c->before.noted)
		id_format(&c->before.database, before);
	id_format(&c->ours, ours);
	snprintf(ret, IDENTITY_REPORT_MAX,
	    adopted ? "queue %s: was counted in database %s, now in %s\n"
		    : "queue %s: is counted in database %s; this is %s\n",
	    queue, before, ours);
}
