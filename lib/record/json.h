/*
 * JSON texts, loaded by jansson into a tree that is only read.
 *
 * jansson does not always say that there was no memory: it goes on without the
 * byte that it could not keep, and batch 12 would be batch 1.  json_load
 * watches its allocations and says so.
 */
#ifndef INCR_JSON_H
#define INCR_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One value of a tree; borrowed from the root, which is freed as a whole. */
struct json;

enum json_outcome {
	JSON_LOADED,
	JSON_MALFORMED, /* not one JSON text; also a NUL, invalid UTF-8 or a
			 * lone surrogate in it */
	JSON_NO_MEMORY  /* it may be JSON */
};

struct json_text {
	struct json *root; /* json_free */
	bool repeated;     /* an object has a member twice: the last is kept */
	/*
	 * The text has numbers that no int64 or double holds, or names of
	 * members with \u0000: JSON that jansson can't hold.  The tree has
	 * others in their place, of the same kind: an integer is 0 then, an
	 * exponent 0, the NUL U+0001.
	 */
	bool replaced;
};

/*
 * Loads one JSON text of any kind.  A text of more than LINES_JSON_MAX bytes
 * that would have to be `replaced` is JSON_MALFORMED.  Unless JSON_LOADED,
 * *ret is untouched.
 */
enum json_outcome json_load(
    const char *text, size_t len, struct json_text *ret);

/* NULL is allowed. */
void json_free(struct json *root);

/* In all of these v may be NULL: it is of no kind. */

enum json_kind {
	JSON_KIND_NONE,
	JSON_KIND_OBJECT,
	JSON_KIND_ARRAY,
	JSON_KIND_STRING,
	JSON_KIND_NUMBER,
	JSON_KIND_BOOLEAN,
	JSON_KIND_NULL
};

enum json_kind json_kind(const struct json *v);

/* The member of an object; NULL if there is none, or v is no object. */
const struct json *json_member(const struct json *v, const char *name);

/* Members of an object; 0 if v is none. */
size_t json_members(const struct json *v);

/* Does holds say so of each member of an object, or element of an array?
 * False if v is neither. */
bool json_every(const struct json *v, bool (*holds)(const struct json *));

/* A string in UTF-8, which may have NULs in it and has one at its end; valid
 * as long as the root.  0, or -1 if v is no string. */
int json_get_string(const struct json *v, const char **ret, size_t *ret_len);

/* 0, or -1 if v is no number without fraction and exponent. */
int json_get_integer(const struct json *v, int64_t *ret);

/* 0, or -1 if v is neither true nor false. */
int json_get_boolean(const struct json *v, bool *ret);

#endif
