/* Collects what --check finds, and writes it. */
#include "base/findings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/io.h"
#include "base/log.h"

enum { LINE_BYTES = 2048 };

void
findings_add(struct findings *f, enum finding level, const char *fmt, ...)
{
	static const char *const words[FINDING_LEVELS] = {
	    "ok", "warning", "error", "error"};
	char text[LINE_BYTES], shown[ESCAPE_MAX];
	int failed;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	f->n[level]++;
	failed = buf_addf(&f->lines, "%s: ", words[level]);
	for (const char *c = text; *c != '\0'; c++)
		failed |= buf_add(
		    &f->lines, shown, escape_byte((unsigned char)*c, shown));
	failed |= buf_add(&f->lines, "\n", 1);
	f->no_memory |= failed != 0;
}

unsigned
findings_errors(const struct findings *f)
{
	return f->n[FINDING_ERROR] + f->n[FINDING_DOWN];
}

int
findings_status(const struct findings *f)
{
	if (f->n[FINDING_ERROR] > 0)
		return EXIT_CONFIG;
	if (f->n[FINDING_DOWN] > 0 || f->no_memory)
		return EXIT_TEMPFAIL;
	return f->n[FINDING_WARNING] > 0 ? EXIT_REJECTED : EXIT_DELIVERED;
}

int
findings_end(struct findings *f)
{
	if (io_write_all(STDOUT_FILENO, buf_ptr(&f->lines), f->lines.len,
		IO_FOREVER) < 0 ||
	    io_finish(STDOUT_FILENO) < 0)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	if (f->no_memory)
		log_no_memory();
	buf_free(&f->lines);
	return findings_status(f);
}
