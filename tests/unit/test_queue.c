/*
 * The queue without Redis: the lines of a publish, and that the result of a
 * call that was not made can't be read.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "queue/queue.h"
#include "record/queue_name.h"

static void
check_encoded(const struct queue_lines *l, const char *expected, size_t len)
{
	check(l->resp.len == len &&
		  (len == 0 || memcmp(buf_ptr(&l->resp), expected, len) == 0),
	    "%zu bytes: %.*s", l->resp.len, (int)l->resp.len,
	    buf_ptr(&l->resp));
}

static void
check_lines(void)
{
	static const char two[] = "$3\r\none\r\n$3\r\ntwo\r\n";
	static char long_line[1 << 17], tag[QUEUE_TAG_MAX + 1];
	struct queue_lines l = {0};
	const struct increment inc = {.key = {{7}}, .value = 3};

	check(queue_lines_add(&l, "", 0, "one", 3, &inc) == 0, "without a tag");
	check(queue_lines_add(&l, "t", 1, "two", 3, &inc) == 0, "with a tag");
	check(l.n == 2 && l.tags == 1, "%zu %zu", l.n, l.tags);
	check_encoded(&l, two, sizeof two - 1);

	memset(long_line, 'x', sizeof long_line);
	check(
	    queue_lines_add(&l, "u", 1, long_line, sizeof long_line, &inc) < 0,
	    "a long line");
	check_encoded(&l, two, sizeof two - 1);
	check(queue_lines_add(&l, tag, sizeof tag, "one", 3, &inc) < 0,
	    "long tag");
	check(l.n == 2 && l.tags == 1, "%zu %zu", l.n, l.tags);
	check_encoded(&l, two, sizeof two - 1);
	check(l.marks.len == sizeof(struct queue_mark) && l.names.len == 2,
	    "a tag: %zu %zu", l.marks.len, l.names.len);

	queue_lines_clear(&l);
	check_encoded(&l, "", 0);
	for (int i = 0; i < QUEUE_LINES_MAX; i++)
		check(queue_lines_add(&l, "", 0, "x", 1, &inc) == 0, "%d", i);
	check(queue_lines_add(&l, "", 0, "x", 1, &inc) < 0, "one too many");
	check(l.n == QUEUE_LINES_MAX && l.tags == 0, "%zu", l.n);
	queue_lines_clear(&l);
	for (int i = 0; i < QUEUE_TAGS_MAX; i++)
		check(queue_lines_add(&l, "t", 1, "x", 1, &inc) == 0, "%d", i);
	check(queue_lines_add(&l, "t", 1, "x", 1, &inc) < 0, "a tag too many");
	check(queue_lines_add(&l, "", 0, "x", 1, &inc) == 0, "without one");
	queue_lines_free(&l);
}

static void
check_open(void)
{
	char name[QUEUE_NAME_MAX + 2];
	const char *why = NULL;

	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	check(
	    queue_open("redis://127.0.0.1", name, &why) == NULL && why != NULL,
	    "a long name");
	check(queue_open("redis://127.0.0.1", "", &why) == NULL, "no name");
	check(queue_open("http://127.0.0.1", "q", &why) == NULL, "no Redis");
}

static void
ask_introduced(const struct queue *q)
{
	queue_introduced(q);
}

static void
ask_published(const struct queue *q)
{
	queue_published(q);
}

static void
ask_registered(const struct queue *q)
{
	queue_registered(q);
}

static void
ask_batch(const struct queue *q)
{
	queue_batch(q);
}

static void
ask_adopted(const struct queue *q)
{
	queue_adopted(q);
}

static void
check_not_called(void)
{
	static void (*const asks[])(const struct queue *) = {ask_introduced,
	    ask_published, ask_registered, ask_batch, ask_adopted};
	const char *why;
	struct queue *q = queue_open("unix:///nowhere", "q", &why);
	int status;

	check(q != NULL, "%s", why);
	check(!queue_status(q)->idle && !queue_status(q)->sent, "idle");
	check(queue_measure(q) < 0, "a call without a connection");
	for (size_t i = 0; i < check_n(asks); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			setrlimit(RLIMIT_CORE, &(struct rlimit){0});
			close(STDERR_FILENO);
			asks[i](q);
			_exit(0);
		}
		check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
			  WTERMSIG(status) == SIGABRT,
		    "result %zu of no call", i);
	}
	queue_close(q);
}

int
main(void)
{
	check_lines();
	check_open();
	check_not_called();
	return check_end();
}
