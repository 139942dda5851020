/*
 * Descriptors: polling with a deadline, writing without blocking.
 *
 * Deadlines are clock_ms() values; IO_FOREVER never comes.
 */
#ifndef INCR_IO_H
#define INCR_IO_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#define IO_FOREVER INT64_MAX

/*
 * Fills descriptors 0 to 2 where the caller left them closed, so that no
 * file or connection opened later is taken for one of them: reading 0 and
 * writing 1 still fail with EBADF, messages go nowhere.  Before anything is
 * opened; options_parse does it.
 */
void io_hold(void);

/*
 * poll(2) until deadline_ms.  The number of ready descriptors, 0 when the
 * deadline has come, -1 with errno.  EINTR is tried again.
 */
int io_poll(struct pollfd *fds, nfds_t n, int64_t deadline_ms);

/* O_NONBLOCK and close-on-exec.  0, or -1 with errno. */
int io_nonblock(int fd);

/*
 * Makes the output descriptor of a program (standard output; one per process)
 * safe to write without ever blocking, and faster: a pipe or terminal is
 * opened again (through /proc) with O_NONBLOCK, so that others who share the
 * descriptor keep theirs as it was; a pipe gets a larger buffer if the system
 * allows it.  What can't be opened again stays as it is, and io_write_some
 * writes it in pieces that can't block.  Ignores SIGPIPE in this process: a
 * dead reader is EPIPE.
 */
void io_output(int fd);

/*
 * Closes an output descriptor.  0 if everything written to it arrived as far
 * as the system can tell, else -1 with errno.
 */
int io_finish(int fd);

/*
 * Writes what goes without blocking: at least one byte, or -1 with errno
 * (EAGAIN: wait for POLLOUT; EPIPE: the reader has gone).  A terminal is shown
 * \xHH in place of every byte but printable ASCII, TAB and newline: what others
 * have sent must not command it.
 */
int64_t io_write_some(int fd, const void *p, size_t n);

/*
 * Writes all n bytes, waiting with poll, at most until deadline_ms.
 * 0, or -1 with errno (ETIMEDOUT at the deadline).
 */
int io_write_all(int fd, const void *p, size_t n, int64_t deadline_ms);

/* True if fd is a pipe or socket whose other end nobody reads any more. */
int io_reader_gone(int fd);

#endif
