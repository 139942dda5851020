/* Takes the screen of a terminal, and gives it back. */
#include "top/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"

enum {
	ROWS = 24,
	COLS = 80,
	ROWS_MAX = 500,
	COLS_MAX = 1000,
	LEAVE_MS = 1000,
	KEYS = 64,
	ESCAPE = 033
};

/* Other screen, no cursor; and back, whatever was under way. */
static const char enter[] = "\033[?1049h\033[?25l\033[0m\033[2J";
static const char leave[] = "\033[0m\033[999;1H\033[?25h\033[?1049l";

/* What a crash has to put back. */
static struct {
	volatile sig_atomic_t entered, moves, keys;
	int in, out;
	struct termios before;
} held = {.in = -1, .out = -1};

static void put_back(void);
static void crash(int sig);

static bool
is_utf8(void)
{
	return setlocale(LC_CTYPE, "") != NULL &&
	       strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static bool
has_color(const char *term)
{
	const char *no = getenv("NO_COLOR");
	size_t len = strlen(term);

	return (no == NULL || *no == '\0') && strncmp(term, "vt", 2) != 0 &&
	       !(len > 2 && strcmp(term + len - 2, "-m") == 0) &&
	       strstr(term, "-mono") == NULL;
}

/* A description of its own, so that others that write to the terminal still
 * block. */
static int
open_again(int fd)
{
	char path[] = "/proc/self/fd/0";
	int again;

	path[sizeof path - 2] = (char)('0' + fd);
	again = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	return again < 0 ? fd : again;
}

void
terminal_open(struct terminal *t)
{
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	struct sigaction by = {
	    .sa_handler = crash, .sa_flags = (int)SA_RESETHAND};
	const char *term = getenv("TERM");

	*t = (struct terminal){.in = isatty(STDIN_FILENO) ? STDIN_FILENO : -1,
	    .out = open_again(STDOUT_FILENO),
	    .utf8 = is_utf8()};
	t->moves = term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
	t->color = t->moves && has_color(term);
	held.in = t->in;
	held.out = t->out;
	held.moves = t->moves;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
		sigaction(crashes[i], &by, NULL);
	atexit(put_back);
	terminal_measure(t);
}

static bool
in_foreground(void)
{
	pid_t group = tcgetpgrp(held.out);

	return group < 0 || group == getpgrp();
}

void
terminal_enter(struct terminal *t)
{
	struct termios raw;

	if (held.entered || !in_foreground())
		return;
	if (t->in >= 0 && t->moves && tcgetattr(t->in, &held.before) == 0) {
		raw = held.before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		held.keys = true;
		(void)tcsetattr(t->in, TCSANOW, &raw);
	}
	held.entered = true;
	buf_clear(&t->pending);
	if (t->moves)
		(void)buf_add(&t->pending, enter, sizeof enter - 1);
	terminal_measure(t);
}

/* Async-signal-safe.  In the background the screen is a shell's again. */
static void
put_back(void)
{
	struct pollfd pfd = {.fd = held.out, .events = POLLOUT};
	const char *from = leave;
	size_t left = sizeof leave - 1;

	if (!held.entered)
		return;
	held.entered = false;
	if (!in_foreground())
		return;
	while (held.moves && left > 0) {
		ssize_t n = write(held.out, from, left);

		if (n > 0) {
			from += n;
			left -= (size_t)n;
		} else if ((n < 0 && errno != EAGAIN && errno != EINTR) ||
			   poll(&pfd, 1, LEAVE_MS) <= 0) {
			break;
		}
	}
	if (held.keys)
		(void)tcsetattr(held.in, TCSANOW, &held.before);
}

static void
crash(int sig)
{
	put_back();
	raise(sig);
}

void
terminal_leave(struct terminal *t)
{
	int64_t until_ms = clock_ms() + LEAVE_MS;
	struct pollfd pfd = {.fd = t->out, .events = POLLOUT};

	/* Half of a code in front of others would be none of theirs. */
	while (held.entered && t->pending.len > 0 && terminal_flush(t) == 0 &&
	       t->pending.len > 0 && io_poll(&pfd, 1, until_ms) > 0)
		;
	put_back();
	buf_clear(&t->pending);
}

bool
terminal_is_entered(const struct terminal *t)
{
	(void)t;
	return held.entered;
}

void
terminal_measure(struct terminal *t)
{
	struct winsize w = {0};

	(void)ioctl(t->out, TIOCGWINSZ, &w);
	t->rows = w.ws_row == 0 ? ROWS : w.ws_row;
	t->cols = w.ws_col == 0 ? COLS : w.ws_col;
	if (t->rows > ROWS_MAX)
		t->rows = ROWS_MAX;
	if (t->cols > COLS_MAX)
		t->cols = COLS_MAX;
	buf_clear(&t->shown);
}

/* The row that begins at *at, and the next one. */
static size_t
row_length(const char *at, const char *end)
{
	const char *lf =
	    at == end ? NULL : memchr(at, '\n', (size_t)(end - at));

	return lf == NULL ? (size_t)(end - at) : (size_t)(lf - at);
}

/* The rows that are others than before; all if there are none before. */
static int
add_rows(struct terminal *t, const struct frame *f)
{
	const char *new = buf_ptr(&f->text), *end = new + f->text.len;
	const char *old = t->shown.len == 0 ? NULL : buf_ptr(&t->shown);
	const char *old_end = old == NULL ? NULL : old + t->shown.len;
	bool all = old == NULL;

	if (all && buf_addf(&t->pending, "\033[2J") < 0)
		return -1;
	for (int row = 1; new < end; row++) {
		size_t len = row_length(new, end);
		size_t old_len = all ? 0 : row_length(old, old_end);

		if ((all || len != old_len || memcmp(new, old, len) != 0) &&
		    (buf_addf(&t->pending, "\033[%d;1H\033[K", row) < 0 ||
			buf_add(&t->pending, new, len) < 0))
			return -1;
		new += len + 1;
		if (!all)
			old = old + old_len < old_end ? old + old_len + 1
						      : old_end;
	}
	return 0;
}

int
terminal_show(struct terminal *t, const struct frame *f)
{
	int result;

	if (t->pending.len > 0 && t->shown.len > 0)
		return terminal_flush(t);
	if (f->failed || f->text.len == 0) {
		errno = ENOMEM;
		return -1;
	}
	result = t->moves ? add_rows(t, f)
			  : buf_addf(&t->pending, "%.*s\n", (int)f->text.len,
				buf_ptr(&f->text));
	buf_clear(&t->shown);
	if (result < 0 ||
	    buf_add(&t->shown, buf_ptr(&f->text), f->text.len) < 0)
		return -1;
	return terminal_flush(t);
}

int
terminal_flush(struct terminal *t)
{
	while (t->pending.len > 0) {
		ssize_t n = write(t->out, buf_ptr(&t->pending), t->pending.len);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -1;
		buf_drop(&t->pending, (size_t)n);
	}
	return 0;
}

/* Keys of several bytes begin with ESC, and are none of ours. */
char
terminal_key(struct terminal *t)
{
	char keys[KEYS];
	ssize_t n = read(t->in, keys, sizeof keys);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		t->in = -1; /* it has hung up */
	return n > 0 && keys[0] != ESCAPE ? keys[0] : '\0';
}

void
terminal_close(struct terminal *t)
{
	terminal_leave(t);
	buf_free(&t->shown);
	buf_free(&t->pending);
}
