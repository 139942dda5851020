#include "inspect/message_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/sha256.h"

static int parse(const char *text, uint64_t *ret);
static int compare(const void *a, const void *b);

int
names_of(const char *raw, size_t len, uint64_t *ret)
{
	uint8_t digest[DIGEST_BYTES];
	uint64_t name = 0;

	if (digest_sha256(raw, len, digest) < 0)
		return -1;
	for (size_t i = 0; i < sizeof name; i++)
		name = name << 8 | digest[i];
	*ret = name;
	return 0;
}

void
names_format(uint64_t name, char ret[NAMES_TEXT + 1])
{
	snprintf(ret, NAMES_TEXT + 1, "%016" PRIx64, name);
}

int
names_set(struct names *s, char *const *texts, size_t n, const char **ret_wrong)
{
	*ret_wrong = NULL;
	s->list = calloc(n + 1, sizeof *s->list);
	if (s->list == NULL)
		return -1;
	s->n = n;
	s->used = 0;
	for (size_t i = 0; i < n; i++) {
		if (parse(texts[i], &s->list[i].name) == 0)
			continue;
		*ret_wrong = texts[i];
		names_free(s);
		return -1;
	}
	qsort(s->list, n, sizeof *s->list, compare);
	return 0;
}

static int
parse(const char *text, uint64_t *ret)
{
	if (strlen(text) != NAMES_TEXT || !hex_is_lower(text, NAMES_TEXT))
		return -1;
	*ret = strtoull(text, NULL, 16);
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return (x->name > y->name) - (x->name < y->name);
}

bool
names_use(struct names *s, uint64_t name)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->list[mid].name < name)
			low = mid + 1;
		else
			high = mid;
	}
	while (low < s->n && s->list[low].name == name && s->list[low].used)
		low++;
	if (low == s->n || s->list[low].name != name)
		return false;
	s->list[low].used = true;
	s->used++;
	return true;
}

void
names_restore(struct names *s)
{
	for (size_t i = 0; i < s->n; i++)
		s->list[i].used = false;
	s->used = 0;
}

void
names_free(struct names *s)
{
	free(s->list);
	*s = (struct names){0};
}
