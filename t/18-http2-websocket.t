# SPDX-License-Identifier: MIT
# WebSockets over HTTP/2 (RFC 8441): an extended CONNECT becomes an HTTP/1.1 upgrade to the backend.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use Digest::SHA qw(sha1_base64);

plan skip_all => "python3-h2 is not installed" unless Weir::Http2Client::is_possible();

my $CR = "\r\n";

sub accept_of { my ($key) = @_; return sha1_base64($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=' }

sub key_of { my ($head) = @_; return $head =~ /^sec-websocket-key: *(\S+)/mi ? $1 : '' }

sub switch {
    my ($c, $head, $accept) = @_;
    $c->write("HTTP/1.1 101 Switching Protocols$CR" . "Upgrade: websocket$CR" . "Connection: Upgrade$CR" . "Sec-WebSocket-Protocol: chat$CR"
            . (defined $accept ? "Sec-WebSocket-Accept: $accept$CR" : '') . $CR);
    return;
}

# One frame of a client's, unmasked: (opcode, payload), or nothing at the end.
sub read_frame {
    my ($c) = @_;
    my ($first, $second) = unpack 'CC', $c->read_exactly(2) // return;
    my $length = $second & 127;
    $length = unpack 'n',  $c->read_exactly(2) // return if $length == 126;
    $length = unpack 'Q>', $c->read_exactly(8) // return if $length == 127;
    my $key = $c->read_exactly(4) // return;
    my $payload = $length ? $c->read_exactly($length) // return : '';
    return ($first & 15, $payload ^ substr($key x ($length / 4 + 1), 0, $length));
}

sub write_frame {
    my ($c, $opcode, $payload) = @_;
    my $length = length $payload;
    my $size = $length < 126 ? pack('C', $length) : $length < 65536 ? pack('Cn', 126, $length) : pack('CQ>', 127, $length);
    $c->write(pack('C', 0x80 | $opcode) . $size . $payload);
    return;
}

my %case = (
    echo => sub {
        my ($c, $head) = @_;
        switch($c, $head, accept_of(key_of($head)));
        while (my ($opcode, $payload) = read_frame($c)) {
            write_frame($c, $opcode, $payload);
            last if $opcode == 8;
        }
        $c->wait_close;
    },
    raw => sub {
        my ($c, $head) = @_;
        switch($c, $head, accept_of(key_of($head)));
        $c->write('hello');
        $c->read_until(qr/bye/);
        $c->note('bye');
        $c->wait_close;
    },
    ends => sub {
        my ($c, $head) = @_;
        switch($c, $head, accept_of(key_of($head)));
        $c->write('last words');
        $c->shutdown_write;
        $c->read_until(qr/still here/) and $c->note('heard');
    },
    breaks    => sub { my ($c, $head) = @_; switch($c, $head, accept_of(key_of($head))); $c->write('oops'); $c->read_until(qr/go/); $c->reset },
    wrong     => sub { switch(@_, 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=') ; $_[0]->wait_close },
    none      => sub { switch(@_); $_[0]->wait_close },
    forbidden => sub { $_[0]->write(simple_response('no', status => '403 Forbidden')) },
    ok        => sub { $_[0]->write(simple_response('what?')) },
);

my $backend = backend(sub {
    my $c = shift;
    while (defined(my $head = $c->read_head)) {
        ($case{ $c->case_of($head) } // return)->($c, $head);
        return if $c->is_eof;
    }
}, name => 'websocket');
my $proxy = proxy(backends => [$backend], global => { 'weir.idle-timeout' => ms(3000) });

my $CONNECT = { ':method' => 'CONNECT', ':protocol' => 'websocket' };

sub websocket {
    my ($h2, $path) = @_;
    return $h2->request(pseudo => $CONNECT, path => $path, headers => [ [ 'sec-websocket-version', '13' ] ], is_open => 1);
}

sub client { return Weir::Http2Client->connect($proxy->port) }

subtest "Python's h2" => sub {
    my $run = run_command('/usr/bin/python3', root_dir() . '/t/tools/http2_websocket.py', $proxy->port, '/echo/py', 40);
    is($run->{out}, "status 200\naccept none protocol chat\nechoed 40\nclose 8\nover\n", 'forty messages, there and back');
    my ($head) = grep { m{^GET /echo/py } } $backend->heads;
    like($head, qr{\AGET /echo/py HTTP/1\.1\r\nHost: a\.test\r\nConnection: Upgrade\r\n}, 'the backend is asked by HTTP/1.1');
    like($head, qr/\r\nupgrade: websocket\r\n/i, 'for a WebSocket');
    like($head, qr{\r\nsec-websocket-key: [A-Za-z0-9+/]{22}==\r\n}i, 'with a key, which the client did not have');
    like($head, qr/\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: chat\r\n/i, 'and whatever else the client said');
    unlike($head, qr/content-length|transfer-encoding|^:|^connect /mi, 'no body, no pseudo-field');
    my $line = $proxy->log_where(path => '/echo/py');
    is("$line->{method} $line->{status} $line->{version}", 'GET 101 HTTP/2', 'the log has a line');
};

subtest 'keys are never the same' => sub {
    my $h2 = client();
    my @ids = map { websocket($h2, "/raw/k$_") } 1 .. 5;
    $h2->wait(headers => $_) for @ids;
    my %keys = map { key_of($_) => 1 } grep { m{ /raw/k} } $backend->heads;
    is(scalar(keys %keys), 5, 'five for five');
    $h2->reset_stream($_) for @ids;
};

subtest 'bytes both ways, then the client ends' => sub {
    my $h2 = client();
    my $id = websocket($h2, '/raw/1');
    ok($h2->wait(bytes => [ $id, 5 ]), 'the backend speaks first');
    my $r = $h2->stream($id);
    is("$r->{status} $r->{body}", '200 hello', '200, and its words');
    ok(!exists $r->{headers}{$_}, "no $_") for qw(upgrade connection sec-websocket-accept content-length);
    $h2->data($id, 'bye', is_last => 1);
    ok($backend->wait_event(qr/note \d+ bye/), 'the backend hears the client');
    ok($backend->wait_event(qr/^eof /), 'and its end');
    ok($h2->wait(end => $id), 'then the stream ends');
    is($h2->stream($id)->{reset}, undef, 'without a reset');
};

subtest 'the backend ends first, and still listens' => sub {
    my $h2 = client();
    my $id = websocket($h2, '/ends/1');
    ok($h2->wait(end => $id), 'END_STREAM from its side');
    is($h2->stream($id)->{body}, 'last words', 'behind its last words');
    is($h2->stream($id)->{reset}, undef, 'no reset');
    $h2->data($id, 'still here', is_last => 1);
    ok($backend->wait_event(qr/note \d+ heard/), 'what the client says arrives');
    is($proxy->log_where(path => '/ends/1')->{at}, 'info', 'a good end');
};

subtest 'ends that are none' => sub {
    my $h2 = client();
    my $id = websocket($h2, '/breaks/1');
    $h2->wait(bytes => [ $id, 4 ]);
    $h2->data($id, 'go');
    $h2->wait(reset => $id, 5);
    ok($h2->stream($id)->{end} || defined $h2->stream($id)->{reset}, 'a backend that breaks off ends the stream');
    my $before = () = grep { /^(?:eof|reset)/ } $backend->events;
    $id = websocket($h2, '/raw/2');
    $h2->wait(bytes => [ $id, 5 ]);
    $h2->reset_stream($id);
    is($proxy->log_where(path => '/raw/2')->{code}, 'client_closed', 'a client that resets');
    $id = websocket($h2, '/raw/3');
    $h2->wait(bytes => [ $id, 5 ]);
    is($h2->name_of($h2->response($id)->{reset}), 'CANCEL', 'silence for too long');
    is($proxy->log_where(path => '/raw/3')->{code}, 'tunnel_idle', 'has its name');
};

subtest 'a backend that does not switch' => sub {
    my $h2 = client();
    my $r = $h2->response(websocket($h2, '/forbidden'));
    is("$r->{status} $r->{body}", '403 no', 'its refusal is passed on');
    for ([ ok => 'backend_no_upgrade' ], [ wrong => 'backend_bad_websocket' ], [ none => 'backend_bad_websocket' ]) {
        my ($path, $code) = @$_;
        $r = $h2->response(websocket($h2, "/$path"));
        is($r->{status}, 502, "$path: no success for the client");
        is($proxy->log_where(path => "/$path")->{code}, $code, "$path: $code");
    }
};

subtest 'a tunnel beside ordinary streams' => sub {
    my $h2 = client();
    my $id = websocket($h2, '/raw/4');
    $h2->wait(bytes => [ $id, 5 ]);
    is($h2->get('/forbidden')->{status}, 403, 'others are answered');
    $h2->data($id, 'bye', is_last => 1);
    ok($h2->wait(end => $id), 'and it ends as it should');
};

subtest 'much through a tunnel' => sub {
    my $run = run_command('/usr/bin/python3', root_dir() . '/t/tools/http2_websocket.py', $proxy->port, '/echo/much', 170);
    like($run->{out}, qr/^echoed 170$/m, 'messages up to 64 KiB');
};

done_testing;
