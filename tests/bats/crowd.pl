#!/usr/bin/perl
# crowd SOCKET N [SECONDS]: N clients of an incr-serve on a Unix socket, at
# once or spread over SECONDS, each with a connection of its own and one
# request, an increment by 1.  Writes "STATUS MILLISECONDS" for each, in the
# order of the answers, and "none" for one whose connection ended.
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use Time::HiRes 'time';

my ($path, $n, $spread) = (@ARGV, 0);
my $body = '{"key":"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11","value":1}';
my $request = "POST /increment HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" .
    'Content-Length: ' . length($body) . "\r\n\r\n$body";
my $waiting = IO::Select->new;
my %asked;
my $begun = time;
my $sent = 0;
$| = 1;

while ($sent < $n || $waiting->count) {
	# Some at a time, or answers would wait for all questions.
	for (1 .. 50) {
		last if $sent == $n || time < $begun + $spread * $sent / $n;
		ask();
	}
	hear($_) for $waiting->can_read($sent < $n ? 0.001 : 1);
}

sub ask {
	my $s = IO::Socket::UNIX->new(Peer => $path) or die "$path: $!";
	syswrite $s, $request;
	$asked{fileno $s} = time;
	$waiting->add($s);
	$sent++;
}

sub hear {
	my ($s) = @_;
	my $n = sysread $s, my $answer, 65536;
	print $n && $answer =~ m{^HTTP/1.1 (\d+)} ? $1 : 'none',
	    sprintf(" %d\n", (time - delete $asked{fileno $s}) * 1000);
	$waiting->remove($s);
	close $s;
}
