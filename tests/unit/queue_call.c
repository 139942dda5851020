/*
 * Calls of the queue from a shell, for tests: one per line of standard
 * input, with one line of output for what became of each.
 *
 *	queue_call URL NAME
 *
 *	publish ID SEQ LINE...      tagged ID SEQ TAG=LINE...
 *	register ID                 take ID SEQ N          read ID SEQ
 *	renew SELF CLAIM ID...      adopt SELF             ask ID
 *	acknowledge ID SEQ... [/ SEQ:INDEX...]             measure
 *	run                         connect
 *
 * It waits five seconds for a connection.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "queue/queue.h"

enum { WORDS_MAX = 20000, CONNECT_WAIT_MS = 5000 };

static char *words[WORDS_MAX];
static size_t n_words;

static enum queue_state step(struct queue *q, int64_t deadline_ms);
static int connect_queue(struct queue *q);
static int begin(struct queue *q);
static int begin_publish(struct queue *q, bool tagged);
static int begin_acknowledge(struct queue *q);
static void print_result(struct queue *q);
static void print_batch(struct queue *q);
static struct id id_of(const char *text);

static struct queue_lines lines;

int
main(int argc, char **argv)
{
	const char *why;
	struct queue *q = argc == 3 ? queue_open(argv[1], argv[2], &why) : NULL;
	char *line = NULL;
	size_t cap = 0;

	if (q == NULL) {
		printf("open: %s\n", argc == 3 ? why : "URL NAME");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (getline(&line, &cap, stdin) > 0) {
		n_words = 0;
		for (char *w = strtok(line, " \n"); w != NULL;
		     w = strtok(NULL, " \n"))
			words[n_words++] = w;
		if (n_words == 0 || connect_queue(q) < 0)
			continue;
		if (strcmp(words[0], "connect") == 0) {
			puts("connected");
		} else if (strcmp(words[0], "run") == 0) {
			printf("run %" PRIu64 "\n", queue_status(q)->run);
		} else if (begin(q) < 0) {
			puts("not begun");
		} else {
			print_result(q);
		}
	}
	free(line);
	queue_lines_free(&lines);
	queue_close(q);
	return 0;
}

static enum queue_state
step(struct queue *q, int64_t deadline_ms)
{
	struct pollfd pfd;
	int64_t due = queue_wait(q, &pfd);

	io_poll(
	    &pfd, pfd.fd < 0 ? 0 : 1, due < deadline_ms ? due : deadline_ms);
	return queue_step(q, pfd.fd < 0 ? 0 : pfd.revents);
}

static int
connect_queue(struct queue *q)
{
	int64_t deadline = clock_ms() + CONNECT_WAIT_MS;
	/* One look at the connection: it may have been closed meanwhile. */
	enum queue_state state = step(q, clock_ms());

	while (state != QUEUE_IDLE) {
		if (state == QUEUE_FAULT) {
			printf("fault: %s\n", queue_status(q)->why);
			return -1;
		}
		if (clock_ms() >= deadline) {
			printf("down: %s\n", queue_status(q)->why);
			return -1;
		}
		state = step(q, deadline);
	}
	return 0;
}

static int
begin(struct queue *q)
{
	static struct id ids[WORDS_MAX];
	const char *verb = words[0];
	struct id id = {{0}};
	uint64_t seq;

	if (n_words > 1)
		id = id_of(words[1]);
	seq = n_words > 2 ? strtoull(words[2], NULL, 10) : 0;
	if (strcmp(verb, "publish") == 0 || strcmp(verb, "tagged") == 0)
		return begin_publish(q, *verb == 't');
	if (strcmp(verb, "register") == 0)
		return queue_register(q, &id, NULL, false);
	if (strcmp(verb, "take") == 0)
		return queue_take(
		    q, &id, seq, strtoull(words[3], NULL, 10), false);
	if (strcmp(verb, "read") == 0)
		return queue_read(q, &id, seq);
	if (strcmp(verb, "adopt") == 0)
		return queue_adopt(q, &id, false, false);
	if (strcmp(verb, "mark") == 0)
		return queue_mark(q, &id, (int64_t)seq);
	if (strcmp(verb, "ask") == 0)
		return queue_ask(q, &id);
	if (strcmp(verb, "measure") == 0)
		return queue_measure(q);
	if (strcmp(verb, "acknowledge") == 0)
		return begin_acknowledge(q);
	for (size_t i = 3; i < n_words; i++)
		ids[i - 3] = id_of(words[i]);
	return queue_renew(q, &id, ids, n_words - 3,
	    seq == 1 ? QUEUE_RENEW_CLAIM : QUEUE_RENEW_KEEP);
}

static int
begin_publish(struct queue *q, bool tagged)
{
	struct id id = id_of(words[1]);
	const struct queue_before before = {0};
	uint64_t seq = strtoull(words[2], NULL, 10);
	const struct queue_terms terms = {
	    .window_s = 100, .not_after_ms = INT64_MAX, .name = seq};

	/* A refusal comes again, for what is published. */
	if (seq == 1 && queue_introduce(q, &id, &before) == 0)
		while (step(q, IO_FOREVER) == QUEUE_CALLING)
			;
	queue_lines_clear(&lines);
	for (size_t i = 3; i < n_words; i++) {
		char *w = words[i];
		size_t tag = tagged ? strcspn(w, "=") : 0;
		char *text = tagged ? w + tag + 1 : w;

		struct increment inc = {.value = 1};

		/* Any text stands for an increment of its own. */
		for (size_t k = 0; k < ID_BYTES && text[k] != '\0'; k++)
			inc.key.bytes[k] = (uint8_t)text[k];
		queue_lines_add(&lines, w, tag, text, strlen(text), &inc);
	}
	return queue_publish(q, &id, seq, &lines, &terms);
}

static int
begin_acknowledge(struct queue *q)
{
	static uint64_t seqs[WORDS_MAX];
	static struct queue_reject rejects[WORDS_MAX];
	struct id id = id_of(words[1]);
	size_t i = 2, n = 0, n_rejects = 0;

	for (; i < n_words && *words[i] != '/'; i++)
		seqs[n++] = strtoull(words[i], NULL, 10);
	for (i++; i < n_words; i++) {
		char *colon;

		rejects[n_rejects].seq = strtoull(words[i], &colon, 10);
		rejects[n_rejects++].index = strtoull(colon + 1, NULL, 10);
	}
	return queue_acknowledge(
	    q, &id, &(struct queue_keep){0}, seqs, n, rejects, n_rejects);
}

static void
print_result(struct queue *q)
{
	static const char *const taken[] = {
	    "taken", "empty", "full", "notowner", "unmarked", "gone"};
	static const char *const published[] = {
	    "pushed", "before", "gap", "high", "oom", "late", "other"};
	static const char *const renewed[] = {"owned", "bare", "disowned"};
	enum queue_state state;
	const char *verb = words[0];

	while ((state = step(q, IO_FOREVER)) == QUEUE_CALLING)
		;
	if (state != QUEUE_DONE) {
		printf("%s%s: %s\n",
		    state == QUEUE_REFUSED ? "refused"
		    : state == QUEUE_LOST  ? "lost"
					   : "other",
		    queue_status(q)->sent ? " sent" : "", queue_status(q)->why);
		return;
	}
	if (strcmp(verb, "publish") == 0 || strcmp(verb, "tagged") == 0) {
		fputs(published[queue_published(q)->outcome], stdout);
		for (size_t i = 0; i < lines.n; i++)
			if (queue_published_reused(queue_published(q), i))
				printf(" %zu", i);
	} else if (strcmp(verb, "take") == 0) {
		fputs(taken[queue_batch(q)->outcome], stdout);
		print_batch(q);
	} else if (strcmp(verb, "read") == 0) {
		printf("batch");
		print_batch(q);
	} else if (strcmp(verb, "renew") == 0) {
		for (size_t i = 3; i < n_words; i++)
			printf("%s%s", i == 3 ? "" : " ",
			    renewed[queue_renewed_is(queue_renewed(q), i - 3)]);
	} else if (strcmp(verb, "adopt") == 0) {
		char text[ID_TEXT + 1];
		const struct queue_adopted *a = queue_adopted(q);

		printf("%s", a->more ? "more" : "none");
		if (a->n > 0) {
			id_format(&a->consumer, text);
			printf(" %s", text);
		}
		for (size_t i = 0; i < a->n; i++)
			printf(" %" PRIu64, queue_adopted_seq(a, i));
	} else if (strcmp(verb, "ask") == 0) {
		printf("%s", queue_asked(q)->registered ? "yes" : "no");
	} else if (strcmp(verb, "measure") == 0) {
		const struct queue_lengths *l = queue_lengths(q);

		printf("%" PRIu64 " %" PRIu64 " %" PRIu64, l->ready, l->unacked,
		    l->rejected);
	} else {
		printf("done");
	}
	putchar('\n');
}

static void
print_batch(struct queue *q)
{
	const struct queue_batch *b = queue_batch(q);

	printf(" %" PRIu64, b->seq);
	for (size_t i = 0; i < b->n; i++) {
		size_t len;
		const char *p = queue_batch_payload(b, i, &len);

		if (len > 40)
			printf(" %zu-bytes", len);
		else
			printf(" %.*s", (int)len, p);
	}
}

/* A UUID, or one digit that stands for the UUID made of it. */
static struct id
id_of(const char *text)
{
	struct id id = {{0}};

	if (text[1] == '\0')
		memset(id.bytes, (text[0] - '0') * 17, ID_BYTES);
	else if (id_parse(text, strlen(text), &id) < 0)
		exit(2);
	return id;
}
