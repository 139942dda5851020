# The paths of requests: tagged, serve, front, idle.
package Requests;
use strict;
use warnings;
use Bench;
use Time::HiRes 'sleep';

# -- a ring ------------------------------------------------------------------

# ring SIDE, REDIS: an incr-ingest; its group, its URL
sub ring {
	my ($side, $redis, @more) = @_;
	unlink "$dir/port";
	# The other side's keys may be of another version.
	$redis->clear;
	my $pid = spawn({ side => $side }, 'incr-ingest', '-l', '127.0.0.1:0', '--port-file',
		"$dir/port", '--linger', 0, '-r', $redis->{url}, @more);
	return ($pid, served("$dir/port"));
}

sub served {
	my ($file) = @_;
	wait_until(20, "a server's port", sub { -s $file });
	open(my $f, '<', $file) or die "$file: $!\n";
	chomp(my $port = <$f>);
	my $url = "http://127.0.0.1:$port/increment";
	wait_until(20, $url, sub {
		system("curl -fs -o /dev/null http://127.0.0.1:$port/health/ready") == 0 ||
			system("curl -fs -o /dev/null -d '$size{body}' $url") == 0
	});
	return $url;
}

# cost_of CODE, N, {NAME => PID}, [REDIS]: microseconds of each, for one of N; CODE may
# return N
sub cost_of {
	my ($code, $n, $pids, $redis) = @_;
	my %us = map { ($_, -cpu_us($pids->{$_})) } keys %$pids;
	$us{redis} = -$redis->us if $redis;
	$n = $code->() || $n;
	$us{redis} += $redis->us if $redis;
	$us{$_} += cpu_us($pids->{$_}) for keys %$pids;
	my %each = map { ($_, $us{$_} / $n) } keys %us;
	$each{all} += $each{$_} for grep { $_ ne 'all' } keys %us;
	return \%each;
}

my $redis;

sub memory { return $redis //= start_redis('requests', '--appendonly', 'no') }

# -- tagged ------------------------------------------------------------------

sub tagged {
	my $server = memory();
	my %way = (bulk => [$size{lines} / 5], single => [$size{calls}, '--single'],
		'no keys' => [$size{lines} / 5, '--no-keys']);
	my $at_once = 1;
	for my $side (sides()) {
		my ($pid, $url) = ring($side, $server);
		for my $case (sort keys %way) {
			my $lines = send_by($side, $case, $pid, $url, $server, @{ $way{$case} });
			$at_once = int($lines + 0.5) if $case eq 'single';
		}
		stop($pid);
	}
	my $n = $size{calls};
	$server->clear;
	note('tagged', 'single', 'SET', cost_of(sub {
		for my $c (1 .. $n / 1000) {
			$server->put(join '', map { BenchRedis::words('SET', "mark:$c:$_", 1,
				'EX', 3600, 'NX') } 1 .. 1000);
			$server->answer for 1 .. 1000;
		}
		0;
	}, $n, {}, $server));
	# As many a call as came together here while a call was under way.
	note('tagged', 'single', 'commands',
		{ redis => Lines::commands_alone($server, $n, $at_once, $at_once) }) if passing();
	$n = $size{lines} / 5;
	note('tagged', $_, 'LPUSH', cost_of(sub { $server->fill('ref', $n); 0 }, $n, {}, $server))
		for 'bulk', 'no keys';
}

# How many lines a call of Redis has had.
sub send_by {
	my ($side, $case, $pid, $url, $server, $n, @options) = @_;
	$server->clear;
	my %pid = group_of($pid);
	my ($before, $run) = ($server->memory, $server->scripts_run);
	my $sent;
	my $us = cost_of(sub {
		($sent) = spent({ side => $side, in => lines($n, 1000) }, 'incr-send', '-u', $url,
			@options);
		0;
	}, $n, \%pid, $server);
	note('tagged', $case, $side, { %$us, send => $sent / $n });
	$run = $server->scripts_run - $run;
	# What is left beside the messages: publisher and totals are a few bytes of it.
	$server->call('DEL', 'rmq::queue::[bench]::ready');
	note('tagged', $case, $side, { redis => ($server->memory - $before) / $n }, 'B');
	return $n / ($run || $n);
}

# -- serve -------------------------------------------------------------------

sub wrk {
	my ($url, $connections, $body) = @_;
	my $file = "$dir/" . length($body) . '.lua';
	open(my $f, '>', $file) or die "$file: $!\n";
	print $f "wrk.method = 'POST'\nwrk.body = [[$body]]\n";
	close $f;
	# Its own shortest time is a second; interrupted it says what it has done.
	my $pid = spawn({ out => "$dir/wrk" }, 'wrk', '-t', 1, '-c', $connections, '-d', 60,
		'--timeout', 20, '-s', $file, $url);
	sleep $size{seconds};
	kill 'INT', $pid;
	ended($pid, 'wrk');
	my $said = Bench::whole("$dir/wrk");
	die "wrk: $url:\n$said" if $said =~ /Non-2xx|Socket errors/ || $said !~ /(\d+) requests in/;
	return $1;
}

sub start_nginx {
	my $port = free_port();
	my $conf = "$dir/nginx.conf";
	open(my $f, '>', $conf) or die "$conf: $!\n";
	print $f "daemon off; pid $dir/nginx.pid; error_log $dir/nginx.log;
		worker_processes 1; events { worker_connections 11000; }
		http { access_log off; keepalive_requests 1000000000;
		", (map { "${_}_temp_path $dir/$_;" } qw(client_body proxy fastcgi uwsgi scgi)), "
		server { listen 127.0.0.1:$port backlog=4096; location / { return 202; } } }\n";
	close $f;
	my $pid = spawn({}, 'nginx', '-c', $conf, '-p', $dir);
	my %pid;
	wait_until(10, 'nginx', sub { %pid = group_of($pid); keys %pid == 2 });
	delete $pid{$_} for grep { $pid{$_} == $pid } keys %pid;
	return ($pid, { nginx => values %pid }, "http://127.0.0.1:$port/increment");
}

# incr-serve with cat for verdicts: its work alone
sub echo {
	my ($side) = @_;
	my $file = "$dir/echo.port";
	unlink $file;
	pipe(my $in, my $verdicts) or die "pipe: $!\n";
	pipe(my $lines, my $out) or die "pipe: $!\n";
	my $cat = spawn({ in => $lines, out => $verdicts }, 'cat');
	my $pid = spawn({ side => $side, in => $in, out => $out }, 'incr-serve',
		'-l', '127.0.0.1:0', '--port-file', $file, '--linger', 0);
	close $_ for $in, $verdicts, $lines, $out;
	return ($pid, $cat, served($file));
}

sub serve {
	return not_run('serve', 'wrk is not installed') unless has_program('wrk');
	my $server = memory();
	if (has_program('nginx')) {
		my ($master, $pids, $url) = start_nginx();
		note('serve', $_->[0], 'nginx', cost_of(sub { wrk($url, $_->[1], $size{body}) }, 0, $pids))
			for ['echo', 64], ['alone', 1];
		stop($master);
	} else {
		not_run('nginx', 'not installed');
	}
	for my $side (sides()) {
		my ($pid, $cat, $at) = echo($side);
		note('serve', 'echo', $side, cost_of(sub { wrk($at, 64, $size{body}) }, 0,
			{ serve => $pid }));
		stop($_) for $pid, $cat;
		my ($ring, $url) = ring($side, $server);
		my %pid = group_of($ring);
		note('serve', 'ring', $side, cost_of(sub { wrk($url, 64, $size{body}) }, 0, \%pid, $server));
		$server->clear;
		stop($ring);
		calls($side, $server);
	}
	many();
	alone();
}

# Short turns: the cost of a line swings more from one second to the next than
# between two commits.
sub many {
	my $lines = join '', map { "$size{body}\n" } 1 .. 1000;
	my @rings;
	for my $side (sides()) {
		my $server = start_redis("many.$side", '--appendonly', 'no');
		my ($pid, $url) = ring($side, $server);
		push @rings, [$side, $server, "${url}s", { group_of($pid) }, $pid];
	}
	local $size{seconds} = $size{seconds} > 0.8 ? $size{seconds} / 4 : 0.2;
	for my $turn (1 .. 5) {
		for (@rings) {
			my ($side, $server, $url, $pids) = @$_;
			note('serve', 'many', $side, cost_of(sub { 1000 * wrk($url, 16, $lines) }, 0, $pids,
				$server));
			$server->clear;
		}
	}
	for (@rings) {
		stop($_) for $_->[4], $_->[1]{pid};
	}
}

# One connection: rings of both sides, and one of the parts that only pass on, in short
# turns.  What such a request costs depends most on how deep the cores sleep, which is
# another from second to second.
sub alone {
	my @rings;
	for my $side (sides(), passing() ? 'bare' : ()) {
		my $server = start_redis("alone.$side", '--appendonly', 'no');
		my ($pid, $url) = $side eq 'bare' ? bare_ring($server) : ring($side, $server);
		push @rings, [$side, $server, $url, ref $pid ? $pid : { group_of($pid) }];
		push @{ $rings[-1] }, ref $pid ? values %$pid : $pid, $server->{pid};
	}
	local $size{seconds} = $size{seconds} > 0.8 ? $size{seconds} / 4 : 0.2;
	for my $turn (1 .. 5) {
		for (@rings) {
			my ($side, $server, $url, $pids) = @$_;
			note('serve', 'alone', $side, cost_of(sub { wrk($url, 1, $size{body}) }, 0, $pids,
				$server));
		}
	}
	for (@rings) {
		my ($side, $server, $url, $pids, @all) = @$_;
		note('serve', 'calls', 'bare', { all => calls_of($url, $pids, $server) }, 'calls')
			if $side eq 'bare' && has_program('strace');
		stop($_) for @all;
	}
}

# bare_ring REDIS: its processes, its URL
sub bare_ring {
	my ($server) = @_;
	my $head = Lines::bare_call($server, $size{body}, 1, 0, 0) =~ s/\Q$size{body}\E\r\n$//r;
	open(my $f, '>', "$dir/head") or die "$dir/head: $!\n";
	print $f $head;
	close $f or die "$dir/head: $!\n";
	unlink "$dir/port";
	$server->clear;
	my @of = ([serve => "$dir/port"], ['validate'], [publish => $server->{path}, "$dir/head"]);
	my (@in, @out, %pid);
	pipe($in[$_], $out[$_]) or die "pipe: $!\n" for 0 .. $#of;
	# What the last one writes, the first one reads.
	$pid{ $of[$_][0] } = spawn({ in => $in[$_ - 1], out => $out[$_] }, passing(), @{ $of[$_] })
		for 0 .. $#of;
	close $_ for @in, @out;
	return (\%pid, served("$dir/port"));
}

# System calls of the programs and Redis for a request.
sub calls {
	return not_run('system calls', 'strace is not installed') unless has_program('strace');
	my ($side, $server) = @_;
	local $ENV{INCR_NO_SANDBOX} = 1; # strace is no part of the filter
	my ($ring, $url) = ring($side, $server);
	note('serve', 'calls', $side, { all => calls_of($url, { group_of($ring) }, $server) }, 'calls');
	stop($ring);
}

# calls_of URL, {NAME => PID}, REDIS: the next request follows the answer
sub calls_of {
	my ($url, $pids, $server) = @_;
	my $n = $size{calls} / 10;
	my %pid = (%$pids, redis => $server->{pid});
	my ($port) = $url =~ /:(\d+)/;
	my $socket = IO::Socket::INET->new("127.0.0.1:$port") or die "$url: $!\n";
	my $request = "POST /increment HTTP/1.1\r\nHost: x\r\nContent-Length: " .
		length($size{body}) . "\r\n\r\n$size{body}";
	my $trace = spawn({ err => "$dir/strace.err" }, 'strace', '-f', '-c', '-U', 'calls,name',
		'-o', "$dir/strace", map { ('-p', $_) } values %pid);
	wait_until(20, 'strace', sub {
		-e "$dir/strace.err" &&
			(() = Bench::whole("$dir/strace.err") =~ /attached/g) == keys %pid
	});
	for (1 .. $n) {
		syswrite $socket, $request;
		sysread($socket, my $answer, 4096) or die "$url: no answer\n";
		die "$url: $answer" if $answer !~ m{^HTTP/1.1 202};
	}
	kill 'INT', $trace;
	waitpid $trace, 0;
	unlink "$dir/strace.err";
	my $said = Bench::whole("$dir/strace");
	my ($all) = $said =~ /^\s*(\d+)\s+total/m or die "strace: no total\n";
	return $all / $n;
}

# -- front -------------------------------------------------------------------

# The Caddyfile of each side, and etc/nginx.conf of those that have it, before a ring;
# Caddy before nginx that returns 202.
sub front {
	for my $program ('caddy', 'wrk') {
		return not_run('front', "$program is not installed") unless has_program($program);
	}
	my $server = memory();
	for my $side (sides()) {
		my $tree = tree_of($side);
		before_ring($side, $server, 'ring', 'caddy', 'caddy', 'run', '--adapter', 'caddyfile',
			'--config', "$tree/Caddyfile");
		before_ring($side, $server, 'by nginx', 'nginx', "$tree/etc/run-nginx",
			"$tree/etc/nginx.conf") if -x "$tree/etc/run-nginx" && has_program('nginx');
	}
	return not_run('nginx', 'not installed') unless has_program('nginx');
	my ($master, $pids, $at) = start_nginx();
	my ($caddy, $url) = start_front($at =~ s:^http.//([^/]*).*:$1:r, 'caddy', 'run', '--adapter',
		'caddyfile', '--config', "$size{root}/Caddyfile");
	note('front', 'ring', 'nginx', cost_of(sub { wrk($url, 64, $size{body}) }, 0,
		{ %$pids, caddy => $caddy }));
	stop($_) for $caddy, $master;
}

sub tree_of { return $_[0] eq 'here' ? $size{root} : $bin{ $_[0] } =~ s:/bin$::r }

# before_ring SIDE, REDIS, CASE, NAME, COMMAND...: all processes of the front are NAME
sub before_ring {
	my ($side, $server, $case, $name, @command) = @_;
	unlink "$dir/ring.sock";
	my ($ring) = ring($side, $server, '-l', "$dir/ring.sock");
	my ($front, $url) = start_front("unix/$dir/ring.sock", @command);
	my %front = group_of($front);
	my %pid = (group_of($ring), map { ("front $_", $front{$_}) } keys %front);
	my $us = cost_of(sub { wrk($url, 64, $size{body}) }, 0, \%pid, $server);
	$us->{$name} += delete $us->{"front $_"} for keys %front;
	note('front', $case, $side, $us);
	stop($_) for $front, $ring;
	$server->clear;
}

sub start_front {
	my ($upstream, @command) = @_;
	my $port = free_port();
	local @ENV{qw(GOGC INCR_SITE INCR_UPSTREAMS XDG_DATA_HOME XDG_CONFIG_HOME TMPDIR)} =
		($ENV{GOGC} // 400, "http://:$port", $upstream, $dir, $dir, $dir);
	my $pid = spawn({}, @command);
	my $url = "http://127.0.0.1:$port/increment";
	wait_until(20, "@command", sub { system("curl -fs -o /dev/null -d '$size{body}' $url") == 0 });
	return ($pid, $url);
}

# -- idle --------------------------------------------------------------------

# A Redis and a Postgres of the suite's, so that both sides have the same.
sub idle {
	return not_run('idle', 'caddy is not installed') unless has_program('caddy');
	my $redis = start_redis('idle', '--appendonly', 'yes', '--unixsocketperm', 777,
		'--maxmemory-policy', 'noeviction');
	start_postgres();
	for my $side (sides()) {
		my $state = "$dir/up.$side";
		mkdir $state;
		chmod 0711, $state;
		$redis->clear;
		local @ENV{qw(INCR_STATE INCR_PORT REDIS_URL DATABASE_URL)} = ($state, free_port(),
			$redis->{url}, "postgresql:///$side?host=$dir/pg&user=postgres");
		my $said = "$dir/up.$side.out";
		my $pid = spawn({ side => $side, out => $said, session => 1 }, 'incr-up');
		wait_until(90, 'incr-up', sub {
			-e $said && Bench::whole($said) =~ /^Ctrl-C/m
		});
		sleep $size{settle};
		my %pid = descendants($pid);
		still($side, \%pid, $redis);
		stop($pid);
	}
	stop($redis->{pid});
}

# All below PID, by name.
sub descendants {
	my ($top) = @_;
	my (%below, %name, %found);
	for my $file (glob '/proc/[0-9]*/stat') {
		my ($id, $name, undef, undef, $parent) = Bench::stat_of($file) or next;
		push @{ $below{$parent} }, $id;
		$name{$id} = $name =~ s/^incr-//r;
	}
	my @next = ($top);
	while (defined(my $id = shift @next)) {
		$found{"$name{$id}.$id"} = $id if $name{$id};
		push @next, @{ $below{$id} // [] };
	}
	return %found;
}

sub switches {
	my $n = 0;
	for my $file (map { glob "/proc/$_/task/*/status" } @_) {
		open(my $f, '<', $file) or next;
		/^voluntary_ctxt_switches:\s+(\d+)/ and $n += $1 while <$f>;
	}
	return $n;
}

sub still {
	my ($side, $pids, $redis) = @_;
	my @ours = grep { /^(serve|validate|publish|consume|flush|metrics)\./ } keys %$pids;
	my %us = map { ($_, -cpu_us($pids->{$_})) } @ours;
	my ($wakes, $redis_us, $aof) = (switches(@$pids{@ours}), $redis->us, $redis->aof);
	my $began = Time::HiRes::time();
	sleep $size{idle};
	my $s = Time::HiRes::time() - $began;
	note('idle', 'AOF', $side, { redis => ($redis->aof - $aof) / $s }, 'B/s');
	note('idle', 'CPU', $side, { redis => ($redis->us - $redis_us) / $s / 1000 }, 'ms/s');
	my $all = 0;
	$all += $us{$_} + cpu_us($pids->{$_}) for @ours;
	note('idle', 'CPU', $side, { 'all of incr' => $all / $s / 1000 }, 'ms/s');
	note('idle', 'wake-ups', $side, { 'all of incr' => (switches(@$pids{@ours}) - $wakes) / $s },
		'/s');
	my %peak;
	for (@ours) {
		my $name = s/\..*//r;
		my $kib = peak_kib($pids->{$_});
		$peak{$name} = $kib if $kib > ($peak{$name} // 0);
	}
	note('idle', 'memory', $side, \%peak, 'KiB');
}

1;
