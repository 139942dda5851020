/* The generic cell rate algorithm over a table of clients. */
#include "serve/ratelimit.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum { TEXT_MAX = 32 };

#define SECOND INT64_C(1000000000)

static struct ratelimit_slot *find(
    struct ratelimit *r, const struct ratelimit_key *key, int64_t now_ns);

int
ratelimit_parse(const char *text, struct ratelimit_quota *ret)
{
	const char *slash = strchr(text, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - text);
	char copy[TEXT_MAX];
	uint64_t per_s, burst;

	if (len >= sizeof copy || slash == NULL || slash[1] != 's' ||
	    (slash[2] != '\0' && slash[2] != ':'))
		return -1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (num_u64(copy, 1, RATELIMIT_MAX, &per_s) < 0)
		return -1;
	burst = per_s;
	if (slash[2] == ':' && num_u64(slash + 3, 1, RATELIMIT_MAX, &burst) < 0)
		return -1;
	*ret = (struct ratelimit_quota){(uint32_t)per_s, (uint32_t)burst};
	return 0;
}

int
ratelimit_open(struct ratelimit *r, size_t n, const struct hash_seed *seed)
{
	size_t sets = 1;

	while (sets * RATELIMIT_WAYS < n)
		sets *= 2;
	r->slots = calloc(sets * RATELIMIT_WAYS, sizeof *r->slots);
	r->mask = sets - 1;
	r->seed = *seed;
	return r->slots == NULL ? -1 : 0;
}

void
ratelimit_close(struct ratelimit *r)
{
	free(r->slots);
	*r = (struct ratelimit){0};
}

bool
ratelimit_take(struct ratelimit *r, const struct ratelimit_key *key,
    const struct ratelimit_quota *limit, uint32_t n, int64_t now_ns,
    struct ratelimit_left *ret)
{
	struct ratelimit_slot *s = find(r, key, now_ns);
	int64_t unit_ns = SECOND / limit->per_s;
	int64_t owed_ns = s->tat_ns > now_ns ? s->tat_ns - now_ns : 0;
	int64_t burst_ns = unit_ns * limit->burst;
	int64_t free_ns = owed_ns < burst_ns ? burst_ns - owed_ns : 0;
	int64_t most = num_min(n, limit->burst);

	if (free_ns >= most * unit_ns) {
		s->tat_ns = now_ns + owed_ns + n * unit_ns;
		return true;
	}
	ret->units = (uint32_t)(free_ns / unit_ns);
	ret->wait_ns = owed_ns + most * unit_ns - burst_ns;
	return false;
}

struct ratelimit_left
ratelimit_look(struct ratelimit *r, const struct ratelimit_key *key,
    const struct ratelimit_quota *limit, int64_t now_ns)
{
	struct ratelimit_slot *s = find(r, key, now_ns);
	int64_t unit_ns = SECOND / limit->per_s;
	int64_t owed_ns = s->tat_ns > now_ns ? s->tat_ns - now_ns : 0;
	int64_t free_ns = unit_ns * limit->burst - owed_ns;
	struct ratelimit_left left = {0};

	if (free_ns >= unit_ns)
		left.units = (uint32_t)(free_ns / unit_ns);
	else
		left.wait_ns = unit_ns - free_ns;
	return left;
}

uint32_t
ratelimit_most(const struct ratelimit_quota *limit)
{
	return limit->burst + RATELIMIT_DEBT_S * limit->per_s;
}

bool
ratelimit_take_more(struct ratelimit *r, const struct ratelimit_key *key,
    const struct ratelimit_quota *limit, uint32_t n, int64_t now_ns,
    struct ratelimit_left *ret)
{
	struct ratelimit_slot *s = find(r, key, now_ns);
	int64_t owed_ns = s->tat_ns > now_ns ? s->tat_ns - now_ns : 0;
	int64_t most_ns = ratelimit_worth(limit, ratelimit_most(limit));
	int64_t more_ns = ratelimit_worth(limit, n), wait_ns;

	if (owed_ns + more_ns <= most_ns) {
		s->tat_ns = now_ns + owed_ns + more_ns;
		return true;
	}
	*ret = ratelimit_look(r, key, limit, now_ns);
	/* The same request begins with one unit again. */
	wait_ns = owed_ns + more_ns + ratelimit_worth(limit, 1) - most_ns;
	if (ret->wait_ns < wait_ns)
		ret->wait_ns = wait_ns;
	return false;
}

void
ratelimit_owe(struct ratelimit *r, const struct ratelimit_key *key,
    const struct ratelimit_quota *limit, uint32_t n, int64_t now_ns)
{
	struct ratelimit_slot *s = find(r, key, now_ns);

	if (s->tat_ns < now_ns)
		s->tat_ns = now_ns;
	s->tat_ns += ratelimit_worth(limit, n);
}

void
ratelimit_raise(struct ratelimit *r, const struct ratelimit_key *key,
    int64_t tat_ns, int64_t now_ns)
{
	struct ratelimit_slot *s = find(r, key, now_ns);

	if (s->tat_ns < tat_ns)
		s->tat_ns = tat_ns;
}

int64_t
ratelimit_worth(const struct ratelimit_quota *limit, uint32_t n)
{
	return SECOND / limit->per_s * n;
}

uint64_t
ratelimit_hash(const struct ratelimit *r, const struct ratelimit_key *key)
{
	return hash_of(&r->seed, key->bytes);
}

/* The client's slot; if it has none yet, that of the client that owes least. */
static struct ratelimit_slot *
find(struct ratelimit *r, const struct ratelimit_key *key, int64_t now_ns)
{
	size_t set = ratelimit_hash(r, key) & r->mask;
	struct ratelimit_slot *s = r->slots + set * RATELIMIT_WAYS, *least = s;

	for (size_t i = 0; i < RATELIMIT_WAYS; i++) {
		if (memcmp(&s[i].key, key, sizeof *key) == 0)
			return &s[i];
		if (s[i].tat_ns < least->tat_ns)
			least = &s[i];
	}
	*least = (struct ratelimit_slot){.key = *key, .tat_ns = now_ns};
	return least;
}
