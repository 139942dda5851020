#include "http/conn.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "http/conn_input.h"
#include "net/loop.h"
#include "net/sendq.h"

enum {
	READ_SIZE = 16384,
	KEEP_REPLY = 65536, /* memory kept for answers */
	REST_MS = 1000      /* between two times of giving memory back */
};

const struct conn_policy *conn_policy;
static struct timerlist lists[CONN_STATES];
static struct conn *first_marked, *last_marked;
static size_t count, surplus, unsent_bytes;
static bool worked; /* since memory was given back */

static void be_ready(struct loop_fd *w, uint32_t events);
static void receive(struct conn *c);
static void end_input(struct conn *c);
static void discard(struct conn *c);
static void flush(struct conn *c);
static bool gather(struct conn *c, struct buf *reply);
static void parse_on(struct conn *c);
static void settle(struct conn *c);
static void enter(struct conn *c, enum conn_state state, uint32_t events);
static void linger(struct conn *c);
static void expire(struct conn *c);
static int64_t give_back(int64_t now_ms);
static void destroy(struct conn *c);

void
conn_use(const struct conn_policy *p)
{
	conn_policy = p;
}

int
conn_open(int fd, const struct conn_from *from)
{
	struct conn *c = calloc(1, sizeof *c);

	if (c == NULL) {
		close(fd);
		return -1;
	}
	c->watch = (struct loop_fd){.ready = be_ready, .fd = fd};
	c->from = *from;
	c->state = from->surplus ? CONN_HEAD : CONN_IDLE;
	count++;
	surplus += from->surplus;
	timerlist_add(&lists[c->state], &c->due,
	    clock_ms() + conn_policy->limit_ms[c->state]);
	if (loop_set(&c->watch, EPOLLIN) < 0) {
		int saved = errno;

		destroy(c);
		errno = saved;
		return -1;
	}
	return 0;
}

const struct conn_from *
conn_from(const struct exchange *x)
{
	return &x->conn->from;
}

size_t
conn_count(void)
{
	return count;
}

size_t
conn_surplus(void)
{
	return surplus;
}

size_t
conn_unsent(void)
{
	return lists[CONN_WRITING].n + lists[CONN_LINGERING].n;
}

size_t
conn_unsent_bytes(void)
{
	return unsent_bytes;
}

/* -- reading ------------------------------------------------------------- */

static void
be_ready(struct loop_fd *w, uint32_t events)
{
	struct conn *c = (struct conn *)w;

	if (c->state == CONN_LINGERING)
		discard(c);
	else if (c->state == CONN_WRITING)
		conn_mark(c);
	else if ((w->events & EPOLLIN) != 0)
		receive(c);
	else if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		destroy(c);
}

static void
receive(struct conn *c)
{
	static char shared[READ_SIZE];
	bool keeps = c->in.len > 0;
	char *to = keeps ? buf_room(&c->in, READ_SIZE) : shared;
	ssize_t n = to == NULL ? 0 : recv(c->watch.fd, to, READ_SIZE, 0);
	size_t len = n > 0 ? (size_t)n : 0, used;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || to == NULL) {
		destroy(c);
		return;
	}
	if (n == 0) {
		end_input(c);
		return;
	}
	if (keeps) {
		buf_grow(&c->in, len);
		parse_on(c);
	} else {
		used = conn_input_parse(c, shared, len);
		if (used < len && !c->deaf &&
		    buf_add(&c->in, shared + used, len - used) < 0) {
			destroy(c);
			return;
		}
	}
	if (!c->marked)
		settle(c);
}

/* Parses what was kept; an idle connection holds no buffer. */
static void
parse_on(struct conn *c)
{
	if (c->in.len > 0)
		buf_drop(
		    &c->in, conn_input_parse(c, buf_ptr(&c->in), c->in.len));
	else if (c->asked.reading != NULL)
		(void)conn_input_parse(
		    c, "", 0); /* the end may be all there is */
	if (c->deaf || c->in.len == 0)
		buf_free(&c->in);
}

/* What was asked in full is still answered: the client may only have shut
 * down its sending side. */
static void
end_input(struct conn *c)
{
	c->ended = true;
	if (c->asked.reading != NULL && c->asked.reading->in_pieces)
		conn_policy->left(c->asked.reading);
	exchange_forget(&c->asked);
	buf_free(&c->body);
	buf_free(&c->in);
	c->deaf = true;
	conn_mark(c);
}

static void
discard(struct conn *c)
{
	char nowhere[READ_SIZE];
	ssize_t n = recv(c->watch.fd, nowhere, sizeof nowhere, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		destroy(c);
}

/* -- answers ------------------------------------------------------------- */

void
conn_answer(struct exchange *x, const struct response *a)
{
	if (x->answered) {
		free(a->text);
		return;
	}
	x->answered = true;
	x->answer = *a;
	if (a->code != NULL || a->status == HTTP_207) {
		traceparent_adopt(&x->trace);
		x->answer.trace = &x->trace;
	}
	conn_policy->answered(x);
	if (x->conn == NULL)
		exchange_free(x);
	else if (x->whole)
		conn_mark(x->conn);
}

void
conn_hold(struct exchange *x)
{
	x->conn->held = true;
}

void
conn_go_on(struct exchange *x)
{
	x->conn->held = false;
	x->conn->fresh = true;
	conn_mark(x->conn);
}

void
conn_refuse(struct exchange *x, const struct response *a)
{
	conn_input_refuse(x->conn, a);
}

void
conn_mark(struct conn *c)
{
	if (c->marked)
		return;
	c->marked = true;
	c->next_marked = NULL;
	if (first_marked == NULL)
		first_marked = c;
	else
		last_marked->next_marked = c;
	last_marked = c;
}

void
conn_flush(void)
{
	while (first_marked != NULL) {
		struct conn *c = first_marked;

		first_marked = c->next_marked;
		c->marked = false;
		if (c->gone)
			free(c);
		else
			flush(c);
	}
}

static void
flush(struct conn *c)
{
	static struct buf reply;
	size_t before = sendq_len(c->out);
	int64_t sent =
	    !gather(c, &reply) ? -1 : sendq_send(&c->out, &reply, c->watch.fd);

	unsent_bytes += sendq_len(c->out) - before;
	if (sent < 0) {
		destroy(c);
		return;
	}
	c->fresh = c->fresh || sent > 0;
	worked = true;
	if (reply.cap > KEEP_REPLY)
		buf_free(&reply);
	if (c->out == NULL)
		parse_on(c);
	settle(c);
}

/* Formats what can be sent now.  False if memory is gone. */
static bool
gather(struct conn *c, struct buf *reply)
{
	static const char go[] = "HTTP/1.1 100 Continue\r\n\r\n";
	bool last;

	buf_clear(reply);
	if (exchange_collect(&c->asked, reply,
		conn_policy->closing && c->in.len == 0, &last) < 0)
		return false;
	c->deaf = c->deaf || last;
	c->unread = c->unread || (last && conn_policy->closing);
	if (!c->want_continue || c->asked.first != c->asked.reading)
		return true;
	c->want_continue = false;
	return buf_add(reply, go, sizeof go - 1) == 0;
}

/* -- states -------------------------------------------------------------- */

/* The one place that says in which state a connection is. */
static void
settle(struct conn *c)
{
	bool done = c->deaf && c->asked.first == NULL;

	if (c->state == CONN_LINGERING)
		return;
	if (c->out != NULL)
		enter(c, CONN_WRITING, EPOLLOUT);
	else if (done && c->unread && !c->ended)
		linger(c);
	else if (done)
		destroy(c);
	else if (c->deaf || c->held || conn_is_full(c))
		enter(c, CONN_WAITING, 0);
	else if (c->asked.reading != NULL)
		enter(c, CONN_BODY, EPOLLIN);
	else if (c->in.len > 0)
		enter(c, CONN_HEAD, EPOLLIN);
	else if (c->asked.first != NULL)
		enter(c, CONN_WAITING, EPOLLIN);
	else
		enter(c, CONN_IDLE, EPOLLIN);
}

static void
enter(struct conn *c, enum conn_state state, uint32_t events)
{
	if (c->state != state || c->fresh) {
		timerlist_remove(&lists[c->state], &c->due);
		timerlist_add(&lists[state], &c->due,
		    clock_ms() + conn_policy->limit_ms[state]);
		c->state = (uint8_t)state;
		c->fresh = false;
	}
	if (loop_set(&c->watch, events) < 0)
		destroy(c);
}

static void
linger(struct conn *c)
{
	shutdown(c->watch.fd, SHUT_WR);
	buf_free(&c->in);
	enter(c, CONN_LINGERING, EPOLLIN);
}

int64_t
conn_tick(int64_t now_ms)
{
	int64_t next_ms = give_back(now_ms);

	for (int state = 0; state < CONN_STATES; state++) {
		struct timerlist *l = &lists[state];

		if (state == CONN_WAITING) /* the verdicts have their own */
			continue;
		while (timerlist_next(l) <= now_ms)
			expire((struct conn *)((char *)l->first -
					       offsetof(struct conn, due)));
		if (timerlist_next(l) < next_ms)
			next_ms = timerlist_next(l);
	}
	return first_marked == NULL ? next_ms : now_ms;
}

/* When all connections are idle, what their bodies and answers needed is to
 * be the system's again; free(3) returns only the end of the heap.  When it is
 * due again. */
static int64_t
give_back(int64_t now_ms)
{
	static int64_t next_ms;

	if (!worked || lists[CONN_IDLE].n < count)
		return IO_FOREVER;
	if (now_ms < next_ms)
		return next_ms;
	(void)malloc_trim(0);
	worked = false;
	next_ms = now_ms + REST_MS;
	return IO_FOREVER;
}

static void
expire(struct conn *c)
{
	switch ((enum conn_state)c->state) {
	case CONN_HEAD:
	case CONN_BODY:
		conn_input_refuse(
		    c, &(struct response){.status = HTTP_408,
			   .code = "request-timeout",
			   .detail = "the request took too long"});
		enter(c, CONN_WAITING, 0);
		return;
	case CONN_WAITING:
	case CONN_IDLE:
	case CONN_WRITING:
	case CONN_LINGERING:
	case CONN_STATES: destroy(c); return;
	}
}

/* Requests that wait for verdicts live on without it. */
static void
destroy(struct conn *c)
{
	for (struct exchange *x = c->asked.first; x != NULL; x = x->next)
		if (x->in_pieces && !x->answered)
			conn_policy->left(x);
	exchange_leave(&c->asked);
	unsent_bytes -= sendq_len(c->out);
	timerlist_remove(&lists[c->state], &c->due);
	count--;
	surplus -= c->from.surplus;
	close(c->watch.fd); /* which also ends watching it */
	buf_free(&c->in);
	buf_free(&c->body);
	sendq_free(&c->out);
	c->gone = true;
	if (!c->marked)
		free(c);
}
