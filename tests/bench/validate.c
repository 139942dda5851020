/*
 * validate [LINES [ROUNDS]]: what a canonical line costs incr-validate.
 *
 * In one run, alternating, medians of ROUNDS (5): LINES (2,000,000) lines from
 * memory through a pipe, PROGRAM and a pipe into cat, for PROGRAM =
 * incr-validate (found in PATH) and the reference cat; and, without pipes, the
 * recogniser beside jansson.  The aim is 5 million lines a second.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/num.h"
#include "record/increment.h"

enum { ROUNDS_MAX = 99, JUDGED = 100000 };

static void make_lines(struct buf *b, uint64_t n);
static double pipe_us(const char *program, const struct buf *b);
static pid_t spawn(const char *program, int in, int out);
static double parse_us(const struct buf *b, uint64_t n, bool judge);
static double median(double *v, size_t n);

int
main(int argc, char **argv)
{
	double cat[ROUNDS_MAX], validate[ROUNDS_MAX], fast[ROUNDS_MAX],
	    slow[ROUNDS_MAX];
	uint64_t n = 2000000, rounds = 5;
	struct buf b = {0};

	log_name("validate");
	if (argc > 3 || (argc > 1 && num_u64(argv[1], 1, 10000000, &n) < 0) ||
	    (argc > 2 && num_u64(argv[2], 1, ROUNDS_MAX, &rounds) < 0))
		log_die(EXIT_CONFIG, "usage: validate [LINES [ROUNDS]]");
	make_lines(&b, n);
	for (size_t i = 0; i < rounds; i++) {
		cat[i] = pipe_us("cat", &b);
		validate[i] = pipe_us("incr-validate", &b);
		fast[i] = parse_us(&b, n, false);
		slow[i] = parse_us(&b, n < JUDGED ? n : JUDGED, true);
	}
	printf("incr-validate %.0f lines/s, %.2f of cat's time\n",
	    1e6 * (double)n / median(validate, rounds),
	    median(validate, rounds) / median(cat, rounds));
	printf("recogniser    %.1f ns, %.3f of jansson's %.1f ns\n",
	    median(fast, rounds) * 1000,
	    median(fast, rounds) / median(slow, rounds),
	    median(slow, rounds) * 1000);
	buf_free(&b);
	return EXIT_DELIVERED;
}

/* Canonical lines of 62 to 75 bytes with their newlines. */
static void
make_lines(struct buf *b, uint64_t n)
{
	static const int64_t values[] = {
	    1, 42, 1234, 99999, 1000000000, INT64_MAX};
	struct increment inc;
	char text[INCREMENT_TEXT];

	for (uint64_t i = 0; i < n; i++) {
		if (i % 64 == 0)
			id_make(&inc.key);
		inc.key.bytes[15] = (uint8_t)i;
		inc.value = values[i % (sizeof values / sizeof *values)];
		if (lines_put(b, text, increment_format(&inc, text)) < 0)
			log_die(EXIT_TEMPFAIL, "out of memory");
	}
}

/* From the first byte written until the last process has left. */
static double
pipe_us(const char *program, const struct buf *b)
{
	int to[2], from[2], status;
	int64_t begin = clock_us();
	pid_t pids[2];

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		log_die(EXIT_TEMPFAIL, "pipe: failed");
	pids[0] = spawn(program, to[0], from[1]);
	pids[1] = spawn("cat", from[0], -1);
	close(to[0]);
	close(from[0]);
	close(from[1]);
	io_output(to[1]);
	if (io_write_all(to[1], buf_ptr(b), b->len, IO_FOREVER) < 0)
		log_die(EXIT_TEMPFAIL, "%s: did not read it all", program);
	close(to[1]);
	for (int i = 0; i < 2; i++)
		if (waitpid(pids[i], &status, 0) < 0 || status != 0)
			log_die(EXIT_TEMPFAIL, "%s: failed", program);
	return (double)(clock_us() - begin);
}

/* out -1: /dev/null */
static pid_t
spawn(const char *program, int in, int out)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (out < 0)
		out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(EXIT_TEMPFAIL);
	execlp(program, program, (char *)NULL);
	_exit(EXIT_CONFIG);
}

/* Microseconds for one line. */
static double
parse_us(const struct buf *b, uint64_t n, bool judge)
{
	const char *line = buf_ptr(b);
	int64_t begin = clock_us();
	struct increment inc;

	for (uint64_t i = 0; i < n; i++) {
		const char *end = strchr(line, '\n');
		size_t len = (size_t)(end - line);

		if (judge ? increment_load(line, len, &inc) != FAULT_NONE
			  : increment_recognise(line, len, &inc) < 0)
			log_die(EXIT_BUG, "line %ju: refused", (uintmax_t)i);
		line = end + 1;
	}
	return (double)(clock_us() - begin) / (double)n;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, compare);
	return v[n / 2];
}
