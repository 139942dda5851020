/*
 * Fault points: named places in a program where a test kills, stops or
 * disconnects it.
 *
 * They exist only in a build with -DINCR_POINTS (make points); in any other
 * build they are no instructions at all.
 *
 *	INCR_POINT=NAME:ACTION[:NTH]
 *
 * When the program comes to the point NAME for the NTH time (1 to 1000,
 * default 1), and only then:
 *
 *	kill   SIGKILL
 *	stop   SIGSTOP; goes on after SIGCONT
 *	exit   a message, and EXIT_TEMPFAIL
 *	drop   shuts down all connections it has, and goes on
 *
 * Anything else, also a name that is not in the table of failpoint.c, ends the
 * program with EXIT_CONFIG before main.  The first comment of
 * tests/bats/points.bats says how to add one.
 */
#ifndef INCR_FAILPOINT_H
#define INCR_FAILPOINT_H

#ifdef INCR_POINTS

#include <stddef.h>

void failpoint_hit(const char *name);
int failpoint_after(const char *name, int result);
size_t failpoint_cut(const char *name, const char *p, size_t n);

/* A statement: the program is here. */
#define FAILPOINT(name) failpoint_hit(name)

/* The value of call, an int: the program is behind it. */
#define FAILPOINT_AFTER(name, call) failpoint_after(name, call)

/*
 * n, how many bytes at p are to be written; at the point fewer, and the
 * action follows when the rest is to be written.  The table of failpoint.c says
 * where the cut is.
 */
#define FAILPOINT_CUT(name, p, n) failpoint_cut(name, p, n)

/* The same as a statement, for n in a variable. */
#define FAILPOINT_SHORTEN(name, p, n) ((n) = failpoint_cut(name, p, n))

#else

#define FAILPOINT(name) ((void)0)
#define FAILPOINT_AFTER(name, call) (call)
#define FAILPOINT_CUT(name, p, n) (n)
#define FAILPOINT_SHORTEN(name, p, n) ((void)0)

#endif
#endif
