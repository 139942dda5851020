/*
 * What a screen shows: numbers for people, bars and sparklines, and which rows
 * are left out where there is little room.
 */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "top/human.h"
#include "top/view.h"

static void
test_human(void)
{
	static const struct {
		struct human (*of)(double);
		double n;
		const char *text;
	} all[] = {
	    {human_count, 0, "0"},
	    {human_count, 999.6, "1,000"},
	    {human_count, 1234567, "1,234,567"},
	    {human_count, 9999999.4, "9,999,999"},
	    {human_count, 12345678, "12.3M"},
	    {human_count, 9.9999e9, "10.0G"},
	    {human_count, 1e18, "1.00E"},
	    {human_count, 1e300, ">1000E"},
	    {human_count, NAN, "-"},
	    {human_rate, 0, "0/s"},
	    {human_rate, 0.001, "0.00/s"},
	    {human_rate, 0.25, "0.25/s"},
	    {human_rate, 9.5, "9.5/s"},
	    {human_rate, 9.97, "10/s"},
	    {human_rate, 12345, "12,345/s"},
	    {human_rate, NAN, "-"},
	    {human_bytes, 512, "512"},
	    {human_bytes, 3500000, "3.50M"},
	    {human_bytes, 999600, "1.00M"},
	    {human_share, 0.123, "12.3%"},
	    {human_share, 2, "200.0%"},
	    {human_seconds, 0.0007, "0.7ms"},
	    {human_seconds, 0.12, "120ms"},
	    {human_seconds, 0.9996, "1.0s"},
	    {human_seconds, 8.12, "8.1s"},
	    {human_seconds, 480, "480s"},
	    {human_seconds, 5000, "1h23m"},
	    {human_age, 45.9, "45s"},
	    {human_age, 720, "12m"},
	    {human_age, 7380, "2h03m"},
	    {human_age, 273600, "3d04h"},
	    {human_age, -5, "0s"},
	    {human_age, 1e18, ">30y"},
	};

	for (size_t i = 0; i < check_n(all); i++) {
		struct human h = all[i].of(all[i].n);

		check(strcmp(h.text, all[i].text) == 0, "%g: %s", all[i].n,
		    h.text);
	}
	check(strcmp(human_behind('>', human_seconds(10)).text, ">10.0s") == 0,
	    "in front");
}

/* A frame of one row, as text. */
static const char *
row(struct frame *f)
{
	frame_end_row(f);
	(void)buf_add(&f->text, "", 1);
	return buf_ptr(&f->text);
}

static void
test_frame(void)
{
	struct frame f = {0};
	static const double values[] = {0, 1, 4, 8, -1};

	frame_begin(&f, 1, 20);
	frame_put(&f, FRAME_BAD, "%s", "a\033[2Jb\xc2\x9b\tc");
	check(strcmp(row(&f), "a?[2Jb???c\n") == 0, "%s", buf_ptr(&f.text));
	frame_begin(&f, 1, 4);
	frame_put(&f, FRAME_PLAIN, "123456");
	frame_put(&f, FRAME_PLAIN, "7");
	check(strcmp(row(&f), "1234\n") == 0, "cut: %s", buf_ptr(&f.text));
	check(!frame_end_row(&f), "no row more");
	frame_tab(&f, 3);
	check(f.col == 0, "a column of no row");
	frame_begin(&f, 1, 8);
	frame_bar(&f, FRAME_PLAIN, 5, 10, 8);
	check(strcmp(row(&f), "####....\n") == 0, "%s", buf_ptr(&f.text));
	frame_begin(&f, 1, 8);
	frame_bar(&f, FRAME_PLAIN, 50, 10, 4);
	frame_bar(&f, FRAME_PLAIN, NAN, 10, 4);
	check(strcmp(row(&f), "####....\n") == 0, "%s", buf_ptr(&f.text));
	frame_begin(&f, 1, 8);
	frame_spark(&f, FRAME_PLAIN, values, 5, 8);
	check(strcmp(row(&f), " .=@ \n") == 0, "%s", buf_ptr(&f.text));
	f.utf8 = f.color = true;
	frame_begin(&f, 1, 8);
	frame_spark(&f, FRAME_PLAIN, values, 5, 8);
	frame_bar(&f, FRAME_BAD, 9, 16, 3);
	check(strcmp(row(&f),
		  " \xe2\x96\x81\xe2\x96\x84\xe2\x96\x88 "
		  "\033[1;31m\xe2\x96\x88\xe2\x96\x8a.\033[0m\n") == 0,
	    "%s", buf_ptr(&f.text));
	frame_free(&f);
}

#define P(program, pid) \
	"program=\"incr-" program "\",host=\"h\",pidns=\"1\",pid=\"" pid "\""

static struct figures *g;

/* 25 processes of three programs, two queues, and one that is late. */
static void
fill(void)
{
	struct buf text = {0};

	for (int i = 0; i < 25; i++)
		(void)buf_addf(&text,
		    "incr_updated_timestamp_seconds{program=\"incr-%s\","
		    "host=\"h\",pidns=\"1\",pid=\"%d\"} 50\n",
		    i % 3 == 0   ? "serve"
		    : i % 3 == 1 ? "publish"
				 : "flush",
		    i);
	(void)buf_addf(&text,
	    "incr_queue_ready{queue=\"a\",%s} 12345\n"
	    "incr_queue_ready{queue=\"b\",%s} 5\n"
	    "incr_queue_oldest_seconds{queue=\"b\",%s} 12.5\n",
	    P("flush", "2"), P("flush", "2"), P("flush", "2"));
	g = calloc(1, sizeof *g);
	for (int now = 10; now <= 50; now += 40) {
		figures_begin(g, now, 1000 + now);
		(void)figures_add(g, 0, buf_ptr(&text), text.len);
		figures_end(g);
	}
	buf_free(&text);
}

static const char *
screen(struct frame *f, int rows, int cols, const char *trouble)
{
	struct view v = {.source = "/some/folder",
	    .clock = "12:34:56",
	    .trouble = trouble,
	    .keys = true};

	frame_begin(f, rows, cols);
	view_draw(f, g, &v);
	(void)buf_add(&f->text, "", 1);
	return buf_ptr(&f->text);
}

#define SHOWS(text) check(strstr(s, text) != NULL, "%s in\n%s", text, s)
#define LACKS(text) check(strstr(s, text) == NULL, "%s in\n%s", text, s)

/* Every size has its number of rows, and none is too wide. */
static void
test_sizes(void)
{
	struct frame f = {0};

	for (int rows = 1; rows < 60; rows++)
		for (int cols = 1; cols < 200; cols += 7) {
			const char *s = screen(&f, rows, cols, "trouble");
			int n = 0;

			while (*s != '\0') {
				size_t len = strcspn(s, "\n");

				check(len <= (size_t)cols, "%dx%d: %s", rows,
				    cols, s);
				s += len + 1;
				n++;
			}
			check(n == rows, "%dx%d: %d", rows, cols, n);
		}
	frame_free(&f);
}

static void
test_view(void)
{
	struct frame f = {0};
	const char *s = screen(&f, 24, 80, NULL);

	SHOWS("incr-top  /some/folder ");
	SHOWS("12:34:56\n");
	SHOWS("a                       12,345      -      -           -       "
	      "-  ....");
	SHOWS("12.5s! ##############"); /* late, without colours */
	SHOWS("x8");                    /* processes of a program in one row */
	SHOWS("\nq quit  p pause\n");
	LACKS("trouble");
	s = screen(&f, 60, 120, "http://h/: no answer");
	SHOWS("\n! http://h/: no answer\n");
	SHOWS("incr-serve    h                   24 ");
	LACKS("x8");
	LACKS("no incr-flush");
	s = screen(&f, 12, 80, NULL);
	SHOWS("12.5s!"); /* of more queues than rows the one that is late */
	LACKS("12,345       -");
	SHOWS("12,350"); /* and the sum */
	frame_free(&f);
}

/* Alive once, then not seen. */
static void
test_gone(void)
{
	static const char left[] = "incr_updated_timestamp_seconds{" P(
	    "consume", "5") "} 5\n"
			    "incr_queue_ready{queue=\"a\"} 5\n";
	struct frame f = {0};
	const char *s;

	figures_begin(g, 51, 1051);
	(void)figures_add(g, 0, left, sizeof left - 1);
	figures_end(g);
	s = screen(&f, 24, 80, NULL);
	SHOWS("! no incr-flush runs");
	SHOWS("incr-flush    h                    -  8 of 8 gone");
	frame_free(&f);
}

/* All of a queue in one row, and of a long name its shard, too. */
static void
test_shards(void)
{
	static const char text[] =
	    "incr_queue_ready{queue=\"counts\"} 1\n"
	    "incr_queue_ready{queue=\"counts.0\"} 20\n"
	    "incr_queue_ready{queue=\"counts.1\"} 300\n"
	    "incr_queue_oldest_seconds{queue=\"counts.1\"} 4\n"
	    "incr_queue_ready{queue=\"a-name-of-30-bytes-aaaaaaaaa.12\"} 5\n";
	struct frame f = {0};
	const char *s;

	figures_begin(g, 52, 1052);
	(void)figures_add(g, 0, text, sizeof text - 1);
	figures_end(g);
	s = screen(&f, 30, 80, NULL);
	SHOWS("\na-name-of-30-byte.12         5 ");
	SHOWS("\ncounts/2                   321      -      -           -    "
	      "4.0s");
	SHOWS("\ncounts                       1 ");
	SHOWS("\ncounts.0                    20 ");
	SHOWS("\ncounts.1                   300 ");
	s = screen(&f, 14, 80, NULL);
	SHOWS("\ncounts/2 ");
	LACKS("counts.0");
	frame_free(&f);
}

int
main(void)
{
	test_human();
	test_frame();
	fill();
	test_sizes();
	test_view();
	test_gone();
	test_shards();
	figures_free(g);
	free(g);
	return check_end();
}
