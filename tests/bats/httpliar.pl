#!/usr/bin/perl
# httpliar FILE LIE: an HTTP server on a port of loopback, written to FILE, that
# answers each request with LIE, one of those below.
use strict;
use warnings;
use IO::Socket::INET;

my ($file, $lie) = @ARGV;
my $door = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64)
	or die "listen: $!";
$SIG{PIPE} = $SIG{CHLD} = 'IGNORE';
open my $out, '>', "$file.new" or die;
print $out $door->sockport, "\n";
close $out;
rename "$file.new", $file;

my $line = '{"key":"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11","value":1}';
my $many = "HTTP/1.1 207 Multi-Status\r\nContent-Type: application/x-ndjson\r\n";
# What comes first, then what comes again and again, then how long between.
my %lies = (
	fields => ["HTTP/1.1 202 Accepted\r\n", "X-Field: " . 'x' x 1000 . "\r\n"],
	field => ["HTTP/1.1 202 Accepted\r\nX-Field: ", 'x' x 1000],
	status => ["HTTP/1.1 202 ", 'x' x 1000],
	interim => ['', "HTTP/1.1 100 Continue\r\n\r\n" x 100],
	early => ['', "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" x 100],
	body => ["${many}\r\n", 'x' x 1000],
	lines => ["${many}\r\n", '{"error":{"code":"not-json","detail":"x","line":1}}' . "\n"],
	chunks => ["${many}Transfer-Encoding: chunked\r\n\r\n", "5\r\nxxxxx\r\n" x 100],
	extension => ["${many}Transfer-Encoding: chunked\r\n\r\n5;", 'x' x 1000],
	trailer => ["${many}Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n" x 100],
	problem => ["HTTP/1.1 400 x\r\nContent-Type: application/problem+json\r\n\r\n", '{"code":' x 100],
	slow_head => ['', 'H', 0.1],
	slow_body => ["${many}Content-Length: 100000\r\n\r\n", 'x', 0.1],
	short => ["${many}Content-Length: 100000\r\n\r\n$line\n"],
	long => ["${many}Content-Length: 99999999999999999999999\r\n\r\n$line\n"],
	negative => ["${many}Content-Length: -1\r\n\r\n$line\n"],
	lengths => ["${many}Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello$line"],
	size => ["${many}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n$line\n"],
	other => ["${many}Content-Length: 3\r\n\r\n\x1b[2"],
	two => ["HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n" .
			"HTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n"],
	wait => ["HTTP/1.1 503 x\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n"],
	date => ["HTTP/1.1 429 x\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n"],
	number => ["HTTP/1.1 99999 x\r\n\r\n"],
	old => ["hello\n"],
	nul => ["HTTP/1.1 202\0\r\n\0\r\n\r\n"],
	endless => ["HTTP/1.1 200 OK\r\n\r\n", "incr_published_total 1\n" x 1000],
	trickle => ["HTTP/1.1 200 OK\r\n\r\n", "x 1\n", 0.1],
	page => ["HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n<html>\x1b[2J</html>\n\n"],
	half => ["HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nincr_published_total 1\n"],
	redirect => ["HTTP/1.1 302 x\r\nLocation: http://a\x1b[2Jb/\r\nContent-Length: 0\r\n\r\n"],
);
while (my $c = $door->accept) {
	next if fork;
	sysread $c, my $request, 65536;
	my ($first, $again, $nap) = @{$lies{$lie}};
	syswrite $c, $first;
	while (defined $again && syswrite $c, $again) {
		select undef, undef, undef, $nap if $nap;
	}
	exit;
}
