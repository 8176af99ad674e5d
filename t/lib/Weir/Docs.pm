# SPDX-License-Identifier: MIT
package Weir::Docs;

# The fenced blocks of a document. What stands behind ``` is the language, and perhaps the file that the block goes into:
#
#   ```c             a whole file          ```c NAME.c      the same, and a reader writes it into NAME.c
#   ```c fragment    declarations and functions that need nothing but the public headers
#   ```sh            commands for a reader; "# => TEXT" behind one: its output has TEXT in it
use strict;
use warnings;
use Exporter qw(import);

our @EXPORT = qw(blocks prose);

# Each: { language, name, line, text }. Dies if one is not closed.
sub blocks {
    my ($file) = @_;
    my ($line, $open, @blocks) = (0);
    open my $in, '<:raw', $file or die "$file: $!";
    while (<$in>) {
        $line++;
        if (defined $open) {
            if (/^```\s*$/) { push @blocks, $open; undef $open }
            else            { $open->{text} .= $_ }
        } elsif (/^```(.*?)\s*$/) {
            my ($language, $name) = $1 =~ /^(\S*)\s+(\S+\.\w+)$/ ? ($1, $2) : ($1, undef);
            $open = { language => $language, name => $name, line => $line, text => '' };
        }
    }
    die "$file:$open->{line}: this block is not closed\n" if defined $open;
    return @blocks;
}

# What stands outside fenced blocks.
sub prose {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "$file: $!";
    local $/;
    return <$in> =~ s{^```.*?^```\s*$}{}gmsr;
}

1;
