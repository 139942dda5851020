/*
 * A server of GET /metrics alone: the text of all programs in a folder.
 *
 * Each answer ends its connection, and the text is made at most once a second,
 * so that nobody who may ask can make it work hard.
 */
#ifndef INCR_METRICS_SERVER_H
#define INCR_METRICS_SERVER_H

#include <stdint.h>

#include "base/buf.h"
#include "http/conn.h"
#include "http/handler.h"
#include "net/loop.h"
#include "serve/acceptor.h"

enum {
	METRICS_SERVER_CONNS = 16,     /* at once; more wait */
	METRICS_SERVER_TIME_MS = 10000 /* for a head, for an answer */
};

struct metrics_server {
	struct loop loop;
	struct handler handler;
	struct conns conns;
	struct acceptor acceptor; /* for sockets of ROUTES_METRICS */
	/* Adds the text; -1: it can't be had. */
	int (*make)(struct buf *out);
	struct buf text;
	int64_t made_ms; /* 0: never */
	bool failed;
};

/* 0, or -1 with errno. */
int metrics_server_open(struct metrics_server *s, int (*make)(struct buf *out));

/* One turn: sends what is to be sent, waits for something to do.  0, or -1 with
 * errno. */
int metrics_server_step(struct metrics_server *s);

void metrics_server_close(struct metrics_server *s);

#endif
