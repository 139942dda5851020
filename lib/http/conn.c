/* Connections on sockets: reading, sending, time limits. */
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
#include "base/num.h"
#include "http/conn_input.h"
#include "net/sendq.h"

enum {
	KEEP_REPLY = 65536, /* memory kept for answers */
	TRIM_MS = 1000,     /* between two times of giving memory back */
	SLACK_MS = 1000     /* later it is woken for that */
};

struct conn {
	struct loop_fd watch; /* first, so that its address is the conn's */
	struct timer due;     /* in the list of its state */
	struct conns *all;
	struct conn *next_queued;
	struct conn_input input;
	struct buf in;   /* received, not parsed yet */
	struct buf *out; /* not sent yet (sendq.h), or NULL */
	struct origin from;
	uint8_t state;       /* enum conn_state */
	bool queued : 1;     /* for conn_flush() */
	bool progressed : 1; /* the time limit of the state begins anew */
};

/* There are many of them: with malloc's own 240 bytes. */
_Static_assert(sizeof(struct conn) <= 232, "an idle connection has grown");

static void be_ready(struct loop_fd *w, uint32_t events);
static void receive(struct conn *c);
static int take(struct conn *c, char *p, size_t len, bool kept);
static size_t parse(struct conn *c, const char *p, size_t len);
static void parse_kept(struct conn *c);
static void end_input(struct conn *c);
static void enqueue(struct conn *c);
static void flush(struct conn *c);
static int gather(struct conn *c, struct buf *reply);
static void settle(struct conn *c);
static void move(struct conn *c, enum conn_state to);
static void destroy(struct conn *c);

static struct conn *
conn_of(struct timer *t)
{
	return (struct conn *)((char *)t - offsetof(struct conn, due));
}

static struct conn_input_env
env_of(struct conn *c)
{
	return (struct conn_input_env){c, c->all->handler, &c->from};
}

void
conn_init(struct conns *all, const struct loop *loop,
    const struct handler *handler, const int64_t limit_ms[CONN_STATES])
{
	all->loop = loop;
	all->handler = handler;
	memcpy(all->limit_ms, limit_ms, sizeof all->limit_ms);
}

int
conn_open(struct conns *all, int fd, const struct origin *from)
{
	struct conn *c = calloc(1, sizeof *c);

	if (c == NULL) {
		close(fd);
		return -1;
	}
	c->watch = (struct loop_fd){.ready = be_ready, .fd = fd};
	c->all = all;
	c->from = *from;
	c->state = from->surplus || from->brief ? CONN_HEAD : CONN_IDLE;
	all->count++;
	all->surplus += from->surplus;
	timerlist_add(&all->lists[c->state], &c->due,
	    clock_ms() + all->limit_ms[c->state]);
	if (loop_set(all->loop, &c->watch, EPOLLIN) < 0) {
		int saved = errno;

		destroy(c);
		errno = saved;
		return -1;
	}
	return 0;
}

size_t
conn_unsent(const struct conns *all)
{
	return all->lists[CONN_WRITING].n + all->lists[CONN_LINGERING].n;
}

void
conn_close_all(struct conns *all, bool idle)
{
	all->closing = true;
	all->no_idle |= idle;
}

static void
cut(struct conn *c, const struct response *why)
{
	struct conn_input_env env = env_of(c);

	if (!conn_input_is_open(&c->input) ||
	    (exchange_reading(&c->input.asked) == NULL && c->in.len == 0))
		return;
	conn_input_cut(&c->input, &env, why);
	enqueue(c);
}

void
conn_cut_all(struct conns *all)
{
	struct response why = response_fault(FAULT_UNAVAILABLE);

	why.why = "the server ended before the request was whole";
	for (size_t i = 0; i < CONN_STATES; i++)
		for (struct timer *t = all->lists[i].first; t != NULL;
		     t = t->next)
			cut(conn_of(t), &why);
}

/* -- reading ------------------------------------------------------------- */

/* What comes behind a request that was cut.  A client may have to send it all
 * before it reads. */
static void
discard(struct conn *c)
{
	ssize_t n = recv(c->watch.fd, c->all->received, CONN_READ_SIZE, 0);

	if (n == 0 && c->state == CONN_WRITING)
		conn_input_end(&c->input); /* it may still read */
	else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		move(c, CONN_GONE);
}

static void
be_ready(struct loop_fd *w, uint32_t events)
{
	struct conn *c = (struct conn *)w;

	switch ((enum conn_state)c->state) {
	case CONN_IDLE:
	case CONN_HEAD:
	case CONN_BODY:
	case CONN_WAITING: receive(c); return;
	case CONN_BLOCKED:
		if ((events & (EPOLLERR | EPOLLHUP)) != 0)
			move(c, CONN_GONE);
		return;
	case CONN_WRITING:
		enqueue(c);
		if ((events & EPOLLIN) != 0)
			discard(c);
		return;
	case CONN_LINGERING: discard(c); return;
	case CONN_GONE:
	case CONN_STATES: return;
	}
}

/* The body being read, if it goes on with what comes next. */
static const struct exchange *
body_of(const struct conn *c)
{
	const struct exchange *x = exchange_reading(&c->input.asked);

	return x != NULL && x->in_pieces && c->in.len == 0 &&
		       c->input.state == CONN_INPUT_OPEN
		   ? x
		   : NULL;
}

/* How much is to be read at once.  What may have to be kept, since it is behind
 * the body, is never more than CONN_READ_SIZE. */
static size_t
read_size(const struct conn *c)
{
	const struct exchange *x = body_of(c);
	uint64_t length = c->input.http.request.length;

	if (x == NULL || length <= x->seen)
		return CONN_READ_SIZE;
	return num_min_size(CONN_BODY_SIZE, CONN_READ_SIZE + length - x->seen);
}

/* Reads once, and parses.  How many bytes it was; 0 if there were none, -1 if c
 * may be freed. */
static ssize_t
receive_some(struct conn *c, size_t size)
{
	bool kept = c->in.len > 0;
	char *to = kept ? buf_room(&c->in, size) : c->all->received;
	ssize_t n = to == NULL ? 0 : recv(c->watch.fd, to, size, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == 0 && to != NULL) {
		end_input(c);
		return 0;
	}
	if (n > 0 && take(c, to, (size_t)n, kept) == 0)
		return n;
	move(c, CONN_GONE);
	return -1;
}

static void
receive(struct conn *c)
{
	size_t size = read_size(c);
	ssize_t n = receive_some(c, size);

	/* Mostly the rest is there, too: line by line it costs less if it goes
	 * on together. */
	if (n == (ssize_t)size && body_of(c) != NULL)
		n = receive_some(c, read_size(c));
	if (n < 0)
		return;
	if (exchange_ready(&c->input.asked) ||
	    conn_input_continue(&c->input) != NULL)
		enqueue(c);
	else if (!c->queued)
		settle(c);
}

/* Parses what was received, in the buffer of c if kept, and keeps the rest.
 * 0, or -1 if there is no memory. */
static int
take(struct conn *c, char *p, size_t len, bool kept)
{
	size_t used;

	if (kept) {
		buf_grow(&c->in, len);
		parse_kept(c);
		return 0;
	}
	used = parse(c, p, len);
	if (used == len || !conn_input_is_open(&c->input))
		return 0;
	return buf_add(&c->in, p + used, len - used);
}

static size_t
parse(struct conn *c, const char *p, size_t len)
{
	struct conn_input_env env = env_of(c);
	size_t used = conn_input_parse(&c->input, &env, p, len);

	c->progressed |= c->input.progressed;
	c->input.progressed = false;
	return used;
}

/* Parses what was kept; an idle connection holds no buffer. */
static void
parse_kept(struct conn *c)
{
	if (c->in.len > 0)
		buf_drop(&c->in, parse(c, buf_ptr(&c->in), c->in.len));
	else if (exchange_reading(&c->input.asked) != NULL)
		(void)parse(c, "", 0); /* the end may be all there is */
	if (c->in.len == 0 || !conn_input_is_open(&c->input))
		buf_free(&c->in);
}

/* What was asked in full is still answered: the client may only have shut
 * down its sending side. */
static void
end_input(struct conn *c)
{
	conn_input_end(&c->input);
	buf_free(&c->in);
	enqueue(c);
}

/* -- answers ------------------------------------------------------------- */

void
conn_decide(struct exchange *x, enum decision d, const struct response *answer)
{
	struct conn *c = x->conn;
	struct conn_input_env env;
	uint8_t before;

	if (c == NULL) { /* its client has gone: nothing of it is read */
		if (d != DECISION_ANSWER)
			return;
		exchange_answer(x, answer);
		exchange_free(x);
		return;
	}
	before = c->input.state;
	/* Nothing changes, as with most verdicts on the lines of a request. */
	if ((d == DECISION_READ && before != CONN_INPUT_HELD) ||
	    (d == DECISION_HOLD && before == CONN_INPUT_HELD))
		return;
	env = env_of(c);
	conn_input_decide(&c->input, &env, x, d, answer);
	if (c->input.state != before || exchange_ready(&c->input.asked))
		enqueue(c);
}

static void
enqueue(struct conn *c)
{
	struct conns *all = c->all;

	if (c->queued)
		return;
	c->queued = true;
	c->next_queued = NULL;
	if (all->first_queued == NULL)
		all->first_queued = c;
	else
		all->last_queued->next_queued = c;
	all->last_queued = c;
}

void
conn_flush(struct conns *all)
{
	while (all->first_queued != NULL) {
		struct conn *c = all->first_queued;

		all->first_queued = c->next_queued;
		c->queued = false;
		if (c->state == CONN_GONE)
			free(c);
		else
			flush(c);
	}
}

static void
flush(struct conn *c)
{
	struct conns *all = c->all;
	int64_t sent = gather(c, &all->reply) < 0
			   ? -1
			   : sendq_send(&c->out, &all->reply, c->watch.fd);

	if (sent < 0) {
		move(c, CONN_GONE);
		return;
	}
	c->progressed |= sent > 0;
	all->worked = true;
	if (all->reply.cap > KEEP_REPLY)
		buf_free(&all->reply);
	if (c->out == NULL) {
		exchange_sent(&c->input.asked);
		parse_kept(c);
	}
	if (exchange_ready(&c->input.asked) ||
	    conn_input_continue(&c->input) != NULL)
		enqueue(c);
	settle(c);
}

/* Formats what can be sent now.  0, or -1 if there is no memory. */
static int
gather(struct conn *c, struct buf *reply)
{
	static const char go[] = "HTTP/1.1 100 Continue\r\n\r\n";
	bool closing = c->all->closing, last;
	struct exchange *x;

	buf_clear(reply);
	if (exchange_collect(
		&c->input.asked, reply, closing && c->in.len == 0, &last) < 0)
		return -1;
	if (last && closing)
		conn_input_close(&c->input);
	x = conn_input_continue(&c->input);
	if (x == NULL)
		return 0;
	x->awaits_continue = false;
	return buf_add(reply, go, sizeof go - 1);
}

/* -- states -------------------------------------------------------------- */

/* What c has to wait for, by its input, its requests and its answers. */
static enum conn_state
next_state(const struct conn *c)
{
	bool answers = c->input.asked.first != NULL;

	if (c->out != NULL)
		return CONN_WRITING;
	switch ((enum conn_input_state)c->input.state) {
	case CONN_INPUT_OPEN: break;
	case CONN_INPUT_HELD: return CONN_BLOCKED;
	case CONN_INPUT_CUT: return answers ? CONN_BLOCKED : CONN_LINGERING;
	case CONN_INPUT_LAST:
	case CONN_INPUT_ENDED: return answers ? CONN_BLOCKED : CONN_GONE;
	}
	if (conn_input_is_full(&c->input))
		return CONN_BLOCKED;
	if (exchange_reading(&c->input.asked) != NULL)
		return CONN_BODY;
	if (c->in.len > 0)
		return CONN_HEAD;
	return answers ? CONN_WAITING : CONN_IDLE;
}

static void
settle(struct conn *c)
{
	if (c->state != CONN_LINGERING)
		move(c, next_state(c));
}

/* The one place where the state changes.  With GONE, and if epoll refuses, c
 * may be freed. */
static void
move(struct conn *c, enum conn_state to)
{
	static const uint32_t events[CONN_STATES] = {
	    [CONN_IDLE] = EPOLLIN,
	    [CONN_HEAD] = EPOLLIN,
	    [CONN_BODY] = EPOLLIN,
	    [CONN_WAITING] = EPOLLIN,
	    [CONN_WRITING] = EPOLLOUT,
	    [CONN_LINGERING] = EPOLLIN,
	};
	bool drops = to == CONN_WRITING && c->input.state == CONN_INPUT_CUT;
	uint32_t more = drops ? EPOLLIN : 0;
	struct conns *all = c->all;

	if (to == CONN_GONE) {
		destroy(c);
		return;
	}
	if (to == CONN_LINGERING) {
		shutdown(c->watch.fd, SHUT_WR);
		buf_free(&c->in);
	}
	if (c->state != to || c->progressed) {
		timerlist_remove(&all->lists[c->state], &c->due);
		timerlist_add(
		    &all->lists[to], &c->due, clock_ms() + all->limit_ms[to]);
		c->state = (uint8_t)to;
		c->progressed = false;
	}
	if (loop_set(all->loop, &c->watch, events[to] | more) < 0)
		destroy(c);
}

/* Requests that wait for verdicts live on without it. */
static void
destroy(struct conn *c)
{
	struct conns *all = c->all;

	exchange_leave(&c->input.asked);
	timerlist_remove(&all->lists[c->state], &c->due);
	all->count--;
	all->surplus -= c->from.surplus;
	close(c->watch.fd); /* which also ends watching it */
	buf_free(&c->in);
	buf_free(&c->input.body);
	sendq_free(&c->out);
	c->state = CONN_GONE;
	if (!c->queued)
		free(c);
}

/* -- time ---------------------------------------------------------------- */

/* When all connections are idle, what their bodies and answers needed is to
 * be the system's again; free(3) returns only the end of the heap.  When it is
 * due again. */
static int64_t
give_back(struct conns *all, int64_t now_ms)
{
	if (!all->worked || all->lists[CONN_IDLE].n < all->count)
		return IO_FOREVER;
	if (now_ms < all->trim_ms)
		return all->trim_ms + SLACK_MS;
	(void)malloc_trim(0);
	all->worked = false;
	all->trim_ms = now_ms + TRIM_MS;
	return IO_FOREVER;
}

static void
expire(struct conn *c)
{
	struct conn_input_env env = env_of(c);

	switch ((enum conn_state)c->state) {
	case CONN_HEAD:
	case CONN_BODY:
		conn_input_cut(&c->input, &env,
		    &(struct response){.status = HTTP_408,
			.code = "request-timeout",
			.detail = "the request took too long"});
		enqueue(c);
		settle(c);
		return;
	case CONN_IDLE:
	case CONN_WAITING:
	case CONN_BLOCKED:
	case CONN_WRITING:
	case CONN_LINGERING:
	case CONN_GONE:
	case CONN_STATES: move(c, CONN_GONE); return;
	}
}

int64_t
conn_tick(struct conns *all, int64_t now_ms)
{
	int64_t next_ms = give_back(all, now_ms), due_ms;

	for (size_t i = 0; i < CONN_LIMITED; i++) {
		struct timerlist *l = &all->lists[i];

		while ((due_ms = timerlist_next(l)) <= now_ms ||
		       (i == CONN_IDLE && all->no_idle && l->first != NULL))
			expire(conn_of(l->first));
		next_ms = num_min(next_ms, due_ms);
	}
	return all->first_queued == NULL ? next_ms : now_ms;
}
