# SPDX-License-Identifier: MIT
# Runs what t/unit and t/fuzz were built into: each unit program as one subtest, each fuzzer over its corpus.
use lib 't/lib';
use Weir::Test;

$ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
alarm int 400 * Weir::Client::slow(); # a hundred programs, one after the other
my $build = build_dir();
my $root  = root_dir();

sub name_of { return $_[0] =~ s{.*/}{}r }

# What a program said, for when it failed.
sub words_of {
    my ($run) = @_;
    return join "\n", grep { length } (map { substr $run->{$_}, 0, 4000 } qw(out err)),
        defined $run->{exit} ? "exit $run->{exit}, signal $run->{signal}" : 'took too long';
}

my %env = (
    ASAN_OPTIONS  => 'detect_leaks=1',
    UBSAN_OPTIONS => 'halt_on_error=1:print_stacktrace=1',
);
my @wrapper = Weir::Client::is_valgrind() ? valgrind_command() : ();
@env{qw(WEIR_WALK_DEPTH WEIR_STEPS)} = (3, 20_000) if @wrapper; # at 4 an hour of it

my @units = grep { -f && -x } glob "$build/t/unit/*";
for my $unit (@units) {
    subtest 'unit ' . name_of($unit) => sub {
        my $run = run_command({ env => \%env, seconds => 12 * wait_seconds() }, @wrapper, $unit);
        my $seen = 0;
        for (split /\n/, $run->{out}) {
            next unless /^(not )?ok\s+\d+\s*-?\s*(.*)/;
            $seen++;
            ok(!$1, $2);
        }
        ok($seen, 'it ran tests');
        is($run->{exit}, 0, 'it ended well') or diag(words_of($run));
    };
}

my @fuzzers = grep { -f && -x } glob "$build/t/fuzz/*";
for my $fuzzer (@fuzzers) {
    my $name = name_of($fuzzer);
    subtest "fuzz $name" => sub {
        my $corpus = "$root/t/fuzz/corpus/$name";
        plan skip_all => 'no corpus' unless -d $corpus;
        my $run = run_command({ env => \%env, cwd => $root, seconds => 12 * wait_seconds() }, @wrapper, $fuzzer, $corpus);
        is($run->{exit}, 0, 'its corpus finds nothing') or diag(words_of($run));
    };
}

# Every source has its program: a build that forgot one must not pass.
for my $kind (qw(unit fuzz)) {
    my %built = map { name_of($_) => 1 } $kind eq 'unit' ? @units : @fuzzers;
    my @missing = grep { !$built{$_} } map { name_of($_) =~ s/\.c$//r } grep { !m{/(?:fake_\w+|helpers|replay_main)\.c$} }
        glob "$root/t/$kind/*.c";
    is("@missing", '', "every t/$kind/*.c is built");
}

done_testing;
