/*
 * Bytes of others, as a terminal may be shown them.  Pure.
 */
#ifndef INCR_ESCAPE_H
#define INCR_ESCAPE_H

#include <stddef.h>

enum { ESCAPE_MAX = 4 };

/* Writes c as it is if it is printable ASCII, else as \xHH: a terminal obeys
 * neither ESC nor the control bytes above 0x7f.  Returns 1 or ESCAPE_MAX, the
 * number of bytes written. */
size_t escape_byte(unsigned char c, char ret[ESCAPE_MAX]);

#endif
