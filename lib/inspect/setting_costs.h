/*
 * What each setting of a server costs: the rows of the tables of incr(7) that a
 * program can see.  A test compares them with the page.
 */
#ifndef INCR_SETTING_COSTS_H
#define INCR_SETTING_COSTS_H

#include "base/findings.h"

struct setting_cost {
	const char *setting, *event, *cost;
};

/* All rows; one without a setting ends them. */
extern const struct setting_cost setting_costs[];

/*
 * Adds a line about a setting, which the table has: "OBJECT: SAID: event: cost;
 * event: cost", said (NULL: the setting) being what the line calls it.
 */
void setting_costs_tell(struct findings *f, enum finding level,
    const char *object, const char *setting, const char *said);

#endif
