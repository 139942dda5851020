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
	n=0
	while [ "$n" -lt "$drains" ]; do
		n=$((n + 1))
		start "drain-$n" incr-drain || return
		line "drain-$n" "queue ${INCR_QUEUE:-increments}" || return
	done
	tell_drains "$drains"
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
	[ -z "$resting$lost" ] && [ "$drains" != 0 ] || return 0
	for keeper in $keepers; do
		case $keeper in
		drain-*) ! kill -0 "${keeper#*:}" 2>/dev/null || return 0 ;;
		esac
	done
	lost=yes
	nothing_drains 'all have ended' 'see the messages before this one'
}
