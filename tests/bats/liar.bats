#!/usr/bin/env bats
# A Redis whose replies are none to what was asked: longer, shorter, with
# numbers that overflow.  No program reads or writes where it must not, nobody
# takes a lie for a result, and all that is on the queue is counted once.

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
	background perl "$ROOT/tests/bats/liar.pl" "$sockets/$1" "$SERVER" "$1"
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
	[ "$(total)" -ge $((21 * 15)) ]
	[ "$(total)" -le $((21 * 15 + 2 * 45)) ]
}

@test "incr-rejected does not take more messages than it asked for" {
	against peek 'incr-rejected drop --all --yes -r "$LIAR" -w 5'
	wait_for 20 test -s peek.status
	[ "$(cat peek.status)" = 111 ]
	grep -q '^incr-rejected: redis: ' peek.err
	[ ! -s peek.out ]
	[ "$(rejected)" = 3 ]
}

# What the shape of the rows or the size of an answer must be.
PG_LIES='none bare one null short long huge text two nobody flood notices settings alien'

@test "no program believes a Postgres that lies, or is harmed by it" {
	local lie what why
	for lie in $PG_LIES; do
		mkdir "$sockets/$lie"
		background perl "$ROOT/tests/bats/pgliar.pl" "$sockets/$lie" "$lie"
		wait_for 10 test -S "$sockets/$lie/.s.PGSQL.5432"
		export DATABASE_URL="postgresql:///x?host=$sockets/$lie&user=x"
		increments 1 5 | incr-publish
		# Nobody needs so much memory for an answer.
		background setsid bash -c "$(frugal)
			incr-audit -w 1; echo \$? >audit-$lie.status" \
			>/dev/null 2>"audit-$lie.err" </dev/null
		background setsid bash -c "$(frugal)
			incr-consume -o -w 5 | incr-flush -w 1; echo \$? >flush-$lie.status" \
			2>"flush-$lie.err" </dev/null
		increment 1 >line
		background setsid bash -c "$(frugal)
			incr-flush -w 1 <line; echo \$? >plain-$lie.status" \
			2>"plain-$lie.err"
	done
	for lie in $PG_LIES; do
		case $lie in
		none | bare | one | null) why='greeting: not one row of what was asked' ;;
		short | long | huge | text | two | nobody) why='not the rows that were asked for' ;;
		flood | notices | settings) why='the answer is larger than any can be' ;;
		*) why='' ;;
		esac
		for what in audit flush plain; do
			wait_for 30 test -s "$what-$lie.status"
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
# frugal: of a shell: what it starts has 300 MB of addresses
frugal() { sanitized incr-flush || echo 'ulimit -v 300000'; }
