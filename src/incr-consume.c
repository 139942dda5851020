/*
 * incr-consume: takes increments from the queue in Redis and writes them to
 * standard output.
 *
 * In	batches of payloads, taken from the ready list under an id of its
 *	own, or adopted from a consumer that is gone.
 * Out	one line per payload, and after each batch its checkpoint; first the
 *	checkpoint of seq 0; last, if it ends in order, one with "end".
 *
 * Redis owns every payload until incr-flush has committed its batch; here
 * are only copies, and nothing here deletes one.  Killed at any line: each
 * batch stays in Redis under its name (consumer, seq), another incr-consume
 * adopts it and delivers it again under the same name, by which incr-flush
 * knows whether it was counted.  A call whose reply was lost is repeated
 * under the same name, except a registration, which has a new id each time.
 *
 * With --peek it shows what is ready, and takes nothing; with --list-shards it
 * shows which queues there are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/findings.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/metrics_list.h"
#include "base/num.h"
#include "base/once.h"
#include "base/options.h"
#include "base/outage.h"
#include "base/sandbox.h"
#include "base/signals.h"
#include "consume/consumer.h"
#include "inspect/dryrun_redis.h"
#include "inspect/peek.h"
#include "inspect/queue_sync.h"
#include "queue/queue.h"
#include "queue/shards.h"
#include "record/fault.h"
#include "record/queue_name.h"
#include "redis/server_info.h"

enum {
	ONCE_WAIT_MS = 30000,
	LOOK_WAIT_MS = 5000,
	AGAIN_MS = 100,
	HELD_MS = 3000
};

/* The series of the metrics. */
enum {
	M_CONSUMED,
	M_BATCHES,
	M_ADOPTED,
	M_REPLICA_WAIT,
	M_STEPS_BACK,
	M_REJECTED,
	M_COUNT = M_REJECTED + FAULT_COUNT - 1
};

static const char *url, *queue_name;
static struct sandbox sandbox;
static uint64_t batch_max, peek_max;
static bool once, own_keys, replicas_told, list, check;
static uint64_t replicas;
static int64_t wait_ms = IO_FOREVER;
static struct queue_gauges gauges;
static int exit_status; /* 0, or 111 if batches were left with --once */

static const struct option_def defs[] = {
    QUEUE_NAME_OPTION(&queue_name, "take from this queue"),
    OPTIONS_REDIS(&url, "the Redis that has it"),
    OPTIONS_REPLICAS(&replicas, &replicas_told),
    {.letter = 'n',
	.name = "batch",
	.arg = "N",
	.def = "10000",
	.help = "take at most N messages at once",
	.kind = OPTIONS_NUMBER,
	.dest = &batch_max,
	.min = 1,
	.max = 100000},
    {.letter = 'o',
	.name = "once",
	.help = "take what is there now, then leave",
	.kind = OPTIONS_FLAG,
	.dest = &once},
    {.name = "peek",
	.arg = "N",
	.help = "show the N oldest messages, and take none",
	.kind = OPTIONS_NUMBER,
	.dest = &peek_max,
	.min = 1,
	.max = PEEK_MAX},
    {.name = "own-keys",
	.env = "INCR_OWN_KEYS",
	.help = "make keys of other shards dead letters",
	.kind = OPTIONS_FLAG,
	.dest = &own_keys},
    {.name = "list-shards",
	.help = "show the names of the queue and its shards",
	.kind = OPTIONS_FLAG,
	.dest = &list},
    OPTIONS_WAIT(&wait_ms,
	"(for ever, 30 with -o, 5 with --peek, --list-shards)", 0,
	"wait this long for Redis"),
    OPTIONS_CHECK(&check),
    OPTIONS_SANDBOX(&sandbox),
};

static const struct options_prog prog = {.name = "incr-consume",
    .purpose = "Takes increments from the queue in Redis and writes them, with "
	       "checkpoints,\nto standard output.",
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .sandbox = &sandbox};

static struct metric series[M_COUNT] = {
    [M_CONSUMED] = {METRIC_CONSUMED},
    [M_BATCHES] = {METRIC_CONSUME_BATCHES},
    [M_ADOPTED] = {METRIC_ADOPTED_BATCHES},
    [M_REPLICA_WAIT] = {METRIC_REPLICA_WAIT},
    [M_STEPS_BACK] = {METRIC_QUEUE_STEPS_BACK},
};

static int dry_run(void);
static void begin(struct consumer *c);
static int peek(void);
static int list_shards(void);
static enum queue_state ask_shards(struct queue *q);
static bool is_for_now(const struct queue *q, enum queue_state state);
static struct queue *open_to_look(void);
static void show(const struct buf *text);
static void consume(struct consumer *c, int signals);
static void not_written(const struct consumer *c, int error)
    __attribute__((noreturn));
static int64_t next_event(const struct consumer *c, const struct outage *o);
static void look_after(
    const struct consumer *c, enum queue_state state, struct outage *o);
static void say_held(const struct consumer *c);
static void leave_full(struct consumer *c);
static void count(const struct consumer *c);
static void say_loss(const struct stream *s);
static void observe_wait(const struct session_status *redis);
static int finish(struct consumer *c);

int
main(int argc, char **argv)
{
	static struct consumer c;
	int signals;

	log_name(prog.name);
	consumer_init(&c);
	options_parse(&prog, argc, argv);
	if (check)
		return dry_run();
	if (peek_max > 0)
		return peek();
	if (list)
		return list_shards();
	begin(&c);
	signals = signals_open(NULL);
	if (signals < 0)
		log_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	consume(&c, signals);
	return finish(&c);
}

static int
dry_run(void)
{
	struct findings f = {0};
	struct id database;

	options_allow(&sandbox, url);
	(void)sandbox_enter(&sandbox);
	dryrun_redis(&f,
	    &(struct dryrun_redis){.url = url,
		.queue = queue_name,
		.user = QUEUE_CONSUMES,
		.replicas = replicas_told ? &replicas : NULL,
		.replicates = true,
		.wait_ms = wait_ms == IO_FOREVER ? DRYRUN_WAIT_MS : wait_ms},
	    &database);
	return findings_end(&f);
}

static void
begin(struct consumer *c)
{
	const char *why;

	once_open(prog.name);
	if (once && wait_ms == IO_FOREVER)
		wait_ms = ONCE_WAIT_MS;
	io_output(STDOUT_FILENO);
	options_allow(&sandbox, url);
	(void)sandbox_enter(&sandbox);
	c->queue = queue_open(url, queue_name, &why);
	if (c->queue == NULL)
		log_die(log_status(why), "redis: %s", why);
	queue_replicate(c->queue, replicas_told ? &replicas : NULL);
	fault_series(&series[M_REJECTED], FAULTS_OF_PAYLOADS);
	metrics_of_queue(queue_name);
	if (metrics_open(prog.name, series, M_COUNT) < 0)
		log_say("metrics: %s", strerror(errno));
	c->queue_name = queue_name;
	c->batch_max = batch_max;
	c->once = once;
	c->own_keys = own_keys;
	c->gauges = queue_gauges_open(&gauges, queue_name);
}

/* Takes nothing, registers nobody, writes no metrics. */
static int
peek(void)
{
	struct queue *q = open_to_look();
	struct peek p = {.q = q,
	    .n = peek_max,
	    .wait_ms = wait_ms,
	    .terminal = isatty(STDOUT_FILENO)};
	enum queue_state state = QUEUE_IDLE;

	switch (peek_run(&p, &state)) {
	case LIST_CURSOR_PAGE:
	case LIST_CURSOR_END: break;
	case LIST_CURSOR_SHIFTED:
		log_die(EXIT_TEMPFAIL,
		    "queue %s: taken from in each of %d rounds; run it again",
		    queue_name, PEEK_ROUNDS);
	case LIST_CURSOR_FAILED:
		log_die(state == QUEUE_FAULT ? EXIT_CONFIG : EXIT_TEMPFAIL,
		    "redis: %s", queue_status(q)->why);
	case LIST_CURSOR_MEMORY: log_no_memory();
	}
	show(&p.out);
	queue_close(q);
	peek_free(&p);
	return EXIT_DELIVERED;
}

/* A queue that has not been published to yet may still get shards; so far it
 * is one. */
static int
list_shards(void)
{
	struct queue *q = open_to_look();
	char of[QUEUE_NAME_MAX + 1], name[QUEUE_NAME_MAX + 1];
	struct buf text = {0};
	enum queue_state state = ask_shards(q);
	unsigned i, n;

	if (state != QUEUE_DONE)
		log_die(is_for_now(q, state) ? EXIT_TEMPFAIL : EXIT_CONFIG,
		    "redis: %s", queue_status(q)->why);
	n = queue_sharded(q);
	if (buf_addf(&text, "%s\n", queue_name) < 0)
		log_no_memory();
	if (n <= 1 || shard_parse(queue_name, of, &i))
		n = 0;
	for (i = 0; i < n; i++) {
		if (shard_name(queue_name, i, n, name) < 0)
			log_die(EXIT_CONFIG, "queue %s: too long for %u shards",
			    queue_name, n);
		if (buf_addf(&text, "%s\n", name) < 0)
			log_no_memory();
	}
	show(&text);
	queue_close(q);
	buf_free(&text);
	return EXIT_DELIVERED;
}

/* Asks again what Redis refuses for now, as a primary that lacks replicas does.
 */
static enum queue_state
ask_shards(struct queue *q)
{
	int64_t end_ms = clock_ms() + wait_ms;
	enum queue_state state = queue_sync_idle(q, wait_ms);

	while (state == QUEUE_IDLE) {
		if (queue_shards(q, 0) < 0)
			log_no_memory();
		state = queue_sync_done(q, wait_ms);
		if (state != QUEUE_REFUSED || !is_for_now(q, state) ||
		    clock_ms() >= end_ms)
			break;
		(void)io_poll(NULL, 0, clock_ms() + AGAIN_MS);
		state = queue_sync_idle(q, wait_ms);
	}
	return state;
}

static bool
is_for_now(const struct queue *q, enum queue_state state)
{
	return state == QUEUE_DOWN ||
	       (state == QUEUE_REFUSED &&
		   server_info_handshake_error(queue_status(q)->why) ==
		       UNFIT_NOW);
}

static struct queue *
open_to_look(void)
{
	const char *option = peek_max > 0 ? "--peek" : "--list-shards", *why;
	struct queue *q;

	if (once)
		log_die(EXIT_CONFIG, "%s: not with --once", option);
	if (peek_max > 0 && list)
		log_die(EXIT_CONFIG, "--list-shards: not with --peek");
	if (wait_ms == IO_FOREVER)
		wait_ms = LOOK_WAIT_MS;
	signals_default();
	options_allow(&sandbox, url);
	(void)sandbox_enter(&sandbox);
	q = queue_open(url, queue_name, &why);
	if (q == NULL)
		log_die(log_status(why), "redis: %s", why);
	return q;
}

static void
show(const struct buf *text)
{
	if (io_write_all(STDOUT_FILENO, buf_ptr(text), text->len, IO_FOREVER) <
		0 ||
	    io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
}

static void
consume(struct consumer *c, int signals)
{
	struct pollfd fds[3] = {{.fd = -1}, {.fd = STDOUT_FILENO},
	    {.fd = signals, .events = POLLIN}};
	enum queue_state state;
	int64_t round_ms = 0;
	struct outage outage = {.since_ms = c->trouble_ms, .explained = true};

	while (c->phase != CONSUMER_LEAVING || c->stream.out.len > 0) {
		int64_t until_ms = consumer_wait(c, &fds[0]);
		int64_t next_ms = next_event(c, &outage);

		fds[1].events = c->stream.out.len > 0 ? POLLOUT : 0;
		if (io_poll(fds, 3, next_ms < until_ms ? next_ms : until_ms) <
		    0)
			log_die(EXIT_TEMPFAIL, "poll: %s", strerror(errno));
		if (clock_paused(&round_ms))
			log_die(EXIT_TEMPFAIL, "stdout: paused for a week, "
					       "not written");
		while (signals_next(signals) != 0)
			c->stop = true;
		if (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL))
			not_written(c, EPIPE);
		if (consumer_step(c, fds[0].revents, &state) < 0)
			log_no_memory();
		look_after(c, state, &outage);
		say_held(c);
		leave_full(c);
		if (stream_write(&c->stream, STDOUT_FILENO) < 0)
			not_written(c, errno);
		count(c);
	}
}

/* A reader that the same signal ended first is nothing to speak of. */
static void
not_written(const struct consumer *c, int error)
{
	if (error == EPIPE && c->stop)
		exit(EXIT_TEMPFAIL);
	log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(error));
}

/* When look_after or count have something to do. */
static int64_t
next_event(const struct consumer *c, const struct outage *o)
{
	int64_t now_ms = clock_ms(), next_ms = metrics_tick(now_ms);

	if (now_ms + CLOCK_HOUR_MS < next_ms)
		next_ms = now_ms + CLOCK_HOUR_MS;
	if (c->full_ms != 0 && !c->stop && c->full_ms + wait_ms < next_ms)
		next_ms = c->full_ms + wait_ms;
	if (c->phase == CONSUMER_LEAVING)
		return next_ms;
	return num_min(outage_due(o, wait_ms), next_ms);
}

/* Says once that calls of Redis fail, when that lasts, and ends the program
 * after --wait. */
static void
look_after(const struct consumer *c, enum queue_state state, struct outage *o)
{
	const char *why = queue_status(c->queue)->why;

	if (state == QUEUE_FAULT)
		log_die(log_status(why), "redis: %s", why);
	o->since_ms = c->trouble_ms;
	if (c->phase == CONSUMER_LEAVING)
		return;
	switch (outage_step(o, wait_ms, clock_ms())) {
	case OUTAGE_QUIET: break;
	case OUTAGE_SAY: log_say("redis: %s; waiting", why); break;
	case OUTAGE_GIVE_UP:
		log_die(EXIT_TEMPFAIL, "redis: %s; gave up after %g s (--wait)",
		    why, (double)wait_ms / 1000);
	}
}

/* Says once that nothing is taken for HELD_MS, and once that it is again. */
static void
say_held(const struct consumer *c)
{
	static bool said;

	if (!said && c->held_ms != 0 && clock_ms() >= c->held_ms + HELD_MS) {
		log_say("queue %s: nothing taken for %d s, %s; waiting",
		    queue_name, HELD_MS / 1000,
		    c->unmarked ? "no mark of incr-flush in this Redis"
				: "until incr-flush acknowledges batches");
		said = true;
	} else if (said && c->held_ms == 0) {
		log_note("queue %s: taking again", queue_name);
		said = false;
	}
}

/* With --once somebody waits for the end, which would never come if there is
 * no incr-flush to acknowledge, as with output into a file. */
static void
leave_full(struct consumer *c)
{
	if (c->full_ms == 0 || c->stop || clock_ms() < c->full_ms + wait_ms)
		return;
	log_say("queue %s: too many unacknowledged batches, none acknowledged "
		"for %g s (--wait); not all was taken",
	    queue_name, (double)wait_ms / 1000);
	c->stop = true;
	exit_status = EXIT_TEMPFAIL;
}

/* Sets the values of the metrics. */
static void
count(const struct consumer *c)
{
	const struct stream *s = &c->stream;

	series[M_CONSUMED].value = (double)s->lines;
	series[M_BATCHES].value = (double)s->batches;
	series[M_ADOPTED].value = (double)s->adopted;
	say_loss(s);
	observe_wait(queue_status(c->queue));
	for (int f = 1; f < FAULT_COUNT; f++)
		series[M_REJECTED + f - 1].value = (double)s->faults[f];
	metrics_tick(clock_ms());
}

/* Redis went back.  The stream goes on under another id. */
static void
say_loss(const struct stream *s)
{
	char why[REASON_MAX];

	if (series[M_STEPS_BACK].value == (double)s->losses)
		return;
	series[M_STEPS_BACK].value = (double)s->losses;
	batch_history_explain(&s->loss, queue_name, why);
	log_loss("%s", why);
}

/* For replicas; at most one has ended since the last time. */
static void
observe_wait(const struct session_status *redis)
{
	static uint64_t seen;

	if (redis->waits != seen)
		metrics_observe(
		    &series[M_REPLICA_WAIT], (double)redis->waited_us / 1e6);
	seen = redis->waits;
}

static int
finish(struct consumer *c)
{
	FAILPOINT("consume-end");
	if (c->left_holder) {
		log_say("queue %s: a consumer that shows no life holds "
			"batches, and could not be adopted; not all was taken",
		    queue_name);
		exit_status = EXIT_TEMPFAIL;
	}
	if (io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	metrics_close();
	queue_gauges_close(&gauges);
	queue_close(c->queue);
	consumer_free(c);
	return exit_status;
}
