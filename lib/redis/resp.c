/* Writes requests to Redis as RESP bulk strings. */
#include "redis/resp.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"

enum {
	LINE_END = 2 /* CR LF */
};

static inline char *
put_end(char *to)
{
	memcpy(to, "\r\n", LINE_END);
	return to + LINE_END;
}

void
resp_arg(struct resp_args *a, const void *p, size_t len)
{
	if (resp_encode(&a->resp, p, len) < 0)
		a->failed = true;
	a->n++;
}

void
resp_arg_text(struct resp_args *a, const char *text)
{
	resp_arg(a, text, strlen(text));
}

void
resp_arg_u64(struct resp_args *a, uint64_t n)
{
	char text[NUM_TEXT];

	resp_arg(a, text, (size_t)(num_write(text, n) - text));
}

void
resp_arg_two(
    struct resp_args *a, const void *p, size_t n, const struct buf *more)
{
	if (buf_addf(&a->resp, "$%zu\r\n", n + more->len) < 0 ||
	    buf_add(&a->resp, p, n) < 0 ||
	    (more->len > 0 &&
		buf_add(&a->resp, buf_ptr(more), more->len) < 0) ||
	    buf_add(&a->resp, "\r\n", 2) < 0)
		a->failed = true;
	a->n++;
}

void
resp_args_behind(struct resp_args *a, size_t n)
{
	a->n += n;
}

void
resp_args_clear(struct resp_args *a)
{
	buf_clear(&a->resp);
	a->n = 0;
	a->failed = false;
}

void
resp_args_free(struct resp_args *a)
{
	buf_free(&a->resp);
	*a = (struct resp_args){0};
}

int
resp_encode(struct buf *out, const void *p, size_t len)
{
	char *begin = buf_room(out, 1 + NUM_TEXT + LINE_END + len + LINE_END);
	char *to = begin;

	if (to == NULL)
		return -1;
	*to++ = '$';
	to = put_end(num_write(to, len));
	memcpy(to, p, len);
	buf_grow(out, (size_t)(put_end(to + len) - begin));
	return 0;
}

int
resp_encode_command(struct buf *out, const struct resp_args *args)
{
	if (buf_addf(out, "*%zu\r\n", args->n) < 0)
		return -1;
	return buf_add(out, buf_ptr(&args->resp), args->resp.len);
}

int
resp_encode_eval(struct buf *out, const char *sha, size_t n_keys,
    const struct resp_args *args)
{
	enum { HEAD = 3 };
	char keys[24];

	snprintf(keys, sizeof keys, "%zu", n_keys);
	if (buf_addf(out, "*%zu\r\n$7\r\nEVALSHA\r\n", HEAD + args->n) < 0 ||
	    resp_encode(out, sha, strlen(sha)) < 0 ||
	    resp_encode(out, keys, strlen(keys)) < 0)
		return -1;
	return buf_add(out, buf_ptr(&args->resp), args->resp.len);
}
