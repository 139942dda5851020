/*
 * The fields of a head that mean something to the parser or to its caller.
 * The inside of http_parser.h, which the parser alone calls.
 */
#ifndef INCR_HTTP_FIELDS_H
#define INCR_HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "http/http_parser.h"
#include "http/http_status.h"

/* Takes a field whose name begins at name, in a head that begins at p.  False
 * on a fault. */
bool http_fields_take(struct http_parser *h, const char *p, const char *name,
    size_t name_len, const char *value, size_t len);

/* Has the field a meaning in a head? */
bool http_fields_known(const char *name, size_t len);

/* Ends the parsing with this status and reason, a constant.  Always false, so
 * that callers can return it. */
bool http_fields_fault(
    struct http_parser *h, enum http_status status, const char *why);

#endif
