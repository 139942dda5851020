/* Which error replies prove that a call did nothing, and how many replicas are
 * connected. */
#include "check.h"
#include "redis/server_info.h"

static const char *const proofs[] = {
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "BUSY Redis is busy running a script.",
    "NOPERM User u has no permissions to run the 'evalsha' command",
    "MISCONF Redis is configured to save RDB snapshots",
    "NOREPLICAS Not enough good replicas to write.",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "ERR The user executing the script can't run this command or subcommand"};

/* Of Envoy, twemproxy, predixy; of a script that broke off. */
static const char *const none[] = {"ERR upstream failure", "upstream failure",
    "no upstream host", "ERR Connection timed out",
    "ERR server connection close", "ERR Internal server error",
    "ERR user_script:40: attempt to index a nil value",
    "ERR Error running script: Script killed by user with SCRIPT KILL",
    "READONLYISH", "ERR", ""};

int
main(void)
{
	for (size_t i = 0; i < check_n(proofs); i++)
		check(server_info_error_is_proof(proofs[i]), "%s", proofs[i]);
	for (size_t i = 0; i < check_n(none); i++)
		check(!server_info_error_is_proof(none[i]), "%s", none[i]);
	check(
	    server_info_replicas("role:master\r\nconnected_slaves:2\r\n") == 2,
	    "replicas");
	check(server_info_replicas("role:master\r\n") == 0, "none");
	check(server_info_replicas("connected_slaves:x\r\n") == 0, "no number");
	return check_end();
}
