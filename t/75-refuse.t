# SPDX-License-Identifier: MIT
# The pages of requests that end badly.
use lib 't/lib';
use Weir::Test;

my $ok   = ok_backend('ok');
my $page = write_file(temp_path('page.html'), "<h1>Sorry</h1>\n");
my $dead = '127.0.0.1:' . refusing_port();

subtest 'the plain page' => sub {
    my $proxy = proxy(backends => [$dead]);
    my $client = $proxy->connect;
    $client->write("GET /plain HTTP/1.1\r\nHost: a\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    my $r = $client->read_response;
    is($r->status, 503, 'the status of the reason');
    is($r->reason, 'Service Unavailable', 'with its phrase');
    like($r->body, qr/backend_refused/, 'the reason in the body');
    is($r->header('Content-Length'), length $r->body, 'Content-Length');
    like($r->header('Content-Type') // '', qr{^text/}, 'Content-Type');
    like($r->header('Date') // '', qr/GMT$/, 'Date');
    like($r->header('Server') // '', qr/^weir\b/, 'Server');
    ok($r->says_close, 'Connection: close');
    is($r->header('Via'), undef, 'no Via: it is our own');
    is($r->header('Proxy-Status'), undef, 'no Proxy-Status unless wanted');
    is($client->read_eof, '', 'closed, though another request is there');

    $r = $proxy->ask("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n");
    is($r->status, 503, 'HEAD');
    cmp_ok($r->header('Content-Length'), '>', 0, 'has the length of the page');
    my $raw = $proxy->connect;
    $raw->write("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n");
    like($raw->read_eof, qr/\r\n\r\n\z/, 'and no body');

    $raw = $proxy->connect;
    $raw->write("GET /old HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    $r = $raw->read_response;
    is($r->status, 503, 'HTTP/1.0');
    is($raw->read_eof, '', 'is closed, too');
};

subtest 'a request whose body is on its way' => sub {
    my $proxy = proxy(backends => [$dead]);
    for my $framing ('Content-Length: 1000000', 'Transfer-Encoding: chunked') {
        my $client = $proxy->connect;
        $client->write("POST /body HTTP/1.1\r\nHost: a\r\n$framing\r\n\r\n");
        $client->write_until_stuck($framing =~ /chunked/ ? "10\r\n" . 'x' x 16 . "\r\n" : 'x' x 10000, 0.2) for 1 .. 20;
        my $r = $client->read_response;
        is($r->status, 503, "$framing: the page arrives");
        ok($r->is_complete, "$framing: whole");
        $client->close;
    }
};

subtest 'weir.proxy-status' => sub {
    my $proxy = proxy(backends => [$dead], global => { 'weir.proxy-status' => 'ON' });
    my $status = $proxy->get('/')->header('Proxy-Status') // '';
    like($status, qr/^[\w.-]+;.*\berror=\w+/, 'names us and an error of RFC 9209');
    like($status, qr/connection_refused|backend_refused/, 'the right one');
    my $fine = proxy(backends => [$ok], global => { 'weir.proxy-status' => 'ON' });
    unlike($fine->get('/')->header('Proxy-Status') // '', qr/error=/, 'no error, no error=');
    is($fine->ask("GET / HTTP/1.1\r\n\r\n")->status, 400, 'a malformed request');
};

subtest 'pages of an app' => sub {
    my $silent = silent_backend();
    my $proxy = proxy(
        apps => {
            dead => { domains => ['dead'], backends => [$dead], 'error-pages' => {
                backend_refused => { status => 504, file => $page },
                backend_timeout => { status => 500 },
            } },
            slow => { domains => ['slow'], backends => [ $silent->address ], 'error-pages' => { backend_timeout => { file => $page } } },
            bare => { domains => ['bare'], backends => [ $silent->address ], 'error-pages' => { backend_refused => { file => $page } } },
        },
        path => { 'weir.first-byte-timeout' => ms(200) },
    );
    my $r = $proxy->ask("GET /dead HTTP/1.1\r\nHost: dead\r\n\r\n");
    is($r->status, 504, 'status of its own');
    is($r->body, "<h1>Sorry</h1>\n", 'body of its own');
    is($r->header('Content-Length'), 15, 'with its length');
    is($proxy->log_where(path => '/dead')->{status}, 504, 'the log says what was sent');
    is($proxy->log_where(path => '/dead')->{code}, 'backend_refused', 'and why');
    $r = $proxy->ask("GET /slow HTTP/1.1\r\nHost: slow\r\n\r\n");
    is($r->status . $r->body, "503<h1>Sorry</h1>\n", 'a file alone keeps the status');
    $r = $proxy->ask("GET /bare HTTP/1.1\r\nHost: bare\r\n\r\n");
    is($r->status, 503, 'another reason has the plain page');
    like($r->body, qr/backend_timeout/, 'as always');
};

subtest 'a page of the router' => sub {
    my $log = temp_path('record.log');
    my $proxy = proxy(router => { module => router_so('record'), log => $log, backends => [ $ok->address ] });
    my $r = $proxy->get('/page', "X-Do: checkout-refuse own-page\r\n");
    is($r->status, 418, 'its status');
    is($r->body, "a page of its own\n", 'its body');
    is($r->header('X-Page'), 'own', 'its header');
    is(join('|', $r->all('Content-Length')), length $r->body, 'the framing is ours');
    unlike($r->head, qr/Bad Name/, 'a name that is none is left out');
    ok($r->says_close, 'Connection: close');
    $r = $proxy->ask("HEAD /page HTTP/1.1\r\nHost: a\r\nX-Do: checkout-refuse own-page\r\n\r\n");
    is($r->header('Content-Length'), 18, 'HEAD: its length');
};

subtest 'nothing is written into a response that has begun' => sub {
    my $cut = backend(sub { my $c = shift; $c->read_head; $c->write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nstart") });
    my $proxy = proxy(backends => [$cut]);
    my $client = $proxy->connect;
    $client->write("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    my $all = $client->read_eof;
    like($all, qr{^HTTP/1\.1 200 OK\r\n}, 'what had begun');
    is(scalar(() = $all =~ m{HTTP/1\.1}g), 1, 'is the only response');
    like($all, qr/\r\n\r\nstart\z/, 'cut where it ended');
    my $line = $proxy->log_where(path => '/cut');
    is($line->{code}, 'backend_truncated', 'the log knows');
    is($line->{status}, 200, 'and what the client saw');
};

done_testing;
