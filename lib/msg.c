#include "msg.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *prog_name = "incr";

static size_t append(char *line, size_t len, const char *text);
static void say(const char *fmt, va_list ap);

void
msg_name(const char *prog)
{
	prog_name = prog;
}

void
msg_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void
msg_die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	exit(status);
}

static void
say(const char *fmt, va_list ap)
{
	char text[MSG_MAX], line[MSG_MAX];
	int saved = errno;
	size_t len;

	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	len = append(line, 0, prog_name);
	len = append(line, len, ": ");
	len = append(line, len, text);
	line[len++] = '\n';
	/* Nobody is left to tell if standard error is gone. */
	if (write(STDERR_FILENO, line, len) < 0)
		len = 0;
	errno = saved;
}

/* Always leaves room for one escape and the newline. */
static size_t
append(char *line, size_t len, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	for (; *text != '\0' && len < MSG_MAX - 5; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c < 0x7f) {
			line[len++] = *text;
			continue;
		}
		line[len++] = '\\';
		line[len++] = 'x';
		line[len++] = hex[c >> 4];
		line[len++] = hex[c & 15];
	}
	return len;
}
