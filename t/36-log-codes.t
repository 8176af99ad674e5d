# SPDX-License-Identifier: MIT
# weir.log-codes: heroku: lines of the access log call what a request ended by as Heroku does, and our own name is reason=.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;

my $ok = "HTTP/1.1 200 OK\r\n";
my $torn = temp_path('torn');    # made when the client has the head
my %does = (
    fine      => simple_response('fine'),
    silent    => sub { $_[0]->wait_close },
    interim   => sub { $_[0]->write("HTTP/1.1 102 Processing\r\n\r\n"); $_[0]->wait_close },
    slow_head => sub { $_[0]->write($ok); $_[0]->wait_close },
    slow_body => sub { $_[0]->write("${ok}Content-Length: 99999\r\n\r\nab"); $_[0]->wait_close },
    closed    => '',
    reset     => sub { $_[0]->reset },
    torn      => sub { $_[0]->write("${ok}Content-Length: 99999\r\n\r\nab"); select undef, undef, undef, 0.01 until -e $torn; $_[0]->reset },
    truncated => "${ok}Content-Length: 100000\r\n\r\nabc",
    status    => "HTTP/1.1 OK\r\n\r\n",
    header    => "${ok}Colonless\r\n\r\n",
    coding    => "${ok}Transfer-Encoding: gzip\r\n\r\n",
    length    => "${ok}Content-Length: abc\r\n\r\n",
    cookie    => $ok . 'Set-Cookie: ' . 'c' x 9000 . "\r\n\r\n",
    long      => $ok . 'X: ' . 'v' x 600_000 . "\r\n\r\n",
    line      => 'HTTP/1.1 200 ' . 'r' x 9000 . "\r\n\r\n",
    switch    => sub { $_[0]->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"); $_[0]->wait_close },
);
my $backend = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        my $does = $does{ $c->case_of($head) };
        ref $does ? $does->($c) : $c->write($does);
        return unless $does eq $does{fine};
    }
});

# Heroku's codes, and some timeouts that are short.
sub heroku {
    my (%ms) = @_;
    return (global => { 'weir.log-codes' => 'heroku', map { ("weir.$_-timeout" => ms($ms{$_})) } keys %ms });
}

# The line of this path says so, and what the client has got.
sub line_is {
    my ($proxy, $path, %want) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $line = $proxy->log_where(path => $path);
    is($line->{$_}, $want{$_}, "$path: $_") for sort keys %want;
    return $line;
}

subtest 'codes of backends' => sub {
    my %proxy = (
        hasty => proxy(backends => [$backend], heroku('first-byte' => 300)),
        idle  => proxy(backends => [$backend], heroku('first-byte' => 3000, idle => 300)),
        calm  => proxy(backends => [$backend], heroku()),
    );
    my %of = (silent => 'hasty', interim => 'idle', slow_head => 'idle', slow_body => 'idle');
    my @rows = (    # path, code, Heroku's words, our reason, status
        [ silent    => 'H12', 'Request timeout',                    'backend_timeout',        503 ],
        [ interim   => 'H15', 'Idle connection',                    'backend_timeout',        503 ],
        [ slow_head => 'H15', 'Idle connection',                    'backend_timeout',        503 ],
        [ slow_body => 'H15', 'Idle connection',                    'backend_timeout',        200 ],
        [ closed    => 'H13', 'Connection closed without response', 'backend_closed',         503 ],
        [ reset     => 'H13', 'Connection closed without response', 'backend_reset',          503 ],
        [ truncated => 'H18', 'Server Request Interrupted',         'backend_truncated',      200 ],
        [ status    => 'H17', 'Poorly formatted HTTP response',     'backend_invalid_status', 503 ],
        [ header    => 'H17', 'Poorly formatted HTTP response',     'backend_invalid_header', 502 ],
        [ coding    => 'H17', 'Poorly formatted HTTP response',     'backend_invalid_transfer_encoding', 502 ],
        [ length    => 'H25', 'HTTP restriction: invalid content length', 'backend_content_length', 502 ],
        [ cookie    => 'H25', 'HTTP restriction: oversized cookie',       'backend_cookie_length',  502 ],
        [ long      => 'H25', 'HTTP restriction: oversized header',       'backend_header_length',  502 ],
        [ line      => 'H25', 'HTTP restriction: oversized status line',  'backend_status_length',  502 ],
    );
    for my $row (@rows) {
        my ($case, $code, $desc, $reason, $status) = @$row;
        my $proxy = $proxy{ $of{$case} // 'calm' };
        my $r = $proxy->get("/$case");
        is($r->status, $status, "$case: $status");
        like($r->body, qr/\b$reason\b/, 'the page has our name') if $status >= 500;
        is($r->header('X-Weir-Code'), $status >= 500 ? $code : undef, 'and Heroku\'s code in its head');
        line_is($proxy, "/$case", code => $code, desc => $desc, reason => $reason, at => 'error', status => $status);
    }
};

subtest 'a reset behind the head' => sub {
    my $proxy = proxy(backends => [$backend], heroku());
    my $client = $proxy->connect;
    $client->write("GET /torn HTTP/1.1\r\nHost: a\r\n\r\n");
    like($client->read_head, qr/^HTTP\/1\.1 200 /, 'the client has the head');
    write_file($torn, '');
    ok(defined $client->read_eof, 'and is cut');
    line_is($proxy, '/torn', code => 'H18', reason => 'backend_reset', status => 200);
};

subtest 'a tunnel that is idle' => sub {
    my $proxy = proxy(backends => [$backend], heroku(idle => 300));
    my $client = $proxy->connect;
    $client->write("GET /switch HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    like($client->read_head, qr/^HTTP\/1\.1 101 /, 'is open');
    line_is($proxy, '/switch', code => 'H15', desc => 'Idle connection', reason => 'tunnel_idle', status => 101);
};

subtest 'connects' => sub {
    my %apps = (
        refused => { domains => ['refused'], backends => [ map { '127.0.0.1:' . refusing_port() } 1, 2 ] },
        stuck   => { domains => ['stuck'],   backends => [ '127.0.0.1:' . stuck_port() ] },
        none    => { domains => ['none'],    backends => [] },
        blank   => { domains => ['blank'],   blank => 'ON' },
    );
    my $proxy = proxy(apps => \%apps, heroku(connect => 300));
    $proxy->ask("GET /$_ HTTP/1.1\r\nHost: $_\r\n\r\n") for qw(refused stuck none nobody blank);
    line_is($proxy, '/refused', code => 'H21', desc => 'Backend connection refused', reason => 'backend_refused', status => 503);
    line_is($proxy, '/stuck', code => 'H19', desc => 'Backend connection timeout', reason => 'backend_connect_timeout', status => 503);
    line_is($proxy, '/none', code => 'H14', desc => 'No web processes running', reason => 'no_backend', status => 503);
    line_is($proxy, '/nobody', code => 'H99', desc => 'Platform error', reason => 'not_found', status => 404);
    line_is($proxy, '/blank', code => 'H81', desc => 'Blank app', reason => 'not_found', status => 404, app => 'blank', dyno => '');
};

subtest 'nobody is free' => sub {
    my $proxy = proxy(apps => { main => { domains => ['*'], backends => [ { at => $backend->address, 'max-requests' => 1 } ], queue => { length => 0 } } }, heroku());
    my $first = $proxy->connect;
    my $count = () = $backend->heads;
    $first->write("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
    ok((wait_for { (() = $backend->heads) > $count }), 'the only one is busy');
    is($proxy->get('/more')->status, 503, 'the next request is refused');
    line_is($proxy, '/more', code => 'H11', desc => 'Backlog too deep', reason => 'backlog_too_deep', status => 503);
};

subtest 'clients' => sub {
    my $proxy = proxy(backends => [$backend], heroku());
    my $client = $proxy->connect;
    $client->write("GET /slow_body HTTP/1.1\r\nHost: a\r\n\r\n");
    ok($client->read_head, 'a response has begun');
    $client->reset;
    line_is($proxy, '/slow_body', code => 'H27', desc => 'Client Request Interrupted', reason => 'client_closed', at => 'warning');
    my $hasty = proxy(backends => [$backend], heroku(idle => 300));
    is($hasty->ask("POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")->status, 503, 'one that says nothing');
    line_is($hasty, '/silent', code => 'H28', desc => 'Client Connection Idle', reason => 'client_timeout', at => 'warning', status => 503);
    is($proxy->ask("POST /chunk HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")->status, 400, 'a bad chunk');
    line_is($proxy, '/chunk', code => 'H26', desc => 'Request Error', reason => 'client_bad_chunk', status => 400);
    is($proxy->ask("GET /expect HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n")->status, 417, 'an expectation');
    line_is($proxy, '/expect', code => 'H26', reason => 'expectation_failed', status => 417);
    my $nonsense = $proxy->ask("nonsense\r\n\r\n");
    is($nonsense->status, 400, 'no request at all');
    is($nonsense->header('X-Weir-Code'), 'H99', 'with its code');
    line_is($proxy, '', code => 'H99', desc => 'Platform error', reason => 'bad_request_line', status => 400);
};

subtest 'a router\'s own reason' => sub {
    my $proxy = proxy(router => { module => router_so('record'), log => temp_path('record.log'), backends => [ $backend->address ] }, heroku());
    $proxy->get("/$_", "X-Do: $_\r\n") for qw(checkout-refuse lookup-refuse);
    line_is($proxy, '/checkout-refuse', code => 'H80', desc => 'Maintenance mode', reason => 'maintenance', status => 503);
    line_is($proxy, '/lookup-refuse', code => 'H99', desc => 'Platform error', reason => 'no_such_app', status => 404);
};

subtest 'HTTP/2 backends' => sub {
    my $http2 = Weir::Http2Backend->start;
    my $leaves = Weir::Http2Backend->start(greeting => 'goaway');
    my %apps = map { $_->[0] => { domains => [ $_->[0] ], protocol => 'h2c', backends => [ $_->[1]->address ] } } [ stays => $http2 ], [ leaves => $leaves ];
    my $proxy = proxy(apps => \%apps, heroku('first-byte' => 3000, idle => 300));
    $proxy->ask("GET /$_ HTTP/1.1\r\nHost: stays\r\n\r\n") for qw(silence silent_body reset);
    line_is($proxy, '/silence', code => 'H12', reason => 'backend_timeout', status => 503);
    line_is($proxy, '/silent_body', code => 'H15', reason => 'backend_timeout', status => 200);
    line_is($proxy, '/reset', code => 'H13', reason => 'backend_reset', status => 503);
    $proxy->ask("GET /gone HTTP/1.1\r\nHost: leaves\r\n\r\n");
    line_is($proxy, '/gone', code => 'H13', reason => 'backend_goaway', status => 503);
};

subtest 'a shutdown' => sub {
    my $proxy = proxy(backends => [$backend], exit => 3, global => { 'weir.log-codes' => 'heroku', 'drain-timeout' => 0 });
    my $client = $proxy->connect;
    my $count = () = $backend->heads;
    $client->write("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
    ok((wait_for { (() = $backend->heads) > $count }), 'a request is under way');
    is($proxy->stop, 3, 'it is cut');
    line_is($proxy, '/silent', code => 'H24', desc => 'Forced close', reason => 'shutting_down');
};

subtest 'what goes well, and the default' => sub {
    my $heroku = proxy(backends => [$backend], heroku());
    is($heroku->get('/fine')->body, 'fine', 'a good end');
    my $line = $heroku->log_where(path => '/fine');
    ok(!exists $line->{$_}, "has no $_") for qw(code desc reason);
    is($heroku->get('/fine')->header('X-Weir-Code'), undef, 'nor a header of ours');
    for my $global ({}, { 'weir.log-codes' => 'weir' }) {
        my $proxy = proxy(backends => [$backend], global => $global);
        is($proxy->get('/closed')->header('X-Weir-Code'), undef, 'no header without Heroku\'s codes');
        line_is($proxy, '/closed', code => 'backend_closed', desc => 'The backend closed the connection without a response.', reason => undef);
    }
    refuses_config("listen: 1\nweir.log-codes: vegur\nhosts: {default: {paths: {/: {weir.router: stub}}}}\n",
        qr/2(?::\d+)?: weir\.log-codes: must be weir or heroku/, 'a word that is none');
    refuses_config("listen: 1\nhosts: {default: {weir.log-codes: heroku, paths: {/: {weir.router: stub}}}}\n",
        qr/2(?::\d+)?: .*weir\.log-codes/, 'a host\'s');
};

done_testing;
