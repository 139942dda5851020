#!/usr/bin/perl
# commands ROOT PAGE...: every command line of these pages, one per line:
#
#	PAGE TAB KIND TAB COMMAND
#
# KIND is the mark of the block that has the command (run, serve, redis, cron,
# up, fresh, systemd, debian, alerts, hosts, restart, partitions, databases), or none.  In a page of man
# a block is .Bd -literal, marked by a comment before it; in a page in Markdown it
# is fenced and marked by <!-- run -->.  Each line of a marked block, and of a
# fence that says sh, is a command; elsewhere (blocks without a mark, .Ql, .Dl, .Ic and .Li, text
# in backquotes) it is one if its first word is: a program, an executable file of
# the tree, or a word of the list below.  A fence of another language has none.
use strict;
use warnings;

my %word = map { $_ => 1 } qw(make sh bash env . set export cd exec kill pkill
	killall xargs curl wget psql createdb createuser pg_dump pg_restore
	redis-cli redis-server systemctl systemd-sysusers systemd-analyze
	systemd-run systemd-tmpfiles journalctl man git apt apt-get dpkg bats
	sudo su runuser setpriv chmod chown chgrp mkdir mkfifo rm mv cp ln
	install touch echo printf seq cat tail head grep sed awk cut sort tr
	paste crontab cron useradd usermod groupadd docker podman caddy node
	go python3 pip npm openssl while until for if test ulimit sysctl umask
	timeout nohup setsid strace gdb ps ss);
my $root = shift;
my $page;

# logical(LINES): joined where the shell goes on reading
sub logical {
	my @commands;
	my $open = '';
	for (@_) {
		$open .= $open eq '' ? $_ : "\n$_";
		(my $bare = $open) =~ s/'[^']*'|"(?:[^"\\]|\\.)*"//gs;
		next if $bare =~ /['"]/ || /\\$/ || /(?:\||&&|\|\|)\s*$/;
		push @commands, $open;
		$open = '';
	}
	push @commands, $open if $open ne '';
	s/\s*\\\n\s*/ /g, s/\n\s*/ /g, s/\s+#\s.*//, s/^\s+|\s+$//g for @commands;
	return grep { $_ ne '' && !/^#/ } @commands;
}

sub is_command {
	my ($text, $is_line) = @_;
	$text =~ s/^(?:[*\d\/,-]+\s+){5}//; # when cron runs it
	$text =~ s/^[(\s]+//;
	$text =~ s/^(?:\w+=(?:'[^']*'|"[^"]*"|\$\([^)]*\)|\S*)\s+)*//;
	my ($first, $more) = split /\s+/, $text, 2;
	return 0 unless defined $first;
	$first =~ s/;$//;
	# A name alone is that of the program, no command line; make is both.
	my $whole = defined $more || $is_line;
	return $whole || $first eq 'make' if $word{$first};
	return $whole if $first =~ /^incr-[a-z]+$/;
	return $first =~ m{^[\w.-]+/[\w./@-]+$} && -f "$root/$first" && -x _;
}

sub say_command {
	my ($kind, $text) = @_;
	print "$page\t$kind\t$text\n";
}

sub block {
	my ($kind, $all, @lines) = @_;
	for (logical(@lines)) {
		say_command($kind, $_) if $all || is_command($_, 1);
	}
}

sub man_text {
	my ($text) = @_;
	$text =~ s/\\&//g;
	$text =~ s/\\e/\\/g;
	$text =~ s/\\\(dq/"/g;
	$text =~ s/\\-/-/g;
	$text =~ s/\\%//g;
	return $text;
}

sub of_man {
	my ($last, $in, @lines) = ('', undef);
	for (@_) {
		if (defined $in) {
			if (/^\.Ed/) {
				block($in, $in ne 'none', @lines);
				undef $in;
			} else {
				push @lines, man_text($_);
			}
		} elsif (/^\.Bd .*-literal/) {
			$in = $last =~ /^\.\\" (run|serve|fresh|redis|cron|up|systemd|debian|alerts|hosts|restart)$/ ? $1 : 'none';
			@lines = ();
		} elsif (/^\.(?:.* )?(Ql|Dl|Ic|Li) (.*)/) {
			my $text = man_text($2);
			$text =~ s/(?: [.,;:)]+)+$//;
			say_command('none', $text) if is_command($text);
		}
		$last = $_;
	}
}

sub of_markdown {
	my ($last, $in, $language, @lines, @text) = ('', undef);
	for (@_) {
		if (defined $in) {
			if (/^```/) {
				block($in, $in ne 'none' || $language eq 'sh', @lines)
					if $language =~ /^(?:sh)?$/;
				undef $in;
			} else {
				push @lines, $_;
			}
		} elsif (/^```(\w*)/) {
			$language = $1;
			$in = $last =~ /^<!-- (\w+) -->$/ ? $1 : 'none';
			@lines = ();
		} else {
			push @text, $_;
		}
		$last = $_ unless /^$/;
	}
	my $text = join "\n", @text;
	while ($text =~ /`([^`]+)`/g) {
		(my $one = $1) =~ s/\s+/ /g;
		say_command('none', $one) if is_command($one);
	}
}

for my $file (@ARGV) {
	open my $in, '<', $file or die "$file: $!";
	chomp(my @lines = <$in>);
	($page = $file) =~ s{^\Q$root\E/}{};
	if ($page =~ /\.[1-8]$/) { of_man(@lines) } else { of_markdown(@lines) }
}
