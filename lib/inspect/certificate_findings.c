/* Says when certificates end. */
#include "inspect/certificate_findings.h"

#include <inttypes.h>

enum {
	DAY_S = 86400,
	SOON = 14 /* days */
};

static void
tell(struct findings *f, const char *server, const char *whose, int64_t expires,
    int64_t now_s)
{
	int64_t days = (expires - now_s) / DAY_S;

	if (expires == 0)
		return;
	if (expires < now_s)
		findings_add(f, FINDING_WARNING, "%s: %s is not valid any more",
		    server, whose);
	else
		findings_add(f, days < SOON ? FINDING_WARNING : FINDING_OK,
		    "%s: %s is valid for %" PRId64 " day%s more", server, whose,
		    days, days == 1 ? "" : "s");
}

void
certificate_findings(struct findings *f, const char *server,
    int64_t server_expires, int64_t own_expires, int64_t now_s)
{
	tell(f, server, "its certificate", server_expires, now_s);
	tell(f, server, "the certificate shown to it", own_expires, now_s);
}
