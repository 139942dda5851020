# Shards with a drain each, and a whole system at the limit of this machine.
package Fleet;
use strict;
use warnings;
use Bench;
use Compress::Zlib 'crc32';
use Requests;
use Time::HiRes 'time';

# -- drains ------------------------------------------------------------------

# The same lines on 1, 2, 4 and 8 shards, each counted by a drain of its own, all at
# the same time.
sub drains {
	my $redis = start_redis('shards', '--appendonly', 'no');
	start_postgres();
	my $n = $size{lines} / 2;
	my $keys = $size{keys} / 5;
	my $table = "$dir/table.$keys";
	Growth::rows($table, $keys);
	for my $shards (1, 2, 4, 8) {
		$redis->clear;
		sql('here', 'truncate increments', "\\copy increments (key, value) from $table",
			'vacuum analyze increments', 'checkpoint');
		push_by_key($redis, $n, $keys, $shards);
		note('growth', "drains $shards", 'here', counted_by($redis, $n, $shards));
		my $left = sql('here', "select sum(value) - $keys - $n from increments");
		die "drains: $shards shards: $left too many\n" if $left != 0;
	}
	stop($redis->{pid});
}

sub name { return $_[0] == 1 ? 'bench' : "bench.$_[1]" }

# The shard of a key as incr(7) defines it.
sub push_by_key {
	my ($redis, $n, $keys, $shards) = @_;
	my @shard = map { crc32(pack 'H*', Bench::key($_) =~ tr/-//dr) % $shards } 0 .. $keys - 1;
	my @lines;
	for my $i (0 .. $n - 1) {
		push @{ $lines[ $shard[$i % $keys] ] }, '{"key":"' . Bench::key($i % $keys) . '","value":1}';
	}
	for my $shard (0 .. $shards - 1) {
		$redis->call('SET', 'incr::queue::[' . name($shards, $shard) . ']::shards', $shards);
		while (my @some = splice @{ $lines[$shard] }, 0, 1000) {
			$redis->call('LPUSH', "wait:$shard", @some);
		}
	}
}

# What starting costs is left out, and the end is waited for: the last statement is in it.
sub counted_by {
	my ($redis, $n, $shards) = @_;
	my @running = map { drain($redis, name($shards, $_)) } 0 .. $shards - 1;
	wait_until(30, 'the drains', sub { all_ready($redis, $shards) });
	my %us = (redis => -$redis->us, Postgres => -postgres_us_at_rest());
	$us{ $_->[0] } -= cpu_us($_->[1]) for @running;
	$redis->call('RENAME', "wait:$_", 'rmq::queue::[' . name($shards, $_) . ']::ready')
		for 0 .. $shards - 1;
	wait_until(60, 'all is taken', sub {
		!grep { $redis->call('LLEN', 'rmq::queue::[' . name($shards, $_) . ']::ready') }
			0 .. $shards - 1
	});
	kill 'TERM', map { $_->[1] } grep { $_->[0] eq 'consume' } @running;
	for (@running) {
		my ($name, $pid) = @$_;
		my ($us) = ended($pid, "incr-$name");
		$us{$name} += $us;
	}
	$us{redis} += $redis->us;
	$us{Postgres} += postgres_us_at_rest();
	return { map { ($_, $us{$_} / $n) } keys %us };
}

sub drain {
	my ($redis, $name) = @_;
	my @queue = ('-r', $redis->{url}, '-q', $name);
	pipe(my $from, my $to) or die "pipe: $!\n";
	return ([consume => spawn({ side => 'here', out => $to }, 'incr-consume', @queue)],
		[flush => spawn({ side => 'here', in => $from }, 'incr-flush', @queue, '-i', 20,
			'-d', 'dbname=here')]);
}

sub all_ready {
	my ($redis, $shards) = @_;
	return 0 if grep { !$redis->call('SCARD', 'incr::queue::[' . name($shards, $_) . ']::consumers') }
		0 .. $shards - 1;
	return sql('postgres', "select count(*) from pg_stat_activity where datname = 'here'") >= $shards;
}

# -- whole -------------------------------------------------------------------

# incr-send, incr-ingest, Redis, incr-drain and Postgres, as fast as they go: how many
# lines a second from the first one to the last that a consumer took, and the CPU of each
# for a line.  Three seconds an interval, so that a short run has several statements.
sub whole {
	my $redis = start_redis('whole', '--appendonly', 'no');
	start_postgres();
	my $n = $size{lines} * 3;
	my $keys = $size{keys} / 10;
	sql('here', 'truncate increments', 'select pg_stat_reset()');
	my ($ring, $url) = Requests::ring('here', $redis);
	my $drain = spawn({ side => 'here' }, 'incr-drain', '-r', $redis->{url}, '--',
		'-i', 3, '-d', 'dbname=here');
	my %pid;
	wait_until(20, 'incr-drain', sub {
		%pid = (group_of($ring), group_of($drain));
		$pid{consume} && $pid{flush};
	});
	my $us = driven($redis, $url, lines($n, $keys), $n, \%pid);
	stop($_) for $ring, $drain;
	my $sum = int($n / 997) * 997 * 998 / 2 + ($n % 997) * ($n % 997 + 1) / 2;
	my $counted = sql('here', 'select sum(value) from increments');
	die "whole: $counted counted, $sum sent\n" if $counted != $sum;
	note('whole', 'bulk', 'here', $us);
	stop($redis->{pid});
}

sub driven {
	my ($redis, $url, $in, $n, $pids) = @_;
	my ($began, $before, $sent) = (time, Bench::postgres_us());
	my $us = Requests::cost_of(sub {
		($sent) = spent({ side => 'here', in => $in }, 'incr-send', '-u', $url);
		wait_until(60, 'all is taken', sub {
			!$redis->call('LLEN', 'rmq::queue::[bench]::ready')
		});
		note('whole', 'bulk', 'here', { all => $n / (time - $began) }, '/s');
		0;
	}, $n, $pids, $redis);
	$us->{Postgres} = (Bench::postgres_us() - $before) / $n;
	$us->{send} = $sent / $n;
	my $written = sql('here', "select n_tup_ins + n_tup_upd from pg_stat_user_tables
		where relname = 'increments'");
	note('whole', 'bulk', 'here', { Postgres => $written / $n }, 'keys');
	return $us;
}

1;
