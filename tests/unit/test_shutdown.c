/* The stages in which a server ends, without connections. */
#include "check.h"
#include "serve/shutdown.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

enum { UNREADY_MS = 2000, GRACE_MS = 10000 };

static struct server server;
static struct shutdown stop;
static int lines, verdicts; /* the other ends of the pipes */
static char path[] = "/tmp/test_shutdown.XXXXXX/s";
static struct exchange *waiting; /* for a verdict */

static bool
listens(void)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static void
open_server(void)
{
	static const struct access_options open;
	struct server_options o = {.access = &open,
	    .backend = {.max_lines = 16, .verdict_ms = 60000},
	    .max_connections = 16,
	    .max_bulk_requests = 2};
	int out[2], in[2];
	char why[REASON_MAX] = "";
	const char *reason = why;

	server = (struct server){0};
	check(
	    pipe2(out, O_NONBLOCK) == 0 && pipe2(in, O_NONBLOCK) == 0, "pipes");
	o.backend.in_fd = in[0];
	o.backend.out_fd = out[1];
	lines = out[0];
	verdicts = in[1];
	check(server_open(&server, &o, why) == 0, "%s", why);
	check(acceptor_open(&server.acceptor, path, ROUTES_FRONT, &reason) == 0,
	    "%s", reason);
	shutdown_init(&stop, &server, UNREADY_MS, GRACE_MS);
	check(shutdown_step(&stop, clock_ms()) == NULL && listens(), "it runs");
}

static void
close_server(void)
{
	acceptor_close(&server.acceptor);
	backend_close(&server.backend);
	server_close(&server);
	loop_close(&server.loop);
	if (lines >= 0)
		close(lines);
	if (verdicts >= 0)
		close(verdicts);
	close(server.backend.in.fd);
	if (!server.backend.out_closed)
		close(server.backend.out.fd);
	if (waiting != NULL)
		exchange_free(waiting);
	waiting = NULL;
}

/* A line that waits for its verdict. */
static void
add_line(void)
{
	struct exchanges q = {0};

	waiting = exchange_begin(&q, NULL, &server.handler);
	check(backend_add(&server.backend, waiting, 1, "a", 1, clock_ms()) == 0,
	    "add");
	server_send(&server);
}

static void
end_verdicts(void)
{
	close(verdicts);
	verdicts = -1;
	check(loop_wait(&server.loop, clock_ms() + 10000) == 0, "loop");
}

static void
test_in_order(void)
{
	int64_t now_ms;
	char c;

	open_server();
	shutdown_begin(&stop);
	now_ms = clock_ms();
	check(stop.stage == SHUTDOWN_UNREADY && server.routes.unready &&
		  server.conns.closing && listens(),
	    "it says so, and takes requests");
	check(shutdown_due(&stop) <= now_ms + UNREADY_MS, "due");
	check(shutdown_step(&stop, now_ms) == NULL &&
		  stop.stage == SHUTDOWN_UNREADY,
	    "not yet");
	add_line();
	check(shutdown_step(&stop, now_ms + UNREADY_MS) == NULL &&
		  stop.stage == SHUTDOWN_DRAINING && !listens(),
	    "nothing is accepted");
	shutdown_close_output(&stop);
	check(read(lines, &c, 1) == 1 && read(lines, &c, 1) == 1 &&
		  read(lines, &c, 1) == 0,
	    "a line, then the end");
	shutdown_begin(&stop);
	check(stop.stage == SHUTDOWN_DRAINING, "only forward");
	check(write(verdicts, "a\n", 2) == 2, "a verdict");
	check(loop_wait(&server.loop, clock_ms() + 10000) == 0, "loop");
	waiting = NULL; /* it was answered, and freed */
	check(shutdown_step(&stop, now_ms) == NULL &&
		  stop.stage == SHUTDOWN_DRAINING,
	    "more may come");
	end_verdicts();
	check(shutdown_step(&stop, now_ms) == NULL &&
		  stop.stage == SHUTDOWN_LEAVING && shutdown_done(&stop),
	    "all is done");
	check(stop.status == EXIT_DELIVERED, "%d", stop.status);
	close_server();
}

/* Who connects is left to the next server, which has the same sockets; a
 * client that is connected may send one more request. */
static void
test_handing(void)
{
	int64_t now_ms;
	int pair[2];

	open_server();
	server.acceptor.sockets[0].inherited = true;
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0 &&
		  conn_open(&server.conns, pair[0],
		      &(struct origin){.role = ROUTES_FRONT}) == 0,
	    "a connection");
	shutdown_begin(&stop);
	now_ms = clock_ms();
	check(stop.stage == SHUTDOWN_HANDING && !server.routes.unready &&
		  server.conns.closing && !listens(),
	    "it is ready, and accepts nothing");
	check(shutdown_step(&stop, now_ms) == NULL &&
		  stop.stage == SHUTDOWN_HANDING && server.conns.count == 1,
	    "not yet");
	shutdown_close_output(&stop);
	check(!server.backend.out_closed, "requests are taken");
	now_ms += SHUTDOWN_IDLE_MS;
	check(shutdown_step(&stop, now_ms) == NULL &&
		  stop.stage == SHUTDOWN_HANDING,
	    "idle for long");
	(void)server_tick(&server, now_ms);
	check(server.conns.count == 0 && shutdown_due(&stop) <= clock_ms(),
	    "the idle one ends");
	check(shutdown_step(&stop, now_ms) == NULL &&
		  stop.stage == SHUTDOWN_DRAINING && !server.routes.unready,
	    "without connections there is nothing to wait for");
	close(pair[1]);
	close_server();
}

/* One of its own sockets does not outlive it. */
static void
test_handing_some(void)
{
	const char *why;

	open_server();
	server.acceptor.sockets[0].inherited = true;
	check(acceptor_is_outlived(&server.acceptor), "all of them");
	check(acceptor_open(
		  &server.acceptor, "127.0.0.1:0", ROUTES_FRONT, &why) == 0,
	    "%s", why);
	shutdown_begin(&stop);
	check(
	    stop.stage == SHUTDOWN_UNREADY && server.routes.unready, "unready");
	close_server();
}

static void
test_verdicts_missing(void)
{
	const char *why;

	open_server();
	add_line();
	waiting = NULL; /* answered as unknown, and freed */
	shutdown_begin(&stop);
	(void)shutdown_step(&stop, clock_ms() + UNREADY_MS);
	check(shutdown_step(&stop, clock_ms() + GRACE_MS - 1000) == NULL,
	    "within the grace");
	why = shutdown_step(&stop, clock_ms() + GRACE_MS);
	check(why != NULL &&
		  strcmp(why, "stdin: no end of verdicts within --grace; "
			      "1 line without verdict") == 0,
	    "%s", why);
	check(stop.status == EXIT_TEMPFAIL && stop.stage == SHUTDOWN_LEAVING,
	    "given up");
	check(server.metrics.series[SERVE_METRICS_504].value == 1, "as 504");
	close_server();
}

/* The verdicts end though nobody asked for it. */
static void
test_verdicts_end(void)
{
	const char *why;

	open_server();
	end_verdicts();
	why = shutdown_step(&stop, clock_ms());
	check(why != NULL && strcmp(why, "stdin: end of verdicts; "
					 "0 lines without verdict") == 0,
	    "%s", why);
	check(stop.status == EXIT_TEMPFAIL && stop.stage == SHUTDOWN_LEAVING &&
		  !listens(),
	    "at once");
	close_server();
}

/* Nobody reads the lines: what was written may still get its verdict. */
static void
test_unread(void)
{
	const char *why;

	open_server();
	add_line();
	close(lines);
	lines = -1;
	check(loop_wait(&server.loop, clock_ms() + 10000) == 0, "loop");
	why = shutdown_step(&stop, clock_ms());
	check(
	    why != NULL && strcmp(why, "stdout: Broken pipe") == 0, "%s", why);
	check(stop.stage == SHUTDOWN_DRAINING && stop.status == EXIT_TEMPFAIL,
	    "it waits");
	check(shutdown_step(&stop, clock_ms()) == NULL, "said once");
	check(write(verdicts, "a\n", 2) == 2, "a verdict");
	check(loop_wait(&server.loop, clock_ms() + 10000) == 0, "loop");
	waiting = NULL;
	end_verdicts();
	check(shutdown_step(&stop, clock_ms()) == NULL &&
		  stop.stage == SHUTDOWN_LEAVING,
	    "no line is without verdict");
	check(stop.status == EXIT_TEMPFAIL, "the failure stays");
	close_server();
}

static void
test_confused(void)
{
	const char *why;

	open_server();
	check(write(verdicts, "a\n", 2) == 2, "a verdict");
	check(loop_wait(&server.loop, clock_ms() + 10000) == 0, "loop");
	why = shutdown_step(&stop, clock_ms());
	check(why != NULL && strcmp(why, "stdin: verdict without a line; "
					 "0 lines without verdict") == 0,
	    "%s", why);
	check(stop.status == EXIT_BUG, "%d", stop.status);
	close_server();
}

int
main(void)
{
	char *slash = strrchr(path, '/');

	*slash = '\0';
	check(mkdtemp(path) != NULL, "%s", path);
	*slash = '/';
	test_in_order();
	test_handing();
	test_handing_some();
	test_verdicts_missing();
	test_verdicts_end();
	test_unread();
	test_confused();
	*slash = '\0';
	rmdir(path);
	return check_end();
}
