#!/usr/bin/env bats
# incr-metrics, and what all programs together have in the folder.

bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir metrics
	export INCR_METRICS_DIR=$PWD/metrics
}

teardown() {
	end_background
}

@test "everything that matters is counted by somebody on the way" {
	use_redis
	use_postgres
	background incr-ingest -l ./s
	wait_for 10 healthy ./s
	for body in "$(increment 3)" nonsense; do
		curl -s -m 10 --unix-socket ./s -d "$body" http://x/increment
	done
	rcli lpush "rmq::queue::[$INCR_QUEUE]::ready" bad >/dev/null
	run -1 sh -c 'incr-consume -o | incr-flush'
	cat >names <<-'END'
		incr_build_info
		incr_flush_duration_seconds
		incr_flush_keys
		incr_flush_last_success_timestamp_seconds
		incr_flush_staleness_seconds
		incr_http_request_duration_seconds
		incr_http_requests_total
		incr_published_total
		incr_queue_oldest_seconds
		incr_queue_ready
		incr_queue_rejected
		incr_queue_unacked
		incr_rejected_total
		incr_replayed_batches_total
		incr_updated_timestamp_seconds
	END
	wait_for 5 counted # a program writes its file every second
	incr-metrics | sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' | sort >there
	[ -z "$(comm -23 names there)" ]
	# Each name once, and no series without the program and its process.
	[ -z "$(uniq -d there)" ]
	incr-metrics | grep -v '^#' >series
	not grep -vE '\{(.*,)?program="incr-[a-z]+",host="[^"]+",pidns="[0-9]+",pid="[0-9]+"(,.*)?\} ' series
	not grep -F "$KEY" series
	grep -q '^incr_http_requests_total{code="400",program="incr-serve"' series
	grep -q '^incr_rejected_total{code="not-json",program="incr-validate"' series
}

# -- the series of the queue ------------------------------------------------------

# gauge NAME [PROGRAM]: the value of incr_queue_NAME, which nobody exports twice;
# only if PROGRAM does.
gauge() {
	local all
	all=$(incr-metrics | grep "^incr_queue_$1{queue=\"$INCR_QUEUE\",program=\"${2-}")
	[ "$(wc -l <<<"$all")" = 1 ] && echo "${all##* }"
}
is() { [ "$(gauge "$1" "${3-}")" = "$2" ]; }
# older SECONDS: what waits
older() { awk -v is="$(gauge oldest_seconds)" -v s="$1" 'BEGIN { exit !(is > s) }'; }
# publisher NAME: an incr-publish that reads the pipe NAME, of which the test
# has the other end
publisher() {
	mkfifo "$1"
	exec {fd}<>"$1"
	background incr-publish <"$1" {fd}<&-
}

@test "a queue that grows while nothing drains it shows, with its age" {
	use_redis
	publisher in
	wait_for 5 is ready 0
	is oldest_seconds 0
	increment 1 >&$fd
	increment 2 >&$fd
	wait_for 5 is ready 2 incr-publish
	wait_for 5 older 1.5
	older 30 && false
	rcli lpush "rmq::queue::[$INCR_QUEUE]::rejected" x
	wait_for 5 is rejected 1
	# A drain makes it less, and nothing waits in the end.
	use_postgres
	incr-consume -o | incr-flush
	wait_for 5 is ready 0
	wait_for 5 is oldest_seconds 0
	is unacked 0
	# There is one file for all of them, which whoever looks leaves alone.
	[ "$(grep -l incr_queue_ready metrics/*)" = "metrics/incr-queue-$INCR_QUEUE.prom" ]
}

@test "taken and not counted is as old as it is, whoever holds it" {
	use_redis
	increment 1 | incr-publish
	mkfifo out
	exec {fd}<>out
	background incr-consume >out {fd}<&-
	wait_for 5 is unacked 1 incr-consume
	is ready 0
	wait_for 5 older 1.5
}

@test "one program exports the queue; when it stands still another one does" {
	use_redis
	publisher a
	wait_for 5 is ready 0 incr-publish
	first=$!
	publisher b
	second=$!
	from() { incr-metrics | grep -q "^incr_queue_ready{.*pid=\"$1\"} $2\$"; }
	from "$first" 0
	background incr-consume >out
	wait_for 5 grep -q checkpoint out
	kill -STOP $!
	increment 1 >&$fd
	wait_for 5 from "$first" 1
	kill -STOP "$first"
	wait_for 10 from "$second" 1
	increment 2 >&$fd
	wait_for 5 from "$second" 2
	# The first one finds that the other has taken over.
	kill -CONT "$first"
	increment 3 >&$fd
	wait_for 5 is ready 3
	from "$second" 3 || from "$first" 3
}

@test "gauges that nobody can know are left out, not kept" {
	use_redis
	publisher in
	wait_for 5 is ready 0
	touch -d '12 seconds ago' metrics/incr-queue-*.prom
	kill -STOP $!
	touch -d '12 seconds ago' metrics/incr-queue-*.prom
	[ -z "$(incr-metrics | grep '^incr_queue_ready')" ]
	kill -CONT $!
	wait_for 5 is ready 0
}

@test "a Redis that refuses to be measured is published to all the same" {
	own_redis
	export INCR_QUEUE=q
	rcli acl setuser user on '>secret' '~*' '&*' +@all -zcard -hget
	REDIS_URL=unix://user:secret@$OWN_REDIS/redis.sock publisher in 2>log
	increment 1 >&$fd
	wait_for 5 has_ready 1
	refused() { rcli acl log | grep -q hget; }
	wait_for 5 refused
	increment 2 >&$fd
	wait_for 5 has_ready 2
	[ -z "$(incr-metrics | grep '^incr_queue_ready')" ]
	exec {fd}>&-
	wait_for 5 gone $!
	quiet log
}

# That it may not measure is no proof that the rest is wrong.
@test "a Redis user who lacks a key to be measured publishes all the same" {
	own_redis
	export INCR_QUEUE=q
	rcli acl setuser user on '>secret' '~rmq::queues' \
		'~rmq::queue::\[q\]::ready' '~incr::queue::*' '&*' +@all
	REDIS_URL=unix://user:secret@$OWN_REDIS/redis.sock publisher in 2>log
	denied() { rcli acl log | grep -q '\[q\]::rejected'; }
	wait_for 5 denied
	increment 1 >&$fd
	wait_for 5 has_ready 1
	[ -z "$(incr-metrics | grep '^incr_queue_ready')" ]
	exec {fd}>&-
	wait_for 5 gone $!
	quiet log
}

# -- the files --------------------------------------------------------------------

@test "others can read its file, whatever the umask" {
	(umask 077 && increment 1 | incr-validate)
	[ "$(stat -c %a metrics/incr-validate-*.prom)" = 644 ]
}

# waiting COMMAND...: in the background, with an input that does not end
waiting() {
	[ -p wait ] || mkfifo wait
	exec {fd}<>wait
	background "$@" <wait >out 2>>log {fd}<&-
}
in_file() { grep -qs "$1" "$2"/*.prom; }

@test "a folder that is missing when a program starts is used once it is there" {
	local dir
	for dir in later ./later/ "$PWD/later"; do
		rm -rf later log
		INCR_METRICS_DIR=$dir waiting incr-validate
		wait_for 5 has 'metrics: No such file' log
		mkdir later
		wait_for 5 in_file incr_validated_total later
		[ "$(grep -c '^incr-validate: ' log)" = 1 ]
		kill -9 $!
	done
}

@test "so is one that is full" {
	# shellcheck disable=SC2016 # of that shell
	unshare -m sh -c 'mount -t tmpfs -o size=4k,nr_inodes=4 none metrics' ||
		skip 'mounts nothing here'
	mkfifo wait
	exec {fd}<>wait
	# shellcheck disable=SC2016 # of that shell
	background unshare -m sh -c 'mount -t tmpfs -o size=4k none metrics &&
		cat /dev/zero >metrics/all 2>/dev/null
		incr-validate <wait >out 2>log &
		until grep -q metrics: log; do sleep 0.1; done
		rm metrics/all
		until cat metrics/*.prom >seen; do sleep 0.1; done
		wait' {fd}<&-
	wait_for 10 grep -q incr_validated_total seen
	[ "$(cat log)" = 'incr-validate: metrics: No space left on device' ]
	echo x >&$fd
	exec {fd}>&-
}

@test "no program has series of codes that it can't say" {
	use_redis
	use_postgres
	background incr-ingest -l ./s
	wait_for 10 healthy ./s
	background setsid sh -c 'incr-consume | incr-flush'
	codes() {
		sed -n 's/^incr_rejected_total{code="\([a-z-]*\)",.*program="'"$1"'".*/\1/p' \
			metrics/"$1"-*.prom | sort | paste -s -d ' '
	}
	said() {
		local program
		for program in validate publish consume flush; do
			[ "$(codes incr-$program)" ] || return
		done
	}
	wait_for 10 said
	[ "$(codes incr-publish)" = 'idempotency-key-reused unavailable unknown' ]
	[ "$(codes incr-consume)" = 'control-line faulty-header too-long' ]
	[[ " $(codes incr-validate) " == *' not-tagged '* ]]
	not grep -qE 'code="(unknown|unavailable|faulty-header)"' metrics/incr-validate-*
	not grep -qE 'code="(unknown|unavailable|not-tagged)"' metrics/incr-flush-*
	# Of the 128 that there were.
	[ "$(cat metrics/*.prom | grep -c ^incr_rejected_total)" = 30 ]
}

@test "each process says what it takes of its machine" {
	use_redis
	use_postgres
	background incr-ingest -l ./s --metrics 127.0.0.1:0 --port-file ports
	background setsid sh -c 'incr-consume | incr-flush'
	ended() {
		incr-metrics >all
		[ "$(grep -c "^process_start_time_seconds{" all)" = 5 ]
	}
	wait_for 10 ended
	local name pid
	for name in cpu_seconds_total resident_memory_bytes open_fds max_fds; do
		[ "$(grep -c "^process_$name{.*program=\"incr-[a-z]*\",host=" all)" = 5 ]
	done
	pid=$(sed -n 's/^process_start.*"incr-serve".*pid="\([0-9]*\)".*/\1/p' all)
	value() { sed -n "s/^process_$1{.*pid=\"$pid\"} //p" all; }
	[ "$(value max_fds)" = "$(awk '/^Max open files/ { print $4 }' "/proc/$pid/limits")" ]
	within() { awk -v a="$1" -v b="$2" -v s="$3" 'BEGIN { exit !(a - b < s && b - a < s) }'; }
	within "$(value start_time_seconds)" "$(stat -c %Y "/proc/$pid")" 3
	within "$(value open_fds)" "$(ls "/proc/$pid/fd" | wc -l)" 3
	within "$(value resident_memory_bytes)" \
		"$(awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$pid/status")" 1e6
	within "$(value cpu_seconds_total)" "$(($(ticks "$pid") / 100))" 1.5
}

counted() {
	incr-metrics >all
	grep -q '^incr_published_total{.*} 1$' all &&
		grep -q '^incr_http_requests_total{code="202",.*} 1$' all &&
		grep -q '^incr_rejected_total{code="not-json",program="incr-validate",.*} 1$' all
}

# file NAME VALUE [AGE]
file() {
	cat >"metrics/$1" <<-END
		# HELP incr_a An a.
		# TYPE incr_a counter
		incr_a{of="$1"} $2
	END
	[ -z "${3-}" ] || touch -d "$3" "metrics/$1"
}

@test "series of one name stand together, after HELP and TYPE once" {
	file incr-x-1.prom 1
	printf '# HELP incr_b A b.\n# TYPE incr_b gauge\nincr_b 5\n' \
		>>metrics/incr-x-1.prom
	file incr-y-2.prom 2
	file .incr-z-3.prom.new 3
	file notes.txt 4
	incr-metrics >out
	[ "$(grep -c '^# HELP incr_a ' out)" = 1 ]
	[ "$(grep -c '^# TYPE incr_a ' out)" = 1 ]
	[ "$(grep -A 3 '^# HELP incr_a ' out | grep -c '^incr_a{')" = 2 ]
	grep -qx 'incr_b 5' out
	[ "$(wc -l <out)" = 7 ]
	# A folder that is named wins.
	mkdir other
	mv metrics/incr-y-2.prom other/
	[ "$(incr-metrics other | tail -n 1)" = 'incr_a{of="incr-y-2.prom"} 2' ]
	[ "$(env -u INCR_METRICS_DIR incr-metrics other | wc -l)" = 3 ]
}

@test "the gauges of a file that is not written are left out after ten seconds" {
	file incr-x-h-1-1.prom 1
	file incr-y-h-1-1.prom 2
	file others.prom 3
	sed -i s/counter/gauge/ metrics/*.prom
	printf '# TYPE incr_b_total counter\nincr_b_total 4\n' >>metrics/incr-x-h-1-1.prom
	touch -d '12 seconds ago' metrics/incr-x-*
	touch -d '5 seconds ago' metrics/incr-y-*
	touch -d '1 hour ago' metrics/others.prom
	incr-metrics | grep -v '^#' | sort >out
	printf '%s\n' 'incr_a{of="incr-y-h-1-1.prom"} 2' 'incr_a{of="others.prom"} 3' \
		'incr_b_total 4' | cmp - out
}

@test "the file of a process that is gone is left out after five minutes" {
	file incr-gone-99999999.prom 1 '10 minutes ago'
	file incr-gone-99999998.prom 2 '4 minutes ago'
	file others-99999999.prom 3 '10 minutes ago'
	incr-metrics | grep -v '^#' | sort >out
	printf 'incr_a{of="%s"} %d\n' incr-gone-99999998.prom 2 \
		others-99999999.prom 3 | cmp - out
	# Nothing is deleted by who only looks.
	[ -e metrics/incr-gone-99999999.prom ]
}

@test "series without HELP or TYPE are shown, too" {
	printf 'x_total 1\n' >metrics/a.prom
	printf '# TYPE x_total counter\nx_total{of="b"} 2\nfoo{le="1"} 3\n' \
		>metrics/b.prom
	printf '# a remark\n# HELP x_total An x.\nx_total{of="c"} 4\nfoo 5\n' \
		>metrics/c.prom
	printf '# TYPE h histogram\nh_bucket{le="1"} 6\nh_sum 7\nh_count 8\n' \
		>metrics/d.prom
	incr-metrics >out
	# All of a name together, its comments first.
	[ "$(sed -n '/x_total/p' out | head -n 2)" = \
		"$(printf '%s\n' '# HELP x_total An x.' '# TYPE x_total counter')" ]
	[ "$(grep -c '^x_total' out)" = 3 ]
	[ "$(sed 's/^# [A-Z]* //; s/[_{ ].*//' out | uniq | sort | uniq -d)" = '' ]
	grep -qx 'foo{le="1"} 3' out
	grep -qx 'foo 5' out
	grep -A 3 '^# TYPE h histogram' out | tail -n 3 | cmp - <(
		printf 'h_bucket{le="1"} 6\nh_sum 7\nh_count 8\n'
	)
	[ "$(wc -l <out)" = 11 ]
}

# other_kinds: what is no regular file, by names of metrics
other_kinds() {
	mkfifo metrics/incr-fifo-1.prom
	mkdir metrics/incr-folder-2.prom
	ln -s missing metrics/incr-dangling-3.prom
	ln -s /dev/zero metrics/incr-device-4.prom
	file incr-x-5.prom 6
}

@test "what is no regular file is no metrics, and nobody waits for it" {
	other_kinds
	timeout 5 incr-metrics >out
	[ "$(grep -v '^#' out)" = 'incr_a{of="incr-x-5.prom"} 6' ]
}

@test "incr-serve does not wait for a FIFO in the folder either" {
	other_kinds
	mkfifo in verdicts
	exec 7<>in 8<>verdicts
	background incr-serve -l ./s --metrics ./m --linger 0 >&7 <&8
	scraped() {
		curl -s -m 2 --unix-socket ./m http://x/metrics >out &&
			grep -q '^incr_http_connections' out
	}
	wait_for 5 scraped
	exec 7>&- 8>&-
	grep -qx 'incr_a{of="incr-x-5.prom"} 6' out
}

# unprivileged COMMAND...: as somebody who may not read everything
unprivileged() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	else
		"$@"
	fi
}

@test "a file that may not be read is named, the others are shown: 111" {
	mkdir -m 755 open
	INCR_METRICS_DIR=open
	cp "$BIN/incr-metrics" ./program
	metrics=open
	printf 'a 1\n' >open/a.prom
	printf 'b 2\n' >open/b.prom
	chmod 0 open/b.prom
	chmod 755 . program
	unprivileged ls ./open >/dev/null || skip 'a folder of its own'
	run -111 --separate-stderr unprivileged ./program
	[ "$output" = 'a 1' ]
	[ "$stderr" = 'incr-metrics: open/b.prom: Permission denied' ]
	printf 'c 3\n' >open/c.prom
	chmod 0 open/c.prom
	run -111 --separate-stderr unprivileged ./program
	[ "$output" = 'a 1' ]
	[ "${stderr_lines[1]}" = 'incr-metrics: open: 1 more file can not be read' ]
}

@test "an empty folder is nothing, one that is not there 100" {
	run -0 incr-metrics
	[ -z "$output" ]
	run -100 incr-metrics missing
	[ "$output" = 'incr-metrics: missing: No such file or directory' ]
	run -100 incr-metrics metrics metrics
	[ "${#lines[@]}" -eq 1 ]
	INCR_METRICS_DIR='' run -100 incr-metrics
	[ "${#lines[@]}" -eq 1 ]
}

@test "a full disk and a reader that has gone are 111" {
	file incr-x-1.prom 1
	run -111 sh -c 'incr-metrics >/dev/full'
	[ "$output" = 'incr-metrics: stdout: No space left on device' ]
	run -111 sh -c 'incr-metrics >&-'
	mkfifo pipe
	exec {both}<>pipe {to}>pipe {both}>&-
	run -111 bash -c "incr-metrics >&$to"
	exec {to}>&-
}

# -- the listener ---------------------------------------------------------------

# serve_metrics: incr-serve on ./s, with --metrics on a port, $port; each line
# is taken.  Its pid is $serve.
serve_metrics() {
	mkfifo l v
	exec {l}<>l {v}<>v
	# Kept before it is taken: tee writes to standard output first.
	background tee /dev/fd/8 8>&$v <&$l >lines
	background incr-serve -l ./s --metrics 127.0.0.1:0 --port-file ports \
		--linger 0 -g 0.2 "$@" <&$v >&$l {l}<&- {v}<&-
	serve=$!
	exec {l}<&- {v}<&-
	wait_for 5 test -s ports
	port=$(head -n 1 ports)
}
post() { http_status -m 10 --unix-socket ./s -d "$(increment 1)" http://x/increment; }
scrape() { curl -fs -m 10 "http://127.0.0.1:$port/metrics"; }

@test "an answer of the metrics listener ends its connection" {
	serve_metrics
	local path
	for path in /metrics /no; do
		exec {tcp}<>"/dev/tcp/127.0.0.1/$port"
		printf "GET $path HTTP/1.1\r\nHost: x\r\n\r\n%.0s" 1 2 3 >&$tcp
		timeout 10 cat <&$tcp >answer
		exec {tcp}>&-
		[ "$(grep -c '^HTTP/1.1 ' answer)" = 1 ]
		[ "$(grep -ci '^connection: close' answer)" = 1 ]
	done
}

# Connections with many requests each, of which the answers are not read; says
# "answered" once so many of the connections have one.
crowd='
	use strict;
	my ($port, $n, $each, $enough) = @ARGV;
	my @all;
	my $asked = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" x $each;
	for (1 .. $n) {
		my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or die;
		$c->syswrite($asked);
		push @all, $c;
	}
	my $ready = IO::Select->new(@all);
	while ($ready->can_read(60) < $enough) {
		select undef, undef, undef, 0.05;
	}
	$| = 1;
	print "answered\n";
	<STDIN>;'

@test "500 connections of 400 scrapes each: memory is bounded, the front answers" {
	local before i
	for i in $(seq 20); do
		seq -f "incr_a_total{i=\"$i-%g\"} $(printf %0900d 1)" 20 \
			>"metrics/incr-x-h-1-$i.prom"
	done
	serve_metrics
	[ "$(post)" = 202 ]
	before=$(awk '/^VmHWM/ { print $2 }' "/proc/$serve/status")
	mkfifo hold
	exec {hold}<>hold
	background perl -MIO::Socket::INET -MIO::Select -e "$crowd" \
		"$port" 500 400 16 <&$hold >crowd {hold}<&-
	crowd=$!
	wait_for 20 grep -q answered crowd
	for i in $(seq 20); do
		[ "$(post)" = 202 ]
	done
	sanitized incr-serve ||
		[ $(($(awk '/^VmHWM/ { print $2 }' "/proc/$serve/status") - before)) -le 40000 ]
	kill "$crowd"
	wait_for 10 gone "$crowd"
	wait_for 10 scrape
	[ "$(scrape | grep -c '^incr_a_total')" = 400 ]
}

@test "clients of metrics take no connection of the front's, nor the other way" {
	serve_metrics --max-connections 4
	local i fds=()
	for i in $(seq 40); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$port"
		fds+=("$fd")
	done
	for i in $(seq 6); do
		[ "$(post)" = 202 ]
	done
	for fd in "${fds[@]}"; do
		exec {fd}>&-
	done
	background perl -MIO::Socket::UNIX -e 'my @all = map {
		IO::Socket::UNIX->new(Peer => "./s") or die } 1 .. 30;
		$| = 1; print "connected\n"; sleep' >front
	wait_for 5 grep -q connected front
	wait_for 5 scrape
}

# serve_folder ARG...: incr-metrics on a port, $port; its pid is $server
serve_folder() {
	background incr-metrics -s 127.0.0.1:0 --port-file ports "$@" 2>log
	server=$!
	wait_for 5 test -s ports
	port=$(cat ports)
}

@test "incr-metrics serves the folder by itself" {
	file incr-x-1.prom 1
	serve_folder
	wait_for 5 scrape
	[ "$(scrape)" = "$(cat metrics/incr-x-1.prom)" ]
	file incr-y-2.prom 2
	has_both() { [ "$(scrape | grep -c '^incr_a{')" = 2 ]; }
	wait_for 5 has_both
	# Each answer ends its connection; there is nothing else; HEAD is taken.
	exec {tcp}<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n%.0s' 1 2 3 >&$tcp
	timeout 10 cat <&$tcp >answer
	exec {tcp}>&-
	[ "$(grep -c '^HTTP/1.1 ' answer)" = 1 ]
	[ "$(http_status -m 5 "http://127.0.0.1:$port/health/live")" = 404 ]
	[ "$(http_status -m 5 -d x "http://127.0.0.1:$port/metrics")" = 405 ]
	[ "$(http_status -m 5 -I "http://127.0.0.1:$port/metrics")" = 200 ]
	# Whatever else is said there is refused, and it goes on.
	says() {
		exec {tcp}<>"/dev/tcp/127.0.0.1/$port"
		printf "$1" >&$tcp
		timeout 10 head -n 1 <&$tcp | cut -d ' ' -f 2
		exec {tcp}>&-
	}
	[ "$(says 'x\r\n\r\n')" = 400 ]
	head='GET /metrics HTTP/1.1\r\nHost: x\r\n'
	[ "$(says "${head}Content-Length: 99999999\r\n\r\n")" = 413 ]
	[ "$(says "${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n")" = 400 ]
	[ "$(says "${head}Content-Length: 3\r\n\r\nabc")" = 200 ]
	# It can't write there, nor is it one of those that do.
	[ "$(ls metrics | wc -l)" = 2 ]
	kill "$server"
	wait_for 5 gone "$server"
	[ ! -s log ]
}

@test "a folder that goes is said once by its server, and is 503" {
	serve_folder
	wait_for 5 scrape
	rmdir metrics
	unavailable() { [ "$(http_status -m 5 "http://127.0.0.1:$port/metrics")" = 503 ]; }
	wait_for 5 unavailable
	unavailable
	[ "$(cat log)" = "incr-metrics: $INCR_METRICS_DIR: No such file or directory" ]
	run -111 incr-metrics -s 127.0.0.1:0
	[ "$output" = "incr-metrics: $INCR_METRICS_DIR: No such file or directory" ]
}

@test "of a folder in the place of its own the server leaves for the next start" {
	! sanitized incr-metrics || skip 'without landlock it reads the new one'
	background incr-listen 127.0.0.1:0 -- incr-keep metrics -- \
		incr-metrics --port-file ports 2>log
	server=$!
	wait_for 5 test -s ports
	port=$(cat ports)
	wait_for 5 scrape
	mv metrics old
	mkdir metrics
	file incr-x-1.prom 1
	has_new() { scrape | grep -q '^incr_a'; }
	wait_for 15 has_new
	grep -q "$INCR_METRICS_DIR: replaced since the start" log
	kill "$server" # with what it keeps
	wait_for 10 gone "$server"
}

@test "a server that incr-listen has opened the socket for" {
	background incr-listen ./m -- incr-metrics
	scraped() { curl -fs -m 2 --unix-socket ./m -o /dev/null http://x/metrics; }
	wait_for 5 scraped
	run -100 timeout 5 incr-metrics -s :0
	[ "$output" = 'incr-metrics: :0: reachable from other hosts: needs --open' ]
	serve_folder -s :0 --open
	wait_for 5 scrape
}

@test "a text is made once a second, however often it is asked for" {
	serve_metrics
	local i since=${EPOCHREALTIME/./}
	for i in $(seq 60); do
		printf 'incr_a_total %d\n' "$i" >metrics/a.prom
		scrape | grep '^incr_a_total'
	done >seen
	[ "$(wc -l <seen)" = 60 ]
	[ "$(uniq <seen | wc -l)" -le $(((${EPOCHREALTIME/./} - since) / 1000000 + 2)) ]
	is_last() { [ "$(scrape | grep '^incr_a_total')" = 'incr_a_total 60' ]; }
	wait_for 3 is_last
}

@test "--metrics where others reach it needs --tokens or --open" {
	local address
	for address in :0 0.0.0.0:0 '[::]:0'; do
		run -100 incr-serve -l ./s --metrics "$address" </dev/null
		[[ "$output" == "incr-serve: $address: reachable from other hosts"* ]]
		[ ! -e s ]
	done
	serve_metrics --metrics :0 --open
	wait_for 5 scrape
}
