# SPDX-License-Identifier: MIT
# A newcomer's trial: the README and the router guide, read from the top, with every file written and every command run, word for
# word but for the ports. `./dev build` has been done already.
use lib 't/lib';
use Weir::Docs;
use Weir::Test;

my ($root, $build) = (root_dir(), build_dir());
my %port = map { $_ => free_port() } 8080 .. 8083;

# What a sanitized library asks of those who link it: its own sanitizer, and no other.
my ($sanitizer) = read_file("$build/CMakeCache.txt") =~ /^CMAKE_C_FLAGS:.*?(-fsanitize=\S+)/m;
$sanitizer //= '';

sub ported { return $_[0] =~ s/\b(808[0-3])\b/$port{$1}/gr }

# A tree as the reader has it: build/release is what is tested here.
sub make_tree {
    my $tree = temp_path('tree');
    mkdir $_ or die "$_: $!" for $tree, "$tree/build", "$tree/examples";
    symlink $build, "$tree/build/release" or die $!;
    for my $file (glob "$root/examples/*.{c,pl,yaml}") {
        my ($name) = $file =~ m{([^/]+)$};
        write_file("$tree/examples/$name", ported(read_file($file)));
    }
    write_file("$tree/dev", "#!/bin/sh\n[ \"\$1\" = build ]\n");
    chmod 0755, "$tree/dev";
    return $tree;
}

# The whole of a document as one script: a mark behind each command, and behind what goes on in the background a look whether it is
# there. Returns it and what each command must say: { line, command, text }.
sub script_of {
    my ($doc) = @_;
    my ($script, @said) = ("sanitizer='$sanitizer'\n" . <<'SH');
cc() { local word words=(); for word; do case $word in -fsanitize=*) word=${sanitizer:-$word} ;; esac; words+=("$word"); done; command cc $sanitizer "${words[@]}"; }
there() { for try in $(seq 400); do kill -0 $2 || return 1; (: </dev/tcp/127.0.0.1/$1) 2>/dev/null && return 0; sleep 0.05; done; return 1; }
trap 'status=$?; kill $(jobs -p) 2>/dev/null || true; exit $status' EXIT
set -e
SH
    for my $block (blocks("$root/$doc")) {
        $script .= "cat >$block->{name} <<'END OF BLOCK'\n" . ported($block->{text}) . "END OF BLOCK\n" if $block->{name};
        next unless $block->{language} eq 'sh';
        my $line = $block->{line};
        for my $command (split /\n/, $block->{text}) {
            my ($text) = $command =~ /# => (.*)$/;
            push @said, { line => ++$line, command => $command, text => ported($text // '') };
            $script .= ported($command) . "\n";
            my ($backend) = $command =~ /backend\.pl \w+ (\d+)/;
            $script .= "there $port{ $backend // 8080 } \$!\n" if $command =~ /&(?: \w+=\$!)?\s*(?:#.*)?$/;
            $script .= "wait $1 || true\n" if $command =~ /^kill (.*)$/;
            $script .= "echo '<$#said>'\n";
        }
    }
    return ($script, @said);
}

for my $doc (qw(README.md docs/router-guide.md)) {
    subtest $doc => sub {
        my ($script, @said) = script_of($doc);
        cmp_ok(scalar @said, '>', 10, 'has commands');
        my $file = write_file(temp_path('script'), $script);
        my $run = run_command({ cwd => make_tree(), seconds => 12 * wait_seconds(), env => { ASAN_OPTIONS => 'detect_leaks=0' } },
            'bash', '-c', "exec 2>&1; . $file");
        my @outputs = split /^<\d+>\n/m, $run->{out}, -1;
        for my $i (0 .. $#said) {
            my $what = "$doc:$said[$i]{line}: $said[$i]{command}";
            if ($i >= $#outputs) {
                fail($what);
                last;
            }
            ok(index($outputs[$i], $said[$i]{text}) >= 0, $what) or diag("said: $outputs[$i]");
        }
        is($run->{exit}, 0, 'every command has ended well') or diag($outputs[-1]);
    };
}

# What a reader would see of a mistake of ours.
subtest 'a command that says something else is noticed' => sub {
    my ($script, @said) = script_of('README.md');
    ok((grep { $_->{text} ne '' } @said) >= 3, 'outputs are compared');
    like($script, qr/^there \d+ \$!$/m, 'what runs in the background is waited for');
};

done_testing;
