/*
 * The memory that jansson asks for (layer 1).  When there is none it does
 * not always say so: it goes on without the byte that it could not keep, and
 * batch 12 would be batch 1.
 */
#ifndef INCR_JSON_H
#define INCR_JSON_H

#include <stdbool.h>

/* To be called before jansson reads a text. */
void json_watch(void);

/* Has it asked in vain since?  Then what it returned is worth nothing. */
bool json_failed(void);

#endif
