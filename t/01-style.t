# SPDX-License-Identifier: MIT
# The house style, as far as a machine can see it.
use lib 't/lib';
use Weir::Test;
use Encode qw(decode);
use File::Find;

chdir root_dir();

sub files {
    my ($pattern, @folders) = @_;
    my @found;
    find({ no_chdir => 1, wanted => sub { push @found, s{^\./}{}r if -f && /$pattern/ && !m{/corpus/|^t/abi/} } },
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
    for my $file (files(qr/\.[ch]$/, @rooms, 't')) {
        my $lines = () = read_file($file) =~ /\n/g;
        my $most = $file =~ m{/weir[^/]*\.h$} ? 260 : 600;
        ok($lines <= $most, "$file: $lines lines");
    }
};

subtest 'the number of a test file is its address' => sub {
    my %with;
    m{^t/(\d\d[b-z]?)-} and push @{ $with{$1} }, $_ for files(qr/\.t$/, 't');
    is_deeply([ map { @{ $with{$_} } > 1 ? "@{ $with{$_} }" : () } sort keys %with ], [], 'no number stands twice');
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

subtest 'no line is longer than 128 characters' => sub {
    my @long;
    for my $file (files(qr/\.(?:[ch]|def)$/, @rooms, qw(examples t))) {
        my $line = 0;
        for (split /\n/, decode('UTF-8', read_file($file))) {
            $line++;
            push @long, "$file:$line: " . length if length > 128;
        }
    }
    is_deeply(\@long, [], 'none');
};

# Whether a line at the top of a function declares something.
sub is_declaration {
    my ($line) = @_;
    return $line =~ /^[ ]{4}(?!(?:return|goto|else|case|if|while|for|do|switch|break|continue|default)\b)
        (?:(?:static|const|struct|enum|union|unsigned|volatile|_Atomic|__thread)\s+)*
        [A-Za-z_]\w*(?:\s+const)?(?:\s+\**|\s*\*+\s*)(?:const\s+)?(?:\(\*\s*)?[A-Za-z_]\w*\)?\s*(?:(?:\[[^\]]*\])+|\([^;=]*\))?\s*[=;,:]/x;
}

# The number of the first line behind a function's declarations, or undef if it begins with something else.
sub behind_declarations {
    my ($lines, $at) = @_;
    my $last;
    while ($at < @$lines) {
        my $next = $lines->[ $at + 1 ] // '';
        if ($lines->[$at] =~ m{^$|^    /\*.*\*/$}) {
            last unless is_declaration($next);
            $at++;
            next;
        }
        last unless is_declaration($lines->[$at]);
        my $depth = 0;
        while (1) {
            my $bare = $lines->[$at] =~ s{"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'|/\*.*?\*/}{}gr;
            $depth += ($bare =~ tr/([{//) - ($bare =~ tr/)]}//);
            last if $depth == 0 && $bare =~ /;\s*$/;
            $at++;
        }
        $last = ++$at;
    }
    return $last;
}

subtest 'one dialect' => sub {
    my (@comments, @declarations, @questions, @pointers, @sides);
    for my $file (files(qr/\.(?:[ch]|def)$/, @rooms, qw(examples t))) {
        my @lines = split /\n/, read_file($file);
        for my $at (0 .. $#lines) {
            my $where = "$file:" . ($at + 1);
            push @comments, $where if $file =~ /\.c$/ && $lines[$at] =~ m{^\s*/\*\*(?:\s|$)};
            push @pointers, $where if $lines[$at] =~ /\b(?:spec [a-z]\b|notes \d|architecture \d|Vegur [a-z]\.\d)/;
            push @questions, "$where: $1"
                if $file !~ m{^t/} && $lines[$at] =~ /^(?:static |inline )*void (?!weir_must_)(\w+_(?:is|was|were|has|may|must|can)_\w+|(?:is|was|were|has|may|can)_\w+)\(/;
            push @sides, $where if $file =~ m{^lib/wire/} && $lines[$at] =~ /^(?!static)\w.*\bhttp[12]_\w+\(/;
            next unless $lines[$at] eq '{';
            my $behind = behind_declarations(\@lines, $at + 1);
            push @declarations, "$file:" . ($behind + 1) if defined $behind && $lines[$behind] !~ /^(?:\s*\}?)$/;
        }
    }
    is_deeply(\@comments,     [], '/** */ is for headers, /* */ for sources');
    is_deeply(\@declarations, [], 'a blank line behind the declarations at the top of a function');
    is_deeply(\@questions,    [], 'what returns nothing is not named like a question');
    is_deeply(\@pointers,     [], 'nothing points to a page that is not in the tree');
    is_deeply(\@sides,        [], 'functions of HTTP/1 and HTTP/2 say which side they are on');
};

subtest 'what is generated agrees with its source' => sub {
    my %generated = ('docs/configuration.md' => 'configuration', 'docs/weir.conf.5' => 'weir.conf.5', 'docs/faults.md' => 'faults',
        'docs/metrics.md' => 'metrics');
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
