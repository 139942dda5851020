#!/usr/bin/perl
# resolver ADDRESS FOLDER: a name server at port 53 of an address of loopback, for
# which every name is 127.0.0.1.  It is told by files in FOLDER:
#
#	fail  it answers that it failed, SERVFAIL
#	drop  it answers nothing
#
# and writes a line to asked for each question that it treats so.
use strict;
use warnings;
use IO::Socket::INET;

my ($address, $folder) = @ARGV;
my $socket = IO::Socket::INET->new(LocalAddr => $address, LocalPort => 53,
	Proto => 'udp') or die "$address: $!";
open my $ready, '>', "$folder/ready" or die;
close $ready;

while (defined $socket->recv(my $question, 4096)) {
	next if length $question < 12;
	# RFC 1035: a header of 12 bytes, one name, its type and class.
	my ($id, $flags) = unpack 'nn', $question;
	my $end = index $question, "\0", 12;
	next if $end < 0;
	my $asked = substr $question, 12, $end - 12 + 5;
	my $type = unpack 'n', substr $asked, -4;
	my $trouble = -e "$folder/fail" || -e "$folder/drop";
	if ($trouble) {
		open my $note, '>>', "$folder/asked" or die;
		print $note unpack('H*', $asked), "\n";
		close $note;
		next if -e "$folder/drop";
	}
	my $has = !$trouble && $type == 1;
	my $answer = pack('n6', $id, 0x8180 | ($flags & 0x0100) | ($trouble ? 2 : 0),
		1, $has, 0, 0) . $asked;
	$answer .= pack 'nnnNnC4', 0xc00c, 1, 1, 0, 4, 127, 0, 0, 1 if $has;
	$socket->send($answer);
}
