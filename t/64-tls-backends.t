# SPDX-License-Identifier: MIT
# TLS with backends: whom we believe, what we show, and which connections and sessions are used again.
use lib 't/lib';
use Weir::Test;
use Weir::TLS;
use Time::HiRes qw(time);

my $ca    = authority('test authority');
my $other = authority('another authority');
my $good  = certificate('backend.test', ca => $ca, names => [ 'backend.test', 'localhost', '127.0.0.1' ]);
my %trust = ('ca-file' => $ca->{cert});

my $echo = sub { $_[0]->serve(sub { simple_response($_[0] . $_[1]) }) };

sub app { my ($name, $backends, %more) = @_; return ($name => { domains => ["$name.test"], backends => $backends, %more }) }
sub https { my ($backend, $host) = @_; return 'https://' . ($host // '127.0.0.1') . ':' . $backend->port }

sub ask {
    my ($proxy, $app, $path, $more, $body) = @_;
    my $method = defined $body ? 'POST' : 'GET';
    my $length = defined $body ? 'Content-Length: ' . length($body) . "\r\n" : '';
    return $proxy->ask("$method $path HTTP/1.1\r\nHost: $app.test\r\n$length" . ($more // '') . "\r\n" . ($body // ''));
}

subtest 'whom we believe' => sub {
    my $right    = tls_backend($echo, cert => $good, alpn => ['http/1.1']);
    my $stranger = tls_backend($echo, cert => certificate('127.0.0.1', ca => $other));
    my $self     = tls_backend($echo, cert => certificate('127.0.0.1'));
    my $expired  = tls_backend($echo, cert => certificate('127.0.0.1', ca => $ca, expired => 1));
    my $wrong    = tls_backend($echo, cert => certificate('elsewhere.test', ca => $ca));
    my $plain    = backend(sub { $_[0]->write("HTTP/1.1 400 Bad Request\r\n\r\n") });
    my $proxy = proxy(apps => {
        app('right',    [ https($right) ], tls => {%trust}),
        app('named',    [ https($right, 'localhost') ], tls => {%trust}),
        app('called',   [ https($right) ], tls => { %trust, 'server-name' => 'backend.test' }),
        app('misnamed', [ https($right) ], tls => { %trust, 'server-name' => 'misnamed.test' }),
        app('stranger', [ https($stranger) ], tls => {%trust}),
        app('self',     [ https($self) ], tls => {%trust}),
        app('expired',  [ https($expired) ], tls => {%trust}),
        app('wrong',    [ https($wrong) ], tls => {%trust}),
        app('system',   [ https($right) ]),
        app('anybody',  [ https($self) ], tls => { verify => 'OFF' }),
        app('plain',    [ https($plain) ], tls => {%trust}),
        app('second',   [ https($wrong), https($right) ], tls => {%trust}),
    });
    my $r = ask($proxy, 'right', '/right');
    is($r->status, 200, 'signed by whom we trust, valid, and the address we meant');
    like($right->wait_event(qr/tls/), qr/tls TLSv1_3 sni=- alpn=http\/1\.1/, 'no SNI for an address; ALPN says http/1.1');
    like($r->body, qr/^Host: right\.test\r$/m, 'the request is what it always is');
    is(ask($proxy, 'named', '/named')->status, 200, 'by name');
    ok($right->wait_event(qr/sni=localhost/), 'which is asked for');
    is(ask($proxy, 'called', '/called')->status, 200, 'server-name');
    ok($right->wait_event(qr/sni=backend\.test/), 'is asked for instead of the host');
    my %refused = (misnamed => 'backend_tls_name', stranger => 'backend_tls_untrusted', self => 'backend_tls_untrusted',
        expired => 'backend_tls_expired', wrong => 'backend_tls_name', system => 'backend_tls_untrusted', plain => 'backend_tls_failed');
    for my $app (sort keys %refused) {
        is(ask($proxy, $app, "/$app")->status, 502, "$app is not believed");
        is($proxy->log_where(path => "/$app")->{code}, $refused{$app}, "because of $refused{$app}");
    }
    is(ask($proxy, 'anybody', '/anybody')->status, 200, 'verify: OFF believes anybody');
    is(ask($proxy, 'second', '/second')->status, 200, 'a backend that is not believed is a failed connect: the next is tried');
    is($_->heads, 0, 'nothing was said to those') for $stranger, $wrong, $expired;
};

subtest 'bodies both ways, and ends' => sub {
    my $big = join '', map { chr(int rand 256) } 1 .. 300_000;
    my $backend = tls_backend(sub {
        my ($c) = @_;
        while (my ($head, $body) = $c->read_request) {
            my $case = $c->case_of($head);
            if ($case eq 'notified') {
                $c->write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n$big");
                $c->notify;
                return;
            }
            if ($case eq 'torn') {
                $c->write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" . 'x' x 100_000);
                return;
            }
            $c->write(simple_response($body));
        }
    }, cert => $good);
    my $proxy = proxy(apps => { app('a', [ https($backend) ], tls => {%trust}) });
    my $r = ask($proxy, 'a', '/echo', '', $big);
    is($r->status, 200, 'an upload that comes back');
    ok($r->body eq $big, 'byte by byte');
    $r = ask($proxy, 'a', '/notified');
    ok($r->body eq $big && $r->is_complete, 'a body that ends with close_notify is complete');
    $r = ask($proxy, 'a', '/torn');
    ok(!$r->is_complete, 'one that ends without it is not');
    like($proxy->log_where(path => '/torn')->{code}, qr/^backend_(?:reset|truncated)$/, 'and the log says so');
};

subtest 'proxy.reverse.url' => sub {
    my $backend = tls_backend($echo, cert => $good);
    my $proxy = proxy(paths => {
        '/believed' => { 'proxy.reverse.url' => https($backend, 'localhost'), 'proxy.ssl.cafile' => $ca->{cert} },
        '/doubted'  => { 'proxy.reverse.url' => https($backend) }, # localhost may be ::1, too, where nobody listens
        '/anybody'  => { 'proxy.reverse.url' => https($backend), 'proxy.ssl.verify-peer' => 'OFF' },
    });
    is($proxy->get('/believed')->status, 200, 'https, with proxy.ssl.cafile');
    ok($backend->wait_event(qr/sni=localhost/), 'by its name');
    is($proxy->get('/doubted')->status, 502, 'the system does not know that authority');
    is($proxy->log_where(path => '/doubted')->{code}, 'backend_tls_untrusted', 'which the log names');
    is($proxy->get('/anybody')->status, 200, 'proxy.ssl.verify-peer: OFF');
};

subtest 'what we show' => sub {
    my $ours    = certificate('proxy.test', ca => $other);
    my $backend = tls_backend($echo, cert => $good, ca => $other, versions => 'TLSv1_2');
    my $proxy = proxy(apps => {
        app('shows', [ https($backend) ], tls => { %trust, 'certificate-file' => $ours->{cert}, 'key-file' => $ours->{key} }),
        app('hides', [ https($backend) ], tls => {%trust}),
    });
    is(ask($proxy, 'shows', '/shows')->status, 200, 'our certificate');
    ok($backend->wait_event(qr/client=proxy\.test/), 'is what the backend sees');
    is(ask($proxy, 'hides', '/hides')->status, 502, 'without it there is no handshake');
    is($proxy->log_where(path => '/hides')->{code}, 'backend_tls_failed', 'and the log says so');
};

subtest 'connections are used again, by those they were made for' => sub {
    my $backend = tls_backend($echo, cert => $good);
    my $proxy = proxy(apps => {
        app('one',   [ https($backend) ], tls => {%trust}),
        app('two',   [ https($backend) ], tls => {%trust}),
        app('named', [ https($backend, 'localhost') ], tls => {%trust}),
        app('plain', [ '127.0.0.1:' . $backend->port ]),
    });
    is(ask($proxy, 'one', "/$_")->status, 200, "request $_") for 1 .. 3;
    is($backend->connections, 1, 'on one connection');
    is(ask($proxy, 'two', '/two')->status, 200, 'another app, another identity');
    is($backend->connections, 2, 'its own connection');
    is(ask($proxy, 'named', '/named')->status, 200, 'another name for the same address');
    is($backend->connections, 3, 'its own connection');
    isnt(ask($proxy, 'plain', '/plain')->status, 200, 'plain HTTP to it');
    is($backend->connections, 4, 'took none of theirs');
    is(ask($proxy, 'one', '/again', "Content-Type: x\r\n", 'not idempotent')->status, 200, 'a POST');
    is($backend->connections, 4, 'uses it, too');
};

subtest 'sessions are resumed' => sub {
    for my $version (qw(TLSv1_2 TLSv1_3)) {
        my $backend = tls_backend($echo, cert => $good, versions => $version);
        my $proxy = proxy(apps => { app('a', [ https($backend) ], keepalive => 'none', tls => {%trust}) });
        is(ask($proxy, 'a', "/$_")->status, 200, "$version: request $_") for 1 .. 3;
        my @how = map { /reused=(\d)/ } grep { /tls/ } $backend->events;
        is("@how", '0 1 1', 'one full handshake, the others short');
    }
};

subtest 'a handshake that does not come' => sub {
    my $silent = backend(sub { my $c = shift; $c->read_eof(30) });
    my $proxy = proxy(apps => { app('a', [ https($silent) ], tls => {%trust}) }, path => { 'weir.connect-timeout' => ms(300) });
    my $at = time;
    is(ask($proxy, 'a', '/silent')->status, 503, 'is under weir.connect-timeout');
    ok(time - $at < 5, 'and no longer');
    is($proxy->log_where(path => '/silent')->{code}, 'backend_connect_timeout', 'which the log names');
    my $client = $proxy->connect;
    $client->write("GET /leaves HTTP/1.1\r\nHost: a.test\r\n\r\n");
    $silent->wait_event(qr/accept 1/);
    $client->reset;
    is($proxy->log_where(path => '/leaves')->{code}, 'client_closed', 'a client that leaves meanwhile leaves nothing behind');
};

subtest 'an upgrade through TLS on both sides' => sub {
    my $backend = tls_backend(sub {
        my ($c) = @_;
        $c->read_head;
        $c->write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello");
        while (defined(my $bytes = $c->read_until(qr/\n/))) { $c->write("<$bytes>") }
        $c->write('bye');
        $c->notify;
    }, cert => $good);
    my $port  = free_port();
    my $proxy = proxy(apps => { app('a', [ https($backend) ], tls => {%trust}) },
        listen => [ { host => '127.0.0.1', port => $port, ssl => { 'certificate-file' => $good->{cert}, 'key-file' => $good->{key} } } ]);
    my $client = tls_client($port, ca => $ca);
    $client->write("GET /up HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    like($client->read_head, qr{^HTTP/1\.1 101 }, 'the switch');
    is($client->read_exactly(5), 'hello', 'early bytes of the backend');
    $client->write("one\n");
    is($client->read_until(qr/>/), "<one\n>", 'bytes both ways');
    $client->notify;
    is($client->read_eof, 'bye', 'close_notify ends one direction, the other goes on');
};

subtest 'what cannot be' => sub {
    my @cases = (
        [ "backends: [ \"https://127.0.0.1:1\" ], tls: { ca-file: /nowhere }",     'tls: /nowhere is no PEM file of certificates' ],
        [ "backends: [ \"https://127.0.0.1:1\" ], tls: { verify: maybe }",         'verify: must be ON or OFF' ],
        [ "backends: [ \"https://127.0.0.1:1\" ], tls: { colour: red }",           'unknown key `colour`' ],
        [ "backends: [ \"https://127.0.0.1:1\" ], tls: { key-file: $good->{key} }", 'certificate-file and key-file need each other' ],
        [ "backends: [ \"127.0.0.1:1\" ], tls: { verify: ON }",                    'tls is for backends that are written https://host' ],
        [ "backends: [ \"https://127.0.0.1:1/path\" ]",                            'behind :// stand a host and perhaps a port' ],
        [ "backends: [ \"https://\" ]",                                            'behind :// stand a host and perhaps a port' ],
        [ "backends: [ \"https://a:99999\" ]",                                     'a port is a number from 1 to 65535' ],
        [ "backends: [ \"127.0.0.1:1\" ], protocol: h2",                           'protocol h2 is for backends that are written https://host' ],
        [ "backends: [ \"https://127.0.0.1:1\" ], protocol: h2c",                  'protocol h2c is for plain backends' ],
    );
    for my $case (@cases) {
        refuses_config("listen: 1\nhosts:\n  default:\n    paths:\n      /:\n        weir.router:\n          module: table\n          apps:\n            a: { domains: [ \"*\" ], $case->[0] }\n",
            qr/\d+: .*\Q$case->[1]\E/, $case->[0]);
    }
};

subtest 'a backend whose records carry nothing' => sub {
    my $pid = open my $updates, '-|', key_updates(), 2 * wait_seconds(), 'server', 20_000, $good->{cert}, $good->{key} or die $!;
    chomp(my $port = readline $updates);
    my $proxy = proxy(apps => { app('flood', ["https://127.0.0.1:$port"], tls => {%trust}) });
    is(ask($proxy, 'flood', '/flood')->status, 502, 'a page');
    is($proxy->log_where(path => '/flood')->{code}, 'backend_tls_flood', 'because of backend_tls_flood');
    like(readline $updates, qr/^closed after/, 'it was not listened to until it was through');
    close $updates;
};

done_testing;
