/*
 * The requests of a sender: which one goes next, and how many are in which
 * state.  Pure but for memory and randomness.
 *
 * Requests to be repeated go before lines that wait: their lines are older.
 */
#ifndef INCR_REQUEST_POOL_H
#define INCR_REQUEST_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "send/send_request.h"

/* An incr-serve lets in 61 lines of a client that has the lowest rate; so many
 * it pays for while an incr-send waits. */
enum { REQUEST_POOL_LEAST = 20 };

struct request_pool {
	struct send_request *requests;
	size_t size;    /* of them */
	size_t asked;   /* in SEND_REQUEST_ASKED */
	size_t repeats; /* in SEND_REQUEST_REPEAT */
	size_t batch;   /* lines of one request at most; the owner's */
	struct send_request_keys keys; /* the owner's */
};

/* A pool of free requests.  0, or -1 with errno ENOMEM. */
int request_pool_open(struct request_pool *p, size_t size);
void request_pool_close(struct request_pool *p);

/*
 * Finds the next request to be sent, if less than `limit` (at most the size)
 * are asked: one that is to be repeated, else one filled with lines that
 * wait.  1 with *ret, which is then to be passed to request_pool_sent; 0 if
 * there is none; -1 with errno ENOMEM.
 */
int request_pool_next(struct request_pool *p, struct line_window *w,
    size_t limit, struct send_request **ret);

/* As send_request_sent, send_request_learn, send_request_give_up. */
void request_pool_sent(
    struct request_pool *p, struct send_request *r, int64_t now_us);
int64_t request_pool_learn(struct request_pool *p, struct send_request *r,
    struct line_window *w, const struct http_verdict *v);
void request_pool_give_up(
    struct request_pool *p, struct send_request *r, struct line_window *w);

/* The server took none of r, whose lines are too many for the rate of this
 * client: it is sent in pieces, and requests have half as many lines from now
 * on, at least REQUEST_POOL_LEAST.  0, or -1 with errno ENOMEM. */
int request_pool_shorten(
    struct request_pool *p, struct send_request *r, struct line_window *w);

/* Gives up all requests that are to be repeated. */
void request_pool_give_up_all(struct request_pool *p, struct line_window *w);

#endif
