# SPDX-License-Identifier: MIT
# The callbacks on the ways that need time or bad luck: answers of init, routers that are late, clients that leave, backends that
# break; every reason that can be shown; and what the journal tells about all of it.
use lib 't/lib';
use Weir::Test;

my %does = (
    ok       => sub { $_[0]->write(simple_response('ok', headers => "X-B: 1\r\nConnection: X-B\r\nx-b: 2\r\n")) },
    body     => sub { $_[0]->read_exactly(4); $_[0]->write(simple_response('ok')) },
    hold     => sub { $_[0]->wait_close },
    early    => sub { $_[0]->write(simple_response('no', status => '413 Too Large')); $_[0]->wait_close },
    closed   => sub { },
    reset    => sub { $_[0]->reset },
    short    => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") },
    chunk    => sub {
        $_[0]->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        select(undef, undef, undef, 0.1);    # until the client has some of it
        $_[0]->write("zz\r\n");
    },
    badchunk => sub { $_[0]->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") },
    invalid  => sub { $_[0]->write("HTTP/1.1 2000 OK\r\n\r\n") },
    statusline => sub { $_[0]->write("HTTP/1.1 200 " . 'a' x 9000 . "\r\n\r\n") },
    colon    => sub { $_[0]->write("HTTP/1.1 200 OK\r\nno colon\r\n\r\n") },
    longline => sub { $_[0]->write("HTTP/1.1 200 OK\r\nX: " . 'a' x 600000 . "\r\n\r\n") },
    cookie   => sub { $_[0]->write("HTTP/1.1 200 OK\r\nSet-Cookie: " . 'a' x 9000 . "\r\n\r\n") },
    lengths  => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na") },
    coding   => sub { $_[0]->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: ,\r\n\r\n") },
    interims => sub { $_[0]->write("HTTP/1.1 102 Processing\r\n\r\n" x 70) },
    switch   => sub { $_[0]->write("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi") },
    tunnel   => sub { $_[0]->write("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi"); $_[0]->wait_close },
    huge     => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n"); $_[0]->write('x' x 20_000_000, 60) },
    deaf     => sub { my ($c, $path) = @_; wait_for { calls($path) =~ /^terminate/m } },    # takes nothing
    leaves   => sub { $_[0]->write(simple_response('ok')); $_[0]->read_until(qr/\r\n\r\n/) },    # in the middle of a second request
);
my $log = temp_path('record.log');
my %router = (module => router_so('record'), log => $log);
my $backend = backend(sub { my $c = shift; my $head = $c->read_head or return; my ($case, $path) = ($c->case_of($head) =~ /^(\w+)/, $head =~ m{^\S+ (\S+)}); $does{$case}->($c, $path) });
my $proxy = proxy(
    router => { %router, backends => [ '127.0.0.1:' . stuck_port(), '127.0.0.1:' . refusing_port(), $backend->address ] },
    global => { 'limit-request-body' => 1_000_000 },
    path => { 'weir.first-byte-timeout' => ms(1000), 'weir.idle-timeout' => ms(1000), 'weir.router-timeout' => ms(2000) },
);
my $hasty = proxy(
    router => { %router, backends => [ '127.0.0.1:1', '127.0.0.1:' . refusing_port(), $backend->address ] },
    path => { 'weir.router-timeout' => ms(50) },
);

my $begin   = "init\nlookup_domain_name a.test\n";
my $picked  = "checkout_service main\nservice_backend s2\n";
my $asked   = "${begin}${picked}additional_headers to_backend\n";
my $relayed = "${asked}additional_headers to_client\n";

sub calls    { my ($path) = @_; return recorded_calls($log, $path) }
sub calls_of { my ($path) = @_; return recorded_calls($log, $path, qr/^terminate/m) }

sub get {
    my ($path, $do, %option) = @_;
    return ($option{from} // $proxy)->get($path, "X-Do: first=2 $do\r\n");
}

subtest 'init answers the whole request' => sub {
    for my $do ('init-respond=200', 'init-respond=200 init=' . ms(10), 'init-respond=404', 'init-respond=200 twice') {
        my $path = '/respond-' . $do =~ s/\W/-/gr;
        my $client = $proxy->connect;
        $client->write("GET $path HTTP/1.1\r\nHost: a.test\r\nX-Do: $do\r\n\r\n");
        my $r = $client->read_response;
        my ($status) = $do =~ /=(\d+)/;
        is($r->status . $r->body . $r->header('X-Init'), "${status}from init\nyes", "$do: answered");
        is($r->framing, 'length', 'framed by us');
        $client->write("GET $path-next HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2 init-respond=204\r\n\r\n");
        is($client->read_response->status, 204, 'the connection goes on');
        is($proxy->log_where(path => $path)->{at} . $proxy->log_where(path => $path)->{status}, "info$status", 'there is a line in the log');
        is(calls($path), "init\n", 'no other callback runs');
    }
    for my $status (199, 101, 600) {
        is(get("/respond-$status", "init-respond=$status")->status, 500, "$status is no status");
        is(calls_of("/respond-$status"), "init\nerror_page router_bad_answer -\ncheckin_service - - lookup router_bad_answer\nterminate router_bad_answer 500\n", 'the usual end');
    }
    is($proxy->ask("HEAD /respond-head HTTP/1.1\r\nHost: a.test\r\nX-Do: init-respond=200\r\n\r\n", head => 1)->header('Content-Length'), 10, 'HEAD gets the length');
};

subtest 'init answers too late' => sub {
    is(get('/late-respond', 'init-respond=200 init=' . ms(200), from => $hasty)->status, 503, 'a router timeout');
    is($hasty->log_where(path => '/late-respond')->{code}, 'router_timeout', 'in the log');
    is(calls('/late-respond'), "init\n", 'the router has answered, and hears no more');
};

# name, X-Do, the calls
my $late = ms(200);
my @timeouts = (
    [ 'init',     '', "init\ncheckin_service - - lookup router_timeout\nterminate router_timeout 503\n" ],
    [ 'lookup',   '', "${begin}checkin_service - - lookup router_timeout\nterminate router_timeout 503\n" ],
    [ 'checkout', '', "${begin}checkout_service main\ncheckin_service main s2 checkout router_timeout\nterminate router_timeout 503\n" ],
    [ 'backend',  '', "$begin${picked}checkin_service main s2 checkout router_timeout\nterminate router_timeout 503\n" ],
    [ 'page',     'checkout-refuse', "${begin}checkout_service main\nerror_page maintenance main\ncheckin_service main - checkout maintenance\nterminate maintenance 503\n" ],
    [ 'checkin',  'first=1', "${begin}checkout_service main\nservice_backend s1\ncheckin_service main s1 connecting backend_refused\n"
        . "checkin_service main - checkout router_timeout\nterminate router_timeout 503\n" ],
    [ 'checkout', 'checkout-refuse', "${begin}checkout_service main\ncheckin_service main - checkout router_timeout\nterminate router_timeout 503\n" ],
);
for my $case (@timeouts) {
    my ($question, $do, $want) = @$case;
    my $path = "/ok-timeout-$question-$do" =~ s/=/-/r;
    my $first = $do =~ /first/ ? '' : 'first=2';
    is($hasty->get($path, "X-Do: $first $do $question=$late\r\n")->status, 503, "the router is late with $question ($do): 503");
    is(calls_of($path), $want, 'it is called to the end all the same');
}
subtest 'a page is out before the closing check-in' => sub {
    like(get('/ok-page', 'checkout-refuse checkin=' . ms(500))->body, qr/maintenance/, 'the client has it');
    unlike(calls('/ok-page'), qr/^terminate/m, 'while the router thinks about the check-in');
    is(calls_of('/ok-page'), "${begin}checkout_service main\nerror_page maintenance main\ncheckin_service main - checkout maintenance\nterminate maintenance 503\n", 'the calls');
};
is(get('/ok-timeout-last', "checkin=$late", from => $hasty)->status, 200, 'late with the closing check-in: the client has its response');
is(calls_of('/ok-timeout-last'), "${relayed}checkin_service main s2 connected -\nterminate - 200\n", 'and all went well');

# A client that leaves while `until` is the latest call.
sub leave {
    my ($path, $do, $until, %option) = @_;
    my $client = $proxy->connect;
    $client->write("GET $path HTTP/1.1\r\nHost: a.test\r\nX-Do: $do\r\n$option{headers}\r\n");
    wait_for { calls($path) =~ $until };
    $client->reset;
    return calls_of($path);
}
my @leaves = (
    [ 'init',       'first=2', qr/^init/m, "init\ncheckin_service - - lookup client_closed\nterminate client_closed 499\n" ],
    [ 'lookup',     'first=2', qr/^lookup/m, "${begin}checkin_service - - lookup client_closed\nterminate client_closed 499\n" ],
    [ 'checkout',   'first=2', qr/^checkout/m, "${begin}checkout_service main\ncheckin_service main s2 checkout client_closed\nterminate client_closed 499\n" ],
    [ 'backend',    'first=2', qr/^service/m, "$begin${picked}checkin_service main s2 checkout client_closed\nterminate client_closed 499\n" ],
    [ 'page',       'first=2 checkout-refuse', qr/^error_page/m, "${begin}checkout_service main\nerror_page maintenance main\n"
        . "checkin_service main - checkout maintenance\nterminate maintenance 499\n" ],
    [ 'checkin',    'first=1', qr/^checkin/m, "${begin}checkout_service main\nservice_backend s1\ncheckin_service main s1 connecting backend_refused\n"
        . "checkin_service main - checkout client_closed\nterminate client_closed 499\n" ],
);
for my $case (@leaves) {
    my ($question, $do, $until, $want) = @$case;
    is(leave("/ok-left-$question", "$do $question=$late", $until, headers => ''), $want, "the client leaves while $question is asked");
}
is(leave('/ok-left-connect', 'first=0', qr/^service/m, headers => ''),
    "${begin}checkout_service main\nservice_backend s0\ncheckin_service main s0 checkout client_closed\nterminate client_closed 499\n", '… while connecting');
is(leave('/hold-left', 'first=2', qr/to_backend/, headers => ''),
    "${asked}checkin_service main s2 connected client_closed\nterminate client_closed 499\n", '… while the backend is silent');
is(leave('/hold-left-body', 'first=2', qr/to_backend/, headers => "Content-Length: 9\r\n"),
    "${asked}checkin_service main s2 connected client_closed\nterminate client_closed 499\n", '… in the middle of its body');
is(leave('/hold-left-expect', 'first=2 deep', qr/to_backend/, headers => "Expect: 100-continue\r\nContent-Length: 9\r\n"),
    $begin . "feature deep_continue\n${picked}additional_headers to_backend\ncheckin_service main s2 connected client_closed\nterminate client_closed 499\n", '… before it has continued');

# ── connecting ──

my $wanderer = proxy(
    router => { %router, backends => [
        '255.255.255.255:9', 'no-such-host.invalid:80', '127.0.0.1:' . stuck_port(), 'unix:' . temp_path('nobody.sock'), '127.0.0.1:' . refusing_port(),
        $backend->address,
    ] },
    path => { 'weir.connect-timeout' => ms(300) },
);

subtest 'every reason why a backend cannot be connected to' => sub {
    is($wanderer->get('/ok-everywhere')->body, 'ok', 'the sixth answers');
    my @why = qw(backend_unreachable backend_unresolved backend_connect_timeout backend_refused backend_refused);
    my $tried = join '', map { "checkout_service main\nservice_backend s$_\ncheckin_service main s$_ connecting $why[$_]\n" } 0 .. $#why;
    is(calls_of('/ok-everywhere'), "$begin${tried}checkout_service main\nservice_backend s5\nadditional_headers to_backend\nadditional_headers to_client\n"
        . "checkin_service main s5 connected -\nterminate - 200\n", 'each is checked in with its own');
};

subtest 'a router that names one dead backend for ever' => sub {
    is($wanderer->get('/endless', "X-Do: first=4 endless\r\n")->status, 503, 'is stopped');
    my $once = "checkout_service main\nservice_backend s4\ncheckin_service main s4 connecting backend_refused\n";
    ok(calls_of('/endless') eq $begin . $once x 1000 . "error_page too_many_attempts main\ncheckin_service main - checkout too_many_attempts\n"
        . "terminate too_many_attempts 503\n", 'after a thousand attempts') or diag(substr calls_of('/endless'), -300);
    is($wanderer->log_where(path => '/endless')->{code}, 'too_many_attempts', 'named in the log');
};

subtest 'a request that is sent again' => sub {
    my $keeping = proxy(router => { %router, keepalive => 'reuse', backends => [ $backend->address ] });
    is($keeping->get('/leaves-fill')->body, 'ok', 'a connection that will not answer twice');
    is($keeping->get('/ok-again')->body, 'ok', 'over a new connection');
    is(calls_of('/ok-again'), "${begin}checkout_service main\nservice_backend s0\n" . "additional_headers to_backend\n" x 2
        . "additional_headers to_client\ncheckin_service main s0 connected -\nterminate - 200\n", 'the headers are asked for twice, the service once');
};

subtest 'a client that a PROXY header has named' => sub {
    my $behind = proxy(router => { %router, backends => [ $backend->address ] }, listen_with => { 'proxy-protocol' => 'ON' });
    is($behind->ask("PROXY TCP4 192.0.2.1 198.51.100.2 5678 443\r\nGET /ok-proxied HTTP/1.1\r\nHost: a.test\r\n\r\n")->body, 'ok', 'is served');
    calls_of('/ok-proxied');
    is(join('', read_file($log) =~ m{^/ok-proxied (.*\n)}mg), "${begin}checkout_service main\nservice_backend s0\nfeature peer_port\n"
        . "additional_headers to_backend\nadditional_headers to_client\ncheckin_service main s0 connected -\nterminate - 200\n", 'peer_port is asked once, for the head');
};

# ── sides that stand still, bodies that are too large ──

sub with_error_page { my ($calls, $fault) = @_; return "${calls}error_page $fault main\n" }

subtest 'a backend that takes nothing of the request' => sub {
    my $own = proxy(router => { %router, backends => [ $backend->address ] }, path => { 'weir.idle-timeout' => ms(300) });
    my $client = $own->connect;
    $client->write("POST /deaf HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000000\r\n\r\n");
    $client->write_until_answered('x' x 65536);
    is($client->read_response->status, 503, 'a page');
    is(calls_of('/deaf'), with_error_page("${begin}checkout_service main\nservice_backend s0\nadditional_headers to_backend\n", 'backend_stalled')
        . "checkin_service main s0 connected backend_stalled\nterminate backend_stalled 503\n", 'the calls');
    is($own->log_where(path => '/deaf')->{code}, 'backend_stalled', 'named in the log');
};

subtest 'a client that takes nothing of the response' => sub {
    my $client = $proxy->connect(receive_buffer => 4096);
    $client->write("GET /huge HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2\r\n\r\n");
    is(calls_of('/huge'), "${relayed}checkin_service main s2 connected client_stalled\nterminate client_stalled 200\n", 'the calls');
    is($proxy->log_where(path => '/huge')->{code}, 'client_stalled', 'named in the log');
};

subtest 'a tunnel through which nothing passes' => sub {
    my $client = $proxy->connect;
    $client->write("GET /tunnel HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    like($client->read_eof, qr{^HTTP/1\.1 101 .*\r\n\r\nhi\z}s, 'the client has what was said, then an end');
    is(calls_of('/tunnel'), "${relayed}checkin_service main s2 connected tunnel_idle\nterminate tunnel_idle 101\n", 'the calls');
    is($proxy->log_where(path => '/tunnel')->{code}, 'tunnel_idle', 'named in the log');
};

subtest 'a request body that is larger than allowed' => sub {
    my $ends = "main s2 connected body_too_large\nterminate body_too_large 413\n";
    is($proxy->ask("POST /large HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000001\r\n\r\n")->status, 413, 'as its length says');
    is(calls_of('/large'), "init\nerror_page body_too_large -\ncheckin_service - - lookup body_too_large\nterminate body_too_large 413\n", 'before anybody is looked up');
    my $client = $proxy->connect;
    $client->write("POST /hold-large HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2\r\nTransfer-Encoding: chunked\r\n\r\n");
    wait_for { calls('/hold-large') =~ /to_backend/ };
    $client->write(join '', "10000\r\n", 'x' x 65536, "\r\n", "F4240\r\n", 'x' x 1_000_000, "\r\n");
    is($client->read_response->status, 413, 'as its chunks come to');
    is(calls_of('/hold-large'), with_error_page($asked, 'body_too_large') . "checkin_service $ends", 'the backend has had a part of it');
    is($proxy->log_where(path => $_)->{code}, 'body_too_large', 'named in the log') for '/large', '/hold-large';
};

# ── the end of the proxy ──

subtest 'requests that the proxy\'s own end cuts off' => sub {
    my $own = proxy(router => { %router, backends => [ $backend->address ] }, exit => 3);
    my $to_backend = "${begin}checkout_service main\nservice_backend s0\nadditional_headers to_backend\n";
    my $left = "main s0 connected shutting_down\nterminate shutting_down";
    my %cut = (
        '/hold-end'   => [ '', $to_backend . "checkin_service $left 503\n" ],
        '/huge-end'   => [ '', $to_backend . "additional_headers to_client\ncheckin_service $left 200\n" ],
        '/tunnel-end' => [ "Connection: upgrade\r\nUpgrade: x\r\n", $to_backend . "additional_headers to_client\ncheckin_service $left 101\n" ],
        '/ok-lookup'  => [ "X-Do: lookup=120\r\n",    # the proxy waits 200 ms for it, slow build or not
            "${begin}checkin_service - - lookup shutting_down\nterminate shutting_down 503\n" ],
    );
    my %client = map { $_ => $own->connect(receive_buffer => 4096) } keys %cut;
    for my $path (grep { !/lookup/ } sort keys %cut) {
        $client{$path}->write("GET $path HTTP/1.1\r\nHost: a.test\r\n$cut{$path}[0]\r\n");
        $path =~ /hold/ ? wait_for { calls($path) =~ /to_backend/ } : $client{$path}->read_head;
    }
    $client{'/ok-lookup'}->write("GET /ok-lookup HTTP/1.1\r\nHost: a.test\r\n$cut{'/ok-lookup'}[0]\r\n");
    wait_for { calls('/ok-lookup') =~ /lookup/ };
    $own->signal('INT');
    is($own->wait_exit, 3, 'somebody was cut off');
    for my $path (sort keys %cut) {
        is(calls($path), $cut{$path}[1], "$path: told as what it is");
        is(join(' ', @{ $own->log_where(path => $path) }{qw(at code)}), 'error shutting_down', "$path: named in the log");
        ok(defined $client{$path}->read_eof, "$path: the client sees the end");
    }
};

subtest 'a backend that answers before it has the whole body' => sub {
    my $client = $proxy->connect;
    $client->write("POST /early HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2 journal\r\nContent-Length: 900000\r\n\r\n" . 'x' x 1000);
    is($client->read_response->status, 413, 'its answer is passed on');
    $client->close;
    my $calls = calls_of('/early') =~ s/^(?:journal|report|headers).*\n//gmr;
    is($calls, "${relayed}checkin_service main s2 connected -\nterminate - 413\n", 'and all went well');
};

# reason, status, request line and headers, X-Do; error_page is asked once, and the log names it.
my @reasons = (
    [ empty_host                    => 400, "GET /nohost HTTP/1.0\nHost:" ],
    [ expectation_failed            => 417, "GET /expect HTTP/1.1\nExpect: wonders" ],
    [ bad_request_header            => 400, "GET /upgrade HTTP/1.1\nConnection: upgrade" ],
    [ client_bad_chunk              => 400, "POST /hold-chunk HTTP/1.1\nTransfer-Encoding: chunked\n\nzz\n" ],
    [ client_timeout                => 503, "POST /hold-slow HTTP/1.1\nContent-Length: 10\n\nabc" ],
    [ backend_closed                => 503, "GET /closed HTTP/1.1" ],
    [ backend_reset                 => 503, "GET /reset HTTP/1.1" ],
    [ backend_truncated             => 503, "GET /short HTTP/1.1" ],
    [ backend_timeout               => 503, "GET /hold HTTP/1.1" ],
    [ backend_invalid_status        => 503, "GET /invalid HTTP/1.1" ],
    [ backend_status_length         => 502, "GET /statusline HTTP/1.1" ],
    [ backend_invalid_header        => 502, "GET /colon HTTP/1.1" ],
    [ backend_header_length         => 502, "GET /longline HTTP/1.1" ],
    [ backend_cookie_length         => 502, "GET /cookie HTTP/1.1" ],
    [ backend_content_length        => 502, "GET /lengths HTTP/1.1" ],
    [ backend_invalid_transfer_encoding => 502, "GET /coding HTTP/1.1" ],
    [ backend_bad_chunk             => 502, "GET /badchunk HTTP/1.1" ],
    [ backend_too_many_interim      => 502, "GET /interims HTTP/1.1" ],
    [ backend_unsolicited_upgrade   => 502, "GET /switch HTTP/1.1" ],
    [ router_bad_answer             => 500, "GET /bad HTTP/1.1", 'init-respond=1' ],
    [ not_today                     => 503, "GET /today HTTP/1.1", 'init-refuse' ],
    [ no_such_app                   => 404, "GET /app HTTP/1.1", 'lookup-refuse' ],
    [ maintenance                   => 503, "GET /maintenance HTTP/1.1", 'checkout-refuse' ],
);
for my $case (@reasons) {
    my ($reason, $status, $text, $do) = @$case;
    my ($head, $body) = split /\n\n/, $text, 2;
    my ($path) = $head =~ m{ (/\S*)};
    my ($line, @headers) = split /\n/, $head;
    push @headers, 'Host: a.test' if $line !~ /1\.0/;
    my $client = $proxy->connect;
    $client->write(join("\r\n", $line, @headers, 'X-Do: first=2 ' . ($do // ''), '', '') . ($body // '') =~ s/\n/\r\n/gr);
    my $r = $client->read_response;
    $r = $client->read_response while $r && $r->status < 200;
    is($r ? $r->status : 0, $status, "$reason: $status");
    my @pages = calls_of($path) =~ /^error_page (\w+)/mg;
    is("@pages", $reason, 'asked of error_page, once');
    like(calls_of($path), qr/^checkin_service .* \Q$reason\E\nterminate \Q$reason\E $status\n/m, 'told at the closing check-in and at the end');
    is($proxy->log_where(path => $path)->{code}, $reason, 'named in the log');
}

subtest 'after the first byte there is no page' => sub {
    get('/chunk', '');
    is(calls_of('/chunk'), "${relayed}checkin_service main s2 connected backend_bad_chunk\nterminate backend_bad_chunk 200\n", 'the reason is told');
    is($proxy->log_where(path => '/chunk')->{code}, 'backend_bad_chunk', 'and logged');
};

# ── the journal ──

sub journal {
    my ($path) = @_;
    my $text = calls_of($path);
    my ($line, $report, $headers) = map { $text =~ /^$_ ?(.*)$/m ? $1 : undef } qw(journal report headers);
    return { $line =~ /(\w+)=(\S*)/g, report_text => $report, header_text => $headers };
}

subtest 'the journal of a request that went well' => sub {
    my $client = $proxy->connect;
    $client->write("POST /body HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2 journal log\r\nContent-Length: 4\r\n\r\nbody");
    $client->read_response;
    my $j = journal('/body');
    is("@$j{qw(status outcome fault connects body response listen)}", '200 successful - 1 4 2 ' . $proxy->port, 'what it was');
    ok(!(grep { $j->{$_} < 0 } qw(route connect service total send_headers request_proxy response_proxy start_to_proxy)), 'every duration is there');
    is($j->{received}, length simple_response('ok'), 'bytes of the backend');
    my ($sent) = grep { /body$/ && m{ /body } } $backend->received;
    is($j->{sent}, length $sent, 'bytes for the backend');
    like($j->{report_text}, qr/^init 0, accepted_to_pre_connect \d+, connect_time \d+, .*, total \d+$/, 'the report');
    like(calls_of('/body'), qr/^log - successful\njournal /m, 'log comes before terminate');
    my $line = $proxy->log_where(path => '/body');
    is("$line->{shop} $line->{n}", 'a "b" 1', 'its fields are in the line');
    unlike($line->{''}, qr/bad name/, 'but for one whose name is none');
};

subtest 'the backend\'s headers as they came' => sub {
    my $r = get('/ok-headers', 'journal');
    is($r->header('X-B'), undef, 'stripped for the client');
    is(journal('/ok-headers')->{header_text}, ' content-length=2 x-b=1 connection=X-B x-b=2' =~ s/^ //r, 'kept for the router');
    my $client = $proxy->connect;
    $client->write("GET /switch-headers HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2 journal\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    $client->read_head;
    $client->read_exactly(2);
    $client->close;
    my $j = journal('/switch-headers');
    is($j->{header_text}, 'connection=upgrade upgrade=x', 'also of a 101');
    is($j->{outcome}, 'successful', 'which is a success when it ends');
};

subtest 'the bytes of a relay that failed' => sub {
    get('/short-bytes', 'journal');
    my $j = journal('/short-bytes');
    is($j->{received}, length "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 'received');
    my ($sent) = grep { m{ /short-bytes } } $backend->received;
    is($j->{sent}, length $sent, 'sent');
    is("$j->{outcome} $j->{fault}", 'error backend_truncated', 'an error');
    is(join(' ', grep { $j->{$_} < 0 } qw(route connect service total send_headers response_proxy)), '', 'its durations are there');
    get('/chunk-bytes', 'journal');
    $j = journal('/chunk-bytes');
    is("$j->{response} $j->{outcome}", '3 error', 'what the client got before a cut');
    cmp_ok($j->{received}, '>=', 56, 'and what the backend had said');
};

subtest 'the journal of a request without a backend' => sub {
    get('/halt', 'journal lookup-redirect');
    my $j = journal('/halt');
    is("@$j{qw(status outcome connects route connect service response_proxy sent received header_text)}", '301 halted 0 -1 -1 -1 -1 0 0 ', 'a redirect');
    like($j->{report_text}, qr/^init 0, accepted_to_responded \d+, total \d+$/, 'its report');
    get('/refused', 'journal checkout-refuse');
    is(journal('/refused')->{outcome}, 'error', 'a refusal');
};

subtest 'the journal of a request that was retried' => sub {
    $proxy->get('/ok-retried', "X-Do: first=1 journal\r\n");
    my $j = journal('/ok-retried');
    is("$j->{connects} $j->{outcome}", '2 successful', 'two attempts');
    is(join(' ', grep { $j->{$_} < 0 } qw(route connect service total send_headers response_proxy start_to_proxy)), '', 'every duration is there');
    cmp_ok($j->{route}, '>=', $j->{connect}, 'the whole routing is not shorter than the attempt that connected');
};

done_testing;
