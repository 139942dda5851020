/*
 * What every fuzz target needs: libFuzzer's entry point, and a check that
 * ends the process.
 */
#ifndef INCR_FUZZ_H
#define INCR_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Called by libFuzzer (or replay.c) with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define promise(ok) \
	do { \
		if (!(ok)) { \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, \
			    __LINE__, #ok); \
			abort(); \
		} \
	} while (0)

#endif
