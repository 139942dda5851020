/* Keeps the file of a queue's series, one program at a time. */
#include "base/metrics_shared.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/metrics_folder.h"
#include "base/metrics_format.h"
#include "base/metrics_list.h"

enum { OLD_MS = 2000 };

void
metrics_shared_init(struct metrics_shared *s, const char *queue)
{
	const struct metrics_place *p = metrics_folder_here();

	*s = (struct metrics_shared){0};
	snprintf(
	    s->name, sizeof s->name, METRICS_FOLDER_QUEUE "%.200s.prom", queue);
	snprintf(s->aside, sizeof s->aside,
	    ".incr-queue-%.128s-%s-%s-%ju.prom.new", queue, p->host, p->pidns,
	    (uintmax_t)getpid());
}

/* The number of a file that was replaced may be used again. */
static bool
is_own(const struct metrics_shared *s, const struct stat *st)
{
	return st->st_ino == s->written.st_ino &&
	       st->st_dev == s->written.st_dev &&
	       st->st_mtim.tv_sec == s->written.st_mtim.tv_sec &&
	       st->st_mtim.tv_nsec == s->written.st_mtim.tv_nsec;
}

bool
metrics_shared_is_due(const struct metrics_shared *s)
{
	struct stat st;
	int64_t age_ms;

	if (metrics_dir() < 0)
		return false;
	if (fstatat(metrics_dir(), s->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    is_own(s, &st))
		return true;
	age_ms = clock_unix_ms() - (int64_t)st.st_mtim.tv_sec * 1000 -
		 st.st_mtim.tv_nsec / 1000000;
	/* By a clock that was set back it would be new for long. */
	return age_ms >= OLD_MS || age_ms < -OLD_MS;
}

void
metrics_shared_write(
    struct metrics_shared *s, const struct metric *table, size_t n)
{
	char own[256];
	const struct metric updated = {METRIC_UPDATED, .labels = own,
	    .value = (double)clock_unix_ms() / 1000};
	const char *last = "", *labels = metrics_labels();
	struct buf text = {0};

	/* The program's own file has one with the label queue, too. */
	snprintf(own, sizeof own, "file=\"queue\",%s", table->labels);
	if (metrics_dir() >= 0 &&
	    metrics_format(&text, table, n, labels, &last) == 0 &&
	    metrics_format(&text, &updated, 1, labels, &last) == 0)
		(void)metrics_folder_write(
		    metrics_dir(), s->aside, s->name, &text, &s->written);
	buf_free(&text);
}
