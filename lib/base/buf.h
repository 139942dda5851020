/*
 * A growable buffer: bytes are added at the end and dropped from the front.
 *
 *	data              data+head          data+head+len       data+cap
 *	  | already dropped |   the content   |   room            |
 */
#ifndef INCR_BUF_H
#define INCR_BUF_H

#include <stddef.h>

/* All zero is an empty buffer.  Owned by whoever declares it. */
struct buf {
	char *data;
	size_t head, len, cap;
};

/* The content, b->len bytes, valid until the next call that adds to b.  NULL
 * if b has no memory yet. */
char *buf_ptr(const struct buf *b);

/* Where n more bytes may be written, to be added by buf_grow.  NULL with errno
 * ENOMEM: b is unchanged. */
char *buf_room(struct buf *b, size_t n);
void buf_grow(struct buf *b, size_t n);

/* Bytes that fit without another allocation. */
size_t buf_free_space(const struct buf *b);

/* Copies n bytes to the end.  0, or -1 with errno ENOMEM: unchanged. */
int buf_add(struct buf *b, const void *p, size_t n);

/* printf to the end.  0, or -1 with errno ENOMEM: unchanged. */
int buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Drops n (at most len) bytes from the front. */
void buf_drop(struct buf *b, size_t n);

/* Empties b, keeps its memory. */
void buf_clear(struct buf *b);

/* Frees the memory; b is then an empty buffer. */
void buf_free(struct buf *b);

#endif
