/* Checks a Redis by its INFO and its error replies. */
#include "redis/server_info.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/reason.h"

enum { VALUE_MAX = 64, VERSION_MIN = 7 /* for the flags of scripts */ };

static int field(const char *info, const char *name, char *ret, size_t size);
static bool field_is(const char *info, const char *name, const char *value);
static bool starts_with_any(const char *text, const char *const *words);

enum server_fitness
server_info_check(const char *info, char ret_why[REASON_MAX])
{
	char value[VALUE_MAX];

	if (field(info, "redis_version", value, sizeof value) == 0 &&
	    strtol(value, NULL, 10) < VERSION_MIN) {
		reason_set(ret_why, "version %s, must be %d or later", value,
		    VERSION_MIN);
		return UNFIT_FOR_EVER;
	}
	if (!field_is(info, "maxmemory", "0") &&
	    field(info, "maxmemory_policy", value, sizeof value) == 0 &&
	    strcmp(value, "noeviction") != 0) {
		reason_set(
		    ret_why, "maxmemory-policy %s, must be noeviction", value);
		return UNFIT_FOR_EVER;
	}
	if (field_is(info, "loading", "1")) {
		reason_set(ret_why, "loading its data");
		return UNFIT_NOW;
	}
	/* That of a cluster says MOVED. */
	if (field_is(info, "role", "slave") && !server_info_cluster(info)) {
		reason_set(ret_why, "replica, not the primary");
		return UNFIT_NOW;
	}
	return FIT;
}

int
server_info_run_id(const char *info, char *ret, size_t size)
{
	char run[VALUE_MAX], replication[VALUE_MAX] = "";

	if (field(info, "run_id", run, sizeof run) < 0)
		return -1;
	(void)field(info, "master_replid", replication, sizeof replication);
	if (strlen(run) + strlen(replication) + 2 > size)
		return -1;
	snprintf(ret, size, "%s %s", run, replication);
	return 0;
}

bool
server_info_cluster(const char *info)
{
	return field_is(info, "redis_mode", "cluster");
}

uint64_t
server_info_maxmemory(const char *info)
{
	return server_info_number(info, "maxmemory");
}

uint64_t
server_info_replicas(const char *info)
{
	return server_info_number(info, "connected_slaves");
}

uint64_t
server_info_number(const char *info, const char *name)
{
	char value[VALUE_MAX];

	if (field(info, name, value, sizeof value) < 0)
		return 0;
	return strtoull(value, NULL, 10);
}

int
server_info_text(const char *info, const char *name, char *ret, size_t size)
{
	return field(info, name, ret, size);
}

enum server_fitness
server_info_handshake_error(const char *error)
{
	static const char *const passing[] = {"LOADING", "MASTERDOWN", "BUSY",
	    "READONLY", "TRYAGAIN", "CLUSTERDOWN", "MOVED", "ASK", "MISCONF",
	    "OOM", "NOREPLICAS", "ERR max number of clients", NULL};

	return starts_with_any(error, passing) ? UNFIT_NOW : UNFIT_FOR_EVER;
}

bool
server_info_error_is_proof(const char *error)
{
	static const char *const proofs[] = {"LOADING ", "MASTERDOWN ",
	    "READONLY ", "TRYAGAIN ", "CLUSTERDOWN ", "MOVED ", "ASK ",
	    "CROSSSLOT ", "NOSCRIPT ", "NOAUTH ", "NOPERM ", "WRONGPASS ",
	    "BUSY ", "MISCONF ", "OOM ", "NOREPLICAS ", "WRONGTYPE ",
	    "ERR The user executing the script can't", NULL};

	return starts_with_any(error, proofs);
}

enum server_fitness
server_info_call_error(const char *error)
{
	static const char *const passing[] = {"LOADING", "MASTERDOWN",
	    "READONLY", "TRYAGAIN", "CLUSTERDOWN", "MOVED", NULL};
	static const char *const staying[] = {
	    "NOPERM", "NOAUTH", "WRONGPASS", NULL};

	if (starts_with_any(error, passing))
		return UNFIT_NOW;
	return starts_with_any(error, staying) ? UNFIT_FOR_EVER : FIT;
}

/* Finds the line "name:value".  0 or -1. */
static int
field(const char *info, const char *name, char *ret, size_t size)
{
	size_t len = strlen(name), n;

	for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		n = strcspn(line + len + 1, "\r\n");
		if (n >= size)
			return -1;
		memcpy(ret, line + len + 1, n);
		ret[n] = '\0';
		return 0;
	}
	return -1;
}

static bool
field_is(const char *info, const char *name, const char *value)
{
	char is[VALUE_MAX];

	return field(info, name, is, sizeof is) == 0 && strcmp(is, value) == 0;
}

static bool
starts_with_any(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strncmp(text, *words, strlen(*words)) == 0)
			return true;
	return false;
}
