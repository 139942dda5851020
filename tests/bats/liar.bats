#!/usr/bin/env bats
# Servers that lie: a Redis whose replies are none to what was asked, longer,
# shorter, with numbers that overflow, without end; a sentinel, a Postgres, an
# HTTP server of the kind.  No program reads or writes where it must not, takes
# a lie for a result, or waits for ever, and all that is on the queue is counted
# once.

# bats file_tags=hostile
bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	sockets=$(mktemp -d /tmp/incr-liar.XXXXXX)
	SERVER=${REDIS_URL#unix://}
}

teardown() {
	end_background
	rm -rf "$sockets"
}

# liar CALL: its URL is LIAR, and the queue is its own.
liar() {
	background setsid perl "$ROOT/tests/bats/liar.pl" "$sockets/$1" "$SERVER" "$1"
	LIAR=unix://$sockets/$1
	wait_for 10 test -S "$sockets/$1"
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER-$$-$1
}

# against CALL COMMAND...: a shell with COMMAND, in which LIAR is the URL and
# the queue holds 5 increments and 3 dead letters; in the background.
against() {
	liar "$1"
	increments 1 5 | incr-publish
	for i in 1 2 3; do
		echo "dead $i" | rcli -x lpush "rmq::queue::[$INCR_QUEUE]::rejected" >/dev/null
	done
	export LIAR
	background setsid bash -c "$2; echo \$? >$1.status" >"$1.out" 2>"$1.err" </dev/null
}

# A crash is 128 and more, a broken invariant 101.
ended() {
	[ -s "$1.status" ] && [ "$(cat "$1.status")" -le 111 ] &&
		[ "$(cat "$1.status")" != 101 ]
}

@test "no program believes a Redis that lies, or is harmed by it" {
	export -f increments
	export KEY
	calls='' queues='' drains=''
	while read -r call command; do
		against "$call" "$command"
		queues="$queues $INCR_QUEUE"
		calls="$calls $call"
	done <<-'END'
		introduce increments 1 9 | incr-publish -r "$LIAR" -w 1
		publish increments 1 9 | incr-publish -r "$LIAR" -w 1
		register incr-consume -o -r "$LIAR" -w 1
		take incr-consume -o -r "$LIAR" -w 1
		lrange incr-consume -o -r "$LIAR" -w 1
		renew timeout --preserve-status 3 incr-consume -r "$LIAR" -w 1
		holders incr-consume >/dev/null -n 1 -o; incr-consume -o -r "$LIAR" -w 1
		adopt incr-consume -n 2 -o >/dev/null; incr-consume -o -r "$LIAR" -w 1
		get incr-consume -o -r "$LIAR" -w 1
		select incr-consume -o -r "$LIAR" -w 1
		wait incr-consume -o -r "$LIAR" -w 1 --replicas 1
		read incr-consume -n 2 -o >/dev/null; incr-consume -o -r "$LIAR" -w 1
		measure timeout --preserve-status 3 incr-consume -r "$LIAR" -w 1
		sismember incr-consume -o | incr-flush -r "$LIAR" -w 1
		mark incr-consume -o | incr-flush -r "$LIAR" -w 1
		identify incr-consume -o | incr-flush -r "$LIAR" -w 1
		acknowledge incr-consume -o | incr-flush -r "$LIAR" -w 1
		numbers incr-consume -o | incr-flush -r "$LIAR" -w 1 -k 60
		trim incr-consume -o | incr-flush -r "$LIAR" -w 1 -k 60
		peek incr-rejected list -r "$LIAR" -w 1
		withdraw incr-rejected republish -r "$LIAR" -w 1
		survey incr-audit -r "$LIAR" -w 1
		info incr-consume -o -r "$LIAR" -w 1
		script incr-consume -o -r "$LIAR" -w 1
	END
	for call in $calls; do
		wait_for 30 test -s "$call.status"
		ended "$call" || {
			echo "$call: $(cat "$call.status")"
			cat "$call.err"
			return 1
		}
	done
	for queue in $queues; do
		INCR_QUEUE=$queue background incr-drain -o -w 10
		drains="$drains $!"
	done
	for drain in $drains; do
		wait "$drain"
	done
	# Each of the nine lines of a publisher is counted once, or not at all.
	[ "$(total)" -ge $((24 * 15)) ]
	[ "$(total)" -le $((24 * 15 + 2 * 45)) ]
}

@test "incr-rejected does not take more messages than it asked for" {
	against peek 'incr-rejected drop --all --yes -r "$LIAR" -w 5'
	wait_for 20 test -s peek.status
	[ "$(cat peek.status)" = 111 ]
	grep -q '^incr-rejected: redis: ' peek.err
	[ ! -s peek.out ]
	[ "$(rejected)" = 3 ]
}

@test "no program believes a Postgres whose greeting is none, or is harmed by it" {
	postgres_lies 'greeting: not one row of what was asked' none bare one null
	postgres_lies '' alien
}

@test "no program believes a Postgres with other rows, or is harmed by them" {
	postgres_lies 'not the rows that were asked for' \
		short long huge text two nobody
}

@test "no program takes rows without end from a Postgres" {
	postgres_lies 'the answer is larger than any can be' flood
}

@test "no program takes notices without end from a Postgres" {
	postgres_lies 'the answer is larger than any can be' notices
}

@test "no program takes settings without end from a Postgres" {
	postgres_lies 'the answer is larger than any can be' settings
}

# postgres_lies WHY LIE...: what those who meet the lie say
postgres_lies() {
	local why=$1 lie what
	shift
	for lie; do
		mkdir "$sockets/$lie"
		background setsid perl "$ROOT/tests/bats/pgliar.pl" "$sockets/$lie" "$lie"
		wait_for 10 test -S "$sockets/$lie/.s.PGSQL.5432"
		for what in audit flush plain; do
			meets "$what" "$lie" 4
		done
	done
	for lie; do
		for what in audit flush plain; do
			wait_for 40 test -s "$what-$lie.status"
			# On a loaded machine four seconds are too few to hear it.
			if heard_nothing "$what-$lie.err"; then
				meets "$what" "$lie" 30
				wait_for 60 test -s "$what-$lie.status"
			fi
			# A sum with a fraction is one of the table, and told as such.
			[ "$what-$lie" != audit-short ] || {
				[ "$(cat audit-short.status)" = 100 ]
				has 'not a whole number' audit-short.err
				continue
			}
			[ "$(cat "$what-$lie.status")" = 111 ] &&
				grep -qE "^incr-[a-z]+: postgres: .*$why" "$what-$lie.err" || {
				echo "$what, $lie: $(cat "$what-$lie.status")"
				cat "$what-$lie.err"
				return 1
			}
			# Nothing was counted, or seems to be.
			not grep -q 'went back\|counted' "$what-$lie.err"
		done
	done
}

# meets PROGRAM LIE SECONDS: in the background
meets() {
	export DATABASE_URL="postgresql:///x?host=$sockets/$2&user=x"
	rm -f "$1-$2.status"
	case $1 in
	audit) ends "$1-$2" incr-audit -w "$3" </dev/null ;;
	flush)
		increments 1 5 | incr-publish
		ends "$1-$2" "incr-consume -o -w 9 | incr-flush -w $3" </dev/null
		;;
	plain) ends "$1-$2" incr-flush -w "$3" <<<"$(increment 1)" ;;
	esac
}
# heard_nothing FILE: all that was said of Postgres is that it is silent
heard_nothing() {
	awk '/postgres: (no connection yet|no answer within|timed out while connecting)/ {
		silent = 1
		next
	}
	/postgres: / { heard = 1 }
	END { exit heard || !silent }' "$1"
}

# ends NAME COMMAND...: a shell with COMMAND in the background, its status in
# NAME.status, what it says in NAME.err.  Nobody needs 300 MB for an answer.
ends() {
	local name=$1 limit='ulimit -v 300000'
	shift
	not sanitized incr-flush || limit=
	background setsid bash -c "$limit
		$*; echo \$? >$name.status" >/dev/null 2>"$name.err"
}

# What each program says of a Redis that does not come to an end: the reply to
# CALL has no last byte, or one byte each tenth of a second.
endless() { # WHAT WAIT
	local call command
	calls=''
	while read -r call command; do
		liar "$1:$call"
		increments 1 5 | incr-publish
		export LIAR WAIT=$2
		ends "$call" "$command" </dev/null
		calls="$calls $call"
	done <<-'END'
		register incr-consume -o -r "$LIAR" -w $WAIT
		introduce incr-publish -r "$LIAR" -w $WAIT < <(increments 1 9)
		publish incr-publish -r "$LIAR" -w $WAIT < <(increments 1 9)
		take incr-consume -o -r "$LIAR" -w $WAIT
		identify incr-consume -o | incr-flush -r "$LIAR" -w $WAIT
		acknowledge incr-consume -o | incr-flush -r "$LIAR" -w $WAIT
	END
}

@test "no program takes a reply without end from a Redis" {
	export -f increments
	export KEY
	endless flood 60
	for call in $calls; do
		# How much was read before the connection ended, with what was under way.
		wait_for 40 test -s "$sockets/flood:$call.cut"
		[ "$(head -n 1 "$sockets/flood:$call.cut")" -le 20000000 ]
	done
}

@test "no program waits for ever for a Redis that sends a byte now and then" {
	export -f increments
	export KEY
	endless drip 4
	liar drip:select
	export LIAR
	ends list 'incr-rejected list -r "$LIAR" -w 4' </dev/null
	ends audit 'incr-audit -r "$LIAR" -w 4' </dev/null
	for call in $calls list audit; do
		wait_for 40 test -s "$call.status"
		[ "$(cat "$call.status")" = 111 ] && has 'no answer' "$call.err" || {
			echo "$call: $(cat "$call.status")"
			cat "$call.err"
			return 1
		}
	done
}

# What an HTTP server does to incr-send: LIE COUNTED, how many of its three
# lines are taken.  A status counts with its line, whatever comes behind it.
http_lies() {
	cat <<-'END'
		fields 3
		field 3
		nul 3
		short 1
		long 1
	END
	printf '%s 0\n' status interim early body lines chunks extension trailer \
		problem slow_head slow_body negative lengths size other two wait \
		date number old redirect
}

@test "an HTTP server that lies: incr-send ends, and says what it has" {
	local lie taken
	increments 1 3 >three
	while read -r lie taken; do
		background setsid perl "$ROOT/tests/bats/httpliar.pl" "$lie.port" "$lie"
		wait_for 10 test -s "$lie.port"
		ends "send-$lie" "incr-send -u http://127.0.0.1:$(cat "$lie.port")/increment \
			--wait 2 --timeout 2 >$lie.out" <three
	done < <(http_lies)
	while read -r lie taken; do
		wait_for 40 test -s "send-$lie.status"
		[ "$(cat "send-$lie.status")" = "$(http_status_of "$lie" "$taken")" ] &&
			[ "$(wc -l <"$lie.out")" = 3 ] &&
			[ "$(grep -c '"value"' "$lie.out")" = "$taken" ] || {
			echo "$lie: $(cat "send-$lie.status")"
			cat "$lie.out" "send-$lie.err"
			return 1
		}
		[ "$taken" = 3 ] || grep -q '^incr-send: http://127' "send-$lie.err"
		not grep -q $'\e' "$lie.out" "send-$lie.err"
	done < <(http_lies)
}
http_status_of() {
	case $1:$2 in
	*:3) echo 0 ;;
	redirect:*) echo 100 ;;
	*) echo 111 ;;
	esac
}

# sentinel NAME BYTES: one that answers each question with BYTES; its URL is LIAR.
sentinel() {
	local port
	port=$(free_port)
	printf '%b' "$2" >"$1.answer"
	background perl "$ROOT/tests/bats/sentinel.pl" "$port" "$PWD/$1.answer"
	listens() { [ -n "$(ss -Hltn "sport = :$port")" ]; }
	wait_for 10 listens
	export LIAR="redis-sentinel://127.0.0.1:$port/0?master=m"
}

@test "a sentinel that lies: no program believes it, or is harmed by it" {
	local long name bytes why program
	local -A says
	long=$(head -c 5000 /dev/zero | tr '\0' x)
	# shellcheck disable=SC2016 # $ as it is
	while read -r name bytes why; do
		sentinel "$name" "${bytes/LONG/$long}"
		[ "$name" != flood ] || head -c 30000000 /dev/zero >>flood.answer
		ends "consume-$name" 'incr-consume -o -w 4 -r "$LIAR"' </dev/null
		ends "audit-$name" 'incr-audit -w 4 -r "$LIAR"' </dev/null
		says[$name]=$why
	done <<-'END'
		ok +OK\r\n+OK\r\n+OK\r\n no address
		word +CONTINUE\r\n no address
		three *3\r\n$1\r\nh\r\n:1\r\n:2\r\n no address
		nested *2\r\n*1\r\n$1\r\nh\r\n:6379\r\n no address
		port *2\r\n$1\r\nh\r\n$20\r\n18446744073709551617\r\n no address
		nul *2\r\n$3\r\nh\0h\r\n:6379\r\n no address
		long *2\r\n$5000\r\nLONG\r\n:6379\r\n no address
		alien HTTP/1.1\r\n\r\n receive: Protocol error
		parts *2000000\r\n larger than any can be
		flood $600000000\r\n larger than any can be
		cut *2\r\n$9\r\n127.0 no answer in time
	END
	# A sentinel has a second, which may be too little for the perl of this one.
	for name in "${!says[@]}"; do
		for program in consume audit; do
			wait_for 40 test -s "$program-$name.status"
			[ "$(cat "$program-$name.status")" = 111 ] &&
				has "sentinel: " "$program-$name.err" &&
				grep -qE "${says[$name]}|no answer in time" "$program-$name.err" || {
				echo "$program $name: $(cat "$program-$name.status")"
				cat "$program-$name.err"
				return 1
			}
		done
	done
}

@test "incr-serve shares no rates with a Redis that lies, and serves" {
	liar rate
	background incr-ingest -r "$LIAR" -l "$sockets/s" \
		--rate 1000/s:1000 --rate-shared 2>err
	wait_for 10 healthy "$sockets/s"
	send() { http_status --unix-socket "$sockets/s" -d "$(increment 1)" http://x/increment; }
	# More than there are lies, each in a call of its own.
	for i in $(seq 12); do
		[ "$(send)" = 202 ]
		wait_for 5 asked_at_last "$i"
	done
	has 'redis: reply that is not one to this call; rate limits are not shared' err
}
# What can't be sent for a second is forgotten: it takes another request.
asked_at_last() { asked "$1" || { send && asked "$1"; }; }
# asked N: the liar was asked at least so often
asked() { [ "$(wc -c <"$sockets/rate.asked")" -ge "$1" ]; }
