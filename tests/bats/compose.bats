#!/usr/bin/env bats
# What Containerfile and compose.yaml are made of, without an engine.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	end_background
}

# -- etc/healthy -----------------------------------------------------------------

# A container with a drain, and in it the health check.
inside() { nsenter --target "$main" --pid --mount "$@"; }
health() { inside "$ROOT/etc/healthy"; }
runs() { [ "$(inside pgrep -x "$1" | wc -l)" = "$2" ]; }
written() { [ "$(find metrics -name "$1-*.prom" | wc -l)" = "$2" ]; }

@test "healthy: each program wrote its metrics, and there is one" {
	use_pid_namespaces
	mkdir metrics
	export INCR_METRICS_DIR=$PWD/metrics
	# From before, of the same pids: another namespace.
	touch metrics/incr-{consume,flush}-x-1-1.prom
	background unshare --pid --fork --kill-child --mount-proc \
		sh -c 'incr-drain & wait; exec tail -f /dev/null' 2>err
	main=$(pgrep_child $!)
	wait_for 10 runs incr-consume 1
	wait_for 10 written incr-consume 2
	wait_for 10 written incr-flush 2
	health
	for program in incr-consume incr-flush; do
		stopped=$(inside pgrep -x "$program")
		inside kill -STOP "$stopped"
		touch -d '16 seconds ago' metrics/*-"$stopped".prom
		run -1 health
		[ "$output" = "healthy: $program: no metrics for 15 s" ]
		inside kill -CONT "$stopped"
		wait_for 10 health
	done
	rm metrics/incr-flush-*
	run -1 health
	[ "$output" = 'healthy: incr-flush: no metrics for 15 s' ]
	# What incr-keep --hold is: nothing.
	inside pkill -x incr-flush
	wait_for 10 runs tail 1
	run -1 health
	[ "$output" = 'healthy: no program runs' ]
}

pgrep_child() {
	wait_for 10 pgrep -P "$1" >/dev/null
	pgrep -P "$1"
}

# container COMMAND: runs in a pid namespace, as process 2 there
container() {
	use_pid_namespaces
	background unshare --pid --fork --kill-child --mount-proc \
		sh -c "$1 & wait; exec tail -f /dev/null" 2>err
	main=$(pgrep_child $!)
}
is_unhealthy() { ! health >said; }

@test "healthy: Caddy answers at each address that INCR_BIND has" {
	local port
	port=$(free_port)
	export INCR_SITE="http://:$port" INCR_BIND='127.0.0.1 127.0.0.2'
	export HOME=$PWD XDG_DATA_HOME=$PWD XDG_CONFIG_HOME=$PWD
	export INCR_UPSTREAMS=unix/$PWD/none
	[ ! -e /proc/net/if_inet6 ] || INCR_BIND="$INCR_BIND ::1"
	container "'$ROOT/etc/run-caddy' '$ROOT/Caddyfile'"
	wait_for 20 health
	INCR_BIND="$INCR_BIND 127.0.0.3" run -1 health
	[ "$output" = "healthy: caddy: http://127.0.0.3:$port/ does not answer" ]
	INCR_BIND="127.0.0.3 $INCR_BIND" run -1 health
	[ "$output" = "healthy: caddy: http://127.0.0.3:$port/ does not answer" ]
}

@test "healthy: which port of Caddy is asked, at which address" {
	local site bind url
	mkdir path
	printf '#!/bin/sh\necho "$@" >>%s/asked\n' "$PWD" >path/curl
	chmod +x path/curl
	ln -s "$(type -P sleep)" caddy
	PATH=$PWD/path:$PATH
	container './caddy 600'
	wait_for 10 runs caddy 1
	while read -r site bind url; do
		rm -f asked
		INCR_SITE=${site#-} INCR_BIND=$(tr , ' ' <<<"${bind#-}") health
		sed 's/.* -m 2 //' asked | xargs | diff - <(echo "$url")
	done <<-'END'
	- - http://127.0.0.1:3333/
	- ::1 http://[::1]:3333/
	- [::1],10.0.0.1 http://[::1]:3333/ http://10.0.0.1:3333/
	- unix//run/a.sock --unix-socket /run/a.sock http://localhost/
	counts.example.org - http://127.0.0.1:80/
	counts.example.org:8443 - http://127.0.0.1:80/
	https://counts.example.org:8443 - http://127.0.0.1:80/
	http://counts.example.org - http://127.0.0.1:80/
	http://[::1] - http://127.0.0.1:80/
	http://[::1]:81 - http://127.0.0.1:81/
	http://:3334,counts.example.org 0.0.0.0 http://0.0.0.0:3334/
	:3334 10.0.0.1,::1 http://10.0.0.1:3334/ http://[::1]:3334/
	END
	INCR_SITE=counts.example.org INCR_HTTP_PORT=8080 health
	tail -n 1 asked | grep -q ' http://127.0.0.1:8080/$'
}

@test "healthy: incr-metrics shows what the programs say" {
	local port stopped
	port=$(free_port)
	mkdir metrics
	export INCR_METRICS_DIR=$PWD/metrics
	increments 1 1 | incr-validate >valid
	container "incr-metrics --serve 127.0.0.1:$port"
	export INCR_METRICS_URL=http://127.0.0.1:$port/metrics
	wait_for 10 health
	stopped=$(inside pgrep -x incr-metrics)
	inside kill -STOP "$stopped"
	run -1 health
	[[ "$output" == 'healthy: incr-metrics: incr-top: '* ]]
	inside kill -CONT "$stopped"
	wait_for 10 health
}

# -- etc/unit-caddy --------------------------------------------------------------

@test "Caddy: a site name needs tokens, or INCR_OPEN; what is empty is unset" {
	cp "$ROOT/etc/unit-caddy" .
	printf '#!/bin/sh\necho "$1 ${INCR_SITE-unset} ${INCR_CLIENT_CA-unset}"\n' >run-caddy
	chmod +x run-caddy
	export INCR_SITE=counts.example.org INCR_CLIENT_CA=/ca.pem
	run -100 ./unit-caddy run
	[ "$output" = 'INCR_SITE: serves everybody; needs INCR_TOKENS or INCR_OPEN=yes' ]
	for allowed in INCR_TOKENS=/tokens INCR_OPEN=yes; do
		run -0 env $allowed ./unit-caddy run
		[ "$output" = './Caddyfile counts.example.org /ca.pem' ]
	done
	export INCR_SITE='' INCR_CLIENT_CA=''
	run -0 ./unit-caddy run
	[ "$output" = './Caddyfile unset unset' ]
}

# -- etc/secrets, etc/images -----------------------------------------------------

tree() {
	mkdir -p tree/etc
	cp "$ROOT"/etc/{secrets,images} tree/etc/
}

@test "secrets: what is missing is made, and nothing is changed" {
	tree
	run -0 tree/etc/secrets
	[ "${#lines[@]}" = 4 ]
	[ "$(stat -c %a tree/secrets)" = 700 ]
	cd tree/secrets
	[ "$(find . -type f | sort | xargs)" = \
		'./database_url ./edge.env ./postgres_password ./redis_url' ]
	[ -d tokens ]
	# The users of the containers read them.
	[ "$(stat -c %a -- * | sort -u | xargs)" = '644 755' ]
	grep -qxE '[0-9a-f]{48}' postgres_password
	grep -qxE 'postgresql://incr-drain:[0-9a-f]{48}@postgres:5432/incr' database_url
	not grep -qF "$(cat postgres_password)" database_url
	cp -r . ../../before
	echo INCR_RATE=1/s >>edge.env
	rm redis_url
	run -0 ../etc/secrets
	[ "$output" = 'secrets/redis_url: made' ]
	diff -r . ../../before >differences || :
	[ "$(grep -c '^[<>]' differences)" = 1 ]
}

@test "initdb: role and password are those of the URL, in no argument" {
	local end
	mkdir path
	cat >path/psql <<-'END'
	#!/bin/sh
	echo "$ROLE $PASSWORD" >variables
	echo "$*" >arguments
	cat >input
	END
	chmod +x path/psql
	sed "s:/run/secrets:$PWD:" "$ROOT/etc/initdb" >initdb
	for end in '' '\n'; do
		rm -f variables
		# shellcheck disable=SC2059
		printf "postgresql://incr-drain:pa55@postgres:5432/incr$end" >database_url
		PATH=$PWD/path:$PATH sh initdb
		[ "$(cat variables)" = 'incr-drain pa55' ]
		not grep -q pa55 arguments input
	done
}

engine() {
	for name; do
		printf '#!/bin/sh\necho "${0##*/} $*"\n' >"path/$name"
		chmod +x "path/$name"
	done
}

@test "images: both targets, with Docker, else Podman, else Buildah" {
	tree
	mkdir path
	ln -s "$(type -P dirname)" path
	images() { PATH=$PWD/path "$(type -P sh)" tree/etc/images "$@"; }
	run -100 images
	[ "$output" = 'images: no docker, podman or buildah here' ]
	engine buildah
	run -0 images
	[ "${lines[0]}" = 'buildah bud --layers --format docker -f Containerfile --target incr -t incr:latest .' ]
	[ "${lines[1]}" = 'buildah bud --layers --format docker -f Containerfile --target incr-caddy -t incr-caddy:latest .' ]
	engine podman
	IMAGE=r.example.org/incr VERSION=1.2 run -0 images --build-arg BASE=b
	[ "${lines[1]}" = 'podman build --format docker --build-arg BASE=b -f Containerfile --target incr-caddy --build-arg VERSION=1.2 -t r.example.org/incr-caddy:1.2 -t r.example.org/incr-caddy:latest .' ]
	engine docker
	run -0 images
	[ "${lines[0]}" = 'docker build -f Containerfile --target incr -t incr:latest .' ]
	ENGINE=buildah run -0 images
	[[ "$output" == buildah* ]]
	ENGINE=none run -100 images
	[ "$output" = 'images: no none here' ]
	make -n -C "$ROOT" images IMAGE=x IMAGES_OPTIONS=--no-cache |
		grep -q "IMAGE='x' VERSION='.*' etc/images --no-cache"
}

# -- compose.yaml ----------------------------------------------------------------

# compose: a line per fact
compose() {
	python3 - "$ROOT/compose.yaml" <<-'END'
	import sys, yaml
	doc = yaml.safe_load(open(sys.argv[1]))
	for name, s in doc["services"].items():
	    own = s["image"].startswith("${INCR_IMAGE")
	    print("service", name, s.get("user", "-"), "own" if own else "-")
	    if own:
	        print("rights", s["read_only"], s["cap_drop"], s["security_opt"])
	        print("keep", *s["command"][:5])
	        print("command", *s["command"][5:])
	        print("may", name, s["user"], *s["networks"], *s.get("secrets", []))
	    print("restart", s["restart"])
	    print("grace", s["stop_grace_period"])
	    for volume in s["volumes"]:
	        source = volume.split(":")[0]
	        print("file" if source[0] == "." else "volume", source)
	    for secret in s.get("secrets", []):
	        print("file", doc["secrets"][secret]["file"])
	    for file in s.get("env_file", []):
	        print("file", file)
	    for other in s.get("depends_on", []):
	        print("depends", name, other)
	    for port in s.get("ports", []):
	        print("port", port)
	for kind in "volumes", "networks":
	    print(kind, *sorted(doc[kind]))
	END
}

@test "compose.yaml names files, options and users that there are" {
	compose >facts
	[ "$(grep -c ^service facts)" = 8 ]
	tree
	tree/etc/secrets
	while read -r _ file; do
		[ -e "tree/$file" ] || [ -e "$ROOT/$file" ] || { echo "no $file"; false; }
	done < <(grep ^file facts)
	# Options that the programs take; paths of the image, from Containerfile.
	while read -r _ command; do
		case $command in
		/usr/local/share/incr/*)
			# With its arguments.
			file=${command%% *}
			grep -qF "put 755 etc/${file##*/} " "$ROOT/etc/install"
			grep -qF "\"${command%% *}\", \"${command#* }\"" "$ROOT/Containerfile"
			[ -x "$ROOT/etc/${file##*/}" ]
			;;
		*) # shellcheck disable=SC2086
			$command --help >/dev/null
			;;
		esac
	done < <(grep ^command facts)
	while read -r _ name user own; do
		[ "$own" = - ] || grep -qE "\b(edge|ingest|drain):$user\b" "$ROOT/Containerfile" ||
			{ echo "$name: no user $user"; false; }
	done < <(grep ^service facts)
	# For etc/initdb.
	grep -qxF '      INCR_PARTITIONS: "${INCR_PARTITIONS:-1}"' "$ROOT/compose.yaml"
	[ "$(sed -n 's/^volume //p' facts | sort -u | xargs)" = \
		"$(sed -n 's/^volumes //p' facts)" ]
}

@test "compose.yaml: each part is its own user, and learns and reaches what it needs" {
	compose | sed -n 's/^may //p' | sort >may
	diff - may <<-'END'
	caddy 10001 edge
	drain-1 10003 back redis_url database_url
	drain-2 10003 back redis_url database_url
	ingest-1 10002 back redis_url
	ingest-2 10002 back redis_url
	metrics 10001 edge
	END
	grep -q 'edge:10001 ingest:10002 drain:10003' "$ROOT/Containerfile"
}

@test "compose.yaml: rights, restarts, the order of the end, loopback" {
	compose >facts
	[ "$(grep ^rights facts | uniq)" = \
		"rights True ['ALL'] ['no-new-privileges:true']" ]
	[ "$(grep -c ^rights facts)" = 6 ]
	# A wrong setting does not go round.
	[ "$(grep ^keep facts | cut -d ' ' -f -4 | uniq)" = 'keep incr-keep --hold 30' ]
	[ "$(grep ^restart facts | uniq)" = 'restart always' ]
	# 25 seconds are incr-keep's own.
	[ "$(sed -n 's/^grace \([0-9]*\)s$/\1/p' facts | sort -n | head -n 1)" -gt 30 ]
	for pair in 'caddy ingest-1' 'caddy ingest-2' 'caddy metrics' \
		'ingest-1 drain-1' 'ingest-2 drain-2' 'metrics drain-1' \
		'drain-1 redis' 'drain-1 postgres'; do
		grep -qx "depends $pair" facts
	done
	[ "$(grep ^port facts | grep -vc '127.0.0.1')" = 0 ]
	# The page and the metrics are on loopback, whatever is set.
	[ "$(grep -c '^port 127\.0\.0\.1:' facts)" = 2 ]
	[ "$(sed -n 's/^port .*:-\?\([0-9]*\)}:[0-9]*$/\1/p' facts | sort | xargs)" = \
		'3333 3334 3335' ]
}
