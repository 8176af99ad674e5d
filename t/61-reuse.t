# SPDX-License-Identifier: MIT
# The pool of backend connections: what goes into it, what never does, what comes out first, and what is sent again.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
sub chunks { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n$_[0]" }

# name => [ reused, what the backend writes, how the request differs ]
my %case = (
    'a length'                      => [ 1, "$ok\r\nok" ],
    'a length of 0'                 => [ 1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" ],
    'a length over 64 KiB'          => [ 1, "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" . 'x' x 70000 ],
    'chunks'                        => [ 1, chunks("2\r\nok\r\n0\r\n\r\n") ],
    'chunks and trailers'           => [ 1, chunks("2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n") ],
    'a 204'                         => [ 1, "HTTP/1.1 204 No Content\r\n\r\n" ],
    'a 304'                         => [ 1, "HTTP/1.1 304 Not Modified\r\n\r\n" ],
    'a 304 with a length'           => [ 1, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n" ],
    'HEAD'                          => [ 1, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", method => 'HEAD' ],
    'HEAD, chunked'                 => [ 1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", method => 'HEAD' ],
    'HEAD without a length'         => [ 1, "HTTP/1.1 200 OK\r\n\r\n", method => 'HEAD' ],
    'a client that closes'          => [ 1, "$ok\r\nok", headers => "Connection: close\r\n" ],
    'an HTTP/1.0 client'            => [ 1, "$ok\r\nok", version => '1.0' ],
    'chunks for HTTP/1.0'           => [ 1, chunks("2\r\nok\r\n0\r\n\r\n"), version => '1.0' ],
    'a request body'                => [ 1, "$ok\r\nok", method => 'POST', headers => "Content-Length: 3\r\n", body => 'abc' ],
    'a chunked request body'        => [ 1, "$ok\r\nok", method => 'POST', headers => "Transfer-Encoding: chunked\r\n", body => "3\r\nabc\r\n0\r\n\r\n" ],
    'interim responses'             => [ 1, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n$ok\r\nok" ],
    'an error of the backend\'s'    => [ 1, "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nok" ],
    'Connection: keep-alive, HTTP/1.0' => [ 1, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok" ],
    'Connection: close'             => [ 0, "${ok}Connection: close\r\n\r\nok" ],
    'Connection: Close among others' => [ 0, "${ok}Connection: x, Close\r\n\r\nok" ],
    'close and keep-alive'          => [ 0, "${ok}Connection: keep-alive\r\nConnection: close\r\n\r\nok" ],
    'HTTP/1.0'                      => [ 0, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok" ],
    'no length'                     => [ 0, "HTTP/1.1 200 OK\r\n\r\nok", close => 1 ],
    'both framings'                 => [ 0, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" ],
    'a byte too much'               => [ 0, "$ok\r\nok!" ],
    'a byte too much behind chunks' => [ 0, chunks("2\r\nok\r\n0\r\n\r\n!") ],
    'a blank line too much'         => [ 0, "$ok\r\nok\r\n" ],
    'a second response'             => [ 0, "$ok\r\nok" x 2 ],
    'HEAD with a body'              => [ 0, "$ok\r\nok", method => 'HEAD' ],
    'a 204 with a body'             => [ 0, "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok" ],
    'a 304 with a body'             => [ 0, "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok" ],
    'a broken chunk'                => [ 0, chunks("2\r\nok\r\nx\r\n") ],
    'an invalid header'             => [ 0, "${ok}foo\r\n\r\nok" ],
    'an answer to half a request'   => [ 0, "$ok\r\nok", method => 'POST', headers => "Content-Length: 30\r\n", body => 'abc', early => 1 ],
);
my @names = sort keys %case;
my $backend = backend(sub {
    my $c = shift;
    while (my $head = $c->read_head) {
        my ($number) = $head =~ m{^\S+ /(\d+) } or do { $c->write("$ok\r\nok"); next };
        my (undef, $bytes, %option) = @{ $case{ $names[$number] } };
        $c->read_body($head) unless $option{early};
        $c->write($bytes);
        return if $option{close};
    }
});
my $proxy = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(3000) });

for my $number (0 .. $#names) {
    my ($is_reused, undef, %option) = @{ $case{ $names[$number] } };
    subtest(($is_reused ? 'used again' : 'not used again') . " behind $names[$number]" => sub {
        $proxy->get('/fill');
        my $before = $backend->connections;
        my $r = $proxy->ask(($option{method} // 'GET') . " /$number HTTP/" . ($option{version} // '1.1') . "\r\nHost: a\r\n"
                . ($option{headers} // '') . "\r\n" . ($option{body} // ''));
        ok($r, 'a response');
        is($proxy->get('/next')->body, 'ok', 'the next request has its own answer');
        is($backend->connections - $before, $is_reused ? 0 : 1, $is_reused ? 'over the same connection' : 'over a new connection');
    });
}

# A backend whose connections say their number, and answer when told.
sub numbered { return backend(sub { my $c = shift; $c->serve(sub { select undef, undef, undef, ms(100) / 1000 if $_[0] =~ /slow/; simple_response($c->index) }) }) }

sub at_once {
    my ($own, $count, $host) = @_;
    my @clients = map { $own->connect } 1 .. $count;
    $_->write("GET /slow HTTP/1.1\r\nHost: " . ($host // 'a') . "\r\n\r\n") for @clients;
    return map { $_->read_response->body } @clients;
}

subtest 'the connection given last is taken first' => sub {
    my $own = proxy(backends => [ numbered() ]);
    is(join(' ', sort(at_once($own, 3))), '0 1 2', 'three connections');
    my $last = $own->get('/a')->body;
    is(join(' ', map { $own->get('/b')->body } 1 .. 5), join(' ', ($last) x 5), 'one of them does all the work when there is little');
};

subtest 'each address has connections of its own' => sub {
    my ($one, $two) = (numbered(), numbered());
    my $own = proxy(apps => { map { $_->[0] => { domains => [ $_->[0] ], backends => [ $_->[1]->address ] } } [ one => $one ], [ two => $two ] });
    for (1 .. 4) {
        $own->ask("GET / HTTP/1.1\r\nHost: $_\r\n\r\n") for qw(one two);
    }
    is($one->connections . $two->connections, 11, 'one each');
    is(scalar(grep { /Host: two/ } $one->received), 0, 'nothing of the other\'s came here');
};

subtest 'two apps on one address share its connections' => sub {
    my $one = numbered();
    my $own = proxy(apps => { map { $_ => { domains => [$_], backends => [ $one->address ] } } qw(one two) });
    $own->ask("GET / HTTP/1.1\r\nHost: $_\r\n\r\n") for qw(one two one);
    is($one->connections, 1, 'one connection');
};

subtest 'one client, many backends: each request goes where the router says' => sub {
    my ($one, $two) = map { ok_backend($_) } qw(one two);
    my $own = proxy(apps => { map { $_->[0] => { domains => [ $_->[0] ], backends => [ $_->[1]->address ] } } [ one => $one ], [ two => $two ] });
    my $client = $own->connect;
    my @hosts = qw(one two one one two);
    $client->write(join '', map { "GET / HTTP/1.1\r\nHost: $_\r\n\r\n" } @hosts);
    is(join(' ', map { $client->read_response->body } @hosts), "@hosts", 'in their order');
};

my %mode = (none => [ 3, 'close' ], default => [ 1, 'keep-alive' ], new => [ 3, 'keep-alive' ]);
for my $mode (sort keys %mode) {
    subtest "keepalive: $mode" => sub {
        my $one = ok_backend('one');
        my $own = proxy(backends => [$one], app => { keepalive => $mode });
        is(join(' ', map { $own->get('/')->body } 1 .. 3), 'one one one', 'answered');
        is($one->connections, $mode{$mode}[0], "$mode{$mode}[0] connections");
        my @says = map { /^Connection: (.*)\r$/m } $one->heads;
        is("@says", join(' ', ($mode{$mode}[1]) x 3), "the backend is told: $mode{$mode}[1]");
        ok($one->wait_event(qr/^eof 0/), 'each is closed behind its response') if $mode eq 'none';
    };
}

subtest 'requests in one packet follow each other over one connection' => sub {
    my $one = ok_backend('one');
    my $own = proxy(backends => [$one]);
    my $client = $own->connect;
    $client->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n" x 5);
    is(join(' ', map { $client->read_response->body } 1 .. 5), join(' ', ('one') x 5), 'answered');
    is($one->connections, 1, 'one connection');
};

subtest 'keepalive: new leaves a connection that default takes' => sub {
    my $one = ok_backend('one');
    my $own = proxy(apps => { map { $_ => { domains => [$_], backends => [ $one->address ], keepalive => $_ } } qw(new default) });
    $own->ask("GET / HTTP/1.1\r\nHost: $_\r\n\r\n") for qw(new default default);
    is($one->connections, 1, 'one connection');
};

subtest 'idle connections are closed after weir.backend-idle-timeout, used ones are not' => sub {
    my $one = ok_backend('one');
    my $own = proxy(backends => [$one], path => { 'weir.backend-idle-timeout' => ms(400) });
    for (1 .. 4) {
        $own->get('/');
        select undef, undef, undef, ms(200) / 1000;
    }
    is($one->connections, 1, 'each use prolongs it');
    my $begin = time;
    is($one->wait_event(qr/^eof/), 'eof 0', 'then it is closed');
    cmp_ok(time - $begin, '<', ms(1000) / 1000, 'in time');
};

# What is sent again when a pooled connection turns out to be dead.
my @methods = (    # request line and headers, body, sent again
    [ 'GET', '', '', 1 ], [ 'HEAD', '', '', 1 ], [ 'OPTIONS', '', '', 1 ], [ 'TRACE', '', '', 1 ], [ 'PUT', '', '', 1 ], [ 'DELETE', '', '', 1 ],
    [ 'POST', '', '', 0 ], [ 'PATCH', '', '', 0 ], [ 'FETCH', '', '', 0 ], [ 'get', '', '', 0 ],
    [ 'PUT', "Content-Length: 4\r\n", 'body', 0 ], [ 'POST', "Transfer-Encoding: chunked\r\n", "4\r\nbody\r\n0\r\n\r\n", 0 ],
);
for my $how (qw(close reset)) {
    for my $case (@methods) {
        my ($method, $headers, $body, $is_sent_again) = @$case;
        my $name = "$method" . ($headers ? " with a body ($headers)" =~ s/\r\n//r : '') . ", the pooled connection ends ($how)";
        subtest "$name: " . ($is_sent_again ? 'sent again' : 'not sent again') => sub {
            my $stale = backend(sub {
                my $c = shift;
                $c->read_request;
                $c->write(simple_response('ok'));
                return $c->read_eof if $c->index > 0;
                $c->read_until(qr/\r\n\r\n(?:body|4\r\nbody\r\n0\r\n\r\n)?\z/);
                $c->reset if $how eq 'reset';
            });
            my $own = proxy(backends => [$stale]);
            $own->get('/fill');
            my $r = $own->ask("$method /x HTTP/1.1\r\nHost: a\r\n$headers\r\n$body");
            is($r->status, $is_sent_again ? 200 : 503, 'the answer');
            is($stale->connections, $is_sent_again ? 2 : 1, 'connections');
            like($own->log_where(path => '/x')->{code} // '', $is_sent_again ? qr/^$/ : qr/^backend_(?:closed|reset)$/, 'the log');
        };
    }
}

subtest 'sent again once, not twice' => sub {
    my $bad = backend(sub { my $c = shift; $c->read_head or return; return unless $c->index == 0; $c->write(simple_response('ok')); $c->read_head });
    my $own = proxy(backends => [$bad]);
    $own->get('/fill');
    is($own->get('/x')->status, 503, 'the second failure is told');
    is($bad->connections, 2, 'two connections in all');
};

done_testing;
