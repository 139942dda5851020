#!/usr/bin/perl
# shard_proxy LISTEN SERVER FOLDER: a Unix socket in front of a Redis, that does
# harm to the connections of single queues.  A connection is that of the first
# queue whose keys the client names on it.  Files in FOLDER say what is done:
#
#	down-QUEUE  its connections end, and so do those to come
#	hole-QUEUE  nothing passes on them in either direction
#	slow-QUEUE  what the server says waits for so many seconds: its text
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use Time::HiRes 'time';

my ($path, $server, $folder) = @ARGV;
my $door = IO::Socket::UNIX->new(Local => $path, Listen => 64) or die "$path: $!";
my @links;
$SIG{PIPE} = 'IGNORE';

while (1) {
	my $all = IO::Select->new($door,
		grep { defined } map { ($_->{client}, $_->{server}) } @links);
	for my $end ($all->can_read(0.005)) {
		if ($end == $door) { meet() } else { take($end) }
	}
	hand_on($_) for @links;
	@links = grep { $_->{client} && $_->{server} } @links;
}

sub meet {
	my $client = $door->accept or return;
	my $to = IO::Socket::UNIX->new(Peer => $server) or return;
	push @links, { client => $client, server => $to, in => '', out => '', queue => '' };
}

sub take {
	my ($end) = @_;
	for my $l (@links) {
		for (['client', 'in'], ['server', 'out']) {
			my ($side, $box) = @$_;
			next unless $l->{$side} && $l->{$side} == $end;
			$l->{since} = time if $side eq 'server' && $l->{out} eq '';
			my $n = sysread $end, $l->{$box}, 65536, length $l->{$box};
			$l->{$side} = undef unless $n;
		}
		$l->{queue} = $1 if $l->{queue} eq '' && $l->{in} =~ /::\[([^\]]+)\]::/;
	}
}

sub seconds {
	my ($file) = @_;
	open my $in, '<', $file or return 0;
	return (<$in> // 0) + 0;
}

sub hand_on {
	my ($l) = @_;
	my $q = $l->{queue};
	if ($q ne '' && -e "$folder/down-$q") {
		$l->{client} = $l->{server} = undef;
		return;
	}
	return if $q ne '' && -e "$folder/hole-$q";
	send_all($l, 'server', 'in');
	return if $q ne '' && $l->{out} ne '' &&
		time < $l->{since} + seconds("$folder/slow-$q");
	send_all($l, 'client', 'out');
}

sub send_all {
	my ($l, $side, $box) = @_;
	while ($l->{$side} && $l->{$box} ne '') {
		my $n = syswrite $l->{$side}, $l->{$box};
		if (!defined $n) { $l->{$side} = undef; last }
		substr $l->{$box}, 0, $n, '';
	}
}
