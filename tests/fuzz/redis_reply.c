/*
 * Any bytes as what Redis, or whoever answers in its place, sends in reply to
 * a call, a handshake or a sentinel's question: it is no reply, or what the
 * result says holds, and every part of it can be read.
 *
 * Input: the call, how many things it was about, the bytes.
 */
#include "consume/holders.h"
#include "consume/stream.h"
#include "fuzz.h"
#include "inspect/redis_findings.h"
#include "inspect/snapshot.h"
#include "queue/queue_call.h"
#include "queue/shards.h"
#include "redis/cluster.h"
#include "redis/replicas.h"
#include "redis/sentinel.h"
#include "serve/ratelimit_shared.h"

enum {
	HANDSHAKE_CALL = QUEUE_CALL_NONE,
	SENTINEL_CALL,
	WAIT_CALL,
	RATE_CALL,
	CALLS
};

/* What the first byte of an input stands for.  New ones come last: the corpus
 * is kept. */
static const int calls[] = {QUEUE_CALL_INTRODUCE, QUEUE_CALL_PUBLISH,
    QUEUE_CALL_REGISTER, QUEUE_CALL_TAKE, QUEUE_CALL_READ, QUEUE_CALL_LIST,
    QUEUE_CALL_RENEW, QUEUE_CALL_HOLDERS, QUEUE_CALL_ADOPT, QUEUE_CALL_MARK,
    QUEUE_CALL_ACKNOWLEDGE, QUEUE_CALL_NUMBERS, QUEUE_CALL_RESTORE,
    QUEUE_CALL_ASK, QUEUE_CALL_IDENTIFY, QUEUE_CALL_MEASURE, QUEUE_CALL_PEEK,
    QUEUE_CALL_WITHDRAW, QUEUE_CALL_SURVEY, QUEUE_CALL_TRIM, HANDSHAKE_CALL,
    SENTINEL_CALL, WAIT_CALL, RATE_CALL, QUEUE_CALL_LOOK, QUEUE_CALL_SHARDS,
    QUEUE_CALL_ADMIT, QUEUE_CALL_INFO, QUEUE_CALL_SETTINGS};

_Static_assert(sizeof calls / sizeof *calls == CALLS, "a call is missing");

static const struct id some = {{1}};

static void
read_text(const char *text, size_t len)
{
	volatile unsigned char sum = 0;

	promise(text != NULL);
	for (size_t i = 0; i < len; i++)
		sum ^= (unsigned char)text[i];
	(void)sum;
}

static void
read_batch(const struct queue *q)
{
	const struct queue_batch *b = queue_batch(q);
	struct stream s;
	uint64_t bytes;

	promise(b->taken_ms >= 0 && b->since_ms <= b->taken_ms);
	promise(b->n <= q->batch_max);
	if (b->outcome != QUEUE_TAKEN || (b->payloads == NULL && !b->pieces))
		return;
	memset(&s, 0, sizeof s);
	stream_begin(&s, q->name, &some, 1);
	promise(stream_add(&s, b, NULL, &bytes) == 0);
	stream_free(&s);
}

static void
read_peeked(const struct queue *q)
{
	const struct queue_peeked *p;
	const char *text;
	size_t len;

	if (q->in_pieces) {
		read_batch(q);
		return;
	}
	p = queue_peeked(q);
	promise(p->n <= q->asked && p->n <= QUEUE_PEEK_MAX);
	promise(p->n == 0 || p->n + q->peek.older <= p->length);
	for (size_t i = 0; i < p->n; i++) {
		text = queue_peeked_payload(p, i, &len);
		read_text(text, len);
		promise(queue_peeked_ms(p, i) >= 0);
	}
}

static void
read_surveyed(const struct queue *q)
{
	const struct queue_surveyed *s = queue_surveyed(q);
	static const struct snapshot_rows none;
	struct snapshot shot = {0};
	const char *text;
	size_t len;
	int64_t sum = 0;

	promise(s->newer_ready <= q->asked && s->newer_rejected <= q->asked);
	for (size_t i = 0; i < s->newer_ready; i++) {
		text = queue_surveyed_ready(s, i, &len);
		read_text(text, len);
	}
	for (size_t i = 0; i < s->newer_rejected; i++) {
		text = queue_surveyed_rejected(s, i, &len);
		read_text(text, len);
	}
	promise(snapshot_take(&shot, q) == 0);
	promise(shot.last.n <= s->consumers);
	for (size_t i = 0; i < shot.n_batches; i++)
		sum += (int64_t)shot.batches[i].length;
	for (size_t i = 0; i < shot.last.n; i++)
		sum += (int64_t)shot.last.list[i].seq;
	promise(sum <= QUEUE_CALL_NUMBER_MAX);
	promise(snapshot_missing(&shot, &none) <= (uint64_t)sum);
	snapshot_free(&shot);
}

static void
read_held(const struct queue *q)
{
	const struct queue_holders *found = queue_holders_found(q);
	struct holders holders = {0};
	struct id consumer;
	int64_t life_ms;

	holders_begin(&holders);
	for (int turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < found->n; i++)
			if (queue_holder(found, i, &consumer, &life_ms) == 0)
				promise(holders_note(&holders, &consumer,
					    life_ms, 5, 9) == 0);
	holders_end(&holders);
	holders_free(&holders);
}

static void
read_published(const struct queue *q)
{
	const struct queue_published *p = queue_published(q);
	size_t n = 0;

	promise(p->at_ms >= 0);
	for (size_t i = 0; i < q->asked; i++) {
		bool reused = queue_published_reused(p, i);
		bool known = queue_published_known(p, i);

		n += reused || known;
	}
	promise(n <= q->asked);
	(void)queue_published_any(p);
}

static void
read_looked(const struct queue *q)
{
	const struct queue_looked *l = queue_looked(q);

	promise(l->alive <= l->consumers);
	promise(l->n_refused <= q->asked);
	for (size_t i = 0; i < l->n_refused; i++)
		read_text(queue_looked_refused(l, i),
		    strlen(queue_looked_refused(l, i)));
}

/* INFO is judged as it comes. */
static void
read_informed(const struct queue *q)
{
	const struct redis_facts facts = {.info = queue_informed(q),
	    .appendfsync = "always",
	    .save = "",
	    .now_us = 1};
	struct findings found = {0};

	redis_findings(&found, &facts);
	promise(found.lines.len > 0);
	buf_free(&found.lines);
}

static void
read_result(const struct queue *q)
{
	struct id id;
	struct queue_number number;
	uint64_t seq, last = 0;

	switch (q->done) {
	case QUEUE_CALL_PUBLISH:
	case QUEUE_CALL_ADMIT: read_published(q); break;
	case QUEUE_CALL_TAKE:
	case QUEUE_CALL_READ:
	case QUEUE_CALL_LIST: read_batch(q); break;
	case QUEUE_CALL_PEEK: read_peeked(q); break;
	case QUEUE_CALL_SURVEY: read_surveyed(q); break;
	case QUEUE_CALL_HOLDERS: read_held(q); break;
	case QUEUE_CALL_RENEW:
		for (size_t i = 0; i < q->asked; i++)
			(void)queue_renewed_is(queue_renewed(q), i);
		break;
	case QUEUE_CALL_ADOPT:
		for (size_t i = 0; i < queue_adopted(q)->n; i++) {
			seq = queue_adopted_seq(queue_adopted(q), i);
			promise(seq > last);
			last = seq;
		}
		break;
	case QUEUE_CALL_NUMBERS:
		promise(queue_numbered(q)->n <= QUEUE_NUMBERS_MAX);
		for (size_t i = 0; i < queue_numbered(q)->n; i++)
			(void)queue_numbered_at(
			    queue_numbered(q), i, &id, &number);
		break;
	case QUEUE_CALL_WITHDRAW:
		promise(queue_withdrawn(q)->n <= q->asked);
		break;
	case QUEUE_CALL_INTRODUCE:
		promise(queue_introduced(q)->at_ms >= 0);
		break;
	case QUEUE_CALL_REGISTER:
		promise(queue_registered(q)->at_ms >= 0);
		break;
	case QUEUE_CALL_SHARDS: promise(queue_sharded(q) <= SHARDS_MAX); break;
	case QUEUE_CALL_LOOK: read_looked(q); break;
	case QUEUE_CALL_INFO: read_informed(q); break;
	case QUEUE_CALL_SETTINGS: (void)queue_setting(q, "appendfsync"); break;
	case QUEUE_CALL_MARK:
	case QUEUE_CALL_ACKNOWLEDGE:
	case QUEUE_CALL_RESTORE:
	case QUEUE_CALL_TRIM:
	case QUEUE_CALL_ASK:
	case QUEUE_CALL_IDENTIFY:
	case QUEUE_CALL_MEASURE:
	case QUEUE_CALL_NONE: break;
	}
}

static void
check_call(enum queue_call call, size_t asked, const struct redis_reply *reply)
{
	const char *why;
	struct queue *q = queue_open("unix:///nowhere", "increments", &why);

	promise(q != NULL);
	q->call = call;
	q->asked = asked % (QUEUE_PEEK_MAX + 1);
	q->batch_max = 8 * q->asked;
	q->peek.older = asked / 8 % 4;
	q->peek.list.timed = asked / 32 % 2 == 1;
	q->in_pieces = call == QUEUE_CALL_PEEK && asked % 2 == 1;
	if (call == QUEUE_CALL_LIST || q->in_pieces)
		q->result.batch.outcome = QUEUE_TAKEN;
	if (queue_call_digest_reply(q, reply) == QUEUE_DONE)
		read_result(q);
	queue_close(q);
}

/* Any text, or none, but no other reply. */
static enum server_fitness
judge(void *ctx, const char *value, uint64_t replicas, char why[REASON_MAX])
{
	(void)replicas;
	(void)why;
	if (value != NULL)
		read_text(value, strlen(value));
	*(bool *)ctx = true;
	return FIT;
}

static void
check_handshake(const struct redis_reply *reply)
{
	static const enum handshake_step steps[] = {HANDSHAKE_AUTH,
	    HANDSHAKE_SELECT, HANDSHAKE_INFO, HANDSHAKE_GET, HANDSHAKE_LOAD};
	bool judged;
	const struct handshake_key key = {"key", "{key}", judge, &judged};
	char why[REASON_MAX];

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct handshake h = {.n = 1, .keys = &key, .n_keys = 1};
		enum server_fitness f;

		judged = false;
		h.steps[0] = steps[i];
		f = handshake_check(&h, reply, why);
		promise(steps[i] != HANDSHAKE_GET || judged == (f == FIT));
		if (steps[i] <= HANDSHAKE_SELECT)
			promise(f != FIT || redis_reply_count(reply) == 0);
		handshake_begin_look(&h);
		handshake_look(&h, reply, why);
		handshake_look(&h, reply, why);
		promise(h.n_looks == 0);
		promise(redis_reply_error(reply) != NULL || handshake_done(&h));
		promise(h.n_loaded <= 1);
	}
}

/* Each host that is read can be connected to. */
static void
check_cluster(const struct redis_reply *reply)
{
	struct url_host hosts[3] = {{.name = "here"}};
	const char *error = redis_reply_error(reply);
	char why[REASON_MAX];
	struct cluster_nodes nodes = {"here", true, hosts, 1, 3};

	(void)cluster_add_nodes(reply, &nodes, why);
	promise(nodes.n >= 1 && nodes.n <= 3);
	for (size_t i = 1; i < nodes.n; i++)
		promise(hosts[i].port > 0 && hosts[i].port < 65536 &&
			hosts[i].name[0] > ' ');
	if (error != NULL && cluster_judge(error, hosts) == CLUSTER_MOVED)
		promise(hosts[0].port > 0 && hosts[0].port < 65536);
}

static void
check_sentinel(const struct redis_reply *reply)
{
	struct url_host host = {0};
	char why[REASON_MAX];

	if (sentinel_check(reply, &host, why) == SENTINEL_FOUND)
		promise(
		    host.port > 0 && host.port < 65536 && host.name[0] != '\0');
}

static void
check_wait(const struct redis_reply *reply, size_t n)
{
	struct replicas r = {.n = n};
	char why[REASON_MAX];
	int64_t have = redis_reply_int(reply, -1);

	if (replicas_judge(&r, redis_reply_error(reply), have, 5000, why) ==
	    REPLICAS_HAVE_IT)
		promise(have >= (int64_t)n);
}

static void
check_rate(const struct redis_reply *reply, size_t n)
{
	if (!ratelimit_shared_is_answer(reply, n))
		return;
	for (size_t i = 0; i < n; i++)
		promise(redis_reply_int(redis_reply_at(reply, i), -1) >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct redis_reply *reply =
	    len < 3 ? NULL : redis_reply_parse((const char *)data + 2, len - 2);
	int call;

	if (reply == NULL)
		return 0;
	call = calls[data[0] % CALLS];
	check_cluster(reply);
	/* An error reply is not given to a digest. */
	if (call == HANDSHAKE_CALL)
		check_handshake(reply);
	else if (call == SENTINEL_CALL)
		check_sentinel(reply);
	else if (call == WAIT_CALL)
		check_wait(reply, data[1]);
	else if (call == RATE_CALL)
		check_rate(reply, data[1]);
	else if (redis_reply_error(reply) == NULL)
		check_call((enum queue_call)call, data[1], reply);
	redis_reply_free(reply);
	return 0;
}
