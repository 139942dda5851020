#include "pace.h"

enum {
	FIRST_BASE_US = 3000000, /* a server may be slow from the start */
	FIRST_US_PER_KEY = 20,   /* measured: 14 to 27, PostgreSQL 15 */
	US_PER_KEY_MAX = 1000,
	FEW_KEYS = 1000 /* too few to tell what one costs */
};

static double us_per_key(const struct pace *p, double seen);

void
pace_init(struct pace *p)
{
	*p = (struct pace){
	    .base_us = FIRST_BASE_US, .us_per_key = FIRST_US_PER_KEY};
}

void
pace_learn(struct pace *p, size_t keys, int64_t took_us)
{
	double rest_us;

	if (keys >= FEW_KEYS)
		p->us_per_key = us_per_key(p, (double)took_us / (double)keys);
	rest_us = (double)took_us - (double)keys * p->us_per_key;
	if (rest_us < 0)
		rest_us = 0;
	/* Slower is believed at once, faster by and by. */
	if (!p->known || rest_us > p->base_us)
		p->base_us = rest_us;
	else
		p->base_us = (3 * p->base_us + rest_us) / 4;
	p->known = true;
}

/* Faster is believed at once, for nothing can feign it; slower by and by,
 * until then it is the base that makes up for it. */
static double
us_per_key(const struct pace *p, double seen)
{
	double most = p->us_per_key * 5 / 4;

	if (seen > most)
		seen = most;
	return seen > US_PER_KEY_MAX ? US_PER_KEY_MAX : seen;
}

int64_t
pace_expected_ms(const struct pace *p, size_t keys)
{
	return (int64_t)(p->base_us + (double)keys * p->us_per_key) / 1000;
}

size_t
pace_keys(const struct pace *p, int64_t within_ms)
{
	return (size_t)((double)within_ms * 1000 / p->us_per_key);
}
