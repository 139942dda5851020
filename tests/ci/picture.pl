#!/usr/bin/perl
# picture.pl FILE: what tmux capture-pane -ep wrote to FILE, as SVG on standard
# output: 80 columns and 24 rows, on light and on dark.
use strict;
use warnings;
use open qw(:std :encoding(UTF-8));

my ($COLUMN, $ROW, $MARGIN) = (8.4, 18, 12);
open my $in, '<', $ARGV[0] or die "$ARGV[0]: $!";
chomp(my @rows = <$in>);
my ($width, $height) = (80 * $COLUMN + 2 * $MARGIN, @rows * $ROW + 2 * $MARGIN);

print <<"END";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">
<title>incr-top</title>
<style>
text { fill: #1f2328; white-space: pre } .back { fill: #ffffff; stroke: #d1d9e0 }
.s1 { font-weight: bold } .s31 { fill: #c4232f } .s32 { fill: #1a7f37 } .s35 { fill: #8250df }
\@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .back { fill: #0d1117; stroke: #3d444d }
.s31 { fill: #ff7b72 } .s32 { fill: #3fb950 } .s35 { fill: #d2a8ff } }
</style>
<rect class="back" x="0.5" y="0.5" width="@{[$width - 1]}" height="@{[$height - 1]}" rx="6"/>
END

my %on;
for my $n (0 .. $#rows) {
	my $column = 0;
	my $y = $MARGIN + ($n + 0.75) * $ROW;
	for my $part (split /(\e\[[0-9;]*m)/, $rows[$n]) {
		if ($part =~ /^\e\[([0-9;]*)m$/) {
			for my $code (length $1 ? split(/;/, $1) : 0) {
				if ($code == 0) { %on = () }
				elsif ($code == 49) { next }
				elsif ($code == 39) { delete @on{31 .. 35} }
				else { $on{$code} = 1 }
			}
			next;
		}
		# Words stand where they stand, whatever font there is.
		while ($part =~ /(\S+(?: \S+)*)/g) {
			my $x = $MARGIN + ($column + $-[1]) * $COLUMN;
			my $length = length($1) * $COLUMN;
			my $class = join ' ', map { "s$_" } sort keys %on;
			(my $text = $1) =~ s/&/&amp;/g;
			$text =~ s/</&lt;/g;
			printf qq(<text x="%.1f" y="%.1f" textLength="%.1f"%s>%s</text>\n),
				$x, $y, $length, $class ? qq( class="$class") : '', $text;
		}
		$column += length $part;
	}
}
print "</svg>\n";
