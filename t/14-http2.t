# SPDX-License-Identifier: MIT
# HTTP/2 with clients: how it begins, what a head may say, and what the backend gets of it.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;

plan skip_all => "python3-h2 is not installed" unless Weir::Http2Client::is_possible();

my $echo  = echo_backend();
my $proxy = proxy(backends => [$echo], listen => [ { host => '::1', port => free_port() } ]);
my $PREFACE  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
my $SETTINGS = "\0\0\0\4\0\0\0\0\0";

sub client { return Weir::Http2Client->connect($proxy->port, @_) }

# The request head that the backend got for this one, as the echo tells it.
sub backend_head {
    my ($h2, %option) = @_;
    my $r = $h2->response($h2->request(%option));
    my ($head) = $r->{body} =~ /\A(.*?\r\n\r\n)/s;
    return $head // "status $r->{status}, reset " . ($r->{reset} // 'no') . ": $r->{body}";
}

subtest 'a connection begins with the preface' => sub {
    my $h2 = client();
    is($h2->get('/')->{status}, 200, 'in one piece');
    my %settings = %{ $h2->connection->{settings} };
    is($settings{3}, 100,    'SETTINGS: a hundred streams at once');
    is($settings{8}, 1,      'extended CONNECT is offered');
    is($settings{9}, 1,      'priorities of RFC 7540 are not');
    is($settings{4}, 262144, 'a stream has a window of 256 KiB');
    $h2->wait(acks => 1);
    is($h2->connection->{acks}, 1, "the client's SETTINGS are acknowledged");

    $h2 = client(preface => 0, answers => 0);
    $h2->tell('pieces', unpack 'H*', $PREFACE . $SETTINGS);
    is($h2->get('/')->{status}, 200, 'byte by byte');
};

subtest 'what only looks like the preface is HTTP/1' => sub {
    like($proxy->raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"),  qr/^HTTP\/1\.1 505 /, 'the last byte is another');
    like($proxy->raw("PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n"), qr/^HTTP\/1\.1 200 /, 'a method that begins like it');
    my $client = $proxy->connect;
    $client->write('P');
    $client->write("OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    is($client->read_response->status, 200, 'POST, whose P came alone');
    $client->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    is($client->read_response->status, 505, 'the preface behind a request is none');
};

subtest 'a client that leaves in the preface is forgotten' => sub {
    my $client = $proxy->connect;
    $client->write('PRI * HT');
    $client->close;
    is($proxy->get('/')->status, 200, 'others are served');
};

subtest 'the request as the backend sees it' => sub {
    my $head = backend_head(client(), path => '/p?q=1', headers => [ [ 'x-a', 'b' ], [ 'user-agent', 'u' ], [ 'priority', 'u=1, i' ] ]);
    like($head, qr{\AGET /p\?q=1 HTTP/1\.1\r\nHost: a\.test\r\n}, 'line and Host');
    like($head, qr/\r\nx-a: b\r\nuser-agent: u\r\npriority: u=1, i\r\n/, 'fields in their order, `priority` too');
    like($head, qr/\r\nVia: 2\.0 weir\r\n/, 'Via tells the version');
    like($head, qr/\r\nX-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: @{[$proxy->port]}\r\n/, 'X-Forwarded-…');
    unlike($head, qr/^:/m, 'no pseudo-field');
    my $line = $proxy->log_where(path => '/p?q=1');
    is($line->{version},  'HTTP/2', 'the log tells the version');
    is($line->{protocol}, 'http',   'and the scheme');
    is($line->{host},     'a.test', 'and the host');
};

subtest 'cookie crumbs become one field, where the first was' => sub {
    my $head = backend_head(client(), headers => [ [ 'cookie', 'a=1' ], [ 'x-a', 'b' ], [ 'cookie', 'b=2' ], [ 'cookie', 'c=3' ] ]);
    like($head, qr/\r\ncookie: a=1; b=2; c=3\r\nx-a: b\r\n/, 'joined by a semicolon');
    is(() = $head =~ /cookie/gi, 1, 'once');
};

subtest ':authority and host' => sub {
    my $h2 = client();
    like(backend_head($h2, pseudo => { ':authority' => 'B.test:81' }), qr/\r\nHost: b\.test\r\n/, 'lower case, no port, as from HTTP/1');
    like(backend_head($h2, pseudo => { ':authority' => undef }, headers => [ [ 'host', 'c.test' ] ]), qr/\r\nHost: c\.test\r\n/, 'host alone will do');
    like(backend_head($h2, headers => [ [ 'host', 'A.test' ] ]), qr/\r\nHost: a\.test\r\n/, 'both, when they agree');
    is(() = backend_head($h2, headers => [ [ 'host', 'a.test' ] ]) =~ /^host:/gim, 1, 'and then it is said once');
};

# [ name, what the request says, status, code ]
my @refused = (
    [ 'host contradicts :authority', { headers => [ [ 'host', 'b.test' ] ] },            400, 'bad_host' ],
    [ 'CONNECT',                     { pseudo => { ':method' => 'CONNECT', ':path' => undef, ':scheme' => undef } }, 400, 'connect_refused' ],
    [ 'another protocol',            { pseudo => { ':method' => 'CONNECT', ':protocol' => 'connect-udp' } }, 501, 'unsupported_protocol' ],
    [ 'a fragment',                  { path => '/a#b' },                                 400, 'bad_target' ],
    [ 'a long path',                 { path => '/' . 'a' x 8192 },                       414, 'request_line_too_long' ],
    [ 'a long name',                 { headers => [ [ 'n' x 1001, 'v' ] ] },             431, 'header_name_too_long' ],
    [ 'a long value',                { headers => [ [ 'n', 'v' x 8193 ] ] },             431, 'header_value_too_long' ],
    [ 'many fields',                 { headers => [ map { [ "n$_", 'v' ] } 1 .. 1001 ] }, 431, 'too_many_headers' ],
    [ 'much of them',                { headers => [ map { [ "n$_", 'v' x 8000 ] } 1 .. 40 ] }, 431, 'head_too_large' ],
    [ 'a malformed Content-Length',  { headers => [ [ 'content-length', '1 ' ] ], body => 'a' }, 400, 'bad_header' ],
    [ 'Expect of something else',    { headers => [ [ 'expect', 'tea' ] ] },             417, 'expectation_failed' ],
    [ 'a method too long',           { method => 'M' x 128 },                            400, 'bad_method' ],
    [ 'a value with CR LF',          { headers => [ [ 'x', "a\r\nb: c" ] ] },            400, 'bad_header' ],
    [ 'a value with NUL',            { headers => [ [ 'x', "a\0b" ] ] },                 400, 'bad_header' ],
    [ 'a value that begins blank',   { headers => [ [ 'x', ' a' ] ] },                   400, 'bad_header' ],
);

subtest 'a head that cannot be served is answered on its stream' => sub {
    my $h2 = client();
    for (@refused) {
        my ($name, $request, $status, $code) = @$_;
        my $r = $h2->response($h2->request(%$request));
        is($r->{status}, $status, "$name: $status") or diag explain $r;
        like($r->{body}, qr/\b$code\b/, "$name: $code") if $status != 417;
        is($h2->get('/')->{status}, 200, "$name: the connection lives on");
        ok(scalar(keys %{ $proxy->log_where(code => $code) }), "$name: the log says so");
    }
};

# [ name, what the request says ]: malformed, so that libnghttp2 resets the stream; what it lets through is 400 (before 1.64:
# userinfo)
my @reset = (
    [ 'an upper-case name',         { headers => [ [ 'X-A', 'b' ] ] } ],
    [ 'a name with a blank',        { headers => [ [ 'x a', 'b' ] ] } ],
    [ 'connection',                 { headers => [ [ 'connection', 'close' ] ] } ],
    [ 'keep-alive',                 { headers => [ [ 'keep-alive', '1' ] ] } ],
    [ 'proxy-connection',           { headers => [ [ 'proxy-connection', 'close' ] ] } ],
    [ 'transfer-encoding',          { headers => [ [ 'transfer-encoding', 'chunked' ] ], body => 'a' } ],
    [ 'upgrade',                    { headers => [ [ 'upgrade', 'websocket' ] ] } ],
    [ 'te: gzip',                   { headers => [ [ 'te', 'gzip' ] ] } ],
    [ 'no :path',                   { pseudo => { ':path' => undef } } ],
    [ 'an empty :path',             { path => '' } ],
    [ 'no :scheme',                 { pseudo => { ':scheme' => undef } } ],
    [ 'no :method',                 { pseudo => { ':method' => undef } } ],
    [ 'a pseudo-field twice',       { headers => [ [ ':path', '/b' ] ] } ],
    [ 'a pseudo-field at the end',  { pseudo => { ':path' => undef }, headers => [ [ 'x', 'y' ], [ ':path', '/' ] ] } ],
    [ 'an unknown pseudo-field',    { pseudo => { ':what' => 'x' } } ],
    [ ':status',                    { pseudo => { ':status' => '200' } } ],
    [ 'a relative :path',           { path => 'a' } ],
    [ 'an absolute :path',          { path => 'http://a/' } ],
    [ ':path * without OPTIONS',    { path => '*' } ],
    [ 'two Content-Lengths',        { headers => [ [ 'content-length', '1' ], [ 'content-length', '2' ] ], body => 'a' } ],
    [ 'Content-Length, no body',    { headers => [ [ 'content-length', '1' ] ] } ],
    [ 'neither :authority nor host', { pseudo => { ':authority' => undef } } ],
    [ 'two hosts',                  { headers => [ [ 'host', 'a.test' ], [ 'host', 'a.test' ] ] } ],
    [ 'an empty :authority',        { pseudo => { ':authority' => '' } } ],
    [ 'userinfo in :authority',     { pseudo => { ':authority' => 'u@a.test' } } ],
    [ 'userinfo in host',           { pseudo => { ':authority' => undef }, headers => [ [ 'host', 'u@a.test' ] ] } ],
    [ ':protocol without CONNECT',  { pseudo => { ':protocol' => 'websocket' } } ],
);

subtest 'a malformed request is a stream error (RFC 9113 §8.1.1), and nothing reaches the backend' => sub {
    my $before = grep { !m{^GET /after } } $echo->heads;
    for (@reset) {
        my ($name, $request) = @$_;
        my $h2 = client();
        my $r = $h2->response($h2->request(%$request));
        my $is_reset = ($r->{reset} // -1) == $Weir::Http2Client::CODE{PROTOCOL_ERROR};
        ok($is_reset || ($r->{status} == 400), "$name: reset, or 400") or diag explain $r;
        is($h2->get('/after')->{status}, 200, "$name: the connection lives on");
    }
    is(scalar(grep { !m{^GET /after } } $echo->heads), $before, 'none of them came to the backend');
    is($proxy->log_where(code => 'http2_stream_error')->{version}, 'HTTP/2', 'the log names reason and version');
};

subtest 'te: trailers and OPTIONS * are fine' => sub {
    my $h2 = client();
    unlike(backend_head($h2, headers => [ [ 'te', 'trailers' ] ]), qr/^te:/mi, 'te is for this connection');
    like(backend_head($h2, method => 'OPTIONS', path => '*'), qr{^OPTIONS \* HTTP/1\.1\r\n}, 'OPTIONS *');
    like(backend_head($h2, path => '/a?'), qr{^GET /a HTTP/1\.1\r\n}, "a '?' with nothing behind it goes, as from HTTP/1");
};

subtest 'many streams at once, answered as they are ready' => sub {
    my $gate = temp_path('gate');
    my $slow = backend(sub {
        $_[0]->serve(sub {
            return simple_response('quick') if $_[0] !~ /slow/;
            wait_for { -e $gate };
            return simple_response('slow');
        });
    });
    my $own = proxy(backends => [$slow]);
    my $h2  = Weir::Http2Client->connect($own->port);
    my @slow  = map { $h2->request(path => '/slow') } 1 .. 5;
    my @quick = map { $h2->request(path => '/quick') } 1 .. 20;
    $h2->wait(end => $_) for @quick;
    is(scalar(grep { $h2->stream($_)->{end} } @slow), 0, 'the slow ones do not hold up the quick ones');
    write_file($gate, '');
    is(scalar(grep { $h2->response($_)->{body} eq 'slow' } @slow),   5,  'the slow ones come');
    is(scalar(grep { $h2->response($_)->{body} eq 'quick' } @quick), 20, 'the quick ones have come');
};

subtest 'a head in many CONTINUATION frames' => sub {
    my $h2 = client();
    my $head = backend_head($h2, headers => [ map { [ "n$_", '~' x 1500 ] } 1 .. 20 ]);    # which HPACK makes no shorter
    is(() = $head =~ /^n\d+: ~{1500}\r$/gm, 20, 'all fields arrive');
};

subtest 'real clients' => sub {
    my $url = 'http://127.0.0.1:' . $proxy->port;
    my $run = run_command(qw(curl -sS -w), '%{http_version} %{http_code}\n', '--http2-prior-knowledge', "$url/curl?1");
    like($run->{out}, qr{\AGET /curl\?1 HTTP/1\.1\r\n.*^2 200$}ms, 'curl');
    $run = run_command(qw(curl -sS --http2-prior-knowledge -d), 'x' x 1000, "$url/post");
    like($run->{out}, qr{\AContent|\APOST /post HTTP/1\.1\r\n.*\r\n\r\nx{1000}\z}s, 'curl posts');
    SKIP: {
        skip 'nghttp is not installed', 3 unless grep { -x "$_/nghttp" } split /:/, $ENV{PATH};
        $run = run_command('nghttp', '-m', 3, "$url/nghttp");
        is($run->{exit}, 0, 'nghttp');
        is(() = $run->{out} =~ m{^GET /nghttp }gm, 3, 'three streams');
        $run = run_command(qw(h2load -n 2000 -c 8 -m 16), "$url/h2load");
        like($run->{out}, qr/2000 succeeded, 0 failed, 0 errored/, 'h2load: 2,000 requests, none fails');
    }
    SKIP: {
        skip 'node is not installed', 1 unless grep { -x "$_/node" } split /:/, $ENV{PATH};
        my $script = temp_path('client.js');
        write_file($script, <<"JS");
const h2 = require('http2').connect('$url');
const req = h2.request({ ':path': '/node', ':method': 'POST' });
req.on('response', (h) => console.log(h[':status']));
let body = ''; req.setEncoding('utf8'); req.on('data', (d) => body += d);
req.on('end', () => { console.log(body.length > 5000); h2.close(); });
req.end('y'.repeat(5000));
JS
        is(run_command('node', $script)->{out}, "200\ntrue\n", "Node's http2");
    }
};

subtest "libh2o's own handlers" => sub {
    my ($dir, $log) = (temp_path('docs'), temp_path('h2o.log'));
    mkdir $dir;
    write_file("$dir/long.txt",  join '', map { "$_\n" } 1 .. 60000);
    write_file("$dir/short.txt", 'short');
    my $own = proxy(
        backends => [$echo],
        global   => { 'access-log' => { path => $log, format => '%H %s %m %U %b %{http2.stream-id}x' } },
        paths    => {
            '/files'  => { 'file.dir' => $dir, 'header.add' => 'X-From: h2o' },
            '/away'   => { redirect   => { url => 'http://b.test/', status => 301 } },
            '/status' => { status     => 'ON' },
        });
    my $h2 = Weir::Http2Client->connect($own->port);
    my $r  = $h2->get('/files/short.txt');
    is($r->{body}, 'short', 'a file');
    is($r->{headers}{'x-from'}, 'h2o', 'header.add');
    $r = $h2->get('/files/long.txt');
    is($r->{body}, read_file("$dir/long.txt"), 'a long file');
    $r = $h2->get('/files/long.txt', headers => [ [ 'accept-encoding', 'gzip' ], [ 'range', 'bytes=0-4' ] ]);
    is("$r->{status} $r->{body}", "206 1\n2\n3", 'a range of it');
    $r = $h2->get('/files/short.txt', method => 'HEAD');
    is("$r->{status} $r->{headers}{'content-length'} [$r->{body}]", '200 5 []', 'HEAD');
    $r = $h2->get('/away/x');
    is("$r->{status} $r->{headers}{location}", '301 http://b.test/x', 'redirect');
    is($h2->get('/none' x 0 . '/files/none')->{status}, 404, 'a page of libh2o');
    like($h2->get('/status/json')->{body}, qr{"path": "/status/json"|"requests"}, 'status lists our requests');
    my $line = wait_for { -e $log ? (grep { m{/short\.txt} } split /\n/, read_file($log))[0] : undef };
    is($line, 'HTTP/2 200 GET /files/short.txt 5 1', 'access-log');
};

done_testing;
