/* Whether an address could be listened on is found out without listening. */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "net/listen.h"

static int listened;

/* In place of the one of libc. */
int
listen(int fd, int backlog)
{
	(void)fd;
	(void)backlog;
	listened++;
	return 0;
}

static enum listen_probe
probe(const char *addr, bool *ret_local)
{
	const char *why = "";
	enum listen_probe is = listen_probe(addr, ret_local, &why);

	check(is != LISTEN_TAKEN || *why != '\0', "%s: no reason", addr);
	return is;
}

int
main(void)
{
	char folder[] = "/tmp/test_listen.XXXXXX", path[64];
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct listener l;
	const char *why;
	bool local = false;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	check(probe("127.0.0.1:0", &local) == LISTEN_FREE && local, "loopback");
	check(probe("0.0.0.0:0", &local) == LISTEN_FREE && !local, "any");
	check(probe(":0", &local) == LISTEN_FREE && !local, "any of both");
	check(probe("127.0.0.1", &local) == LISTEN_TAKEN, "no port");
	check(mkdtemp(folder) != NULL, "a folder");
	snprintf(path, sizeof path, "%s/s", folder);
	check(probe(path, &local) == LISTEN_FREE && local, "a path");
	check(access(path, F_OK) < 0, "nothing is made");
	memcpy(at.sun_path, path, strlen(path) + 1);
	check(bind(fd, (struct sockaddr *)&at, sizeof at) == 0, "bind");
	check(probe(path, &local) == LISTEN_STALE, "nobody listens there");
	check(access(path, F_OK) == 0, "nothing is removed");
	unlink(path);
	check(probe("/nowhere/at/all/s", &local) == LISTEN_TAKEN, "no folder");
	rmdir(folder);
	check(listened == 0, "listened %d times", listened);
	/* The count would see it. */
	check(listen_open("127.0.0.1:0", &l, 1, &why) == 1 && listened == 1,
	    "opened");
	listen_close(&l);
	close(fd);
	return check_end();
}
