/*
 * One-line diagnostics and exit statuses.  The only module that prints to
 * standard error or ends a process.
 *
 * A message is `prog: object: reason`, one line, one write(2), at most
 * LOG_MAX bytes; bytes outside printable ASCII are shown as \xHH, so that
 * input can be named without being let loose on a terminal.
 *
 * Where standard error is the journal of systemd (JOURNAL_STREAM), each begins
 * with its priority as sd-daemon(3) wants it, which the journal takes off.
 */
#ifndef INCR_LOG_H
#define INCR_LOG_H

/* Exit statuses; what a supervisor does with each is in incr(7). */
enum {
	EXIT_DELIVERED = 0, /* everything that came in was delivered */
	EXIT_REJECTED = 1,  /* ran to the end, rejected some of its input */
	EXIT_CONFIG = 100,  /* usage or configuration */
	EXIT_BUG = 101,     /* a broken invariant; nothing was counted */
	EXIT_TEMPFAIL = 111 /* system, service or neighbour failed */
};

enum { LOG_MAX = 1024 };

/* Names the program in every later message; prog is borrowed for ever.  Looks
 * whether standard error is the journal. */
void log_name(const char *prog);

/* Prints one message, a warning.  errno is kept by all of these. */
void log_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same of what was lost or may be counted twice: an error. */
void log_loss(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same of what is well again, or was asked for: no more than information.
 */
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Shows one line on a terminal, in place of the one shown before; the next
 * message, or NULL, erases it. */
void log_show(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* What every message, and every reason given in text, says for ENOMEM. */
#define LOG_NO_MEMORY "out of memory"

/* Prints it and ends the process with EXIT_TEMPFAIL. */
void log_no_memory(void) __attribute__((noreturn));

/* The status if something could not be opened, and why: EXIT_CONFIG, but
 * EXIT_TEMPFAIL if why ends with LOG_NO_MEMORY, which may pass. */
int log_status(const char *why);

/* Prints one message, an error, and ends the process with status. */
void log_die(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

#endif
