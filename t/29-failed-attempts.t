# SPDX-License-Identifier: MIT
# What failed and is answered all the same leaves its trace: in the request's line, and on standard error.
use lib 't/lib';
use Weir::Test;

my $ok = ok_backend('ok');

# The first line of a request that needed two tries: which backend is asked first is the router's choice.
sub second_try {
    my ($proxy) = @_;
    for my $count (1 .. 20) {
        $proxy->get("/$count");
        my ($line) = grep { $_->{tries} == 2 } $proxy->log_lines($count);
        return $line if $line;
    }
    return {};
}

subtest 'another backend answers' => sub {
    my $dead  = '127.0.0.1:' . refusing_port();
    my $proxy = proxy(backends => [ $dead, $ok ]);
    my $again = second_try($proxy);
    $proxy->get('/more') for 1 .. 20;
    my ($first) = grep { $_->{tries} == 1 } $proxy->log_lines(20);
    is($again->{cause}, 'backend_refused', 'the line of one that needed two tries says why');
    is($again->{code}, undef, 'it went well');
    is($again->{dyno}, $ok->address, 'with the other backend');
    is($first->{cause}, undef, 'the other has no cause');
    like($_->{route} . ' ' . $_->{total}, qr/^\d+ms \d+ms$/, 'durations of the whole') for $again, $first;
};

subtest 'the time that was lost' => sub {
    my $stuck = '127.0.0.1:' . stuck_port();
    my $proxy = proxy(backends => [ $stuck, $ok ], path => { 'weir.connect-timeout' => ms(300) });
    my $line  = second_try($proxy);
    is($line->{cause}, 'backend_connect_timeout', 'the cause');
    cmp_ok($line->{connect} =~ s/ms$//r, '<', ms(250), 'connect is the attempt that counts');
    cmp_ok($line->{route} =~ s/ms$//r, '>=', ms(295), 'route is all of them');
    cmp_ok($line->{total} =~ s/ms$//r, '>=', $line->{route} =~ s/ms$//r, 'and total the request');
};

subtest 'a request that nobody takes' => sub {
    my $proxy = proxy(backends => [ map { '127.0.0.1:' . refusing_port() } 1 .. 2 ]);
    is($proxy->get('/')->status, 503, 'is refused');
    my ($line) = $proxy->log_lines(1);
    is($line->{cause}, 'backend_refused', 'with its cause');
    is($line->{route}, '', 'and no route');
};

subtest 'a backend that goes and comes' => sub {
    my $port  = free_port();
    my $proxy = proxy(backends => ["127.0.0.1:$port"], app => { keepalive => 'none' });
    is($proxy->get("/$_")->status, 503, 'nobody is there') for 1 .. 3;
    ok((wait_for { $proxy->stderr =~ /^weir: backend 127\.0\.0\.1:$port is down: backend_refused$/m }), 'it is told');
    is(scalar(() = $proxy->stderr =~ /is down/g), 1, 'once');
    my $backend = ok_backend('again', port => $port);
    is($proxy->get("/$_")->status, 200, 'somebody is there') for 4 .. 5;
    ok((wait_for { $proxy->stderr =~ /^weir: backend 127\.0\.0\.1:$port is up again, after 3 failures in \d+\.\d s$/m }), 'that, too') or diag($proxy->stderr);
    is(scalar(() = $proxy->stderr =~ /is up again/g), 1, 'once');
};

subtest 'many of them' => sub {
    my $count = 60;
    my $proxy = proxy(apps => { map { ("app$_" => { domains => ["a$_"], backends => [ '127.0.0.1:' . refusing_port() ] }) } 1 .. $count });
    $proxy->ask("GET / HTTP/1.1\r\nHost: a$_\r\n\r\n") for 1 .. $count;
    my $seconds = 1 + scalar grep { /\(\d+ more\)/ } split /\n/, $proxy->stderr;
    my $lines = () = $proxy->stderr =~ /is down/g;
    cmp_ok($lines, '>=', 10, 'are told');
    cmp_ok($lines, '<=', 10 * ($seconds + 1), 'ten a second, and no more');
};

done_testing;
