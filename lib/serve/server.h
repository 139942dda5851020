/*
 * All parts of a running incr-serve, and one turn of its loop.
 *
 * The connections of --metrics are apart from those of clients, and few, so
 * that neither takes the room of the other.
 */
#ifndef INCR_SERVER_H
#define INCR_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "http/conn.h"
#include "net/loop.h"
#include "serve/acceptor.h"
#include "serve/access.h"
#include "serve/backend.h"
#include "serve/bulk_queue.h"
#include "serve/cors.h"
#include "serve/routes.h"
#include "serve/serve_metrics.h"

enum {
	SERVER_SURPLUS = 16,      /* of clients, see acceptor.h */
	SERVER_METRICS_CONNS = 16 /* at once; more wait */
};

struct server_options {
	const struct access_options *access; /* borrowed for ever */
	struct cors cors;
	struct backend_options backend; /* verdict, service: server's */
	int64_t limit_ms[CONN_STATES];  /* conn.h */
	uint64_t max_connections;
	uint64_t max_bulk_requests;
};

/* All zero before server_open().  It must not move. */
struct server {
	struct loop loop;
	struct conns conns, metrics_conns;
	struct acceptor acceptor, metrics_acceptor;
	struct access access;
	struct backend backend;
	struct bulk_queue bulk;
	struct routes routes;
	struct serve_metrics metrics;
	struct cors cors;
	struct handler handler;
};

/*
 * Opens the loop and all parts; the owner adds sockets to the acceptors.  0,
 * or the exit status (log.h) with the reason, "object: reason".
 */
int server_open(
    struct server *s, const struct server_options *o, char ret_why[REASON_MAX]);

/* Sends what can be sent: lines, answers. */
void server_send(struct server *s);

/* Does what is due by the clock.  When it is due again. */
int64_t server_tick(struct server *s, int64_t now_ms);

/* From now on every answer ends its connection, if nothing waits behind it. */
void server_close_connections(struct server *s);

/* Accepts no more connections. */
void server_stop_accepting(struct server *s);

/* Reads no more requests, see conn_cut_all(). */
void server_cut_connections(struct server *s);

/* Are all last answers read by their clients, or given up? */
bool server_all_sent(const struct server *s);

/* Closes what must be closed before the end of the process. */
void server_close(struct server *s);

#endif
