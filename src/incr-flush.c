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
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/children.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/options.h"
#include "base/signals.h"
#include "base/url.h"
#include "flush/flusher.h"
#include "postgres/postgres.h"
#include "record/queue_name.h"

enum {
	SAY_MS = 500,         /* trouble that is shorter is not worth a word */
	SAID_MAX = 10,        /* bad lines that are said one by one */
	LEAVE_MS = 1000,      /* to commit after --grace, at least */
	KIN_MS = 1000,        /* for the neighbour to leave */
	LARGE_BYTES = 1 << 17 /* memory that goes back to the system */
};

static const char *queue_name, *redis_url, *database_url;
static int64_t wait_ms = IO_FOREVER, interval_ms, grace_ms;
static uint64_t max_keys;

static const struct option_def defs[] = {
    QUEUE_NAME_OPTION(&queue_name, "the queue of the batches"),
    OPTIONS_REDIS(&redis_url, "acknowledge there"),
    OPTIONS_DATABASE(&database_url, "count there"),
    {.letter = 'i',
	.name = "interval",
	.arg = "SECONDS",
	.def = "9",
	.help = "one statement at least that often",
	.kind = OPTIONS_SECONDS,
	.dest = &interval_ms,
	.min = 100,
	.max = 20000},
    {.letter = 'm',
	.name = "max-keys",
	.arg = "N",
	.def = "1000000",
	.help = "hold at most about N keys",
	.kind = OPTIONS_NUMBER,
	.dest = &max_keys,
	.min = 1,
	.max = 10000000},
    OPTIONS_WAIT(&wait_ms, "(for ever)", 0, "wait this long for a service"),
    OPTIONS_GRACE(&grace_ms, "after SIGTERM read on for so long"),
};

/* clang-format off */
/* The series of the metrics. */
enum { M_FLUSHED, M_REPLAYED, M_SECONDS, M_KEYS, M_STALENESS, M_SUCCESS,
	M_REJECTED, M_COUNT = M_REJECTED + FAULT_COUNT - 1 };

static struct metric series[M_COUNT] = {
    [M_FLUSHED] = {"incr_flushed_total",
	"Increments added to the table.", NULL, METRICS_COUNTER, 0, {0}},
    [M_REPLAYED] = {"incr_replayed_batches_total",
	"Batches that were in the table before.", NULL, METRICS_COUNTER,
	0, {0}},
    [M_SECONDS] = {"incr_flush_duration_seconds",
	"Duration of a statement that was committed.", NULL,
	METRICS_HISTOGRAM, 0, {0}},
    [M_KEYS] = {"incr_flush_keys",
	"Keys of the last statement.", NULL, METRICS_GAUGE, 0, {0}},
    [M_STALENESS] = {"incr_flush_staleness_seconds",
	"Age of the oldest increment when it was last committed, or of one "
	"that waits, if that is older.", NULL, METRICS_GAUGE, 0, {0}},
    [M_SUCCESS] = {"incr_flush_last_success_timestamp_seconds",
	"When a window was last committed.", NULL, METRICS_GAUGE, 0, {0}},
};
/* clang-format on */

static struct lines input;
static int exit_status; /* what is to be said at the end: 0, 1 or 111 */
static uint64_t bad_lines;

static void begin(struct flusher *f, int argc, char **argv);
static void name_rejected(void);
static void run(struct flusher *f, int signals);
static bool read_lines(struct flusher *f);
static void take_bad(const struct flusher *f);
static bool is_torn(const struct flusher *f, const char *line, size_t len);
static void end_input(struct flusher *f, bool in_order);
static void fill(struct flusher *f);
static void stop_reading(struct flusher *f, int64_t signal_ms);
static int64_t next_event(const struct flusher *f, int64_t signal_ms);
static int64_t leave_ms(int64_t signal_ms);
static void look_after(struct flusher *f);
static void look_after_promise(const struct flusher *f);
static void look_after_one(const char *object, const char *why, bool failed,
    int64_t down_ms, bool *said);
static void count(const struct flusher *f);
static int finish(struct flusher *f);

int
main(int argc, char **argv)
{
	static struct flusher f;
	int signals;

	log_name("incr-flush");
	begin(&f, argc, argv);
	signals = signals_open(NULL);
	if (signals < 0)
		log_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	run(&f, signals);
	return finish(&f);
}

static void
begin(struct flusher *f, int argc, char **argv)
{
	static const struct options_prog prog = {"incr-flush", NULL,
	    "Adds increments up by key and counts them in Postgres.", defs,
	    sizeof defs / sizeof *defs};
	struct flusher_options options;
	struct url_redis parts;
	struct postgres *pg;
	const char *why;

	options_parse(&prog, argc, argv);
	/* It may be long until the first checkpoint shows who is needed. */
	if (url_parse_redis(redis_url, &parts, &why) < 0)
		log_die(EXIT_CONFIG, "redis: %s", why);
	/* A large table must not stay with us after a large window. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	pg = postgres_open(database_url, "incr-flush", &why);
	if (pg == NULL)
		log_die(EXIT_CONFIG, "postgres: %s", why);
	options = (struct flusher_options){.queue = queue_name,
	    .redis = redis_url,
	    .interval_ms = interval_ms,
	    .max_keys = max_keys};
	if (lines_open(&input, STDIN_FILENO, LINES_JSON_MAX) < 0)
		log_die(EXIT_TEMPFAIL, "memory: %s", strerror(ENOMEM));
	flusher_open(f, pg, &options);
	name_rejected();
	if (metrics_open("incr-flush", series, M_COUNT) < 0)
		log_say("metrics: %s", strerror(errno));
}

/* One series per code. */
static void
name_rejected(void)
{
	static char labels[FAULT_COUNT][48];

	for (int i = 1; i < FAULT_COUNT; i++) {
		snprintf(labels[i], sizeof labels[i], "code=\"%s\"",
		    fault_code((enum fault)i));
		series[M_REJECTED + i - 1] =
		    (struct metric){.name = "incr_rejected_total",
			.help = METRICS_REJECTED_HELP,
			.labels = labels[i],
			.kind = METRICS_COUNTER};
	}
}

static void
run(struct flusher *f, int signals)
{
	struct pollfd fds[4] = {
	    [2] = {.events = POLLIN}, [3] = {.fd = signals, .events = POLLIN}};
	int64_t signal_ms = IO_FOREVER, round_ms = 0;

	for (;;) {
		int64_t until_ms, next_ms;

		fds[2].fd = read_lines(f) ? STDIN_FILENO : -1;
		look_after(f);
		if (flusher_done(f))
			return;
		until_ms = flusher_wait(f, fds);
		next_ms = next_event(f, signal_ms);
		if (io_poll(fds, 4, next_ms < until_ms ? next_ms : until_ms) <
		    0)
			log_die(EXIT_TEMPFAIL, "poll: %s", strerror(errno));
		if (clock_paused(&round_ms) && f->remote)
			log_die(EXIT_TEMPFAIL, "window: paused for a week, "
					       "not committed");
		while (signals_next(signals) != 0)
			if (signal_ms == IO_FOREVER)
				signal_ms = clock_ms();
		if (fds[2].fd >= 0 && fds[2].revents != 0)
			fill(f);
		flusher_step(f, fds);
		stop_reading(f, signal_ms);
		count(f);
	}
}

/* Hands on what was read.  True if more may be read. */
static bool
read_lines(struct flusher *f)
{
	const char *line;
	size_t len;

	while (flusher_takes(f)) {
		enum lines_result result = lines_next(&input, &line, &len);

		if (result == LINES_MORE)
			return true;
		if (result != LINES_END && is_torn(f, line, len))
			end_input(f, false);
		else if (result == LINES_END)
			end_input(f, !f->remote || f->input.ended);
		else if (flusher_line(f, line, len, result == LINES_TOO_LONG) ==
			 FLUSH_INPUT_BAD)
			take_bad(f);
	}
	return false;
}

/* In a consumer's stream it becomes a dead letter: Redis has the rest. */
static void
take_bad(const struct flusher *f)
{
	enum fault fault = f->input.fault;

	series[M_REJECTED + fault - 1].value++;
	if (exit_status == EXIT_DELIVERED)
		exit_status = EXIT_REJECTED;
	if (f->remote || ++bad_lines > SAID_MAX)
		return;
	log_say("line %ju: %s: %s", (uintmax_t)input.number, fault_code(fault),
	    fault_detail(fault));
	if (bad_lines == SAID_MAX)
		log_say("line %ju: the bad lines behind it are only counted",
		    (uintmax_t)input.number);
}

/* A consumer that was killed leaves half a checkpoint, maybe its first. */
static bool
is_torn(const struct flusher *f, const char *line, size_t len)
{
	bool begins =
	    input.number == 1 && control_kind(line, len) == CONTROL_CHECKPOINT;

	return input.torn && (f->remote || begins);
}

static void
end_input(struct flusher *f, bool in_order)
{
	if (!in_order) {
		log_say("stdin: ended, but the consumer did not");
		exit_status = EXIT_TEMPFAIL;
	}
	flusher_end(f);
}

static void
fill(struct flusher *f)
{
	if (lines_fill(&input) >= 0 || errno == EAGAIN)
		return;
	log_say("stdin: %s", strerror(errno));
	exit_status = EXIT_TEMPFAIL;
	flusher_end(f);
}

/* A filter reads on to the end of its input, but not for ever. */
static void
stop_reading(struct flusher *f, int64_t signal_ms)
{
	int64_t now_ms = clock_ms();

	if (signal_ms == IO_FOREVER || now_ms < signal_ms + grace_ms)
		return;
	if (!f->ended) {
		log_say("stdin: not at its end %g s after the signal",
		    (double)grace_ms / 1000);
		exit_status = EXIT_TEMPFAIL;
		flusher_end(f);
	}
	if (now_ms >= leave_ms(signal_ms) && !flusher_done(f))
		log_die(EXIT_TEMPFAIL, "window: not committed in time");
}

/* What was read has as long again to be committed. */
static int64_t
leave_ms(int64_t signal_ms)
{
	return signal_ms + grace_ms +
	       (grace_ms > LEAVE_MS ? grace_ms : LEAVE_MS);
}

/* -- messages and metrics ------------------------------------------------- */

static struct said {
	bool postgres, redis, late;
} said;

/* When this file has something to do. */
static int64_t
next_event(const struct flusher *f, int64_t signal_ms)
{
	int64_t now_ms = clock_ms(), round_ms = now_ms + CLOCK_HOUR_MS;
	int64_t metrics_ms = metrics_tick(now_ms);
	int64_t next_ms = num_min(metrics_ms, round_ms);
	const int64_t down_ms[] = {f->committer.tasks.down_ms,
	    f->remote ? f->acknowledger.tasks.down_ms : 0};
	const bool quiet[] = {said.postgres || !f->committer.tasks.explained,
	    said.redis || !f->acknowledger.tasks.explained};

	if (f->schedule.promises && !said.late &&
	    flusher_oldest(f) != IO_FOREVER &&
	    flusher_oldest(f) + SCHEDULE_PROMISE_MS + 1 < next_ms)
		next_ms = flusher_oldest(f) + SCHEDULE_PROMISE_MS + 1;
	for (size_t i = 0; i < 2; i++) {
		if (down_ms[i] == 0)
			continue;
		if (!quiet[i] && down_ms[i] + SAY_MS < next_ms)
			next_ms = down_ms[i] + SAY_MS;
		if (wait_ms != IO_FOREVER && down_ms[i] + wait_ms < next_ms)
			next_ms = down_ms[i] + wait_ms;
	}
	if (signal_ms == IO_FOREVER)
		return next_ms;
	if (!f->ended && signal_ms + grace_ms < next_ms)
		next_ms = signal_ms + grace_ms;
	return num_min(leave_ms(signal_ms), next_ms);
}

/* Trouble with a service is said once, when it lasts, and ends us when it
 * lasts too long. */
static void
look_after(struct flusher *f)
{
	const char *why = postgres_why(f->committer.pg);

	if (f->status != 0)
		log_die(f->status, "%s: %s", f->object, f->why);
	look_after_one("postgres", why == NULL ? "no connection yet" : why,
	    f->committer.tasks.explained, f->committer.tasks.down_ms,
	    &said.postgres);
	if (f->remote)
		look_after_one("redis", queue_status(f->acknowledger.q)->why,
		    f->acknowledger.tasks.explained,
		    f->acknowledger.tasks.down_ms, &said.redis);
	if (f->schedule.promises)
		look_after_promise(f);
}

/* Whatever the reason; until a window is in time again. */
static void
look_after_promise(const struct flusher *f)
{
	static uint64_t commits;
	bool committed = f->commits != commits;

	commits = f->commits;
	if (clock_ms() - flusher_oldest(f) > SCHEDULE_PROMISE_MS ||
	    (committed && f->staleness_ms > SCHEDULE_PROMISE_MS)) {
		if (!said.late)
			log_say("window: increments wait for more than %d s",
			    SCHEDULE_PROMISE_MS / 1000);
		said.late = true;
	} else if (committed) {
		said.late = false;
	}
}

static void
look_after_one(const char *object, const char *why, bool failed,
    int64_t down_ms, bool *ret_said)
{
	int64_t now_ms = clock_ms();

	if (down_ms == 0) {
		*ret_said = false;
		return;
	}
	if (wait_ms != IO_FOREVER && now_ms >= down_ms + wait_ms)
		log_die(EXIT_TEMPFAIL, "%s: %s", object, why);
	if (!failed || *ret_said || now_ms < down_ms + SAY_MS)
		return;
	log_say("%s: %s, waiting", object, why);
	*ret_said = true;
}

static void
count(const struct flusher *f)
{
	static uint64_t commits;
	int64_t staleness_ms = clock_ms() - flusher_oldest(f);

	if (staleness_ms < f->staleness_ms)
		staleness_ms = f->staleness_ms;
	if (staleness_ms >= 0)
		series[M_STALENESS].value = (double)staleness_ms / 1000;
	series[M_REPLAYED].value = (double)f->replayed;
	if (commits == f->commits)
		return;
	commits = f->commits;
	series[M_FLUSHED].value = (double)f->flushed;
	series[M_KEYS].value = (double)f->keys;
	series[M_SUCCESS].value = (double)clock_unix_ms() / 1000;
	metrics_observe(&series[M_SECONDS], (double)f->took_us / 1e6);
}

static int
finish(struct flusher *f)
{
	if (bad_lines > SAID_MAX)
		log_say("stdin: %ju bad lines", (uintmax_t)bad_lines);
	count(f);
	metrics_close();
	flusher_close(f);
	lines_close(&input);
	return children_status(exit_status, KIN_MS);
}
