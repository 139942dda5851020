# How it ends, and whether everything was counted as it was answered.
# shellcheck shell=bash

# Without faults and clients everything comes to rest, and leaves in order.
settle() {
	local which began=$SECONDS
	rm -f "$D/send"
	heal
	wait_for 150 clients_ended || wrong "clients do not end: $(
		processes | xargs -r ps -o pid=,ppid=,etimes=,stat=,args= -p)"
	wait_for 90 at_rest || wrong 'not drained'
	wait_for 120 none_leaves || wrong 'an incr-up does not leave'
	rm -f "$D/run"
	for which in a b; do stop_supervisor "$which"; done
	topology_leave
	wait_for 30 none_left ||
		wrong "left running: $(processes | xargs -r ps -o args= -p)"
	wait_for 20 no_owners || wrong 'consumers live'
	last_drains
	echo "chaos: at rest after $((SECONDS - began)) s"
	[ -z "$cheat" ] || "cheat_$cheat"
}

# The life of each that has left is over: of nobody else is it known before.
no_owners() { ! all_keys | grep -q '::owner$'; }

# They sweep all consumers but their own.
last_drains() {
	local queue
	REDIS_URL=$(rig_url)
	export REDIS_URL
	for queue in $(queues); do
		timeout 120 incr-consume -o -q "$queue" 2>>"$D/sweep" |
			timeout 120 incr-flush -i 1 -q "$queue" 2>>"$D/sweep" ||
			wrong "the last drain of $queue: $? $(<"$D/sweep")"
	done
}

# Counts once more what was counted, as if the ledger had let it through.
cheat_double() {
	sql "update increments set value = 2 * value where key =
		(select min(key::text)::uuid from increments
		where key::text not like '00000000-%')"
}

# Somebody was told 202, and nobody has it.
cheat_loss() {
	sql "delete from increments where key =
		(select min(key::text)::uuid from increments
		where key::text not like '00000000-%')"
}

clients_ended() {
	local pid
	for pid in "${clients[@]}"; do gone "$pid" || return; done
}
at_rest() { has_ready 0 && no_batches; }
# Whom a fault told to leave may take a minute for the queue; told twice it would
# leave at once, with 111.  Another one comes after it.
none_leaves() {
	local which pid
	for which in a b; do
		pid=$(<"$D/$which.pid")
		! gone "$pid" && ! grep -qx "$pid" "$D/up_told" || return 1
	done
}
none_left() { [ -z "$(processes | xargs -r ps -o comm= -p | grep -v '^proxy$')" ]; }

stop_supervisor() {
	local pid n status
	pid=$(<"$D/$1.pid")
	n=$(grep -c '^incr-up' "$D/statuses")
	kill "$pid"
	wait_for 90 gone "$pid" || wrong "incr-up $1 does not leave"
	wait_for 10 told_status "$n"
	status=$(grep '^incr-up' "$D/statuses" | tail -n 1)
	[ "$status" = 'incr-up 0' ] || wrong "$1: at the end $status"
}

told_status() { [ "$(grep -c '^incr-up' "$D/statuses")" -gt "$1" ]; }

judge() {
	local bad=0
	tell_faults
	account || bad=1
	staleness || bad=1
	judge_letters || bad=1
	judge_keys || bad=1
	judge_statuses || bad=1
	if [ -s "$D/wrong" ]; then
		cat "$D/wrong"
		bad=1
	fi
	return "$bad"
}

# A line for each kind of fault, and what the proxies did.
tell_faults() {
	local count name vain
	touch "$D/vain"
	cut -d ' ' -f 2 "$D/faults" | sort | uniq -c |
		while read -r count name; do
			vain=$(grep -cx "$name" "$D/vain")
			echo "chaos: fault $name: $((count - vain)) times$([ "$vain" = 0 ] ||
				echo ", $vain in vain")"
		done
	for name in "${proxies[@]}"; do
		[ ! -s "$D/proxy.$name" ] ||
			echo "chaos: proxy $name: $(tally <"$D/proxy.$name")"
	done
}

# Lines and how often each comes: "a 3, b 1".
tally() {
	sort | uniq -c | awk '{ n = $1; sub(/^ *[0-9]* /, "")
		printf "%s%s %d", s, $0, n; s = ", " }'
}

# -- increments --------------------------------------------------------------

# Sums are as large as Postgres makes them, so it is Postgres who compares.
account() {
	local differences disk
	for disk in "${disks[@]}"; do
		[ -z "${CHAOS_MOUNTS-}" ] ||
			mount -o remount,size=4g "$D/$disk"
	done
	{
		echo 'create table said (class text, key uuid, value numeric,
			verdict text, why text, at double precision);'
		echo 'copy said from stdin;'
		cat "$D"/said.*
		printf '%s\n' '\.'
		cat "$ROOT/tests/chaos/account.sql"
	} | psql -XAtq -v ON_ERROR_STOP=1 -d "$DATABASE_URL" >"$D/account" ||
		return
	sed -n 's/^class /chaos: /p' "$D/account"
	differences=$(sed -n 's/^difference /chaos: /p' "$D/account")
	[ -z "$differences" ] || {
		head -n 40 <<<"$differences"
		return 1
	}
}

# -- how long it took ---------------------------------------------------------

staleness() {
	local differences
	{
		echo 'create temporary table slots (name text,
			began double precision, ended double precision,
			promise double precision, excuse text);'
		echo 'copy slots from stdin;'
		cat "$D/slots"
		printf '%s\n' '\.'
		echo 'create temporary table stalls (began double precision,
			ended double precision);'
		echo "copy stalls from stdin (delimiter ' ');"
		cat "$D/stalls"
		printf '%s\n' '\.'
		cat "$ROOT/tests/chaos/staleness.sql"
	} | psql -XAtq -v ON_ERROR_STOP=1 -v pace="$pace" \
		-d "$DATABASE_URL" >"$D/staleness" || return
	sed -n 's/^class /chaos: /p' "$D/staleness"
	differences=$(sed -n 's/^difference /chaos: /p' "$D/staleness")
	[ -z "$differences" ] || {
		head -n 40 <<<"$differences"
		return 1
	}
}

# -- what is left ------------------------------------------------------------

judge_letters() {
	local pushed
	pushed=$(find "$D/letters" -type f | wc -l)
	find "$D/letters" -type f -exec sha1sum {} + | cut -c 1-40 |
		sort >"$D/letters.pushed"
	rejected_digests | grep . | sort >"$D/letters.rejected"
	echo "chaos: $pushed dead letters"
	diff "$D/letters.pushed" "$D/letters.rejected" >"$D/letters.diff" || {
		echo "chaos: dead letters differ: < pushed, > rejected"
		head "$D/letters.diff"
		return 1
	}
}

rejected_digests() {
	local queue key
	for queue in $(queues); do
		key=$(key_of rmq "$queue" rejected)
		rcli_at "$key" --raw eval "local digests = {}
			for _, p in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
				digests[#digests + 1] = redis.sha1hex(p)
			end
			return digests" 1 "$key"
	done
}

# Of consumers only the last one of each queue is left; of all others what lasts, and for a
# day the number of their last batch.
judge_keys() {
	local bad=0 consumers
	at_rest || {
		echo "chaos: $(ready) ready, batches: $(batches)"
		bad=1
	}
	consumers=$(left_consumers | sort -u | wc -l)
	[ "$consumers" -le "$(queues | wc -l)" ] || {
		echo "chaos: keys of $consumers consumers"
		bad=1
	}
	all_keys | awk '
	# What belongs to a queue has the name of one, and its kind before it.
	match($0, /::queue::[[{]chaos(\.[0-9]+)?[]}]::/) {
		kind = substr($0, 1, RSTART - 1)
		$0 = (kind == "incr" ? "" : kind "::") substr($0, RSTART + RLENGTH)
	}
	!/^(publisher|marks|seen|consumer)::/ &&
	!/^(consumers|database|version|emptied|replicas|shards|rejected::times|totals|upgraded|rmq::queues)$/ &&
	!/^chaos::pushed$/ && !/^rmq::rejected$/ {
		print "chaos: key left: " $0
		bad = 1
	}
	END { exit bad }' || bad=1
	return "$bad"
}

# Ids, also more than once.
left_consumers() {
	local queue key
	for queue in $(queues); do
		key=$(key_of incr "$queue" consumers)
		rcli_at "$key" --raw smembers "$key"
	done
	all_keys | grep '::consumer::' | expiring_last |
		sed 's/.*::consumer::\([^:]*\)::.*/\1/'
}

# Leaves out numbers of last batches that will go by themselves.
expiring_last() {
	local key
	while read -r key; do
		[[ $key == *::last ]] && [ "$(rcli_at "$key" pttl "$key")" -gt 0 ] ||
			echo "$key"
	done
}

# 137 and 143 are ours; 100 and 101 are nobody's, nor is an abort.  Only
# incr-audit may take trouble for a wrong configuration: nothing depends on it.
judge_statuses() {
	! grep -q ' trouble ' "$D/faults" || sed -i '/^incr-audit 100$/d' \
		"$D/statuses"
	[ ! -e "$D/up_first" ] || sed -i '/^incr-up 100$/d' "$D/statuses"
	# A standby that took over lacks batches until they are restored.
	! grep -q ' lag_promote ' "$D/faults" || sed -i '/^incr-audit 1$/d' \
		"$D/statuses"
	sed -n 's/^incr-up: \([a-z]*\)[-0-9]*: exit status \([0-9]*\).*/\1 \2/p' \
		"$D/a.err" "$D/b.err" | cat - "$D/statuses" >"$D/ended"
	echo "chaos: ended: $(tally <"$D/ended")"
	! grep -vE '^[^ ]* (0|111|129|130|137|143)$|^(drain|ingest|incr-(publish|send|flush)) 1$' \
		"$D/ended" | sort -u |
		sed 's/^/chaos: ended with a status that nothing explains: /' |
		grep .
}
