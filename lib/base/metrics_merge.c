#include "base/metrics_merge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/metrics.h"

/* Everything about one name; text begins with "# HELP name ". */
struct family {
	struct buf text;
	size_t name_len;
};

struct families {
	struct family *all; /* METRICS_MERGE_NAMES */
	size_t n;
};

static const char help[] = "# HELP ";
enum { HELP_LEN = sizeof help - 1 };

static const char *next_file(DIR *dir);
static int merge_file(struct families *f, const char *text, size_t len);
static struct family *find(
    struct families *f, const char *name, size_t len, bool *ret_new);
static int read_file(int dir, const char *name, struct buf *ret);

int
metrics_merge(DIR *dir, struct buf *out)
{
	struct families f = {.all = calloc(METRICS_MERGE_NAMES, sizeof *f.all)};
	struct buf text = {0};
	const char *name;
	int result = f.all == NULL ? -1 : 0, files = 0;

	while (result == 0 && files < METRICS_MERGE_FILES_MAX &&
	       (name = next_file(dir)) != NULL) {
		if (read_file(dirfd(dir), name, &text) < 0)
			continue;
		files++;
		result = merge_file(&f, buf_ptr(&text), text.len);
	}
	if (result == 0 && files < METRICS_MERGE_FILES_MAX && errno != 0)
		result = -1;
	for (size_t i = 0; i < f.n; i++) {
		if (result == 0)
			result = buf_add(
			    out, buf_ptr(&f.all[i].text), f.all[i].text.len);
		buf_free(&f.all[i].text);
	}
	free(f.all);
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

		if (e->d_name[0] != '.' && end != NULL &&
		    strcmp(end, ".prom") == 0 &&
		    !metrics_stale(dirfd(dir), e->d_name))
			return e->d_name;
	}
	return NULL;
}

/* Comments of a name are taken from the first file that has it. */
static int
merge_file(struct families *f, const char *text, size_t len)
{
	const char *end = text + len, *next;
	struct family *to = NULL;
	bool is_new = false;

	for (const char *line = text; line < end; line = next) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		size_t n;

		if (lf == NULL) /* never of a whole file */
			return 0;
		next = lf + 1;
		n = (size_t)(next - line);
		if (n > HELP_LEN && memcmp(line, help, HELP_LEN) == 0)
			to = find(f, line + HELP_LEN, n - HELP_LEN, &is_new);
		if (to != NULL && (*line != '#' || is_new) &&
		    buf_add(&to->text, line, n) < 0)
			return -1;
	}
	return 0;
}

/* The family of the name that text begins with, NULL if there is no room. */
static struct family *
find(struct families *f, const char *text, size_t len, bool *ret_new)
{
	const char *space = memchr(text, ' ', len);
	size_t name_len = space == NULL ? len : (size_t)(space - text);

	*ret_new = false;
	for (size_t i = 0; i < f->n; i++)
		if (f->all[i].name_len == name_len &&
		    memcmp(buf_ptr(&f->all[i].text) + HELP_LEN, text,
			name_len) == 0)
			return &f->all[i];
	if (f->n == METRICS_MERGE_NAMES)
		return NULL;
	*ret_new = true;
	f->all[f->n].name_len = name_len;
	return &f->all[f->n++];
}

static int
read_file(int dir, const char *name, struct buf *ret)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = 1;

	buf_clear(ret);
	while (fd >= 0 && n > 0 && ret->len < METRICS_MERGE_FILE_MAX) {
		char *to = buf_room(ret, 16384);

		n = to == NULL ? -1 : read(fd, to, 16384);
		if (n > 0)
			buf_grow(ret, (size_t)n);
	}
	if (fd >= 0)
		close(fd);
	return fd < 0 || n < 0 ? -1 : 0;
}
