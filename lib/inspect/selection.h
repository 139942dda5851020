/*
 * Which dead letters a command is about, and how many it has chosen.  Pure
 * but for memory.
 *
 * All conditions must hold: an id of the list, the code, valid, one of the
 * `left` next.
 */
#ifndef INCR_SELECTION_H
#define INCR_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/message_id.h"
#include "record/fault.h"

struct selection {
	struct message_ids ids; /* empty: any id */
	enum fault code;        /* a judgement; FAULT_COUNT: any */
	bool valid_only;        /* or FAULT_WRONG_SHARD: of its own shard */
	uint64_t left;          /* messages that may still be chosen */

	uint64_t chosen;
	uint64_t counts[FAULT_COUNT]; /* of them, by judgement */
	uint64_t invalid;             /* not chosen for valid_only alone */
};

/* Decides about a raw payload that was judged as `fault`; payloads come the
 * oldest first.  1: it is chosen, and its id used; 0; -1 with errno ENOMEM. */
int selection_choose(
    struct selection *s, const char *raw, size_t len, enum fault fault);

/* Forgets what was chosen; ids that were used stay used. */
void selection_restart(struct selection *s, uint64_t left);

/* Ids of the list that no message had. */
size_t selection_missing(const struct selection *s);

void selection_free(struct selection *s);

#endif
