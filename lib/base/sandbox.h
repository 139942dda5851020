/*
 * What a program gives up once it has started, before it reads the first byte
 * of a stranger: privileges, and new ones; files but for the folders named
 * here, landlock(7); the system calls of base/sandbox_filter.h, seccomp(2).
 *
 * Descriptors that are open already stay as they are.  A file that is read
 * again later is usually replaced by rename(2), and so its folder is named.
 * What the kernel does not have, or a container forbids, stays off.
 */
#ifndef INCR_SANDBOX_H
#define INCR_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sandbox_filter.h"

enum sandbox_use {
	SANDBOX_READ,    /* files below the folder are read */
	SANDBOX_REPLACE, /* and made, written, renamed, removed */
	SANDBOX_REMOVE,  /* files in it are removed, and nothing else */
	SANDBOX_USES
};

enum { SANDBOX_FOLDERS_MAX = 64 };

/* All zero but for off and needs. */
struct sandbox {
	bool off;       /* --no-sandbox */
	unsigned needs; /* of enum sandbox_need */
	struct {
		int fd;
		enum sandbox_use use;
	} folders[SANDBOX_FOLDERS_MAX];
	size_t n;
};

/* path may be NULL or empty: nothing.  A folder that is not there can't be
 * used later, either. */
void sandbox_folder(struct sandbox *s, const char *path, enum sandbox_use use);

/* The folder of a file, and the one to which its links lead. */
void sandbox_file(struct sandbox *s, const char *path, enum sandbox_use use);

/* Looks names up, and speaks TLS: needs libraries, and files of the system. */
void sandbox_names(struct sandbox *s);

/* Connects to the Redis of a URL, url.h: with the files that it names, and with
 * sandbox_names() if it has TLS, sentinels or a name of a host. */
void sandbox_redis(struct sandbox *s, const char *url);

/* What is not on: 0, or the errno that says why.  ENOTSUP also means: no filter
 * for this kind of machine, no landlock in a build with sanitizers. */
struct sandbox_off {
	int landlock, seccomp, capset;
};

/*
 * Gives up the rest, for ever.  Files in the folder of INCR_METRICS_DIR may be
 * replaced, or in that above it if it is missing; with SANDBOX_CONNECT also in
 * that of RUNTIME_DIRECTORY; with either /proc may be read.  Before any thread
 * is started.
 */
struct sandbox_off sandbox_enter(struct sandbox *s);

#endif
