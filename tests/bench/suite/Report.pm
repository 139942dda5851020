# performance.md and performance.svg, of the figures of all rounds.
package Report;
use strict;
use warnings;
use Bench;

my @PROGRAMS = qw(serve validate publish redis consume flush);
my $PASSING = 'the same processes, which only pass it on';

# What is said of a path: its name, case, process, unit, what the limit is (side,
# process and name, perhaps of another case), and the aim: of the limit (l), of the
# commit before (b), or as it is (v), at most so much.
my @ROWS = (
	['lines with an Idempotency-Key, many a request', 'tagged', 'bulk', 'redis', 'us',
		['LPUSH', 'redis', 'LPUSH of 1000'], 'l', 10],
	['its mark', 'tagged', 'bulk', 'redis', 'B', undef, 'v', 30],
	['lines with an Idempotency-Key, one a request', 'tagged', 'single', 'redis', 'us',
		['commands', 'redis', 'these alone in a script'], 'b', 0.6],
	['its instructions', 'instructions', 'keyed', 'redis', 'instructions',
		['commands', 'redis', 'these alone in a script'], 'b', 0.6],
	['the same beside SET', 'tagged', 'single', 'redis', 'us', ['SET', 'redis', 'SET EX NX']],
	['its mark', 'tagged', 'single', 'redis', 'B', undef, 'v', 130],
	['take and acknowledge, the scripts', 'scripts', 'take + acknowledge', 'redis', 'us',
		['ref', 'redis', 'LMPOP'], 'b', 0.45],
	['memory of a message that waits', 'take', 'memory', 'redis', 'B waiting'],
	['take, read and acknowledge', 'take', 'memory', 'redis', 'us',
		['LMPOP', 'redis', 'LMPOP']],
	['the same beside adjust/rmq', 'take', 'memory', 'redis', 'us',
		['rmq', 'redis', 'RPOPLPUSH, LREM']],
	['the same with AOF', 'take', 'aof', 'redis', 'us', ['LMPOP', 'redis', 'LMPOP']],
	['its AOF', 'take', 'aof', 'redis', 'B', ['LMPOP', 'redis', 'LMPOP']],
	['publish, the script', 'scripts', 'publish 1000', 'redis', 'us',
		['ref', 'redis', 'LPUSH of 1000']],
	['publish', 'publish', 'memory', 'redis', 'us', ['LPUSH', 'redis', 'LPUSH of 1000'],
		'l', 1.3],
	['the same with AOF', 'publish', 'aof', 'redis', 'us', ['LPUSH', 'redis', 'LPUSH of 1000']],
	['publish, a line a call', 'publish', 'one', 'redis', 'us',
		['commands', 'redis', 'these alone in a script'], 'b', 0.7],
	['its instructions', 'instructions', 'one', 'redis', 'instructions',
		['commands', 'redis', 'these alone in a script'], 'b', 0.7],
	['the same beside LPUSH', 'publish', 'one', 'redis', 'us', ['LPUSH', 'redis', 'LPUSH']],
	['validate, canonical', 'validate', 'canonical', 'validate', 'ns'],
	['validate, plain, not canonical', 'validate', 'plain', 'validate', 'ns',
		['here', 'validate', 'canonical', 'canonical'], 'l', 1.5],
	['the same beside jq', 'validate', 'plain', 'validate', 'ns', ['jq', 'jq', 'jq']],
	['validate, all bad, -e', 'validate', 'bad', 'validate', 'ns', ['jq', 'jq', 'jq'],
		'b', 0.6],
	['flush, a line of 1 key', 'flush', '1 key', 'flush', 'ns', undef, 'b', 0.72],
	['a line of %s keys', 'flush', 'tenth', 'flush', 'ns', undef, 'b', 0.63],
	['a line of %s keys', 'flush', 'most', 'flush', 'ns', undef, 'b', 0.56],
	['memory of a key', 'flush', 'memory', 'flush', 'B', undef, 'v', 100],
	['the statement, for each key', 'flush', 'statement', 'Postgres', 'us',
		['psql', 'Postgres', 'psql'], 'l', 1.3],
	['its WAL', 'flush', 'statement', 'Postgres', 'B'],
	['POST /increments, all programs', 'serve', 'many', 'all', 'us', undef, 'b', 0.69],
	['a request, incr-serve alone', 'serve', 'echo', 'serve', 'us',
		['nginx', 'nginx', 'nginx: return 202'], 'l', 1.3],
	['a request, all programs', 'serve', 'ring', 'all', 'us',
		['nginx', 'nginx', 'nginx: return 202', 'echo']],
	['a request, one connection, all programs', 'serve', 'alone', 'all', 'us',
		['bare', 'all', $PASSING], 'b', 0.67],
	['its system calls', 'serve', 'calls', 'all', 'calls', ['bare', 'all', $PASSING], 'v', 15],
	['the same beside nginx', 'serve', 'alone', 'all', 'us',
		['nginx', 'nginx', 'nginx: return 202']],
	['a request through Caddy, Caddy', 'front', 'ring', 'caddy', 'us',
		['nginx', 'caddy', 'Caddy to nginx']],
	['all programs and Caddy', 'front', 'ring', 'all', 'us',
		['nginx', 'all', 'Caddy to nginx']],
	['a request through nginx, nginx', 'front', 'by nginx', 'nginx', 'us',
		['here', 'caddy', 'Caddy', 'ring']],
	['all programs and nginx', 'front', 'by nginx', 'all', 'us',
		['here', 'all', 'with Caddy', 'ring']],
	['idle: AOF', 'idle', 'AOF', 'redis', 'B/s', undef, 'v', 0],
	['idle: Redis', 'idle', 'CPU', 'redis', 'ms/s'],
	['idle: all programs', 'idle', 'CPU', 'all of incr', 'ms/s', undef, 'v', 5],
	['idle: wake-ups of all programs', 'idle', 'wake-ups', 'all of incr', '/s', undef, 'v', 60],
);

my %UNIT = ('B waiting' => 'B', us => 'µs', 'B/s' => 'B/s', '/s' => 'a second');

# -- figures -----------------------------------------------------------------

# The cases of flush are called by their number of keys.
sub name_cases {
	my %name = (tenth => $size{keys} / 10 . ' keys', most => "$size{keys} keys");
	for my $row (@ROWS) {
		next unless $name{ $row->[2] };
		$row->[0] =~ s/%s keys/grouped($name{ $row->[2] })/e;
		$row->[2] = $name{ $row->[2] };
	}
	# What the last million keys took more than one.
	for my $side (sides()) {
		my ($one, $all) = map { median_of('flush', $_, $side, 'flush', 'KiB') }
			'1 key', "$size{keys} keys";
		next unless defined $one && defined $all;
		# Few keys take less than two runs differ by.
		my $more = $all > $one ? $all - $one : 0;
		note('flush', 'memory', $side, { flush => $more * 1024 / $size{keys} }, 'B');
	}
}

sub grouped { return $_[0] =~ s/(?<=\d)(?=(\d{3})+\b)/,/gr }

# A figure to three digits.
sub shown {
	my ($v) = @_;
	return '' unless defined $v;
	$v = 0 if abs $v < 0.0005;
	my $digits = abs $v >= 100 || $v == 0 ? 0 : abs $v >= 10 ? 1 : abs $v >= 1 ? 2 : 3;
	return grouped(sprintf "%.${digits}f", $v);
}

sub of_unit {
	my ($v, $unit) = @_;
	return defined $v ? shown($v) . ' ' . ($UNIT{$unit} // $unit) : '';
}

sub ratio { return defined $_[0] && $_[1] ? sprintf '%.2f', $_[0] / $_[1] : '' }

sub limit_of {
	my ($path, $case, $unit, $limit) = @_;
	return unless $limit;
	my ($side, $process, undef, $other) = @$limit;
	return median_of($path, $other // $case, $side, $process, $unit);
}

# met KIND, MOST, HERE, BEFORE, LIMIT: the aim and whether it is met
sub met {
	my ($kind, $most, $here, $before, $limit) = @_;
	return '' unless $kind;
	my $than = $kind eq 'l' ? $limit : $kind eq 'b' ? $before : 1;
	my $text = '≤ ' . $most . ($kind eq 'l' ? ' of the limit' : $kind eq 'b' ? ' of before' : '');
	return "$text: not known" unless defined $here && $than;
	return "$text: met" if $here / $than <= $most + 0.0005;
	return "$text: **not met**" . foreign($kind, $most, $here, $than, $limit);
}

# An aim below what is at the limit can't be met.  What costs more than we do is none.
sub foreign {
	my ($kind, $most, $here, $than, $limit) = @_;
	return '' if $kind eq 'l' || !$limit || $limit > 1.1 * $here || $limit / $than <= $most;
	return '; the limit is ' . ($kind eq 'b' ? sprintf('%.2f of before', $limit / $than) : shown($limit));
}

sub row {
	my ($title, $path, $case, $process, $unit, $limit, $kind, $most) = @{ $_[0] };
	my ($before, $here) = map { median_of($path, $case, $_, $process, $unit) } 'before', 'here';
	return unless defined $here;
	my $least = limit_of($path, $case, $unit, $limit);
	return '| ' . join(' | ', $title, $process =~ s/^redis/Redis/r, of_unit($before, $unit),
		of_unit($here, $unit), ratio($here, $before),
		$limit && defined $least ? "$limit->[2]: " . of_unit($least, $unit) : '',
		ratio($here, $least), met($kind, $most, $here, $before, $least)) . " |\n";
}

# Why there are no fewer system calls.
my $CALLS = <<'EOF';

A request on its own wakes a process six times: incr-serve for it and for its
verdict, incr-validate, incr-publish for the line and for the reply, Redis. Each time
that is a wait, a read and a write. None of our waits can be a read that blocks: a
signal, the end of the reader behind and the times of the options have to be seen while
nothing comes in. What is beside them is getrandom(2) for the name of a batch, by which
Redis tells it from one of a copy of the process (a cloned machine), so it can't be drawn
ahead; since glibc 2.41 that is no system call.

Beside it are the same processes, which only pass it on (tests/bench/ring.c). Over the
same TCP connection, pipes and Unix socket they wait, read and write as often, the same
bytes, and judge nothing; Redis gets the commands of the path alone in a script. What
they take is what the kernel and Redis take for a ring of this shape.
EOF

# What a line that comes alone is compared with.
my $ALONE = <<'EOF';

A line that comes alone is a call of its own. Its commands alone in a script, and LPUSH,
reach Redis through a process in between that a line and the reply wake, as they wake
incr-publish, so that Redis sleeps as often; those of lines with an Idempotency-Key, as
many a call as came together in the ring. Its instructions are those of Redis itself,
without the kernel's, as callgrind counts them, with keys ten lines a call: other load
on the machine changes microseconds, not these.
EOF

sub table {
	my $rows = join '', map { row($_) } @ROWS;
	return $rows && "\n## Paths\n\n| path | process | before | here | of before | limit | of the limit | aim |\n" .
		"|---|---|---|---|---|---|---|---|\n$rows" . ($rows =~ /a line a call/ ? $ALONE : '') .
		($rows =~ /system calls/ ? $CALLS : '');
}

# -- the limit of each stage -------------------------------------------------

# The columns of a case: µs of each program for an increment.
sub stages {
	my ($path, $case) = @_;
	my %us = map { ($_, median_of($path, $case, 'here', $_, 'us')) } @PROGRAMS;
	my %drain = map { ($_, median_of('take', 'memory', 'here', $_, 'us')) }
		qw(redis consume flush);
	return unless defined $us{serve} && defined $drain{flush};
	@us{qw(consume flush)} = @drain{qw(consume flush)};
	$us{redis} += $drain{redis};
	return \%us;
}

sub arithmetic {
	my @of = (['one a request', 'serve', 'ring'], ['one a request, with a key', 'tagged', 'single'],
		['many a request', 'serve', 'many'], ['many a request, with keys', 'tagged', 'bulk']);
	my $text = '| | ' . join(' | ', map { s/^redis/Redis/r } @PROGRAMS) .
		" | sum | first at its limit | a second on two cores |\n|" . '---|' x 10 . "\n";
	my $rows = '';
	for (@of) {
		my $us = stages(@$_[1, 2]) or next;
		my ($most) = sort { $us->{$b} <=> $us->{$a} } @PROGRAMS;
		my $sum = 0;
		$sum += $us->{$_} for @PROGRAMS;
		my $cores = 2e6 / $sum;
		my $one = 1e6 / $us->{$most};
		$rows .= '| ' . join(' | ', $_->[0], (map { shown($us->{$_}) } @PROGRAMS), shown($sum),
			($most eq 'redis' ? 'Redis' : "incr-$most") . ', ' . rounded($one) . ' a second',
			rounded($cores < $one ? $cores : $one)) . " |\n";
	}
	return $rows eq '' ? '' : $text . $rows . memory();
}

# Of each program in an incr-up that has nothing to do.
sub memory {
	my %kib = map { ($_, median_of('idle', 'memory', 'here', $_, 'KiB')) } @PROGRAMS;
	return '' unless defined $kib{serve};
	return '| memory when idle, MB | ' . join(' | ', map {
		defined $kib{$_} ? shown($kib{$_} / 1000 * 1.024) : ''
	} @PROGRAMS) . " | | | |\n";
}

# To two digits.
sub rounded {
	my ($v) = @_;
	my $unit = 10**(int(log($v) / log 10) - 1);
	return grouped(int($v / $unit + 0.5) * $unit);
}

# -- the whole system --------------------------------------------------------

# What the figures above promise of the run "whole", and what it did.
sub checked {
	my $us = stages('tagged', 'bulk') or return '';
	my $key = median_of('flush', 'statement', 'here', 'Postgres', 'us');
	my $keys = median_of('whole', 'bulk', 'here', 'Postgres', 'keys');
	my $rate = median_of('whole', 'bulk', 'here', 'all', '/s');
	return '' unless $key && defined $keys && $rate;
	my %us = (%$us, send => median_of('tagged', 'bulk', 'here', 'send', 'us'),
		Postgres => $key * $keys);
	my ($text, @row) = ('', ['computed'], ['measured']);
	my @of = ('send', @PROGRAMS, 'Postgres');
	my $sum = 0;
	for (@of) {
		$sum += $us{$_};
		push @{ $row[0] }, shown($us{$_});
		push @{ $row[1] }, shown(median_of('whole', 'bulk', 'here', $_, 'us'));
	}
	my ($most) = sort { $b <=> $a } @us{@of};
	my $computed = 1e6 * ($most * cores() > $sum ? 1 / $most : cores() / $sum);
	push @{ $row[0] }, grouped(sprintf '%.0f', $computed), '1';
	push @{ $row[1] }, grouped(sprintf '%.0f', $rate), sprintf('%.2f', $rate / $computed);
	return '| | ' . join(' | ', (map { s/^redis/Redis/r } @of), 'a second', 'of computed') .
		" |\n|" . '---|' x 11 . "\n" . join '', map { '| ' . join(' | ', @$_) . " |\n" } @row;
}

sub cores { return scalar(() = Bench::whole('/proc/cpuinfo') =~ /^processor/mg) }

# -- growth ------------------------------------------------------------------

my @CURVES = (
	['messages that wait', 'backlog', 'us', [qw(redis consume flush)], 'µs a message'],
	['rows of the table', 'rows', 'ns', ['flush'], 'ns a line'],
	['keys of the lines', 'keys', 'ns', ['flush'], 'ns a line'],
	['connections', 'connections', 'us', [qw(serve validate publish redis nginx)],
		'µs a request'],
	['drains on shards', 'drains', 'us', [qw(redis consume flush Postgres)], 'µs a message'],
);
sub points {
	my ($axis, $unit, $process) = @_;
	my %at;
	for (@Bench::figures) {
		next unless $_->[0] eq 'growth' && $_->[1] =~ /^$axis (\d+)$/;
		my $n = $1;
		$at{$n} = median_of('growth', $_->[1], 'here', $process, $unit)
			if $_->[3] eq $process && $_->[4] eq $unit;
	}
	return map { [$_, $at{$_}] } sort { $a <=> $b } keys %at;
}

# How many times more a later point costs than one before it, at most.
sub grows {
	my @v = map { $_->[1] } @_;
	my $most = 1;
	for my $i (1 .. $#v) {
		for my $j (0 .. $i - 1) {
			$most = $v[$i] / $v[$j] if $v[$j] > 0 && $v[$i] / $v[$j] > $most;
		}
	}
	return $most;
}

sub growth {
	my $text = '';
	for (@CURVES) {
		my ($title, $axis, $unit, $processes, $of) = @$_;
		for my $process (@$processes) {
			my @points = points($axis, $unit, $process) or next;
			my $most = sprintf '%.2f', grows(@points);
			$text .= "| $title | " . ($process =~ s/^redis/Redis/r) . " | $of | " .
				join(', ', map { power($_->[0]) . ': ' . shown($_->[1]) } @points) .
				" | $most | " . verdict($axis, $process, $most, scalar @points) . " |\n";
		}
	}
	return $text eq '' ? '' :
		"| against | process | | cost | grows | ≤ 1.3 |\n|---|---|---|---|---|---|\n$text";
}

sub verdict {
	my ($axis, $process, $most, $points) = @_;
	return 'not of incr' if $process eq 'nginx';
	return 'sums have a size: aims above' if $axis eq 'keys';
	return $points < 2 ? 'one point' : 'met' if $points < 2 || $most <= 1.3;
	# What the kernel does for so many connections is in both.
	my $kernel = $axis eq 'connections' ? grows(points($axis, 'us', 'nginx')) : 1;
	return $most <= 1.3 * $kernel ? sprintf('nginx grows %.2f', $kernel) : '**not met**';
}

sub power {
	return $_[0] if $_[0] !~ /^10+$/;
	return '10' . ('', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸')[length($_[0]) - 1];
}

# -- the picture -------------------------------------------------------------

sub picture {
	my ($file) = @_;
	return not_run('picture', 'gnuplot is not installed') && 0 unless has_program('gnuplot');
	my ($data, $plots) = ('', '');
	for my $panel (['messages that wait', 'µs a message', 'backlog'],
		['keys', 'ns a line', 'rows', 'keys'], ['connections', 'µs a request', 'connections']) {
		my ($title, $of, @axes) = @$panel;
		my @curves;
		for my $curve (grep { my $axis = $_->[1]; grep { $_ eq $axis } @axes } @CURVES) {
			my (undef, $axis, $unit, $processes) = @$curve;
			for my $process (@$processes) {
				my @points = points($axis, $unit, $process) or next;
				my $name = "\$${axis}_$process";
				$data .= "$name << EOD\n" . join('', map { "@$_\n" } @points) . "EOD\n";
				push @curves, "$name using 1:2 with linespoints pt 7 ps 0.4 lw 1.5 title '" .
					($axis eq 'rows' ? 'rows of the table' : $axis eq 'keys' ? 'keys of the lines' :
						$process =~ s/^redis/Redis/r) . "'";
			}
		}
		$plots .= "set xlabel '$title'\nset ylabel '$of'\nplot " . join(', ', @curves) . "\n"
			if @curves;
	}
	return 0 if $plots eq '';
	open(my $f, '|-', "gnuplot 2>>$dir/log") or die "gnuplot: $!\n";
	print $f "set encoding utf8\nset terminal svg size 960,340 dynamic background 'white'\n",
		"set output '$file'\n${data}set multiplot layout 1,3\nset logscale x\n",
		"set format x '10^{%T}'\nset yrange [0:*]\nset grid lc '#dddddd'\n",
		"set key outside top center horizontal\n$plots";
	close $f or die "gnuplot: status $?\n";
	return 1;
}

# -- the page ----------------------------------------------------------------

sub machine {
	my ($root) = @_;
	my ($model) = Bench::whole('/proc/cpuinfo') =~ /^model name\s*: (.*)/m;
	my ($mem) = Bench::whole('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
	my $cores = cores();
	my ($load) = Bench::whole('/proc/loadavg') =~ /^(\S+)/;
	my @facts = (['processor', ($model // 'unknown') . ", cores: $cores"],
		['memory', sprintf '%.0f GiB', $mem / 1048576],
		['kernel', (POSIX::uname())[2]], ['load when the suite began', $load]);
	for (['Redis', 'redis-server --version', qr/v=(\S+)/], ['Postgres', 'postgres --version', qr/([\d.]+)/],
		['compiler', 'cc --version', qr/(.+)/], ['nginx', 'nginx -v 2>&1', qr{/([\d.]+)}],
		['Caddy', 'caddy version', qr/([\d.]+)/], ['jq', 'jq --version', qr/jq-(\S+)/]) {
		my ($name, $command, $pattern) = @$_;
		my $said = has_program($command =~ s/ .*//r) ? qx($command) : '';
		push @facts, [$name, $said =~ $pattern ? $1 : 'none'];
	}
	return \@facts;
}

sub marker {
	my ($of) = @_;
	my $day = POSIX::strftime('%Y-%m-%d', gmtime);
	return "<!-- Written by the suite on $day, of commit $of->{commit}, " .
		"beside $of->{before}. Do not edit. -->\n";
}

sub introduction {
	my ($of) = @_;
	my $sizes = $of->{quick} ? "\n**This run had tiny sizes and one round: it shows the form of " .
		"this page, and its\nfigures say nothing.**\n" : '';
	return <<"END";
# Performance
$sizes
This page is what `make bench-all` wrote, and nothing is added by hand. A figure is
user and system CPU of one process for one item (a line, a message, a request), from
/proc, of Redis from INFO; the time that others take of the machine is not in it. It
is the median of up to $of->{rounds} rounds. In each round the programs of this commit ("here"),
those of an older one ("before") and what does the least at that place, or does the same
otherwise ("limit": Redis's own commands, jq, psql, nginx), take turns, so ratios say
more than microseconds. "These alone in a script" are the commands of a path in a script
that calls them and looks at no reply: what a call costs Redis before it keeps a promise.
An aim below what the limit itself costs can't be met; where that is so the row says it.

Here: $of->{commit}. Before: $of->{before}; of the rows "the scripts" and
"the script", which call the scripts alone: $of->{scripts}.

END
}

my $STAGES = <<'END';

## The limit of each stage

Microseconds of CPU for one increment from its request to its row, without Caddy and
Postgres. Each program and Redis have one thread, so the dearest of them sets a limit,
however many cores there are. Programs can run several times, the Redis of a queue
can't. On two cores the sum counts as well.

END

my $WHOLE = <<'END';

## Checked against a whole system

incr-send, all programs, Redis and Postgres on this machine at once, as fast as they
go: many a request, with keys. Computed: the CPU of each for an increment is that of the
paths above, of Postgres that of the statement for each key that was written, and the
machine's cores do nothing else. Measured: from the first line to the last that was
taken.

END

my $GROWTH = <<'END';

## Growth

What an item costs should not depend on what is there besides. "Grows" is how many
times more a later point costs than one before it, at most. nginx shows what
connections cost the kernel.

END

sub not_run_text {
	return '' unless @Bench::missing;
	return "\n## Not run\n\n" . join '', map { "- $_->[0]: $_->[1]\n" } @Bench::missing;
}

sub write_all {
	my ($to, $of) = @_;
	name_cases();
	not_run('adjust/rmq in Go', 'no package of Debian has it; its commands alone were run')
		if grep { $_ eq 'take' } @{ $of->{paths} };
	my ($stages, $whole, $growth) = (arithmetic(), checked(), growth());
	my $picture = picture("$to/performance.svg");
	open(my $f, '>:raw', "$to/performance.md") or die "$to/performance.md: $!\n";
	print $f marker($of), introduction($of), "## The machine\n\n| | |\n|---|---|\n",
		(map { "| $_->[0] | $_->[1] |\n" } @{ $of->{facts} }),
		table(), $stages && $STAGES . $stages, $whole && $WHOLE . $whole,
		$growth && $GROWTH . $growth,
		$picture ? "\n![cost against backlog, rows and connections](performance.svg)\n" : '',
		not_run_text();
	close $f or die "$to/performance.md: $!\n";
}

1;
