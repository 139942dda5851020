/*
 * incr-rejected: lists, counts, republishes or drops the dead letters of a
 * queue, and of its shards.
 *
 * In	the rejected lists in Redis, oldest first, as they were at the start;
 *	messages that are rejected meanwhile are left out.
 * Out	a line per message, or how many were moved.
 *
 * Killed at any line: each payload is where it was or where it was to go, as
 * rejected_pass.h says.
 */
#include <errno.h>
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
#include "inspect/deadletter.h"
#include "inspect/rejected_pass.h"
#include "record/queue_name.h"

enum {
	SHOWN_MAX = 1000, /* bytes of a payload on a terminal */
	REPORT_MAX = 4096 /* bytes of a report */
};

enum command { LIST, COUNT, REPUBLISH, DROP, COMMANDS };

static const char *const commands[COMMANDS] = {
    "list", "count", "republish", "drop"};
static const enum rejected_action actions[COMMANDS] = {
    REJECTED_LOOK, REJECTED_LOOK, REJECTED_REPUBLISH, REJECTED_DROP};

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

/* What a command is to do with the lists, and what it is to write. */
struct job {
	enum command command;
	struct rejected_pass pass;
	struct buf out;
};

static void begin(struct job *j, int argc, char **argv);
static void open_pass(struct job *j);
static enum command find_command(const char *word);
static void check_options(const struct job *j, size_t n_ids);
static void run(struct job *j);
static enum rejected_result show(
    void *ctx, const struct rejected_letter *letters, size_t n);
static int add(struct job *j, const struct rejected_letter *l);
static int put(struct job *j);
static bool ask(struct job *j);
static void report(struct job *j);
static void report_counts(struct job *j);
static int finish(struct job *j);
static _Noreturn void give_up(struct job *j, enum rejected_result result);
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
	if (message_id_set(&j->pass.selection.ids, argv + first,
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
	open_pass(j);
	rejected_pass_restart(&j->pass, number);
}

static void
open_pass(struct job *j)
{
	struct rejected_pass *p = &j->pass;
	char why[REASON_MAX];
	int status;

	p->selection.code = code;
	p->wait_ms = wait_ms;
	p->timed = j->command == LIST && !raw;
	p->ctx = j;
	if (j->command == LIST)
		p->show = show;
	status = rejected_pass_open(p, url, queue_name, shards, why);
	if (status != 0)
		log_die(status, "%s", why);
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
	enum rejected_result result =
	    rejected_pass_run(&j->pass, actions[j->command]);

	if (result != REJECTED_DONE)
		give_up(j, result);
}

static enum rejected_result
show(void *ctx, const struct rejected_letter *letters, size_t n)
{
	struct job *j = ctx;

	for (size_t i = 0; i < n; i++)
		if (add(j, &letters[i]) < 0)
			return REJECTED_MEMORY;
	return put(j) < 0 ? REJECTED_OUTPUT : REJECTED_DONE;
}

static int
add(struct job *j, const struct rejected_letter *l)
{
	static int terminal = -1;

	if (terminal < 0)
		terminal = isatty(STDOUT_FILENO);
	return raw ? deadletter_add_line(&j->out, l->payload, l->len)
		   : deadletter_add_entry(&j->out, l->payload, l->len, l->fault,
			 l->ms, terminal ? SHOWN_MAX : SIZE_MAX, l->queue);
}

/* Writes what is in out.  0, or -1 with errno. */
static int
put(struct job *j)
{
	if (j->out.len > 0 && io_write_all(STDOUT_FILENO, buf_ptr(&j->out),
				  j->out.len, IO_FOREVER) < 0)
		return -1;
	buf_clear(&j->out);
	return 0;
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
	n = j->pass.selection.chosen;
	rejected_pass_restart(&j->pass, n);
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
		buf_addf(&j->out, "%ju republished", (uintmax_t)j->pass.moved);
		if (j->pass.selection.invalid > 0)
			buf_addf(&j->out, ", %ju not valid",
			    (uintmax_t)j->pass.selection.invalid);
		if (j->pass.doubtful > 0)
			buf_addf(&j->out, ", %ju of unknown outcome",
			    (uintmax_t)j->pass.doubtful);
		buf_addf(&j->out, "\n");
		break;
	case DROP:
		buf_addf(&j->out, "%ju dropped\n", (uintmax_t)j->pass.moved);
		break;
	}
	if (put(j) < 0)
		output_failed(j);
}

static void
report_counts(struct job *j)
{
	if (code != FAULT_COUNT) {
		buf_addf(&j->out, "%ju\n", (uintmax_t)j->pass.selection.chosen);
		return;
	}
	for (int i = 0; i < FAULT_COUNT; i++)
		if (j->pass.selection.counts[i] > 0)
			buf_addf(&j->out, "%s\t%ju\n",
			    deadletter_code((enum fault)i),
			    (uintmax_t)j->pass.selection.counts[i]);
	buf_addf(&j->out, "total\t%ju\n", (uintmax_t)j->pass.selection.chosen);
}

static int
finish(struct job *j)
{
	size_t missing = selection_missing(&j->pass.selection);

	if (number != UINT64_MAX)
		missing = 0;
	if (missing > 0)
		log_say("rejected: %zu of %zu message ids not found", missing,
		    j->pass.selection.ids.n);
	if (j->pass.doubtful > 0)
		log_say("rejected: %ju message%s with a label may have been "
			"published before; see LABELS in incr-rejected(1)",
		    (uintmax_t)j->pass.doubtful,
		    j->pass.doubtful == 1 ? "" : "s");
	if (io_finish(STDOUT_FILENO) < 0)
		output_failed(j);
	rejected_pass_close(&j->pass);
	buf_free(&j->out);
	return missing > 0 || j->pass.selection.invalid > 0 ||
		       j->pass.doubtful > 0
		   ? EXIT_REJECTED
		   : EXIT_DELIVERED;
}

static void
give_up(struct job *j, enum rejected_result result)
{
	switch (result) {
	case REJECTED_TAKEN:
		report(j);
		log_die(EXIT_TEMPFAIL,
		    "rejected: other programs took messages meanwhile; run it "
		    "again");
	case REJECTED_FAILED:
		say_moved(j);
		log_die(j->pass.status, "%s", j->pass.why);
	case REJECTED_UNKNOWN:
		say_moved(j);
		log_die(EXIT_TEMPFAIL,
		    "redis: outcome of the last call unknown; run "
		    "\"incr-rejected list\" before retrying");
	case REJECTED_OUTPUT: output_failed(j);
	case REJECTED_DONE:
	case REJECTED_MEMORY: break;
	}
	out_of_memory(j);
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
	if (j->pass.moved > 0)
		log_say("rejected: %ju %s before this failure",
		    (uintmax_t)j->pass.moved,
		    j->command == DROP ? "dropped" : "republished");
}

static void
out_of_memory(const struct job *j)
{
	say_moved(j);
	log_no_memory();
}
