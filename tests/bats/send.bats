#!/usr/bin/env bats
# incr-send against a real Caddy that answers what a test asks for: a file
# PATH.STATUS below $flags makes POST /PATH answer with that status.

bats_require_minimum_version 1.5.0
load helper

# start_caddy DIR: pid in DIR/pid, port in DIR/port.
start_caddy() {
	local port
	mkdir -p "$1/flags"
	for _ in 1 2 3 4 5; do
		port=$(free_port)
		caddyfile "$1" "$port" >"$1/Caddyfile"
		echo "$port" >"$1/port"
		run_caddy "$1"
		! gone "$(cat "$1/pid")" || continue
		return 0
	done
	return 1
}

# run_caddy DIR: once more, as it was
run_caddy() {
	XDG_DATA_HOME=$1 XDG_CONFIG_HOME=$1 caddy run \
		--config "$1/Caddyfile" --adapter caddyfile \
		>"$1/caddy.log" 2>&1 3>&- 9>&- &
	echo $! >"$1/pid"
	wait_for 10 caddy_decided "$1" "$(cat "$1/port")"
}

stop_caddy() {
	kill "$(cat "$1/pid")"
	wait_for 5 gone "$(cat "$1/pid")"
}

caddy_decided() {
	gone "$(cat "$1/pid")" || curl -sf -d x "http://127.0.0.1:$2/ready"
}

caddyfile() { # caddy_log: debug, or nothing
	cat <<-END
		{
			$caddy_log
			admin off
			auto_https disable_redirects
			skip_install_trust
			local_certs
		}
		https://localhost:$(($2 + 12000)) {
			bind 127.0.0.1
			respond 202
		}
		http://:$2 {
			bind 127.0.0.1
			root * $1/flags
			log {
				output file $1/access.log
			}
			$(for status in 404 500 502 504; do cat <<-HANDLE
				@$status file {path}.$status
				handle @$status {
					respond $status
				}
			HANDLE
			done)
			@drop file {path}.drop
			handle @drop {
				abort
			}
			@busy file {path}.503
			handle @busy {
				respond 503
			}
			@slow_down file {path}.429
			handle @slow_down {
				header Retry-After 1
				respond 429
			}
			@moved file {path}.308
			handle @moved {
				redir https://user:secret@localhost:$(($2 + 12000))/new?secret 308
			}
			@refuse file {path}.400
			handle @refuse {
				header Content-Type application/problem+json
				respond \`{"title":"no","detail":"\"code\":\"unknown\"","code": "value-out-of-range"}\` 400
			}
			handle {
				respond 202
			}
		}
	END
}

caddy_log=

setup_file() {
	caddy=$(mktemp -d /tmp/incr-send.XXXXXX)
	export caddy
	start_caddy "$caddy"
}

teardown_file() {
	kill "$(cat "$caddy/pid")"
	rm -rf "$caddy"
}

setup() {
	path=t$BATS_TEST_NUMBER
	flag=$caddy/flags/$path
	INCR_URL=http://127.0.0.1:$(cat "$caddy/port")/$path
	export INCR_URL
}

teardown() { end_background; }

# Requests of this test that have been answered, and how many there are.
requests() { grep "\"uri\":\"/$path\"" "$caddy/access.log" || :; }
asked() { [ "$(requests | wc -l)" -ge "$1" ]; }
asked_exactly() { [ "$(requests | wc -l)" -eq "$1" ]; }

has_lines() { [ "$(wc -l <"$1")" -eq "$2" ]; }

# exits STATUS PID: a child does, after a while
exits() {
	local status=0
	wait "$2" || status=$?
	[ "$status" -eq "$1" ]
}

# is_error LINE CODE NUMBER
is_error() {
	[[ $1 == '{"error":{"code":"'"$2"'","detail":"'*'","line":'"$3"'}}' ]]
}

# open_input: incr-send in the background on descriptor 9, verdicts in out.
open_input() {
	cd "$BATS_TEST_TMPDIR" || return
	mkfifo in
	background env --default-signal=INT sh -c \
		'exec incr-send "$@" <in >out 2>err' sh "$@"
	sender=$!
	exec 9>in
}

@test "every line is answered by itself, in order" {
	increments 1 5000 | incr-send >"$BATS_TEST_TMPDIR/out"
	increments 1 5000 | cmp - "$BATS_TEST_TMPDIR/out"
	wait_for 5 asked_exactly 5000
	# Connections are used again.
	[ "$(requests | grep -o '"remote_port":"[0-9]*"' | sort -u |
		wc -l)" -le 32 ]
}

@test "another form and a last line without newline are answered as they are" {
	line='{ "value": 3, "key": "6F1B3C1E-7A4F-4F60-9A53-2B0F0F3A9A11" }'
	run -0 --separate-stderr incr-send < <(printf %s "$line")
	[ "$output" = "$line" ]
	[ -z "$stderr" ]
}

@test "nothing in, nothing out, nobody asked" {
	run -0 --separate-stderr incr-send -u http://127.0.0.1:9/ </dev/null
	[ -z "$output$stderr" ]
}

@test "invalid lines are answered here, error lines passed on: exit 1" {
	passed='{"error":{"code":"not-json","detail":"x","line":77}}'
	{
		increment 1
		echo
		head -c 5000 /dev/zero | tr '\0' x
		echo
		echo '{"key":"x"}'
		echo "$passed"
		increment 2
	} >"$BATS_TEST_TMPDIR/in"
	run -1 --separate-stderr incr-send <"$BATS_TEST_TMPDIR/in"
	[ "${lines[0]}" = "$(increment 1)" ]
	is_error "${lines[1]}" not-json 2
	is_error "${lines[2]}" too-long 3
	[[ ${lines[3]} =~ \"line\":4}}$ ]]
	[ "${lines[4]}" = "$passed" ]
	[ "${lines[5]}" = "$(increment 2)" ]
	[ "${#lines[@]}" -eq 6 ]
	[ "$stderr" = "incr-send: stdin: 4 lines rejected, first: line 2, not-json" ]
	wait_for 5 asked 2
	asked_exactly 2
}

@test "many more invalid lines than the window holds" {
	yes x | head -n 10000 >"$BATS_TEST_TMPDIR/in"
	run -1 --separate-stderr incr-send -c 1 <"$BATS_TEST_TMPDIR/in"
	[ "${#lines[@]}" -eq 10000 ]
}

@test "503 is repeated until it is taken" {
	touch "$flag.503"
	open_input
	increment 1 >&9
	exec 9>&-
	wait_for 5 asked 2
	[ ! -s out ]
	rm "$flag.503"
	wait "$sender"
	[ "$(cat out)" = "$(increment 1)" ]
	has_lines err 1
	grep -q ': HTTP status 503; retrying for 30 s (--wait)$' err
}

@test "503 for longer than --wait is unavailable: exit 111" {
	touch "$flag.503"
	run -111 --separate-stderr incr-send -w 0.2 < <(increments 1 3)
	for n in 1 2 3; do
		is_error "${lines[$((n - 1))]}" unavailable $n
	done
}

@test "with --wait 0 each line is tried once" {
	touch "$flag.503"
	run -111 --separate-stderr incr-send -w 0 < <(increments 1 3)
	[ "${#lines[@]}" -eq 3 ]
	wait_for 5 asked 3
	asked_exactly 3
}

@test "a server that can't be reached is one message, and no long wait" {
	increments 1 100000 >"$BATS_TEST_TMPDIR/in"
	cd "$BATS_TEST_TMPDIR" || return
	run -100 incr-send -u http://user:secret@127.0.0.1:9/ <in
	INCR_URL=http://user:secret@127.0.0.1:9/
	export INCR_URL
	run -111 timeout 20 sh -c 'incr-send -w 0.3 <in 2>err >out'
	has_lines out 100000
	run ! grep -vq '"code":"unavailable"' out
	has_lines err 1
	grep -q '^incr-send: http://127.0.0.1:9: ' err
	run ! grep -q secret err
}

@test "429 waits as long as Retry-After says, but not beyond --wait" {
	touch "$flag.429"
	open_input
	increment 1 >&9
	exec 9>&-
	wait_for 5 asked 2
	rm "$flag.429"
	wait "$sender"
	[ "$(cat out)" = "$(increment 1)" ]
	requests | grep -o '"ts":[0-9.]*' | cut -d: -f2 |
		awk 'NR == 1 { t = $1 } NR == 2 { exit !($1 - t >= 0.95) }'
	touch "$flag.429"
	# A slow machine has several tries.
	for _ in 1 2 3 4 5; do
		run timeout 0.9 incr-send -w 0.1 < <(increment 1)
		[ "$status" -ne 111 ] || return 0
	done
	false
}

@test "--no-keys: dropped on a connection used before is unknown, sent once" {
	open_input -c 1 --no-keys
	increment 1 >&9
	wait_for 5 has_lines out 1
	touch "$flag.drop"
	increment 2 >&9
	wait_for 5 has_lines out 2
	rm "$flag.drop"
	increment 3 >&9
	exec 9>&-
	exits 111 "$sender"
	is_error "$(sed -n 2p out)" unknown 2
	[ "$(sed -n 3p out)" = "$(increment 3)" ]
	wait_for 5 asked 3
	asked_exactly 3
}

@test "--no-keys: 504, 502 and 500 are unknown and never sent again" {
	for code in 504 502 500; do
		touch "$flag.$code"
		run -111 --separate-stderr incr-send --no-keys < <(increment 1)
		is_error "$output" unknown 1
		rm "$flag.$code"
	done
	wait_for 5 asked 3
	asked_exactly 3
}

@test "no answer within --timeout is unknown" {
	mkdir "$BATS_TEST_TMPDIR/c"
	start_caddy "$BATS_TEST_TMPDIR/c"
	pid=$(cat "$BATS_TEST_TMPDIR/c/pid")
	remember "$pid"
	kill -STOP "$pid"
	INCR_URL=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/c/port")/
	run -111 --separate-stderr incr-send --timeout 0.2 --no-keys < <(increment 1)
	is_error "$output" unknown 1
	run -111 --separate-stderr incr-send --timeout 0.2 -w 0.3 < <(increment 1)
	is_error "$output" unknown 1
	# First signal: what is in hand is finished.  Second SIGINT: at once.
	open_input --timeout 60
	increment 1 >&9
	wait_for 5 connected "$sender" "$(cat c/port)"
	kill -INT "$sender"
	kill -TERM "$sender"
	wait_for 5 no_pending "$sender"
	kill -0 "$sender"
	kill -INT "$sender"
	exits 130 "$sender"
}

# connected PID PORT: it has sent something there.
connected() {
	ss -Htnp state established "dport = :$2" | grep -q "pid=$1,"
}

# no_pending PID: its signals have been read.
no_pending() {
	grep -q '^ShdPnd:	0*$' "/proc/$1/status"
}

# Requests of this test had one key, all of them.
one_key() {
	[ "$(requests | grep -o '"Idempotency-Key":\["[^]]*' | sort -u |
		wc -l)" -eq 1 ]
}

@test "504, 502, 500 and no answer are repeated under one key until it is known" {
	for flaw in 504 502 500 drop; do
		path=t$BATS_TEST_NUMBER-$flaw flag=$caddy/flags/$path
		INCR_URL=http://127.0.0.1:$(cat "$caddy/port")/$path
		touch "$flag.$flaw"
		open_input
		increment 1 >&9
		exec 9>&-
		wait_for 5 asked 2
		[ ! -s out ]
		rm "$flag.$flaw"
		wait "$sender"
		[ "$(cat out)" = "$(increment 1)" ]
		wait_for 5 asked 3
		one_key
		rm in out
	done
}

@test "in doubt it stays unknown, also if it is refused for now later" {
	touch "$flag.504"
	open_input -w 1
	increment 1 >&9
	exec 9>&-
	wait_for 5 asked 1
	touch "$flag.503"
	rm "$flag.504"
	exits 111 "$sender"
	is_error "$(cat out)" unknown 1
	requests | grep -q '"status":503'
	one_key
}

@test "each increment has a key of its own" {
	increments 1 100 | incr-send >/dev/null
	wait_for 5 asked 100
	[ "$(requests | grep -oE '"Idempotency-Key":\["\\"[0-9a-f-]{36}\\""\]' |
		sort -u | wc -l)" -eq 100 ]
	incr-send --no-keys < <(increment 1)
	wait_for 5 asked 101
	[ "$(requests | grep -c Idempotency-Key)" -eq 100 ]
}

@test "a refusal carries the server's code: exit 1" {
	touch "$flag.400"
	run -1 --separate-stderr incr-send < <(increment 1)
	is_error "$output" value-out-of-range 1
}

@test "a refusal without a code of ours is unavailable and not repeated" {
	touch "$flag.404"
	run -111 --separate-stderr incr-send < <(increments 1 2)
	is_error "${lines[1]}" unavailable 2
	[[ $stderr == *": HTTP status 404: "* ]]
	wait_for 5 asked 2
	asked_exactly 2
}

@test "SIGTERM takes nothing new and ends with what is in hand" {
	open_input
	increments 1 3 >&9
	wait_for 5 has_lines out 3
	kill -TERM "$sender"
	wait "$sender"
	increments 1 3 | cmp - out
	[ ! -s err ]
}

@test "SIGTERM in an outage gives the lines in hand back as unavailable" {
	touch "$flag.503"
	open_input
	increments 1 3 >&9
	wait_for 5 asked 2
	kill -TERM "$sender"
	exits 111 "$sender"
	has_lines out 3
	run ! grep -vq '"code":"unavailable"' out
}

@test "a reader that has gone ends it, also when nothing comes in" {
	cd "$BATS_TEST_TMPDIR" || return
	mkfifo in out
	background sh -c 'exec incr-send <in >out 2>err'
	exec 9>in 8<out
	exec 8<&-
	exits 111 $!
	grep -q '^incr-send: stdout: ' err
}

@test "standard output full or closed, standard input bad: 111" {
	run -111 sh -c 'incr-send >/dev/full' < <(increment 1)
	[[ $output == "incr-send: stdout: "* ]]
	run -111 sh -c 'incr-send >&-' < <(increment 1)
	[[ $output == "incr-send: stdout: "* ]]
	run -111 incr-send <"$BATS_TEST_TMPDIR"
	[ "$output" = "incr-send: stdin: Is a directory" ]
	run -111 sh -c 'incr-send <&-'
	[[ $output == "incr-send: stdin: "* ]]
}

@test "a slow reader stops the input, not memory" {
	cd "$BATS_TEST_TMPDIR" || return
	mkfifo out
	yes x | head -n 1000000 >in
	background sh -c 'exec incr-send <in >out 2>err'
	sender=$!
	exec 8<out
	wait_for 5 asleep "$sender"
	[ "$(awk '/^pos/ { print $2 }' "/proc/$sender/fdinfo/0")" -lt 1000000 ]
	[ "$(awk '/^VmRSS/ { print $2 }' "/proc/$sender/status")" -lt 20000 ]
	kill -0 "$sender"
}

# asleep PID: it has read something and waits for its reader.
asleep() {
	grep -q '^State:	S' "/proc/$1/status" &&
		grep -qE '^pos:	[1-9]' "/proc/$1/fdinfo/0"
}

@test "a URL that is none, numbers out of range: usage" {
	for args in '-u ftp://localhost/' '-u //' '-c 0' '-c 513' \
		'--timeout 0' '-w -1'; do
		# shellcheck disable=SC2086 # an option and its value
		run -100 --separate-stderr incr-send $args </dev/null
		[ "$(wc -l <<<"$stderr")" -eq 1 ]
	done
}

@test "no proxy is asked" {
	export http_proxy=http://127.0.0.1:9/
	run -0 incr-send < <(increment 1)
}

@test "https is taken only from an authority that is known, else 100 at once" {
	INCR_URL=https://localhost:$(($(cat "$caddy/port") + 12000))/
	open_input
	increments 1 3 >&9
	# It does not wait for the end of its input.
	exits 100 "$sender"
	for n in 1 2 3; do
		is_error "$(sed -n ${n}p out)" unavailable $n
	done
	has_lines err 1
	grep -q "^incr-send: ${INCR_URL%/}: .*certificate" err
	run -100 incr-send --cacert "$PWD/none" < <(increment 1)
	[ "$output" = "incr-send: --cacert: $PWD/none: No such file or directory" ]
	echo nothing >none
	run -100 --separate-stderr incr-send --cacert "$PWD/none" < <(increment 1)
	is_error "$output" unavailable 1
	[[ $stderr == *"$PWD/none" ]]
	ca=$(find "$caddy" -name root.crt)
	run -0 incr-send --cacert "$ca" < <(increment 1)
	CURL_CA_BUNDLE=$ca run -0 incr-send < <(increment 1)
}

# certificate NAME HOST DAYS: NAME.crt and NAME.key, by ca.crt
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1.key" -out "$1.csr" -subj "/CN=$2"
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -days "$3" \
		-extfile <(echo "subjectAltName=DNS:$2") -out "$1.crt"
} 2>/dev/null
listening() { [ -n "$(ss -Hltn "sport = :$1")" ]; }

@test "a certificate of another host or out of date is not trusted: 100 at once" {
	cd "$BATS_TEST_TMPDIR" || return
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout ca.key -out ca.crt -subj /CN=ca 2>/dev/null
	certificate other other.example 2
	certificate old localhost -1
	for name in other old; do
		port=$(free_port)
		background openssl s_server -quiet -accept "$port" \
			-cert $name.crt -key $name.key
		wait_for 5 listening "$port"
		run -100 --separate-stderr incr-send --cacert ca.crt \
			-u "https://localhost:$port/" < <(increment 1)
		is_error "$output" unavailable 1
		[[ $stderr == "incr-send: https://localhost:$port: SSL"* ]]
	done
}

@test "a certificate that no longer verifies is an outage" {
	cd "$BATS_TEST_TMPDIR" || return
	caddy_log=debug
	start_caddy "$PWD/c"
	remember "$(cat c/pid)"
	cp "$(find c -name root.crt)" ca.crt
	INCR_URL=https://localhost:$(($(cat c/port) + 12000))/
	open_input --cacert ca.crt
	increment 1 >&9
	wait_for 5 has_lines out 1
	stop_caddy c
	mv c/caddy c/good
	run_caddy "$PWD/c" # with another authority
	remember "$(cat c/pid)"
	increment 2 >&9
	# At first libcurl has sent it over the old connection.
	refused() { [ "$(grep -c 'TLS handshake error' c/caddy.log)" -ge 2 ]; }
	wait_for 5 refused
	stop_caddy c
	rm -r c/caddy
	mv c/good c/caddy
	run_caddy "$PWD/c"
	remember "$(cat c/pid)"
	exec 9>&-
	wait "$sender"
	increments 1 2 | cmp - out
}

@test "a redirect is not followed: 100 at once, with where it leads" {
	touch "$flag.308"
	open_input
	increments 1 5 >&9
	exits 100 "$sender"
	has_lines out 5
	run ! grep -vq '"code":"unavailable"' out
	to=https://localhost:$(($(cat "$caddy/port") + 12000))/new
	[ "$(cat err)" = "incr-send: ${INCR_URL%/*}: HTTP status 308, redirect to $to" ]
}

@test "a redirect from a server that was right before is an outage" {
	open_input
	increment 1 >&9
	wait_for 5 has_lines out 1
	touch "$flag.308"
	increment 2 >&9
	wait_for 5 asked 3
	rm "$flag.308"
	exec 9>&-
	wait "$sender"
	increments 1 2 | cmp - out
	has_lines err 1
	grep -q 'redirect to .*; retrying for 30 s (--wait)$' err
}

@test "counts are kept for the metrics" {
	export INCR_METRICS_DIR=$BATS_TEST_TMPDIR
	run -1 incr-send < <(increments 1 3; echo x)
	cat "$BATS_TEST_TMPDIR"/incr-send-*.prom
	grep -q '^incr_send_lines_total{.*verdict="delivered".*} 3$' \
		"$BATS_TEST_TMPDIR"/incr-send-*.prom
	grep -q '^incr_send_lines_total{.*verdict="rejected".*} 1$' \
		"$BATS_TEST_TMPDIR"/incr-send-*.prom
}
