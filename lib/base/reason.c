/* Formats the reason why a call failed. */
#include "base/reason.h"

#include <stdio.h>

int
reason_set(char ret_why[REASON_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reason_vset(ret_why, fmt, ap);
	va_end(ap);
	return -1;
}

int
reason_vset(char ret_why[REASON_MAX], const char *fmt, va_list ap)
{
	if (vsnprintf(ret_why, REASON_MAX, fmt, ap) < 0)
		ret_why[0] = '\0';
	return -1;
}
