#!/usr/bin/perl
# liar LISTEN SERVER [MODE:]CALL: a Unix socket in front of that of a Redis.
# Each reply to CALL, the name of one of our scripts or of a command, is a lie,
# each time another one, for ever.  With a MODE it does not come to an end:
#
#	flood  as fast as it is read    drip  a byte each tenth of a second
#
# A line in LISTEN.cut has how many bytes were taken.
use strict;
use warnings;
use IO::Socket::UNIX;

my ($path, $server, $mode, $call) = (@ARGV[0, 1], $ARGV[2] =~ /^(?:(\w+):)?(\w+)$/);
my $door = IO::Socket::UNIX->new(Local => $path, Listen => 8) or die "$path: $!";
my (%name, @lies);
$SIG{PIPE} = $SIG{CHLD} = 'IGNORE';

# Each makes of a reply, an array reference, a number or a text, another one.
@lies = (
	sub { more($_[0]) },
	sub { leaves($_[0], sub { $_[0] =~ /^-?\d+$/ ? \'9223372036854775807' : $_[0] }) },
	sub { leaves($_[0], sub { $_[0] =~ /^-?\d+$/ ? \'-9223372036854775808' : $_[0] }) },
	sub { [] },
	sub { undef },
	sub { leaves($_[0], sub { [[$_[0]]] }) },
	sub { leaves($_[0], sub { '' }) },
	sub { \'4611686018427387904' },
);

while (my $client = $door->accept) {
	next if fork;
	serve($client);
	exit;
}

sub serve {
	my ($client) = @_;
	my $to = IO::Socket::UNIX->new(Peer => $server) or return;
	while (my ($bytes, @words) = request($client)) {
		syswrite $to, $bytes;
		my ($raw, $reply) = reply($to) or last;
		my $what = lc $words[0];
		if ($what eq 'script' && $words[2] =~ /^-- (\w+): /m) {
			$name{$reply} = $1;
		}
		$what = $name{$words[1]} // '' if $what eq 'evalsha';
		my $turn = $what eq $call ? note() : 0;
		# Else nobody gets as far as to wait for one.
		$raw =~ s/^connected_slaves:0/connected_slaves:1/m if $call eq 'wait';
		if ($what eq $call && $mode) {
			endless($client);
			last;
		}
		if ($what eq $call && substr($raw, 0, 1) ne '-') {
			my $n = $turn % (@lies + 1);
			$raw = $n < @lies ? text($lies[$n]->($reply)) :
				"*200000000\r\n:1\r\n";
		}
		syswrite $client, $raw;
	}
}

# A byte in LISTEN.asked for each call of all clients; how many there were.
sub note {
	open my $file, '>>', "$path.asked" or die;
	my $before = -s $file;
	syswrite $file, '.';
	return $before;
}

# Until the other side has closed.
sub endless {
	my ($to) = @_;
	my $text = $mode eq 'flood' ? 'x' x 100000 : 'x';
	my $all = 0;
	syswrite $to, "\$600000000\r\n";
	while (my $n = syswrite $to, $text) {
		$all += $n;
		select undef, undef, undef, 0.1 if $mode eq 'drip';
	}
	open my $file, '>>', "$path.cut" or die;
	print $file "$all\n";
}

# The bytes of a request and its words, as array or on one line.
sub request {
	my ($from) = @_;
	my $line = <$from> // return;
	return ($line, split ' ', $line) unless $line =~ /^\*(\d+)/;
	my @words;
	my $bytes = $line;
	for (1 .. $1) {
		my ($raw, $word) = reply($from) or return;
		$bytes .= $raw;
		push @words, $word;
	}
	return ($bytes, @words);
}

# The bytes of a reply and what they mean.
sub reply {
	my ($from) = @_;
	my $line = <$from> // return;
	my ($kind, $rest) = $line =~ /^(.)(.*)\r\n/s;
	return ($line, \$rest) if $kind eq ':';
	return ($line, $rest) if $kind =~ /[-+]/;
	return ($line, undef) if $rest < 0;
	if ($kind eq '$') {
		my $left = $rest + 2;
		my $text = '';
		while ($left > 0) {
			my $n = read $from, $text, $left, length $text or return;
			$left -= $n;
		}
		return ($line . $text, substr $text, 0, $rest);
	}
	my @all;
	for (1 .. $rest) {
		my ($raw, $one) = reply($from) or return;
		$line .= $raw;
		push @all, $one;
	}
	return ($line, \@all);
}

sub text {
	my ($one) = @_;
	return "\$-1\r\n" unless defined $one;
	return ":$$one\r\n" if ref $one eq 'SCALAR';
	return '$' . length($one) . "\r\n$one\r\n" unless ref $one;
	return '*' . @$one . "\r\n" . join '', map { text($_) } @$one;
}

# Far more than was asked, of what is there.
sub more {
	my ($one) = @_;
	return \'9007199254740993' if ref $one eq 'SCALAR';
	return $one x 1000 unless ref $one;
	my $last = @$one ? $one->[-1] : 'x';
	return [(map { ref $_ eq 'ARRAY' ? more($_) : $_ } @$one),
		($last) x 20000];
}

sub leaves {
	my ($one, $make) = @_;
	return [map { leaves($_, $make) } @$one] if ref $one eq 'ARRAY';
	return $make->(ref $one ? $$one : $one);
}
