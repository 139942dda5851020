#!/usr/bin/perl
# evil KIND WHERE: a redis or postgres on the Unix socket WHERE, or an http on a
# port that it writes into the file WHERE.  Its every answer is an error with
# text for the terminal of whoever reads it.
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::UNIX;

my ($kind, $where) = @ARGV;
my $text = "evil\e]0;title\a\e[31m\x9b1m\xc2\x9b2mred\b\r";
my $door = $kind eq 'http'
	? IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
	: IO::Socket::UNIX->new(Local => $where, Listen => 8);
$door or die "$where: $!";
$SIG{PIPE} = 'IGNORE';
$SIG{CHLD} = 'IGNORE';
note($where, $door->sockport) if $kind eq 'http';

while (my $c = $door->accept) {
	next if fork;
	while (sysread $c, my $bytes, 65536) {
		syswrite $c, answer($bytes);
		last if $kind ne 'redis';
	}
	exit;
}

sub answer {
	my ($bytes) = @_;
	(my $line = $text) =~ s/\r//g;
	return "-ERR $line\r\n" if $kind eq 'redis';
	if ($kind eq 'postgres') {
		return 'N' if unpack('N', $bytes) == 8;
		my $fields = join '', map { "$_\0" } 'SFATAL', 'VFATAL',
			'C57P03', "M$text";
		return 'E' . pack('N', 5 + length $fields) . "$fields\0";
	}
	my $body = qq({"code":"$line","detail":"$line"});
	return "HTTP/1.1 403 $line\r\nContent-Type: application/problem+json" .
		"\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
}

sub note {
	my ($file, $port) = @_;
	open my $out, '>', "$file.new" or die "$file: $!";
	print $out "$port\n";
	close $out;
	rename "$file.new", $file or die "$file: $!";
}
