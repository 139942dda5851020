/* Writes the names of a queue's keys. */
#include "queue/queue_key.h"

#include <stdio.h>

void
queue_key(char *ret, size_t size, enum queue_key_owner owner, const char *queue,
    bool cluster, const char *rest)
{
	snprintf(ret, size, "%s::queue::%c%s%c::%s",
	    owner == QUEUE_KEY_RMQ ? "rmq" : "incr", cluster ? '{' : '[', queue,
	    cluster ? '}' : ']', rest);
}
