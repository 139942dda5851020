/*
 * Lines: read from a descriptor, added to a buffer, and split into tag and
 * JSON.
 */
#ifndef INCR_LINES_H
#define INCR_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* Bytes of JSON in one line, incr-record(5). */
enum { LINES_JSON_MAX = 4096 };
/* Bytes of a tag, without its TAB. */
enum { LINES_TAG_MAX = 255 };

/* Bytes of one lines_fill at most, enough that a read(2) costs nothing per
 * line; after fewer there are no more for now. */
enum { LINES_READ_SIZE = 1 << 17 };

enum lines_result {
	LINES_LINE,     /* a whole line */
	LINES_TOO_LONG, /* a line of more than max bytes; its rest is skipped */
	LINES_MORE,     /* nothing yet: lines_fill */
	LINES_END       /* end of input; every line was returned */
};

/* A reader; its memory is one buffer of fixed size, whatever comes in. */
struct lines {
	int fd;
	size_t max;      /* bytes of a line without its newline */
	uint64_t number; /* of the line last returned, from 1 */
	struct buf in;
	bool skipping; /* inside a line that was too long */
	bool ended;    /* read(2) said end of input */
	bool torn;     /* the line last returned, the last of the input, has
			* no newline: the writer left it out, or was killed
			* inside the line */
};

/* Prepares to read lines of at most max bytes from fd (borrowed).  0, or -1
 * with errno ENOMEM. */
int lines_open(struct lines *l, int fd, size_t max);

/*
 * One read(2).  The number of bytes, 0 at the end of input, -1 with errno
 * (EAGAIN: a non-blocking descriptor has nothing now).  Lines returned
 * before are no longer valid.
 */
ssize_t lines_fill(struct lines *l);

/* Whether another lines_fill has something to read at once, behind one that
 * returned n: on a descriptor that blocks, it would wait else. */
bool lines_has_more(const struct lines *l, ssize_t n);

/*
 * The next line, without its newline, not terminated; valid until the next
 * lines_fill.  A last line without newline is a line.  For LINES_TOO_LONG
 * the first max bytes are given, once, as soon as that is known.
 */
enum lines_result lines_next(
    struct lines *l, const char **ret_line, size_t *ret_len);

/* Frees the memory; fd stays open. */
void lines_close(struct lines *l);

/* Adds a line and a newline.  0, or -1 with errno ENOMEM: unchanged. */
int lines_put(struct buf *out, const char *line, size_t len);

/*
 * Splits "TAG TAB JSON".  0, or -1 if line does not start with at most
 * LINES_TAG_MAX visible ASCII characters (maybe none) and one TAB.
 */
int lines_split_tag(const char *line, size_t len, size_t *ret_tag_len);

#endif
