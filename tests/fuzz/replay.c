/*
 * A main for a fuzz target without libFuzzer: gives it every file named, as
 * libFuzzer would.  Status 0 if the target held, 1 if a file can't be read;
 * a broken promise aborts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

enum { REPLAY_MAX = 1 << 20 };

int
main(int argc, char **argv)
{
	static uint8_t data[REPLAY_MAX];

	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		uint8_t *copy;
		size_t len;

		if (f == NULL) {
			perror(argv[i]);
			return 1;
		}
		len = fread(data, 1, sizeof data, f);
		fclose(f);
		/* Exactly as long as the input, for the sanitizers. */
		copy = malloc(len + (len == 0));
		if (copy == NULL)
			return 1;
		for (size_t b = 0; b < len; b++)
			copy[b] = data[b];
		LLVMFuzzerTestOneInput(copy, len);
		free(copy);
	}
	return 0;
}
