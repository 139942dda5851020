/*
 * What is to be said of the certificates of a connection.  Pure.
 */
#ifndef INCR_CERTIFICATE_FINDINGS_H
#define INCR_CERTIFICATE_FINDINGS_H

#include <stdint.h>

#include "base/findings.h"

/* server is "redis" or "postgres"; its certificate, and that shown to it: when
 * they end, Unix seconds, 0: there is none. */
void certificate_findings(struct findings *f, const char *server,
    int64_t server_expires, int64_t own_expires, int64_t now_s);

#endif
