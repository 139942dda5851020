/*
 * In: increments on standard input, one JSON text per line, incr-record(5).
 * Out: the valid ones in canonical form on standard output; an invalid line is
 * dropped with a message, or with -e answered by an error line in its place.
 *
 * What was read is judged and written before the next wait for input.  Killed
 * at any line, it has answered the first lines of its input, each once, the
 * last answer perhaps in part.  It owns no increment: the sender keeps its
 * copy until the end of the pipeline confirms it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/metrics_list.h"
#include "base/num.h"
#include "base/options.h"
#include "base/sandbox.h"
#include "base/signals.h"
#include "record/control.h"
#include "record/fault.h"
#include "record/increment.h"
#include "record/invalid_lines.h"

enum { OUT_FULL = 1 << 18 }; /* bytes of output at which judging pauses */

static bool echo, tagged;
static int64_t grace_ms;
static struct sandbox sandbox;

static const struct option_def defs[] = {
    {.letter = 'e',
	.name = "echo",
	.help = "answer an invalid line with an error line",
	.kind = OPTIONS_FLAG,
	.dest = &echo},
    {.letter = 't',
	.name = "tagged",
	.help = "lines start with a tag and a TAB",
	.kind = OPTIONS_FLAG,
	.dest = &tagged},
    OPTIONS_GRACE(&grace_ms, "how long to go on after a signal"),
    OPTIONS_SANDBOX(&sandbox),
};

static const struct options_prog prog = {.name = "incr-validate",
    .purpose = "Passes valid increments in canonical form.",
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .sandbox = &sandbox};

enum { VALIDATED, REJECTED, SERIES = REJECTED + FAULT_COUNT - 1 };

static struct metric series[SERIES] = {[VALIDATED] = {METRIC_VALIDATED}};

struct filter {
	struct lines in;
	struct buf out;
	bool drained;        /* every whole line that was read is judged */
	bool ended;          /* so is the last line of the input */
	bool wrote;          /* something that a reader must have read */
	int signals;         /* descriptor */
	int64_t deadline_ms; /* end of the grace; IO_FOREVER: no signal */
	struct invalid_lines invalid; /* without -e */
};

static void open_filter(struct filter *f);
static void open_metrics(void);
static void run(struct filter *f);
static void judge_lines(struct filter *f);
static void judge(
    struct filter *f, const char *line, size_t len, bool too_long);
static void refuse_stream(const struct filter *f, const char *line, size_t len);
static int pass(struct filter *f, const char *line, size_t len, size_t prefix,
    bool too_long);
static int reject(struct filter *f, const char *tag, size_t tag_len,
    enum fault fault, const char *hint);
static void send(struct filter *f);
static void wait_for_more(struct filter *f);
static void take_signal(struct filter *f);
static void fill(struct filter *f);
static int finish(struct filter *f);

int
main(int argc, char **argv)
{
	struct filter f = {.deadline_ms = IO_FOREVER};

	log_name(prog.name);
	options_parse(&prog, argc, argv);
	open_filter(&f);
	open_metrics();
	(void)sandbox_enter(&sandbox);
	run(&f);
	return finish(&f);
}

static void
open_filter(struct filter *f)
{
	size_t max = LINES_JSON_MAX + (tagged ? LINES_TAG_MAX + 1 : 0);

	f->signals = signals_open(NULL);
	if (f->signals < 0)
		log_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	if (lines_open(&f->in, STDIN_FILENO, max) < 0)
		log_no_memory();
	io_output(STDOUT_FILENO);
}

static void
open_metrics(void)
{
	fault_series(&series[REJECTED],
	    FAULTS_OF_INCREMENTS | (tagged ? FAULT_BIT(NOT_TAGGED) : 0));
	if (metrics_open(prog.name, series, SERIES) < 0)
		log_say("metrics: %s", strerror(errno));
}

static void
run(struct filter *f)
{
	for (;;) {
		judge_lines(f);
		if (f->out.len > 0)
			send(f);
		if (f->ended && f->out.len == 0)
			return;
		if (f->drained || f->out.len >= OUT_FULL || f->ended)
			wait_for_more(f);
	}
}

/* Judges what was read, as far as the answers have room. */
static void
judge_lines(struct filter *f)
{
	const char *line;
	size_t len;

	f->drained = false;
	while (f->out.len < OUT_FULL && !f->ended && !f->drained) {
		switch (lines_next(&f->in, &line, &len)) {
		case LINES_LINE: judge(f, line, len, false); break;
		case LINES_TOO_LONG: judge(f, line, len, true); break;
		case LINES_MORE: f->drained = true; break;
		case LINES_END: f->ended = true; break;
		}
	}
}

static void
judge(struct filter *f, const char *line, size_t len, bool too_long)
{
	size_t tag_len = 0;
	int failed;

	if (f->in.number == 1 && !echo)
		refuse_stream(f, line, len);
	if (!tagged)
		failed = pass(f, line, len, 0, too_long);
	else if (lines_split_tag(line, len, &tag_len) == 0)
		failed = pass(f, line, len, tag_len + 1, too_long);
	else
		failed = reject(f, "", 0, FAULT_NOT_TAGGED, NULL);
	if (failed)
		log_no_memory();
	FAILPOINT("validate-judged");
}

/* The stream of incr-consume begins with a checkpoint of seq 0.  A line of it
 * dropped here would break the count of its batch. */
static void
refuse_stream(const struct filter *f, const char *line, size_t len)
{
	struct control_checkpoint c;

	if (control_parse_checkpoint(line, len, &c) < 0) {
		if (errno == ENOMEM)
			log_no_memory();
		return;
	}
	if (c.seq == 0)
		log_die(EXIT_CONFIG,
		    "stdin: line %ju: a checkpoint of incr-consume; its "
		    "output goes to incr-flush directly",
		    (uintmax_t)f->in.number);
}

/* prefix: bytes of the tag and its TAB. */
static int
pass(struct filter *f, const char *line, size_t len, size_t prefix,
    bool too_long)
{
	const char *json = line + prefix;
	enum fault fault = FAULT_TOO_LONG;
	size_t n;
	char *to;

	/* A canonical line passes as it is. */
	if (increment_is_canonical(json, len - prefix)) {
		series[VALIDATED].value++;
		return lines_put(&f->out, line, len);
	}
	to = buf_room(&f->out, prefix + INCREMENT_TEXT + 1);
	if (to == NULL)
		return -1;
	if (!too_long)
		fault = increment_rewrite(json, len - prefix, to + prefix, &n);
	if (fault != FAULT_NONE)
		return reject(f, line, prefix > 0 ? prefix - 1 : 0, fault,
		    fault_hint(fault, json, len - prefix));
	series[VALIDATED].value++;
	memcpy(to, line, prefix);
	to[prefix + n] = '\n';
	buf_grow(&f->out, prefix + n + 1);
	return 0;
}

static int
reject(struct filter *f, const char *tag, size_t tag_len, enum fault fault,
    const char *hint)
{
	struct control_error e = {fault, f->in.number, hint};

	/* It may be an increment, so it must not be dropped. */
	if (fault == FAULT_UNAVAILABLE && !echo)
		return -1;
	series[REJECTED + fault - 1].value++;
	if (!echo) {
		invalid_lines_add(&f->invalid, f->in.number, fault, hint);
		return 0;
	}
	if (tagged && (buf_add(&f->out, tag, tag_len) < 0 ||
			  buf_add(&f->out, "\t", 1) < 0))
		return -1;
	return control_add_error(&f->out, &e);
}

/* Writes what goes without blocking. */
static void
send(struct filter *f)
{
	int64_t n = io_write_some(STDOUT_FILENO, buf_ptr(&f->out),
	    FAILPOINT_CUT("validate-half", buf_ptr(&f->out), f->out.len));

	if (n > 0) {
		buf_drop(&f->out, (size_t)n);
		f->wrote = true;
		FAILPOINT("validate-written");
	} else if (n < 0 && errno != EAGAIN) {
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	}
}

static void
wait_for_more(struct filter *f)
{
	struct pollfd fds[] = {
	    {.fd = f->signals, .events = POLLIN},
	    {.fd = f->drained ? STDIN_FILENO : -1, .events = POLLIN},
	    {.fd = STDOUT_FILENO, .events = f->out.len > 0 ? POLLOUT : 0},
	};
	int64_t next_ms = num_min(metrics_tick(clock_ms()), f->deadline_ms);

	if (io_poll(fds, sizeof fds / sizeof *fds, next_ms) < 0)
		log_die(EXIT_TEMPFAIL, "poll: %s", strerror(errno));
	if (fds[0].revents != 0)
		take_signal(f);
	if ((fds[2].revents & (POLLERR | POLLHUP)) != 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(EPIPE));
	if (clock_ms() >= f->deadline_ms)
		log_die(EXIT_TEMPFAIL, "%s within %g s of a signal (--grace)",
		    f->drained ? "stdin: no end of input" : "stdout: not read",
		    (double)grace_ms / 1000);
	if (fds[1].revents != 0)
		fill(f);
}

/* The end of input ends this program; a signal only sets a limit to it. */
static void
take_signal(struct filter *f)
{
	while (signals_next(f->signals) != 0)
		if (f->deadline_ms == IO_FOREVER)
			f->deadline_ms = clock_ms() + grace_ms;
}

static void
fill(struct filter *f)
{
	if (lines_fill(&f->in) < 0 && errno != EAGAIN)
		log_die(EXIT_TEMPFAIL, "stdin: %s", strerror(errno));
}

static int
finish(struct filter *f)
{
	/* A reader that has gone before the end may not have read it all. */
	if (f->wrote && io_reader_gone(STDOUT_FILENO))
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(EPIPE));
	if (io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	invalid_lines_end(&f->invalid, f->in.number);
	metrics_close();
	lines_close(&f->in);
	buf_free(&f->out);
	return f->invalid.n > 0 ? EXIT_REJECTED : EXIT_DELIVERED;
}
