#!/bin/sh
# up-rest.sh: the drains of incr-up at rest, and who notices that nothing drains.
# For incr-up alone, which reads it.
#
#	STATE/rest        is there while they rest, also over restarts of incr-up:
#	                  since when; --rest makes it, --resume removes it
#	STATE/run/drains  what an incr-up that runs does about it: "N", or
#	                  "none: " and why nothing drains
#
# SIGUSR1 has incr-up look at STATE/rest.
#
# shellcheck disable=SC2154,SC2034 # set and used by incr-up

order_limit=90 # seconds for a running incr-up to obey: --grace of a drain, twice

# -- the commands: incr-up --rest, incr-up --resume ---------------------------

# Returns when the drains have ended, or are started; never to its caller.
give_order() {
	[ -z "$dry" ] || die "--$order: not with --check"
	name_state
	[ -e "$state/lock" ] || die "$state: no system of incr-up"
	find_state
	case $order in
	rest) [ -e "$state/rest" ] || note_rest || exit ;;
	resume) rm -f "$state/rest" || exit 111 ;;
	esac
	turn=0
	while find_holder; do
		! is_obeyed || say_obeyed
		[ "$turn" -lt $((order_limit * 10)) ] || {
			say "drains: pid $holder does not obey, see its messages"
			exit 111
		}
		# Again and again: what it was doing may have hidden one.
		[ $((turn % 10)) != 0 ] || ask_holder
		turn=$((turn + 1))
		sleep 0.1
	done
	[ "$order" = resume ] || end_left_drains
	say "$state: incr-up does not run; this holds from its next start on"
	exit 0
}

# SIGUSR1 would end an incr-up of release 0.1.0, which has no such file, and one
# that has not made it yet will look at STATE/rest.
ask_holder() {
	[ ! -e "$run/drains" ] || kill -s USR1 "$holder" 2>/dev/null || :
}

say_obeyed() {
	[ "$order" = resume ] && [ -n "$why" ] || exit 0
	say "drains: $why: nothing drains the queue"
	exit 1
}

# Those of an incr-up that was killed go on without it.  None starts meanwhile.
end_left_drains() {
	lock_state
	end_kind drain
}

note_rest() {
	(umask 077 && date '+%Y-%m-%d %H:%M:%S' >"$state/rest.new" &&
		mv "$state/rest.new" "$state/rest") 2>/dev/null && return
	say "$state/rest: not written"
	return 111
}

# The pid in the lock may be that of an earlier one: who has it open, holds it.
find_holder() {
	! (flock -n 8) 8>>"$state/lock" || return
	{ read -r holder <"$state/lock"; } 2>/dev/null || return
	case $holder in
	'' | *[!0-9]*) return 1 ;;
	esac
	[ "$(readlink "/proc/$holder/fd/9")" = "$(readlink -f "$state/lock")" ]
}

is_obeyed() {
	why_nothing_drains
	case $order:$why in
	rest:'at rest since '* | rest:'none ('*) ;;
	resume:'at rest since '* | rest:*) return 1 ;;
	esac
	[ -e "$run/drains" ]
}

# why_nothing_drains: into why, the reason; empty: something drains, or incr-up
# does not run.
why_nothing_drains() {
	why=
	{ read -r told <"$run/drains"; } 2>/dev/null || return 0
	case $told in
	'none: '*) why=${told#none: } ;;
	esac
}

# Of --check.
check_drains() {
	run=$state/run
	why_nothing_drains
	if [ "$drains" = 0 ]; then
		finding warning "drains: 0: nothing drains the queue"
	elif [ -e "$state/rest" ]; then
		finding warning "drains: at rest since $(head -c 40 "$state/rest");" \
			"run: incr-up --resume"
	elif [ -n "$why" ]; then
		finding warning "drains: $why: nothing drains the queue"
	fi
}

# -- which queues there are ----------------------------------------------------

# find_queues: into queues the names of the queue and of its shards; how many
# that are is told, or noted in Redis.
find_queues() {
	queue=${INCR_QUEUE:-increments}
	queues=$(as drain incr-consume --list-shards -w "$up_limit") || return
	queues=$(echo "$queues" | xargs)
	[ -z "$shards" ] || tell_number || return
	[ -n "$drains" ] || [ "$queues" = "$queue" ] || drains=1
	drains=${drains:-2}
}

# That of a queue whose number is not noted yet, or 1, incr-publish judges.
tell_number() {
	noted=$queues
	queues=$(name_shards "$shards")
	[ "$noted" != "$queue" ] && [ "$noted" != "$queues" ] || return 0
	noted=$(echo "$noted" | wc -w)
	say "$(named shards): $shards: queue $queue has noted $((noted - 1));" \
		"another number needs a queue of another name"
	return 100
}

# name_shards N: of one, the queue alone
name_shards() {
	names=$queue
	n=0
	while [ "$n" -lt "$1" ] && [ "$1" -gt 1 ]; do
		names="$names $queue.$n"
		n=$((n + 1))
	done
	echo "$names"
}

# -- in a running incr-up -----------------------------------------------------

# tell_drains WORDS: for the commands, and for --check.
tell_drains() {
	echo "$*" >"$run/drains.new" && mv "$run/drains.new" "$run/drains"
}

# nothing_drains WHY: said once, where everybody who runs it looks.
nothing_drains() {
	tell_drains "none: $1" || return 111
	say "drains: $1; increments wait in the queue${2:+; $2}"
}

up_drains() {
	rest=
	resting=
	lost=
	if [ "$drains" = 0 ]; then
		nothing_drains "none ($(named drains) 0)"
		return
	fi
	if [ -e "$state/rest" ]; then
		begin_rest
		return
	fi
	rest=yes
	running_drains=0
	for name in $queues; do
		up_drains_of "$name" || return
	done
	tell_drains "$running_drains"
}

# A queue with shards has one drain itself, for what other programs push there.
up_drains_of() {
	shard=${1#"$queue"}
	shard=${shard#.}
	wanted=$drains
	[ -n "$shard" ] || [ "$queues" = "$queue" ] || wanted=1
	n=0
	while [ "$n" -lt "$wanted" ]; do
		n=$((n + 1))
		drain=drain-${shard:+$shard.}$n
		start "$drain" incr-drain -q "$1" || return
		line "$drain" "queue $1" || return
	done
	running_drains=$((running_drains + n))
}

# What is in the queue is not counted at the end, either.
begin_rest() {
	rest=
	resting=yes
	since=
	read -r since <"$state/rest" || :
	nothing_drains "at rest since ${since:-now}" "run: incr-up --resume"
}

# STATE/rest has come or gone.
obey() {
	asked=
	[ "$drains" != 0 ] || return 0
	if [ -e "$state/rest" ] && [ -z "$resting" ]; then
		stop drain
		forget_drains
		begin_rest || return
	elif [ ! -e "$state/rest" ] && [ -n "$resting" ]; then
		say 'drains: going on'
		up_drains || return
	fi
}

forget_drains() {
	kept=
	for keeper in $keepers; do
		case $keeper in
		drain-*) ;;
		*) kept="$kept $keeper" ;;
		esac
	done
	keepers=$kept
}

# A keeper that has ended has said why, and starts nothing any more.
look_after_drains() {
	[ -z "$resting" ] && [ "$drains" != 0 ] || return 0
	were=$lost
	lost=
	for name in $queues; do
		is_drained "$name" || lost="$lost${lost:+, }$name"
	done
	[ "$lost" != "$were" ] || return 0
	if [ "$(echo "$lost" | tr -d ,)" = "$queues" ]; then
		nothing_drains 'all have ended' 'see the messages before this one'
	elif [ -n "$lost" ]; then
		nothing_drains "all of $lost have ended" \
			'see the messages before this one'
	fi
}

# is_drained QUEUE
is_drained() {
	shard=${1#"$queue"}
	shard=${shard#.}
	for keeper in $keepers; do
		case ${shard:-plain}/$keeper in
		plain/drain-*.*) continue ;;
		plain/drain-* | "$shard"/drain-"$shard".*) ;;
		*) continue ;;
		esac
		! is_running "${keeper#*:}" || return 0
	done
	return 1
}

# is_running PID: no zombie; without a child, whose end would be looked at.
is_running() {
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
	case ${stat##*) } in
	[ZX]*) return 1 ;;
	esac
}
