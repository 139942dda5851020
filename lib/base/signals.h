/*
 * Signals as a descriptor, signalfd(2).
 */
#ifndef INCR_SIGNALS_H
#define INCR_SIGNALS_H

/*
 * Blocks SIGTERM, SIGINT and the signals of more (ends with 0; may be NULL)
 * and makes them readable from a non-blocking descriptor.  A signal that was
 * ignored at start stays ignored.  The descriptor, or -1 with errno.
 *
 * Process 1 of a container is the parent of all whose own has ended: it
 * leaves their end to the kernel, unless SIGCHLD is one of more.
 */
int signals_open(const int *more);

/* For programs that have nothing to finish: SIGTERM and SIGINT end them also
 * as process 1 of a container, which the kernel spares what it does by
 * default. */
void signals_default(void);

/*
 * Reads one waiting signal; 0 if there is none.  A second SIGINT ends the
 * process at once, as by the signal itself.
 */
int signals_next(int fd);

#endif
