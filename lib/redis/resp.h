/*
 * Requests to Redis as bytes: RESP bulk strings,
 *
 *	$5\r\nhello\r\n
 */
#ifndef INCR_RESP_H
#define INCR_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Arguments as RESP bulk strings.  When memory is gone they are failed, and
 * the call that uses them returns -1.  All zero is none; owned by whoever
 * declares it. */
struct resp_args {
	struct buf resp;
	size_t n;
	bool failed;
};

void resp_arg(struct resp_args *a, const void *p, size_t len);
void resp_arg_text(struct resp_args *a, const char *text);
void resp_arg_u64(struct resp_args *a, uint64_t n);
/* n bytes at p, then the content of more, as one argument. */
void resp_arg_two(
    struct resp_args *a, const void *p, size_t n, const struct buf *more);
/* n more, encoded, are sent behind the arguments. */
void resp_args_behind(struct resp_args *a, size_t n);
void resp_args_clear(struct resp_args *a);
void resp_args_free(struct resp_args *a);

/* Adds one bulk string to out.  0, or -1 if memory is gone: unchanged. */
int resp_encode(struct buf *out, const void *p, size_t len);

/* Add a command, its name first in args; and EVALSHA of a script, whose first
 * n_keys arguments are keys.  0, or -1 if memory is gone. */
int resp_encode_command(struct buf *out, const struct resp_args *args);
int resp_encode_eval(struct buf *out, const char *sha, size_t n_keys,
    const struct resp_args *args);

#endif
