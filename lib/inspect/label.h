/*
 * Labels of dead letters that go to another shard.
 *
 * withdraw.lua puts a label into the header of a payload, as a member that
 * programs of adjust/rmq pass over, before incr-rejected publishes the
 * increment with the label's tag.  A payload without a header gets one:
 *
 *	FF 00 BE BE 4A {"incr-label":["TAG SHARD MS"]} 0A ...
 *	FF 00 BE BE 4A {"incr-label":["TAG SHARD MS"],"a":["b"]} 0A ...
 *
 * SHARD has the mark of the tag, if it was published, for LABEL_MARK_S from
 * then on; MS is the Unix millisecond, by the clock of the letter's Redis, at
 * which the label was made.  By the clock of the shard's Redis, nothing is
 * published later than LABEL_S after it, nor earlier than a day before it: so a
 * mark outlives the label.
 *
 * A tag is BASE.N (tag_place.h) with N from 2: its mark is in a block that only
 * labels of one run share, and that expires alone.
 */
#ifndef INCR_LABEL_H
#define INCR_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/tag_place.h"
#include "record/increment.h"

enum {
	LABEL_DAY_S = 86400,
	LABEL_S = 7 * LABEL_DAY_S,
	LABEL_MARK_S = LABEL_S + LABEL_DAY_S,
	LABEL_TAG = TAG_PLACE_BASE + 1 + 20,
	LABEL_TEXT = LABEL_TAG + 1 + 20 + 1, /* TAG SHARD and a NUL */
	LABEL_ROOM = LABEL_TEXT + 64         /* in a header, all of it */
};

struct label {
	char tag[LABEL_TAG + 1];
	unsigned shard;
	uint64_t ms;
};

enum label_state {
	LABEL_NONE,
	LABEL_FOUND,
	LABEL_BAD /* there is one that can't be read */
};

/* Finds the label of a raw payload. */
enum label_state label_find(const char *raw, size_t len, struct label *ret);

/* Would a label make the header too long to be read? */
bool label_fits(const char *raw, size_t len);

/* Where a dead letter that is an increment may be republished. */
enum label_way {
	LABEL_WAY_READY,   /* in the ready list of the queue that has it */
	LABEL_WAY_LABEL,   /* in another shard; it needs a label first */
	LABEL_WAY_SHARD,   /* in the shard of its label */
	LABEL_WAY_NO_ROOM, /* in another shard, but no label fits */
	LABEL_WAY_UNKNOWN  /* nowhere: its label can't be read, or names a shard
			    * that is not its key's */
};

/* Decides it by key and label of a raw payload with the increment inc, in a
 * queue (borrowed) that has, or is one of, so many shards.  *ret is its
 * label for LABEL_WAY_SHARD. */
enum label_way label_find_way(const char *raw, size_t len,
    const struct increment *inc, const char *queue, unsigned shards,
    struct label *ret);

/* Where the label stands: the payload was labelled without the *ret_len bytes
 * from *ret_at on.  False: there is none that withdraw.lua made. */
bool label_span(const char *raw, size_t len, size_t *ret_at, size_t *ret_len);

/* Makes labels, each with a tag that nobody had before; all zero at first. */
struct label_series {
	char base[TAG_PLACE_BASE + 1];
	uint64_t n;
};

/* The text of a label, as queue_withdraw takes it. */
void label_next(struct label_series *s, unsigned shard, char ret[LABEL_TEXT]);

#endif
