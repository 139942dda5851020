/*
 * Lines: the same whatever the pieces they arrive in, the last one without
 * newline too; long ones said once, in bounded memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/lines.h"
#include "check.h"

enum { MAX = 5 };

/* What a reader of lines of at most five bytes makes of input: a line in
 * angle brackets, one that is too long in round ones. */
static const struct {
	const char *input, *want;
} cases[] = {
    {"", ""},
    {"\n", "<>"},
    {"\n\n", "<><>"},
    {"a", "<a>"},
    {"a\n", "<a>"},
    {"a\n\nb", "<a><><b>"},
    {"12345\n", "<12345>"},
    {"12345", "<12345>"},
    {"123456\n", "(12345)"},
    {"123456", "(12345)"},
    {"1234567890\nb\n", "(12345)<b>"},
    {"1234567890\n\nb", "(12345)<><b>"},
    {"a\n1234567890123456789012345678901234567890\n1234567890", "<a>(12345)("
								"12345)"},
    {"a\r\n", "<a\r>"},
};

/* Reads all of input, arriving in pieces of n bytes. */
static void
read_in_pieces(const char *input, size_t n, char *ret)
{
	size_t left = strlen(input), len;
	uint64_t number = 0;
	struct lines l;
	const char *line;
	int fds[2];

	if (pipe(fds) < 0 || lines_open(&l, fds[0], MAX) < 0)
		exit(1);
	for (*ret = '\0';;) {
		enum lines_result r = lines_next(&l, &line, &len);

		if (r == LINES_END)
			break;
		if (r != LINES_MORE) {
			bool fits = r == LINES_LINE;

			check(l.number == ++number, "%s", input);
			ret += snprintf(ret, 64, fits ? "<%.*s>" : "(%.*s)",
			    (int)len, line);
			continue;
		}
		n = n > left ? left : n;
		if (n == 0)
			close(fds[1]);
		else if (write(fds[1], input, n) != (ssize_t)n)
			exit(1);
		input += n;
		left -= n;
		check(lines_fill(&l) == (ssize_t)n, "%s", input);
	}
	lines_close(&l);
	close(fds[0]);
}

static void
pieces(void)
{
	char got[256];

	for (size_t i = 0; i < check_n(cases); i++)
		for (size_t n = 1; n < 12; n++) {
			read_in_pieces(cases[i].input, n, got);
			check(strcmp(got, cases[i].want) == 0,
			    "\"%s\" in pieces of %zu: %s", cases[i].input, n,
			    got);
		}
}

/* A hundred megabytes without a newline. */
static void
flat(void)
{
	int fd = open("/dev/zero", O_RDONLY);
	struct lines l;
	const char *line;
	size_t len, cap;

	if (fd < 0 || lines_open(&l, fd, MAX) < 0)
		exit(1);
	cap = l.in.cap;
	check(lines_next(&l, &line, &len) == LINES_MORE, "nothing read yet");
	check(lines_fill(&l) > 0, "zeros");
	check(lines_next(&l, &line, &len) == LINES_TOO_LONG, "at once");
	for (int i = 0; i < 800; i++) {
		check(lines_next(&l, &line, &len) == LINES_MORE, "once only");
		check(lines_fill(&l) > 0, "zeros");
	}
	check(l.in.cap == cap, "grew from %zu to %zu", cap, l.in.cap);
	lines_close(&l);
	close(fd);
}

static void
errors(void)
{
	int fd = open(".", O_RDONLY), fds[2];
	const char *line;
	struct lines l;
	size_t len;

	lines_open(&l, fd, MAX);
	check(lines_fill(&l) == -1 && errno == EISDIR, "a directory");
	check(lines_next(&l, &line, &len) == LINES_MORE, "is no end");
	lines_close(&l);
	close(fd);
	if (pipe2(fds, O_NONBLOCK) < 0)
		exit(1);
	lines_open(&l, fds[0], MAX);
	check(lines_fill(&l) == -1 && errno == EAGAIN, "nothing now");
	check(lines_next(&l, &line, &len) == LINES_MORE, "is no end");
	lines_close(&l);
	close(fds[1]);
	close(fds[0]);
}

/* A whole read of a pipe may have been all of it. */
static void
whole_reads(void)
{
	static char text[LINES_READ_SIZE];
	struct lines l;
	int fds[2];

	if (pipe(fds) < 0 || fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) < 0 ||
	    lines_open(&l, fds[0], MAX) < 0)
		exit(1);
	for (int more = 0; more < 2; more++) {
		check(write(fds[1], text, sizeof text) == sizeof text, "write");
		check(write(fds[1], text, (size_t)more) == more, "write");
		check(lines_fill(&l) == sizeof text, "a whole read");
		check(lines_has_more(&l, sizeof text) == more, "%d", more);
		buf_clear(&l.in);
	}
	check(!lines_has_more(&l, 1), "read in part: not asked");
	lines_close(&l);
	close(fds[0]);
	close(fds[1]);
}

static void
tags(void)
{
	char text[LINES_TAG_MAX + 3];
	size_t n = 42;

	check(lines_split_tag("", 0, &n) < 0, "empty");
	check(lines_split_tag("tag", 3, &n) < 0, "no TAB");
	check(lines_split_tag("a b\t", 4, &n) < 0, "a space");
	check(lines_split_tag("a\x7f\t", 3, &n) < 0, "a control character");
	check(lines_split_tag("\xc3\xa9\t", 3, &n) < 0, "not ASCII");
	check(n == 42, "untouched");
	check(lines_split_tag("\t{}", 3, &n) == 0 && n == 0, "an empty tag");
	check(lines_split_tag("!~\t\t", 4, &n) == 0 && n == 2, "one TAB");
	memset(text, 'x', sizeof text);
	text[LINES_TAG_MAX] = '\t';
	check(lines_split_tag(text, sizeof text, &n) == 0 && n == LINES_TAG_MAX,
	    "the longest");
	text[LINES_TAG_MAX] = 'x';
	text[LINES_TAG_MAX + 1] = '\t';
	check(lines_split_tag(text, sizeof text, &n) < 0, "one more");
}

int
main(void)
{
	struct buf out = {0};

	pieces();
	flat();
	errors();
	whole_reads();
	tags();
	check(lines_put(&out, "", 0) == 0 && lines_put(&out, "ab", 2) == 0 &&
		  out.len == 4 && memcmp(buf_ptr(&out), "\nab\n", 4) == 0,
	    "put");
	buf_free(&out);
	return check_end();
}
