/* Reads and writes lines, and splits tags off. */
#include "base/lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes16.h"
#include "base/num.h"

static enum lines_result take(struct lines *l, size_t len, size_t used,
    const char **ret_line, size_t *ret_len);
static bool skip_rest(struct lines *l);

int
lines_open(struct lines *l, int fd, size_t max)
{
	*l = (struct lines){.fd = fd, .max = max};
	return buf_room(&l->in, LINES_READ_SIZE + max + 1) == NULL ? -1 : 0;
}

ssize_t
lines_fill(struct lines *l)
{
	char *to = buf_room(&l->in, LINES_READ_SIZE);
	ssize_t n;

	if (to == NULL)
		return -1;
	do
		n = read(l->fd, to, LINES_READ_SIZE);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		buf_grow(&l->in, (size_t)n);
	else if (n == 0)
		l->ended = true;
	return n;
}

bool
lines_has_more(const struct lines *l, ssize_t n)
{
	struct pollfd in = {.fd = l->fd, .events = POLLIN};

	return n == LINES_READ_SIZE && poll(&in, 1, 0) == 1;
}

enum lines_result
lines_next(struct lines *l, const char **ret_line, size_t *ret_len)
{
	const char *from, *newline;

	if (l->skipping && !skip_rest(l))
		return l->ended ? LINES_END : LINES_MORE;
	if (l->in.len == 0)
		return l->ended ? LINES_END : LINES_MORE;
	from = buf_ptr(&l->in);
	newline = memchr(from, '\n', l->in.len);
	if (newline != NULL)
		return take(l, (size_t)(newline - from),
		    (size_t)(newline - from) + 1, ret_line, ret_len);
	if (l->ended || l->in.len > l->max) {
		l->skipping = !l->ended;
		return take(l, l->in.len, l->in.len, ret_line, ret_len);
	}
	return LINES_MORE;
}

/* Returns the first len bytes as a line and drops used. */
static enum lines_result
take(struct lines *l, size_t len, size_t used, const char **ret_line,
    size_t *ret_len)
{
	bool fits = len <= l->max;

	l->number++;
	l->torn = l->ended && used == len;
	*ret_line = buf_ptr(&l->in);
	*ret_len = fits ? len : l->max;
	buf_drop(&l->in, used);
	return fits ? LINES_LINE : LINES_TOO_LONG;
}

/* True once the newline of the long line is behind us. */
static bool
skip_rest(struct lines *l)
{
	const char *from = buf_ptr(&l->in);
	const char *newline =
	    l->in.len == 0 ? NULL : memchr(from, '\n', l->in.len);

	if (newline == NULL) {
		buf_clear(&l->in);
		return false;
	}
	buf_drop(&l->in, (size_t)(newline - from) + 1);
	l->skipping = false;
	return true;
}

void
lines_close(struct lines *l)
{
	buf_free(&l->in);
}

int
lines_put(struct buf *out, const char *line, size_t len)
{
	char *to = buf_room(out, len + 1);

	if (to == NULL)
		return -1;
	if (len > 0)
		memcpy(to, line, len);
	to[len] = '\n';
	buf_grow(out, len + 1);
	return 0;
}

static bool
is_visible(const char *text, size_t len)
{
	bytes16 hidden = {0};
	size_t i;

	for (i = 0; i + sizeof hidden <= len; i += sizeof hidden)
		hidden |= (bytes16)(bytes16_load(text + i) - '!' > '~' - '!');
	if (i < len && i > 0)
		hidden |=
		    (bytes16)(bytes16_load(text + len - sizeof hidden) - '!' >
			      '~' - '!');
	for (; i < len && len < sizeof hidden; i++)
		if (text[i] < '!' || text[i] > '~')
			return false;
	return !bytes16_any(hidden);
}

int
lines_split_tag(const char *line, size_t len, size_t *ret_tag_len)
{
	const char *tab;

	if (len > 0 && line[0] == '\t') { /* as most lines */
		*ret_tag_len = 0;
		return 0;
	}
	tab = len == 0
		  ? NULL
		  : memchr(line, '\t', num_min_size(len, LINES_TAG_MAX + 1));
	if (tab == NULL || !is_visible(line, (size_t)(tab - line)))
		return -1;
	*ret_tag_len = (size_t)(tab - line);
	return 0;
}
