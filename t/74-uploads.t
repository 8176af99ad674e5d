# SPDX-License-Identifier: MIT
# Bodies of requests: the grammar of chunks, early answers, dying backends, clients that leave, timers.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

sub pause { select undef, undef, undef, ms($_[0]) / 1000; return }
my $no = "HTTP/1.1 403 No\r\nContent-Length: 2\r\n";

# The first word of the path: what the backend does behind the head. True: and then the next request.
my %does = (
    echo   => sub { my ($c, $head) = @_; my ($body, $trailer) = $c->read_body($head); $c->write(simple_response("$body|$trailer")); 1 },
    # answers at once, and goes on reading
    early  => sub { my ($c, $head) = @_; $c->write("$no\r\nno"); $c->note('answered'); $c->wait_close; 0 },
    # answers at once, and takes the body then
    takes  => sub { my ($c, $head) = @_; $c->write("$no\r\nno"); $c->read_body($head); 1 },
    # answers at once, and ends its side
    ends   => sub { my ($c, $head) = @_; $c->write("${no}Connection: close\r\n\r\nno"); $c->shutdown_write; $c->note('answered'); $c->wait_close; 0 },
    half   => sub { my ($c) = @_; $c->write("HTTP/1.1 403 No\r\nContent-Le"); $c->note('answered'); pause(100); $c->write("ngth: 2\r\n\r\nno"); $c->wait_close; 0 },
    large  => sub { my ($c, $head) = @_; $c->write("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" . 'L' x 300000); $c->note('answered'); $c->wait_close; 0 },
    leave  => sub { my ($c) = @_; $c->read_until(qr/some/); $c->note('left'); $c->reset; 0 },
    quit   => sub { my ($c) = @_; $c->note('left'); $c->reset; 0 },
    silent => sub { my ($c) = @_; $c->note('asked'); $c->wait_close; 0 },
    deaf   => sub { my ($c) = @_; $c->note('asked'); pause(5000); 0 },
);
my $backend = backend(sub {
    my $c = shift;
    while (my $head = $c->read_head) {
        $does{ $c->case_of($head) }->($c, $head) or return;
    }
});
my $proxy = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(2000), 'weir.first-byte-timeout' => ms(2000) });

sub head_of { my ($path, $framing, $method) = @_; return ($method // 'POST') . " /$path HTTP/1.1\r\nHost: a\r\n$framing\r\n\r\n" }
my $chunked = 'Transfer-Encoding: chunked';

my %good = (
    'sizes in either case'          => [ "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",            '0123456789' x 2 . '|' ],
    'leading zeros'                 => [ "0000000000000003\r\nabc\r\n000\r\n\r\n",                     'abc|' ],
    'an extension'                  => [ "3;a\r\nabc\r\n0;b=c\r\n\r\n",                                'abc|' ],
    'an empty extension'            => [ "3;\r\nabc\r\n0;\r\n\r\n",                                    'abc|' ],
    'extensions with values'        => [ "3;a=b;c=\"d\";e\r\nabc\r\n0\r\n\r\n",                        'abc|' ],
    'a quoted string with specials' => [ "3;a=\";,=\\\"\\\\\"\r\nabc\r\n0\r\n\r\n",                    'abc|' ],
    'data that looks like chunks'   => [ "7\r\n0\r\n\r\nX:\r\n0\r\n\r\n",                              "0\r\n\r\nX:|" ],
    'many small chunks'             => [ "1\r\nx\r\n" x 2000 . "0\r\n\r\n",                            'x' x 2000 . '|' ],
    'no data at all'                => [ "0\r\n\r\n",                                                  '|' ],
    'a trailer'                     => [ "1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n",                            "x|X-Sum: 1\r\n" ],
    'trailers in order'             => [ "0\r\nX-B: 1\r\nX-A: 2\r\nX-B: 3\r\n\r\n",                    "|X-B: 1\r\nX-A: 2\r\nX-B: 3\r\n" ],
    'an empty trailer value'        => [ "0\r\nX-A:\r\n\r\n",                                          "|X-A: \r\n" ],
    'trailers that must not be'     => [ "0\r\nHost: evil\r\nContent-Length: 4\r\nTransfer-Encoding: x\r\nX-A: 1\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n", "|X-A: 1\r\n" ],
);
my %bad = (
    'a bare LF behind the size'     => "3\nabc\r\n0\r\n\r\n",      'a bare CR behind the size'    => "3\rabc\r\n0\r\n\r\n",
    'a blank before the size'       => " 3\r\nabc\r\n0\r\n\r\n",   'a blank behind the size'      => "3 \r\nabc\r\n0\r\n\r\n",
    'a blank before the extension'  => "3 ;a\r\nabc\r\n0\r\n\r\n", '0x'                           => "0x3\r\nabc\r\n0\r\n\r\n",
    'a sign'                        => "+3\r\nabc\r\n0\r\n\r\n",   'an underscore'                => "1_0\r\nabc\r\n0\r\n\r\n",
    'seventeen digits'              => "00000000000000003\r\nabc\r\n0\r\n\r\n", 'more than 2^63-1' => "8000000000000000\r\nabc",
    'an LF in an extension'         => "3;a\nb\r\nabc\r\n0\r\n\r\n", 'a NUL in an extension'      => "3;a\0b\r\nabc\r\n0\r\n\r\n",
    'a CR in a quoted string'       => "3;a=\"b\rc\"\r\nabc\r\n0\r\n\r\n", 'an open quoted string' => "3;a=\"b\r\nabc\r\n0\r\n\r\n",
    'no CRLF behind the data'       => "3\r\nabc0\r\n\r\n",        'an LF behind the data'        => "3\r\nabc\n0\r\n\r\n",
    'a trailer without a colon'     => "0\r\nfoo\r\n\r\n",         'a trailer without a name'     => "0\r\n: x\r\n\r\n",
    'a blank in a trailer name'     => "0\r\nX A: 1\r\n\r\n",      'an LF in a trailer'           => "0\r\nX-A: 1\nX-B: 2\r\n\r\n",
    'a folded trailer'              => "0\r\nX-A: 1\r\n 2\r\n\r\n", 'an LF at the end'            => "0\r\n\n",
    'text for a size'               => "GET / HTTP/1.1\r\n\r\n",   'an endless extension'         => '3;' . 'e' x 100_000 . "\r\nabc\r\n0\r\n\r\n",
    'endless trailers'              => "0\r\n" . "X-A: 1\r\n" x 10_000 . "\r\n",
);
for my $name (sort keys %good) {
    subtest "chunks: $name" => sub {
        my ($bytes, $want) = @{ $good{$name} };
        my $client = $proxy->connect;
        $client->write(head_of('echo', $chunked) . $bytes . head_of('echo/next', 'Content-Length: 4') . 'next');
        is($client->read_response->body, $want, 'the payload reaches the backend');
        is($client->read_response->body, 'next|', 'and the next request begins where it ends');
        unlike(($backend->received)[-1], qr/[;"]/, 'extensions end here') if $name =~ /extension|quoted/;
    };
}
for my $name (sort keys %bad) {
    subtest "chunks: $name is an error" => sub {
        my $client = $proxy->connect;
        my $path = 'echo/' . $name =~ s/\W+/-/gr;
        $client->write(head_of($path, $chunked) . "2\r\nok\r\n$bad{$name}" . head_of('evil', 'Content-Length: 0'));
        my $r = $client->read_response;
        my ($status, $code) = $name eq 'endless trailers' ? (431, 'client_trailer_length') : (400, 'client_bad_chunk');
        is($r->status, $status, 'the status');
        is($client->read_eof, '', 'and a close: nothing behind it is read');
        is($proxy->log_where(path => "/$path")->{code}, $code, $code);
    };
}

for my $method (qw(GET HEAD DELETE OPTIONS PURGE)) {
    subtest "$method may have a body" => sub {
        my @framings = ([ 'Content-Length: 4', 'body' ], [ $chunked, "4\r\nbody\r\n0\r\n\r\n" ]);
        for my $framing (@framings) {
            my $client = $proxy->connect;
            $client->write(head_of("echo/$method", $framing->[0], $method) . $framing->[1] . head_of('echo/next', 'Content-Length: 0'));
            my $r = $client->read_response(head => $method eq 'HEAD');
            $method eq 'HEAD' ? is($r->header('Content-Length'), 5, 'the length that GET would have had') : is($r->body, 'body|', $framing->[0]);
            is($client->read_response->body, '|', 'the next request');
        }
    };
}

subtest 'exactly as much as was announced' => sub {
    my $client = $proxy->connect;
    $client->write(head_of('echo', 'Content-Length: 5') . 'hello' . head_of('echo', 'Content-Length: 3') . 'abcGET ');
    is($client->read_response->body, 'hello|', 'the first');
    is($client->read_response->body, 'abc|', 'the second');
    $client->write("/echo HTTP/1.1\r\nHost: a\r\n\r\n");
    is($client->read_response->body, '|', 'what was too much is the beginning of the third');
};

# An answer that comes before the body is through: the client must get it, whatever the backend does next.
for my $path (qw(early ends half large)) {
    for my $framing ('Content-Length: 1000000', $chunked) {
        my $how = $framing =~ /chunked/ ? 'chunked' : 'length';
        subtest "an early answer ($path, $how)" => sub {
            my $client = $proxy->connect;
            my $before = grep { /answered/ } $backend->events;
            $client->write(head_of("$path/$how", $framing) . ($how eq 'chunked' ? "4\r\nsome\r\n" : 'some'));
            wait_for { $before < grep { /answered/ } $backend->events };
            pause(50);
            $client->write($how eq 'chunked' ? "5\r\nother\r\n" : 'other');
            my $r = $client->read_response;
            is($r->status, $path eq 'large' ? 200 : 403, 'its status');
            is($r->body, $path eq 'large' ? 'L' x 300000 : 'no', 'its body');
            ok($r->is_complete, 'complete');
            ok($r->says_close, 'Connection: close, as nobody reads the rest');
            is($proxy->log_where(path => "/$path/$how")->{at}, 'info', 'no error');
        };
    }
}

subtest 'an early answer to a body that has arrived' => sub {
    my $client = $proxy->connect;
    $client->write(head_of('takes/whole', 'Content-Length: 9') . 'some more' . head_of('echo/next', 'Content-Length: 0'));
    my $r = $client->read_response;
    is($r->status, 403, 'the answer');
    ok(!$r->says_close, 'need not end the connection');
    is($client->read_response->body, '|', 'the next request is read from the right place');
};

for my $path (qw(leave quit)) {
    subtest "a backend that dies without a word ($path)" => sub {
        my $client = $proxy->connect;
        $client->write(head_of("$path/x", 'Content-Length: 1000000') . 'some');
        my $r = $client->read_response;
        is($r->status, 503, 'the status');
        like($proxy->log_where(path => "/$path/x")->{code}, qr/^backend_(?:reset|closed)$/, 'its reason');
        ok($r->is_complete && $r->says_close, 'a whole page, and a close');
    };
}

# The client leaves. "wait" has sent everything; a mere end of its side is then no reason to stop.
for my $how (qw(reset close shutdown_write)) {
    for my $state (qw(length chunked)) {
        subtest "the client leaves ($how) in the middle of its body ($state)" => sub {
            my $client = $proxy->connect;
            my $before = grep { /asked/ } $backend->events;
            $client->write(head_of("silent/$how-$state", $state eq 'chunked' ? $chunked : 'Content-Length: 9') . "3\r\nab");
            wait_for { $before < grep { /asked/ } $backend->events };
            my $begin = time;
            $client->$how;
            is($proxy->log_where(path => "/silent/$how-$state")->{code}, 'client_closed', 'client_closed');
            cmp_ok(time - $begin, '<', ms(1500) / 1000, 'noticed at once');
        };
    }
}

subtest 'the time for an answer begins when the body is through' => sub {
    my $client = $proxy->connect;
    $client->write(head_of('echo/slowly', 'Content-Length: 8'));
    for my $piece (qw(ab cd ef gh)) {
        pause(150);
        $client->write($piece);
    }
    is($client->read_response->body, 'abcdefgh|', 'an upload longer than weir.first-byte-timeout');
    $client->write(head_of('silent/late', 'Content-Length: 2') . 'ab');
    my $begin = time;
    is($client->read_response->status, 503, 'then it is taken');
    cmp_ok(time - $begin, '>=', ms(280) / 1000, 'in full');
    is($proxy->log_where(path => '/silent/late')->{code}, 'backend_timeout', 'backend_timeout');
};

subtest 'each byte of a body prolongs its time' => sub {
    my $own = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(300) });
    my $client = $own->connect;
    $client->write(head_of('echo/drops', 'Content-Length: 5'));
    for my $byte (split //, 'drops') {
        pause(150);
        $client->write($byte);
    }
    is($client->read_response->body, 'drops|', 'it arrives');
    $client->write(head_of('echo/stops', $chunked) . "5\r\nst");
    my $r = $client->read_response;
    is($r->status, 503, 'silence ends it');
    is($own->log_where(path => '/echo/stops')->{code}, 'client_timeout', 'client_timeout');
};

subtest 'nothing of a body is taken before there is a backend' => sub {
    my $gate = temp_path('gate');
    my $own = proxy(router => { module => router_so('gated'), gate => $gate, backend => $backend->address });
    my $client = $own->connect;
    my $bytes = 30_000_000;
    $client->write(head_of('echo/patient', "Content-Length: $bytes"));
    my $sent = $client->write_until_stuck('x' x $bytes, ms(200) / 1000);
    cmp_ok($sent, '<', $bytes, 'while the router thinks, the client waits');
    is(scalar(grep { m{/patient} } $backend->heads), 0, 'and no backend hears of it');
    write_file($gate, '');
    $client->write('x' x ($bytes - $sent), 60);
    ok($client->read_response(seconds => 60)->body eq 'x' x $bytes . '|', 'then everything arrives');
};

subtest 'a backend that takes nothing' => sub {
    my $own = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(400) });
    my $client = $own->connect;
    $client->write(head_of('deaf/x', 'Content-Length: 100000000'));
    my $sent = $client->write_until_answered('x' x 65536);
    my $r = $client->read_response;
    is($r->status, 503, 'ends in a page');
    is($own->log_where(path => '/deaf/x')->{code}, 'backend_stalled', 'backend_stalled');
    cmp_ok($sent, '<', 60_000_000, 'the client was held back meanwhile, but for what the kernel holds');
};

subtest 'both directions at once: a response that begins before the request has ended' => sub {
    my $duplex = backend(sub {
        my $c = shift;
        $c->read_head;
        $c->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while (my $chunk = $c->read_until(qr/^\w+\r\n.*?\r\n/)) {
            $c->write($chunk);
            return if $chunk =~ /^0/;
        }
    });
    my $client = proxy(backends => [$duplex])->connect;
    $client->write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    ok($client->read_head, 'the head is there before any of the body');
    for my $piece ("3\r\none\r\n", "3\r\ntwo\r\n", "0\r\n\r\n") {
        $client->write($piece);
        is($client->read_until(qr/\r\n.*\r\n/), $piece, 'a piece goes there and comes back');
    }
};

done_testing;
