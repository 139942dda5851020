# For scenarios of tests/long: a Debian in the folder $R that systemd-nspawn
# boots, with systemd as its process 1 and a network of its own, of loopback
# alone.  They set D, a folder of their own, R below it, and main and leader to
# nothing; and call leave_machine when they end.

KEY=6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11

leave_machine() {
	stop_machine
	rm -rf --one-file-system "$D"
	rmdir "/run/systemd/nspawn/propagate/incr-test-$$" 2>/dev/null || :
}

cant() {
	echo "$*"
	exit 77
}

say() { echo "$(date +%T) $*"; }

# The reason stands last: the end of a log is what is shown of it.
fail() {
	[ -z "$leader" ] || inside journalctl -q --no-pager -n 60 -u 'incr*'
	echo "failed: $*"
	exit 1
}

# until_true SECONDS COMMAND...: with ten seconds more, as wait_for
until_true() {
	local deadline=$((SECONDS + $1 + 10))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || fail "waited in vain for: $*"
		sleep 0.1
	done
}

needs_machine() {
	local tool
	for tool in systemd-nspawn mmdebstrap nsenter; do
		command -v "$tool" >/dev/null || cant "no $tool here"
	done
	[ "$(id -u)" = 0 ] || cant 'needs root'
}

boot() {
	# The container's list of calls is older than landlock.
	systemd-nspawn --quiet --register=no --keep-unit --private-network \
		--system-call-filter='landlock_add_rule landlock_create_ruleset landlock_restrict_self' \
		--hostname=incr-test --machine="incr-test-$$" -b -D "$R" \
		</dev/null >>"$D/console" 2>&1 &
	main=$!
	find_leader || cant "systemd does not boot here: $(tail -n 1 "$D/console")"
	until_true 60 is_up
}

# Process 1 of the machine, once it is there.
find_leader() {
	local deadline=$((SECONDS + 30))
	while [ "$SECONDS" -lt "$deadline" ]; do
		leader=$(pgrep -P "$main" -x systemd | head -n 1) || :
		[ -z "$leader" ] || return 0
		kill -0 "$main" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

# inside COMMAND...: in the machine, as root
inside() {
	nsenter -t "$leader" -m -u -i -n -p -- env -i HOME=/root LC_ALL=C.UTF-8 \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		"$@"
}

is_up() {
	case $(inside systemctl is-system-running) in
	running | degraded) ;;
	*) return 1 ;;
	esac
}

gone() { ! kill -0 "$1" 2>/dev/null; }

stop_machine() {
	[ -n "$main" ] || return 0
	# To be powered off, as from outside.
	[ -z "$leader" ] || kill -s RTMIN+4 "$leader" 2>/dev/null || :
	local deadline=$((SECONDS + 40))
	until [ -z "$leader" ] || gone "$leader" ||
		[ "$SECONDS" -ge "$deadline" ]; do
		sleep 0.1
	done
	kill "$main" 2>/dev/null || :
	wait "$main" 2>/dev/null || :
	main=
	leader=
}

# -- what is asked --------------------------------------------------------------

sql() { inside su postgres -c "psql -XAtqd incr -c \"$1\""; }
value() { sql "select coalesce(sum(value), 0) from increments"; }
has_value() { [ "$(value)" = "$1" ]; }
post() { # VALUE [CURL'S ARGUMENT...]: the status
	inside curl -s -m 10 -o /dev/null -w '%{http_code}\n' \
		-d "{\"key\":\"$KEY\",\"value\":$1}" "${@:2}" \
		http://localhost:3333/increment
}
healthy() { inside curl -sf http://localhost:3333/health/ready; }
active() { inside systemctl is-active --quiet "$@"; }
main_of() { inside systemctl show -P MainPID "$1"; }
# block KIND N: the Nth block of incr(7) that is marked so
block() {
	awk -v mark=".\\\\\" $1" -v n="$2" '$0 == mark { marked = 1; next }
		marked && /^\.Bd/ { inside = ++k == n; marked = 0; next }
		/^\.Ed/ { inside = 0 }
		inside { gsub(/\\e/, "\\"); print }' man/incr.7
}
