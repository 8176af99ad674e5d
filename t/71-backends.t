# SPDX-License-Identifier: MIT
# Backends that misbehave: each has its reason in the log, the client has a page or an incomplete message, and the next
# request is fine.
use lib 't/lib';
use Weir::Test;

my $fine = simple_response('fine');
my $ok = "HTTP/1.1 200 OK\r\n";
my $chunks = "${ok}Transfer-Encoding: chunked\r\n\r\n";
my %case;
my @order;

# name, what the backend does, status for the client ('cut': 200 and an incomplete message), reason in the log
sub misbehaves {
    my ($name, $does, $status, $code) = @_;
    $case{$name} = $does;
    push @order, [ $name, $status, $code ];
}
my $pause = sub { select undef, undef, undef, 0.05 };

# the status line
my %line = (
    'no number' => 'HTTP/1.1 OK', 'two digits' => 'HTTP/1.1 20 OK', 'four digits' => 'HTTP/1.1 2000 OK', 'HTTP 2' => 'HTTP/2 200 OK',
    'HTTP 1.2' => 'HTTP/1.2 200 OK', 'lower case' => 'http/1.1 200 OK', 'two spaces' => 'HTTP/1.1  200 OK', 'status 099' => 'HTTP/1.1 099 Low',
    'no space' => 'HTTP/1.1 200OK', 'a minus' => 'HTTP/1.1 -200 OK', 'a NUL' => "HTTP/1.1 200 O\0K", 'icy' => 'ICY 200 OK', 'a blank first' => ' HTTP/1.1 200 OK',
    'a tab' => "HTTP/1.1\t200 OK",
);
misbehaves("line: $_", "$line{$_}\r\nContent-Length: 2\r\n\r\nok", 503, 'backend_invalid_status') for sort keys %line;
misbehaves('an empty line first', "\r\n${ok}Content-Length: 2\r\n\r\nok", 503, 'backend_invalid_status');
misbehaves('LF only', "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 503, 'backend_invalid_status');
misbehaves('HTML alone', '<html>no head at all</html>', 503, 'backend_invalid_status');
misbehaves('a TLS alert', "\x15\x03\x01\x00\x02\x02\x46", 503, 'backend_invalid_status');
misbehaves('a status line too long', 'HTTP/1.1 200 ' . 'r' x (8193 - 13) . "\r\n\r\n", 502, 'backend_status_length');
misbehaves('a status line without end', 'HTTP/1.1 200 ' . 'r' x 20000, 502, 'backend_status_length');

# header lines
my %header = (
    'no colon' => 'Colonless', 'a fold' => "X: a\r\n b: c", 'an empty name' => ': x', 'a blank in a name' => 'X Y: 1', 'a blank before the colon' => 'X : 1',
    'a bare LF' => "X: a\nEvil: 1", 'a bare CR' => "X: a\rb", 'a NUL' => "X: a\0b", 'a control' => "X: a\x02b",
);
misbehaves("header: $_", "${ok}Content-Length: 2\r\n$header{$_}\r\n\r\nok", 502, 'backend_invalid_header') for sort keys %header;
misbehaves('a cookie too long', $ok . 'Set-Cookie: ' . 'c' x (8193 - 12) . "\r\n\r\n", 502, 'backend_cookie_length');
misbehaves('a header too long', $ok . 'X-Large: ' . 'v' x (524289 - 9) . "\r\n\r\n", 502, 'backend_header_length');
misbehaves('a header without end', $ok . 'X-Large: ' . 'v' x 600000, 502, 'backend_header_length');
misbehaves('a head too large', $ok . join('', map { "H$_: " . 'v' x 400000 . "\r\n" } 1 .. 3) . "\r\n", 502, 'backend_header_length');
misbehaves('too many headers', $ok . join('', map { "H$_: x\r\n" } 1 .. 1500) . "\r\n", 502, 'backend_header_length');

# framing
misbehaves("length: $_", "${ok}Content-Length: $_\r\n\r\nok", 502, 'backend_content_length')
    for 'abc', '-2', '+2', '2 2', '2,2', '0x2', '', '99999999999999999999';
misbehaves('two lengths', "${ok}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!", 502, 'backend_content_length');
misbehaves("coding: $_", "${ok}Transfer-Encoding: $_\r\n\r\n0\r\n\r\n", 502, 'backend_invalid_transfer_encoding')
    for '', 'gzip', 'identity', 'gzip, chunked', 'chunked, chunked';
misbehaves('two codings', "${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, 'backend_invalid_transfer_encoding');

# ends too early
misbehaves('no word', '', 503, 'backend_closed');
misbehaves('half a head', "${ok}Content-Le", 503, 'backend_truncated|backend_closed');
misbehaves('a small body too short', "${ok}Content-Length: 100\r\n\r\n" . 'x' x 99, 503, 'backend_truncated');
misbehaves('64 KiB less one', "${ok}Content-Length: 65536\r\n\r\n" . 'x' x 65535, 503, 'backend_truncated');
misbehaves('a large body too short', "${ok}Content-Length: 100000\r\n\r\n" . 'x' x 99999, 'cut', 'backend_truncated');
misbehaves('chunks without end', "${chunks}3\r\nabc\r\n", 'cut', 'backend_truncated');
misbehaves('half a chunk', "${chunks}30\r\nabc", 'cut', 'backend_truncated');
misbehaves('no last CRLF', "${chunks}3\r\nabc\r\n0\r\n", 'cut', 'backend_truncated');
misbehaves('a reset', sub { $_[0]->reset }, 503, 'backend_reset');
misbehaves('a reset in the head', sub { $_[0]->write($ok); $pause->(); $_[0]->reset }, 503, 'backend_reset');
misbehaves('a reset in a small body', sub { $_[0]->write("${ok}Content-Length: 9\r\n\r\nab"); $pause->(); $_[0]->reset }, 503, 'backend_reset');
misbehaves('a reset in a body of unknown length', sub { $_[0]->write("$ok\r\nabc"); $pause->(); $_[0]->reset }, 'cut', 'backend_reset');
misbehaves('a reset in chunks', sub { $_[0]->write("${chunks}3\r\nabc\r\n"); $pause->(); $_[0]->reset }, 'cut', 'backend_reset');

# broken chunks, once the head is with the client
my %chunk = (
    'no size' => "\r\n", 'no hex' => "xyz\r\n", 'a blank' => "3 \r\nabc\r\n", 'bare LF' => "3\nabc\n0\n\n", 'overrun' => "3\r\nabcd\r\n", 'a huge size' => 'f' x 17 . "\r\n",
    'a minus' => "-1\r\n", 'a bad trailer' => "0\r\na b: c\r\n\r\n", 'an endless extension' => '3;' . 'e' x 5000 . "\r\nabc\r\n",
);
for my $name (sort keys %chunk) {
    misbehaves("chunk: $name", sub { $_[0]->write("${chunks}2\r\nok\r\n"); $pause->(); $_[0]->write("$chunk{$name}0\r\n\r\n"); $_[0]->wait_close },
        'cut', 'backend_bad_chunk');
}
for my $long ("T: x\r\n" x 200, 'T: ' . 'x' x 20_000 . "\r\n") {
    misbehaves('trailers of ' . length($long), sub { $_[0]->write("${chunks}2\r\nok\r\n"); $pause->(); $_[0]->write("0\r\n$long\r\n"); $_[0]->wait_close },
        'cut', 'backend_trailer_length');
}

# silence
misbehaves('silence', sub { $_[0]->wait_close }, 503, 'backend_timeout');
misbehaves('silence in the head', sub { $_[0]->write($ok); $_[0]->wait_close }, 503, 'backend_timeout');
misbehaves('silence in a small body', sub { $_[0]->write("${ok}Content-Length: 9\r\n\r\nab"); $_[0]->wait_close }, 503, 'backend_timeout');
misbehaves('silence in a large body', sub { $_[0]->write("${ok}Content-Length: 99999\r\n\r\nab"); $_[0]->wait_close }, 'cut', 'backend_timeout');
misbehaves('silence in chunks', sub { $_[0]->write("${chunks}2\r\nok\r\n"); $_[0]->wait_close }, 'cut', 'backend_timeout');

# interim responses that lead nowhere
misbehaves('a storm of 102', "HTTP/1.1 102 Processing\r\n\r\n" x 5000, 502, 'backend_too_many_interim');
misbehaves('a storm of 100', "HTTP/1.1 100 Continue\r\n\r\n" x 5000, 502, 'backend_too_many_interim');
misbehaves('101 unasked', "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 502, 'backend_unsolicited_upgrade');
misbehaves('a close after 103', "HTTP/1.1 103 Early Hints\r\n\r\n", 503, 'backend_closed|backend_truncated');
misbehaves('silence after 103', sub { $_[0]->write("HTTP/1.1 103 Early Hints\r\n\r\n"); $_[0]->wait_close }, 503, 'backend_timeout');

cmp_ok(scalar @order, '>=', 30, scalar(@order) . ' ways to misbehave');

my $backend = backend(sub {
    my $c = shift;
    my ($head) = $c->read_request or return;
    my ($path) = $head =~ m{^\S+ /(\S*) };
    $path =~ s/%(..)/chr hex $1/ge;
    return $c->write($fine) if $path eq 'fine';
    my $does = $case{$path} // die "no case $path";
    ref $does ? $does->($c) : $c->write($does);
});
my $proxy = proxy(
    backends => [$backend],
    app  => { keepalive => 'none' },
    path => { 'weir.first-byte-timeout' => ms(1000), 'weir.idle-timeout' => ms(1000) },
);

sub path_of { return '/' . $_[0] =~ s/([^\w.-])/sprintf '%%%02x', ord $1/ger }

for my $case (@order) {
    my ($name, $status, $code) = @$case;
    subtest "$name: $code" => sub {
        my $path = path_of($name);
        my $client = $proxy->connect;
        $client->write("GET $path HTTP/1.1\r\nHost: a\r\n\r\n");
        my $r = $client->read_response or return fail('there is a response');
        shows_fault($client, $r, $status, $code);
        if ($status ne 'cut') {
            ok($r->says_close, 'Connection: close');
            is($client->read_eof, '', 'closed');
        }
        my $line = $proxy->log_where(path => $path);
        like($line->{code}, qr/^(?:$code)$/, 'code=');
        is($line->{at}, 'error', 'at=error');
        my $next = $proxy->get('/fine');
        is($next && $next->body, 'fine', 'the next request is fine');
    };
}

subtest 'the proxy lets go of each such backend' => sub {
    my $waiting = grep { ref } values %case;
    ok(wait_for { $backend->connections == grep { /^done / } $backend->events }, 'every connection is closed')
        or diag(join "\n", grep { /died/ } $backend->events);
};

subtest 'HTTP/1.0 clients are told by the close, or with a page' => sub {
    for my $case ([ 'chunks without end', 200 ], [ 'a small body too short', 503 ], [ 'a storm of 100', 502 ]) {
        my ($name, $status) = @$case;
        my $r = $proxy->ask('GET ' . path_of($name) . " HTTP/1.0\r\nHost: a\r\n\r\n");
        is($r->status, $status, "$name: $status");
    }
};

done_testing;
