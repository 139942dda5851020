/*
 * What a service manager is told, by the protocol of sd_notify(3): a program
 * that is the main process of a unit with Type=notify says when it is ready,
 * what it waits for, and, for WatchdogSec=, that its loop still turns.
 *
 * Without NOTIFY_SOCKET every call does nothing.  No call waits: what could not
 * be sent is sent at a later notify_tick().
 */
#ifndef INCR_NOTIFY_H
#define INCR_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

enum notify_state {
	NOTIFY_STARTING,
	NOTIFY_READY,
	NOTIFY_RELOADING, /* NOTIFY_READY comes again */
	NOTIFY_STOPPING
};

enum {
	/* So long after notify_open() the owner says that it is ready, whatever
	 * a service it needs does: an outage is no failed start. */
	NOTIFY_START_MS = 5000
};

/*
 * Connects to NOTIFY_SOCKET, a path or, with @, an abstract name; before
 * sandbox_enter(), which takes away the right to.  WATCHDOG_USEC counts if
 * WATCHDOG_PID is this process, or is not set.  0, or -1 with errno: nothing
 * will be told.
 */
int notify_open(void);

/* Is nobody told anything? */
bool notify_off(void);

/* The state is this one from now on. */
void notify_state(enum notify_state state);

/* One line for people.  Characters that would end it are sent as ?. */
void notify_status(const char *text);

/* When READY is to be said at the latest; IO_FOREVER once it was, or without a
 * socket. */
int64_t notify_ready_due(void);

/*
 * Sends what is new, and that the loop turns, unless `stuck`: another process
 * without which this one is of no use stands still.  Once per turn of the loop.
 * When it is due again, IO_FOREVER if never.
 */
int64_t notify_tick(int64_t now_ms, bool stuck);

#endif
