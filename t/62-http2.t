# SPDX-License-Identifier: MIT
# HTTP/2 towards backends: what the backend gets, what the client gets, and how requests share connections.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;
use Weir::Http2Client;
use JSON::PP ();
use Time::HiRes qw(time);

my $backend = Weir::Http2Backend->start;
my $WORKERS = 'workers open connections themselves';

# A proxy before `$at`, with more of the app's settings and of the path's.
sub before {
    my ($at, $app, $path, %option) = @_;
    return proxy(backends => [ $at->address ], app => { protocol => 'h2c', %{ $app // {} } }, path => $path // {}, %option);
}
my $proxy = before($backend);

# The fields of a request that the backend has told about, as a hash of lists.
sub fields {
    my ($told) = @_;
    my %field;
    push @{ $field{ $_->[0] } }, $_->[1] for @{ $told->{headers} };
    return \%field;
}

subtest 'the request as the backend gets it' => sub {
    my $r = $proxy->ask("GET /echo?a=b HTTP/1.1\r\nHost: Shop.Example:81\r\nX-Mixed-CASE: Value\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\n"
            . "Keep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers, gzip\r\nHTTP2-Settings: x\r\nCookie: a=b\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n");
    my $told = Weir::Http2Backend->told($r);
    my $field = fields($told);
    my @first = map { $_->[0] } @{ $told->{headers} }[ 0 .. 3 ];
    is("@first", ':method :scheme :authority :path', 'pseudo-headers come first');
    is($field->{':method'}[0], 'GET', ':method');
    is($field->{':scheme'}[0], 'http', ':scheme');
    is($field->{':authority'}[0], 'shop.example', ':authority is the host as HTTP/1 backends get it');
    is($field->{':path'}[0], '/echo?a=b', ':path');
    is($field->{'x-mixed-case'}[0], 'Value', 'names in lower case, values as they are');
    is($field->{cookie}[0], 'a=b', 'cookies');
    is($field->{te}[0], 'trailers', 'te: trailers, and no other coding');
    is($field->{$_}, undef, "no $_") for qw(host connection keep-alive proxy-connection x-mine http2-settings upgrade transfer-encoding content-length);
    is($field->{'x-forwarded-for'}[0], '1.1.1.1, 127.0.0.1', 'x-forwarded-for');
    is($field->{'x-forwarded-proto'}[0], 'http', 'x-forwarded-proto');
    is($field->{'x-forwarded-port'}[0], '81', 'x-forwarded-port');
    is($field->{via}[0], '1.1 weir', 'via');
    like($field->{'x-request-id'}[0], qr/^[0-9a-f-]{36}$/, 'x-request-id');
    like($field->{$_}[0], qr/^\d+$/, $_) for qw(connect-time total-route-time x-request-start);
    is(scalar(grep { /[A-Z]/ } keys %$field), 0, 'no name in upper case');
};

subtest 'what names a client does not go into the table that all of them share (RFC 7541 7.1.3)' => sub {
    $proxy->get('/fine', "Authorization: Basic eDp5\r\nCookie: a=b\r\nX-Other: c\r\n");
    ok($backend->wait_event(qr/^never-indexed authorization cookie$/), 'credentials and cookies are never indexed');
};

subtest 'te is not made up' => sub {
    is(fields(Weir::Http2Backend->told($proxy->get('/echo')))->{te}, undef, 'without TE');
    is(fields(Weir::Http2Backend->told($proxy->get('/echo', "TE: gzip\r\n")))->{te}, undef, 'with another coding');
};

subtest 'OPTIONS *' => sub {
    my $star = $proxy->ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    is($star->status, 404, 'the tool has no case for it');
    ok($backend->count(qr/^request \d+ \d+ \*$/), ':path is *');
};

subtest 'headers of the router, and a header-case that HTTP/2 does not know' => sub {
    my $own = before($backend, { headers => { 'to-backend' => { 'X-Added' => 'b', 'Host' => 'other.test' }, 'to-client' => { 'X-Told' => 'c' } } },
        { 'weir.header-case' => 'canonical' });
    my $r = $own->get('/echo', "x-lower: 1\r\n");
    my $field = fields(Weir::Http2Backend->told($r));
    is($field->{'x-added'}[0], 'b', 'to the backend');
    is($field->{':authority'}[0], 'other.test', 'a Host of the router becomes :authority');
    is($field->{'x-lower'}[0], '1', 'in lower case all the same');
    is($r->header('X-Told'), 'c', 'to the client');
};

# ── responses ──

subtest 'responses as the client gets them' => sub {
    my $r = $proxy->get('/fine');
    is($r->status . ' ' . $r->reason, '200 OK', 'the registered reason');
    is($r->framing, 'length', 'a length stays a length');
    is($r->header('Via'), '2.0 weir', 'Via says how the response came');
    is($proxy->get('/no-length')->framing, 'chunked', 'without a length: chunks');
    is($proxy->get('/no-length')->body, 'fine', 'with the body');
    is($proxy->ask("GET /no-length HTTP/1.0\r\nHost: a\r\n\r\n")->body, 'fine', 'HTTP/1.0: until the close');
    my $empty = $proxy->get('/empty');
    is($empty->header('Content-Length'), '0', 'a head that ends the stream: Content-Length: 0');
    is($proxy->get('/empty-data')->body, '', 'an empty DATA that ends the stream');
    is($proxy->get('/pieces')->body, 'fine', 'one byte a packet');
    is($proxy->get('/padded')->body, 'fine', 'padding');
    is($proxy->get('/continuations')->header('x-long'), 'v' x 60, 'CONTINUATION');
    is($proxy->get('/unknown-frames')->body, 'fine', 'frames of unknown types');
};

subtest 'HEAD, 204, 304: no body, and the length that is told' => sub {
    my $head = $proxy->ask("HEAD /length-only HTTP/1.1\r\nHost: a\r\n\r\n");
    is($head->status . ' ' . $head->header('Content-Length'), '200 5000', 'HEAD');
    is($proxy->get("/status?$_")->status, $_, "a $_") for 204, 304, 205, 404, 500, 999;
    is($proxy->get('/length-only?304')->header('Content-Length'), '5000', '304 with a length');
    is($backend->count(qr/^rst /), 0, 'no stream was reset for it');
};

subtest 'interim responses' => sub {
    my $client = $proxy->connect;
    $client->write("GET /interim HTTP/1.1\r\nHost: a\r\n\r\n");
    my @links = map { $client->read_response(interim => 1) } 1 .. 2;
    is(join(' ', map { $_->status . $_->header('link') } @links), '103</a>; rel=preload 103</b>; rel=preload', 'two 103');
    is($client->read_response->body, 'fine', 'the final one');
    is($proxy->ask("GET /interim HTTP/1.0\r\nHost: a\r\n\r\n")->body, 'fine', 'HTTP/1.0 clients do not get them');
};

subtest 'Expect: 100-continue, left to the backend' => sub {
    my $own = before($backend, { features => ['deep-continue'] });
    my $client = $own->connect;
    $client->write("POST /continue HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    is($client->read_response(interim => 1)->status, 100, 'the backend\'s 100');
    $client->write('body');
    is($client->read_response->body, 'body', 'then the body goes, and the answer comes');
};

subtest 'trailers of the response' => sub {
    my $r = $proxy->get('/trailers');
    is($r->body, 'fine', 'the body');
    like($r->trailer, qr/^x-sum: 42\r$/m, 'the trailer');
    like($r->trailer, qr/^grpc-status: 0\r$/m, 'gRPC\'s');
    unlike($r->trailer, qr{evil}, 'but none that frames or routes');
    $r = $proxy->get('/length-and-trailers');
    is($r->body . ' ' . $r->trailer, "fine x-sum: 42\r\n", 'behind a length, too: the body is chunked');
    is($r->header('Content-Length'), undef, 'which is not told then');
    $r = $proxy->get('/length-and-announced');
    is(length($r->body) . ' ' . $r->trailer, "200000 x-sum: 42\r\n", 'so is a long one that has announced them');
    $r = $proxy->ask("GET /length-and-announced HTTP/1.0\r\nHost: a\r\n\r\n");
    is($r->header('Content-Length') . ' ' . length $r->body, '200000 200000', 'HTTP/1.0 knows neither chunks nor trailers');
};

# ── request bodies ──

subtest 'request bodies' => sub {
    my $told = Weir::Http2Backend->told($proxy->ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"));
    is($told->{length}, 5, 'a length');
    is(fields($told)->{'content-length'}[0], '5', 'is told');
    $told = Weir::Http2Backend->told($proxy->ask("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
                . "3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 9\r\nContent-Length: 1\r\n\r\n"));
    is($told->{length}, 5, 'chunks');
    is(fields($told)->{'content-length'}, undef, 'have no length');
    is_deeply($told->{trailers}, [ [ 'x-sum', '9' ] ], 'trailers arrive, in lower case, without those that frame');
    $told = Weir::Http2Backend->told($proxy->ask("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
    is($told->{length}, 0, 'no chunk at all');
    is(fields(Weir::Http2Backend->told($proxy->ask("POST /echo HTTP/1.1\r\nHost: a\r\n\r\n")))->{'content-length'}[0], '0', 'POST without a body');
    my $body = join '', map { chr(($_ * 7) % 256) } 1 .. 300_000;
    is($proxy->ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n$body")->body, $body, '300,000 bytes there and back');
};

subtest 'an answer while the body is on its way' => sub {
    for my $case (qw(early early-quiet)) {
        my $client = $proxy->connect;
        $client->write("POST /$case HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n" . 'x' x 100_000);
        my $r = $client->read_response;
        is($r->status . $r->body, '413enough', "$case: the answer arrives");
        $client->close;
    }
    is($proxy->get('/fine')->body, 'fine', 'the connection goes on');
};

subtest 'both directions at once' => sub {
    my $client = $proxy->connect;
    $client->write("POST /duplex HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    $client->write("3\r\none\r\n");
    like($client->read_until(qr/one\r\n/) // '', qr{^HTTP/1\.1 200 .*\r\n3\r\none\r\n$}s, 'the first piece is back before the second is sent');
    $client->write("3\r\ntwo\r\n");
    is($client->read_until(qr/two\r\n/), "3\r\ntwo\r\n", 'the second');
    $client->write("0\r\n\r\n");
    like($client->read_until(qr/\r\n\r\n/), qr/^0\r\ngrpc-status: 0\r\nx-bytes: 6\r\n/, 'the trailers');
};

subtest 'a body that breaks off: the stream is reset, not ended' => sub {
    my $client = $proxy->connect;
    $client->write("POST /echo?broken HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
    my $line = $backend->wait_event(qr{^request .*/echo\?broken$});
    my ($on, $stream) = $line =~ /^request (\d+) (\d+)/;
    $client->close;
    is($backend->wait_event(qr/^rst $on $stream /), "rst $on $stream 8", 'RST_STREAM(CANCEL)');
    is($backend->count(qr/^whole $on $stream /), 0, 'it never looked whole');
    is($proxy->get('/fine')->body, 'fine', 'the connection goes on');
};

# ── clients that leave ──

subtest 'a client that leaves: RST_STREAM(CANCEL), and the others do not feel it' => sub {
    my $own_backend = Weir::Http2Backend->start;
    my $own = before($own_backend);
    my $stays = $own->connect;
    $stays->write("GET /slow?" . ms(400) . " HTTP/1.1\r\nHost: a\r\n\r\n");
    $own_backend->wait_event(qr/^whole 0 1 /);
    for my $path (qw(/silence /large?100000000)) {
        my $leaves = $own->connect;
        $leaves->write("GET $path HTTP/1.1\r\nHost: a\r\n\r\n");
        my ($stream) = $own_backend->wait_event(qr{^request 0 \d+ \Q$path\E$}) =~ /^request 0 (\d+)/;
        $leaves->read_until(qr/\r\n\r\n.{1000}/) if $path =~ /large/;
        $leaves->reset;
        last if $path =~ /large/;    # the tool is busy with sending
        is($own_backend->wait_event(qr/^rst 0 $stream /), "rst 0 $stream 8", "$path: cancelled");
        is($own->log_where(path => $path)->{code}, 'client_closed', 'and the log says why');
    }
    is($stays->read_response->body, '0', 'the other one has its answer') ;
    is($own_backend->connections, 1, 'one connection carried all');
};

# ── sharing ──

sub at_once {
    my ($own, $count, $path, $headers) = @_;
    my @clients = map { $own->connect } 1 .. $count;
    $_->write("GET $path HTTP/1.1\r\nHost: a\r\n" . ($headers // '') . "\r\n") for @clients;
    return map { $_->read_response } @clients;
}

subtest 'requests share one connection' => sub {
    my $own_backend = Weir::Http2Backend->start;
    my $own = before($own_backend);
    my $begin = time;
    is(join(' ', map { $_->body } at_once($own, 20, '/slow?' . ms(500))), join(' ', (0) x 20), 'twenty at once, also the very first');
    cmp_ok(time - $begin, '<', ms(5000) / 1000, 'side by side');
    is($own_backend->connections, 1, 'one connection');
    $own->get('/fine') for 1 .. 5;
    is($own_backend->connections, 1, 'and those that follow');
};

subtest 'two threads, two connections; two apps of one address, one' => sub {
    my $own_backend = Weir::Http2Backend->start;
    my $own = proxy(apps => { map { $_ => { domains => [$_], backends => [ $own_backend->address ], protocol => 'h2c' } } qw(one two) });
    $own->ask("GET /fine HTTP/1.1\r\nHost: $_\r\n\r\n") for qw(one two one);
    is($own_backend->connections, 1, 'the apps share it');
};

subtest 'one address, two protocols' => sub {
    my $own = proxy(apps => {
            one => { domains => ['one'], backends => [ $backend->address ], protocol => 'h2c' },
            two => { domains => ['two'], backends => [ $backend->address ] } });
    is($own->ask("GET /fine HTTP/1.1\r\nHost: one\r\n\r\n")->body, 'fine', 'h2c');
    is($own->ask("GET /fine HTTP/1.1\r\nHost: two\r\n\r\n")->status, 503, 'HTTP/1.1 is not understood, and nothing is mixed up');
};

subtest 'SETTINGS_MAX_CONCURRENT_STREAMS: more connections, then a queue' => sub {
    plan skip_all => $WORKERS if $ENV{WEIR_WORKERS};
    my $one = Weir::Http2Backend->start(greeting => 'streams1');
    my $own = before($one);
    my @responses = at_once($own, 12, '/slow?' . ms(150));
    my @answers = map { $_->body } @responses;
    is(scalar(grep { $_->status == 200 } @responses), 12, 'all are served');
    cmp_ok($one->connections, '<=', 4, 'over four connections at most');
    my %on;
    $on{$_}++ for @answers;
    cmp_ok(scalar(keys %on), '>', 1, 'and more than one');
    is($one->count(qr/^died/), 0, 'never more than one stream at a time');
};

subtest 'a queue that is too slow: backend_busy' => sub {
    plan skip_all => $WORKERS if $ENV{WEIR_WORKERS};
    my $one = Weir::Http2Backend->start(greeting => 'streams1');
    my $own = before($one, {}, { 'weir.connect-timeout' => ms(1000) });
    my @answers = at_once($own, 6, '/slow?' . ms(3000));
    is(scalar(grep { $_->status == 200 } @answers), 4, 'four are served');
    is(scalar(grep { $_->body =~ /backend_busy/ } @answers), 2, 'two have waited for as long as connecting may take');
};

my %mode = (none => [ 3, 'each connection carries one request' ], default => [ 1, 'one carries all' ], new => [ 3, 'each request opens one' ]);
for my $mode (sort keys %mode) {
    subtest "keepalive: $mode" => sub {
        plan skip_all => $WORKERS if $ENV{WEIR_WORKERS} && $mode ne 'default';
        my $own_backend = Weir::Http2Backend->start;
        my $own = before($own_backend, { keepalive => $mode });
        is(join(' ', map { $own->get('/fine')->body } 1 .. 3), 'fine fine fine', 'answered');
        is($own_backend->connections, $mode{$mode}[0], $mode{$mode}[1]);
        ok($own_backend->wait_event(qr/^goaway $_ 0 0/), "connection $_ is closed with GOAWAY") for $mode eq 'none' ? 0 .. 2 : ();
        ok($own_backend->wait_event(qr/^done $_/), "and ends") for $mode eq 'none' ? 0 .. 2 : ();
    };
}

subtest 'keepalive: new leaves no more than four behind' => sub {
    plan skip_all => $WORKERS if $ENV{WEIR_WORKERS};
    my $own_backend = Weir::Http2Backend->start;
    my $own = before($own_backend, { keepalive => 'new' });
    $own->get('/fine') for 1 .. 10;
    ok($own_backend->wait_event(qr/^done $_$/), "the connection $_ is gone") for 0 .. 5;
    is($own_backend->count(qr/^done/), 6, 'the others are there');
};

subtest 'idle connections are closed after weir.backend-idle-timeout, with GOAWAY' => sub {
    plan skip_all => $WORKERS if $ENV{WEIR_WORKERS};
    my $own_backend = Weir::Http2Backend->start;
    my $own = before($own_backend, {}, { 'weir.backend-idle-timeout' => ms(1200) });
    for (1 .. 5) {
        $own->get('/fine');
        select undef, undef, undef, ms(300) / 1000;
    }
    is($own_backend->connections, 1, 'each use prolongs it');
    is($own_backend->wait_event(qr/^goaway/), 'goaway 0 0 0', 'then it says good-bye');
    ok($own_backend->wait_event(qr/^done 0/), 'and is closed');
    is($own->get('/fine')->body, 'fine', 'the next request opens another one');
};

# ── what is sent again ──

subtest 'GOAWAY: requests that are under way finish, new ones take another connection' => sub {
    my $own_backend = Weir::Http2Backend->start;
    my $own = before($own_backend);
    is($own->get('/goaway-mid')->body, 'behind', 'in the middle of a response');
    is($own->get('/goaway-after')->body, '1', 'the next request came by another connection');
    is($own->get('/goaway-after')->body, '2', 'and so on');
    ok($own_backend->wait_event(qr/^done $_/), "connection $_ is closed when it is empty") for 0 .. 2;
};

# method, headers, body; what a refusal leads to
for my $case ([ 'GET', '', '' ], [ 'POST', '', '' ], [ 'PATCH', '', '' ]) {
    my ($method, $headers, $body) = @$case;
    for my $path (qw(/refused-once /uncounted-once)) {
        subtest "$method $path: sent again on a fresh connection, since it was not acted upon" => sub {
            plan skip_all => $WORKERS if $ENV{WEIR_WORKERS};
            my $own_backend = Weir::Http2Backend->start;
            my $own = before($own_backend);
            my $r = $own->ask("$method $path HTTP/1.1\r\nHost: a\r\n$headers\r\n$body");
            is($r->status . ' ' . $r->body, '200 1', 'the second connection has answered');
            is($own->log_where(path => $path)->{at}, 'info', 'nobody has noticed');
        };
    }
}

subtest 'refused once more: told' => sub {
    plan skip_all => $WORKERS if $ENV{WEIR_WORKERS};
    my $own_backend = Weir::Http2Backend->start;
    my $own = before($own_backend);
    is($own->get('/rst-7')->status, 503, 'a page');
    is($own->log_where(path => '/rst-7')->{code}, 'backend_stream_refused', 'code=');
    is($own_backend->connections, 2, 'two connections in all');
};

subtest 'a refused request is sent again with its body, which was kept' => sub {
    plan skip_all => $WORKERS if $ENV{WEIR_WORKERS};
    my $own_backend = Weir::Http2Backend->start;
    my $own = before($own_backend);
    my $r = $own->ask("POST /refused-once HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    is($r->status, 200, 'by default');
};

subtest 'a request whose body has been used is not sent again' => sub {
    my $own_backend = Weir::Http2Backend->start;
    my $own = before($own_backend, { retry => { 'body-buffer' => 0 } });
    my $r = $own->ask("POST /refused-once HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    is($r->status, 503, 'a page');
    is($own->log_where(path => '/refused-once')->{code}, 'backend_stream_refused', 'code=');
};

subtest 'a used connection that ends without a word: as on HTTP/1' => sub {
    for my $case ([ 'GET', 200 ], [ 'POST', 503 ]) {
        my ($method, $status) = @$case;
        my $own_backend = Weir::Http2Backend->start;
        my $own = before($own_backend);
        $own->get('/fine');
        my $r = $own->ask("$method /drop-used HTTP/1.1\r\nHost: a\r\n\r\n");
        is($r->status, $status, "$method: " . ($status == 200 ? 'sent again' : 'not sent again'));
    }
};

subtest 'a fresh connection that ends without a word: not sent again' => sub {
    plan skip_all => $WORKERS if $ENV{WEIR_WORKERS};
    my $own_backend = Weir::Http2Backend->start;
    my $own = before($own_backend);
    is($own->get('/close')->status, 503, 'a page');
    is($own_backend->connections, 1, 'one connection');
};

# ── upgrades ──

subtest 'Upgrade: a WebSocket that the backend does not offer is refused by name, anything else is not heard' => sub {
    my $r = $proxy->get('/fine', "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n");
    is($r->status, 501, 'not implemented');
    is($proxy->log_where(path => '/fine', status => 501)->{code}, 'backend_cannot_upgrade', 'code=');
    is($proxy->get('/fine', "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n")->body, 'fine', 'h2c');
};

my $handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
sub web_socket {
    my ($own, $path) = @_;
    my $client = $own->connect;
    $client->write("GET $path HTTP/1.1\r\nHost: a\r\n$handshake\r\n");
    return ($client, $client->read_head // '');
}

subtest 'a backend that offers extended CONNECT (RFC 8441) opens WebSockets' => sub {
    my $own_backend = Weir::Http2Backend->start(greeting => 'connect');
    my $own = before($own_backend);
    my ($client, $head) = web_socket($own, '/ws-echo');
    like($head, qr{^HTTP/1\.1 101 }, 'protocols are switched');
    like($head, qr/^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/mi, 'the answer to the key, as in RFC 6455');
    like($head, qr/^Upgrade: websocket\r$/mi, 'Upgrade');
    like($head, qr/^Sec-WebSocket-Protocol: chat\r$/mi, 'what the backend has chosen');
    my %field = map { @$_ } @{ JSON::PP::decode_json($own_backend->wait_event(qr/^connect/) =~ s/^connect //r) };
    is("$field{':method'} $field{':protocol'} $field{':path'} $field{':scheme'}", 'CONNECT websocket /ws-echo http', 'the request');
    is($field{$_}, undef, "no $_") for qw(upgrade connection sec-websocket-key content-length);
    is($field{'sec-websocket-version'}, '13', 'the version');
    $client->write($_), is($client->read_exactly(length), $_, length() . ' bytes there and back') for 'one', 'x' x 300_000;
    is($own->get('/fine')->body, 'fine', 'other requests share the connection meanwhile');
    $client->shutdown_write;
    is($client->read_eof, '', 'an end is answered with an end');
    is($own->log_where(path => '/ws-echo')->{status}, 101, 'the log');
    is($own_backend->count(qr/^rst/), 0, 'nothing was reset for it');
    is($own_backend->connections, 1, 'one connection');
};

subtest 'WebSockets that end in other ways' => sub {
    my $own_backend = Weir::Http2Backend->start(greeting => 'connect');
    my $own = before($own_backend);
    my ($client, $head) = web_socket($own, '/ws-no');
    like($head, qr{^HTTP/1\.1 403 }, 'a refusal is passed on');
    is($client->read_exactly(2), 'no', 'with its body');
    ($client) = web_socket($own, '/ws-end');
    is($client->read_exactly(8), 'good-bye', 'a backend that ends its direction');
    $client->write('more');
    ok($own_backend->wait_event(qr/^data 0 \d+ 4/), 'still hears the other');
    $client->close;
    ($client) = web_socket($own, '/ws-rst');
    is($client->read_eof, 'hello', 'a backend that resets the stream');
    ($client) = web_socket($own, '/ws-echo');
    $client->reset;
    ok($own_backend->wait_event(qr/^rst 0 \d+ 8/), 'a client that resets: RST_STREAM(CANCEL)');
    is($own->get('/fine')->body, 'fine', 'the connection goes on');
    is($own_backend->connections, 1, 'it is the same');
};

subtest 'HTTP/2 on both sides: trailers, and a WebSocket' => sub {
    my $own_backend = Weir::Http2Backend->start(greeting => 'connect');
    my $own = before($own_backend);
    my $h2 = Weir::Http2Client->connect($own->port);
    my $r = $h2->response($h2->request(path => '/trailers'));
    my %trailer = map { @$_ } @{ $r->{trailers} // [] };
    is("$r->{status} $r->{body} $trailer{'x-sum'}", '200 fine 42', 'trailers');
    my $id = $h2->request(pseudo => { ':method' => 'CONNECT', ':protocol' => 'websocket' }, path => '/ws-echo',
        headers => [ [ 'sec-websocket-version', '13' ] ], is_open => 1);
    $h2->data($id, 'hello');
    ok($h2->wait(bytes => [ $id, 5 ]), 'bytes there and back');
    $h2->data($id, '!', is_last => 1);
    ok($h2->wait(end => $id), 'an end is answered with an end');
    $r = $h2->stream($id);
    is("$r->{status} $r->{body}", '200 hello!', '200, and the bytes');
    ok(!exists $r->{headers}{'sec-websocket-accept'}, 'no answer to a key that nobody sent');
};

subtest 'a WebSocket that is silent ends after weir.idle-timeout' => sub {
    my $own_backend = Weir::Http2Backend->start(greeting => 'connect');
    my $own = before($own_backend, {}, { 'weir.idle-timeout' => ms(300) });
    my ($client) = web_socket($own, '/ws-echo');
    ok(defined $client->read_eof, 'closed');
    is($own->log_where(path => '/ws-echo')->{code}, 'tunnel_idle', 'code=');
    ok($own_backend->wait_event(qr/^rst 0 \d+ 8/), 'the stream is reset');
};

# ── what configuration says ──

subtest 'configuration' => sub {
    refuses_config(<<'YAML', qr/12: unknown protocol `h2x`; did you mean `h2c`\?/, 'an unknown protocol');
listen: 1
hosts:
  default:
    paths:
      /:
        weir.router:
          module: table
          apps:
            a:
              domains: ["*"]
              backends: ["127.0.0.1:1"]
              protocol: h2x
YAML
};

subtest 'no connection is left behind by a drain' => sub {
    my $own_backend = Weir::Http2Backend->start;
    my $own = before($own_backend);
    my $client = $own->connect;
    $client->write("GET /slow?" . ms(300) . " HTTP/1.1\r\nHost: a\r\n\r\n");
    $own_backend->wait_event(qr/^whole/);
    $own->signal('TERM');
    is($client->read_response->body, '0', 'the request that is under way has its answer');
    is($own->wait_exit, 0, 'exit 0');
    ok($own_backend->wait_event(qr/^done 0/), 'the connection is closed');
};

subtest 'nothing died over there' => sub {
    is(join("\n", grep { /^died/ } $backend->events), '', 'none');
};

done_testing;
