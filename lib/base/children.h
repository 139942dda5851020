/*
 * Exit statuses of child processes.  incr-ingest and incr-drain end in exec, so
 * the rest of their pipeline are children of this process.
 */
#ifndef INCR_CHILDREN_H
#define INCR_CHILDREN_H

#include <stdint.h>

/*
 * The exit status of this process: status, unless a child has ended, or ends
 * within wait_ms, with EXIT_CONFIG (126 and 127 count as that) or EXIT_BUG;
 * then the child's, since restarting the pipeline would not help.  Returns
 * once no child is left, so at once without children.
 */
int children_status(int status, int64_t wait_ms);

#endif
