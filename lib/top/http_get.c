/* GETs of a few URLs, by libcurl. */
#include "top/http_get.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "base/reason.h"

enum { CONNECT_MS = 3000, FDS_MAX = 8, NAME_SIZE = 512 };

struct transfer {
	CURL *easy;
	enum http_get_state state;
	bool added; /* to the multi handle */
	bool too_long;
	struct buf text;
	char name[NAME_SIZE], why[REASON_MAX];
};

_Static_assert(REASON_MAX >= CURL_ERROR_SIZE, "libcurl writes into why");

struct http_get {
	CURLM *multi;
	const struct http_get_settings *set;
	struct transfer all[HTTP_GET_MAX];
	int n;
};

static int name_url(struct transfer *t, const char *url);
static int set_up(struct http_get *g, struct transfer *t, const char *url);
static size_t receive(char *bytes, size_t size, size_t n, void *transfer);
static void conclude(struct http_get *g);
static void judge(struct transfer *t, CURLcode code);

struct http_get *
http_get_open(const struct http_get_settings *set)
{
	struct http_get *g = calloc(1, sizeof *g);

	if (g == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(g);
		return NULL;
	}
	g->multi = curl_multi_init();
	g->set = set;
	if (g->multi == NULL) {
		http_get_close(g);
		return NULL;
	}
	return g;
}

bool
http_get_is_url(const char *text)
{
	return strncasecmp(text, "http://", 7) == 0 ||
	       strncasecmp(text, "https://", 8) == 0;
}

int
http_get_add(
    struct http_get *g, const char *url, int *ret_index, const char **ret_why)
{
	struct transfer *t = &g->all[g->n];

	*ret_why = "too many";
	if (g->n == HTTP_GET_MAX)
		return -1;
	*ret_why = "not an http:// or https:// URL";
	if (!http_get_is_url(url) || name_url(t, url) < 0)
		return -1;
	*ret_why = LOG_NO_MEMORY;
	t->easy = curl_easy_init();
	if (t->easy == NULL)
		return -1;
	*ret_index = g->n++;
	return set_up(g, t, url);
}

static int
name_url(struct transfer *t, const char *url)
{
	CURLU *u = curl_url();
	char *shown = NULL;
	int result = -1;

	if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		curl_url_set(u, CURLUPART_USER, NULL, 0);
		curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
		curl_url_set(u, CURLUPART_QUERY, NULL, 0);
		curl_url_get(u, CURLUPART_URL, &shown, 0);
	}
	if (shown != NULL) {
		snprintf(t->name, sizeof t->name, "%s", shown);
		result = 0;
	}
	curl_free(shown);
	curl_url_cleanup(u);
	return result;
}

static int
set_up(struct http_get *g, struct transfer *t, const char *url)
{
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)g->set->timeout_ms);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->why);
	if (g->set->cacert != NULL)
		curl_easy_setopt(e, CURLOPT_CAINFO, g->set->cacert);
	return curl_easy_setopt(e, CURLOPT_URL, url) == CURLE_OK ? 0 : -1;
}

const char *
http_get_name(const struct http_get *g, int index)
{
	return g->all[index].name;
}

int
http_get_start(struct http_get *g, int index)
{
	struct transfer *t = &g->all[index];

	if (t->added)
		return 0;
	buf_clear(&t->text);
	t->why[0] = '\0';
	t->too_long = false;
	t->state = HTTP_GET_WAITS;
	if (curl_multi_add_handle(g->multi, t->easy) != CURLM_OK)
		return -1;
	t->added = true;
	return 0;
}

static size_t
receive(char *bytes, size_t size, size_t n, void *transfer)
{
	struct transfer *t = transfer;

	if (t->text.len + size * n > HTTP_GET_ANSWER_MAX) {
		t->too_long = true;
		return 0;
	}
	return buf_add(&t->text, bytes, size * n) < 0 ? 0 : size * n;
}

int
http_get_poll(
    struct http_get *g, struct pollfd *fds, nfds_t n, int64_t deadline_ms)
{
	struct curl_waitfd also[FDS_MAX];
	int64_t left_ms;
	int running;

	for (nfds_t i = 0; i < n && i < FDS_MAX; i++)
		also[i] = (struct curl_waitfd){.fd = fds[i].fd,
		    .events =
			(short)((fds[i].events & POLLIN ? CURL_WAIT_POLLIN
							: 0) |
				(fds[i].events & POLLOUT ? CURL_WAIT_POLLOUT
							 : 0))};
	curl_multi_perform(g->multi, &running);
	conclude(g);
	left_ms = num_min(deadline_ms - clock_ms(), 60000);
	if (left_ms > 0 && curl_multi_poll(g->multi, also, (unsigned)n,
			       (int)left_ms, NULL) != CURLM_OK) {
		errno = ENOMEM;
		return -1;
	}
	curl_multi_perform(g->multi, &running);
	conclude(g);
	/* Whose descriptors are negative here, poll(2) leaves out, too. */
	return io_poll(fds, n, 0);
}

static void
conclude(struct http_get *g)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(g->multi, &left)) != NULL) {
		struct transfer *t;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(
		    m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		judge(t, m->data.result);
		curl_multi_remove_handle(g->multi, t->easy);
		t->added = false;
	}
}

static void
judge(struct transfer *t, CURLcode code)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	t->state = HTTP_GET_FAILED;
	if (t->too_long)
		reason_set(t->why, "more than %d bytes", HTTP_GET_ANSWER_MAX);
	else if (code != CURLE_OK && t->why[0] == '\0')
		reason_set(t->why, "%s", curl_easy_strerror(code));
	else if (code == CURLE_OK && status != 200)
		reason_set(t->why, "HTTP status %ld", status);
	else if (code == CURLE_OK)
		t->state = HTTP_GET_ANSWERED;
}

enum http_get_state
http_get_result(const struct http_get *g, int index,
    const struct buf **ret_text, const char **ret_why)
{
	*ret_text = &g->all[index].text;
	*ret_why = g->all[index].why;
	return g->all[index].state;
}

void
http_get_close(struct http_get *g)
{
	if (g == NULL)
		return;
	for (int i = 0; i < g->n; i++) {
		if (g->all[i].added)
			curl_multi_remove_handle(g->multi, g->all[i].easy);
		curl_easy_cleanup(g->all[i].easy);
		buf_free(&g->all[i].text);
	}
	curl_multi_cleanup(g->multi);
	free(g);
}
