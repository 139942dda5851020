#!/usr/bin/env bats
# openapi.yaml says what incr-serve does: no more and no less.

bats_require_minimum_version 1.5.0
load helper
load ring

API=$ROOT/openapi.yaml
LINE=$(increment 3)

openapi() { "$ROOT/tests/http/openapi" "$@"; }

# A server whose queue can be told what to say, by the value it is given.
serve() { # [OPTION...]
	{
		token shop
		token barred -
		token slow 1/s:1
	} >"$DIR/tokens"
	ring told_by_value --tagged --tokens "$DIR/tokens" \
		--metrics 127.0.0.1:0 --head-timeout 0.3 --body-timeout 0.3 "$@"
	METRICS=$(sed -n 2p "$PORTS")
	mkdir "$DIR/answers"
}
token() { echo "$1 $(printf %s "$1" | sha256sum | cut -c1-64) ${2-}"; }

told_by_value() {
	local n=0 line code
	incr-validate -t -e | while IFS= read -r line; do
		n=$((n + 1)) code=
		case $line in
		*'"value":503}') code=unavailable ;;
		*'"value":504}') code=unknown ;;
		*'"value":422}') code=idempotency-key-reused ;;
		*'"value":4001}') code=not-tagged ;;
		*'"value":4002}') code=faulty-header ;;
		*'"value":4003}') code=wrong-shard ;;
		esac
		[ -z "$code" ] ||
			line=${line%%$'\t'*}$'\t'"{\"error\":{\"code\":\"$code\",\"detail\":\"\",\"line\":$n}}"
		printf '%s\n' "$line"
	done
}

# kept LABEL: its input is an answer to a request that LABEL names.
kept() {
	answers=$((${answers:-0} + 1))
	{
		echo "$1"
		cat
	} >"$DIR/answers/$answers"
}
last_is() { sed -n 2p "$DIR/answers/$answers" | grep -q "^HTTP/1.1 $1 "; }
# as TOKEN LABEL [CURL'S ARGUMENT...]
as() {
	kept "$2" < <(curl -si --raw -m 10 --unix-socket "$SOCK" \
		-H "Authorization: Bearer $1" -X "${2% *}" "${@:3}" \
		"http://x${2#* }")
}
# bytes LABEL [MORE]: a request line and Host, and MORE of the request
bytes() {
	kept "$1" < <(raw "$1 ${VERSION-HTTP/1.1}\r\nHost: x\r\n${2-}")
}
# head_of LABEL PORT [CURL'S ARGUMENT...]
head_of() {
	kept "$1" < <(curl -sI -m 10 "${@:3}" "http://127.0.0.1:$2${1#* }")
}

@test "openapi.yaml is OpenAPI 3.1, and of this version" {
	openapi valid "$API"
	grep -qx "  version: $(sed -n 's/^VERSION ?= //p' "$ROOT/Makefile")" "$API"
}

@test "what is no OpenAPI, or contradicts itself, is not taken for valid" {
	local edit n=0
	while IFS= read -r edit; do
		n=$((n + 1))
		sed -e "$edit" "$API" >"$DIR/bad.yaml"
		not cmp -s "$DIR/bad.yaml" "$API"
		run openapi valid "$DIR/bad.yaml"
		[ "$status" -ne 0 ] || {
			echo "taken: $edit"
			return 1
		}
	done <<-'END'
		s/^openapi: .*/openapi: 3.0.0/
		s/^  title: incr$/  titel: incr/
		s/^  \/health\/live:/  health:/
		s/^      operationId: getLive/      operationId: getReady/
		s/^    post:/    brew:/
		s/'202': {description/'2002': {description/
		s/type: integer, minimum: 1,/type: int, minimum: 1,/
		s/responses\/Unknown'/responses\/Unnown'/
		s/^    Timeout:/    Forbidden:/
		s/key: 6f1b3c1e-.*, value: 3/key: 6f1b3c1e, value: 3/
		s/            code: forbidden/            code: unauthorized/
		s/security: \[{bearer/security: [{bear/
		s/^    Allow:$/    Also:/
	END
	[ "$n" -eq 13 ]
}

@test "its paths and methods are those that answer: else 404, 405 with Allow" {
	local path method allow at other as
	serve
	sed -n 's/^    \[ROUTE_.*{"\([^"]*\)",.*/\1/p' "$ROOT/lib/serve/routes.c" |
		sort >"$DIR/routes"
	openapi operations "$API" | sed 's/^[A-Z]* //' | sort -u |
		diff "$DIR/routes" -
	while read -r path; do
		at=$PORT
		[ "$path" != /metrics ] || at=$METRICS
		allow=$(openapi operations "$API" | sed -n "s:^\([A-Z]*\) $path\$:\1:p" |
			grep -vx OPTIONS | paste -sd ,) # which needs --cors
		for method in GET HEAD POST PUT PATCH DELETE OPTIONS TRACE BREW; do
			as=(-X "$method")
			[ "$method" != HEAD ] || as=(-I)
			curl -s -m 5 "${as[@]}" -D "$DIR/head" -o "$DIR/body" \
				"http://127.0.0.1:$at$path"
			if [[ ",$allow," == *",$method,"* ]]; then
				not grep -qE '^HTTP/1.1 40[45]' "$DIR/head"
			else
				grep -q '^HTTP/1.1 405 ' "$DIR/head"
				[ "$(sed -n 's/^Allow: \(.*\).$/\1/p' "$DIR/head" | tr -d ' ' |
					tr , '\n' | sort | paste -sd ,)" = "$allow" ]
			fi
		done
		for other in "$path/" "/$path" "$path;a" "${path^^}" "$path%20" \
			"/v1$path" "${path%??}"; do
			[ "$(curl -s --path-as-is -o "$DIR/body" -w '%{http_code}' \
				"http://127.0.0.1:$at$other")" = 404 ]
		done
	done <"$DIR/routes"
	for other in "$PORT/metrics" "$METRICS/increment" "$METRICS/health/live" \
		"$PORT/" "$PORT/openapi.yaml"; do
		[ "$(curl -s -o "$DIR/body" -w '%{http_code}' \
			"http://127.0.0.1:$other")" = 404 ]
	done
}

@test "every status, code and example of it is answered so, and no other" {
	local path label text tries method
	serve
	for path in /increment /increments; do
		label="POST $path"
		as shop "$label" -d "$LINE" -H 'Idempotency-Key: "k"'
		as shop "$label" -d x
		as none "$label" -d "$LINE"
		as barred "$label" -d "$LINE"
		bytes "$label" 'Authorization: Bearer shop\r\nContent-Length: 9\r\n\r\n'
		last_is 408
		bytes "$label" 'Authorization: Bearer shop\r\nContent-Length: 1048577\r\n\r\n'
		last_is 413
		bytes "$label" 'Expect: x\r\n\r\n'
		as shop "$label" -d "$LINE" -H 'Content-Encoding: gzip'
		as shop "$label" -d "$(increment 422)"
		tries=0
		until [ "$tries" -gt 0 ] && last_is 429; do # 202 once a second
			[ $((tries += 1)) -le 20 ]
			as slow "$label" -d "$LINE"
		done
		bytes "$label" "X: $(printf %8200s x)\r\n\r\n"
		as shop "$label" -d "$(increment 503)"
		as shop "$label" -d "$(increment 504)"
		VERSION=HTTP/2.0 bytes "$label" '\r\n'
	done
	# More lines than its rate allows, of a body with a length and without.
	increments 1 99 >"$DIR/many"
	too_many() {
		as slow 'POST /increments' --data-binary "@$DIR/many"
		grep -q 'at most 61' "$DIR/answers/$answers"
	}
	wait_for 8 too_many
	cut_off() {
		as slow 'POST /increments' -H 'Transfer-Encoding: chunked' \
			--data-binary "@$DIR/many"
		last_is 207
	}
	wait_for 8 cut_off
	grep -q '^Retry-After: ' "$DIR/answers/$answers"
	# The examples of requests.
	sed -n '/^              {"key/,/^      resp/p' "$API" |
		sed -n 's/^              {/{/p' | head -n 2 >"$DIR/asked"
	as shop 'POST /increments' --data-binary "@$DIR/asked"
	as shop 'POST /increments' --data-binary "$LINE"$'\n{"value":1}\n'
	# Each reason why a body is none, then what a key may not be.
	for text in '' '[]' '{"value":1}' "{\"key\":\"$KEY\"}" \
		"{\"key\":\"$KEY\",\"value\":1,\"x\":1}" \
		"{\"key\":\"$KEY\",\"value\":1,\"value\":1}" '{"key":"x","value":1}' \
		"$(increment 1.5)" "$(increment 0)" '{"error":{}}' \
		"$(increment 4001)" "$(increment 4002)" "$(increment 4003)"; do
		as shop 'POST /increment' -d "$text"
	done
	as shop 'POST /increment' -d "$LINE" -H 'Idempotency-Key: "'
	as shop 'POST /increment' -d "$LINE" -H 'Incr-Line-Offset: 1'
	kept 'POST /increment' < <(curl -si --unix-socket "$SOCK" -d "$LINE" \
		http://x/increment)
	kept NotFound < <(curl -si --unix-socket "$SOCK" http://x/no)
	kept MethodNotAllowed < <(curl -si --unix-socket "$SOCK" \
		http://x/increment)

	for path in live ready; do
		as shop "GET /health/$path"
		head_of "HEAD /health/$path" "$PORT"
		for method in GET HEAD; do
			bytes "$method /health/$path" 'Expect: x\r\n\r\n'
			VERSION=HTTP/2.0 bytes "$method /health/$path" '\r\n'
		done
	done
	for method in GET HEAD; do
		tries=0
		until [ "$tries" -gt 0 ] && last_is 503; do # for a second
			[ $((tries += 1)) -le 20 ]
			as shop 'POST /increment' -d "$(increment 503)"
			if [ $method = HEAD ]; then
				head_of 'HEAD /health/ready' "$PORT"
			else
				as shop 'GET /health/ready'
			fi
		done
	done
	PORT=$METRICS
	kept 'GET /metrics' < <(curl -si "http://127.0.0.1:$METRICS/metrics")
	head_of 'HEAD /metrics' "$METRICS"
	for method in GET HEAD; do
		bytes "$method /metrics" 'Expect: x\r\n\r\n'
		VERSION=HTTP/2.0 bytes "$method /metrics" '\r\n'
	done

	line_offsets
	answers_with_cors
	answers_of_caddy
	openapi seen "$API" "$DIR"/answers/* >"$DIR/seen"
	openapi promised "$API" | diff - "$DIR/seen"
}

# Of answers to requests that have one.
line_offsets() {
	local path body offset=(-H 'Idempotency-Key: "o"' -H 'Incr-Line-Offset: 7')
	for path in /increment /increments; do
		for body in "$LINE" x "$(increment 422)" "$(increment 503)" \
			"$(increment 504)" "$LINE"$'\n{}'; do
			as shop "POST $path" --data-binary "$body" "${offset[@]}"
		done
		for token in none barred slow slow; do
			as $token "POST $path" -d "$LINE" "${offset[@]}"
		done
		as shop "POST $path" -d "$LINE" -H 'Content-Encoding: gzip' "${offset[@]}"
		as shop "POST $path" -d "$LINE" -H 'Expect: x' "${offset[@]}"
		as shop "POST $path" -H 'Content-Length: 1048577' -m 2 "${offset[@]}"
		as shop "POST $path" -H 'Content-Length: 9' -m 2 "${offset[@]}"
	done
}

# Of a second server; the first one has answered OPTIONS, too.
answers_with_cors() {
	local path method
	for path in /increment /increments; do
		as shop "OPTIONS $path"
		bytes "OPTIONS $path" 'Expect: x\r\n\r\n'
	done
	second --cors https://shop.example
	for path in /increment /increments; do
		as shop "OPTIONS $path" -H 'Origin: https://shop.example' \
			-H 'Access-Control-Request-Method: POST'
		last_is 200
		as shop "POST $path" -d "$LINE"
	done
	kept MethodNotAllowed < <(curl -si --unix-socket "$SOCK" \
		http://x/increment)
	for path in no increment; do
		method=NotFound
		[ $path = no ] || method=MethodNotAllowed
		kept "$method HEAD" < <(curl -sI --unix-socket "$SOCK" "http://x/$path")
	done
	# It has no place for more connections.
	second --max-connections 1 --cors '*'
	exec {idle}<>"/dev/tcp/127.0.0.1/$PORT"
	until [ "$(ss -Htn state established "sport = :$PORT" | wc -l)" = 1 ]; do :; done
	as shop 'POST /increment' -d "$LINE"
	last_is 503
	exec {idle}>&-
}

# second OPTION...: another server, of which are SOCK, PORT and METRICS now
second() {
	seconds=$((${seconds:-0} + 1))
	local DIR=$DIR/$seconds
	mkdir "$DIR"
	mkfifo "$DIR/l" "$DIR/v"
	SOCK=$DIR/s PORTS=$DIR/ports
	serve "$@"
}

# Of a Caddy whose server cuts one connection, and then is gone.
answers_of_caddy() {
	local path port upstream tries=0
	second
	perl "$BATS_TEST_DIRNAME/faulty.pl" "$DIR/faulty" "$SOCK" x cut cut \
		>"$DIR/met" 3>&- &
	upstream=$!
	remember "$upstream"
	wait_for 5 test -s "$DIR/faulty"
	port=$(free_port)
	XDG_DATA_HOME=$DIR XDG_CONFIG_HOME=$DIR INCR_SITE=http://:$port \
		INCR_UPSTREAMS=127.0.0.1:$(cat "$DIR/faulty") background \
		caddy run --config "$ROOT/Caddyfile" --adapter caddyfile \
		>"$DIR/caddy.log" 2>&1
	through() { # LABEL PATH CURL'S ARGUMENT...
		kept "$1" < <(curl -si -m 10 -H 'Authorization: Bearer shop' \
			"http://127.0.0.1:$port$2" "${@:3}")
	}
	wait_for 10 curl -sf "http://127.0.0.1:$port/health/ready"
	for path in /increment /increments; do
		through "POST $path" $path -d "$LINE"
		last_is 502
	done
	through 'POST /increments' /increments -d "$LINE"
	last_is 202
	kept ProxyUnknown < <(tail -n +2 "$DIR/answers/$((answers - 1))")
	kill "$upstream"
	until [ "$tries" -gt 0 ] && last_is 503; do
		[ $((tries += 1)) -le 50 ]
		answers=$((answers - (tries > 1)))
		through ProxyUnavailable /increment -d "$LINE"
	done
}

@test "its codes and statuses are those of the sources" {
	cd "$ROOT/lib"
	{
		sed -nE 's/^[[:space:]]*X\([A-Z_]+, "([a-z-]+)",.*/\1/p' record/fault.h
		grep -hoE '(code = |code\[\] = |[45][0-9]{2}, )"[a-z-]+"' ./*/*.c |
			sed 's/.*"\(.*\)"/\1/'
	} | sort -u >"$DIR/codes"
	openapi promised "$API" | sed -n 's/^code //p' | diff "$DIR/codes" -
	# With those of no path, and those that are read by no path's default.
	grep -oE '\bX\([2-5][0-9]{2},' http/http_status.h |
		grep -oE '[0-9]+' | sort -u >"$DIR/statuses"
	{
		openapi promised "$API" | grep -oE ' [2-5][0-9]{2}$' |
			tr -d ' ' | grep -vx 502 # which is Caddy's
		printf '404\n405\n'
	} | sort -u | diff "$DIR/statuses" -
}
