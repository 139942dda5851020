/*
 * The identity of the database: a queue is counted in one, whose id the first
 * incr-flush notes in Redis.  In another one, or an empty one, the ledger has
 * none of the batches, and all that was counted would be counted again.
 *
 * So the committer is held until Redis was asked with the id of the database
 * that Postgres has, and bound to that id then; Redis is asked again on every
 * new connection.  Either side may turn out to be another one later.
 */
#ifndef INCR_IDENTITY_H
#define INCR_IDENTITY_H

#include "base/reason.h"
#include "flush/acknowledger.h"
#include "flush/committer.h"

/*
 * Does what can be done after each acknowledger_step, which had news.  c is
 * held at first.  Returns 0, or an exit status with *ret_why, "object:
 * reason": EXIT_CONFIG, or EXIT_TEMPFAIL if it was the right database before.
 */
int identity_step(struct committer *c, struct acknowledger *a,
    enum acknowledger_news news, char ret_why[REASON_MAX]);

#endif
