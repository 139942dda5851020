/* Fields for cross-origin requests of browsers. */
#include "serve/cors.h"

#include <stdio.h>
#include <string.h>

static bool is_origin(const char *text);

int
cors_set(struct cors *c, const char *origin)
{
	if (strcmp(origin, "*") != 0 && !is_origin(origin))
		return -1;
	snprintf(c->answer, sizeof c->answer,
	    "Access-Control-Allow-Origin: %s\r\n"
	    "Access-Control-Expose-Headers: Retry-After, RateLimit, "
	    "RateLimit-Policy, Incr-Line-Offset, traceresponse\r\n",
	    origin);
	snprintf(c->preflight, sizeof c->preflight,
	    "Access-Control-Allow-Origin: %s\r\n"
	    "Access-Control-Allow-Methods: POST\r\n"
	    "Access-Control-Allow-Headers: Authorization, Content-Type, "
	    "Idempotency-Key, Incr-Line-Offset\r\n"
	    "Access-Control-Max-Age: 7200\r\n",
	    origin);
	return 0;
}

/* Of its characters none can end a field or a name in it. */
static bool
is_origin(const char *text)
{
	static const char host[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
	size_t n;

	if (strlen(text) > CORS_ORIGIN_MAX)
		return false;
	if (strncmp(text, "https://", 8) == 0)
		text += 8;
	else if (strncmp(text, "http://", 7) == 0)
		text += 7;
	else
		return false;
	if (*text == '[') {
		n = strspn(text + 1, "0123456789abcdef:.");
		n = n > 0 && text[n + 1] == ']' ? n + 2 : 0;
	} else {
		n = strspn(text, host);
	}
	if (n == 0)
		return false;
	text += n;
	if (*text == '\0')
		return true;
	n = strspn(text + 1, "0123456789");
	return *text == ':' && n >= 1 && n <= 5 && text[n + 1] == '\0';
}

const char *
cors_fields(const struct cors *c)
{
	return c->answer[0] == '\0' ? NULL : c->answer;
}

struct response
cors_preflight(const struct cors *c)
{
	return (struct response){.status = HTTP_200, .more = c->preflight};
}
