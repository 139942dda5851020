#!/usr/bin/env bats
# incr-up: from one command to counted increments, whatever dies.

bats_require_minimum_version 1.5.0
load helper
load up

setup_file() { make_up_cluster; }
teardown_file() { rm -rf "$cluster"; }
setup() { up_setup; }
teardown() { up_teardown; }

@test "one command: parts are told, a POST is counted, nothing is left" {
	use_cluster "$INCR_STATE"
	up_start
	for name in redis postgres ingest-1 ingest-2 drain-1 drain-2 caddy; do
		[ "$(grep -c "^$name " out)" = 1 ]
	done
	[ "$(stat -c %a "$INCR_STATE/env")" = 600 ]
	everything=$(descendants "$up")
	# What it says to paste does what it says.
	grep -F ". '$INCR_STATE/env'" out >to-paste
	grep -o 'curl .*' out | sed 's/-i/-s -w %{http_code}/' >>to-paste
	grep -o 'incr-db show' out >>to-paste
	run -0 env -u INCR_STATE PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		sh ./to-paste
	[[ "$output" == 202*updated_at* ]]
	# shellcheck source=/dev/null
	. "$INCR_STATE/env"
	[ "$INCR_URL" = "$url" ]
	[ -d "$INCR_METRICS_DIR" ]
	wait_for 10 sum_is 3
	incr-db show | grep -q "$KEY"
	# The dry run of a system that works finds nothing; it changes nothing.
	# The second drain may have begun later than the first one counted.
	finds_both() {
		incr-up --check >check &&
			grep -q '^ok: queue increments: .*, 2 consumers alive$' check
	}
	wait_for 10 finds_both || { cat check; return 1; }
	grep -qx "ok: $INCR_STATE: incr-up runs there, pid $up" check
	grep -q '^ok: postgres: its tables and grants let incr-flush' check
	[ "$(grep -vc '^ok: ' check)" = 0 ]
	[ "$(rcli config get appendfsync | tail -1)" = always ]
	[ "$(rcli config get maxmemory-policy | tail -1)" = noeviction ]
	[ "$(rcli config get appendonly | tail -1)" = yes ]
	maxmemory=$(rcli config get maxmemory | tail -1)
	awk -v m="$maxmemory" '/^MemTotal:/ {
		exit !(m > 0 && m <= $2 * 512) }' /proc/meminfo
	sockets=$(cat "$INCR_STATE/run/sockets")
	up_stop
	none_left "$everything"
	[ ! -e "$sockets" ]
	quiet err

	# A shell that has sourced STATE/env starts it again as before.
	up_start
	grep -q '^redis ' out
	# shellcheck source=/dev/null
	. "$INCR_STATE/env"
	sum_is 3
	up_stop
}

@test "wrong options end it with 100, in one line" {
	for wrong in --no-such-option '--port 0' '--port x' '--ingests 0' \
		'--drains 65' '--metrics-port 65536' '--metrics-port x' '--maxmemory 2g5' '--maxmemory x' \
		--port operand; do
		# shellcheck disable=SC2086
		run -100 incr-up $wrong
		[ "${#lines[@]}" -eq 1 ]
	done
	for wrong in x 65536; do
		INCR_PAGE_PORT=$wrong run -100 incr-up --check
		[ "$output" = "incr-up: INCR_PAGE_PORT: $wrong: not a number from 0 to 65535" ]
	done
	# incr-db would say so once the servers run.
	INCR_PARTITIONS=257 run -100 incr-up
	[ "$output" = 'incr-up: INCR_PARTITIONS: 257: not a number from 1 to 256' ]
	INCR_PORT=7 INCR_PAGE_PORT=7 run -100 incr-up --check
	[ "$output" = 'incr-up: INCR_PAGE_PORT: 7: also INCR_PORT' ]
	INCR_PAGE_PORT=7 run -100 incr-up --metrics-port 7 --check
	[ "$output" = 'incr-up: INCR_PAGE_PORT: 7: also --metrics-port' ]
	run -100 incr-up --metrics-port 7 --port 07 --check
	[ "$output" = 'incr-up: --metrics-port: 7: also --port' ]
}

@test "a state folder that can't be made ends it with 100, in one line" {
	run -100 incr-up --state /dev/null/x
	[ "$output" = 'incr-up: /dev/null/x: Not a directory' ]
	mkdir state
	touch state/run
	run -100 incr-up --state state
	[ "$output" = "incr-up: $PWD/state: File exists" ]
}

@test "a site name needs tokens or --open, a client CA a site name" {
	INCR_SITE=example.org run -100 incr-up
	[ "$output" = 'incr-up: INCR_SITE: serves everybody; needs --tokens or --open' ]
	INCR_SITE=example.org run -100 incr-up --tokens missing
	[ "$output" = 'incr-up: --tokens: missing: not readable' ]
	INCR_CLIENT_CA=x run -100 incr-up
	[ "$output" = "incr-up: INCR_CLIENT_CA: needs INCR_SITE; there is no HTTPS without it" ]
	# With --open it goes on to what comes next.
	INCR_SITE=example.org run -100 incr-up --open --state /dev/null/x
	[[ "$output" != *INCR_SITE* ]]
}

@test "a given database needs the rights of incr-flush, none to create" {
	use_given
	local role=up_$BATS_SUITE_TEST_NUMBER owner=$DATABASE_URL
	sql "drop role if exists $role"
	sql "create role $role login;
		grant select, insert, update on increments to $role;
		grant select, insert, update, delete on incr_ledger to $role"
	DATABASE_URL=${owner/user=postgres/user=$role}
	up_start --ingests 1 --drains 1
	take 1
	up_stop
	[ "$(sum_of)" = 1 ]
	DATABASE_URL=$owner sql "drop owned by $role; drop role $role"
}

@test "HTTPS, tokens and rates: who has a token is counted, no secret is told" {
	use_given
	rcli acl setuser up on '>told-redis' '~*' '&*' +@all >/dev/null
	export REDIS_URL=unix://up:told-redis@${REDIS_URL#unix://}
	export DATABASE_URL="$DATABASE_URL&password=told-postgres"
	token=$(incr-token --tokens tokens --rate 1/s:5 new shop)
	export INCR_HTTP_PORT INCR_BIND=127.0.0.1
	INCR_HTTP_PORT=$(free_port)
	INCR_SITE=https://localhost:$INCR_PORT up_start --ingests 1 \
		--drains 1 --tokens tokens
	url=https://localhost:$INCR_PORT/increment
	echo "cacert = $INCR_STATE/caddy/pki/authorities/local/root.crt" >config
	code() { http_status -K config \
		-d "$(increment 3)" "$url"; }
	unauthorized() { [ "$(code)" = 401 ]; }
	wait_for 5 unauthorized
	grep -q '"code":"unauthorized"' answer
	printf 'header = "Authorization: Bearer %s"\n' "$token" >>config
	[ "$(code)" = 202 ]
	limited() { [ "$(code)" = 429 ]; }
	wait_for 5 limited
	grep -q quota-exceeded answer
	# No part has a secret in its arguments, its messages or its metrics.
	secrets="$token|told-(redis|postgres)"
	[ "$(stat -c %a "$INCR_STATE/env")" = 600 ]
	served() { ls "$INCR_STATE"/metrics/incr-flush-*; }
	wait_for 5 served
	not grep -rqE --exclude=env "$secrets" err out answer "$INCR_STATE"
	for pid in $(descendants "$up"); do
		not grep -aqE "$secrets" "/proc/$pid/cmdline"
	done
	up_stop
	not grep -rqE --exclude=env "$secrets" err out "$INCR_STATE"
	[ "$(sum_of)" -ge 3 ]
}

@test "a proxy in the environment is not asked for what is here" {
	use_given
	local port
	port=$(free_port)
	listen_at "$port"
	proxy=http://127.0.0.1:$port
	NO_PROXY='' http_proxy=$proxy https_proxy=$proxy all_proxy=$proxy \
		up_start --ingests 1 --drains 1
	take 3
	# Nor by the user's shell that has read STATE/env.
	NO_PROXY='' http_proxy=$proxy run -0 sh -c '. "$INCR_STATE/env" &&
		echo "$1" | incr-send && curl -sf -d "$1" "$INCR_URL"' - "$(increment 4)"
	wait_for 10 sum_is 11
	up_stop
}

@test "whatever the umask is, it can use the folder that it makes" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	use_given
	unset DATABASE_URL
	chmod 755 "$INCR_STATE"
	for mask in 027 077; do
		state=$INCR_STATE/$mask/new
		(umask "$mask" && up_start --state "$state" --ingests 1 \
			--drains 1 && up_stop)
		[ "$(stat -c %a "$state/env")" = 600 ]
		[ "$(stat -c %a "$state/postgres")" = 700 ]
	done
}

@test "what it tells can't be written: it ends in order, with 111" {
	use_given
	run -111 sh -c 'incr-up --ingests 1 --drains 1 >/dev/full'
	[ "$(said <(echo "$output"))" = 'incr-up: stdout: not written' ]
	[ -z "$(ls "$INCR_STATE/run")" ]
}

@test "a port that is taken ends it with 100" {
	use_given
	listen_at "$INCR_PORT"
	run -100 incr-up
	[[ "$output" == *"port $INCR_PORT: "* ]]
}

# listen_at PORT: somebody who takes connections, and gives no answer
listen_at() {
	background perl -MIO::Socket::INET -e '
		my $l = IO::Socket::INET->new(Listen => 1, ReuseAddr => 1,
			LocalAddr => "127.0.0.1:$ARGV[0]");
		while (my $c = $l->accept) { }' "$1"
	wait_for 5 curl_finds "$1"
}
curl_finds() { [ "$(curl -s "http://localhost:$1" || echo $?)" != 7 ]; }

@test "a second incr-up says who holds the state folder, exits 100" {
	use_given
	up_start --ingests 1 --drains 1
	run -100 incr-up
	[[ "$output" == *"$INCR_STATE: held by incr-up, pid $up" ]]
	up_stop
}

@test "REDIS_URL and DATABASE_URL are used; N parts, on loopback only" {
	use_given
	INCR_RATE=1/s:20 up_start --ingests 3 --drains=1
	run ! grep -E '^(redis|postgres|ingest-4|drain-2) ' out
	grep -q '^ingest-3 ' out
	grep -qF "export DATABASE_URL='$DATABASE_URL'" "$INCR_STATE/env"
	run ! grep -F 'its own' "$INCR_STATE/env"
	ss -Hltn "sport = :$INCR_PORT" | awk '{ print $4 }' >bound
	grep -q "^127.0.0.1:" bound
	run ! grep -vE '^(127\.0\.0\.1|\[::1\]):' bound
	take 7
	wait_for 10 sum_is 7
	# The servers are told by Caddy whose request it is.
	from() {
		curl -s -o answer -w '%{http_code}\n' --interface "$1" \
			-d "$(increment 1)" "http://127.0.0.1:$INCR_PORT/increment?[1-$2]"
	}
	from 127.0.0.1 150 | grep -q 429
	[ "$(from 127.0.0.2 1)" = 202 ]
	tr '\0' '\n' <"/proc/$(part caddy)/environ" | grep -qx GOGC=400
	up_stop
}

@test "the metrics of all parts have one address, which the system gives" {
	use_given
	INCR_RATE=1/s:20 up_start
	# shellcheck source=/dev/null
	. "$INCR_STATE/env"
	[[ "$INCR_METRICS_URL" =~ ^http://127\.0\.0\.1:[0-9]+/metrics$ ]]
	grep -qxE "metrics +$INCR_METRICS_URL" out
	all_say() {
		curl -fs -m 5 --noproxy '*' "$INCR_METRICS_URL" >all || return
		[ "$(grep '^process_start_time_seconds{' all |
			grep -oE 'program="[a-z-]*"' | sort | uniq -c | wc -l)" = 5 ] &&
			[ "$(grep -c '^process_start_time_seconds{program="incr-serve"' all)" = 2 ] &&
			grep -q "^incr_queue_ready{queue=\"$INCR_QUEUE\"" all
	}
	wait_for 10 all_say
	# The user of a node_exporter can read the files, too.
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid 65534 --regid 65534 --clear-groups \
			cat "$INCR_METRICS_DIR"/incr-*.prom >node
		grep -q ^incr_queue_ready node
	fi
	# Others are there, and the port stays, while no ingest is.
	kill -STOP $(pgrep -P "$(pgrep -d, -f "incr-keep -p $INCR_STATE/run/ingest-")")
	kill -9 "$(part metrics)"
	wait_for 10 curl -fs -m 2 -o all --noproxy '*' "$INCR_METRICS_URL"
	grep -q '^incr_build_info{.*program="incr-serve"' all
	kill -CONT $(pgrep -P "$(pgrep -d, -f "incr-keep -p $INCR_STATE/run/ingest-")")
	# A second system beside it has another one.
	mkdir second
	local first=$up other
	INCR_PORT=$(free_port) background incr-up --state "$PWD/second/state" \
		--ingests 1 --drains 1 >second/out 2>second/err
	other=$!
	wait_for 30 grep -q '^Ctrl-C ends' second/out
	[ "$(grep -c "^export INCR_METRICS_URL=" second/state/env)" = 1 ]
	not grep -F "$INCR_METRICS_URL" second/state/env
	kill "$other"
	wait "$other"
	up=$first
	up_stop
}

@test "a port of the metrics that is told is the one; one that is taken ends it" {
	local port
	use_given
	port=$(free_port)
	up_start --ingests 1 --drains 1 --metrics-port "$port"
	grep -qxF "export INCR_METRICS_URL='http://127.0.0.1:$port/metrics'" "$INCR_STATE/env"
	INCR_METRICS_PORT=$port INCR_PORT=$(free_port) run -100 incr-up \
		--state "$PWD/second" --ingests 1 --drains 1
	[[ "$output" == *"127.0.0.1:$port: Address already in use"* ]]
	up_stop
}

@test "a client has its rate once, not once per server" {
	local name=t$BATS_SUITE_TEST_NUMBER-$$ began us taken=0
	use_given
	echo "$name $(printf %s secret | sha256sum | cut -c1-64) 5/s" >tokens
	up_start --ingests 2 --drains 1 --tokens tokens
	echo 'header = "Authorization: Bearer secret"' >config
	began=${EPOCHREALTIME/./}
	until us=$((${EPOCHREALTIME/./} - began)) && [ "$us" -gt 5000000 ]; do
		taken=$((taken + $(curl -s -K config -o answer -w '%{http_code}\n' \
			-d "$(increment 1)" "$url?[1-20]" | grep -c '^202$' || :)))
	done
	echo "$taken in $us us"
	# Each server lets a burst of 5 in before it hears of the other; one that
	# never hears lets in 5 more each second.
	[ "$taken" -le $((us * 5 / 1000000 + 10 + 5)) ]
	[ "$taken" -ge $((us * 5 / 1000000 / 2)) ]
	wait_for 10 takes_requests ingest-1
	wait_for 10 takes_requests ingest-2
	up_stop
}

@test "kill -9 of each part in turn: back in seconds, the sums are right" {
	use_cluster "$INCR_STATE"
	up_start
	posted=0
	for name in drain-1 ingest-1 caddy redis postgres ingest-2 drain-2; do
		take 10
		pid=$(part "$name")
		kill -9 "$pid"
		wait_for 5 replaced "$name" "$pid"
		take 10
	done
	# shellcheck source=/dev/null
	. "$INCR_STATE/env"
	up_stop
	up_start
	# shellcheck source=/dev/null
	. "$INCR_STATE/env"
	# A request that got no 202 may have been counted all the same.
	[ "$(sum_of)" -ge "$posted" ]
	[ $(($(sum_of) - posted)) -le "$(grep -c 'exit status' err)0" ]
	up_stop
}

# copy_of FOLDER: a clone's programs, scripts and files.
copy_of() {
	mkdir -p "$1/bin"
	cp -r "$ROOT/Caddyfile" "$ROOT/sql" "$ROOT/etc" "$1/"
	cp -L "$BIN"/incr-* "$1/bin/"
}

@test "a part that exits 100 stays down, and it is said" {
	use_given
	copy_of copy
	touch drains
	chmod 666 drains # incr-drain's
	cat >copy/bin/incr-drain <<-'EOF'
	#!/bin/sh
	[ "${1:-}" != --all ] || exit 0
	echo "$$" >>drains
	[ -e broken ] && exit 100
	exec sleep infinity
	EOF
	up_program=copy/bin/incr-up
	up_start --drains 1 --ingests 1
	touch broken
	kill -9 "$(part drain-1)"
	wait_for 5 grep -q 'drain-1: exit status 100: stays down' err
	[ "$(wc -l <drains)" = 2 ]
	[ "$(post 1)" = 202 ]
	[ ! -e "$INCR_STATE/run/drain-1.pid" ]
	up_stop
	[ "$(wc -l <drains)" = 2 ]
}

@test "a part that dies while a table has another name does not stay down" {
	use_given
	up_start --drains 1 --ingests 1
	take 1
	wait_for 15 sum_is "$posted"
	sql 'alter table increments rename to away'
	kill -9 "$(part drain-1)"
	take 2
	wait_for 15 grep -q 'does not exist (42P01); run incr-db create; waiting' err
	sql 'alter table away rename to increments'
	wait_for 15 sum_is "$posted"
	run -1 grep 'stays down' err
	up_stop
}

@test "a part that leaves with 0 or dies is started again, at once at first" {
	use_given
	copy_of copy
	touch drains
	chmod 666 drains # incr-drain's
	cat >copy/bin/incr-drain <<-'EOF'
	#!/bin/sh
	[ "${1:-}" != --all ] || exit 0
	echo "$$" >>drains
	[ "$(wc -l <drains)" -ge 5 ] || exit $(($(wc -l <drains) - 1))
	exec sleep infinity
	EOF
	up_program=copy/bin/incr-up
	up_start --drains 1 --ingests 1
	wait_for 5 has_lines drains 5
	grep -o 'in [0-9]* ms' err >delays
	printf 'in %d ms\n' 0 100 200 400 | cmp - delays
	up_stop
}

has_lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }

# load CLIENTS: into Caddy, until SIGINT; hey says at its end how many got what
load_start() {
	background env --default-signal=INT hey -z 60s -c "$1" -m POST -t 10 \
		-d "$(increment 1)" "$url" >hey.out 2>&1
	hey=$!
}

load_stop() {
	kill -INT "$hey"
	wait "$hey"
}

answered() { # STATUS: how many
	awk -v s="[$1]" '$1 == s && /responses/ { n = $2 } END { print n + 0 }' \
		hey.out
}

# again INGEST SIGNAL: ends a server, and waits for the next one to be ready
again() {
	local was
	read -r was _ <"$INCR_STATE/run/$1.pid"
	kill "-$2" "$was"
	wait_for 15 is_another "$1" "$was"
}

is_another() {
	local pid
	read -r pid _ <"$INCR_STATE/run/$1.pid" && [ "$pid" != "$2" ] &&
		healthy "$(cat "$INCR_STATE/run/sockets")/$1.sock"
}

# Caddy has seen that it is ready.
takes_requests() {
	local pid
	read -r pid _ <"$INCR_STATE/run/$1.pid"
	grep -qE '^incr_http_requests_total\{code="202",.* [1-9]' \
		"$INCR_STATE"/metrics/incr-serve-*-"$pid".prom
}

@test "each server restarted in turn under load: nobody gets anything but 202" {
	use_given
	up_start --ingests 2 --drains 1
	load_start 20
	again ingest-1 TERM
	wait_for 10 takes_requests ingest-1
	again ingest-2 TERM
	wait_for 10 takes_requests ingest-2
	load_stop
	cat hey.out err >&2
	[ "$(grep -c responses hey.out)" = 1 ]
	not grep -q 'Error distribution' hey.out
	[ "$(answered 202)" -gt 100 ]
	up_stop
	sum_is "$(answered 202)"
}

@test "all parts restarted at once under load: nobody gets anything but 202" {
	use_given
	up_start --ingests 2 --drains 1
	load_start 20
	wait_for 10 takes_requests ingest-1
	wait_for 10 takes_requests ingest-2
	first=$(part ingest-1)
	second=$(part ingest-2)
	drain=$(part drain-1)
	# As incr(7) says of an upgrade.
	awk '$0 == ".\\\" restart" { marked = 1; next }
		marked && /^\.Bd/ { inside = 1; marked = 0; next }
		/^\.Ed/ { inside = 0 } inside' "$ROOT/man/incr.7" |
		sed "s:DIR:$INCR_STATE:" >restart
	[ "$(grep -c ^kill restart)" = 2 ]
	sh -eu restart
	wait_for 15 replaced drain-1 "$drain"
	wait_for 15 is_another ingest-1 "$first"
	wait_for 15 is_another ingest-2 "$second"
	wait_for 10 takes_requests ingest-1
	wait_for 10 takes_requests ingest-2
	load_stop
	cat hey.out err >&2
	not grep -q 'Error distribution' hey.out
	[ "$(grep -c responses hey.out)" = 1 ]
	[ "$(answered 202)" -gt 100 ]
	up_stop
	sum_is "$(answered 202)"
}

@test "servers killed under load: the sum is that of the 202s, or a 502 more" {
	use_given
	up_start --ingests 2 --drains 1
	load_start 20
	for _ in 1 2; do
		again ingest-1 KILL
		again ingest-2 KILL
	done
	load_stop
	cat hey.out err >&2
	up_stop
	counted=$(answered 202)
	unknown=$(($(answered 502) + $(answered 504)))
	echo "# four servers killed: $counted x 202, $unknown x 502 or 504," \
		"$(answered 503) x 503" >&3
	not grep -q 'Error distribution' hey.out
	# Only what they had in hand: whoever came meanwhile has waited.
	[ "$unknown" -le $((4 * 20)) ]
	[ "$(answered 503)" = 0 ]
	sum=$(sql 'select value from increments')
	((counted > 100 && sum >= counted && sum <= counted + unknown))
}

@test "Ctrl-C in a terminal: everything is counted, nothing is left" {
	use_cluster "$INCR_STATE"
	cat >pty.exp <<-'EOF'
	set timeout 40
	log_file -a out
	spawn incr-up
	expect "Ctrl-C ends"
	exec touch is-up
	while {![file exists press]} { after 20 }
	send "\003"
	expect eof
	lassign [wait] pid spawn error status
	exit $status
	EOF
	background expect pty.exp >expect.log
	pty=$!
	wait_for 30 test -e is-up
	up=$(cat "$INCR_STATE/lock")
	everything=$(descendants "$up")
	increments 1 5000 | INCR_URL=$url incr-send >/dev/null
	touch press
	wait "$pty"
	none_left "$up $everything"
	up=
	quiet err
	up_start
	# shellcheck source=/dev/null
	. "$INCR_STATE/env"
	sum_is 12502500
	up_stop
}

# is_told_to_end PID: which is stopped, so that SIGTERM waits for it
is_told_to_end() {
	local pending
	pending=$(sed -n 's/^ShdPnd:	//p' "/proc/$1/status")
	((0x$pending & 1 << 14))
}

@test "a second Ctrl-C ends everything at once, and loses nothing" {
	use_cluster "$INCR_STATE"
	background env --default-signal=INT setsid incr-up >out 2>err
	up=$!
	wait_for 30 is_up
	everything=$(descendants "$up")
	take 5
	kill -STOP "$(part caddy)" # which would take long to leave
	kill -INT "$up"
	# Two signals before the first is obeyed would be one.
	wait_for 10 is_told_to_end "$(part caddy)"
	kill -INT "$up"
	local status=0
	wait "$up" || status=$?
	[ "$status" -eq 111 ]
	none_left "$everything"
	up_start
	# shellcheck source=/dev/null
	. "$INCR_STATE/env"
	wait_for 10 sum_is 5
	up_stop
}

# A shell that forks forgets what its child is told at first.
@test "told to leave while it starts a keeper, which forgets it: it leaves" {
	local setsid
	use_given
	setsid=$(command -v setsid)
	mkdir early
	cat >early/setsid <<-END
		#!/bin/sh
		case "\$*" in
		*'incr-keep '*' metrics '*)
			trap 'echo >>$PWD/forgotten' TERM
			until [ -e $PWD/go ]; do sleep 0.02; done
			trap - TERM
			;;
		esac
		exec $setsid "\$@"
	END
	chmod -R a+rx early
	PATH=$PWD/early:$PATH background incr-up >out 2>err
	up=$!
	wait_for 30 keeper_waits
	kill "$up"
	wait_for 10 test -s forgotten
	: >go
	wait_for 10 gone "$up"
	up_left=0
	wait "$up" || up_left=$?
	[ "$up_left" -eq 0 ]
	up=
	[ -z "$(ls -A "$INCR_STATE/run")" ]
}
keeper_waits() { pgrep -f "$PWD/early/setsid .*incr-keep .* metrics " >/dev/null; }

@test "after kill -9 of incr-up the next start ends what it left" {
	use_given
	up_start
	everything=$(descendants "$up")
	take 5
	sockets=$(cat "$INCR_STATE/run/sockets")
	kill -9 "$up"
	# A stranger has got the pid that a file names: it is let alone.
	background setsid sleep infinity
	stranger=$!
	sed "s/^[0-9]*/$stranger/" "$INCR_STATE/run/caddy.pid" \
		>"$INCR_STATE/run/drain-9.pid"
	: >out
	up_start
	grep -q 'ending pid' err
	none_left "$everything"
	kill -0 "$stranger"
	[ ! -e "$sockets" ]
	take 6
	wait_for 10 sum_is 11
	up_stop
}

@test "the part of a keeper that was killed is ended with the others" {
	use_given
	up_start
	everything=$(descendants "$up")
	kill -9 "$(cut -d ' ' -f 1 "$INCR_STATE/run/drain-1.keeper")"
	up_stop
	none_left "$everything"
}

@test "it works from below /root and from a path of 120 characters" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	below_root=$(mktemp -d /root/incr-up.XXXXXX)
	printf -v deep '%0100d' 0
	use_cluster "$INCR_STATE"
	for folder in "$below_root/clone" "$PWD/$deep/clone"; do
		copy_of "$folder"
		(
			cd "$folder"
			up_program=bin/incr-up
			out=$BATS_TEST_TMPDIR/out
			: >"$out"
			background bin/incr-up >"$out" 2>&1
			cd "$BATS_TEST_TMPDIR"
			up=$!
			wait_for 30 is_up
			take 1
			up_stop
		)
	done
	rm -rf "$below_root"
}
