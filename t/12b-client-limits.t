# SPDX-License-Identifier: MIT
# How many connections a client, and an address that is listened on, may have at once: who is told no, who is not hurt, and that
# the count is right again behind every end.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use Weir::TLS;

my $backend = backend(sub { $_[0]->serve(sub { simple_response('here') }) });
my $get     = "GET /in HTTP/1.1\r\nHost: a.test\r\n\r\n";
my $cert    = certificate('a.test');
my %tls     = (ssl => { 'certificate-file' => $cert->{cert}, 'key-file' => $cert->{key} });

sub per_client { my ($count, %more) = @_; return (global => { 'weir.max-connections-per-client' => $count, %more }) }

# A connection that has been served, and is kept. Those before it that have ended may still have to be seen to leave; who is
# refused is not counted, so asking costs nothing.
sub guest {
    my ($proxy, %option) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $client;
    ok((wait_for {
        my $port = $option{port} // $proxy->port;
        $client = $option{tls} ? tls_client($port, %option) : Weir::Client->connect($port, %option);
        $client->write(($option{first} // '') . $get);
        ($client->read_response->status // 0) == 200;
    }), $option{name} // 'is served');
    return $client;
}

# The refusal, and the end of the connection.
sub is_refused {
    my ($client, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $client->read_response;
    is($r->status, 503, $name);
    like($r->body, qr/\A503 Service Unavailable\nconn_limit_reached: The client, or the address /, 'with a page');
    like($r->header('Retry-After'), qr/\A[2-5]\z/, 'that says when to come again');
    ok($r->says_close, 'and closes');
    ok(defined $client->read_eof, 'which it does');
    return $r;
}

subtest 'a client\'s limit' => sub {
    my $proxy = proxy(backends => [$backend], per_client(2, 'weir.proxy-status' => 'ON'));
    my @in = map { guest($proxy) } 1 .. 2;
    my $more = $proxy->connect;
    $more->write("GET /more?x HTTP/1.1\r\nHost: A.test:80\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    my $r = is_refused($more, 'a third connection');
    is($r->header('Proxy-Status'), 'weir; error=http_request_denied; details="conn_limit_reached"', 'Proxy-Status');
    my $line = $proxy->log_where(code => 'conn_limit_reached');
    is($line->{status}, 503, 'the log has it');
    is($line->{path}, '/more?x', 'with its path');
    is($line->{method}, 'GET', 'its method');
    is($line->{host}, 'A.test', 'its host');
    is($line->{fwd}, '127.0.0.1', 'and the client');
    is($line->{at}, 'error', 'as an error');
    guest($proxy, from => '127.0.0.2', name => 'another client is not hurt') for 1 .. 2;
    $_->write($get) for @in;
    is($_->read_response->status, 200, 'those that were there go on') for @in;
    is(scalar(grep { $_->{path} eq '/never' } $proxy->log_lines(6)), 0, 'nothing behind the refusal is looked at');
    $in[0]->close;
    guest($proxy, name => 'behind the end of one there is room');
};

subtest 'HEAD, a body, and silence' => sub {
    my $proxy = proxy(backends => [$backend], per_client(1, 'weir.header-timeout' => ms(300)));
    my $in = guest($proxy);
    $in->write("POST /long HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");    # it stays as long as it likes
    my @more = map { $proxy->connect } 1 .. 3;
    $more[0]->write("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n");
    my $head = $more[0]->read_head;
    like($head, qr/\AHTTP\/1\.1 503 .*^Content-Length: \d\d/ms, 'HEAD: a head');
    is($more[0]->read_eof, '', 'and nothing behind it');
    $more[1]->write("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\nabc");
    is($more[1]->read_response->status, 503, 'a body is not waited for');
    is($more[2]->read_eof, '', 'who says nothing is closed when its time is up');
};

subtest 'log-codes: heroku' => sub {
    my $proxy = proxy(backends => [$backend], per_client(1, 'weir.log-codes' => 'heroku'));
    my $in = guest($proxy);
    is($proxy->get('/h22')->status, 503, 'one too many');
    my $line = $proxy->log_where(path => '/h22');
    is($line->{code},   'H22',                      'H22');
    is($line->{desc},   'Connection limit reached', 'in Heroku\'s words');
    is($line->{reason}, 'conn_limit_reached',       'and ours');
};

subtest 'TLS' => sub {
    my $port = free_port();
    my $proxy = proxy(backends => [$backend], listen => [ { host => '127.0.0.1', port => $port, %tls } ], per_client(1));
    my $in = guest($proxy, port => $port, tls => 1, name => 'one is served');
    my $more = tls_client($port);
    $more->write($get);
    is_refused($more, 'another one is told no, in TLS');
    my $other = guest($proxy, port => $port, tls => 1, from => '127.0.0.2', name => 'another client is not hurt');
    is($proxy->get('/plain')->status, 503, 'a client\'s connections count at all addresses together');
    $in->close;
    guest($proxy, name => 'behind its end there is room')->close;
    tls_client($port)->close for 1 .. 5;    # handshakes, and nothing else
    guest($proxy, name => 'nor does a handshake without a request stay');
};

subtest 'HTTP/2' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    my $port = free_port();
    my $proxy = proxy(backends => [$backend], listen => [ { host => '127.0.0.1', port => $port, %tls } ], per_client(1, 'weir.proxy-status' => 'ON'));
    my $in;
    ok((wait_for { $in = Weir::Http2Client->connect($port, tls => 1); $in->get('/')->{status} == 200 }), 'one connection is served');
    for my $more (Weir::Http2Client->connect($port, tls => 1), Weir::Http2Client->connect($proxy->port)) {
        my $r = $more->get('/more');
        my %field = %{ $r->{headers} };
        is($r->{status}, 503, 'of another the request is refused');
        like($r->{body}, qr/conn_limit_reached: /, 'with a page');
        like($field{'retry-after'}, qr/\A[2-5]\z/, 'that says when to come again');
        is($field{'proxy-status'}, 'weir; error=http_request_denied; details="conn_limit_reached"', 'and why');
        is($more->goaway, 'NO_ERROR', 'GOAWAY');
        ok($more->is_closed, 'and the end');
    }
    my $line = $proxy->log_where(path => '/more');
    is($line->{code}, 'conn_limit_reached', 'the log has it');
    is($line->{version}, 'HTTP/2', 'as HTTP/2');
    is($line->{host}, 'a.test', 'with its host');
    is($in->get('/')->{status}, 200, 'the first goes on');
    $in->close;
    guest($proxy, name => 'behind its end there is room');
};

subtest 'a listener\'s limit' => sub {
    my ($narrow, $wide) = (free_port(), free_port());
    my $proxy = proxy(backends => [$backend],
        listen => [
            { host => '127.0.0.1', port => $narrow, 'max-client-connections' => 2 },
            { host => '127.0.0.1', port => $wide, 'max-client-connections' => 0, 'max-connections-per-client' => 0 }
        ],
        global => { 'weir.max-client-connections' => 3, 'num-threads' => 3 });
    my @in = map { guest($proxy, port => $narrow, from => "127.0.0.$_") } 1, 2;
    for (1, 9) {    # whichever thread it comes to
        my $more = Weir::Client->connect($narrow, from => "127.0.0.$_");
        $more->write($get);
        is_refused($more, "127.0.0.$_ at the address that is full");
    }
    push @in, map { guest($proxy, name => 'another address is not') } 1 .. 3;
    is($proxy->get('/full')->status, 503, 'but full behind the third');
    push @in, map { guest($proxy, port => $wide, name => '0: any number') } 1 .. 6;
    $in[0]->close;
    guest($proxy, name => 'behind the end of one there is room', port => $narrow);
};

subtest 'who a PROXY header names' => sub {
    my $proxy = proxy(backends => [$backend], listen_with => { 'proxy-protocol' => 'ON' }, per_client(1));
    my %first = map { $_ => 'PROXY TCP' . (/:/ ? 6 : 4) . " $_ " . (/:/ ? '2001:db8::1' : '198.51.100.1') . " 1000 80\r\n" }
        qw(192.0.2.1 192.0.2.2 2001:db8:1:2::1 2001:db8:1:2:ffff::2 2001:db8:1:3::1);
    my @in = map { guest($proxy, first => $first{$_}, name => $_) } qw(192.0.2.1 2001:db8:1:2::1);
    for (qw(192.0.2.1 2001:db8:1:2:ffff::2)) {
        my $more = $proxy->connect;
        $more->write($first{$_} . $get);
        is_refused($more, "$_ again");
    }
    push @in, map { guest($proxy, first => $first{$_}, name => "$_ is another") } qw(192.0.2.2 2001:db8:1:3::1);
    my @silent = map { $proxy->connect } 1 .. 3;    # nobody yet
    $_->close for @in, @silent;
    guest($proxy, name => 'behind the end there is room', first => $first{'192.0.2.1'});
};

subtest 'a unix socket has no clients to be counted' => sub {
    my $path = temp_path('weir.sock');
    my $proxy = proxy(backends => [$backend], listen => [ { port => $path, type => 'unix', 'max-client-connections' => 3 } ], per_client(1));
    my @in = map { guest($proxy, port => "unix:$path") } 1 .. 3;
    my $more = Weir::Client->connect("unix:$path");
    $more->write($get);
    is_refused($more, 'but connections');
};

subtest 'what libh2o serves is limited as well' => sub {
    my $proxy = proxy(paths => { '/' => { 'file.dir' => root_dir() . '/docs' } }, per_client(1));
    my $in;
    ok((wait_for {
        $in = $proxy->connect;
        $in->write("GET /limits.md HTTP/1.1\r\nHost: a\r\n\r\n");
        $in->read_response->status == 200;
    }), 'a file');
    is($proxy->get('/limits.md')->status, 503, 'one too many');
};

subtest 'a reload' => sub {
    my @of = (backends => [$backend]);
    my $proxy = proxy(@of);
    my @in = map { guest($proxy) } 1 .. 3;
    ok($proxy->reload(@of, per_client(3)), 'that brings a limit');
    is($proxy->get('/second')->status, 503, 'counts those that were there before');
    ok($proxy->reload(@of, per_client(4)), 'one that widens it');
    push @in, guest($proxy, name => 'makes room');
    is($proxy->get('/third')->status, 503, 'for so many');
    ok($proxy->reload(@of), 'one that takes it away');
    is($proxy->get('/fourth')->status, 200, 'lets everybody in');
    ok($proxy->reload(@of, per_client(1)), 'and one that narrows it');
    $_->write($get) for @in;
    is($_->read_response->status, 200, 'cuts nobody') for @in;
    $_->close for @in;
    guest($proxy, name => 'behind their end there is room');
};

subtest 'a storm' => sub {
    my $proxy = proxy(backends => [$backend], global => { 'weir.max-connections-per-client' => 20, 'weir.max-client-connections' => 25, 'num-threads' => 3 });
    my %seen;
    for my $round (1 .. 6) {
        my @clients = map { Weir::Client->connect($proxy->port, from => $_ % 5 ? '127.0.0.1' : '127.0.0.3') } 1 .. 50;
        $_->write($get) for grep { $_ } @clients;
        $seen{ $clients[$_]->read_response->status // 0 }++ for grep { $_ % 3 } 0 .. $#clients;
        $clients[$_]->${ \($_ % 2 ? 'close' : 'reset') } for 0 .. $#clients;
    }
    is($seen{200} + $seen{503}, 198, 'of 300 connections each is served or told no') or diag(explain(\%seen));
    cmp_ok($seen{503}, '>', 0, 'some were too many');
    my @in = map { guest($proxy, name => "then there is room for $_") } 1 .. 20;
    is($proxy->get('/more')->status, 503, 'and no more');
};

subtest 'what is no limit' => sub {
    my $hosts = "hosts: {default: {paths: {/: {weir.router: stub}}}}\n";
    refuses_config("listen: {port: 1, max-client-connections: -1}\n$hosts", qr/1(?::\d+)?: max-client-connections must be a whole number from 0 to 10000000/, 'a negative one');
    refuses_config("listen: {port: 1, max-connections-per-client: many}\n$hosts", qr/1(?::\d+)?: max-connections-per-client must be /, 'a word');
    refuses_config("listen: [{port: 1, host: 127.0.0.1, max-client-connections: 1}, {port: 1, host: 127.0.0.1}]\n$hosts", qr/1(?::\d+)?: listen: two different limits of connections for the same address/, 'two for one address');
    refuses_config("listen: 1\nweir.max-connections-per-client: 10000001\n$hosts", qr/2(?::\d+)?: weir\.max-connections-per-client: must be /, 'too large a one');
};

done_testing;
