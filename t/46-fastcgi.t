# SPDX-License-Identifier: MIT
# FastCGI with backends: what an application is told, how bodies pass in both directions, which connections are used again.
use lib 't/lib';
use Weir::Test;
use Weir::FastCGI;
use Weir::Http2Client;

sub path_of { return $_[0]{params}{REQUEST_URI} =~ m{^/(\w+)} ? $1 : '' }

# Tells what it was told, a line a parameter in the order of the request.
sub told {
    my ($request) = @_;
    return join '', (map { "$_=$request->{params}{$_}\n" } @{ $request->{params}{'.names'} }), "keeps=$request->{keeps}\n", 'body=' . length($request->{body}) . "\n";
}

my $long = join '', map { chr(($_ * 31 + ($_ >> 8)) % 256) } 1 .. 1_000_000;
my %answer = (
    tell     => sub { whole(told($_[1])) },
    echo     => sub { whole($_[1]{body}) },
    status   => sub { whole('gone', "Status: 410 Gone For Good\r\nX-App: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n") },
    location => sub { output("Location: /elsewhere\n\n") . ending() },
    bare     => sub { output("A: 1\n\nbare") . ending() },
    length   => sub { output("Content-Length: 5\n\n") . output('hel') . errors("a word\n") . output('lo') . ending() },
    longer   => sub { output("Content-Length: 5\n\nhello and more") . ending() },
    padded   => sub { join '', (map { Weir::FastCGI::record(STDOUT => $_, padding => 255) } "A: 1\r", "\n\r\n", 'b', 'c'), ending() },
    empty    => sub { output("A: 1\n\n") . ending() },
    none     => sub { output("Status: 204 No Content\n\n") . ending() },
    exit     => sub { output("A: 1\n\nall") . ending(7) },
    long     => sub { output("A: 1\n\n$long") . ending() },
    errors   => sub { errors("one\ntwo\e[31m\n") . errors('x' x 60000) . whole('fine') },
    slowly   => sub {
        my ($c) = @_;
        $c->write(output("A: 1\n\nfirst"));
        $c->read_until(qr/never/, 0.3);
        return output('second') . ending();
    },
);
my $backend = fastcgi_backend(sub { return ($answer{ path_of($_[1]) } // $answer{tell})->(@_) });
my %fastcgi = (protocol => 'fastcgi', root => '/srv/www/', keepalive => 'default');
my $proxy = proxy(backends => [$backend], app => \%fastcgi);

# What an application was told, as a hash.
sub told_of { return { map { /^([^=]+)=(.*)/ ? ($1 => $2) : () } split /\n/, $_[0]->body } }

sub ask_for {
    my ($target, $headers, $from) = @_;
    return told_of(($from // $proxy)->ask("GET $target HTTP/1.1\r\nHost: Shop.Example:81\r\n" . ($headers // '') . "\r\n"));
}

subtest 'what an application is told' => sub {
    my $told = ask_for('/tell/a%20b.php/in/fo?x=%41&y');
    my %wanted = (
        SCRIPT_NAME => '/tell/a b.php', SCRIPT_FILENAME => '/srv/www/tell/a b.php', PATH_INFO => '/in/fo', DOCUMENT_ROOT => '/srv/www',
        PATH_TRANSLATED => '/srv/www/in/fo', DOCUMENT_URI => '/tell/a b.php/in/fo', REQUEST_URI => '/tell/a%20b.php/in/fo?x=%41&y',
        QUERY_STRING => 'x=%41&y', REQUEST_METHOD => 'GET', SERVER_PROTOCOL => 'HTTP/1.1', SERVER_NAME => 'shop.example',
        SERVER_PORT => $proxy->port, REMOTE_ADDR => '127.0.0.1', REQUEST_SCHEME => 'http', GATEWAY_INTERFACE => 'CGI/1.1',
        HTTP_HOST => 'Shop.Example:81', HTTP_VIA => '1.1 weir', REDIRECT_STATUS => 200, HTTP_X_FORWARDED_FOR => '127.0.0.1',
    );
    is($told->{$_}, $wanted{$_}, $_) for sort keys %wanted;
    like($told->{SERVER_SOFTWARE}, qr{^weir/\d}, 'SERVER_SOFTWARE');
    like($told->{REMOTE_PORT}, qr/^\d+$/, 'REMOTE_PORT');
    like($told->{HTTP_X_REQUEST_ID}, qr/^[\w-]{20,}$/, 'the request\'s id');
    is_deeply([ grep { exists $told->{$_} } qw(CONTENT_LENGTH CONTENT_TYPE HTTPS HTTP_CONNECTION) ], [], 'nothing that is not so');
};

subtest 'what names no script is for the index' => sub {
    my $told = ask_for('/tell/about?a');
    is($told->{SCRIPT_FILENAME}, '/srv/www/index.php', 'its file');
    is($told->{SCRIPT_NAME}, '/index.php', 'its name');
    is($told->{PATH_INFO}, undef, 'without PATH_INFO');
    is($told->{REQUEST_URI}, '/tell/about?a', 'which finds its way by REQUEST_URI');
};

subtest 'names of headers cannot be mistaken for others' => sub {
    my $told = ask_for('/tell', "X_Foo: evil\r\nX-Foo: a\r\nx-foo: b\r\nX.Foo: evil\r\nProxy: evil\r\nContent_Length: 7\r\nCookie: a=1\r\nCookie: b=2\r\n"
        . "Expect: 100-continue\r\nAuthorization: Basic x\r\nContent-Type: text/x\r\n");
    is($told->{HTTP_X_FOO}, 'a, b', 'fields of one name are joined');
    is($told->{HTTP_COOKIE}, 'a=1; b=2', 'cookies in their own way');
    is($told->{HTTP_AUTHORIZATION}, 'Basic x', 'Authorization');
    is($told->{CONTENT_TYPE}, 'text/x', 'CONTENT_TYPE');
    is_deeply([ grep { /^(?:HTTP_PROXY|HTTP_X\.FOO|HTTP_CONTENT_.*|CONTENT_LENGTH|HTTP_EXPECT)$/ } keys %$told ], [], 'the others are not there');
};

subtest 'an application without scripts gets all of the path' => sub {
    my $own = proxy(backends => [$backend], app => { protocol => 'fastcgi', headers => { 'to-backend' => { Host => 'inner.test' } } });
    my $told = ask_for('/tell/a.php/b?c', '', $own);
    is($told->{SCRIPT_NAME}, '', 'SCRIPT_NAME is empty');
    is($told->{PATH_INFO}, '/tell/a.php/b', 'PATH_INFO is the path');
    is_deeply([ grep { exists $told->{$_} } qw(SCRIPT_FILENAME DOCUMENT_ROOT PATH_TRANSLATED) ], [], 'and nothing is on a disk');
    is($told->{keeps}, 0, 'without keepalive the application is to close the connection');
    is($told->{HTTP_HOST}, 'inner.test', 'the router\'s Host');
};

subtest 'another index, other scripts' => sub {
    my $own = proxy(backends => [$backend], app => { %fastcgi, index => 'app/main.pl', split => '.pl' });
    is(ask_for('/tell/x.pl/y', '', $own)->{SCRIPT_FILENAME}, '/srv/www/tell/x.pl', 'a script');
    is(ask_for('/tell/x.php', '', $own)->{SCRIPT_FILENAME}, '/srv/www/app/main.pl', 'the index');
};

subtest 'responses' => sub {
    my $r = $proxy->get('/status');
    is($r->status . ' ' . $r->reason, '410 Gone For Good', 'Status');
    is($r->header('X-App'), '1', 'a header');
    is(scalar(() = $r->head =~ /^Set-Cookie: /mg), 2, 'two cookies');
    is($r->header('Status'), undef, 'Status is none');
    is($r->body, 'gone', 'the body');
    $r = $proxy->get('/location');
    is($r->status, 302, 'a Location without Status');
    is($r->header('Location'), '/elsewhere', 'goes to the client');
    is($proxy->get('/bare')->body, 'bare', 'lines may end with LF');
    is($proxy->get('/length')->header('Content-Length'), 5, 'a length');
    is($proxy->get('/length')->body, 'hello', 'and its body');
    is($proxy->get('/longer')->body, 'hello', 'what is longer is cut');
    is($proxy->get('/padded')->body, 'bc', 'records of a byte, with padding');
    is($proxy->get('/empty')->body, '', 'no body');
    is($proxy->get('/none')->status, 204, 'a 204');
    is($proxy->get('/exit')->body, 'all', 'an exit status behind a whole response is nothing to the client');
    ok($proxy->get('/long')->body eq $long, 'a long one');
    my $head = $proxy->connect;
    $head->write("HEAD /bare HTTP/1.1\r\nHost: a\r\n\r\n");
    is($head->read_response(head => 1)->status, 200, 'HEAD');
    ok($head->is_silent(0.1), 'without a body');
    is($proxy->log_where(path => '/long')->{bytes}, length $long, 'the log counts');
};

subtest 'a response passes as it comes' => sub {
    my $client = $proxy->connect;
    $client->write("GET /slowly HTTP/1.1\r\nHost: a\r\n\r\n");
    ok(defined $client->read_until(qr/first/), 'the beginning');
    ok(defined $client->read_until(qr/second/), 'the rest');
};

subtest 'bodies of requests' => sub {
    my $length = length $long;
    my $r = $proxy->ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: $length\r\n\r\n$long");
    ok($r->body eq $long, 'one with a length');
    my $chunks = join '', map { sprintf("%x\r\n", length) . "$_\r\n" } $long =~ /(.{1,60000})/gs;
    $r = $proxy->ask("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\nT: 1\r\n\r\n");
    ok($r->body eq $long, 'one without');
    $r = told_of($proxy->ask("POST /tell HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
    is("$r->{CONTENT_LENGTH} $r->{body}", '3 3', 'the application is told its length');
    $r = told_of($proxy->ask("POST /tell HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
    is("$r->{CONTENT_LENGTH} $r->{body}", '0 0', 'an empty one');
    $r = told_of($proxy->ask("POST /tell HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
    is("$r->{CONTENT_LENGTH} $r->{body}", '3 3', 'CONTENT_LENGTH');
};

subtest 'a body without length that is too long to be held' => sub {
    my $client = $proxy->connect;
    $client->write("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" . "10000\r\n" . 'x' x 65536 . "\r\n");
    $client->write("10000\r\n" . 'x' x 65536 . "\r\n") for 1 .. 16;
    my $r = $client->read_response;
    is($r->status, 411, 'status');
    like($r->body, qr/^length_required\b/m, 'the reason');
};

subtest 'Expect is met here, whatever the router says' => sub {
    my $own = proxy(backends => [$backend], app => { %fastcgi, features => ['deep-continue'] });
    my $client = $own->connect;
    $client->write("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    like($client->read_head, qr/^HTTP\/1\.1 100 /, 'a 100');
    $client->write('abc');
    is($client->read_response->body, 'abc', 'and the response');
};

subtest 'a connection is used again' => sub {
    my $one = fastcgi_backend(sub { return whole($_[0]->index . ":$_[1]{keeps}", path_of($_[1]) eq 'length' ? "Content-Length: 3\r\n" : '') });
    my $own = proxy(backends => [$one], global => { 'num-threads' => 1 }, app => \%fastcgi);
    is($own->get($_)->body, '0:1', $_) for '/a', '/length', '/b';
    is($one->connections, 1, 'one connection');
    my $none = proxy(backends => [$one], global => { 'num-threads' => 1 }, app => { %fastcgi, keepalive => 'none' });
    is($none->get('/a')->body, '1:0', 'not without keepalive');
    is($none->get('/a')->body, '2:0', 'ever');
};

subtest 'HTTP/1 and FastCGI at one address share no connection' => sub {
    my $both = backend(sub {
        my $c = shift;
        my $first = $c->read_exactly(1) // return;
        if ($first eq "\1") {
            $c->read_exactly(15);
            1 until (Weir::FastCGI::read_record($c))[0] == 5;
            $c->write(whole('fastcgi'));
        } else {
            $c->read_head;
            $c->write(simple_response('http'));
        }
        $c->wait_close;
    });
    my $own = proxy(global => { 'num-threads' => 1 }, apps => {
        http => { domains => ['http'], backends => [ $both->address ] },
        cgi  => { domains => ['cgi'], backends => [ $both->address ], %fastcgi },
    });
    is($own->ask("GET / HTTP/1.1\r\nHost: http\r\n\r\n")->body, 'http', 'HTTP/1');
    is($own->ask("GET / HTTP/1.1\r\nHost: cgi\r\n\r\n")->body, 'fastcgi', 'FastCGI');
    is($both->connections, 2, 'two connections');
};

subtest 'a connection that says more than its response is not used again' => sub {
    my $chatty = fastcgi_backend(sub { return whole($_[0]->index) . output('Status: 500') });
    my $own = proxy(backends => [$chatty], global => { 'num-threads' => 1 }, app => \%fastcgi);
    is($own->get('/')->body, $_, "connection $_") for 0 .. 2;
};

subtest 'a response that comes before the request has ended' => sub {
    my $early = fastcgi_backend(sub { $_[0]->write(whole($_[0]->index)); $_[0]->wait_close; return }, heads => 1, receive_buffer => 4096);
    my $own = proxy(backends => [$early], global => { 'num-threads' => 1 }, app => \%fastcgi);
    for my $connection (0, 1) {
        my $client = $own->connect;
        $client->write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n" . 'x' x 1_000_000);
        is($client->read_response->body, $connection, "is the client's, and its connection not used again");
        $client->close;
    }
};

subtest 'a dead connection of the pool costs nobody a request' => sub {
    my $mortal = fastcgi_backend(sub {
        my ($c) = @_;
        $c->write(whole('fine'));
        $c->note('closes');
        return;
    });
    my $own = proxy(backends => [$mortal], global => { 'num-threads' => 1 }, app => \%fastcgi);
    is($own->get('/')->body, 'fine', 'each') for 1 .. 5;
};

subtest 'the application\'s words for its operator' => sub {
    is($proxy->get('/errors')->body, 'fine', 'are not the client\'s');
    my $id = $proxy->log_where(path => '/errors')->{request_id};
    my @lines = grep { /FastCGI application .*\Q$id\E/ } split /\n/, $proxy->stderr;
    my $at = $backend->address;
    is($lines[0], "weir: FastCGI application $at: one; request $id", 'a line');
    is($lines[1], "weir: FastCGI application $at: two\\x1b[31m; request $id", 'without what a terminal would obey');
    cmp_ok(length join('', @lines), '<', 12_000, 'and bounded');
};

subtest 'a client that does not read is waited for' => sub {
    my $endless = fastcgi_backend(sub {
        my ($c) = @_;
        $c->write(output("A: 1\n\n"));
        my $written = $c->write_until_stuck(output('x' x 60000) x 20, 1);
        $c->note("stuck $written");
        return;
    });
    my $own = proxy(backends => [$endless], app => \%fastcgi);
    my $client = $own->connect(receive_buffer => 4096);
    $client->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ok(defined $endless->wait_event(qr/stuck/), 'the application is not read any more') or diag(join "\n", $endless->events);
    $client->close;
};

subtest 'an application that does not read is waited for' => sub {
    my $deaf = fastcgi_backend(sub { $_[0]->note('deaf'); select undef, undef, undef, 1; return whole('read') }, heads => 1, receive_buffer => 4096);
    my $own = proxy(backends => [$deaf], app => \%fastcgi);
    my $client = $own->connect;
    $client->write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    my $taken = $client->write_until_stuck('x' x 20_000_000, 0.5);
    cmp_ok($taken, '<', 16_000_000, 'the client is held back');
    $client->close;
};

subtest 'over HTTP/2' => sub {
    plan skip_all => 'python3-h2 is not there' unless Weir::Http2Client::is_possible();
    my $h2 = Weir::Http2Client->connect($proxy->port);
    like($h2->get('/tell')->{body}, qr{^SERVER_PROTOCOL=HTTP/2\.0$}m, 'the version');
    is($h2->response($h2->request(path => '/echo', method => 'POST', body => 'abc'))->{body}, 'abc', 'a body without length');
};

subtest 'nobody can make the application a tunnel' => sub {
    my $r = $proxy->ask("GET /tell HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    is($r->status, 501, 'a WebSocket is refused');
    is($proxy->log_where(path => '/tell', status => 501)->{code}, 'backend_cannot_upgrade', 'by name');
    is(told_of($proxy->ask("GET /tell HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"))->{HTTP_UPGRADE}, undef, 'another Upgrade is not heard');
};

# A configuration of h2o's with these lines at "/" and at the top.
sub h2o {
    my ($path, @global) = @_;
    return proxy(yaml => join "\n", 'listen: @PORT@', @global, 'hosts:', '  default:', '    paths:', '      /:', (map { "        $_" } @$path),
        '      /moved:', '        redirect: { url: /tell/there, internal: YES, status: 307 }', '');
}

subtest 'fastcgi.connect, in each way it is written' => sub {
    my $on_socket = fastcgi_backend(sub { whole(told($_[1])) }, path => temp_path('cgi.sock'));
    for my $how ($backend->port, '127.0.0.1:' . $backend->port, "{ host: 127.0.0.1, port: @{[ $backend->port ]}, type: tcp }", "{ port: @{[ $backend->port ]} }",
        $on_socket->{path}, $on_socket->address, "{ port: $on_socket->{path}, type: unix }") {
        my $own = h2o(["fastcgi.connect: $how"]);
        is(ask_for('/tell/a.php/b?c', '', $own)->{PATH_INFO}, '/tell/a.php/b', $how =~ s{\S*/}{…/}r =~ s/\d{4,}/PORT/r);
    }
};

subtest 'fastcgi.*' => sub {
    my $own = h2o([ 'fastcgi.connect: ' . $backend->port ], 'num-threads: 1', 'fastcgi.document_root: /srv/www', 'fastcgi.timeout.keepalive: 5000');
    my $told = ask_for('/tell/a.php?c', '', $own);
    is("$told->{SCRIPT_NAME} $told->{PATH_INFO}", ' /tell/a.php', 'no script');
    is($told->{PATH_TRANSLATED}, '/srv/www/tell/a.php', 'PATH_TRANSLATED');
    is($told->{DOCUMENT_ROOT}, '/srv/www', 'DOCUMENT_ROOT');
    is($told->{HTTP_HOST}, 'Shop.Example:81', 'HTTP_HOST');
    is($told->{keeps}, 1, 'the connection is kept');
    is(ask_for('/moved', '', $own)->{REQUEST_URI}, '/moved', 'REQUEST_URI is what the client has asked for');
    is(ask_for('/moved', '', $own)->{HTTP_HOST}, 'Shop.Example:81', 'as HTTP_HOST is');
    is(ask_for('/moved', '', $own)->{SERVER_NAME}, 'shop.example', 'and SERVER_NAME');
    is(ask_for('/moved', '', $own)->{PATH_INFO}, '/tell/there', 'PATH_INFO where that led');
    my $other = h2o([ 'fastcgi.connect: ' . $backend->port, 'fastcgi.send-delegated-uri: ON' ]);
    $told = ask_for('/moved', '', $other);
    is($told->{REQUEST_URI}, '/tell/there', 'unless it is to be the other one');
    is($told->{keeps}, 0, 'no connection is kept');
    is($other->get('/location')->header('Location'), '/elsewhere', 'Location is left alone');
};

subtest 'a body that an internal redirect brings along' => sub {
    my $echo = echo_backend();
    my $own = proxy(yaml => <<"YAML");
listen: \@PORT\@
hosts:
  default:
    paths:
      /app:
        fastcgi.connect: @{[ $backend->port ]}
      /http:
        proxy.reverse.url: http://@{[ $echo->address ]}/
      /to-app:
        redirect: { url: /app/x, internal: YES, status: 307 }
      /to-http:
        redirect: { url: /http/x, internal: YES, status: 307 }
YAML
    my $body = 'b' x 100_000;
    for my $framing ('Content-Length: ' . length $body, 'Transfer-Encoding: chunked') {
        my $sent = $framing =~ /chunked/ ? sprintf("%x\r\n%s\r\n0\r\n\r\n", length $body, $body) : $body;
        my $r = $own->ask("POST /to-app HTTP/1.1\r\nHost: a\r\n$framing\r\n\r\n$sent");
        like($r->body, qr/^CONTENT_LENGTH=100000\n(?:.*\n)*body=100000$/m, "to an application, $framing");
        $r = $own->ask("POST /to-http HTTP/1.1\r\nHost: a\r\n$framing\r\n\r\n$sent");
        like($r->body, qr/(?:b{50000}){2}/, "to a server, $framing");
    }
    is($own->ask("POST /to-app HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")->status, 200, 'none at all');
};

subtest 'fastcgi.timeout.io' => sub {
    my $silent = fastcgi_backend(sub { $_[0]->wait_close; return });
    my $own = h2o([ 'fastcgi.connect: ' . $silent->port, 'fastcgi.timeout.io: ' . ms(300) ]);
    is($own->get('/')->status, 503, 'a silent application is a 503, as with h2o');
    is($own->log_where(path => '/')->{code}, 'backend_timeout', 'with its reason');
};

subtest 'check shows what it comes to' => sub {
    my $file = write_file(temp_path('weir.yaml'), "listen: 1\nhosts:\n  default:\n    paths:\n      /:\n        fastcgi.connect: 9000\n");
    my $run = weir('check', '-c', $file);
    is($run->{exit}, 0, 'it is fine');
    like($run->{out}, qr/fastcgi +127\.0\.0\.1:9000/, 'the application');
    like($run->{out}, qr/^ +fastcgi\.timeout\.keepalive +0/m, 'a value of fastcgi.*');
    unlike($run->{out}, qr/^ +proxy\.timeout/m, 'none of proxy.*');
};

# What h2o's configurations for PHP look like.
my $www = temp_path('www');
mkdir $_ for $www, "$www/shop", "$www/d.php";
write_file("$www/$_", "source of $_") for qw(index.php info.php OLD.PHP shop/index.php plain.txt evil.jpg page.html app.pl .php d.php/x.txt);
write_file("$www/info.php.gz", 'not to be sent');

subtest 'file.custom-handler' => sub {
    my $port = $backend->port;
    my $own = h2o(["file.dir: $www", 'file.send-compressed: ON', 'file.index: [ index.php ]'],
        "file.custom-handler: { extension: [ .php, .pl ], fastcgi.connect: $port, fastcgi.timeout.keepalive: 1000, fastcgi.document_root: /srv }");
    my $run = sub {
        my ($target, $headers) = @_;
        my $told = ask_for($target, $headers, $own);
        return join ' ', map { defined $_ ? $_ =~ s/^\Q$www\E/WWW/r : '-' } @$told{qw(SCRIPT_FILENAME SCRIPT_NAME PATH_INFO)};
    };
    my %case = (
        '/info.php?a'         => 'WWW/info.php /info.php -',
        '/'                   => 'WWW/index.php /index.php -',
        '/shop/'              => 'WWW/shop/index.php /shop/index.php -',
        '/info.php/more/a%20b' => 'WWW/info.php /info.php /more/a b',
        '/info.php/'          => 'WWW/info.php /info.php /',
        '/OLD.PHP'            => 'WWW/OLD.PHP /OLD.PHP -',
        '/shop/../app.pl/x'   => 'WWW/app.pl /app.pl /x',
    );
    is($run->($_, "Accept-Encoding: gzip\r\n"), $case{$_}, $_) for sort keys %case;
    my $told = ask_for('/info.php/x?a=%41', '', $own);
    is("$told->{QUERY_STRING} $told->{REQUEST_URI} $told->{PATH_TRANSLATED} $told->{keeps}", 'a=%41 /info.php/x?a=%41 /srv/x 1', 'and the rest');
    my $r = $own->ask("POST /info.php HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" . 'x' x 300_000);
    like($r->body, qr/^body=300000$/m, 'a body');
    is($own->get('/plain.txt')->body, 'source of plain.txt', 'other files are sent');
    is($own->get('/d.php/x.txt')->body, 'source of d.php/x.txt', 'also those below a folder that looks like a script');
    is($own->get('/shop')->status, 301, 'a folder');
    is($own->get($_)->status, 404, $_) for '/none.php', '/none.php/x', '/evil.jpg/x.php', '/evil.jpg%2fx.php', '/d.php/none.php', '/plain.txt/info.php';
    is($own->get('/evil.jpg')->body, 'source of evil.jpg', 'and what is no script is never run');
    is($own->get('/.php')->body, 'source of .php', 'as what has no name');
    is($own->ask("POST /plain.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")->status, 405, 'POST is for scripts');
    is($own->log_where(path => '/OLD.PHP')->{dyno}, $backend->address, 'each is a line in the log');
};

subtest 'file.custom-handler at a path, before a backend, for one file' => sub {
    my $port = $backend->port;
    my $other = ok_backend('other');
    my $own = h2o(["file.dir: $www", 'proxy.reverse.url: "http://' . $other->address . '/"', "file.custom-handler: { extension: .php, fastcgi.connect: $port }"]);
    like($own->get('/info.php')->body, qr/^SCRIPT_NAME=\/info\.php$/m, 'a script');
    is($own->get('/nothing.php')->body, 'other', 'what is not there is the backend\'s');
    is($own->get('/plain.txt')->body, 'source of plain.txt', 'a file');
    my $one = h2o(["file.file: $www/index.php", "file.custom-handler: { extension: .php, fastcgi.connect: $port }"]);
    like($one->get('/any/thing')->body, qr/^SCRIPT_FILENAME=\Q$www\E\/index\.php$/m, 'file.file');
};

subtest 'a script\'s failure' => sub {
    my $own = h2o(["file.dir: $www", 'file.custom-handler: { extension: .php, fastcgi.connect: ' . refusing_port() . ' }']);
    is($own->get('/info.php')->status, 503, 'nobody is there');
    is($own->log_where(path => '/info.php')->{code}, 'backend_refused', 'which has its reason');
};

subtest 'what is wrong in a configuration' => sub {
    my $config = sub { return <<"YAML" };
listen: 1
hosts:
  default:
    paths:
      /:
        weir.router:
          module: table
          apps:
            a:
              domains: '*'
              $_[0]
YAML
    my $to = 'backends: [ "127.0.0.1:1" ]';
    refuses_config($config->("backends: [ 'https://a:1' ], protocol: fastcgi" =~ s/, /\n              /r), qr/\d+: protocol fastcgi is for plain backends/, 'TLS');
    my %wrong = (
        'root: /a'                                => qr/root, index and split are for `protocol: fastcgi`/,
        "protocol: fastcgi\n              index: a.php" => qr/index and split need a root/,
        "protocol: fastcgi\n              root: a" => qr/root: must be the whole path/,
        "protocol: fastcgi\n              root: /" => qr/root: must be the whole path/,
        "protocol: fastcgi\n              root: /a\n              index: /a.php" => qr/index: must be the name of a script/,
        "protocol: fastcgi\n              root: /a\n              index: ../a.php" => qr/index: must be the name of a script/,
        "protocol: fastcgi\n              root: /a\n              split: php" => qr/split: must be what the names of scripts end with/,
        'protocol: fastcg'                        => qr/unknown protocol `fastcg`; did you mean `fastcgi`/,
    );
    refuses_config($config->("$to\n              $_"), qr/\d+: $wrong{$_}/, $_ =~ s/\s+/ /gr) for sort keys %wrong;
};

done_testing;
