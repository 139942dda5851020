/*
 * Any bytes as the metrics of a system, which incr-top reads over HTTP: each
 * sample lies inside the text, its labels can be read, two readings of halves
 * give figures without an error of memory, and each screen has the size that it
 * should have, without a byte that commands a terminal.
 */
#include <math.h>

#include "fuzz.h"
#include "top/figures.h"
#include "top/figures_table.h"
#include "top/prom_text.h"
#include "top/view.h"

static void
read_samples(const char *text, size_t len)
{
	static const char *const labels[] = {"program", "queue", "le", ""};
	struct prom_text t;
	struct prom_sample s;
	char value[8];

	prom_text_open(&t, text, len);
	while (prom_text_next(&t, &s)) {
		promise(s.name >= text && s.name_len > 0 &&
			s.name + s.name_len <= text + len);
		promise(s.labels_len == 0 ||
			(s.labels > s.name &&
			    s.labels + s.labels_len < text + len));
		for (size_t i = 0; i < 4; i++) {
			bool found =
			    prom_text_label(&s, labels[i], value, sizeof value);

			promise(strlen(value) < sizeof value);
			promise(found || *value == '\0');
		}
	}
}

/* Of one column for each byte, as nothing here is a glyph of UTF-8. */
static void
look(const struct figures *f, int rows, int cols)
{
	struct view v = {.source = "s", .clock = "12:00:00", .keys = true};
	struct frame frame = {0};
	struct buf table = {0};
	int at_row = 0, at_col = 0;

	frame_begin(&frame, rows, cols);
	view_draw(&frame, f, &v);
	promise(!frame.failed);
	for (size_t i = 0; i < frame.text.len; i++) {
		unsigned char c = (unsigned char)buf_ptr(&frame.text)[i];

		promise(c == '\n' || (c >= ' ' && c <= '~'));
		at_row += c == '\n';
		at_col = c == '\n' ? 0 : at_col + 1;
		promise(at_col <= cols);
	}
	promise(at_row == rows);
	promise(figures_table(f, &table) == 0);
	buf_free(&table);
	frame_free(&frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct figures *f = calloc(1, sizeof *f);
	const char *text = (const char *)data;
	size_t half = len / 2;

	promise(f != NULL);
	read_samples(text, len);
	for (int i = 0; i < 3; i++) {
		figures_begin(f, 100 + i, 1000000 + i);
		promise(figures_add(f, 0, text, i == 1 ? half : len) == 0);
		figures_end(f);
		for (size_t k = 0; k < FIGURES_COUNTERS; k++)
			promise(!(figures_rate(f, &f->counters[k]) < 0));
	}
	look(f, 24, 80);
	look(f, 1 + (int)(len % 50), 1 + (int)(len % 130));
	figures_free(f);
	free(f);
	return 0;
}
