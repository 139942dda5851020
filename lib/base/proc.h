/*
 * Processes as /proc shows them, proc(5).
 */
#ifndef INCR_PROC_H
#define INCR_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc {
	char state;           /* field 3 of stat: 'R', 'S', 'Z' ... */
	uint64_t start_ticks; /* field 22: since boot, never 0 */
};

/* Reads /proc/PID/stat.  0, or -1: there is no such process, or /proc does
 * not show it. */
int proc_read(pid_t pid, struct proc *ret);

/* Seconds since the process began; -1 if proc_read fails. */
int64_t proc_age_s(pid_t pid);

/* The same of a text as stat has it, ending with a NUL.  Pure. */
int proc_parse(const char *stat, struct proc *ret);

/* The inodes of this process's own namespaces, in which a pid and a start mean
 * something; time is 0 before Linux 5.6.  0, or -1: the kernel does not tell,
 * or the /proc that is mounted here is another namespace's, and shows other
 * pids. */
struct proc_namespaces {
	uint64_t pid, time;
};
int proc_namespaces(struct proc_namespaces *ret);

/* Reads a file of at most size - 1 bytes, as /proc has them, and ends it with
 * a NUL.  0, or -1 with errno; an empty file is EINVAL. */
int proc_read_file(const char *path, char *ret, size_t size);

#endif
