# SPDX-License-Identifier: MIT
# What holds for backends of HTTP/2 that are dialled holds for those that dial: the same files, with their backends dialling. In half
# of them each request goes by way of another loop, as far as there is one.
use lib 't/lib';
use Weir::Test;

my @runs = ([ '63-http2-faults', 'always' ], [ '65-grpc', 'always' ], [ '68-http2-edges', 'always' ], [ '45c-protocols', 'needed' ]);

chdir root_dir();
for my $run (@runs) {
    my ($file, $how) = @$run;
    my $done = run_command({ seconds => 20 * wait_seconds(), env => { %ENV, WEIR_WORKERS => $how } }, $^X, "t/$file.t");
    my @failed = grep { /^ *not ok/ } split /\n/, $done->{out};
    is($done->{exit}, 0, "$file, hand-over: $how") or diag(join "\n", @failed, $done->{err});
    my $dialled = () = $done->{out} =~ /^(?: {4})*ok /mg;
    cmp_ok($dialled, '>', 5, 'there were tests');
}

done_testing;
