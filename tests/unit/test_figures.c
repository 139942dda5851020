/*
 * From the text of a system to its figures: sums of counters, maxima of gauges
 * that several processes tell, and the table for scripts.
 */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "queue/shards.h"
#include "top/figures.h"
#include "top/figures_table.h"

#define P(program, pid) \
	"program=\"incr-" program "\",host=\"h\",pidns=\"1\",pid=\"" pid "\""
#define ALIVE(program, pid) \
	"incr_updated_timestamp_seconds{" P(program, pid) "} 5000\n"
#define QUEUE(figure, pid, queue, value) \
	"incr_queue_" figure "{queue=\"" queue \
	"\"," P("consume", pid) "} " #value "\n"

#define LATER \
	"incr_published_total{" P( \
	    "publish", "9") "} 777\n" \
			    "process_start_time_seconds{" P("publish", \
				"9") "} 1000290\n" \
				     "incr_updated_timestamp_seconds{" P( \
					 "publish", "9") "} 1000312\n"

static struct figures *f;

static void
reading(double now, const char *text)
{
	figures_begin(f, now, 1000000 + now);
	check(figures_add(f, 0, text, strlen(text)) == 0, "memory");
	figures_end(f);
}

static void
restart(void)
{
	if (f != NULL)
		figures_free(f);
	free(f);
	f = calloc(1, sizeof *f);
	check(f != NULL, "memory");
}

static void
test_counters(void)
{
	const struct figures_total *in;

	restart();
	in = &f->counters[FIGURES_IN];
	reading(10,
	    "incr_published_total{" P("publish",
		"1") "} 100\n"
		     "incr_published_total{" P("publish", "2") "} 1000\n");
	check(in->total == 1100, "%g", in->total);
	check(isnan(figures_rate(f, in)), "no rate yet");
	reading(11,
	    "incr_published_total{" P("publish",
		"1") "} 150\n"
		     "incr_published_total{" P("publish", "2") "} 1020\n");
	check(fabs(figures_rate(f, in) - 70) < 1e-9, "%g", figures_rate(f, in));
	/* The second one began again; a third one came; a fourth one has been
	 * there before, on a host that was not seen. */
	reading(12,
	    "incr_published_total{" P("publish",
		"1") "} 200\n"
		     "incr_published_total{" P("publish",
			 "2") "} 10\n"
			      "incr_published_total{" P("publish",
				  "3") "} 60\n"
				       "process_start_time_seconds{" P(
					   "publish",
					   "3") "} 1000011.5\n"
						"incr_published_total{" P(
						    "publish",
						    "4") "} 999999\n"
							 "process_start_time_"
							 "seconds{" P("publish",
							     "4") "} 1000\n");
	check(fabs(figures_rate(f, in) - 95) < 1e-9,
	    "(70 + 50 + 10 + 60) / 2: %g", figures_rate(f, in));
	/* A series that begins in a process which was there. */
	reading(13,
	    "incr_http_requests_total{code=\"202\"," P("publish", "1") "} 8\n");
	check(f->n_codes == 1 &&
		  fabs(figures_rate(f, &f->codes[0].answers) - 8) < 1e-9,
	    "%g", figures_rate(f, &f->codes[0].answers));
}

/* Hosts with the same name, pids and namespaces; the clock of the second one is
 * five minutes ahead. */
static void
test_hosts(void)
{
	static const char *const texts[][2] = {
	    {"incr_published_total{" P("publish", "1") "} 100\n",
		"incr_published_total{" P("publish", "1") "} 5000\n"},
	    {"incr_published_total{" P("publish", "1") "} 110\n",
		"incr_published_total{" P("publish", "1") "} 5001\n"},
	};
	const struct figures_total *in;

	restart();
	in = &f->counters[FIGURES_IN];
	for (int i = 0; i < 2; i++) {
		figures_begin(f, 10 + i, 1000010 + i);
		for (int host = 0; host < 2; host++)
			check(figures_add(f, host, texts[i][host],
				  strlen(texts[i][host])) == 0,
			    "memory");
		figures_end(f);
	}
	check(in->total == 5111, "%g", in->total);
	check(fabs(figures_rate(f, in) - 11) < 1e-9, "%g", figures_rate(f, in));
	check(f->processes.n == 2, "%zu", f->processes.n);

	/* One that has run for a while by its own clock is not new. */
	figures_begin(f, 12, 1000012);
	check(
	    figures_add(f, 0, texts[1][0], strlen(texts[1][0])) == 0, "memory");
	check(
	    figures_add(f, 1, texts[1][1], strlen(texts[1][1])) == 0, "memory");
	check(figures_add(f, 2, LATER, sizeof LATER - 1) == 0, "memory");
	figures_end(f);
	check(fabs(figures_rate(f, in) - 11) < 1e-9, "%g", figures_rate(f, in));
}

static void
test_answers(void)
{
	restart();
	reading(1, "incr_http_requests_total{code=\"503\"," P("serve",
		       "1") "} 3\n"
			    "incr_http_requests_total{code=\"202\"," P("serve",
				"1") "} 5\n"
				     "incr_http_requests_total{code=\"202\"," P(
					 "serve", "2") "} 6\n");
	check(f->n_codes == 2, "two codes");
	check(strcmp(f->codes[0].code, "202") == 0 &&
		  f->codes[0].answers.total == 11,
	    "in order, summed");
	check(f->codes[1].answers.total == 3, "503");
}

/* Several processes tell of a queue: max, and never sum. */
static void
test_queues(void)
{
	restart();
	reading(1, QUEUE("ready", "1", "b", 7) QUEUE("ready", "2", "b", 9)
		       QUEUE("ready", "3", "b", 8) QUEUE("ready", "3", "a", 100)
			   QUEUE("unacked", "1", "b", 2) QUEUE("unacked", "2",
			       "b", 1) QUEUE("oldest_seconds", "1", "b", 3.5)
			       QUEUE("oldest_seconds", "2", "b", 11));
	check(f->n_queues == 2, "%zu", f->n_queues);
	check(strcmp(f->queues[0].name, "a") == 0 &&
		  f->queues[0].ready == 100 && isnan(f->queues[0].taken),
	    "a");
	check(f->queues[1].ready == 9 && f->queues[1].taken == 2 &&
		  f->queues[1].oldest == 11,
	    "b");
	check(figures_ready(f) == 109 && figures_oldest(f) == 11, "all");
	reading(2, "x 1\n");
	check(f->n_queues == 0 && isnan(figures_ready(f)) &&
		  isnan(figures_oldest(f)),
	    "nobody tells: not 0");
}

#define OUT(queue, pid, value) \
	"incr_flushed_total{queue=\"" queue \
	"\"," P("flush", pid) "} " #value "\n" ALIVE("flush", pid)

/* In the order of their numbers, behind their queue; together as sums, but for
 * the oldest. */
static void
test_shards(void)
{
	struct figures_queue all;
	unsigned shards;

	restart();
	reading(10, OUT("q.2", "1", 100) OUT("q.2", "2", 50) OUT("q", "3", 1)
			OUT("r.1", "4", 0));
	reading(20, OUT("q.2", "1", 150) OUT("q.2", "2", 60) OUT("q", "3", 1)
			OUT("r.1", "4", 0) QUEUE("ready", "5", "q.10", 7)
			    QUEUE("oldest_seconds", "5", "q.10", 3)
				QUEUE("ready", "5", "q.2", 5)
				    QUEUE("ready", "5", "q-x", 100)
					QUEUE("oldest_seconds", "5", "q.2", 4));
	check(f->n_queues == 5 && strcmp(f->queues[0].name, "q") == 0 &&
		  strcmp(f->queues[1].name, "q.2") == 0 &&
		  strcmp(f->queues[2].name, "q.10") == 0,
	    "order");
	check(f->queues[1].total == 210 && f->queues[1].rate == 6, "%g %g",
	    f->queues[1].total, f->queues[1].rate);
	check(f->queues[0].rate == 0 && isnan(f->queues[2].rate), "rates");
	check(figures_shards(f, 0, &shards, &all) == 3 && shards == 2,
	    "%u shards", shards);
	check(strcmp(all.name, "q") == 0 && all.ready == 12 &&
		  all.total == 211 && all.rate == 6 && all.oldest == 4 &&
		  isnan(all.taken),
	    "all: %g %g %g %g", all.ready, all.total, all.rate, all.oldest);
	check(figures_shards(f, 3, &shards, &all) == 1 && shards == 0, "q-x");
	check(figures_shards(f, 4, &shards, &all) == 1 && shards == 1, "r.1");
	check(figures_ready(f) == 112 && f->counters[FIGURES_OUT].total == 211,
	    "the system");
	reading(50, OUT("q.2", "1", 150));
	check(f->n_queues == 1 && f->queues[0].rate == 0 &&
		  f->queues[0].total == 150,
	    "others are gone");
}

/* A queue with as many shards as there may be. */
static void
test_many_queues(void)
{
	struct figures_queue all;
	struct buf text = {0};
	unsigned shards;

	restart();
	for (int i = SHARDS_MAX - 1; i >= 0; i--)
		check(buf_addf(&text, "incr_queue_ready{queue=\"q.%d\"} 1\n",
			  i) == 0,
		    "memory");
	check(buf_addf(&text, "incr_queue_ready{queue=\"q\"} 1\n") == 0 &&
		  buf_add(&text, "", 1) == 0,
	    "memory");
	reading(1, buf_ptr(&text));
	check(figures_shards(f, 0, &shards, &all) == SHARDS_MAX + 1 &&
		  shards == SHARDS_MAX && all.ready == SHARDS_MAX + 1,
	    "%u shards, %g", shards, all.ready);
	buf_free(&text);
}

static void
test_flush(void)
{
	double mean = 0, p99 = 0;
	bool more;

	restart();
#define AT(n, sum) \
	"incr_flush_duration_seconds_bucket{le=\"0.5\"," P("flush", \
	    "1") "} " #n \
		 "\nincr_flush_duration_seconds_bucket{le=\"+Inf\"," P( \
		     "flush", \
		     "1") "} " #n \
			  "\nincr_flush_duration_seconds_sum{" P("flush", \
			      "1") "} " #sum \
				   "\nincr_flush_duration_seconds_count{" P( \
				       "flush", "1") "} " #n "\n"
	reading(1, AT(10, 1) "incr_flush_keys{" P(
		       "flush", "1") "} 7\n"
				     "incr_flush_keys{" P("flush",
					 "2") "} 5\n"
					      "incr_flush_staleness_seconds{" P(
						  "flush", "1") "} 8.5\n");
	check(f->flush.keys == 7 && f->flush.staleness == 8.5, "max");
	check(!histogram_mean(&f->statements, f->now, &mean),
	    "of before nothing is told");
	reading(2, AT(12, 1.6));
	check(histogram_mean(&f->statements, f->now, &mean) &&
		  fabs(mean - 0.3) < 1e-9,
	    "%g", mean);
	check(histogram_quantile(&f->statements, f->now, 0.99, &p99, &more) &&
		  p99 <= 0.5,
	    "%g", p99);
	check(isnan(f->flush.keys), "nobody tells now");
}

static void
test_nonsense(void)
{
	restart();
	reading(1, "incr_published_total -5\nincr_published_total NaN\n"
		   "incr_published_total +Inf\nincr_published_total 1e300\n"
		   "incr_published_totally 5\nincr_published 5\n"
		   "incr_flush_duration_seconds 5\nhalf");
	check(f->counters[FIGURES_IN].total == 0, "%g",
	    f->counters[FIGURES_IN].total);
	check(f->samples == 0 && f->bad == 1, "%zu %zu", f->samples, f->bad);
}

static void
test_table(void)
{
	struct buf out = {0};

	restart();
	reading(1, ALIVE("flush", "7") QUEUE("ready", "1", "evil\\n\t q", 3)
		       QUEUE("ready", "1", "s.0", 3) QUEUE("ready", "1", "s.1",
			   4) "incr_flushed_total{" P("flush", "7") "} 12\n");
	check(
	    figures_table(f, &out) == 0 && buf_add(&out, "", 1) == 0, "memory");
#define HAS(line) \
	check(strstr(buf_ptr(&out), "\n" line "\n") != NULL, "%s in\n%s", \
	    line, buf_ptr(&out))
	HAS("out_total\tall\t12");
	HAS("out_per_second\tall\t-");
	HAS("queue_ready\tevil???q\t3");
	HAS("queue_oldest_seconds\tevil???q\t-");
	HAS("queue_out_per_second\tevil???q\t-");
	HAS("shards\ts\t2");
	HAS("shards_ready\ts\t7");
	HAS("shards_oldest_seconds\ts\t-");
	HAS("processes\tincr-flush@h\t1");
	HAS("restarts\tincr-flush@h\t0");
	HAS("memory_bytes\tincr-flush@h/7\t-");
	buf_free(&out);
}

int
main(void)
{
	test_counters();
	test_hosts();
	test_answers();
	test_queues();
	test_shards();
	test_many_queues();
	test_flush();
	test_nonsense();
	test_table();
	figures_free(f);
	free(f);
	return check_end();
}
