# A Postgres with an asynchronous standby that lags behind when it takes over:
# the new primary lacks the last seconds.  With --keep they are counted again,
# from the batches that Redis keeps.  What incr-flush counts without a queue
# nobody keeps: that client stays away, and nothing of the rig's own that would
# have to last is done in Postgres.  A clock that is set forward would end the
# life of what is kept, and a Redis without room lets it go.
# shellcheck shell=bash

# shellcheck source=tests/chaos/topology/standby.bash
. "$ROOT/tests/chaos/topology/standby.bash"

understands incr-flush --keep || die 'lag: this incr-flush has no --keep'
ADDED='standby_promote lag_promote lag_promote lag_promote standby_switch
	standby_pause standby_restart'
WITHOUT+=' rotate_postgres trouble postgres_refuse clock
	redis_oom'
ABSENT=plain
waits_for=''
in_state=async
keep=60

# Nothing has reached the standby for up to five seconds.
fault_lag_promote() {
	local ms=$((500 + $1 % 4500))
	within 3 protected || return 77
	tell_proxy "$(proxy_now postgres)" "blind 0 $((ms + 5000))"
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
	kill_server "$(now)" KILL
	take_over
}
