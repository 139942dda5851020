/* Many metrics files as one: comments once and first, series of one name
 * together, and what can't be merged. */
#include "base/metrics_merge.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/incr-merge.XXXXXX";
static struct metrics_unread unread;

static void
write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

static void
remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	check(unlink(path) == 0, "%s", path);
}

/* The text of the folder; caller frees. */
static struct buf
merged(void)
{
	struct buf text = {0};
	DIR *dir = opendir(folder);

	if (dir == NULL)
		exit(1);
	check(metrics_merge(dir, &text, &unread) == 0, "merge");
	check(buf_add(&text, "", 1) == 0, "NUL");
	closedir(dir);
	return text;
}

static void
comments(void)
{
	static const char want[] = "# HELP h An h.\n# TYPE h histogram\n"
				   "h_bucket{le=\"1\"} 1\nh_sum 2\nh_count 3\n"
				   "h_sums 4\n"
				   "# TYPE h_max gauge\nh_max 5\n"
				   "# HELP h_max_count A count.\n"
				   "h_max_count 6\n";
	struct buf text;

	write_file("a.prom",
	    "# HELP h An h.\n# TYPE h histogram\n# a remark\n"
	    "h_bucket{le=\"1\"} 1\nh_sum 2\nh_count 3\n\nh_sums 4\n"
	    "# TYPE h_max gauge\nh_max 5\n"
	    "# HELP h_max_count A count.\nh_max_count 6\n");
	text = merged();
	check(strcmp(buf_ptr(&text), want) == 0, "%s", buf_ptr(&text));
	buf_free(&text);
	write_file("b.prom",
	    "# HELP h Another.\nh_bucket{le=\"1\"} 7\nh_count 5\nh_x 6");
	text = merged();
	check(strstr(buf_ptr(&text), "Another") == NULL ||
		  strstr(buf_ptr(&text), "An h.") == NULL,
	    "one HELP: %s", buf_ptr(&text));
	check(strstr(buf_ptr(&text), "} 7\nh_count 5\n") != NULL &&
		  strstr(buf_ptr(&text), "} 1\nh_sum 2\nh_count 3\n") != NULL,
	    "parts together: %s", buf_ptr(&text));
	check(strstr(buf_ptr(&text), "h_x") == NULL, "half a line");
	buf_free(&text);
	remove_file("a.prom");
	remove_file("b.prom");
}

/* More names than there is room for: the first ones are kept. */
static void
many_names(void)
{
	static char lines[METRICS_MERGE_NAMES * 32];
	size_t n = 0, at = 0;
	struct buf text;

	for (int i = 0; i < METRICS_MERGE_NAMES + 10; i++)
		at += (size_t)snprintf(
		    lines + at, sizeof lines - at, "name_%d 1\n", i);
	write_file("a.prom", lines);
	text = merged();
	for (char *p = buf_ptr(&text); (p = strchr(p, '\n')) != NULL; p++)
		n++;
	check(n == METRICS_MERGE_NAMES, "%zu", n);
	buf_free(&text);
	remove_file("a.prom");
}

static void
other_kinds(void)
{
	char path[128];
	struct buf text;

	snprintf(path, sizeof path, "%s/fifo.prom", folder);
	check(mkfifo(path, 0600) == 0, "%s", path);
	snprintf(path, sizeof path, "%s/folder.prom", folder);
	check(mkdir(path, 0700) == 0, "%s", path);
	write_file("a.prom", "a 1\n");
	text = merged();
	check(strcmp(buf_ptr(&text), "a 1\n") == 0, "%s", buf_ptr(&text));
	check(unread.n == 0, "%zu", unread.n);
	buf_free(&text);
	check(rmdir(path) == 0, "%s", path);
	remove_file("fifo.prom");
	/* Root may read everything. */
	snprintf(path, sizeof path, "%s/a.prom", folder);
	chmod(path, 0);
	if (access(path, R_OK) < 0) {
		text = merged();
		check(text.len == 1, "%s", buf_ptr(&text));
		check(unread.n == 1 && unread.error == EACCES &&
			  strcmp(unread.name, "a.prom") == 0,
		    "%zu, %s", unread.n, unread.name);
		buf_free(&text);
	}
	remove_file("a.prom");
}

int
main(void)
{
	if (mkdtemp(folder) == NULL)
		return 1;
	comments();
	many_names();
	other_kinds();
	check(rmdir(folder) == 0, "%s", folder);
	return check_end();
}
