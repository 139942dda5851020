/*
 * incr-flush: increments, added up by key, into Postgres.
 *
 * In	increments, one per line: a consumer's stream with checkpoints, as
 *	incr-consume writes it, or plain.
 * Out	in Postgres the sums, one statement per window and at least one
 *	window every --interval seconds; then, in Redis, the acknowledgement
 *	of every batch of the window.
 *
 * Redis owns every payload until its window is committed.  Killed at any
 * line: what was not committed is still in Redis, and its batches are
 * delivered again under their names; what was committed is in the ledger
 * under these names, in the same transaction, and is not counted again.
 * Plain input has no such copy: what was not committed is still the
 * caller's to repeat, at most two windows of it.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/children.h"
#include "base/clock.h"
#include "base/findings.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/once.h"
#include "base/options.h"
#include "base/outage.h"
#include "base/sandbox.h"
#include "base/signals.h"
#include "base/url.h"
#include "flush/flush_metrics.h"
#include "flush/flush_notify.h"
#include "flush/flusher.h"
#include "flush/identity_change.h"
#include "flush/promise.h"
#include "inspect/dryrun_postgres.h"
#include "inspect/dryrun_redis.h"
#include "postgres/pg_url.h"
#include "postgres/postgres.h"
#include "postgres/statements.h"
#include "record/fault.h"
#include "record/invalid_lines.h"
#include "record/queue_name.h"
#include "redis/dial.h"

enum {
	COMMIT_MS = 1000,     /* to commit after --grace, at least */
	CHILDREN_MS = 1000,   /* for child processes to exit */
	ADOPT_MS = 5000,      /* for both services, without --wait */
	LARGE_BYTES = 1 << 17 /* memory that goes back to the system */
};

static const char *queue_name, *redis_url, *database_url;
static int64_t wait_ms = IO_FOREVER, interval_ms, grace_ms, keep_ms;
static uint64_t max_keys, high_water;
static enum queue_identity adopt;
static bool adopts, checks, sums;
static struct load_file load;
static struct sandbox sandbox = {.needs = SANDBOX_SIGNAL | SANDBOX_KEYRING};

static const char *take_adopt(void *dest, const char *text);

static const struct option_def defs[] = {
    QUEUE_NAME_OPTION(&queue_name, "the queue of the batches"),
    OPTIONS_REDIS(&redis_url, "acknowledge there"),
    OPTIONS_DATABASE(&database_url, pg_url_judge, "count there"),
    INTERVAL_OPTION(&interval_ms),
    MAX_KEYS_OPTION(&max_keys),
    {.letter = 'k',
	.name = "keep",
	.arg = "SECONDS",
	.def = "0",
	.env = "INCR_KEEP",
	.help = "keep in Redis what was counted",
	.kind = OPTIONS_SECONDS,
	.dest = &keep_ms,
	.min = 0,
	.max = 86400000},
    OPTIONS_HIGH_WATER(&high_water, "half as many messages are kept"),
    OPTIONS_WAIT(&wait_ms, "(for ever)", 0, "wait this long for a service"),
    OPTIONS_GRACE(&grace_ms, "after SIGTERM read on for so long"),
    {.name = "adopt",
	.arg = "HOW",
	.help = "look or now: for incr-db adopt",
	.kind = OPTIONS_CALL,
	.dest = &adopt,
	.call = take_adopt},
    LOAD_FILE_OPTION(&load),
    SUMS_OPTION(&sums),
    OPTIONS_CHECK(&checks),
    OPTIONS_SANDBOX(&sandbox),
};

static const struct options_prog prog = {.name = "incr-flush",
    .purpose = "Adds increments up by key and counts them in Postgres.",
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .sandbox = &sandbox};

static struct lines input;
static int exit_status;              /* at the end: 0, 1 or 111 */
static struct invalid_lines invalid; /* of plain input */

static int dry_run(void);
static void enter_sandbox(void);
static void begin(struct flusher *f);
static struct postgres *open_postgres(void);
static int adopt_queue(struct postgres *pg);
static void run(struct flusher *f, int signals);
static void read_signals(struct flusher *f, int signals, int64_t *signal_ms);
static bool read_lines(struct flusher *f);
static void reject(const struct flusher *f, const char *line, size_t len);
static bool is_torn(const struct flusher *f, const char *line, size_t len);
static void end_input(struct flusher *f, bool in_order);
static void fill_input(struct flusher *f);
static void stop_reading(struct flusher *f, int64_t signal_ms);
static int64_t next_event(const struct flusher *f, int64_t signal_ms);
static int64_t last_ms(int64_t signal_ms);
static void check(struct flusher *f);
static void check_outage(const char *object, const char *why, struct outage *o);
static int finish(struct flusher *f);

int
main(int argc, char **argv)
{
	static const int more[] = {SIGCHLD, 0};
	static struct flusher f;
	int signals;

	log_name(prog.name);
	options_parse(&prog, argc, argv);
	if (checks)
		return dry_run();
	begin(&f);
	if (adopts)
		return adopt_queue(f.committer.pg);
	signals = signals_open(more);
	if (signals < 0)
		log_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	run(&f, signals);
	return finish(&f);
}

static int
dry_run(void)
{
	int64_t ms = wait_ms == IO_FOREVER ? DRYRUN_WAIT_MS : wait_ms;
	struct findings f = {0};
	struct dryrun_postgres d = {.url = database_url,
	    .queue = queue_name,
	    .keeps = keep_ms > 0,
	    .wait_ms = ms};

	enter_sandbox();
	dryrun_redis(&f,
	    &(struct dryrun_redis){.url = redis_url,
		.queue = queue_name,
		.user = QUEUE_FLUSHES,
		.wait_ms = ms},
	    &d.counted);
	dryrun_postgres(&f, &d);
	return findings_end(&f);
}

static void
enter_sandbox(void)
{
	sandbox_names(&sandbox);
	sandbox_folder(&sandbox, "/", SANDBOX_READ); /* libpq has many files */
	(void)sandbox_enter(&sandbox);
}

static void
begin(struct flusher *f)
{
	struct flusher_options options;
	struct url_redis parts;
	struct postgres *pg, *adopted_pg;
	const char *why;

	if (!adopts)
		once_open(prog.name);
	if (flush_notify_open() < 0)
		log_say("NOTIFY_SOCKET: %s", strerror(errno));
	if (sums)
		io_output(STDOUT_FILENO);
	enter_sandbox();
	/* Redis is needed from the first checkpoint on, which may be late. */
	if (url_parse_redis(redis_url, &parts, &why) < 0 ||
	    (why = dial_check(&parts)) != NULL)
		log_die(log_status(why), "redis: %s", why);
	/* The memory of a large window goes back to the system after it. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	pg = open_postgres();
	adopted_pg = open_postgres();
	options = (struct flusher_options){
	    .queue = load.given ? load.queue : queue_name,
	    .load = load,
	    .redis = redis_url,
	    .interval_ms = interval_ms,
	    .max_keys = max_keys,
	    .keep_ms = keep_ms,
	    .sums = sums ? open_postgres() : NULL,
	    .high_water = high_water};
	if (lines_open(&input, STDIN_FILENO, LINES_JSON_MAX) < 0)
		log_no_memory();
	flusher_open(f, pg, adopted_pg, &options);
	if (flush_metrics_open(prog.name) < 0)
		log_say("metrics: %s", strerror(errno));
}

static struct postgres *
open_postgres(void)
{
	const char *why;
	struct postgres *pg = postgres_open(
	    database_url, "incr-flush", statements_greeting, &why);

	if (pg == NULL)
		log_die(log_status(why), "postgres: %s", why);
	return pg;
}

static const char *
take_adopt(void *dest, const char *text)
{
	enum queue_identity *how = dest;

	adopts = true;
	*how = strcmp(text, "now") == 0 ? QUEUE_ADOPT : QUEUE_LOOK;
	return *how == QUEUE_LOOK && strcmp(text, "look") != 0 ? "look or now"
							       : NULL;
}

/* Says which database counts the queue, or makes it ours. */
static int
adopt_queue(struct postgres *pg)
{
	char why[REASON_MAX], report[IDENTITY_REPORT_MAX];
	const char *reason;
	struct queue *q = queue_open(redis_url, queue_name, &reason);
	struct identity_change change;
	int status;

	if (q == NULL)
		log_die(log_status(reason), "redis: %s", reason);
	status = identity_change(pg, q, adopt,
	    wait_ms == IO_FOREVER ? ADOPT_MS : wait_ms, &change, why);
	if (status != 0)
		log_die(status, "%s", why);
	identity_change_report(
	    &change, queue_name, adopt == QUEUE_ADOPT, report);
	if (io_write_all(STDOUT_FILENO, report, strlen(report), IO_FOREVER) <
		0 ||
	    io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	queue_close(q);
	postgres_close(pg);
	return EXIT_DELIVERED;
}

static void
run(struct flusher *f, int signals)
{
	enum { INPUT = FLUSHER_PFDS, SIGNALS, N };
	struct pollfd fds[N] = {[INPUT] = {.events = POLLIN},
	    [SIGNALS] = {.fd = signals, .events = POLLIN}};
	int64_t signal_ms = IO_FOREVER, round_ms = 0;
	char why[REASON_MAX];

	for (;;) {
		int64_t due_ms;

		fds[INPUT].fd = read_lines(f) ? STDIN_FILENO : -1;
		while (flusher_losses(f, why))
			log_loss("%s", why);
		while (flusher_news(f, why))
			log_say("%s", why);
		check(f);
		if (flusher_done(f))
			return;
		due_ms = flusher_wait(f, fds);
		due_ms = num_min(due_ms, next_event(f, signal_ms));
		due_ms = num_min(
		    due_ms, flush_notify_tick(f, signal_ms != IO_FOREVER));
		if (io_poll(fds, N, due_ms) < 0)
			log_die(EXIT_TEMPFAIL, "poll: %s", strerror(errno));
		if (clock_paused(&round_ms) && f->from_consumer)
			log_die(EXIT_TEMPFAIL, "window: paused for a week; "
					       "not committed");
		read_signals(f, signals, &signal_ms);
		if (fds[INPUT].fd >= 0 && fds[INPUT].revents != 0)
			fill_input(f);
		flusher_step(f, fds);
		stop_reading(f, signal_ms);
		flush_metrics_count(f);
	}
}

/* The first signal is passed on to incr-consume, if the wiring has named it:
 * its end of output is what this program ends with. */
static void
read_signals(struct flusher *f, int signals, int64_t *signal_ms)
{
	int signal;

	while ((signal = signals_next(signals)) != 0) {
		if (signal == SIGCHLD) {
			children_reap();
		} else if (*signal_ms == IO_FOREVER) {
			*signal_ms = clock_ms();
			flusher_leave(f);
			children_stop();
		}
	}
}

/* Gives the flusher the lines that were read.  True if more may be read.  The
 * clock costs as much as a line: one look at it is for all of them. */
static bool
read_lines(struct flusher *f)
{
	int64_t now_ms = clock_ms();
	const char *line;
	size_t len;

	while (flusher_takes(f)) {
		enum lines_result result = lines_next(&input, &line, &len);

		if (result == LINES_MORE)
			return true;
		if (result != LINES_END && is_torn(f, line, len))
			end_input(f, false);
		else if (result == LINES_END)
			end_input(f, !f->from_consumer || f->input.ended);
		else if (flusher_line(f, line, len, result == LINES_TOO_LONG,
			     now_ms) == FLUSH_INPUT_BAD)
			reject(f, line, len);
	}
	return false;
}

/* Counts an invalid line and names it; in a consumer's stream it becomes a
 * dead letter instead. */
static void
reject(const struct flusher *f, const char *line, size_t len)
{
	enum fault fault = f->input.fault;

	flush_metrics_reject(fault);
	if (exit_status == EXIT_DELIVERED)
		exit_status = EXIT_REJECTED;
	if (!f->from_consumer)
		invalid_lines_add(&invalid, input.number, fault,
		    fault_hint(fault, line, len));
}

/* A consumer that was killed leaves half a checkpoint, maybe its first. */
static bool
is_torn(const struct flusher *f, const char *line, size_t len)
{
	bool begins =
	    input.number == 1 && control_kind(line, len) == CONTROL_CHECKPOINT;

	return input.torn && (f->from_consumer || begins);
}

static void
end_input(struct flusher *f, bool in_order)
{
	if (!in_order) {
		log_say("stdin: ended without an end checkpoint from "
			"incr-consume");
		exit_status = EXIT_TEMPFAIL;
	}
	flusher_end(f);
}

static void
fill_input(struct flusher *f)
{
	if (lines_fill(&input) >= 0 || errno == EAGAIN)
		return;
	log_say("stdin: %s", strerror(errno));
	exit_status = EXIT_TEMPFAIL;
	flusher_end(f);
}

/* After a signal, input is read on to its end, but only for --grace. */
static void
stop_reading(struct flusher *f, int64_t signal_ms)
{
	int64_t now_ms = clock_ms();

	if (signal_ms == IO_FOREVER || now_ms < signal_ms + grace_ms)
		return;
	if (!f->ended) {
		log_say("stdin: no end of input within %g s of a signal "
			"(--grace)",
		    (double)grace_ms / 1000);
		exit_status = EXIT_TEMPFAIL;
		flusher_end(f);
	}
	if (now_ms >= last_ms(signal_ms))
		sums_leave(&f->sums, NULL);
	if (now_ms >= last_ms(signal_ms) && !flusher_done(f))
		log_die(EXIT_TEMPFAIL,
		    "window: not committed within %g s of a signal (--grace)",
		    (double)(last_ms(signal_ms) - signal_ms) / 1000);
}

/* When the program ends at the latest: after --grace, what was read has as
 * long again to be committed. */
static int64_t
last_ms(int64_t signal_ms)
{
	return signal_ms + grace_ms +
	       (grace_ms > COMMIT_MS ? grace_ms : COMMIT_MS);
}

/* -- messages and metrics ------------------------------------------------- */

static struct promise promise; /* what was said of it */

/* The clock_ms() at which a message, the metrics or the end are due. */
static int64_t
next_event(const struct flusher *f, int64_t signal_ms)
{
	int64_t now_ms = clock_ms(), round_ms = now_ms + CLOCK_HOUR_MS;
	int64_t metrics_ms = flush_metrics_tick(now_ms);
	int64_t next_ms = num_min(metrics_ms, round_ms);

	next_ms = num_min(promise_due(&promise, f), next_ms);
	next_ms = num_min(flusher_outage_due(f, wait_ms), next_ms);
	if (signal_ms == IO_FOREVER)
		return next_ms;
	if (!f->ended)
		next_ms = num_min(signal_ms + grace_ms, next_ms);
	return num_min(last_ms(signal_ms), next_ms);
}

/* Says what is wrong, and ends the program if it can't go on. */
static void
check(struct flusher *f)
{
	const char *why = postgres_status(f->committer.pg)->why;
	char text[REASON_MAX];

	if (f->status != 0) {
		flush_metrics_count(f);
		metrics_close();
		log_die(f->status, "%s", f->why);
	}
	check_outage("postgres", *why == '\0' ? "no connection yet" : why,
	    &f->committer.tasks.outage);
	if (flusher_adopter_outage(f) != NULL)
		check_outage("postgres", postgres_status(f->adopter.pg)->why,
		    flusher_adopter_outage(f));
	if (f->from_consumer)
		check_outage("redis", queue_status(f->acknowledger.q)->why,
		    &f->acknowledger.tasks.outage);
	while (promise_news(&promise, f, text))
		log_say("%s", text);
}

static void
check_outage(const char *object, const char *why, struct outage *o)
{
	switch (outage_step(o, wait_ms, clock_ms())) {
	case OUTAGE_QUIET: break;
	case OUTAGE_SAY: log_say("%s: %s; waiting", object, why); break;
	case OUTAGE_GIVE_UP:
		log_die(EXIT_TEMPFAIL, "%s: %s; gave up after %g s (--wait)",
		    object, why, (double)wait_ms / 1000);
	}
}

static int
finish(struct flusher *f)
{
	char why[REASON_MAX];

	invalid_lines_end(&invalid, input.number);
	if (sums_finish(&f->sums, why) < 0) {
		log_say("%s", why);
		exit_status = EXIT_TEMPFAIL;
	}
	flush_metrics_count(f);
	metrics_close();
	flusher_close(f);
	lines_close(&input);
	return children_status(exit_status, CHILDREN_MS);
}
