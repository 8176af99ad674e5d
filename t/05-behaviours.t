# SPDX-License-Identifier: MIT
# docs/behaviours.md: every subtest that is named there exists, and every reason of ours is provoked by some test.
use lib 't/lib';
use Weir::Test;

chdir root_dir();
my $doc = 'docs/behaviours.md';

my %source = map { m{^t/(\d\d[b-z]?-[\w-]+)\.t$} ? ($1 => read_file($_)) : () } glob 't/*.t';

# Whether a text stands in a file by itself: in quotes, as a word, as a key, as a number; a list counts as its words.
my %known;
sub is_text {
    my ($text, $file) = @_;
    return $known{$file}{$text} //= do {
        my $source = $source{$file} =~ s/['"]?,\s*['"]?/ /gr =~ s/(?<=\d)_(?=\d)//gr;
        my ($quoted, $word) = (quotemeta($text =~ s/'/\\'/gr), quotemeta $text);
        $source{$file} =~ /'$quoted'|"$word"|(?<!\w)$word\s*=>/ || $text =~ /\w/ && $source =~ /['"(\s]$word['");\s]/ ? 1 : 0;
    };
}

# The texts in double quotes with variables in them, as patterns: each variable is a group.
my $variable = qr/\@\{\[.*?\]\}|\$\{\w+\}|[\$\@]\$?\w+(?:(?:->)?(?:\[[^\]]*\]|\{[^}]*\}))*/;
my %patterns;
sub patterns {
    my ($file) = @_;
    return @{ $patterns{$file} //= [
        map { my $text = join '(.+?)', map { quotemeta } split /$variable/, $_, -1; qr/\A$text\z/s }
        grep { /$variable/ && s/$variable//gr =~ /\S/ } map { s/\\(["'])/$1/gr } $source{$file} =~ /"((?:[^"\\\n]|\\.)+)"/g
    ] };
}

# Whether a name is put together of texts of a file. Loops over tables make names of a pattern and a table's columns.
sub stands_in {
    my ($name, $file, $depth) = @_;
    return 1 if is_text($name, $file);
    return 0 if $depth == 4;
    for my $pattern (patterns($file)) {
        my @parts = $name =~ $pattern or next;
        return 1 if @parts == grep { stands_in($_, $file, $depth + 1) } @parts;
    }
    for my $at (3 .. length($name) - 3) {
        my ($left, $right) = (substr($name, 0, $at), substr $name, $at);
        return 1 if is_text($right, $file) && stands_in($left, $file, $depth + 1) || is_text($left, $file) && stands_in($right, $file, $depth + 1);
    }
    return 0;
}

my @rows = map { [ split /\s*(?<!\\)\|\s*/, $_ ] } grep { /^\| / && !/^\| (?:behaviour|key|Vegur's reason) / } split /\n/, read_file($doc);
cmp_ok(scalar @rows, '>', 200, scalar(@rows) . ' behaviours');

subtest 'each behaviour says how Weir compares' => sub {
    my @wrong = grep { $_->[2] !~ /^(?:same\b|better: \S|left out: \S)/ } @rows;
    is(join("\n", map { $_->[1] } @wrong), '', 'same, better and why, or left out and why');
};

my %named;
for my $row (@rows) {
    push @{ $named{$1} }, $2 while ($row->[3] // '') =~ /\b(\d\d) `([^`]+)`/g;
}

subtest 'each behaviour names a subtest' => sub {
    my @without = grep { ($_->[3] // '') !~ /^\d\d `[^`]+`(?:, \d\d `[^`]+`)*$/ } @rows;
    is(join("\n", map { "$_->[1]: " . ($_->[3] // '') } @without), '', 'as a number and a name');
};

for my $number (sort keys %named) {
    subtest "the subtests of t/$number that are named exist" => sub {
        my @files = grep { /^$number-/ } sort keys %source;
        for my $name (@{ $named{$number} }) {
            ok((grep { stands_in($name, $_, 0) } @files), $name);
        }
    };
}

subtest 'this test can fail' => sub {
    ok(!stands_in($_, '80-checkin', 0), "'$_' is not there") for 'a plain reqest', 'two retries and more', 'a retry of a retry';
    ok(!stands_in($_, '61-reuse', 0), "'$_' is not there") for 'used again behind a lenght', 'keepalive: always', 'behind a length';
    ok(!stands_in($_, '10-validate', 0), "'$_' is not there") for '402: CONNECT', '400: CONECT', '400: no colons';
    ok(stands_in('used again behind a length', '61-reuse', 0), 'what a loop makes is');
};

subtest 'every reason of ours is provoked' => sub {
    my $tests = join '', map { $source{$_} } grep { !/^0[0-5]/ } keys %source;
    for my $fault (read_file('lib/base/fault.def') =~ /^FAULT\((\w+),/mg) {
        ok($tests =~ /\b$fault\b/, $fault);
    }
};

done_testing;
