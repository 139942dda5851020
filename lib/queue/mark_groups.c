/* Groups the tagged lines of a publish by where their marks are. */
#include "queue/mark_groups.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "queue/queue_call.h"
#include "redis/msgpack.h"

enum {
	NO_LINE = UINT16_MAX,
	FEW = 3 /* lines of a pair, cheaper one by one: half of the calls of a
		 * dozen lines have two in one pair */
};

/* The singles of each pair of shelves, linked by their places in marks. */
struct chains {
	uint16_t first[TAG_PLACE_PAIRS], last[TAG_PLACE_PAIRS];
	uint16_t n[TAG_PLACE_PAIRS];
	uint16_t next[QUEUE_TAGS_MAX];
};

_Static_assert((int)QUEUE_TAGS_MAX < (int)NO_LINE, "places of struct chains");

static void chain(struct chains *c, const struct queue_lines *lines);
static int add_alone(struct mark_groups *g, struct queue *q,
    const struct queue_lines *lines, struct chains *c);
static int add_blocks(struct mark_groups *g, struct queue *q,
    const struct queue_lines *lines, bool with_seen);
static size_t end_of_block(const struct queue_lines *lines, size_t first);
static int add_shelves(struct mark_groups *g, struct queue *q,
    const struct queue_lines *lines, const struct chains *c, bool with_seen);
static void add_pair(struct mark_groups *g, struct queue *q, unsigned pair);
static int add(struct mark_groups *g, struct queue *q,
    const struct queue_lines *lines, size_t i, bool with_seen);
static const struct queue_mark *mark_of(
    const struct queue_lines *lines, size_t i);
static const char *tag_of(const struct queue_lines *lines, size_t i);
static void add_key(struct mark_groups *g, struct queue *q, const char *key);

int
mark_groups_make(struct mark_groups *g, struct queue *q,
    const struct queue_lines *lines, bool with_seen)
{
	struct chains c;

	buf_clear(&g->text);
	buf_clear(&g->packed);
	g->n_keys = 0;
	chain(&c, lines);
	if (!with_seen && add_alone(g, q, lines, &c) < 0)
		return -1;
	if (add_blocks(g, q, lines, with_seen) < 0)
		return -1;
	return add_shelves(g, q, lines, &c, with_seen);
}

void
mark_groups_free(struct mark_groups *g)
{
	buf_free(&g->text);
	buf_free(&g->packed);
}

static void
chain(struct chains *c, const struct queue_lines *lines)
{
	memset(c->first, 0xff, sizeof c->first);
	memset(c->n, 0, sizeof c->n);
	for (size_t i = 0; i < lines->tags; i++) {
		const struct tag_place *at = &mark_of(lines, i)->at;

		c->next[i] = NO_LINE;
		if (!at->is_single)
			continue;
		if (c->first[at->pair] == NO_LINE)
			c->first[at->pair] = (uint16_t)i;
		else
			c->next[c->last[at->pair]] = (uint16_t)i;
		c->last[at->pair] = (uint16_t)i;
		c->n[at->pair]++;
	}
}

/* The script has a short way for singles, one by one, each with its keys: takes
 * those of pairs with few out of the chains. */
static int
add_alone(struct mark_groups *g, struct queue *q,
    const struct queue_lines *lines, struct chains *c)
{
	size_t n = 0;

	for (unsigned pair = 0; pair < TAG_PLACE_PAIRS; pair++) {
		if (c->n[pair] == 0 || c->n[pair] > FEW)
			continue;
		for (size_t i = c->first[pair]; i != NO_LINE; i = c->next[i]) {
			add_pair(g, q, pair);
			if (add(g, q, lines, i, false) < 0)
				return -1;
		}
		c->first[pair] = NO_LINE;
		n += c->n[pair];
	}
	return n > 0 ? buf_addf(&g->text, "a%zu", n) : 0;
}

static int
add_blocks(struct mark_groups *g, struct queue *q,
    const struct queue_lines *lines, bool with_seen)
{
	char key[TAG_PLACE_KEY];

	for (size_t i = 0, end; i < lines->tags; i = end) {
		const struct tag_place *at = &mark_of(lines, i)->at;

		end = i + 1;
		if (at->is_single)
			continue;
		end = end_of_block(lines, i);
		tag_place_block_key(tag_of(lines, i), at->block, key);
		add_key(g, q, key);
		if (buf_addf(&g->text, "b%zu", end - i) < 0)
			return -1;
		for (size_t k = i; k < end; k++)
			if (add(g, q, lines, k, with_seen) < 0)
				return -1;
	}
	return 0;
}

/* The first one from there on that is not in the same block. */
static size_t
end_of_block(const struct queue_lines *lines, size_t first)
{
	size_t i = first + 1;

	while (
	    i < lines->tags && !mark_of(lines, i)->at.is_single &&
	    mark_of(lines, i)->at.block == mark_of(lines, first)->at.block &&
	    memcmp(tag_of(lines, i), tag_of(lines, first), TAG_PLACE_BASE) == 0)
		i++;
	return i;
}

static int
add_shelves(struct mark_groups *g, struct queue *q,
    const struct queue_lines *lines, const struct chains *c, bool with_seen)
{
	for (unsigned pair = 0; pair < TAG_PLACE_PAIRS; pair++) {
		size_t n = 0;

		if (c->first[pair] == NO_LINE)
			continue;
		add_pair(g, q, pair);
		for (size_t i = c->first[pair]; i != NO_LINE; i = c->next[i]) {
			if (add(g, q, lines, i, with_seen) < 0)
				return -1;
			n++;
		}
		if (buf_addf(&g->text, "s%zu", n) < 0)
			return -1;
	}
	return 0;
}

static void
add_pair(struct mark_groups *g, struct queue *q, unsigned pair)
{
	char key[TAG_PLACE_KEY];

	for (unsigned shelf = 1; shelf <= 2; shelf++) {
		tag_place_shelf_key(pair, shelf, key);
		add_key(g, q, key);
	}
}

static int
add(struct mark_groups *g, struct queue *q, const struct queue_lines *lines,
    size_t i, bool with_seen)
{
	char seen[sizeof "seen::" + QUEUE_TAG_MAX];
	const struct queue_mark *m = mark_of(lines, i);

	if (with_seen) {
		snprintf(seen, sizeof seen, "seen::%s", tag_of(lines, i));
		add_key(g, q, seen);
	}
	if (msgpack_add_number(&g->packed, m->line) < 0 ||
	    msgpack_add(&g->packed, m->at.field, m->at.field_len) < 0)
		return -1;
	return msgpack_add(&g->packed, m->mark, m->mark_len);
}

static const struct queue_mark *
mark_of(const struct queue_lines *lines, size_t i)
{
	return (const struct queue_mark *)(void *)buf_ptr(&lines->marks) + i;
}

static const char *
tag_of(const struct queue_lines *lines, size_t i)
{
	return buf_ptr(&lines->names) + mark_of(lines, i)->name;
}

static void
add_key(struct mark_groups *g, struct queue *q, const char *key)
{
	queue_call_own_key(q, key);
	g->n_keys++;
}
