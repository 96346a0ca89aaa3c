# SPDX-License-Identifier: MIT
# Counts made-up words in a hash, over and over. Usage: words.pl ROUNDS
use strict;
my ($state, $sum, %counts) = (1, 0);
for my $round (1 .. $ARGV[0]) {
	for my $i (1 .. 20000) {
		$state = ($state * 1103515245 + 12345) % 2147483648;
		my $word = "w" . ($state >> 16) % 977;
		$counts{$word} += $i;
		$sum += length($word) * ($i % 7);
	}
}
print "$sum $_ $counts{$_}\n" for (sort keys %counts)[0 .. 3];
