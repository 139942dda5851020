#!/usr/bin/env bats
# The status page: its arithmetic, its files, how Caddy serves them.  What a
# browser makes of it: tests/long/page.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper
load up

PAGE=$ROOT/etc/dashboard/page

setup_file() { make_up_cluster; }
teardown_file() { rm -rf "$cluster"; }
setup() {
	up_setup
	export XDG_DATA_HOME=$PWD XDG_CONFIG_HOME=$PWD HOME=$PWD
	unset "${!INCR_PAGE_@}"
}
teardown() { up_teardown; }

# figures SCRIPT: f reads texts by read(AT, TEXT), of a host whose clock is 1000
# s ahead; check(WHAT, GOT, EXPECTED)
figures() {
	cat >test.mjs <<-END
		import {Figures, samples} from '$PAGE/figures.mjs';
		import {deepStrictEqual} from 'node:assert';
		const f = new Figures();
		const read = (at, ...lines) => f.read(lines.join('\n'), at, at + 1000);
		const check = (what, got, expected) =>
			deepStrictEqual([what, got], [what, expected]);
		const of = (program, pid) => \`program="\${program}",host="h",pid="\${pid}"\`;
		$1
	END
	node test.mjs
}

@test "rates: of counters that begin again, are new, or come in steps" {
	figures "
		const a = of('incr-publish', 1), b = of('incr-publish', 2);
		const start = (l, at) => \`process_start_time_seconds{\${l}} \${1000 + at}\`;
		read(10, start(a, 0), \`incr_published_total{\${a}} 5000\`);
		check('one reading', f.rate(f.counters.in), NaN);
		for (let t = 12; t <= 20; t += 2)
			read(t, start(a, 0), \`incr_published_total{\${a}} \${5000 + (t - 10) * 7}\`);
		check('rate', f.rate(f.counters.in), 7);
		read(22, start(a, 0), \`incr_published_total{\${a}} 14\`);
		check('it began again', f.rate(f.counters.in), 7);
		check('total', f.counters.in.total, 14);
		/* A process of before is not of this moment, one that began is. */
		read(24, start(a, 0), \`incr_published_total{\${a}} 28\`, start(b, 1),
			\`incr_published_total{\${b}} 900\`);
		check('another one of before', f.rate(f.counters.in), 7);
		read(26, start(a, 0), \`incr_published_total{\${a}} 42\`,
			\`incr_published_total{\${of('incr-publish', 3)}} 30\`,
			start(of('incr-publish', 3), 25));
		check('a new one', f.counters.in.grown, 44);"
	figures "
		const flush = of('incr-flush', 1);
		for (let t = 0; t <= 36; t++)
			read(t, \`incr_flushed_total{\${flush}} \${Math.floor(t / 9) * 900}\`);
		check('nine seconds', f.rate(f.counters.out), 100);
		check('no spike', f.counters.out.line.column(36, 20, 25, false), 100);
		check('before all', f.counters.out.line.column(36, -9, -4, false), null);"
}

@test "queues by max, programs and their restarts, a mean of statements" {
	figures "
		const c = n => of('incr-consume', n);
		const up = (n, at, start) => [\`process_start_time_seconds{\${c(n)}} \${start}\`,
			\`incr_updated_timestamp_seconds{\${c(n)}} \${1000 + at}\`];
		read(0, ...up(1, 0, 500), ...up(2, 0, 500),
			\`incr_queue_ready{queue=\"a\",\${c(1)}} 7\`,
			\`incr_queue_ready{queue=\"a\",\${c(2)}} 9\`,
			\`incr_queue_ready{queue=\"b\",\${c(2)}} 1\`,
			\`incr_queue_oldest_seconds{queue=\"b\",\${c(2)}} 3.5\`);
		check('ready', [f.sum('ready'), f.sum('taken'), f.oldest()], [10, NaN, 3.5]);
		const g = [...f.groups.values()][0];
		read(2, ...up(1, 2, 500));
		check('one is gone', [g.runs, g.missing, g.restarts], [1, 1, 0]);
		read(4, ...up(1, 4, 500), ...up(3, 4, 1003));
		check('another one has come', [g.runs, g.missing, g.restarts], [2, 0, 1]);
		read(6, \`incr_consumed_total{\${c(1)}} 1\`);
		check('none runs', [f.running('incr-consume'), g.missing], [0, 2]);
		const s = (what, n) =>
			\`incr_flush_duration_seconds_\${what}{\${of('incr-flush', 4)}} \${n}\`;
		read(8, s('sum', 1), s('count', 4));
		check('no statement yet', f.statementMean(), NaN);
		read(10, s('sum', 1.5), s('count', 6));
		check('mean', f.statementMean(), 0.25);
		read(80, s('sum', 1.5), s('count', 6));
		check('a minute later', f.statementMean(), NaN);"
}

@test "shards stand behind their queue, in the order of their numbers" {
	figures "
		const names = () => [...f.queues.keys()].join(' ');
		read(0, ...[10, 2, 0, 1].map(i => \`incr_queue_ready{queue=\"q.\${i}\"} 1\`),
			'incr_queue_ready{queue=\"q\"} 0', 'incr_queue_ready{queue=\"a\"} 0');
		check('order', names(), 'a q q.0 q.1 q.2 q.10');
		check('ready', f.sum('ready'), 4);
		read(2, 'incr_queue_ready{queue=\"q.1\"} 0', 'incr_queue_ready{queue=\"q.0\"} 0');
		check('the next reading', names(), 'q.0 q.1');"
}

@test "a text of others: labels are data, lines that are none are left out" {
	figures '
		const text = "incr_queue_ready{queue=\"<b>\\\"\\\\\\n}\",program=\"p\"} 1\n" +
			"# HELP\n\n{\nincr_queue_ready 2 1795928848\nincr_queue_ready{queue=\"x\" NaN\n" +
			"incr_queue_ready -1\nincr_queue_ready 1e19\nother 5\n" +
			"incr_queue_ready{__proto__=\"x\",queue=\"y\"} 3\n";
		check("samples", samples(text).map(s => [s.labels.queue, s.value]),
			[["<b>\"\\\n}", 1], [undefined, 2], ["y", 3]]);
		f.read(text, 0, 0);
		check("sum", f.sum("ready"), 6);
		f.read("constructor 1\nincr_http_requests_total{code=\"__proto__\"} 5\n" +
			"x".repeat(1e6) + "{".repeat(1e5), 1, 1);
		check("codes", [...f.codes.keys()], ["__proto__"]);'
}

@test "docs/status-page.png shows the headings of this page" {
	sed -n 's,.*<h2>\(.*\)</h2>.*,\1,p' "$PAGE/index.html" | paste -sd ';' |
		sed 's/;/; /g' >headings
	grep -q '; ' headings
	# See note_headings() of page.py; tests/long/page makes the picture.
	perl -0777 -ne 'print "$1\n" if /tEXtHeadings\0(.*)....\0{4}IEND/s' \
		"$ROOT/docs/status-page.png" | diff - headings
}

@test "its files: few, nothing of others, no text as HTML, uPlot as it came" {
	run -1 grep -nE 'innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|https?:|//[a-z]+\.' \
		"$PAGE"/*.{html,css,mjs}
	# Lines of code.
	[ "$(cat "$PAGE"/*.mjs | grep -vcE '^\s*(/?\*.*)?$')" -le 400 ]
	(cd "$PAGE"/uplot-* && sha256sum -c --quiet SHA256SUMS)
	grep -q "uPlot $(echo "$PAGE"/uplot-* | sed 's/.*-//')," "$PAGE"/uplot-*/README
	grep -q '^The MIT License' "$PAGE"/uplot-*/LICENSE
	# What it names is there.
	sed -n 's/.*\(src\|href\)="\([^":]*\)".*/\2/p' "$PAGE/index.html" |
		grep -vx metrics >named
	[ "$(wc -l <named)" = 4 ]
	(cd "$PAGE" && xargs ls) <named
	# What it reads, incr has.
	grep -oE '^	(incr|process)_[a-z_]+' "$PAGE/figures.mjs" |
		sed -E 's/^	//; s/_(sum|count)$//' | sort -u >read
	[ "$(wc -l <read)" -ge 15 ]
	grep -oE '"[a-z_]+"' "$ROOT/lib/base/metrics_list.h" | tr -d '"' | sort -u >have
	[ -z "$(comm -23 read have)" ]
}

# A site for all, and the page; at port $page if it is set.
front() {
	echo 'incr_build_info{program="x"} 1' >metrics.prom
	background incr-listen "$PWD/m" -- incr-metrics .
	metrics=$!
	wait_for 5 curl -fs --unix-socket m http://localhost/metrics
	port=$(free_port)
	page=${page:-$(free_port)}
	INCR_SITE=http://:$port INCR_BIND='' INCR_PAGE_PORT=$page \
		INCR_PAGE_FROM=unix/$PWD/m INCR_UPSTREAMS=unix/$PWD/none \
		background "$ROOT/etc/run-caddy" "$ROOT/Caddyfile" 2>caddy.log
	wait_for 10 curl -s -o answer "http://127.0.0.1:$port/"
}
# header NAME
header() { tr -d '\r' <head | sed -n "s/^$1: //Ip"; }
# page PATH CURL'S ARGUMENT...: its status
page() { curl -s -m 5 -o answer -D head -w '%{http_code}' "http://127.0.0.1:$page$1" "${@:2}"; }

@test "Caddy serves it on loopback, with its types and its policy, and nobody else" {
	local file type path page=
	front
	while read -r file path type; do
		[ "$(page "$path")" = 200 ]
		[ "$(header Content-Type)" = "$type; charset=utf-8" ]
		cmp answer "$PAGE/$file"
		[[ "$(header Content-Security-Policy)" == "default-src 'none'; script-src 'self'; "* ]]
		[ "$(header X-Content-Type-Options)" = nosniff ]
	done <<-END
		index.html / text/html
		page.mjs /page.mjs text/javascript
		figures.mjs /figures.mjs text/javascript
		page.css /page.css text/css
		uplot-1.6.32/uPlot.iife.min.js /uplot-1.6.32/uPlot.iife.min.js text/javascript
	END
	[ "$(page /metrics)" = 200 ]
	[ "$(header Content-Type)" = 'text/plain; version=0.0.4; charset=utf-8' ]
	# By its own names only, so that no page of another host reads it.
	[ "$(page / -H 'Host: localhost:8080')" = 200 ]
	[ "$(page / -H 'Host: example.org')" = 421 ]
	[ "$(page /metrics -H 'Host: example.org')" = 421 ]
	[ "$(page /metrics -d x)" = 405 ]
	[ "$(page /uplot-1.6.32/)" = 404 ]
	[ "$(page /../run-caddy --path-as-is)" != 200 ]
	[ "$(ss -Hltn "sport = :$page" | awk '{ print $4 }')" = "127.0.0.1:$page" ]
	# Not at the site: what it says is that there is no server.
	for path in / /page.mjs /metrics; do
		[ "$(http_status "http://127.0.0.1:$port$path")" = 503 ]
		not cmp -s answer "$PAGE$path"
	done
	# Without metrics it is there, and says why it has none.
	kill "$metrics"
	wait_for 10 no_metrics
	[ "$(page /)" = 200 ]
}
no_metrics() { [ "$(page /metrics)" = 502 ]; }

@test "a port of it that is taken costs the page, not the site" {
	page=$(free_port)
	background incr-listen "127.0.0.1:$page" -- sleep infinity
	wait_for 5 listens "$page"
	front
	grep -qF "run-caddy: 127.0.0.1:$page: in use by another program; no status page" caddy.log
	[ "$(http_status "http://127.0.0.1:$port/")" = 503 ]
}
listens() { [ -n "$(ss -Hltn "sport = :$1")" ]; }

@test "incr-up tells its address, which the system gives or was told" {
	local page
	use_given
	up_start --ingests 1 --drains 1
	# shellcheck source=/dev/null
	. "$INCR_STATE/env"
	[[ "$INCR_PAGE_URL" =~ ^http://127\.0\.0\.1:[0-9]+/$ ]]
	grep -qxE "page +$INCR_PAGE_URL" out
	curl -fs --noproxy '*' "$INCR_PAGE_URL" | cmp - "$PAGE/index.html"
	counted() {
		curl -fs --noproxy '*' "${INCR_PAGE_URL}metrics" |
			grep -q '^process_start_time_seconds{.*program="incr-flush"'
	}
	wait_for 10 counted
	page=${INCR_PAGE_URL%/}
	INCR_PAGE_PORT=${page##*:} INCR_PORT=$(free_port) run -100 incr-up \
		--state "$PWD/second" --ingests 1 --drains 1
	[[ "$output" == *"127.0.0.1:${page##*:}: Address already in use"* ]]
	INCR_PAGE_PORT=x INCR_PORT=$(free_port) run -100 incr-up \
		--state "$PWD/second" --ingests 1 --drains 1
	[[ "$output" == *'INCR_PAGE_PORT: x: not a number from 0 to 65535' ]]
	up_stop
}

# A supervisor starts incr-up again after 111, not after 100.
@test "the search for its port: what was killed is tried again, what is wrong is not" {
	local why
	mkdir path
	for why in 'kill -9 $$' 'exit 111' 'exit 127'; do
		printf '#!/bin/sh\n%s\n' "$why" >path/incr-listen
		chmod +x path/incr-listen
		PATH=$PWD/path:$PATH run -111 sh -c ". '$ROOT/etc/up-parts.sh'
			page_port=0; find_page"
	done
	printf '#!/bin/sh\nexit 100\n' >path/incr-listen
	PATH=$PWD/path:$PATH run -100 sh -c ". '$ROOT/etc/up-parts.sh'
		page_port=0; find_page"
}
