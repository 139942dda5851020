/*
 * Whether a Redis is fit for the queue, by the text of INFO and by error
 * replies.  Pure.
 */
#ifndef INCR_SERVER_INFO_H
#define INCR_SERVER_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"

enum server_fitness {
	FIT,
	UNFIT_NOW,     /* this may pass: a replica, loading, busy */
	UNFIT_FOR_EVER /* configuration: evicting, too old */
};

/* info: the reply to INFO, ending with a NUL.  Unless FIT, ret_why is what
 * is wrong with it. */
enum server_fitness server_info_check(
    const char *info, char ret_why[REASON_MAX]);

/* Copies what names the server and its data as far as nobody else has written
 * them: the run_id and the replication id, which is another one after the
 * server was a replica for a while.  0, or -1 if info has no run_id, or they
 * do not fit. */
int server_info_run_id(const char *info, char *ret, size_t size);

/* Is it a node of a Redis Cluster? */
bool server_info_cluster(const char *info);

/* maxmemory in bytes; 0: none. */
uint64_t server_info_maxmemory(const char *info);

/* How many replicas are connected. */
uint64_t server_info_replicas(const char *info);

/* The number of a field, 0 without one. */
uint64_t server_info_number(const char *info, const char *name);

/* Copies the text of a field.  0, or -1 if there is none, or none that fits. */
int server_info_text(
    const char *info, const char *name, char *ret, size_t size);

/* What an error reply in the handshake means: UNFIT_FOR_EVER unless it is
 * known to pass. */
enum server_fitness server_info_handshake_error(const char *error);

/* Does an error reply to a call prove that the call was not executed?  Only
 * such as Redis says before it executes anything, or of a key's type or a
 * command's rights: scripts are written so that these come before any change,
 * or are taken back.  Any other may be a proxy's, which handed the call on. */
bool server_info_error_is_proof(const char *error);

/* What an error reply to a call means for the connection.  FIT: it is about
 * the call alone. */
enum server_fitness server_info_call_error(const char *error);

#endif
