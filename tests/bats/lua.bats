#!/usr/bin/env bats
# The scripts of lib/queue/lua one by one, as Redis runs them: called twice because
# a reply was lost, late from an old connection, with owners missing or
# changed, at maxmemory, and with a key of the wrong type.

# bats file_tags=scripts
load helper

A=aaaaaaaa-0000-4000-8000-000000000001
B=bbbbbbbb-0000-4000-8000-000000000002
C=cccccccc-0000-4000-8000-000000000003
D=dddddddd-0000-4000-8000-000000000004
LIFE=60000 # of owners, ms: longer than any test

setup() {
	use_redis
	name_keys
	introduce_all
}

teardown() {
	end_background
}

name_keys() {
	P="incr::queue::[$INCR_QUEUE]::"
	READY="rmq::queue::[$INCR_QUEUE]::ready"
	REJECTED="rmq::queue::[$INCR_QUEUE]::rejected"
	ORDER="${P}kept::order"
	SIZE="${P}kept::size"
}

# As publishers that have published nothing yet.
introduce_all() {
	printf "set ${P}publisher::%s 0 ex 86400\n" $A $B $C $D | rcli >/dev/null
	rcli set "${P}version" 3 >/dev/null
}

# script NAME NUMKEYS [KEY|ARG]...: its reply, words on one line; what is
# empty does not show.  QUIET=1: no reply, too large for a shell.
script() {
	local words text
	text=$(script_text "$1")
	shift
	if [ "${QUIET:-}" = 1 ]; then
		rcli --raw eval "$text" "$@" >/dev/null
		return
	fi
	mapfile -t words < <(rcli --raw eval "$text" "$@")
	read -ra words <<<"${words[*]}"
	echo "${words[*]}"
}

# script_text NAME: publish reads the marks of tags as MessagePack, which no
# argument of a shell can be: here it packs them first.  A tag stands before its
# line, behind a TAB; those with b have their marks in a block.
script_text() {
	local pack='
		local lines, b, s, nb, ns = {}, {}, {}, 0, 0
		local i = 9
		while i <= #ARGV do
			local tag = ARGV[i]:match("^\t(.*)")
			i = tag and i + 1 or i
			lines[#lines + 1] = ARGV[i]
			if tag then
				local g = s
				if tag:match("^b") then g, nb = b, nb + 1
				else ns = ns + 1 end
				g[#g + 1] = #lines
				g[#g + 1] = tag
				g[#g + 1] = ARGV[i]
			end
			i = i + 1
		end
		for _, word in ipairs(s) do b[#b + 1] = word end
		local groups = (nb > 0 and "b" .. nb or "") ..
		    (ns > 0 and "s" .. ns or "")
		if groups == "s1" and ARGV[5] == "0" then groups = "a1" end
		local words = {ARGV[1], ARGV[2], ARGV[3], ARGV[6], ARGV[7],
		    ARGV[8]}
		if #KEYS > 4 then
			for _, word in ipairs({ARGV[4], ARGV[5], groups,
			    cmsgpack.pack(b)}) do
				words[#words + 1] = word
			end
		end
		for _, line in ipairs(lines) do words[#words + 1] = line end
		local ARGV = words'
	[ "$1" = publish ] || pack=
	# Behind the first line, which may be that of the flags.
	{
		echo "$pack"
		cat "$ROOT/tests/bats/declared.lua"
	} >"$BATS_TEST_TMPDIR/front.lua"
	sed "1r $BATS_TEST_TMPDIR/front.lua" "$ROOT/lib/queue/lua/$1.lua"
}

# timeless COMMAND...: the reply without its second word, which is the time, and
# without the third, a number of lines, unless LINES_TOO=1.
timeless() {
	local words now
	read -ra words < <("$@")
	now=$(date +%s%3N)
	if [[ "${words[0]-}" =~ ^[0-9]$ ]]; then
		((words[1] <= now + 1000 && words[1] > now - 60000)) || echo "time?"
		unset 'words[1]'
		[ "${LINES_TOO:-}" = 1 ] || unset 'words[2]'
	fi
	echo "${words[*]}"
}

# The time until which marks are of both kinds only with BOTH_TOO=1.
introduce() {
	if [ "${BOTH_TOO:-}" = 1 ]; then
		introduced "$@"
	else
		introduced "$@" | sed 's/ [0-9]*$//'
	fi
}

introduced() { # ID [BEFORE PUSHED [SECONDS-AGO [FROM [OLDER AGO FROM]...]]]
	local id=$1 pushed=${3:-0} before=() told=()
	set -- ${2+"$2" "${@:4}"}
	while [ $# -gt 0 ]; do
		before+=("${P}publisher::$1")
		told+=($((($(date +%s) - ${2:-0}) * 1000)) "${3:-0}")
		shift $(($# < 3 ? $# : 3))
	done
	timeless script introduce $((6 + ${#before[@]})) "${P}publisher::$id" \
		"${P}version" "${P}replicas" "${P}totals" "${P}upgraded" \
		rmq::queues "${before[@]}" 86400 3 90000 "$INCR_QUEUE" \
		"${REPLICAS-}" "$pushed" "${told[@]}"
}
# lacks ID BEFORE PUSHED...: how many, as a new publisher is told
lacks() {
	rcli del "${P}publisher::$1" >/dev/null
	read -r made n < <(LINES_TOO=1 introduce "$@")
	[ "$made" = 1 ] && echo "$n"
}

# NAME: of the batch; LATE=1: it comes later than its not-after.
terms() { echo "${HIGH:-0}" $(($(date +%s%3N) + (${LATE:-0} ? -1 : 60000))) "${NAME:-n}"; }

# members: the consumers that are registered, but for what is no id
members() {
	rcli --raw smembers "${P}consumers" | grep -xE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
}

# of_consumers NAME NUMKEYS KEY... REST... -- [ARG]...: as script, but such keys of
# the consumers in $NAMED, all if it is not set, and their ids at the end
of_consumers() {
	local name=$1 n=$2 keys=("${@:3:$2}") rests=() id
	shift $((2 + n))
	while [ "$1" != -- ]; do
		rests+=("$1")
		shift
	done
	shift
	for id in ${NAMED-$(members)}; do
		keys+=("${rests[@]/#/${P}consumer::$id::}")
		set -- "$@" "$id"
	done
	script "$name" ${#keys[@]} "${keys[@]}" "$@"
}

# measure: its reply without the time, which is looked at; + for a time of
# EMPTIED and TAKEN, - for none
measure() {
	local words now
	read -ra words < <(measured)
	now=$(date +%s%3N)
	((words[3] <= now + 1000 && words[3] > now - 60000)) || words[0]="time?"
	unset 'words[3]'
	words=("${words[@]}")
	for i in 4:"${EMPTIED-}" 5:"${TAKEN-}"; do
		case ${words[${i%%:*}]} in
		0) words[${i%%:*}]=- ;;
		"${i#*:}") words[${i%%:*}]=+ ;;
		esac
	done
	echo "${words[*]}"
}
measured() {
	of_consumers measure 6 "$READY" "$REJECTED" "${P}consumers" \
		"${P}totals" "${P}emptied" "${P}none" batches --
}

# looked: --check
looked() {
	of_consumers look 5 "$READY" "$REJECTED" "${P}consumers" \
		"${P}database" rmq::queues owner batches flush -- \
		"${P}version" 1 GET
}

publish() { # ID SEQ LINE...
	local id=$1 seq=$2
	shift 2
	# shellcheck disable=SC2046 # words
	timeless script publish 4 "$READY" rmq::queues "${P}publisher::$id" \
		"${P}totals" "$seq" 86400 "$INCR_QUEUE" 100 0 $(terms) "$@"
}

# The same by a transaction: the replies to its commands; SHA: of admit
admit() { # ID SEQ LINE...
	local key="${P}publisher::$1" seq=$2
	shift 2
	rcli --raw <<-END | grep -vE '^(OK|QUEUED)$' | tr '\n' ' '
		multi
		evalsha $SHA 5 $READY rmq::queues $key ${P}totals $key::pushing $seq 86400 $INCR_QUEUE $(terms) $#
		lpushx $key::pushing $*
		rpop $key::pushing
		renamenx $key::pushing $READY
		exec
	END
}
load_admit() {
	SHA=$(cat "$ROOT/tests/bats/declared.lua" "$ROOT/lib/queue/lua/admit.lua" |
		rcli -x script load)
}

# Of the marks of tags with b, and of all others, which are singles.
BLOCK() { echo "${P}marks::x.0"; }
SHELF() { echo "${P}marks::${1:-1}.00"; }

tagged() { # ID SEQ [TAG LINE]...; BOTH=1: with marks of a release before
	local id=$1 seq=$2 words=() blocks=() singles=() both=0 block='' shelf=''
	shift 2
	while [ $# -gt 0 ]; do
		[ -z "$1" ] || words+=($'\t'"$1")
		words+=("$2")
		case $1 in
		'') ;;
		b*) blocks+=(${BOTH:+"${P}seen::$1"}) block=1 ;;
		*) singles+=(${BOTH:+"${P}seen::$1"}) shelf=1 ;;
		esac
		shift 2
	done
	[ -z "${BOTH:-}" ] || both=$(($(date +%s%3N) + 60000))
	set -- ${block:+"$(BLOCK)"} "${blocks[@]}" \
		${shelf:+"$(SHELF 1)" "$(SHELF 2)"} "${singles[@]}"
	# shellcheck disable=SC2046 # words
	timeless script publish $((6 + $#)) "$READY" rmq::queues \
		"${P}publisher::$id" "${P}totals" "${P}marks::" "${P}marks::turn" \
		"$@" "$seq" 86400 "$INCR_QUEUE" 100 "$both" $(terms) "${words[@]}"
}

# tag_key TAG: where its mark is
tag_key() {
	case $1 in
	b*) BLOCK ;;
	*)
		if [ "$(rcli hexists "$(SHELF 2)" "$1")" = 1 ]; then
			SHELF 2
		else
			SHELF 1
		fi
		;;
	esac
}
marked() { rcli --raw hget "$(tag_key "$1")" "$1"; }
is_marked() { [ -n "$(marked "$1")" ]; }
unmark() { for tag; do rcli hdel "$(tag_key "$tag")" "$tag" >/dev/null; done; }

record() { echo "$1 boot ${2:-1} 100"; }
owner_key() { echo "${P}consumer::$1::owner"; }
owner() { rcli --raw get "$(owner_key "$1")"; }
disown_consumer() { rcli del "$(owner_key "$1")" >/dev/null; }

register() { # ID
	script register 10 rmq::queues "${P}consumers" "$(owner_key "$1")" \
		"${P}consumer::$1::last" "${P}version" "${P}replicas" \
		"${P}consumer::${BEFORE:-$1}::last" "${P}upgraded" "${P}shards" \
		"${P}consumer::$1::shards" "$1" "$(record "$1")" $LIFE 3 90000 \
		"$INCR_QUEUE" "${REPLICAS-}" "${OWN-}"
}

# Its reply, and the payloads of the batch if it is there.
take() { # ID SEQ [N [BYTES [BATCHES [AGE]]]]
	local reply
	reply=$(script take 9 "$READY" "${P}consumers" "$(owner_key "$1")" \
		"${P}consumer::$1::last" "${P}consumer::$1::batches" \
		"${P}consumer::$1::batch::$2" "${P}emptied" "$(mark_key "$1")" \
		"${P}totals" \
		"$1" "$2" "${3:-100}" "${4:-16777216}" "${5:-1000}" \
		"${6:-30000}" "${STRICT-}")
	[[ "$reply" != taken* || "${QUIET:-}" ]] || reply+=" $(batch "$1" "$2")"
	echo "${reply% }"
}

renew() { # SELF CLAIM ID...
	local self=$1 claim=$2
	shift 2
	local id keys=()
	for id; do
		keys+=("$(owner_key "$id")" "${P}consumer::$id::batches"
			"${P}consumer::$id::closed")
	done
	script renew $((3 + ${#keys[@]})) "${P}consumers" "$(mark_key "$self")" \
		"${P}none" "${keys[@]}" "$self" "$(record "$self" 2)" $LIFE \
		"$claim" "$@"
}

holders() { # SELF [MAX]
	holders_unsorted "$@" | xargs -n 2 | sort | xargs
}
holders_unsorted() {
	of_consumers holders 2 "${P}consumers" "${P}none" \
		owner batches flush -- "$1" "${2:-1000}"
}

# Its reply, but how many live.
adopt() { # SELF [ID EXPECTED]...
	local self=$1 seen=()
	shift
	while (($# > 0)); do
		seen+=("$1" "$2" "${MARK-*}")
		shift 2
	done
	adopt_look "$self" "${seen[@]}" | sed 's/ [0-9-]* [01]$//'
}

# The same without what it says of the adopter and of ready.
adopt_look() { # SELF [ID EXPECTED MARK]...
	adopt_all "$@" | sed -E 's/ [01] [0-9-]+$//'
}
adopt_all() { # SELF [ID EXPECTED MARK]...
	adopt_named "$@" | sed -E 's/ 0( [0-9a-f-]{36})*$//'
}

# The same with the consumers that are registered. NAMED: those that it is given
# keys of
adopt_named() { # SELF [ID EXPECTED MARK]...
	local self=$1 keys=() seen=() ids=() id
	shift
	for id in ${NAMED-$(members)}; do
		ids+=("$id")
		for key in owner flush batches kept; do
			keys+=("${P}consumer::$id::$key")
		done
	done
	while [ $# -gt 0 ]; do
		seen+=("$1" "$2" "$3")
		for key in last acknowledged restored closed shards; do
			keys+=("${P}consumer::$1::$key")
		done
		shift 3
	done
	script adopt $((7 + ${#keys[@]})) "${P}consumers" "$READY" \
		"${P}emptied" "${P}none" "$(owner_key "$self")" \
		"$(mark_key "$self")" "${P}consumer::$self::closed" \
		"${keys[@]}" "$self" "$(record "$self")" $LIFE boot 1000 \
		"${STRICT-}" "${IDLE-1}" $((${#seen[@]} / 3)) "${seen[@]}" \
		"${ids[@]}" | tr -s ' '
}

mark() { # ID [LIFE]: the longest
	script mark 3 "${P}consumers" "$(mark_key "$1")" \
		"${P}consumer::$1::last" "$1" "$(record "$1")" "${2:-5000}"
}

mark_key() { echo "${P}consumer::$1::flush"; }

# age_mark, age_batches ID MS: it is that much older
age_mark() {
	local was
	was=$(rcli get "$(mark_key "$1")")
	rcli set "$(mark_key "$1")" "$((${was%% *} - $2)) ${was#* }"
}
age_batches() { rcli zincrby "${P}consumer::$1::batches" "-$2" 1; }

read_batch() { # ID SEQ
	script read 4 "${P}consumer::$1::batches" "${P}consumer::$1::last" \
		"${P}none" "${P}consumer::$1::shards" "$2"
}

DB=eeeeeeee-0000-4000-8000-00000000000e

# KEEP=MS: how long they are kept
acknowledge() { # ID N SEQ... [SEQ INDEX]...
	local id=$1 lists=() seq
	shift
	for seq in "${@:2:$1}"; do
		lists+=("${P}consumer::$id::batch::$seq")
	done
	script acknowledge $((11 + $1)) "$REJECTED" "${P}consumer::$id::batches" \
		"${P}consumer::$id::last" "${P}consumer::$id::none" \
		"${P}consumer::$id::kept" "${P}consumer::$id::acknowledged" \
		"${P}consumer::$id::restored" "${P}totals" "$ORDER" "$SIZE" \
		"$(times_key)" "${lists[@]}" "$id" "${KEEP:-0}" $DB "$@"
}

# LISTS: numbers of the batches that it names, all that are kept if it is not
# set; MAX: how many it may be told of
restore() { # ID ROW [KNOWN [SPEAKER [DATABASE [SEEN TIMES]]]]
	local id=$1 keys=() key
	for key in owner batches kept acknowledged restored closed; do
		keys+=("${P}consumer::$id::$key")
	done
	keys+=("${P}totals" "$ORDER" "$SIZE" "${P}none")
	for key in ${LISTS-$(kept_of "$id")}; do
		keys+=("${P}consumer::$id::batch::$key")
	done
	script restore $((1 + ${#keys[@]})) "${P}consumers" "${keys[@]}" "$id" \
		"$2" "${5:-$DB}" "${3:-0}" \
		"${4:-00000000-0000-0000-0000-000000000000}" "${6-}" "${7-}" \
		"${MAX:-9}"
}

trim() { # [MESSAGES [MAX]]
	local keys=() words=() id seq
	while read -r id seq _; do
		[[ $id == *-*-* ]] || continue
		keys+=("${P}consumer::$id::kept" "${P}consumer::$id::batches"
			"${P}consumer::$id::batch::$seq")
		words+=("$id" "$seq")
	done < <(rcli --raw zrange "$ORDER" 0 "$((${NAMED:-${2:-100}} - 1))" | grep .)
	script trim $((3 + ${#keys[@]})) "$ORDER" "$SIZE" "${P}none" \
		"${keys[@]}" "${2:-100}" "${1:-0}" "${words[@]}"
}

acknowledged() { # [AFTER [MAX]]
	numbers "$@" | sed -E 's/([^ ]+ [^ ]+) [^ ]+/\1/g'
}
numbers() { # [AFTER [MAX]]
	of_consumers numbers 2 "${P}consumers" "${P}none" \
		acknowledged closed -- "${1-}" "${2:-9}"
}

times_key() { echo "${P}rejected::times"; }

# time_of PAYLOAD: when it was rejected, by the queue's note
time_of() { rcli zscore "$(times_key)" "$(printf %s "$1" | sha1sum | cut -d ' ' -f 1)"; }
# age_time PAYLOAD MS: it was rejected so much earlier
age_time() {
	rcli zincrby "$(times_key)" "-$2" \
		"$(printf %s "$1" | sha1sum | cut -d ' ' -f 1)" >/dev/null
}

# reject PAYLOAD...: the last one is the newest
reject() { rcli lpush "$REJECTED" "$@" >/dev/null; }

withdraw() { # ID SEQ ready|''|LABEL OLDER [INDEX PAYLOAD]...
	local id=$1 seq=$2 to=$3 older=$4 picks=()
	shift 4
	while [ $# -gt 0 ]; do
		picks+=("$1" "$2" "$to")
		shift 2
	done
	script withdraw 6 "$REJECTED" "$READY" "${P}withdrawer::$id" \
		"${P}withdrawer::$id::none" "${P}totals" "$(times_key)" "$seq" \
		100 "mark $id" "$older" "${picks[@]}"
}

peek() { # LIST OLDER N [BYTES]
	script peek 1 "$1" "$2" "$3" "${4:-1048576}"
}

# survey [READ-OF-READY READ-OF-REJECTED [MAX [BYTES]]]
survey() {
	surveyed "$@" | cut -d ' ' -f 1,2,7-
}
# The same with totals. NAMED: the consumers that it is given keys of; BATCHES:
# of each of them
surveyed() {
	local keys=() words=() id seq batches
	for id in ${NAMED-$(members)}; do
		batches=${BATCHES-$(rcli zrange "${P}consumer::$id::batches" 0 -1)}
		keys+=("${P}consumer::$id::last" "${P}consumer::$id::batches")
		words+=("$id" "$(wc -w <<<"$batches")")
		for seq in $batches; do
			keys+=("${P}consumer::$id::batch::$seq")
			words+=("$seq")
		done
	done
	script survey $((6 + ${#keys[@]})) "$READY" "$REJECTED" \
		"${P}consumers" "${P}totals" "${P}database" "${P}none" \
		"${keys[@]}" "${1:-9}" "${2:-9}" "${3:-1000}" "${4:-1048576}" \
		"${words[@]}" | xargs
}

# totals [FIELD]...: published, taken and acknowledged, or others
totals() {
	[ $# -gt 0 ] || set -- published taken acknowledged
	rcli --raw hmget "${P}totals" "$@" | xargs
}

batch() { rcli --raw lrange "${P}consumer::$1::batch::$2" 0 -1 | tr '\n' ' '; }
last() { rcli --raw get "${P}consumer::$1::last"; }
list() { rcli --raw lrange "$1" 0 -1 | tr '\n' ' '; }

# state: every key of the queue with its value
state() {
	rcli --raw eval 'local all = {}
	for _, k in ipairs(redis.call("KEYS", "*")) do
		if string.find(k, ARGV[1], 1, true) then
			local t, v = redis.call("TYPE", k).ok
			if t == "string" then v = {redis.call("GET", k)}
			elseif t == "list" then v = redis.call("LRANGE", k, 0, -1)
			elseif t == "zset" then v = redis.call("ZRANGE", k, 0, -1)
			elseif t == "hash" then v = redis.call("HGETALL", k)
			else v = redis.call("SMEMBERS", k) table.sort(v) end
			all[#all + 1] = k .. "=" .. table.concat(v, ",")
		end
	end
	table.sort(all)
	return all' 0 "$INCR_QUEUE"
}

# unchanged COMMAND...: it must fail or say so, but change nothing; a look may
# note that ready is empty.
unchanged() {
	local before left_out=none
	[[ "$1" != adopt* ]] || left_out=::emptied=
	before=$(state | grep -v $left_out)
	reply=$("$@")
	[ "$(state | grep -v $left_out)" = "$before" ]
}

# -- publish ----------------------------------------------------------------

@test "publish: pushes in order, names the queue, keeps the number a day" {
	[ "$(publish $A 1 a b)" = 1 ]
	[ "$(publish $A 2 c)" = 1 ]
	[ "$(list "$READY")" = "c b a " ]
	[ "$(rcli sismember rmq::queues "$INCR_QUEUE")" = 1 ]
	[[ "$(rcli get "${P}publisher::$A")" == "2 n"* ]]
	ttl=$(rcli ttl "${P}publisher::$A")
	((ttl > 86000 && ttl <= 86400))
}

@test "publish: a lost reply repeated pushes nothing" {
	publish $A 1 a b
	unchanged publish $A 1 a b
	[ "$reply" = 2 ]
}

@test "publish: late from an old connection it pushes nothing" {
	publish $A 1 a
	publish $A 2 b
	unchanged publish $A 1 a
	[ "$reply" = 0 ]
	unchanged publish $A 2 b
	[ "$reply" = 2 ]
}

@test "publish: later than not-after it pushes nothing, and uses no number" {
	LATE=1 unchanged publish $A 1 a
	[ "$reply" = 5 ]
	LATE=1 unchanged tagged $A 1 t a
	[ "$reply" = 5 ]
	[ "$(publish $A 1 a)" = 1 ]
	# What was done, and what is a gap, is told at any time.
	LATE=1 unchanged publish $A 1 a
	[ "$reply" = 2 ]
	LATE=1 unchanged publish $A 3 a
	[ "$reply" = 0 ]
}

@test "publish: a number that another batch has is no proof of this one" {
	publish $A 1 a
	NAME=o unchanged publish $A 1 b
	[ "$reply" = 6 ]
	# A record of 0.1.0 has no name.
	rcli set "${P}publisher::$A" 1
	unchanged publish $A 1 b
	[ "$reply" = 6 ]
	[ "$(publish $A 2 b)" = 1 ]
}

@test "publish: a gap, also by a lost key, pushes nothing" {
	unchanged publish $A 2 x
	[ "$reply" = 0 ]
	publish $A 1 a
	unchanged publish $A 3 x
	[ "$reply" = 0 ]
	rcli del "${P}publisher::$A"
	unchanged publish $A 2 x
	[ "$reply" = 0 ]
}

@test "publish: nothing without the publisher's key, not even batch 1" {
	publish $A 1 a
	# As if the clock of Redis had been set forward by more than a day.
	rcli del "${P}publisher::$A"
	unchanged publish $A 1 a
	[ "$reply" = 0 ]
	unchanged tagged $A 1 t a
	[ "$reply" = 0 ]
	[ "$(list "$READY")" = "a " ]
}

@test "admit: the lines behind it are pushed, once" {
	load_admit
	[[ "$(admit $A 1 a b)" =~ ^1\ [0-9]{13}\ 2\ 3\ \ 1\ $ ]]
	[[ "$(admit $A 2 c)" =~ ^1\ [0-9]{13}\ 3\ 4\ \ 1\ $ ]]
	[ "$(list "$READY")" = "c b a " ]
	unchanged admit $A 2 c
	[[ "$reply" =~ ^2\ [0-9]{13}\ 3\ 0\ \ ERR ]]
	# One of the other script, and the other way.
	unchanged publish $A 2 c
	[ "$reply" = 2 ]
	[ "$(publish $A 3 d)" = 1 ]
	unchanged admit $A 3 d
	HIGH=3 unchanged admit $A 4 e
	[[ "$reply" == "3 "* ]]
	LATE=1 unchanged admit $A 4 e
	[[ "$reply" == "5 "* ]]
	NAME=o unchanged admit $A 3 e
	[[ "$reply" == "6 "* ]]
}

@test "admit: without it, or what comes behind it, nothing is done" {
	own_redis
	introduce_all
	load_admit
	publish $A 1 a
	SHA=${SHA/[0-9a-f]/x}
	unchanged admit $A 2 b c
	[[ "$reply" == "NOSCRIPT"* ]]
	load_admit
	for command in lpushx rpop rpush renamenx set hincrby; do
		rcli acl setuser default "-$command"
		unchanged admit $A 2 b c
		[[ "$reply" == *EXECABORT* || "$reply" == *"can't run this command"* ]]
		rcli acl setuser default "+$command"
	done
	[[ "$(admit $A 2 b c)" == "1 "* ]]
}

@test "introduce: a new publisher has published nothing, for a day" {
	rcli del "${P}publisher::$A"
	[ "$(introduce $A)" = 1 ]
	[ "$(rcli get "${P}publisher::$A")" = 0 ]
	ttl=$(rcli ttl "${P}publisher::$A")
	((ttl > 86000 && ttl <= 86400))
}

@test "introduce, register: the version is noted if none is" {
	[ "$(rcli get "${P}version")" = 3 ] # by setup
	rcli del "${P}version"
	register $A
	[ "$(rcli get "${P}version")" = 3 ]
	rcli set "${P}version" 4
	register $B
	introduce "${A/a/c}"
	[ "$(rcli get "${P}version")" = 4 ]
}

@test "introduce: a second time, or late, it changes nothing" {
	unchanged introduce $A
	[ "$reply" = 0 ]
	publish $A 1 a
	unchanged introduce $A
	[ "$reply" = 0 ]
	unchanged publish $A 1 a
	[ "$reply" = 2 ]
}

@test "introduce: tells what this Redis lacks of the id before, and adds it once" {
	publish $A 1 a b c
	[ "$(lacks $B $A 3)" = 0 ]
	publish $A 2 d
	[ "$(lacks $B $A 3)" = 0 ]
	[ -z "$(totals missed)" ]
	[ "$(lacks $B $A 9)" = 5 ]
	[ "$(totals missed)" = 5 ]
	# The answer was lost, and another id is taken; this one comes late.
	[ "$(lacks $C $A 9)" = 5 ]
	unchanged introduce $C $A 9
	[ "$reply" = 0 ]
	# Nobody publishes under the id before.
	unchanged publish $A 3 e
	[ "$reply" = 0 ]
	# Who has a copy of it misses no more than it was told.
	[ "$(lacks $B $A 2)" = 2 ]
	[ "$(totals missed)" = 5 ]
}

@test "introduce: a key that is missing lacks all, unless it may have expired" {
	[ "$(lacks $B $A 9)" = 9 ]
	rcli del "${P}publisher::$A"
	[ "$(lacks $B $A 7 50000)" = 0 ]
	[ "$(totals missed)" = 9 ]
	[ "$(rcli exists "${P}publisher::$A")" = 0 ]
	# That Redis knew it, and nothing that it published.
	rcli set "${P}publisher::$A" 0
	[ "$(lacks $B $A 7 50000)" = 7 ]
	[ "$(totals missed)" = 16 ]
	ttl=$(rcli ttl "${P}publisher::$A")
	((ttl > 86300 && ttl <= 86400))
}

@test "introduce: lines of several ids are added up, and lacking ones found" {
	publish $A 1 a b c
	[ "$(lacks $B $A 3)" = 0 ]
	[ "$(LINES_TOO=1 publish $B 1 d e)" = "1 5" ]
	# It went back to before B, and to A's second of three batches.
	rcli del "${P}publisher::$B"
	[ "$(lacks $C $B 9 0 3 $A)" = 6 ]
	[ "$(totals missed)" = 6 ]
	[ "$(lacks $D $B 9 0 3 $A)" = 6 ]
	[ "$(LINES_TOO=1 publish $D 1 f)" = "1 10" ]
	# Back to before D: what was noted is not missed again.
	rcli del "${P}publisher::$D"
	[ "$(lacks $C $D 10 0 9 $B 0 3)" = 1 ]
	[ "$(totals missed)" = 7 ]
	# Nothing is known but what was pushed before the first of them.
	rcli del "${P}publisher::$A" "${P}publisher::$B"
	[ "$(lacks $C $B 9 0 3 $A 0 2)" = 7 ]
}

@test "introduce: the key of an older id may have expired, and proves nothing" {
	rcli del "${P}publisher::$A" "${P}publisher::$B"
	# Two failovers: one began B, the other one lacks it.
	[ "$(lacks $C $B 9 0 7 $A 50000 0)" = 2 ]
	[ "$(totals missed)" = 2 ]
	rcli del "${P}publisher::$B"
	# Both, long ago.
	[ "$(lacks $C $B 9 50000 7 $A 60000 0)" = 0 ]
	[ "$(totals missed)" = 2 ]
}

@test "introduce: lines of an older id that were never told make up for none" {
	publish $A 1 a b c
	# Told 3 lines under A; the answer to two more was lost.
	publish $A 2 d e
	[ "$(lacks $B $A 3)" = 0 ]
	publish $B 1 f g
	rcli del "${P}publisher::$B"
	[ "$(lacks $C $B 5 0 3 $A 0 0)" = 2 ]
	[ "$(totals missed)" = 2 ]
}

@test "introduce: a key that does not count its lines tells nothing" {
	for old in 5 "5 n " "5 n 1 3"; do
		rcli set "${P}publisher::$A" "$old"
		[ "$(lacks $B $A 9)" = 0 ]
	done
	[ -z "$(totals missed)" ]
}

@test "publish: tells how many lines were pushed under the id" {
	export LINES_TOO=1
	[ "$(publish $A 1 a b)" = "1 2" ]
	[ "$(publish $A 1 a b)" = "2 2" ]
	# Those that were marked before are not.
	[ "$(tagged $A 2 t x u y t z '' w)" = "1 5 2" ]
	[ "$(tagged $A 2 t x u y t z '' w)" = "2 5 2" ]
	[ "$(tagged $A 3 t x v q)" = "1 6" ]
	[ "$(HIGH=1 tagged $A 4 t z n q)" = "3 6 0" ]
	[ "$(HIGH=1 tagged $A 4 t x)" = "1 6" ]
	[ "$(publish $A 5 a)" = "1 7" ]
	[ "$(rcli get "${P}publisher::$A")" = "5 n:7 " ]
	[ "$(totals published)" = 7 ]
}

@test "publish: takes more lines than fit on the stack" {
	seq 15000 >"$BATS_TEST_TMPDIR/lines"
	# shellcheck disable=SC2046 # one word per line
	[ "$(publish $A 1 $(cat "$BATS_TEST_TMPDIR/lines"))" = 1 ]
	rcli --raw lrange "$READY" 0 -1 | tac | cmp - "$BATS_TEST_TMPDIR/lines"
}

@test "publish: bytes stay as they are" {
	publish $A 1 $'a\xff\xc3\r\nb' >/dev/null
	rcli --raw lindex "$READY" 0 | cmp - <(printf 'a\xff\xc3\r\nb\n')
}

@test "publish: an error means that nothing was pushed, repeating pushes once" {
	rcli set "$READY" no-list
	[[ "$(publish $A 1 a)" == *WRONGTYPE* ]]
	rcli del "$READY"
	[ "$(publish $A 1 a)" = 1 ]
	[ "$(list "$READY")" = "a " ]
	# The same in the middle of a series.
	rcli set "$READY" no-list
	[[ "$(publish $A 2 b)" == *WRONGTYPE* ]]
	unchanged publish $A 1 a
	[ "$reply" = 2 ]
	rcli del "$READY"
	[ "$(publish $A 2 b)" = 1 ]
	[ "$(list "$READY")" = "b " ]
}

# Each of these once with singles, once with a block.
@test "publish: a tag is pushed once, and refused with another increment" {
	for b in '' b; do
		[ "$(tagged $A $((${#b} + 1)) ${b}t x ${b}u y ${b}t x ${b}t z '' w '' w)" = "1 3" ]
		[ "$(tagged $B $((${#b} + 1)) ${b}t x ${b}u z ${b}v q)" = "1 1" ]
		[ "$(list "$READY")" = "q w w y x " ]
		rcli del "$READY"
		[ "$(marked ${b}t) $(marked ${b}u) $(marked ${b}v)" = "x y q" ]
		ttl=$(rcli ttl "$(tag_key ${b}t)")
		((ttl > 90 && ttl <= 100))
	done
}

@test "publish: lines are pushed in their order, whatever their tags" {
	[ "$(tagged $A 1 t 1 '' 2 b1 3 u 4 b0 5 '' 6 t 1 b1 8 b2 9)" = "1 7" ]
	[ "$(list "$READY")" = "9 6 5 4 3 2 1 " ]
	[ "$(HIGH=1 tagged $A 2 q 0 t 2 '' 2 b1 3 b0 4 u 4)" = "3 -6 -4 1 4" ]
	[ "$(tagged $A 2 '' 7 t 2 b1 3 b0 4 u 4 v 8)" = "1 1 3" ]
	[ "$(list "$READY")" = "8 7 9 6 5 4 3 2 1 " ]
}

# about TAG LIFE: of its mark, which is about to expire then.
about() {
	local ttl
	ttl=$(rcli ttl "$(tag_key "$1")")
	((ttl <= $2 && ttl > $2 - 10)) || { echo "ttl $ttl"; return 1; }
	rcli expire "$(tag_key "$1")" 5
}

@test "publish: a mark that tells that a line is there lives on" {
	for b in '' b; do
		tagged $A $((${#b} + 1)) ${b}t x
		about ${b}t 100
		[ "$(tagged $B $((${#b} + 1)) ${b}t x)" = 1 ]
		about ${b}t 100
		[ "$(HIGH=1 tagged $C $((${#b} + 1)) ${b}t x ${b}u y)" = "3 -1" ]
		about ${b}t 100
		[ "$(HIGH=1 tagged $C $((${#b} + 1)) ${b}t x)" = 1 ]
		about ${b}t 100
		[ "$(tagged $D $((${#b} + 1)) ${b}t z)" = "1 0" ]
		about ${b}t 5
	done
	[ "$(list "$READY")" = "x x " ]
}

@test "publish: a mark that is found does not live shorter, whoever made it" {
	for b in '' b; do
		tagged $A $((${#b} + 1)) ${b}t x
		rcli expire "$(tag_key ${b}t)" 1000
		[ "$(tagged $B $((${#b} + 1)) ${b}t x ${b}v x)" = 1 ]
		about ${b}t 1000
		rcli expire "$(tag_key ${b}t)" 1000
		[ "$(HIGH=1 tagged $C $((${#b} + 1)) ${b}t x ${b}u y)" = "3 -1" ]
		about ${b}t 1000
		rcli expire "$(tag_key ${b}t)" 1000
		[ "$(HIGH=1 tagged $C $((${#b} + 1)) ${b}t x)" = 1 ]
		about ${b}t 1000
	done
	[ "$(list "$READY")" = "x x x x " ]
}

turn() { rcli --raw get "${P}marks::turn"; }

@test "publish: singles fill one shelf for a life, then the other one" {
	tagged $A 1 t x u y
	[[ "$(turn)" == "1 "*" 0 100" ]]
	tagged $A 2 v z
	[ "$(rcli hlen "$(SHELF 1)") $(rcli hlen "$(SHELF 2)")" = "3 0" ]
	# A life later.
	rcli set "${P}marks::turn" "1 $(($(date +%s%3N) - 101000)) 0 100"
	rcli expire "$(SHELF 1)" 5
	[ "$(tagged $A 3 t x u z w q)" = "1 1" ]
	[[ "$(turn)" == "2 "*" 100 100" ]]
	((0 < $(rcli ttl "${P}marks::turn")))
	# What was found lives on; the first shelf ends as it would have.
	[ "$(rcli hmget "$(SHELF 2)" t u w | xargs)" = "x q" ]
	((5 >= $(rcli ttl "$(SHELF 1)")))
	((90 < $(rcli ttl "$(SHELF 2)")))
	[ "$(HIGH=1 tagged $B 1 u y v z w q n n)" = "3 -3 -2 -1" ]
	((90 < $(rcli ttl "$(SHELF 1)")))
	# Of one that somebody remembers for longer, that life is waited for.
	rcli set "${P}marks::turn" "1 $(($(date +%s%3N) - 101000)) 200 100"
	[ "$(tagged $A 4 m x)" = 1 ]
	[[ "$(turn)" == "1 "*" 200 100" ]]
	[ "$(list "$READY")" = "x q z y x " ]
}

@test "publish: verdicts on tags are told again for a lost reply" {
	for b in '' b; do
		tagged $A $((${#b} + 1)) ${b}t x ${b}u y ${b}t z
		unchanged tagged $A $((${#b} + 1)) ${b}t x ${b}u y ${b}t z
		[ "$reply" = "2 2" ]
		# Also when the marks have expired meanwhile.
		unmark ${b}t ${b}u
		unchanged tagged $A $((${#b} + 1)) ${b}t x ${b}u y ${b}t z
		[ "$reply" = "2 2" ]
	done
}

@test "publish: marks of a release before count, and it finds those of this one" {
	export BOTH=1
	for b in '' b; do
		n=$((${#b} * 2 + 1))
		rcli del "$READY"
		rcli set "${P}seen::${b}t" x ex 5
		rcli set "${P}seen::${b}u" y ex 5
		rcli lpush "$READY" o
		[ "$(HIGH=1 tagged $A $n ${b}t x ${b}u z ${b}v q)" = "3 -1 1" ]
		((90 < $(rcli ttl "${P}seen::${b}t")))
		((5 >= $(rcli ttl "${P}seen::${b}u")))
		[ "$(HIGH=1 tagged $A $n ${b}t x ${b}u z)" = "1 1" ]
		[ "$(tagged $A $((n + 1)) ${b}t x ${b}u z ${b}v q ${b}v q ${b}v r)" = "1 1 4" ]
		[ "$(list "$READY")" = "q o " ]
		# It is marked here, too, and what is pushed there.
		[ "$(marked ${b}t) $(marked ${b}u) $(marked ${b}v)" = "x  q" ]
		[ "$(rcli mget "${P}seen::"{${b}t,${b}u,${b}v} | xargs)" = "x y q" ]
		((90 < $(rcli ttl "${P}seen::${b}v")))
		# Found by either.
		rcli del "${P}seen::${b}v"
		[ "$(tagged $B $n ${b}v q)" = 1 ]
		[ "$(rcli get "${P}seen::${b}v")" = q ]
		unmark ${b}v
		[ "$(tagged $B $((n + 1)) ${b}v q)" = 1 ]
		[ "$(marked ${b}v)" = q ]
		[ "$(list "$READY")" = "q o " ]
	done
	# A failure takes both back.
	rcli del "$READY"
	rcli set "$READY" no-list
	unmark t
	[[ "$(tagged $A 5 t x w w bw w)" == *WRONGTYPE* ]]
	[ "$(marked t)$(marked w)$(marked bw)" = '' ]
	[ "$(rcli exists "${P}seen::w" "${P}seen::bw") $(rcli get "${P}seen::t")" = "0 x" ]
}

@test "introduce, register: marks are of both kinds for a time after an upgrade" {
	export LINES_TOO=1 BOTH_TOO=1
	rcli del "${P}version" "${P}publisher::$A" "${P}publisher::$B"
	rcli srem rmq::queues "$INCR_QUEUE"
	# A new queue.
	[ "$(introduce $A)" = "1 0 0" ]
	[ "$(rcli exists "${P}upgraded") $(rcli get "${P}version")" = "0 3" ]
	both() {
		local until
		until=$(introduce $B | cut -d ' ' -f 3)
		until=$(((until - $(date +%s%3N)) / 1000))
		rcli del "${P}publisher::$B"
		((until > 89900 && until <= 90000))
	}
	# One of 0.1.0, which has pushed something; one of version 2.
	for version in '' 2; do
		rcli sadd rmq::queues "$INCR_QUEUE"
		rcli del "${P}version" "${P}upgraded"
		[ -z "$version" ] || rcli set "${P}version" $version
		both
		[ "$(rcli get "${P}version")" = 3 ]
		# Once: the next one does not prolong it.
		rcli set "${P}version" 2
		rcli expire "${P}upgraded" 10
		introduce $B
		rcli del "${P}publisher::$B"
		((10 >= $(rcli ttl "${P}upgraded")))
		rcli del "${P}upgraded"
		[[ "$(introduce $B)" == *" 0" ]]
		rcli del "${P}publisher::$B"
		# A consumer may be the first one.
		rcli del "${P}version"
		[ -z "$version" ] || rcli set "${P}version" $version
		register ${C/c/${#version}}
		[ "$(rcli get "${P}version")" = 3 ]
		both
	done
	# A later release is not put back.
	rcli set "${P}version" 10
	rcli del "${P}upgraded"
	[[ "$(introduce $B)" == *" 0" ]]
	[ "$(rcli get "${P}version")" = 10 ]
}

@test "publish: a batch of refused lines only uses its number" {
	tagged $A 1 t x
	[ "$(tagged $A 2 t y)" = "1 0" ]
	[ "$(tagged $A 3 u z)" = 1 ]
	[ "$(list "$READY")" = "z x " ]
}

@test "publish: an error with tags leaves no mark" {
	for b in '' b; do
		n=$((${#b} + 1))
		rcli del "$READY"
		rcli set "$READY" no-list
		[[ "$(tagged $A $n ${b}t x)" == *WRONGTYPE* ]]
		not is_marked ${b}t
		rcli del "$READY"
		[ "$(tagged $A $n ${b}t x)" = 1 ]
		[ "$(list "$READY")" = "x " ]
		# Nor does it take away what was marked before.
		rcli del "$READY"
		rcli set "$READY" no-list
		[[ "$(tagged $A $((n + 1)) ${b}t x ${b}u y)" == *WRONGTYPE* ]]
		[ "$(marked ${b}t)" = x ]
		not is_marked ${b}u
	done
}

@test "publish: who may not take marks back makes none" {
	own_redis
	introduce_all
	for command in hdel del hmget hset pexpire set hincrby lpush \
		hget hsetnx; do
		rcli acl setuser limited on nopass '~*' +@all "-$command"
		reply=$(
			rcli() {
				redis-cli -s "${REDIS_URL#unix://}" --user limited \
					--pass x --no-auth-warning "$@"
			}
			case $command in
			hget | hsetnx) tagged $A 1 t x ;;
			*) tagged $A 1 t x bt y ;;
			esac
		)
		[[ "$reply" == *"can't run this command"* || "$reply" == *NOPERM* ]]
		[ "$(rcli exists "$(BLOCK)" "$(SHELF 1)" "$READY")" = 0 ]
	done
}

@test "publish: a mark of the wrong type leaves no mark of other lines" {
	for key in "$(BLOCK)" "$(SHELF 1)" "$(SHELF 2)" "${P}marks::turn"; do
		rcli lpush "$key" no-hash
		unchanged tagged $A 1 t x bu y v z
		[[ "$reply" == *WRONGTYPE* ]]
		rcli del "$key"
	done
	rcli lpush "${P}seen::v" no-string
	BOTH=1 tagged $A 1 t x bu y v z | grep WRONGTYPE
	[ "$(rcli exists "$(BLOCK)" "$(SHELF 1)" "${P}seen::t" "${P}seen::bu")" = 0 ]
	rcli del "${P}seen::v"
	[ "$(tagged $A 1 t x bu y v z)" = 1 ]
	[ "$(list "$READY")" = "z y x " ]
	# Also where the other shelf has another increment.
	rcli set "${P}marks::turn" "2 $(date +%s%3N) 0 100"
	rcli lpush "$(SHELF 2)" no-hash
	unchanged tagged $A 2 t q
	[[ "$reply" == *WRONGTYPE* ]]
}

@test "publish: at the high-water mark nothing is done, below it everything" {
	HIGH=3 publish $A 1 a b
	[ "$(HIGH=3 publish $A 2 c d)" = 1 ]
	HIGH=3 unchanged publish $A 3 e
	[ "$reply" = 3 ]
	# A lost reply is still found; with room the same call is done.
	HIGH=3 unchanged publish $A 2 c d
	[ "$reply" = 2 ]
	HIGH=4 unchanged publish $A 3 e
	[ "$reply" = 3 ]
	[ "$(HIGH=5 publish $A 3 e)" = 1 ]
	[ "$(list "$READY")" = "e d c b a " ]
}

@test "publish: at the mark tags tell what was pushed before, and by whom" {
	tagged $A 1 t x u y
	HIGH=2 unchanged tagged $A 2 n z t x t q '' w u y n r
	[ "$reply" = "3 -5 -2 2" ]
	# Nothing to push is no reason to refuse.
	[ "$(HIGH=2 tagged $A 2 t x u q)" = "1 1" ]
	HIGH=2 unchanged tagged $A 2 t x u q
	[ "$reply" = "2 1" ]
}

# -- register ----------------------------------------------------------------

@test "register: set, owner and number at once" {
	before=$(date +%s%3N)
	read -r at _ <<<"$(register $A)"
	((before <= at && at <= $(date +%s%3N)))
	[ "$(rcli sismember "${P}consumers" $A)" = 1 ]
	[ "$(owner $A)" = "$(record $A)" ]
	[ "$(last $A)" = 0 ]
	[ "$(rcli sismember rmq::queues "$INCR_QUEUE")" = 1 ]
	((0 < $(rcli pttl "$(owner_key $A)")))
}

@test "register: tells the last batch of another one" {
	[[ "$(register $A)" =~ ^[0-9]+\ -1\ 0$ ]]
	publish $B 1 a b
	take $A 1 1
	[[ "$(BEFORE=$A register $C)" =~ ^[0-9]+\ 1\ 0$ ]]
	[[ "$(BEFORE=$B register $D)" =~ ^[0-9]+\ -1\ 0$ ]]
}

@test "register: a second time is an error and changes nothing" {
	register $A
	publish $B 1 a
	take $A 1
	disown_consumer $A
	unchanged register $A
	[[ "$reply" == *"registered already"* ]]
}

@test "register: an error changes nothing" {
	rcli set "${P}consumers" no-set
	unchanged register $A
	[[ "$reply" == *WRONGTYPE* ]]
}

@test "register: late, it makes a ghost that is swept without a trace" {
	register $A
	disown_consumer $A
	adopt $B $A '' # A is swept
	before=$(state)
	register $A # late
	disown_consumer $A
	[[ "$(adopt $B)" == *"$A" ]]
	adopt $B $A ''
	[ "$(state | grep -v ::emptied=)" = "$(grep -v ::emptied= <<<"$before")" ]
}

# -- take ---------------------------------------------------------------------

@test "take: the oldest, all of it or a part, in the order of the list" {
	register $A
	publish $B 1 a b c d e
	[[ "$(take $A 1 2)" =~ ^taken\ ([0-9]{13})\ ([0-9]{13})\ b\ a$ ]]
	[ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
	[ "$(batch $A 1)" = "b a " ]
	[ "$(list "$READY")" = "e d c " ]
	[[ "$(take $A 2 3)" == taken\ *\ "e d c" ]]
	[ "$(batch $A 2)" = "e d c " ]
	[ "$(rcli exists "$READY")" = 0 ]
	[ "$(last $A)" = 2 ]
	[ "$(rcli --raw zrange "${P}consumer::$A::batches" 0 -1 | tr '\n' ' ')" = "1 2 " ]
	[ "$(take $A 3)" = empty ]
	[ "$(last $A)" = 2 ]
}

@test "take: many chunks keep the order, whether all or a part is taken" {
	register $A
	publish $B 1 $(seq 5000) >/dev/null
	take $A 1 3333 >/dev/null
	[ "$(batch $A 1 | tr ' ' '\n' | sed '/^$/d' | tac | tr '\n' ' ')" = "$(seq 3333 | tr '\n' ' ')" ]
	take $A 2 3333 >/dev/null
	[ "$(batch $A 2 | tr ' ' '\n' | sed '/^$/d' | tac | tr '\n' ' ')" = "$(seq 3334 5000 | tr '\n' ' ')" ]
}

@test "take: a lost reply repeated gives the same batch with its time" {
	register $A
	publish $B 1 a b c
	first=$(take $A 1 2)
	publish $B 2 d
	unchanged take $A 1 2
	[ "$reply" = "$first" ]
	unchanged take $A 1 1
	[ "$reply" = "$first" ]
}

# times REPLY: when it was taken, since when it may have waited
times() { cut -d' ' -f 2,3 <<<"$1"; }

@test "take: what waits was published after ready was last empty" {
	local now past when since
	register $A
	now=$(date +%s%3N)
	[ "$(take $A 1)" = empty ]
	(($(rcli get "${P}emptied") >= now))
	((0 < $(rcli ttl "${P}emptied")))
	# The drains were away for five seconds.
	past=$((now - 5000))
	rcli set "${P}emptied" $past
	publish $B 1 a b c
	read -r when since < <(times "$(take $A 1 2)")
	((when >= now && since == past))
	# What is left is as old; behind it everything is new.
	read -r when since < <(times "$(take $A 2 2)")
	((when >= now && since == past))
	publish $B 2 d
	read -r _ since < <(times "$(take $A 3)")
	((since == when))
	# A clock that was set back says nothing.
	rcli set "${P}emptied" $((now + 3600000))
	publish $B 3 e
	read -r when since < <(times "$(take $A 4)")
	((since == when))
	rcli set "${P}emptied" $((now + 3600000))
	[ "$(take $A 5)" = empty ]
	(($(rcli get "${P}emptied") < now + 3600000))
}

@test "take, adopt: an empty ready list is noted four times a second at most" {
	local call n noted before
	register $A
	for call in "take $A 1" "adopt_all $A"; do
		n=0
		before=${EPOCHREALTIME/./}
		noted=$(while ((++n <= 50)); do
			$call >/dev/null
			rcli get "${P}emptied"
		done | sort -u | wc -l)
		((1 <= noted && noted <= 1 + (${EPOCHREALTIME/./} - before) / 250000))
	done
}

@test "take: late, after the batch was acknowledged, it takes nothing" {
	register $A
	publish $B 1 a b c
	take $A 1 1
	take $A 2 1
	acknowledge $A 1 1
	unchanged take $A 1 1
	[ "$reply" = gone ]
}

@test "take: a number that is not the next one takes nothing" {
	register $A
	publish $B 1 a
	unchanged take $A 2
	[ "$reply" = gone ]
	unchanged take $A 0
	[ "$reply" = gone ]
}

@test "take: only for a registered consumer that owns itself" {
	publish $B 1 a
	unchanged take $A 1
	[ "$reply" = gone ]
	register $A
	disown_consumer $A
	unchanged take $A 1
	[ "$reply" = notowner ]
	rcli set "$(owner_key $A)" "$(record $C)"
	unchanged take $A 1
	[ "$reply" = notowner ]
	# Also not a batch that is there: it is another's to deliver.
	rcli set "$(owner_key $A)" "$(record $A)"
	take $A 1
	rcli set "$(owner_key $A)" "$(record $C)"
	unchanged take $A 1
	[ "$reply" = notowner ]
}

@test "take: at most so many bytes, but one payload in any case" {
	register $A
	publish $B 1 aaaa bbbb cccc dddd
	[[ "$(take $A 1 100 9)" == *" bbbb aaaa" ]]
	[[ "$(take $A 2 100 1)" == *" cccc" ]]
	[[ "$(take $A 3 100 4)" == *" dddd" ]]
	[ "$(take $A 4)" = empty ]
}

@test "take: sixteen of twenty payloads of 1 MiB, and one of 17 MiB, whole" {
	register $A
	for i in $(seq 20); do
		head -c 1048576 /dev/zero | tr '\0' "\\$((60 + i))" |
			rcli -x lpush "$READY"
	done >/dev/null
	head -c 17825792 /dev/urandom >"$BATS_TEST_TMPDIR/large"
	rcli -x lpush "$READY" <"$BATS_TEST_TMPDIR/large"
	QUIET=1 take $A 1
	[ "$(rcli llen "${P}consumer::$A::batch::1")" = 16 ]
	QUIET=1 take $A 2
	[ "$(rcli llen "${P}consumer::$A::batch::2")" = 4 ]
	QUIET=1 take $A 3
	rcli --raw lindex "${P}consumer::$A::batch::3" 0 | head -c -1 |
		cmp - "$BATS_TEST_TMPDIR/large"
	for i in 1 2 3; do rcli unlink "${P}consumer::$A::batch::$i"; done
}

# Copied at once these would be 19 MB, and the payloads looked at are small.
@test "take: at most 16 MiB, also of payloads that seem small" {
	register $A
	head -c 20000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/payload"
	rcli --raw eval 'local payload = ARGV[1]
		for i = 0, 1000 do
			redis.call("LPUSH", KEYS[1], i % 100 == 0 and i or i .. payload)
		end' 1 "$READY" "$(cat "$BATS_TEST_TMPDIR/payload")"
	QUIET=1 take $A 1 1000
	n=$(rcli llen "${P}consumer::$A::batch::1")
	# 838 large ones, of 20003 bytes, and 9 small ones
	((846 <= n && n <= 848))
	[ "$(rcli lindex "${P}consumer::$A::batch::1" -1)" = 0 ]
	[ "$(rcli --raw lindex "${P}consumer::$A::batch::1" 0 | tr -d x)" = $((n - 1)) ]
	[ "$(rcli --raw lindex "$READY" -1 | tr -d x)" = "$n" ]
	[ "$(rcli llen "$READY")" = $((1001 - n)) ]
	[ "$(totals taken)" = "$n" ]
}

@test "take: nothing goes into the batch that an earlier list of its name has" {
	register $A
	publish $B 1 a b c
	rcli lpush "${P}consumer::$A::batch::1" x
	[[ "$(take $A 1 1)" == *" a" ]]
	rcli del "${P}consumer::$A::batch::2"
	rcli set "${P}consumer::$A::batch::2" no-list
	unchanged take $A 2 1
	[[ "$reply" == *WRONGTYPE* ]]
}

@test "take: a part is moved by a command, not by its payloads" {
	local size
	own_redis --auto-aof-rewrite-percentage 0
	introduce_all
	register $A >/dev/null
	publish $B 1 $(seq -f "%.0f-some-more-bytes-of-a-payload" 5000) >/dev/null
	size=$(aof)
	[[ "$(QUIET=1 take $A 1 4000)" != *ERR* ]]
	[ "$(rcli llen "${P}consumer::$A::batch::1")" = 4000 ]
	(($(aof) - size < 4000))
}

@test "take: refuses with too many batches, or one that is too old" {
	register $A
	publish $B 1 a b c
	take $A 1 1
	take $A 2 1
	unchanged take $A 3 1 100 2
	[ "$reply" = full ]
	rcli zadd "${P}consumer::$A::batches" xx $((${EPOCHREALTIME%.*} * 1000 - 40000)) 1
	unchanged take $A 3 1
	[ "$reply" = full ]
	acknowledge $A 1 1
	[[ "$(take $A 3 1)" == taken* ]]
}

@test "take: an error takes nothing, repeating takes it all" {
	register $A
	publish $B 1 a b
	rcli set "${P}consumer::$A::batches" no-zset
	unchanged take $A 1
	[[ "$reply" == *WRONGTYPE* ]]
	rcli del "${P}consumer::$A::batches"
	[[ "$(take $A 1)" == *" b a" ]]
}

@test "publish: who may not call a command is told before anything changes" {
	own_redis
	name_keys
	introduce_all
	rcli acl setuser default -del -lpush
	unchanged tagged $B 1 t a
	rcli acl setuser default +del +lpush
	[[ "$reply" == *"can't run this command"* ]]
}

# -- renew ---------------------------------------------------------------------

@test "take: who may not call a command is told before anything changes" {
	own_redis
	name_keys
	# One of two; one of two that is large for its batch; both.
	for n in 1 "2 1" 2; do
		for command in ltrim rename sort lindex memory rpush zadd set hincrby; do
			case $n$command in
			1rpush | 2*sort | 2*lindex | 2rpush) continue ;;
			esac
			rcli flushall >/dev/null
			introduce_all
			register $A >/dev/null
			publish $B 1 a b >/dev/null
			rcli acl setuser default "-$command"
			# shellcheck disable=SC2086 # words
			unchanged take $A 1 $n
			rcli acl setuser default "+$command"
			[[ "$reply" == *"can't run this command"* ]] || {
				echo "$command: $reply"
				return 1
			}
		done
	done
}

@test "renew: tells owned, bare and disowned" {
	register $A
	register $B
	publish $C 1 a
	take $A 1
	[ "$(renew $A '' $A)" = 1 ]
	acknowledge $A 1 1
	[ "$(renew $A '' $A $B $C)" = "2 0 0" ]
	[ "$(rcli exists "$(owner_key $C)")" = 0 ]
	[ "$(owner $B)" = "$(record $B)" ]
}

@test "holders: others with batches, and how long their owner key lives" {
	register $A
	register $B
	register $C
	publish $D 1 a b c
	[ "$(holders $C)" = "" ]
	take $A 1 1
	take $B 1 1
	rcli persist "$(owner_key $A)"
	rcli del "$(owner_key $B)"
	[ "$(holders $C)" = "$A -1 $B -2" ]
	[[ "$(holders $C 1)" =~ ^($A -1|$B -2)$ ]]
	# Its own, also while it has no owner, and whom it speaks for.
	[ "$(holders $B)" = "$A -1" ]
	rcli set "$(owner_key $A)" "$(record $B)" px 60000
	[ "$(holders $B)" = "" ]
	[[ "$(holders $C)" =~ ^$A\ [0-9]{5}\ $B\ -2$ ]]
	unchanged holders $C
	acknowledge $A 1 1
	[ "$(holders $C)" = "$B -2" ]
}

@test "renew: refreshes the life, names another process only on a claim" {
	register $A
	rcli pexpire "$(owner_key $A)" 1000
	renew $A '' $A
	(($(rcli pttl "$(owner_key $A)") > 10000))
	[ "$(owner $A)" = "$(record $A 1)" ]
	rcli pexpire "$(owner_key $A)" 1000
	renew $A 1 $A
	(($(rcli pttl "$(owner_key $A)") > 10000))
	[ "$(owner $A)" = "$(record $A 2)" ]
}

@test "renew: the end is written only with an incr-flush behind" {
	register $A
	renew $A end $A
	[ "$(owner $A)" = "$(record $A 1)" ]
	mark $A
	age_mark $A 100000
	renew $A end $A
	[ "$(owner $A)" = "$(record $A 2)" ]
}

@test "renew: makes a missing owner again, not one of the unregistered" {
	register $A
	disown_consumer $A
	[ "$(renew $A '' $A)" = 2 ]
	[ "$(owner $A)" = "$(record $A 2)" ]
	unchanged renew $C '' $C
	[ "$reply" = 0 ]
}

# The adopter's list would not have what was taken since.
@test "renew: an adopter does not make a missing owner, it adopts again" {
	register $A
	register $B
	publish $C 1 a
	take $A 1
	disown_consumer $A
	adopt $B $A '' >/dev/null
	[ "$(renew $B '' $A)" = 1 ]
	disown_consumer $A
	unchanged renew $B 1 $A
	[ "$reply" = 0 ]
	# Its own speaker lived, took another, and is gone again.
	renew $A '' $A
	publish $C 2 b
	take $A 2
	disown_consumer $A
	unchanged renew $B '' $A
	[ "$reply" = 0 ]
	[[ "$(adopt $B $A '')" = "$A 1 2"* ]]
}

@test "renew: late, after an adoption or a sweep, it changes nothing" {
	register $A
	publish $B 1 a
	take $A 1
	disown_consumer $A
	adopt $B $A ''
	unchanged renew $A 1 $A
	[ "$reply" = 0 ]
	[ "$(owner $A)" = "$(record $B)" ]
	[ "$(renew $B 1 $A)" = 1 ]
	acknowledge $A 1 1
	disown_consumer $A
	adopt $B $A ''
	unchanged renew $B 1 $A
	[ "$reply" = 0 ]
}

# -- adopt ---------------------------------------------------------------------

@test "adopt: a look alone tells who has no owner and who is near" {
	register $A
	register $B
	register $C
	disown_consumer $A
	rcli set "$(owner_key $C)" "$C elsewhere 1 1"
	unchanged adopt $B
	# Nobody adopted, A without owner, B itself not told, C far away.
	[ "$reply" = "$A" ]
	rcli set "$(owner_key $C)" "$(record $C)"
	[ "$(adopt $B)" = "$A $C $(record $C)" ]
	rcli set "$(owner_key $C)" "$B elsewhere 1 1"
	[ "$(adopt $B)" = "$A $C $B elsewhere 1 1" ]
}

@test "adopt: an owner key that a clock set back would keep lives no longer" {
	register $A
	register $B
	rcli pexpire "$(owner_key $A)" $((LIFE + 3600000))
	rcli pexpire "$(owner_key $B)" $((LIFE / 2))
	adopt $C
	(($(rcli pttl "$(owner_key $A)") <= LIFE))
	(($(rcli pttl "$(owner_key $B)") <= LIFE / 2))
	[ "$(owner $A)" = "$(record $A)" ]
}

@test "adopt: looks at those that it was given keys of, and names all others" {
	register $A
	register $B
	publish $C 1 a
	take $A 1
	disown_consumer $A
	rcli sadd "${P}consumers" "no id" >/dev/null
	reply=$(NAMED=$B adopt_named $B)
	[[ "$reply" == '0 0 1 0 1 '* ]]
	[ "$(xargs -n 1 <<<"${reply#0 0 1 0 1 }" | sort | xargs)" = "$A $B" ]
	unchanged adopt_alone $B $A ''
	[[ "$reply" == '0 0 1 0 1 '* ]]
	# Known, also one that has gone; and then nobody has to be named.
	[[ "$(NAMED="$A $B" adopt_named $B)" == "$A 0 0 1 0 0" ]]
	[[ "$(NAMED="$A $B $D" adopt_named $B)" == "$A 0 0 1 0 0 $A $B" ||
		"$(NAMED="$A $B $D" adopt_named $B)" == "$A 0 0 1 0 0 $B $A" ]]
	# An empty member is not the owner that A is without.
	rcli sadd "${P}consumers" '' >/dev/null
	[[ "$(NAMED="$A $B" adopt_named $B $A '' '')" == "$A 1 "* ]]
}
adopt_alone() { NAMED=$1 adopt_named "$1" "$2" "$3" ''; }

@test "adopt: nobody whose owner it does not know, for that one may be flushed" {
	register $A
	register $B
	register $D
	publish $C 1 a
	take $A 1
	rcli set "$(owner_key $A)" "$B other 1 100" >/dev/null
	rcli set "$(mark_key $B)" "$(($(date +%s%3N) + 5000)) $B other 1 100" >/dev/null
	mark $D
	age_batches $A 6000
	# With B it is flushed; without, it would seem never to have been.
	[[ "$(adopt_all $D)" != *$A* ]]
	reply=$(NAMED="$A $D" adopt_named $D)
	[[ "$reply" == [0-9]\ * ]] # nothing is listed but all
	NAMED="$A $D" unchanged adopt_named $D $A "$B other 1 100" ''
}

@test "adopt: takes over one with batches, its numbers in order" {
	register $A
	publish $B 1 $(seq 12)
	for i in $(seq 12); do take $A "$i" 1; done
	disown_consumer $A
	[[ "$(adopt $B $A '')" == "$A 1 2 3 4 5 6 7 8 9 10 11 12 "* ]]
	[ "$(owner $A)" = "$(record $B)" ]
	((0 < $(rcli pttl "$(owner_key $A)")))
	[[ "$(batch $A 12)" == "12 " ]]
}

@test "adopt: one with a dead process only as it was seen" {
	register $A
	publish $B 1 a
	take $A 1
	dead=$(record $A)
	rcli set "$(owner_key $A)" "$(record $A 7)" # meanwhile
	unchanged adopt $B $A "$dead"
	[[ "$reply" != "$A 1"* ]]
	[[ "$(adopt $B $A "$(record $A 7)")" == "$A 1"* ]]
}

# renewed: both halves of A, at the very moment of the next look: a life that is
# longer than it can be is given its whole length then
renewed() {
	rcli pexpire "$(owner_key $A)" $((2 * LIFE))
	rcli set "$(mark_key $A)" "$(($(date +%s%3N) + 100000)) $(record $A)"
}

@test "adopt: nobody of this machine who has renewed within half a second" {
	LIFE=5000
	register $A
	publish $B 1 a
	take $A 1
	renewed
	[ "$(adopt $B)" = '1 0' ]
	# A lives, and nobody is named.  Nor if A has since it was seen.
	renewed
	[ "$(adopt $B $A "$(record $A)")" = '1 0' ]
	[ "$(owner $A)" = "$(record $A)" ]
	# The one half is silent, then the other.
	renewed
	rcli pexpire "$(owner_key $A)" $((LIFE - 500))
	[[ "$(adopt $B)" == "$A $(record $A) "* ]]
	renewed
	age_mark $A $((100000 - LIFE + 500))
	[[ "$(adopt $B)" == "$A $(record $A) "* ]]
	[[ "$(adopt $B $A "$(record $A)")" == "$A 1"* ]]
	[ "$(owner $A)" = "$(record $B)" ]
}

@test "adopt: renewed or adopted meanwhile, nothing changes" {
	register $A
	publish $B 1 a
	take $A 1
	unchanged adopt $B $A '' # seen without owner, renewed since
	disown_consumer $A
	adopt $C $A ''
	unchanged adopt $B $A ''
	[ "$(owner $A)" = "$(record $C)" ]
}

@test "adopt: a lost reply is found, and repeated" {
	register $A
	publish $B 1 a
	take $A 1
	disown_consumer $A
	adopt $B $A ''
	# The look tells what B owns without knowing; so it asks for it.
	[ "$(adopt $B)" = "$A $(record $B)" ]
	[[ "$(adopt $B $A "$(record $B)")" == "$A 1"* ]]
}

@test "adopt: sweeps one without batches, only its number is left, for a day" {
	before=$(state)
	register $A
	publish $B 1 a
	take $A 1
	acknowledge $A 1 1
	disown_consumer $A
	adopt $B $A ''
	[ "$(rcli get "${P}consumer::$A::last")" = 1 ]
	[ "$(rcli ttl "${P}consumer::$A::last")" -gt 86000 ]
	rcli set "${P}publisher::$B" 0
	rcli del "${P}emptied" "${P}consumer::$A::last" "${P}totals"
	[ "$(state)" = "$before" ]
}

@test "adopt: never itself, one at a time, sweeping those before it" {
	register $A
	register $B
	register $C
	publish $B 1 a b
	take $B 1 1
	take $C 1 1
	disown_consumer $A
	disown_consumer $B
	disown_consumer $C
	[[ "$(adopt $B $B '' $A '' $C '')" == "$C 1 "* ]]
	[ "$(rcli sismember "${P}consumers" $A)" = 0 ]
	[ "$(rcli exists "$(owner_key $B)")" = 0 ]
}

@test "adopt: late, when the consumer was swept, nothing changes" {
	register $A
	disown_consumer $A
	adopt $B $A ''
	unchanged adopt $B $A ''
	# Nor of one that somebody took off the list with its batches.
	rcli zadd "${P}consumer::$A::batches" 1 1
	unchanged adopt $B $A ''
}

# -- flush marks ------------------------------------------------------------------

@test "mark: only of who is registered; later ones live longer" {
	unchanged mark $A
	[ "$reply" = -1 ]
	register $A
	[ "$(mark $A)" = 1 ]
	first=$(rcli get "$(mark_key $A)")
	[ "${first#* }" = "$(record $A)" ]
	mark $A $((LIFE + 5000))
	second=$(rcli get "$(mark_key $A)")
	((${second%% *} > ${first%% *} + 3000))
	# What has run out can be told from what never was.
	(($(rcli ttl "$(mark_key $A)") > 86000))
	# Who was swept, from who never was here.
	disown_consumer $A
	adopt $B $A ''
	unchanged mark $A
	[ "$reply" = 0 ]
}

@test "take: not while its flush mark is missing, once there was one" {
	register $A
	publish $B 1 a b
	STRICT=1 unchanged take $A 1 1
	[ "$reply" = unmarked ]
	[[ "$(take $A 1 1)" == taken* ]]
	mark $A
	age_mark $A $LIFE
	unchanged take $A 2
	[ "$reply" = unmarked ]
	# The batch that there is can be asked for again.
	[[ "$(take $A 1 1)" == taken* ]]
	mark $A
	[[ "$(STRICT=1 take $A 2)" == taken* ]]
}

@test "adopt: nobody while the adopter's own flush mark is missing" {
	register $A
	register $B
	publish $C 1 a
	take $A 1
	disown_consumer $A
	STRICT=1 unchanged adopt_look $B $A '' ''
	[ "$reply" = '-1 0' ]
	mark $B
	age_mark $B $LIFE
	unchanged adopt_look $B $A '' ''
	[ "$reply" = '-1 1' ]
	mark $B
	[[ "$(adopt_look $B $A '' '')" == "$A 1 "*"1 1" ]]
}

@test "adopt: one whose flush mark has run out, as it was seen" {
	register $A
	register $B
	rcli set "$(owner_key $A)" "$A elsewhere 1 1"
	publish $C 1 a
	take $A 1
	mark $A
	rcli set "$(mark_key $A)" \
		"$(rcli get "$(mark_key $A)" | cut -d' ' -f1) $A elsewhere 1 1"
	mark $B
	[ "$(adopt_look $B)" = '2 1' ]
	age_mark $A $LIFE
	old=$(rcli get "$(mark_key $A)")
	[ "$(adopt_look $B)" = "$A $A elsewhere 1 1 $old 1 1" ]
	mark $A # meanwhile
	mark $B
	unchanged adopt_look $B $A "$A elsewhere 1 1" "$old"
	rcli set "$(mark_key $A)" "$old"
	[[ "$(adopt_look $B $A "$A elsewhere 1 1" "$old")" == "$A 1 "* ]]
	# What it has is judged by the mark of its adopter from now on.
	register $C
	mark $B
	mark $C
	[[ "$(adopt_look $C)" == *"$A $(record $B) $(rcli get "$(mark_key $B)") "*"2 1" ]]
}

@test "adopt: one without batches is not swept for a mark that has run out" {
	register $A
	register $B
	mark $A
	mark $B
	age_mark $A $LIFE
	old=$(rcli get "$(mark_key $A)")
	unchanged adopt_look $B $A "$(record $A)" "$old"
	[ "$(rcli sismember "${P}consumers" $A)" = 1 ]
}

@test "adopt: one without a mark ever, when its oldest batch is 5 s old" {
	register $A
	register $B
	rcli set "$(owner_key $A)" "$A elsewhere 1 1"
	publish $C 1 a
	take $A 1
	mark $B
	[ "$(adopt_look $B)" = '1 1' ]
	age_batches $A 5001
	[ "$(adopt_look $B)" = "$A $A elsewhere 1 1 1 1" ]
	# Only by one that is flushed itself.
	register $C
	[[ "$(adopt_look $C)" != *"$A $A"* ]]
	[[ "$(adopt_look $B $A "$A elsewhere 1 1" '')" == "$A 1 "* ]]
}

@test "take: a mark that lives for long does not once there is a batch" {
	register $A
	mark $A
	take $A 1
	mark_lives $A
	publish $B 1 a
	take $A 1
	until=$(rcli get "$(mark_key $A)")
	((${until%% *} - $(date +%s%3N) <= 2500))
	[ "${until#* }" = "$(record $A)" ]
	(($(rcli ttl "$(mark_key $A)") > 86000))
	mark $A 1000
	publish $B 2 b
	was=$(rcli get "$(mark_key $A)")
	take $A 2
	[ "$(rcli get "$(mark_key $A)")" = "$was" ]
}

# mark_lives ID: at most five seconds, and almost as long
mark_lives() {
	local until ms
	until=$(rcli get "$(mark_key "$1")")
	ms=$((${until%% *} - $(date +%s%3N)))
	((ms <= 5000 && ms > 2000))
}

@test "the clock was set back: marks and ends live no longer than they can" {
	register $A
	register $B
	mark $B
	for looks in "take $A 1" "adopt_look $A" "adopt_look $B"; do
		mark $B
		mark $A 100000
		$looks
		mark_lives $A
		[[ "$(rcli get "$(mark_key $A)")" == *" $(record $A)" ]]
		(($(rcli ttl "$(mark_key $A)") > 86000))
	done
	rcli set "$(owner_key $A)" "$(record $A) end" px 100000
	mark $B
	adopt_look $B
	(($(rcli pttl "$(owner_key $A)") <= 5000))
	# The owner's, if it is another.
	mark $A 100000
	rcli set "$(owner_key $A)" "$(record $B)" px 1000
	mark $B 100000
	adopt_look $A
	mark_lives $B
	register $C
	publish $D 1 a
	QUIET=1 take $B 1
	mark $B 100000
	lives=$(holders $C)
	((${lives#* } <= 5000))
}

# -- acknowledge ----------------------------------------------------------------

@test "acknowledge: deletes the batch and copies what was rejected" {
	register $A
	publish $B 1 a b c d
	take $A 1 2
	take $A 2 2
	[ "$(acknowledge $A 2 1 2 1 1 2 0)" = "2 2" ]
	[ "$(list "$REJECTED")" = "c b " ]
	[ "$(rcli exists "${P}consumer::$A::batches" \
		"${P}consumer::$A::batch::1" "${P}consumer::$A::batch::2")" = 0 ]
}

@test "acknowledge: repeated or late it copies and deletes nothing" {
	register $A
	publish $B 1 a b c
	take $A 1 2
	take $A 2 2
	acknowledge $A 1 1 1 0
	unchanged acknowledge $A 1 1 1 0
	[ "$reply" = "0 2" ]
	[ "$(acknowledge $A 2 1 2 1 0 2 0)" = "1 2" ]
	[ "$(list "$REJECTED")" = "c a " ]
}

@test "acknowledge: an index that is none is no harm" {
	register $A
	publish $B 1 a
	take $A 1
	[ "$(acknowledge $A 1 1 1 7)" = "1 1" ]
	[ "$(rcli exists "$REJECTED")" = 0 ]
}

@test "acknowledge: many rejects, byte for byte and in order" {
	register $A
	publish $B 1 $'x\xff\ny' $(seq 100) >/dev/null
	take $A 1 200 >/dev/null
	# shellcheck disable=SC2046 # one word each
	acknowledge $A 1 1 $(for i in $(seq 0 100); do echo "1 $i"; done)
	[ "$(rcli llen "$REJECTED")" = 101 ]
	rcli --raw lindex "$REJECTED" -1 | cmp - <(printf 'x\xff\ny\n')
	[ "$(rcli --raw lrange "$REJECTED" 0 99)" = "$(seq 100 -1 1)" ]
}

@test "acknowledge: an error deletes nothing, not even batches without rejects" {
	register $A
	publish $B 1 a b
	take $A 1 1
	take $A 2 1
	rcli set "$REJECTED" no-list
	unchanged acknowledge $A 2 1 2 2 0
	[[ "$reply" == *WRONGTYPE* ]]
	rcli del "$REJECTED"
	rcli rename "${P}consumer::$A::batches" "$P"kept
	rcli set "${P}consumer::$A::batches" no-zset
	unchanged acknowledge $A 2 1 2 2 0
	[[ "$reply" == *WRONGTYPE* ]]
	rcli rename "$P"kept "${P}consumer::$A::batches"
	# Not even the dead letters before it are copied, which would be twice.
	rcli rename "${P}consumer::$A::batch::2" "$P"kept
	rcli set "${P}consumer::$A::batch::2" no-list
	unchanged acknowledge $A 2 1 2 1 0
	[[ "$reply" == *WRONGTYPE* ]]
	rcli rename "$P"kept "${P}consumer::$A::batch::2"
	rcli rename "${P}consumer::$A::last" "$P"kept
	rcli sadd "${P}consumer::$A::last" no-string
	unchanged acknowledge $A 2 1 2 1 0
	[[ "$reply" == *WRONGTYPE* ]]
	rcli rename "$P"kept "${P}consumer::$A::last"
	[ "$(acknowledge $A 2 1 2 1 0)" = "2 2" ]
	[ "$(list "$REJECTED")" = "a " ]
}

# Whatever list there is: what was acknowledged is not delivered again.
@test "acknowledge, take, read: go by the set of unacknowledged batches" {
	register $A
	publish $B 1 a b
	take $A 1 1
	[ "$(read_batch $A 1 | sed 's/ [0-9]*//')" = "taken 0" ]
	rcli copy "${P}consumer::$A::batch::1" "${P}copy" >/dev/null
	acknowledge $A 1 1
	rcli rename "${P}copy" "${P}consumer::$A::batch::1"
	unchanged acknowledge $A 1 1 1 0
	[ "$reply" = "0 1" ]
	unchanged take $A 1
	[ "$reply" = gone ]
	unchanged read_batch $A 1
	[ "$reply" = gone ]
	[[ "$(take $A 2)" == taken*" b" ]]
}

@test "acknowledge: when a message was rejected is noted, the last time" {
	register $A
	publish $B 1 a b c a
	take $A 1 3
	take $A 2 1
	before=$(rcli --raw time | head -n 1)
	acknowledge $A 1 1 1 0 1 1
	[ "$(rcli zcard "$(times_key)")" = 2 ]
	((before * 1000 <= $(time_of a) && $(time_of a) == $(time_of b)))
	((before * 1000 + 60000 > $(time_of a)))
	# An entry that nobody removed is written anew.
	age_time a 3600000
	age_time b 3600000
	acknowledge $A 1 2 2 0
	((before * 1000 <= $(time_of a) && before * 1000 > $(time_of b)))
	# Late and repeated calls note nothing.
	age_time a 3600000
	unchanged acknowledge $A 2 1 2 1 0 2 0
	((before * 1000 > $(time_of a)))
	[ "$(rcli pttl "$(times_key)")" = -1 ]
}

@test "acknowledge: the oldest of many times go, by ten thousand at most" {
	register $A
	publish $B 1 $(seq 40) >/dev/null
	take $A 1 40 >/dev/null
	rcli eval 'for i = 1, 10000 do redis.call("ZADD", KEYS[1], i, "m" .. i) end' \
		1 "$(times_key)"
	# shellcheck disable=SC2046 # one word each
	acknowledge $A 1 1 $(for i in $(seq 0 39); do echo "1 $i"; done)
	[ "$(rcli zcard "$(times_key)")" = 10000 ]
	[ "$(rcli zrange "$(times_key)" 0 0)" = m41 ]
	[ -n "$(time_of 1)" ]
	[ -n "$(time_of 40)" ]
}

# It is told before anything has changed; without dead letters nobody asks.
@test "acknowledge, withdraw: times of the wrong type hold up dead letters only" {
	register $A
	publish $B 1 a b
	take $A 1 1
	take $A 2 1
	rcli set "$(times_key)" no-zset
	[ "$(acknowledge $A 1 1)" = "1 2" ]
	unchanged acknowledge $A 1 2 2 0
	[[ "$reply" == *WRONGTYPE* ]]
	reject x
	unchanged withdraw $A 1 ready 0 0 x
	[[ "$reply" == *WRONGTYPE* ]]
	[ "$(script peek 2 "$REJECTED" "$(times_key)" 0 9 99 | xargs)" = "1 x 0" ]
	rcli del "$(times_key)"
	[ "$(acknowledge $A 1 2 2 0)" = "1 2" ]
	[ "$(list "$REJECTED")" = "b x " ]
	[ -n "$(time_of b)" ]
}

@test "acknowledge: of a restored batch no time is noted" {
	register $A
	publish $B 1 a b
	take $A 1 1
	take $A 2 1
	KEEP=60000 acknowledge $A 1 1 1 0
	[ "$(list "$REJECTED")" = "a " ]
	age_time a 3600000
	before=$(time_of a)
	restore $A 0
	KEEP=60000 acknowledge $A 1 1 1 0
	[ "$(list "$REJECTED") $(time_of a)" = "a  $before" ]
}

@test "acknowledge: who may not call a command is told before anything changes" {
	own_redis
	name_keys
	introduce_all
	for command in llen zrem unlink lindex lpush get hincrby zadd zrange; do
		register $A >/dev/null
		publish $B 1 a b >/dev/null
		take $A 1 1 >/dev/null
		rcli acl setuser default "-$command"
		reply=$(acknowledge $A 1 1 1 0)
		rcli acl setuser default "+$command"
		[[ "$reply" == *NOPERM* || "$reply" == *"can't run this command"* ]] || {
			echo "$command: $reply"
			return 1
		}
		[ "$(batch $A 1)" = "a " ]
		[ "$(rcli exists "$REJECTED" "$(times_key)")" = 0 ]
		rcli flushall >/dev/null
		introduce_all
	done
}

@test "the user of incr(7) may call whatever a script calls" {
	granted=$(sed -n '/^redis-cli ACL/,/^\.Ed/p' "$ROOT/man/incr.7" |
		grep -o '+[a-z|]*' | tr -d + | sed 's/|.*//' | sort -u)
	called=$(grep -oh "call('[A-Z]*'" "$ROOT"/lib/*/lua/*.lua |
		sed "s/call('//; s/'//" | tr '[:upper:]' '[:lower:]' | sort -u)
	[ "$(wc -l <<<"$called")" -gt 20 ]
	[ -z "$(comm -13 <(echo "$granted") <(echo "$called"))" ]
}

@test "acknowledge: what was never taken here shows by the last number" {
	[ "$(acknowledge $A 1 1)" = "0 -1" ]
	register $A
	[ "$(acknowledge $A 1 1)" = "0 0" ]
	publish $B 1 a b c
	take $A 1 1
	[ "$(acknowledge $A 2 1 2)" = "1 1" ]
	# Adopted, counted, acknowledged, swept: it was taken.
	take $A 2 1
	disown_consumer $A
	adopt $B $A ''
	acknowledge $A 1 2
	disown_consumer $A
	adopt $B $A ''
	[ "$(rcli sismember "${P}consumers" $A)" = 0 ]
	unchanged acknowledge $A 1 2
	[ "$reply" = "0 2" ]
	# Also after a late registration.
	register $A
	[ "$(acknowledge $A 1 2)" = "0 2" ]
}


@test "acknowledge: the last acknowledged number is known, kept or not" {
	register $A
	register $B
	publish $C 1 a b c
	take $A 1 1
	take $A 2 1
	take $B 1 1
	[ "$(acknowledged)" = "" ]
	acknowledge $A 1 2
	KEEP=60000 acknowledge $B 1 1
	[ "$(acknowledged)" = "$A 2 $B 1" ]
	acknowledge $A 1 1
	acknowledge $A 1 7
	unchanged acknowledged
	[ "$reply" = "$A 2 $B 1" ]
	[ "$(acknowledged "" 1)" = "$A 2" ]
	[ "$(acknowledged $A)" = "$B 1" ]
}

# kept_of ID: their numbers
kept_of() { rcli --raw zrange "${P}consumer::$1::kept" 0 -1 | cut -d' ' -f1 | xargs; }
# time_is_over ID: of all that it keeps
time_is_over() {
	local entry
	rcli --raw zrange "${P}consumer::$1::kept" 0 -1 | while read -r entry; do
		rcli zadd "${P}consumer::$1::kept" 1 "$entry"
	done >/dev/null
}

@test "acknowledge: a kept batch is not delivered, and goes after its time" {
	register $A
	publish $B 1 a b c
	take $A 1 1
	take $A 2 1
	take $A 3 1
	[ "$(KEEP=60000 acknowledge $A 1 1 1 0)" = "1 3" ]
	[ "$(list "$REJECTED")" = "a " ]
	[ "$(kept_of $A)" = 1 ]
	ttl=$(rcli pttl "${P}consumer::$A::batch::1")
	((ttl > 50000 && ttl <= 60000))
	[ "$(take $A 1)" = gone ]
	[ "$(read_batch $A 1)" = gone ]
	KEEP=60000 unchanged acknowledge $A 1 1 1 0
	[ "$reply" = "0 3" ]
	# It is nobody's orphan, nor is it unacknowledged.
	acknowledge $A 1 2
	[ "$(survey)" = "0 1 $A 3 3 1" ]
	acknowledge $A 1 3
	[ "$(holders $B)" = "" ]
	[ "$(EMPTIED=$(rcli get "${P}emptied") measure)" = "0 0 1 3 + -" ]
	KEEP=1 acknowledge $A 1 1
	time_is_over $A
	publish $B 2 d
	take $A 4
	acknowledge $A 1 4
	[ "$(kept_of $A)" = "" ]
}

@test "measure: lengths, what was taken, since when ready and batches wait" {
	local emptied taken
	[ "$(measure)" = "0 0 0 0 - -" ]
	register $A
	register $B
	take $A 1
	emptied=$(rcli get "${P}emptied")
	publish $C 1 a b c
	[ "$(EMPTIED=$emptied measure)" = "3 0 0 0 + -" ]
	take $A 1 2
	taken=$(rcli zscore "${P}consumer::$A::batches" 1)
	[ "$(EMPTIED=$emptied TAKEN=$taken measure)" = "1 1 0 2 + +" ]
	rcli zadd "${P}consumer::$B::batches" $((taken + 5)) 1 >/dev/null
	rcli zadd "${P}consumer::$A::batches" $((taken - 9)) 2 >/dev/null
	rcli lpush "$REJECTED" x >/dev/null
	[ "$(EMPTIED=$emptied TAKEN=$((taken - 9)) measure)" = "1 3 1 2 + +" ]
	unchanged measure
}

# It touches only keys that it is given: it would tell too little.
@test "a script that was not given the keys of all consumers says who they are" {
	local call
	register $A
	register $B
	publish $C 1 a
	take $B 1
	rcli sadd "${P}consumers" "no id" ${B^^} >/dev/null
	for call in measured looked numbers "holders_unsorted $C" \
		"identify $DB note 9 1"; do
		# shellcheck disable=SC2086 # words
		NAMED=$A unchanged $call
		[ "$(xargs -n 1 <<<"$reply" | sort | xargs)" = "$A again $B" ]
		# shellcheck disable=SC2086 # words
		reply=$(NAMED="$A $B $D" $call)
		[[ "$reply" != *again* ]]
	done
	# They do not matter to it then.
	rcli del "${P}database" >/dev/null
	NAMED=$A identify $DB note 9
	[ "$(rcli get "${P}database")" = $DB ]
}

@test "adopt: a consumer that only keeps is neither adopted nor swept" {
	register $A
	register $B
	publish $C 1 a
	take $A 1
	KEEP=60000 acknowledge $A 1 1
	disown_consumer $A
	unchanged adopt $B $A ''
	[[ "$reply" != *$A* ]]
	time_is_over $A
	[ "$(adopt $B)" = "$A" ]
	adopt $B $A ''
	[ "$(rcli exists "${P}consumer::$A::acknowledged" \
		"${P}consumer::$A::kept")" = 0 ]
}

# -- restore ---------------------------------------------------------------------

# three_kept: of A, counted to 3; batch 4 is unacknowledged
three_kept() {
	register $A
	register $B
	publish $C 1 a b c d
	for i in 1 2 3 4; do take $A $i 1; done
	KEEP=60000 acknowledge $A 3 1 2 3 3 0
}

@test "restore: what is kept above the row is unacknowledged again" {
	three_kept
	[ "$(restore $A 1)" = "2 2 0 2" ]
	[ "$(kept_of $A)" = 1 ]
	[ "$(acknowledged)" = "$A 1" ]
	[ "$(rcli pttl "${P}consumer::$A::batch::2")" = -1 ]
	[ "$(batch $A 3)" = "c " ]
	[[ "$(read_batch $A 2)" == taken* ]]
	# Repeated, nothing is told again.
	[ "$(restore $A 1)" = "0 2 0 0" ]
	# Its dead letters were copied before.
	[ "$(list "$REJECTED")" = "c " ]
	KEEP=60000 acknowledge $A 2 2 3 3 0
	[ "$(list "$REJECTED")" = "c " ]
	[ "$(acknowledged)" = "$A 3" ]
	[ "$(kept_of $A)" = "1 2 3" ]
}

@test "restore: its consumer is closed for good, to be adopted" {
	three_kept
	restore $A 1
	unchanged renew $A '' $A
	[ "$reply" = 0 ]
	unchanged take $A 5
	[ "$reply" = notowner ]
	was=$(owner $A)
	[[ "$(adopt $B)" == "$A $was" ]]
	[[ "$(adopt $B $A "$was")" == "$A 2 3 4"* ]]
	[ "$(renew $B '' $A)" = 1 ]
	# Also when its adopter is gone.
	disown_consumer $A
	unchanged renew $A '' $A
	[ "$reply" = 0 ]
	# Another time it is another one, for no late adoption.
	acknowledge $A 3 2 3 4
	restore $A 2
	[ "$(owner $A)" != "$was" ]
	unchanged adopt $B $A "$was"
	adopt $B $A "$(owner $A)"
	[ "$(rcli sismember "${P}consumers" $A)" = 1 ]
	rcli del "${P}consumer::$A::kept"
	[[ "$(adopt $B)" == "$A "* ]]
	adopt $B $A "$(owner $A)"
	[ "$(rcli sismember "${P}consumers" $A)" = 0 ]
}

@test "restore: nothing of another database, nor what is not kept any more" {
	three_kept
	[ "$(restore $A 1 0 '' $A)" = "0 4 2 2" ]
	[ "$(kept_of $A)" = "1 2 3" ]
	# It was told, of the same row.
	[ "$(restore $A 1 3)" = "2 2 0 0" ]
	acknowledge $A 3 2 3 4
	[ "$(restore $A 3)" = "0 0 1 1" ]
	[ "$(restore $A 3 5)" = "0 0 1 0" ]
	unchanged restore $D 1
	[ "$reply" = "0 0 0 0" ]
}

@test "restore: each number is told lost once, also in ranges apart" {
	register $A
	[ "$(restore $A 3 10)" = "0 0 7 0" ]
	[ "$(restore $A 5 12)" = "0 0 2 0" ]
	[ "$(restore $A 3 12)" = "0 0 0 0" ]
	[ "$(restore $A 20 25)" = "0 0 5 0" ]
	[ "$(restore $A 15 18)" = "0 0 3 0" ]
	[ "$(restore $A 2 30)" = "0 0 $((1 + 3 + 2 + 5)) 0" ]
	[ "$(restore $A 2 30)" = "0 0 0 0" ]
	# What was unacknowledged then was not told.
	register $B
	publish $C 1 a b c
	for i in 1 2 3; do take $B $i 1; done
	acknowledge $B 2 1 3
	[ "$(restore $B 0)" = "0 2 2 3" ]
	acknowledge $B 1 2
	[ "$(restore $B 0)" = "0 0 1 2" ]
}

@test "restore: a speaker lets go where older batches are left" {
	register $A
	register $B
	publish $C 1 a b
	take $A 1 1
	take $A 2 1
	disown_consumer $A
	adopt $B $A ''
	[ "$(restore $A 0 0 $B)" = "0 1 0 0" ]
	[ "$(owner $A)" = "$(record $B)" ]
	[ "$(restore $A 0 1 $B)" = "0 1 0 0" ]
	[[ "$(owner $A)" == 00000000-* ]]
	adopt $B $A "$(owner $A)"
	[ "$(restore $A 0 1 $C)" = "0 1 0 0" ]
	[ "$(owner $A)" = "$(record $B)" ]
}

@test "restore: what has changed since it was looked at is let alone" {
	three_kept
	[ "$(numbers)" = "$A 3 0" ]
	unchanged restore $A 1 0 '' '' 2 0
	[ "$reply" = changed ]
	unchanged restore $A 1 0 '' '' 3 1
	[ "$reply" = changed ]
	[ "$(restore $A 1 0 '' '' 3 0)" = "2 2 0 2" ]
	[ "$(numbers)" = "$A 1 1" ]
	# Counted and acknowledged again, by one who keeps nothing: the number is
	# the same, and what a late call would miss is not lost.
	acknowledge $A 2 2 3
	[ "$(numbers)" = "$A 3 1" ]
	unchanged restore $A 1 0 '' '' 3 0
	[ "$reply" = changed ]
}

@test "restore: says which kept batches there are before it moves one" {
	three_kept
	LISTS='' unchanged restore $A 1
	[ "$reply" = "again 2 3" ]
	LISTS='2 4' unchanged restore $A 1
	[ "$reply" = "again 3" ]
	LISTS=3 MAX=1 unchanged restore $A 0
	[ "$reply" = "again 1" ]
	LISTS='' MAX=2 unchanged restore $A 0
	[ "$reply" = "again 1 2" ]
	# What is not as it was looked at comes first.
	LISTS='' unchanged restore $A 1 0 '' '' 2 0
	[ "$reply" = changed ]
	# Nothing else is to be named: what another database has, what is not above
	# the row, what is no entry.
	rcli zadd "${P}consumer::$A::kept" 1e15 "007 $DB 1 1" 1e15 nonsense \
		1e15 "1234567890123456 $DB 1 1" 1e15 "5 $A 1 1" >/dev/null
	[ "$(LISTS='2 3 8' restore $A 1)" = "2 2 0 2" ]
}

# -- trim ------------------------------------------------------------------------

# sizes: messages that are kept, as they are noted and as they are
sizes() {
	local noted real=0 list bytes
	read -r bytes noted _ < <(rcli --raw get "$SIZE")
	for list in $(rcli --raw zrange "$ORDER" 0 -1 | awk '{ print $1 "::batch::" $2 }'); do
		((real += $(rcli llen "${P}consumer::$list"), bytes -= 400)) || :
		((bytes -= $(rcli memory usage "${P}consumer::$list" samples 0))) || :
	done
	echo "${noted:-0} $real ${bytes:-0}"
}
# gave_way ID: a batch of it did
gave_way() { rcli --raw zrange "${P}consumer::$1::kept" 0 -1 | grep -Fxq '0 -'; }
# trimmed [ARG...]: the reply without bytes
trimmed() { trim "$@" | awk '{ print $1, $2, $3, $4, ($6 > 0) }'; }

# kept_by_two: four batches of A and B, of 1, 2, 3 and 4 messages, acknowledged
# in this order
kept_by_two() {
	register $A
	register $B
	publish $C 1 a b b c c c d d d d e
	take $A 1 1
	take $B 1 2
	take $A 2 3
	take $B 2 4
	KEEP=60000 acknowledge $A 1 1
	KEEP=60100 acknowledge $B 1 1
	KEEP=60200 acknowledge $A 1 2
	KEEP=60300 acknowledge $B 1 2
}

@test "trim: the oldest give way, of all consumers of the queue, no more than must" {
	kept_by_two
	[ "$(sizes)" = "10 10 0" ]
	unchanged trim 10
	[ "$(trimmed 10)" = "0 0 0 4 0" ]
	[ "$(trimmed 9)" = "1 1 0 3 1" ]
	[ "$(rcli exists "${P}consumer::$A::batch::1")" = 0 ]
	[ "$(batch $B 1)" = "b b " ]
	[ "$(trimmed 6)" = "2 5 0 1 1" ]
	[ "$(rcli exists "${P}consumer::$A::batch::2" \
		"${P}consumer::$B::batch::1")" = 0 ]
	[ "$(batch $B 2)" = "d d d d " ]
	[ "$(sizes)" = "4 4 0" ]
	unchanged trim 6
	# So many at a time.
	KEEP=60000 acknowledge $A 0
	[ "$(trimmed 1 1)" = "1 4 0 0 1" ]
	[ "$(rcli --raw get "$SIZE" | cut -d ' ' -f 1,2)" = "0 0" ]
}

@test "trim: a bounded number of batches in a call" {
	kept_by_two
	[ "$(trimmed 1 2)" = "2 3 1 2 1" ]
	[ "$(trimmed 1 2)" = "2 7 0 0 1" ]
}

@test "trim: ends at a batch whose keys it was not given, and says which is next" {
	kept_by_two
	[[ "$(NAMED=1 trim 1)" =~ ^1\ 1\ 1\ 3\ [0-9]+\ [0-9]+\ $B\ 1\ $A\ 2\ $B\ 2$ ]]
	[ "$(batch $B 1)" = "b b " ]
	rcli zadd "$ORDER" 2 "$(rcli --raw zrange "$ORDER" 2 2)" \
		1 "$(rcli --raw zrange "$ORDER" 1 1)" >/dev/null
	[[ "$(NAMED=1 trim)" == "0 0 1 2 "*" $B 2 $B 1" ]]
}

@test "trim: what was kept for its time goes from the set, and is not missed" {
	kept_by_two
	for entry in 1 2; do
		rcli zadd "$ORDER" 1 "$(rcli --raw zrange "$ORDER" 2 2)" >/dev/null
	done
	[ "$(trimmed 0 1)" = "0 0 1 3 0" ]
	[ "$(trimmed 0)" = "0 0 0 2 0" ]
	[ "$(sizes)" = "5 5 0" ]
	rcli del "$ORDER"
	[ "$(trimmed 0)" = "0 0 0 0 0" ]
	[ "$(rcli exists "$SIZE")" = 0 ]
}

@test "trim: never what is unacknowledged, whatever the set says" {
	kept_by_two
	rcli zrange "$ORDER" 0 -1 >"$BATS_TEST_TMPDIR/entries"
	rcli zrange "${P}consumer::$A::kept" 0 -1 >"$BATS_TEST_TMPDIR/kept"
	[ "$(restore $A 0)" = "2 1 0 2" ]
	[ "$(sizes)" = "6 6 0" ]
	[ "$(trimmed 6)" = "0 0 0 2 0" ]
	# Entries that are too many: by a release that knows no such set.
	while read -r entry; do rcli zadd "$ORDER" 1e15 "$entry"; done <"$BATS_TEST_TMPDIR/entries"
	while read -r entry; do rcli zadd "${P}consumer::$A::kept" 1e15 "$entry"; done <"$BATS_TEST_TMPDIR/kept"
	trim 1
	[ "$(batch $A 1)$(batch $A 2)" = "a c c c " ]
	[ "$(restore $A 0)" = "0 1 0 0" ]
	[ "$(acknowledge $A 2 1 2)" = "2 2" ]
}

@test "trim: nothing is noted of a consumer that was swept" {
	kept_by_two
	rcli del "${P}consumer::$A::kept"
	[ "$(trimmed 1)" = "2 6 0 0 1" ]
	[ "$(rcli exists "${P}consumer::$A::kept")" = 0 ]
	gave_way $B
}

@test "trim: what gave way is told as lost, also of a consumer that is gone" {
	kept_by_two
	disown_consumer $B
	trim 1
	gave_way $A
	gave_way $B
	unchanged adopt $A $B ''
	[[ "$(acknowledged)" == *"$B 2"* ]]
	[ "$(restore $B 1)" = "0 0 1 1" ]
	[ "$(restore $A 0)" = "0 0 2 2" ]
	# A part of them: the rest is restored.
	publish $C 2 f g
	register $D
	take $D 1 1
	take $D 2 1
	KEEP=60000 acknowledge $D 1 1
	KEEP=60100 acknowledge $D 1 2
	trim 1
	[ "$(restore $D 0)" = "1 2 1 2" ]
	[ "$(batch $D 2)" = "f " ]
	# Until its time is over.
	[[ "$(adopt $A)" != *"$B "* ]]
	rcli zadd "${P}consumer::$B::kept" 1 '0 -' >/dev/null
	[[ "$(adopt $A)" == *"$B "* ]]
}

@test "trim: what an earlier release kept is restored, and only time bounds it" {
	three_kept
	while read -r entry; do
		rcli zrem "${P}consumer::$A::kept" "$entry"
		rcli zadd "${P}consumer::$A::kept" 1e15 "${entry% * *}"
	done < <(rcli --raw zrange "${P}consumer::$A::kept" 0 -1)
	rcli del "$ORDER" "$SIZE"
	unchanged trim 1
	[ "$(restore $A 1)" = "2 2 0 2" ]
	[ "$(rcli exists "$SIZE")" = 0 ]
	[ "$(kept_of $A)" = 1 ]
}

@test "trim: by maxmemory, three eighths of it, and none above three quarters" {
	own_redis
	introduce_all
	register $A
	line=$(printf 'x%.0s' {1..1000})
	payloads() { for ((i = 0; i < $1; i++)); do echo "$line"; done; }
	for batch in 1 2 3 4; do
		# shellcheck disable=SC2046 # one each
		publish $C $batch $(payloads 1000) >/dev/null
		QUIET=1 take $A $batch 1000
		KEEP=$((60000 + batch * 100)) acknowledge $A 1 $batch
	done
	unchanged trim
	used=$(rcli info memory | tr -d '\r' | sed -n 's/^used_memory://p')
	# Each has a megabyte; three of them are three eighths.
	rcli config set maxmemory 8400000
	((used < 8400000 * 3 / 4))
	[ "$(trimmed)" = "1 1000 0 3 1" ]
	unchanged trim
	# shellcheck disable=SC2046 # one each
	for batch in 5 6; do publish $C $batch $(payloads 1000) >/dev/null; done
	[ "$(trimmed)" = "1 1000 0 2 1" ]
	rcli config set maxmemory 3000000
	[ "$(trimmed)" = "2 2000 0 0 1" ]
	[ "$(rcli llen "$READY")" = 2000 ]
}

@test "trim, acknowledge, restore: an error changes nothing" {
	kept_by_two
	take $A 3 1
	# The time of one is over: it would go first.
	rcli zadd "$ORDER" 1 "$(rcli --raw zrange "$ORDER" 0 0)"
	for key in "$ORDER" "$SIZE"; do
		rcli rename "$key" "${P}aside"
		rcli lpush "$key" wrong
		unchanged trim 1
		[[ "$reply" == *WRONGTYPE* ]]
		KEEP=1000 unchanged acknowledge $A 1 3 3 0
		[[ "$reply" == *WRONGTYPE* ]]
		unchanged restore $A 0
		[[ "$reply" == *WRONGTYPE* ]]
		rcli del "$key"
		rcli rename "${P}aside" "$key"
	done
	[ "$(trimmed 1)" = "3 9 0 0 1" ]
}

# -- withdraw -------------------------------------------------------------------

@test "withdraw: what was picked goes, the oldest first, the rest stays in order" {
	reject a b c d e f
	[ "$(withdraw $A 1 ready 1 0 b 2 d 3 e)" = 3 ]
	[ "$(list "$REJECTED")" = "f c a " ]
	[ "$(list "$READY")" = "e d b " ]
	[ "$(withdraw $A 2 '' 0 0 a 2 f)" = 2 ]
	[ "$(list "$REJECTED")" = "c " ]
	[ "$(list "$READY")" = "e d b " ]
	ttl=$(rcli ttl "${P}withdrawer::$A")
	((ttl > 90 && ttl <= 100))
	[ "$(rcli exists "${P}withdrawer::$A::none")" = 0 ]
}

@test "withdraw: a lost reply repeated does nothing and tells the same" {
	reject x x x y
	withdraw $A 1 ready 0 0 x 1 x
	unchanged withdraw $A 1 ready 0 0 x 1 x
	[ "$reply" = 2 ]
	withdraw $B 1 '' 0 0 x 1 z
	unchanged withdraw $B 1 '' 0 0 x 1 z
	[ "$reply" = 1 ]
	[ "$(list "$REJECTED")" = "y " ]
	[ "$(list "$READY")" = "x x " ]
}

@test "withdraw: late from an old connection, or a gap, does nothing" {
	reject x x x
	withdraw $A 1 '' 0 0 x
	withdraw $A 2 ready 0 0 x
	unchanged withdraw $A 1 '' 0 0 x
	[ "$reply" = -1 ]
	unchanged withdraw $A 4 '' 0 0 x
	[ "$reply" = -1 ]
	rcli del "${P}withdrawer::$A"
	unchanged withdraw $A 3 '' 0 0 x
	[ "$reply" = -1 ]
}

@test "withdraw: what is no longer where it was seen is left alone" {
	reject a b c d
	rcli rpoplpush "$REJECTED" "$READY" # somebody returns a
	[ "$(withdraw $A 1 '' 0 0 a 1 b 2 c)" = 0 ]
	[ "$(list "$REJECTED")" = "d c b " ]
	reject e # at the other end: no matter
	[ "$(withdraw $A 2 '' 0 1 c 7 h)" = 1 ]
	[ "$(withdraw $A 3 '' 9 0 b)" = 0 ]
	[ "$(list "$REJECTED")" = "e d b " ]
	rcli del "$REJECTED"
	[ "$(withdraw $A 4 ready 0 0 b)" = 0 ]
	[ "$(list "$READY")" = "a " ]
}

@test "withdraw: many, deep and byte for byte, from either end" {
	seq 900 >"$BATS_TEST_TMPDIR/numbers"
	# shellcheck disable=SC2046 # one word each
	reject $(cat "$BATS_TEST_TMPDIR/numbers") $'a\xff\r\nb'
	# shellcheck disable=SC2046
	[ "$(withdraw $A 1 ready 100 $(for i in $(seq 0 2 99); do echo "$i $((i + 101))"; done))" = 50 ]
	# shellcheck disable=SC2046
	[ "$(withdraw $A 2 ready 749 $(for i in $(seq 0 2 99); do echo "$i $((i + 800))"; done))" = 50 ]
	withdraw $A 3 ready 800 0 $'a\xff\r\nb' >/dev/null
	rcli --raw lindex "$READY" 0 | cmp - <(printf 'a\xff\r\nb\n')
	rcli lpop "$READY" >/dev/null
	{ seq 101 2 199 && seq 800 2 899; } >"$BATS_TEST_TMPDIR/moved"
	rcli --raw lrange "$READY" 0 -1 | tac | cmp - "$BATS_TEST_TMPDIR/moved"
	rcli --raw lrange "$REJECTED" 0 -1 | tac |
		cmp - <(grep -vxFf "$BATS_TEST_TMPDIR/moved" "$BATS_TEST_TMPDIR/numbers")
}

@test "withdraw: an error withdraws nothing, repeating does it" {
	reject a b c
	rcli set "$READY" no-list
	[[ "$(withdraw $A 1 ready 0 0 a 2 c)" == *WRONGTYPE* ]]
	[ "$(list "$REJECTED")" = "c b a " ]
	[ "$(rcli get "$READY")" = no-list ]
	rcli del "$READY"
	[ "$(withdraw $A 1 ready 0 0 a 2 c)" = 2 ]
	[ "$(list "$READY") $(list "$REJECTED")" = "c a  b " ]
	[[ "$(withdraw $A 3 '' 0 0 b)" == -1 ]]
	rcli set "$REJECTED" no-list
	unchanged withdraw $A 2 '' 0 0 b
	[[ "$reply" == *WRONGTYPE* ]]
}

@test "withdraw: who may not call a command is told before anything changes" {
	local command
	own_redis
	introduce_all
	reject a b
	for command in lset lrem lpush set hincrby zrem unlink; do
		rcli acl setuser "no-$command" on nopass '~*' '+@all' "-$command"
		run rcli --user "no-$command" --no-auth-warning --pass x eval \
			"$(cat "$ROOT/lib/queue/lua/withdraw.lua")" 6 "$REJECTED" \
			"$READY" "${P}withdrawer::$A" none "${P}totals" \
			"$(times_key)" 1 100 mark 0 0 a ready
		[[ "$output" == *NOPERM* || "$output" == *"can't run this command"* ]]
		[ "$(list "$REJECTED")" = "b a " ]
		[ "$(rcli exists "$READY")" = 0 ]
	done
	[ "$(withdraw $A 1 ready 0 0 a)" = 1 ]
}

@test "withdraw: the times of what goes go, those of others stay" {
	register $A
	publish $B 1 a b c d a
	take $A 1 5
	acknowledge $A 1 1 1 0 1 1 1 2 1 3 1 4
	# One a goes: of the other one nothing is known.
	[ "$(withdraw $A 1 ready 0 0 a 2 c)" = 2 ]
	[ -z "$(time_of a)$(time_of c)" ]
	[ -n "$(time_of b)" ]
	[ -n "$(time_of d)" ]
	[ "$(withdraw $A 2 '' 0 0 x 1 d)" = 1 ]
	[ -n "$(time_of b)" ]
	[ -z "$(time_of d)" ]
	# What other programs took left its time; with the last message it goes.
	rcli zadd "$(times_key)" 1 stale
	[ "$(withdraw $A 3 '' 0 0 b 1 a)" = 2 ]
	[ "$(rcli exists "$REJECTED" "$(times_key)")" = 0 ]
}

# labelled INDEX: the label of that payload, oldest first, without its time
labelled() {
	rcli --raw lindex "$REJECTED" "$((-1 - $1))" | tr -d '\0' |
		LC_ALL=C sed 's/ [0-9]*"/ T"/;1s/^.\{4\}/H/'
}

@test "withdraw: a label is put into the header, and the payload stays" {
	local now
	rcli -x lpush "$REJECTED" <<<'' >/dev/null
	for text in a '{"x":["y"]}' ' { }'; do
		if [ "$text" = a ]; then printf a; else
			printf '\xff\x00\xbe\xbe\x4a%s\na' "$text"
		fi | rcli -x lpush "$REJECTED" >/dev/null
	done
	# By hand, for no argument has a NUL.
	rcli --raw eval "$(printf 'local KEYS, ARGV = KEYS, {"1", "100", "mark", "1", "0", "a", "T 1"}
		for i = 1, 2 do
			ARGV[#ARGV + 1] = i
			ARGV[#ARGV + 1] = redis.call("LINDEX", KEYS[1], -2 - i)
			ARGV[#ARGV + 1] = "T " .. i + 1
		end
		%s' "$(sed 1d "$ROOT/lib/queue/lua/withdraw.lua")")" 6 "$REJECTED" \
		"$READY" "${P}withdrawer::$A" none "${P}totals" "$(times_key)"
	[ "$(rcli llen "$REJECTED") $(rcli llen "$READY")" = '4 0' ]
	for n in 1 2 3; do labelled $n; done | diff - <(cat <<-'END'
		H{"incr-label":["T 1 T"]}
		a
		H{"incr-label":["T 2 T"],"x":["y"]}
		a
		H {"incr-label":["T 3 T"]  }
		a
	END
	)
	now=$(rcli --raw lindex "$REJECTED" -2 | tr -dc '[:print:]' |
		sed 's/.* \([0-9]*\)".*/\1/')
	((now > $(date +%s%3N) - 60000 && now <= $(date +%s%3N)))
}

@test "withdraw: a label is put on what was seen, by one sending of a call" {
	reject a a b
	[ "$(withdraw $A 1 'T 1' 0 0 a 2 x)" = 1 ]
	[[ "$(labelled 0)" = 'H{"incr-label":["T 1 T"]}'* ]]
	# Repeated, and late, when places have changed: the other a is not its.
	unchanged withdraw $A 1 'T 1' 0 0 a 2 x
	[ "$reply" = 1 ]
	rcli rpop "$REJECTED" >/dev/null
	[ "$(withdraw $A 2 'T 2' 0 1 b)" = 1 ]
	unchanged withdraw $A 1 'T 1' 0 0 a
	[ "$reply" = -1 ]
	# The key is renewed with it: WAIT is behind a write.
	rcli expire "${P}withdrawer::$A" 1 >/dev/null
	withdraw $A 2 'T 2' 0 1 b >/dev/null
	[ "$(rcli ttl "${P}withdrawer::$A")" -gt 90 ]
	[ "$(withdraw $A 3 ready 0 0 a)" = 1 ]
	[ "$(totals published)" = 1 ]
}

# -- peek and survey ------------------------------------------------------------

@test "peek: with the times at which the messages were rejected" {
	timed() { script peek 2 "$REJECTED" "$(times_key)" "$1" "$2" "${3:-99}" | xargs; }
	[ "$(timed 0 9)" = 0 ]
	reject x
	register $A
	publish $B 1 a b
	take $A 1 2
	acknowledge $A 1 1 1 0 1 1
	[ "$(timed 0 9)" = "3 x a b 0 $(time_of a) $(time_of b)" ]
	[ "$(timed 1 1)" = "3 a $(time_of a)" ]
	[ "$(timed 0 9 1)" = "3 x a 0 $(time_of a)" ]
	# What is no time.
	for score in -1 inf 1e300; do
		rcli zadd "$(times_key)" $score "$(printf a | sha1sum | cut -d ' ' -f 1)"
		[ "$(timed 1 1)" = "3 a 0" ]
	done
}

@test "peek: the oldest first, behind others, with the length" {
	publish $A 1 $(seq 1000) >/dev/null
	[ "$(peek "$READY" 0 3)" = "1000 1 2 3" ]
	[ "$(peek "$READY" 998 3)" = "1000 999 1000" ]
	[ "$(peek "$READY" 1000 3)" = 1000 ]
	[ "$(peek "$READY" 100 700)" = "1000 $(seq -s ' ' 101 800)" ]
	[ "$(peek none 0 3)" = 0 ]
}

@test "peek: at most so many bytes, but two payloads in any case" {
	publish $A 1 aaaa bbbb cccc dddd
	[ "$(peek "$READY" 0 9 12)" = "4 aaaa bbbb cccc" ]
	[ "$(peek "$READY" 0 9 11)" = "4 aaaa bbbb" ]
	[ "$(peek "$READY" 0 9 1)" = "4 aaaa bbbb" ]
	[ "$(peek "$READY" 0 1 1)" = "4 aaaa" ]
}

@test "survey: the lists, each consumer, its number, its batches" {
	[ "$(survey)" = "0 0" ]
	register $A
	register $B
	publish $C 1 a b c d
	reject x
	take $A 1 2
	take $A 2 1
	[[ "$(survey)" =~ ^1\ 1\ ($A\ 2\ 1\ 2\ 2\ 1\ $B\ 0|$B\ 0\ $A\ 2\ 1\ 2\ 2\ 1)$ ]]
	acknowledge $A 1 1
	[[ "$(survey)" == *"$A 2 2 1"* ]]
	unchanged survey
}

@test "survey: says which batches there are before it counts without one" {
	register $A
	register $B
	publish $C 1 a b c
	take $A 1
	rcli sadd "${P}consumers" "no id" >/dev/null
	NAMED=$B unchanged surveyed
	[[ "$reply" = "again $A $B 0" || "$reply" = "again $B 0 $A" ]]
	BATCHES='' unchanged surveyed
	[[ "$reply" = "again $A 1 1 $B 0" || "$reply" = "again $B 0 $A 1 1" ]]
	# One that is not there yet may be named.
	[[ "$(BATCHES='1 2' survey)" == *"$A 1 1 3"* ]]
}

@test "survey: what is newer than the caller has read, in a bound" {
	publish $C 1 a b c d
	reject x y
	[ "$(survey 4 2)" = "4 2" ]
	[ "$(survey 2 1)" = "4 2 d c y" ]
	[ "$(survey 5 0)" = "4 2 y x" ]
	[ "$(survey 0 2 3)" = "4 2 d c b" ]
	[ "$(survey 0 2 9 2)" = "4 2 d c" ]
	[ "$(survey 0 2 9 0)" = "4 2 d" ]
	# shellcheck disable=SC2046 # many words
	publish $C 2 $(seq 1000)
	[ "$(survey 987 2)" = "1004 2 $(seq -s ' ' 1000 -1 984)" ]
}

# -- totals ---------------------------------------------------------------------

@test "totals: a payload is counted at each step once, whatever is repeated" {
	register $A
	publish $B 1 a b c
	publish $B 1 a b c
	tagged $B 2 t d t d u e
	HIGH=1 publish $B 3 x
	LATE=1 publish $B 3 x
	publish $B 4 x
	[ "$(totals)" = 5 ]
	take $A 1 2
	take $A 1 2
	take $A 2 9
	[ "$(totals)" = "5 5" ]
	acknowledge $A 2 1 3
	acknowledge $A 1 1 1 0
	[ "$(totals)" = "5 5 2" ]
	[ "$(withdraw $A 1 '' 0 0 x)" = 0 ]
	reject f g
	[ "$(withdraw $A 2 '' 0 0 f)" = 1 ]
	[ "$(totals)" = "5 5 2" ]
	[ "$(withdraw $A 3 ready 0 0 g)" = 1 ]
	[ "$(withdraw $A 3 ready 0 0 g)" = 1 ]
	[ "$(totals)" = "6 5 2" ]
}

@test "totals: what is restored is not acknowledged, until it is once more" {
	register $A
	publish $B 1 a b c d
	take $A 1 3
	take $A 2 1
	KEEP=60000 acknowledge $A 2 1 2
	[ "$(totals acknowledged)" = 4 ]
	restore $A 1
	restore $A 1
	[ "$(totals acknowledged)" = 3 ]
	KEEP=60000 acknowledge $A 2 1 2
	[ "$(totals acknowledged)" = 4 ]
	restore $A 0
	[ "$(totals acknowledged)" = 0 ]
}

@test "totals: a key of another type refuses every call, and nothing is done" {
	register $A
	publish $B 1 a b c
	take $A 1 1
	take $A 2 1
	KEEP=60000 acknowledge $A 1 1
	reject x
	withdraw $A 1 '' 0 0 none
	rcli set "${P}totals" no-hash
	for call in "publish $B 2 d" "tagged $B 2 t d" "take $A 3" \
		"acknowledge $A 1 2 2 0" "restore $A 0" "withdraw $A 2 ready 0 0 x"; do
		# shellcheck disable=SC2086 # words
		unchanged $call
		[[ "$reply" == *WRONGTYPE* ]]
	done
}

@test "totals: what can't be pushed is not published" {
	publish $B 1 a
	reject x
	rcli del "$READY"
	rcli set "$READY" no-list
	unchanged publish $B 2 b
	[[ "$reply" == *WRONGTYPE* ]]
	unchanged tagged $B 2 t b
	[[ "$reply" == *WRONGTYPE* ]]
	withdraw $A 1 ready 0 0 x
	[ "$(totals)" = 1 ]
}

identify() { # ID HOW [LINES ROWS [MISSED]]
	of_consumers identify 4 "${P}database" "${P}totals" "${P}consumers" \
		"${P}none" batches -- "$1" "$2" "${3-}" "${4-}" "${5:-0}"
}

@test "identify: where the totals begin is noted with the first database" {
	register $A
	publish $B 1 a b c
	take $A 1 1
	acknowledge $A 1 1
	[ -z "$(identify $DB note 100 1)" ]
	[ "$(totals base)" = 99 ]
	[ "$(rcli get "${P}database")" = $DB ]
	# Later it has more lines.
	[ "$(identify $DB note 200 1)" = $DB ]
	[ "$(identify $C note 300 1)" = $DB ]
	[ "$(identify $DB look 300 1)" = $DB ]
	[ "$(identify $DB adopt)" = $DB ]
	[ "$(totals base)" = 99 ]
}

@test "identify: a batch that may be in the ledger, and nobody knows the base" {
	register $A
	publish $B 1 a b c
	take $A 1 1
	identify $DB note 100 1
	[ "$(rcli hexists "${P}totals" base)" = 0 ]
	# Nor if the ledger was not read.
	rcli del "${P}database"
	acknowledge $A 1 1
	identify $DB note
	[ "$(rcli hexists "${P}totals" base)" = 0 ]
	# A ledger without rows has no batch.
	rcli del "${P}database"
	take $A 2 1
	identify $DB note 0
	[ "$(totals base)" = -1 ]
}

@test "identify: another database has another base" {
	identify $DB note 0
	[ "$(identify $C adopt)" = $DB ]
	[ "$(rcli get "${P}database") $(rcli hexists "${P}totals" base)" = "$C 0" ]
	unchanged identify $DB settle 7
	[ "$reply" = $C ]
	[ "$(identify $C settle -7)" = $C ]
	[ "$(totals base)" = -7 ]
	[ "$(surveyed)" = "0 0 1 -7 0 0 $C" ]
}

@test "identify: what is settled is missed no longer, what came since is" {
	identify $DB note 0
	lacks $B $A 9
	[[ "$(surveyed)" == "0 0 1 0 0 9 "* ]]
	identify $DB settle 0 '' 5
	[ "$(totals missed)" = 4 ]
	# Settled twice.
	identify $DB settle 0 '' 5
	[ "$(totals missed)" = 0 ]
	unchanged identify $DB settle 0 '' 5
}

# -- maxmemory ------------------------------------------------------------------

@test "at maxmemory: publish is refused and does nothing, all others work" {
	own_redis
	introduce_all
	register $A
	register $B
	publish $C 1 a b c
	take $B 1 1
	tagged $D 1 t x u y
	rcli config set maxmemory 1
	unchanged publish $C 2 d
	[ "$reply" = 4 ]
	unchanged publish $C 1 a b c
	[ "$reply" = 2 ]
	unchanged publish $A 1 d
	[ "$reply" = 4 ]
	load_admit
	unchanged admit $A 1 d
	[[ "$reply" == "OOM "*"EXECABORT "* ]]
	# Tags tell what was pushed before, as at the high-water mark.
	unchanged tagged $D 2 n z t x t q '' w u y n r
	[ "$reply" = "4 -5 -2 2" ]
	unchanged tagged $D 2 t x u q
	[ "$reply" = "4 -1 1" ]
	unchanged tagged $D 1 t x u y
	[ "$reply" = 2 ]
	[[ "$(take $A 1 1)" == *" b" ]]
	[[ "$(take $A 2 1)" == *" c" ]]
	[[ "$(read_batch $A 1)" == "taken "* ]]
	rcli del "${P}publisher::$B"
	[ "$(introduce $B)" = 1 ]
	[[ "$(register $C)" =~ ^[0-9]{13}\ -1\ 0$ ]]
	[ "$(renew $A 1 $A)" = 1 ]
	disown_consumer $B
	[[ "$(adopt $A $B '')" == "$B 1"* ]]
	[ "$(acknowledge $B 1 1 1 0)" = "1 1" ]
	[ "$(list "$REJECTED")" = "a " ]
	[ "$(peek "$REJECTED" 0 1)" = "1 a" ]
	[[ "$(survey)" == "2 1 "* ]]
	[ "$(withdraw $A 1 ready 0 0 a)" = 1 ]
	[ "$(list "$READY")" = "a y x " ]
	rcli config set maxmemory 0
	reject b c
	rcli config set maxmemory 1
	[ "$(withdraw $A 2 '' 0 0 b)" = 1 ]
	[ "$(list "$REJECTED")" = "c " ]
	[ "$(mark $A)" = 1 ]
	rcli config set maxmemory 0
	[ "$(publish $C 2 d)" = 1 ]
}

# -- replicas ----------------------------------------------------------------

# writes COMMAND...: WAIT behind it is about what was written before it.
writes() {
	local before after
	before=$(rcli info persistence | grep -o 'changes_since_last_save:[0-9]*')
	"$@"
	after=$(rcli info persistence | grep -o 'changes_since_last_save:[0-9]*')
	[ "$before" != "$after" ]
}

@test "what is found done is written: WAIT behind it includes it" {
	own_redis
	introduce_all
	publish $A 1 a b
	writes publish $A 1 a b
	[ "$(publish $A 1 a b)" = 2 ]
	load_admit
	writes admit $A 1 a b
	publish $B 1 x
	tagged $B 2 t a
	rcli persist "$(SHELF)" # no mark has to be renewed
	export HIGH=1
	writes tagged $C 1 t a u b
	unset HIGH
	register $A
	take $A 1
	writes take $A 1
	[[ "$(take $A 1)" == taken* ]]
	writes read_batch $A 1
	[ "$(last $A)" = 1 ]
	# What is not there needs no proof, and neither does an empty look.
	not writes read_batch $A 2
	not writes publish $A 3 x
}

# aof: how many bytes it has
aof() { rcli info persistence | sed -n 's/^aof_current_size:\([0-9]*\).*/\1/p'; }

@test "an idle system: renewals, marks and looks leave the AOF alone" {
	local size ttl
	own_redis --auto-aof-rewrite-percentage 0
	introduce_all
	register $A
	register $B
	take $A 1
	mark $A
	size=$(aof)
	for call in "renew $A '' $A" "renew $A 1 $A" "mark $A" "mark $A 1000" \
		"take $A 1" "adopt_all $A" "adopt_all $B" "numbers" "holders $B"; do
		rcli set "${P}emptied" 1 ex 86400
		((size = $(aof)))
		eval "writes $call" >/dev/null || [[ "$call" == [nh]* ]]
		[ "$(aof)" = "$size" ] || { echo "$call"; return 1; }
	done
	# The first mark, and one in half a day, go there: what is read back tells
	# that there was one.
	ttl=$(rcli pttl "$(mark_key $A)")
	rcli pexpire "$(mark_key $A)" 43000000
	((size = $(aof)))
	mark $A
	(($(aof) > size))
	(($(rcli pttl "$(mark_key $A)") > 86000000 && ttl > 86000000))
	# So does that ready was empty.
	for call in "take $A 1" "adopt_all $A"; do
		rcli set "${P}emptied" 1 px 43000000
		((size = $(aof)))
		$call
		(($(aof) > size))
		(($(rcli pttl "${P}emptied") > 86000000))
	done
}

@test "an idle system: who reads its AOF knows that ready was empty before" {
	local when since pushed look
	own_redis --auto-aof-rewrite-percentage 0 --enable-debug-command yes
	introduce_all
	register $A
	for look in "take $A 1" "adopt_all $A"; do
		# For the first time, then by a clock that was ahead, set back.
		for was in '' $(($(date +%s%3N) + 3600000)); do
			rcli del "${P}emptied"
			[ ! "$was" ] || rcli set "${P}emptied" "$was" ex 86400
			$look
			rcli debug loadaof
			pushed=$(rcli get "${P}emptied")
			((0 < pushed && pushed <= $(date +%s%3N)))
		done
	done
	[ "$(renew $A 1 $A)" = 2 ]
	wait_for 5 is_past "$pushed"
	publish $B 1 a
	read -r when since < <(times "$(take $A 1)")
	((since == pushed && since < when))
}
is_past() { (($(date +%s%3N) > $1)); }

@test "an idle system: who reads its AOF finds a mark that has run out, no owner" {
	own_redis --auto-aof-rewrite-percentage 0 --enable-debug-command yes
	introduce_all
	register $A
	mark $A 1
	rcli pexpire "$(owner_key $A)" 1
	wait_for 5 owner_is_gone $A
	renew $A 1 $A
	mark $A
	rcli debug loadaof
	[ "$(rcli exists "$(owner_key $A)" "$(mark_key $A)")" = 1 ]
	[ "$(STRICT=1 adopt_look $A)" = "$A -1 1" ] ||
		[ "$(STRICT=1 adopt_look $A)" = "-1 1" ]
	# It lives on, as after an outage.
	[ "$(renew $A '' $A)" = 2 ]
	mark $A
	[ "$(take $A 1)" = empty ]
}
owner_is_gone() { [ -z "$(owner "$1")" ]; }

@test "adopt: a look renews who is idle and owns itself, nobody else, never for shorter" {
	register $A
	register $B
	rcli pexpire "$(owner_key $A)" 5000
	rcli pexpire "$(owner_key $B)" 5000
	[[ "$(adopt_all $A)" == *" 1 0" ]]
	(($(rcli pttl "$(owner_key $A)") > 5000))
	(($(rcli pttl "$(owner_key $B)") <= 5000))
	# Also one whose mark has run out: that is another half.
	rcli pexpire "$(owner_key $A)" 5000
	mark $A
	age_mark $A $LIFE
	[ "$(adopt_all $A)" = "-1 1 1 0" ]
	(($(rcli pttl "$(owner_key $A)") > 5000))
	rcli set "$(owner_key $A)" "$(record $B)" px 5000
	[ "$(adopt_all $A)" = "-1 1 0 0" ]
	[[ "$(adopt_all $B)" == *" 1 0" ]]
	rcli del "$(owner_key $B)"
	[[ "$(adopt_all $B)" == *" 0 0" ]]
	[ "$(rcli exists "$(owner_key $B)")" = 0 ]
	rcli set "$(owner_key $B)" "$(record $B)" px 5000
	[[ "$(IDLE='' adopt_all $B)" == *" 0 0" ]]
	(($(rcli pttl "$(owner_key $B)") <= 5000))
	rcli set "$(owner_key $B)" "$(record $B) end" px $((2 * LIFE))
	[[ "$(adopt_all $B)" == *" 1 0" ]]
	[[ "$(owner $B)" == *" end" ]]
	# A closed one, as renew does.
	rcli set "${P}consumer::$B::closed" '1 2 1'
	[[ "$(adopt_all $B)" == *" 0 0" ]]
	[ "$(renew $B '' $B)" = 0 ]
}

@test "adopt: a look tells what is ready, and notes that nothing is" {
	local now
	register $A
	now=$(date +%s%3N)
	[[ "$(adopt_all $A)" == *" 1 0" ]]
	(($(rcli get "${P}emptied") >= now))
	(($(rcli ttl "${P}emptied") > 86000))
	rcli set "${P}emptied" 1
	publish $B 1 a b
	[[ "$(adopt_all $A)" == *" 1 2" ]]
	[ "$(rcli get "${P}emptied")" = 1 ]
	# Whatever is wrong with them, others are adopted.
	for key in "$READY" "${P}emptied"; do
		rcli del "$READY" "${P}emptied"
		rcli hset "$key" no list
		[[ "$(adopt_all $A)" =~ \ 1\ (0|-1)$ ]]
	done
}

shards() { script shards 2 "${P}shards" "${P}version" "$1"; } # TOLD

@test "shards: the first number is noted, and stays" {
	rcli del "${P}version"
	[ "$(shards 0)" = 0 ]
	[ "$(rcli exists "${P}shards")" = 0 ]
	[ "$(shards 4)" = 4 ]
	unchanged shards 8
	[ "$reply" = 4 ]
	unchanged shards 0
	[ "$reply" = 4 ]
	[ "$(rcli ttl "${P}shards")" = -1 ]
}

@test "shards: a queue that a release before published to has one" {
	[ "$(rcli get "${P}version")" = 3 ] # by setup
	unchanged shards 0
	[ "$reply" = 1 ]
	[ "$(shards 4)" = 1 ]
	[ "$(rcli get "${P}shards")" = 1 ]
}

@test "shards, register: a consumer, or what others push, decides nothing" {
	rcli del "${P}version"
	rcli lpush "$READY" a
	register $A
	[ "$(rcli get "${P}version") $(rcli get "${P}shards")" = "3 0" ]
	[ "$(shards 0)" = 0 ]
	[ "$(shards 4)" = 4 ]
	# Nor does another one once it is decided.
	register $B
	[ "$(shards 8)" = 4 ]
	# A consumer of a queue of a release before knows that, too.
	rcli del "${P}shards"
	register $C
	[ "$(rcli exists "${P}shards")" = 0 ]
	[ "$(shards 4)" = 1 ]
}

@test "register: by how many shards keys are judged is noted once, for all batches" {
	rcli del "${P}version"
	OWN=1 unchanged register $A
	[[ "$reply" == TRYAGAIN* ]]
	shards 4
	OWN=1 register $A
	register $B
	rcli lpush "$READY" a b
	take $A 1 1
	take $B 1 1
	[ "$(read_batch $A 1 | sed 's/ [0-9]*//')" = "taken 4" ]
	[ "$(read_batch $B 1 | sed 's/ [0-9]*//')" = "taken 0" ]
	# Nothing that is noted later changes it.
	rcli set "${P}shards" 8
	[ "$(read_batch $A 1 | sed 's/ [0-9]*//')" = "taken 4" ]
	[ "$(read_batch $B 1 | sed 's/ [0-9]*//')" = "taken 0" ]
	# It goes with its consumer.
	acknowledge $A 1 1
	rcli del "$(owner_key $A)"
	adopt $B $A ''
	[ "$(rcli sismember "${P}consumers" $A)" = 0 ]
	[ "$(rcli exists "${P}consumer::$A::shards")" = 0 ]
}

@test "register: a queue of one shard has no keys of others" {
	shards 1
	OWN=1 register $A
	[ "$(rcli exists "${P}consumer::$A::shards")" = 0 ]
}

@test "shards: an error changes nothing" {
	rcli hset "${P}shards" a b
	unchanged shards 4
	[[ "$reply" == *WRONGTYPE* ]]
}

@test "introduce, register: replicas are noted, and raised, never lowered" {
	[ "$(rcli get "${P}replicas")" = '' ]
	register $A
	[ "$(rcli get "${P}replicas")" = '' ]
	REPLICAS=0 register $B
	[ "$(rcli get "${P}replicas")" = 0 ]
	REPLICAS=2 introduce $A
	[ "$(rcli get "${P}replicas")" = 2 ]
	REPLICAS=1 register $C
	REPLICAS=1 introduce $B
	[ "$(rcli get "${P}replicas")" = 2 ]
}
