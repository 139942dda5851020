/*
 * How long a statement will take, learnt from those before it.
 * Pure.
 *
 *	expected = base + keys * rate
 *
 * base does not depend on the keys: the round trip, a wait for a lock, a
 * trigger.  rate is the time per key, learnt slowly and from large statements
 * only: a wait for a lock must not make large windows look too large for
 * ever, and a few keys must not look cheap because they were few.
 */
#ifndef INCR_COST_MODEL_H
#define INCR_COST_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cost_model {
	bool known;      /* a statement was timed */
	bool rate_known; /* a large one was */
	double base_us, us_per_key;
	double rest_us, steady_us; /* base of the last one; of the last two,
				    * the smaller */
};

/* Before the first statement: pessimistic numbers. */
void cost_model_init(struct cost_model *p);

/* A statement of keys keys took that long. */
void cost_model_learn(struct cost_model *p, size_t keys, int64_t took_us);

/* What the statement of keys keys is expected to take. */
int64_t cost_model_expected_ms(const struct cost_model *p, size_t keys);

/* What the last two statements took without their keys, at least: a lock may
 * have held up one of them. */
int64_t cost_model_steady_ms(const struct cost_model *p);

/* How many keys any statement may have: COST_MODEL_UNKNOWN until the rate is
 * known, then SIZE_MAX. */
enum { COST_MODEL_UNKNOWN = 100000 };
size_t cost_model_most(const struct cost_model *p);

/* How many keys a statement of within_ms may have, without base: no more than
 * cost_model_most. */
size_t cost_model_keys(const struct cost_model *p, int64_t within_ms);

#endif
