/*
 * Child processes.  incr-ingest and incr-drain end in exec, so the rest of
 * their pipeline are children of this process; so is, if this is process 1 of
 * a container, every process there whose parent has ended.
 */
#ifndef INCR_CHILDREN_H
#define INCR_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The child that the wiring names in INCR_CHILD, 0 if that is none of this
 * process. */
pid_t children_named(void);

/* Sends SIGTERM to the child that children_named() is. */
void children_stop(void);

/* Reaps the children that have ended.  True if others are left.  Statuses are
 * kept for children_status, except of another session: those were not started
 * with this process, but are left over by others. */
bool children_reap(void);

/*
 * The exit status of this process: status, unless a child has ended, or ends
 * within wait_ms, with EXIT_CONFIG (126 and 127 count as that) or EXIT_BUG;
 * then the child's, since restarting the pipeline would not help.  Returns
 * once no child is left, so at once without children.
 */
int children_status(int status, int64_t wait_ms);

#endif
