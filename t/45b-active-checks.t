# SPDX-License-Identifier: MIT
# Active checks: backends are asked how they are, by nobody's request, and get none while they say no.
use lib 't/lib';
use Weir::Test;
use Weir::FastCGI;
use Weir::Http2Backend;
use Weir::TLS;

# A backend that answers /up as its file says ("STATUS [fields]", "hang", "reset"), and everything else with its name.
sub moody {
    my ($name, %option) = @_;
    my $mood = temp_path("mood-$name");
    write_file($mood, delete $option{mood} // '200');
    my $backend = backend(sub {
        my $c = shift;
        $c->serve(sub {
            my ($head) = @_;
            return simple_response($name) unless $head =~ m{^GET /up };
            $c->note('probe');
            my ($status, $fields) = read_file($mood) =~ /^(\S+) ?(.*)/;
            $c->wait_close if $status eq 'hang';
            $c->reset if $status eq 'reset';
            return '' if $status !~ /\d/;
            return "HTTP/1.1 $status Mood\r\n" . ($fields ? "$fields\r\n" : '') . "Content-Length: 0\r\n\r\n";
        });
    }, name => $name, %option);
    return ($backend, sub { rename write_file("$mood.new", $_[0]), $mood });
}

# A busy machine may be slow to answer: that alone is no failure.
my %quick = (interval => 100, 'fast-interval' => 100, timeout => ms(15_000));

sub app { my ($backends, %more) = @_; return { app => { domains => ['*'], backends => [ map { ref eq 'HASH' ? $_ : $_->address } @$backends ], %more } } }

# Who answers a number of requests: { body or status => how often }.
sub who {
    my ($proxy, $count) = @_;
    my %seen;
    for (1 .. $count // 20) {
        my $r = $proxy->get('/');
        $seen{ $r->status == 200 ? $r->body : $r->status }++;
    }
    return \%seen;
}

subtest 'one that says no gets nothing, until it says yes' => sub {
    my ($one, $set_one) = moody('one');
    my ($two) = moody('two');
    my ($three) = moody('three');
    my $proxy = proxy(apps => app([ $one, $two, $three ], health => { http => '/up', %quick, rise => 2, fall => 2 }));
    ok(wait_for { my $who = who($proxy); $who->{one} && $who->{two} && $who->{three} }, 'all of them answer');
    $set_one->('503');
    ok(wait_for { $proxy->stderr =~ /router table \(default \/\): app app: backend \S+ fails its check: status 503/ }, 'it is told');
    is(who($proxy)->{one}, undef, 'and it gets nothing');
    is((grep { !/^(two|three)$/ } keys %{ who($proxy) }), 0, 'nobody saw an error');
    $set_one->('204');
    ok(wait_for { $proxy->stderr =~ /backend \S+ passes its check: status 204/ }, 'that it is well again, too');
    ok(wait_for { who($proxy)->{one} }, 'and it is asked again');
    is(scalar(grep { $_->{path} eq '/up' } $proxy->log_lines(80)), 0, 'no check is in the access log');
    $proxy->ends_well; # it would go on asking
};

for my $mood ('hang', 'reset', '404') {
    subtest "what is no answer: $mood" => sub {
        my ($ill, $set) = moody('ill', mood => $mood);
        my ($well) = moody('well');
        my ($also) = moody('also');
        my $proxy = proxy(apps => app([ $ill, $well, $also ], health => { http => '/up', %quick, ($mood eq 'hang' ? (timeout => ms(1000)) : ()), fall => 1 }));
        ok(wait_for { $proxy->stderr =~ /fails its check: (\w+)/ }, 'is a failure') and note($1);
        is(who($proxy)->{ill}, undef, 'and it gets nothing');
        $proxy->ends_well; # it would go on asking
    };
}

subtest 'expect, host, User-Agent' => sub {
    my $seen = temp_path('head');
    my $b = backend(sub { $_[0]->serve(sub { write_file($seen, $_[0]) if $_[0] =~ m{^GET /up\?a=b }; "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n" }) });
    my $proxy = proxy(apps => app([ $b, ok_backend('two'), ok_backend('three') ], health => { http => '/up?a=b', host => 'check.test', expect => [ '200', '400-403' ], %quick, fall => 1 }));
    ok(wait_for { -e $seen && read_file($seen) =~ /\r\n\r\n/ }, 'it is asked');
    my $head = read_file($seen);
    like($head, qr/^Host: check\.test\r$/m, 'with the host of the configuration');
    like($head, qr/^User-Agent: weir-probe\r$/m, 'and says who asks');
    ok(wait_for { who($proxy, 6)->{401} }, '401 was expected');
    ok(wait_for { $proxy->stderr !~ /fails/ }, 'nobody failed');
    $proxy->ends_well; # it would go on asking
};

subtest 'the host of one that has an id, and none of its own' => sub {
    my $seen = temp_path('head');
    my $b = backend(sub { $_[0]->serve(sub { write_file($seen, $_[0]) if $_[0] =~ m{^GET /up }; simple_response('b') }) });
    my $proxy = proxy(apps => app([ { at => $b->address, id => 'web-1' } ], health => { http => '/up', %quick }));
    my $address = $b->address;
    ok(wait_for { -e $seen && read_file($seen) =~ /\r\n\r\n/ }, 'it is asked');
    like(read_file($seen), qr/^Host: \Q$address\E\r$/m, 'as by somebody who goes there by himself');
    $proxy->ends_well;
};

subtest 'a port of its own, a unix socket, a connection only' => sub {
    my ($health) = moody('health', mood => '503');
    my $web  = ok_backend('web');
    my $unix = backend(sub { $_[0]->serve(sub { simple_response('unix') }) }, path => temp_path('s.sock'));
    my $proxy = proxy(apps => {
        port => { domains => ['port.test'], backends => [ $web->address, '127.0.0.2:' . $web->port ], health => { http => '/up', port => $health->port, %quick, fall => 1 } },
        tcp => { domains => ['tcp.test'], backends => [ $unix->address, '127.0.0.1:' . refusing_port(), ok_backend('third')->address ], health => { tcp => 'ON', %quick, fall => 1 } },
    });
    ok(wait_for { $proxy->stderr =~ /app port: backend \S+ fails its check: status 503/ }, 'it is asked there');
    ok(wait_for { $proxy->stderr =~ /app tcp: backend \S+ fails its check: backend_refused/ }, 'who refuses fails');
    my %who;
    $who{ $proxy->ask("GET / HTTP/1.1\r\nHost: tcp.test\r\n\r\n")->body }++ for 1 .. 20;
    is_deeply([ sort keys %who ], [qw(third unix)], 'who listens is well');
    $proxy->ends_well; # it would go on asking
};

subtest 'TLS, HTTP/2' => sub {
    my $ca   = authority('checks');
    my $good = certificate('127.0.0.1', ca => $ca);
    my @tls  = map { tls_backend(sub { $_[0]->serve(sub { simple_response('tls') }) }, cert => $_) } $good, certificate('127.0.0.1'), $good;
    my @h2   = map { Weir::Http2Backend->start } 1 .. 3;
    my $proxy = proxy(apps => {
        tls => { domains => ['tls.test'], backends => [ map { 'https://127.0.0.1:' . $_->port } @tls ], tls => { 'ca-file' => $ca->{cert} }, health => { http => '/up', %quick, fall => 1 } },
        tcp => { domains => ['tcp.test'], backends => [ map { 'https://127.0.0.1:' . $_->port } @tls ], tls => { 'ca-file' => $ca->{cert} }, health => { tcp => 'ON', %quick, fall => 1 } },
        h2 => { domains => ['h2.test'], backends => [ map { $_->address } @h2 ], protocol => 'h2c', health => { http => '/fine', %quick, fall => 1 } },
        not => { domains => ['not.test'], backends => [ map { $_->address } @h2 ], protocol => 'h2c', health => { http => '/status?404', %quick, fall => 1 } },
        old => { domains => ['old.test'], backends => [ ok_backend('one')->address, $h2[0]->address, $h2[1]->address ], protocol => 'h2c', health => { http => '/fine', %quick, fall => 1 } },
    });
    my $other = $tls[1]->port;
    ok(wait_for { $proxy->stderr =~ /app $_: backend \S+:$other fails its check: backend_tls_untrusted/ }, "$_: whose certificate is not trusted fails") for qw(tls tcp);
    ok(wait_for { $proxy->stderr =~ /app old: backend \S+ fails its check: backend_not_http2/ }, 'who speaks another protocol, too');
    ok(wait_for { $h2[0]->wait_event(qr/accept/) && $proxy->ask("GET /fine HTTP/1.1\r\nHost: h2.test\r\n\r\n")->status == 200 }, 'HTTP/2 is spoken where the app does');
    unlike($proxy->stderr, qr/app h2: backend \S+ fails/, 'and understood');
    is($proxy->ask("GET / HTTP/1.1\r\nHost: tls.test\r\n\r\n")->status, 200, 'the others serve') for 1 .. 10;
    $proxy->ends_well; # it would go on asking
};

subtest 'gRPC' => sub {
    my $health = write_file(temp_path('health'), '1');
    my @server = map { Weir::Http2Backend->start(script => 'grpc_server.py', greeting => $health) } 1 .. 2;
    my $without = Weir::Http2Backend->start(script => 'grpc_server.py');
    my $proxy = proxy(apps => app([ @server, $without ], protocol => 'h2c', health => { grpc => 'shop.Cart', %quick, fall => 1 }));
    ok($server[0]->wait_event(qr/^check shop\.Cart$/), 'the service is asked for');
    my $port = $without->port;
    ok(wait_for { $proxy->stderr =~ /backend \S+:$port fails its check: status 200/ }, 'who does not know the service fails');
    unlike($proxy->stderr, qr/backend \S+:(?!$port)\d+ fails/, 'who serves it does not');
    write_file($health, '2');
    ok(wait_for { (() = $proxy->stderr =~ /fails its check/g) == 3 }, 'until it says that it does not');
    $proxy->ends_well; # it would go on asking
};

subtest 'FastCGI' => sub {
    my @asked = map { temp_path("asked-$_") } 0, 1;
    my @b = map { my $n = $_; fastcgi_backend(sub {
        my ($c, $request) = @_;
        write_file($asked[$n], join "\n", map { "$_=$request->{params}{$_}" } sort keys %{ $request->{params} }) if $request->{params}{SCRIPT_NAME} eq '/ping';
        $c->write(whole("fine $n", $n && $request->{params}{SCRIPT_NAME} eq '/ping' ? "Status: 500 No\r\n" : ''));
    }) } 0, 1;
    my $proxy = proxy(apps => { app => { domains => ['*'], backends => [ (map { $_->address } @b), '127.0.0.1:' . refusing_port() ], protocol => 'fastcgi', root => '/www', health => { http => '/ping?full', %quick, fall => 1 } } });
    ok(wait_for { $proxy->stderr =~ /fails its check: status 500/ }, 'its answer is read');
    ok(wait_for { -e $asked[0] && read_file($asked[0]) =~ /SERVER_PROTOCOL/ }, 'it is asked');
    like(read_file($asked[0]), qr/^\Q$_\E$/m, $_) for 'SCRIPT_NAME=/ping', 'SCRIPT_FILENAME=/www/ping', 'QUERY_STRING=full', 'REQUEST_METHOD=GET';
    $proxy->ends_well; # it would go on asking
};

subtest 'what a backend says of itself' => sub {
    my ($one, $set_one) = moody('one', mood => '200 Weir-Weight: 0');
    my ($two) = moody('two', mood => '200 Weir-Weight: none');
    my $proxy = proxy(apps => app([ $one, $two ], health => { http => '/up', agent => 'ON', %quick }));
    ok(wait_for { $proxy->stderr =~ /says of itself: weight 0 %$/m }, 'a weight');
    is(who($proxy)->{one}, undef, 'of nothing: it gets nothing');
    $set_one->('200 Weir-Drain: 1');
    ok(wait_for { $proxy->stderr =~ /says of itself: weight 100 %, draining$/m }, 'that it drains');
    is(who($proxy)->{one}, undef, 'it gets nothing new');
    $set_one->('200');
    ok(wait_for { who($proxy)->{one} }, 'and that all is well');
    $proxy->ends_well; # it would go on asking
};

subtest 'most fail: perhaps the check is wrong' => sub {
    my @moody = map { [ moody("b$_", mood => '503') ] } 1 .. 3;
    my ($four) = moody('four');
    my $proxy = proxy(apps => app([ (map { $_->[0] } @moody), $four ], health => { http => '/up', %quick, fall => 1 }));
    ok(wait_for { $proxy->stderr =~ /app app: most of its backends fail their checks: these are ignored/ }, 'it is told');
    my $who = who($proxy, 40);
    is(scalar(keys %$who), 4, 'all are asked') or diag explain $who;
    is($proxy->log_where(pick => 'panic')->{status}, 200, 'the log tells why');
    $_->[1]->('200') for @moody;
    ok(wait_for { $proxy->stderr =~ /checks are believed again/ }, 'the end is told, too');
    $proxy->ends_well; # it would go on asking
};

subtest 'panic: 0' => sub {
    my @moody = map { (moody("b$_", mood => '503'))[0] } 1 .. 3;
    my $proxy = proxy(apps => app([@moody], panic => 0, health => { http => '/up', %quick, fall => 1 }));
    ok(wait_for { (() = $proxy->stderr =~ /fails its check/g) == 3 }, 'all fail');
    my $r = $proxy->get('/');
    is($r->status, 503, 'nobody is asked');
    is($proxy->log_where(status => 503)->{code}, 'backends_ill', 'and the reason is told');
    $proxy->ends_well; # it would go on asking
};

subtest 'at the start nobody is refused for want of a first check' => sub {
    my @b = map { (moody("b$_"))[0] } 1 .. 2;
    my $proxy = proxy(apps => app([@b], health => { http => '/up' }));
    my $r = $proxy->get('/');
    is($r->status, 200, 'the first request waits for it');
    my @silent = map { (moody("s$_", mood => 'hang'))[0] } 1 .. 2;
    $proxy = proxy(apps => app([@silent], health => { http => '/up', timeout => ms(300) }));
    $r = $proxy->get('/');
    is($r->status, 503, 'but not for long');
    is($proxy->log_where(status => 503)->{code}, 'backends_starting', 'with its reason');
    $proxy->ends_well; # it would go on asking
};

subtest 'a single backend is served by, whatever its check says' => sub {
    my ($only) = moody('only', mood => '503');
    my $proxy = proxy(apps => app([$only], health => { http => '/up', %quick, fall => 1 }));
    ok(wait_for { $proxy->stderr =~ /fails its check/ }, 'it fails');
    is($proxy->get('/')->body, 'only', 'and serves');
    $proxy->ends_well; # it would go on asking
};

subtest 'a reload keeps what is known, and takes checks away' => sub {
    my ($ill) = moody('ill', mood => '503');
    my ($well) = moody('well');
    my ($also) = moody('also');
    my @app = (apps => app([ $ill, $well, $also ], health => { http => '/up', %quick, fall => 1 }));
    my $proxy = proxy(@app);
    ok(wait_for { $proxy->stderr =~ /fails its check/ }, 'one is ill');
    ok($proxy->reload(@app, global => { 'weir.header-timeout' => 9000 }), 'reload');
    is(who($proxy)->{ill}, undef, 'it still is');
    ok($proxy->reload(apps => app([ $ill, $well, $also ])), 'reload without checks');
    ok(wait_for { who($proxy)->{ill} }, 'nothing is held against it');
    $proxy->ends_well; # it would go on asking
};

subtest 'one that refused is tried by the proxy, not by requests' => sub {
    my $port  = free_port();
    my $good  = ok_backend('good');
    my $proxy = proxy(apps => app([ { at => "127.0.0.1:$port" }, { at => $good->address }, { at => ok_backend('also')->address } ], balance => 'round-robin'));
    who($proxy, 60);
    my $tried = grep { ($_->{tries} // 1) > 1 } $proxy->log_lines(60);
    cmp_ok($tried, '<=', 3, "three of 60 have found out ($tried)");
    my $back = backend(sub { $_[0]->serve(sub { simple_response('back') }) }, port => $port);
    ok($back->wait_event(qr/^accept/), 'the proxy connects by itself') or diag $proxy->stderr;
    ok(wait_for { who($proxy)->{back} }, 'then it is asked again');
    is((grep { ($_->{tries} // 1) > 1 } $proxy->log_lines) - $tried, 0, 'and no request was tried on it meanwhile');
    $proxy->ends_well; # it would go on asking
};

subtest 'max-tunnels' => sub {
    my $b = backend(sub {
        my $c = shift;
        $c->read_head;
        $c->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n");
        $c->wait_close;
    });
    my $proxy = proxy(apps => app([$b], 'max-tunnels' => 2, queue => { timeout => ms(300) }));
    my $open = sub { my $client = $proxy->connect; $client->write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n"); return ($client, $client->read_response) };
    my @open = map { [ $open->() ] } 1 .. 2;
    is($_->[1]->status, 101, 'a tunnel') for @open;
    my ($third, $r) = $open->();
    is($r->status, 503, 'the third waits, in vain');
    is($proxy->log_where(status => 503)->{code}, 'backlog_timeout', 'with its reason');
    $open[0][0]->close;
    my $fourth;
    ok(wait_for { ($fourth, $r) = $open->(); $r->status == 101 }, 'where one has ended there is room');
    $_->close for $fourth, $open[1][0];
    $proxy->ends_well; # it would go on asking
};

subtest 'mistakes' => sub {
    my %wrong = (
        'health: { http: up }'                      => qr/http: must be a path/,
        'health: { interval: 5 }'                   => qr/health: must have one of|interval/,
        'health: { http: /up, tcp: ON }'            => qr/health: must have one of/,
        'health: { grpc: "" }'                      => qr/grpc is for backends with protocol h2/,
        'health: { http: /up, fall: 0 }'            => qr/fall/,
        'panic: 101'                                => qr/panic/,
    );
    for my $text (sort keys %wrong) {
        my $file = write_file(temp_path('wrong.yaml'), "listen: 80\nhosts: { default: { paths: { /: { weir.router: { module: table, apps: { app: {\n domains: [a.test], backends: [\"127.0.0.1:1\"],\n $text } } } } } } }\n");
        my $run = weir('check', '-c', $file);
        is($run->{exit}, 1, $text);
        like($run->{err}, qr/^\Q$file\E:4: .*$wrong{$text}/m, 'with its place') or diag $run->{err};
    }
};

done_testing;
