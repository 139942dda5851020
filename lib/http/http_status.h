/*
 * The table of the HTTP statuses that incr-serve answers with.  Everything
 * else that goes by status follows from it: reason phrases here, series in
 * serve_metrics.c.  A status that is not in it has no name, so that it can't
 * be answered.
 */
#ifndef INCR_HTTP_STATUS_H
#define INCR_HTTP_STATUS_H

/* Code and reason phrase of RFC 9110, RFC 4918 (207) and RFC 6585 (4xx). */
#define HTTP_STATUSES(X) \
	X(200, "OK") \
	X(202, "Accepted") \
	X(207, "Multi-Status") \
	X(400, "Bad Request") \
	X(401, "Unauthorized") \
	X(403, "Forbidden") \
	X(404, "Not Found") \
	X(405, "Method Not Allowed") \
	X(408, "Request Timeout") \
	X(413, "Content Too Large") \
	X(415, "Unsupported Media Type") \
	X(417, "Expectation Failed") \
	X(422, "Unprocessable Content") \
	X(429, "Too Many Requests") \
	X(431, "Request Header Fields Too Large") \
	X(503, "Service Unavailable") \
	X(504, "Gateway Timeout") \
	X(505, "HTTP Version Not Supported")

/* HTTP_200 and so on. */
enum http_status {
#define X(code_, phrase_) HTTP_##code_ = code_,
	HTTP_STATUSES(X)
#undef X
};

/* The reason phrase, constant. */
const char *http_status_phrase(enum http_status status);

#endif
