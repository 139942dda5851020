/*
 * The file of bearer tokens.  Its lines are
 *
 *	# for the shop
 *	shop	9f86d081884c7d65…,5994471abb01112a…	200/s:400
 *	old	60303ae22b998861…	-
 *
 * the client's name, the SHA-256 of its token in hexadecimal, and maybe its own
 * rate, or "-" for a client that may not send.  Several tokens of a name,
 * between commas, the newest last, are one client: it has one rate, and its
 * idempotency keys are the same with each of them.  A # at the start of a word
 * makes the rest of the line a comment.  The tokens themselves are nowhere.
 */
#ifndef INCR_TOKENS_H
#define INCR_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/reason.h"
#include "serve/client.h"

enum {
	TOKENS_MAX = 10000,
	TOKENS_FILE_MAX = 4 << 20, /* bytes */
	TOKENS_TEXT_MAX = 256      /* bytes of a token in a request */
};

struct tokens;

struct token {
	struct client client; /* limit.per_s 0: none of its own */
	bool barred;
};

/*
 * Reads the set in len bytes of text.  NULL with *ret_line (from 1; 0: no
 * line) and *ret_why, constant; no name has two lines, no digest comes twice.
 */
struct tokens *tokens_parse(
    const char *text, size_t len, unsigned *ret_line, const char **ret_why);

/* Reads a regular file.  NULL with the reason, "PATH:LINE: why". */
struct tokens *tokens_read(const char *path, char ret_why[REASON_MAX]);

/* NULL is allowed. */
void tokens_free(struct tokens *t);

/* Of all names together; 0 for NULL. */
size_t tokens_count(const struct tokens *t);

/*
 * The token that text is, borrowed from t, or NULL.  How long it takes says
 * nothing about how much of text agrees with any token: digests are compared,
 * whole, all of a bucket that only t's secret number tells.
 */
const struct token *tokens_find(
    const struct tokens *t, const char *text, size_t len);

#endif
