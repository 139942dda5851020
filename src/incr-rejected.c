/*
 * incr-rejected: lists, counts, republishes or drops the dead letters of a
 * queue, and of its shards.
 *
 * In	the rejected lists in Redis, oldest first, as they were at the start;
 *	messages that are rejected meanwhile are left out.
 * Out	a line per message, or how many were moved.
 *
 * Redis owns every payload.  It goes from the rejected list to the ready
 * list, or away, inside one script; only if it is still where it was seen.
 * Killed at any line: each payload is in one of the two lists, and those
 * that stay are in their order.  A call whose reply was lost is repeated
 * under its number, which Redis does once.
 *
 * Between shards there is no such step: first all that belong to another one
 * are labelled, then each is published there with the tag of its label, and
 * only then dropped.  Killed in between it may be in both, and who goes on
 * finds the label, and Redis the tag.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/options.h"
#include "base/signals.h"
#include "inspect/deadletter.h"
#include "inspect/forwarder.h"
#include "inspect/list_cursor.h"
#include "inspect/queue_sync.h"
#include "inspect/selection.h"
#include "inspect/shard_queues.h"
#include "record/queue_name.h"

enum {
	SHOWN_MAX = 1000,  /* bytes of a payload on a terminal */
	REPORT_MAX = 4096, /* bytes of a report */
	RESTARTS_MAX = 1000
};

enum command { LIST, COUNT, REPUBLISH, DROP, COMMANDS };

static const char *const commands[COMMANDS] = {
    "list", "count", "republish", "drop"};

static const char *url, *queue_name;
static struct sandbox sandbox;
static uint64_t shards; /* 0: as many as the queue has noted */
static int64_t wait_ms;
static uint64_t number = UINT64_MAX;
static bool all, raw, yes;
static enum fault code = FAULT_COUNT; /* any */

static const char *take_code(void *dest, const char *text);

static const struct option_def defs[] = {
    QUEUE_NAME_OPTION(&queue_name, "the queue"),
    OPTIONS_REDIS(&url, "the Redis of the queue"),
    SHARDS_OPTION(&shards, "how many shards the queue has"),
    OPTIONS_WAIT(&wait_ms, "5", 0, "how long to wait for Redis"),
    {.letter = 'c',
	.name = "code",
	.arg = "CODE",
	.help = "only messages with this code",
	.kind = OPTIONS_CALL,
	.dest = &code,
	.call = take_code},
    {.letter = 'n',
	.name = "number",
	.arg = "N",
	.help = "only the N oldest messages",
	.kind = OPTIONS_NUMBER,
	.dest = &number,
	.min = 1,
	.max = 1000000000},
    {.letter = 'a',
	.name = "all",
	.help = "drop: all messages",
	.kind = OPTIONS_FLAG,
	.dest = &all},
    {.name = "raw",
	.help = "list: print the messages only, one per line",
	.kind = OPTIONS_FLAG,
	.dest = &raw},
    {.letter = 'y',
	.name = "yes",
	.help = "drop: do not ask",
	.kind = OPTIONS_FLAG,
	.dest = &yes},
    OPTIONS_SANDBOX(&sandbox),
};

static const struct options_prog prog = {.name = "incr-rejected",
    .operands = "list|count|republish|drop [ID...]",
    .purpose =
	"Lists, counts, republishes or drops the dead letters of a queue.",
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .sandbox = &sandbox};

/* What a command is to do with the lists, and what it has done. */
struct job {
	enum command command;
	bool labelling; /* republish: the messages for other shards */
	struct shard_queues queues;
	uint64_t *ends; /* of each: so many of the oldest are looked at */
	size_t at;      /* the queue of the cursor */
	struct list_cursor cursor;
	struct selection selection;
	struct id self;      /* the withdrawer of queue_withdraw */
	uint64_t seq;        /* its last call */
	uint64_t moved;      /* messages withdrawn */
	uint64_t doubtful;   /* not republished: they may have been */
	uint64_t unlabelled; /* the same: they are new to the selection */
	struct {
		struct selection selection;
		uint64_t moved, doubtful;
	} before;     /* the queue */
	int restarts; /* since others took from the list */
	struct label_series labels;
	struct forwarder forwarder;
	struct buf scratch; /* of deadletter_judge */
	struct buf out;
};

static void begin(struct job *j, int argc, char **argv);
static void open_queues(struct job *j);
static void prepare_labels(struct job *j);
static enum command find_command(const char *word);
static void check_options(const struct job *j, size_t n_ids);
static void run(struct job *j);
static void go_through(struct job *j);
static void go_through_queue(struct job *j);
static void handle_page(struct job *j);
static const char *handle(struct job *j, size_t i);
static const char *republish_to(
    struct job *j, size_t i, const struct increment *inc);
static void forward(struct job *j, const char **to);
static void show(struct job *j, size_t i, enum fault fault);
static void withdraw(
    struct job *j, const struct queue_picks *picks, size_t newest);
static void look_again(struct job *j);
static void start_over(struct job *j, uint64_t missed);
static _Noreturn void others_took(struct job *j);
static void put(struct job *j);
static bool ask(struct job *j);
static void restore(struct job *j, uint64_t left);
static void report(struct job *j);
static void report_counts(struct job *j);
static int finish(struct job *j);
static _Noreturn void give_up(const struct job *j, enum queue_state state);
static _Noreturn void output_failed(const struct job *j);
static void say_moved(const struct job *j);
static _Noreturn void out_of_memory(const struct job *j);

int
main(int argc, char **argv)
{
	static struct job j;

	log_name(prog.name);
	signals_default();
	begin(&j, argc, argv);
	if (j.command != DROP || ask(&j)) {
		run(&j);
		report(&j);
	}
	return finish(&j);
}

static void
begin(struct job *j, int argc, char **argv)
{
	int first = options_parse(&prog, argc, argv);
	const char *why;

	if (first == argc)
		log_die(EXIT_CONFIG,
		    "command: missing; expected list, count, republish or "
		    "drop; see %s --help",
		    prog.name);
	j->command = find_command(argv[first++]);
	check_options(j, (size_t)(argc - first));
	if (message_id_set(&j->selection.ids, argv + first,
		(size_t)(argc - first), &why) < 0) {
		if (why == NULL)
			out_of_memory(j);
		log_die(EXIT_CONFIG,
		    "%s: not a message id: %d hexadecimal digits, as printed "
		    "by list",
		    options_shown(why), MESSAGE_ID_TEXT);
	}
	options_allow(&sandbox, url);
	(void)sandbox_enter(&sandbox);
	open_queues(j);
	j->cursor = (struct list_cursor){.wait_ms = wait_ms,
	    .list = {.kind = QUEUE_REJECTED,
		.timed = j->command == LIST && !raw},
	    .max = QUEUE_PEEK_MAX - 1};
	j->selection.code = code;
	j->selection.valid_only = j->command == REPUBLISH;
	restore(j, number);
}

static void
open_queues(struct job *j)
{
	struct forwarder *f = &j->forwarder;
	char why[REASON_MAX];
	unsigned i;
	int status = shard_queues_open(
	    &j->queues, url, queue_name, shards, wait_ms, why);

	if (status != 0)
		log_die(status, "%s", why);
	j->ends = calloc(j->queues.n, sizeof *j->ends);
	if (j->ends == NULL)
		log_no_memory();
	for (size_t n = 0; n < j->queues.n; n++)
		j->ends[n] = UINT64_MAX;
	f->url = url;
	f->wait_ms = wait_ms;
	f->shards = j->queues.shards;
	if (f->shards == 1)
		return;
	if (!shard_parse(queue_name, f->queue, &i))
		snprintf(f->queue, sizeof f->queue, "%s", queue_name);
	if (j->command == REPUBLISH)
		prepare_labels(j);
}

/* What another shard is told must not be lost with a label, so replicas have
 * labels first; and a label for one of another number of shards is for none. */
static void
prepare_labels(struct job *j)
{
	char why[REASON_MAX];
	int status = 0;

	if (!j->queues.noted)
		status = shard_queues_note(
		    &j->queues, url, j->forwarder.queue, wait_ms, why);
	if (status != 0)
		log_die(status, "%s", why);
	for (size_t n = 0; n < j->queues.n; n++)
		queue_replicate(j->queues.list[n].q, NULL);
}

static const char *
take_code(void *dest, const char *text)
{
	return deadletter_find(text, dest) < 0
		   ? "the code of a message, incr-record(5), or valid"
		   : NULL;
}

static enum command
find_command(const char *word)
{
	for (int i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i], word) == 0)
			return (enum command)i;
	log_die(EXIT_CONFIG,
	    "%s: no such command; expected list, count, republish or drop",
	    options_shown(word));
}

static void
check_options(const struct job *j, size_t n_ids)
{
	const char *name = commands[j->command];

	if (raw && j->command != LIST)
		log_die(EXIT_CONFIG, "--raw: not with %s", name);
	if (raw && isatty(STDOUT_FILENO))
		log_die(EXIT_CONFIG, "--raw: standard output is a terminal");
	if (all && j->command != DROP)
		log_die(EXIT_CONFIG, "--all: not with %s", name);
	if (all && (code != FAULT_COUNT || n_ids > 0))
		log_die(EXIT_CONFIG, "--all: not with --code or message ids");
	if (code != FAULT_COUNT && j->command == REPUBLISH)
		log_die(EXIT_CONFIG,
		    "--code: not with republish, which takes valid "
		    "messages only");
	if (j->command != DROP)
		return;
	if (!all && code == FAULT_COUNT && n_ids == 0)
		log_die(
		    EXIT_CONFIG, "drop: needs message ids, --code or --all");
	if (!yes && !isatty(STDIN_FILENO))
		log_die(EXIT_CONFIG,
		    "drop: needs --yes: standard input is not a terminal");
}

/* -- the list ------------------------------------------------------------- */

static void
run(struct job *j)
{
	if (j->command == REPUBLISH && j->queues.shards > 1) {
		j->labelling = true;
		go_through(j);
		j->labelling = false;
		restore(j, number);
	}
	go_through(j);
	if (j->unlabelled > 0)
		others_took(j);
}

/* What a queue has is looked at up to where it was the first time. */
static void
go_through(struct job *j)
{
	for (j->at = 0; j->at < j->queues.n; j->at++)
		go_through_queue(j);
	j->at = 0;
}

static void
go_through_queue(struct job *j)
{
	enum queue_state state = QUEUE_IDLE;
	struct list_cursor *c = &j->cursor;

	c->q = j->queues.list[j->at].q;
	id_make(&j->self);
	j->seq = 0;
	j->before.selection = j->selection;
	j->before.moved = j->moved;
	j->before.doubtful = j->doubtful;
	list_cursor_start(c, j->ends[j->at]);
	while (j->selection.left > 0) {
		switch (list_cursor_step(c, &state)) {
		case LIST_CURSOR_PAGE: handle_page(j); continue;
		case LIST_CURSOR_END: break;
		case LIST_CURSOR_SHIFTED: start_over(j, 0); continue;
		case LIST_CURSOR_FAILED: give_up(j, state);
		case LIST_CURSOR_MEMORY: out_of_memory(j);
		}
		break;
	}
	/* One that was not looked at stays so. */
	j->ends[j->at] = j->selection.left > 0 || c->length > 0 ? c->end : 0;
}

/* Shows, counts, labels or withdraws the messages of a page that are chosen. */
static void
handle_page(struct job *j)
{
	static const char *to[QUEUE_PEEK_MAX];
	static size_t index[QUEUE_PEEK_MAX];
	struct list_cursor *c = &j->cursor;
	struct queue_picks picks = {.index = index, .to = to};
	size_t newest = 0;

	j->forwarder.n = 0;
	for (size_t i = 0; i < c->n; i++)
		to[i] = handle(j, i);
	forward(j, to);
	for (size_t i = 0; i < c->n; i++) {
		if (to[i] == NULL) {
			newest = i;
			continue;
		}
		to[picks.n] = to[i];
		index[picks.n++] = list_cursor_index(c, i);
	}
	withdraw(j, &picks, newest);
	put(j);
}

/* Where message i of the page is to go, NULL: it stays. */
static const char *
handle(struct job *j, size_t i)
{
	const char *queue = j->queues.list[j->at].name, *payload;
	struct increment inc;
	enum fault fault;
	size_t len;
	int chosen;

	payload = list_cursor_payload(&j->cursor, i, &len);
	fault = deadletter_judge(&j->scratch, payload, len, &inc);
	if (fault == FAULT_NONE &&
	    deadletter_is_elsewhere(queue, j->queues.shards, &inc))
		fault = FAULT_WRONG_SHARD;
	chosen = selection_choose(&j->selection, payload, len, fault);
	if (fault == FAULT_UNAVAILABLE || chosen < 0)
		out_of_memory(j);
	if (chosen && j->command == LIST)
		show(j, i, fault);
	if (chosen && j->command == DROP)
		return QUEUE_TO_NOBODY;
	return chosen && j->command == REPUBLISH ? republish_to(j, i, &inc)
						 : NULL;
}

/* One with a label goes where that says, or nowhere. */
static const char *
republish_to(struct job *j, size_t i, const struct increment *inc)
{
	static char labels[QUEUE_PEEK_MAX][LABEL_TEXT];
	unsigned n = j->queues.shards, shard = shard_of(inc->key.bytes, n);
	struct label label;
	size_t len;
	const char *payload = list_cursor_payload(&j->cursor, i, &len);
	enum label_state state = label_find(payload, len, &label);

	if (state == LABEL_NONE &&
	    !deadletter_is_elsewhere(j->queues.list[j->at].name, n, inc))
		return j->labelling ? NULL : QUEUE_TO_READY;
	if (state == LABEL_NONE && j->labelling && label_fits(payload, len)) {
		label_next(&j->labels, shard, labels[i]);
		return labels[i];
	}
	if (j->labelling)
		return NULL;
	if (state == LABEL_NONE && label_fits(payload, len))
		j->unlabelled++;
	else if (state == LABEL_NONE)
		j->selection.invalid++;
	else if (state == LABEL_BAD || n == 1 || label.shard != shard)
		j->doubtful++;
	else
		forwarder_add(&j->forwarder, i, &label, inc);
	return NULL;
}

/* Publishes labelled messages; those that their shards have are dropped. */
static void
forward(struct job *j, const char **to)
{
	struct forwarder *f = &j->forwarder;
	char why[REASON_MAX];
	int status;

	if (f->n == 0)
		return;
	status = forwarder_send(f, why);
	if (status != 0) {
		say_moved(j);
		log_die(status, "%s", why);
	}
	FAILPOINT("rejected-forwarded");
	for (size_t i = 0; i < f->n; i++)
		if (f->list[i].state == FORWARD_DONE)
			to[f->list[i].index] = QUEUE_TO_NOBODY;
		else
			j->doubtful++;
}

static void
show(struct job *j, size_t i, enum fault fault)
{
	static int terminal = -1;
	size_t len;
	const char *payload = list_cursor_payload(&j->cursor, i, &len);

	if (terminal < 0)
		terminal = isatty(STDOUT_FILENO);
	if (raw) {
		if (deadletter_add_line(&j->out, payload, len) < 0)
			out_of_memory(j);
		return;
	}
	if (deadletter_add_entry(&j->out, payload, len, fault,
		list_cursor_ms(&j->cursor, i), terminal ? SHOWN_MAX : SIZE_MAX,
		j->queues.n > 1 ? j->queues.list[j->at].name : NULL) < 0)
		out_of_memory(j);
}

/* Withdraws or labels picks of the page, and goes on behind it. */
static void
withdraw(struct job *j, const struct queue_picks *picks, size_t newest)
{
	struct list_cursor *c = &j->cursor;
	uint64_t older = list_cursor_older(c);
	size_t n = c->n, kept = j->labelling ? n : n - picks->n;
	const struct queue_withdrawn *done;
	enum queue_state state;

	if (list_cursor_advance(c, kept, j->labelling ? n - 1 : newest) < 0)
		out_of_memory(j);
	if (picks->n == 0)
		return;
	if (queue_withdraw(c->q, &j->self, ++j->seq, older, picks) < 0)
		out_of_memory(j);
	FAILPOINT("rejected-sent");
	state = queue_sync_done(c->q, wait_ms);
	if (state != QUEUE_DONE)
		give_up(j, state);
	FAILPOINT("rejected-withdrawn");
	done = queue_withdrawn(c->q);
	if (!done->known) {
		say_moved(j);
		log_die(EXIT_TEMPFAIL,
		    "redis: outcome of the last call unknown; run "
		    "\"incr-rejected list\" before retrying");
	}
	if (!j->labelling)
		j->moved += done->n;
	if (done->n < picks->n)
		start_over(j, j->labelling ? 0 : picks->n - done->n);
	else if (j->labelling)
		look_again(j);
}

/* The newest message that was read may be a labelled one. */
static void
look_again(struct job *j)
{
	enum queue_state state = QUEUE_IDLE;

	switch (list_cursor_look_again(&j->cursor, &state)) {
	case LIST_CURSOR_PAGE:
	case LIST_CURSOR_END: break;
	case LIST_CURSOR_SHIFTED: start_over(j, 0); break;
	case LIST_CURSOR_FAILED: give_up(j, state);
	case LIST_CURSOR_MEMORY: out_of_memory(j);
	}
}

/*
 * Begins again, since others have taken from the list: places have changed,
 * and `missed` of the messages picked were no longer there.  That can't be
 * done after lines were written or ids were used.
 */
static void
start_over(struct job *j, uint64_t missed)
{
	if (j->command == LIST || j->selection.ids.n > 0 ||
	    ++j->restarts > RESTARTS_MAX)
		others_took(j);
	j->selection = j->before.selection;
	j->selection.left -= j->moved - j->before.moved;
	j->doubtful = j->before.doubtful;
	list_cursor_start(&j->cursor, j->cursor.end + missed);
}

static void
others_took(struct job *j)
{
	report(j);
	log_die(EXIT_TEMPFAIL,
	    "rejected: other programs took messages meanwhile; run it again");
}

/* Writes what is in out. */
static void
put(struct job *j)
{
	if (j->out.len > 0 && io_write_all(STDOUT_FILENO, buf_ptr(&j->out),
				  j->out.len, IO_FOREVER) < 0)
		output_failed(j);
	buf_clear(&j->out);
}

/* -- drop ----------------------------------------------------------------- */

/* Asks on a terminal whether to drop, and what was counted for the question
 * is all that is dropped then. */
static bool
ask(struct job *j)
{
	char answer[16] = "";
	uint64_t n;

	if (yes)
		return true;
	j->command = COUNT;
	run(j);
	j->command = DROP;
	n = j->selection.chosen;
	restore(j, n);
	if (n == 0)
		return true;
	log_show("drop %ju dead letter%s for good? [y/N] ", (uintmax_t)n,
	    n == 1 ? "" : "s");
	if (fgets(answer, sizeof answer, stdin) == NULL)
		answer[0] = '\0';
	answer[strcspn(answer, "\n")] = '\0';
	if (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0)
		return true;
	log_die(EXIT_REJECTED, "drop: nothing dropped");
}

/* Nothing is chosen yet. */
static void
restore(struct job *j, uint64_t left)
{
	message_id_restore(&j->selection.ids);
	selection_restart(&j->selection, left);
}

/* -- the end -------------------------------------------------------------- */

static void
report(struct job *j)
{
	/* Then none of what is added can fail. */
	if (buf_room(&j->out, REPORT_MAX) == NULL)
		out_of_memory(j);
	switch (j->command) {
	case LIST:
	case COMMANDS: break;
	case COUNT: report_counts(j); break;
	case REPUBLISH:
		buf_addf(&j->out, "%ju republished", (uintmax_t)j->moved);
		if (j->selection.invalid > 0)
			buf_addf(&j->out, ", %ju not valid",
			    (uintmax_t)j->selection.invalid);
		if (j->doubtful > 0)
			buf_addf(&j->out, ", %ju of unknown outcome",
			    (uintmax_t)j->doubtful);
		buf_addf(&j->out, "\n");
		break;
	case DROP:
		buf_addf(&j->out, "%ju dropped\n", (uintmax_t)j->moved);
		break;
	}
	put(j);
}

static void
report_counts(struct job *j)
{
	if (code != FAULT_COUNT) {
		buf_addf(&j->out, "%ju\n", (uintmax_t)j->selection.chosen);
		return;
	}
	for (int i = 0; i < FAULT_COUNT; i++)
		if (j->selection.counts[i] > 0)
			buf_addf(&j->out, "%s\t%ju\n",
			    deadletter_code((enum fault)i),
			    (uintmax_t)j->selection.counts[i]);
	buf_addf(&j->out, "total\t%ju\n", (uintmax_t)j->selection.chosen);
}

static int
finish(struct job *j)
{
	size_t missing = selection_missing(&j->selection);

	if (number != UINT64_MAX)
		missing = 0;
	if (missing > 0)
		log_say("rejected: %zu of %zu message ids not found", missing,
		    j->selection.ids.n);
	if (j->doubtful > 0)
		log_say("rejected: %ju message%s labelled by an earlier "
			"republish, which may have done it; see LABELS in "
			"incr-rejected(1)",
		    (uintmax_t)j->doubtful, j->doubtful == 1 ? "" : "s");
	if (io_finish(STDOUT_FILENO) < 0)
		output_failed(j);
	shard_queues_close(&j->queues);
	free(j->ends);
	forwarder_close(&j->forwarder);
	list_cursor_free(&j->cursor);
	selection_free(&j->selection);
	buf_free(&j->scratch);
	buf_free(&j->out);
	return missing > 0 || j->selection.invalid > 0 || j->doubtful > 0
		   ? EXIT_REJECTED
		   : EXIT_DELIVERED;
}

static void
give_up(const struct job *j, enum queue_state state)
{
	const struct shard_queue *queue = &j->queues.list[j->at];
	int status = state == QUEUE_FAULT ? EXIT_CONFIG : EXIT_TEMPFAIL;
	const char *why = queue_status(queue->q)->why;

	say_moved(j);
	if (j->queues.n > 1)
		log_die(status, "redis: queue %s: %s", queue->name, why);
	log_die(status, "redis: %s", why);
}

static void
output_failed(const struct job *j)
{
	int saved = errno;

	say_moved(j);
	log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(saved));
}

/* Messages that were moved before a failure stay moved. */
static void
say_moved(const struct job *j)
{
	if (j->moved > 0)
		log_say("rejected: %ju %s before this failure",
		    (uintmax_t)j->moved,
		    j->command == DROP ? "dropped" : "republished");
}

static void
out_of_memory(const struct job *j)
{
	say_moved(j);
	log_no_memory();
}
