/*
 * Where metrics come from: folders and URLs, all of which are read for one
 * reading.  Prints nothing.
 */
#ifndef INCR_METRICS_SOURCE_H
#define INCR_METRICS_SOURCE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/reason.h"
#include "top/http_get.h"

enum { METRICS_SOURCES_MAX = HTTP_GET_MAX };

struct metrics_source {
	const char *folder;   /* or NULL: */
	int url;              /* its number */
	struct stat at_first; /* of the folder */
	struct buf text;      /* the last that was read whole */
	char why[REASON_MAX]; /* why it could not be read now, or empty */
	bool waits;           /* for an answer */
	bool renewed;         /* text is of the last start */
};

/* All zero is none. */
struct metrics_sources {
	struct http_get *http; /* NULL: no URLs */
	struct metrics_source all[METRICS_SOURCES_MAX];
	int n;
};

/* Adds a folder, or a URL; place and set are borrowed for ever.  0, or -1 with
 * *ret_why: a text that does not contain the URL. */
int metrics_sources_add(struct metrics_sources *s, const char *place,
    const struct http_get_settings *set, const char **ret_why);

/* "/folder" or "http://host:port/path"; borrowed. */
const char *metrics_sources_name(const struct metrics_sources *s, int i);

/* Reads the folders, asks the URLs. */
void metrics_sources_start(struct metrics_sources *s);

/* Has each been read, or failed? */
bool metrics_sources_done(struct metrics_sources *s);

/* io_poll() that goes on with what was asked. */
int metrics_sources_poll(struct metrics_sources *s, struct pollfd *fds,
    nfds_t n, int64_t deadline_ms);

void metrics_sources_close(struct metrics_sources *s);

#endif
