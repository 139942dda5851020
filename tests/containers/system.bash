# What the scenarios tests/long/containers* share: an engine of its own, the
# images of Containerfile, and the system of compose.yaml, started as
# docs/containers.md says.
#
# Where the page says Docker, Podman runs, by a stand-in, the script docker beside
# this; Debian's packages are the base of the images and the servers.
# shellcheck shell=bash

D=$(mktemp -d /tmp/incr-containers.XXXXXX)
chmod 755 "$D"
P=incrtest$$
KEY=6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11
PARTS='drain-1 drain-2 metrics ingest-1 ingest-2 caddy'
up=
prometheus=
trap leave EXIT
trap 'exit 111' INT TERM HUP

leave() {
	rm -f "$D/going"
	[ -z "$prometheus" ] || kill "$prometheus" || :
	tmux -S "$D/tmux" kill-server 2>/dev/null || :
	if [ -d "$D/store" ]; then
		podman rm -fa -t 0 || :
		podman volume prune -f || :
		podman network ls -q | xargs -r podman network rm -f || :
		podman rmi -fa || :
		findmnt -rno TARGET | grep "^$D/" | sort -r | xargs -r umount || :
	fi >/dev/null 2>&1
	rm -rf --one-file-system "$D"
}

cant() {
	echo "$*"
	exit 77
}

say() { echo "$(date +%T) $*"; }

fail() {
	echo "failed: $*"
	[ -z "$up" ] || for part in $PARTS; do
		echo "-- $part: $(podman inspect -f '{{.State.Status}} {{.RestartCount}}' \
			"$(name "$part")" 2>&1)"
		podman logs --tail 8 "$(name "$part")" 2>&1 || :
	done
	[ -z "$up" ] || {
		echo "-- queued: $(queued 2>&1)"
		podman exec "$(name drain-1)" incr-audit 2>&1 || :
		podman exec "$(name redis)" redis-cli keys 'incr::queue::*' 2>&1 || :
	}
	exit 1
}

# until_true SECONDS COMMAND...
until_true() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || fail "waited in vain for: $*"
		sleep 0.1
	done
}

# -- the engine -----------------------------------------------------------------

# All of it below $D, beside whatever else Podman has on this machine.
engine() {
	mkdir "$D/networks"
	configure
	export CONTAINERS_CONF=$D/containers.conf
	export CONTAINERS_STORAGE_CONF=$D/storage.conf
	export PROJECT=$P PHASE=$D/phase
	PATH=$PWD/tests/containers:$PATH
	for driver in overlay vfs; do
		cat >"$D/storage.conf" <<-END
			[storage]
			driver = "$driver"
			runroot = "$D/run"
			graphroot = "$D/store"
		END
		podman info >"$D/info" 2>&1 && return
		rm -rf --one-file-system "$D/store" "$D/run"
	done
	cant "no Podman: $(tail -n 1 "$D/info")"
}

# configure [CONTAINERS [ENGINE]]: lines for these sections
configure() {
	cat >"$D/containers.conf" <<-END
		[containers]
		${1-}
		[engine]
		${2-}
		[network]
		network_backend = "netavark"
		network_config_dir = "$D/networks"
	END
}

# As Podman is by itself, else with the limits and the runtime that a machine has
# which lets nobody raise limits.
can_run() {
	runs && return
	configure 'default_ulimits = ["nofile=1024:20000", "nproc=1000:1000"]' \
		'runtime = "runc"'
	runs || cant "no engine runs a container here: $(tail -n 1 "$D/said")"
	say 'Podman runs containers by runc, with few limits'
}

# A container with the rights of compose.yaml.
runs() {
	podman run --rm --read-only --tmpfs /tmp --cap-drop ALL --memory 1g \
		--security-opt no-new-privileges \
		--sysctl net.ipv4.ip_unprivileged_port_start=0 \
		localhost/incr-test/base:1 true >"$D/said" 2>&1
}

name() { echo "${P}_$1_1"; }
pid() { podman inspect -f '{{.State.Pid}}' "$(name "$1")"; }
running() { [ "$(podman inspect -f '{{.State.Running}}' "$(name "$1")")" = true ]; }
healthy() { podman healthcheck run "$(name "$1")" >/dev/null 2>&1; }
unhealthy() { ! healthy "$1"; }
all_healthy() {
	local part
	for part in $PARTS; do healthy "$part" || return; done
}
# of_page TEXT [FIRST [LAST]]: the block of commands of the page that has this text,
# or these lines of it, with the ports of this system
of_page() {
	awk -v text="$1" '/^<!-- compose -->$/ { marked = 1; next }
		marked && /^```sh$/ { marked = 0; inside = 1; block = ""; next }
		inside && /^```$/ {
			if (index(block, text)) printf "%s", block
			inside = 0
		}
		inside { block = block $0 "\n" }' docs/containers.md |
		sed -n "s/localhost:3333/127.0.0.1:${PORT-}/
			s/:9090/:${PROMETHEUS_PORT-}/
			${2-1},${3-\$}p" | grep . ||
		fail "docs/containers.md has no block with $1"
}

# block TEXT [FIRST [LAST]]: types them in the project's folder
block() {
	of_page "$@" >"$D/block"
	(cd "$D/incr" && sh -eux "$D/block") >"$D/said" 2>&1 || {
		tail -n 20 "$D/said"
		fail "commands $1 of docs/containers.md"
	}
}

# -- the images -----------------------------------------------------------------

# As small as debian:12-slim, and without its fsyncs.
base() {
	mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--aptopt='Acquire::Languages "none"' bookworm "$D/base.tar" \
		>"$D/mmdebstrap.log" 2>&1 || {
		tail -n 3 "$D/mmdebstrap.log"
		! grep -qE 'Failed to fetch|Could not (resolve|connect)' "$D/mmdebstrap.log" ||
			cant 'no packages of Debian to be had'
		fail 'mmdebstrap'
	}
	podman import -q "$D/base.tar" localhost/incr-test/base:1 >/dev/null
	rm "$D/base.tar"
}

# In place of redis:7 and postgres:15, with what their images do for compose.yaml.
servers() {
	buildah bud --pull-never --format docker -t localhost/incr-test/servers:1 \
		tests/containers >"$D/servers.log" 2>&1 || {
		tail -n 5 "$D/servers.log"
		! grep -q '^[WE]: Failed to fetch' "$D/servers.log" ||
			cant 'no packages from inside a container'
		fail 'the servers'
	}
}

# Both at a time: each waits for the network now and then.
build_all() {
	local building status=0
	block 'make images secrets' 1 1 >"$D/building" 2>&1 &
	building=$!
	(servers) || status=$?
	wait $building || { [ "$status" = 77 ] || status=1; }
	[ "$status" = 77 ] || cat "$D/building"
	[ "$status" = 0 ] || exit "$status"
}

# The tree without what was built in it.
project() {
	mkdir "$D/incr"
	git ls-files -co --exclude-standard | grep -v ^tests/ |
		tar -c -T - | tar -x -C "$D/incr"
	export ENGINE=buildah
	export IMAGES_OPTIONS='--pull-never --jobs 2 --build-arg BASE=localhost/incr-test/base:1'
	export REDIS_IMAGE=localhost/incr-test/servers:1
	export POSTGRES_IMAGE=localhost/incr-test/servers:1
}

# Beside the ports of others.
ports() {
	PORT=$(free_port)
	PROMETHEUS_PORT=$(free_port)
	export INCR_PUBLISH=127.0.0.1:$PORT
	INCR_METRICS_PORT=$(free_port)
	INCR_PAGE_PORT=$(free_port)
	export INCR_METRICS_PORT INCR_PAGE_PORT
	export INCR_URL=http://127.0.0.1:$PORT/increment
}

free_port() {
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(
		Listen => 1, LocalAddr => "127.0.0.1")->sockport'
}

version() { bin/incr-serve -V | sed -n '1s/.* //p'; }
size_of() { podman image inspect -f '{{.Size}}' "$1"; }

# -- what is asked --------------------------------------------------------------

psql_() { podman exec -i "$(name postgres)" psql -XAtq -U postgres incr "$@"; }
value() { psql_ -c "select coalesce(sum(value), 0) from increments where key = '$KEY'"; }
is_count() { [ "$(value)" = "$1" ]; }
post() { # VALUE [CURL'S ARGUMENT...]: the status
	curl -s -m 10 -o /dev/null -w '%{http_code}\n' \
		-d "{\"key\":\"$KEY\",\"value\":$1}" "${@:2}" "$INCR_URL"
}
answers() { [ "$(post "${@:2}")" = "$1" ]; }
queued() {
	podman exec "$(name redis)" redis-cli --raw eval '
		local n = redis.call("llen", "rmq::queue::[increments]::ready")
		for _, id in ipairs(redis.call("smembers",
			"incr::queue::[increments]::consumers")) do
			n = n + redis.call("zcard",
				"incr::queue::[increments]::consumer::" .. id .. "::batches")
		end
		return n' 0
}
all_counted() { [ "$(queued)" = 0 ]; }
is_ready() { curl -sfo "$D/ready" "http://127.0.0.1:$PORT/health/ready"; }
# Both have found Postgres, and marked their Redis.
drains_take() {
	[ "$(podman exec "$(name redis)" redis-cli --raw keys \
		'incr::queue::\[increments]::consumer::*::flush' | wc -l)" = 2 ]
}
audited() { podman exec "$(name drain-1)" incr-audit --expect "$1"; }

starts() {
	local answered
	block 'make images secrets' 2
	up=yes
	until_true 120 all_healthy
	until_true 60 is_ready
	until_true 120 drains_take
	block 'curl -i'
	answered=$EPOCHREALTIME
	grep -q '^HTTP/1.1 202' "$D/said" || fail 'the first increment: no 202'
	until_true 60 is_count 3
	psql_ -c "select extract(epoch from updated_at) - $answered from increments
		where key = '$KEY'" >"$D/late"
	echo "figure: row $(printf %.1f "$(cat "$D/late")") s after the 202"
	# What a slow machine takes is no part of the promise.
	awk '{ exit $1 > 11 }' "$D/late" || fail 'the row was late'
	until_true 60 audited 3
	block 'incr-db show'
	grep -q "$KEY" "$D/said" || fail 'incr-db show shows no row'
	say 'a row is there'
}

# in_order PART...: each has ended, with 0
in_order() {
	local part
	for part; do
		[ "$(podman inspect -f '{{.State.Status}} {{.State.ExitCode}}' \
			"$(name "$part")")" = 'exited 0' ] || fail "$part: not in order"
	done
}

# What is there is what was taken; then the stop, in order: what came just before
# is counted, and nothing is left.
ends() {
	local sum n=500
	until_true 60 all_healthy
	until_true 60 all_counted
	sum=$(psql_ -c 'select sum(value) from increments')
	until_true 60 audited "$sum"
	increments $n | incr-send >"$D/verdicts" || fail 'incr-send'
	types 'docker compose stop'
	# shellcheck disable=SC2086 # one word per part
	in_order $PARTS redis postgres
	podman start "$(name redis)" "$(name postgres)" >"$D/said" 2>&1
	until_true 60 has_sum $((sum + n))
	[ "$(queued)" = 0 ] || fail 'the stop left increments'
	types 'docker compose down -v'
	types 'podman network rm incr_back incr_edge'
	up=
	[ -z "$(podman ps -aq)$(podman pod ps -q)" ] || fail 'containers are left'
	[ -z "$(podman volume ls -q)" ] || fail 'volumes are left'
	[ "$(podman network ls --format '{{.Name}}')" = podman ] ||
		fail 'networks are left'
	say 'ended'
}

increments() { yes "{\"key\":\"$KEY\",\"value\":1}" | head -n "$1"; }
has_sum() { [ "$(psql_ -c 'select sum(value) from increments')" = "$1" ]; }

# types COMMAND: of the text of the page
types() {
	tr '\n' ' ' <docs/containers.md | grep -qF "\`$1\`" ||
		fail "docs/containers.md does not say: $1"
	(cd "$D/incr" && sh -eux -c "$(sed "s/incr_/${P}_/g" <<<"$1")") \
		>"$D/said" 2>&1 || fail "$1"
}

open_system() {
	[ "$(id -u)" = 0 ] || cant 'needs root'
	for tool in podman buildah podman-compose mmdebstrap prometheus promtool tmux; do
		command -v "$tool" >/dev/null || cant "no $tool here"
	done
	PATH=$PWD/bin:$PATH
	engine
	base
	say 'a Debian is there'
	can_run
	project
	build_all
	say 'images are there'
	ports
	starts
}
