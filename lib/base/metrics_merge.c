/* Merges the metrics files of all processes into one Prometheus text. */
#include "base/metrics_merge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/metrics_folder.h"

enum { READ_SIZE = 16384 };

/* Everything about one name. */
struct family {
	struct buf name, help, type; /* HELP and TYPE: lines or empty */
	struct buf series;
};

struct families {
	struct family *all; /* METRICS_MERGE_NAMES */
	size_t n;
};

static const char *next_file(DIR *dir);
static int read_file(int dir, const char *name, struct buf *ret);
static void note_unread(struct metrics_unread *u, const char *name, int error);
static int merge_file(
    struct families *f, const char *text, size_t len, bool silent);
static int merge_line(struct families *f, struct family **current,
    const char *line, size_t len, bool silent);
static bool is_gauge(const struct family *f);
static int keep_first(struct buf *comment, const char *line, size_t len);
static bool belongs(const struct family *to, const char *name, size_t len);
static struct family *find(struct families *f, const char *name, size_t len);
static int add_family(struct buf *out, const struct family *f);
static void free_families(struct families *f);

int
metrics_merge(DIR *dir, struct buf *out, struct metrics_unread *ret)
{
	struct families f = {.all = calloc(METRICS_MERGE_NAMES, sizeof *f.all)};
	struct buf text = {0};
	const char *name;
	int result = f.all == NULL ? -1 : 0, files = 0;

	*ret = (struct metrics_unread){0};
	while (result == 0 && files < METRICS_MERGE_FILES_MAX &&
	       (name = next_file(dir)) != NULL) {
		result = read_file(dirfd(dir), name, &text);
		if (result < 0 && errno != ENOMEM) {
			note_unread(ret, name, errno);
			result = 0;
			continue;
		}
		files++;
		if (result == 0)
			result = merge_file(&f, buf_ptr(&text), text.len,
			    metrics_folder_is_silent(dirfd(dir), name));
	}
	if (result == 0 && files < METRICS_MERGE_FILES_MAX && errno != 0)
		result = -1;
	for (size_t i = 0; i < f.n && result == 0; i++)
		result = add_family(out, &f.all[i]);
	free_families(&f);
	buf_free(&text);
	return result;
}

/* NULL with errno 0 at the end. */
static const char *
next_file(DIR *dir)
{
	const struct dirent *e;

	for (errno = 0; (e = readdir(dir)) != NULL; errno = 0) {
		const char *end = strrchr(e->d_name, '.');
		struct stat st;

		if (e->d_name[0] != '.' && end != NULL &&
		    strcmp(end, ".prom") == 0 &&
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    S_ISREG(st.st_mode) &&
		    !metrics_folder_is_stale(dirfd(dir), e->d_name))
			return e->d_name;
	}
	return NULL;
}

/* 0 with nothing read if the file has gone, or has become something else
 * since it was looked at: opening that must not wait. */
static int
read_file(int dir, const char *name, struct buf *ret)
{
	int fd =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int saved;
	ssize_t n = 1;

	buf_clear(ret);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? 0 : -1;
	while (n > 0 && ret->len < METRICS_MERGE_FILE_MAX) {
		char *to = buf_room(ret, READ_SIZE);

		n = to == NULL ? -1 : read(fd, to, READ_SIZE);
		if (n > 0)
			buf_grow(ret, (size_t)n);
	}
	saved = errno;
	close(fd);
	errno = saved;
	return n < 0 ? -1 : 0;
}

static void
note_unread(struct metrics_unread *u, const char *name, int error)
{
	if (u->n++ > 0)
		return;
	snprintf(u->name, sizeof u->name, "%s", name);
	u->error = error;
}

static int
merge_file(struct families *f, const char *text, size_t len, bool silent)
{
	const char *end = text + len, *next;
	struct family *current = NULL;

	for (const char *line = text; line < end; line = next) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));

		if (lf == NULL) /* never of a whole file */
			return 0;
		next = lf + 1;
		if (merge_line(
			f, &current, line, (size_t)(next - line), silent) < 0)
			return -1;
	}
	return 0;
}

/*
 * The line is "# HELP name ...", "# TYPE name ...", or a series: "name value"
 * or "name{...} value", which belongs to the family whose comments stand
 * above it or to one of its own.  Other comments, names for which there is no
 * room, and the gauges of a silent file are dropped.
 */
static int
merge_line(struct families *f, struct family **current, const char *line,
    size_t len, bool silent)
{
	enum { COMMENT = sizeof "# HELP " - 1 };
	bool help = len > COMMENT && memcmp(line, "# HELP ", COMMENT) == 0;
	bool type = len > COMMENT && memcmp(line, "# TYPE ", COMMENT) == 0;
	const char *name = line + (help || type ? COMMENT : 0);
	size_t name_len = 0;

	while (strchr(" {\t\n", name[name_len]) == NULL)
		name_len++;
	if (name_len == 0 || (*line == '#' && !help && !type))
		return 0;
	if (help || type || *current == NULL ||
	    !belongs(*current, name, name_len))
		*current = find(f, name, name_len);
	if (*current == NULL)
		return 0;
	if (help)
		return keep_first(&(*current)->help, line, len);
	if (type)
		return keep_first(&(*current)->type, line, len);
	if (silent && is_gauge(*current))
		return 0;
	return buf_add(&(*current)->series, line, len);
}

static bool
is_gauge(const struct family *f)
{
	static const char end[] = " gauge\n";
	size_t len = sizeof end - 1;

	return f->type.len > len &&
	       memcmp(buf_ptr(&f->type) + f->type.len - len, end, len) == 0;
}

/* The comments of a name are those of the first file that has them. */
static int
keep_first(struct buf *comment, const char *line, size_t len)
{
	return comment->len > 0 ? 0 : buf_add(comment, line, len);
}

/* Is this the family's name, or a part of its histogram or summary? */
static bool
belongs(const struct family *to, const char *name, size_t len)
{
	static const char *const parts[] = {"", "_bucket", "_sum", "_count"};
	size_t n = to->name.len;

	if (len < n || memcmp(buf_ptr(&to->name), name, n) != 0)
		return false;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (len - n == strlen(parts[i]) &&
		    memcmp(name + n, parts[i], len - n) == 0)
			return true;
	return false;
}

/* The family of a name, made if there is none; NULL if there is no room. */
static struct family *
find(struct families *f, const char *name, size_t len)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->all[i].name.len == len &&
		    memcmp(buf_ptr(&f->all[i].name), name, len) == 0)
			return &f->all[i];
	if (f->n == METRICS_MERGE_NAMES ||
	    buf_add(&f->all[f->n].name, name, len) < 0)
		return NULL;
	return &f->all[f->n++];
}

static int
add_family(struct buf *out, const struct family *f)
{
	const struct buf *const parts[] = {&f->help, &f->type, &f->series};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (buf_add(out, buf_ptr(parts[i]), parts[i]->len) < 0)
			return -1;
	return 0;
}

static void
free_families(struct families *f)
{
	for (size_t i = 0; i < f->n; i++) {
		buf_free(&f->all[i].name);
		buf_free(&f->all[i].help);
		buf_free(&f->all[i].type);
		buf_free(&f->all[i].series);
	}
	free(f->all);
}
