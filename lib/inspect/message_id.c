/* Computes the ids of messages, and keeps a list of ids to look for. */
#include "inspect/message_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bigendian.h"
#include "base/buf.h"
#include "base/hex.h"
#include "base/sha256.h"
#include "inspect/label.h"

static int parse(const char *text, uint64_t *ret);
static int compare(const void *a, const void *b);

int
message_id_of(const char *raw, size_t len, uint64_t *ret)
{
	uint8_t digest[SHA256_BYTES];
	struct buf bare = {0};
	size_t at, n;
	int result = 0;

	if (label_span(raw, len, &at, &n)) {
		result = buf_add(&bare, raw, at);
		if (result == 0)
			result = buf_add(&bare, raw + at + n, len - at - n);
		raw = buf_ptr(&bare);
		len = bare.len;
	}
	if (result == 0)
		result = sha256_digest(raw, len, digest);
	buf_free(&bare);
	if (result == 0)
		*ret = bigendian_get64(digest);
	return result;
}

void
message_id_format(uint64_t id, char ret[MESSAGE_ID_TEXT + 1])
{
	snprintf(ret, MESSAGE_ID_TEXT + 1, "%016" PRIx64, id);
}

int
message_id_set(
    struct message_ids *s, char *const *texts, size_t n, const char **ret_wrong)
{
	*ret_wrong = NULL;
	s->list = calloc(n + 1, sizeof *s->list);
	if (s->list == NULL)
		return -1;
	s->n = n;
	s->used = 0;
	for (size_t i = 0; i < n; i++) {
		if (parse(texts[i], &s->list[i].id) == 0)
			continue;
		*ret_wrong = texts[i];
		message_id_free(s);
		return -1;
	}
	qsort(s->list, n, sizeof *s->list, compare);
	return 0;
}

static int
parse(const char *text, uint64_t *ret)
{
	if (strlen(text) != MESSAGE_ID_TEXT ||
	    !hex_is_lower(text, MESSAGE_ID_TEXT))
		return -1;
	*ret = strtoull(text, NULL, 16);
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct message_id *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

bool
message_id_use(struct message_ids *s, uint64_t id)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->list[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	while (low < s->n && s->list[low].id == id && s->list[low].used)
		low++;
	if (low == s->n || s->list[low].id != id)
		return false;
	s->list[low].used = true;
	s->used++;
	return true;
}

void
message_id_restore(struct message_ids *s)
{
	for (size_t i = 0; i < s->n; i++)
		s->list[i].used = false;
	s->used = 0;
}

void
message_id_free(struct message_ids *s)
{
	free(s->list);
	*s = (struct message_ids){0};
}
