/*
 * incr-publish: puts increments on the queue in Redis, each once.
 *
 * In: increments, one per line.  Out: with --echo one line per line, in
 * order: the line itself once Redis has it, or an error line in its place.
 *
 * Whoever wrote a line owns it until Redis has answered for the batch it is
 * in.  Batches of a shard are sent one at a time, each under an id of this
 * process and the next sequence number; one that was sent is frozen, and
 * repeated unchanged until its outcome is known: so Redis pushes it once. Lines
 * of a batch that is given up and may be in Redis are answered with `unknown',
 * never sent again.  Killed at any line: what was answered is on the queue
 * once; without an answer at most one batch of each shard may be there too, and
 * lines whose answers wait for a slow reader or for those of lines before them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/findings.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/once.h"
#include "base/options.h"
#include "base/reason.h"
#include "base/sandbox.h"
#include "base/signals.h"
#include "inspect/dryrun_redis.h"
#include "publish/publish_metrics.h"
#include "publish/router.h"
#include "queue/shards.h"
#include "record/control.h"
#include "record/fault.h"
#include "record/invalid_lines.h"
#include "record/queue_name.h"

/* With the number of lines, its plural, and those of unknown outcome. */
#define UNDELIVERED "%zu line%s not delivered (%zu of unknown outcome)"

enum {
	ECHO_WAIT_MS = 5000, /* --wait, unless given */
	OUT_MAX = 256 << 10, /* answers that wait for a slow reader */
	READS_MAX = 16       /* of standard input before the next sending */
};

struct publish {
	struct router router;
	struct lines in;
	int signals;
	int64_t now_ms;
	int64_t read_ms;      /* when the lines in hand arrived */
	int64_t empty_ms;     /* when there was nothing to read last */
	int64_t grace_end_ms; /* after a signal */
	bool in_dry;          /* standard input must be read */
	bool ended;           /* nothing more comes in */
	bool failed;          /* without having come to its end */
	uint64_t rejected[FAULT_COUNT]; /* lines that Redis never saw */
};

static struct invalid_lines invalid; /* without --echo */

static int64_t grace_ms;
static uint64_t replicas;
static uint64_t shards;
static bool replicas_told, check;
static struct publisher_settings settings;
static struct sandbox sandbox;

static const struct option_def options[] = {
    QUEUE_NAME_OPTION(&settings.queue, "the queue"),
    OPTIONS_REDIS(&settings.url, "where Redis is"),
    OPTIONS_REPLICAS(&replicas, &replicas_told),
    SHARDS_OPTION(&shards, "of the queue"),
    {.letter = 'e',
	.name = "echo",
	.help = "answer every line with one line",
	.kind = OPTIONS_FLAG,
	.dest = &settings.echo},
    {.letter = 't',
	.name = "tagged",
	.help = "lines begin with an idempotency key and a TAB",
	.kind = OPTIONS_FLAG,
	.dest = &settings.tagged},
    {.name = "idempotency-window",
	.arg = "SECONDS",
	.def = "3600",
	.help = "how long --tagged remembers a key",
	.kind = OPTIONS_NUMBER,
	.dest = &settings.window_s,
	.min = 1,
	.max = 86400},
    OPTIONS_HIGH_WATER(
	&settings.high_water, "publish nothing while N are ready"),
    OPTIONS_WAIT(&settings.wait_ms, "(5 with --echo, else for ever)", 100,
	"how long to wait for Redis"),
    OPTIONS_GRACE(&grace_ms, "how long to go on after a signal"),
    OPTIONS_CHECK(&check),
    OPTIONS_SANDBOX(&sandbox),
};

static const struct options_prog prog = {.name = "incr-publish",
    .purpose = "Puts increments on the queue in Redis, each exactly once.",
    .defs = options,
    .n_defs = sizeof options / sizeof *options,
    .sandbox = &sandbox};

static int dry_run(void);
static void open_all(struct publish *p);
static void open_metrics(void);
static void say_lacking(const char *queue, uint64_t n);
static void run(struct publish *p);
static void wait_for_work(struct publish *p);
static bool has_room(struct publish *p);
static int64_t next_due(struct publish *p, int64_t due_ms);
static void take_signal(struct publish *p);
static _Noreturn void leave_late(struct publish *p);
static void act_on(struct publish *p, enum publisher_state state);
static _Noreturn void give_up(struct publish *p);
static void say_waiting(struct publish *p);
static void read_input(struct publish *p, bool readable);
static bool has_more(struct publish *p, ssize_t read);
static ssize_t fill(struct publish *p);
static void take_lines(struct publish *p);
static void take_line(
    struct publish *p, const char *text, size_t len, bool too_long);
static void reject_reused(uint64_t line);
static void reject(const struct control_error *error);
static void write_answers(struct publish *p);
static int finish(struct publish *p);

int
main(int argc, char **argv)
{
	struct publish p = {.in_dry = true, .grace_end_ms = IO_FOREVER};

	log_name(prog.name);
	options_parse(&prog, argc, argv);
	if (check)
		return dry_run();
	once_open(prog.name);
	if (settings.echo && settings.wait_ms == 0)
		settings.wait_ms = ECHO_WAIT_MS;
	open_all(&p);
	run(&p);
	return finish(&p);
}

static int
dry_run(void)
{
	struct findings f = {0};
	struct id database;

	options_allow(&sandbox, settings.url);
	(void)sandbox_enter(&sandbox);
	dryrun_redis(&f,
	    &(struct dryrun_redis){.url = settings.url,
		.queue = settings.queue,
		.user = QUEUE_PUBLISHES,
		.replicas = replicas_told ? &replicas : NULL,
		.replicates = true,
		.sharded = true,
		.shards = shards,
		.wait_ms =
		    settings.wait_ms == 0 ? DRYRUN_WAIT_MS : settings.wait_ms},
	    &database);
	return findings_end(&f);
}

static void
open_all(struct publish *p)
{
	size_t max = LINES_JSON_MAX;
	const char *why;

	if (settings.echo)
		io_output(STDOUT_FILENO);
	p->signals = signals_open(NULL);
	if (p->signals < 0)
		log_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	open_metrics();
	options_allow(&sandbox, settings.url);
	(void)sandbox_enter(&sandbox);
	settings.replicas = replicas_told ? &replicas : NULL;
	settings.shards = (unsigned)shards;
	if (router_open(&p->router, &settings, &why) < 0)
		log_die(log_status(why), "redis: %s", why);
	if (settings.tagged)
		max += LINES_TAG_MAX + 1;
	if (lines_open(&p->in, STDIN_FILENO, max) < 0)
		log_no_memory();
}

static void
open_metrics(void)
{
	settings.settled = publish_metrics_observe;
	settings.reused = reject_reused;
	settings.lacking = say_lacking;
	if (publish_metrics_open(prog.name,
		publish_batch_faults(settings.echo, settings.tagged)) < 0)
		log_say("metrics: %s", strerror(errno));
}

static void
say_lacking(const char *queue, uint64_t n)
{
	publish_metrics_lacking();
	log_loss("queue %s: Redis lacks %ju message%s published to it: another "
		 "one, or one that went back; lost, but for what was counted "
		 "before",
	    queue, (uintmax_t)n, n == 1 ? "" : "s");
}

static void
run(struct publish *p)
{
	do {
		wait_for_work(p);
		act_on(p, router_send(&p->router, p->now_ms));
		write_answers(p);
	} while (!p->ended || !router_empty(&p->router) ||
		 router_out(&p->router)->len > 0);
}

/* -- the loop ------------------------------------------------------------ */

static void
wait_for_work(struct publish *p)
{
	bool reading = p->in_dry && !p->ended && has_room(p);
	bool writing = router_out(&p->router)->len > 0;
	int64_t due_ms = router_wait(&p->router);
	struct pollfd *fds = p->router.fds;
	bool readable;

	fds[0] = (struct pollfd){.fd = p->signals, .events = POLLIN};
	fds[1] = (struct pollfd){
	    .fd = reading ? STDIN_FILENO : -1, .events = POLLIN};
	fds[2] = (struct pollfd){.fd = settings.echo ? STDOUT_FILENO : -1,
	    .events = writing ? POLLOUT : 0};
	if (io_poll(fds, router_fds(&p->router), next_due(p, due_ms)) < 0)
		log_die(EXIT_TEMPFAIL, "poll: %s", strerror(errno));
	p->now_ms = clock_ms();
	if (fds[0].revents != 0)
		take_signal(p);
	if (p->now_ms >= p->grace_end_ms)
		leave_late(p);
	if (fds[2].revents & (POLLERR | POLLHUP))
		log_die(EXIT_TEMPFAIL, "stdout: the reader has gone");
	readable = fds[1].revents != 0;
	act_on(p, router_step(&p->router, p->now_ms));
	say_waiting(p);
	if (reading && !readable)
		p->empty_ms = p->now_ms;
	read_input(p, readable);
}

static bool
has_room(struct publish *p)
{
	return router_has_room(&p->router) &&
	       router_out(&p->router)->len < OUT_MAX;
}

static int64_t
next_due(struct publish *p, int64_t due_ms)
{
	int64_t now_ms = clock_ms();

	publish_metrics_count(&p->router, p->rejected);
	due_ms = num_min(metrics_tick(now_ms), due_ms);
	if (!p->in_dry && !p->ended && has_room(p))
		return now_ms;
	return num_min(p->grace_end_ms, due_ms);
}

/* What ends this program is the end of its input; a signal only sets a
 * limit to it. */
static void
take_signal(struct publish *p)
{
	if (signals_next(p->signals) != 0 && p->grace_end_ms == IO_FOREVER)
		p->grace_end_ms = p->now_ms + grace_ms;
}

static void
leave_late(struct publish *p)
{
	const char *text;
	size_t in_doubt, n = router_count(&p->router, &in_doubt), len;

	while (lines_next(&p->in, &text, &len) <= LINES_TOO_LONG)
		n++;
	log_die(EXIT_TEMPFAIL,
	    "stdin: no end of input within %g s of a signal "
	    "(--grace); " UNDELIVERED,
	    (double)grace_ms / 1000, n, n == 1 ? "" : "s", in_doubt);
}

static void
act_on(struct publish *p, enum publisher_state state)
{
	char why[REASON_MAX];

	switch (state) {
	case PUBLISHER_WELL:
	case PUBLISHER_WAITING:
	case PUBLISHER_SHARDED: break;
	case PUBLISHER_FAULT:
		log_die(EXIT_CONFIG, "%s", router_why(&p->router, why));
	case PUBLISHER_GAVE_UP: give_up(p);
	case PUBLISHER_NO_MEMORY: log_no_memory();
	}
}

static void
give_up(struct publish *p)
{
	size_t in_doubt, n = router_count(&p->router, &in_doubt);
	char why[REASON_MAX];

	log_die(EXIT_TEMPFAIL, "%s; " UNDELIVERED, router_why(&p->router, why),
	    n, n == 1 ? "" : "s", in_doubt);
}

/* Says once of each shard that publishing waits, and once that it goes on. */
static void
say_waiting(struct publish *p)
{
	char why[REASON_MAX];
	const char *queue;
	unsigned i = 0;
	bool waits;

	while ((queue = router_turn(&p->router, &i, &waits, why)) != NULL) {
		if (waits)
			log_say("%s; waiting", why);
		else
			log_note("queue %s: publishing again", queue);
	}
}

/* -- input --------------------------------------------------------------- */

/*
 * Takes what has arrived, as far as there is room.  It is read again until
 * there is no more, so that a batch has all of it; but not for ever.
 */
static void
read_input(struct publish *p, bool readable)
{
	take_lines(p);
	for (int i = 0; i < READS_MAX && readable; i++) {
		ssize_t n = fill(p);

		take_lines(p);
		readable =
		    p->in_dry && !p->ended && has_room(p) && has_more(p, n);
	}
}

/* read: as lines_fill has returned. */
static bool
has_more(struct publish *p, ssize_t read)
{
	if (lines_has_more(&p->in, read))
		return true;
	p->empty_ms = p->now_ms;
	return false;
}

/* As lines_fill. */
static ssize_t
fill(struct publish *p)
{
	ssize_t n = lines_fill(&p->in);

	if (n < 0) {
		if (errno == EAGAIN)
			return n;
		log_say("stdin: %s", strerror(errno));
		p->failed = p->ended = true;
	}
	p->read_ms = router_arrival(&p->router, p->empty_ms, p->now_ms);
	p->in_dry = false;
	return n;
}

static void
take_lines(struct publish *p)
{
	const char *text;
	size_t len;

	while (!p->in_dry && !p->ended && has_room(p)) {
		switch (lines_next(&p->in, &text, &len)) {
		case LINES_LINE: take_line(p, text, len, false); break;
		case LINES_TOO_LONG: take_line(p, text, len, true); break;
		case LINES_MORE: p->in_dry = true; break;
		case LINES_END: p->ended = true; break;
		}
	}
}

static void
take_line(struct publish *p, const char *text, size_t len, bool too_long)
{
	struct publish_batch_line line = {
	    text, len, too_long, p->in.torn, p->in.number, p->read_ms};
	struct control_error error;

	switch (router_add(&p->router, &line, p->empty_ms, &error)) {
	case PUBLISH_BATCH_DATA: break;
	case PUBLISH_BATCH_ERROR: reject(&error); break;
	case PUBLISH_BATCH_REJECTED:
		p->rejected[error.fault]++;
		p->failed |= error.fault == FAULT_UNAVAILABLE;
		reject(&error);
		break;
	case PUBLISH_BATCH_NO_MEMORY: log_no_memory();
	}
}

static void
reject_reused(uint64_t line)
{
	reject(&(struct control_error){
	    .fault = FAULT_IDEMPOTENCY_KEY_REUSED, .line = line});
}

/* With --echo the answer says it. */
static void
reject(const struct control_error *error)
{
	if (!settings.echo)
		invalid_lines_add(&invalid, error->line, error->fault, NULL);
}

/* -- output -------------------------------------------------------------- */

static void
write_answers(struct publish *p)
{
	struct buf *out = router_out(&p->router);

	while (out->len > 0) {
		int64_t n = io_write_some(STDOUT_FILENO, buf_ptr(out),
		    FAILPOINT_CUT(
			"publish-verdict-half", buf_ptr(out), out->len));

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
		buf_drop(out, (size_t)n);
		FAILPOINT("publish-verdict");
	}
}

static int
finish(struct publish *p)
{
	bool failed = p->failed || p->router.failed;

	invalid_lines_end(&invalid, p->in.number);
	publish_metrics_count(&p->router, p->rejected);
	metrics_close();
	router_close(&p->router);
	lines_close(&p->in);
	if (settings.echo && io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	return failed          ? EXIT_TEMPFAIL
	       : invalid.n > 0 ? EXIT_REJECTED
			       : EXIT_DELIVERED;
}
