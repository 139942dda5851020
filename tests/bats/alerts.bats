#!/usr/bin/env bats
# The alert rules of etc/prometheus: each fires and stays silent when it should,
# by promtool; what they read exists. tests/long/alerts has a Prometheus that
# scrapes a system whose drains are stopped.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

RULES=$ROOT/etc/prometheus/incr.rules.yml
CASES=$ROOT/etc/prometheus/incr.rules.test.yml

setup() { cd "$BATS_TEST_TMPDIR" || return; }

teardown() { end_background; }

alerts() { python3 -B "$BATS_TEST_DIRNAME/alerts.py" "$@"; }

# judge FOLDER: its cases, into FOLDER/out
judge() {
	promtool test rules "$1/cases.yml" >"$1/out" 2>&1
}

@test "each alert fires and is silent in the cases that say so" {
	promtool check rules --lint=all --lint-fatal "$RULES"
	alerts split "$RULES" "$CASES" all
	[ "$(find all -mindepth 1 -maxdepth 1 ! -name '*.*' | wc -l)" -ge 18 ]
	for alert in all/*; do
		[[ "$alert" != *.* ]] || continue
		judge "$alert" || { cat "$alert/out"; false; }
	done
	# No case is of an alert that is not there.
	sed -n 's/^ *alertname: //p' "$CASES" | sort -u >named
	sed -n 's/^ *- alert: //p' "$RULES" | sort | diff - named
}

# A rule that is evaluated once is not told from one that must hold for a time,
# and a sum not from a max, unless a case does.
@test "a case notices a rule without its for, and a sum in place of a max" {
	alerts split "$RULES" "$CASES" all
	[ "$(find all -name '*.for' | wc -l)" -ge 12 ]
	[ "$(find all -name '*.max' | wc -l)" = 3 ]
	for less in all/*.*; do
		promtool check rules "$less/rules.yml" >/dev/null
		not judge "$less" || { echo "not noticed: $less"; false; }
	done
}

@test "an alert without a case is noticed" {
	sed 's/- alert: IncrLate/- alert: IncrOther/' "$RULES" >rules.yml
	run -1 alerts split rules.yml "$CASES" all
	[[ "$output" == *'IncrOther: no case in which it fires'* ]]
}

@test "the example for a scrape is a configuration with these rules" {
	run -0 promtool check config "$ROOT/etc/prometheus/prometheus.yml"
	[[ "$output" == *'19 rules found'* ]]
	grep -qE '^ *- job_name: incr$' "$ROOT/etc/prometheus/prometheus.yml"
}

# section: of incr(7)
section() { sed -n '/^\.Sh ALERTS$/,/^\.Sh /p' "$ROOT/man/incr.7"; }

# literal N: the Nth block of that section
literal() {
	section | awk -v n="$1" '/^\.Bd/ { inside = ++k == n; next }
		/^\.Ed/ { inside = 0 }
		inside { gsub(/\\e/, "\\"); print }'
}

@test "incr(7) tells of each alert, and its rules are among those of the file" {
	section | sed -n 's/^\.It Li Incr/Incr/p' | sed 's/ , /\n/g' | sort |
		diff - <(sed -n 's/^ *- alert: //p' "$RULES" | sort)
	literal 4 >rules.yml
	promtool check rules rules.yml
	alerts same rules.yml "$RULES"
	# The lines for a scrape are those of the example.
	literal 1 | sed 's/^ *//' >scrape
	[ "$(wc -l <scrape)" -ge 7 ]
	sed 's/^ *//' "$ROOT/etc/prometheus/prometheus.yml" |
		grep -cxFf - scrape | grep -x "$(wc -l <scrape)"
}

@test "the commands of incr(7) put the rules where Prometheus finds them" {
	PREFIX=$PWD/p "$ROOT/etc/install" incr-up >/dev/null
	mkdir etc
	cp "$ROOT/etc/prometheus/prometheus.yml" etc/
	literal 2 | sed "s:/usr/local:$PWD/p:; s:/etc/prometheus:$PWD/etc:" >commands
	grep -q "^cd $PWD/p/" commands
	run -0 sh -eu commands
	[[ "$output" == *'19 rules found'* ]]
	cmp "$RULES" etc/incr.rules.yml
}

# -- the dashboard ------------------------------------------------------------------

DASHBOARD=$ROOT/etc/dashboard/grafana.json

@test "Prometheus can read each expression of rules and dashboard" {
	alerts expressions "$RULES" "$DASHBOARD" >parsed.yml
	run -0 promtool check rules parsed.yml
	[[ "$output" =~ ([0-9]+)' rules found' ]]
	[ "${BASH_REMATCH[1]}" -ge 65 ]
	# It would be noticed.
	sed 's/sum by (code) (/sum by (code) /' "$DASHBOARD" >dashboard.json
	alerts expressions dashboard.json >parsed.yml
	not promtool check rules parsed.yml
}

# metrics: of a system in which each program has had something to do
metrics() {
	use_redis
	use_postgres
	mkdir metrics
	export INCR_METRICS_DIR=$PWD/metrics
	background incr-ingest -l 127.0.0.1:0 --port-file "$PWD/port" --linger 0
	wait_for 10 test -s port
	wait_for 10 curl -sf "http://127.0.0.1:$(cat port)/health/ready"
	increments 1 3 | incr-send -u "http://127.0.0.1:$(cat port)/increment" >sent
	echo nonsense | incr-validate -e >refused
	incr-consume -o | incr-flush
	increments 1 3 | incr-publish -q "$INCR_QUEUE-sharded" -s 2
	wait_for 10 all_there
}

all_there() {
	incr-metrics >all && grep -q '^incr_queue_ready{' all &&
		grep -q '^incr_http_requests_total{code="202".* [1-9]' all
}

@test "each metric, label and value that is asked for is one that exists" {
	metrics
	promtool check metrics <all
	run -0 alerts names all "$RULES" "$DASHBOARD"
	# It would be noticed.
	local wrong
	for wrong in 's/incr_flush_keys/incr_flush_key/' 's/by (queue)/by (name)/' \
		's/503|504/500/' 's/program=~/prog=~/' 's/{{verdict}}/{{status}}/' \
		's/incr-publish/incr-publisher/' 's/max by (queue) (/sum by (queue) (/'; do
		sed "$wrong" "$RULES" >rules.yml
		sed "$wrong" "$DASHBOARD" >dashboard.json
		run -1 alerts names all rules.yml dashboard.json
	done
}

# node_exporter has series of these names, and leaves out those of its folder whose
# HELP is another one.
@test "what the names of Prometheus mean is said in its words" {
	increment 1 | INCR_METRICS_DIR=$PWD incr-validate >valid
	sed -n 's/^# HELP \(process_[a-z_]*\) /\1 /p' incr-validate-*.prom | sort >said
	diff said - <<-'END'
		process_cpu_seconds_total Total user and system CPU time spent in seconds.
		process_max_fds Maximum number of open file descriptors.
		process_open_fds Number of open file descriptors.
		process_resident_memory_bytes Resident memory size in bytes.
		process_start_time_seconds Start time of the process since unix epoch in seconds.
	END
}

@test "the dashboard can be imported: one data source, to be chosen" {
	alerts imports "$DASHBOARD"
	local wrong
	for wrong in 's/\${datasource}/P1/' 's/\$host/$hosts/' 's/"id": 9,/"id": 8,/' \
		's/"x": 8,/"x": 7,/'; do
		sed "$wrong" "$DASHBOARD" >dashboard.json
		run -1 alerts imports dashboard.json
	done
}
