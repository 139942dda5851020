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
	LIVENESS_MAX = 1000,    /* remembered, of each of three kinds */
	LIVENESS_APART_MS = 250 /* nearer looks are one look */
};

enum { LIVENESS_MARK_MAX = OWNER_RECORD_MAX + 32 };

struct liveness_seen {
	struct id consumer;
	bool missing;     /* it has no owner, or one that is not flushed */
	int64_t since_ms; /* at every look since */
	char record[OWNER_RECORD_MAX]; /* empty: without owner */
	char mark[LIVENESS_MARK_MAX];  /* UNTIL RECORD; empty: none */
};

/* All zero: no look yet.  Freed by liveness_free. */
struct liveness {
	struct liveness_seen *last,
	    *next; /* the last look, the one being noted */
	size_t n_last, n_next;
	struct id *held; /* adopted, and the adopter knows */
	size_t n_held;
};

/* What a look shows of a consumer; the texts need not end with a NUL. */
struct liveness_look {
	struct id consumer;
	bool missing;
	const char *record, *mark;
	size_t record_len, mark_len;
};

/* Notes a look: one call of liveness_note for each consumer between these
 * two.  0, or -1 if memory is gone: the look counts for nothing. */
int liveness_begin(struct liveness *s);
void liveness_note(
    struct liveness *s, const struct liveness_look *look, int64_t now_ms);
void liveness_end(struct liveness *s, const struct id *self);

/* Makes the next look the first one: after another connection was made, or
 * while the looker's own flush mark was missing, as others may have been kept
 * from renewing, too. */
void liveness_forget(struct liveness *s);

/* Notes that self knows that it owns consumer.  0, or -1 if memory is gone:
 * the consumer is a candidate again. */
int liveness_hold(struct liveness *s, const struct id *consumer);

/*
 * Returns the next consumer from *i (0 at first) that self may adopt: missing
 * at two looks, owned or flushed by a process that is gone and was silent (both
 * are needed: adopt.lua shows only those), or owned by self without its
 * knowing.  NULL if there is none.  Borrowed until the next look.
 */
const struct liveness_seen *liveness_candidate(
    const struct liveness *s, size_t *i, const struct id *self, int64_t now_ms);

size_t liveness_candidates(
    const struct liveness *s, const struct id *self, int64_t now_ms);

/* Is there a consumer that a later look may make a candidate? */
bool liveness_missing(const struct liveness *s);

void liveness_free(struct liveness *s);

#endif
