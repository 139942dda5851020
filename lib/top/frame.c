/* A picture of rows and columns of text. */
#include "top/frame.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { EIGHTHS = 8, PUT_MAX = 512 };

/* By enum frame_style: of eight colours those that are readable on light and
 * dark. */
static const char *const codes[] = {
    [FRAME_PLAIN] = "",
    [FRAME_STRONG] = "\033[1m",
    [FRAME_GOOD] = "\033[32m",
    [FRAME_WARN] = "\033[35m",
    [FRAME_BAD] = "\033[1;31m",
};
static const char plain[] = "\033[0m";

void
frame_begin(struct frame *f, int rows, int cols)
{
	buf_clear(&f->text);
	f->rows = rows;
	f->cols = cols;
	f->row = f->col = 0;
	f->failed = false;
}

static void
add(struct frame *f, const char *text, size_t len)
{
	if (buf_add(&f->text, text, len) < 0)
		f->failed = true;
}

static void
add_text(struct frame *f, const char *text)
{
	add(f, text, strlen(text));
}

static void
begin_style(struct frame *f, enum frame_style style)
{
	if (f->color)
		add_text(f, codes[style]);
}

static void
end_style(struct frame *f, enum frame_style style)
{
	if (f->color && style != FRAME_PLAIN)
		add_text(f, plain);
}

void
frame_put(struct frame *f, enum frame_style style, const char *fmt, ...)
{
	char text[PUT_MAX];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	len = strlen(text);
	if (len > (size_t)frame_cols_left(f))
		len = (size_t)frame_cols_left(f);
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	if (len == 0)
		return;
	begin_style(f, style);
	add(f, text, len);
	end_style(f, style);
	f->col += (int)len;
}

void
frame_tab(struct frame *f, int col)
{
	do
		frame_put(f, FRAME_PLAIN, " ");
	while (f->col < col && frame_cols_left(f) > 0);
}

bool
frame_end_row(struct frame *f)
{
	if (f->row >= f->rows)
		return false;
	add_text(f, "\n");
	f->col = 0;
	return ++f->row < f->rows;
}

int
frame_rows_left(const struct frame *f)
{
	return f->rows - f->row;
}

int
frame_cols_left(const struct frame *f)
{
	return f->row < f->rows && f->col < f->cols ? f->cols - f->col : 0;
}

/* A glyph that is filled by so many eighths, from the left or from below. */
static void
glyph(struct frame *f, int eighths, bool from_left)
{
	static const char ascii[] = " .:-=+*#@";
	char utf8[] = "\xe2\x96\x80";

	if (frame_cols_left(f) == 0)
		return;
	/* U+2581 one eighth from below … U+2588 whole … U+258F from the left */
	utf8[2] = (char)(from_left ? 0x90 - eighths : 0x80 + eighths);
	if (eighths == 0)
		add(f, from_left ? "." : " ", 1);
	else if (f->utf8)
		add_text(f, utf8);
	else
		add(f, from_left ? "#" : &ascii[eighths], 1);
	f->col++;
}

/* Part of a column is a whole one in ASCII, from its middle on. */
void
frame_bar(struct frame *f, enum frame_style style, double value, double max,
    int width)
{
	double part = isnan(value) || max <= 0 ? 0 : fmin(value / max, 1);
	int filled = (int)lround(part * width * EIGHTHS);

	begin_style(f, style);
	for (int i = 0; i < width; i++) {
		int eighths = filled - i * EIGHTHS;

		eighths = eighths > EIGHTHS ? EIGHTHS
			  : eighths < 0     ? 0
					    : eighths;
		if (!f->utf8 && eighths < EIGHTHS / 2)
			eighths = 0;
		glyph(f, eighths, true);
	}
	end_style(f, style);
}

/* What is not 0 is seen. */
void
frame_spark(struct frame *f, enum frame_style style, const double *values,
    size_t n, double max)
{
	begin_style(f, style);
	for (size_t i = 0; i < n; i++) {
		double part = max > 0 ? fmin(values[i] / max, 1) : 0;

		glyph(f,
		    values[i] > 0 && max > 0 ? (int)ceil(part * EIGHTHS) : 0,
		    false);
	}
	end_style(f, style);
}

void
frame_free(struct frame *f)
{
	buf_free(&f->text);
}
