# SPDX-License-Identifier: MIT
# One line per request, in logfmt.
use lib 't/lib';
use Weir::Test;
use Fcntl qw(O_NONBLOCK O_RDONLY O_WRONLY);
use POSIX ();

my %does = (
    ok     => sub { $_[0]->write(simple_response('thirteen byte')) },
    slow   => sub { select undef, undef, undef, ms(120) / 1000; $_[0]->write(simple_response('ok')) },
    empty  => sub { $_[0]->write("HTTP/1.1 204 No Content\r\n\r\n") },
    chunks => sub { $_[0]->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") },
    wait   => sub { $_[0]->note('waiting'); $_[0]->wait_close },
    cut    => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nabc"); $_[0]->close },
);
my $backend = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        $does{ $c->case_of($head) }->($c);
    }
});
my $proxy = proxy(apps => {
    shop => { domains => ['shop.example'], backends => [ $backend->address ] },
    dead => { domains => ['dead.example'], backends => [ '127.0.0.1:' . refusing_port() ] },
    old  => { domains => ['old.example'], 'redirect-to' => 'shop.example' },
});

sub get { my ($path, $headers, $host) = @_; return $proxy->ask("GET $path HTTP/1.1\r\nHost: " . ($host // 'shop.example') . "\r\n" . ($headers // '') . "\r\n") }

subtest 'a request that went well' => sub {
    my $id = 'id-' . 'a' x 20;
    get('/ok?a=b', "X-Request-Id: $id\r\n");
    my $line = $proxy->log_where(path => '/ok?a=b');
    my $address = $backend->address;
    like($line->{''}, qr{^at=info method=GET path="/ok\?a=b" host=shop\.example request_id=$id fwd="127\.0\.0\.1" dyno=\Q$address\E connect=\d+ms service=\d+ms status=200 bytes=\d+ protocol=http tries=1 route=\d+ms total=\d+ms app=shop pick=only$},
        'every field in its place');
    is($line->{bytes}, 13, 'bytes of the body');
    is($line->{code}, undef, 'no code');
};

subtest 'fields' => sub {
    get('/slow');
    my $service = $proxy->log_where(path => '/slow')->{service};
    $service =~ s/ms$//;
    cmp_ok($service, '>=', ms(115), 'service is what the backend took');
    cmp_ok($service, '<', ms(2000), 'not more');
    get('/ok/fwd', "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n");
    is($proxy->log_where(path => '/ok/fwd')->{fwd}, '1.2.3.4, 5.6.7.8, 127.0.0.1', 'fwd is the whole list');
    get('/empty');
    is($proxy->log_where(path => '/empty')->{status}, 204, 'status');
    is($proxy->log_where(path => '/empty')->{bytes}, 0, 'no bytes');
    get('/chunks');
    is($proxy->log_where(path => '/chunks')->{bytes}, 5, 'bytes of payload, not of framing');
    $proxy->ask("POST /ok/post HTTP/1.1\r\nHost: SHOP.example:80\r\nContent-Length: 0\r\n\r\n");
    my $line = $proxy->log_where(path => '/ok/post');
    is($line->{method}, 'POST', 'method');
    is($line->{host}, 'shop.example', 'host, as looked up');
    like($line->{request_id}, qr/^[0-9a-f-]{36}$/, 'an id of ours');
    get('/ok/generated');
    my ($sent) = map { /^X-Request-Id: (.*)\r$/m } grep { m{/ok/generated} } $backend->heads;
    is($proxy->log_where(path => '/ok/generated')->{request_id}, $sent, 'the one that was forwarded');
};

subtest 'odd bytes do not break the line' => sub {
    my $odd = "/ok/\"quote'\\back=equals";
    get($odd);
    is($proxy->log_where(path => $odd)->{path}, $odd, 'quotes and backslashes are escaped');
    get("/ok/\xff\xfe");
    ok(wait_for { grep { ($_->{path} // '') =~ m{^/ok/.*(?:ff|\xff)} } $proxy->log_lines }, 'bytes beyond ASCII');
    get("/ok/c1/\xc2\x9b31m");
    ok(wait_for { grep { $_->{''} =~ m{path="/ok/c1/\\xc2\\x9b31m"} } $proxy->log_lines }, 'a control of UTF-8 is shown');
    get('/ok/' . 'x' x 8000);
    ok(wait_for { grep { ($_->{path} // '') =~ m{^/ok/x{100}} && ($_->{protocol} // '') eq 'http' || ($_->{''} =~ m{path="/ok/x{100}}) } $proxy->log_lines }, 'a long one');
};

subtest 'a client cannot cut its own line' => sub {
    $proxy->ask("GET /ok/long HTTP/1.1\r\nHost: shop.example\r\n" . ('X-Forwarded-For: ' . '1' x 8000 . "\r\n") x 4 . "\r\n");
    my $line = $proxy->log_where(path => '/ok/long');
    like($line->{''}, qr{ fwd="\.\.\.1+, 1{8000}, 127\.0\.0\.1" dyno=\S+ connect=\d+ms service=\d+ms status=200 bytes=13 protocol=http tries=1 route=\d+ms total=\d+ms app=shop pick=only$},
        'what it forwards is cut at the beginning');
};

subtest 'requests that went wrong' => sub {
    get('/ok/dead', '', 'dead.example');
    my $line = $proxy->log_where(host => 'dead.example');
    is($line->{at}, 'error', 'at=error');
    is($line->{code}, 'backend_refused', 'code');
    is($line->{desc}, 'The backend refused the connection.', 'desc');
    is($line->{status}, 503, 'status');
    like($line->{connect} // '', qr/^(?:\d+ms)?$/, 'connect');
    get('/cut');
    $line = $proxy->log_where(path => '/cut');
    is($line->{code} . $line->{status}, 'backend_truncated200', 'a cut one: what the client saw, and why');
    get('/none', '', 'nobody.example');
    is($proxy->log_where(host => 'nobody.example')->{code}, 'not_found', 'no such domain');
    get('/a', '', 'old.example');
    is($proxy->log_where(host => 'old.example')->{at}, 'info', 'a redirect is no error');
    is($proxy->log_where(host => 'old.example')->{status}, 301, 'its status');
};

subtest 'a client that left' => sub {
    my $client = $proxy->connect;
    $client->write("GET /wait HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    $backend->wait_event(qr/waiting/);
    $client->reset;
    my $line = $proxy->log_where(path => '/wait');
    is($line->{code}, 'client_closed', 'has its line');
    is($line->{status}, 499, 'with 499');
};

subtest 'as many lines as requests' => sub {
    my $own = proxy(backends => [$backend]);
    my $client = $own->connect;
    for (1 .. 20) {
        $client->write("GET /ok/$_ HTTP/1.1\r\nHost: a\r\n\r\n");
        $client->read_response;
    }
    $own->stop;
    my @lines = $own->log_lines(20);
    is(join(' ', map { $_->{path} =~ /(\d+)$/ } @lines), join(' ', 1 .. 20), 'each once, in order');
};

subtest 'where lines go' => sub {
    my ($here, $there) = (temp_path('here.log'), temp_path('there.log'));
    my $own = proxy(
        backends => [$backend],
        global   => { 'weir.access-log' => $here },
        hosts    => { 'quiet.test' => { 'weir.access-log' => 'OFF', paths => { '/' => { 'weir.router' => router_so('small') } } },
                      'other.test' => { 'weir.access-log' => $there, paths => { '/' => { 'weir.router' => router_so('small') } } } },
    );
    $own->get('/ok/here');
    $own->ask("GET /quiet HTTP/1.1\r\nHost: quiet.test\r\n\r\n");
    $own->ask("GET /there HTTP/1.1\r\nHost: other.test\r\n\r\n");
    $own->stop;
    like(read_file($here), qr{path="/ok/here"}, 'weir.access-log: FILE');
    like(read_file($there), qr{path="/there"}, 'another at a host');
    unlike(read_file($here) . read_file($there) . read_file($own->{out}), qr{/quiet}, 'OFF');
};

# ── readers that do not read ──

# Whether eight requests are answered, the proxy still being $what; then it ends in time.
sub serves_and_ends {
    my ($proxy, $what) = @_;
    is(scalar(grep { $proxy->get("/ok/$_")->body eq 'thirteen byte' } 1 .. 8), 8, "$what: requests go on");
    is($proxy->stop, 0, 'and the end comes');
}

subtest 'a command that does not read' => sub {
    my $pid_file = temp_path('pid');
    my $own = proxy(backends => [$backend], global => { 'access-log' => mute_command($pid_file) });
    ok(wait_for { -s $pid_file }, 'it runs');
    $own->get('/ok/' . 'x' x 4000) for 1 .. 40;    # more than a pipe holds
    serves_and_ends($own, 'it stands in nobody\'s way');
    like($own->stderr, qr{^weir: \| exec .*: [1-9]\d* lines were lost$}m, 'what it has not read is told');
    kill KILL => read_file($pid_file);
};

subtest 'two logs, one standard output' => sub {
    my $own = proxy(backends => [$backend], global => { 'access-log' => '/dev/stdout', 'weir.access-log' => '/dev/fd/1' });
    $own->get("/ok/$_") for 1 .. 20;
    $own->stop;
    my $lines = read_file($own->{out});
    is(scalar(() = $lines =~ m{^at=info .* path="/ok/\d+" .*$}mg), 20, 'twenty lines of one');
    is(scalar(() = $lines =~ m{^127\.0\.0\.1 .* "GET /ok/\d+ HTTP/1\.1" 200 13 .*$}mg), 20, 'and of the other, whole');
};

# Has what the proxy calls standard error, a pipe, take no byte more.
sub fill_stderr {
    my ($proxy) = @_;
    sysopen my $pipe, '/proc/' . $proxy->pid . '/fd/2', O_WRONLY | O_NONBLOCK or die $!;
    1 while syswrite $pipe, 'x' x 4096;
    return $pipe;
}

sub mute_command { my ($name) = @_; return "| exec 2>&- >&-; echo \$\$ > $name; exec sleep 100" }

subtest 'standard error that nobody reads' => sub {
    my $pid_file = temp_path('pid');
    my $own = proxy(backends => [$backend], global => { 'error-log' => mute_command($pid_file) });
    ok(wait_for { -s $pid_file }, 'a command for the error log');
    my $pipe = fill_stderr($own);
    is($own->signal('HUP'), 1, 'what is said of a reload');
    serves_and_ends($own, 'is lost');
    write_file($own->{err}, "weir: books picks=0 checkins=0 begun=0 ended=0 counted=0\n");    # so were these
    kill KILL => read_file($pid_file);
};

subtest 'the death of the command that reads the error log' => sub {
    my $own = proxy(backends => [$backend], global => { 'error-log' => '| read line; exit 3' });
    $own->signal('HUP');
    ok(wait_for { $own->stderr =~ /^weir: error-log: its command has ended; what it was told goes here until the next reload$/m }, 'is told where the proxy was started');
    ok(wait_for { $own->stderr =~ /log command `.*` has ended with status 3$/m }, 'and how');
};

# How the proxy has a file open: 1 to write, 2 to read and write, for each time.
sub modes_of {
    my ($proxy, $file) = @_;
    my @open = grep { (readlink // '') eq $file } glob '/proc/' . $proxy->pid . '/fd/*';
    return join ' ', map { read_file(s{/fd/}{/fdinfo/}r) =~ /^flags:\s+(\d+)/m ? oct($1) & 3 : () } @open;
}

subtest 'a FIFO without a reader' => sub {
    my $fifo = temp_path('fifo');
    POSIX::mkfifo($fifo, 0600) or die $!;
    my $own = proxy(backends => [$backend], global => { 'weir.access-log' => $fifo });
    $own->get('/ok/before');
    $own->signal($_) for qw(USR1 HUP);
    ok(wait_for { $own->stderr =~ /^weir: reload: /m }, 'a reload opens it');
    ok(wait_for { modes_of($own, $fifo) eq '2' }, 'and is its reader, too, as before: no line is written to nobody');
    $own->get('/ok/after');
    sysopen my $reader, $fifo, O_RDONLY | O_NONBLOCK or die $!;
    my $lines = '';
    ok(wait_for { sysread $reader, $lines, 65_536, length $lines; $lines =~ m{path="/ok/before"} && $lines =~ m{path="/ok/after"} },
        'whoever comes to read it gets what was written before and behind') or diag($own->stderr);
    close $reader;
    serves_and_ends($own, 'nobody waits for it');
    unlike($own->stderr, qr/lines are lost/, 'nothing is lost for want of a reader');
};

subtest 'one that is stuck costs the others nothing' => sub {
    my ($fine, $stuck) = (temp_path('fine.log'), temp_path('stuck'));
    POSIX::mkfifo($stuck, 0600) or die $!;
    my $router = router_so('small');
    my $own = proxy(paths => {
        '/fine'  => { 'weir.access-log' => $fine,  'weir.router' => $router },
        '/stuck' => { 'weir.access-log' => $stuck, 'weir.router' => $router },
    });
    $own->get('/stuck/' . 'x' x 4000) for 1 .. 40;
    $own->get("/fine/$_") for 1 .. 10;
    ok(wait_for { -e $fine && 10 == (() = read_file($fine) =~ m{path="/fine/}g) }, 'the lines of a file come');
    is($own->stop, 0, 'the end');
    like($own->stderr, qr{^weir: \Q$stuck\E: [1-9]\d* lines were lost$}m, 'tells what was lost');
};

subtest 'the number of a request that is broken off' => sub {
    my $log = temp_path('h2o.log');
    my $breaking = backend(sub {
        my $c = shift;
        while (my ($head) = $c->read_request) {
            if ($head =~ m{^GET /cut}) { $c->write("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" . 'x' x 200_000); return }
            $c->write(simple_response('ok'));
        }
    });
    my $own = proxy(backends => [$breaking], global => { 'access-log' => { path => $log, format => '%U %{http1.request-index}x' } });
    my $client = $own->connect;
    $client->write("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
    is($client->read_response->status, 200, 'a first request');
    $client->write("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    ok(!$client->read_response->is_complete, 'a second, which is cut');
    ok((wait_for { read_file($log) =~ m{^/cut 2$}m }), 'has its number in the log') or diag(read_file($log));
};

done_testing;
