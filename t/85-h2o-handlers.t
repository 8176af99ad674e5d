# SPDX-License-Identifier: MIT
# libh2o's own handlers beside weir.router on one listener.
use lib 't/lib';
use Weir::Test;

my $backend = echo_backend();
my $files = temp_path('files');
mkdir $files or die "$files: $!";
write_file("$files/index.html", "<p>index</p>\n");
write_file("$files/a.txt", "text\n");
write_file("$files/large.bin", 'x' x 300_000);
my $access = temp_path('h2o-access.log');

my $proxy = proxy(
    backends => [$backend],
    path  => { 'header.add' => 'X-Added: by-h2o', 'header.unset' => 'X-Removed' },
    paths => {
        '/files'    => { 'file.dir' => $files },
        '/old'      => { redirect => { url => 'http://new.test/', status => 301 } },
        '/status'   => { status => 'ON' },
        '/gone'     => { 'file.dir' => temp_path('nothing') },
        '/packed'   => { 'file.dir' => $files, compress => 'ON', 'file.mime.addtypes' => { 'text/plain' => '.txt' } },
    },
    global => {
        'access-log'         => { path => $access, format => '%m %U %s %{weir.reason}e %{weir.connect-time}e %{weir.route-time}e' },
        'limit-request-body' => 1_000_000,
    },
);

sub get { my ($path, $headers) = @_; return $proxy->get($path, $headers) }

subtest 'files' => sub {
    is(get('/files/a.txt')->body, "text\n", 'a file');
    is(get('/files/')->body, "<p>index</p>\n", 'an index');
    is(get('/files/large.bin')->body, 'x' x 300_000, 'a large one');
    is(get('/files/none')->status, 404, 'none');
    is(get('/files/a.txt', "Range: bytes=1-2\r\n")->body, 'ex', 'a range');
    my $r = $proxy->ask("HEAD /files/large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    is($r->header('Content-Length'), 300_000, 'HEAD');
    my $date = get('/files/a.txt')->header('Last-Modified');
    is(get('/files/a.txt', "If-Modified-Since: $date\r\n")->status, 304, 'not modified');
};

subtest 'the router beside them' => sub {
    my $r = get('/elsewhere');
    like($r->body, qr{^GET /elsewhere HTTP/1\.1\r\n}, 'the backend answers');
    is($r->header('X-Added'), 'by-h2o', 'header.add');
    is(get('/filesystem')->status, 200, 'a path that only begins like another');
};

subtest 'all on one connection' => sub {
    my $client = $proxy->connect;
    $client->write(join '', map { "GET $_ HTTP/1.1\r\nHost: a\r\n\r\n" } qw(/x /files/a.txt /old/b /y /files/large.bin /z));
    like($client->read_response->body, qr{^GET /x }, 'backend');
    is($client->read_response->body, "text\n", 'file');
    my $r = $client->read_response;
    is($r->status, 301, 'redirect');
    like($r->header('Location'), qr{^http://new\.test/b?}, 'with its Location');
    like($client->read_response->body, qr{^GET /y }, 'backend');
    is(length $client->read_response->body, 300_000, 'file');
    like($client->read_response->body, qr{^GET /z }, 'backend');
};

subtest 'a body for those that read none' => sub {
    for my $path ('/old/x', '/files/a.txt') {
        for my $case ([ 'a length', "Content-Length: 5\r\n", 'hello' ], [ 'chunks', "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n" ]) {
            my ($name, $framing, $body) = @$case;
            my $client = $proxy->connect;
            $client->write("POST $path HTTP/1.1\r\nHost: a\r\n$framing\r\n$body");
            my $r = $client->read_response;
            like($r->status, $path =~ /old/ ? qr/^30[178]$/ : qr/^(?:200|405)$/, "$path, $name: " . $r->status);
            next if $r->says_close;
            $client->write("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
            like($client->read_response->body, qr{^GET /next }, "$path, $name: the next request is read from the right place");
        }
    }
    my $r = $proxy->ask("POST /files/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n");
    is($r->status, 413, 'more than limit-request-body: 413');
    my $client = $proxy->connect;
    $client->write("POST /old/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    $r = $client->read_response(interim => 1);
    ok($r->status == 100 || $r->status =~ /^30/, 'Expect does not wait for ever');
};

subtest 'status and compress' => sub {
    my $r = get('/status/json?show=requests');
    is($r->status, 200, '/status');
    like($r->body, qr/"requests"|\[/, 'lists requests');
    $r = get('/packed/a.txt', "Accept-Encoding: gzip\r\n");
    is($r->status, 200, 'compress');
};

subtest 'access-log of libh2o' => sub {
    get('/logged?q');
    my $dead = proxy(
        backends => [ '127.0.0.1:' . refusing_port() ],
        global => { 'access-log' => { path => "$access.2", format => '%m %s %{weir.reason}e %{weir.request-id}e' } },
    );
    $dead->get('/');
    wait_for { -e "$access.2" && read_file("$access.2") =~ /\n/ };
    my $id = $dead->log_where(path => '/')->{request_id};
    like($id, qr/^[0-9a-f-]{36}$/, 'a generated id');
    is(read_file("$access.2"), "GET 503 backend_refused $id\n", 'knows the reason, and the id');
    my $named = proxy(
        apps   => { shop => { domains => ['*'], backends => [ $backend->address ] } },
        global => { 'access-log' => { path => "$access.3", format => '%s %{weir.app}e %{weir.backend}e' } },
    );
    $named->get('/');
    wait_for { -e "$access.3" && read_file("$access.3") =~ /\n/ };
    is(read_file("$access.3"), '200 shop ' . $backend->address . "\n", 'and who has answered');
    wait_for { read_file($access) =~ m{/logged} };
    like(read_file($access), qr{^GET /logged 200 -? ?\d+ \d+$}m, 'and the times');
    like(read_file($access), qr{^GET /files/a\.txt 200}m, 'of files, too');
};

subtest 'other hosts' => sub {
    my $two = proxy(
        backends => [$backend],
        hosts => { 'static.test' => { paths => { '/' => { 'file.dir' => $files } } } },
    );
    is($two->ask("GET /a.txt HTTP/1.1\r\nHost: static.test\r\n\r\n")->body, "text\n", 'a host of files');
    like($two->ask("GET /a.txt HTTP/1.1\r\nHost: b\r\n\r\n")->body, qr{^GET /a.txt }, 'beside one of a router');
    is($two->ask("GET / HTTP/1.1\r\nHost: static.test:80\r\n\r\n")->body, "<p>index</p>\n", 'with a port');
};

subtest 'a path nobody serves' => sub {
    my $none = proxy(paths => { '/files' => { 'file.dir' => $files } });
    my $r = $none->get('/');
    is($r->status, 404, 'the status');
    is($none->get('/files/a.txt')->body, "text\n", 'the others are');
    is($none->ask("GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n")->status, 400, 'the front is as strict without a router');
};

subtest 'error-doc replaces our page' => sub {
    my $doc = proxy(
        backends => [ '127.0.0.1:' . refusing_port() ],
        path  => { 'error-doc' => { status => 503, url => '/files/a.txt' } },
        paths => { '/files' => { 'file.dir' => $files } },
    );
    my $r = $doc->get('/');
    is($r->status, 503, 'the status stays');
    is($r->body, "text\n", 'the body is the document');
};

done_testing;
