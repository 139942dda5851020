/* Writes requests to Redis as RESP bulk strings. */
#include "redis/resp.h"

#include <stdio.h>
#include <string.h>

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
	char text[24];
	int len = snprintf(text, sizeof text, "%ju", (uintmax_t)n);

	resp_arg(a, text, (size_t)len);
}

void
resp_arg_two(
    struct resp_args *a, const void *p, size_t n, const struct buf *more)
{
	resp_arg_begin(a, p, n, n + more->len);
	if ((more->len > 0 &&
		buf_add(&a->resp, buf_ptr(more), more->len) < 0) ||
	    buf_add(&a->resp, "\r\n", 2) < 0)
		a->failed = true;
}

void
resp_arg_begin(struct resp_args *a, const void *p, size_t n, size_t len)
{
	if (buf_addf(&a->resp, "$%zu\r\n", len) < 0 ||
	    buf_add(&a->resp, p, n) < 0)
		a->failed = true;
	a->n++;
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
	enum { HEAD_MAX = 24 }; /* $, 20 digits, CR LF, NUL */
	char *to = buf_room(out, len + HEAD_MAX + 2);
	int head;

	if (to == NULL)
		return -1;
	head = snprintf(to, HEAD_MAX, "$%zu\r\n", len);
	memcpy(to + head, p, len);
	memcpy(to + (size_t)head + len, "\r\n", 2);
	buf_grow(out, (size_t)head + len + 2);
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
