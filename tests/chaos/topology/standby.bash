# A Postgres with a synchronous standby, a proxy before each, also between the
# two.  synchronous_standby_names is * on both for good: what has been
# acknowledged is on the standby, and a primary without one lets every COMMIT
# wait.  The rig's own statements don't.
# shellcheck shell=bash

ADDED='standby_promote standby_promote standby_promote standby_switch
	syncrep_cancel syncrep_terminate syncrep_restart syncrep_promote
	standby_blind standby_pause standby_restart'
WITHOUT='postgres_full'
waits_for='*' # synchronous_standby_names
in_state=sync # what the standby is then

topology_up() {
	one_redis || return
	PG_SETTINGS+=(wal_keep_size=64MB wal_receiver_timeout=20s)
	mount_disk pg1 400m
	mount_disk pg2 400m
	pg_home() { readlink "$D/primary"; }
	ln -s "$D/pg1" "$D/primary"
	start_proxy postgres1 "$D/px/postgres1.d/.s.PGSQL.5432" \
		"$D/pg1/.s.PGSQL.5432" &&
		start_proxy postgres2 "$D/px/postgres2.d/.s.PGSQL.5432" \
			"$D/pg2/.s.PGSQL.5432" &&
		postgres_up pg1 || return
	# A standby is a copy of this, too.
	admin 'alter role postgres set synchronous_commit = local' \
		"alter system set synchronous_standby_names = '$waits_for'" \
		'select pg_reload_conf()' >/dev/null
	add_standby pg2 && wait_for 20 protected || return
	export DATABASE_URL="postgresql:///chaos?host=$D/pg1,$D/pg2&user=postgres&target_session_attrs=read-write"
	postgres_url "postgresql://%s@/chaos?host=$D/px/postgres1.d,$D/px/postgres2.d"
	reach ${keep:+"INCR_KEEP=$keep"}
}

now() { basename "$(pg_home)"; }
other() { if [ "$(now)" = pg1 ]; then echo pg2; else echo pg1; fi; }

proxy_now() {
	case $1 in
	postgres) echo "postgres$(now | tr -d pg)" ;;
	*) echo "$1" ;;
	esac
}

# add_standby NODE: a copy of the primary, through its proxy
add_standby() {
	rm -rf "$D/${1:?}/data" "$D/$1/.s.PGSQL.5432"*
	chown postgres "$D/$1" 2>/dev/null
	as_postgres "$PG_BIN/pg_basebackup" -h "$D/px/$(proxy_now postgres).d" \
		-U postgres -D "$D/$1/data" -R -X stream -c fast --no-sync &&
		pg_start "$D/$1" "${PG_SETTINGS[@]}"
}

# The standby has all that was acknowledged, and could take over: one that has
# not come to the end of its base backup could not.
protected() {
	"$PG_BIN/pg_isready" -qh "$D/$(other)" &&
		[ "$(admin "select count(*) from pg_stat_replication
			where application_name = 'walreceiver' and
			sync_state = '$in_state' and state = 'streaming'")" = 1 ]
}

on_standby() {
	PGCONNECT_TIMEOUT=5 psql -XAtqh "$D/$(other)" -U postgres -d postgres \
		-c "$1"
}

topology_heal() {
	redis_heal
	wait_undone
	kill -CONT "$(walreceiver)"
	postgres_answers || postgres_again QUIT
	within 20 protected || renew_standby
	wait_for 60 protected || wrong 'the standby is not in sync'
	insist postgres_well
}

topology_down() {
	redis_stop "$D/redis"
	pg_stop "$D/pg1" QUIT
	pg_stop "$D/pg2" QUIT
} 2>/dev/null

# -- faults ------------------------------------------------------------------

# kill_server NODE SIGNAL: and waits for its children, which notice later
kill_server() {
	local pid
	pid=$(cat "$D/$1.pid")
	kill -"$2" "$pid"
	wait_for 20 gone "$pid"
	wait_for 20 no_backends "$1"
}
no_backends() { ! ps -o args= -e | grep -F "postgres -D $D/$1/" | grep -qv grep; }

# The standby is the primary, and what was that is made its standby.
take_over() {
	local old
	old=$(now)
	insist pg_promote "$D/$(other)" || {
		wrong "$(other) does not become the primary"
		return
	}
	ln -sfn "$D/$(other)" "$D/primary.new"
	mv -T "$D/primary.new" "$D/primary"
	later 0 insist add_standby "$old"
}

renew_standby() {
	kill_server "$(other)" QUIT
	insist add_standby "$(other)"
}

fault_standby_promote() {
	within 3 protected || return 77
	kill_server "$(now)" KILL
	take_over
}

fault_standby_switch() {
	within 3 protected || return 77
	pg_stop "$D/$(now)" INT
	take_over
}

walreceiver() { on_standby 'select pid from pg_stat_wal_receiver'; }

# waiting_commit WHAT...: the standby takes nothing more; once a COMMIT waits
# for it, WHAT.
waiting_commit() {
	local pid
	within 3 protected && pid=$(walreceiver) && [ "$pid" ] || return 77
	kill -STOP "$pid"
	if within 4 commit_waits; then
		"$@"
	fi
	kill -CONT "$pid"
} 2>/dev/null

commit_waits() {
	[ "$(admin "select count(*) > 0 from pg_stat_activity
		where wait_event = 'SyncRep' and usename = 'incr'")" = t ]
}

end_waits() { # FUNCTION
	admin "select $1(pid) from pg_stat_activity
		where wait_event = 'SyncRep' and usename = 'incr'"
}

fault_syncrep_cancel() { ended_then pg_cancel_backend "$1"; }
fault_syncrep_terminate() { ended_then pg_terminate_backend "$1"; }

# Every other time what only the primary has is lost then.
ended_then() {
	if (($2 % 2)); then
		waiting_commit end_waits "$1"
	else
		waiting_commit end_and_lose "$1"
	fi
}
end_and_lose() {
	end_waits "$1"
	sleep 0.3
	lose
}
lose() {
	kill_server "$(now)" KILL
	kill -CONT "$pid"
	take_over
}

fault_syncrep_restart() { waiting_commit postgres_again_killed; }
postgres_again_killed() {
	kill_server "$(now)" KILL
	pg_start "$(pg_home)" "${PG_SETTINGS[@]}"
}
fault_syncrep_promote() { waiting_commit lose; }

# The link between the two.
fault_standby_blind() {
	tell_proxy "$(proxy_now postgres)" "blind 0 $((500 + $1 % 6000))"
	later $((5 + $1 % 6000 / 100)) :
}

fault_standby_pause() {
	local pid
	pid=$(walreceiver) && [ "$pid" ] || return 77
	pause "$pid" $((5 + $1 % 60))
}

fault_standby_restart() {
	within 3 protected || return 77
	pg_stop "$D/$(other)" INT
	later $(($1 % 30)) pg_start "$D/$(other)" "${PG_SETTINGS[@]}"
}
