/*
 * What every unit test needs: count the checks, show where one failed, end
 * with a status.
 */
#ifndef INCR_CHECK_H
#define INCR_CHECK_H

#include <stdio.h>
#include <string.h>

/* AddressSanitizer needs memory of its own, without a limit. */
#if defined(__SANITIZE_ADDRESS__)
#define CHECK_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHECK_SANITIZED
#endif
#endif

static unsigned check_count, check_failed;

/* check(condition, "which case: %s", name): goes on after a failure. */
#define check(ok, ...) \
	do { \
		check_count++; \
		if (!(ok)) { \
			check_failed++; \
			fprintf( \
			    stderr, "%s:%d: %s: ", __FILE__, __LINE__, #ok); \
			fprintf(stderr, __VA_ARGS__); \
			fputc('\n', stderr); \
		} \
	} while (0)

/* Elements of an array. */
#define check_n(array) (sizeof(array) / sizeof *(array))

/* The end of main: 0 if all held and there were any. */
static inline int
check_end(void)
{
	if (check_failed > 0 || check_count == 0) {
		fprintf(stderr, "%u of %u checks failed\n", check_failed,
		    check_count);
		return 1;
	}
	return 0;
}

#endif
