#!/usr/bin/perl
# proxy LISTEN SERVER FOLDER: a Unix socket in front of another, that loses
# answers and delivers late.  It is told by files in FOLDER:
#
#	hold-in   nothing more goes to the server on the connections that are
#	          open; renamed to held-in once that is so, which is not empty
#	          once there is something; over when held-in is removed: then
#	          all of it arrives, also if the client has gone meanwhile
#	hold-out  the same for what the server says
#	lose-take the same as hold-out, but from the answer to the next call on
#	          that takes or reads a batch: becomes held-out then
#	hold-exec, lose-exec  the same as hold-in and hold-out, but from the next
#	          EXEC on, or its answer; becomes held-in, held-out then. Redis is
#	          not told that the client has gone: it would not read all of it
#	no-multi  its text is the error that answers MULTI, which the server does
#	          not get
#	cut       the clients' ends are closed; removed once that is so
#	lie       its text is answered in place of the next reply of a script, as
#	          an error unless it begins with a colon;
#	          removed once that is so, unless there is a file lies
#	leave     the proxy ends once it has said that, or handed on that a
#	          script is not known
#	early     times in the next answer are 100 s earlier; removed then
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;

my ($path, $server, $folder) = @ARGV;
my $door = IO::Socket::UNIX->new(Local => $path, Listen => 8) or die "$path: $!";
my @pairs;
$SIG{PIPE} = 'IGNORE';

while (1) {
	my $all = IO::Select->new($door,
		grep { defined } map { ($_->{client}, $_->{server}) } @pairs);
	for my $end ($all->can_read(0.01)) {
		if ($end == $door) { meet() } else { take($end) }
	}
	obey();
	hand_on($_) for @pairs;
	@pairs = grep { $_->{client} || $_->{server} } @pairs;
}

sub meet {
	my $client = $door->accept or return;
	my $to = IO::Socket::UNIX->new(Peer => $server);
	push @pairs, { client => $client, server => $to, in => '', out => '' }
		if $to;
}

sub take {
	my ($end) = @_;
	for my $p (@pairs) {
		for (['client', 'in'], ['server', 'out']) {
			my ($side, $box) = @$_;
			next unless $p->{$side} && $p->{$side} == $end;
			my $n = sysread $end, $p->{$box}, 65536, length $p->{$box};
			$p->{$side} = undef unless $n;
		}
	}
}

sub obey {
	for my $way ('in', 'out') {
		if (rename "$folder/hold-$way", "$folder/held-$way") {
			$_->{"held-$way"} = 1 for @pairs;
		} elsif (!-e "$folder/held-$way") {
			$_->{"held-$way"} = 0 for @pairs;
		} elsif (grep { length $_->{$way} } @pairs) {
			note("$folder/held-$way");
		}
	}
	return unless -e "$folder/cut";
	$_->{client} = undef for @pairs;
	unlink "$folder/cut";
}

# What the server said next: a reply is here as a whole.
sub change {
	my ($p) = @_;
	if ($p->{out} =~ /^-NOSCRIPT/ && -e "$folder/leave") {
		syswrite $p->{client}, $p->{out};
		exit;
	}
	if ($p->{out} =~ /^((?:\+QUEUED\r\n)*)\*/ && open my $file, '<', "$folder/lie") {
		my $text = <$file> =~ s/\n//r;
		$p->{out} = $1 . ($text =~ /^:/ ? '' : '-') . "$text\r\n";
		unlink "$folder/lie" unless -e "$folder/lies";
		if (-e "$folder/leave") {
			syswrite $p->{client}, $p->{out};
			exit;
		}
	}
	unlink "$folder/early"
		if -e "$folder/early" && $p->{out} =~
		s/^:(\d{13})\r/':' . ($1 - 100_000) . "\r"/emg;
}

# Into a file that is there; who removes it may be quicker.
sub note {
	my ($name) = @_;
	return if -s $name;
	open my $file, '+<', $name or return;
	print $file "something\n";
}

# What one end said goes to the other; and when it has gone, its end.
sub hand_on {
	my ($p) = @_;
	for (['in', 'server', 'client'], ['out', 'client', 'server']) {
		my ($way, $to, $from) = @$_;
		next if $p->{"held-$way"};
		if ($way eq 'in' && $p->{in} eq "MULTI\r\n" && open my $file, '<', "$folder/no-multi") {
			$p->{in} = '';
			$p->{out} .= '-' . <$file> =~ s/\n/\r\n/r;
		}
		if ($way eq 'in' && $p->{in} =~ /\nEXEC\r/) {
			$p->{'held-out'} = 1 if rename "$folder/lose-exec", "$folder/held-out";
			$p->{'held-in'} = $p->{stays} = 1
				if rename "$folder/hold-exec", "$folder/held-in";
			next if $p->{'held-in'};
		}
		$p->{'held-out'} = 1 if $way eq 'in' && $p->{in} =~ /::batch::/ &&
			rename "$folder/lose-take", "$folder/held-out";
		change($p) if $way eq 'out' && length $p->{out};
		syswrite $p->{$to}, $p->{$way} if $p->{$to} && length $p->{$way};
		$p->{$way} = '';
		$p->{$to} = undef unless $p->{$from} || $p->{stays};
	}
}
