/* Reads metrics from folders and URLs. */
#include "top/metrics_source.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/metrics_merge.h"

int
metrics_sources_add(struct metrics_sources *s, const char *place,
    const struct http_get_settings *set, const char **ret_why)
{
	struct metrics_source *at = &s->all[s->n];
	DIR *d;

	*ret_why = "too many";
	if (s->n == METRICS_SOURCES_MAX)
		return -1;
	if (http_get_is_url(place)) {
		*ret_why = LOG_NO_MEMORY;
		if (s->http == NULL)
			s->http = http_get_open(set);
		if (s->http == NULL ||
		    http_get_add(s->http, place, &at->url, ret_why) < 0)
			return -1;
	} else {
		d = opendir(place);
		*ret_why = strerror(errno);
		if (d == NULL)
			return -1;
		(void)fstat(dirfd(d), &at->at_first);
		closedir(d);
		at->folder = place;
	}
	s->n++;
	return 0;
}

const char *
metrics_sources_name(const struct metrics_sources *s, int i)
{
	const struct metrics_source *at = &s->all[i];

	return at->folder != NULL ? at->folder
				  : http_get_name(s->http, at->url);
}

/* Why it could not be read.  A sandbox allows the folder of the start, and none
 * that is made in its place later. */
static void
note_unread(struct metrics_source *s)
{
	const char *why = strerror(errno);
	struct stat now;

	if (errno == EACCES && stat(s->folder, &now) == 0 &&
	    (now.st_dev != s->at_first.st_dev ||
		now.st_ino != s->at_first.st_ino))
		why = "replaced since the start";
	reason_set(s->why, "%s", why);
}

/* A file that can't be read is told, and the others are shown. */
static void
read_folder(struct metrics_source *s)
{
	struct metrics_unread unread = {0};
	DIR *d = opendir(s->folder);

	s->why[0] = '\0';
	if (d != NULL)
		buf_clear(&s->text);
	if (d == NULL || metrics_merge(d, &s->text, &unread) < 0) {
		note_unread(s);
	} else {
		s->renewed = true;
		if (unread.n > 0)
			reason_set(s->why, "%s: %s", unread.name,
			    strerror(unread.error));
	}
	if (d != NULL)
		closedir(d);
}

void
metrics_sources_start(struct metrics_sources *s)
{
	for (int i = 0; i < s->n; i++) {
		struct metrics_source *at = &s->all[i];

		at->renewed = false;
		if (at->folder != NULL)
			read_folder(at);
		else if (http_get_start(s->http, at->url) < 0)
			reason_set(at->why, "%s", LOG_NO_MEMORY);
		else
			at->waits = true;
	}
}

static void
take_answer(struct metrics_sources *s, struct metrics_source *at)
{
	const struct buf *text;
	const char *why;

	switch (http_get_result(s->http, at->url, &text, &why)) {
	case HTTP_GET_WAITS: return;
	case HTTP_GET_FAILED: reason_set(at->why, "%s", why); break;
	case HTTP_GET_ANSWERED:
		at->why[0] = '\0';
		buf_clear(&at->text);
		if (buf_add(&at->text, buf_ptr(text), text->len) < 0)
			reason_set(at->why, "%s", LOG_NO_MEMORY);
		else
			at->renewed = true;
		break;
	}
	at->waits = false;
}

bool
metrics_sources_done(struct metrics_sources *s)
{
	bool done = true;

	for (int i = 0; i < s->n; i++) {
		if (s->all[i].waits)
			take_answer(s, &s->all[i]);
		done &= !s->all[i].waits;
	}
	return done;
}

int
metrics_sources_poll(struct metrics_sources *s, struct pollfd *fds, nfds_t n,
    int64_t deadline_ms)
{
	return s->http == NULL ? io_poll(fds, n, deadline_ms)
			       : http_get_poll(s->http, fds, n, deadline_ms);
}

void
metrics_sources_close(struct metrics_sources *s)
{
	for (int i = 0; i < s->n; i++)
		buf_free(&s->all[i].text);
	http_get_close(s->http);
}
