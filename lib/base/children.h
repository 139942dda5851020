/*
 * The neighbours of a pipe that ended in exec (layer 1): what the shell had
 * started is now this program's children.
 */
#ifndef INCR_CHILDREN_H
#define INCR_CHILDREN_H

#include <stdint.h>

/*
 * The status to leave with: status, unless a child has ended, or ends within
 * wait_ms, with EXIT_CONFIG (126 and 127 count as that) or EXIT_BUG: then
 * the child's, for a restart of the whole would be of no use.  Without
 * children it returns at once.
 */
int children_status(int status, int64_t wait_ms);

#endif
