#!/usr/bin/perl
# faulty PORTFILE SOCKET PIDFILE FAULT...: HTTP in front of an incr-serve on a
# Unix socket, one request after the other.  The first request meets the first
# FAULT, and so on; later ones pass, as does every GET.  Each is named on standard output, with its
# Idempotency-Key.
#
#	lose   the server answers, and the answer is lost
#	504    the same, and 504 is answered
#	kill   the server gets the request, and PIDFILE's process is killed
#	cut    the server gets nothing, and there is no answer
#	503    the server gets nothing, and 503 with Retry-After is answered
#	400    and the like: the server gets nothing, and that is answered
#	pass
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::UNIX;

my ($file, $socket, $pidfile, @faults) = @ARGV;
my $door = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64) or die $!;
$SIG{PIPE} = 'IGNORE';
$| = 1;
open my $out, '>', "$file.new" or die $!;
print $out $door->sockport, "\n";
close $out;
rename "$file.new", $file or die $!;

while (my $client = $door->accept) {
	my $request = message($client);
	next if $request eq '';
	my $fault = $request =~ /^GET/ ? 'pass' : shift(@faults) // 'pass';
	my ($key) = $request =~ /^Idempotency-Key: *(.*?)\r$/mi;
	print "$fault ", $key // '-', "\n";
	my $answer = '';
	if ($fault =~ /^(?:lose|504|pass|kill)$/) {
		my $server = IO::Socket::UNIX->new(Peer => $socket) or die $!;
		syswrite $server, $request;
		if ($fault eq 'kill') {
			open my $in, '<', $pidfile or die $!;
			kill 9, (split ' ', <$in>)[0];
		}
		$answer = message($server);
		$answer =~ s/\r\n/\r\nConnection: close\r\n/;
	}
	$answer = "HTTP/1.1 $fault X\r\n" . ($fault == 503 ? "Retry-After: 1\r\n" : '') .
	    "Connection: close\r\nContent-Length: 0\r\n\r\n" if $fault =~ /^\d+$/;
	syswrite $client, $answer unless $fault =~ /^[a-z]+$/ && $fault ne 'pass';
}

# message(SOCKET): a request or an answer, all of it unless the other end closes
sub message {
	my ($from) = @_;
	my $all = '';
	while (1) {
		if ($all =~ /\r\n\r\n/) {
			my $whole = $+[0];
			$whole += $1 if $all =~ /^Content-Length: *(\d+)/mi;
			return $all if length $all >= $whole;
		}
		return '' unless sysread $from, $all, 65536, length $all;
	}
}
