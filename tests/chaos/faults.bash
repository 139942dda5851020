# What is done to the system.  Each fault gets three numbers, and draws none
# itself, so that the sequence depends on the seed alone.  Status 77: it could
# not be done.
# shellcheck shell=bash

# Those that come more often stand here more often.
COMMON='harm harm harm harm harm harm harm harm harm harm harm
	harm harm harm harm harm harm harm harm harm
	kill kill kill kill kill kill stop stop stop stop sleep sleep
	half half hole hole hole hole rotate_redis rotate_postgres trouble trouble
	term term massacre caddy
	redis_term redis_kill redis_pause redis_oom redis_readonly redis_forget
	redis_cut redis_full redis_rewrite
	postgres_fast postgres_quit postgres_crash postgres_pause postgres_cut
	postgres_refuse postgres_lock postgres_full
	clock clock up_kill up_term up_twice'
# At a calm pace each once: there are few.
CALM='harm kill stop half half hole hole rotate_redis rotate_postgres term
	massacre caddy redis_kill redis_pause redis_cut postgres_quit
	postgres_crash postgres_cut postgres_lock up_kill'

PROGRAMS=(serve validate publish consume flush consume flush publish send)
PROXIES=(redis redis redis postgres http)
HARMS=(drop cut-reply lose-reply cut-request late hold slow late late)

# The names of this run's faults.
choose_faults() {
	local name all=$COMMON
	[ "$pace" = storm ] || all=$CALM
	[ -z "${CHAOS_FAULTS-}" ] || {
		echo "$CHAOS_FAULTS"
		return
	}
	for name in $all $ADDED $ADDED $ADDED; do
		[[ " ${WITHOUT//[$'\n\t']/ } " == *" $name "* ]] || echo "$name"
	done
}

faults() {
	local names name a b c pause
	mapfile -t names < <(choose_faults | tr -s ' \n\t' '\n' | grep .)
	RANDOM=$((SEED % 32768))
	SECONDS=0
	while ((SECONDS < seconds_max)); do
		name=${names[RANDOM % ${#names[@]}]}
		a=$RANDOM b=$RANDOM c=$RANDOM pause=$((RANDOM % 8))
		inject "$name" "$a" "$b" "$c"
		if [ "$pace" = calm ]; then rest; else sleep "0.$pause"; fi
	done
}

# inject NAME A B C: and notes from when to when it was, for staleness.sql.
inject() {
	local began=$EPOCHREALTIME status=0
	echo "$SECONDS $*" | tee -a "$D/faults" >>"$D/faults.log"
	"fault_$1" "${@:2}" >>"$D/faults.log" 2>&1 || status=$?
	[ "$status" != 77 ] || {
		echo "$1" >>"$D/vain"
		return
	}
	[ "$pace" = storm ] || wait_undone
	printf '%s\t%s\t%s\t%s\n' "$1" "$began" "$EPOCHREALTIME" \
		"$(promise_of "$1")" >>"$D/slots"
}

# What the promise is while a fault is about: seconds, and why they don't hold.
# Fifteen where only a time-out tells that somebody is away.
promise_of() {
	! topology_promise "$1" || return 0
	case $1 in
	trouble) printf '10\ta service answers wrongly' ;;
	hole | harm | pool_cut) printf '15\t' ;;
	redis_cut | redis_rewrite | redis_forget) printf '10\t' ;;
	redis_* | failover* | replica_*) printf '10\tRedis is away' ;;
	postgres_lock) printf '10\tthe table is locked' ;;
	postgres_cut | pool_reload) printf '10\t' ;;
	postgres_* | pool_* | standby_* | syncrep_* | lag_*)
		printf '10\tPostgres is away' ;;
	clock) printf '10\ta clock is set' ;;
	*) printf '10\t' ;;
	esac
}

# promise_of where a topology has something else to say
topology_promise() { return 1; }

# Until what one fault did is over; then the next one has its own time.
wait_undone() {
	[ ${#undoing[@]} = 0 ] || wait "${undoing[@]}" 2>/dev/null
	undoing=()
}
rest() { sleep 8; }

# later TENTHS COMMAND...: in so many tenths of a second
later() {
	(
		trap - EXIT
		sleep "$(($1 / 10)).$(($1 % 10))"
		"${@:2}"
	) &
	undoing+=($!)
}

# insist COMMAND...: until it succeeds
insist() { wait_for 60 "$@"; }

wrong() { echo "chaos: $*" >>"$D/wrong"; }

# Everything as it should be again; clocks stay where they are.
heal() {
	local pid proxy
	wait_undone
	for proxy in "${proxies[@]}"; do tell_proxy "$proxy" 'release 0'; done
	for pid in $(processes); do kill -CONT "$pid"; done 2>/dev/null
	topology_heal 2>>"$D/faults.log"
}

# -- programs ----------------------------------------------------------------

# pick NUMBER NAME: the pid of one, if there is one
pick() {
	local pids
	mapfile -t pids < <(processes "$2" | sort -n)
	[ ${#pids[@]} -gt 0 ] || return 77
	echo "${pids[$1 % ${#pids[@]}]}"
}

program() { echo "incr-${PROGRAMS[$1 % ${#PROGRAMS[@]}]}"; }

fault_kill() {
	local pid
	pid=$(pick "$2" "$(program "$1")") || return
	kill -9 "$pid"
}

fault_term() {
	local pid
	pid=$(pick "$2" "$(program "$1")") || return
	kill "$pid"
}

# pause PID TENTHS
pause() {
	kill -STOP "$1" || return 77
	later "$2" kill -CONT "$1"
}

fault_stop() {
	local pid
	pid=$(pick "$2" "$(program "$1")") || return
	pause "$pid" $((5 + $3 % 40))
}

# Longer than three intervals of incr-flush.
fault_sleep() {
	local name=incr-flush pid
	(($1 % 3)) || name=incr-consume
	pid=$(pick "$2" "$name") || return
	pause "$pid" $((50 + $3 % 50))
}

# One half of a drain alone, until everybody should have noticed.
fault_half() {
	local name=incr-flush pid
	(($1 % 2)) || name=incr-consume
	pid=$(pick "$2" "$name") || return
	pause "$pid" $((20 + $3 % 180))
}

# Nobody is left of one kind, or of the whole drain.
fault_massacre() {
	local name pid
	for name in incr-consume "$(program "$1")"; do
		for pid in $(processes "$name"); do kill -9 "$pid"; done
	done
}

fault_caddy() {
	local pid
	pid=$(pick "$2" caddy) || return
	if (($1 % 2)); then kill -9 "$pid"; else pause "$pid" $(($3 % 30)); fi
}

# -- connections -------------------------------------------------------------

# Five connections at a time, of many.
fault_harm() {
	local what=${HARMS[$2 % ${#HARMS[@]}]} ms=$((300 + $3 % 4000)) n proxy
	[ "$what" != late ] || ms=$((300 + $3 % 12000))
	proxy=$(proxy_now "${PROXIES[$1 % ${#PROXIES[@]}]}" \
		$(($2 / ${#HARMS[@]}))) || return 77
	for n in 0 1 2 3 4; do
		tell_proxy "$proxy" "$what $(($1 / 7 + n * 3)) $ms"
	done
}

# The link of one process to Redis, or of one incr-flush to Postgres.
fault_hole() {
	local links=(consume flush publish flush) kind=redis ms=$((2000 + $3 % 18000)) pid proxy
	(($1 % 4 < 3)) || kind=postgres
	pid=$(pick "$2" "incr-${links[$1 % 4]}") || return
	for proxy in "${proxies[@]}"; do
		[[ $proxy == "$kind"* || $kind$proxy == postgrespool ]] || continue
		tell_proxy "$proxy" "hole $pid $ms"
	done
	later $((ms / 100)) :
}

# -- Redis -------------------------------------------------------------------

fault_redis_term() { redis_again TERM "$1"; }
fault_redis_kill() { redis_again KILL "$1"; }

redis_again() {
	local pid
	pid=$(redis_pid)
	kill -"$1" "$pid"
	kill -CONT "$pid"
	wait_for 20 gone "$pid"
	sleep "$(($2 % 3)).$(($2 % 10))"
	redis_up
}

fault_redis_pause() { pause "$(redis_pid)" $((5 + $1 % 40)); }

fault_redis_oom() {
	redis_set maxmemory 1
	later $((5 + $1 % 40)) insist redis_set maxmemory 0
}

fault_redis_readonly() {
	if (($1 % 2)); then
		rcli replicaof 127.0.0.1 1
		later $((5 + $2 % 40)) insist redis_own
	else
		redis_set min-replicas-to-write 1
		later $((5 + $2 % 40)) insist redis_set min-replicas-to-write 0
	fi
}

fault_redis_forget() { rcli script flush; }
fault_redis_rewrite() { rcli bgrewriteaof; }
fault_redis_cut() { rcli client kill type normal; }

# With appendfsync always it ends at the first write.
fault_redis_full() {
	fill redis || return
	sleep "$(($1 % 2)).$(($1 % 10))"
	rm -f "$D/redis/full"
	within 2 gone "$(redis_pid)" && redis_up
}

# fill DISK: to the last byte, if that does no harm to others
fill() {
	[ "${CHAOS_MOUNTS-}" ] || return 77
	head -c 1G /dev/zero >"$D/$1/full"
	:
} 2>/dev/null

# -- Postgres ----------------------------------------------------------------

fault_postgres_fast() { postgres_again INT; }
fault_postgres_quit() { postgres_again QUIT; }

# A backend of the programs, if there is one.
backend() {
	local pids
	mapfile -t pids < <(admin "select pid from pg_stat_activity
		where usename = 'incr' order by backend_start")
	[ ${#pids[@]} -gt 0 ] || return 77
	echo "${pids[$1 % ${#pids[@]}]}"
}

# All others are ended with it.
fault_postgres_crash() {
	local pid
	pid=$(backend "$1") || return
	kill -9 "$pid"
}

fault_postgres_pause() {
	local pid
	pid=$(backend "$1") || return
	pause "$pid" $((5 + $2 % 40))
}

fault_postgres_cut() {
	admin "select pg_terminate_backend(pid) from pg_stat_activity
		where usename = 'incr'"
}

fault_postgres_refuse() {
	if (($1 % 2)); then
		admin 'alter database chaos allow_connections false'
	else
		admin 'alter role incr connection limit 0'
	fi
	(($1 % 4 < 2)) || fault_postgres_cut
	later $((5 + $2 % 40)) insist postgres_well
}

fault_postgres_lock() {
	local lock='lock table increments'
	(($1 % 2)) || lock='select from incr_ledger for update'
	sql "begin; $lock; select pg_sleep($(($2 % 4)).5)" &
	undoing+=($!)
}

fault_postgres_full() {
	fill pg || return
	later $((10 + $1 % 40)) make_room
}

# It may not have survived it.
make_room() {
	rm -f "$D/pg/full"
	wait_for 20 postgres_answers || postgres_again QUIT
}

# -- clocks and supervisors --------------------------------------------------

# That of Redis within a day, for which idempotency keys and what was
# published are remembered; that of the programs by a year.
fault_clock() {
	if (($1 % 3)); then
		set_clock redis $(($2 % 11 * 3600 * ($3 % 2 ? 1 : -1) + $3 % 3600))
	else
		set_clock programs $((($2 - 16384) * 1900))
	fi
}

supervisor() { if (($1 % 2)); then echo a; else echo b; fi; }

fault_up_kill() { kill -9 "$(<"$D/$(supervisor "$1").pid")"; }
fault_up_term() {
	local pid
	pid=$(<"$D/$(supervisor "$1").pid")
	kill "$pid" && echo "$pid" >>"$D/up_told"
}

# A second one for the same state says who holds it, and leaves.
fault_up_twice() {
	local which pid said status=0
	which=$(supervisor "$1")
	pid=$(<"$D/$which.pid")
	# While the supervisor starts another one nobody is the first.
	! gone "$pid" || return 77
	said=$(timeout 10 "${through[@]}" "$D/bin/incr-up" --state "$D/$which" \
		--port 1 2>&1) || status=$?
	# It came first: then the other was refused.
	[ "$status" != 124 ] || : >"$D/up_first"
	[ "$status" = 100 ] && [[ $said == *"held by incr-up, pid $pid" ]] ||
		[ "$pid" != "$(<"$D/$which.pid")" ] ||
		wrong "a second incr-up: status $status: $said"
}

clients=()
undoing=()
