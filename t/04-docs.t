# SPDX-License-Identifier: MIT
# The documents: C that compiles, links that lead somewhere, directives that exist.
use lib 't/lib';
use Weir::Docs;
use Weir::Test;
use File::Basename qw(dirname);

chdir root_dir();
my $include = build_dir() . '/include';

my @docs = grep { -f } 'README.md', glob('docs/*.md'), glob('docs/*/*.md');
cmp_ok(scalar @docs, '>', 10, 'documents were found');

my @warnings = qw(-std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter);
my %alone    = (
    'c'          => [],
    'c fragment' => [qw(-Wno-unused-function -Wno-unused-const-variable -Wno-unused-variable)],
);

sub compile {
    my ($block, $text) = @_;
    my $source = write_file(temp_path('block.c'), $text);
    return run_command('cc', '-fsyntax-only', @warnings, @{ $alone{ $block->{language} } }, "-I$include", $source);
}

subtest 'every block of C compiles' => sub {
    my $count = 0;
    for my $file (@docs) {
        for my $block (grep { $_->{language} =~ /^c\b/ } blocks($file)) {
            my $name = "$file:$block->{line}";
            if (!$alone{ $block->{language} }) {
                fail("$name: `$block->{language}` is neither `c` nor `c fragment`");
                next;
            }
            my $above = $block->{language} eq 'c' ? '' : "#include <weir.h>\n";
            my $run = compile($block, qq{$above#line @{[ $block->{line} + 1 ]} "$file"\n$block->{text}});
            is($run->{exit}, 0, $name) or diag($run->{err});
            $count++;
        }
    }
    cmp_ok($count, '>', 8, 'there are such blocks');
    my $wrong = compile({ language => 'c' }, "#include <weir.h>\nint wrong(void) { return weir_later(1); }\n");
    ok($wrong->{exit}, 'a wrong one would be noticed');
};

subtest 'weir.conf(5) has the keys of the routers in the house' => sub {
    my $page = read_file('docs/weir.conf.5') =~ s/\\-/-/gr;
    like($page, qr/^\.B \Q$_\E$/m, $_) for qw(domains backends blank tls keepalive protocol features headers redirect-to error-pages url preserve-host);
};

subtest 'links of installed documents lead to what is installed' => sub {
    my $root = temp_path('installed');
    my $run  = run_command('cmake', '--install', build_dir(), '--prefix', $root);
    is($run->{exit}, 0, 'installed') or diag($run->{err});
    my $papers = "$root/share/doc/weir";
    my (@dead, $count);
    for my $file (map { glob "$papers/$_" } '*.md', 'docs/*.md', 'docs/*/*.md', 'bench/*.md') {
        for my $link (grep { !/:/ } prose($file) =~ /\]\(([^)#\s]+)/g) {
            $count++;
            push @dead, "$file: $link" unless -e dirname($file) . "/$link";
        }
    }
    is_deeply(\@dead, [], 'no dead ones');
    cmp_ok($count, '>', 50, 'there are links');
};

subtest 'routers of the documents that are examples are the same' => sub {
    for my $pair ([ 'toy_router.c', 'README.md' ], [ 'toy_router.c', 'docs/router-guide.md' ], [ 'tenant_router.c', 'docs/router-guide.md' ]) {
        my ($name, $file) = @$pair;
        my $text = read_file("examples/$name");
        ok(scalar(grep { $_->{text} eq $text } blocks($file)), "$name in $file");
    }
};

# As code hosts make them out of headings.
sub anchors {
    my ($file) = @_;
    my %anchors;
    for my $heading (prose($file) =~ /^#+ +(.*?)\s*$/mg) {
        (my $anchor = lc $heading) =~ s/[^\w\- ]//g;
        $anchor =~ tr/ /-/;
        $anchors{$anchor} = 1;
    }
    return \%anchors;
}

subtest 'every relative link leads to a file of this tree' => sub {
    my $count = 0;
    for my $file (@docs) {
        my @wrong;
        for my $link (prose($file) =~ /\]\(([^)\s]+)\)/g) {
            next if $link =~ m{^[a-z]+:};
            $count++;
            my ($path, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
            my $target = $path eq '' ? $file : dirname($file) . "/$path";
            push @wrong, $link if $path =~ m{^/} || !-e $target;
            push @wrong, "$link (no such heading)" if defined $anchor && -f $target && !anchors($target)->{$anchor};
        }
        is("@wrong", '', $file);
    }
    cmp_ok($count, '>', 20, 'there are such links');
};

subtest 'the list of h2o\'s directives is the one that is compiled in' => sub {
    my $run = weir('docs', 'h2o');
    is($run->{exit}, 0, '`weir docs h2o`');
    ok(index(read_file('docs/coming-from-h2o.md'), $run->{out}) >= 0, 'stands in docs/coming-from-h2o.md');
};

subtest 'every directive that is mentioned exists' => sub {
    my %known = map { $_ => 1 } read_file('docs/configuration.md') =~ /^### `(weir\.[a-z0-9-]+)`/mg;
    cmp_ok(scalar keys %known, '>', 10, 'directives are known');
    $known{ s/_.*//r } = 1 for read_file('lib/walk/trace_spans.c') =~ /"(weir\.[a-z_]+)"/g; # what spans have is called so, too
    for my $file (@docs) {
        # weir.h, weir.yaml, weir.conf(5) and the like are files, %{weir.reason}e is for h2o's access-log
        my @wrong = grep { !$known{$_} && !/^weir\.(?:c|h|pc|so|map|yaml|conf)$/ }
            read_file($file) =~ m{(?<![\w/.\{-])(weir\.[a-z]+[0-9]*(?:-[a-z]+)*)}g;
        is("@wrong", '', $file);
    }
};

subtest 'every file that is named in passing exists' => sub {
    for my $file (@docs) {
        my @wrong = grep { !-e && !glob($_) }
            prose($file) =~ m{`((?:lib|router|handlers|conf|t|examples|deps|bench)/[\w./-]+\.(?:[ch]|def|t|pm|pl|yaml|md|txt))`}g;
        is("@wrong", '', $file);
    }
};

subtest 'the figures are those of their numbers' => sub {
    my $run = run_command($ENV{WEIR_PYTHON} // '/usr/bin/python3', '-B', 'docs/figures/draw.py', '--check');
    is($run->{exit}, 0, 'docs/figures/draw.py has drawn them') or diag $run->{err};
};

done_testing;
