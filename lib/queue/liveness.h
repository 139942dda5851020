/*
 * What incr-consume's looks at all consumers have shown, and whom it may
 * therefore adopt (layer 2).  Memory only; no input or output but the look
 * whether a process of this machine is gone.
 */
#ifndef INCR_LIVENESS_H
#define INCR_LIVENESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/owner.h"
#include "record/id.h"

enum {
	LIVENESS_MAX = 1000,    /* remembered, of each kind; the rest later */
	LIVENESS_APART_MS = 250 /* nearer looks are one look */
};

struct liveness_sighting {
	struct id consumer;
	int64_t since_ms;              /* without owner at every look since */
	char record[OWNER_RECORD_MAX]; /* empty: without owner */
};

/* All zero: nothing was seen.  liveness_free. */
struct liveness {
	struct liveness_sighting *last,
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

/* The connection is another: owners may have been kept from renewing, too.
 * The next look is a first one. */
void liveness_forget(struct liveness *s);

/* self knows that it owns consumer.  0, or -1 if memory is gone: it will be
 * told again. */
int liveness_hold(struct liveness *s, const struct id *consumer);

/*
 * The next one from *i (0 at first) whom self may adopt: without owner at
 * two looks, owned by a process that is gone, or by self without knowing.
 * NULL if there is no more.  Borrowed until the next look.
 */
const struct liveness_sighting *liveness_candidate(
    const struct liveness *s, size_t *i, const struct id *self, int64_t now_ms);

/* Is there anyone whom a later look may make a candidate? */
bool liveness_ownerless(const struct liveness *s);

void liveness_free(struct liveness *s);

#endif
