/*
 * The system calls that a program gives up, as a filter for seccomp(2).  Pure.
 *
 * It names what is refused, and lets everything else pass: a libc that begins
 * to use another call must not break a program that runs.  A unit of systemd
 * has a list of what is allowed in front of it.  What is refused fails with
 * EPERM; only clone3(2), whose flags a filter can't read, fails with ENOSYS,
 * after which libc takes clone(2).
 */
#ifndef INCR_SANDBOX_FILTER_H
#define INCR_SANDBOX_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/* A sanitizer writes its reports to files of its own, and at the end the leak
 * checker traces this process from another one: without landlock then. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANDBOX_SANITIZED true
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
    __has_feature(thread_sanitizer)
#define SANDBOX_SANITIZED true
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED false
#endif

/* What a program goes on doing. */
enum sandbox_need {
	SANDBOX_ACCEPT = 1 << 0,  /* accepts connections */
	SANDBOX_CONNECT = 1 << 1, /* makes connections */
	SANDBOX_LIBRARY = 1 << 2, /* loads libraries: libc, to look names up */
	SANDBOX_SIGNAL = 1 << 3,  /* sends signals to other processes */
	SANDBOX_KEYRING = 1 << 4, /* logs in with what the kernel keeps */
	SANDBOX_PAIR = 1 << 5     /* libcurl's threads, which look names up, use
				   * socketpair(2) */
};

enum { SANDBOX_FILTER_MAX = 512 };

/*
 * Writes the filter for a program with these needs.  Its length, or 0: there
 * is none for this kind of machine.  A call of another architecture or ABI
 * than the program's own is refused whatever it is.
 */
size_t sandbox_filter_make(
    unsigned needs, struct sock_filter ret[SANDBOX_FILTER_MAX]);

#endif
