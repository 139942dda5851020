/* Encodes the lines of a publish, and where the marks of their tags are. */
#include "queue/queue_lines.h"

#include <string.h>

#include "queue/queue.h"
#include "redis/resp.h"

static int add_tag(struct queue_lines *l, const char *tag, size_t tag_len,
    const struct increment *inc);

int
queue_lines_add(struct queue_lines *l, const char *tag, size_t tag_len,
    const char *line, size_t len, const struct increment *inc)
{
	size_t marks = l->marks.len, names = l->names.len;

	if (l->n == QUEUE_LINES_MAX || tag_len > QUEUE_TAG_MAX ||
	    (tag_len > 0 && l->tags == QUEUE_TAGS_MAX) || len > UINT16_MAX)
		return -1;
	if ((tag_len > 0 && add_tag(l, tag, tag_len, inc) < 0) ||
	    resp_encode(&l->resp, line, len) < 0) {
		l->marks.len = marks;
		l->names.len = names;
		return -1;
	}
	l->n++;
	l->tags += tag_len > 0;
	return 0;
}

static int
add_tag(struct queue_lines *l, const char *tag, size_t tag_len,
    const struct increment *inc)
{
	struct queue_mark mark = {
	    .line = (uint32_t)l->n + 1, .name = (uint32_t)l->names.len};

	if (tag_place_find(tag, tag_len, &mark.at) < 0)
		return -1;
	mark.mark_len = tag_place_mark(inc, mark.mark);
	if (buf_add(&l->names, tag, tag_len) < 0 ||
	    buf_add(&l->names, "", 1) < 0)
		return -1;
	return buf_add(&l->marks, &mark, sizeof mark);
}

void
queue_lines_clear(struct queue_lines *l)
{
	buf_clear(&l->resp);
	buf_clear(&l->marks);
	buf_clear(&l->names);
	l->n = l->tags = 0;
}

void
queue_lines_free(struct queue_lines *l)
{
	buf_free(&l->resp);
	buf_free(&l->marks);
	buf_free(&l->names);
	l->n = l->tags = 0;
}
