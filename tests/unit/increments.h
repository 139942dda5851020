/*
 * What texts of increments are made of, and what one is judged to be.
 */
#ifndef INCR_INCREMENTS_H
#define INCR_INCREMENTS_H

#include "record/increment.h"

#define K "6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11"
#define KU "6F1B3C1E-7A4F-4F60-9A53-2B0F0F3A9A11"
#define MAX "9223372036854775807"
#define OVER "9223372036854775808"

struct increment_case {
	const char *text;
	enum fault fault;
	int64_t value; /* without fault */
};

#endif
