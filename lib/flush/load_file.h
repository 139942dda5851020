/*
 * A file of increments that is counted once: its lines are batches of an id
 * that is made of its contents, or of a name that users give them; the label
 * says what the contents are then.  So the row of that id in the ledger is the
 * number of the last line that was counted, or refused, in the same
 * transaction as the sums; whoever loads the file again begins behind it.
 *
 * The file owns an increment until COMMIT.  Pure.
 */
#ifndef INCR_LOAD_FILE_H
#define INCR_LOAD_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "flush/window.h"
#include "record/id.h"

/* Of no queue, which would delete the rows after thirty days; a label follows,
 * if there is one.  An id has one row: under another label it does not move. */
#define LOAD_FILE_QUEUE "incr-db load"
enum { LOAD_FILE_LABEL_MAX = 200 };

struct load_file {
	bool given; /* the input is such a file */
	char queue[sizeof LOAD_FILE_QUEUE + 1 + LOAD_FILE_LABEL_MAX];
	struct id id;   /* of its contents */
	uint64_t lines; /* that it has; what comes behind them is not read */

	uint64_t row;  /* lines that were counted before */
	uint64_t at;   /* lines of input so far, */
	uint64_t done; /* and those of them that are in windows */
};

/* The option --load of incr-flush. */
const char *load_file_take(void *dest, const char *text);
#define LOAD_FILE_OPTION(dest_) \
	{ \
		.name = "load", .arg = "ID", \
		.help = "once each line: for incr-db load", \
		.kind = OPTIONS_CALL, .dest = (dest_), .call = load_file_take \
	}

/* Is the next line of input to be passed over?  It counts as read then. */
bool load_file_skips(struct load_file *l);

/* Makes w (plain, open, with keys) the next lines, up to the last one read. */
void load_file_number(struct load_file *l, struct window *w);

#endif
