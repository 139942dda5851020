#include "record/json.h"

#include <jansson.h>
#include <stdlib.h>

static void *allocate(size_t n);

static bool failed;

void
json_watch(void)
{
	failed = false;
	json_set_alloc_funcs(allocate, free);
}

bool
json_failed(void)
{
	return failed;
}

static void *
allocate(size_t n)
{
	void *p = malloc(n);

	if (p == NULL)
		failed = true;
	return p;
}
