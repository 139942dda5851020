/* Writes the ports of a server to a file. */
#include "serve/port_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"

int
port_file_write(const char *path, const struct acceptor *front,
    const struct acceptor *metrics)
{
	struct buf ports = {0};
	char aside[4096];
	int n = snprintf(aside, sizeof aside, "%s.new", path), fd = -1;
	int result = -1;

	errno = ENAMETOOLONG;
	if (n > 0 && (size_t)n < sizeof aside)
		fd =
		    open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0 && acceptor_ports(front, &ports) == 0 &&
	    acceptor_ports(metrics, &ports) == 0 &&
	    io_write_all(fd, buf_ptr(&ports), ports.len, IO_FOREVER) == 0 &&
	    close(fd) == 0 && rename(aside, path) == 0)
		result = 0;
	buf_free(&ports);
	return result;
}
