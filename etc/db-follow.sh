#!/bin/sh
# db-follow.sh: incr-db show --follow, for incr-db alone, which reads it.
#
# Each look at the table is a transaction of its own, so a pooler may hand on
# the connection, and one that fails is made again.
#
# shellcheck disable=SC2154,SC2034 # set and used by incr-db

# The statement of a large table takes long: rest for nine times as long, so
# that the server has a tenth of one processor to do at most, and a second at
# least.
follow_counts() {
	[ "$format" != table ] || format=plain
	begin_changes
	trap 'end_changes 0' INT TERM HUP
	trap : PIPE
	since=
	waiting=
	while :; do
		read -r began _ </proc/uptime
		failed=0
		answer=$(look 2>&1) || failed=$?
		end=
		[ "$failed" -ne 0 ] || end=.
		# A look also fails when the filter is gone; that is no outage.
		echo "$end" 2>/dev/null >&3 || break
		if [ "$failed" -eq 0 ]; then
			since=$answer
			waiting=
		else
			look_failed "$failed" "${answer#incr-db: }"
		fi
		rest "$began" || break
	done
	exec 3>&-
	wait "$changes" || written $?
	exit 0
}

# The filter of the rows, behind a pipe that has no name any more.
begin_changes() {
	folder=$(mktemp -d) || exit 111 # it has said why
	mkfifo "$folder/rows" || exit 111
	print_changes <"$folder/rows" &
	changes=$!
	exec 3>"$folder/rows"
	rm -r "$folder"
}

end_changes() {
	kill "$changes" ${nap:+"$nap"} 2>/dev/null || :
	exit "$1"
}

# A reader that has gone is no failure of ours.
written() {
	[ "$1" -eq 141 ] || die 111 "stdout: not written"
}

# What was right once is an outage later, whatever is said of it.
look_failed() {
	[ -n "$since" ] || {
		say "$2"
		end_changes "$1"
	}
	[ -n "$waiting" ] || say "$2; waiting"
	waiting=1
}

# look: rows to descriptor 3; on standard output when that was by the clock of
# the server.  What commits late has an earlier time than others before it, so
# that each look begins half a minute before the last one.
look() {
	if [ -n "$keys" ]; then
		begin="'-infinity'"
	else
		begin="coalesce(nullif('$since', '')::timestamptz, now())
			- interval '30 seconds'"
	fi
	{
		printf '%s\n' 'select now() as now \gset' '\warn now :now'
		echo "select $(count_columns) from increments where" \
			"${keys:+key in ($keys) and} updated_at >=" \
			"$begin" 'order by updated_at, key;'
	} | {
		print_rows
		printf '%s\n' "$said" | sed -n 's/^now //p'
	}
}

# Of the rows of each look, those that are new; of the first look at keys that
# were given, all.  A look ends with a dot, one that failed with an empty line.
print_changes() {
	at=1
	terminal=
	[ "$format" != json ] || at=9 # behind {"key":"
	[ ! -t 1 ] || terminal=1
	# Of mawk, which else reads on until its buffer is full; others ignore it.
	# shellcheck disable=SC2016 # of awk
	exec env LC_ALL=C awk -W interactive -v known="${keys:+1}" -v terminal="$terminal" \
		-v at="$at" '
		$0 == "." {
			for (key in row)
				if (look[key] != n) {
					delete row[key]
					delete look[key]
				}
			n++
			known = 1
			fflush()
			next
		}
		$0 != "" {
			if (terminal)
				gsub(/[^ -~\t]/, "?")
			key = substr($0, at, 36)
			if (known && (!(key in row) || row[key] != $0))
				print
			row[key] = $0
			look[key] = n
		}' 2>/dev/null
}

# rest BEGAN: since which time of /proc/uptime the look took.  1 if the reader
# has gone meanwhile, which tail(1) sees by a poll of its standard output.
rest() {
	read -r ended _ </proc/uptime
	hundredths=$((9 * (${ended%.*}${ended#*.} - ${1%.*}${1#*.})))
	[ "$hundredths" -ge 100 ] || hundredths=100
	timeout "$((hundredths / 100)).$(printf %02d $((hundredths % 100)))" \
		tail --pid=$$ -f /dev/null 2>/dev/null 3>&- &
	nap=$!
	rested=0
	wait "$nap" || rested=$?
	nap=
	case $rested in
	124) ;;
	141) return 1 ;;
	*) sleep 1 ;;
	esac
}
