/*
 * The processes of a system, as their series tell them: which run, what they
 * take, and how often one has ended and another one come.  Pure.
 *
 * A process that runs has gauges; without them, its file is older than ten
 * seconds, and it has ended or stands still.
 */
#ifndef INCR_PROCESSES_H
#define INCR_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROCESSES_MAX = 2000, PROCESSES_GROUPS = 256 };

/* Whose series it is; texts of others, cut. */
struct process_name {
	char program[32], host[66], pidns[24], pid[24];
	int source; /* of two hosts all of these may be the same */
};

/* What can be known of one; NaN where it is not. */
struct process_gauges {
	double start, updated; /* seconds since 1970, of its host */
	double cpu;            /* seconds since its start */
	double memory, files, files_max;
};

struct process {
	struct process_name name;
	struct process_gauges now;
	bool seen, runs; /* in this reading: there is something of it, and it
			  * runs */
	bool known;      /* it was seen in an earlier one */
	uint64_t hash;   /* of the name */
	double began;    /* the start that was seen last */
	double first;    /* when it was first seen, by our clock */
	double load;     /* CPUs that it keeps busy; NaN: not known yet */
	struct {
		double at, cpu;
	} base[2]; /* where its load is counted from: 5 to 10 s ago */
};

/* All processes of a program on a host. */
struct process_group {
	char program[32], host[66];
	size_t runs; /* now */
	size_t most; /* that lasted, at one time of all readings: what runs for
		      * a moment, such as a pipe of a shell, belongs to none */
	uint64_t gone;     /* ended, and forgotten */
	uint64_t restarts; /* ended, and another one has come */
};

/* All zero is none. */
struct processes {
	struct process all[PROCESSES_MAX];
	size_t n;
	struct process_group groups[PROCESSES_GROUPS];
	size_t n_groups;
};

/* A reading begins. */
void processes_begin(struct processes *p);

/* The process of that name, seen in this reading; borrowed until its end.
 * NULL if there are too many. */
struct process *processes_find(
    struct processes *p, const struct process_name *name);

/* Every series of a reading was there: what was not seen has ended. `now` is
 * that of any clock that does not step. */
void processes_end(struct processes *p, double now);

/* How many run, of a program, or of all (NULL). */
size_t processes_running(const struct processes *p, const char *program);

#endif
