/*
 * A growable buffer: bytes are added at the end and dropped from the front.
 *
 *	data              data+head          data+head+len       data+cap
 *	  | already dropped |   the content   |   room            |
 */
#ifndef INCR_BUF_H
#define INCR_BUF_H

#include <stddef.h>
#include <string.h>

/* All zero is an empty buffer.  Owned by whoever declares it. */
struct buf {
	char *data;
	size_t head, len, cap;
};

/* Calls of what is here would be a tenth of what a line costs. */

/* The content, b->len bytes, valid until the next call that adds to b.  NULL
 * if b has no memory yet. */
static inline char *
buf_ptr(const struct buf *b)
{
	return b->data == NULL ? NULL : b->data + b->head;
}

/* Bytes that fit without another allocation. */
static inline size_t
buf_free_space(const struct buf *b)
{
	return b->cap - b->head - b->len;
}

/* As buf_room, which has found that there is too little. */
char *buf_enlarge(struct buf *b, size_t n);

/* Where n more bytes may be written, to be added by buf_grow.  NULL with errno
 * ENOMEM: b is unchanged. */
static inline char *
buf_room(struct buf *b, size_t n)
{
	return b->data != NULL && n <= buf_free_space(b)
		   ? b->data + b->head + b->len
		   : buf_enlarge(b, n);
}

static inline void
buf_grow(struct buf *b, size_t n)
{
	b->len += n;
}

/* Copies n bytes to the end.  0, or -1 with errno ENOMEM: unchanged. */
static inline int
buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_room(b, n);

	if (to == NULL)
		return -1;
	if (n > 0)
		memcpy(to, p, n);
	b->len += n;
	return 0;
}

/* printf to the end.  0, or -1 with errno ENOMEM: unchanged. */
int buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Drops n (at most len) bytes from the front. */
static inline void
buf_drop(struct buf *b, size_t n)
{
	b->head += n;
	b->len -= n;
	if (b->len == 0)
		b->head = 0;
}

/* Empties b, keeps its memory. */
static inline void
buf_clear(struct buf *b)
{
	b->head = b->len = 0;
}

/* Frees the memory; b is then an empty buffer. */
void buf_free(struct buf *b);

#endif
