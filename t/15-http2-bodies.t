# SPDX-License-Identifier: MIT
# HTTP/2 with clients: bodies both ways, trailers, interim responses, and streams that end early.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;

plan skip_all => "python3-h2 is not installed" unless Weir::Http2Client::is_possible();

my $CR = "\r\n";

# What each case of the path makes of a request.
my %case = (
    echo => sub {
        my ($c, $head) = @_;
        my ($body) = $c->read_request_body($head);
        $c->write(simple_response($body // ''));
    },
    chunks   => sub { $_[0]->write("HTTP/1.1 200 OK$CR" . "Transfer-Encoding: chunked$CR$CR" . "5${CR}hello${CR}6${CR} world${CR}0$CR$CR") },
    trailers => sub {
        $_[0]->write("HTTP/1.1 200 OK$CR" . "Transfer-Encoding: chunked$CR" . "Trailer: X-Sum$CR$CR" . "5${CR}hello${CR}0$CR" . "X-Sum: 42$CR" . "Content-Length: 3$CR$CR");
    },
    'only-trailers' => sub { $_[0]->write("HTTP/1.1 200 OK$CR" . "Transfer-Encoding: chunked$CR$CR" . "0$CR" . "X-Sum: 1$CR$CR") },
    hints => sub {
        $_[0]->write("HTTP/1.1 103 Early Hints$CR" . "Link: </a.css>$CR" . "Connection: close$CR$CR" . "HTTP/1.1 102 Processing$CR$CR" . simple_response('hinted'));
    },
    204  => sub { $_[0]->write("HTTP/1.1 204 No Content$CR$CR") },
    304  => sub { $_[0]->write("HTTP/1.1 304 Not Modified$CR" . "Content-Length: 12$CR" . "ETag: \"a\"$CR$CR") },
    head => sub { $_[0]->write("HTTP/1.1 200 OK$CR" . "Content-Length: 1234$CR$CR") },
    hop  => sub {
        $_[0]->write("HTTP/1.1 200 OK$CR" . "Content-Length: 1$CR" . "Connection: keep-alive, X-Hop$CR" . "X-Hop: 1$CR" . "Keep-Alive: timeout=5$CR" . "Set-Cookie: a=1$CR" . "Set-Cookie: b=2$CR" . "X-MiXed: Y$CR${CR}!");
    },
    'until-close' => sub { $_[0]->write("HTTP/1.0 200 OK$CR${CR}until the end"); $_[0]->close },
    truncated     => sub { $_[0]->write("HTTP/1.1 200 OK$CR" . "Content-Length: 200000$CR$CR" . 'x' x 100000); $_[0]->close },
    'bad-chunk'   => sub { $_[0]->write("HTTP/1.1 200 OK$CR" . "Transfer-Encoding: chunked$CR$CR" . '30d40' . $CR . 'x' x 200000 . "${CR}zz$CR"); $_[0]->wait_close },
    # answers at once and reads on: a connection whose request has ended is used again
    early         => sub { my ($c, $head) = @_; $c->write("HTTP/1.1 413 Too Large$CR" . "Content-Length: 5$CR${CR}enoug"); $c->read_request_body($head) },
    silent        => sub { $_[0]->note('head'); $_[0]->wait_close },
    large         => sub { my $c = shift; $c->write("HTTP/1.1 200 OK$CR" . "Content-Length: 4000000$CR$CR" . join('', map { chr(97 + $_ % 26) x 1000 } 1 .. 4000)) },
    endless       => sub {
        my $c = shift;
        $c->write("HTTP/1.1 200 OK$CR" . "Content-Length: 100000000$CR$CR");
        my $sent = 0;
        while ($sent < 100_000_000) {
            my $n = $c->write('x' x 65536, 1) or last;
            $sent += $n;
            last if $n < 65536;
        }
        $c->note("stuck at $sent");
        $c->wait_close;
    },
);

my $backend = backend(sub {
    my $c = shift;
    while (defined(my $head = $c->read_head)) {
        my $case = $case{ $c->case_of($head) } or return;
        $case->($c, $head);
        return if $c->is_eof;
        $c->discard_body($head) unless $c->case_of($head) =~ /^(?:echo|early)$/;
    }
}, name => 'cases');

sub Weir::Backend::Connection::read_request_body {
    my ($c, $head) = @_;
    return $c->read_exactly($1) if $head =~ /^content-length: *(\d+)/mi;
    return '' unless $head =~ /^transfer-encoding: *chunked/mi;
    my $body = '';
    while (my ($size) = ($c->read_until(qr/\r\n/) // return) =~ /^([0-9a-f]+)/i) {
        last if hex $size == 0;
        $body .= $c->read_exactly(hex $size);
        $c->read_exactly(2);
    }
    $c->read_until(qr/\A(?:[^\r]+\r\n)*\r\n/);
    return $body;
}
sub Weir::Backend::Connection::discard_body { return $_[0]->read_request_body($_[1]) }

my $proxy = proxy(backends => [$backend], global => { 'weir.idle-timeout' => ms(1500) });

sub client { return Weir::Http2Client->connect($proxy->port, @_) }

subtest 'a body of known length' => sub {
    my $h2 = client();
    my $id = $h2->request(method => 'POST', path => '/echo/l', headers => [ [ 'content-length', '50000' ] ], body => 'abcde' x 10000);
    is($h2->response($id)->{body}, 'abcde' x 10000, 'there and back');
    my ($head) = grep { m{^POST /echo/l } } $backend->heads;
    like($head, qr/\r\nContent-Length: 50000\r\n/, 'the backend is told the length');
    unlike($head, qr/Transfer-Encoding/i, 'and nothing else');
};

subtest 'a body of unknown length becomes chunked' => sub {
    my $h2 = client();
    my $id = $h2->request(method => 'POST', path => '/echo/c', body => 'abcde' x 3000);
    is($h2->response($id)->{body}, 'abcde' x 3000, 'there and back');
    my ($head) = grep { m{^POST /echo/c } } $backend->heads;
    like($head, qr/\r\nTransfer-Encoding: chunked\r\n/, 'chunked');
    unlike($head, qr/Content-Length/i, 'without a length');
};

subtest 'odd bodies' => sub {
    my $h2 = client();
    my $id = $h2->request(method => 'POST', path => '/echo/e', body => '');
    is($h2->response($id)->{status}, 200, 'an empty DATA frame that ends it');
    $id = $h2->request(method => 'POST', path => '/echo/z', headers => [ [ 'content-length', '0' ] ], body => '');
    is($h2->response($id)->{status}, 200, 'a length of 0 and an empty DATA frame');
    $id = $h2->request(method => 'POST', path => '/echo/n');
    is($h2->response($id)->{status}, 200, 'POST without a body');
    like((grep { m{^POST /echo/n } } $backend->heads)[0], qr/\r\nContent-Length: 0\r\n/, 'which the backend is told');
    $id = $h2->request(method => 'POST', path => '/echo/p', is_open => 1);
    $h2->frame(DATA => 8, $id, pack('C', 10) . 'padded' . "\0" x 10);
    $h2->frame(DATA => $Weir::Http2Client::END_STREAM, $id, ' body');
    is($h2->response($id)->{body}, 'padded body', 'padding is not part of it');
    $id = $h2->request(method => 'POST', path => '/echo/b', is_open => 1);
    $h2->frame(DATA => 0, $id, $_) for split //, 'byte by byte';
    $h2->frame(DATA => $Weir::Http2Client::END_STREAM, $id, '');
    is($h2->response($id)->{body}, 'byte by byte', 'tiny frames');
};

subtest 'trailers' => sub {
    my $h2 = client();
    my $id = $h2->request(method => 'POST', path => '/echo/t', body => 'abc', trailers => [ [ 'x-sum', '7' ], [ 'content-type', 'no' ] ]);
    is($h2->response($id)->{body}, 'abc', 'a request with trailers is served');
    my ($raw) = grep { m{POST /echo/t } } $backend->received;
    like($raw, qr/\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n/, 'they come behind the last chunk; what may not stand there does not');
    $id = $h2->request(method => 'POST', path => '/echo/u', trailers => [ [ 'x-sum', '8' ] ]);
    is($h2->response($id)->{status}, 200, 'trailers without a body');
    my $r = $h2->get('/trailers');
    is($r->{body}, 'hello', 'a response with trailers');
    is_deeply($r->{trailers}, [ [ 'x-sum', '42' ] ], 'they come as HEADERS behind the DATA');
    $r = $h2->get('/only-trailers');
    is($r->{body}, '', 'an empty body');
    is_deeply($r->{trailers}, [ [ 'x-sum', '1' ] ], 'with trailers');
    $id = $h2->request(method => 'POST', path => '/echo/v', body => 'abc', trailers => [ [ ':path', '/x' ] ]);
    is($h2->response($id)->{reset}, 1, 'a pseudo-field among trailers: stream error');
    for my $long ([ 'long', map { [ "x-$_", 'v' x 1000 ] } 1 .. 17 ], [ 'many', map { [ "x-$_", 'v' ] } 1 .. 101 ]) {
        my ($name, @fields) = @$long;
        $id = $h2->request(method => 'POST', path => "/echo/$name", body => 'abc', trailers => \@fields);
        is($h2->response($id)->{reset}, 1, "trailers that are too $name: stream error");
        is($proxy->log_where(path => "/echo/$name")->{code}, 'client_trailer_length', 'with its reason');
    }
    is($h2->get('/204')->{status}, 204, 'the connection lives on');
};

subtest 'responses' => sub {
    my $h2 = client();
    is($h2->get('/chunks')->{body}, 'hello world', 'chunked');
    is($h2->get('/until-close')->{body}, 'until the end', 'until close');
    my $r = $h2->get('/204');
    is("$r->{status} [$r->{body}]", '204 []', 'No Content');
    ok(!exists $r->{headers}{'content-length'}, '204 has no length');
    $r = $h2->get('/304');
    is("$r->{status} $r->{headers}{'content-length'} $r->{headers}{etag}", '304 12 "a"', 'Not Modified');
    $r = $h2->get('/head', method => 'HEAD');
    is("$r->{status} $r->{headers}{'content-length'} [$r->{body}]", '200 1234 []', 'HEAD');
    ok($r->{end}, 'and nothing follows');
    $r = $h2->get('/hop');
    is_deeply([ grep { /^(?:connection|keep-alive|x-hop|transfer-encoding)$/ } map { $_->[0] } @{ $r->{fields} } ], [], 'no fields of the connection');
    is_deeply([ map { $_->[1] } grep { $_->[0] eq 'set-cookie' } @{ $r->{fields} } ], [ 'a=1', 'b=2' ], 'each Set-Cookie by itself');
    is($r->{headers}{'x-mixed'}, 'Y', 'names in lower case');
    $r = $h2->get('/large');
    is($r->{body_bytes}, 4_000_000, '4 MB');
    is(substr($r->{body}, 0, 1001), 'b' x 1000 . 'c', 'as they were');
};

subtest 'interim responses' => sub {
    my $h2 = client();
    my $r = $h2->get('/hints');
    is($r->{body}, 'hinted', 'the final response');
    is_deeply($r->{interim}, [ [ [ ':status', '103' ], [ 'link', '</a.css>' ] ], [ [ ':status', '102' ] ] ], '103 and 102 before it');
    my $id = $h2->request(method => 'POST', path => '/echo/x', headers => [ [ 'expect', '100-continue' ] ], is_open => 1);
    ok($h2->wait(interim => $id), '100 to an expectation');
    is($h2->stream($id)->{interim}[0][0][1], '100', 'that is what it is');
    $h2->data($id, 'now', is_last => 1);
    is($h2->response($id)->{body}, 'now', 'then the body goes');
};

subtest 'Content-Length must match DATA' => sub {
    for ([ less => 'ab' ], [ more => 'abcdef' ]) {
        my ($name, $body) = @$_;
        my $h2 = client();
        my $id = $h2->request(method => 'POST', path => "/echo/m-$name", headers => [ [ 'content-length', '4' ] ], body => $body);
        is($h2->name_of($h2->response($id)->{reset}), 'PROTOCOL_ERROR', "$name: stream error");
        is($h2->get('/204')->{status}, 204, "$name: the connection lives on");
        is($proxy->log_where(path => "/echo/m-$name")->{code}, 'http2_stream_error', "$name: the log says so");
        my ($raw) = map { m{(POST /echo/m-$name .*)}s ? $1 : () } $backend->received;
        unlike($raw // '', qr/\r\n\r\n.{4}/s, "$name: the backend never got a whole body");
    }
};

subtest 'a final response during the upload' => sub {
    my $h2 = client();
    my $id = $h2->request(method => 'POST', path => '/early/1', is_open => 1, headers => [ [ 'content-length', '1000000' ] ]);
    $h2->frame(DATA => 0, $id, 'x' x 1000);
    my $r = $h2->response($id);
    is("$r->{status} $r->{body}", '413 enoug', 'arrives');
    ok($h2->wait(reset => $id), 'and the stream is reset behind it');
    is($h2->name_of($h2->stream($id)->{reset}), 'NO_ERROR', 'with NO_ERROR: no more of the body is wanted');
    is($h2->get('/204')->{status}, 204, 'the connection lives on');
    $id = $h2->request(method => 'POST', path => '/early/2', is_open => 1, headers => [ [ 'content-length', '4' ] ]);
    $h2->frame(DATA => 0, $id, 'all!');
    is($h2->response($id)->{status}, 413, 'all of the body, but not its end');
    $h2->frame(DATA => $Weir::Http2Client::END_STREAM, $id, '');
    $h2->wait(reset => $id, 2);
    is($h2->stream($id)->{reset}, undef, 'a client that ends it in time is not reset');
    my $patient = proxy(backends => [$backend]); # the first body's idle timeout runs while forty backends are awaited
    $h2 = Weir::Http2Client->connect($patient->port);
    my @ids = map { $h2->request(method => 'POST', path => "/early/m$_", is_open => 1) } 1 .. 40;
    my @statuses = map { $h2->response($_)->{status} // 'none' } @ids;
    is(scalar(grep { $_ eq '413' } @statuses), 40, 'forty of them') or diag("@statuses");
    is(scalar(grep { $h2->wait(reset => $_); ($h2->stream($_)->{reset} // 1) == 0 } @ids), 40, 'all are reset');
    my $run = run_command('sh', '-c', 'head -c 3000000 /dev/zero | curl -sS --http2-prior-knowledge -T - -X POST http://127.0.0.1:' . $proxy->port . '/early/curl');
    is($run->{out}, 'enoug', 'curl hears it, too') or diag($run->{err});
};

subtest 'a body that is all there, and whose end comes later or never' => sub {
    my $own_backend = backend(sub {
        my $c = shift;
        $c->serve(sub { $c->note('asked'); simple_response('all') });
    });
    my $own = proxy(backends => [$own_backend], global => { 'weir.idle-timeout' => ms(1500) });
    my $h2  = Weir::Http2Client->connect($own->port);
    for my $length (3, 0) {
        for my $path ("/late-$length", "/never-$length", "/next-$length") {
            my $id = $h2->request(method => 'POST', path => $path, is_open => 1, headers => [ [ 'content-length', "$length" ] ]);
            $h2->frame(DATA => 0, $id, 'x' x $length) if $length > 0;
            is($h2->response($id)->{body}, 'all', "$path: the backend has answered");
            $h2->frame(DATA => $Weir::Http2Client::END_STREAM, $id, '') if $path =~ /late/;
        }
    }
    is($own_backend->connections, 1, 'all of them over one connection');
    is($own->log_where(path => '/never-3')->{code} // '', '', 'nothing to tell');
};

subtest 'a client that never says the end of a whole body does not time out for it' => sub {
    my $slow = backend(sub {
        my $c = shift;
        $c->serve(sub { select undef, undef, undef, ms(900) / 1000; simple_response('slow') });
    });
    my $own = proxy(backends => [$slow], global => { 'weir.idle-timeout' => ms(300), 'weir.first-byte-timeout' => ms(5000) });
    my $h2  = Weir::Http2Client->connect($own->port);
    my $id  = $h2->request(method => 'POST', path => '/slow', is_open => 1, headers => [ [ 'content-length', '3' ] ]);
    $h2->frame(DATA => 0, $id, 'abc');
    is($h2->response($id)->{body}, 'slow', 'the answer that it waited for');
};

subtest 'a stream that the client resets' => sub {
    my $h2 = client();
    my $id = $h2->request(path => '/silent/r');
    ok($backend->wait_event(qr/note \d+ head/), 'the backend has the request');
    $h2->reset_stream($id);
    ok($backend->wait_event(qr/^(?:eof|reset) /), 'the backend sees the client go');
    is($proxy->log_where(path => '/silent/r')->{code}, 'client_closed', 'the log says so');
    is($h2->get('/204')->{status}, 204, 'the connection lives on');
};

subtest 'a client that leaves takes all its streams along' => sub {
    my $h2 = client();
    $h2->request(path => "/silent/l$_") for 1 .. 5;
    ok(wait_for { 6 <= grep { /note \d+ head/ } $backend->events }, 'the backend has five requests');
    $h2->tell('reset');
    is($proxy->log_where(path => "/silent/l$_")->{code}, 'client_closed', "stream $_") for 1 .. 5;
};

subtest 'a response that breaks off is never taken for a whole one' => sub {
    my $h2 = client();
    for my $case ('truncated', 'bad-chunk') {
        my $r = $h2->get("/$case");
        is($r->{status}, 200, "$case: it had begun");
        ok(!$r->{end}, "$case: no END_STREAM");
        is($h2->name_of($r->{reset}), 'INTERNAL_ERROR', "$case: reset");
        is($h2->get('/204')->{status}, 204, "$case: the connection lives on");
    }
    is($proxy->log_where(path => '/truncated')->{code}, 'backend_truncated', 'the log says why');
};

subtest 'back pressure: a client that opens no window stops the backend' => sub {
    my $h2 = client(updates_windows => 0);
    my $id = $h2->request(path => '/endless');
    my $event = $backend->wait_event(qr/stuck at/, 20 * Weir::Client::slow());
    my ($sent) = ($event // '') =~ /stuck at (\d+)/;
    cmp_ok($sent // 0, '>', 0, 'the backend is stuck');
    cmp_ok($sent // 1e9, '<', 20_000_000, 'long before it has sent all');
    $h2->wait(bytes => [ $id, 65535 ]);
    is($h2->stream($id)->{body_bytes}, 65535, "the client has got its window's worth");
};

subtest 'back pressure: a backend that does not read stops the client' => sub {
    my $deaf = backend(sub { my $c = shift; $c->read_head; select undef, undef, undef, 5 * Weir::Client::slow() },
        receive_buffer => 4096);
    my $own = proxy(backends => [$deaf]);
    my $h2  = Weir::Http2Client->connect($own->port);
    my $id  = $h2->request(method => 'POST', path => '/up', is_open => 1);
    my $sent = $h2->tell('upload', $id, 50_000_000, JSON::PP::true(), 1);
    cmp_ok($sent, '>=', 262144, "the stream's window is taken");
    cmp_ok($sent, '<', 20_000_000, 'then the client has to wait');
};

subtest 'windows of fast readers grow, within a bound' => sub {
    my $reader = backend(sub {
        my $c = shift;
        my $head = $c->read_head or return;
        my $body = $c->read_request_body($head);
        $c->write(simple_response(length($body // '')));
    });
    my $grown = sub {
        my (%global) = @_;
        my $own = proxy(backends => [$reader], global => \%global);
        my $h2  = Weir::Http2Client->connect($own->port);
        my @ids = map { $h2->request(method => 'POST', is_open => 1) } 1 .. 2;
        for my $id (@ids) {
            is($h2->tell('upload', $id, 12_000_000, JSON::PP::true(), wait_seconds()), 12_000_000, 'all is taken');
            is($h2->response($id)->{body}, 12_000_000, 'and answered');
        }
        return map { $h2->stream($_)->{most_window} } @ids;
    };
    my @fast = $grown->();
    cmp_ok($_, '>', 1_000_000, 'a fast one has a larger window, the next stream, too') for @fast;
    cmp_ok($_, '<=', 262144 + 4194304, 'and not more than that') for @fast;
    cmp_ok($_, '<=', 262144, 'as do all if the connection has a window that was set')
        for $grown->('weir.http2-connection-window' => '16m');
};

subtest 'uploads that wait do not stop the others' => sub {
    my $deaf = backend(sub {
        my $c = shift;
        my $head = $c->read_head or return;
        return $c->wait_close if $c->case_of($head) eq 'deaf' && $c->note('deaf');
        my $body = $c->read_request_body($head);
        $c->write(simple_response(length($body // '')));
    }, receive_buffer => 4096, name => 'cases');
    my %windows = ('the defaults' => {}, 'small ones' => { 'weir.http2-stream-window' => 65535 },
        'large ones' => { 'weir.http2-stream-window' => '1m', 'weir.http2-connection-window' => '16m' });
    for my $name (sort keys %windows) {
        my $own = proxy(backends => [$deaf], global => $windows{$name});
        my $h2  = Weir::Http2Client->connect($own->port);
        for my $n (1 .. 5) {
            my $id   = $h2->request(method => 'POST', path => '/deaf', is_open => 1);
            my $sent = $h2->tell('upload', $id, 50_000_000, JSON::PP::true(), 0.5);
            cmp_ok($sent, '<', 40_000_000, "$name: upload $n waits");
        }
        my $id = $h2->request(method => 'POST', path => '/count', is_open => 1);
        is($h2->tell('upload', $id, 3_000_000, JSON::PP::true(), wait_seconds()), 3_000_000, 'another one goes on');
        is($h2->response($id)->{body}, 3_000_000, 'and is answered');
    }
};

subtest 'one slow stream does not stop the others' => sub {
    my $h2 = client(updates_windows => 0, settings => { 4 => 20000 });
    my $slow = $h2->request(path => '/large');
    $h2->wait(bytes => [ $slow, 20000 ]);
    is($h2->stream($slow)->{body_bytes}, 20000, 'one stands at its window');
    is($h2->get('/chunks')->{body}, 'hello world', 'another is answered');
    my $update = pack 'N', 10_000_000;
    $h2->frame(WINDOW_UPDATE => 0, 0,     $update);
    $h2->frame(WINDOW_UPDATE => 0, $slow, $update);
    is($h2->response($slow)->{body_bytes}, 4_000_000, 'the first goes on when it may');
};

subtest 'timers of a stream' => sub {
    my $h2 = client();
    my $id = $h2->request(method => 'POST', path => '/silent/t', is_open => 1, headers => [ [ 'content-length', '10' ] ]);
    is($h2->response($id)->{status}, 503, 'a body that does not come: a page');
    is($proxy->log_where(path => '/silent/t')->{code}, 'client_timeout', 'client_timeout');
    $h2 = client(updates_windows => 0);
    $id = $h2->request(path => '/large/stalled');
    is($h2->goaway, 'ENHANCE_YOUR_CALM', 'a client that takes nothing loses its connection');
    is($proxy->log_where(path => '/large/stalled')->{code}, 'client_stalled', 'client_stalled');
    $h2 = client(updates_windows => 0, settings => { 4 => 1000 });
    $id = $h2->request(path => '/large/one');
    my $kept = time;
    while (time - $kept < ms(1500) / 1000 + 3 && !defined $h2->stream($id)->{reset}) {
        $h2->get('/chunks');
        select undef, undef, undef, 0.2;
    }
    is($h2->name_of($h2->stream($id)->{reset}), 'CANCEL', 'where others move, only the stalled stream is reset');
    is($h2->get('/204')->{status}, 204, 'the connection lives on');
};

subtest 'much, both ways, with flat memory' => sub {
    my $bytes = is_sanitized() ? 64_000_000 : 1 << 30;
    my $count = backend(sub {
        my $c = shift;
        no warnings 'redefine';
        local *Weir::Backend::Connection::on_bytes = sub { };    # else it would be written down
        my $head = $c->read_head // return;
        if ($head =~ /^GET/) {
            $c->write("HTTP/1.1 200 OK$CR" . "Content-Length: $bytes$CR$CR");
            my $piece = join '', map { chr($_ % 256) } 1 .. 65536;
            for (my $sent = 0; $sent < $bytes; $sent += 65536) {
                $c->write(substr $piece, 0, $bytes - $sent < 65536 ? $bytes - $sent : 65536);
            }
            return;
        }
        my $got = 0;
        while (1) {
            $got += length $c->{in};
            $c->{in} = '';
            last if $got >= $bytes || !$c->_more(time + 30);
        }
        $c->write(simple_response("got $got"));
    });
    my $own = proxy(backends => [$count]);
    my $url = 'http://127.0.0.1:' . $own->port;
    my $before = $own->memory_kb('VmHWM');
    my $run = run_command({ seconds => 150 }, 'sh', '-c', "curl -sS --http2-prior-knowledge $url/down | wc -c");
    like($run->{out}, qr/^\s*$bytes$/, "$bytes bytes down");
    $run = run_command({ seconds => 150 }, 'sh', '-c',
        "head -c $bytes /dev/zero | curl -sS --http2-prior-knowledge -H 'Content-Length: $bytes' -T - -X POST $url/up");
    is($run->{out}, "got $bytes", "$bytes bytes up") or diag($run->{err});
    my $more = $own->memory_kb('VmHWM') - $before;
    cmp_ok($more, '<', is_sanitized() ? 40_000 : 10_000, "memory grew by $more kB");
};

done_testing;
