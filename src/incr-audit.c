/*
 * incr-audit: adds up the increments in a queue and in the table.
 *
 * In	the lists and batches of a queue in Redis, the table and the ledger
 *	in Postgres.  Nothing is changed.
 * Out	how many messages are where, and their sums: exact, as of one
 *	moment, or none at all.  With --expect FILE, which keys have more or
 *	less than the file says.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/options.h"
#include "base/signals.h"
#include "inspect/audit.h"
#include "inspect/expectation_report.h"
#include "postgres/pg_url.h"
#include "postgres/statements.h"
#include "record/queue_name.h"

enum { REPORT_MAX = 4096 + EXPECTATION_REPORT_MAX }; /* bytes */

static const char *queue_name, *redis_url, *database_url;
static int64_t wait_ms;
static u128 expected;
static bool expecting, settling, json;
static const char *expected_file; /* NULL: none */
static struct expectation expectation;

static const char *take_expected(void *dest, const char *text);

static const struct option_def defs[] = {
    QUEUE_NAME_OPTION(&queue_name, "the queue"),
    OPTIONS_REDIS(&redis_url, "the Redis that has it"),
    OPTIONS_DATABASE(&database_url, pg_url_judge, "the database of the tables"),
    OPTIONS_WAIT(&wait_ms, "5", 0, "wait this long for a service"),
    {.letter = 'e',
	.name = "expect",
	.arg = "FILE",
	.help = "compare keys with its counts; a number: the total",
	.kind = OPTIONS_CALL,
	.dest = &expected,
	.call = take_expected},
    {.name = "json",
	.help = "print one object of JSON",
	.kind = OPTIONS_FLAG,
	.dest = &json},
    {.name = "settle",
	.help = "take the difference as known from now on",
	.kind = OPTIONS_FLAG,
	.dest = &settling},
};

static const struct options_prog prog = {.name = "incr-audit",
    .operands = "[KEY]",
    .purpose = "Tells where all increments are, and their sums.",
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs};

static void begin(struct audit *a, int argc, char **argv);
static void read_expected(const char *file);
static bool add_lines(struct lines *in, const char *file);
static void take_line(
    enum expectation_line result, const char *file, uint64_t number);
static void audit(struct audit *a, enum audit_state run(struct audit *));
static void report(const struct audit *a);
static void add_row(struct buf *out, const char *place,
    const struct deadletter_tally *t, const uint64_t *keys);
static void add_table(
    struct buf *out, const struct audit *a, const struct deadletter_tally *all);
static void add_json(
    struct buf *out, const struct audit *a, const struct deadletter_tally *all);
static void add_member(
    struct buf *out, const char *place, const struct deadletter_tally *t);
static int judge(const struct audit *a);
static void compare(const struct audit *a);
static u128 total(const struct audit *a);

int
main(int argc, char **argv)
{
	static struct audit a;
	int status;

	log_name(prog.name);
	signals_default();
	begin(&a, argc, argv);
	audit(&a, audit_run);
	report(&a);
	status = judge(&a);
	if (settling)
		audit(&a, audit_settle);
	queue_close(a.q);
	postgres_close(a.pg);
	audit_free(&a);
	expectation_free(&expectation);
	return status;
}

static void
begin(struct audit *a, int argc, char **argv)
{
	static struct id key;
	int first = options_parse(&prog, argc, argv);
	const char *why;

	if (argc - first > 1)
		log_die(EXIT_CONFIG, "%s: only one KEY is taken",
		    options_shown(argv[first + 1]));
	if (first < argc &&
	    id_parse(argv[first], strlen(argv[first]), &key) < 0)
		log_die(EXIT_CONFIG, "%s: not a UUID of 36 characters",
		    options_shown(argv[first]));
	if (expected_file != NULL && first < argc)
		log_die(EXIT_CONFIG, "%s: not with --expect FILE",
		    options_shown(argv[first]));
	if (expected_file != NULL)
		read_expected(expected_file);
	*a = (struct audit){.queue = queue_name,
	    .expectation = expected_file != NULL ? &expectation : NULL,
	    .key = first < argc ? &key : NULL,
	    .wait_ms = wait_ms};
	a->q = queue_open(redis_url, queue_name, &why);
	if (a->q == NULL)
		log_die(log_status(why), "redis: %s", why);
	a->pg = postgres_open(
	    database_url, "incr-audit", statements_greeting, &why);
	if (a->pg == NULL)
		log_die(log_status(why), "postgres: %s", why);
}

/* Digits are the sum of the total, all else is a file. */
static const char *
take_expected(void *dest, const char *text)
{
	static const char good[] =
	    "a file that can be read, or a whole number of at most 38 digits";

	if (text[strspn(text, "0123456789")] == '\0') {
		expecting = true;
		return u128_parse(text, strlen(text), dest) < 0 ? good : NULL;
	}
	expected_file = text;
	return strcmp(text, "-") == 0 || access(text, R_OK) == 0 ? NULL : good;
}

static void
read_expected(const char *file)
{
	bool is_stdin = strcmp(file, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	struct lines in;

	if (is_stdin)
		file = "stdin";
	if (fd < 0)
		log_die(EXIT_CONFIG, "%s: %s", file, strerror(errno));
	if (lines_open(&in, fd, LINES_JSON_MAX) < 0)
		log_no_memory();
	while (add_lines(&in, file))
		if (lines_fill(&in) < 0 && errno != EAGAIN)
			log_die(errno == EISDIR ? EXIT_CONFIG : EXIT_TEMPFAIL,
			    "%s: %s", file, strerror(errno));
	take_line(expectation_end(&expectation), file, in.number);
	/* Whatever was to write it has failed. */
	if (expectation.n == 0)
		log_die(EXIT_CONFIG, "%s: has no count", file);
	lines_close(&in);
	if (!is_stdin)
		close(fd);
}

/* The lines that were read.  False: the input has ended. */
static bool
add_lines(struct lines *in, const char *file)
{
	const char *line;
	size_t len;

	for (;;)
		switch (lines_next(in, &line, &len)) {
		case LINES_MORE: return true;
		case LINES_END: return false;
		case LINES_TOO_LONG:
			take_line(EXPECTATION_BAD, file, in->number);
			break;
		case LINES_LINE:
			take_line(expectation_add_line(
				      &expectation, in->number, line, len),
			    file, in->number);
		}
}

static void
take_line(enum expectation_line result, const char *file, uint64_t number)
{
	switch (result) {
	case EXPECTATION_TAKEN: return;
	case EXPECTATION_BAD:
		log_die(EXIT_CONFIG,
		    "%s: line %" PRIu64 ": not a key and a count", file,
		    number);
	case EXPECTATION_LARGE:
		log_die(EXIT_CONFIG,
		    "%s: line %" PRIu64 ": a count of more than %d digits",
		    file, number, U128_DIGITS);
	case EXPECTATION_MEMORY: log_no_memory();
	}
}

static void
audit(struct audit *a, enum audit_state run(struct audit *))
{
	const char *why;

	switch (run(a)) {
	case AUDIT_DONE: return;
	case AUDIT_MOVING:
		log_die(EXIT_TEMPFAIL,
		    "queue: moved in each of %d rounds, no number is exact; "
		    "run it again",
		    AUDIT_ROUNDS);
	case AUDIT_REDIS:
		log_die(EXIT_TEMPFAIL, "redis: %s", queue_status(a->q)->why);
	case AUDIT_REDIS_FAULT:
		log_die(EXIT_CONFIG, "redis: %s", queue_status(a->q)->why);
	case AUDIT_POSTGRES:
		why = postgres_status(a->pg)->why;
		if (*why == '\0')
			log_die(EXIT_TEMPFAIL,
			    "postgres: no answer within %g s (--wait)",
			    (double)wait_ms / 1000);
		log_die(EXIT_TEMPFAIL, "postgres: %s", why);
	case AUDIT_POSTGRES_FAULT:
		log_die(
		    EXIT_CONFIG, "postgres: %s", postgres_status(a->pg)->why);
	case AUDIT_ELSEWHERE:
		log_die(EXIT_CONFIG, "queue: is counted in another database; "
				     "see incr-db adopt");
	case AUDIT_NO_NUMBER:
		log_die(EXIT_CONFIG,
		    "increments: the sum is not a whole "
		    "number of at most 38 digits%s",
		    expected_file == NULL ? "" : ", or a count of 36");
	case AUDIT_MEMORY: log_no_memory();
	}
}

static void
report(const struct audit *a)
{
	struct deadletter_tally all = {0};
	struct buf out = {0};

	deadletter_tally_merge(&all, &a->taken);
	deadletter_tally_merge(&all, &a->ready);
	deadletter_tally_merge(&all, &a->rejected);
	all.sum = total(a);
	/* Then no row can fail. */
	if (buf_room(&out, REPORT_MAX) == NULL)
		log_no_memory();
	(json ? add_json : add_table)(&out, a, &all);
	if (io_write_all(STDOUT_FILENO, buf_ptr(&out), out.len, IO_FOREVER) <
		0 ||
	    io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	buf_free(&out);
}

static void
add_table(
    struct buf *out, const struct audit *a, const struct deadletter_tally *all)
{
	const struct deadletter_tally table = {.sum = a->table};

	buf_addf(out, "%-8s %12s %12s %12s %20s\n", "place", "keys", "messages",
	    "invalid", "sum");
	add_row(out, "table", &table, &a->keys);
	add_row(out, "taken", &a->taken, NULL);
	add_row(out, "ready", &a->ready, NULL);
	add_row(out, "rejected", &a->rejected, NULL);
	add_row(out, "total", all, NULL);
	add_row(out, "counted", &a->counted, NULL);
	if (expected_file != NULL)
		expectation_report_table(out, &expectation);
}

/* The name of a queue needs no escapes. */
static void
add_json(
    struct buf *out, const struct audit *a, const struct deadletter_tally *all)
{
	char text[U128_TEXT], key[ID_TEXT + 1];

	u128_format(a->table, text);
	buf_addf(out, "{\"queue\":\"%s\"", queue_name);
	if (a->key != NULL) {
		id_format(a->key, key);
		buf_addf(out, ",\"key\":\"%s\"", key);
	}
	buf_addf(
	    out, ",\"table\":{\"keys\":%" PRIu64 ",\"sum\":%s}", a->keys, text);
	add_member(out, "taken", &a->taken);
	add_member(out, "ready", &a->ready);
	add_member(out, "rejected", &a->rejected);
	add_member(out, "total", all);
	add_member(out, "counted", &a->counted);
	buf_addf(out,
	    ",\"missing_batches\":%" PRIu64 ",\"unknown_batches\":%" PRIu64
	    ",\"missed_messages\":%" PRIu64,
	    a->missing, a->unknown, a->missed);
	if (a->compared)
		buf_addf(out, ",\"surplus_messages\":%" PRId64, a->surplus);
	else
		buf_addf(out, ",\"surplus_messages\":null");
	if (expecting) {
		u128_format(expected, text);
		buf_addf(out, ",\"expected\":%s", text);
	}
	if (expected_file != NULL)
		expectation_report_json(out, &expectation);
	buf_addf(out, "}\n");
}

static void
add_member(struct buf *out, const char *place, const struct deadletter_tally *t)
{
	char sum[U128_TEXT];

	u128_format(t->sum, sum);
	buf_addf(out,
	    ",\"%s\":{\"messages\":%" PRIu64 ",\"invalid\":%" PRIu64
	    ",\"sum\":%s}",
	    place, t->messages, t->invalid, sum);
}

/* Of the table the keys are known, of every other place the messages. */
static void
add_row(struct buf *out, const char *place, const struct deadletter_tally *t,
    const uint64_t *keys)
{
	char sum[U128_TEXT];

	u128_format(t->sum, sum);
	if (keys != NULL)
		buf_addf(out, "%-8s %12" PRIu64 " %12s %12s %20s\n", place,
		    *keys, "-", "-", sum);
	else
		buf_addf(out, "%-8s %12s %12" PRIu64 " %12" PRIu64 " %20s\n",
		    place, "-", t->messages, t->invalid, sum);
}

static int
judge(const struct audit *a)
{
	char is[U128_TEXT], due[U128_TEXT];
	size_t differing = expectation_differ(&expectation);

	if (a->missing > 0)
		log_say("queue: %" PRIu64
			" batch%s taken, and neither in Redis nor in the table",
		    a->missing, a->missing == 1 ? "" : "es");
	if (a->unknown > 0)
		log_say("queue: %" PRIu64 " batch%s in the table, and not "
			"known to Redis, which went back",
		    a->unknown, a->unknown == 1 ? "" : "es");
	compare(a);
	if (differing > 0)
		log_say("expected: %zu of %zu keys differ; %zu of them are not "
			"shown",
		    differing, expectation.n,
		    differing > EXPECTATION_REPORT_KEYS
			? differing - EXPECTATION_REPORT_KEYS
			: 0);
	if (expecting && total(a) != expected) {
		u128_format(total(a), is);
		u128_format(expected, due);
		log_say("total: %s, expected %s", is, due);
		return EXIT_REJECTED;
	}
	return differing > 0 || a->missing > 0 || a->unknown > 0 ||
		       (!settling &&
			   (a->missed > 0 || (a->compared && a->surplus != 0)))
		   ? EXIT_REJECTED
		   : EXIT_DELIVERED;
}

/* How much one of the servers has lost, by the totals. */
static void
compare(const struct audit *a)
{
	uint64_t n =
	    a->surplus > 0 ? (uint64_t)a->surplus : 0 - (uint64_t)a->surplus;
	const char *many = n == 1 ? "" : "s";

	if (a->missed > 0)
		log_say("queue: %" PRIu64
			" message%s published that Redis lacks: it went back; "
			"lost, but for what was counted before",
		    a->missed, a->missed == 1 ? "" : "s");
	if (!a->compared || n == 0)
		return;
	if (a->surplus > 0)
		log_say("queue: %" PRIu64
			" message%s counted that Redis does not know to be "
			"taken, and may be counted twice: it went back",
		    n, many);
	else
		log_say("queue: %" PRIu64
			" message%s acknowledged and not in the table: "
			"Postgres went back; lost, but for what --keep "
			"brings back",
		    n, many);
}

static u128
total(const struct audit *a)
{
	return a->table + a->taken.sum + a->ready.sum + a->rejected.sum;
}
