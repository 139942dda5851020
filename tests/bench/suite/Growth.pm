# Cost against what there is: messages that wait, keys, connections, shards.
package Growth;
use strict;
use warnings;
use Bench;
use Fleet;
use Requests;

my $READY = 'rmq::queue::[bench]::ready';

sub growth {
	backlog();
	table();
	connections();
	Fleet::drains();
}

# tens LEAST, MOST: powers of ten
sub tens {
	my ($least, $most) = @_;
	my @n;
	for (my $n = $least; $n <= $most; $n *= 10) { push @n, $n }
	return @n;
}

# A drain goes on while one backlog after the other takes its place on the queue: of
# a short one as many as have 200,000 messages, so that no point has much more idle
# time in it than another.  Batches of 1000: what makes one batch, Redis takes by RENAME,
# which is cheaper than a part of a longer list and would be the shortest backlog's alone.
sub backlog {
	my $redis = start_redis('growth', '--appendonly', 'no');
	start_postgres();
	my $drain = spawn({ side => 'here' }, 'incr-drain', '-r', $redis->{url}, '-n', 1000, '--',
		'-i', 1, '-d', 'dbname=here');
	wait_until(20, 'incr-drain', sub {
		$redis->call('SCARD', 'incr::queue::[bench]::consumers') > 0
	});
	my %pid = group_of($drain);
	for my $n (tens(10000, $size{backlog_max})) {
		my $times = $n < $size{backlog} ? $size{backlog} / $n : 1;
		$redis->fill("wait:$_", $n) for 1 .. $times;
		note('growth', "backlog $n", 'here', Requests::cost_of(sub {
			for my $i (1 .. $times) {
				$redis->call('RENAME', "wait:$i", $READY);
				wait_until(600, 'the queue is empty', sub { !$redis->call('LLEN', $READY) });
			}
			wait_until(60, 'acknowledgement', sub { acknowledged($redis) });
			0;
		}, $n * $times, \%pid, $redis));
	}
	stop($drain);
	stop($redis->{pid});
}

sub acknowledged {
	my ($redis) = @_;
	my ($at, $batches) = (0);
	do {
		my $r = $redis->call('SCAN', $at, 'MATCH', '*::batch::*', 'COUNT', 1000);
		($at, $batches) = ($r->[0], scalar @{ $r->[1] });
	} while ($at && !$batches);
	return !$batches;
}

# A table of so many rows: lines of 1000 of its keys, then lines of all of them.
sub table {
	start_postgres();
	my $lines = $size{lines} / 2;
	for my $n (tens(1000, $size{keys})) {
		my $file = "$dir/table.$n";
		rows($file, $n);
		sql('here', 'truncate increments', "\\copy increments (key, value) from $file",
			'vacuum analyze increments', 'checkpoint');
		for my $axis (['rows', spread($lines, $n)], ['keys', lines($size{lines}, $n)]) {
			my ($name, $in) = @$axis;
			my ($us) = spent({ side => 'here', in => $in }, 'incr-flush', '-d', 'dbname=here');
			my $of = $name eq 'rows' ? $lines : $size{lines};
			note('growth', "$name $n", 'here', { flush => $us / $of * 1000 }, 'ns');
		}
	}
}

sub rows {
	my ($file, $n) = @_;
	return if -e $file;
	open(my $f, '>', $file) or die "$file: $!\n";
	print $f Bench::key($_), "\t1\n" for 0 .. $n - 1;
	close $f or die "$file: $!\n";
}

sub spread {
	my ($lines, $n) = @_;
	my $file = "$dir/spread.$lines.$n";
	return $file if -e $file;
	my $step = $n / 1000;
	open(my $f, '>', $file) or die "$file: $!\n";
	print $f '{"key":"', Bench::key($_ % 1000 * $step), "\",\"value\":1}\n" for 0 .. $lines - 1;
	close $f or die "$file: $!\n";
	return $file;
}

# A ring, and nginx for what the kernel and wrk have of it.
sub connections {
	return not_run('connections', 'wrk is not installed') unless has_program('wrk');
	my $redis = Requests::memory();
	my $limit = POSIX::sysconf(POSIX::_SC_OPEN_MAX());
	my @n = tens(10, $size{connections});
	if ($n[-1] + 500 > $limit) {
		not_run("$n[-1] connections", "at most $limit descriptors");
		pop @n;
	}
	my ($ring, $url) = Requests::ring('here', $redis, '--max-connections', 20000);
	my %pid = group_of($ring);
	for my $n (@n) {
		note('growth', "connections $n", 'here', Requests::cost_of(sub {
			Requests::wrk($url, $n, $size{body})
		}, 0, \%pid, $redis));
	}
	$redis->clear;
	stop($ring);
	return unless has_program('nginx');
	my ($master, $pids, $at) = Requests::start_nginx();
	for my $n (@n) {
		note('growth', "connections $n", 'here', { nginx => Requests::cost_of(sub {
			Requests::wrk($at, $n, $size{body})
		}, 0, $pids)->{nginx} });
	}
	stop($master);
}

1;
