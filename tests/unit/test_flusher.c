/*
 * The flusher without its services (nobody listens where it connects): when
 * a line may be given, when a window is frozen, when all is done, and which
 * state the lines of a stream lead to.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "check.h"
#include "flush/flusher.h"

#define CHECKPOINT(queue, seq, lines, adopted) \
	"{\"checkpoint\":{\"queue\":\"" queue "\",\"consumer\":" \
	"\"0000000a-0000-4000-8000-000000000000\",\"seq\":" #seq \
	",\"lines\":" #lines ",\"taken\":5000,\"adopted\":" #adopted "}}"
#define BEGIN(queue) CHECKPOINT(queue, 0, 0, false)

enum { MAX_KEYS = 10 };

static struct flusher f;

static void
start(void)
{
	static const struct flusher_options options = {.queue = "q",
	    .redis = "redis://127.0.0.1:1/0",
	    .interval_ms = 9000,
	    .max_keys = MAX_KEYS};
	const char *why;
	struct postgres *pg =
	    postgres_open("host=/dev/null/none", "test_flusher", "1", &why);
	struct postgres *adopted_pg =
	    postgres_open("host=/dev/null/none", "test_flusher", "1", &why);

	if (pg == NULL || adopted_pg == NULL)
		abort();
	flusher_open(&f, pg, adopted_pg, &options);
}

static enum flush_input_event
give(const char *line)
{
	check(flusher_takes(&f), "%s", line);
	return flusher_line(&f, line, strlen(line), false, clock_ms());
}

/* A line of value 1, each of a new key. */
static void
give_key(void)
{
	static unsigned key;
	char line[100];

	snprintf(line, sizeof line,
	    "{\"key\":\"%08x-0000-4000-8000-000000000000\",\"value\":1}",
	    key++);
	check(give(line) == FLUSH_INPUT_ADD, "%s", line);
}

static void
step(void)
{
	struct pollfd pfds[FLUSHER_PFDS] = {
	    {.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};

	flusher_step(&f, pfds);
}

/* Both windows together hold max_keys keys, and no line more. */
static void
plain(void)
{
	start();
	check(!flusher_done(&f), "the input has not ended");
	for (int i = 0; i < MAX_KEYS; i++)
		give_key();
	check(!flusher_takes(&f), "full");
	check(committer_idle(&f.committer) && f.filling == &f.windows[0],
	    "not frozen yet");
	step();
	check(f.committer.window == &f.windows[0] && f.filling == &f.windows[1],
	    "full: frozen at the next step");
	check(
	    f.windows[0].first == 1 && f.windows[0].last == 1, "with a number");
	check(!flusher_takes(&f), "both windows count");
	flusher_end(&f);
	step();
	check(!flusher_done(&f), "not committed");
	check(f.status == 0, "%s", f.why);
	flusher_close(&f);
}

/* Lines of a key that is there take no room: reading goes on. */
static void
repeated(void)
{
	start();
	for (int i = 0; i < 3 * MAX_KEYS + PLAIN_LINES_MAX; i++)
		check(give("{\"key\":\"00000001-0000-4000-8000-000000000000\","
			   "\"value\":1}") == FLUSH_INPUT_ADD,
		    "line %d", i);
	step();
	check(committer_idle(&f.committer) && f.filling->keysums.n == 1,
	    "one key, and the interval is not over");
	check(f.filling->lines == 3 * MAX_KEYS + PLAIN_LINES_MAX, "%zu lines",
	    (size_t)f.filling->lines);
	flusher_close(&f);
}

/* The second window closes only when the first one is committed. */
static void
second(void)
{
	start();
	give_key();
	check(flusher_oldest(&f) == IO_FOREVER, "no age is known");
	flusher_end(&f);
	check(!flusher_takes(&f), "ended");
	step();
	check(f.committer.window == &f.windows[0], "the end closes it");
	f.ended = false; /* as if it had been the interval */
	give_key();
	f.ended = true;
	step();
	check(f.filling == &f.windows[1] && f.filling->open,
	    "one window at a time");
	flusher_close(&f);
}

static void
only_bad(void)
{
	start();
	check(give("x") == FLUSH_INPUT_BAD && f.filling->open, "bad");
	flusher_end(&f);
	check(!flusher_done(&f), "not looked at yet");
	step();
	check(flusher_done(&f), "nothing to commit");
	flusher_close(&f);
}

static void
stream(void)
{
	start();
	check(give(BEGIN("q")) == FLUSH_INPUT_BEGIN, "begin");
	check(f.from_consumer && f.state == FLUSHER_ASK_STREAM &&
		  !flusher_takes(&f),
	    "no line before Redis has answered");
	check(f.schedule.promises, "ages are known");
	flusher_end(&f);
	check(f.state == FLUSHER_READ && flusher_done(&f),
	    "there is no batch to wait for");
	flusher_close(&f);
}

/* A complete batch whose window can't be had waits, and no line is taken. */
static void
waiting(void)
{
	start();
	give(BEGIN("q"));
	f.state = FLUSHER_READ; /* registered */
	check(give(CHECKPOINT("q", 1, 0, false)) == FLUSH_INPUT_BATCH &&
		  f.state == FLUSHER_READ && f.filling->last == 1,
	    "a window is opened");
	check(give("{\"key\":\"0000000b-0000-4000-8000-000000000000\","
		   "\"value\":1}") == FLUSH_INPUT_LINE &&
		  give(CHECKPOINT("q", 2, 1, false)) == FLUSH_INPUT_BATCH,
	    "a line");
	check(f.filling->last == 2 && f.filling->lines == 1 &&
		  f.input.batch.lines == 0,
	    "the batch moved into the window");
	check(give(CHECKPOINT("q", 9, 0, true)) == FLUSH_INPUT_BATCH &&
		  f.state == FLUSHER_PLACE,
	    "an adopted batch, of a name that was ours");
	check(f.committer.window == &f.windows[0] && !f.filling->open,
	    "first what fills is committed");
	check(!flusher_takes(&f) && flusher_oldest(&f) != IO_FOREVER,
	    "the batch waits");
	flusher_end(&f);
	check(f.state == FLUSHER_PLACE && !flusher_done(&f), "still");
	window_clear(committer_take(&f.committer)); /* committed */
	f.status = 0;
	step();
	check(
	    f.state == FLUSHER_READ && f.status == 0 && f.adopter.ranges.n == 1,
	    "then it has a window of its own");
	check(!flusher_done(&f), "still");
	flusher_close(&f);
}

static void
failures(void)
{
	static const struct {
		const char *line;
		int status;
	} cases[] = {
	    {BEGIN("other"), EXIT_CONFIG},
	    {CHECKPOINT("other", 1, 0, false), EXIT_CONFIG},
	    {CHECKPOINT("q", 1, 3, false), EXIT_BUG},
	    {CHECKPOINT("q", 7, 0, false), EXIT_BUG},
	};

	for (size_t i = 0; i < check_n(cases); i++) {
		start();
		give(BEGIN("q"));
		f.state = FLUSHER_READ; /* registered */
		give(cases[i].line);
		check(f.status == cases[i].status, "%s: %d", cases[i].line,
		    f.status);
		check(strncmp(f.why, "stdin: ", 7) == 0, "%s", f.why);
		check(!flusher_takes(&f), "%s", cases[i].line);
		flusher_close(&f);
	}
}

int
main(void)
{
	plain();
	repeated();
	second();
	only_bad();
	stream();
	waiting();
	failures();
	return check_end();
}
