/*
 * How long a statement will take (layer 2): learnt from those before it.
 * Pure.
 *
 *	expected = base + keys * rate
 *
 * base is what does not depend on the keys: the way there and back, a lock
 * that is waited for, a trigger.  rate is what a key costs, learnt slowly
 * and from large statements only: a lock must not make large windows look
 * too large for ever, nor a few keys look cheap because they were few.
 */
#ifndef INCR_COST_MODEL_H
#define INCR_COST_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cost_model {
	bool known; /* a statement was timed */
	double base_us, us_per_key;
};

/* Before the first statement: pessimistic, because nothing is known. */
void cost_model_init(struct cost_model *p);

/* A statement of keys keys took that long. */
void cost_model_learn(struct cost_model *p, size_t keys, int64_t took_us);

/* What the statement of keys keys is expected to take. */
int64_t cost_model_expected_ms(const struct cost_model *p, size_t keys);

/* How many keys go into within_ms, if nothing hinders the server. */
size_t cost_model_keys(const struct cost_model *p, int64_t within_ms);

#endif
