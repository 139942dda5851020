/*
 * The rate limit beside its definition: in any time t at most burst + N t
 * units, and no fewer for who asks often enough; a full table.
 */
#include "check.h"
#include "serve/ratelimit.h"

#include <stdlib.h>

#define SECOND INT64_C(1000000000)

static const int64_t start_ns = 1000 * SECOND;
static const struct hash_seed seed = {{1, 0x9e3779b97f4a7c15}};

static struct ratelimit_key
key(uint64_t i)
{
	struct ratelimit_key k = {{0}};

	memcpy(k.bytes, &i, sizeof i);
	return k;
}

static void
texts(void)
{
	static const struct {
		const char *text;
		uint32_t per_s, burst;
	} good[] = {{"1/s", 1, 1}, {"100/s", 100, 100}, {"100/s:7", 100, 7},
	    {"1000000/s:1000000", 1000000, 1000000}, {"1/s:30", 1, 30}};
	static const char *const bad[] = {"", "1", "/s", "0/s", "1/s:", "1/s:0",
	    "1/m", "1/", "1/ss", "1/s:1x", " 1/s", "1 /s", "-1/s", "+1/s",
	    "1.5/s", "1000001/s", "1/s:1000001", "1/s:1:1", "x/s",
	    "00000000000000000000000000000000000000001/s", "-"};
	struct ratelimit_quota l = {0};

	for (size_t i = 0; i < check_n(good); i++)
		check(ratelimit_parse(good[i].text, &l) == 0 &&
			  l.per_s == good[i].per_s && l.burst == good[i].burst,
		    "%s", good[i].text);
	l = (struct ratelimit_quota){3, 4};
	for (size_t i = 0; i < check_n(bad); i++)
		check(ratelimit_parse(bad[i], &l) < 0 && l.per_s == 3 &&
			  l.burst == 4,
		    "%s", bad[i]);
}

/* A client that asks a thousand times a second for ten seconds. */
static void
long_run(uint32_t per_s, uint32_t burst)
{
	struct ratelimit_quota l = {per_s, burst};
	struct ratelimit_key k = key(7);
	struct ratelimit_left left;
	struct ratelimit r;
	uint64_t taken = 0, most;

	check(ratelimit_open(&r, 64, &seed) == 0, "open");
	for (int64_t ms = 0; ms <= 10000; ms++) {
		while (ratelimit_take(
		    &r, &k, &l, 1, start_ns + ms * 1000000, &left))
			taken++;
		most = burst + per_s * (uint64_t)ms / 1000;
		check(taken <= most + 1 && taken + 1 >= most,
		    "%u:%u after %d ms: %ju", per_s, burst, (int)ms,
		    (uintmax_t)taken);
		check(left.units == 0 && left.wait_ns > 0 &&
			  left.wait_ns <= SECOND / per_s,
		    "%ju", (uintmax_t)left.wait_ns);
	}
	ratelimit_close(&r);
}

static void
refusals(void)
{
	struct ratelimit_quota l = {10, 20};
	struct ratelimit_key a = key(1), b = key(2);
	struct ratelimit_left left = {0};
	struct ratelimit r;
	int64_t now = start_ns;

	check(ratelimit_open(&r, 64, &seed) == 0, "open");
	check(ratelimit_take(&r, &a, &l, 15, now, &left), "15 of 20");
	check(!ratelimit_take(&r, &a, &l, 6, now, &left), "all or none");
	check(left.units == 5 && left.wait_ns == SECOND / 10, "5 left: %u",
	    left.units);
	check(ratelimit_take(&r, &a, &l, 5, now, &left), "5 of 5");
	check(!ratelimit_take(&r, &a, &l, 1, now, &left), "0 left");
	check(left.units == 0 && left.wait_ns == SECOND / 10, "a tenth");
	check(ratelimit_take(&r, &b, &l, 20, now, &left), "another client");
	now += left.wait_ns - 1;
	check(!ratelimit_take(&r, &a, &l, 1, now, &left), "too early");
	check(ratelimit_take(&r, &a, &l, 1, now + 1, &left), "in time");

	/* More than the burst: from a full bucket, and paid afterwards. */
	now += 100 * SECOND;
	check(ratelimit_take(&r, &a, &l, 100, now, &left), "100 of 20");
	check(
	    !ratelimit_take(&r, &a, &l, 1, now + 7 * SECOND, &left), "in debt");
	check(left.wait_ns == SECOND + SECOND / 10, "%jd",
	    (intmax_t)left.wait_ns);
	now += 8 * SECOND + SECOND / 10;
	check(!ratelimit_take(&r, &a, &l, 100, now, &left), "not full");
	check(left.units == 1 && left.wait_ns == 2 * SECOND - SECOND / 10,
	    "%jd", (intmax_t)left.wait_ns);
	check(ratelimit_take(&r, &a, &l, 1, now, &left), "paid");

	/* What others took counts here; what is older does not. */
	ratelimit_raise(&r, &b, now + 2 * SECOND, now);
	check(!ratelimit_take(&r, &b, &l, 1, now, &left), "raised");
	ratelimit_raise(&r, &b, now - SECOND, now);
	check(!ratelimit_take(&r, &b, &l, 1, now, &left), "never lowered");
	check(
	    ratelimit_take(&r, &b, &l, 1, now + SECOND / 10, &left), "goes on");
	ratelimit_close(&r);
}

/* A request that has taken one unit takes the others: within the burst and a
 * minute's rate, with all that is owed. */
static void
requests(void)
{
	struct ratelimit_quota l = {10, 20};
	struct ratelimit_key a = key(1);
	struct ratelimit_left left = {0};
	struct ratelimit r;
	int64_t now = start_ns;

	check(ratelimit_open(&r, 64, &seed) == 0, "open");
	check(ratelimit_most(&l) == 620, "%u", ratelimit_most(&l));
	left = ratelimit_look(&r, &a, &l, now);
	check(left.units == 20 && left.wait_ns == 0, "all: %u", left.units);
	check(ratelimit_take(&r, &a, &l, 1, now, &left), "its first");
	check(
	    !ratelimit_take_more(&r, &a, &l, 620, now, &left), "one too many");
	check(left.units == 19 && left.wait_ns > 0, "%u left", left.units);
	check(ratelimit_take_more(&r, &a, &l, 299, now, &left), "300 in all");
	left = ratelimit_look(&r, &a, &l, now);
	check(left.units == 0 && left.wait_ns == 28 * SECOND + SECOND / 10,
	    "%jd", (intmax_t)left.wait_ns);
	/* Once one may be sent again, what fits into the rest of a minute. */
	now += left.wait_ns;
	check(ratelimit_take(&r, &a, &l, 1, now, &left), "one");
	check(!ratelimit_take_more(&r, &a, &l, 610, now, &left), "too many");
	check(left.wait_ns == SECOND + SECOND / 10, "%jd",
	    (intmax_t)left.wait_ns);
	check(ratelimit_take_more(&r, &a, &l, 600, now, &left), "what fits");
	check(!ratelimit_take(&r, &a, &l, 1, now + 60 * SECOND, &left) &&
		  ratelimit_take(
		      &r, &a, &l, 1, now + 60 * SECOND + SECOND / 10, &left),
	    "a minute, then one");
	ratelimit_close(&r);
}

/* The largest of everything, for as long as it can be asked for. */
static void
edges(void)
{
	struct ratelimit_quota l = {1, RATELIMIT_MAX};
	struct ratelimit_key k = key(1);
	struct ratelimit_left left;
	struct ratelimit r;
	int64_t now = start_ns;

	check(ratelimit_open(&r, 1, &seed) == 0, "open");
	for (int i = 0; i < 100; i++) {
		check(
		    ratelimit_take(&r, &k, &l, RATELIMIT_UNITS_MAX, now, &left),
		    "%d", i);
		check(!ratelimit_take(
			  &r, &k, &l, RATELIMIT_UNITS_MAX, now, &left) &&
			  left.wait_ns > 0,
		    "%d", i);
		now += left.wait_ns;
	}
	ratelimit_close(&r);
}

/* A table that is too small forgets those who owe least, never the one who
 * owes most. */
static void
full(void)
{
	struct ratelimit_quota l = {1, 100};
	struct ratelimit_key heavy = key(1u << 30);
	struct ratelimit_left left;
	struct ratelimit r;
	size_t kept = 0;

	check(ratelimit_open(&r, 1000, &seed) == 0, "open");
	check((r.mask + 1) * RATELIMIT_WAYS == 1024, "%zu", r.mask);
	check(ratelimit_take(&r, &heavy, &l, 100, start_ns, &left), "heavy");
	for (uint64_t i = 0; i < 100000; i++) {
		struct ratelimit_key k = key(i);

		check(ratelimit_take(&r, &k, &l, 1, start_ns, &left), "new");
	}
	check(!ratelimit_take(&r, &heavy, &l, 1, start_ns, &left), "is known");
	ratelimit_close(&r);

	/* As many as fit, spread well enough that most are known. */
	check(ratelimit_open(&r, 1024, &seed) == 0, "open");
	for (uint64_t i = 0; i < 512; i++) {
		struct ratelimit_key k = key(i << 48);

		check(ratelimit_take(&r, &k, &l, 100, start_ns, &left), "new");
	}
	for (uint64_t i = 0; i < 512; i++) {
		struct ratelimit_key k = key(i << 48);

		kept += !ratelimit_take(&r, &k, &l, 1, start_ns, &left);
	}
	check(kept > 480, "%zu of 512", kept);
	ratelimit_close(&r);
}

int
main(void)
{
	texts();
	long_run(1, 1);
	long_run(3, 10);
	long_run(100, 100);
	long_run(1000, 5);
	refusals();
	requests();
	edges();
	full();
	return check_end();
}
