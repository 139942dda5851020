/*
 * incr-top: what the system does now, on one screen of a terminal.
 *
 * In: the metrics of all programs, from folders or over HTTP.  Out: the screen,
 * again each second until q or a signal; with --once one table for scripts.
 *
 * It asks nobody but the places that its user names, changes nothing, and owns
 * no increment.  Killed by anything but kill -9, it leaves the terminal as it
 * was.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "base/options.h"
#include "base/sandbox.h"
#include "base/signals.h"
#include "base/url.h"
#include "top/figures.h"
#include "top/figures_table.h"
#include "top/frame.h"
#include "top/metrics_source.h"
#include "top/terminal.h"
#include "top/view.h"

enum { REDRAW = 'L' - '@', TEXT_MAX = 256 };

struct top {
	struct metrics_sources sources;
	struct figures *figures;
	struct terminal terminal;
	struct frame frame;
	int signals;
	bool reading, paused, done;
	int64_t next_ms; /* of the next reading */
	char source[TEXT_MAX], trouble[TEXT_MAX];
};

static int64_t interval_ms;
static struct http_get_settings settings;
static bool once, no_color, ascii;
static struct sandbox sandbox;

static const struct option_def defs[] = {
    {.letter = 'o',
	.name = "once",
	.help = "write one table, for scripts, and leave",
	.kind = OPTIONS_FLAG,
	.dest = &once},
    {.name = "every",
	.arg = "SECONDS",
	.def = "1",
	.help = "between two readings",
	.kind = OPTIONS_SECONDS,
	.dest = &interval_ms,
	.min = 200,
	.max = 60000},
    OPTIONS_WAIT(&settings.timeout_ms, "5", 100, "how long to wait for a URL"),
    {.name = "ascii",
	.help = "bars and lines in ASCII",
	.kind = OPTIONS_FLAG,
	.dest = &ascii},
    {.name = "no-color",
	.help = "no colours",
	.kind = OPTIONS_FLAG,
	.dest = &no_color},
    OPTIONS_CACERT(&settings.cacert),
    OPTIONS_SANDBOX(&sandbox),
};

static const struct options_prog prog = {.name = "incr-top",
    .operands = "[DIR...] [URL...]",
    .purpose = "Shows what the system does now, from the metrics of all "
	       "programs.",
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .sandbox = &sandbox};

static void open_sources(struct top *t, int argc, char **argv);
static void add_source(struct top *t, const char *place, bool is_argument);
static void enter_sandbox(const struct top *t);
static int run_once(struct top *t);
static void wait_for_reading(struct top *t);
static int run(struct top *t);
static void open_terminal(struct top *t);
static void wait_for_work(struct top *t);
static void take_signals(struct top *t);
static void stop(struct top *t);
static void take_key(struct top *t);
static void read_all(struct top *t);
static bool add_reading(struct top *t);
static void note_trouble(struct top *t);
static void draw(struct top *t);
static void die(struct top *t, const char *what);

int
main(int argc, char **argv)
{
	static struct top t;
	int status;

	log_name(prog.name);
	open_sources(&t, options_parse(&prog, argc, argv), argv);
	t.figures = calloc(1, sizeof *t.figures);
	if (t.figures == NULL)
		log_no_memory();
	status = once ? run_once(&t) : run(&t);
	metrics_sources_close(&t.sources);
	figures_free(t.figures);
	free(t.figures);
	frame_free(&t.frame);
	return status;
}

/* Those that are named, or the system's own. */
static void
open_sources(struct top *t, int first, char **argv)
{
	const char *folder = getenv("INCR_METRICS_DIR");
	const char *url = getenv("INCR_METRICS_URL");

	for (char **a = argv + first; *a != NULL; a++)
		add_source(t, *a, true);
	if (t->sources.n == 0 && folder != NULL && *folder != '\0')
		add_source(t, folder, false);
	else if (t->sources.n == 0 && url != NULL && *url != '\0')
		add_source(t, url, false);
	if (t->sources.n == 0)
		log_die(EXIT_CONFIG,
		    "needs DIR, URL, INCR_METRICS_DIR or INCR_METRICS_URL; "
		    "see %s --help",
		    prog.name);
	snprintf(t->source, sizeof t->source, "%s",
	    metrics_sources_name(&t->sources, 0));
	if (t->sources.n > 1)
		snprintf(t->source + strlen(t->source),
		    sizeof t->source - strlen(t->source), " and %d more",
		    t->sources.n - 1);
}

static void
add_source(struct top *t, const char *place, bool is_argument)
{
	const char *why;

	if (is_argument && url_has_password(place))
		log_die(EXIT_CONFIG,
		    "a password does not belong in an argument; use "
		    "INCR_METRICS_URL");
	if (metrics_sources_add(&t->sources, place, &settings, &why) < 0)
		log_die(log_status(why), "%s: %s", options_shown(place), why);
}

/* What it shows was written by others. */
static void
enter_sandbox(const struct top *t)
{
	bool asks = false;

	for (int i = 0; i < t->sources.n; i++) {
		sandbox_folder(
		    &sandbox, t->sources.all[i].folder, SANDBOX_READ);
		asks |= t->sources.all[i].folder == NULL;
	}
	if (asks) {
		sandbox.needs |= SANDBOX_PAIR;
		sandbox_names(&sandbox);
		sandbox_file(&sandbox, settings.cacert, SANDBOX_READ);
	}
	sandbox_folder(&sandbox, "/proc", SANDBOX_READ);
	tzset();                       /* reads its file */
	unsetenv("INCR_METRICS_DIR");  /* nothing is written there, */
	unsetenv("RUNTIME_DIRECTORY"); /* nor there */
	(void)sandbox_enter(&sandbox);
}

/* Two readings, so that there are rates; the first one may be late. */
static int
run_once(struct top *t)
{
	struct buf table = {0};

	signals_default();
	io_output(STDOUT_FILENO);
	enter_sandbox(t);
	for (int i = 0; i < 2; i++) {
		t->next_ms = clock_ms() + interval_ms;
		metrics_sources_start(&t->sources);
		wait_for_reading(t);
		if (t->trouble[0] != '\0')
			log_die(EXIT_TEMPFAIL, "%s", t->trouble);
		if (i == 0 &&
		    metrics_sources_poll(&t->sources, NULL, 0, t->next_ms) < 0)
			log_die(EXIT_TEMPFAIL, "poll: %s", strerror(errno));
	}
	if (figures_table(t->figures, &table) < 0)
		log_no_memory();
	if (io_write_all(
		STDOUT_FILENO, buf_ptr(&table), table.len, IO_FOREVER) < 0 ||
	    io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	buf_free(&table);
	return EXIT_DELIVERED;
}

static void
wait_for_reading(struct top *t)
{
	while (!metrics_sources_done(&t->sources))
		if (metrics_sources_poll(
			&t->sources, NULL, 0, clock_ms() + interval_ms) < 0)
			log_die(EXIT_TEMPFAIL, "poll: %s", strerror(errno));
	(void)add_reading(t);
	note_trouble(t);
}

static int
run(struct top *t)
{
	open_terminal(t);
	while (!t->done) {
		read_all(t);
		wait_for_work(t);
	}
	terminal_close(&t->terminal);
	return EXIT_DELIVERED;
}

static void
open_terminal(struct top *t)
{
	static const int more[] = {
	    SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT, 0};

	if (!isatty(STDOUT_FILENO))
		log_die(EXIT_CONFIG, "stdout: no terminal; see --once");
	t->signals = signals_open(more);
	if (t->signals < 0)
		log_die(EXIT_TEMPFAIL, "signals: %s", strerror(errno));
	terminal_open(&t->terminal);
	enter_sandbox(t);
	t->frame.utf8 = t->terminal.utf8 && !ascii;
	t->frame.color = t->terminal.color && !no_color;
	terminal_enter(&t->terminal);
}

/* A reading begins when its time has come and the one before has ended. */
static void
read_all(struct top *t)
{
	int64_t now_ms = clock_ms();

	if (!t->reading && now_ms >= t->next_ms) {
		metrics_sources_start(&t->sources);
		t->reading = true;
		t->next_ms = now_ms + interval_ms;
		terminal_enter(&t->terminal);
	}
	if (t->reading && metrics_sources_done(&t->sources)) {
		t->reading = false;
		(void)add_reading(t);
		note_trouble(t);
		if (!t->paused)
			draw(t);
	}
}

/* A place that could not be read counts as it was; if none could, there is no
 * reading. */
static bool
add_reading(struct top *t)
{
	bool any = false;

	for (int i = 0; i < t->sources.n; i++)
		any |= t->sources.all[i].renewed;
	if (!any)
		return false;
	figures_begin(t->figures, (double)clock_ms() / 1000,
	    (double)clock_unix_ms() / 1000);
	for (int i = 0; i < t->sources.n; i++) {
		const struct buf *text = &t->sources.all[i].text;

		if (text->len > 0 &&
		    figures_add(t->figures, i, buf_ptr(text), text->len) < 0)
			die(t, LOG_NO_MEMORY);
	}
	figures_end(t->figures);
	return true;
}

static void
note_trouble(struct top *t)
{
	t->trouble[0] = '\0';
	for (int i = 0; i < t->sources.n; i++) {
		const struct metrics_source *s = &t->sources.all[i];
		const char *name = metrics_sources_name(&t->sources, i);

		if (s->why[0] != '\0')
			snprintf(t->trouble, sizeof t->trouble, "%s: %s", name,
			    s->why);
		else if (s->folder == NULL && t->figures->samples == 0)
			snprintf(t->trouble, sizeof t->trouble,
			    "%s: no metrics of incr in the answer", name);
		else
			continue;
		return;
	}
}

static void
draw(struct top *t)
{
	time_t now = (time_t)(clock_unix_ms() / 1000);
	struct view v = {.source = t->source,
	    .trouble = t->trouble[0] == '\0' ? NULL : t->trouble,
	    .paused = t->paused,
	    .keys = t->terminal.in >= 0 && t->terminal.moves};
	char clock[16] = "";
	struct tm tm;

	if (!terminal_is_entered(&t->terminal))
		return;
	if (localtime_r(&now, &tm) != NULL)
		(void)strftime(clock, sizeof clock, "%H:%M:%S", &tm);
	v.clock = clock;
	frame_begin(&t->frame, t->terminal.rows, t->terminal.cols);
	view_draw(&t->frame, t->figures, &v);
	if (terminal_show(&t->terminal, &t->frame) < 0)
		die(t, strerror(errno));
}

static void
wait_for_work(struct top *t)
{
	struct terminal *term = &t->terminal;
	bool shown = terminal_is_entered(term);
	struct pollfd fds[] = {
	    {.fd = t->signals, .events = POLLIN},
	    {.fd = shown && term->moves ? term->in : -1, .events = POLLIN},
	    {.fd = shown && term->pending.len > 0 ? term->out : -1,
		.events = POLLOUT},
	};
	/* An answer that is awaited ends by its own time limit. */
	int64_t until_ms = t->reading ? clock_ms() + interval_ms : t->next_ms;

	if (metrics_sources_poll(&t->sources, fds, 3, until_ms) < 0)
		die(t, strerror(errno));
	if (fds[0].revents != 0)
		take_signals(t);
	if (fds[1].revents != 0 && !t->done)
		take_key(t);
	if (fds[2].revents != 0 && terminal_flush(term) < 0)
		die(t, strerror(errno));
}

static void
take_signals(struct top *t)
{
	int sig;

	while (!t->done && (sig = signals_next(t->signals)) != 0) {
		switch (sig) {
		case SIGTSTP: stop(t); break;
		case SIGCONT: /* whatever became of the screen meanwhile */
			terminal_leave(&t->terminal);
			terminal_enter(&t->terminal);
			draw(t);
			break;
		case SIGWINCH:
			terminal_measure(&t->terminal);
			draw(t);
			break;
		default: t->done = true;
		}
	}
}

/* As without a handler; SIGCONT says when it goes on. */
static void
stop(struct top *t)
{
	sigset_t set;

	terminal_leave(&t->terminal);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void
take_key(struct top *t)
{
	switch (terminal_key(&t->terminal)) {
	case 'q':
	case 'Q': t->done = true; return;
	case 'p':
	case ' ': t->paused = !t->paused; break;
	case REDRAW: terminal_measure(&t->terminal); break;
	default: return;
	}
	draw(t);
}

static void
die(struct top *t, const char *what)
{
	if (!once)
		terminal_leave(&t->terminal);
	log_die(EXIT_TEMPFAIL, "%s", what);
}
