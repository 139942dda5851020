/*
 * A parser of HTTP/1.1 requests: bytes in, struct out, resumable.
 *
 *	POST /increment HTTP/1.1 CRLF
 *	Host: example.org CRLF			the head: HTTP_HEAD_MAX
 *	Content-Length: 62 CRLF
 *	CRLF
 *	{"key":...}				the body, as it is or chunked
 *
 * No wider than incr-serve needs, and strict where leniency lets two
 * servers disagree about where a request ends (RFC 9112, section 11):
 * both lengths, repeated or signed ones, folded lines, bare LF, white space
 * before a colon, bad chunk sizes, an empty Host, trailers that mean something
 * in a head are faults.  Pure: no input or output.
 */
#ifndef INCR_HTTP_PARSER_H
#define INCR_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_HEAD_MAX = 8192, /* bytes, also of all trailers together */
	HTTP_FIELDS_MAX = 100,
	HTTP_CHUNK_LINE_MAX = 256 /* size, extensions, CRLF */
};

enum http_method {
	HTTP_METHOD_OTHER,
	HTTP_METHOD_GET,
	HTTP_METHOD_HEAD,
	HTTP_METHOD_POST,
	HTTP_METHOD_OPTIONS,
	HTTP_METHOD_CONNECT /* never accepted */
};

/* Where in the head the value of a field is; at 0: there is no such field. */
struct http_value {
	uint16_t at, len;
};

/* What a head says. */
struct http_request {
	uint64_t length; /* of the body; 0 if chunked; from 9e17 on only that
			    much is true */
	uint16_t path_at, path_len; /* in the head, without the query; length
				     * 0 is the path / of an absolute form */
	struct http_value authorization;
	struct http_value idempotency_key;
	struct http_value line_offset; /* Incr-Line-Offset */
	struct http_value traceparent; /* len 0: there are several */
	struct http_value forwarded;   /* X-Forwarded-For; the last such line,
					* which the nearest proxy wrote */
	uint8_t method;                /* enum http_method */
	bool http_1_0 : 1;
	bool keep_alive : 1;
	bool chunked : 1;
	bool has_length : 1;
	bool expects : 1; /* Expect: 100-continue, and a body follows */
	bool encoded : 1; /* Content-Encoding other than identity */
};

enum http_state {
	HTTP_AT_HEAD,    /* before or inside a head */
	HTTP_AT_BODY,    /* inside a body with Content-Length */
	HTTP_AT_SIZE,    /* before a chunk's size */
	HTTP_AT_CHUNK,   /* inside a chunk */
	HTTP_AT_NEWLINE, /* behind a chunk, before its CRLF */
	HTTP_AT_TRAILER, /* behind the last chunk */
	HTTP_AT_END,     /* everything was read */
	HTTP_AT_FAULT    /* no more can be read from this connection */
};

/* A parser, one per connection.  All zero is the beginning. */
struct http_parser {
	union {
		uint16_t status; /* of a fault: 400, 417, 431 or 505 */
		uint16_t at;     /* head: where the line to be read begins */
	};
	uint16_t fields;   /* lines so far, trailers included */
	uint16_t trailers; /* bytes so far */
	uint8_t hosts;
	enum http_state state : 4;
	bool has_line : 1; /* the request line was read */
	bool skipped : 1;  /* an empty line before it was */
	bool close : 1;    /* Connection: close */
	union {
		const char *why; /* of a fault: one sentence, constant */
		uint64_t left;   /* else bytes of the body or chunk to come */
	};
	struct http_request request;
};

enum http_event {
	HTTP_MORE,    /* more bytes are needed; nothing was eaten */
	HTTP_HEAD,    /* a head was eaten: h->request */
	HTTP_DATA,    /* the bytes eaten are bytes of the body */
	HTTP_FRAMING, /* the bytes eaten are of no interest */
	HTTP_END,     /* the request is complete, the next may begin */
	HTTP_FAULT    /* h->status and h->why; close the connection */
};

/*
 * Looks at the len bytes at p: those that were not eaten before and what
 * has come since.  At most one event; *ret_eaten bytes belong to it, and
 * the caller calls again with what is left until HTTP_MORE or HTTP_FAULT.
 * Offsets in h->request count from p of the call that returned HTTP_HEAD.
 * Without a fault HTTP_MORE leaves at most HTTP_HEAD_MAX bytes uneaten.
 */
enum http_event http_parser_step(
    struct http_parser *h, const char *p, size_t len, size_t *ret_eaten);

#endif
