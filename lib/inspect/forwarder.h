/*
 * Publishes labelled dead letters (label.h) to the shards of their keys.
 *
 * In: letters that are in a rejected list with their labels.  Out: those of
 * which the shard has the increment, once, now or since an earlier time: only
 * then the owner removes them.  Killed at any line, repeated, or run by several
 * at once, a letter is published once, by the mark of its tag, which lives
 * longer than anybody publishes the letter (tests/model/forward.pml).
 */
#ifndef INCR_FORWARDER_H
#define INCR_FORWARDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "inspect/label.h"
#include "queue/queue.h"
#include "record/queue_name.h"

struct forwarder {
	/* The owner's: */
	const char *url;
	char queue[QUEUE_NAME_MAX + 1]; /* the one that has shards */
	unsigned shards;
	int64_t wait_ms;

	struct queue **to; /* each shard's once it was needed; owned */
	struct queue_lines lines;
	size_t n;
	struct forwarded {
		size_t index; /* as the owner told */
		struct label label;
		struct increment inc;
		enum {
			FORWARD_WAITS,
			FORWARD_DONE,
			FORWARD_UNKNOWN /* its mark may have expired, or
					 * expires before the label does */
		} state;
	} list[QUEUE_PEEK_MAX];
};

/* Adds a letter, at most QUEUE_PEEK_MAX after the owner has set n to 0. */
void forwarder_add(struct forwarder *f, size_t index, const struct label *label,
    const struct increment *inc);

/* Publishes the letters: none waits then.  Waits for replicas as the queue has
 * noted.  0, or an exit status with ret_why, "object: reason": of letters that
 * wait the outcome is not known. */
int forwarder_send(struct forwarder *f, char ret_why[REASON_MAX]);

void forwarder_close(struct forwarder *f);

#endif
