# SPDX-License-Identifier: MIT
# HTTP/2 with clients: what a client may not do too often, or too much of. Each ends its connection; the others feel nothing.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;

plan skip_all => "python3-h2 is not installed" unless Weir::Http2Client::is_possible();

my $backend = fast_backend('ok');
my $proxy   = proxy(backends => [$backend], global => { 'weir.idle-timeout' => ms(1500) });

# One that does nothing wrong, from the first test to the last.
my $neighbour = Weir::Http2Client->connect($proxy->port);

sub client { return Weir::Http2Client->connect($proxy->port, @_) }

sub frame {
    my ($type, $flags, $id, $payload) = @_;
    $payload //= '';
    return substr(pack('N', length $payload), 1) . pack('CCN', $Weir::Http2Client::TYPE{$type} // $type, $flags, $id) . $payload;
}

# Does `$attack`, and expects a GOAWAY with this code, this reason in the log, and memory and the neighbour untouched.
sub ends {
    my ($name, $code, $reason, $attack, %option) = @_;
    subtest $name => sub {
        my $before = $proxy->memory_kb('VmHWM');
        my $logged = grep { ($_->{code} // '') eq $reason } $proxy->_log_now;
        my $h2 = client(%option);
        $h2->wait(settings => 1);
        my $sent = $attack->($h2);
        is($h2->goaway(1, 3 * wait_seconds()), $code, "GOAWAY: $code");
        ok($h2->is_closed, 'and the connection ends');
        ok(wait_for { $logged < grep { ($_->{code} // '') eq $reason } $proxy->_log_now }, "the log says $reason");
        is($neighbour->get('/neighbour')->{status}, 200, 'another connection is served');
        my $more = $proxy->memory_kb('VmHWM') - $before;
        cmp_ok($more, '<', is_sanitized() ? 30_000 : 4_000, "memory grew by $more kB");
        cmp_ok($sent, '<', $option{most}, "after $sent") if $option{most} && !Weir::Client::is_valgrind();
    };
    return;
}

my $GET = [ [ ':method', 'GET' ], [ ':scheme', 'http' ], [ ':path', '/r' ], [ ':authority', 'a.test' ] ];

# ── resets ──

ends('rapid reset (CVE-2023-44487)', 'ENHANCE_YOUR_CALM', 'http2_too_many_resets',
    sub { $_[0]->tell('rapid', 1, 100_000, $GET, 'client') }, most => 20_000);
ends('made you reset, by WINDOW_UPDATE (CVE-2025-8671)', 'ENHANCE_YOUR_CALM', 'http2_too_many_resets',
    sub { $_[0]->tell('rapid', 1, 100_000, $GET, 'window') }, most => 20_000);
ends('made you reset, by DATA beyond Content-Length', 'ENHANCE_YOUR_CALM', 'http2_too_many_resets',
    sub { $_[0]->tell('rapid', 1, 100_000, [ @$GET, [ 'content-length', '3' ] ], 'length') }, most => 20_000);
is($proxy->get('/')->status, 200, 'HTTP/1 is served too');

subtest 'a client may cancel now and then' => sub {
    my $h2 = client();
    is($h2->tell('rapid', 1, 150, $GET, 'client'), 150, '150 resets');
    $h2->{next} = 1001;
    is($h2->get('/after')->{status}, 200, 'are forgiven');
};

# ── frames that carry nothing ──

my %flood = (
    PING          => frame(PING => 0, 0, 'pingpong'),
    SETTINGS      => frame(SETTINGS => 0, 0, pack 'nN', 4, 65535),
    'SETTINGS, empty' => frame(SETTINGS => 0, 0),
    PRIORITY      => frame(PRIORITY => 0, 1, pack 'NC', 0, 15),
    'unknown type' => frame(0xbb, 0, 0, 'grease'),
    'WINDOW_UPDATE of the connection' => frame(WINDOW_UPDATE => 0, 0, pack 'N', 1),
);
for my $name (sort keys %flood) {
    ends("flood of $name", 'ENHANCE_YOUR_CALM', 'http2_too_many_frames', sub { $_[0]->tell('repeat', 200_000, unpack 'H*', $flood{$name}) });
}
ends('flood of empty DATA', 'ENHANCE_YOUR_CALM', 'http2_too_many_frames', sub {
    my ($h2) = @_;
    my $id = $h2->request(method => 'POST', is_open => 1);
    return $h2->tell('repeat', 200_000, unpack 'H*', frame(DATA => 0, $id));
});
ends('flood of WINDOW_UPDATE of a stream', 'ENHANCE_YOUR_CALM', 'http2_too_many_frames', sub {
    my ($h2) = @_;
    my $id = $h2->request(method => 'POST', is_open => 1);
    return $h2->tell('repeat', 200_000, unpack 'H*', frame(WINDOW_UPDATE => 0, $id, pack 'N', 1));
});

subtest 'a client that downloads much may say much' => sub {
    my $big = backend(sub { $_[0]->serve(sub { simple_response('x' x 4_000_000) }) });
    my $own = proxy(backends => [$big]);
    my $h2  = Weir::Http2Client->connect($own->port);
    is($h2->get('/')->{body_bytes}, 4_000_000, "4 MB with two updates for each DATA frame, $_") for 1 .. 4;
    $h2->frame(PING => 0, 0, 'pingpong') for 1 .. 100;
    ok($h2->wait(pongs => 100), 'and a hundred PINGs are answered');
};

# ── heads ──

ends('empty CONTINUATION frames without end', 'ENHANCE_YOUR_CALM', 'http2_too_many_frames', sub {
    my ($h2) = @_;
    $h2->frame(HEADERS => 0, 1, '');
    return $h2->tell('repeat', 200_000, unpack 'H*', frame(CONTINUATION => 0, 1));
});
ends('CONTINUATION frames without end', 'ENHANCE_YOUR_CALM', 'http2_too_many_frames', sub {
    my ($h2) = @_;
    $h2->frame(HEADERS => 0, 1, '');
    return $h2->tell('repeat', 2_000, unpack 'H*', frame(CONTINUATION => 0, 1, "\0\1a\1b" x 10));
});
ends('a bomb of HPACK: a large entry, named again and again', 'ENHANCE_YOUR_CALM', 'http2_head_too_large', sub {
    my ($h2) = @_;
    $h2->frame(HEADERS => 0, 1, "\x40\1a" . "\x7f" . pack('C2', 0xb1 | 0x80, 0x1e) . 'v' x (127 + 0x31 + (0x1e << 7)));
    $h2->frame(CONTINUATION => 0, 1, "\xbe" x 16000) for 1 .. 6;
    return 0;
});
ends('fields without end', 'ENHANCE_YOUR_CALM', 'http2_head_too_large', sub {
    my ($h2) = @_;
    $h2->frame(HEADERS => 0, 1, '');
    $h2->frame(CONTINUATION => 0, 1, "\0\1a\1b" x 3000) for 1 .. 5;
    return 0;
});
ends('an index that HPACK does not know', 'COMPRESSION_ERROR', 'http2_protocol_error', sub { $_[0]->frame(HEADERS => 5, 1, "\xff\xff\x7e"); 0 });

subtest 'a large head is a 431, and the next request is understood' => sub {
    my $h2 = client();
    is($h2->response($h2->request(headers => [ map { [ "n$_", 'v' x 8000 ] } 1 .. 40 ]))->{status}, 431, 'too large');
    is($h2->response($h2->request(headers => [ [ 'n1', 'v' x 8000 ] ]))->{status}, 200, "HPACK's tables are still in step");
};

subtest 'many heads that are large together, and small on the wire' => sub {
    my $silent = backend(sub { my $c = shift; $c->read_head; $c->note('head'); $c->wait_close });
    my $own    = proxy(backends => [$silent]);
    my $h2     = Weir::Http2Client->connect($own->port);
    my $begin  = "\x82\x86\x84\x01\x06a.test";
    my $entry  = "\x40\x01a\x7f\xb9\x16" . 'v' x 3000;    # put into HPACK's table, where it is named again and again
    my $ask    = sub { my ($id, $fields) = @_; $h2->frame(HEADERS => 5, $id, $begin . $fields); return $id };
    my @ids    = map { $ask->($h2->next_id, $_ == 1 ? $entry . "\xbe" x 9 : "\xbe" x 10) } 1 .. 80;
    ok($h2->wait(reset => $ids[-1]), 'heads beyond 1 MiB are refused');
    my @codes = map { $h2->stream($_)->{reset} } @ids;
    is_deeply([ @codes[ 0 .. 29 ] ], [ (undef) x 30 ], 'those before are not');
    is_deeply([ map { $h2->name_of($_) } @codes[ 40 .. 79 ] ], [ ('REFUSED_STREAM') x 40 ], 'with REFUSED_STREAM: they may be sent again');
    ok((grep { ($_->{code} // '') eq 'http2_too_many_heads' } $own->log_lines(20)), 'the log says why');
    $h2->reset_stream($_) for @ids[ 0 .. 9 ];
    $h2->frame(PING => 0, 0, 'pingpong');
    $h2->wait(pongs => 1);
    my $again = $ask->($h2->next_id, "\xbe" x 10);
    $h2->frame(PING => 0, 0, 'pingpong');
    $h2->wait(pongs => 2);
    is($h2->stream($again)->{reset}, undef, 'there is room again when some of them are gone');
};

# ── streams, windows, frames ──

subtest 'more streams than are allowed' => sub {
    my $own = proxy(backends => [ '127.0.0.1:' . stuck_port() ]);
    my $h2  = Weir::Http2Client->connect($own->port);
    $h2->wait(settings => 1);
    $h2->frame(PING => 0, 0, 'pingpong');
    $h2->wait(pongs => 1);    # by now it knows that we know
    $h2->request for 1 .. 100;
    $h2->frame(PING => 0, 0, 'pingpong');
    ok($h2->wait(pongs => 2), 'a hundred are taken');
    $h2->request;
    is($h2->goaway, 'PROTOCOL_ERROR', 'one more ends the connection');
    is($own->log_where(code => 'http2_protocol_error')->{at}, 'error', 'the log says so');
};
ends('a window of more than 2^31-1', 'FLOW_CONTROL_ERROR', 'http2_protocol_error', sub { $_[0]->frame(WINDOW_UPDATE => 0, 0, pack 'N', 0x7fffffff); 0 });
ends('an update of nothing', 'PROTOCOL_ERROR', 'http2_protocol_error', sub { $_[0]->frame(WINDOW_UPDATE => 0, 0, pack 'N', 0); 0 });
ends('a frame that is too large', 'FRAME_SIZE_ERROR', 'http2_protocol_error', sub { $_[0]->frame(DATA => 0, 1, 'x' x 16385); 0 });
ends('DATA without a stream', 'PROTOCOL_ERROR', 'http2_protocol_error', sub { $_[0]->frame(DATA => 0, 0, 'x'); 0 });
ends('DATA on a stream that was never opened', 'PROTOCOL_ERROR', 'http2_protocol_error', sub { $_[0]->frame(DATA => 0, 5, 'x'); 0 });
ends('a stream of the wrong side', 'PROTOCOL_ERROR', 'http2_protocol_error', sub { $_[0]->tell('headers', 2, $GET); 0 });
ends('PUSH_PROMISE from a client', 'PROTOCOL_ERROR', 'http2_protocol_error', sub { $_[0]->frame(PUSH_PROMISE => 4, 1, pack 'N', 2); 0 });
ends('another frame inside a head', 'PROTOCOL_ERROR', 'http2_protocol_error', sub { $_[0]->frame(HEADERS => 0, 1, "\x82"); $_[0]->frame(PING => 0, 0, 'pingpong'); 0 });
ends('SETTINGS_ENABLE_PUSH of 2', 'PROTOCOL_ERROR', 'http2_protocol_error', sub { $_[0]->frame(SETTINGS => 0, 0, pack 'nN', 2, 2); 0 });
ends('a PING of seven bytes', 'FRAME_SIZE_ERROR', 'http2_protocol_error', sub { $_[0]->frame(PING => 0, 0, 'sevenby'); 0 });
# RFC 9113 §5.1, §5.1.1, §6.3
for my $type (qw(DATA HEADERS)) {
    ends("$type on a stream that the client has ended", 'STREAM_CLOSED', 'http2_protocol_error', sub {
        my ($h2) = @_;
        my $id = $h2->request;
        $h2->response($id);
        $type eq 'DATA' ? $h2->frame(DATA => 0, $id, 'x') : $h2->tell('headers', $id, $GET);
        return 0;
    });
    subtest "$type on a stream that the client has reset" => sub {
        my $h2 = client();
        my $id = $h2->request(method => 'POST', is_open => 1);
        $h2->reset_stream($id);
        $type eq 'DATA' ? $h2->frame(DATA => 0, $id, 'x') : $h2->tell('headers', $id, $GET);
        ok($h2->wait(reset => $id), 'the stream is reset');
        is($h2->name_of($h2->stream($id)->{reset}), 'STREAM_CLOSED', 'with STREAM_CLOSED');
        is($h2->get('/after')->{status}, 200, 'the connection lives on');
    };
}
subtest 'frames that come too late, with the first bytes of a connection' => sub {
    for (1 .. 20) {
        my $h2 = client();
        my $id = $h2->request(method => 'POST', is_open => 1);
        $h2->reset_stream($id);
        $h2->tell('headers', $id, $GET);
        $h2->wait(reset => $id);
        is($h2->name_of($h2->stream($id)->{reset}), 'STREAM_CLOSED', 'the stream is reset');
        $h2->close;
    }
};
ends('a new stream with a smaller number', 'PROTOCOL_ERROR', 'http2_protocol_error', sub { $_[0]->response($_[0]->request(id => 5)); $_[0]->request(id => 3); 0 });
ends('PRIORITY of the connection', 'PROTOCOL_ERROR', 'http2_protocol_error', sub { $_[0]->frame(PRIORITY => 0, 0, pack 'NC', 1, 15); 0 });
subtest 'a stream that depends on itself' => sub {
    my $own = proxy(backends => [ silent_backend() ]);
    my $h2  = Weir::Http2Client->connect($own->port);
    my $id = $h2->request(method => 'POST', is_open => 1);
    $h2->frame(PRIORITY => 0, $id, pack 'NC', $id, 15);
    ok($h2->wait(reset => $id), 'by PRIORITY: the stream is reset');
    is($h2->name_of($h2->stream($id)->{reset}), 'PROTOCOL_ERROR', 'with PROTOCOL_ERROR');
    $h2->frame(PING => 0, 0, 'pingpong');
    ok($h2->wait(pongs => 1), 'the connection lives on');
};
ends('HEADERS of a stream that depends on itself', 'PROTOCOL_ERROR', 'http2_protocol_error',
    sub { $_[0]->frame(HEADERS => 0x25, 1, pack('NC', 1, 15) . "\x82\x86\x84\x41\x01a"); 0 });
subtest 'more DATA than the stream has room for' => sub {
    my $own    = proxy(backends => ['127.0.0.1:' . stuck_port()], path => { 'weir.connect-timeout' => ms(3000) });
    my $h2     = Weir::Http2Client->connect($own->port);
    my $id     = $h2->request(method => 'POST', is_open => 1);
    $h2->frame(DATA => 0, $id, 'x' x 16384) for 1 .. 17;
    is($h2->name_of($h2->response($id)->{reset} // ($h2->connection->{goaways}[0] // {})->{code}), 'FLOW_CONTROL_ERROR', 'FLOW_CONTROL_ERROR');
};

# ── clients that do not read ──

subtest 'a client that never reads' => sub {
    my $big = backend(sub { $_[0]->serve(sub { simple_response('x' x 3_000_000) }) });
    my $own = proxy(backends => [$big], global => { 'weir.idle-timeout' => ms(1000) });
    my $h2  = Weir::Http2Client->connect($own->port, receive_buffer => 4096, settings => { 4 => 0x7fffffff });
    $h2->wait(settings => 1);
    my $before = $own->memory_kb('VmHWM');
    $h2->frame(WINDOW_UPDATE => 0, 0, pack 'N', 0x7fff0000 - 65535);
    $h2->tell('set', { reads => JSON::PP::false() });
    $h2->request(path => "/$_") for 1 .. 50;
    $h2->tell('flush', 5);
    is($own->log_where(code => 'client_stalled')->{code}, 'client_stalled', 'is given up');
    my $more = $own->memory_kb('VmHWM') - $before;
    cmp_ok($more, '<', is_sanitized() ? 60_000 : 8_000, "memory grew by $more kB");
    is($own->get('/')->status, 200, 'others are served');
};

subtest 'a client that never reads, and asks for answers' => sub {
    for my $name ('PING', 'SETTINGS, empty') {
        my $before = $proxy->memory_kb('VmHWM');
        my $h2 = client(receive_buffer => 4096);
        $h2->tell('set', { reads => JSON::PP::false() });
        my $sent = $h2->tell('repeat', 30_000, unpack 'H*', $flood{$name});
        $h2->tell('set', { reads => JSON::PP::true() });
        ok($h2->is_closed, "$name: its connection ends");
        my $more = $proxy->memory_kb('VmHWM') - $before;
        cmp_ok($more, '<', is_sanitized() ? 20_000 : 2_000, "$name: memory grew by $more kB");
    }
    is($neighbour->get('/neighbour')->{status}, 200, 'another connection is served');
};

subtest 'connections that wait for their next request cost little' => sub {
    my $count = 100;
    my $own = proxy(backends => [$backend], global => { 'http2-idle-timeout' => 600 });
    my $preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(SETTINGS => 0, 0) . frame(SETTINGS => 1, 0);
    # The field is put into the table, and asked for by its place there when the session has slept.
    my $first  = frame(HEADERS => 5, 1, "\x82\x86\x84\x41\x06a.test\x40\x01x\x05value");
    my $second = frame(HEADERS => 5, 3, "\x82\x86\x84\xbf\xbe");
    my $before = $own->memory_kb('RssAnon');
    my @clients = map { $own->connect } 1 .. $count;
    $_->write($preface . $first) for @clients;
    $_->read_until(qr/ok/) for @clients;
    my $awake = $own->memory_kb('RssAnon') - $before;
    ok(wait_for { $own->memory_kb('RssAnon') - $before < $awake - $count * 6 }, "of $awake kB much is given back")
        or diag($own->memory_kb('RssAnon') - $before, ' kB are held');
    $_->write($second) for @clients;
    my $answered = grep { defined $_->read_until(qr/ok/) } @clients;
    is($answered, $count, 'and each is answered again');
    my $again = $own->memory_kb('RssAnon');
    ok(wait_for { $own->memory_kb('RssAnon') < $again - $count * 6 }, 'it is given back again');
    $_->write(frame(PING => 0, 0, 'pingpong')) for @clients[0 .. 9];
    $_->read_until(qr/pingpong/) for @clients[0 .. 9];
    pass('a PING wakes them, too');
};

done_testing;
