#!/usr/bin/perl
# pgliar FOLDER LIE: a Postgres at FOLDER/.s.PGSQL.5432 that takes everybody in,
# and answers each query with LIE:
#
#	none     no row            bare     a row without columns
#	one      a single column   null     columns that are null
#	short    rows of one byte  long     rows of many bytes, many of them
#	huge     rows of numbers with all bits set
#	text     a number as text   two     a second column
#	nobody   no row where one is asked for
#	flood    rows without end   notices  notices without end
#	settings settings without end, each with another name
#	alien    bytes of another protocol, to the greeting
#
# From short on only behind a good greeting.
use strict;
use warnings;
use IO::Socket::UNIX;

my ($folder, $lie) = @ARGV;
my $door = IO::Socket::UNIX->new(Local => "$folder/.s.PGSQL.5432", Listen => 8)
	or die "$folder: $!";
$SIG{PIPE} = 'IGNORE';
$SIG{CHLD} = 'IGNORE';

while (my $c = $door->accept) {
	next if fork;
	serve($c);
	exit;
}

sub serve {
	my ($c) = @_;
	my $startup = body($c);
	$startup = (syswrite($c, 'N'), body($c))[1] if unpack('N', $startup) == 80877103;
	# Without these three libpq asks for itself.
	syswrite $c, message('R', pack 'N', 0) . message('K', pack 'NN', 1, 2) .
		message('S', "server_version\0" . "15.0\0") .
		message('S', "default_transaction_read_only\0off\0") .
		message('S', "in_hot_standby\0off\0") . ready();
	while (read $c, my $kind, 1) {
		my $body = body($c);
		syswrite $c, "HTTP/1.1 400 Bad Request\r\n\r\n" if $lie eq 'alien';
		endless($c) if $kind eq 'S' && $lie =~ /^(?:flood|notices|settings)$/;
		syswrite $c, greeting() . ready() if $kind eq 'Q';
		syswrite $c, statement() . ready() if $kind eq 'S';
	}
}

# Until the other side has closed.
sub endless {
	my ($c) = @_;
	my $row = data("\0" x 8) x 2000;
	my $notice = message('N', "SNOTICE\0C00000\0M" . 'x' x 1000 . "\0\0") x 50;
	my $n = 0;
	syswrite $c, message('1', '') . message('2', '') .
		message('T', pack('n', 1) . "c\0" . pack 'NnNnNn', 0, 0, 20, 8, -1, 1);
	while (1) {
		my $text = $lie eq 'flood' ? $row : $lie eq 'notices' ? $notice :
			join '', map { message('S', 'x' . $n++ . "\0" . 'x' x 20000 . "\0") } 1 .. 50;
		syswrite $c, $text or exit;
	}
}

sub body {
	my ($c) = @_;
	read $c, my $len, 4 or exit;
	read $c, my $body, unpack('N', $len) - 4;
	return $body;
}

sub message { return $_[0] . pack('N', 4 + length $_[1]) . $_[1] }
sub ready { return message('Z', 'I') }

sub greeting {
	return message('C', "SELECT 0\0") if $lie eq 'none';
	return rows(0, []) if $lie eq 'bare';
	return rows(0, ['notice']) if $lie eq 'one';
	return rows(0, ['notice', (undef) x 6]) if $lie eq 'null';
	return rows(0, ['notice', 'public.increments', 'public.incr_ledger',
		'public.incr_database', '6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11']);
}

sub statement {
	my @all = ("\xff" x 8, "\xff" x 16, "\xff" x 24);
	my $begin = message('1', '') . message('2', '');
	return $begin . rows(1, ['x']) if $lie eq 'short';
	return $begin . rows(0, ['1']) if $lie eq 'text';
	return $begin . rows(1, ["\0" x 7 . "\1", 'x']) if $lie eq 'two';
	return $begin . rows(1, map { ['x' x 5000] } 1 .. 3000) if $lie eq 'long';
	return $begin . rows(1, map { [$all[$_ % 3]] } 1 .. 3000) if $lie eq 'huge';
	return $begin . message('C', "SELECT 0\0");
}

# rows BINARY ROW...: what describes them, all of them, and their end
sub rows {
	my ($binary, @rows) = @_;
	my $n = @{$rows[0]};
	return message('T', pack('n', $n) .
			join '', map { "c$_\0" . pack 'NnNnNn', 0, 0, 25, 65535, 0, $binary } 1 .. $n) .
		join('', map { data(@$_) } @rows) .
		message('C', 'SELECT ' . @rows . "\0");
}

sub data {
	return message('D', pack('n', scalar @_) . join '', map {
		defined $_ ? pack('N', length $_) . $_ : pack 'N', 0xffffffff } @_);
}
