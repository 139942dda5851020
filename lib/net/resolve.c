/* Looks up host names without blocking. */
#include "net/resolve.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

/* A look-up; a thread may be writing to it until it is done. */
struct lookup {
	struct gaicb request;
	struct addrinfo hints;
	char host[]; /* ends with a NUL */
};

struct resolve {
	char *host;
	struct lookup *lookup; /* NULL: none */
	struct addrinfo *next; /* of its result; NULL: all were given */
	bool known;            /* its result is there */
};

static int look_up(struct resolve *r);

struct resolve *
resolve_open(const char *host)
{
	struct resolve *r = calloc(1, sizeof *r);

	if (r != NULL)
		r->host = strdup(host);
	if (r == NULL || r->host == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

void
resolve_close(struct resolve *r)
{
	if (r == NULL)
		return;
	resolve_restart(r);
	free(r->host);
	free(r);
}

int
resolve_next(struct resolve *r, char ret[RESOLVE_TEXT], const char **ret_why)
{
	int error;

	if (r->known && r->next == NULL)
		resolve_restart(r);
	if (r->lookup == NULL && look_up(r) < 0) {
		*ret_why = LOG_NO_MEMORY;
		return -1;
	}
	error = gai_error(&r->lookup->request);
	if (error == EAI_INPROGRESS)
		return 0;
	if (!r->known)
		r->next = r->lookup->request.ar_result;
	r->known = true;
	if (error == 0)
		error = getnameinfo(r->next->ai_addr, r->next->ai_addrlen, ret,
		    RESOLVE_TEXT, NULL, 0, NI_NUMERICHOST);
	if (error != 0) {
		resolve_restart(r);
		*ret_why = gai_strerror(error);
		return -1;
	}
	r->next = r->next->ai_next;
	return 1;
}

/* Begins a look-up; one of digits is done at once. */
static int
look_up(struct resolve *r)
{
	size_t size = strlen(r->host) + 1;
	struct lookup *l = calloc(1, sizeof *l + size);
	struct gaicb *list[1];

	if (l == NULL)
		return -1;
	memcpy(l->host, r->host, size);
	l->hints = (struct addrinfo){.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICHOST};
	l->request.ar_name = l->host;
	l->request.ar_request = &l->hints;
	list[0] = &l->request;
	if (getaddrinfo(l->host, NULL, &l->hints, &l->request.ar_result) != 0) {
		l->hints.ai_flags = AI_ADDRCONFIG;
		if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
			free(l);
			return -1;
		}
	}
	r->lookup = l;
	return 0;
}

bool
resolve_more(const struct resolve *r)
{
	return r->next != NULL;
}

void
resolve_restart(struct resolve *r)
{
	struct lookup *l = r->lookup;

	r->lookup = NULL;
	r->next = NULL;
	r->known = false;
	if (l == NULL)
		return;
	/* Leaked: the thread may still write to it. */
	if (gai_error(&l->request) == EAI_INPROGRESS &&
	    gai_cancel(&l->request) != EAI_CANCELED)
		return;
	if (l->request.ar_result != NULL)
		freeaddrinfo(l->request.ar_result);
	free(l);
}
