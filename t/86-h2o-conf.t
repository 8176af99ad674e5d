# SPDX-License-Identifier: MIT
# Configurations written for h2o 2.2's server: they start unchanged, or say with file and line what cannot be done.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use Weir::TLS;
use IO::Socket::UNIX;
use Time::HiRes qw(time);

# Answers with the head it was sent, and the Location that head asks for.
my $backend = backend(sub {
    $_[0]->serve(sub {
        my ($head, $body) = @_;
        my ($location) = $head =~ /^X-Send-Location: *(.*?)\r$/mi;
        return simple_response('not here', status => '404 Not Found') if $head =~ m{^GET /missing};
        return simple_response("a line of text\n" x 20_000, headers => "Content-Type: text/plain\r\n") if $head =~ m{^GET /large};
        return simple_response($head . $body, headers => "Server: backend/1\r\n" . ($location ? "Location: $location\r\n" : ''));
    });
});
my $url = 'http://127.0.0.1:' . $backend->port;

my $files = temp_path('files');
mkdir $_ or die "$_: $!" for $files, "$files/sub", "$files/bare";
write_file("$files/index.html", "<p>index</p>\n");
write_file("$files/sub/index.txt", "text index\n");
write_file("$files/bare/one.txt", "one\n");
write_file("$files/a.txt", "text\n");
write_file("$files/a.other", "other\n");
write_file("$files/large.txt", "a line of text\n" x 10_000);
write_file("$files/gone.html", "<p>gone</p>\n");

# A proxy of this text with the port and the backend's URL in place.
sub start { my ($yaml, %option) = @_; return proxy(yaml => $yaml =~ s/\@URL\@/$url/gr =~ s/\@FILES\@/$files/gr, %option) }

sub get { my ($proxy, $path, $headers, $host) = @_; return $proxy->ask("GET $path HTTP/1.1\r\nHost: " . ($host // 'a.test') . "\r\n" . ($headers // '') . "\r\n") }

# What the backend was sent, as a response of its own kind, so that headers can be asked for.
sub seen { my $r = get(@_); return Weir::Response->new($r->body, '', '', 1, '') }
sub line_of { my ($seen) = @_; return $seen->head =~ /^([^\r]*) HTTP/ ? $1 : '' }

# ── h2o's own examples ──

subtest 'the shape of h2o\'s example: listen twice, hosts with ports, a log at the host' => sub {
    my $second = free_port();
    my $log = temp_path('access');
    my $proxy = start(<<"YAML");
# to find out the configuration commands, run: h2o --help

listen: \@PORT\@
listen:
  port: $second
hosts:
  "127.0.0.1.test:\@PORT\@":
    paths:
      /:
        file.dir: \@FILES\@
    access-log: $log
  "alternate.test:$second":
    paths:
      /:
        file.dir: \@FILES\@/bare
        file.dirlisting: ON
YAML
    is(get($proxy, '/a.txt', '', '127.0.0.1.test:' . $proxy->port)->body, "text\n", 'the first host');
    is(get($proxy, '/a.txt')->body, "text\n", 'stands in for unknown ones');
    my $other = $proxy->connect(to => $second);
    $other->write("GET /one.txt HTTP/1.1\r\nHost: alternate.test:$second\r\n\r\n");
    is($other->read_response->body, "one\n", 'the other by its port');
    wait_for { -e $log && read_file($log) =~ /a\.txt.*a\.txt/s };
    like(read_file($log), qr{^127\.0\.0\.1 - - \[.*\] "GET /a\.txt HTTP/1\.1" 200 5 "-" "-"$}m, 'access-log in h2o\'s own form');
};

subtest 'the same with ssl: a certificate for all and one for a host' => sub {
    my $secure = free_port();
    my ($server, $alternate) = map { certificate($_) } 'server.test', 'alternate.test';
    my $proxy = start(<<"YAML");
listen: \@PORT\@
listen:
  port: $secure
  ssl:
    certificate-file: $server->{cert}
    key-file: $server->{key}
    minimum-version: TLSv1.2
    cipher-suite: "ECDHE+AESGCM:ECDHE+CHACHA20"
    cipher-preference: server
    neverbleed: OFF
ssl-session-resumption: { mode: all }
handshake-timeout: 5
num-ocsp-updaters: 2
hosts:
  "server.test:\@PORT\@":
    paths:
      /:
        file.dir: \@FILES\@
  "alternate.test:$secure":
    listen:
      port: $secure
      ssl:
        certificate-file: $alternate->{cert}
        key-file: $alternate->{key}
        minimum-version: TLSv1.2
        cipher-suite: "ECDHE+AESGCM:ECDHE+CHACHA20"
        cipher-preference: server
        neverbleed: OFF
    paths:
      /:
        file.dir: \@FILES\@/bare
YAML
    is(get($proxy, '/a.txt')->body, "text\n", 'without TLS');
    my $client = tls_client($secure, hostname => 'alternate.test') or return fail(tls_error());
    is($client->subject, 'alternate.test', 'the certificate of the host');
    $client->write("GET /one.txt HTTP/1.1\r\nHost: alternate.test:$secure\r\nConnection: close\r\n\r\n");
    is($client->read_response->body, "one\n", 'and its files');
    $client = tls_client($secure, hostname => 'elsewhere.test') or return fail(tls_error());
    is($client->subject, 'server.test', 'any other name gets the global one');
};

subtest 'certificates relative to the directory it is started in' => sub {
    my $top = temp_path('top');
    mkdir $_ or die "$_: $!" for $top, "$top/examples";
    certificate('relative.test', at => "$top/examples/server");
    write_file("$top/examples/h2o.conf", <<'YAML');
listen:
  port: 8081
  ssl:
    certificate-file: examples/server.crt
    key-file: examples/server.key
hosts:
  default:
    paths:
      /:
        file.dir: examples
YAML
    my @command = (build_dir() . '/weir', 'check', '-c');
    my $run = run_command({ cwd => $top }, @command, 'examples/h2o.conf');
    is($run->{exit}, 0, 'as h2o finds them') or diag($run->{err});
    $run = run_command({ cwd => "$top/examples" }, @command, 'h2o.conf');
    like($run->{err}, qr{^h2o\.conf:2: listen: .*examples/server\.crt}m, 'and not elsewhere');
};

subtest 'the shape of Debian\'s file: logs through commands, a pid file' => sub {
    my ($access, $error, $pid_file) = map { temp_path($_) } qw(access error pid);
    my $proxy = start(<<"YAML");
server-name: "h2o (Debian)"
access-log: "|cat >> $access"
error-log: "|cat >> $error"
pid-file: $pid_file

listen:
  port: \@PORT\@

hosts:
  default:
    paths:
      /:
        file.dir: \@FILES\@
      /server-status:
        status: ON
YAML
    wait_for { -s $pid_file };
    is(read_file($pid_file), $proxy->pid . "\n", 'pid-file');
    is(get($proxy, '/')->header('Server'), 'h2o (Debian)', 'server-name');
    like(get($proxy, '/server-status/json')->body, qr/"requests"/, 'status');
    ok(wait_for { -e $access && read_file($access) =~ m{"GET / HTTP/1\.1" 200} }, 'access-log');
    $proxy->signal('USR1');
    is(get($proxy, '/a.txt')->status, 200, 'goes on after SIGUSR1');
    is($proxy->stop, 0, 'ends');
    ok(wait_for { -e $error && read_file($error) =~ /^\S+Z weir: books / }, 'error-log');
    my ($books) = read_file($error) =~ /(weir: books .*)/;
    write_file($proxy->{err}, "$books\n");    # where they are looked for
};

subtest 'one file in others, merged and listed' => sub {
    my $common = temp_path('common.yaml');
    write_file($common, "header.add: \"X-Common: 1\"\nfile.dir: $files\n");
    my $proxy = start(<<"YAML");
listen: \@PORT\@
hosts:
  default:
    paths:
      /a: !file $common
      /b:
        <<: !file $common
        header.set: "X-Own: 1"
      /c:
        - header.add: "X-Common: 2"
        - file.dir: \@FILES\@/bare
        - proxy.reverse.url: "\@URL\@/c"
YAML
    is(get($proxy, '/a/a.txt')->header('X-Common'), '1', '!file');
    my $r = get($proxy, '/b/a.txt');
    is($r->header('X-Common') . $r->header('X-Own'), '11', '<<');
    is(get($proxy, '/c/one.txt')->body, "one\n", 'a list: the first handler');
    is(line_of(seen($proxy, '/c/two.txt')), 'GET /c/two.txt', 'the next one');
    is(get($proxy, '/c/two.txt')->header('X-Common'), '2', 'and what is said beside them');
};

# ── listen ──

subtest 'listen in all its forms' => sub {
    my ($socket, $own, $proxied) = (temp_path('socket'), free_port(), free_port());
    my $proxy = start(<<"YAML");
listen:
  - { host: 127.0.0.1, port: \@PORT\@ }
  - { type: unix, port: $socket, owner: @{[ scalar getpwuid $> ]}, permission: 600 }
hosts:
  a.test:
    paths: { /: { file.file: \@FILES\@/a.txt } }
  own.test:
    listen: { port: $own, host: 127.0.0.1 }
    listen: { port: $proxied, host: 127.0.0.1, proxy-protocol: ON }
    paths: { /: { file.file: \@FILES\@/index.html } }
YAML
    is(get($proxy, '/')->status, 200, 'whoever is answered finds everything bound');
    is(sprintf('%o', (stat $socket)[2] & 0777), 600, 'permission of a unix socket');
    my $unix = IO::Socket::UNIX->new(Peer => $socket) or die "$socket: $!";
    print $unix "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n";
    like(join('', <$unix>), qr/\r\n\r\ntext\n$/, 'a unix socket');
    my $client = $proxy->connect(to => $own);
    $client->write("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    is($client->read_response->body, "<p>index</p>\n", 'at a host: only that host is there');
    is(get($proxy, '/', '', 'own.test')->body, "<p>index</p>\n", 'which is at the global ones, too');
    my $told = $proxy->connect(to => $proxied);
    $told->write("PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\nGET / HTTP/1.1\r\nHost: own.test\r\n\r\n");
    is($told->read_response->status, 200, 'proxy-protocol');
};

# ── the reverse proxy ──

my $reverse = start(<<'YAML');
listen: @PORT@
proxy.header.set: "X-Global: g"
proxy.header.append: "X-List: g"
hosts:
  default:
    proxy.header.append: "X-List: h"
    paths:
      /:
        proxy.reverse.url: "@URL@/"
      /a:
        proxy.reverse.url: "@URL@/x"
        proxy.header.merge: "X-List: h"
      /b:
        proxy.reverse.url: "@URL@/x/"
        proxy.header.merge: "X-List: p"
        proxy.header.unset: X-Global
      /c/:
        proxy.reverse.url: "@URL@/x"
        proxy.header.add: "X-Global: 2"
      /d/:
        proxy.reverse.url: "@URL@/x/"
        proxy.preserve-host: ON
        proxy.header.setifempty: "X-Sent: by-proxy"
      /e:
        proxy.reverse.url: "@URL@"
YAML

subtest 'proxy.reverse.url: what is below the path goes behind the URL' => sub {
    my @table = qw(
        /         /              /q        /q        /?z      /?z
        /a        /x             /a/       /x/       /a/1     /x/1    /a?z    /x?z
        /b        /x/            /b/       /x/       /b/1     /x/1    /b?z    /x/?z   /b/?z /x/?z
        /c        /c             /c/       /x/       /c/1     /x/1    /c/?z   /x/?z
        /d/       /x/            /d/1      /x/1      /d/?z    /x/?z
        /e        /              /e/       /         /e/1     /1      /e?z    /?z
        /x/../a/%41 /x/%41       /%61/1    /x/1      /a/./1   /x/./1  /a//1   /x//1   //a/1 //a/1
        /a/../../b/c /x/c        /ab       /ab
    );
    while (my ($path, $want) = splice @table, 0, 2) {
        is(line_of(seen($reverse, $path)), "GET $want", $path);
    }
    my $long = 'y' x 5000;
    is(line_of(seen($reverse, "/a/$long?$long" =~ s/.{3000}$//r)), "GET /x/$long?" . $long =~ s/.{3000}$//r, 'a long one');
    is(line_of(Weir::Response->new($reverse->ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")->body, '', '', 1, '')), 'OPTIONS *', 'OPTIONS *');
    is($reverse->ask("POST /a/p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")->body =~ /hello$/ ? 1 : 0, 1, 'with a body');
};

subtest 'Location, where the backend sends to itself' => sub {
    my @table = (
        '/a',  "$url/x/1",  '/a/1',   '/a',  "$url/x",  '/a',   '/a', "$url/x/",  '/a/',  '/a',  "$url/x?q", '/a?q',
        '/b/', "$url/x/1",  '/b/1',   '/b/', "$url/x/", '/b/',  '/c/', "$url/x/1", '/c/1', '/c/', "$url/x",   '/c/',
    );
    while (my ($path, $sent, $want) = splice @table, 0, 3) {
        is(get($reverse, $path, "X-Send-Location: $sent\r\n", 'me.test:81')->header('Location'), "http://me.test:81$want", "$path: $sent");
    }
    for my $sent ("$url/xy", "$url/", 'http://other.test/x/1', '/x/1', $url =~ s/http/https/r . '/x/1', 'x', "$url:x/") {
        is(get($reverse, '/a', "X-Send-Location: $sent\r\n")->header('Location'), $sent, "$sent stays");
    }
};

subtest 'proxy.header.*: at all levels, the outer ones first' => sub {
    my $seen = seen($reverse, '/a');
    is($seen->header('X-Global'), 'g', 'set, globally');
    is($seen->header('X-List'), 'g, h', 'append at two levels, merge of what is there');
    $seen = seen($reverse, '/b', "X-List: c\r\nX-Global: c\r\n");
    is($seen->header('X-List'), 'c, g, h, p', 'behind the client\'s; merge of what is not');
    is($seen->header('X-Global'), undef, 'unset');
    is(join('|', seen($reverse, '/c/')->all('X-Global')), 'g|2', 'add');
    is(seen($reverse, '/d/')->header('X-Sent'), 'by-proxy', 'setifempty');
    is(seen($reverse, '/d/', "X-Sent: by-client\r\n")->header('X-Sent'), 'by-client', 'but not over the client\'s');
};

subtest 'proxy.preserve-host' => sub {
    is(seen($reverse, '/a', '', 'A.test:81')->header('Host'), '127.0.0.1:' . $backend->port, 'OFF: the URL\'s');
    is(seen($reverse, '/d/', '', 'A.test:81')->header('Host'), 'A.test:81', 'ON: the client\'s, byte for byte');
};

subtest 'over HTTP/2' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    my $h2 = Weir::Http2Client->connect($reverse->port);
    my $r = $h2->get('/a/1?q', pseudo => { ':authority' => 'me.test:81' }, headers => [ [ 'x-list', 'c' ], [ 'x-send-location', "$url/x/2" ] ]);
    my $seen = Weir::Response->new($r->{body}, '', '', 1, '');
    is(line_of($seen), 'GET /x/1?q', 'the path behind the URL');
    is($seen->header('X-List'), 'c, g, h', 'proxy.header.*');
    is($r->{headers}{location}, 'http://me.test:81/a/2', 'Location');
    $seen = Weir::Response->new($h2->get('/d/', pseudo => { ':authority' => 'Me.test:81' })->{body}, '', '', 1, '');
    is($seen->header('Host'), 'Me.test:81', 'proxy.preserve-host');
};

subtest 'a unix socket' => sub {
    my $path = temp_path('backend');
    my $unix = backend(sub { $_[0]->serve(sub { simple_response($_[0]) }) }, path => $path);
    my $proxy = start("listen: \@PORT\@\nhosts: {default: {paths: {/s: {proxy.reverse.url: \"http://[unix:$path]/x\"}}}}\n");
    my $seen = seen($proxy, '/s/1?q');
    is(line_of($seen), 'GET /x/1?q', 'the path behind it');
    is($seen->header('Host'), 'localhost', 'Host');
};

subtest 'proxy.emit-x-forwarded-headers, proxy.preserve-x-forwarded-proto, proxy.emit-via-header, Server' => sub {
    my $paths = 'hosts: {default: {paths: {/: {proxy.reverse.url: "@URL@/"}}}}';
    my $sent = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nVia: 1.0 x\r\n";
    my @table = (    # what is said, X-Forwarded-For, X-Forwarded-Proto, Via, Server
        [ '',                                          '192.0.2.1, 127.0.0.1', 'http',  '1.0 x, 1.1 weir', qr/^weir/ ],
        [ 'proxy.emit-x-forwarded-headers: OFF',       '192.0.2.1',            undef,   '1.0 x, 1.1 weir', qr/^weir/ ],
        [ 'proxy.preserve-x-forwarded-proto: ON',      '192.0.2.1, 127.0.0.1', 'https', '1.0 x, 1.1 weir', qr/^weir/ ],
        [ "proxy.emit-x-forwarded-headers: OFF\nproxy.preserve-x-forwarded-proto: ON", '192.0.2.1', 'https', '1.0 x, 1.1 weir', qr/^weir/ ],
        [ 'proxy.emit-via-header: OFF',                '192.0.2.1, 127.0.0.1', 'http',  '1.0 x', qr/^weir/ ],
        [ 'server-name: me',                           '192.0.2.1, 127.0.0.1', 'http',  '1.0 x, 1.1 weir', qr/^me$/ ],
        [ 'send-server-name: preserve',                '192.0.2.1, 127.0.0.1', 'http',  '1.0 x, 1.1 weir', qr{^backend/1$} ],
        [ 'send-server-name: OFF',                     '192.0.2.1, 127.0.0.1', 'http',  '1.0 x, 1.1 weir', qr/^$/ ],
    );
    for my $row (@table) {
        my ($said, $for, $proto, $via, $server) = @$row;
        my $proxy = start("listen: \@PORT\@\n$paths\n$said\n");    # behind the hosts
        my $name = $said =~ s/\n/, /r || 'nothing said';
        my $seen = seen($proxy, '/', $sent);
        is($seen->header('X-Forwarded-For'), $for, "$name: X-Forwarded-For");
        is($seen->header('X-Forwarded-Proto'), $proto, "$name: X-Forwarded-Proto");
        is($seen->header('Via'), $via, "$name: Via");
        like(get($proxy, '/')->header('Server') // '', $server, "$name: Server");
    }
};

subtest 'proxy.timeout.*' => sub {
    my $silent = silent_backend();
    my $at = 'http://' . $silent->address;
    my $own = backend(sub { $_[0]->serve(sub { simple_response('own') }) });
    my $proxy = start(<<"YAML");
listen: \@PORT\@
proxy.timeout.io: @{[ ms(60_000) ]}
hosts:
  default:
    proxy.timeout.io: @{[ ms(300) ]}
    paths:
      /io: { proxy.reverse.url: "$at/" }
      /ours: { proxy.reverse.url: "$at/", weir.first-byte-timeout: @{[ ms(900) ]} }
      /close: { proxy.reverse.url: "http://@{[ $own->address ]}/", proxy.timeout.keepalive: 0 }
      /short: { proxy.reverse.url: "http://@{[ $own->address ]}/", proxy.timeout.keepalive: @{[ ms(200) ]} }
YAML
    for my $case ([ '/io', ms(300) ], [ '/ours', ms(900) ]) {
        my ($path, $ms) = @$case;
        my $begin = time;
        is(get($proxy, $path)->status, 502, "$path: 502");
        my $took = 1000 * (time - $begin);
        ok($took > $ms - 50 && $took < $ms + ms(500), "$path: after $ms ms") or diag("took $took");
    }
    is(get($proxy, '/close')->body, 'own', 'keepalive: 0');
    ok($own->wait_event('^eof 0'), 'closes');
    is(get($proxy, '/short')->body, 'own', 'a short one');
    ok(!grep({ /eof 1/ } $own->events), 'is kept');
    my $begin = time;
    ok($own->wait_event('^eof 1'), 'and closed');
    ok(time - $begin < ms(2000) / 1000, 'in its time');
};

subtest 'proxy.websocket and proxy.websocket.timeout' => sub {
    my $switching = backend(sub {
        my $c = shift;
        my $head = $c->read_head;
        return $c->write(simple_response($head)) if $head !~ /^Upgrade: /mi;
        $c->write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        while (my $bytes = $c->read_until(qr/.+/s, 60)) { $c->write($bytes) }
    });
    my $at = 'http://' . $switching->address;
    my $proxy = start(<<"YAML");
listen: \@PORT\@
proxy.websocket: ON
proxy.timeout.io: @{[ ms(200) ]}
hosts:
  default:
    paths:
      /on: { proxy.reverse.url: "$at/", proxy.websocket.timeout: @{[ ms(1000) ]} }
      /off: { proxy.reverse.url: "$at/", proxy.websocket: OFF }
YAML
    my $upgrade = sub { my ($path, $to) = @_; return "GET $path HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: $to\r\n\r\n" };
    my $client = $proxy->connect;
    $client->write($upgrade->('/on', 'websocket'));
    like($client->read_head, qr{^HTTP/1\.1 101 }, 'ON: switches');
    $client->write('hello');
    is($client->read_exactly(5), 'hello', 'and passes bytes');
    my $begin = time;
    $client->read_eof;
    my $took = 1000 * (time - $begin);
    ok($took > ms(900) && $took < ms(1900), 'until nothing was said for proxy.websocket.timeout') or diag("took $took");
    my $seen = $proxy->ask($upgrade->('/on', 'other/1'));
    is($seen->status, 200, 'another protocol: an ordinary request');
    unlike($seen->body, qr/^Upgrade:/mi, 'without Upgrade');
    is($proxy->ask($upgrade->('/off', 'websocket'))->status, 200, 'OFF: an ordinary request');
    SKIP: {
        skip 'python3-h2 is not installed', 3 unless Weir::Http2Client::is_possible();
        my $h2 = Weir::Http2Client->connect($proxy->port);
        my $r = $h2->get('/off', method => 'CONNECT', pseudo => { ':protocol' => 'websocket' }, headers => [ [ 'sec-websocket-version', '13' ] ]);
        is($r->{status}, 501, 'OFF: over HTTP/2 there is none');
        is($proxy->log_where(status => 501)->{code}, 'upgrade_refused', 'with its reason');
        is($h2->get('/off')->{status}, 200, 'while others go on');
    }
};

subtest 'limits and failures' => sub {
    my $proxy = start(<<"YAML");
listen: \@PORT\@
limit-request-body: 1000
http1-request-timeout: 1
max-connections: 100
num-threads: 2
handshake-timeout: 5
hosts:
  default:
    paths:
      /: { proxy.reverse.url: "\@URL\@/" }
      /dead: { proxy.reverse.url: "http://127.0.0.1:@{[ refusing_port() ]}/" }
YAML
    is($proxy->ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")->status, 413, 'limit-request-body');
    is($proxy->ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")->status, 200, 'below it');
    is(get($proxy, '/dead')->status, 502, 'a backend that refuses: as h2o says it');
    is($proxy->log_where(path => '/dead')->{code}, 'backend_refused', 'with its reason');
    my $client = $proxy->connect;
    my $begin = time;
    $client->write("GET / HTTP/1.1\r\n");
    $client->read_eof;
    ok(time - $begin < 1 + wait_seconds() / 2, 'http1-request-timeout');
};

# ── handlers, filters, loggers ──

my $dead = refusing_port();
my $mixed = start(<<'YAML' =~ s/\@DEAD\@/$dead/r);
listen: @PORT@
file.index: [ index.txt, index.html ]
setenv: { WHO: "global" }
hosts:
  default:
    file.mime.addtypes: { "text/x-other": .other }
    header.add: "X-Host: 1"
    paths:
      /files:
        file.dir: @FILES@
        file.etag: OFF
        expires: 1 day
      /listed:
        file.dir: @FILES@
        file.dirlisting: ON
        file.mime.settypes: { "text/html": [ .html ], "application/x-special": { extensions: [ .txt ], is_compressible: YES } }
        header.unset: X-Host
      /one:
        file.file: @FILES@/a.txt
        file.mime.setdefaulttype: text/x-default
        header.set: "X-Host: 2"
      /gzip:
        file.dir: @FILES@
        compress: [ gzip ]
        compress-minimum-size: 100
      /old-gzip:
        file.dir: @FILES@
        gzip: ON
      /moved: { redirect: "http://new.test/base/" }
      /permanent: { redirect: { status: 308, url: "/elsewhere" } }
      /inside: { redirect: { status: 302, url: /files/, internal: YES } }
      /inside-host: { redirect: { status: 302, url: "http://other.test/", internal: YES } }
      /errors:
        file.dir: @FILES@/none
        error-doc: { status: 404, url: /files/gone.html }
      /status: { status: ON }
      /proxied-errors:
        proxy.reverse.url: "@URL@/missing"
        error-doc:
          - { status: 404, url: /files/gone.html }
          - { status: [ 500, 503 ], url: /files/a.txt }
      /dead:
        proxy.reverse.url: "http://127.0.0.1:@DEAD@/"
        error-doc: { status: 502, url: "http://other.test/" }
      /throttled: { proxy.reverse.url: "@URL@/", throttle-response: ON }
      /proxied: { proxy.reverse.url: "@URL@/", header.add: "X-Added: here", expires: "60 seconds", compress: ON }
      /both: { file.dir: @FILES@, proxy.reverse.url: "@URL@/b" }
      /proxy-first: { proxy.reverse.url: "@URL@/f", file.dir: @FILES@ }
  other.test:
    paths: { /: { file.file: @FILES@/index.html } }
duration-stats: OFF
max-delegations: 5
error-log.emit-request-errors: OFF
reproxy: OFF
YAML

subtest 'file.*' => sub {
    my $r = get($mixed, '/files/');
    is($r->body, "<p>index</p>\n", 'file.index, the second');
    is(get($mixed, '/files/sub/')->body, "text index\n", 'the first');
    $r = get($mixed, '/files/a.other');
    is($r->header('content-type'), 'text/x-other', 'file.mime.addtypes');
    is($r->header('etag'), undef, 'file.etag: OFF');
    like($r->header('cache-control'), qr/max-age=86400/, 'expires');
    is($r->header('X-Host'), '1', 'header.add of the host');
    like(get($mixed, '/listed/bare/')->body, qr/one\.txt/, 'file.dirlisting');
    $r = get($mixed, '/listed/a.txt');
    is($r->header('content-type'), 'application/x-special', 'file.mime.settypes');
    is($r->header('X-Host'), undef, 'header.unset');
    $r = get($mixed, '/one');
    is($r->body, "text\n", 'file.file');
    is(join('|', $r->all('X-Host')), '2', 'header.set');
};

subtest 'compress, gzip' => sub {
    for my $path ('/gzip/large.txt', '/old-gzip/large.txt') {
        my $r = get($mixed, $path, "Accept-Encoding: gzip\r\n");
        is($r->header('content-encoding'), 'gzip', $path);
        ok(length $r->body < 10_000, "$path: is smaller");
        is(get($mixed, $path)->header('content-encoding'), undef, "$path: only if asked for");
    }
};

subtest 'redirect' => sub {
    my $r = get($mixed, '/moved/x?y');
    is($r->status . ' ' . $r->header('Location'), '302 http://new.test/base/x?y', 'a URL');
    $r = get($mixed, '/permanent');
    is($r->status . ' ' . $r->header('Location'), '308 /elsewhere', 'a mapping');
    is(get($mixed, '/inside/a.txt')->body, "text\n", 'internal');
    is(get($mixed, '/inside-host/')->body, "<p>index</p>\n", 'internal, to another host of this file');
};

subtest 'error-doc, status, throttle-response' => sub {
    my $r = get($mixed, '/errors/x');
    is($r->status, 404, 'the status stays');
    is($r->body, "<p>gone</p>\n", 'error-doc');
    $r = get($mixed, '/proxied-errors/x');
    is($r->status . ' ' . $r->body, "404 <p>gone</p>\n", 'in place of what the backend says');
    $r = get($mixed, '/dead');
    is($r->status . ' ' . $r->body, "502 <p>index</p>\n", 'in place of a backend that is not there, from another host of this file');
    like(get($mixed, '/status/json?show=requests')->body, qr/"requests"/, 'status');
        is(line_of(seen($mixed, '/throttled/x')), 'GET /x', 'throttle-response beside the proxy');
};

subtest 'filters on what is proxied, handlers beside it' => sub {
    my $r = get($mixed, '/proxied/x', "Accept-Encoding: gzip\r\n");
    is($r->header('X-Added'), 'here', 'header.add');
    is($r->header('cache-control'), 'max-age=60', 'expires');
    $r = get($mixed, '/proxied/large', "Accept-Encoding: gzip\r\n");
    is($r->header('content-encoding'), 'gzip', 'compress');
    ok(length $r->body < 30_000, 'which makes it smaller') or diag(length $r->body);
    is(get($mixed, '/both/a.txt')->body, "text\n", 'file.dir before proxy.reverse.url: a file that is there');
    is(line_of(seen($mixed, '/both/none')), 'GET /b/none', 'one that is not');
    is(line_of(seen($mixed, '/proxy-first/a.txt')), 'GET /f/a.txt', 'proxy.reverse.url before file.dir: always the backend');
    is($mixed->ask("POST /both/p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")->body =~ /hello$/ ? 1 : 0, 1, 'a body passes the files');
};

subtest 'access-log with formats, setenv and unsetenv' => sub {
    my ($one, $two) = (temp_path('one'), temp_path('two'));
    my $proxy = start(<<"YAML");
listen: \@PORT\@
setenv: { WHO: outside, OTHER: there }
access-log: { path: $one, format: "%m %U %s %{WHO}e %{OTHER}e" }
hosts:
  default:
    access-log: { path: $two, format: '{"who":"%{WHO}e","path":"%U"}', escape: json }
    paths:
      /a: { file.dir: \@FILES\@ }
      /b: { proxy.reverse.url: "\@URL\@/", setenv: { WHO: inside }, unsetenv: OTHER }
YAML
    get($proxy, '/a/a.txt');
    get($proxy, '/b/x');
    wait_for { -e $two && (() = read_file($two) =~ /\n/g) == 2 };
    is(read_file($one), "GET /a/a.txt 200 outside there\nGET /b/x 200 inside -\n", 'the global one');
    is(read_file($two), qq({"who":"outside","path":"/a/a.txt"}\n{"who":"inside","path":"/b/x"}\n), 'and the host\'s');
};

subtest 'access-log of a path that nobody has' => sub {
    my $outer = temp_path('outer');
    my $proxy = start(<<"YAML");
listen: \@PORT\@
access-log: { path: $outer, format: "%U" }
hosts:
  default:
    paths:
      /a: { file.dir: \@FILES\@ }
YAML
    get($proxy, '/a/a.txt');
    get($proxy, '/nowhere');
    ok(wait_for { -e $outer && read_file($outer) =~ m{/nowhere\n} }, 'a 404 has its line');
    is(read_file($outer), "/a/a.txt\n/nowhere\n", 'as every request');
};

subtest 'access-log tells how long it took' => sub {
    my $log = temp_path('times');
    my $slow = backend(sub {
        my $c = shift;
        while (my ($head) = $c->read_request) { select undef, undef, undef, ms(120) / 1000; $c->write(simple_response('slow')) }
    });
    my $url   = 'http://' . $slow->address;
    my $proxy = start(<<"YAML");
listen: \@PORT\@
access-log: { path: $log, format: "%U %{process-time}x %{response-time}x %{duration}x" }
hosts: { default: { paths: { /f: { file.dir: \@FILES\@ }, /: { proxy.reverse.url: "$url/" } } } }
YAML
    get($proxy, '/p');
    get($proxy, '/f/a.txt');
    Weir::Http2Client->connect($proxy->port)->get('/h2');
    ok(wait_for { -e $log && 3 == (() = read_file($log) =~ /\n/g) }, 'three lines');
    for (split /\n/, read_file($log)) {
        my ($path, @times) = split / /;
        is(scalar(grep { /^\d+(?:\.\d{6})?$/ } @times), 3, "$path: all of them") or diag($_);
        my ($process, $response, $duration) = @times;
        cmp_ok($duration, '>=', ms(115) / 1000, 'what the backend took') if $path ne '/f/a.txt';
        cmp_ok($duration, '<', ms(5000) / 1000, 'and not much more');
        cmp_ok($process + $response, '<=', $duration + 0.002, 'are parts of the whole');
    }
};

subtest 'access-log is opened anew' => sub {
    my $log = temp_path('rotated');
    my $proxy = start(<<"YAML");
listen: \@PORT\@
access-log: { path: $log, format: "%U" }
hosts: { default: { paths: { /: { file.dir: \@FILES\@ } } } }
YAML
    get($proxy, '/a.txt');
    ok(wait_for { -s $log }, 'a line');
    rename $log, "$log.1" or die $!;
    $proxy->signal('USR1');
    ok(wait_for { -e $log }, 'on SIGUSR1');
    get($proxy, '/b');
    ok(wait_for { -s $log }, 'and written');
    is(read_file("$log.1") . read_file($log), "/a.txt\n/b\n", 'each line where it belongs');
};

# ── what is not done ──

# What `weir check` says on standard error of a file of these lines, without the file's name.
sub said_of {
    my ($verb, @lines) = @_;
    my $file = write_file(temp_path('h2o.conf'), map { "$_\n" } @lines);
    my $run = weir($verb, '-c', $file);
    return ($run->{exit}, $run->{err} =~ s/^\Q$file\E://mgr, $run->{out} =~ s/\Q$file\E://gr);
}

my @tail = ('hosts:', '  default:', '    paths:', '      /:', '        file.dir: /tmp');

subtest 'access-log: mistakes are found by check, too' => sub {
    my @rows = (
        [ 'a format',    'access-log: { path: a.log, format: "%h %{foo" }', qr/^1: access-log: format: .*unterminated/ ],
        [ 'an escape',   'access-log: { path: a.log, escape: xml }',        qr/^1: access-log: escape: must be apache or json, not xml$/ ],
        [ 'no path',     'access-log: { format: "%h" }',                    qr/^1: access-log: there is no path$/ ],
        [ 'a list',      'access-log: [ a, b ]',                            qr/^1: access-log: must be a file, `\| COMMAND`, or a mapping/ ],
        [ 'a list within', 'access-log: { path: [ a ] }',                   qr/^1: access-log: path must be a word$/ ],
    );
    for (@rows) {
        my ($what, $line, $complaint) = @$_;
        for my $verb (qw(check run)) {
            my ($exit, $err) = said_of($verb, $line, 'listen: 127.0.0.1:1', @tail);
            is($exit, 1, "$what: $verb refuses");
            like($err, $complaint, 'with the place');
        }
    }
};

subtest 'ignored: said when it starts, listed by check' => sub {
    my @ignored = (
        'tcp-fastopen: 4096', 'temp-buffer-path: /var/tmp', 'crash-handler: "share/h2o/annotate-backtrace-symbols"',
        'crash-handler.wait-pipe-close: ON', 'http1-upgrade-to-http2: ON', 'http2-latency-optimization-min-rtt: 50',
        'http2-latency-optimization-max-additional-delay: 0.1', 'http2-graceful-shutdown-timeout: 10', 'num-ocsp-updaters: 4', 'http2-latency-optimization-max-cwnd: 65535',
        'http2-reprioritize-blocking-assets: ON', 'http2-push-preload: ON', 'http2-casper: { capacity-bits: 13, tracking-types: all }',
        'proxy.ssl.session-cache: { capacity: 10, lifetime: 20 }', 'duration-stats: ON',
    );
    my $proxy = start(join "\n", 'listen: @PORT@', @ignored, @tail, '');
    my $line = 1;
    for my $directive (@ignored) {
        my ($name) = $directive =~ /^([^:]+):/;
        $line++;
        like($proxy->stderr, qr/^[^\n]*:$line: warning: \Q$name\E is ignored: \w/m, $directive);
    }
    my ($exit, $err, $out) = said_of('check', 'listen: 80', @ignored, @tail);
    is($exit, 0, 'check: 0');
    is($err, '', 'check: nothing on standard error');
    like($out, qr/^  ignored +\Q$_\E /m, "check lists $_") for map { /^([^:]+):/ } @ignored;
};

subtest 'ignored or refused directives that ask for nothing' => sub {
    my $proxy = start(join "\n", 'listen: @PORT@', 'tcp-fastopen: 0', 'http1-upgrade-to-http2: OFF', 'http2-push-preload: OFF',
        'http2-casper: OFF', 'reproxy: OFF', 'proxy.proxy-protocol: OFF', 'http2-reprioritize-blocking-assets: OFF', @tail, '');
    unlike($proxy->stderr, qr/warning/, 'no warning');
};

subtest 'refused: with file, line and what to do' => sub {
    my @cases = (    # where, what, line, words
        [ path   => 'mruby.handler: "Proc.new {|env| [200, {}, []]}"', 7, qr/there is no Ruby here; write a router/ ],
        [ path   => 'mruby.handler-file: hello.rb',                    7, qr/mruby\.handler-file: not possible: there is no Ruby/ ],
        [ path   => 'fastcgi.spawn: "exec php-cgi"',                   7, qr/fastcgi\.spawn: not possible: .*PHP-FPM .*fastcgi\.connect/ ],
        [ path   => 'fastcgi.connect: 99999',                          7, qr/`127\.0\.0\.1:99999`: a port is a number from 1 to 65535/ ],
        [ path   => 'fastcgi.connect: nowhere',                        7, qr/`nowhere` is no backend/ ],
        [ path   => 'fastcgi.connect: "https://a:1"',                  7, qr/FastCGI is not spoken over TLS/ ],
        [ path   => 'fastcgi.connect: [ 9000 ]',                       7, qr/fastcgi\.connect: must be a port, the path of a socket/ ],
        [ path   => 'fastcgi.connect: { host: a }',                    7, qr/fastcgi\.connect: needs a port/ ],
        [ path   => 'fastcgi.connect: { port: 1, type: udp }',         7, qr/fastcgi\.connect: needs a port/ ],
        [ path   => 'fastcgi.connect: { port: 1, prot: udp }',         7, qr/fastcgi\.connect: has host, port and type, and no `prot`/ ],
        [ path   => "fastcgi.connect: 9000\n        weir.router: stub", 7, qr/fastcgi\.connect and weir\.router exclude each other/ ],
        [ path   => "fastcgi.connect: 9000\n        proxy.reverse.url: \"http://a/\"", 7, qr/fastcgi\.connect and proxy\.reverse\.url exclude each other/ ],
        [ global => 'fastcgi.connect: 9000',                           2, qr/the command cannot be used at this level/ ],
        [ host   => 'file.custom-handler: { extension: .php }',          4, qr/file\.custom-handler: needs a fastcgi\.connect/ ],
        [ host   => 'file.custom-handler: { fastcgi.connect: 9000 }',    4, qr/file\.custom-handler: needs an extension/ ],
        [ host   => 'file.custom-handler: { extension: php, fastcgi.connect: 9000 }', 4, qr/an extension is written \.php/ ],
        [ host   => 'file.custom-handler: { extension: .php, fastcgi.spawn: "php-cgi" }', 4, qr/file\.custom-handler: fastcgi\.spawn: not possible: .*PHP-FPM/ ],
        [ host   => 'file.custom-handler: { extension: .rb, mruby.handler-file: a }', 4, qr/file\.custom-handler: mruby\.handler-file: not possible/ ],
        [ host   => 'file.custom-handler: .php',                         4, qr/file\.custom-handler: must be a mapping/ ],
        [ path   => 'reproxy: ON',                                     7, qr/reproxy: not possible: .*a path of its own/ ],
        [ global => 'reproxy: ON',                                     2, qr/reproxy: not possible/ ],
        [ global => 'proxy.proxy-protocol: ON',                        2, qr/proxy\.proxy-protocol: not possible: .*X-Forwarded-For/ ],
        [ host   => 'http2-debug-state: hpack',                        4, qr/http2-debug-state: not possible/ ],
        [ path   => 'proxy.reverse.url: "ftp://a/"',                   7, qr/`ftp:\/\/a\/` is no URL: it is written http/ ],
        [ path   => 'proxy.reverse.url: "http://a:99999/"',            7, qr/is no URL/ ],
        [ path   => 'proxy.reverse.url: "http://a b/"',                7, qr/is no URL/ ],
        [ path   => 'proxy.reverse.url: [ "http://a/" ]',              7, qr/`reverse` needs a url/ ],
        [ path   => "proxy.reverse.url: \"http://a/\"\n        weir.router: stub", 7, qr/proxy\.reverse\.url and weir\.router exclude each other/ ],
        [ global => 'proxy.reverse.url: "http://a/"',                  2, qr/the command cannot be used at this level/ ],
        [ global => 'proxy.preserve-host: MAYBE',                      2, qr/proxy\.preserve-host: must be ON or OFF/ ],
        [ global => 'proxy.timeout.io: 10k',                           2, qr/proxy\.timeout\.io: must be a whole number of milliseconds/ ],
        [ global => 'proxy.header.set: X-Name',                        2, qr/proxy\.header\.set: must be `name: value`/ ],
        [ global => 'proxy.header.set: "Transfer-Encoding: x"',        2, qr/Transfer-Encoding is no header that may be changed/ ],
        [ global => 'proxy.header.unset: "X-Name: x"',                 2, qr/proxy\.header\.unset: must be the name of a header/ ],
        [ host   => 'error-doc: { status: 404, url: "http://elsewhere.test/" }', 4, qr/http:\/\/elsewhere\.test\/: must lead to a host that is reachable/ ],
        [ path   => 'redirect: { status: 302, url: "https://elsewhere.test/", internal: YES }', 7, qr/must lead to a host that is reachable/ ],
        [ global => 'ssl-offload: kernel',                             2, qr/unknown command: ssl-offload/ ],
        [ global => 'num-thread: 2',                                   2, qr/unknown command: num-thread; did you mean num-threads\?/ ],
    );
    for my $case (@cases) {
        my ($where, $text, $line, $words) = @$case;
        my @lines = ('listen: 80', ($where eq 'global' ? $text : ()), 'hosts:', '  default:', ($where eq 'host' ? "    $text" : ()),
            '    paths:', '      /:', '        file.dir: /tmp', ($where eq 'path' ? "        $text" : ()));
        for my $verb (qw(check run)) {
            my ($exit, $err) = said_of($verb, @lines);
            is($exit, 1, "$verb: $text: exit 1");
            like($err, qr/^$line: [^\n]*$words/m, "$verb: $text: line $line and why") or diag($err);
        }
    }
};

subtest 'an error-doc of a host with a listen of its own' => sub {
    my @lines = ('listen: 80', 'hosts:', '  a.test:', '    listen: 81', '    paths: { /: { file.dir: /tmp } }', '    error-doc: { status: 404, url: "http://A.test/x" }',
        '  b.test:', '    paths: { /: { file.dir: /tmp } }', '    error-doc: { status: 404, url: "http://b.test/x" }');
    my ($exit, $err) = said_of('check', @lines);
    is($exit, 0, 'may lead to itself') or diag($err);
    ($exit, $err) = said_of('check', map { s/A\.test/b.test/r } @lines);
    is($exit, 1, 'but not to a host that is not there');
    like($err, qr{^6: http://b\.test/x: must lead to a host that is reachable by the same listen}, 'which is said');
    ($exit, $err) = said_of('check', @lines, 'error-doc: { status: 500, url: "http://b.test/y" }');
    like($err, qr{^10: http://b\.test/y: must lead}, 'a global one must lead to one that is there by every listen');
};

subtest 'check says what becomes of each directive' => sub {
    my ($exit, undef, $out) = said_of('check', 'listen: 80', 'num-threads: 2', 'tcp-fastopen: 5', 'proxy.timeout.io: 7000', 'hosts:', '  default:',
        '    paths:', '      /:', '        proxy.reverse.url: "http://127.0.0.1:1/"', '      /f:', '        file.dir: /tmp');
    is($exit, 0, 'fine');
    like($out, qr/^  re-interpreted num-threads +2 /m, 'num-threads');
    like($out, qr/^  ignored +tcp-fastopen +3  \w/m, 'tcp-fastopen');
    like($out, qr/^  re-interpreted +file\.dir +11\b/m, 'file.dir');
    like($out, qr/^  re-interpreted proxy\.reverse\.url +9  the router `reverse`/m, 'proxy.reverse.url');
    like($out, qr/^ +weir\.first-byte-timeout +7000 +4$/m, 'what proxy.timeout.io has set');
    like($out, qr/^    router  reverse \(built-in\)/m, 'the router');
};

subtest 'and so it does when it refuses the file' => sub {
    my ($exit, $err, $out) = said_of('check', 'listen: 80', 'reproxy: ON', 'file.custom-handler: { extension: .php, fastcgi.connect: 9000 }',
        'hosts:', '  default:', '    paths:', '      /:', '        mruby.handler-file: x.rb', '        file.dir: /tmp');
    is($exit, 1, 'refused');
    like($err, qr/^2: reproxy: not possible.*^8: mruby\.handler-file: not possible/ms, 'all that cannot be done, with the reasons');
    like($out, qr/^  re-interpreted $_ /m, 'what would become of the others') for qr/file\.custom-handler +3/, qr/file\.dir +9/;
    unlike($out, qr/fine|reproxy|mruby/, 'and nothing else');
};

subtest 'SIGHUP brings another configuration in' => sub {
    my $other = ok_backend('other');
    my $proxy = start("listen: \@PORT\@\nhosts: {default: {paths: {/: {proxy.reverse.url: \"\@URL\@/one\"}}}}\n");
    my $client = $proxy->connect;
    $client->write("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    like($client->read_response->body, qr{^GET /one/x }, 'the first');
    write_file($proxy->config, read_file($proxy->config) =~ s{proxy\.reverse\.url: "[^"]*"}{proxy.reverse.url: "http://@{[ $other->address ]}/", proxy.timeout.io: soon}r);
    $proxy->signal('HUP');
    ok(wait_for { $proxy->stderr =~ /proxy\.timeout\.io: must be a whole number/ }, 'a wrong one is refused with its reason');
    like(get($proxy, '/x')->body, qr{^GET /one/x }, 'and changes nothing');
    write_file($proxy->config, read_file($proxy->config) =~ s/, proxy.timeout.io: soon//r);
    $proxy->signal('HUP');
    ok(wait_for { get($proxy, '/x')->body eq 'other' }, 'a good one is taken');
    $client->write("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    is($client->read_response->body, 'other', 'also on the connection that was there');
};

subtest 'a second proxy.reverse.url is never asked' => sub {
    my $proxy = start("listen: \@PORT\@\nhosts:\n  default:\n    paths:\n      /:\n        - proxy.reverse.url: \@URL\@/1/\n        - proxy.reverse.url: \@URL\@/2/\n");
    like($proxy->stderr, qr/:7: warning: proxy\.reverse\.url is never asked: the one before it \(\S+:6\)/, 'which is said');
    is(line_of(seen($proxy, '/')), 'GET /1/', 'the first is');
};

done_testing;
