/* Adds the name of a queue to rmq::queues of a Redis Cluster. */
#include "queue/queue_names.h"

#include <poll.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"
#include "queue/queue.h"
#include "queue/queue_key.h"
#include "redis/resp.h"

/* Who steps a queue polls for the queue's connection alone. */
enum { LOOK_MS = 20 };

static void send_name(struct queue_names *n, const char *queue);

void
queue_names_begin(struct queue_names *n, const char *url)
{
	static const struct session_options options = {
	    NULL, 0, QUEUE_CONNECT_MS, QUEUE_REPLY_MS, NULL, 0};
	const char *why;

	queue_names_end(n);
	n->session = session_open(url, &options, &why);
}

int64_t
queue_names_step(struct queue_names *n, const char *queue)
{
	struct pollfd pfd;
	int64_t due_ms;

	if (n->session == NULL)
		return IO_FOREVER;
	due_ms = session_wait(n->session, &pfd);
	if (pfd.fd >= 0 && poll(&pfd, 1, 0) <= 0)
		pfd.revents = 0;
	switch (session_step(n->session, pfd.revents)) {
	case SESSION_IDLE: send_name(n, queue); break;
	case SESSION_DOWN:
	case SESSION_CALLING:
	case SESSION_LOST: break; /* added twice, it is there once */
	case SESSION_REPLIED: queue_names_end(n); return IO_FOREVER;
	case SESSION_REFUSED: /* by a node that does not have it, or for good */
		if (session_status(n->session)->idle) {
			queue_names_end(n);
			return IO_FOREVER;
		}
		break;
	case SESSION_FAULT: queue_names_end(n); return IO_FOREVER;
	}
	due_ms = session_wait(n->session, &pfd);
	return pfd.fd < 0 ? due_ms : num_min(due_ms, clock_ms() + LOOK_MS);
}

static void
send_name(struct queue_names *n, const char *queue)
{
	struct resp_args args = {0};

	resp_arg_text(&args, "SADD");
	resp_arg_text(&args, QUEUE_KEY_NAMES);
	resp_arg_text(&args, queue);
	(void)session_command(n->session, &args);
	resp_args_free(&args);
}

void
queue_names_finish(struct queue_names *n, const char *queue, int64_t wait_ms)
{
	int64_t end_ms = clock_ms() + wait_ms, due_ms;
	struct pollfd pfd;

	while (
	    queue_names_step(n, queue) != IO_FOREVER && clock_ms() < end_ms) {
		due_ms = session_wait(n->session, &pfd);
		(void)io_poll(&pfd, 1, num_min(due_ms, end_ms));
	}
	queue_names_end(n);
}

void
queue_names_end(struct queue_names *n)
{
	session_close(n->session);
	*n = (struct queue_names){0};
}
