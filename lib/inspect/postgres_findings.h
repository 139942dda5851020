/*
 * What is to be said of a database, by the facts of postgres/survey.h.  Pure.
 */
#ifndef INCR_POSTGRES_FINDINGS_H
#define INCR_POSTGRES_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/findings.h"

/* keeps: incr-flush has --keep. */
void postgres_findings(
    struct findings *f, const char *facts, size_t len, bool keeps);

#endif
