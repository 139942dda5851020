/* Goes through the addresses of hosts. */
#include "redis/endpoints.h"

#include "base/log.h"

static void forget(struct endpoints *e);

void
endpoints_set(struct endpoints *e, const struct url_host *hosts, size_t n_hosts)
{
	endpoints_clear(e);
	e->hosts = hosts;
	e->n_hosts = n_hosts;
}

/* A round has as many turns as there are hosts now, whatever there were. */
void
endpoints_replace(
    struct endpoints *e, const struct url_host *hosts, size_t n_hosts)
{
	forget(e);
	e->hosts = hosts;
	e->n_hosts = n_hosts;
	if (e->at >= n_hosts)
		e->at = 0;
}

void
endpoints_clear(struct endpoints *e)
{
	forget(e);
	*e = (struct endpoints){0};
}

static void
forget(struct endpoints *e)
{
	resolve_close(e->resolve);
	e->resolve = NULL;
}

int
endpoints_next(
    struct endpoints *e, char ret[RESOLVE_TEXT], const char **ret_why)
{
	if (e->resolve == NULL)
		e->resolve = resolve_open(endpoints_host(e)->name);
	if (e->resolve == NULL) {
		*ret_why = LOG_NO_MEMORY;
		return -1;
	}
	return resolve_next(e->resolve, ret, ret_why);
}

const struct url_host *
endpoints_host(const struct endpoints *e)
{
	return &e->hosts[e->at];
}

bool
endpoints_advance(struct endpoints *e)
{
	if (e->resolve != NULL && resolve_more(e->resolve))
		return true;
	forget(e);
	e->at = (e->at + 1) % e->n_hosts;
	e->n_tried = e->n_tried + 1 < e->n_hosts ? e->n_tried + 1 : 0;
	return e->n_tried != 0;
}

void
endpoints_restart(struct endpoints *e)
{
	forget(e);
	e->n_tried = 0;
}
