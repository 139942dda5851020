/* Keeps the file of a queue's series, one program at a time. */
#include "base/metrics_shared.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/metrics_folder.h"
#include "base/metrics_format.h"
#include "base/metrics_list.h"

enum {
	OLD_MS = 2000,
	REWRITE_MS = 4000 /* for its time in the text */
};

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

void
metrics_shared_free(struct metrics_shared *s)
{
	buf_free(&s->text);
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

/* Is the file the one that this process wrote last, with the same series? */
static bool
is_there(const struct metrics_shared *s, const struct buf *text)
{
	struct stat st;

	return s->text.len == text->len &&
	       memcmp(buf_ptr(&s->text), buf_ptr(text), text->len) == 0 &&
	       clock_ms() < s->rewrite_ms &&
	       fstatat(metrics_dir(), s->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       is_own(s, &st);
}

static void
write_text(struct metrics_shared *s, struct buf *text, const char *labels,
    const char *last)
{
	char own[256];
	const struct metric updated = {METRIC_UPDATED, .labels = own,
	    .value = (double)clock_unix_ms() / 1000};

	buf_clear(&s->text);
	(void)buf_add(&s->text, buf_ptr(text), text->len);
	/* The program's own file has one with the label queue, too. */
	snprintf(own, sizeof own, "file=\"queue\",%s", labels);
	if (metrics_format(text, &updated, 1, metrics_labels(), &last) < 0 ||
	    metrics_folder_write(
		metrics_dir(), s->aside, s->name, text, &s->written) < 0)
		buf_clear(&s->text);
	s->rewrite_ms = clock_ms() + REWRITE_MS;
}

void
metrics_shared_write(
    struct metrics_shared *s, const struct metric *table, size_t n)
{
	const char *last = "";
	struct buf text = {0};

	if (metrics_dir() >= 0 &&
	    metrics_format(&text, table, n, metrics_labels(), &last) == 0 &&
	    (!is_there(s, &text) ||
		metrics_folder_touch(metrics_dir(), s->name, &s->written) < 0))
		write_text(s, &text, table->labels, last);
	buf_free(&text);
}
