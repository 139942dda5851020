/*
 * The lines of one publish, encoded once, and of those that have a tag where
 * its mark is and what it says (tag_place.h).  Part of queue_publish.h.
 */
#ifndef INCR_QUEUE_LINES_H
#define INCR_QUEUE_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "queue/tag_place.h"
#include "record/increment.h"

/* Frozen when they were sent. */
struct queue_lines {
	struct buf resp;  /* bulk strings, resp.h */
	size_t n, tags;   /* lines; those of them that have a tag */
	struct buf marks; /* a struct queue_mark of each tag */
	struct buf names; /* the tags, each with a NUL */
};

struct queue_mark {
	struct tag_place at;
	uint32_t line; /* from 1 */
	uint32_t name; /* where the tag begins in names */
	size_t mark_len;
	char mark[TAG_PLACE_MARK];
};

enum { QUEUE_TAG_MAX = 255 };

/* Adds a line, which is inc, with a tag unless it is empty; a line without a
 * tag costs Redis as much as if there were no tags.  0, or -1 if there are
 * QUEUE_LINES_MAX, or QUEUE_TAGS_MAX with one, the tag or the line is too
 * long, or memory is gone: unchanged. */
int queue_lines_add(struct queue_lines *l, const char *tag, size_t tag_len,
    const char *line, size_t len, const struct increment *inc);
void queue_lines_clear(struct queue_lines *l);
void queue_lines_free(struct queue_lines *l);

#endif
