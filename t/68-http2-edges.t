# SPDX-License-Identifier: MIT
# HTTP/2 where one side waits: for a window, for a socket, for a stream that another has left.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;
use Weir::Http2Client;

plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();

# A proxy before an HTTP/2 backend.
sub before {
    my ($at, %option) = @_;
    return proxy(backends => [ $at->address ], app => { protocol => 'h2c' }, %option);
}

# ── what is not sent twice ──

subtest 'a body that turned out empty was sent: no second time' => sub {
    my $backend = backend(sub {
        my $c = shift;
        while (defined(my $head = $c->read_head)) {
            $c->write(simple_response('ok')), next if $head =~ /^GET/;
            $c->read_until(qr/0\r\n\r\n/);
            return;    # done, and gone without a word
        }
    });
    my $empty = "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    my $proxy = proxy(backends => [$backend]);
    $proxy->get('/');
    is($proxy->ask("POST /h1 HTTP/1.1\r\n$empty")->status, 503, 'HTTP/1: a page');
    is(scalar(grep { m{^POST /h1} } $backend->heads), 1, 'one request');
    my $h2 = Weir::Http2Client->connect($proxy->port);
    $h2->get('/');
    is($h2->response($h2->request(method => 'POST', path => '/h2', body => ''))->{status}, 503, 'HTTP/2: a page');
    is(scalar(grep { m{^POST /h2} } $backend->heads), 1, 'one request');

    my $other = Weir::Http2Backend->start;
    my $own = before($other);
    $own->get('/fine');
    is($own->ask("POST /drop-used HTTP/1.1\r\n$empty")->status, 503, 'an HTTP/2 backend: a page');
    is($other->count(qr{^request .*/drop-used}), 1, 'one request');
};

# ── windows of clients ──

# A chunked response whose end comes by itself, when the test says so.
my $gate = temp_path('gate');
my $ends_late = backend(sub {
    my $c = shift;
    while (defined(my $head = $c->read_head)) {
        $c->write(simple_response('ok')), next unless $head =~ m{^GET /stalled};
        $c->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        wait_for { -e $gate };
        $c->write("0\r\n\r\n");
    }
});

subtest 'an end that finds no window has a timer' => sub {
    my $proxy = proxy(backends => [$ends_late], path => { 'weir.idle-timeout' => ms(1000) });
    my $stalled = sub {
        unlink $gate;
        my $h2 = Weir::Http2Client->connect($proxy->port, settings => { 4 => 0 });
        my $id = $h2->request(path => "/stalled/$_[0]");
        ok($h2->wait(headers => $id), "$_[0]: the head has come");
        write_file($gate, '');
        return ($h2, $id);
    };
    my ($h2, $id) = $stalled->('connection');
    is($h2->goaway(1, ms(5000) / 1000), 'ENHANCE_YOUR_CALM', 'the connection, if nothing of it is taken');
    is($proxy->log_where(path => '/stalled/connection')->{code}, 'client_stalled', 'the log has the name');

    ($h2, $id) = $stalled->('stream');
    my $until = time + ms(5000) / 1000;
    while (time < $until && !defined $h2->stream($id)->{reset}) {    # other streams are served meanwhile
        my $other = $h2->request(path => '/other');
        $h2->frame(WINDOW_UPDATE => 0, $other, pack 'N', 100);
        $h2->response($other);
        $h2->tell('pump', 0.05);
    }
    is($h2->name_of($h2->stream($id)->{reset}), 'CANCEL', 'the stream, if others are');
    is($proxy->log_where(path => '/stalled/stream')->{code}, 'client_stalled', 'the log has the name');

    ($h2, $id) = $stalled->('opened');
    $h2->frame(WINDOW_UPDATE => 0, $id, pack 'N', 1);
    my $r = $h2->response($id);
    ok($r->{end} && !defined $r->{reset}, 'a window of one byte is enough for it');
};

# Four uploads that nobody reads, as much as the connection's window has room for.
sub fill_window {
    my ($h2, $is_last) = @_;
    $h2->wait(settings => 1);
    my @ids = map { $h2->request(method => 'POST', path => "/$_", pseudo => { ':authority' => 'stuck.test' }, is_open => 1) } 1 .. 4;
    is($h2->tell('upload', $_, 262_144, $is_last, wait_seconds()), 262_144, "stream $_ is filled") for @ids;
    return @ids;
}

sub upload {
    my ($h2) = @_;
    my $id = $h2->request(method => 'POST', path => '/next', is_open => 1);
    is($h2->tell('upload', $id, 200_000, JSON::PP::true(), wait_seconds() / 2), 200_000, 'the next upload finds room');
    return is($h2->response($id)->{status}, 200, 'and is served');
}

subtest 'what streams that are gone held of the window goes to the others' => sub {
    my $echo = echo_backend();
    my %apps = (
        stuck => { domains => ['stuck.test'], backends => [ '127.0.0.1:' . stuck_port() ] },
        rest  => { domains => ['*'],          backends => [ $echo->address ] },
    );
    my $proxy = proxy(apps => \%apps, path => { 'weir.connect-timeout' => ms(60_000) });
    my $h2 = Weir::Http2Client->connect($proxy->port);
    my @ids = fill_window($h2, JSON::PP::false());
    $h2->reset_stream($_) for @ids;
    upload($h2);
    $h2->close;

    $proxy = proxy(apps => \%apps, path => { 'weir.connect-timeout' => ms(1500) });
    $h2 = Weir::Http2Client->connect($proxy->port);
    @ids = fill_window($h2, JSON::PP::true());
    is($h2->response($_)->{status}, 503, "stream $_ is refused") for @ids;
    upload($h2);
};

subtest 'a client resets a tunnel whose other direction has ended' => sub {
    my $own_backend = backend(sub {
        my $c = shift;
        my ($key) = ($c->read_head // '') =~ /^sec-websocket-key: *(\S+)/mi;
        require Digest::SHA;
        my $accept = Digest::SHA::sha1_base64($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=';
        $c->write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n\r\nbye");
        $c->shutdown_write;
        $c->wait_close(60);
    });
    my $proxy = proxy(backends => [$own_backend]);
    my $h2 = Weir::Http2Client->connect($proxy->port);
    for my $code (qw(NO_ERROR CANCEL)) {
        my $id = $h2->request(pseudo => { ':method' => 'CONNECT', ':protocol' => 'websocket' }, path => "/$code",
            headers => [ [ 'sec-websocket-version', '13' ] ], is_open => 1);
        ok($h2->wait(end => $id), 'the backend ends its direction');
        $h2->reset_stream($id, $code);
        is($proxy->log_where(path => "/$code")->{code}, 'client_closed', "$code: the tunnel is over");
    }
};

# ── backends ──

subtest 'clients leave while their requests wait for a backend that does not read' => sub {
    my $blocked = Weir::Http2Backend->start(greeting => 'blocked');
    my $own = before($blocked);
    my $first = $own->connect;
    $first->write("POST /fine HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    my $sent = $first->write_until_stuck('x' x 50_000_000, 0.5);
    cmp_ok($sent, '<', 50_000_000, "the backend takes no more behind $sent bytes");

    my $h1 = $own->connect;
    $h1->write("GET /fine?h1 HTTP/1.1\r\nHost: a\r\n\r\n");
    my $h2 = Weir::Http2Client->connect($own->port);
    my $id = $h2->request(path => '/fine?h2');
    $h2->frame(PING => 0, 0, 'pingpong');
    ok($h2->wait(pongs => 1), 'two heads wait behind the body');
    is($own->get('/fine?refused', "Expect: nonsense\r\n")->status, 417, 'the proxy has seen both');
    $h1->reset;
    $h2->reset_stream($id);
    is($own->log_where(path => "/fine?$_")->{code}, 'client_closed', "$_: the client has left") for qw(h1 h2);
    write_file($blocked->{events} . '.go', '');
    $first->reset;
    is($own->get('/fine?after')->body, 'fine', 'the connection goes on');
    is($blocked->count(qr{^request .*\?h[12]$}), 0, 'what was cancelled never left');
    is($blocked->connections, 1, 'it is the same one');
};

subtest 'an early answer to a body whose end waits for a window' => sub {
    my $own_backend = Weir::Http2Backend->start(greeting => 'window0');
    my $own = before($own_backend);
    my $r = $own->ask("POST /early-quiet HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    is($r->status . ' ' . $r->body, '413 enough', 'the client has its answer');
    ok($own_backend->wait_event(qr/^rst 0 1 8$/), 'and the stream is reset: it does not stay open');
};

# ── large heads ──

subtest 'the largest request head that may be allowed gets to an HTTP/2 backend' => sub {
    my $own_backend = Weir::Http2Backend->start;
    my $own = before($own_backend, global => { 'weir.max-head' => 16_777_216, 'weir.max-header-value' => 1_048_576 });
    for my $case ([ 2, 40_000 ], [ 16, 1_048_000 ]) {
        my ($count, $bytes) = @$case;
        my $long = join '', map { "X-$_: " . '~' x $bytes . "\r\n" } 1 .. $count;
        my $r = $own->get('/field-lengths', $long . 'X-Rest: ' . '~' x 8_800 . "\r\n");
        is($r->status, 200, $count * $bytes . ' bytes') or next;
        is(scalar(grep { $_->[0] =~ /^x-\d+$/ && $_->[1] == $bytes } @{ Weir::Http2Backend->told($r) }), $count, 'every field is whole');
    }
};

subtest 'the head of a response may be as large as its limits say' => sub {
    my $own_backend = backend(sub {
        $_[0]->serve(sub {
            my ($count) = $_[0] =~ m{^GET /(\d+)};
            simple_response('ok', headers => join '', map { "X-$_: " . '~' x 500_000 . "\r\n" } 1 .. $count);
        });
    });
    my $proxy = proxy(backends => [$own_backend], path => { 'weir.backend-buffer' => 50_000_000 });
    my $h2 = Weir::Http2Client->connect($proxy->port);
    for my $count (3, 40) {
        my $id = $h2->request(path => "/$count");
        ok($h2->wait(bytes => [ $id, 2 ]), 'the whole response comes');
        my @long = grep { $_->[0] =~ /^x-\d+$/ && $_->[1] == 500_000 } @{ $h2->tell('field_lengths', $id) };
        is(scalar(@long), $count, "with $count fields of 500 kB");
    }
};

done_testing;
