#!/usr/bin/env perl
# nodes.pl FOLDER COMMAND...: asks the nodes of topology/cluster.bash, and tells
# them, all in one process: a shell would need some hundred for the move of a
# slot.  FOLDER/nodes has their ports, FOLDER/PORT/redis.sock is a node's
# socket, FOLDER/PORT.real the port past its proxy.
#
#	well                   all live and agree, and each replica has what
#	                       its primary has
#	owner KEY              the port of the node that has its slot
#	replica KEY            that of its replica
#	others KEY             those of the other primaries
#	primaries              those of all that are not taken for dead
#	keys                   all that these have
#	set NAME VALUE         CONFIG SET, at each that is not dead
#	move KEY PORT MS N     its slot, to this node; MS pass after the first N
#	                       keys
#
# Status 1 if it could not be done, or nobody answered for some seconds; then
# the move, too, may be tried again.
use strict;
use warnings;
use IO::Socket::UNIX;
use Time::HiRes qw(sleep);

my ($folder, $command, @args) = @ARGV;
my @ports = split ' ', text("$folder/nodes");
my %sockets;
my %commands = (
	well => \&well,
	owner => sub { print owner(slot($_[0])), "\n" },
	replica => \&replica,
	others => \&others,
	primaries => sub { print map { "$_\n" } primaries() },
	keys => sub { print map { "$_\n" } map { @{call($_, 'keys', '*')} } primaries() },
	set => sub { order([grep { state_of($_) ne '' } @ports], 'config', 'set', @_) },
	move => \&move,
);

$SIG{ALRM} = sub { die "no answer\n" };
alarm 10;
$commands{$command}->(@args);

# -- what they are asked ----------------------------------------------------------

sub slot { return call((living())[0], 'cluster', 'keyslot', $_[0]) }

# What a node knows of each: a list of hashes.
sub nodes {
	my ($port) = @_;
	return map {
		my ($id, $at, $flags, $of, undef, undef, $epoch, $link, @slots) =
		    split ' ';
		{
			id => $id, port => $at =~ /:(\d+)@/, of => $of,
			epoch => $epoch, slots => \@slots,
			primary => scalar $flags =~ /master/,
			fit => $flags !~ /(^|,)(fail|handshake|noaddr)/ &&
			    $link eq 'connected',
		}
	} split /\n/, call($port, 'cluster', 'nodes');
}

sub has {
	my ($node, $slot) = @_;
	for (@{$node->{slots}}) {
		my ($first, $last) = /^(\d+)-?(\d*)$/ or next;
		return 1 if $slot >= $first && $slot <= ($last || $first);
	}
	return 0;
}

# The youngest claim that anybody has heard of: who is cut off knows an old one.
sub owner {
	my ($slot) = @_;
	my ($best) = sort { $b->{epoch} <=> $a->{epoch} }
	    grep { has($_, $slot) } map { nodes($_) } living();
	return ($best // die "slot $slot: nobody's\n")->{port};
}

sub primaries {
	my %owners = map { $_->{port} => 1 }
	    grep { $_->{primary} && $_->{fit} && @{$_->{slots}} }
	    nodes((living())[0]);
	return sort keys %owners;
}

sub replica {
	my $owner = owner(slot($_[0]));
	for my $viewer (living()) {
		my @nodes = nodes($viewer);
		my ($id) = map { $_->{id} } grep { $_->{port} == $owner } @nodes;
		for (grep { $_->{of} eq $id && $_->{fit} } @nodes) {
			print "$_->{port}\n";
			return;
		}
	}
	die "no replica\n";
}

sub others {
	my $owner = owner(slot($_[0]));
	print map { "$_\n" } grep { $_ != $owner } primaries();
}

sub well {
	for my $port (@ports) {
		state_of($port) =~ /^[^TZX]/ or die "$port: dead or stopped\n";
		my @nodes = nodes($port);
		@nodes == @ports && !grep { !$_->{fit} } @nodes or
		    die "$port knows of trouble\n";
		3 == grep { $_->{primary} && @{$_->{slots}} } @nodes or
		    die "$port: not three primaries\n";
		my $info = call($port, 'cluster', 'info');
		$info =~ /cluster_state:ok/ && $info =~ /slots_ok:16384/ or
		    die "$port: slots are missing\n";
		call($port, 'info', 'replication') =~
		    /role:master|master_link_status:up/ or
		    die "$port: not in sync\n";
	}
}

# -- what is done ------------------------------------------------------------------

sub order {
	my ($ports, @words) = @_;
	call($_, @words) eq 'OK' or die "$_: not OK\n" for @$ports;
}

# No replica takes over meanwhile, nor before it has what came with the slot.
sub move {
	my ($key, $to, $ms, $first) = @_;
	my $slot = slot($key);
	my $from = owner($slot);

	order(\@ports, qw(config set cluster-replica-no-failover yes));
	bring($slot, $from, $to, $ms, $first) if $from != $to;
	sleep 0.02 while grep { my $n = $_; !knows($n, $to, $slot) } @ports;
	call($to, 'set', "chaos::pushed::${key}::wait", 1, 'px', 1);
	call($to, 'wait', 1, 2000) == 1 or die "$to: no replica has it\n";
	order(\@ports, qw(config set cluster-replica-no-failover no));
}

sub bring {
	my ($slot, $from, $to, $ms, $first) = @_;
	my %id = map { $_->{port} => $_->{id} } nodes($to);

	order([$to], qw(cluster setslot), $slot, 'importing', $id{$from});
	order([$from], qw(cluster setslot), $slot, 'migrating', $id{$to});
	migrate($slot, $from, $to, $first);
	sleep $ms / 1000;
	1 while migrate($slot, $from, $to, 100);
	# First at the one that gets it: else nobody might own it.
	order([$to, $from, grep { $_ != $to && $_ != $from } primaries()],
	    qw(cluster setslot), $slot, 'node', $id{$to});
}

# The next keys; 0 if there were none.
sub migrate {
	my ($slot, $from, $to, $number) = @_;
	my $keys = call($from, qw(cluster getkeysinslot), $slot, $number);

	chomp(my $port = text("$folder/$to.real"));
	call($from, 'migrate', '127.0.0.1', $port, '', 0, 4000, 'keys', @$keys)
	    if @$keys;
	return scalar @$keys;
}

sub knows {
	my ($port, $to, $slot) = @_;
	return grep { $_->{port} == $to && has($_, $slot) } nodes($port);
}

# -- a node ------------------------------------------------------------------------

sub living { return grep { state_of($_) =~ /^[^TZX]/ } @ports }

# The letter of its process in /proc; '' if there is none.
sub state_of {
	my $pid = eval { text("$folder/$_[0]/redis.pid") } // return '';
	chomp $pid;
	my $stat = eval { text("/proc/$pid/stat") } // return '';
	return $stat =~ /\) (\S)/ && $1 ne 'Z' ? $1 : '';
}

sub call {
	my ($port, @words) = @_;
	my $s = $sockets{$port} //=
	    IO::Socket::UNIX->new("$folder/$port/redis.sock") or
	    die "$port: $!\n";
	print $s '*', scalar @words, "\r\n",
	    map { '$' . length($_) . "\r\n$_\r\n" } @words;
	return reply($s);
}

sub reply {
	my ($s) = @_;
	my ($type, $rest) = (<$s> // '') =~ /^(.)(.*)\r\n/ or die "closed\n";

	return $rest if $type =~ /[+:]/;
	die "$rest\n" if $type eq '-';
	return [map { reply($s) } 1 .. $rest] if $type eq '*';
	return if $rest < 0;
	read($s, my $bytes, $rest + 2) == $rest + 2 or die "closed\n";
	return substr $bytes, 0, $rest;
}

sub text {
	open my $file, '<', $_[0] or die "$_[0]: $!\n";
	local $/;
	return scalar <$file>;
}
