/*
 * The reason why a call failed, as text for a message: a buffer of REASON_MAX
 * bytes that the caller has.  Where only few texts are possible, a function
 * has an out-parameter of constant text instead.
 */
#ifndef INCR_REASON_H
#define INCR_REASON_H

#include <stdarg.h>

enum { REASON_MAX = 512 };

/* printf, cut to fit.  Returns -1: return reason_set(...) is a failure with
 * its reason. */
int reason_set(char ret_why[REASON_MAX], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int reason_vset(char ret_why[REASON_MAX], const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

#endif
