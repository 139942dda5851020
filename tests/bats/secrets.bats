#!/usr/bin/env bats
# A password is in no argument, no message and no file, however its URL is
# written, and whatever the server does.

bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	S=s3cr3t-$BATS_SUITE_TEST_NUMBER-$$
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER-$$
	increment 1 >line
}

teardown() { end_background; }

# postgres_urls HOST: one per line; the last is of a service of ./services
postgres_urls() {
	cat <<-END
		postgresql://u:$S@/d?host=$1
		postgresql://u:$S?x@/d?host=$1
		postgresql://u:5432?$S@/d?host=$1
		postgresql://u:%73$S%40@/d?host=$1
		postgresql:///d?host=$1&user=u&password=$S
		postgresql:///d?user=u&%70assw%6frd=$S&host=$1
		postgresql:///d?user=u&sslpassword=$S&host=$1
		postgresql:///d?user=u&host=$1&sslp%61ssword=$S%26x
		host=$1 user=u dbname=d password=$S
		password = '$S x' host = $1 user=u dbname=d
		host=$1 user=u dbname=d password='a\\'b $S'
		host=$1 user=u dbname=d password=a\\ $S
		host=$1 user=u dbname=d sslpassword = '$S'
		service=incr-test password=$S
	END
}

# redis_urls PATH: one per line
redis_urls() {
	cat <<-END
		unix://u:$S@$1
		unix://:$S@$1?db=1
		redis://u:$S@127.0.0.1:1
		redis://:$S%3f@127.0.0.1:1/1
		redis://u:%70$S@nowhere.invalid
		rediss://u:$S@127.0.0.1:1
		redis-sentinel://u:$S@127.0.0.1:1?master=m
		redis-sentinel://127.0.0.1:1?master=m&sentinel-password=$S
		rediss-sentinel://127.0.0.1:1?master=m&sentinel-p%61ssword=$S
	END
}

# wrong_urls: a password, and something else is wrong
wrong_urls() {
	cat <<-END
		redis://u:$S?x@127.0.0.1:1
		redis://u:$S/x@127.0.0.1:1
		redis://u:$S%zz@127.0.0.1:1
		redis://u:$S@127.0.0.1:port
		redis-sentinel://u:$S@127.0.0.1:1
		http://u:$S@127.0.0.1:1
		postgresql://u:$S@[
		postgresql://u:$S@/d?nonsense=1
		host=h password='$S
		PASSWORD=$S
		password=x $S
	END
}

# silent FILE...: the password is in none of them
silent() {
	! grep -aF -e "$S" "$@" /dev/null || {
		echo "$command: $url"
		return 1
	}
}

# refused COMMAND...: of a URL in an argument, with its password not said
refused() {
	run -100 "$@" <line
	[[ $output != *"$S"* && ${#lines[@]} -eq 1 ]] || {
		echo "$* says $output"
		return 1
	}
}

@test "a URL with a password is refused as an argument, and not shown" {
	local program url
	while read -r url; do
		refused incr-flush -d "$url"
		refused incr-db "-d$url" show
	done < <(postgres_urls /nowhere; wrong_urls)
	while read -r url; do
		refused incr-publish -r "$url"
		refused incr-drain "--redis=$url"
	done < <(redis_urls /nowhere; wrong_urls | head -n 6)
	# The others, with one.
	url="postgresql:///d?user=u&%70assw%6frd=$S"
	refused incr-audit -d "$url"
	refused incr-db "--database=$url" create
	refused incr-db "--databse=$url" show
	refused incr-drain -- -d "$url"
	refused incr-pgenv "--database=$url" -- true
	url="redis-sentinel://h?master=m&sentinel-passw%6frd=$S"
	for program in consume flush audit ingest; do
		refused "incr-$program" -r "$url"
	done
	refused incr-rejected -r "$url" list
	refused incr-serve --rate 1/s --rate-shared --redis "$url"
	refused incr-db -r "$url" -y adopt
	refused incr-up "--redis=$url"
	for url in "http://u:$S@h/" "https://:$S@h/increment" "http://u:$S?x@h"; do
		refused incr-send -u "$url"
	done
}

@test "a URL in the wrong place is not shown either" {
	local program url="postgresql://u:$S@h/d"
	for program in "$BIN"/incr-*; do
		program=${program##*/}
		refused "$program" "$url"
		refused "$program" "--nonsense=$url"
		refused "$program" "-X$url"
	done
	refused incr-db show "$url"
	refused incr-db create "$url"
}

# muted KIND: takes connections at a Unix socket, and never says a word; MUTE is
# where
muted() {
	MUTE=$PWD/$1
	[ "$1" != postgres ] || MUTE=$PWD/.s.PGSQL.5432
	background perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(
		Local => $ARGV[0], Listen => 99) or die; sleep' "$MUTE"
	wait_for 5 test -S "$MUTE"
}

# all_arguments: of every process of this machine
all_arguments() { cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n'; }

# meanwhile NAME COMMAND...: while a program NAME of this session of COMMAND
# waits for its server, no process has the password in its arguments.
meanwhile() {
	local name=$1 session
	shift
	command=$*
	setsid "$@" <line >out 2>err 3>&- &
	session=$!
	remember "$session"
	wait_for 10 pgrep -s "$session" -x "$name" || {
		cat err
		return 1
	}
	all_arguments >arguments
	ps -eo args >>arguments
	silent arguments err
	kill -9 -- "-$session"
	wait "$session" || :
}

services() {
	printf '[incr-test]\nhost=%s\nuser=u\ndbname=d\npassword=other\n' \
		"$PWD" >services
	export PGSERVICEFILE=$PWD/services
}

@test "no child has a password in its arguments" {
	local url
	muted postgres
	services
	while read -r url; do
		export DATABASE_URL=$url
		meanwhile psql incr-db show
	done < <(postgres_urls "$PWD")
	printf '%s\n' "postgresql://u:$S?x@/d?host=$PWD" >url
	unset DATABASE_URL
	meanwhile psql incr-db -d "@$PWD/url" create
	meanwhile psql incr-db -d "@$PWD/url" -y clear
	meanwhile psql incr-pgenv -d "@$PWD/url" -- psql
	meanwhile incr-flush incr-db -d "@$PWD/url" -y adopt
	export DATABASE_URL=@$PWD/url REDIS_URL="unix://u:$S@$PWD/redis"
	muted redis
	meanwhile incr-flush incr-drain
	meanwhile incr-publish incr-ingest -l "$PWD/socket"
	PGPASSWORD=$S DATABASE_URL="postgresql:///d?host=$PWD" \
		meanwhile psql incr-db show
}

# tried COMMAND...: with servers that are away or refuse; a second at most
tried() {
	command=$*
	timeout -k 1 10 "$@" <line >out 2>err || :
	silent out err metrics/*
}

@test "no message and no metric has a password: a server that is away or wrong" {
	local url
	mkdir metrics
	use_redis
	services
	export INCR_METRICS_DIR=$PWD/metrics
	here=${REDIS_URL#unix://}
	for path in "$PWD/nobody" "$here"; do
		while read -r url; do
			export REDIS_URL=$url
			tried incr-publish -w 0.1
			tried incr-rejected -w 0.1 list
		done < <(redis_urls "$path"; wrong_urls)
	done
	REDIS_URL="unix://u:$S@$PWD/nobody"
	use_postgres
	create_role
	for path in "$PWD/nobody" "$INCR_SUITE/pg"; do
		while read -r url; do
			export DATABASE_URL=${url//user=u/user=$ROLE}
			DATABASE_URL=${DATABASE_URL//:\/\/u:/://$ROLE:}
			tried incr-flush -w 0.1
			tried incr-db show
		done < <(postgres_urls "$path"; wrong_urls)
	done
	tried incr-consume -o -w 0.1
	DATABASE_URL="postgresql://u:$S?x@/d?host=$PWD/nobody"
	tried incr-audit -w 0.1
	tried incr-drain -o -w 0.1 -- -w 0.1
	tried incr-up --state "$PWD/state"
	[ ! -e state ] || silent -r state
}

# create_role: one that is asked for a password
create_role() {
	ROLE=secret_$BATS_SUITE_TEST_NUMBER
	sql "drop role if exists $ROLE"
	sql "create role $ROLE login password 'right' in role with_password"
}
