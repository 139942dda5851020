/* The reason phrases of HTTP statuses. */
#include "http/http_status.h"

const char *
http_status_phrase(enum http_status status)
{
	switch (status) {
#define X(code_, phrase_) \
	case HTTP_##code_: return phrase_;
		HTTP_STATUSES(X)
#undef X
	}
	return "Unknown";
}
