# SPDX-License-Identifier: MIT
# How long a client's connection lives, and how the end of each response is marked.
use lib 't/lib';
use Weir::Test;

# The path names the response.
my %response = (
    'ok'      => simple_response('ok'),
    'empty'   => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    '204'     => "HTTP/1.1 204 No Content\r\n\r\n",
    '204-odd' => "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n",
    '304'     => "HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: \"x\"\r\n\r\n",
    'chunked' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: 1\r\n\r\n",
    'close'   => simple_response('ok', headers => "Connection: close\r\n"),
    (map { ("until-close-$_" => "HTTP/1.1 $_ Whatever\r\nX-Status: $_\r\n\r\nabcde") } 200, 201, 404, 500),
    'head'    => "HTTP/1.1 200 OK\r\nContent-Length: 4321\r\n\r\n",
    'head-te' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    'head-no' => "HTTP/1.1 200 OK\r\nX-No: length\r\n\r\n",
);
my $backend = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        my $case = $c->case_of($head);
        $c->write($response{$case});
        return if $case =~ /^until|^close/;
    }
});
my $proxy = proxy(backends => [$backend]);

sub request {
    my ($path, %option) = @_;
    my $version = $option{version} // '1.1';
    return ($option{method} // 'GET') . " /$path HTTP/$version\r\nHost: a\r\n" . ($option{headers} // '') . "\r\n" . ($option{body} // '');
}

subtest 'three requests in one packet are answered in their order' => sub {
    my $client = $proxy->connect;
    $client->write(request('ok') . request('chunked') . request('until-close-404'));
    is($client->read_response->body, 'ok', 'the first');
    is($client->read_response->body, 'abcde', 'the second');
    my $r = $client->read_response;
    is($r->status . $r->body, '404abcde', 'the third');
    ok(!$client->is_eof, 'the connection is still open');
};

subtest 'what stands behind a body is the next request' => sub {
    my $client = $proxy->connect;
    $client->write(request('ok', method => 'POST', headers => "Content-Length: 5\r\n", body => 'GET /')
            . request('empty', method => 'POST', headers => "Transfer-Encoding: chunked\r\n", body => "3\r\nabc\r\n0\r\n\r\n")
            . "\r\n" . request('204'));
    is($client->read_response->body, 'ok', 'behind a length');
    is($client->read_response->header('Content-Length'), '0', 'behind chunks');
    is($client->read_response->status, 204, 'behind an empty line');
};

subtest 'a hundred requests on one connection, a byte at a time between them' => sub {
    my $client = $proxy->connect;
    my $good = 0;
    for (1 .. 100) {
        my $bytes = request('ok');
        $client->write(substr $bytes, 0, $_ % length $bytes);
        $client->write(substr $bytes, $_ % length $bytes);
        $good += ($client->read_response // last)->body eq 'ok';
    }
    is($good, 100, 'all answered');
};

subtest 'who wants the connection to live on' => sub {
    my @cases = (    # version, request headers, lives, what the response must say
        [ '1.1', '',                                        1, undef ],
        [ '1.1', "Connection: keep-alive\r\n",              1, undef ],
        [ '1.1', "Connection: close\r\n",                   0, 'close' ],
        [ '1.1', "Connection: Close\r\n",                   0, 'close' ],
        [ '1.1', "Connection: keep-alive, close\r\n",       0, 'close' ],
        [ '1.1', "Connection: x\r\nConnection: close\r\n",  0, 'close' ],
        [ '1.1', "Connection: closed\r\n",                  1, undef ],
        [ '1.0', '',                                        0, undef ],
        [ '1.0', "Connection: keep-alive\r\n",              1, 'keep-alive' ],
        [ '1.0', "Connection: Keep-Alive\r\n",              1, 'keep-alive' ],
        [ '1.0', "Connection: keep-alive, close\r\n",       0, undef ],
    );
    for my $case (@cases) {
        my ($version, $headers, $lives, $says) = @$case;
        my $name = "HTTP/$version " . ($headers =~ s/\r\n/ /gr || 'without Connection');
        my $client = $proxy->connect;
        $client->write(request('ok', version => $version, headers => $headers));
        my $r = $client->read_response;
        is($r->body, 'ok', "$name: answered");
        is($r->version, '1.1', "$name: in HTTP/1.1");
        is(lc($r->header('Connection') // ''), $says, "$name: says $says") if $says;
        if ($lives) {
            $client->write(request('empty', version => $version, headers => $headers));
            my $next = $client->read_response;
            is($next && $next->status, 200, "$name: lives on");
        } else {
            is($client->read_eof, '', "$name: closed");
        }
    }
};

subtest 'the backend\'s close is not the client\'s' => sub {
    my $client = $proxy->connect;
    for (1 .. 2) {
        $client->write(request('close'));
        my $r = $client->read_response;
        is($r->body, 'ok', "answer $_");
        ok(!$r->says_close, 'no close for the client');
    }
};

subtest 'responses without a body' => sub {
    my $client = $proxy->connect;
    $client->write(request('204') . request('204-odd') . request('304') . request('ok'));
    for my $odd ('', ', though a length was sent') {
        my $r = $client->read_response;
        is($r->status, 204, "a 204$odd");
        is(join('|', $r->all('Content-Length'), $r->all('Transfer-Encoding')), '', "a 204 has no framing$odd");
    }
    my $r = $client->read_response;
    is($r->status, 304, 'the third is 304');
    is($r->header('Content-Length'), '1234', 'its Content-Length is told as it came');
    is($client->read_response->body, 'ok', 'and the connection goes on');
};

subtest 'HEAD' => sub {
    my $client = $proxy->connect;
    $client->write(join '', map { request($_, method => 'HEAD') } qw(head head-te head-no));
    is($client->read_response(head => 1)->header('Content-Length'), '4321', 'the length is told');
    my $r = $client->read_response(head => 1);
    is($r->header('Content-Length'), undef, 'no length is invented for a chunked one');
    $r = $client->read_response(head => 1);
    is($r->header('X-No'), 'length', 'nothing known, nothing waited for');
    is($r->header('Content-Length'), undef, 'and no length invented');
    $client->write(request('ok'));
    is($client->read_response->body, 'ok', 'the connection goes on');
};

subtest 'a length that nobody knows' => sub {
    for my $status (200, 201, 404, 500) {
        my $client = $proxy->connect;
        $client->write(request("until-close-$status"));
        my $r = $client->read_response;
        is($r->status, $status, "$status comes through");
        is($r->framing, 'chunked', "$status: chunked for HTTP/1.1");
        is($r->body, 'abcde', "$status: whole");
        $client->write(request('ok'));
        is($client->read_response->body, 'ok', "$status: the connection goes on");

        for my $headers ('', "Connection: keep-alive\r\n") {
            $client = $proxy->connect;
            $client->write(request("until-close-$status", version => '1.0', headers => $headers));
            $r = $client->read_response;
            is($r->framing, 'close', "$status: until the close for HTTP/1.0 $headers");
            is($r->body, 'abcde', "$status: whole");
        }
    }
};

subtest 'chunks for each' => sub {
    my $client = $proxy->connect;
    $client->write(request('chunked'));
    my $r = $client->read_response;
    is($r->framing, 'chunked', 'HTTP/1.1: chunked');
    is($r->body, 'abcde', 'the same bytes');
    like($r->trailer, qr/^X-Late: 1\r$/m, 'with the trailer');
    is($r->header('Content-Length'), undef, 'no length beside it');

    $client = $proxy->connect;
    $client->write(request('chunked', version => '1.0', headers => "Connection: keep-alive\r\n"));
    $r = $client->read_response;
    is($r->header('Transfer-Encoding'), undef, 'HTTP/1.0: not chunked');
    is($r->body, 'abcde', 'the payload alone, and a close');
    ok($r->is_complete, 'complete');
};

subtest 'a client that ends its side after the request gets the whole answer' => sub {
    my $client = $proxy->connect;
    $client->write(request('ok') . request('chunked'));
    $client->shutdown_write;
    is($client->read_response->body, 'ok', 'the first');
    is($client->read_response->body, 'abcde', 'the last');
    is($client->read_eof, '', 'then the proxy closes');
};

subtest 'weir.max-requests-per-connection' => sub {
    my $strict = proxy(backends => [$backend], global => { 'weir.max-requests-per-connection' => 3 });
    my $client = $strict->connect;
    $client->write(request('ok') x 5);
    my @r = map { $client->read_response } 1 .. 3;
    is(join(' ', map { $_->body } @r), 'ok ok ok', 'three are answered');
    is(join(' ', map { $_->says_close } @r), '0 0 1', 'the third says close');
    is($client->read_eof, '', 'and closes');
};

subtest 'a request for nobody leaves the connection usable' => sub {
    my $two = proxy(apps => { one => { domains => ['a'], backends => [ $backend->address ], }, gone => { domains => ['gone'], 'redirect-to' => 'new.test' } });
    my $client = $two->connect;
    $client->write("POST /x HTTP/1.1\r\nHost: gone\r\nContent-Length: 3\r\n\r\nabc");
    my $r = $client->read_response;
    is($r->status, 301, 'a redirect with the body unread');
    if ($r->says_close) {
        is($client->read_eof, '', 'closed, as it said');
    } else {
        $client->write(request('ok'));
        is($client->read_response->body, 'ok', 'the next request is read from the right place');
    }
};

subtest 'what comes behind the last request does no harm to its response' => sub {
    my $slow = backend(sub { my $c = shift; while ($c->read_head) { select undef, undef, undef, 0.005; $c->write(simple_response('slowly')) } });
    my $own = proxy(backends => [$slow]);
    my $last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    my $whole = 0;
    for my $behind (("\r\n") x 20, ($last) x 20) {
        my $client = $own->connect;
        $client->write($last);
        select undef, undef, undef, 0.001;    # while the backend thinks, and nobody reads
        $client->write($behind);
        my $r = $client->read_response;
        $whole++ if $r && $r->body eq 'slowly' && defined $client->read_eof;
    }
    is($whole, 40, 'forty responses, whole, and a clean end');
};

done_testing;
