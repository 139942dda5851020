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
	ready_now() { curl -fs --unix-socket ./s http://x/health/ready; }
	wait_for 10 ready_now
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
		incr_queue_ready
		incr_queue_rejected
		incr_queue_unacked
		incr_rejected_total
		incr_replayed_batches_total
	END
	wait_for 5 counted # a program writes its file every second
	incr-metrics | sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' | sort >there
	[ -z "$(comm -23 names there)" ]
	# Each name once, and no series without the program and its pid.
	[ -z "$(uniq -d there)" ]
	incr-metrics | grep -v '^#' >series
	not grep -vE '\{(.*,)?program="incr-[a-z]+",pid="[0-9]+"(,.*)?\} ' series
	not grep -F "$KEY" series
	grep -q '^incr_http_requests_total{code="400",program="incr-serve"' series
	grep -q '^incr_rejected_total{code="not-json",program="incr-validate"' series
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
		# TYPE incr_a gauge
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
