# SPDX-License-Identifier: MIT
# What the proxy takes from, adds to and leaves alone in the headers of both directions.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

my $echo  = echo_backend();
my $proxy = proxy(backends => [$echo]);

# The head the backend receives for these header lines, as a Weir::Response with fields.
sub forwarded {
    my ($lines, %option) = @_;
    my $p = $option{proxy} // $proxy;
    my $r = $p->ask(($option{line} // 'GET / HTTP/1.1') . "\r\n" . ($option{host} // "Host: a.test\r\n") . join('', map { "$_\r\n" } @$lines) . "\r\n" . ($option{body} // ''));
    return Weir::Response->new($r->body =~ s/\r\n\r\n.*/\r\n\r\n/sr, '', '', 1, '');
}

sub one_of { my ($head, $name) = @_; return join '|', $head->all($name) }

subtest 'the start line and Host' => sub {
    my $head = forwarded([], line => 'GET /a?b HTTP/1.0');
    like($head->head, qr{^GET /a\?b HTTP/1\.1\r\nHost: a\.test\r\n}, 'always HTTP/1.1, Host first');
    is(one_of(forwarded([], host => "Host: A.Test:8080\r\n"), 'Host'), 'a.test', 'Host in lower case, without its port');
    is(one_of(forwarded([], host => "Host: [::1]:80\r\n"), 'Host'), '[::1]', 'an address keeps its brackets');
    like(forwarded([], line => 'pUrGe! /x HTTP/1.1')->head, qr{^pUrGe! /x HTTP/1\.1\r\n}, 'the method as it came');
    like($proxy->ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")->body, qr{^OPTIONS \* HTTP/1\.1\r\n}, 'OPTIONS *');
};

subtest 'names and values pass byte for byte, in order' => sub {
    my $head = forwarded([ 'x-lower: a', 'X-UPPER: B', 'x_Under-sCore: c', "X-Bytes: \xe4\xff \t x", 'X-Twice: 1', 'X-Other: 2', 'x-twice: 3' ]);
    like($head->head, qr/x-lower: a\r\nX-UPPER: B\r\nx_Under-sCore: c\r\nX-Bytes: \xe4\xff \t x\r\nX-Twice: 1\r\nX-Other: 2\r\nx-twice: 3\r\n/, 'untouched');
};

subtest 'what ends here' => sub {
    my $head = forwarded([
        'Connection: keep-alive, X-Nominated, close', 'Connection: x-second', 'X-Nominated: 1', 'X-Second: 2', 'Keep-Alive: timeout=5', 'TE: trailers',
        'Proxy-Authorization: Basic x', 'Proxy-Connection: keep-alive', 'HTTP2-Settings: x', 'Upgrade: h2c',
    ]);
    is(one_of($head, $_), '', "$_ is gone")
        for qw(X-Nominated X-Second Keep-Alive TE Proxy-Authorization Proxy-Connection HTTP2-Settings Upgrade Expect);
    unlike(one_of($head, 'Connection'), qr/nominated|second/i, 'Connection is our own');
    is(scalar(@{ [ $head->all('Connection') ] }), 1, 'and there is one') if $head->all('Connection');
};

subtest 'what goes on' => sub {
    my @kept = ('Trailer: X-Sum', 'Proxy-Authenticate: Basic', 'Proxy-Authentication-Info: x', 'X-Forwarded-Host: given', 'Forwarded: for=1.2.3.4',
        'Authorization: Basic x', 'Cookie: a=b; c=d', 'Range: bytes=0-1', 'If-None-Match: "x"', 'Accept-Encoding: gzip');
    my $head = forwarded(\@kept);
    for my $line (@kept) {
        my ($name, $value) = split /: /, $line, 2;
        is(one_of($head, $name), $value, $name);
    }
    $head = forwarded([ 'Connection: Cookie, Authorization, X-Forwarded-For, X-Request-Id, Host, Content-Length, Via', 'Cookie: a=b', 'Authorization: x' ]);
    is(one_of($head, 'Cookie') . one_of($head, 'Authorization'), 'a=bx', 'nominating what carries the message has no effect');
    cmp_ok(one_of($head, $_), 'ne', '', "$_ is there") for qw(Host Via X-Forwarded-For X-Request-Id);
};

subtest 'who asks, and how' => sub {
    my $head = forwarded([]);
    is(one_of($head, 'X-Forwarded-For'), '127.0.0.1', 'X-Forwarded-For');
    is(one_of($head, 'X-Forwarded-Proto'), 'http', 'X-Forwarded-Proto');
    is(one_of($head, 'X-Forwarded-Port'), $proxy->port, 'X-Forwarded-Port: where the client came in');
    is(one_of(forwarded([], host => "Host: a:8443\r\n"), 'X-Forwarded-Port'), 8443, 'or the port that Host names');
    is(one_of($head, 'Via'), '1.1 weir', 'Via');
    is(one_of($head, 'X-Forwarded-Peer-Port'), '', 'no X-Forwarded-Peer-Port unless asked for');

    my $port = one_of($head, 'X-Forwarded-Port');
    $head = forwarded([
        'X-Forwarded-For: 1.1.1.1', 'x-forwarded-for: 2.2.2.2, 3.3.3.3', 'X-Forwarded-Proto: https', 'X-FORWARDED-PROTO: ftp',
        'X-Forwarded-Port: 1', 'X-Forwarded-Port: 2', 'Via: 1.0 fred', 'via: 1.1 p.example',
    ]);
    is(one_of($head, 'X-Forwarded-For'), '1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1', 'we append ourselves to one list');
    is(one_of($head, 'Via'), '1.0 fred, 1.1 p.example, 1.1 weir', 'to Via as well');
    is(one_of($head, 'X-Forwarded-Proto'), 'http', 'a client\'s X-Forwarded-Proto is replaced');
    is(one_of($head, 'X-Forwarded-Port'), $port, 'so is its X-Forwarded-Port');
    is(one_of(forwarded([ 'X-Forwarded-Proto: https' ], host => "Host: a:443\r\n"), 'X-Forwarded-Proto'), 'http', 'and no Host talks us into https');
};

subtest 'request ids' => sub {
    like(one_of(forwarded([]), 'X-Request-Id'), qr/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'a new one is a UUIDv4');
    cmp_ok(one_of(forwarded([]), 'X-Request-Id'), 'ne', one_of(forwarded([]), 'X-Request-Id'), 'a new one each time');
    my %ids = (
        'a' x 20 => 1, 'a' x 200 => 1, 'aZ09-+/=' x 3 => 1, 'a' x 19 => 0, 'a' x 201 => 0, 'a' x 19 . '_' => 0, 'a' x 19 . '.' => 0, 'a' x 10 . ' ' . 'a' x 10 => 0,
        '' => 0,
    );
    for my $id (sort keys %ids) {
        my $got = one_of(forwarded(["X-Request-Id: $id"]), 'X-Request-Id');
        my $name = length $id > 30 ? substr($id, 0, 5) . '… of ' . length $id : "'$id'";
        $ids{$id} ? is($got, $id, "$name is kept") : like($got, qr/^[0-9a-f-]{36}$/, "$name is replaced");
    }
    my $head = forwarded([ 'X-Request-Id: ' . 'a' x 20, 'x-request-id: ' . 'b' x 20 ]);
    is(one_of($head, 'X-Request-Id'), 'a' x 20, 'there is only one');
    my $r = $proxy->get('/');
    is($r->header('X-Request-Id'), undef, 'the client is not told');
};

subtest 'times' => sub {
    my $before = time;
    my $head = forwarded([ 'X-Request-Start: 1', 'Connect-Time: 9999', 'Total-Route-Time: 9999', 'connect-time: 8888' ]);
    my $after = time;
    like(one_of($head, $_), qr/^\d+$/, "$_ is one integer") for qw(X-Request-Start Connect-Time Total-Route-Time);
    my $start = one_of($head, 'X-Request-Start') / 1000;
    my $turn = 0.002 * Weir::Client::slow()**2;    # its clock is that of the loop's turn
    ok($start >= $before - $turn && $start <= $after + $turn, 'X-Request-Start is now, in ms') or diag("$before $start $after");
    cmp_ok(one_of($head, 'Connect-Time'), '<', 1000 * ($after - $before) + 2, 'Connect-Time is true');
    is(one_of($head, 'Connect-Time'), 0, 'over a connection that is used again it is 0');
    cmp_ok(one_of($head, 'Total-Route-Time'), '<', 1000 * ($after - $before) + 2, 'Total-Route-Time is true');
};

my $log = temp_path('record.log');
my $record = proxy(
    router => { module => router_so('record'), log => $log, backends => [ '127.0.0.1:' . stuck_port(), '127.0.0.1:' . refusing_port(), $echo->address ] },
    path => { 'weir.connect-timeout' => ms(300) },
);

subtest 'times after a retry' => sub {
    my $head = forwarded([ 'X-Do: first=1' ], proxy => $record);
    cmp_ok(one_of($head, 'Connect-Time'), '<', ms(200), 'Connect-Time is of the attempt that connected');
    $head = forwarded([ 'X-Do: first=0' ], proxy => $record);
    cmp_ok(one_of($head, 'Connect-Time'), '<', ms(200), 'also after one that timed out');
    cmp_ok(one_of($head, 'Total-Route-Time'), '>=', 290, 'Total-Route-Time is of the whole routing');
    $head = forwarded([ 'X-Do: first=2 checkout=' . ms(100) ], proxy => $record);
    cmp_ok(one_of($head, 'Total-Route-Time'), '>=', 95, 'the router\'s own time is part of it');
};

subtest 'the order of what is added' => sub {
    my @names = map { $_->[0] } @{ forwarded([ 'X-Mine: 1' ], line => 'POST / HTTP/1.1', body => '')->{fields} };
    is(join(' ', grep { $_ ne 'Connection' } @names), 'Host X-Mine X-Request-Id X-Forwarded-For X-Forwarded-Proto X-Forwarded-Port Via '
        . 'Connect-Time X-Request-Start Total-Route-Time Content-Length', 'as Vegur has it');
    @names = map { lc $_->[0] } @{ forwarded([ 'via: x', 'X-Mine: 1', 'x-forwarded-for: 1.1.1.1' ])->{fields} };
    is(join(' ', @names[ grep { $names[$_] =~ /^(?:via|x-mine|x-forwarded-for)$/ } 0 .. $#names ]), 'via x-mine x-forwarded-for', 'what is replaced stays in place');
};

subtest 'Content-Length for the backend' => sub {
    my %want = (
        "GET / HTTP/1.1"    => [ '', '', '' ], "HEAD / HTTP/1.1" => [ '', '', '' ], "POST / HTTP/1.1" => [ '', '', '0' ], "DELETE / HTTP/1.1" => [ '', '', '0' ],
        "PUT / HTTP/1.1"    => [ "Content-Length: 003", 'abc', '3' ], "OPTIONS / HTTP/1.1" => [ "Content-Length: 0", '', '0' ],
        "PATCH / HTTP/1.1"  => [ "Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", '' ],
    );
    for my $line (sort keys %want) {
        my ($lines, $body, $length) = @{ $want{$line} };
        my $before = () = $echo->heads;
        my $r = $proxy->ask("$line\r\nHost: a\r\n" . ($lines ? "$lines\r\n" : '') . "\r\n$body");
        my ($head) = grep { /^\Q$line\E/ } reverse $echo->heads;
        is(join('|', $head =~ /^Content-Length: (.*)\r$/mg), $length, "$line: " . ($length eq '' ? 'none' : $length));
        is(join('|', $head =~ /^Transfer-Encoding: (.*)\r$/mgi), $line =~ /^PATCH/ ? 'chunked' : '', "$line: one framing");
    }
};

subtest 'additional headers of the router' => sub {
    my $r = $record->ask("GET / HTTP/1.1\r\nHost: a\r\nX-Do: first=2 put\r\nX-Put: client\r\nx-put: twice\r\n\r\n");
    my $head = Weir::Response->new($r->body, '', '', 1, '');
    is(one_of($head, 'X-Put'), 'to-backend', 'replace the client\'s');
    is(one_of($head, 'Via'), '1.1 router', 'and ours');
    is(one_of($head, 'Content-Length') . one_of($head, 'X-Put'), 'to-backend', 'but no framing');
    unlike(one_of($head, 'Connection'), qr/x-put/i, 'and no Connection');
    is(one_of($r, 'X-Put'), 'to-client', 'those for the client');
    is($r->header('Content-Length'), length $r->body, 'its framing is ours, too');
};

subtest 'headers that the router adds beside those of their name' => sub {
    my $cookies = backend(sub { my $c = shift; my $head = $c->read_head or return; $c->write(simple_response($head, headers => "Set-Cookie: a=1\r\nset-cookie: b=2\r\n")) });
    my $adding = proxy(router => { module => router_so('record'), log => $log, backends => [ $cookies->address ] });
    my $r = $adding->get('/', "X-Do: add\r\nset-cookie: of=client\r\nVia: 1.0 client\r\n");
    is(one_of($r, 'Set-Cookie'), 'a=1|b=2|of=router|and=another', 'the backend\'s cookies, then the router\'s');
    is(one_of($r, 'Via'), '1.1 weir|1.1 router', 'to the client');
    my $head = Weir::Response->new($r->body, '', '', 1, '');
    is(one_of($head, 'Set-Cookie') . '|' . one_of($head, 'Via'), 'of=client|of=router|and=another|1.0 client, 1.1 weir|1.1 router', 'to the backend as well');
    is(one_of($head, 'Host'), 'a.test', 'there is one Host');
    for my $side ($r, $head) {
        is(one_of($side, $_), '', "$_ cannot be added") for 'Transfer-Encoding', 'X-Split', 'X-Forged', 'Bad Name';
        unlike(one_of($side, 'Connection'), qr/cookie/i, 'nor an option of Connection');
    }
    is(one_of($r, 'Content-Length'), length $r->body, 'nor a length');
    is(one_of($r, 'Host'), '', 'nor a Host of the response');
};

subtest 'headers of an app of the table' => sub {
    my $table = proxy(backends => [$echo], app => { headers => { 'to-backend' => { 'X-App' => 'shop' }, 'to-client' => { 'X-Served-By' => 'weir' } } });
    my $r = $table->get('/', "X-App: forged\r\n");
    like($r->body, qr/^X-App: shop\r$/m, 'to the backend');
    unlike($r->body, qr/forged/, 'in place of the client\'s');
    is(one_of($r, 'X-Served-By'), 'weir', 'to the client');
};

subtest 'names and case, as configured' => sub {
    my $canonical = proxy(backends => [$echo], path => {
        'weir.header-case' => 'canonical', 'weir.via' => '1.1 edge', 'weir.request-id-header' => 'X-Trace', 'weir.start-time-header' => 'X-Start',
        'weir.connect-time-header' => 'X-Connect', 'weir.route-time-header' => 'X-Route', 'weir.request-id-max-size' => 30,
    });
    my $head = forwarded([ 'x_foo-bAR: 1', 'sec-websocket-KEY: 2', 'x-trace: ' . 'a' x 31 ], proxy => $canonical);
    like($head->head, qr/^X_foo-Bar: 1\r\nSec-Websocket-Key: 2\r\nX-Trace: [0-9a-f-]{36}\r$/m, 'canonical case; an id beyond the maximum is replaced');
    is(one_of($head, 'Via'), '1.1 edge', 'weir.via');
    like(one_of($head, $_), qr/^\d+$/, $_) for qw(X-Start X-Connect X-Route);
    is(one_of($head, $_), '', "no $_") for qw(X-Request-Id X-Request-Start Connect-Time Total-Route-Time);
};

subtest 'a response' => sub {
    my $own = "HTTP/1.1 200 Fine\r\nserver: own\r\nDATE: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n";
    my $gone = "Connection: x-hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: x\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\nUpgrade: h2c\r\n";
    my $kept = "x-OWN: a\r\nVia: 1.1 inner\r\nProxy-Authenticate: Basic\r\nTrailer: X\r\nx-own: b\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n";
    my $plain = "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n";
    my $backend = backend(sub { $_[0]->serve(sub { ($_[0] =~ m{ /plain } ? $plain : $own . $gone . $kept) . "\r\n" }) });
    my $p = proxy(backends => [$backend]);
    my $r = $p->get('/own');
    is($r->reason, 'Fine', 'its reason phrase');
    is(one_of($r, $_), '', "$_ ends here") for qw(X-Hop Keep-Alive TE Proxy-Authorization Proxy-Connection Upgrade);
    is(one_of($r, 'Server') . one_of($r, 'Date'), 'ownThu, 01 Jan 1970 00:00:00 GMT', 'its Server and Date are kept');
    is(one_of($r, 'Via'), '1.1 inner, 1.1 weir', 'Via');
    is(one_of($r, $_->[0]), $_->[1], $_->[0]) for [ 'X-Own', 'a|b' ], [ 'Set-Cookie', 'a|b' ], [ 'Proxy-Authenticate', 'Basic' ], [ 'Trailer', 'X' ];
    like($r->head, qr/x-OWN: a\r\n.*x-own: b\r\n/s, 'names byte for byte');
    $r = $p->get('/plain');
    like(one_of($r, 'Date'), qr/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/, 'a Date is added if there is none');
    is(one_of($r, 'Via'), '1.1 weir', 'Via is added');
};

done_testing;
