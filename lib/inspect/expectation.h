/*
 * What counts are expected to be, key by key, and what there is of each: in
 * the table, on its way to it, and among the dead letters that are increments
 * by now.  Pure but for memory.
 *
 * Memory: sizeof(struct expectation_key), 80 bytes, for each key, and up to
 * twice that while lines are added.
 */
#ifndef INCR_EXPECTATION_H
#define INCR_EXPECTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/u128.h"
#include "record/increment.h"

struct expectation_key {
	struct id key;
	u128 expected, counted, waiting, rejected;
};

/* All zero: no key. */
struct expectation {
	struct expectation_key *keys; /* n of them, sorted by expectation_end */
	size_t n, cap;
	bool headed; /* the lines are those of a table with a heading */
};

enum expectation_line {
	EXPECTATION_TAKEN,
	EXPECTATION_BAD,   /* it is no key with a count */
	EXPECTATION_LARGE, /* more than U128_DIGITS digits, with those before */
	EXPECTATION_MEMORY /* ENOMEM */
};

/*
 * Adds line `number` (from 1) of a file, without its newline.  It is one of
 *
 *	an increment					incr-record(5)
 *	{"key":"UUID","value":N}			incr-flush --sums
 *	{"key":"UUID","value":N,"updated_at":"TIME"}	incr-db --json show
 *	UUID N [...]					incr-db show, -p
 *
 * with N from 0, U128_DIGITS digits at most, and blanks or bars between the
 * columns of the last; the heading of incr-db show is taken as lines 1 and 2.
 * The values of a key are added up.
 */
enum expectation_line expectation_add_line(
    struct expectation *e, uint64_t number, const char *line, size_t len);

/* No line will follow.  EXPECTATION_TAKEN or EXPECTATION_LARGE. */
enum expectation_line expectation_end(struct expectation *e);
void expectation_free(struct expectation *e);

/* The increments of a batch that are expected, until it is known whether the
 * table has them: 16 bytes for each of its keys.  All zero: none. */
struct expectation_log {
	struct expectation_entry {
		size_t at; /* of keys */
		uint64_t value;
	} * list;
	size_t n, cap;
};

/* Each ignores a key that is not expected. */
void expectation_add_counted(
    struct expectation *e, const struct id *key, u128 count);
void expectation_add_waiting(
    struct expectation *e, const struct increment *inc);
void expectation_add_rejected(
    struct expectation *e, const struct increment *inc);
/* 0, or -1 with errno ENOMEM. */
int expectation_log_add(struct expectation_log *l, const struct expectation *e,
    const struct increment *inc);
/* All of the batch is in the log: as few entries as there are keys. */
void expectation_log_end(struct expectation_log *l);
void expectation_log_free(struct expectation_log *l);
/* Those of the log wait. */
void expectation_add_log(
    struct expectation *e, const struct expectation_log *l);

/* Forgets what was counted; what waits and is rejected. */
void expectation_forget_table(struct expectation *e);
void expectation_forget_queue(struct expectation *e);

/* The first key from at on of which there is more or less than expected; NULL:
 * there is none.  *ret_at: where to look on. */
const struct expectation_key *expectation_differing(
    const struct expectation *e, size_t at, size_t *ret_at);

/* How many there are. */
size_t expectation_differ(const struct expectation *e);

/* The sums of all keys; its key is nil. */
struct expectation_key expectation_total(const struct expectation *e);

#endif
