#!/usr/bin/env bats
# The account of tests/chaos/run finds what is wrong.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	D=$BATS_TEST_TMPDIR
	SEED=1 CHAOS_MOUNTS='' pace=calm disks=()
	: >"$D/slots"
	: >"$D/stalls"
	for part in servers clients faults account; do
		# shellcheck source=/dev/null
		. "$ROOT/tests/chaos/$part.bash"
	done
	pg_home() { echo "$INCR_SUITE/pg"; }
}

teardown() {
	[ -z "${PG-}" ] || pg_stop "$PG" QUIT
	[ -z "${PG-}" ] || rm -rf "$PG" "$PG".*
}

key() { printf '%08d-0000-4000-8000-000000000000' "$1"; }
# told N VALUE VERDICT [WHEN]: a client was told so
told() {
	printf 'test\t%s\t%s\t%s\t 202\t%s\n' "$(key "$1")" "$2" "$3" "${4:-\N}" \
		>>"$D/said.1"
}
# counted N VALUE
counted() { psql -XAtqd "$DATABASE_URL" -c "insert into increments values ('$(key "$1")', $2)"; }
# finds TEXT...: the account fails, and says each once
finds() {
	local text
	run -1 account
	for text; do [ "$(grep -cF "$text" <<<"$output")" = 1 ]; done
	[ "$(grep -c 'chaos: .* is ' <<<"$output")" = $# ]
}

@test "what was told is what is there: nothing to say" {
	told 1 5 counted
	told 2 6 perhaps
	told 3 7 perhaps
	told 4 8 refused
	told 5 9 counted
	told 5 1 perhaps
	counted 1 5
	counted 2 6
	counted 5 9
	run -0 account
	[[ "$output" == *'test: 2 counted, 3 perhaps (1 of 2 known were), 1 refused'* ]]
}

@test "an increment that was counted twice is found" {
	told 1 5 counted
	told 2 6 perhaps
	told 3 7 counted
	told 3 1 perhaps
	counted 1 10
	counted 2 12
	counted 3 15
	finds "$(key 1) is 10, due 5 to 5" "$(key 2) is 12, due 0 to 6" \
		"$(key 3) is 15, due 7 to 8"
}

@test "an increment that was lost is found" {
	told 1 5 counted
	told 2 6 counted
	told 2 1 perhaps
	told 3 1 counted
	counted 2 1
	counted 3 1
	finds "$(key 1) is 0, due 5 to 5" "$(key 2) is 1, due 6 to 7"
}

@test "one that was refused and counted, a part, one of nobody are found" {
	told 1 5 refused
	told 2 6 perhaps
	told 9 1 counted
	counted 1 5
	counted 2 3
	counted 3 1
	counted 9 1
	finds "$(key 1) is 5, due 0 to 0" "$(key 2) is 3, due 0 to 6" \
		"nobody $(key 3) is 1"
}

@test "nothing counted at all is no success" {
	told 1 5 refused
	run -1 account
	[[ "$output" == *'nothing was counted'* ]]
}

# -- staleness ---------------------------------------------------------------

# slot NAME BEGAN ENDED: a fault, so many seconds ago
slot() {
	local now
	now=$(date +%s)
	printf '%s\t%s\t%s\t%s\n' "$1" $((now - $2)) $((now - $3)) \
		"$(promise_of "$1")" >>"$D/slots"
}
ago() { echo $(($(date +%s) - $1)); }
late() { # N SECONDS: counted now, so long after its 202
	told "$1" 1 counted "$(ago "$2")"
	counted "$1" 1
}

@test "what took longer than promised is found, unless a fault excuses it" {
	PG=$(mktemp -d /tmp/incr-p.XXXXXX)
	chmod 711 "$PG"
	pg_start "$PG" track_commit_timestamp=on
	export DATABASE_URL="postgresql:///postgres?host=$PG&user=postgres"
	incr-db create
	late 1 12
	late 2 3
	account >/dev/null
	run -1 staleness
	[ "$(grep -c 'promised are 10 (no fault)' <<<"$output")" = 1 ]
	[[ "$output" =~ "$(key 1) was counted after "1[234] ]]
	slot hole 11 5
	run -0 staleness
	[[ "$output" == *'staleness during hole: at most 1'[234].*', promised 15 s'* ]]
	late 3 17
	psql -Xqd "$DATABASE_URL" -c 'drop table said'
	account >/dev/null
	run -1 staleness
	[[ "$output" == *"$(key 3) was counted after 1"[789]*'promised are 15 (hole)'* ]]
	slot postgres_quit 16 8
	run -0 staleness
	[[ "$output" == *'excused because Postgres is away: '* ]]
	pace=storm run -0 staleness
	[[ "$output" == *'nothing is promised, 2 took more than 10 s' ]]
}
