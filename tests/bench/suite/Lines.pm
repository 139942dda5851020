# The paths of lines and batches: validate, publish, take, flush.
package Lines;
use strict;
use warnings;
use Bench;
use Digest::SHA 'sha1_base64';

my $READY = 'rmq::queue::[bench]::ready';

# -- validate ----------------------------------------------------------------

my @BAD = (
	'{"key":"x","value":1}', '{"value":1}', 'no json at all', '{"key":"%s"}',
	'{"key":"%s","value":0}', '{"key":"%s","value":1.5}', '{"key":"%s","value":"1"}',
	'{"key":"%s","value":99999999999999999999}', '[1,2]', '{"key":7,"value":1}',
);

# judged N, FORM: a file of lines that are not canonical
sub judged {
	my ($n, $form) = @_;
	my $file = "$dir/$form.$n";
	return $file if -e $file;
	open(my $f, '>', $file) or die "$file: $!\n";
	for my $i (0 .. $n - 1) {
		my $text = $form eq 'bad' ? $BAD[$i % @BAD]
			: $i % 2 ? '{"key": "%s", "value": 3}' : '{"value":3,"key":"%s"}';
		$text =~ s/%s/Bench::key($i % 1000)/e;
		print $f "$text\n";
	}
	close $f or die "$file: $!\n";
	return $file;
}

sub validate {
	my $n = $size{lines};
	# As many of those that are compared: the start of the program is in each line.
	my %in = (canonical => lines($n, 1000), plain => judged($n, 'plain'),
		bad => judged($n / 4, 'bad'));
	for my $side (sides()) {
		for my $form ('canonical', 'plain', 'bad') {
			my @bad = $form eq 'bad' ? '-e' : ();
			my ($us) = spent({ side => $side, in => $in{$form} }, 'incr-validate', @bad);
			my $of = $form eq 'bad' ? $n / 4 : $n;
			note('validate', $form, $side, { validate => $us / $of * 1000 }, 'ns');
		}
	}
	return not_run('jq', 'not installed') unless has_program('jq');
	my ($us) = spent({ in => judged($n / 8, 'plain') }, 'jq', '-c', '.');
	note('validate', $_, 'jq', { jq => $us / ($n / 8) * 1000 }, 'ns') for 'plain', 'bad';
}

# -- publish -----------------------------------------------------------------

my %redis; # memory, aof

sub servers {
	$redis{memory} //= start_redis('memory', '--appendonly', 'no');
	$redis{aof} //= start_redis('aof', '--appendonly', 'yes');
	return map { ($_, $redis{$_}) } 'memory', 'aof';
}

# measured REDIS, N, CODE: microseconds and bytes of AOF for each of N
sub measured {
	my ($redis, $n, $code) = @_;
	my ($us, $aof) = ($redis->us, $redis->aof);
	$code->();
	return (($redis->us - $us) / $n, ($redis->aof - $aof) / $n);
}

sub publish {
	my %server = servers();
	my $n = $size{lines} / 2;
	for my $kind ('memory', 'aof') {
		my $redis = $server{$kind};
		for my $side (sides()) {
			$redis->clear;
			my $own;
			my ($us, $bytes) = measured($redis, $n, sub {
				($own) = spent({ side => $side, in => lines($n, 1000) },
					'incr-publish', '-r', $redis->{url});
			});
			note('publish', $kind, $side, { redis => $us, publish => $own / $n });
			note('publish', $kind, $side, { redis => $bytes }, 'B') if $kind eq 'aof';
		}
		$redis->clear;
		my ($us, $bytes) = measured($redis, $n, sub { $redis->fill('ref', $n) });
		note('publish', $kind, 'LPUSH', { redis => $us });
		note('publish', $kind, 'LPUSH', { redis => $bytes }, 'B') if $kind eq 'aof';
	}
	one_by_one($server{memory});
}

# The next line follows the verdict.
sub one_by_one {
	my ($redis) = @_;
	my $n = $size{calls};
	my $line = '{"key":"' . Bench::key(1) . "\",\"value\":1}\n";
	for my $side (sides()) {
		my $us;
		my $own = by_publish($side, $redis, sub {
			my ($push) = @_;
			($us) = measured($redis, $n, sub { $push->($line) for 1 .. $n });
		});
		note('publish', 'one', $side, { redis => $us, publish => $own / $n });
	}
	return unless passing();
	note('publish', 'one', 'LPUSH', { redis => one_after_another($redis, $n,
		BenchRedis::words('LPUSH', 'ref', $line)) });
	note('publish', 'one', 'commands', { redis => commands_alone($redis, $n, 1, 0) });
}

# by_publish SIDE, REDIS, CODE, OPTION...: calls CODE with a function that has lines
# pushed by incr-publish and returns once all have a verdict; the CPU of incr-publish
sub by_publish {
	my ($side, $redis, $code, @options) = @_;
	$redis->clear;
	pipe(my $in, my $to) or die "pipe: $!\n";
	pipe(my $from, my $out) or die "pipe: $!\n";
	my $pid = spawn({ side => $side, in => $in, out => $out }, 'incr-publish', '-e', @options,
		'-r', $redis->{url});
	close $_ for $in, $out;
	$code->(sub {
		my ($lines) = @_;
		syswrite $to, $lines;
		for (my $left = $lines =~ tr/\n//; $left > 0;) {
			sysread($from, my $verdicts, 65536) or die "publish has left\n" . Bench::said();
			$left -= $verdicts =~ tr/\n//;
		}
	});
	close $to;
	my ($own) = ended($pid, 'incr-publish');
	return $own;
}

# one_after_another REDIS, N, CALL...: microseconds of Redis for each of N, as incr-publish
# makes them: it is woken for a line, and for the reply
sub one_after_another {
	my ($redis, $n, @calls) = @_;
	my $us;
	$redis->relayed(sub {
		my ($relay) = @_;
		($us) = measured($redis, $n, sub {
			@calls > 1 ? map { $relay->times(1, $_) } @calls : $relay->times($n, @calls);
		});
	});
	return $us;
}

# What publish.lua calls, and nothing else: no condition, no reply to read.
my $COMMANDS = <<'END';
local call = redis.pcall
call('TIME')
call('GET', KEYS[3])
call('SADD', KEYS[2], ARGV[3])
if #KEYS > 4 then
    call('HDEL', KEYS[5], '')
    call('DEL', KEYS[5])
    call('GET', KEYS[6])
end
local at = #KEYS > 4 and 10 or 7
for key = 7, #KEYS, 2 do
    call('HGET', KEYS[key + 1], ARGV[at])
    call('HSETNX', KEYS[key], ARGV[at], ARGV[6])
    call('PEXPIRE', KEYS[key], ARGV[7])
    at = at + 1
end
call('SET', KEYS[3], ARGV[6], 'EX', ARGV[2])
call('HINCRBY', KEYS[4], 'published', ARGV[1])
call('LPUSH', KEYS[1], unpack(ARGV, at))
return {1, 0, 0}
END

# bare_call REDIS, LINE, LINES, TAGS, WHICH: the call of a script of these alone, with as
# many lines and tags.  Without tags LINE is the last that it has.
sub bare_call {
	my ($redis, $line, $lines, $tags, $which) = @_;
	my $own = 'incr::queue::[bench]::';
	my $sha = $redis->{commands} //= $redis->call('SCRIPT', 'LOAD', $COMMANDS);
	my @pairs = map { ($which * 7919 + $_ * 13) % 128 } 1 .. $tags;
	my @keys = ($READY, 'rmq::queues', "${own}publisher::" . Bench::key(0), "${own}totals");
	push @keys, "${own}marks::", "${own}marks::turn" if $tags;
	push @keys, map { my $p = $_; map { sprintf '%smarks::%d.%02x', $own, $_, $p } 1, 2 } @pairs;
	return BenchRedis::words('EVALSHA', $sha, scalar @keys, @keys, $lines, 172800, 'bench',
		0, 9999999999999, '12345678901234567', $tags ? (90000000, 0, '') : (),
		(map { sprintf '%09d%09d', $which, $_ } 1 .. $tags), ($line) x $lines);
}

# commands_alone REDIS, N, LINES, TAGS: microseconds of Redis for each of N lines, so
# many a call, with as many tags
sub commands_alone {
	my ($redis, $n, $lines, $tags) = @_;
	my $line = '{"key":"' . Bench::key(1) . '","value":1}';
	my @calls = map { bare_call($redis, $line, $lines, $tags, $_) } 1 .. $n / $lines;
	$redis->clear;
	return one_after_another($redis, $lines * @calls, @calls);
}

# -- instructions ------------------------------------------------------------

# Those of Redis, without the kernel's, for a line: they do not depend on what else the
# machine does.
sub instructions {
	return not_run('instructions', 'valgrind is not installed') unless has_program('valgrind');
	# Where valgrind may not trace, the other paths are run all the same.
	my $redis = eval {
		local @Bench::under = ('valgrind', '--tool=callgrind', "--callgrind-out-file=$dir/callgrind");
		my $started = start_redis('counted', '--appendonly', 'no', '--hz', 1);
		dump_counts($started);
		$started;
	} or return not_run('instructions', 'valgrind does not count here');
	my $line = '{"key":"' . Bench::key(1) . '","value":1}';
	my $n = $size{calls} / 20;
	for (['one', 1, 0], ['keyed', 10, 10, '-t']) {
		my ($case, $lines, $tags, @options) = @$_;
		my @text = map { my $i = $_; join '', map { tag($tags, $i * $lines + $_) . "$line\n" }
			1 .. $lines } 1 .. $n / $lines;
		for my $side (sides()) {
			by_publish($side, $redis, sub {
				my ($push) = @_;
				$push->(tag($tags, 0) . "$line\n"); # it has loaded its scripts
				note_counted($redis, $case, $side, $n, sub { $push->($_) for @text });
			}, @options);
		}
		my @calls = map { bare_call($redis, $line, $lines, $tags, $_) } 1 .. $n / $lines;
		$redis->clear;
		note_counted($redis, $case, 'commands', $n, sub { $redis->times(1, $_) for @calls });
	}
	stop($redis->{pid});
}

# As incr-serve makes it of an Idempotency-Key.
sub tag {
	my ($tags, $i) = @_;
	return $tags ? substr(sha1_base64($i) =~ tr:+/:_-:r, 0, 24) . ".1\t" : '';
}

my $dumps = 0;

sub note_counted {
	my ($redis, $case, $side, $n, $code) = @_;
	dump_counts($redis);
	$code->();
	note('instructions', $case, $side, { redis => dump_counts($redis) / $n }, 'instructions');
}

# What valgrind has counted since the last time.
sub dump_counts {
	my ($redis) = @_;
	system("callgrind_control -d $redis->{pid} >>$dir/log 2>&1") == 0 or die "callgrind_control\n";
	my $file = "$dir/callgrind." . ++$dumps;
	my ($n) = Bench::whole($file) =~ /^totals: (\d+)/m or die "$file: no total\n";
	return $n;
}

# -- take --------------------------------------------------------------------

sub take {
	my %server = servers();
	my $n = $size{lines} / 2;
	start_postgres();
	for my $kind ('memory', 'aof') {
		my $redis = $server{$kind};
		for my $side (sides()) {
			$redis->clear;
			$redis->fill($READY, $n);
			my $bytes_waiting = $redis->call('MEMORY', 'USAGE', $READY, 'SAMPLES', 0);
			note('take', $kind, $side, { redis => $bytes_waiting / $n }, 'B waiting')
				if $kind eq 'memory';
			my @own;
			my ($us, $bytes) = measured($redis, $n, sub {
				@own = pipeline({ side => $side },
					['incr-consume', '-o', '-r', $redis->{url}],
					['incr-flush', '-r', $redis->{url}, '-d', "dbname=$side"]);
			});
			die "take: the queue is not empty\n" if $redis->call('LLEN', $READY);
			note('take', $kind, $side, { redis => $us, consume => $own[0] / $n,
				flush => $own[1] / $n });
			note('take', $kind, $side, { redis => $bytes }, 'B') if $kind eq 'aof';
		}
		$redis->clear;
		$redis->fill($READY, $n);
		my ($us, $bytes) = measured($redis, $n, sub {
			$redis->times($n / 10000, BenchRedis::words('LMPOP', 1, $READY, 'RIGHT',
				'COUNT', 10000));
		});
		note('take', $kind, 'LMPOP', { redis => $us });
		note('take', $kind, 'LMPOP', { redis => $bytes }, 'B') if $kind eq 'aof';
	}
	as_rmq($server{memory});
}

# The commands of a worker with adjust/rmq, each a call: RPOPLPUSH of a message, of up
# to ten that are in work, and LREM when it is acknowledged.
sub as_rmq {
	my ($redis) = @_;
	my $n = $size{calls};
	$redis->clear;
	$redis->fill($READY, $n);
	my ($us) = measured($redis, $n, sub {
		for (1 .. $n / 10) {
			my @taken = map { $redis->call('RPOPLPUSH', $READY, 'unacked') } 1 .. 10;
			$redis->call('LREM', 'unacked', 1, $_) for @taken;
		}
	});
	die "take: not all were acknowledged\n" if $redis->call('EXISTS', $READY, 'unacked');
	note('take', 'memory', 'rmq', { redis => $us });
}

# The scripts alone, with no program around them: the median of seven turns, as one of
# 100,000 messages takes only 15 ms, and two such differ by a third.
sub scripts {
	my $commit = $size{scripts};
	open(my $f, '-|', "$size{root}/tests/bench/scripts", '-c', $commit,
		'-r', $size{backlog} > 40000 ? 7 : 1, '-b', $size{backlog} > 40000 ? $size{backlog} : 40000,
		'take + acknowledge', 'publish 1000') or die "scripts: $!\n";
	<$f>;
	while (<$f>) {
		my ($case, $rest) = unpack 'A28 a*';
		my @number = $rest =~ /([\d.]+) us +(-?[\d.]+) B/g;
		note('scripts', $case, $_, { redis => shift @number }), shift @number
			for 'before', 'here', @number > 4 ? 'ref' : ();
	}
	close $f or not_run('scripts', "tests/bench/scripts -c $commit failed");
}

# -- flush -------------------------------------------------------------------

sub flush {
	start_postgres();
	my $most = $size{keys};
	for my $keys (1, $most / 10, $most) {
		for my $side (sides()) {
			sql($side, 'truncate increments');
			my $in = lines($size{lines}, $keys);
			my ($us, $kib) = spent({ side => $side, in => $in },
				'incr-flush', '-i', 20, '-d', "dbname=$side");
			my $case = "$keys " . ($keys == 1 ? 'key' : 'keys');
			note('flush', $case, $side, { flush => $us / $size{lines} * 1000 }, 'ns');
			note('flush', $case, $side, { flush => $kib }, 'KiB');
		}
	}
	statement($most / 10);
}

# A flush of keys that are in the table already, beside psql with the statement
# that the server's log says that incr-flush sends.
sub statement {
	my ($keys) = @_;
	my $in = lines($keys, $keys);
	my $table = "$dir/table.$keys";
	Growth::rows($table, $keys);
	for my $side (sides()) {
		# What was there lies as the statements of that side have put it.
		sql($side, 'truncate increments', "\\copy increments (key, value) from $table");
		spent({ side => $side, in => $in }, 'incr-flush', '-d', "dbname=$side");
		sql($side, 'vacuum increments');
		my ($before, $wal) = (postgres_us_at_rest(), wal());
		spent({ side => $side, in => $in }, 'incr-flush', '-d', "dbname=$side");
		note('flush', 'statement', $side, { Postgres => (postgres_us_at_rest() - $before) / $keys });
		note('flush', 'statement', $side, { Postgres => (wal() - $wal) / $keys }, 'B');
	}
	my $file = by_psql($keys);
	sql('here', 'vacuum increments');
	my $before = postgres_us_at_rest();
	spent({}, 'psql', '-Xqd', 'here', '-v', 'ON_ERROR_STOP=1', '-f', $file);
	note('flush', 'statement', 'psql', { Postgres => (postgres_us_at_rest() - $before) / $keys });
}

# Bytes since the first.
sub wal { return sql('postgres', "select pg_current_wal_insert_lsn() - '0/0'") }

my $prepared;

sub by_psql {
	my ($keys) = @_;
	return $prepared if $prepared;
	sql('here', "alter database here set log_statement = 'all'");
	spent({ side => 'here', in => lines(1, 1), err => "$dir/flush.err" },
		'incr-flush', '-d', 'dbname=here');
	sql('here', 'alter database here reset log_statement');
	my ($statement) = grep { s/.*LOG:  execute <unnamed>: (?=with moved)// } split /^/, Bench::whole("$dir/log");
	$statement // die "flush: the server's log has no statement\n";
	$prepared = "$dir/statement.sql";
	open(my $f, '>', $prepared) or die "$prepared: $!\n";
	print $f "prepare f (uuid, text, int8, int8, uuid[], int8[], int8, uuid) as\n$statement;\n",
		"execute f(gen_random_uuid(), 'bench', 1, 1, '{",
		join(',', sort map { Bench::key($_) } 0 .. $keys - 1), "}', '{",
		join(',', (1) x $keys), "}', $keys, null);\n";
	close $f or die "$prepared: $!\n";
	return $prepared;
}

1;
