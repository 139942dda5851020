/*
 * Which consumers are alive, by looks at the owners of all consumers, and
 * which may therefore be adopted.  Memory only: the only input is whether a
 * process of this machine is gone (owner.h).
 */
#ifndef INCR_LIVENESS_H
#define INCR_LIVENESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/owner.h"
#include "record/id.h"

enum {
	LIVENESS_MAX = 1000,    /* remembered, with and without owner each */
	LIVENESS_APART_MS = 250 /* nearer looks are one look */
};

struct liveness_seen {
	struct id consumer;
	int64_t since_ms;              /* without owner at every look since */
	char record[OWNER_RECORD_MAX]; /* empty: without owner */
};

/* All zero: no look yet.  Freed by liveness_free. */
struct liveness {
	struct liveness_seen *last,
	    *next; /* the last look, the one being noted */
	size_t n_last, n_next;
	struct id *held; /* adopted, and the adopter knows */
	size_t n_held;
};

/* Notes a look: one call of liveness_note for each consumer between these
 * two.  record is empty for one without owner.  0, or -1 if memory is gone:
 * the look counts for nothing. */
int liveness_begin(struct liveness *s);
void liveness_note(struct liveness *s, const struct id *consumer,
    const char *record, size_t record_len, int64_t now_ms);
void liveness_end(struct liveness *s, const struct id *self);

/* Makes the next look the first one: after another connection was made, as
 * others may have been kept from renewing, too. */
void liveness_forget(struct liveness *s);

/* Notes that self knows that it owns consumer.  0, or -1 if memory is gone:
 * the consumer is a candidate again. */
int liveness_hold(struct liveness *s, const struct id *consumer);

/*
 * Returns the next consumer from *i (0 at first) that self may adopt: without
 * owner at two looks, owned by a process that is gone, or owned by self
 * without its knowing.  NULL if there is none.  Borrowed until the next look.
 */
const struct liveness_seen *liveness_candidate(
    const struct liveness *s, size_t *i, const struct id *self, int64_t now_ms);

/* Is there a consumer that a later look may make a candidate? */
bool liveness_ownerless(const struct liveness *s);

void liveness_free(struct liveness *s);

#endif
