/* Remembers in files what a program once found right. */
#include "base/once.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/sha256.h"

enum {
	DIGEST = 16,   /* bytes of the digest in a name */
	FILE_MAX = 256 /* of a file */
};

static const char *program;
static int folder = -1;

struct mark {
	struct buf line;
	char name[FILE_MAX];
};

static int begin_mark(
    struct mark *m, const struct once *o, enum once_step step);
static bool is_there(const struct mark *m);
static void write_mark(const struct mark *m);

void
once_open(const char *name)
{
	const char *path = getenv("RUNTIME_DIRECTORY");
	char *first;

	if (path == NULL || *path == '\0')
		return;
	first = strndup(path, strcspn(path, ":"));
	if (first != NULL)
		folder = open(first, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(first);
	program = name;
}

void
once_look(struct once *o)
{
	for (enum once_step step = 0; step < ONCE_STEPS && folder >= 0;
	     step++) {
		struct mark m;

		if (begin_mark(&m, o, step) == 0 && is_there(&m))
			o->was[step] = true;
		buf_free(&m.line);
	}
}

/* The line and the name of a mark.  0, or -1 if memory is gone. */
static int
begin_mark(struct mark *m, const struct once *o, enum once_step step)
{
	static const char *const words[ONCE_STEPS] = {"greeting", "work"};
	uint8_t digest[SHA256_BYTES];
	char hex[2 * DIGEST + 1];

	m->line = (struct buf){0};
	if (buf_addf(&m->line, "%s %s ", program, words[step]) < 0 ||
	    buf_add(&m->line, buf_ptr(&o->place), o->place.len) < 0 ||
	    buf_add(&m->line, "\n", 1) < 0 ||
	    sha256_digest(buf_ptr(&m->line), m->line.len, digest) < 0)
		return -1;
	*hex_write(hex, digest, DIGEST) = '\0';
	snprintf(m->name, sizeof m->name, "%s.%s-%s.once", program, words[step],
	    hex);
	return 0;
}

/* One that was half written, or is another's, is none. */
static bool
is_there(const struct mark *m)
{
	int fd = openat(
	    folder, m->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *text = malloc(m->line.len + 1);
	bool same = fd >= 0 && text != NULL &&
		    read(fd, text, m->line.len + 1) == (ssize_t)m->line.len &&
		    memcmp(text, buf_ptr(&m->line), m->line.len) == 0;

	free(text);
	if (fd >= 0)
		close(fd);
	return same;
}

void
once_note(struct once *o, enum once_step step)
{
	struct mark m;

	if (folder >= 0 && !o->was[step]) {
		if (begin_mark(&m, o, step) == 0)
			write_mark(&m);
		buf_free(&m.line);
	}
	o->was[step] = true;
}

static void
write_mark(const struct mark *m)
{
	int fd = openat(folder, m->name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);

	if (fd < 0)
		return;
	if (write(fd, buf_ptr(&m->line), m->line.len) != (ssize_t)m->line.len)
		(void)unlinkat(folder, m->name, 0);
	close(fd);
}
