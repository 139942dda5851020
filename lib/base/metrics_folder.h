/*
 * The folder of the metrics files: how one is written, and what the age of one
 * says.
 *
 * PROGRAM-HOST-PIDNS-PID.prom is written by that process alone, at least every
 * few seconds as long as it runs; incr-queue-QUEUE.prom by whoever finds it
 * old (metrics_shared.h).  Files of others may be there, too.
 */
#ifndef INCR_METRICS_FOLDER_H
#define INCR_METRICS_FOLDER_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"

#define METRICS_FOLDER_QUEUE "incr-queue-"

/* Where pids mean something: containers may share the folder, and on one host
 * its name. */
struct metrics_place {
	char host[65];
	char pidns[24]; /* inode of the pid namespace; 0: unknown */
};

/* Of this process; lives as long as it. */
const struct metrics_place *metrics_folder_here(void);

/* Writes text to `aside` in the open folder dir and renames that to name, with
 * mode 0644.  0 with the new file's *ret_st, or -1 with errno. */
int metrics_folder_write(int dir, const char *aside, const char *name,
    const struct buf *text, struct stat *ret_st);

/* Says of the file that it is as it would be written now: as old as if it were.
 * It costs much less than the writing.  0 with *ret_st, or -1 with errno. */
int metrics_folder_touch(int dir, const char *name, struct stat *ret_st);

/* Is `name`, in the open folder dir, the metrics file of a process that ended
 * five minutes ago or earlier, or of a queue that nobody has looked at for as
 * long? */
bool metrics_folder_is_stale(int dir, const char *name);

/* Is it one that was not written for ten seconds?  Its gauges say nothing now,
 * whatever became of the process. */
bool metrics_folder_is_silent(int dir, const char *name);

/* Removes the files that are stale. */
void metrics_folder_sweep(int dir);

#endif
