/*
 * Where in Redis the mark of a tag is, and what it says.
 *
 * A tag of the form BASE.N, 24 characters of base64url and a number without
 * leading zeros (serve/idempotency.h), is line N of a request or file.  Lines 2
 * and up have their marks in blocks of 128, a hash each, whose number is
 * N / 128; the field is N % 128:
 *
 *	jw2fbGmyVUwYB7wLnfTMC_aE.300
 *		field 44 of marks::jw2fbGmyVUwYB7wLnfTMC_aE.2
 *
 * Line 1, which is most often the only one, is a single: its field is the 18
 * bytes that BASE is the text of, in one of 128 pairs of hashes, the shelves
 * marks::1.XX and marks::2.XX.  Any other tag is a single, too, with 18 bytes
 * of its SHA-256, in 128 other pairs: so none has the mark of a BASE.N.
 *
 * Fewer pairs would cost Redis less where a call brings many singles, which
 * then share commands.  But a hash moves to another node of a cluster in one
 * step, in which Redis answers nobody: some 3.5 microseconds a mark.
 *
 * The same in every release that shares a queue: whoever looks for a mark
 * elsewhere counts its line twice.
 */
#ifndef INCR_TAG_PLACE_H
#define INCR_TAG_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/increment.h"

enum {
	TAG_PLACE_ID = 18,     /* bytes of a single's field */
	TAG_PLACE_BASE = 24,   /* characters of BASE */
	TAG_PLACE_PAIRS = 256, /* of shelves */
	TAG_PLACE_BLOCK = 128, /* marks of one block */
	TAG_PLACE_KEY = 7 + TAG_PLACE_BASE + 1 + 20 + 1,
	TAG_PLACE_MARK = 24 /* bytes of a mark at most */
};

struct tag_place {
	bool is_single;
	unsigned pair;  /* of a single: 0 to TAG_PLACE_PAIRS - 1 */
	uint64_t block; /* else, from 0 */
	char field[TAG_PLACE_ID];
	size_t field_len;
};

/* 0, or -1 if memory is gone.  Pure but for that. */
int tag_place_find(const char *tag, size_t len, struct tag_place *ret);

/* The key of a block of the tag, without what all keys of a queue begin with;
 * or of a shelf, 1 or 2.  Each is its length. */
size_t tag_place_block_key(
    const char *tag, uint64_t block, char ret[TAG_PLACE_KEY]);
size_t tag_place_shelf_key(
    unsigned pair, unsigned shelf, char ret[TAG_PLACE_KEY]);

/* The mark of an increment: the bytes of its key, then those of its value, the
 * least significant one first, without zeros at the end.  Its length. */
size_t tag_place_mark(const struct increment *inc, char ret[TAG_PLACE_MARK]);

#endif
