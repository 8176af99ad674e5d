# SPDX-License-Identifier: MIT
# What an instance of a router has of its host: a start and an end, a name, words, a clock that ticks.
use lib 't/lib';
use Weir::Test;

my $so = router_so('instance');

sub lines { return split /\n/, read_file($_[0]) }

subtest 'the life of an instance' => sub {
    my $log   = write_file(temp_path('instance.log'), '');
    my $proxy = proxy(router => { module => $so, log => $log });
    my $where = $proxy->config . ':';
    my ($directory) = $proxy->config =~ m{^(.*)/};
    $proxy->get('/'); # who is answered has come behind the start
    is((lines($log))[0], "configure $directory", 'is configured, and knows the directory of its file');
    like((lines($log))[1], qr/^start default \/, \Q$where\E\d+, generation 1$/, 'is started: its place, the line, the generation');
    wait_for { $proxy->get('/'); (lines($log))[-1] eq 'request behind start ticking once' };
    is((lines($log))[-1], 'request behind start ticking once', 'ticks beside requests; one ticker has ended itself');

    ok($proxy->reload(router => { module => $so, log => $log }), 'reloaded');
    wait_for { grep { $_ eq 'release' } lines($log) };
    my @life = grep { !/^request/ } lines($log);
    like($life[3], qr/^start default \/, .*, generation 2$/, 'its successor is started, and is of the next generation');
    is_deeply([ @life[ 4 .. 6 ] ], [ 'stop in peace', 'still', 'release' ], 'then it is stopped, in no tick and with none to come, and released');
    $proxy->stop;
    is_deeply([ (lines($log))[ -3 .. -1 ] ], [ 'stop in peace', 'still', 'release' ], 'as the successor is at the end');
};

subtest 'each place is an instance' => sub {
    my ($one, $two) = map { write_file(temp_path('instance.log'), '') } 1, 2;
    my $proxy = proxy(router => { module => $so, log => $one }, paths => { '/api' => { 'weir.router' => { module => $so, log => $two } } });
    $proxy->get('/');
    like((lines($one))[1], qr/^start default \/, /, 'named by host and path');
    like((lines($two))[1], qr/^start default \/api, /, 'each');
};

subtest 'a router that refuses to start' => sub {
    my $log = write_file(temp_path('instance.log'), '');
    my $yaml = sub { "listen: $_[0]\nhosts:\n  default:\n    paths:\n      /:\n        weir.router:\n          module: $so\n          log: $log\n          refuses: $_[1]\n" };
    my $file = write_file(temp_path('weir.yaml'), $yaml->(free_port(), 'start'));
    my $run = weir('run', '-c', $file);
    is($run->{exit}, 1, 'ends the start');
    like($run->{err}, qr/^weir: router instance \(default \/\): the shop is closed\nweir: router instance \(default \/\): could not be started$/m, 'with its own words');
    is_deeply([ map { s/ .*//r } lines($log) ], [qw(configure start release)], 'and is released, not stopped');
    is(weir('check', '-c', $file)->{exit}, 0, '`weir check` starts nothing');
    is_deeply([ map { s/ .*//r } (lines($log))[ -2, -1 ] ], [qw(configure release)], 'and releases what it configured');

    write_file($log, '');
    my $proxy = proxy(router => { module => $so, log => $log });
    ok(!$proxy->reload(router => { module => $so, log => $log, refuses => 'start' }), 'a reload that cannot start it leaves all as it is');
    is($proxy->get('/')->status, 404, 'the old one answers');
    is_deeply([ grep { !/request|still/ } map { s/ .*//r } lines($log) ], [qw(configure start configure start release)], 'and was not stopped');
};

subtest 'words without end' => sub {
    my $log   = write_file(temp_path('instance.log'), '');
    my $proxy = proxy(router => { module => $so, log => $log, noisy => 'ON' });
    $proxy->get('/');
    my $count = () = $proxy->stderr =~ /^weir: router instance \(default \/\): line \d+/mg;
    cmp_ok($count, '>=', 10, 'are said');
    cmp_ok($count, '<', 100, 'ten a second');
};

done_testing;
