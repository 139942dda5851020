/* Makes labels of dead letters, and finds them. */
#include "inspect/label.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "inspect/deadletter.h"
#include "queue/rmq_payload.h"
#include "queue/shards.h"

static const char before[] = "\"incr-label\":[\"", behind[] = "\"]";
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"abcdefghijklmnopqrstuvwxyz0123456789-_";

enum {
	BEFORE = sizeof before - 1,
	BEHIND = sizeof behind - 1,
	OPENING = 6, /* of a header: the signature and a brace */
	CLOSING = 2  /* a brace and the newline */
};

static const char *find(
    const char *raw, size_t len, size_t *ret_header, const char **ret_end);
static bool parse(char *text, struct label *ret);

enum label_state
label_find(const char *raw, size_t len, struct label *ret)
{
	char text[LABEL_ROOM] = "";
	const char *end, *at;
	size_t header;

	at = find(raw, len, &header, &end);
	if (at == NULL)
		return LABEL_NONE;
	at += BEFORE;
	if (end == NULL || (size_t)(end - at) >= sizeof text)
		return LABEL_BAD;
	memcpy(text, at, (size_t)(end - at));
	return parse(text, ret) ? LABEL_FOUND : LABEL_BAD;
}

/* The label in the header, and the end of its text, NULL if it has none. */
static const char *
find(const char *raw, size_t len, size_t *ret_header, const char **ret_end)
{
	size_t header = rmq_payload_header(raw, len);
	const char *at;

	*ret_header = header = header == SIZE_MAX ? 0 : header;
	at = memmem(raw, header, before, BEFORE);
	if (at != NULL)
		*ret_end = memmem(at + BEFORE,
		    (size_t)(raw + header - at) - BEFORE, behind, BEHIND);
	return at;
}

/* TAG SHARD MS */
static bool
parse(char *text, struct label *ret)
{
	size_t len = strspn(text, base64url);
	char *shard = strchr(text, ' '), *ms = strrchr(text, ' ');
	uint64_t n;

	if (len != TAG_PLACE_BASE || text[len] != '.' || shard == ms ||
	    shard - text > LABEL_TAG)
		return false;
	*shard++ = *ms++ = '\0';
	if (num_u64(text + len + 1, 2, INT64_MAX, &n) < 0 ||
	    num_u64(shard, 0, SHARDS_MAX - 1, &n) < 0 ||
	    num_u64(ms, 0, (uint64_t)1 << 53, &ret->ms) < 0)
		return false;
	ret->shard = (unsigned)n;
	memcpy(ret->tag, text, strlen(text) + 1);
	return true;
}

bool
label_fits(const char *raw, size_t len)
{
	size_t header = rmq_payload_header(raw, len);

	return header <= RMQ_PAYLOAD_HEADER_MAX - LABEL_ROOM;
}

enum label_way
label_find_way(const char *raw, size_t len, const struct increment *inc,
    const char *queue, unsigned shards, struct label *ret)
{
	enum label_state state = label_find(raw, len, ret);

	if (state == LABEL_FOUND && shards > 1 &&
	    ret->shard == shard_of(inc->key.bytes, shards))
		return LABEL_WAY_SHARD;
	if (state != LABEL_NONE)
		return LABEL_WAY_UNKNOWN;
	if (!deadletter_is_elsewhere(queue, shards, inc))
		return LABEL_WAY_READY;
	return label_fits(raw, len) ? LABEL_WAY_LABEL : LABEL_WAY_NO_ROOM;
}

bool
label_span(const char *raw, size_t len, size_t *ret_at, size_t *ret_len)
{
	const char *end, *at;
	size_t header;

	at = find(raw, len, &header, &end);
	if (at == NULL || end == NULL)
		return false;
	end += BEHIND;
	*ret_at = (size_t)(at - raw);
	*ret_len = (size_t)(end + 1 - at);
	if (*end == ',' || *end == ' ')
		return true;
	*ret_at = 0;
	*ret_len = header;
	return at == raw + OPENING && end + CLOSING == raw + header;
}

void
label_next(struct label_series *s, unsigned shard, char ret[LABEL_TEXT])
{
	unsigned char random[TAG_PLACE_BASE];

	if (s->n++ == 0) {
		arc4random_buf(random, sizeof random);
		for (size_t i = 0; i < sizeof random; i++)
			s->base[i] = base64url[random[i] % 64];
	}
	snprintf(
	    ret, LABEL_TEXT, "%s.%" PRIu64 " %u", s->base, s->n + 1, shard);
}
