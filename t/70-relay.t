# SPDX-License-Identifier: MIT
# What a well-behaved backend's response becomes: status, interim responses, framing, and when its connection is used again.
use lib 't/lib';
use Weir::Test;

sub chunked { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" . join '', map { sprintf "%x\r\n%s\r\n", length, $_ } @_, '' }

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";

# The path names the case: what to write, as pieces in packets of their own. Then the next request is read.
my %case = (
    'fine'           => [ "$ok\r\nok" ],
    'byte-by-byte'   => [ split //, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Slow: yes\r\n\r\nok" ],
    'no-reason'      => [ "HTTP/1.1 421\r\nContent-Length: 2\r\n\r\nok" ],
    'empty-reason'   => [ "HTTP/1.1 421 \r\nContent-Length: 2\r\n\r\nok" ],
    'odd-reason'     => [ "HTTP/1.1 299 It's a  \xe4 day\r\nContent-Length: 2\r\n\r\nok" ],
    'status-999'     => [ "HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok" ],
    'http-1.0'       => [ "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok" ],
    'http-1.0-keep'  => [ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok" ],
    'equal-lengths'  => [ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok" ],
    'te-and-length'  => [ "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" ],
    'length-and-te'  => [ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n2\r\nok\r\n0\r\n\r\n" ],
    'surplus'        => [ "$ok\r\nok" . "surplus of a sloppy backend" ],
    'two-responses'  => [ "$ok\r\nok" . "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil" ],
    'cookie-limit'   => [ $ok . 'Set-Cookie: ' . 'c' x (8192 - 12) . "\r\n\r\nok" ],
    'status-limit'   => [ 'HTTP/1.1 200 ' . 'r' x (8192 - 13) . "\r\nContent-Length: 2\r\n\r\nok" ],
    'header-limit'   => [ $ok . 'X-Large: ' . 'v' x (524288 - 9) . "\r\n\r\nok" ],
    'many-headers'   => [ $ok . join('', map { "H$_: x\r\n" } 1 .. 990) . "\r\nok" ],
    'cookies'        => [ $ok . "Set-Cookie: a=1\r\nX-Between: 1\r\nSet-Cookie: b=2\r\nset-cookie: a=1\r\n\r\nok" ],
    'interim'        => [ "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n", "HTTP/1.1 102 Processing\r\n\r\n", "$ok\r\nok" ],
    'interim-at-once' => [ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n$ok\r\nok" ],
    'chunks'         => [ chunked('abc', 'd' x 300, 'e') ],
    'no-chunks'      => [ chunked() ],
    'extensions'     => [ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0003;a=b;c=\"d;\\\"e\"\r\nabc\r\n0;last\r\n\r\n" ],
    'trailers'       => [ "HTTP/1.1 200 OK\r\nTrailer: X-Sum, Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Length: 5\r\nHost: evil\r\n\r\n" ],
    'exactly-64k'    => [ "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" . 'x' x 65536 ],
    'one-more'       => [ "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n" . 'x' x 65537 ],
    'blanks'         => [ $ok . "X-Blanks: \t v a \t\r\nX-Empty:\r\nX-None:v\r\n\r\nok" ],
);
my $backend = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        $c->write_pieces(@{ $case{ $c->case_of($head) } });
    }
});
my $proxy = proxy(backends => [$backend]);

my $client = $proxy->connect;
sub get {
    my ($path, %option) = @_;
    $client = $proxy->connect if $client->is_eof;
    $client->write(($option{method} // 'GET') . " /$path HTTP/" . ($option{version} // '1.1') . "\r\nHost: a\r\n\r\n");
    return $client->read_response(%option);
}

# Whether a following request travels over the same backend connection as the one before.
sub reuses {
    my ($path) = @_;
    get('fine');
    my $before = $backend->connections;
    get($path);
    my $r = get('fine');
    is($r && $r->body, 'ok', "$path: the next request has its own answer");
    return $backend->connections == $before;
}

subtest 'status lines' => sub {
    my %line = ('no-reason' => '421 ', 'empty-reason' => '421 ', 'odd-reason' => "299 It's a  \xe4 day", 'status-999' => '999 Odd', 'http-1.0' => '200 OK');
    for my $path (sort keys %line) {
        my ($line) = get($path)->head =~ /^(.*)\r\n/;
        like($line, qr{^HTTP/1\.1 \Q$line{$path}\E ?(?:Misdirected Request)?$}, $path);
    }
};

subtest 'limits are reached' => sub {
    for my $path (qw(cookie-limit status-limit header-limit many-headers)) {
        my $r = get($path);
        is($r && $r->body, 'ok', $path);
    }
    is(length(get('header-limit')->header('X-Large')), 524288 - 9, 'the long header is whole');
};

subtest 'headers' => sub {
    my $r = get('cookies');
    is_deeply([ $r->all('Set-Cookie') ], [ 'a=1', 'b=2', 'a=1' ], 'each cookie, in order');
    $r = get('blanks');
    is($r->header('X-Blanks') =~ s/\s+$//r, 'v a', 'blanks around a value are nobody\'s');
    is($r->header('X-Empty'), '', 'an empty value stays');
    is($r->header('X-None'), 'v', 'a value right behind its colon');
};

subtest 'a response in single bytes' => sub {
    my $r = get('byte-by-byte');
    is($r->body, 'ok', 'is whole');
    is($r->header('X-Slow'), 'yes', 'with its headers');
};

subtest 'framing' => sub {
    for my $path (qw(equal-lengths te-and-length length-and-te surplus two-responses)) {
        my $r = get($path);
        is($r->body, 'ok', "$path: the body");
        is(scalar(@{ [ $r->all('Content-Length'), $r->all('Transfer-Encoding') ] }), 1, "$path: framed once");
        is(get('fine')->body, 'ok', "$path: the next request has its own answer");
    }
    is(get('exactly-64k')->body, 'x' x 65536, '64 KiB');
    is(get('one-more')->body, 'x' x 65537, 'and one byte');
};

subtest 'chunks' => sub {
    is(get('chunks')->body, 'abc' . 'd' x 300 . 'e', 'payload');
    is(get('no-chunks')->body, '', 'nothing in them');
    $client->write("GET /extensions HTTP/1.1\r\nHost: a\r\n\r\n");
    $client->read_head;
    my $raw = $client->read_until(qr/\r\n0.*?\r\n\r\n/);
    unlike($raw, qr/[;"]/, 'extensions end here');
    like($raw, qr/^0*3\r\nabc\r\n0\r\n\r\n$/, 'the chunk itself passes');
    my $r = get('trailers');
    is($r->header('Trailer'), 'X-Sum, Content-Length', 'Trailer is forwarded');
    is($r->trailer, "X-Sum: 1\r\n", 'trailers that frame or route are not');
};

subtest 'interim responses' => sub {
    for my $path (qw(interim interim-at-once)) {
        $client->write("GET /$path HTTP/1.1\r\nHost: a\r\n\r\n");
        my @seen;
        while (my $r = $client->read_response(interim => 1)) {
            push @seen, $r->status;
            is($r->header('Link') =~ s/\W//gr, $path eq 'interim' ? 'stylecss' : 'a', "$path: 103 keeps its headers") if $r->status == 103;
            last if $r->status >= 200;
        }
        is("@seen", $path eq 'interim' ? '103 102 200' : '100 103 200', "$path: each is forwarded");
    }
    my $old = $proxy->connect;
    $old->write("GET /interim-at-once HTTP/1.0\r\nHost: a\r\n\r\n");
    my $r = $old->read_response(interim => 1);
    is($r->status, 200, 'none of them to HTTP/1.0');
};

subtest 'when the backend\'s connection is used again' => sub {
    ok(reuses('fine'), 'after a length');
    ok(reuses('chunks'), 'after chunks');
    ok(reuses('http-1.0-keep'), 'HTTP/1.0 that asks for it');
    ok(!reuses('http-1.0'), 'not HTTP/1.0 that does not');
    ok(!reuses('surplus'), 'not after surplus bytes');
    ok(!reuses('two-responses'), 'not after a second response');
};

subtest 'HEAD' => sub {
    my $bytes = get('exactly-64k', method => 'HEAD', head => 1);
    is($bytes->header('Content-Length'), 65536, 'the length of what GET would bring');
    is(get('fine')->body, 'ok', 'a body sent in spite of HEAD is not the next answer');
};

done_testing;
