/*
 * The handshake with a Redis: AUTH and SELECT as the URL says, INFO; and once
 * that has told whether it is a node of a Redis Cluster, CLUSTER SLOTS if it
 * is, GET of keys that tell whether what is there can be read, and how, SCRIPT
 * LOAD of every script.
 */
#ifndef INCR_HANDSHAKE_H
#define INCR_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/reason.h"
#include "base/url.h"
#include "redis/redis.h"
#include "redis/server_info.h"

enum {
	HANDSHAKE_SCRIPTS_MAX = 24,
	HANDSHAKE_KEYS_MAX = 4,
	HANDSHAKE_SHA = 40,
	HANDSHAKE_RUN_ID_MAX = 128,
	HANDSHAKE_LOOK_MS = 60000 /* INFO and the keys are looked at again */
};

enum handshake_step {
	HANDSHAKE_AUTH,
	HANDSHAKE_SELECT,
	HANDSHAKE_INFO,
	HANDSHAKE_NODES,
	HANDSHAKE_GET,
	HANDSHAKE_LOAD
};

/* What a key that is read says of the server. */
struct handshake_key {
	const char *name, *in_cluster; /* its name, and that in a cluster */
	/* Judges its value, NULL if there is none, on a server with so many
	 * replicas connected.  Unless FIT, ret_why is what is wrong.  NULL:
	 * it is read only to find the node of its slot. */
	enum server_fitness (*judge)(void *ctx, const char *value,
	    uint64_t replicas, char ret_why[REASON_MAX]);
	void *ctx;
};

/* All zero: not begun. */
struct handshake {
	const struct handshake_key *keys; /* set before it begins */
	size_t n_keys;
	enum handshake_step
	    steps[4 + HANDSHAKE_KEYS_MAX + HANDSHAKE_SCRIPTS_MAX];
	size_t n, n_answered, n_got, n_loaded;
	size_t n_looks; /* replies that a look still waits for */
	char run_id[HANDSHAKE_RUN_ID_MAX]; /* server_info.h, of the last INFO */
	uint64_t maxmemory;                /* the same, in bytes */
	uint64_t replicas;                 /* the same, connected */
	bool cluster;                      /* the same: of one */
	bool unfit;                        /* the same, or a key, said so */
	int64_t look_ms; /* clock_ms(): it is to be looked at again */
	char shas[HANDSHAKE_SCRIPTS_MAX]
		 [HANDSHAKE_SHA + 1]; /* of the scripts */
};

/* Each writes requests to out, which is emptied first, once all that were
 * written before are done: the first ones; those that follow them; or only
 * those that load the scripts again.  0, or -1 if memory is gone. */
int handshake_write(
    struct handshake *h, const struct url_redis *url, struct buf *out);
int handshake_write_rest(struct handshake *h, const char *const *scripts,
    size_t n_scripts, struct buf *out);
int handshake_write_scripts(struct handshake *h, const char *const *scripts,
    size_t n_scripts, struct buf *out);

/* The request that the next reply is to. */
enum handshake_step handshake_next(const struct handshake *h);

/* Checks the next reply.  Unless FIT, ret_why is the reason: never with the
 * password. */
enum server_fitness handshake_check(struct handshake *h,
    const struct redis_reply *reply, char ret_why[REASON_MAX]);

/* A look at a server that was fit: adds its requests, INFO and GET of the keys,
 * to out.  0, or -1 if memory is gone. */
int handshake_add_look(const struct handshake *h, struct buf *out);
/* They are sent.  The next replies, as long as h->n_looks is not 0, are for: */
void handshake_begin_look(struct handshake *h);
/* Checks the next reply; what is wrong, also an error, makes h unfit.  If FIT,
 * ret_why is untouched. */
void handshake_look(struct handshake *h, const struct redis_reply *reply,
    char ret_why[REASON_MAX]);

/* Was every request answered that was written? */
bool handshake_done(const struct handshake *h);

#endif
