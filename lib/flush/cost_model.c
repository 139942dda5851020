/* Learns what a statement costs, and predicts what the next one will. */
#include "flush/cost_model.h"

#include "base/num.h"

enum {
	FIRST_BASE_US = 3000000, /* a server may be slow from the start */
	FIRST_US_PER_KEY = 20,   /* measured: 9 to 27, PostgreSQL 15 */
	US_PER_KEY_MIN = 1,
	US_PER_KEY_MAX = 1000,
	FEW_KEYS = 10000 /* too few to tell what one of many costs */
};

/* A large window may take longer than those before it: other flushes may have
 * one at the same time, and share the server. */
#define MARGIN 1.25

static double us_per_key(const struct cost_model *p, double seen);

void
cost_model_init(struct cost_model *p)
{
	*p = (struct cost_model){
	    .base_us = FIRST_BASE_US, .us_per_key = FIRST_US_PER_KEY};
}

void
cost_model_learn(struct cost_model *p, size_t keys, int64_t took_us)
{
	double rest_us;

	if (keys >= FEW_KEYS) {
		p->us_per_key = us_per_key(p, (double)took_us / (double)keys);
		p->rate_known = true;
	}
	rest_us = (double)took_us - (double)keys * p->us_per_key;
	if (rest_us < 0)
		rest_us = 0;
	/* A slower base counts at once, a faster one by a quarter. */
	if (!p->known || rest_us > p->base_us)
		p->base_us = rest_us;
	else
		p->base_us = (3 * p->base_us + rest_us) / 4;
	p->steady_us = rest_us < p->rest_us ? rest_us : p->rest_us;
	p->rest_us = rest_us;
	p->known = true;
}

int64_t
cost_model_steady_ms(const struct cost_model *p)
{
	return (int64_t)p->steady_us / 1000;
}

/* Raised by at most a quarter per statement, so that one that waited for a
 * lock does not look like expensive keys; lowered by a quarter of the
 * difference. */
static double
us_per_key(const struct cost_model *p, double seen)
{
	double most = p->us_per_key * 5 / 4;

	if (seen < p->us_per_key)
		seen = (3 * p->us_per_key + seen) / 4;
	else if (seen > most)
		seen = most;
	if (seen < US_PER_KEY_MIN)
		return US_PER_KEY_MIN;
	return seen > US_PER_KEY_MAX ? US_PER_KEY_MAX : seen;
}

int64_t
cost_model_expected_ms(const struct cost_model *p, size_t keys)
{
	return (int64_t)(p->base_us + (double)keys * p->us_per_key * MARGIN) /
	       1000;
}

size_t
cost_model_most(const struct cost_model *p)
{
	return p->rate_known ? SIZE_MAX : COST_MODEL_UNKNOWN;
}

size_t
cost_model_keys(const struct cost_model *p, int64_t within_ms)
{
	double keys = (double)within_ms * 1000 / p->us_per_key / MARGIN;

	return num_min_size((size_t)keys, cost_model_most(p));
}
