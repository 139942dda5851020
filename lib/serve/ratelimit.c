#include "serve/ratelimit.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum { TEXT_MAX = 32 };

#define SECOND INT64_C(1000000000)

static struct rate_slot *find(
    struct rate *r, const struct rate_key *key, int64_t now_ns);

int
rate_parse(const char *text, struct rate_limit *ret)
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
	if (num_u64(copy, 1, RATE_MAX, &per_s) < 0)
		return -1;
	burst = per_s;
	if (slash[2] == ':' && num_u64(slash + 3, 1, RATE_MAX, &burst) < 0)
		return -1;
	*ret = (struct rate_limit){(uint32_t)per_s, (uint32_t)burst};
	return 0;
}

int
rate_open(struct rate *r, size_t n, uint64_t seed)
{
	size_t sets = 1;

	while (sets * RATE_WAYS < n)
		sets *= 2;
	r->slots = calloc(sets * RATE_WAYS, sizeof *r->slots);
	r->mask = sets - 1;
	r->seed = seed | 1;
	return r->slots == NULL ? -1 : 0;
}

void
rate_close(struct rate *r)
{
	free(r->slots);
	*r = (struct rate){0};
}

bool
rate_take(struct rate *r, const struct rate_key *key,
    const struct rate_limit *limit, uint32_t n, int64_t now_ns,
    struct rate_left *ret)
{
	struct rate_slot *s = find(r, key, now_ns);
	int64_t unit_ns = SECOND / limit->per_s;
	int64_t owed_ns = s->tat_ns > now_ns ? s->tat_ns - now_ns : 0;
	int64_t burst_ns = unit_ns * limit->burst;
	int64_t free_ns = owed_ns < burst_ns ? burst_ns - owed_ns : 0;
	int64_t most = n < limit->burst ? n : limit->burst;

	if (free_ns >= most * unit_ns) {
		s->tat_ns = now_ns + owed_ns + n * unit_ns;
		return true;
	}
	ret->units = (uint32_t)(free_ns / unit_ns);
	ret->wait_ns = owed_ns + most * unit_ns - burst_ns;
	return false;
}

void
rate_owe(struct rate *r, const struct rate_key *key,
    const struct rate_limit *limit, uint32_t n, int64_t now_ns)
{
	struct rate_slot *s = find(r, key, now_ns);

	if (s->tat_ns < now_ns)
		s->tat_ns = now_ns;
	s->tat_ns += rate_worth(limit, n);
}

void
rate_raise(
    struct rate *r, const struct rate_key *key, int64_t tat_ns, int64_t now_ns)
{
	struct rate_slot *s = find(r, key, now_ns);

	if (s->tat_ns < tat_ns)
		s->tat_ns = tat_ns;
}

int64_t
rate_worth(const struct rate_limit *limit, uint32_t n)
{
	return SECOND / limit->per_s * n;
}

uint64_t
rate_hash(const struct rate *r, const struct rate_key *key)
{
	uint64_t a, b, h;

	memcpy(&a, key->bytes, sizeof a);
	memcpy(&b, key->bytes + sizeof a, sizeof b);
	h = (a ^ (b >> 32 | b << 32)) * r->seed;
	return (h ^ h >> 32) * r->seed >> 32;
}

/* The client's slot; that of whoever owes least if it has none yet. */
static struct rate_slot *
find(struct rate *r, const struct rate_key *key, int64_t now_ns)
{
	size_t set = rate_hash(r, key) & r->mask;
	struct rate_slot *s = r->slots + set * RATE_WAYS, *least = s;

	for (size_t i = 0; i < RATE_WAYS; i++) {
		if (memcmp(&s[i].key, key, sizeof *key) == 0)
			return &s[i];
		if (s[i].tat_ns < least->tat_ns)
			least = &s[i];
	}
	*least = (struct rate_slot){.key = *key, .tat_ns = now_ns};
	return least;
}
