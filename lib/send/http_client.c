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
	bool many;
	struct transfer *next;      /* free ones */
	struct curl_slist *headers; /* its own, or NULL */
	struct buf answer;
	char error[CURL_ERROR_SIZE];
};

struct post {
	CURLM *multi;
	CURLU *url, *url_many; /* NULL: there is none */
	struct curl_slist *headers, *headers_many;
	struct transfer *transfers, *free;
	size_t n, n_free;
	int epoll;
	int64_t due_ms; /* of libcurl's timer */
	char name[300];
};

static int read_url(struct post *p, const char *url);
static int read_url_many(struct post *p);
static int open_multi(struct post *p, size_t max);
static int open_transfer(
    struct post *p, struct transfer *t, const struct http_client_settings *set);
static int want(
    CURL *easy, curl_socket_t fd, int what, void *post, void *known);
static int set_timer(CURLM *multi, long timeout_ms, void *post);
static int permit(
    void *transfer, char *remote, char *local, int remote_port, int local_port);
static int set_headers(struct transfer *t, const struct post *p,
    const struct http_client_request *request);
static size_t receive(char *bytes, size_t size, size_t n, void *transfer);
static void act(struct post *p, curl_socket_t fd, int what);
static void judge(
    struct transfer *t, CURLcode code, struct http_client_result *ret);
static void judge_silence(
    struct transfer *t, CURLcode code, struct http_client_result *ret);
static enum fault problem_fault(const struct transfer *t);

struct post *
http_client_open(const struct http_client_settings *set, const char **ret_why)
{
	struct post *p = calloc(1, sizeof *p);

	*ret_why = "out of memory";
	if (p == NULL)
		return NULL;
	p->epoll = -1;
	p->due_ms = IO_FOREVER;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		goto fail;
	if (read_url(p, set->url) < 0) {
		*ret_why = "not an http:// or https:// URL";
		goto fail;
	}
	if (read_url_many(p) < 0 || open_multi(p, set->max) < 0)
		goto fail;
	p->transfers = calloc(set->max, sizeof *p->transfers);
	if (p->transfers == NULL)
		goto fail;
	for (; p->n < set->max; p->n++)
		if (open_transfer(p, &p->transfers[p->n], set) < 0)
			goto fail;
	return p;
fail:
	http_client_close(p);
	return NULL;
}

void
http_client_close(struct post *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++) {
		curl_multi_remove_handle(p->multi, p->transfers[i].easy);
		curl_easy_cleanup(p->transfers[i].easy);
		curl_slist_free_all(p->transfers[i].headers);
		buf_free(&p->transfers[i].answer);
	}
	free(p->transfers);
	curl_multi_cleanup(p->multi);
	curl_slist_free_all(p->headers);
	curl_slist_free_all(p->headers_many);
	curl_url_cleanup(p->url);
	curl_url_cleanup(p->url_many);
	if (p->epoll >= 0)
		close(p->epoll);
	free(p);
}

const char *
http_client_name(const struct post *p)
{
	return p->name;
}

size_t
http_client_room(const struct post *p)
{
	return p->n_free;
}

static int
read_url(struct post *p, const char *url)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	int result = -1;

	p->url = curl_url();
	if (p->url == NULL ||
	    curl_url_set(p->url, CURLUPART_URL, url, 0) != CURLUE_OK)
		return -1;
	curl_url_get(p->url, CURLUPART_SCHEME, &scheme, 0);
	curl_url_get(p->url, CURLUPART_HOST, &host, 0);
	curl_url_get(p->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	if (scheme != NULL && host != NULL && port != NULL &&
	    (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)) {
		snprintf(
		    p->name, sizeof p->name, "%s://%s:%s", scheme, host, port);
		result = 0;
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return result;
}

/* 0, also if the URL has no plural, or -1 if memory is gone. */
static int
read_url_many(struct post *p)
{
	static const char one[] = "/increment";
	size_t len, one_len = sizeof one - 1;
	struct buf many = {0};
	char *path = NULL;
	int result = 0;

	if (curl_url_get(p->url, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return -1;
	len = strlen(path);
	if (len >= one_len && strcmp(path + len - one_len, one) == 0) {
		p->url_many = curl_url_dup(p->url);
		if (p->url_many == NULL ||
		    buf_addf(&many, "%ss%c", path, '\0') < 0 ||
		    curl_url_set(p->url_many, CURLUPART_PATH, buf_ptr(&many),
			0) != CURLUE_OK)
			result = -1;
	}
	buf_free(&many);
	curl_free(path);
	return result;
}

bool
http_client_takes_many(const struct post *p)
{
	return p->url_many != NULL;
}

static int
open_multi(struct post *p, size_t max)
{
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->multi = curl_multi_init();
	p->headers = curl_slist_append(NULL, "Content-Type: application/json");
	p->headers_many =
	    curl_slist_append(NULL, "Content-Type: application/x-ndjson");
	if (p->epoll < 0 || p->multi == NULL || p->headers == NULL ||
	    p->headers_many == NULL)
		return -1;
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, want);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)max);
	curl_multi_setopt(p->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	return 0;
}

static int
open_transfer(
    struct post *p, struct transfer *t, const struct http_client_settings *set)
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
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
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
	t->next = p->free;
	p->free = t;
	p->n_free++;
	return 0;
}

int
http_client_start(struct post *p, const struct http_client_request *request)
{
	struct transfer *t = p->free;

	if (t == NULL || (request->many && p->url_many == NULL) ||
	    set_headers(t, p, request) < 0)
		return -1;
	t->token = request->token;
	t->many = request->many;
	buf_clear(&t->answer);
	t->error[0] = '\0';
	curl_easy_setopt(
	    t->easy, CURLOPT_CURLU, request->many ? p->url_many : p->url);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)request->len);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, request->body);
	if (curl_multi_add_handle(p->multi, t->easy) != CURLM_OK)
		return -1;
	p->free = t->next;
	p->n_free--;
	return 0;
}

static int
set_headers(struct transfer *t, const struct post *p,
    const struct http_client_request *request)
{
	struct curl_slist *common =
	    request->many ? p->headers_many : p->headers;
	struct curl_slist *more;
	char field[128];

	curl_slist_free_all(t->headers);
	t->headers = NULL;
	if (request->key == NULL) {
		curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, common);
		return 0;
	}
	snprintf(field, sizeof field, "Idempotency-Key: \"%s\"", request->key);
	for (const struct curl_slist *h = common; h != NULL; h = h->next) {
		more = curl_slist_append(t->headers, h->data);
		if (more == NULL)
			return -1;
		t->headers = more;
	}
	more = curl_slist_append(t->headers, field);
	if (more == NULL)
		return -1;
	t->headers = more;
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	return 0;
}

int64_t
http_client_wait(const struct post *p, struct pollfd *ret_pfd)
{
	*ret_pfd = (struct pollfd){.fd = p->epoll, .events = POLLIN};
	return p->due_ms;
}

void
http_client_step(struct post *p)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(p->epoll, events, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		uint32_t e = events[i].events;
		int what = 0;

		if (e & (EPOLLIN | EPOLLHUP))
			what |= CURL_CSELECT_IN;
		if (e & EPOLLOUT)
			what |= CURL_CSELECT_OUT;
		if (e & EPOLLERR)
			what |= CURL_CSELECT_ERR;
		act(p, events[i].data.fd, what);
	}
	if (p->due_ms <= clock_ms()) {
		p->due_ms = IO_FOREVER;
		act(p, CURL_SOCKET_TIMEOUT, 0);
	}
}

static void
act(struct post *p, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(p->multi, fd, what, &running);
}

/* What libcurl waits for on one of its sockets. */
static int
want(CURL *easy, curl_socket_t fd, int what, void *post, void *known)
{
	struct post *p = post;
	struct epoll_event e = {.data.fd = fd};

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what == CURL_POLL_IN)
		FAILPOINT("send-sent");
	if (what & CURL_POLL_IN)
		e.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		e.events |= EPOLLOUT;
	if (known == NULL) {
		curl_multi_assign(p->multi, fd, p);
		return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e);
	}
	return epoll_ctl(p->epoll, EPOLL_CTL_MOD, fd, &e);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *post)
{
	struct post *p = post;

	(void)multi;
	p->due_ms = timeout_ms < 0 ? IO_FOREVER : clock_ms() + timeout_ms;
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

bool
http_client_next(struct post *p, struct http_client_result *ret)
{
	struct transfer *t;
	CURLMsg *m;
	CURLcode code;
	int left;

	do
		m = curl_multi_info_read(p->multi, &left);
	while (m != NULL && m->msg != CURLMSG_DONE);
	if (m == NULL)
		return false;
	code = m->data.result;
	curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
	judge(t, code, ret);
	curl_multi_remove_handle(p->multi, t->easy);
	t->next = p->free;
	p->free = t;
	p->n_free++;
	return true;
}

/* The status says it all, even if the connection dropped behind it. */
static void
judge(struct transfer *t, CURLcode code, struct http_client_result *ret)
{
	curl_off_t retry_after_s = 0;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	*ret = (struct http_client_result){.token = t->token, .why = t->error};
	if (status < 200) {
		judge_silence(t, code, ret);
		return;
	}
	snprintf(t->error, sizeof t->error, "HTTP status %ld", status);
	if (status == 202)
		return;
	if (status == 207 && t->many) {
		ret->text = t->answer.len == 0 ? "" : buf_ptr(&t->answer);
		ret->len = t->answer.len;
		return;
	}
	if (status == 503 || status == 429) {
		curl_easy_getinfo(
		    t->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
		if (retry_after_s > INT32_MAX)
			retry_after_s = INT32_MAX;
		ret->fault = FAULT_UNAVAILABLE;
		ret->again = true;
		ret->retry_after_ms = (int64_t)retry_after_s * 1000;
		return;
	}
	/* Another 2xx is no promise of ours; 3xx and 4xx refuse. */
	ret->fault = FAULT_UNKNOWN;
	if (status >= 300 && status < 500)
		ret->fault = problem_fault(t);
}

/* No answer: it depends on whether anything of the request was sent. */
static void
judge_silence(struct transfer *t, CURLcode code, struct http_client_result *ret)
{
	long sent = 0;

	curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
	ret->fault = sent == 0 ? FAULT_UNAVAILABLE : FAULT_UNKNOWN;
	ret->again = sent == 0;
	if (sent != 0 && code == CURLE_ABORTED_BY_CALLBACK)
		snprintf(t->error, sizeof t->error,
		    "connection closed without an answer");
	else if (t->error[0] == '\0')
		snprintf(
		    t->error, sizeof t->error, "%s", curl_easy_strerror(code));
}

/*
 * The code of {"code":"not-json",…}.  A quoted name in front of a colon is
 * a member's name wherever it stands: inside a string its quotes would be
 * escaped.  A refusal without a code of ours was not counted.
 */
static enum fault
problem_fault(const struct transfer *t)
{
	static const char name[] = "\"code\"";
	const char *text = t->answer.len == 0 ? "" : buf_ptr(&t->answer);
	const char *end = text + t->answer.len;
	const char *at = memmem(text, t->answer.len, name, sizeof name - 1);
	const char *type = NULL, *quote;
	enum fault fault;

	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
	if (at == NULL || type == NULL ||
	    strncmp(type, "application/problem+json", 24) != 0)
		return FAULT_UNAVAILABLE;
	at += sizeof name - 1;
	while (at < end && (*at == ' ' || *at == ':'))
		at++;
	if (at == end || *at++ != '"')
		return FAULT_UNAVAILABLE;
	quote = memchr(at, '"', (size_t)(end - at));
	fault =
	    quote == NULL ? FAULT_NONE : fault_find(at, (size_t)(quote - at));
	return fault == FAULT_NONE ? FAULT_UNAVAILABLE : fault;
}
