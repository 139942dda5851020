# Completion of incr for bash.  Written by etc/completions/generate from --help.
# shellcheck shell=bash

# What a word of incr-x may be: words (options and commands), with_value
# (options whose value is not suggested), files, folders (options whose value
# is one), runs (a command follows --), operand.
_incr_of() {
	words='' with_value='' files='' folders='' signals='' runs='' operand=''
	case $1 in
	'incr-audit')
		words='-q --queue -r --redis -d --database -s --shards -w --wait -e --expect --json --settle -h --help -V --version'
		with_value='-q --queue -r --redis -d --database -s --shards -w --wait'
		files='-e --expect'
		;;
	'incr-consume')
		words='-q --queue -r --redis -R --replicas -n --batch -o --once --peek --own-keys --list-shards -w --wait --check --no-sandbox -h --help -V --version'
		with_value='-q --queue -r --redis -R --replicas -n --batch --peek -w --wait'
		;;
	'incr-db')
		words='create clear show load adopt -d --database -q --queue -r --redis -p --plain --json --top --follow --name --partitions -y --yes -h --help -V --version'
		with_value='-d --database -q --queue -r --redis --top --name --partitions'
		;;
	'incr-drain')
		words='-q --queue -r --redis --all --check -h --help -V --version -R --replicas -n --batch -o --once --peek --own-keys --list-shards -w --wait --no-sandbox'
		with_value='-q --queue -r --redis -R --replicas -n --batch --peek -w --wait'
		;;
	'incr-drain --')
		words='-q --queue -r --redis -d --database -i --interval -m --max-keys -k --keep --high-water -w --wait -g --grace --adopt --load --sums --check --no-sandbox -h --help -V --version'
		with_value='-q --queue -r --redis -d --database -i --interval -m --max-keys -k --keep --high-water -w --wait -g --grace --adopt --load'
		;;
	'incr-flush')
		words='-q --queue -r --redis -d --database -i --interval -m --max-keys -k --keep --high-water -w --wait -g --grace --adopt --load --sums --check --no-sandbox -h --help -V --version'
		with_value='-q --queue -r --redis -d --database -i --interval -m --max-keys -k --keep --high-water -w --wait -g --grace --adopt --load'
		;;
	'incr-ingest')
		words='-q --queue -r --redis -s --shards -w --wait -g --grace --idempotency-window --check -h --help -V --version -l --listen -t --tagged --tokens --open --rate --rate-shared --trust --cors --metrics --port-file --max-connections --max-in-flight --max-batches --linger --head-timeout --body-timeout --verdict-timeout --write-timeout --idle-timeout --no-sandbox'
		with_value='-q --queue -r --redis -s --shards -w --wait -g --grace --idempotency-window -l --listen --rate --trust --cors --metrics --max-connections --max-in-flight --max-batches --linger --head-timeout --body-timeout --verdict-timeout --write-timeout --idle-timeout'
		files='--tokens --port-file'
		;;
	'incr-keep')
		words='-e --end --hold -p --pidfile -s --signal -h --help -V --version'
		with_value='--hold'
		files='-p --pidfile'
		signals='-s --signal'
		runs='yes'
		;;
	'incr-listen')
		words='-h --help -V --version'
		runs='yes'
		;;
	'incr-metrics')
		words='-s --serve --open --port-file --no-sandbox -h --help -V --version'
		with_value='-s --serve'
		files='--port-file'
		operand='folder'
		;;
	'incr-pgenv')
		words='-d --database -h --help -V --version'
		with_value='-d --database'
		runs='yes'
		;;
	'incr-publish')
		words='-q --queue -r --redis -R --replicas -s --shards -e --echo -t --tagged --idempotency-window --high-water -w --wait -g --grace --check --no-sandbox -h --help -V --version'
		with_value='-q --queue -r --redis -R --replicas -s --shards --idempotency-window --high-water -w --wait -g --grace'
		;;
	'incr-rejected')
		words='-q --queue -r --redis -s --shards -w --wait -c --code -n --number -a --all --raw -y --yes --no-sandbox -h --help -V --version'
		with_value='-q --queue -r --redis -s --shards -w --wait -c --code -n --number'
		;;
	'incr-send')
		words='-u --url -c --concurrency -w --wait --timeout --single --key --no-keys --cacert --token --no-sandbox -h --help -V --version'
		with_value='-u --url -c --concurrency -w --wait --timeout --key'
		files='--cacert --token'
		;;
	'incr-serve')
		words='-l --listen -t --tagged -g --grace --tokens --open --rate --rate-shared -r --redis --trust --cors --metrics --port-file --max-connections --max-in-flight --max-batches --linger --head-timeout --body-timeout --verdict-timeout --write-timeout --idle-timeout --check --no-sandbox -h --help -V --version'
		with_value='-l --listen -g --grace --rate -r --redis --trust --cors --metrics --max-connections --max-in-flight --max-batches --linger --head-timeout --body-timeout --verdict-timeout --write-timeout --idle-timeout'
		files='--tokens --port-file'
		;;
	'incr-token')
		words='list --tokens --rate -h --help -V --version'
		with_value='--rate'
		files='--tokens'
		;;
	'incr-top')
		words='-o --once --every -w --wait --ascii --no-color --cacert --no-sandbox -h --help -V --version'
		with_value='--every -w --wait'
		files='--cacert'
		operand='folder'
		;;
	'incr-up')
		words='--ingests --drains --shards --port --state --metrics-port --maxmemory --tokens --open --check --rest --resume -h --help -V --version'
		with_value='--ingests --drains --shards --port --metrics-port --maxmemory'
		files='--tokens'
		folders='--state'
		;;
	'incr-validate')
		words='-e --echo -t --tagged -g --grace --no-sandbox -h --help -V --version'
		with_value='-g --grace'
		;;
	esac
}

_incr() {
	local words with_value files folders signals runs operand
	local name=${1##*/} now=$2 before=$3 i
	for ((i = 1; i < COMP_CWORD; i++)); do
		[ "${COMP_WORDS[i]}" = -- ] || continue
		_incr_of "$name"
		if [ "$runs" ]; then
			if ((COMP_CWORD == i + 1)); then
				mapfile -t COMPREPLY < <(compgen -c -- "$now")
			else
				mapfile -t COMPREPLY < <(compgen -f -- "$now")
			fi
			return
		fi
		name="$name --"
		break
	done
	_incr_of "$name"
	if [ "$before" = = ]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	elif [ "$now" = = ]; then
		now=''
	fi
	case " $files " in *" $before "*) operand=file words='' ;; esac
	case " $folders " in *" $before "*) operand=folder words='' ;; esac
	case " $signals " in *" $before "*)
		words=$(kill -l | grep -oE "SIG[A-Z0-9]+" | sed s,SIG,,)
		operand=""
		;;
	esac
	case " $with_value " in *" $before "*) return ;; esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$now"
		case $operand in
		file) compgen -f -- "$now" ;;
		folder) compgen -d -- "$now" ;;
		esac)
}

complete -o filenames -F _incr \
	incr-audit \
	incr-consume \
	incr-db \
	incr-drain \
	incr-flush \
	incr-ingest \
	incr-keep \
	incr-listen \
	incr-metrics \
	incr-pgenv \
	incr-publish \
	incr-rejected \
	incr-send \
	incr-serve \
	incr-token \
	incr-top \
	incr-up \
	incr-validate
