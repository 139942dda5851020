/* Sends POSTs to one URL over kept connections, by libcurl and epoll. */
#include "send/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "base/reason.h"
#include "send/key_field.h"

enum {
	CONNECT_MS = 3000,
	/* Servers close idle connections; ours are younger, so that a
	 * request rarely meets one that is just being closed. */
	CONNECTION_AGE_S = 30,
	ANSWER_MAX = 4 << 20, /* bytes that are looked at */
	EVENTS = 64
};

/* One request at a time. */
struct transfer {
	CURL *easy;
	void *token;
	bool many, bears;           /* a token */
	uint64_t line;              /* of the key, or 0 */
	struct transfer *next;      /* free ones */
	struct curl_slist *headers; /* its own, or NULL */
	struct buf answer;
	char why[REASON_MAX];
};

_Static_assert(REASON_MAX >= CURL_ERROR_SIZE, "libcurl writes into why");

struct http_client {
	CURLM *multi;
	CURLU *url, *url_many; /* NULL: there is none */
	struct curl_slist *headers, *headers_many;
	struct transfer *transfers, *free;
	size_t n; /* transfers */
	int epoll;
	int64_t due_ms; /* of libcurl's timer */
	bool found;     /* an answer came, and no redirect */
	char name[300];
};

static int read_url(struct http_client *c, const char *url);
static int read_url_many(struct http_client *c);
static int open_multi(struct http_client *c, size_t max);
static int open_transfer(struct http_client *c, struct transfer *t,
    const struct http_client_settings *set);
static int want(
    CURL *easy, curl_socket_t fd, int what, void *client, void *known);
static int set_timer(CURLM *multi, long timeout_ms, void *client);
static int permit(
    void *transfer, char *remote, char *local, int remote_port, int local_port);
static int set_headers(struct transfer *t, const struct http_client *c,
    const struct http_client_request *request);
static size_t receive(char *bytes, size_t size, size_t n, void *transfer);
static void act(struct http_client *c, curl_socket_t fd, int what);

struct http_client *
http_client_open(const struct http_client_settings *set, const char **ret_why)
{
	struct http_client *c = calloc(1, sizeof *c);

	*ret_why = LOG_NO_MEMORY;
	if (c == NULL)
		return NULL;
	c->epoll = -1;
	c->due_ms = IO_FOREVER;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		goto fail;
	if (read_url(c, set->url) < 0) {
		*ret_why = "not an http:// or https:// URL";
		goto fail;
	}
	if (read_url_many(c) < 0 || open_multi(c, set->max) < 0)
		goto fail;
	c->transfers = calloc(set->max, sizeof *c->transfers);
	if (c->transfers == NULL)
		goto fail;
	for (; c->n < set->max; c->n++)
		if (open_transfer(c, &c->transfers[c->n], set) < 0)
			goto fail;
	return c;
fail:
	http_client_close(c);
	return NULL;
}

void
http_client_close(struct http_client *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++) {
		curl_multi_remove_handle(c->multi, c->transfers[i].easy);
		curl_easy_cleanup(c->transfers[i].easy);
		curl_slist_free_all(c->transfers[i].headers);
		buf_free(&c->transfers[i].answer);
	}
	free(c->transfers);
	curl_multi_cleanup(c->multi);
	curl_slist_free_all(c->headers);
	curl_slist_free_all(c->headers_many);
	curl_url_cleanup(c->url);
	curl_url_cleanup(c->url_many);
	if (c->epoll >= 0)
		close(c->epoll);
	free(c);
}

const char *
http_client_name(const struct http_client *c)
{
	return c->name;
}

static int
read_url(struct http_client *c, const char *url)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	int result = -1;

	c->url = curl_url();
	if (c->url == NULL ||
	    curl_url_set(c->url, CURLUPART_URL, url, 0) != CURLUE_OK)
		return -1;
	curl_url_get(c->url, CURLUPART_SCHEME, &scheme, 0);
	curl_url_get(c->url, CURLUPART_HOST, &host, 0);
	curl_url_get(c->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	if (scheme != NULL && host != NULL && port != NULL &&
	    (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)) {
		snprintf(
		    c->name, sizeof c->name, "%s://%s:%s", scheme, host, port);
		result = 0;
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return result;
}

/* 0, also if the URL has no plural, or -1 if memory is gone. */
static int
read_url_many(struct http_client *c)
{
	static const char one[] = "/increment";
	size_t len, one_len = sizeof one - 1;
	struct buf many = {0};
	char *path = NULL;
	int result = 0;

	if (curl_url_get(c->url, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return -1;
	len = strlen(path);
	if (len >= one_len && strcmp(path + len - one_len, one) == 0) {
		c->url_many = curl_url_dup(c->url);
		if (c->url_many == NULL ||
		    buf_addf(&many, "%ss%c", path, '\0') < 0 ||
		    curl_url_set(c->url_many, CURLUPART_PATH, buf_ptr(&many),
			0) != CURLUE_OK)
			result = -1;
	}
	buf_free(&many);
	curl_free(path);
	return result;
}

bool
http_client_takes_many(const struct http_client *c)
{
	return c->url_many != NULL;
}

static int
open_multi(struct http_client *c, size_t max)
{
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->multi = curl_multi_init();
	c->headers = curl_slist_append(NULL, "Content-Type: application/json");
	c->headers_many =
	    curl_slist_append(NULL, "Content-Type: application/x-ndjson");
	if (c->epoll < 0 || c->multi == NULL || c->headers == NULL ||
	    c->headers_many == NULL)
		return -1;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)max);
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	return 0;
}

static int
open_transfer(struct http_client *c, struct transfer *t,
    const struct http_client_settings *set)
{
	CURL *e = t->easy = curl_easy_init();

	if (e == NULL)
		return -1;
	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_POST, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)set->timeout_ms);
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)CONNECTION_AGE_S);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->why);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, permit);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
	if (set->cacert != NULL &&
	    curl_easy_setopt(e, CURLOPT_CAINFO, set->cacert) != CURLE_OK)
		return -1;
	if (set->token != NULL &&
	    (curl_easy_setopt(e, CURLOPT_HTTPAUTH, CURLAUTH_BEARER) !=
		    CURLE_OK ||
		curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, set->token) !=
		    CURLE_OK))
		return -1;
	t->bears = set->token != NULL;
	t->next = c->free;
	c->free = t;
	return 0;
}

int
http_client_start(
    struct http_client *c, const struct http_client_request *request)
{
	struct transfer *t = c->free;

	if (t == NULL || (request->many && c->url_many == NULL) ||
	    set_headers(t, c, request) < 0)
		return -1;
	t->token = request->token;
	t->many = request->many;
	t->line = request->line;
	buf_clear(&t->answer);
	t->why[0] = '\0';
	curl_easy_setopt(
	    t->easy, CURLOPT_CURLU, request->many ? c->url_many : c->url);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)request->len);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, request->body);
	if (curl_multi_add_handle(c->multi, t->easy) != CURLM_OK)
		return -1;
	c->free = t->next;
	return 0;
}

static int
add_header(struct transfer *t, const char *header)
{
	struct curl_slist *more = curl_slist_append(t->headers, header);

	if (more == NULL)
		return -1;
	t->headers = more;
	return 0;
}

static int
set_headers(struct transfer *t, const struct http_client *c,
    const struct http_client_request *request)
{
	const struct curl_slist *h =
	    request->many ? c->headers_many : c->headers;
	char key[KEY_FIELD_MAX], offset[64];

	curl_slist_free_all(t->headers);
	t->headers = NULL;
	for (; h != NULL; h = h->next)
		if (add_header(t, h->data) < 0)
			return -1;
	snprintf(offset, sizeof offset, "Incr-Line-Offset: %ju",
	    (uintmax_t)request->line - 1);
	if (request->key != NULL)
		key_field_format(request->key, key);
	if ((request->key != NULL && add_header(t, key) < 0) ||
	    (request->line > 0 && add_header(t, offset) < 0))
		return -1;
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	return 0;
}

int64_t
http_client_wait(const struct http_client *c, struct pollfd *ret_pfd)
{
	*ret_pfd = (struct pollfd){.fd = c->epoll, .events = POLLIN};
	return c->due_ms;
}

void
http_client_step(struct http_client *c)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(c->epoll, events, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		uint32_t e = events[i].events;
		int what = 0;

		if (e & (EPOLLIN | EPOLLHUP))
			what |= CURL_CSELECT_IN;
		if (e & EPOLLOUT)
			what |= CURL_CSELECT_OUT;
		if (e & EPOLLERR)
			what |= CURL_CSELECT_ERR;
		act(c, events[i].data.fd, what);
	}
	if (c->due_ms <= clock_ms()) {
		c->due_ms = IO_FOREVER;
		act(c, CURL_SOCKET_TIMEOUT, 0);
	}
}

static void
act(struct http_client *c, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(c->multi, fd, what, &running);
}

/* What libcurl waits for on one of its sockets. */
static int
want(CURL *easy, curl_socket_t fd, int what, void *client, void *known)
{
	struct http_client *c = client;
	struct epoll_event e = {.data.fd = fd};

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(c->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what == CURL_POLL_IN)
		FAILPOINT("send-sent");
	if (what & CURL_POLL_IN)
		e.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		e.events |= EPOLLOUT;
	if (known == NULL) {
		curl_multi_assign(c->multi, fd, c);
		return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e);
	}
	return epoll_ctl(c->epoll, EPOLL_CTL_MOD, fd, &e);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *client)
{
	struct http_client *c = client;

	(void)multi;
	c->due_ms = timeout_ms < 0 ? IO_FOREVER : clock_ms() + timeout_ms;
	return 0;
}

/*
 * Called before every sending of a request.  The second one, on a new
 * connection, is libcurl's own idea: what it sent before may be counted.
 */
static int
permit(
    void *transfer, char *remote, char *local, int remote_port, int local_port)
{
	struct transfer *t = transfer;
	long sent = 0;

	(void)remote, (void)local, (void)remote_port, (void)local_port;
	curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
	return sent == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static size_t
receive(char *bytes, size_t size, size_t n, void *transfer)
{
	struct transfer *t = transfer;
	/* Longer than any of ours, or no memory: the transfer ends, and its
	 * beginning is looked at. */
	if (t->answer.len + size * n > ANSWER_MAX ||
	    buf_add(&t->answer, bytes, size * n) < 0)
		return 0;
	return size * n;
}

/* Does the answer repeat the Incr-Line-Offset of the request? */
static bool
says_line(const struct transfer *t)
{
	struct curl_header *h;
	uint64_t n;
	CURLHcode found = curl_easy_header(
	    t->easy, "Incr-Line-Offset", 0, CURLH_HEADER, -1, &h);

	return found == CURLHE_OK &&
	       num_u64(h->value, 0, UINT64_MAX, &n) == 0 && n == t->line - 1;
}

static struct http_answer
answer_of(const struct transfer *t, CURLcode code)
{
	struct http_answer a = {.many = t->many,
	    .token = t->bears,
	    .text = t->answer.len == 0 ? "" : buf_ptr(&t->answer),
	    .len = t->answer.len};
	curl_off_t retry_after_s = 0;
	long sent = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &a.status);
	curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &a.type);
	curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	a.sent = sent != 0;
	a.deaf = t->line > 0 && !says_line(t);
	a.untrusted = code == CURLE_PEER_FAILED_VERIFICATION ||
		      code == CURLE_SSL_CACERT_BADFILE;
	a.retry_after_s = (int64_t)retry_after_s;
	return a;
}

/* Of a redirect also where it leads, without password or query. */
static void
set_status(struct transfer *t, long status)
{
	CURLU *url = curl_url();
	const char *to = NULL;
	char *shown = NULL;

	curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &to);
	if (url != NULL && to != NULL &&
	    curl_url_set(url, CURLUPART_URL, to, 0) == CURLUE_OK) {
		curl_url_set(url, CURLUPART_USER, NULL, 0);
		curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
		curl_url_set(url, CURLUPART_QUERY, NULL, 0);
		curl_url_get(url, CURLUPART_URL, &shown, 0);
	}
	reason_set(t->why, "HTTP status %ld%s%s", status,
	    shown == NULL ? "" : ", redirect to ", shown == NULL ? "" : shown);
	curl_free(shown);
	curl_url_cleanup(url);
}

static void
set_why(struct transfer *t, const struct http_answer *a, CURLcode code)
{
	if (a->status >= 200)
		set_status(t, a->status);
	else if (a->sent && code == CURLE_ABORTED_BY_CALLBACK)
		reason_set(t->why, "connection closed without an answer");
	else if (t->why[0] == '\0')
		reason_set(t->why, "%s", curl_easy_strerror(code));
}

bool
http_client_next(struct http_client *c, struct http_client_result *ret)
{
	struct http_answer answer;
	struct transfer *t;
	CURLMsg *m;
	int left;

	do
		m = curl_multi_info_read(c->multi, &left);
	while (m != NULL && m->msg != CURLMSG_DONE);
	if (m == NULL)
		return false;
	curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
	answer = answer_of(t, m->data.result);
	set_why(t, &answer, m->data.result);
	*ret = (struct http_client_result){.token = t->token,
	    .verdict = http_verdict_of(&answer),
	    .same_line = t->line > 0 && !answer.deaf,
	    .why = t->why};
	if (answer.status >= 200 && ret->verdict.kind != HTTP_VERDICT_WRONG)
		c->found = true;
	if (c->found && ret->verdict.kind == HTTP_VERDICT_WRONG)
		ret->verdict.kind = HTTP_VERDICT_RETRY;
	curl_multi_remove_handle(c->multi, t->easy);
	t->next = c->free;
	c->free = t;
	return true;
}
