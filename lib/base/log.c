/* Prints one-line messages to standard error. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/escape.h"

static const char *prog_name = "incr";
static const char erase[] = "\r\033[K";

/* Those of syslog(3), as text for the journal. */
#define ERROR "<3>"
#define WARNING "<4>"
#define INFO "<6>"

static bool shown;
static bool in_journal;

static bool is_journal(const char *stream);
static void say(
    const char *priority, const char *end, const char *fmt, va_list ap);
static size_t append(char *line, size_t len, const char *text);
static void put(const char *line, size_t len);

void
log_name(const char *prog)
{
	prog_name = prog;
	in_journal = is_journal(getenv("JOURNAL_STREAM"));
}

/* DEVICE:INODE of what systemd gave as standard error; it may be something else
 * by now. */
static bool
is_journal(const char *stream)
{
	char is[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(is, sizeof is, "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(stream, is) == 0;
}

void
log_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(WARNING, "\n", fmt, ap);
	va_end(ap);
}

void
log_loss(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(ERROR, "\n", fmt, ap);
	va_end(ap);
}

void
log_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(INFO, "\n", fmt, ap);
	va_end(ap);
}

void
log_show(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (fmt == NULL && shown)
		put(erase, sizeof erase - 1);
	else if (fmt != NULL)
		say(INFO, "", fmt, ap);
	shown = fmt != NULL;
	va_end(ap);
}

int
log_status(const char *why)
{
	enum { LEN = sizeof LOG_NO_MEMORY - 1 };
	size_t len = strlen(why);

	return len >= LEN && strcmp(why + len - LEN, LOG_NO_MEMORY) == 0
		   ? EXIT_TEMPFAIL
		   : EXIT_CONFIG;
}

void
log_die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(ERROR, "\n", fmt, ap);
	va_end(ap);
	exit(status);
}

void
log_no_memory(void)
{
	log_die(EXIT_TEMPFAIL, LOG_NO_MEMORY);
}

static void
say(const char *priority, const char *end, const char *fmt, va_list ap)
{
	char text[LOG_MAX], line[sizeof erase + LOG_MAX];
	size_t erased = shown ? sizeof erase - 1 : 0, len;
	char *at = line + erased;
	int saved = errno;

	memcpy(line, erase, erased);
	shown = false;
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	len = append(at, 0, in_journal ? priority : "");
	len = append(at, len, prog_name);
	len = append(at, len, ": ");
	len = append(at, len, text);
	if (*end != '\0')
		at[len++] = *end;
	put(line, erased + len);
	errno = saved;
}

static void
put(const char *line, size_t len)
{
	/* Nobody is left to tell if standard error is gone. */
	if (write(STDERR_FILENO, line, len) < 0)
		shown = false;
}

/* Always leaves room for one escape and the newline. */
static size_t
append(char *line, size_t len, const char *text)
{
	for (; *text != '\0' && len < LOG_MAX - 1 - ESCAPE_MAX; text++)
		len += escape_byte((unsigned char)*text, line + len);
	return len;
}
