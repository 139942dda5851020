/* Whose connection it is: by its first bytes, by /proc. */
#include "peer.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned long find_inode(int port);
static bool holds(int pid, unsigned long inode);

/*
 * A replica of Redis begins with PING alone, a sentinel with its name, our
 * programs with AUTH.  A standby of Postgres asks for replication when it
 * starts up.
 */
enum peer
peer_of(const char *bytes, size_t len)
{
	static const char ping[] = "*1\r\n$4\r\nPING\r\n";

	if (len >= sizeof ping - 1 && memcmp(bytes, ping, sizeof ping - 1) == 0)
		return PEER_REPLICA;
	if (memmem(bytes, len, "\0replication\0", 13) != NULL)
		return PEER_REPLICA;
	if (memmem(bytes, len, "sentinel-", 9) != NULL)
		return PEER_SENTINEL;
	return PEER_CLIENT;
}

bool
peer_is(int fd, int pid)
{
	struct sockaddr_storage from;
	struct ucred who;
	socklen_t len = sizeof from;

	if (getpeername(fd, (struct sockaddr *)&from, &len) < 0)
		return false;
	if (from.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)&from;

		return holds(pid, find_inode(ntohs(in->sin_port)));
	}
	len = sizeof who;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	       who.pid == pid;
}

/* Of the TCP socket whose own port this is, 0 if there is none. */
static unsigned long
find_inode(int port)
{
	char line[512];
	unsigned long inode = 0, one;
	unsigned own;
	FILE *f = fopen("/proc/net/tcp", "re");

	while (f != NULL && inode == 0 && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line,
			" %*d: %*x:%x %*x:%*x %*x %*x:%*x %*x:%*x %*x %*d "
			"%*d %lu",
			&own, &one) == 2 &&
		    own == (unsigned)port)
			inode = one;
	if (f != NULL)
		fclose(f);
	return inode;
}

static bool
holds(int pid, unsigned long inode)
{
	char path[300], wanted[64], is[64];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
	d = inode == 0 ? NULL : opendir(path);
	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		ssize_t n;

		snprintf(
		    path, sizeof path, "/proc/%d/fd/%.20s", pid, e->d_name);
		n = readlink(path, is, sizeof is - 1);
		is[n < 0 ? 0 : n] = '\0';
		found = strcmp(is, wanted) == 0;
	}
	if (d != NULL)
		closedir(d);
	return found;
}
