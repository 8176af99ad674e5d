# SPDX-License-Identifier: MIT
# Responses: what is held until it is whole, what is cut, what a client of each version gets, and who waits for whom.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

sub pause { select undef, undef, undef, ms($_[0]) / 1000; return }
my $ok = "HTTP/1.1 200 OK\r\n";
my $flag = temp_path('flag');
my $huge = 'x' x 50_000_000;    # made here, as no timer of a response must run meanwhile
my $chunks = "${ok}Transfer-Encoding: chunked\r\n\r\n";

# A body of so many bytes of which the last is not sent: how it ends is the path's second word.
sub dies {
    my ($c, $head) = @_;
    my ($bytes, $how) = $head =~ m{/dies/(\d+)/(\w+)};
    $c->write("${ok}Content-Length: $bytes\r\n\r\n" . 'x' x ($bytes - 1));
    pause(50);
    $c->reset if $how eq 'reset';
    $c->wait_close if $how eq 'silence';
    return 0;
}

my %does = (
    ok       => sub { $_[0]->write("${ok}Content-Length: 2\r\n\r\nok"); 1 },
    dies     => \&dies,
    whole    => sub { my ($c, $head) = @_; my ($bytes) = $head =~ m{/whole/(\d+)}; $c->write("${ok}Content-Length: $bytes\r\n\r\n" . 'x' x $bytes); 1 },
    pieces   => sub { my ($c, $head) = @_; $c->write("${ok}Content-Length: 10\r\n\r\n"); for (1 .. 5) { $c->write('ab'); pause(20) } 1 },
    stream   => sub { my ($c) = @_; $c->write($chunks); for (1 .. 3) { $c->write("5\r\nevent\r\n"); $c->note('event'); pause(150) } $c->write("0\r\n\r\n"); 1 },
    head     => sub { my ($c) = @_; $c->write($chunks); pause(200); $c->write("0\r\n\r\n"); 1 },
    length   => sub { my ($c) = @_; $c->write("${ok}Content-Length: 70000\r\n\r\n"); pause(200); $c->write('x' x 70000); 1 },
    until    => sub { my ($c) = @_; $c->write("$ok\r\nabc"); pause(100); $c->write('def'); 0 },
    lies     => sub { my ($c, $head) = @_; my ($status) = $head =~ m{/lies/(\d+)}; $c->write("HTTP/1.1 $status Whatever\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"); 1 },
    bare     => sub { my ($c, $head) = @_; my ($status) = $head =~ m{/bare/(\d+)}; $c->write("HTTP/1.1 $status Whatever\r\n\r\n"); 1 },
    slow     => sub { my ($c) = @_; $c->write("${ok}Content-Length: 6\r\n\r\n"); for (split //, 'slowly') { pause(150); $c->write($_) } 1 },
    hints    => sub { my ($c) = @_; for (1 .. 3) { pause(200); $c->write("HTTP/1.1 103 Early Hints\r\n\r\n") } pause(200); $c->write("${ok}Content-Length: 2\r\n\r\nok"); 1 },
    trailers => sub { $_[0]->write("${chunks}2;a=\"b\"\r\nok\r\n0;last\r\nX-Sum: 1\r\nSet-Cookie: evil\r\nX-Sum: 2\r\n\r\n"); 1 },
    huge     => sub { my ($c) = @_; $c->write("${ok}Content-Length: 50000000\r\n\r\n"); $c->write($huge, 60); 1 },
    endless  => sub { my ($c) = @_; $c->write($chunks); 1 while $c->write("10000\r\n" . 'x' x 65536 . "\r\n", 2) && !$c->{broken}; 0 },
    order    => sub { $_[0]->write("HTTP/1.1 203 It's mine\r\nX-B: 1\r\nContent-Length: 2\r\nVia: 1.1 inner\r\nx-a: 2\r\nConnection: keep-alive\r\nX-b: 3\r\n\r\nok"); 1 },
    dated    => sub { $_[0]->write("${ok}Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: inner\r\nContent-Length: 2\r\n\r\nok"); 1 },
    # does what the path says when the test says so
    hold     => sub {
        my ($c, $head) = @_;
        $c->note('held');
        wait_for { -e $flag };
        $c->write("nonsense\r\n\r\n") if $head =~ m{/nonsense};
        $head =~ m{/reset} ? $c->reset : $c->close;
        $c->note('let go');
        return 0;
    },
    lf       => sub { my ($c) = @_; $c->write("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"); $c->wait_close; 0 },
);
my $backend = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        $does{ $c->case_of($head) }->($c, $head) or return;
    }
});
my $proxy = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(400), 'weir.first-byte-timeout' => ms(300) });

sub request { my ($path, %option) = @_; return ($option{method} // 'GET') . " /$path HTTP/" . ($option{version} // '1.1') . "\r\nHost: a\r\n" . ($option{headers} // '') . "\r\n" }
sub get { my ($path, %option) = @_; return $proxy->ask(request($path, %option), %option) }

my %code = (close => 'backend_truncated', reset => 'backend_reset', silence => 'backend_timeout');
for my $bytes (1, 1000, 65535, 65536, 65537, 200_000) {
    for my $how (sort keys %code) {
        my $is_page = $bytes <= 65536;
        subtest "a body of $bytes that lacks its last byte ($how): " . ($is_page ? 'a page' : 'cut') => sub {
            my $path = "dies/$bytes/$how";
            my $client = $proxy->connect;
            $client->write(request($path));
            my $r = $client->read_response;
            is($r->status, $is_page ? 503 : 200, 'the status');
            is($r->is_complete ? 'complete' : 'cut', $is_page ? 'complete' : 'cut', 'the message');
            is(length $r->body, $bytes - 1, 'everything that had come is with the client') if !$is_page && $how ne 'reset';
            is(scalar(() = $r->body =~ /HTTP|503/g), 0, 'nothing is written into it') if !$is_page;
            ok(defined $client->read_eof, 'closed');
            is($proxy->log_where(path => "/$path")->{code}, $code{$how}, $code{$how});
        };
    }
    subtest "a body of $bytes" => sub {
        my $r = get("whole/$bytes");
        is($r->header('Content-Length'), $bytes, 'its length');
        ok($r->body eq 'x' x $bytes, 'whole');
    };
}

subtest 'a short body is held until it is whole' => sub {
    my $client = $proxy->connect;
    $client->write(request('pieces'));
    ok($client->is_silent(ms(60) / 1000), 'nothing meanwhile');
    is($client->read_response->body, 'ab' x 5, 'then everything');
};

subtest 'a stream is passed on as it comes' => sub {
    my $client = $proxy->connect;
    $client->write(request('stream'));
    $client->read_head;
    for my $n (1 .. 3) {
        my $begin = time;
        is($client->read_until(qr/event\r\n/), "5\r\nevent\r\n", "event $n");
        cmp_ok(time - $begin, '<', ms(200) / 1000, 'before the next');
    }
};

for my $path (qw(head length)) {
    subtest "a head goes out before its body ($path)" => sub {
        my $client = $proxy->connect;
        my $begin = time;
        $client->write(request($path));
        like($client->read_head, qr{^HTTP/1\.1 200 OK\r\n}, 'the head');
        cmp_ok(time - $begin, '<', ms(150) / 1000, 'at once');
    };
}

subtest 'a length that nobody knows' => sub {
    my $r = get('until');
    is($r->framing . $r->body, 'chunkedabcdef', 'chunked for HTTP/1.1');
    ok(!$r->says_close, 'the connection lives on');
    for my $headers ('', "Connection: keep-alive\r\n") {
        $r = get('until', version => '1.0', headers => $headers);
        is($r->framing . $r->body, 'closeabcdef', 'until the close for HTTP/1.0');
        ok(lc($r->header('Connection') // 'close') eq 'close', 'which is announced');
    }
};

for my $status (204, 304) {
    for my $path (qw(lies bare)) {
        subtest "$status never has a body ($path)" => sub {
            my $client = $proxy->connect;
            $client->write(request("$path/$status") . request('ok'));
            my $r = $client->read_response;
            is($r->status, $status, 'the status');
            is($r->header('Content-Length'), undef, 'no length is invented, none is forwarded beside chunks');
            is($r->header('Transfer-Encoding'), undef, 'a 204 is not framed') if $status == 204;
            is($client->read_response->body, 'ok', 'and the connection goes on');
        };
    }
}

for my $path ('ok', 'whole/70000', 'bare/200', 'lies/200') {
    subtest "HEAD never waits for a body ($path)" => sub {
        my $r = get('ok');
        my $client = $proxy->connect;
        my $begin = time;
        $client->write(request($path, method => 'HEAD') . request('ok'));
        $r = $client->read_response(head => 1);
        is($r->status, 200, 'the status');
        is($r->header('Content-Length'), { ok => 2, 'whole/70000' => 70000 }->{$path}, 'the length, if the backend told it');
        is($client->read_response->body, 'ok', 'the connection goes on');
        cmp_ok(time - $begin, '<', ms(300) / 1000, 'at once');
    };
}

subtest 'trailers and extensions' => sub {
    my $client = $proxy->connect;
    $client->write(request('trailers'));
    $client->read_head;
    is($client->read_until(qr/0\r\n.*?\r\n\r\n/s), "2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n", 'trailers pass, extensions and cookies in trailers do not');
    my $r = get('trailers', version => '1.0');
    is($r->body, 'ok', 'HTTP/1.0: the payload alone');
    is($r->header('Transfer-Encoding'), undef, 'not chunked');
};

subtest 'the order of headers for the client' => sub {
    my $r = get('order');
    my @names = map { $_->[0] } @{ $r->{fields} };
    is($r->head =~ /^(.*?)\r\n/ ? $1 : '', "HTTP/1.1 203 It's mine", 'the status line');
    is("@names", 'Server Date Connection Content-Length X-B Via x-a X-b', 'ours first, then the backend\'s, Via in its place');
    is($r->header('Via'), '1.1 inner, 1.1 weir', 'Via is appended to');
    @names = map { $_->[0] } @{ get('dated')->{fields} };
    is("@names", 'Connection Content-Length Date Server Via', 'Server and Date of the backend stay where they are, Via is last');
    like(get('ok')->header('Server'), qr/^weir\b/, 'a Server is added if there is none');
};

subtest 'the first byte has a time of its own, the following ones another' => sub {
    my $begin = time;
    is(get('slow')->body, 'slowly', 'a body slower than both timeouts altogether');
    cmp_ok(time - $begin, '>=', ms(850) / 1000, 'takes its time');
    is(get('hints')->body, 'ok', 'interim responses count as first bytes');
    is(get('lf')->status, 503, 'a head that never ends does not last for ever');
};

subtest 'a client that takes nothing' => sub {
    my $own = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(500) });
    my $client = $own->connect(receive_buffer => 4096);
    my $begin = time;
    $client->write(request('huge'));
    is($own->log_where(path => '/huge')->{code}, 'client_stalled', 'client_stalled');
    my $took = time - $begin;
    ok($took > ms(450) / 1000 && $took < ms(4000) / 1000, 'after weir.idle-timeout') or diag($took);
};

subtest 'a client that takes a little now and then' => sub {
    my $own = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(800), 'weir.first-byte-timeout' => ms(300) });
    my $client = $own->connect(receive_buffer => 300_000);
    $client->write(request('huge'));
    $client->read_head;
    my $got = 0;
    for (1 .. 12) {
        pause(150);
        $got += length($client->read_exactly(1_000_000) // last);
    }
    cmp_ok($got, '>=', 12_000_000, 'is served on');
    is(length($client->read_exactly(50_000_000 - $got, 60) // ''), 50_000_000 - $got, 'to the end');
};

for my $how (qw(reset close)) {
    subtest "a client that leaves ($how) while it is being sent to" => sub {
        my $client = $proxy->connect;
        $client->write(request("endless/$how"));
        $client->read_head;
        my $begin = time;
        $client->$how;
        is($proxy->log_where(path => "/endless/$how")->{code}, 'client_closed', 'is noticed');
        cmp_ok(time - $begin, '<', ms(400) / 1000, 'at once');
    };
}

# Both ends are gone when the proxy looks: the one's fault must not be told behind the other's.
for my $how (qw(close reset nonsense)) {
    for my $first (qw(backend client)) {
        subtest "both ends fail at the same moment ($how), the $first first" => sub {
            unlink $flag;
            my $own = proxy(backends => [$backend]);
            my $client = $own->connect;
            my ($held, $gone) = map { my $what = $_; scalar grep { /$what/ } $backend->events } 'held', 'let go';
            $client->write(request("hold/$how"));
            wait_for { $held < grep { /held/ } $backend->events };
            $own->stand_still;
            $client->reset if $first eq 'client';
            write_file($flag, '');
            wait_for { $gone < grep { /let go/ } $backend->events };
            $client->reset if $first eq 'backend';
            $own->signal('CONT');
            like($own->log_where(path => "/hold/$how")->{code}, qr/^(?:client_closed|backend_\w+)$/, 'one of them is the reason');
            is($own->ask(request('ok'))->body, 'ok', 'the next request is fine');
            is(scalar(grep { $_->{path} eq "/hold/$how" } $own->log_lines(2)), 1, 'one line in the log');
        };
    }
}

subtest 'a client that has ended its side gets everything' => sub {
    my $client = $proxy->connect;
    $client->write(request('stream') . request('whole/200000') . request('until'));
    $client->shutdown_write;
    is($client->read_response->body, 'event' x 3, 'a stream');
    is(length $client->read_response->body, 200_000, 'a long body');
    is($client->read_response->body, 'abcdef', 'the last');
    is($client->read_eof, '', 'then a close');
};

done_testing;
