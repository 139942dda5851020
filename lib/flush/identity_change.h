/*
 * The database that counts a queue, looked at or changed on purpose: for
 * incr-db adopt.
 */
#ifndef INCR_IDENTITY_CHANGE_H
#define INCR_IDENTITY_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "postgres/postgres.h"
#include "queue/queue.h"
#include "record/id.h"

struct identity_change {
	struct id ours; /* of the database that pg leads to */
	struct queue_identified before;
};

/*
 * Connects both (opened with statements_greeting, no call under way) and makes
 * the call of queue_identify with the id of pg's database.  Returns 0, or an
 * exit status with ret_why, "object: reason": then, with QUEUE_ADOPT, whether
 * the database was changed is not known.
 */
int identity_change(struct postgres *pg, struct queue *q,
    enum queue_identity how, int64_t wait_ms, struct identity_change *ret,
    char ret_why[REASON_MAX]);

enum { IDENTITY_REPORT_MAX = 512 };

/* The line that tells the user; adopted: it was changed. */
void identity_change_report(const struct identity_change *c, const char *queue,
    bool adopted, char ret[IDENTITY_REPORT_MAX]);

#endif
