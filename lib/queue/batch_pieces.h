/*
 * The payloads of a batch that is read in pieces, oldest first.  A batch never
 * changes, so what was read of it before a connection was lost stays.
 */
#ifndef INCR_BATCH_PIECES_H
#define INCR_BATCH_PIECES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/id.h"

/* All zero: of no batch. */
struct batch_pieces {
	struct id consumer;
	uint64_t seq;    /* 0: none */
	uint64_t length; /* payloads of the batch; 0: not known yet */
	size_t n;        /* those that are here */
	struct buf text;
	struct buf ends; /* size_t each: where a payload ends in text */
};

/* Goes on with this batch, or begins with it. */
void batch_pieces_begin(
    struct batch_pieces *p, const struct id *consumer, uint64_t seq);

/* Adds the next payload.  0, or -1 with errno ENOMEM. */
int batch_pieces_add(struct batch_pieces *p, const char *payload, size_t len);

/* Payload i (from 0), borrowed until the next change. */
const char *batch_pieces_payload(
    const struct batch_pieces *p, size_t i, size_t *ret_len);

/* Forgets the batch, and frees its memory. */
void batch_pieces_clear(struct batch_pieces *p);

#endif
