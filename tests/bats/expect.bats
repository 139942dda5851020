#!/usr/bin/env bats
# incr-audit --expect FILE: which keys have more or less than expected.

bats_require_minimum_version 1.5.0
load helper

A=aaaaaaaa-0000-4000-8000-000000000001
B=aaaaaaaa-0000-4000-8000-000000000002
C=aaaaaaaa-0000-4000-8000-000000000003

setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	READY="rmq::queue::[$INCR_QUEUE]::ready"
	REJECTED="rmq::queue::[$INCR_QUEUE]::rejected"
}

teardown() { end_background; }

# flush: counts what is ready
flush() { incr-consume -o | incr-flush; }
# row KEY: expected, counted, waiting, rejected
row() { awk -v key="$1" '$1 == key { print $2, $3, $4, $5 }' out; }
# differs KEY ROW...: runs it; these keys differ and no other
differs() {
	local n=$(($# / 2))
	run -1 --separate-stderr incr-audit -e expected
	printf '%s\n' "$output" | tee out
	has "expected: $n of $(wc -l <expected) keys differ; 0 of them are not shown" <<<"$stderr"
	[ "$(awk 'found { n++ } $1 == "key" { found = 1 } END { print n - 1 }' out)" -eq $n ]
	while [ $# -gt 0 ]; do
		[ "$(row "$1")" = "$2" ]
		shift 2
	done
}
has() { grep -qF -- "$1"; }

@test "each place counts: table, taken, ready, rejected" {
	{ increment 1 $A; increment 2 $B; } | incr-publish
	flush
	increment 10 $A | incr-publish
	incr-consume -o >stream
	increment 100 $A | incr-publish
	rcli lpush "$REJECTED" "$(increment 1000 $A)" nonsense >/dev/null
	printf '%s 1111\n%s 2\n' $A $B >expected
	run -0 --separate-stderr incr-audit --expect expected
	[ -z "$stderr" ]
	printf '%s\n' "$output" >out
	[ "$(row all)" = '1113 3 110 1000' ]
	[ "$(grep -c . out)" -eq 9 ]
	printf '%s 1112\n%s 2\n%s 0\n' $A $B $C >expected
	differs $A '1112 1 110 1000'
	# Counted and not acknowledged: in the table once.
	consumer=$(sed -n 's/.*"consumer":"\([^"]*\)".*/\1/p;q' stream)
	sql "insert into incr_ledger values ('$consumer', '$INCR_QUEUE', 1)"
	sql "update increments set value = value + 10 where key = '$A'"
	differs $A '1112 11 100 1000'
}

@test "a count that is doubled, lost, or on another key is named" {
	{ increments 1 10; increment 5 $A; increment 7 $B; increment 9 $C; } |
		tee expected | incr-publish
	flush
	run -0 --separate-stderr incr-audit -e expected
	[ -z "$stderr" ]
	printf '%s 5\n%s 7\n%s 9\n%s 0\n' $A $B $C "${KEY%??}99" >expected
	sql "update increments set value = 10 where key = '$A'"
	sql "delete from increments where key = '$B'"
	sql "insert into increments values ('${KEY%??}99', 7)"
	differs $A '5 10 0 0' $B '7 0 0 0' "${KEY%??}99" '0 7 0 0'
	# The total is what keys of no line are compared by.
	printf '%s 9\n' $C >expected
	run -0 --separate-stderr incr-audit -e expected -e 81
	run -1 --separate-stderr incr-audit -e expected -e 82
	[ "$stderr" = 'incr-audit: total: 81, expected 82' ]
}

@test "each form of counts, and those of a key are added up" {
	{ increments 1 3; increment 5 $A; } | incr-publish
	incr-consume -o | incr-flush --sums >sums
	incr-db show >show
	incr-db -p show >plain
	incr-db --json show >json
	{ increments 1 3; increment 5 ${A^^}; } >sent
	printf '{"value":5,\t"key":"%s"}\n{"key":"%s","value":6}\n' $A "$KEY" >other
	printf '%s 2 x\n%s 3\n%s 6' $A $A "$KEY" >words
	for form in sums show plain json sent other words; do
		echo "$form"
		run -0 --separate-stderr incr-audit -e $form
		[ -z "$stderr" ]
		[[ $output == *$'\nall '*' 11 '*' 11 '*' 0 '* ]]
	done
	incr-audit -e - <json >out
	[ "$(row all)" = '11 11 0 0' ]
	# Digits only are a sum, whatever files there are.
	cp json 12
	run -1 --separate-stderr incr-audit -e 12
	[ "$stderr" = 'incr-audit: total: 11, expected 12' ]
	incr-audit -e ./12 >out
}

@test "many lines of few keys are added up; what fits no int64 is exact" {
	local max=9223372036854775807
	yes "$(increment $max)" | head -n 3000 | tee sent | incr-publish
	flush
	run -0 --separate-stderr incr-audit -e sent
	[[ $output == *' 27670116110564327421000 27670116110564327421000 '* ]]
	incr-db --json show | sed 's/1000,/1001,/' >expected
	differs "$KEY" '27670116110564327421001 27670116110564327421000 0 0'
}

@test "a file that is wrong: its line, 100, and no number" {
	wrong() { # LINE TEXT
		run -100 incr-audit -e file
		[ "$output" = "incr-audit: file: line $1: $2" ]
	}
	no='not a key and a count'
	for bad in x '' "$A" "$A x" "$A -1" "$A 1.5" "$A 07" "${A}1" \
		"{\"key\":\"$A\",\"value\":1.5}" "{\"key\":\"$A\",\"value\":01}" \
		"{\"key\":\"$A\",\"value\":1,\"updated_at\":\"x\"}x" \
		"{\"key\":\"$A\",\"value\":1,\"updated_at\":\"x}" \
		"{\"key\":\"$A\",\"value\":}" "{\"key\":\"$A\",\"value\":1" \
		'key | value' '----'; do
		printf '%s 1\n%s\t2\n%s\n' $A $B "$bad" >file
		wrong 3 "$no"
	done
	head -c 5000 /dev/zero | tr '\0' ' ' >file
	wrong 1 "$no"
	printf '%s 1%038d\n' $A 0 >file
	wrong 1 'a count of more than 38 digits'
	printf '%s %s\n%s 1\n' $A "$(printf 9%.0s {1..38})" $A >file
	wrong 2 'a count of more than 38 digits'
	# What was to write it has failed.
	: >file
	run -100 incr-audit -e file
	[ "$output" = 'incr-audit: file: has no count' ]
	run -100 incr-audit -e none
	[ "$output" = 'incr-audit: --expect: none: not a file that can be read, or a whole number of at most 38 digits' ]
	run -100 incr-audit -e .
	run -100 incr-audit -e ''
	run -100 incr-audit -e "1$(printf 0%.0s {1..38})"
	printf '%s 1\n' $A >file
	run -100 incr-audit -e file "$KEY"
	run -111 sh -c 'incr-audit -e - <&-'
	# A count of the table that can't be compared.
	sql "insert into increments values ('$A', 1e36)"
	run -100 incr-audit -e file
	[[ $output == *'or a count of 36' ]]
}

# some N: as many keys
some() { seq -f 'aaaaaaaa-0000-4000-8000-%012.0f' "$1"; }

@test "a bound on what is shown, and how many there are; --json" {
	some 1005 | sed 's/$/ 1/' >expected
	run -1 --separate-stderr incr-audit -e expected
	[ "$stderr" = 'incr-audit: expected: 1005 of 1005 keys differ; 5 of them are not shown' ]
	[ "$(grep -c ' 1  *0  *0  *0$' <<<"$output")" -eq 1000 ]
	[[ ${lines[-1]} == all*1005*0*0*0 ]]
	run -1 --separate-stderr incr-audit --json -e expected
	[ "$(perl -MJSON::PP -e '$_ = decode_json(<STDIN>); print scalar @{$_->{differences}}' <<<"$output")" = 1000 ]
	increment 3 $A | incr-publish
	printf '%s 2\n%s 0\n' $A $B >expected
	run -1 --separate-stderr incr-audit --json -e expected
	[[ $output == *',"expected_keys":{"keys":2,"differing":1,"expected":2,"counted":0,"waiting":3,"rejected":0},"differences":[{"key":"'$A'","expected":2,"counted":0,"waiting":3,"rejected":0}]}' ]]
	perl -MJSON::PP -e 'decode_json(<STDIN>)' <<<"$output"
}

# Lines of ten keys in turn: of whatever n are in the queue or the table, each
# key has a tenth, and the first ones one more.
in_turn() { # LINES
	seq "$1" | awk '{ printf "{\"key\":\"aaaaaaaa-0000-4000-8000-%012d\",\"value\":1}\n", $1 % 10 }'
}
has_turns() { # EACH: what all have in the end; prints how many there are
	perl -MJSON::PP -e '
		my ($each, %has) = shift;
		my $audit = decode_json(<STDIN>);
		$has{$_ % 10} = $each for 1 .. 10;
		for (@{$audit->{differences}}) {
			$has{0 + substr $_->{key}, -12} =
			    $_->{counted} + $_->{waiting} + $_->{rejected};
		}
		my $n = 0;
		$n += $_ for values %has;
		for (1 .. 10) {
			$has{$_ % 10} == int(($n + 10 - $_) / 10)
			    or die "key $_ of $n: $has{$_ % 10}\n";
		}
		print $n;' "$1"
}
drained() { has_ready 0 && no_batches; }

@test "exact at every look, key by key, while lines come and are counted" {
	local n=0 good=0 last=0 all status publisher
	in_turn 500 >lines
	# Of these nothing moves but from place to place.
	some 2000 | tail -n 1000 | sed 's/.*/{"key":"&","value":3}/' >fixed
	incr-publish <fixed
	cat lines fixed >expected
	(while read -r line; do
		echo "$line"
		[[ $line != *7\",* ]] || rcli lpush "$READY" nonsense >/dev/null
	done <lines | incr-publish) 3>&- &
	publisher=$!
	remember $publisher
	background setsid incr-drain -- -i 0.3
	until gone "$publisher" && drained; do
		status=0
		incr-audit --json -e expected >out 2>err || status=$?
		n=$((n + 1))
		if [ "$status" -eq 111 ]; then
			grep -q 'queue: moved' err
			continue
		fi
		all=$(has_turns 50 <out)
		[ "$status" -eq $((all < 500)) ]
		((all >= last))
		last=$all
		good=$((good + 1))
	done
	echo "$good of $n looks"
	((good > n / 2 && good > 2))
	incr-audit -e expected -e 3500 >out
	[ "$(row all)" = '3500 3500 0 0' ]
}

@test "many keys in bounded memory" {
	some 100000 | sed 's/.*/{"key":"&","value":1}/' >expected
	incr-flush <expected
	if sanitized incr-audit; then
		incr-audit -e expected >out
	else
		# 200 bytes a key, and what the program has without.
		(ulimit -v 60000 && incr-audit -e expected >out)
	fi
	[ "$(row all)" = '100000 100000 0 0' ]
}
