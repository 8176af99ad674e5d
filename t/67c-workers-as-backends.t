# SPDX-License-Identifier: MIT
# What holds for backends of HTTP/2 that are dialled holds for those that dial: the same files, with their backends dialling. In most
# of them each request goes by way of another loop, as far as there is one.
use lib 't/lib';
use Weir::Test;

my @runs = ([ '62-http2', 'needed' ], [ '63-http2-faults', 'always' ], [ '65-grpc', 'always' ], [ '68-http2-edges', 'always' ]);

chdir root_dir();
for my $run (@runs) {
    my ($file, $how) = @$run;
    my $done = run_command({ seconds => 20 * wait_seconds(), env => { %ENV, WEIR_WORKERS => $how } }, $^X, "t/$file.t");
    my @failed = grep { /^ *not ok/ } split /\n/, $done->{out};
    is($done->{exit}, 0, "$file, hand-over: $how") or diag(join "\n", @failed, $done->{err});
    my $dialled = () = $done->{out} =~ /^ *# workers dial in$/mg;
    cmp_ok($dialled, '>', 0, 'its backends dialled');
}

done_testing;
