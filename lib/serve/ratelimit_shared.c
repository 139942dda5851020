/* Sends what clients spent here to Redis, reads what they owe in all. */
#include "serve/ratelimit_shared.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "base/reason.h"
#include "queue/lua/rate.h"
#include "redis/resp.h"

enum {
	INTERVAL_MS = 100,
	STALE_MS = 1000, /* what could not be sent by then is forgotten */
	CONNECT_MS = 2000,
	REPLY_MS = 1000,
	FAULTY_MS = 2000,   /* until what is of no use is tried again */
	CLIENTS_MAX = 1024, /* per call; what more there are is not shared */
	INDEX = 4 * CLIENTS_MAX,
	KEY_TEXT = 80
};

/* A year: nobody owes more. */
#define OWED_MAX_US INT64_C(31536000000000)

struct spending {
	struct ratelimit_key key;
	int64_t owed_ns; /* all its units together */
};

struct ratelimit_spendings {
	struct spending all[CLIENTS_MAX];
	uint16_t index[INDEX]; /* of all, from 1; by key */
	size_t n;
	int64_t began_ns; /* the first of them; or when they were sent */
};

static const char *const scripts[] = {script_rate};

/* The keys of clients.  One call has many of them, so on a cluster they are all
 * in one slot; a key that nobody has leads the session to its node. */
#define KEYS "incr::rate::"
#define KEYS_OF_CLUSTER KEYS "{rates}::"

static const struct handshake_key beside = {KEYS, KEYS_OF_CLUSTER, NULL, NULL};

static int begin(struct ratelimit_shared *s, const char **ret_why);
static uint16_t *place(const struct ratelimit_shared *s,
    struct ratelimit_spendings *in, const struct ratelimit_key *key);
static void be_ready(struct loop_fd *w, uint32_t events);
static void step(struct ratelimit_shared *s, short revents);
static void follow(struct ratelimit_shared *s);
static void send_spendings(struct ratelimit_shared *s, int64_t now_ms);
static void add_key(
    struct resp_args *args, const char *keys, const struct ratelimit_key *key);
static void learn(struct ratelimit_shared *s);
static void forget(struct ratelimit_spendings *of);
static void note_trouble(struct ratelimit_shared *s, const char *why);

int
ratelimit_shared_open(struct ratelimit_shared *s, const struct loop *loop,
    const char *url, struct ratelimit *r, const char **ret_why)
{
	s->loop = loop;
	s->rates = r;
	s->url = url;
	s->here = calloc(1, sizeof *s->here);
	s->sent = calloc(1, sizeof *s->sent);
	*ret_why = LOG_NO_MEMORY;
	if (s->here != NULL && s->sent != NULL && begin(s, ret_why) == 0)
		return 0;
	ratelimit_shared_close(s);
	return -1;
}

/* With a session that knows of nothing before. */
static int
begin(struct ratelimit_shared *s, const char **ret_why)
{
	static const struct session_options o = {
	    scripts, 1, CONNECT_MS, REPLY_MS, &beside, 1};
	struct session *new = session_open(s->url, &o, ret_why);

	if (new == NULL)
		return -1;
	session_close(s->session);
	s->session = new;
	return 0;
}

void
ratelimit_shared_close(struct ratelimit_shared *s)
{
	if (s->session != NULL)
		loop_forget(s->loop, &s->watch);
	session_close(s->session);
	free(s->here);
	free(s->sent);
	s->session = NULL;
	s->here = s->sent = NULL;
}

/* -- what was taken here ------------------------------------------------- */

void
ratelimit_shared_spent(struct ratelimit_shared *s,
    const struct ratelimit_key *key, const struct ratelimit_quota *limit,
    uint32_t n, int64_t now_ns)
{
	uint16_t *at;

	if (s->session == NULL)
		return;
	if (s->here->n == 0)
		s->here->began_ns = now_ns;
	at = place(s, s->here, key);
	if (*at == 0) {
		if (s->here->n == CLIENTS_MAX)
			return;
		s->here->all[s->here->n].key = *key;
		*at = (uint16_t)++s->here->n;
	}
	s->here->all[*at - 1].owed_ns += ratelimit_worth(limit, n);
}

/* Where the index has a client, or would have it: 0. */
static uint16_t *
place(const struct ratelimit_shared *s, struct ratelimit_spendings *in,
    const struct ratelimit_key *key)
{
	size_t at = ratelimit_hash(s->rates, key) % INDEX;

	while (in->index[at] != 0 &&
	       memcmp(&in->all[in->index[at] - 1].key, key, sizeof *key) != 0)
		at = (at + 1) % INDEX;
	return &in->index[at];
}

static void
forget(struct ratelimit_spendings *of)
{
	memset(of->index, 0, sizeof of->index);
	memset(of->all, 0, of->n * sizeof *of->all);
	of->n = 0;
}

/* -- the calls ----------------------------------------------------------- */

int64_t
ratelimit_shared_tick(struct ratelimit_shared *s, int64_t now_ms)
{
	const char *why;
	int64_t next_ms;

	if (s->session == NULL)
		return IO_FOREVER;
	if (now_ms >= s->due_ms) {
		if (s->faulty && begin(s, &why) < 0)
			return now_ms + FAULTY_MS;
		step(s, 0);
	}
	if (s->here->n > 0 && now_ms >= s->next_ms)
		send_spendings(s, now_ms);
	next_ms = s->here->n == 0       ? IO_FOREVER
		  : s->next_ms > now_ms ? s->next_ms
					: now_ms + INTERVAL_MS;
	return num_min(next_ms, s->due_ms);
}

static void
be_ready(struct loop_fd *w, uint32_t events)
{
	step((struct ratelimit_shared *)((char *)w -
					 offsetof(
					     struct ratelimit_shared, watch)),
	    (short)events);
}

/* The descriptor may be another one afterwards, also of the same number. */
static void
step(struct ratelimit_shared *s, short revents)
{
	loop_forget(s->loop, &s->watch);
	s->faulty = false;
	switch (session_step(s->session, revents)) {
	case SESSION_REPLIED: learn(s); break;
	case SESSION_REFUSED:
	case SESSION_LOST:
		forget(s->sent);
		note_trouble(s, session_status(s->session)->why);
		break;
	case SESSION_FAULT:
		s->faulty = true;
		note_trouble(s, session_status(s->session)->why);
		break;
	case SESSION_DOWN: /* noted once there is something to send */
	case SESSION_IDLE:
	case SESSION_CALLING: break;
	}
	follow(s);
}

static void
follow(struct ratelimit_shared *s)
{
	struct pollfd pfd;

	s->due_ms = clock_ms() + FAULTY_MS;
	if (s->faulty)
		return;
	s->due_ms = session_wait(s->session, &pfd);
	if (pfd.fd < 0)
		return;
	if (s->watch.fd != pfd.fd || s->watch.events == 0)
		s->watch = (struct loop_fd){.ready = be_ready, .fd = pfd.fd};
	(void)loop_set(s->loop, &s->watch, (uint32_t)pfd.events);
}

/* Everything since the last call; forgets it if that can't be for long. */
static void
send_spendings(struct ratelimit_shared *s, int64_t now_ms)
{
	struct resp_args args = {0};
	struct ratelimit_spendings *here = s->here;
	const char *keys =
	    session_status(s->session)->cluster ? KEYS_OF_CLUSTER : KEYS;

	if (!session_status(s->session)->idle) {
		if (now_ms - here->began_ns / 1000000 >= STALE_MS) {
			note_trouble(s, session_status(s->session)->why);
			forget(here);
		}
		return;
	}
	for (size_t i = 0; i < here->n; i++)
		add_key(&args, keys, &here->all[i].key);
	for (size_t i = 0; i < here->n; i++)
		resp_arg_u64(&args, (uint64_t)here->all[i].owed_ns);
	if (session_eval(s->session, 0, here->n, &args, NULL) == 0) {
		s->here = s->sent;
		s->sent = here;
		here->began_ns = clock_us() * 1000;
		s->next_ms = now_ms + INTERVAL_MS;
		follow(s);
	} else {
		forget(here);
	}
	resp_args_free(&args);
}

static void
add_key(
    struct resp_args *args, const char *keys, const struct ratelimit_key *key)
{
	char text[KEY_TEXT], *to = text + strlen(keys);

	memcpy(text, keys, strlen(keys));
	to = hex_write(to, key->bytes, sizeof key->bytes);
	resp_arg(args, text, (size_t)(to - text));
}

bool
ratelimit_shared_is_answer(const struct redis_reply *reply, size_t n)
{
	if (redis_reply_count(reply) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (redis_reply_int(redis_reply_at(reply, i), -1) < 0)
			return false;
	return true;
}

/* What the clients owe for everything, and for what was let in meanwhile. */
static void
learn(struct ratelimit_shared *s)
{
	const struct redis_reply *reply = session_reply(s->session);
	int64_t now_ns = clock_us() * 1000;

	if (!ratelimit_shared_is_answer(reply, s->sent->n)) {
		session_hang_up(s->session);
		forget(s->sent);
		note_trouble(s, "reply that is not one to this call");
		return;
	}
	s->noted = false;
	for (size_t i = 0; i < s->sent->n; i++) {
		const struct ratelimit_key *key = &s->sent->all[i].key;
		uint16_t here = *place(s, s->here, key);
		int64_t owed_us = redis_reply_int(redis_reply_at(reply, i), 0);

		if (owed_us <= 0 || owed_us > OWED_MAX_US)
			continue;
		ratelimit_raise(s->rates, key,
		    s->sent->began_ns + owed_us * 1000 +
			(here == 0 ? 0 : s->here->all[here - 1].owed_ns),
		    now_ns);
	}
	forget(s->sent);
}

/* -- trouble ------------------------------------------------------------- */

static void
note_trouble(struct ratelimit_shared *s, const char *why)
{
	if (s->noted || *why == '\0')
		return;
	s->noted = s->to_say = true;
	reason_set(s->trouble, "%s", why);
}

const char *
ratelimit_shared_trouble(struct ratelimit_shared *s)
{
	if (!s->to_say)
		return NULL;
	s->to_say = false;
	return s->trouble;
}
