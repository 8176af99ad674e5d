# SPDX-License-Identifier: MIT
# The house style, as far as a machine can see it.
use lib 't/lib';
use Weir::Test;
use File::Find;

chdir root_dir();

sub files {
    my ($pattern, @folders) = @_;
    my @found;
    find({ no_chdir => 1, wanted => sub { push @found, s{^\./}{}r if -f && /$pattern/ && !m{/corpus/} } },
        grep { -d } @folders);
    return sort @found;
}

my @rooms = qw(lib handlers router conf);

subtest 'every C and Perl file of ours opens with its licence' => sub {
    for my $file (files(qr/\.(?:[ch]|def)$/, @rooms, qw(examples t))) {
        like((split /\n/, read_file($file))[0] // '', qr{^/\* SPDX-License-Identifier: MIT \*/$}, $file);
    }
    for my $file (files(qr/\.(?:t|pm|pl)$/, qw(t examples))) {
        like(join("\n", (split /\n/, read_file($file))[0 .. 1]), qr{^# SPDX-License-Identifier: MIT$}m, $file);
    }
};

subtest 'client and backend are the only two ends there are' => sub {
    my @banned;
    for my $file (files(qr/\.(?:[ch]|def)$/, @rooms)) {
        my $line = 0;
        for (split /\n/, read_file($file)) {
            $line++;
            s/"\w+_timeout"//g if $file =~ /directives\.def$/;    # what Vegur calls a directive
            push @banned, "$file:$line: $1" if /((?:up|down)stream)/i;
        }
    }
    is_deeply(\@banned, [], 'none of the two banned words');
};

subtest 'no file is longer than 600 lines, no public header longer than 260' => sub {
    for my $file (files(qr/\.[ch]$/, @rooms)) {
        my $lines = () = read_file($file) =~ /\n/g;
        my $most = $file =~ m{/weir[^/]*\.h$} ? 260 : 600;
        ok($lines <= $most, "$file: $lines lines");
    }
};

subtest 'no tabs, no trailing blanks, a newline at the end' => sub {
    for my $file (files(qr/\.(?:[ch]|def)$/, @rooms, 'examples'), files(qr/\.(?:t|pm)$/, 't')) {
        my $text = read_file($file);
        my @wrong;
        push @wrong, 'a tab' if $text =~ /\t/;
        push @wrong, 'trailing blanks' if $text =~ / $/m;
        push @wrong, 'no newline at the end' if $text !~ /\n\z/;
        is("@wrong", '', $file);
    }
};

subtest 'what is generated agrees with its source' => sub {
    my %generated = ('docs/configuration.md' => 'configuration', 'docs/weir.conf.5' => 'weir.conf.5');
    for my $file (sort keys %generated) {
        SKIP: {
            skip "$file is not there", 1 unless -e $file;
            skip 'nothing is built', 1 unless -x build_dir() . '/weir';
            my $run = weir('docs', $generated{$file});
            skip 'this weir writes no docs', 1 if $run->{exit} // 1;
            ok($run->{out} eq read_file($file), "$file is what `weir docs $generated{$file}` prints");
        }
    }
};

# The ten longest functions, for people to think about: a line that begins a function's body is `{` alone.
my @functions;
for my $file (files(qr/\.c$/, @rooms)) {
    my ($start, $name, $line) = (0, '', 0);
    for (split /\n/, read_file($file)) {
        $line++;
        $name = $1 if /^[a-z].*?\b(\w+)\(/i;
        $start = $line if /^\{/;
        push @functions, [ $line - $start + 1, "$file:$start $name" ] if /^\}$/ && $start;
        $start = 0 if /^\}/;
    }
}
my @longest = (sort { $b->[0] <=> $a->[0] } @functions)[0 .. 9];
diag("the ten longest functions:\n", map { sprintf "%5d  %s\n", @$_ } grep { defined } @longest);
is(scalar(grep { $_->[0] > 100 } @functions), 0, 'no function is longer than 100 lines');

done_testing;
