# SPDX-License-Identifier: MIT
# HTTP/2 with clients: how connections end. Draining, the client's own GOAWAY, timers, limits of requests.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;

plan skip_all => "python3-h2 is not installed" unless Weir::Http2Client::is_possible();

# Answers /wait when the test says so, everything else at once.
my $gate = temp_path('gate');
my $backend = backend(sub {
    $_[0]->serve(sub {
        my ($head) = @_;
        if ($head =~ m{ /wait}) {
            $_[0] =~ /x/;
            wait_for { -e $gate } 30;
        }
        return simple_response('done');
    });
});

subtest 'SIGTERM: requests in hand are finished, none is lost' => sub {
    unlink $gate;
    my $proxy = proxy(backends => [$backend], global => { 'drain-timeout' => ms(10000) });
    my ($busy, $idle) = map { Weir::Http2Client->connect($proxy->port) } 1 .. 2;
    is($idle->get('/')->{status}, 200, 'one connection is idle');
    my @ids = map { $busy->request(path => "/wait/$_") } 1 .. 3;
    $busy->frame(PING => 0, 0, 'pingpong');
    $busy->wait(pongs => 1);
    $busy->tell('set', { answers => JSON::PP::false() });
    $proxy->signal('TERM');
    is($idle->goaway, 'NO_ERROR', 'the idle one gets GOAWAY');
    ok($idle->is_closed, 'and its end');
    is($busy->goaway(1), 'NO_ERROR', 'the busy one gets a first GOAWAY');
    is($busy->connection->{goaways}[0]{last}, 0x7fffffff, 'that closes nothing yet');
    my $late = $busy->request(path => '/wait/late');
    $busy->goaway(2);
    is($busy->connection->{goaways}[1]{last}, $late, 'then a second one, with the last stream that will be served');
    my $refused = $busy->request(path => '/refused');
    write_file($gate, '');
    is($busy->response($_)->{body}, 'done', "stream $_ is served to its end") for @ids, $late;
    ok($busy->is_closed, 'then the connection ends');
    is($busy->stream($refused)->{status}, 0, 'what came too late was not served: the client may send it elsewhere');
    is($proxy->wait_exit, 0, 'the proxy exits with 0');
};

subtest 'SIGTERM: the answer to a PING tells that the client knows' => sub {
    unlink $gate;
    my $proxy = proxy(backends => [$backend]);
    my $h2 = Weir::Http2Client->connect($proxy->port);
    my $id = $h2->request(path => '/wait');
    $h2->frame(PING => 0, 0, 'pingpong');
    $h2->wait(pongs => 1);
    $proxy->signal('TERM');
    $h2->goaway(2);
    is($h2->connection->{goaways}[1]{last}, $id, 'the second GOAWAY follows');
    write_file($gate, '');
    is($h2->response($id)->{body}, 'done', 'the request is served');
    is($proxy->wait_exit, 0, 'the proxy exits with 0');
};

subtest 'SIGTERM: a connection that is still at its preface' => sub {
    my $proxy = proxy(backends => [$backend]);
    my $h2 = Weir::Http2Client->connect($proxy->port, preface => 0, answers => 0);
    my $busy = $proxy->connect;
    $busy->write("GET / HTTP/1.1\r\n");
    $h2->tell('raw', unpack 'H*', 'PRI * HTTP/2.0');
    $h2->tell('flush', 1);
    is($proxy->get('/')->status, 200, 'both have begun');
    $proxy->signal('TERM');
    wait_for { !IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $proxy->port) };    # it does not listen any more
    $h2->tell('raw', unpack 'H*', "\r\n\r\nSM\r\n\r\n" . "\0\0\0\4\0\0\0\0\0");
    my $id = $h2->request(path => '/');
    is($h2->goaway, 'NO_ERROR', 'gets GOAWAY at once');
    is($h2->connection->{goaways}[0]{last}, 0, 'that names no stream: nothing of it was served');
    ok($h2->is_closed, 'and its end');
    $busy->close;
    is($proxy->wait_exit, 0, 'the proxy exits with 0');
};

subtest 'the drain deadline cuts what is left' => sub {
    unlink $gate;
    my $proxy = proxy(backends => [$backend], global => { 'drain-timeout' => ms(300) }, exit => 3);
    my $h2 = Weir::Http2Client->connect($proxy->port);
    my $id = $h2->request(path => '/wait');
    $h2->frame(PING => 0, 0, 'pingpong');
    $h2->wait(pongs => 1);
    $proxy->signal('TERM');
    ok($h2->is_closed, 'the connection ends');
    is($proxy->wait_exit, 3, 'the proxy says so');
    write_file($gate, '');
};

my $proxy = proxy(backends => [$backend], global => { 'weir.header-timeout' => ms(700), 'weir.idle-timeout' => ms(5000) });

subtest 'idle connections' => sub {
    my $h2 = Weir::Http2Client->connect($proxy->port);
    is($h2->get('/')->{status}, 200, 'a request');
    is($h2->goaway, 'NO_ERROR', 'then nothing: GOAWAY');
    ok($h2->is_closed, 'and the end');
    $h2 = Weir::Http2Client->connect($proxy->port, preface => 0);
    ok($h2->is_closed, 'a client that never says anything');
    $h2 = Weir::Http2Client->connect($proxy->port, preface => 0, answers => 0);
    $h2->tell('raw', unpack 'H*', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    ok($h2->is_closed, 'a client that says no more than the preface');
    $h2 = Weir::Http2Client->connect($proxy->port);
    $h2->frame(PING => 0, 0, 'pingpong'), $h2->tell('pump', 0.1) for 1 .. 20;
    is($h2->goaway, 'NO_ERROR', 'a client that says nothing but PING');
    is(scalar(grep { ($_->{code} // '') =~ /^http2/ } $proxy->_log_now), 0, 'none of this is an error');
};

subtest 'a head that does not end' => sub {
    my $h2 = Weir::Http2Client->connect($proxy->port);
    $h2->wait(settings => 1);
    $h2->tell('flush', 1);    # our acknowledgement may not stand in the middle of a head
    $h2->frame(HEADERS => 1, 1, "\x82\x86");
    is($h2->goaway, 'ENHANCE_YOUR_CALM', 'ends the connection');
    is($proxy->log_where(code => 'header_timeout')->{at}, 'error', 'the log says why');
};

subtest 'a request that takes long keeps its connection' => sub {
    unlink $gate;
    my $h2 = Weir::Http2Client->connect($proxy->port);
    my $id = $h2->request(path => '/wait/long');
    select undef, undef, undef, 2 * ms(700) / 1000;    # twice the time that an idle connection has
    write_file($gate, '');
    is($h2->response($id)->{body}, 'done', 'it is served');
};

subtest "the client's own GOAWAY" => sub {
    unlink $gate;
    my $h2 = Weir::Http2Client->connect($proxy->port);
    my $id = $h2->request(path => '/wait/goaway');
    $h2->frame(GOAWAY => 0, 0, pack 'NN', 0, 0);
    write_file($gate, '');
    is($h2->response($id)->{body}, 'done', 'what it has asked for is served');
    ok($h2->is_closed, 'then the connection ends');
};

subtest 'a limit of requests per connection' => sub {
    my $own = proxy(backends => [$backend], path => { 'weir.max-requests-per-connection' => 5 });
    my $h2  = Weir::Http2Client->connect($own->port);
    my @ids = map { $h2->request(path => "/$_") } 1 .. 5;
    is($h2->response($_)->{body}, 'done', "stream $_") for @ids;
    is($h2->goaway, 'NO_ERROR', 'then GOAWAY');
    ok($h2->is_closed, 'and the end');
    is($h2->connection->{goaways}[-1]{last}, $ids[-1], 'the last GOAWAY names the last one');
};

subtest 'http2-idle-timeout and http2-max-concurrent-requests-per-connection, as h2o has them' => sub {
    my $own = proxy(backends => [$backend],
        global => { 'http2-idle-timeout' => 1, 'http2-max-concurrent-requests-per-connection' => 17 });
    my $h2 = Weir::Http2Client->connect($own->port);
    is($h2->get('/')->{status}, 200, 'a request');
    is($h2->connection->{settings}{3}, 17, 'the client is told how many streams');
    is($h2->goaway, 'NO_ERROR', 'after a second it is idle');
};

subtest 'odd ends' => sub {
    unlink $gate;
    my $h2 = Weir::Http2Client->connect($proxy->port);
    $h2->request(path => "/wait/odd$_") for 1 .. 3;
    $h2->frame(PING => 0, 0, 'pingpong');
    $h2->wait(pongs => 1);
    $h2->tell('shutdown');
    is($proxy->log_where(path => '/wait/odd1')->{code}, 'client_closed', 'half a connection is none');
    $h2 = Weir::Http2Client->connect($proxy->port);
    $h2->frame(HEADERS => 0, 1, "\x82");
    $h2->tell('reset');
    $h2 = Weir::Http2Client->connect($proxy->port);
    my $id = $h2->request(method => 'POST', path => '/odd', is_open => 1);
    $h2->tell('raw', '0000ff');
    $h2->tell('close');
    write_file($gate, '');
    is($proxy->get('/')->status, 200, 'others are served');
};

done_testing;
