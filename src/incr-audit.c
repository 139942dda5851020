/*
 * incr-audit: adds up the increments in a queue and in the table.
 *
 * In	the lists and batches of a queue in Redis, and of its shards, the
 *	tables and the ledgers in Postgres.  Nothing is changed.
 * Out	how many messages are where, and their sums: exact, as of one
 *	moment, or none at all.  With --expect FILE, which keys have more or
 *	less than the file says.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/options.h"
#include "base/signals.h"
#include "inspect/audit.h"
#include "inspect/audit_report.h"
#include "inspect/shard_queues.h"
#include "postgres/pg_url.h"
#include "postgres/statements.h"
#include "record/queue_name.h"

static const char *queue_name, *redis_url, *database_url;
static const char *database_urls[AUDIT_DATABASES_MAX];
static size_t n_database_urls; /* 0: where the variables say */
static struct shard_queues queues;
static uint64_t shards; /* 0: as many as the queue has noted */
static int64_t wait_ms;
static u128 expected;
static bool expecting, settling, json;
static const char *expected_file; /* NULL: none */
static struct expectation expectation;

static const char *take_expected(void *dest, const char *text);
static const char *take_database(void *dest, const char *text);

static const struct option_def defs[] = {
    QUEUE_NAME_OPTION(&queue_name, "the queue"),
    OPTIONS_REDIS(&redis_url, "the Redis that has it"),
    OPTIONS_DATABASE(&database_url, take_database, "a database with tables"),
    SHARDS_OPTION(&shards, "how many shards the queue has"),
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
static void take_operands(int argc, char **argv, struct audit *a);
static void open_queues(struct audit *a);
static void open_databases(struct audit *a);
static void read_expected(const char *file);
static bool add_lines(struct lines *in, const char *file);
static void take_line(
    enum expectation_line result, const char *file, uint64_t number);
static void audit(struct audit *a, enum audit_state run(struct audit *));
static _Noreturn void redis_failed(const struct audit *a, int status);
static _Noreturn void postgres_failed(const struct audit *a, int status);
static void report(const struct audit *a);
static int judge(const struct audit *a);
static bool judge_queue(const struct audit *a, const struct audit_queue *o);
static void compare(const struct audit_queue *o, const char *name);
static void finish(struct audit *a);

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
	finish(&a);
	return status;
}

static void
begin(struct audit *a, int argc, char **argv)
{
	*a = (struct audit){.wait_ms = wait_ms};
	take_operands(argc, argv, a);
	a->wait_ms = wait_ms;
	if (expected_file != NULL) {
		read_expected(expected_file);
		a->expectation = &expectation;
	}
	open_databases(a);
	open_queues(a);
}

static void
take_operands(int argc, char **argv, struct audit *a)
{
	static struct id key;
	int first = options_parse(&prog, argc, argv);

	if (argc - first > 1)
		log_die(EXIT_CONFIG, "%s: only one KEY is taken",
		    options_shown(argv[first + 1]));
	if (first == argc)
		return;
	if (id_parse(argv[first], strlen(argv[first]), &key) < 0)
		log_die(EXIT_CONFIG, "%s: not a UUID of 36 characters",
		    options_shown(argv[first]));
	if (expected_file != NULL)
		log_die(EXIT_CONFIG, "%s: not with --expect FILE",
		    options_shown(argv[first]));
	a->key = &key;
}

/* What is told first is DATABASE_URL's, if there is one: arguments take its
 * place. */
static const char *
take_database(void *dest, const char *text)
{
	const char *env = getenv("DATABASE_URL");
	static size_t calls;

	if (calls++ == 1 && env != NULL && *env != '\0')
		n_database_urls = 0;
	if (n_database_urls == AUDIT_DATABASES_MAX)
		return "more than 64 databases";
	database_urls[n_database_urls++] = text;
	return pg_url_judge(dest, text);
}

static void
open_databases(struct audit *a)
{
	static struct audit_database databases[AUDIT_DATABASES_MAX];
	const char *why;

	a->databases = databases;
	a->n_databases = n_database_urls == 0 ? 1 : n_database_urls;
	for (size_t d = 0; d < a->n_databases; d++) {
		databases[d].pg = postgres_open(
		    database_urls[d], "incr-audit", statements_greeting, &why);
		if (databases[d].pg == NULL)
			log_die(log_status(why), "postgres: %s", why);
	}
}

static void
open_queues(struct audit *a)
{
	char why[REASON_MAX];
	int status = shard_queues_open(
	    &queues, redis_url, queue_name, shards, wait_ms, why);

	if (status != 0)
		log_die(status, "%s", why);
	a->n_queues = queues.n;
	a->queues = calloc(queues.n, sizeof *a->queues);
	if (a->queues == NULL)
		log_no_memory();
	for (size_t i = 0; i < queues.n; i++) {
		a->queues[i].q = queues.list[i].q;
		a->queues[i].name = queues.list[i].name;
	}
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
	switch (run(a)) {
	case AUDIT_DONE: return;
	case AUDIT_MOVING:
		log_die(EXIT_TEMPFAIL,
		    "queue: moved in each of %d rounds, no number is exact; "
		    "run it again",
		    AUDIT_ROUNDS);
	case AUDIT_REDIS: redis_failed(a, EXIT_TEMPFAIL);
	case AUDIT_REDIS_FAULT: redis_failed(a, EXIT_CONFIG);
	case AUDIT_POSTGRES: postgres_failed(a, EXIT_TEMPFAIL);
	case AUDIT_POSTGRES_FAULT: postgres_failed(a, EXIT_CONFIG);
	case AUDIT_ELSEWHERE:
		log_die(EXIT_CONFIG,
		    a->n_databases > 1 || a->n_queues > 1
			? "queue %s: is counted in a database that is none of "
			  "--database; see incr-db adopt"
			: "queue: is counted in another database; "
			  "see incr-db adopt",
		    a->queues[a->at].name);
	case AUDIT_NO_NUMBER:
		log_die(EXIT_CONFIG,
		    "increments: the sum is not a whole "
		    "number of at most 38 digits%s",
		    expected_file == NULL ? "" : ", or a count of 36");
	case AUDIT_MEMORY: log_no_memory();
	}
}

static void
redis_failed(const struct audit *a, int status)
{
	const struct audit_queue *o = &a->queues[a->at];
	const char *why = queue_status(o->q)->why;

	if (a->n_queues > 1)
		log_die(status, "redis: queue %s: %s", o->name, why);
	log_die(status, "redis: %s", why);
}

static void
postgres_failed(const struct audit *a, int status)
{
	const char *why = postgres_status(a->databases[a->at_database].pg)->why;
	char which[32] = "";

	if (a->n_databases > 1)
		snprintf(
		    which, sizeof which, "database %zu: ", a->at_database + 1);
	if (*why == '\0')
		log_die(status, "postgres: %sno answer within %g s (--wait)",
		    which, (double)wait_ms / 1000);
	log_die(status, "postgres: %s%s", which, why);
}

static void
report(const struct audit *a)
{
	struct buf out = {0};

	/* Then no row can fail. */
	if (buf_room(&out, audit_report_max(a)) == NULL)
		log_no_memory();
	if (json)
		audit_report_json(
		    &out, a, queue_name, expecting ? &expected : NULL);
	else
		audit_report_table(&out, a);
	if (io_write_all(STDOUT_FILENO, buf_ptr(&out), out.len, IO_FOREVER) <
		0 ||
	    io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	buf_free(&out);
}

static int
judge(const struct audit *a)
{
	char is[U128_TEXT], due[U128_TEXT];
	size_t differing = expectation_differ(&expectation);
	u128 total = audit_total(a).sum;
	bool good = differing == 0;

	for (size_t i = 0; i < a->n_queues; i++)
		if (!judge_queue(a, &a->queues[i]))
			good = false;
	if (differing > 0)
		log_say("expected: %zu of %zu keys differ; %zu of them are not "
			"shown",
		    differing, expectation.n,
		    differing > EXPECTATION_REPORT_KEYS
			? differing - EXPECTATION_REPORT_KEYS
			: 0);
	if (expecting && total != expected) {
		u128_format(total, is);
		u128_format(expected, due);
		log_say("total: %s, expected %s", is, due);
		good = false;
	}
	return good ? EXIT_DELIVERED : EXIT_REJECTED;
}

/* Says what is wrong with a queue.  True: nothing, or it is settled. */
static bool
judge_queue(const struct audit *a, const struct audit_queue *o)
{
	char name[QUEUE_NAME_MAX + sizeof "queue "] = "queue";

	if (a->n_queues > 1)
		snprintf(name, sizeof name, "queue %s", o->name);
	if (o->missing > 0)
		log_say("%s: %" PRIu64
			" batch%s taken, and neither in Redis nor in the table",
		    name, o->missing, o->missing == 1 ? "" : "es");
	if (o->unknown > 0)
		log_say("%s: %" PRIu64 " batch%s in the table, and not "
			"known to Redis, which went back",
		    name, o->unknown, o->unknown == 1 ? "" : "es");
	compare(o, name);
	return o->missing == 0 && o->unknown == 0 &&
	       (settling ||
		   (o->missed == 0 && (!o->compared || o->surplus == 0)));
}

/* How much one of the servers has lost, by the totals. */
static void
compare(const struct audit_queue *o, const char *name)
{
	uint64_t n =
	    o->surplus > 0 ? (uint64_t)o->surplus : 0 - (uint64_t)o->surplus;
	const char *many = n == 1 ? "" : "s";

	if (o->missed > 0)
		log_say("%s: %" PRIu64
			" message%s published that Redis lacks: it went back; "
			"lost, but for what was counted before",
		    name, o->missed, o->missed == 1 ? "" : "s");
	if (!o->compared || n == 0)
		return;
	if (o->surplus > 0)
		log_say("%s: %" PRIu64
			" message%s counted that Redis does not know to be "
			"taken, and may be counted twice: it went back",
		    name, n, many);
	else
		log_say("%s: %" PRIu64
			" message%s acknowledged and not in the table: "
			"Postgres went back; lost, but for what --keep "
			"brings back",
		    name, n, many);
}

static void
finish(struct audit *a)
{
	audit_free(a);
	for (size_t d = 0; d < a->n_databases; d++)
		postgres_close(a->databases[d].pg);
	free(a->queues);
	shard_queues_close(&queues);
	expectation_free(&expectation);
}
