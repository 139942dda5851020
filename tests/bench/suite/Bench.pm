# What the paths of the suite have in common: sides, processes and their CPU,
# a Redis and a Postgres, figures and their medians.
package Bench;
use strict;
use warnings;
use Exporter 'import';
use File::Path 'remove_tree';
use File::Temp 'tempdir';
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(setpgid setsid sysconf _SC_CLK_TCK);
use Time::HiRes qw(sleep time);

our @EXPORT = qw($dir %size %bin note not_run median_of sides environment
	spawn spent pipeline cpu_us peak_kib ended wait_until stop group_of has_program
	passing start_redis start_postgres postgres_us postgres_us_at_rest sql lines key free_port);

our $dir; # a private folder
our %size; # of this run: see tests/bench/all
our %bin; # here, before: where the programs of a side are
our @figures; # [path, case, side, process, unit, value]
our @missing; # [what, why]
our @under; # what starts a Redis, if anything
my @groups; # what runs

# note PATH, CASE, SIDE, {PROCESS => VALUE...}, UNIT: figures of one round
sub note {
	my ($path, $case, $side, $values, $unit) = @_;
	push @figures, [$path, $case, $side, $_, $unit // 'us', $values->{$_}]
		for sort keys %$values;
}

sub not_run { push @missing, [@_] unless grep { $_->[0] eq $_[0] } @missing }

sub median {
	my @v = sort { $a <=> $b } @_;
	return @v ? $v[$#v / 2] : undef;
}

sub median_of {
	my ($path, $case, $side, $process, $unit) = @_;
	my $name = join "\t", $path, $case, $side, $process, $unit // 'us';
	return median(map { $_->[5] } grep { join("\t", @$_[0 .. 4]) eq $name } @figures);
}

# Turn by turn, so that what the machine does besides meets all of them.
sub sides { return grep { $bin{$_} } 'before', 'here' }

sub has_program {
	my ($name) = @_;
	return grep { -x "$_/$name" } split(/:/, $ENV{PATH}), '/usr/sbin';
}

# -- processes ---------------------------------------------------------------

sub begin {
	$dir = tempdir('/tmp/incr-bench.XXXXXX');
	chmod 0711, $dir;
	$SIG{INT} = $SIG{TERM} = sub { exit 1 };
	$SIG{PIPE} = 'IGNORE';
	my $pg = $ENV{PG_BIN} // '/usr/lib/postgresql/15/bin';
	$ENV{PATH} = "$pg:$ENV{PATH}:/usr/sbin";
	$ENV{NO_PROXY} = '*';
	delete @ENV{qw(http_proxy https_proxy all_proxy INCR_METRICS_DIR INCR_LISTEN
		INCR_TOKENS INCR_TRUST INCR_RATE INCR_KEEP INCR_REPLICAS)};
	$ENV{INCR_QUEUE} = 'bench';
}

my $owner = $$;

END {
	if ($$ == $owner && defined $dir) {
		my $status = $?;
		my @left = reverse @groups;
		stop($_) for @left;
		remove_tree($dir);
		$? = $status;
	}
}

# spawn {side, in, out, err, session}, COMMAND...: a group of its own.  in and out are
# files or handles; /dev/null without.
sub spawn {
	my ($how, @command) = @_;
	my $pid = fork // die "fork: $!\n";
	if ($pid) {
		push @groups, $pid;
		setpgid($pid, $pid) unless $how->{session};
		return $pid;
	}
	$SIG{$_} = 'DEFAULT' for 'INT', 'TERM', 'PIPE';
	$how->{session} ? setsid() : setpgid(0, 0);
	my $in = $how->{in} // '/dev/null';
	my $out = $how->{out} // '/dev/null';
	open(STDIN, ref $in ? '<&' : '<', $in) or die "$command[0]: $!\n";
	open(STDOUT, ref $out ? '>&' : '>', $out) or die "$command[0]: $!\n";
	open(STDERR, '>>', $how->{err} // "$dir/log");
	$ENV{PATH} = "$bin{$how->{side}}:$ENV{PATH}" if $how->{side};
	exec { $command[0] } @command or print STDERR "$command[0]: $!\n";
	POSIX::_exit(127);
}

# The processes of a group, by name.  Two of a name are one entry each: name, name.2
sub group_of {
	my ($leader, $field) = @_;
	my %pid;
	for my $file (glob '/proc/[0-9]*/stat') {
		my ($id, $name, $group, $session) = stat_of($file) or next;
		next if ($field // 'group') eq 'group' ? $group != $leader : $session != $leader;
		$name =~ s/^incr-//;
		my ($n, $unique) = (1, $name);
		$unique = "$name." . ++$n while $pid{$unique};
		$pid{$unique} = $id;
	}
	return %pid;
}

sub stat_of {
	open(my $f, '<', $_[0]) or return;
	my $text = <$f> // return;
	$text =~ /^(\d+) \((.*)\) \S (\d+) (\d+) (\d+)/ or return;
	return ($1, $2, $4, $5, $3);
}

# Microseconds of CPU, user and system, of all threads.  A process that has
# ended keeps them until it is waited for.
sub cpu_us {
	my ($pid) = @_;
	my $ns = 0;
	for my $file (glob "/proc/$pid/task/*/schedstat") {
		open(my $f, '<', $file) or next;
		my $text = <$f> // next;
		$ns += (split ' ', $text)[0];
	}
	return $ns ? $ns / 1000 : ticks_us($pid);
}

# The same, in hundredths of a second; with the children that it has waited for.
sub ticks_us {
	my ($pid, $children) = @_;
	open(my $f, '<', "/proc/$pid/stat") or return 0;
	my $text = <$f> // return 0;
	my @t = (split ' ', $text =~ s/.*\) //r)[11 .. 14];
	my $n = $t[0] + $t[1] + ($children ? $t[2] + $t[3] : 0);
	return $n * 1e6 / sysconf(_SC_CLK_TCK);
}

sub peak_kib {
	my ($pid) = @_;
	open(my $f, '<', "/proc/$pid/status") or return 0;
	local $/;
	return <$f> =~ /^VmHWM:\s+(\d+)/m ? $1 : 0;
}

sub is_zombie {
	open(my $f, '<', "/proc/$_[0]/stat") or return 1;
	return (<$f> // ') Z') =~ /\) Z/;
}

# ended PID, NAME: its CPU and peak memory; any status but 0 is an error.
sub ended {
	my ($pid, $name) = @_;
	my ($peak, $now) = (0, 0);
	until (is_zombie($pid)) {
		$peak = $now if ($now = peak_kib($pid)) > $peak;
		sleep 0.002;
	}
	my $us = cpu_us($pid);
	waitpid $pid, 0;
	@groups = grep { $_ != $pid } @groups;
	die "$name: status $?\n" . said() if $?;
	return ($us, $peak);
}

sub whole {
	open(my $f, '<', $_[0]) or die "$_[0]: $!\n";
	local $/;
	return <$f> // '';
}

# The end of what all have said on standard error.
sub said {
	my @last = -e "$dir/log" ? split /^/, whole("$dir/log") : ();
	return join '', @last > 20 ? @last[-20 .. -1] : @last;
}

# spent HOW, COMMAND...: runs it; its CPU and peak memory
sub spent {
	my ($how, @command) = @_;
	return ended(spawn($how, @command), "@command");
}

# pipeline HOW, [COMMAND...], [COMMAND...]: the CPU of both
sub pipeline {
	my ($how, $left, $right) = @_;
	pipe(my $from, my $to) or die "pipe: $!\n";
	my $first = spawn({ %$how, out => $to }, @$left);
	my $second = spawn({ %$how, in => $from }, @$right);
	close $from;
	close $to;
	my ($a) = ended($first, "@$left");
	my ($b) = ended($second, "@$right");
	return ($a, $b);
}

# passing: the program with the parts of a ring that only pass on; undef without a compiler
my $passing;

sub passing {
	return $passing if $passing;
	my @cc = split ' ', $ENV{CC} // 'cc';
	if (!has_program($cc[0])) {
		not_run('what only passes on', "$cc[0] is not installed");
		return undef;
	}
	spent({}, @cc, '-O2', '-o', "$dir/ring", "$size{root}/tests/bench/ring.c");
	return $passing = "$dir/ring";
}

sub wait_until {
	my ($seconds, $what, $code) = @_;
	my $end = time + $seconds;
	until ($code->()) {
		die "waited in vain: $what\n" . said() if time > $end;
		sleep 0.005;
	}
}

# stop PID: its group, in order, else at once
sub stop {
	my ($pid) = @_;
	@groups = grep { $_ != $pid } @groups;
	kill 'TERM', -$pid, $pid;
	for (1 .. 1000) {
		return if waitpid($pid, 1) != 0 && !kill(0, -$pid);
		sleep 0.01;
	}
	kill 'KILL', -$pid, $pid;
	waitpid $pid, 0;
}

# -- servers -----------------------------------------------------------------

# start_redis NAME, ARG...: a Redis at $dir/NAME.sock, and a connection to it
sub start_redis {
	my ($name, @args) = @_;
	mkdir "$dir/$name";
	my $pid = spawn({}, @under, 'redis-server', '--port', 0, '--unixsocket', "$dir/$name.sock",
		'--dir', "$dir/$name", '--save', '', '--auto-aof-rewrite-percentage', 0, @args);
	my $redis;
	wait_until(20, 'Redis', sub { $redis = BenchRedis->dial("$dir/$name.sock") });
	$redis->{pid} = $pid;
	$redis->{url} = "unix://$dir/$name.sock";
	return $redis;
}

# start_postgres: $ENV{PGHOST}; a database for each side, with its tables
my $postgres;

sub start_postgres {
	return $postgres if $postgres;
	mkdir "$dir/pg";
	my @as;
	if ($> == 0) {
		chown((getpwnam 'postgres')[2, 3], "$dir/pg");
		@as = qw(setpriv --reuid postgres --regid postgres --clear-groups);
	}
	# What fsync costs is a matter of the disk.
	spent({}, @as, 'initdb', '-D', "$dir/pg/data", '-U', 'postgres', '-A', 'trust',
		'-E', 'UTF8', '--locale=C', '--no-sync');
	$postgres = spawn({}, @as, 'postgres', '-D', "$dir/pg/data", map { ('-c', $_) }
		'listen_addresses=', "unix_socket_directories=$dir/pg", 'fsync=off',
		'autovacuum=off', 'max_wal_size=4GB', 'checkpoint_timeout=1h');
	@ENV{qw(PGHOST PGUSER PGDATABASE)} = ("$dir/pg", 'postgres', 'postgres');
	wait_until(30, 'Postgres', sub { system("pg_isready -q") == 0 });
	for my $side (sides()) {
		sql('postgres', "create database $side");
		spent({ side => $side }, 'incr-db', '-d', "dbname=$side", 'create');
	}
	return $postgres;
}

sub sql {
	my ($database, @statements) = @_;
	open(my $f, '-|', 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $database,
		map { ('-c', $_) } @statements) or die "psql: $!\n";
	my @rows = <$f>;
	close $f or die "psql: @statements\n";
	chomp @rows;
	return wantarray ? @rows : $rows[0];
}

# All of Postgres: sessions that have ended, too.
sub postgres_us {
	my $us = ticks_us($postgres, 1);
	for my $file (glob '/proc/[0-9]*/stat') {
		my ($id, undef, undef, undef, $parent) = stat_of($file) or next;
		$us += ticks_us($id) if $parent == $postgres;
	}
	return $us;
}

# The same, once the servers of clients that have gone are gone, too: one that ends
# while it is looked for is counted nowhere.
sub postgres_us_at_rest {
	my ($us, $was) = (postgres_us(), -1);
	for (1 .. 40) {
		last if abs($us - $was) <= 20000;
		select undef, undef, undef, 0.05;
		($was, $us) = ($us, postgres_us());
	}
	return $us;
}

sub free_port {
	my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "port: $!\n";
	return $s->sockport;
}

# -- lines -------------------------------------------------------------------

sub key { return sprintf '%08x-1a2b-4c3d-8e4f-%012x', $_[0] * 2654435761 % 4294967296, $_[0] }

# lines N, KEYS: a file of canonical lines, made once
sub lines {
	my ($n, $keys) = @_;
	my $file = "$dir/lines.$n.$keys";
	return $file if -e $file;
	open(my $f, '>', $file) or die "$file: $!\n";
	for my $i (0 .. $n - 1) {
		print $f '{"key":"', key($i % $keys), '","value":', $i % 997 + 1, "}\n";
	}
	close $f or die "$file: $!\n";
	return $file;
}

# -- a connection to Redis ---------------------------------------------------

package BenchRedis;

sub dial {
	my ($class, $path) = @_;
	my $s = IO::Socket::UNIX->new(Peer => $path) or return;
	my $self = bless { socket => $s, replies => $s, path => $path }, $class;
	return eval { $self->call('PING') } ? $self : undef;
}

# relayed CODE: calls it with a connection through a process in between, as incr-publish
# is one: whoever calls Redis is woken by another process, not by Redis
sub relayed {
	my ($self, $code) = @_;
	pipe(my $in, my $to) or die "pipe: $!\n";
	pipe(my $from, my $out) or die "pipe: $!\n";
	my $pid = Bench::spawn({ in => $in, out => $out }, Bench::passing(), 'relay', $self->{path});
	close $_ for $in, $out;
	$code->(bless { socket => $to, replies => $from }, ref $self);
	Bench::stop($pid);
}

sub words { return join '', '*' . @_ . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @_ }

sub put {
	my ($self, $text) = @_;
	my $at = 0;
	while ($at < length $text) {
		$at += syswrite($self->{socket}, $text, length($text) - $at, $at) // die "write: $!\n";
	}
}

sub answer {
	my ($self) = @_;
	my $line = readline($self->{replies}) // die "Redis has gone\n";
	my ($kind, $rest) = $line =~ /^(.)(.*)\r\n/ or die "Redis: $line";
	die "Redis: $rest\n" if $kind eq '-';
	return $rest if $kind eq '+' || $kind eq ':';
	return undef if $rest < 0;
	return [map { $self->answer } 1 .. $rest] if $kind eq '*';
	read $self->{replies}, my $text, $rest + 2;
	return substr $text, 0, $rest;
}

sub call {
	my ($self, @words) = @_;
	$self->put(words(@words));
	return $self->answer;
}

# times N, TEXT: a call that was written before, so many times
sub times {
	my ($self, $n, $text) = @_;
	for (1 .. $n) {
		$self->put($text);
		$self->answer;
	}
}

sub info {
	my ($self, $section) = @_;
	return { $self->call('INFO', $section) =~ /^(\w+):([\d.]+)/mg };
}

# Of all its threads.
sub us {
	my ($self) = @_;
	my $i = $self->info('cpu');
	return ($i->{used_cpu_user} + $i->{used_cpu_sys}) * 1e6;
}

# Once all of it is written: everysec may put that off.
sub aof {
	my ($self) = @_;
	my $i;
	Bench::wait_until(20, 'the AOF', sub {
		$i = $self->info('persistence');
		!$i->{aof_buffer_length} && !$i->{aof_pending_bio_fsync}
	});
	return $i->{aof_current_size} // 0;
}

sub memory { return $_[0]->info('memory')->{used_memory} }

# How many scripts it has run.
sub scripts_run {
	return $_[0]->call('INFO', 'commandstats') =~ /^cmdstat_evalsha:calls=(\d+)/m ? $1 : 0;
}

sub clear { $_[0]->call('FLUSHALL', 'SYNC') }

# fill KEY, N: so many messages, in calls of 1000
sub fill {
	my ($self, $key, $n, $keys) = @_;
	my @calls = map {
		my $c = $_;
		words('LPUSH', $key, map { sprintf '{"key":"%s","value":%d}',
			Bench::key(($c * 1000 + $_) % ($keys // 1000)), $_ } 1 .. 1000)
	} 0 .. 9;
	$self->times(1, $calls[$_ % 10]) for 1 .. $n / 1000;
}

1;
