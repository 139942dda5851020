/* Looks up the hosts of a connection string without blocking. */
#include "postgres/pg_hosts.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/resolve.h"

enum { LISTS = 3, ADDRESSES_MAX = 16 /* of a name */ };

struct pg_host {
	char *host, *addr, *port;
	struct resolve *resolve; /* NULL: not a name */
	bool known;              /* found or failed, in this look-up */
	const char *why;         /* it failed, or NULL */
	struct buf found;        /* its addresses, each with a NUL */
};

struct pg_hosts {
	char *told[LISTS]; /* never NULL */
	struct pg_host *all;
	size_t n;
	bool has_names, looking;
	int64_t deadline_ms;
	struct buf lists[LISTS]; /* host, hostaddr, port; with a NUL */
};

static int split(struct pg_hosts *h);
static char *element(const char *list, size_t i);
static size_t count(const char *list);
static bool is_name(const struct pg_host *p);
static void begin(struct pg_hosts *h);
static int step(struct pg_host *p);
static int write_lists(struct pg_hosts *h);

struct pg_hosts *
pg_hosts_open(const struct pg_hosts_lists *told)
{
	const char *const lists[LISTS] = {
	    told->host, told->hostaddr, told->port};
	struct pg_hosts *h = calloc(1, sizeof *h);

	if (h == NULL)
		return NULL;
	for (size_t i = 0; i < LISTS; i++) {
		h->told[i] = strdup(lists[i] == NULL ? "" : lists[i]);
		if (h->told[i] == NULL)
			goto fail;
	}
	if (split(h) == 0)
		return h;
fail:
	pg_hosts_close(h);
	return NULL;
}

void
pg_hosts_close(struct pg_hosts *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->n; i++) {
		struct pg_host *p = &h->all[i];

		resolve_close(p->resolve);
		buf_free(&p->found);
		free(p->host);
		free(p->addr);
		free(p->port);
	}
	for (size_t i = 0; i < LISTS; i++) {
		free(h->told[i]);
		buf_free(&h->lists[i]);
	}
	free(h->all);
	free(h);
}

bool
pg_hosts_are(const struct pg_hosts *h, const struct pg_hosts_lists *told)
{
	const char *const lists[LISTS] = {
	    told->host, told->hostaddr, told->port};

	for (size_t i = 0; i < LISTS; i++)
		if (strcmp(h->told[i], lists[i] == NULL ? "" : lists[i]) != 0)
			return false;
	return true;
}

/* As libpq: as many as have an address, else a name; each has a port of its
 * own, or all have one. */
static int
split(struct pg_hosts *h)
{
	const char *host = h->told[0], *addr = h->told[1], *port = h->told[2];
	size_t n = count(*addr != '\0' ? addr : host), ports = count(port);

	if ((*addr != '\0' && *host != '\0' && count(host) != n) ||
	    (ports != 1 && ports != n))
		return 0;
	h->all = calloc(n, sizeof *h->all);
	if (h->all == NULL)
		return -1;
	h->n = n;
	for (size_t i = 0; i < n; i++) {
		struct pg_host *p = &h->all[i];

		p->host = element(host, i);
		p->addr = element(addr, i);
		p->port = element(port, ports == 1 ? 0 : i);
		if (p->host == NULL || p->addr == NULL || p->port == NULL)
			return -1;
		if (!is_name(p))
			continue;
		h->has_names = true;
		p->resolve = resolve_open(p->host);
		if (p->resolve == NULL)
			return -1;
	}
	return 0;
}

static size_t
count(const char *list)
{
	size_t n = 1;

	for (; *list != '\0'; list++)
		n += *list == ',';
	return n;
}

/* A copy of element i, which is empty behind the end. */
static char *
element(const char *list, size_t i)
{
	for (; i > 0 && *list != '\0'; i--) {
		list += strcspn(list, ",");
		list += *list == ',';
	}
	return strndup(list, strcspn(list, ","));
}

/* Not an address, nor the folder of a socket. */
static bool
is_name(const struct pg_host *p)
{
	return *p->addr == '\0' && *p->host != '\0' && *p->host != '/' &&
	       *p->host != '@';
}

int
pg_hosts_look(
    struct pg_hosts *h, struct pg_hosts_lists *ret, char ret_why[REASON_MAX])
{
	const struct pg_host *bad = NULL;
	bool all = true;

	*ret = (struct pg_hosts_lists){0};
	if (!h->has_names)
		return 1;
	if (!h->looking)
		begin(h);
	for (size_t i = 0; i < h->n; i++) {
		struct pg_host *p = &h->all[i];

		if (step(p) < 0) {
			h->looking = false;
			return reason_set(ret_why, LOG_NO_MEMORY);
		}
		all &= p->known;
		if (p->resolve != NULL && p->found.len == 0)
			bad = p;
	}
	if (!all && clock_ms() < h->deadline_ms)
		return 0;
	h->looking = false;
	if (write_lists(h) < 0)
		return reason_set(ret_why, LOG_NO_MEMORY);
	if (h->lists[0].len == 1 && h->lists[1].len == 1)
		return reason_set(ret_why,
		    "could not translate host name \"%s\" to address: %s",
		    bad->host, bad->known ? bad->why : "no answer yet");
	*ret = (struct pg_hosts_lists){.host = buf_ptr(&h->lists[0]),
	    .hostaddr = buf_ptr(&h->lists[1]),
	    .port = buf_ptr(&h->lists[2])};
	return 1;
}

/* Of what is still under way the answer comes sooner. */
static void
begin(struct pg_hosts *h)
{
	h->looking = true;
	h->deadline_ms = clock_ms() + PG_HOSTS_WAIT_MS;
	for (size_t i = 0; i < h->n; i++) {
		struct pg_host *p = &h->all[i];

		if (p->known && p->resolve != NULL)
			resolve_restart(p->resolve);
		p->known = p->resolve == NULL;
		p->why = NULL;
		buf_clear(&p->found);
	}
}

/* 0, or -1 if there is no memory. */
static int
step(struct pg_host *p)
{
	char address[RESOLVE_TEXT];

	for (int n = 0; !p->known && n < ADDRESSES_MAX; n++) {
		int result = resolve_next(p->resolve, address, &p->why);

		if (result == 0)
			return 0;
		p->known = result < 0 || !resolve_more(p->resolve) ||
			   n == ADDRESSES_MAX - 1;
		if (result > 0 &&
		    buf_add(&p->found, address, strlen(address) + 1) < 0)
			return -1;
	}
	return 0;
}

/* Adds an element to each list. */
static int
add(struct pg_hosts *h, const struct pg_host *p, const char *addr)
{
	const char *const texts[LISTS] = {p->host, addr, p->port};

	for (size_t i = 0; i < LISTS; i++)
		if (buf_addf(&h->lists[i], "%s,", texts[i]) < 0)
			return -1;
	return 0;
}

static int
write_lists(struct pg_hosts *h)
{
	for (size_t i = 0; i < LISTS; i++)
		buf_clear(&h->lists[i]);
	for (size_t i = 0; i < h->n; i++) {
		const struct pg_host *p = &h->all[i];
		const char *addr = buf_ptr(&p->found);

		if (p->resolve == NULL && add(h, p, p->addr) < 0)
			return -1;
		for (size_t at = 0; at < p->found.len;
		     at += strlen(addr + at) + 1)
			if (add(h, p, addr + at) < 0)
				return -1;
	}
	for (size_t i = 0; i < LISTS; i++) {
		/* A comma is the end of the last one. */
		if (h->lists[i].len > 0)
			h->lists[i].len--;
		if (buf_add(&h->lists[i], "", 1) < 0)
			return -1;
	}
	return 0;
}
