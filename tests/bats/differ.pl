#!/usr/bin/perl
# differ SOCKET BEFORE AFTER SEED CALLS [transaction]: makes the same random calls of scripts
# on two queues of one Redis, with the scripts of the folder BEFORE on one (those
# that are not there: of AFTER) and of AFTER on the other.  Replies must be alike,
# and all keys after each error and each eighth call; the first difference ends
# it with 1.
#
# Time is a key, so that both see the same, and what is left of a life is rounded up:
# the first queue's calls are earlier.  Between the calls keys get the wrong
# type, marks grow old, other programs push, owners go.
#
# With transaction there are calls of publish alone, and each second batch on the
# queue of AFTER is pushed by a transaction, that of admit.
use strict;
use warnings;
use IO::Socket::UNIX;

my ($socket, $before, $after, $seed, $calls, $transaction) = @ARGV;
my $redis = IO::Socket::UNIX->new(Peer => $socket) or die "$socket: $!\n";
srand $seed;
my $clock = 1795000000000;
my @ids = map { sprintf '%08d-0000-4000-8000-000000000001', $_ } 1 .. 3;
my %sha;
my $said = 0; # calls
my %done; # what was called, and how it ended

for my $name (map { m{([^/]+)\.lua$} } glob "$after/*.lua") {
	for my $queue ('old', 'new') {
		my $file = "$before/$name.lua";
		$file = "$after/$name.lua" if $queue eq 'new' || !-e $file;
		$sha{$queue}{$name} = call('SCRIPT', 'LOAD', timeless($file));
	}
}

sub timeless {
	my ($file) = @_;
	local $/;
	open my $f, '<', $file or die "$file: $!\n";
	my $text = <$f>;
	my $wrap = <<'END' =~ s/\n/ /gr;
local server = redis
local function at(how, ...)
if ... == 'TIME' then
local ms = server.call('GET', 'clock')
return {string.sub(ms, 1, -4), string.sub(ms, -3) .. '000'}
end
if ... == 'PTTL' then
local left = server[how](...)
return left > 0 and math.ceil(left / 100000) * 100000 or left
end
return server[how](...)
end
local redis = setmetatable({call = function(...) return at('call', ...) end,
pcall = function(...) return at('pcall', ...) end}, {__index = server})
END
	$text =~ s/^(#![^\n]*\n)?/($1 \/\/ '') . $wrap/e;
	return $text;
}

sub put {
	print $redis '*' . @_ . "\r\n", map { ('$', length, "\r\n", $_, "\r\n") } @_;
	$redis->flush;
}

# An error reply is its text, behind ERROR.
sub answer {
	my $line = <$redis> // die "Redis has gone\n";
	$line =~ s/\r\n//;
	my ($kind, $rest) = $line =~ /^(.)(.*)/;
	return $rest if $kind eq '+' || $kind eq ':';
	return "ERROR $rest" if $kind eq '-';
	return $rest < 0 ? '-' : [map { answer() } 1 .. $rest] if $kind eq '*';
	return '-' if $rest < 0;
	read $redis, my $text, $rest + 2;
	return substr $text, 0, $rest;
}

sub call {
	put(@_);
	return answer();
}

sub flat {
	my ($x) = @_;
	return ref $x ? '[' . join(' ', map { flat($_) } @$x) . ']' : $x;
}

# Does the same on both queues; @ in a word is the queue.  What no two scripts
# say alike: their digests and lines in the text of an error.
sub both {
	my ($what, @words) = @_;
	my %said;
	for my $queue ('old', 'new') {
		my @w = map { s/\@/$queue/gr } @words;
		my $admits = $transaction && $queue eq 'new' && $w[1] eq 'publish' && rand > 0.5;
		$w[1] = $sha{$queue}{ $w[1] } if $w[0] eq 'EVALSHA';
		my $text = flat($admits ? admit(@w) : call(@w));
		$text =~ s/ script: [0-9a-f]{40}.*//s;
		$text =~ s/user_script:\d+:/user_script/g;
		$text =~ s/\b$queue\b/\@/g;
		$said{$queue} = $text;
	}
	my ($end) = $said{new} =~ /^\[*(ERROR \w+|\w*)/;
	$done{"$what " . ($end =~ /^\d\d+$/ ? 'N' : $end)}++;
	differ("$what: @words", "before: $said{old}\nafter: $said{new}")
		if $said{old} ne $said{new};
	return $said{new} if ++$said % 8 && $said{new} !~ /^ERROR/;
	my $unlike = unlike();
	differ("what is there, at the latest since $what: @words", $unlike) if $unlike ne '';
	return $said{new};
}

# The same batch by a transaction: the reply of publish.
sub admit {
	my (undef, undef, undef, $ready, $queues, $publisher, $totals, @argv) = @_;
	my @lines = splice @argv, 6;
	my $pushing = "${publisher}::pushing";
	call('MULTI') eq 'OK' or die 'MULTI';
	for (['EVALSHA', $sha{new}{admit}, 5, $ready, $queues, $publisher, $totals, $pushing,
			@argv, scalar @lines],
		['LPUSHX', $pushing, @lines], ['RPOP', $pushing], ['RENAMENX', $pushing, $ready]) {
		call(@$_) eq 'QUEUED' or die "$_->[0]\n";
	}
	my ($reply, @rest) = @{ call('EXEC') };
	my $done = ref $reply && $reply->[0] == 1;
	my $expected = $done ? qr/^\d+  1$/ : qr/^0 - ERROR ERR no such key$/;
	differ('admit', "@rest") if "@rest" !~ $expected || $done && $rest[0] <= @lines;
	$done{'admit ' . ($done ? 'pushed' : 'did nothing')}++;
	return $reply;
}

sub differ {
	my ($what, $how) = @_;
	print substr("seed $seed: $what", 0, 400), "\n$how\n";
	exit 1;
}

# What two queues have that is not alike; of each key its value, and about how
# long it lives.  The times of dead letters are new, and no script that is
# compared reads them.
sub unlike {
	my $unlike = call('EVAL', <<'END', 0, 'old', 'new');
local function value(k)
    local t, v = redis.call('TYPE', k).ok
    if t == 'string' then v = {redis.call('GET', k)}
    elseif t == 'list' then v = redis.call('LRANGE', k, 0, -1)
    elseif t == 'zset' then v = redis.call('ZRANGE', k, 0, -1, 'WITHSCORES')
    elseif t == 'hash' then v = redis.call('HGETALL', k)
    elseif t == 'set' then v = redis.call('SMEMBERS', k)
    else v = {} end
    if t == 'set' or t == 'hash' then table.sort(v) end
    local life = redis.call('PTTL', k)
    life = life < 0 and 'ever' or life < 300000 and 'short' or
        life < 750000 and '10 min' or life < 5000000 and '15 min' or 'day'
    return t .. ' ' .. life .. ' ' .. table.concat(v, ',')
end
local function all(queue)
    local found = {}
    for _, k in ipairs(redis.call('KEYS', '*::[[]' .. queue .. ']::*')) do
        if not string.find(k, '::rejected::times', 1, true) then
            found[string.gsub(k, queue, '@', 1)] = value(k)
        end
    end
    return found
end
local unlike = {}
local old, new = all(ARGV[1]), all(ARGV[2])
for k, v in pairs(old) do
    if new[k] ~= v then
        unlike[#unlike + 1] = k .. ' before: ' .. v
        unlike[#unlike + 1] = k .. ' after: ' .. (new[k] or 'none')
    end
end
for k, v in pairs(new) do
    if not old[k] then unlike[#unlike + 1] = k .. ' after: ' .. v end
end
return unlike
END
	return join "\n", map { substr $_, 0, 300 } @$unlike;
}

my $P = 'incr::queue::[@]::';
my ($READY, $REJECTED) = map { "rmq::queue::[\@]::$_" } 'ready', 'rejected';

sub pick { return $_[rand @_] }

# Of the lengths there are, small ones most often.
sub payload {
	my $len = pick(1, 3, (60) x 20, 100, 900, rand > 0.8 ? (5000, 70000) : ());
	return substr int(rand 1e9) . 'x' x $len, 0, $len;
}

my (%seq, %published);

sub consumer_keys { return map { "${P}consumer::$_[0]::$_" } @_[1 .. $#_] }

sub act_register {
	my $id = $ids[int rand @ids] = sprintf '%08d-0000-4000-8000-000000000001', rand 1e8;
	both('register', 'EVALSHA', 'register', 10, 'rmq::queues::[@]', "${P}consumers",
		consumer_keys($id, 'owner', 'last'), "${P}version", "${P}replicas",
		consumer_keys($id, 'last'), "${P}upgraded", "${P}shards", consumer_keys($id, 'shards'), $id, "$id boot 1 100", 600000, 3,
		90000, '[@]', '', '');
	$seq{$id} //= 0;
}

sub act_renew {
	my $id = pick(@ids);
	my $self = pick($id, @ids);
	both('renew', 'EVALSHA', 'renew', 6, "${P}consumers", consumer_keys($self, 'flush'),
		"${P}none", consumer_keys($id, qw(owner batches closed)), $self, "$id boot 2 100", pick(600000, 900000), pick('', '1', 'end'), $id);
}

sub act_mark {
	my $id = pick(@ids);
	both('mark', 'EVALSHA', 'mark', 3, "${P}consumers", consumer_keys($id, 'flush', 'last'),
		$id, "$id boot 3 100", pick(5000, 100000));
}

# Few enough that a state is read fast.
sub act_push {
	both('empty', 'DEL', $READY) if call('LLEN', $READY =~ s/\@/new/r) =~ /^\d{4}/;
	both('push', 'LPUSH', $READY, map { payload() } 1 .. pick(1, 2, 7, 40, 300));
}

sub act_publish {
	my $id = pick(@ids);
	my $n = $published{$id} // -1;
	if ($n < 0) {
		both('introduce', 'EVALSHA', 'introduce', 6, "${P}publisher::$id", "${P}version",
			"${P}replicas", "${P}totals", "${P}upgraded", 'rmq::queues::[@]', 86400,
			3, 90000, '[@]', '', 0);
		$published{$id} = $n = 0;
	}
	my $next = pick($n + 1, $n + 1, $n + 1, $n + 1, $n, $n - 1, $n + 2);
	my @lines = map { payload() } 1 .. pick(1, 1, 2, 30, 31, 120);
	my $reply = both('publish', 'EVALSHA', 'publish', 4, $READY, 'rmq::queues',
		"${P}publisher::$id", "${P}totals", $next, 86400, '@',
		pick(0, 0, 1, 100, 100000), $clock + pick(-1, 0, 1000, 1000), pick(7, 7, 8), @lines);
	$published{$id} = $next if $reply =~ /^\[1 /;
}

sub act_take {
	my $id = pick(@ids);
	my $n = $seq{$id} // 0;
	my $next = pick($n + 1, $n + 1, $n + 1, $n + 1, $n, $n - 1, $n + 2);
	my $reply = both('take', 'EVALSHA', 'take', 9, $READY, "${P}consumers",
		consumer_keys($id, 'owner', 'last', 'batches', "batch::$next"), "${P}emptied",
		consumer_keys($id, 'flush'), "${P}totals", $id, $next,
		pick(1, 2, 10, 100, 101, 250, 1000), pick(1, 200, 20000, 100000, 16777216),
		pick(3, 1000), pick(30000, 1000000), pick('', '', '1'));
	$seq{$id} = $next if $reply =~ /^\[taken/ && $next == $n + 1;
}

sub act_acknowledge {
	my $id = pick(@ids);
	my $last = $seq{$id} // 0;
	my @seqs = grep { $_ > 0 } $last - 2 .. $last + (rand > 0.9);
	my @rejects = map { my $s = $_; map { ($s, $_) } grep { rand > 0.7 } 0 .. 3 } @seqs;
	both('acknowledge', 'EVALSHA', 'acknowledge', 11 + @seqs, $REJECTED,
		consumer_keys($id, qw(batches last none kept acknowledged restored)), "${P}totals",
		"${P}kept::order", "${P}kept::size", "${P}rejected::times",
		consumer_keys($id, map { "batch::$_" } @seqs), $id, 0, $ids[0],
		scalar @seqs, @seqs, @rejects) if @seqs;
}

sub act_adopt {
	my ($self, $id) = (pick(@ids), pick(@ids));
	both('adopt', 'EVALSHA', 'adopt', 7 + 4 * @ids + 5, "${P}consumers", $READY,
		"${P}emptied", "${P}none", consumer_keys($self, qw(owner flush closed)),
		(map { consumer_keys($_, qw(owner flush batches kept)) } @ids),
		consumer_keys($id, qw(last acknowledged restored closed shards)), $self,
		"$self boot 1 100", 600000, 'boot', 1000, '', pick('', '1'), 1, $id, '', '*',
		@ids);
}

sub act_wait { call('SET', 'clock', $clock += pick(1, 10, 300, 6000)) }

sub act_owner_goes { both('owner goes', 'DEL', consumer_keys(pick(@ids), 'owner')) }

# For the time of a few calls a key is of another type.
sub act_wrong_type {
	my $id = pick(@ids);
	my $key = pick($READY, "${P}totals", $transaction ? () : $REJECTED, "${P}publisher::$id",
		$transaction ? () : (consumer_keys($id, qw(owner last batches flush)),
			"${P}emptied", "${P}consumers"));
	both('rename', 'RENAME', $key, "$key saved") unless both('exists', 'EXISTS', $key) eq '0';
	both('wrong', 'PFADD', $key, 'x') if $key =~ /owner|last|flush|emptied|publisher/ && rand > 0.5;
	both('wrong', 'XADD', $key, '1-1', 'x', 'x');
	act_any() for 1 .. 6;
	both('right', 'DEL', $key);
	both('rename', 'RENAME', "$key saved", $key)
		unless both('exists', 'EXISTS', "$key saved") eq '0';
}

sub act_any {
	return pick((\&act_publish) x 12, \&act_push, \&act_wait)->() if $transaction;
	pick((\&act_register, \&act_adopt, \&act_owner_goes, \&act_wait, \&act_wait),
		(\&act_renew, \&act_mark, \&act_push) x 4,
		(\&act_publish, \&act_acknowledge) x 6, (\&act_take) x 12)->();
}

act_wait();
act_register() for 1 .. @ids;
while ($calls-- > 0) {
	rand > 0.98 ? act_wrong_type() : act_any();
}
print "$_: $done{$_}\n" for sort keys %done;
