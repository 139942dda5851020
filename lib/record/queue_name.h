/*
 * Names of queues: 1 to QUEUE_NAME_MAX characters of A-Z a-z 0-9 . _ : -
 */
#ifndef INCR_QUEUE_NAME_H
#define INCR_QUEUE_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum { QUEUE_NAME_MAX = 128 };

/* Pure. */
bool queue_name_is_valid(const char *text, size_t len);

/* For OPTIONS_CALL, dest is a const char **, which borrows text: NULL, or
 * what a name must be. */
const char *queue_name_take(void *dest, const char *text);

/* The option -q of every program that has it; what: a few words for --help. */
#define QUEUE_NAME_OPTION(dest_, what) \
	{ \
		.letter = 'q', .name = "queue", .arg = "NAME", \
		.env = "INCR_QUEUE", .def = "increments", .help = (what), \
		.kind = OPTIONS_CALL, .dest = (dest_), .call = queue_name_take \
	}

#endif
