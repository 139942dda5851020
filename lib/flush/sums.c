/* Writes what keys have after a COMMIT: --sums. */
#include "flush/sums.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "base/num.h"
#include "flush/acknowledger.h"
#include "postgres/counts.h"
#include "postgres/statements.h"

enum { READ = 1 }; /* the only task */

static void add(struct sums *s, const struct increment *inc, size_t n);
static void add_key(struct sums *s, const struct id *key);
static bool takes(struct sums *s);
static bool waits(const struct sums *s);
static void write_some(struct sums *s);
static void read_some(struct sums *s, short revents);
static void take(struct sums *s);
static int add_line(struct sums *s, size_t row);
static void begin(struct sums *s);
static void turn(struct sums *s);
static void note_late(struct sums *s, int64_t now_ms);
static bool is_elsewhere(const struct sums *s);

void
sums_open(struct sums *s, struct postgres *pg, const struct committer *own,
    const struct hash_seed *seed, uint64_t max_keys)
{
	*s = (struct sums){.pg = pg,
	    .own = own,
	    .max_keys = max_keys > SUMS_KEYS ? max_keys : SUMS_KEYS};
	keysums_open(&s->fresh, seed);
	keysums_open(&s->reading, seed);
	task_queue_init(&s->tasks, clock_ms());
}

void
sums_close(struct sums *s)
{
	if (s->pg != NULL)
		postgres_close(s->pg);
	keysums_free(&s->fresh);
	keysums_free(&s->reading);
	buf_free(&s->out);
	s->pg = NULL;
}

/* -- keys ----------------------------------------------------------------- */

/* The log of adopted batches has those, too, that were in the table before
 * this process came to them. */
void
sums_add_window(struct sums *s, const struct window *w)
{
	const struct keysums *k = &w->keysums;

	if (!takes(s))
		return;
	/* Now the tables are right. */
	postgres_prove(s->pg);
	if (w->adopted)
		add(s, (const void *)buf_ptr(&w->log),
		    w->log.len / sizeof(struct increment));
	else
		for (size_t i = 0; i < k->n; i++) /* sorted for the statement */
			add_key(s, &k->items[i].key);
}

void
sums_add_batch(struct sums *s, const struct batch *b)
{
	if (takes(s))
		add(s, (const void *)buf_ptr(&b->increments),
		    b->increments.len / sizeof(struct increment));
}

/* Of one window there are not too many. */
static bool
takes(struct sums *s)
{
	if (s->pg == NULL || s->over)
		return false;
	if (s->fresh.n >= s->max_keys)
		s->full = s->lost = true;
	return s->fresh.n < s->max_keys;
}

static void
add(struct sums *s, const struct increment *inc, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_key(s, &inc[i].key);
}

static void
add_key(struct sums *s, const struct id *key)
{
	if (s->fresh.n == 0)
		s->fresh_ms = clock_ms();
	if (keysums_add(&s->fresh, key, 1) < 0)
		s->full = s->lost = true;
}

/* -- the loop ------------------------------------------------------------- */

static bool
waits(const struct sums *s)
{
	return s->fresh.n > 0 || s->next < s->reading.n || s->out.len > 0;
}

int64_t
sums_since(const struct sums *s)
{
	if (s->pg == NULL || s->over || !waits(s))
		return IO_FOREVER;
	return s->next < s->reading.n || s->out.len > 0 ? s->reading_ms
							: s->fresh_ms;
}

/* A connection that nobody wants is not made. */
int64_t
sums_wait(const struct sums *s, struct pollfd ret_pfds[SUMS_PFDS])
{
	int64_t now_ms = clock_ms(), due_ms, late_ms;
	bool idle;

	ret_pfds[0] = ret_pfds[1] = (struct pollfd){.fd = -1};
	if (s->pg == NULL || s->over)
		return IO_FOREVER;
	idle = postgres_status(s->pg)->idle;
	if (!waits(s) && !idle)
		return IO_FOREVER;
	due_ms = postgres_wait(s->pg, &ret_pfds[0]);
	if (s->out.len > 0)
		ret_pfds[1] =
		    (struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT};
	else
		due_ms = task_queue_due(&s->tasks, idle, due_ms, now_ms);
	if (!waits(s))
		return due_ms;
	late_ms = sums_since(s) + ACKNOWLEDGER_SUMS_MS;
	if (now_ms < late_ms)
		due_ms = num_min(late_ms, due_ms);
	late_ms = s->progress_ms + ACKNOWLEDGER_SUMS_MS;
	return now_ms < late_ms ? num_min(late_ms, due_ms) : due_ms;
}

void
sums_step(struct sums *s, const struct pollfd pfds[SUMS_PFDS])
{
	if (s->pg == NULL || s->over)
		return;
	if (s->out.len > 0)
		write_some(s);
	if (!s->over && (waits(s) || postgres_status(s->pg)->idle))
		read_some(s, pfds[0].revents);
	note_late(s, clock_ms());
}

static void
write_some(struct sums *s)
{
	while (s->out.len > 0) {
		int64_t n =
		    io_write_some(STDOUT_FILENO, buf_ptr(&s->out), s->out.len);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			sums_leave(s, NULL);
			reason_set(s->why, "stdout: %s; no more sums",
			    strerror(errno));
			return;
		}
		buf_drop(&s->out, (size_t)n);
		s->progress_ms = clock_ms();
	}
}

static void
read_some(struct sums *s, short revents)
{
	enum postgres_state state = postgres_step(s->pg, revents);
	const char *why = postgres_status(s->pg)->why;
	unsigned task;

	if (state == POSTGRES_FAULT) {
		sums_leave(s, NULL);
		reason_set(s->why, "postgres: %s; no more sums", why);
		return;
	}
	task = task_queue_step(
	    &s->tasks, committer_link(state), why[0] != '\0', clock_ms());
	if (task == READ)
		take(s);
	if (!s->over && s->out.len == 0 && postgres_status(s->pg)->idle)
		begin(s);
}

/* What was read becomes lines. */
static void
take(struct sums *s)
{
	task_queue_remove(&s->tasks, READ);
	for (size_t i = 0; i < postgres_rows(s->pg); i++)
		if (add_line(s, i) < 0) {
			sums_leave(s, "sums: the queue is counted in another "
				      "database; no more sums");
			return;
		}
	s->next += s->asked;
	s->progress_ms = clock_ms();
	FAILPOINT("flush-sums-read");
	write_some(s);
}

/* Without memory the key is written when it is counted again. */
static int
add_line(struct sums *s, size_t row)
{
	char key[ID_TEXT + 1], value[U128_TEXT];
	struct id id;
	u128 count;

	if (counts_row(s->pg, row, &id, &count) < 0)
		return -1;
	id_format(&id, key);
	u128_format(count, value);
	if (buf_addf(&s->out, "{\"key\":\"%s\",\"value\":%s}\n", key, value) <
	    0)
		s->full = s->lost = true;
	return 0;
}

static void
begin(struct sums *s)
{
	int64_t now_ms = clock_ms();
	const struct committer *own = s->own;

	if (s->next == s->reading.n)
		turn(s);
	if (s->next == s->reading.n)
		return;
	if (is_elsewhere(s)) {
		sums_leave(s, "sums: the queue is counted in another "
			      "database; no more sums");
		return;
	}
	task_queue_add(&s->tasks, READ);
	if (task_queue_next(&s->tasks, now_ms) != READ)
		return;
	s->asked = num_min_size(s->reading.n - s->next, SUMS_PIECE);
	/* A lack of memory may pass. */
	if (counts_read(s->pg, &s->reading.items[s->next].key,
		sizeof *s->reading.items, s->asked,
		own->bound ? &own->database : NULL) < 0)
		task_queue_pause(&s->tasks, READ, now_ms);
	else
		task_queue_begin(&s->tasks, READ);
}

/* Those that came meanwhile are the next to be read. */
static void
turn(struct sums *s)
{
	struct keysums done = s->reading;

	keysums_clear(&done);
	s->reading = s->fresh;
	s->reading_ms = s->fresh_ms;
	s->fresh = done;
	s->next = s->asked = 0;
	keysums_sort(&s->reading);
}

static bool
is_elsewhere(const struct sums *s)
{
	struct id id;

	return s->own->bound && (statements_database(s->pg, &id) < 0 ||
				    !id_equal(&id, &s->own->database));
}

/* -- time ----------------------------------------------------------------- */

void
sums_end(struct sums *s)
{
	s->progress_ms = clock_ms();
}

bool
sums_done(const struct sums *s, int64_t now_ms)
{
	int64_t last_ms;

	if (s->pg == NULL || s->over || !waits(s))
		return true;
	last_ms =
	    sums_since(s) > s->progress_ms ? sums_since(s) : s->progress_ms;
	return now_ms >= last_ms + ACKNOWLEDGER_SUMS_MS;
}

void
sums_leave(struct sums *s, const char *why)
{
	if (s->pg == NULL || s->over)
		return;
	s->lost |= waits(s);
	s->over = true;
	if (why != NULL)
		reason_set(s->why, "%s", why);
}

/* From the first that was late until nothing waits it is one trouble. */
static void
note_late(struct sums *s, int64_t now_ms)
{
	if (s->over)
		return;
	if (!waits(s)) {
		s->late = s->full = s->said_late = s->said_full = false;
		return;
	}
	if (s->late || now_ms < sums_since(s) + ACKNOWLEDGER_SUMS_MS)
		return;
	s->late = true;
	if (s->out.len > 0)
		reason_set(s->why,
		    "stdout: its reader is slow; batches are acknowledged "
		    "before their sums are written");
	else
		reason_set(s->why,
		    "postgres: sums: %s; batches are acknowledged before "
		    "their sums are written",
		    postgres_status(s->pg)->why);
}

bool
sums_news(struct sums *s, char ret_why[REASON_MAX])
{
	if (s->over && !s->said_over && s->why[0] != '\0') {
		s->said_over = true;
		reason_set(ret_why, "%s", s->why);
	} else if (s->late && !s->said_late && !s->over) {
		s->said_late = true;
		reason_set(ret_why, "%s", s->why);
	} else if (s->full && !s->said_full) {
		s->said_full = true;
		reason_set(ret_why,
		    "sums: too many keys wait to be written; some are only "
		    "when they are counted again");
	} else {
		return false;
	}
	return true;
}

int
sums_finish(struct sums *s, char ret_why[REASON_MAX])
{
	if (s->pg == NULL)
		return 0;
	if (s->lost || waits(s)) {
		reason_set(ret_why, "stdout: some sums were not written");
		return -1;
	}
	if (io_finish(STDOUT_FILENO) < 0) {
		reason_set(ret_why, "stdout: %s", strerror(errno));
		return -1;
	}
	return 0;
}
