/*
 * incr-rejected: the dead letters of a queue: shown, counted, put back on
 * the queue, dropped.
 *
 * In	the rejected list in Redis, oldest first, as it was when we began;
 *	what is rejected meanwhile is left for the next time.
 * Out	lines about them, or how many were moved.
 *
 * Redis owns every payload.  It goes from the rejected list to the ready
 * list, or away, inside one script; only if it is still where it was seen.
 * Killed at any line: each payload is in one of the two lists, and those
 * that stay are in their order.  A call whose reply was lost is repeated
 * under its number, which Redis does once.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/options.h"
#include "inspect/deadletter.h"
#include "inspect/list_cursor.h"
#include "inspect/message_id.h"
#include "inspect/queue_sync.h"
#include "record/queue_name.h"

enum {
	SHOWN_MAX = 1000, /* bytes of a payload on a terminal */
	STARTS_MAX = 1000
};

enum command { LIST, COUNT, REPUBLISH, DROP, COMMANDS };

static const char *const commands[COMMANDS] = {
    "list", "count", "republish", "drop"};

static const char *url, *queue_name;
static int64_t wait_ms;
static uint64_t number = UINT64_MAX;
static bool all, raw, yes, by_code;
static enum fault code;

static const char *take_code(void *dest, const char *text);

static const struct option_def defs[] = {
    QUEUE_NAME_OPTION(&queue_name, "the queue"),
    OPTIONS_REDIS(&url, "the Redis that has it"),
    OPTIONS_WAIT(&wait_ms, "5", 0, "wait this long for Redis"),
    {.letter = 'c',
	.name = "code",
	.arg = "CODE",
	.help = "only those with this code",
	.kind = OPTIONS_CALL,
	.dest = &code,
	.call = take_code},
    {.letter = 'n',
	.name = "number",
	.arg = "N",
	.help = "only the N oldest of them",
	.kind = OPTIONS_NUMBER,
	.dest = &number,
	.min = 1,
	.max = 1000000000},
    {.letter = 'a',
	.name = "all",
	.help = "drop: all of them",
	.kind = OPTIONS_FLAG,
	.dest = &all},
    {.name = "raw",
	.help = "list: the messages themselves, one line each",
	.kind = OPTIONS_FLAG,
	.dest = &raw},
    {.letter = 'y',
	.name = "yes",
	.help = "drop: do not ask",
	.kind = OPTIONS_FLAG,
	.dest = &yes},
};

/* What one walk through the list is to do, and has done. */
struct job {
	enum command command;
	struct list_cursor walk;
	struct message_ids names;
	uint64_t left;      /* of --number */
	struct id self;     /* the withdrawer */
	uint64_t seq;       /* its last call */
	struct buf scratch; /* to judge in */
	struct buf out;

	uint64_t counts[FAULT_COUNT]; /* chosen, by code */
	uint64_t moved, unfit;        /* withdrawn; to be republished but bad */
	int starts;                   /* how often it was begun again */
};

static void begin(struct job *j, int argc, char **argv);
static enum command find_command(const char *word);
static void check_options(const struct job *j, size_t n_names);
static void run(struct job *j);
static void look(struct job *j);
static bool is_chosen(
    struct job *j, const char *payload, size_t len, enum fault fault);
static void show(
    struct job *j, const char *payload, size_t len, enum fault fault);
static void withdraw(
    struct job *j, const struct queue_picks *picks, size_t kept, size_t newest);
static void start_over(struct job *j, uint64_t missed);
static void put(struct job *j);
static bool ask(struct job *j);
static void restore(struct job *j, uint64_t end);
static uint64_t chosen(const struct job *j);
static void report(struct job *j);
static void report_counts(struct job *j);
static int finish(struct job *j);
static _Noreturn void give_up(const struct job *j, enum queue_state state);
static _Noreturn void out_of_memory(void);

int
main(int argc, char **argv)
{
	static struct job j;

	log_name("incr-rejected");
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
	static const struct options_prog prog = {"incr-rejected",
	    "list|count|republish|drop [NAME...]",
	    "Shows, counts, republishes or drops the dead letters of a queue.",
	    defs, sizeof defs / sizeof *defs};
	int first = options_parse(&prog, argc, argv);
	const char *why;

	if (first == argc)
		log_die(EXIT_CONFIG,
		    "list, count, republish or drop? see %s "
		    "--help",
		    prog.name);
	j->command = find_command(argv[first++]);
	check_options(j, (size_t)(argc - first));
	if (message_id_set(
		&j->names, argv + first, (size_t)(argc - first), &why) < 0) {
		if (why == NULL)
			out_of_memory();
		log_die(EXIT_CONFIG,
		    "%s: not a name of %d digits, as list "
		    "shows them",
		    why, MESSAGE_ID_TEXT);
	}
	j->walk = (struct list_cursor){.q = queue_open(url, queue_name, &why),
	    .wait_ms = wait_ms,
	    .list = {.kind = QUEUE_REJECTED},
	    .max = QUEUE_PEEK_MAX - 1};
	if (j->walk.q == NULL)
		log_die(EXIT_CONFIG, "redis: %s", why);
	id_make(&j->self);
	restore(j, UINT64_MAX);
}

static const char *
take_code(void *dest, const char *text)
{
	by_code = true;
	return deadletter_find(text, dest) < 0
		   ? "a code of a message, incr-record(5), or valid"
		   : NULL;
}

static enum command
find_command(const char *word)
{
	for (int i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i], word) == 0)
			return (enum command)i;
	log_die(EXIT_CONFIG, "%s: not list, count, republish or drop", word);
}

static void
check_options(const struct job *j, size_t n_names)
{
	const char *name = commands[j->command];

	if (raw && j->command != LIST)
		log_die(EXIT_CONFIG, "--raw: does not go with %s", name);
	if (raw && isatty(STDOUT_FILENO))
		log_die(EXIT_CONFIG, "--raw: standard output is a terminal");
	if (all && j->command != DROP)
		log_die(EXIT_CONFIG, "--all: does not go with %s", name);
	if (all && (by_code || n_names > 0))
		log_die(EXIT_CONFIG, "--all: does not go with --code or names");
	if (by_code && j->command == REPUBLISH)
		log_die(EXIT_CONFIG, "--code: does not go with republish, "
				     "which takes what is valid");
	if (j->command != DROP)
		return;
	if (!all && !by_code && n_names == 0)
		log_die(EXIT_CONFIG, "drop: what? say names, --code or --all");
	if (!yes && !isatty(STDIN_FILENO))
		log_die(EXIT_CONFIG, "drop: standard input is no terminal; "
				     "say --yes");
}

/* -- the walk ------------------------------------------------------------- */

static void
run(struct job *j)
{
	enum queue_state state = QUEUE_IDLE;

	while (j->left > 0) {
		switch (list_cursor_step(&j->walk, &state)) {
		case LIST_CURSOR_PAGE: look(j); break;
		case LIST_CURSOR_END: return;
		case LIST_CURSOR_SHIFTED: start_over(j, 0); break;
		case LIST_CURSOR_FAILED: give_up(j, state);
		case LIST_CURSOR_MEMORY: out_of_memory();
		}
	}
}

/* Looks at what is in hand. */
static void
look(struct job *j)
{
	static size_t index[QUEUE_PEEK_MAX];
	struct list_cursor *w = &j->walk;
	struct queue_picks picks = {.index = index};
	bool moves = j->command == REPUBLISH || j->command == DROP;
	size_t newest = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct increment inc;
		size_t len;
		const char *payload = list_cursor_payload(w, i, &len);
		enum fault fault =
		    deadletter_judge(&j->scratch, payload, len, &inc);

		if (fault == FAULT_UNAVAILABLE)
			out_of_memory();
		if (!is_chosen(j, payload, len, fault)) {
			newest = i;
			continue;
		}
		j->left--;
		j->counts[fault]++;
		if (j->command == LIST)
			show(j, payload, len, fault);
		if (moves)
			index[picks.n++] = list_cursor_index(w, i);
		else
			newest = i;
	}
	withdraw(j, &picks, w->n - picks.n, newest);
	put(j);
}

/* Of republish, only what is valid; what is not is noted. */
static bool
is_chosen(struct job *j, const char *payload, size_t len, enum fault fault)
{
	uint64_t name;

	if (j->left == 0 || (by_code && fault != code))
		return false;
	if (j->names.n > 0) {
		if (message_id_of(payload, len, &name) < 0)
			out_of_memory();
		if (!message_id_use(&j->names, name))
			return false;
	}
	if (j->command != REPUBLISH || fault == FAULT_NONE)
		return true;
	j->unfit++;
	return false;
}

static void
show(struct job *j, const char *payload, size_t len, enum fault fault)
{
	static int terminal = -1;
	char digits[MESSAGE_ID_TEXT + 1];
	uint64_t name;

	if (terminal < 0)
		terminal = isatty(STDOUT_FILENO);
	if (raw) {
		if (deadletter_add_line(&j->out, payload, len) < 0)
			out_of_memory();
		return;
	}
	if (message_id_of(payload, len, &name) < 0)
		out_of_memory();
	message_id_format(name, digits);
	if (buf_addf(&j->out, "%s\t%s\t", digits, deadletter_code(fault)) < 0 ||
	    deadletter_add_shown(
		&j->out, payload, len, terminal ? SHOWN_MAX : SIZE_MAX) < 0 ||
	    buf_add(&j->out, "\n", 1) < 0)
		out_of_memory();
}

/* Withdraws picks of those in hand; the others are behind us then. */
static void
withdraw(
    struct job *j, const struct queue_picks *picks, size_t kept, size_t newest)
{
	struct list_cursor *w = &j->walk;
	uint64_t older = list_cursor_older(w);
	const struct queue_withdrawn *done;
	enum queue_state state;

	if (list_cursor_advance(w, kept, newest) < 0)
		out_of_memory();
	if (picks->n == 0)
		return;
	if (queue_withdraw(w->q, &j->self, ++j->seq, j->command == REPUBLISH,
		older, picks) < 0)
		out_of_memory();
	FAILPOINT("rejected-sent");
	state = queue_sync_done(w->q, wait_ms);
	if (state != QUEUE_DONE)
		give_up(j, state);
	FAILPOINT("rejected-withdrawn");
	done = queue_withdrawn(w->q);
	if (!done->known)
		log_die(EXIT_TEMPFAIL, "redis: has forgotten what was done "
				       "last; look before you go on");
	j->moved += done->n;
	if (done->n < picks->n)
		start_over(j, picks->n - done->n);
}

/*
 * Others have taken from the list, so places are not what they were, and
 * `missed` of those picked were no longer there.  What was looked at so far
 * is looked at again; but lines are written, and names are used up.
 */
static void
start_over(struct job *j, uint64_t missed)
{
	if (j->command == LIST || j->names.n > 0 || ++j->starts > STARTS_MAX) {
		report(j);
		log_die(EXIT_TEMPFAIL, "rejected: others took from it at the "
				       "same time; try again");
	}
	j->left = j->command == COUNT ? number : j->left + missed;
	j->unfit = 0;
	memset(j->counts, 0, sizeof j->counts);
	list_cursor_start(&j->walk, j->walk.end + missed);
}

/* Writes what is in out. */
static void
put(struct job *j)
{
	if (j->out.len > 0 && io_write_all(STDOUT_FILENO, buf_ptr(&j->out),
				  j->out.len, IO_FOREVER) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	buf_clear(&j->out);
}

/* -- drop ----------------------------------------------------------------- */

/* Shall they be dropped?  Then no others than those that were counted. */
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
	n = chosen(j);
	restore(j, j->walk.end);
	j->left = n;
	if (n == 0)
		return true;
	log_show("drop %ju dead letters for good? [y/N] ", (uintmax_t)n);
	if (fgets(answer, sizeof answer, stdin) == NULL)
		answer[0] = '\0';
	answer[strcspn(answer, "\n")] = '\0';
	if (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0)
		return true;
	log_die(EXIT_REJECTED, "drop: nothing dropped");
}

/* As if nothing had been done yet. */
static void
restore(struct job *j, uint64_t end)
{
	message_id_restore(&j->names);
	memset(j->counts, 0, sizeof j->counts);
	j->left = number;
	list_cursor_start(&j->walk, end);
}

static uint64_t
chosen(const struct job *j)
{
	uint64_t n = 0;

	for (int i = 0; i < FAULT_COUNT; i++)
		n += j->counts[i];
	return n;
}

/* -- the end -------------------------------------------------------------- */

static void
report(struct job *j)
{
	switch (j->command) {
	case LIST:
	case COMMANDS: break;
	case COUNT: report_counts(j); break;
	case REPUBLISH:
		buf_addf(&j->out, "%ju republished", (uintmax_t)j->moved);
		if (j->unfit > 0)
			buf_addf(
			    &j->out, ", %ju not valid", (uintmax_t)j->unfit);
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
	if (by_code) {
		buf_addf(&j->out, "%ju\n", (uintmax_t)chosen(j));
		return;
	}
	for (int i = 0; i < FAULT_COUNT; i++)
		if (j->counts[i] > 0)
			buf_addf(&j->out, "%s\t%ju\n",
			    deadletter_code((enum fault)i),
			    (uintmax_t)j->counts[i]);
	buf_addf(&j->out, "total\t%ju\n", (uintmax_t)chosen(j));
}

static int
finish(struct job *j)
{
	size_t missing = j->names.n - j->names.used;

	if (number != UINT64_MAX)
		missing = 0;
	if (missing > 0)
		log_say("rejected: %zu of the names are not there", missing);
	if (io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	queue_close(j->walk.q);
	list_cursor_free(&j->walk);
	message_id_free(&j->names);
	buf_free(&j->scratch);
	buf_free(&j->out);
	return missing > 0 || j->unfit > 0 ? EXIT_REJECTED : EXIT_DELIVERED;
}

/* What was moved stays moved, and is said. */
static void
give_up(const struct job *j, enum queue_state state)
{
	if (j->moved > 0)
		log_say("rejected: %ju moved before this", (uintmax_t)j->moved);
	log_die(state == QUEUE_FAULT ? EXIT_CONFIG : EXIT_TEMPFAIL, "redis: %s",
	    queue_status(j->walk.q)->why);
}

static void
out_of_memory(void)
{
	log_die(EXIT_TEMPFAIL, "memory: %s", strerror(ENOMEM));
}
