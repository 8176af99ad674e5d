# SPDX-License-Identifier: MIT
# Weir inside a program of somebody else's: examples/embed.c, by libh2o's own front and by Weir's.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use Weir::TLS;
use IO::Socket::IP;
use Time::HiRes qw(time);

my $backend = backend(sub {
    my $c = shift;
    while (my ($head, $body) = $c->read_request) {
        $c->note($head =~ /^(\S+ \S+)/);
        return if $head =~ m{^\S+ /die};
        if ($head =~ /^Upgrade:/mi || $head =~ m{^\S+ /switches}) {
            $c->write("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
            while (defined(my $line = $c->read_until(qr/\n/, 60))) { $c->write($line) }
            return;
        }
        if ($head =~ m{^\S+ /chunks}) { $c->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"); next }
        if ($head =~ m{^\S+ /found}) { $c->write("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"); next }
        if ($head =~ m{^\S+ /close}) { $c->write("HTTP/1.1 200 OK\r\n\r\nuntil the end"); return }
        if ($head =~ m{^\S+ /cut})   { $c->write("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" . 'x' x 200_000); select undef, undef, undef, 0.05; return }
        if ($head =~ m{^\S+ /big})   { $c->write("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" . 'x' x 3_000_000); next }
        if ($head =~ m{^\S+ /never}) { $c->wait_close(60); return }
        if ($head =~ m{^\S+ /slow})  { select undef, undef, undef, 0.3 }
        $c->write(simple_response($head . $body, headers => "Server: backend\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Extra: 1\r\n"));
    }
});

my $files = temp_path('files');
mkdir $files or die $!;
sub lay_out { my ($text) = @_; unlink "$files/a.txt"; write_file("$files/a.txt", $text); return }

my ($stock, $ours, $tls) = map { free_port() } 1 .. 3;
my $ca   = authority('test authority');
my $cert = certificate('a.test', ca => $ca);
my $pem  = write_file(temp_path('both.pem'), read_file($cert->{cert}) . read_file($cert->{key}));
my ($out, $err, $report) = (temp_path('out'), temp_path('err'), temp_path('sanitizer'));
my ($program, $edges, $serve) = map { Weir::Test::build_dir() . "/$_" } 'examples/embed', 't/embed/edges', 't/embed/serve';
plan(skip_all => "no $program") if grep { !-x } $program, $edges, $serve;
my $pid = Weir::Test::_spawn($out, $err, command => [ $program, $stock, $ours, $backend->port, $files, $tls, $pem ], env => Weir::Test::_proxy_env($report));
END { kill 'KILL', $pid if $pid }
my $is_up = wait_for { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $ours) };
ok($is_up, 'it starts') or BAIL_OUT(read_file($err));

sub connect_to { my ($port) = @_; return $port == $tls ? tls_client($tls, ca => $ca, hostname => 'a.test') : Weir::Client->connect($port) }

sub ask {
    my ($port, $bytes, %option) = @_;
    my $client = connect_to($port) // return;
    $client->write($bytes);
    return $client->read_response(%option);
}
sub get { my ($port, $path, $more) = @_; return ask($port, "GET $path HTTP/1.1\r\nHost: a.test\r\n" . ($more // '') . "\r\n") }

for my $front ([ 'libh2o\'s front', $stock ], [ 'our front', $ours ], [ 'our front, with TLS', $tls ]) {
    my ($name, $port) = @$front;
    subtest $name => sub {
        lay_out("$name\n");
        is(get($port, '/files/a.txt')->body, "$name\n", 'its files, as they are now');
        is(ask($port, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")->body, 'hello', 'its handler, with a body');
        is(ask($port, "GET /files/a.txt HTTP/1.0\r\n\r\n")->body, "$name\n", 'HTTP/1.0 without Host');
        is(ask($port, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")->body, 'abcde', 'in chunks');

        my $r = get($port, '/path?x=1', "X-One: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\n");
        is($r->status, 200, 'a route');
        like($r->body, qr{^GET /path\?x=1 HTTP/1\.1\r\n}, 'the target arrives');
        like($r->body, qr{^Host: a\.test\r$}m, 'Host');
        like($r->body, qr{^X-Forwarded-For: 127\.0\.0\.1\r$}m, 'X-Forwarded-For');
        like($r->body, qr{^X-Forwarded-Port: $port\r$}m, 'X-Forwarded-Port');
        my $scheme = $port == $tls ? 'https' : 'http';
        like($r->body, qr{^X-Forwarded-Proto: $scheme\r$}m, 'X-Forwarded-Proto');
        like($r->body, qr{^X-Request-Id: \S+\r$}m, 'X-Request-Id');
        like($r->body, qr{^Via: 1\.1 embed\r$}m, 'a directive of the program is in force');
        like($r->body, qr{^x-one: 1\r$}mi, 'other fields');
        unlike($r->body, qr/^x-hop/mi, 'but for those of the hop');
        is(scalar(() = $r->head =~ /^(?:Date|Server):/mgi), 2, 'one Date, one Server') or diag($r->head);
        is($r->header('X-Extra'), '1', 'fields of the backend');
        like($r->header('Via'), qr/embed/, 'Via to the client');

        $r = ask($port, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" . 'y' x 200_000);
        is(length($r->body =~ s/.*?\r\n\r\n//sr), 200_000, 'a body goes through');
        is(length get($port, '/big')->body, 3_000_000, 'a long response comes back');
        is(get($port, '/chunks')->body, 'hello world', 'in chunks');
        is(get($port, '/found')->body, 'hello', 'with another status');
        is(get($port, '/close')->body, 'until the end', 'until the connection ends');
        is(ask($port, "HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n", head => 1)->status, 200, 'HEAD');
        $r = get($port, '/die');
        is($r->status, 503, 'a backend that dies is a page') or diag($r->head);
        $r = get($port, '/cut');
        ok(!$r->is_complete, 'one that dies in the middle is a cut');

        my $client = connect_to($port);
        for my $n (1 .. 3) {
            $client->write("GET /again$n HTTP/1.1\r\nHost: a\r\n\r\n");
            like($client->read_response->body, qr{^GET /again$n }, "request $n on one connection");
        }
        $client->write("GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n");
        like($client->read_response->body, qr{^GET /one }, 'pipelined');
        like($client->read_response->body, qr{^GET /two }, 'both');
        $client->write("GET /never$port HTTP/1.1\r\nHost: a\r\n\r\n");
        ok($backend->wait_event(qr{GET /never$port}), 'a request without an answer');
        $client->reset;
        is(get($port, '/after')->status, 200, 'the others do not notice');
    };
}

subtest 'what libh2o\'s front cannot' => sub {
    my $upgrade = "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    my $r = ask($stock, $upgrade);
    is($r->status, 200, 'a switch of protocols is not asked for');
    unlike($r->body, qr/^upgrade|upgrade\r$/mi, 'the backend hears nothing of it');
    $r = ask($stock, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop, Upgrade\r\nX-Hop: 1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n");
    is($r->status, 200, 'a WebSocket is an ordinary request');
    like($r->body, qr/^sec-websocket-key: k\r$/mi, 'with its other fields');
    unlike($r->body, qr/upgrade|x-hop/i, 'but for those of the hop');
    is(get($stock, '/switches')->status, 502, 'a 101 that nobody has asked for');
    is(get($stock, '/switches', "Connection: upgrade\r\nUpgrade: echo\r\n")->status, 502, 'or that only the client has');
    is(get($stock, '/fold', "X-One: 1\r\n Transfer-Encoding: chunked\r\n")->status, 400, 'a fold does not reach the backend');
    my $client = Weir::Client->connect($ours);
    $client->write($upgrade);
    like($client->read_head, qr/^HTTP\/1\.1 101/, 'our front makes a tunnel');
    $client->write("hello\n");
    is($client->read_until(qr/\n/), "hello\n", 'that works');
};

subtest 'TLS of the program\'s own' => sub {
    my @curl = (qw(curl -sS --cacert), $ca->{cert}, '--resolve', "a.test:$tls:127.0.0.1", '-w', '%{http_version}');
    lay_out("a file\n");
    for my $case ([ '--http1.1', '1.1' ], [ '--http2', '2' ]) {
        my ($option, $version) = @$case;
        my $url = "https://a.test:$tls";
        is(run_command(@curl, $option, "$url/files/a.txt")->{out}, "a file\n$version", "curl $option: its files");
        is(run_command(@curl, $option, '-d', 'hello', "$url/echo")->{out}, "hello$version", 'its handler');
        like(run_command(@curl, $option, "$url/x")->{out}, qr{^GET /x HTTP/1\.1\r\n.*^X-Forwarded-Proto: https\r\n.*\n$version\z}ms, 'a route');
        is(length run_command(@curl, $option, "$url/big")->{out}, 3_000_000 + length $version, 'a long response');
        my $long = write_file(temp_path('long'), 'y' x 200_000);
        my $put = run_command(@curl, $option, '-H', 'Expect:', '-T', $long, "$url/put")->{out};
        is($put =~ s/.*?\r\n\r\n//sr, 'y' x 200_000 . $version, 'a long body');
    }
    my $preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . pack('CnCCN', 0, 0, 4, 0, 0);
    for my $alpn (undef, 'h2-14') {
        my $client = tls_client($tls, $alpn ? (alpn => [$alpn]) : ());
        $client->write($preface);
        is((unpack 'CnC', $client->read_exactly(9) // '')[2], 4, $alpn ? "$alpn, which libh2o offers, is HTTP/2" : 'HTTP/2 by its preface');
    }
    is(tls_client($tls, alpn => [ 'http/1.1', 'h2' ])->alpn, 'h2', 'the order is the program\'s');
    like(do { my $c = Weir::Client->connect($tls); $c->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"); $c->read_eof }, qr{^HTTP/1\.1 400 }, 'HTTP in plain is told so');
    my $session = temp_path('session');
    unlike(s_client($tls, '-sess_out', $session, '-tls1_2'), qr/^Reused/m, 'a session');
    like(s_client($tls, '-sess_in', $session, '-tls1_2'), qr/^Reused, TLSv1\.2/m, 'is resumed by the program\'s tickets');
};

subtest 'timers of the program\'s globalconf' => sub {
    my @silent = (Weir::Client->connect($tls), Weir::Client->connect($ours));
    my $idle = tls_client($tls);
    $idle->write("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    is($idle->read_response->status, 200, 'a request');
    my $since = time;
    is($_->read_eof, '', 'who says nothing is closed') for @silent, $idle;
    cmp_ok(time - $since, '<', 8, 'as soon as it says') unless Weir::Client::is_valgrind();
};

subtest 'many at once' => sub {
    my @clients = map { my $c = connect_to(($stock, $ours, $tls)[ $_ % 3 ]); $c->write("GET /slow$_ HTTP/1.1\r\nHost: a\r\n\r\n"); $c } 1 .. 20;
    is(scalar(grep { $_->read_response->status == 200 } @clients), 20, 'all are answered');
};

subtest 'the end' => sub {
    my ($idle, $busy) = map { connect_to($tls) } 1 .. 2;
    my $early = Weir::Client->connect($tls);
    $idle->write("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    is($idle->read_response->status, 200, 'an idle connection');
    $busy->write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    $backend->wait_event(qr{GET /slow$});
    my $since = time;
    kill 'TERM', $pid;
    is($idle->read_eof, '', 'is closed');
    is($early->read_eof, '', 'one in its handshake too');
    cmp_ok(time - $since, '<', 2, 'before its time') unless Weir::Client::is_valgrind();
    my $r = $busy->read_response;
    is($r->status, 200, 'a request is finished');
    ok($r->says_close, 'and its connection closed');
    my $status = Weir::Test::_reap($pid, 3 * wait_seconds());
    is($status, 0, 'the program ends') or diag(read_file($err));
    $pid = 0 if defined $status;
    ok(!(grep { -s } glob "$report*"), 'no sanitizer report') or diag(map { read_file($_) } glob "$report*");
    my $lines = () = read_file($out) =~ /^\S+Z at=/mg;
    cmp_ok($lines, '>', 50, 'the access log is on its standard output');
};

subtest 'what is rarely asked' => sub {
    my ($proxy, $proxy_tls, $renewing, $memcached, $without) = my @ports = map { free_port() } 1 .. 5;
    my ($said, $complaints, $report) = (temp_path('out'), temp_path('err'), temp_path('sanitizer'));
    $pid = Weir::Test::_spawn($said, $complaints, command => [ $edges, $pem, @ports ], env => Weir::Test::_proxy_env($report));
    wait_for { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $without) } or BAIL_OUT(read_file($complaints));
    my $get = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    my $header = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 4444\r\n";

    my $client = Weir::Client->connect($proxy);
    $client->write("$header$get");
    is($client->read_response->status, 503, 'a PROXY header');
    is((tls_client($proxy_tls, ca => $ca, first => $header) // die tls_error())->version, 'TLSv1_3', 'and TLS behind it');
    like(wait_for { read_file($said) =~ /^\S+Z at=.*/m ? $& : undef }, qr/ fwd="?192\.0\.2\.1/, 'is believed');
    $client = Weir::Client->connect($proxy);
    $client->write($get);
    is($client->read_eof, '', 'without it nothing is said');

    $client = Weir::Client->connect($proxy);
    $client->write("${header}POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    is($client->read_response->status, 413, 'the longest body is the globalconf\'s');
    my $since = time;
    $client = tls_client($renewing);
    is($client->read_eof, '', 'weir.header-timeout is heard');
    cmp_ok(time - $since, '<', 8, 'in place of http1.req_timeout') unless Weir::Client::is_valgrind();

    tls_client($renewing)->close for 1 .. 8;
    $client = tls_client($renewing, ca => $ca);
    $client->write("GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
    like($client->read_response->body, qr/^[1-6]$/, 'contexts of TLS that nobody uses any more are let go');

    (my $lax = $get) =~ tr/\r//d; # which our fronts do not take
    is(ask($memcached, $lax)->status, 503, 'sessions in memcached: refused, and h2o_accept() may have it');
    is(ask($without, $get)->status, 404, 'a globalconf without a router: the same');
    SKIP: {
        skip 'no python3-h2', 3 unless Weir::Http2Client::is_possible();
        my $stuck = Weir::Http2Client->connect($memcached, updates_windows => 0, settings => { 4 => 0 });
        my $id = $stuck->request(path => '/stuck');
        ok($stuck->wait(headers => $id), 'libh2o\'s HTTP/2, and a client that opens no window');
        ok((wait_for { read_file($said) =~ m{^\S+Z at=.* path="/stuck"}m }), 'the exchange ends in time');
        $stuck->frame(WINDOW_UPDATE => 0, $id, pack 'N', 100_000);
        ok($stuck->wait(end => $id), 'the client may still have what it was given');
        $stuck->close;
    }
    kill 'TERM', $pid;
    my $status = Weir::Test::_reap($pid, 3 * wait_seconds());
    is($status, 0, 'the program ends, and every context with it') or diag(read_file($complaints));
    $pid = 0 if defined $status;
    ok(!(grep { -s } glob "$report*"), 'no sanitizer report') or diag(map { read_file($_) } glob "$report*");
};

subtest 'a backend with a name' => sub {
    my ($port, $named) = (free_port(), ok_backend('named'));
    my ($said, $complaints, $report) = (temp_path('out'), temp_path('err'), temp_path('sanitizer'));
    my $names = Weir::Test::build_dir() . '/t/embed/names';
    $pid = Weir::Test::_spawn($said, $complaints, command => [ $names, $port, $named->port ], env => Weir::Test::_proxy_env($report));
    for my $context (1 .. 3) {
        my $r = wait_for { my $c = Weir::Client->connect($port) or return; $c->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"); $c->read_response };
        is($r && $r->body, 'named', "it is found by context $context") or diag(read_file($complaints));
        my $again = wait_for { my $got = eval { get($port, '/') }; $got }; # the context before it may be leaving
        is($again && $again->body, 'named', 'and again');
        my $threads = () = glob "/proc/$pid/task/*";
        cmp_ok($threads, '<=', 3, 'by one thread more');
        kill 'USR1', $pid;
    }
    kill 'TERM', $pid;
    my $status = Weir::Test::_reap($pid, 3 * wait_seconds());
    is($status, 0, 'the program ends') or diag(read_file($complaints));
    $pid = 0 if defined $status;
    ok(!(grep { -s } glob "$report*"), 'no sanitizer report') or diag(map { read_file($_) } glob "$report*");
};

subtest 'weir_serve()' => sub {
    my $report = temp_path('sanitizer');
    my $env    = Weir::Test::_proxy_env($report);
    my ($port, $said, $complaints) = (free_port(), temp_path('out'), temp_path('err'));
    $pid = Weir::Test::_spawn($said, $complaints, command => [ $serve, "127.0.0.1:$port" ], env => $env);
    wait_for { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port) } or BAIL_OUT(read_file($complaints));
    my $r = get($port, '/');
    is($r->status, 503, 'its router decides');
    like($r->body, qr/^closed: Closed on Sundays\.$/m, 'and says why');
    my $second = run_command({ env => $env }, $serve, "127.0.0.1:$port");
    is($second->{exit}, 1, 'an address in use');
    like($second->{err}, qr/127\.0\.0\.1:$port: bind: Address already in use/, 'is said');
    my $wrong = run_command({ env => $env }, $serve, 'nowhere:at:all');
    is($wrong->{exit}, 1, 'an address that is none');
    like($wrong->{err}, qr/^weir_serve: nowhere:at:all: \S/m, 'is said');
    for my $case ([ 'num-threads: many', qr/^weir_serve:1: num-threads: must be a whole number/m ], [ '[ a ]', qr/^weir_serve:1: directives: must be a mapping/m ],
        [ "num-threads: 1\nhosts: {}", qr/^weir_serve:2: hosts: the router given serves them all/m ], [ 'num-threads: [', qr/^weir_serve:\d+: /m ],
        [ "no-such-thing: 1", qr/^weir_serve:1: .*no-such-thing/m ]) {
        my $run = run_command({ env => $env }, $serve, '127.0.0.1:' . free_port(), $case->[0]);
        is($run->{exit}, 1, "$case->[0]: refused");
        like($run->{err}, $case->[1], 'with the line of the text');
    }
    kill 'TERM', $pid;
    my $status = Weir::Test::_reap($pid, 3 * wait_seconds());
    is($status, 0, 'SIGTERM ends it') or diag(read_file($complaints));
    $pid = 0 if defined $status;
    like(read_file($said), qr/^\S+Z at=error code=closed .*path="\/"/m, 'the access log is on its standard output');
    ok(!(grep { -s } glob "$report*"), 'no sanitizer report') or diag(map { read_file($_) } glob "$report*");
};

subtest 'weir_serve() with directives' => sub {
    my $report = temp_path('sanitizer');
    my $env    = Weir::Test::_proxy_env($report);
    my ($port, $also, $log, $complaints) = (free_port(), free_port(), temp_path('access.log'), temp_path('err'));
    my $yaml = "num-threads: 2\nweir.access-log: $log\nweir.proxy-status: ON\nlisten: $also\n";
    $pid = Weir::Test::_spawn(temp_path('out'), $complaints, command => [ $serve, "127.0.0.1:$port", $yaml ], env => $env);
    wait_for { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port) } or BAIL_OUT(read_file($complaints));
    like(get($port, '/')->header('Proxy-Status'), qr/closed/, 'a directive of every path');
    is(get($also, '/also')->status, 503, 'a further address');
    wait_for { read_file($log) =~ m{path="/also"} };
    like(read_file($log), qr{^\S+Z at=error code=closed .*path="/also"}m, 'a log of its own');
    kill 'TERM', $pid;
    is(Weir::Test::_reap($pid, 3 * wait_seconds()), 0, 'SIGTERM ends it') or diag(read_file($complaints));
    $pid = 0;
    ok(!(grep { -s } glob "$report*"), 'no sanitizer report') or diag(map { read_file($_) } glob "$report*");
};

done_testing;
