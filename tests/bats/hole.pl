#!/usr/bin/perl
# hole PORT SERVER FOLDER: a TCP port of loopback in front of another, SERVER,
# whose links become black holes.  It is told by files in FOLDER:
#
#	sync	the next statement goes to the server without its last message,
#		Sync, so that it is executed and not committed; then its link
#		is a black hole; renamed to synced once that is so
#	all	every link that is open is a black hole; renamed to alled
#	shut	while it is there, so is every new link
#
# What arrives at a black hole is dropped below TCP: nothing is acknowledged,
# and both peers may only time out.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Socket;

my ($port, $server, $folder) = @ARGV;
my $door = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Listen => 8,
	ReuseAddr => 1) or die "$port: $!";
my %peer;
my @holes;
my $sync = "S\0\0\0\4";
$SIG{PIPE} = 'IGNORE';

while (1) {
	my $all = IO::Select->new($door, map { $_->{from} } values %peer);
	for my $end ($all->can_read(0.01)) {
		if ($end == $door) { meet() } else { pass($end) }
	}
	if (rename "$folder/all", "$folder/alled") {
		swallow($_->{from}) for values %peer;
	}
}

sub meet {
	my $client = $door->accept or return;
	return swallow($client) if -e "$folder/shut";
	my $to = IO::Socket::INET->new(PeerAddr => $server) or return;
	$peer{fileno $client} = { from => $client, to => $to, asks => 1 };
	$peer{fileno $to} = { from => $to, to => $client };
}

sub pass {
	my ($end) = @_;
	my $p = $peer{fileno $end} or return;
	my $n = sysread $end, my $bytes, 1 << 20;
	if (!$n) {
		delete @peer{fileno $p->{from}, fileno $p->{to}};
		return;
	}
	my $holds = $p->{asks} && substr($bytes, -5) eq $sync &&
	    rename "$folder/sync", "$folder/syncing";
	$bytes = substr $bytes, 0, -5 if $holds;
	syswrite $p->{to}, $bytes;
	return unless $holds;
	# The server has it, and acknowledged it.
	select undef, undef, undef, 0.2;
	swallow($_) for $p->{from}, $p->{to};
	rename "$folder/syncing", "$folder/synced";
}

# SO_ATTACH_FILTER, with a program that drops everything; it stays open.
sub swallow {
	my ($socket) = @_;
	my $program = pack 'SCCL', 6, 0, 0, 0;
	setsockopt $socket, SOL_SOCKET, 26, pack 'S x![Q] P', 1, $program
	    or die "filter: $!";
	push @holes, $socket;
	delete $peer{fileno $socket};
}
