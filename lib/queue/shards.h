/*
 * Shards: a queue Q of N shards is the queues Q.0 to Q.N-1 in Redis, and a
 * queue of one shard is Q alone.  An increment goes to the shard that its key
 * hashes to, so that a key has one shard, and a tag one place.  Pure.
 *
 * A queue with more than one shard is not itself called Q.I.  So a number of
 * shards above 1 that is noted at a name Q.I is that of Q.
 */
#ifndef INCR_SHARDS_H
#define INCR_SHARDS_H

#include <stdbool.h>

#include "record/queue_name.h"

enum { SHARDS_MAX = 1024 };

/* The shard of a key, the 16 bytes of a UUID, among n (1 to SHARDS_MAX): CRC-32
 * (IEEE 802.3, as in zlib) of the bytes, modulo n.  The same for ever. */
unsigned shard_of(const unsigned char key[16], unsigned n);

/* The name of shard i of n of a queue: "Q.I", or Q if n is 1.  0, or -1 if it
 * is longer than QUEUE_NAME_MAX: no name is that fits for n - 1. */
int shard_name(
    const char *queue, unsigned i, unsigned n, char ret[QUEUE_NAME_MAX + 1]);

/* Is name that of a shard, "Q.I" with I from 0 to SHARDS_MAX - 1 as shard_name
 * writes it?  Then ret_queue is Q, and *ret_i is I.  The name alone does not
 * tell whether Q has shards. */
bool shard_parse(
    const char *name, char ret_queue[QUEUE_NAME_MAX + 1], unsigned *ret_i);

/* The option -s of every program that has it; dest: a uint64_t. */
#define SHARDS_OPTION(dest_, what) \
	{ \
		.letter = 's', .name = "shards", .arg = "N", \
		.env = "INCR_SHARDS", .def = "(as the queue has noted, or 1)", \
		.help = (what), .kind = OPTIONS_NUMBER, .dest = (dest_), \
		.min = 1, .max = SHARDS_MAX \
	}

#endif
