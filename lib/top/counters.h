/*
 * Counters of others, between two readings: by how much each has grown.  A
 * counter that is lower than before began again at 0, with its process.
 */
#ifndef INCR_COUNTERS_H
#define INCR_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

enum { COUNTERS_MAX = 1 << 17 };

/* Several parts make the name of a series; two sources may have the same ones.
 */
struct counter_name {
	const void *name;
	size_t name_len;
	const void *labels;
	size_t labels_len;
	int source;
};

struct counter {
	uint64_t hash; /* of the series; 0: a free place */
	double value;
	bool seen; /* in this reading */
};

/* All zero is none.  Owned by whoever declares it. */
struct counters {
	struct hash_seed seed;
	struct counter *all;
	size_t n, size; /* size: 0, or a power of two */
};

/*
 * The increase of a series since the last reading that had it; of one that is
 * new its value if that is all of this time (`fresh`), else 0.  At most
 * COUNTERS_MAX are known, others do not grow.  0, or -1 with errno ENOMEM.
 */
int counters_increase(struct counters *c, const struct counter_name *name,
    double value, bool fresh, double *ret);

/* The reading has ended: a series that it did not have is forgotten. */
void counters_end(struct counters *c);

void counters_free(struct counters *c);

#endif
