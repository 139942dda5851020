/*
 * The file that tells which TCP ports a server has.
 */
#ifndef INCR_PORT_FILE_H
#define INCR_PORT_FILE_H

#include "serve/acceptor.h"

/* Writes the ports of both, one per line, to a file beside it, which is then
 * renamed: a reader finds either no file or all of it, and the sockets listen
 * by then.  0, or -1 with errno. */
int port_file_write(const char *path, const struct acceptor *front,
    const struct acceptor *metrics);

#endif
