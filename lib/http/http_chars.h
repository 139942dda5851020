/*
 * Characters and words of HTTP heads.  Pure.
 */
#ifndef INCR_HTTP_CHARS_H
#define INCR_HTTP_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a character may stand. */
enum http_chars {
	HTTP_CHARS_TOKEN = 1,  /* tchar of RFC 9110, section 5.6.2 */
	HTTP_CHARS_TEXT = 2,   /* a value: visible, space, tab, or beyond
				* ASCII */
	HTTP_CHARS_TARGET = 4, /* visible, but no # */
	HTTP_CHARS_NAME = 8    /* of a host, RFC 3986; without the comma, which
				* in a field may separate two of them */
};

extern const uint8_t http_chars_classes[256];

static inline bool
http_chars_is(char c, enum http_chars place)
{
	return (http_chars_classes[(unsigned char)c] & place) != 0;
}

/* Is p the word, which is in lower case, in either case? */
bool http_chars_equal(const char *p, size_t len, const char *word);

/* host [":" port] of RFC 3986, section 3.2; the host not empty. */
bool http_chars_is_authority(const char *p, size_t len);

/* Is there a tab around the value of a field, on its line?  To some parsers it
 * belongs to the value: a length must not be read in two ways.  The bytes from
 * the colon to the CR of the line must be there. */
bool http_chars_has_tab(const char *value, size_t len);

#endif
