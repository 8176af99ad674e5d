# SPDX-License-Identifier: MIT
# HTTP/2 over TLS: ALPN, real clients, and what changes when bytes are encrypted.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use Weir::TLS;

plan skip_all => "python3-h2 is not installed" unless Weir::Http2Client::is_possible();

my $bytes = is_sanitized() ? 32_000_000 : 1 << 30;
my $backend = backend(sub {
    my $c = shift;
    no warnings 'redefine';
    while (defined(my $head = $c->read_head)) {
        my $length = $head =~ /^content-length: *(\d+)/mi ? $1 : 0;
        if ($head =~ m{^GET /down}) {
            local *Weir::Backend::Connection::on_bytes = sub { };
            $c->write("HTTP/1.1 200 OK\r\nContent-Length: $bytes\r\n\r\n");
            my $piece = 'x' x 65536;
            for (my $sent = 0; $sent < $bytes; $sent += 65536) {
                $c->write(substr $piece, 0, $bytes - $sent < 65536 ? $bytes - $sent : 65536);
            }
            next;
        }
        local *Weir::Backend::Connection::on_bytes = sub { } if $length > 1_000_000;
        my $got = 0;
        while ($got < $length) {
            $got += length $c->{in};
            $c->{in} = '';
            last if $got >= $length || !$c->_more(time + 30);
        }
        $c->write(simple_response($length ? "got $got" : $head));
    }
});
my $cert  = certificate('a.test');
my $port  = free_port();
my $log   = temp_path('h2o.log');
my $proxy = proxy(
    backends => [$backend],
    listen   => [ { host => '127.0.0.1', port => $port, ssl => { 'certificate-file' => $cert->{cert}, 'key-file' => $cert->{key} } } ],
    global   => { 'access-log' => { path => $log, format => '%H %s %U %{ssl.protocol-version}x' } });
my $url = "https://127.0.0.1:$port";

sub client { return Weir::Http2Client->connect($port, tls => 1, @_) }

subtest 'ALPN' => sub {
    is(tls_client($port, alpn => [ 'http/1.1', 'h2' ])->alpn, 'h2', 'h2, if it is offered');
    is(tls_client($port, alpn => ['http/1.1'])->alpn, 'http/1.1', 'else HTTP/1');
    my $client = tls_client($port, alpn => ['http/1.1']);
    $client->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    is($client->read_response->status, 505, 'who has agreed on HTTP/1 speaks it');
    $client = tls_client($port, alpn => ['h2']);
    $client->write("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    unlike($client->read_eof // '', qr{^HTTP/1}, 'who has agreed on h2 speaks that');
};

subtest 'requests' => sub {
    my $h2 = client();
    my $r  = $h2->get('/x');
    like($r->{body}, qr/\r\nX-Forwarded-Proto: https\r\n/, 'the backend is told of https');
    is($proxy->log_where(path => '/x')->{protocol}, 'https', 'so is the log');
    my $line = wait_for { -e $log ? (grep { m{ /x } } split /\n/, read_file($log))[0] : undef };
    is($line, 'HTTP/2 200 /x TLSv1.3', "and libh2o's");
    my @ids = map { $h2->request(path => "/$_", method => 'POST', body => 'b' x 1000, headers => [ [ 'content-length', '1000' ] ]) } 1 .. 50;
    is(scalar(grep { $h2->response($_)->{body} eq 'got 1000' } @ids), 50, 'fifty at once');
    is($h2->response($h2->request(pseudo => { ':scheme' => 'https' }))->{status}, 200, ':scheme https');
};

subtest 'real clients' => sub {
    my $run = run_command(qw(curl -sSk -w), '%{http_version}', "$url/curl");
    like($run->{out}, qr{^GET /curl .*\r\n\r\n2\z}s, 'curl chooses HTTP/2');
    like(run_command(qw(curl -sSk --http1.1 -w), '%{http_version}', "$url/curl")->{out}, qr{\r\n\r\n1\.1\z}, 'or HTTP/1.1, if told so');
    SKIP: {
        skip 'nghttp2-client is not installed', 2 unless grep { -x "$_/h2load" } split /:/, $ENV{PATH};
        $run = run_command('nghttp', '-m', 3, "$url/nghttp");
        is(() = $run->{out} =~ m{^GET /nghttp }gm, 3, 'nghttp');
        $run = run_command(qw(h2load -n 2000 -c 8 -m 16), "$url/h2load");
        like($run->{out}, qr/2000 succeeded, 0 failed, 0 errored/, 'h2load: 2,000 requests, none fails');
    }
    SKIP: {
        skip 'node is not installed', 1 unless grep { -x "$_/node" } split /:/, $ENV{PATH};
        my $script = temp_path('client.js');
        write_file($script, <<"JS");
const h2 = require('http2').connect('$url', { rejectUnauthorized: false });
const req = h2.request({ ':path': '/node' });
let body = ''; req.setEncoding('utf8'); req.on('data', (d) => body += d);
req.on('end', () => { console.log(body.split(' ')[1], h2.alpnProtocol); h2.close(); });
req.end();
JS
        is(run_command('node', $script)->{out}, "/node h2\n", "Node's http2");
    }
};

subtest 'a WebSocket' => sub {
    my $own_port = free_port();
    my $socket = backend(sub {
        my $c = shift;
        my $head = $c->read_head // return;
        my ($key) = $head =~ /^sec-websocket-key: *(\S+)/mi;
        require Digest::SHA;
        $c->write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                . Digest::SHA::sha1_base64($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . "=\r\n\r\nhello");
        $c->write($1) while ($c->read_until(qr/\n/) // '') =~ /(.*)/s && length $1;
    });
    my $own = proxy(backends => [$socket],
        listen => [ { host => '127.0.0.1', port => $own_port, ssl => { 'certificate-file' => $cert->{cert}, 'key-file' => $cert->{key} } } ]);
    my $h2 = Weir::Http2Client->connect($own_port, tls => 1);
    my $id = $h2->request(pseudo => { ':method' => 'CONNECT', ':protocol' => 'websocket', ':scheme' => 'https' }, is_open => 1);
    ok($h2->wait(bytes => [ $id, 5 ]), 'opens');
    $h2->data($id, "there and back\n");
    ok($h2->wait(bytes => [ $id, 20 ]), 'and carries bytes');
    is($h2->stream($id)->{body}, "hellothere and back\n", 'as they were');
    $h2->data($id, '', is_last => 1);
    ok($h2->wait(end => $id), 'and ends');
};

subtest 'bounds hold' => sub {
    my $h2 = client();
    $h2->wait(settings => 1);
    my $GET = [ [ ':method', 'GET' ], [ ':scheme', 'https' ], [ ':path', '/r' ], [ ':authority', 'a.test' ] ];
    $h2->tell('rapid', 1, 100_000, $GET, 'client');
    is($h2->goaway, 'ENHANCE_YOUR_CALM', 'rapid reset');
    ok($h2->is_closed, 'and the end');
    is(client()->get('/')->{status}, 200, 'others are served');
};

subtest 'much, both ways, with flat memory' => sub {
    my $before = $proxy->memory_kb('VmHWM');
    my $run = run_command({ seconds => 150 }, 'sh', '-c', "curl -sSk $url/down | wc -c");
    like($run->{out}, qr/^\s*$bytes$/, "$bytes bytes down");
    $run = run_command({ seconds => 150 }, 'sh', '-c', "head -c $bytes /dev/zero | curl -sSk -H 'Content-Length: $bytes' -T - -X POST $url/up");
    is($run->{out}, "got $bytes", "$bytes bytes up") or diag($run->{err});
    my $more = $proxy->memory_kb('VmHWM') - $before;
    cmp_ok($more, '<', is_sanitized() ? 200_000 : 10_000, "memory grew by $more kB");
};

subtest 'draining' => sub {
    my $h2 = client();
    is($h2->get('/')->{status}, 200, 'a connection');
    $proxy->signal('TERM');
    is($h2->goaway, 'NO_ERROR', 'gets GOAWAY');
    ok($h2->is_closed, 'and its end');
    is($proxy->wait_exit, 0, 'the proxy exits with 0');
};

done_testing;
