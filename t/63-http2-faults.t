# SPDX-License-Identifier: MIT
# HTTP/2 backends that misbehave: each has its reason in the log, the client has a page or an incomplete message, and the next
# request is fine.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;

my $backend = Weir::Http2Backend->start;
my $proxy = proxy(
    backends => [ $backend->address ],
    app      => { protocol => 'h2c' },
    path     => { 'weir.first-byte-timeout' => ms(1000), 'weir.idle-timeout' => ms(1000) },
);

# One request, and a good one behind it. Status 'cut': 200 and an incomplete message.
sub misbehaves {
    my ($own, $path, $status, $code, %option) = @_;
    # A worker's connection was there before: what is safe is asked once more, and the worker has gone (t/67c)
    $code .= '|worker_gone' if $ENV{WEIR_WORKERS};
    my $name = $option{name} // $path;
    return subtest "$name: $code" => sub {
        my $client = $own->connect;
        $client->write(($option{method} // 'GET') . " /$path HTTP/1.1\r\nHost: a\r\n" . ($option{headers} // '') . "\r\n" . ($option{body} // ''));
        my $r = $client->read_response;
        shows_fault($client, $r, $status, $code);
        my $line = $own->log_where(path => "/$path");
        like($line->{code} // '', qr/^(?:$code)$/, 'code=');
        return if $option{last};
        is($own->get('/fine')->body, 'fine', 'the next request is fine');
    };
}

# RST_STREAM by code: RFC 9113 §7
my @codes = (
    'NO_ERROR' => 'backend_stream_reset', 'PROTOCOL_ERROR' => 'backend_stream_reset', 'INTERNAL_ERROR' => 'backend_stream_failed',
    'FLOW_CONTROL_ERROR' => 'backend_stream_reset', 'SETTINGS_TIMEOUT' => 'backend_stream_reset', 'STREAM_CLOSED' => 'backend_stream_reset',
    'FRAME_SIZE_ERROR' => 'backend_stream_reset', 'REFUSED_STREAM' => 'backend_stream_refused', 'CANCEL' => 'backend_stream_cancelled',
    'COMPRESSION_ERROR' => 'backend_stream_reset', 'CONNECT_ERROR' => 'backend_stream_reset', 'ENHANCE_YOUR_CALM' => 'backend_stream_calm',
    'INADEQUATE_SECURITY' => 'backend_stream_reset', 'HTTP_1_1_REQUIRED' => 'backend_stream_http1',
);
my %is_502 = map { $_ => 1 } qw(backend_stream_reset backend_stream_failed backend_stream_http1);
for my $code (0 .. 13) {
    my ($name, $fault) = @codes[ 2 * $code, 2 * $code + 1 ];
    misbehaves($proxy, "rst-$code", $is_502{$fault} ? 502 : 503, $fault, name => "RST_STREAM $name");
}
misbehaves($proxy, 'rst-0xbeef', 502, 'backend_stream_reset');

# silence, and ends
misbehaves($proxy, 'silence', 503, 'backend_timeout');
misbehaves($proxy, 'silent-head', 'cut', 'backend_timeout');
misbehaves($proxy, 'silent-collect', 503, 'backend_timeout');
misbehaves($proxy, 'silent-body', 'cut', 'backend_timeout');
misbehaves($proxy, 'interim-silence', 503, 'backend_timeout');
misbehaves($proxy, 'half-small', 503, 'backend_truncated');
misbehaves($proxy, 'half-large', 'cut', 'backend_truncated');
misbehaves($proxy, 'half-open', 'cut', 'backend_truncated');
misbehaves($proxy, 'half-reset', 'cut', 'backend_reset');
misbehaves($proxy, 'half-rst', 'cut', 'backend_stream_failed');
misbehaves($proxy, 'half-head', 503, 'backend_closed');
misbehaves($proxy, 'close', 503, 'backend_closed');
misbehaves($proxy, 'reset', 503, 'backend_reset');
misbehaves($proxy, 'goaway-zero', 503, 'backend_goaway');
misbehaves($proxy, 'goaway-error', 503, 'backend_closed');
misbehaves($proxy, 'goaway-mid-die', 'cut', 'backend_truncated');

# messages
misbehaves($proxy, 'beyond', 502, 'backend_content_length');
misbehaves($proxy, 'short', 502, 'backend_content_length');
misbehaves($proxy, 'short-large', 'cut', 'backend_content_length');
misbehaves($proxy, 'lengths', 502, 'backend_invalid_header');
misbehaves($proxy, 'length-word', 502, 'backend_invalid_header');
misbehaves($proxy, 'no-status', 502, 'backend_http2_message|backend_invalid_header');
misbehaves($proxy, 'status-word', 502, 'backend_invalid_header');
misbehaves($proxy, 'status-019', 503, 'backend_invalid_status');
misbehaves($proxy, 'status-101', 502, 'backend_invalid_header');
misbehaves($proxy, 'upper', 502, 'backend_invalid_header');
misbehaves($proxy, 'connection', 502, 'backend_invalid_header');
misbehaves($proxy, 'chunked', 502, 'backend_invalid_header');
misbehaves($proxy, 'newline', 502, 'backend_invalid_header');
misbehaves($proxy, 'path-pseudo', 502, 'backend_invalid_header');
misbehaves($proxy, 'late-pseudo', 502, 'backend_invalid_header');
misbehaves($proxy, 'pseudo-trailers', 'cut', 'backend_invalid_header');
misbehaves($proxy, 'endless-trailers', 'cut', 'backend_http2_message');
misbehaves($proxy, 'long-trailers', 'cut', 'backend_trailer_length');
misbehaves($proxy, 'many-trailers', 'cut', 'backend_trailer_length');
misbehaves($proxy, 'cookie', 502, 'backend_cookie_length');
misbehaves($proxy, 'many', 502, 'backend_header_length');
misbehaves($proxy, 'bomb', 502, 'backend_header_length');
misbehaves($proxy, 'endless-interim', 502, 'backend_too_many_interim');
misbehaves($proxy, 'interim-end', 502, 'backend_http2_message');
misbehaves($proxy, 'data-first', 502, 'backend_http2_error|backend_http2_message');

subtest 'two 100: the second is skipped' => sub {
    my $client = $proxy->connect;
    $client->write("GET /two-hundreds HTTP/1.1\r\nHost: a\r\n\r\n");
    is(join(' ', map { $client->read_response(interim => 1)->status } 1 .. 2), '100 200', 'one 100, and the answer');
};

# frames that end the connection
misbehaves($proxy, $_, 502, 'backend_http2_error')
    for qw(huge endless-continuations hpack long-frame bad-settings bad-window window-overflow push continuation even-stream http1);
misbehaves($proxy, 'stream-window', 502, 'backend_http2_error|backend_http2_message');

subtest 'more bytes than the window allows, for a client that takes none: cut' => sub {
    my $client = $proxy->connect(receive_buffer => 4096);
    $client->write("GET /flow HTTP/1.1\r\nHost: a\r\n\r\n");
    is($proxy->log_where(path => '/flow')->{code}, 'backend_http2_message', 'code=');
    ok(!$client->read_response->is_complete, 'the client sees that it is incomplete');
    is($proxy->get('/fine')->body, 'fine', 'the next request is fine');
};

subtest 'DATA behind the end of a response harms nobody' => sub {
    my $before = $backend->connections;
    is($proxy->get('/data-behind')->body, 'fine', 'the response is whole');
    is($proxy->get('/fine')->body, 'fine', 'the next one, too');
    is($backend->connections, $before + 1, 'over a new connection: the backend has broken a rule (RFC 9113 §5.1)');
};

subtest 'no backend of ours died of what we sent' => sub {
    is(join("\n", grep { /^died/ && !/ConnectionReset|BrokenPipe/ } $backend->events), '', 'none');
};

# How a connection begins: it is a failed connect, so that another backend may do better.
my %greeting = (
    'http1'       => [ 502, 'backend_not_http2' ],    # an HTTP/1.1 server
    'garbage'     => [ 502, 'backend_not_http2' ],
    'goaway-bare' => [ 502, 'backend_not_http2' ],
    'ping-first'  => [ 502, 'backend_not_http2' ],
    'window-huge' => [ 502, 'backend_not_http2' ],    # SETTINGS_INITIAL_WINDOW_SIZE beyond 2^31-1
    'frame-tiny'  => [ 502, 'backend_not_http2' ],    # SETTINGS_MAX_FRAME_SIZE below 16384
    'mute'        => [ 503, 'backend_connect_timeout' ],
    'shut'        => [ 503, 'backend_closed|backend_reset' ],
    'half'        => [ 503, 'backend_closed|backend_reset' ],
    'goaway'      => [ 503, 'backend_goaway' ],
    'streams0'    => [ 503, 'backend_busy' ],
    'streams0-shut'   => [ 503, 'backend_closed|backend_reset' ],
    'streams0-goaway' => [ 503, 'backend_busy' ],
    'settings-wrong'  => [ 502, 'backend_http2_error' ],    # SETTINGS, and a PING on a stream behind them
);
for my $greeting (sort keys %greeting) {
    my ($status, $code) = @{ $greeting{$greeting} };
    my $bad = Weir::Http2Backend->start(greeting => $greeting);
    my $own = proxy(
        apps => { alone => { domains => ['a'], backends => [ $bad->address ], protocol => 'h2c' },
                  both  => { domains => ['both'], backends => [ $bad->address, $backend->address ], protocol => 'h2c' } },
        path => { 'weir.connect-timeout' => ms(800) },
    );
    misbehaves($own, 'fine', $status, $code, name => "connections that begin with `$greeting`", last => 1);
    is($bad->connections, 1, "one such connection for a request (`$greeting`)");
    subtest "behind `$greeting` the router's next backend is tried" => sub {
        is($own->ask("GET /fine HTTP/1.1\r\nHost: both\r\n\r\n")->body, 'fine', "try $_") for 1 .. 4;
    };
    $bad->stop;
}

subtest 'a window that is never opened: backend_stalled' => sub {
    my $stingy = Weir::Http2Backend->start(greeting => 'window0');
    my $own = proxy(backends => [ $stingy->address ], app => { protocol => 'h2c' }, path => { 'weir.idle-timeout' => ms(400) });
    my $r = $own->ask("POST /fine HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    is($r->status, 503, 'a page');
    is($own->log_where(path => '/fine')->{code}, 'backend_stalled', 'code=');
    is($own->get('/fine')->body, 'fine', 'requests without a body need no window');
    is($stingy->connections, 1, 'over the same connection');
};

subtest 'a PING that is never answered: backend_ping_timeout, and a new connection' => sub {
    plan skip_all => 'workers have PINGs of their own' if $ENV{WEIR_WORKERS};
    my $deaf = Weir::Http2Backend->start(greeting => 'deaf');
    my $own = proxy(backends => [ $deaf->address ], app => { protocol => 'h2c' },
        path => { 'weir.backend-ping' => ms(600) });
    my $r = $own->get('/silence');
    is($r->status, 503, 'a page, long before the first-byte timeout');
    is($own->log_where(path => '/silence')->{code}, 'backend_ping_timeout', 'code=');
    is($own->get('/fine')->body, 'fine', 'the next request is fine');
    is($deaf->connections, 2, 'over a new connection');
};

subtest 'a PING that is answered keeps the connection' => sub {
    plan skip_all => 'workers have PINGs of their own' if $ENV{WEIR_WORKERS};
    my $good = Weir::Http2Backend->start;
    my $own = proxy(backends => [ $good->address ], app => { protocol => 'h2c' },
        path => { 'weir.backend-ping' => ms(500), 'weir.first-byte-timeout' => ms(20_000), 'weir.idle-timeout' => ms(20_000) });
    is($own->get('/slow?' . ms(4000))->body, '0', 'a slow answer arrives');
    cmp_ok($good->count(qr/^ping 0 asked/), '>=', 2, 'the backend was asked for signs of life meanwhile');
};

done_testing;
