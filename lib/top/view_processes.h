/*
 * The processes as rows: one for each, or one for all of a program on a host.
 * Pure.
 */
#ifndef INCR_VIEW_PROCESSES_H
#define INCR_VIEW_PROCESSES_H

#include "top/frame.h"
#include "top/processes.h"

/* Rows that processes take where there are `room`, without the heading. */
int view_processes_rows(const struct processes *p, int room);

/* Draws the heading, and so many rows. */
void view_processes_draw(
    struct frame *f, const struct processes *p, int rows, double unix_now);

#endif
