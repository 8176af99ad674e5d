# SPDX-License-Identifier: MIT
# Backends that dial in: who may, what each failure costs, and that they are backends as any other.
use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use IO::Socket::UNIX;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Weir::Admin;
use Weir::Client;
use Weir::Http2Backend;
use Weir::TLS;
use Weir::Test;
use Weir::Workers;

my $token = 'a-token-of-a-worker';

# The head of a registration; fields that are undef are left out.
sub registration {
    my ($path, %field) = @_;
    my %all = (Host => 'x', Connection => 'Upgrade', Upgrade => 'ptth', ALPN => 'h2', %field);
    return "GET $path HTTP/1.1\r\n" . join('', map { "$_: $all{$_}\r\n" } grep { defined $all{$_} } sort keys %all) . "\r\n";
}

sub register {
    my ($port, $path, %field) = @_;
    my $client = Weir::Client->connect($port);
    $client->write(registration($path, %field));
    my $head = $client->read_head // '';
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+)};
    return ($status, $head, $client);
}

subtest 'the 101, and HTTP/2 behind it' => sub {
    my $own = host();
    for my $name (qw(ptth reverse h2c-reverse)) {
        my ($status, $head, $client) = register($own->{workers}, '/workers/v1/main', Upgrade => $name, 'Worker-Id' => 'one',
            'Worker-Capacity' => 7);
        is($status, 101, $name);
        like($head, qr/^Upgrade: $name\r$/m, 'is answered by its own name');
        like($head, qr/^$_\r$/m, $_) for 'ALPN: h2', 'Selected-ALPN: h2', 'Worker-Protocol: 1', 'Worker-Capacity: 7',
            'Worker-Id: one', 'Worker-Ping: 5', 'Worker-Loops: 1', 'Worker-Session: s\d+';
        is($client->read_exactly(24), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 'the proxy is the client of HTTP/2');
    }
    my ($status, $head) = register($own->{workers}, '/workers/v1/main');
    like($head, qr/^Worker-Id: worker-\d+\r$/m, 'who says no name gets one');
};

subtest 'what is no registration' => sub {
    my $own = host(app => { domains => ['main.example'] });
    my $at = $own->{workers};
    my %wrong = (
        'no upgrade' => [ 426, '/workers/v1/main', Upgrade => undef ],
        'another upgrade' => [ 426, '/workers/v1/main', Upgrade => 'websocket' ],
        'no Connection' => [ 426, '/workers/v1/main', Connection => undef ],
        'no app' => [ 400, '/workers/v1/' ],
        'another version' => [ 400, '/workers/v2/main' ],
        'an app in capitals' => [ 400, '/workers/v1/Main' ],
        'a body' => [ 400, '/workers/v1/main', 'Content-Length' => 1 ],
        'another protocol' => [ 400, '/workers/v1/main', 'Worker-Protocol' => 2 ],
        'another ALPN' => [ 400, '/workers/v1/main', ALPN => 'h3' ],
        'an id with blanks' => [ 400, '/workers/v1/main', 'Worker-Id' => 'a b' ],
        'no capacity' => [ 400, '/workers/v1/main', 'Worker-Capacity' => 0 ],
        'too much of it' => [ 400, '/workers/v1/main', 'Worker-Capacity' => 10_001 ],
        'no weight' => [ 400, '/workers/v1/main', 'Worker-Weight' => 1001 ],
        'too many domains' => [ 400, '/workers/v1/main', 'Worker-Domains' => join ',', map { "a$_.example" } 1 .. 65 ],
        'a short token' => [ 400, '/workers/v1/main', Authorization => 'Bearer short' ],
        'another scheme' => [ 400, '/workers/v1/main', Authorization => 'Digest 0123456789abcdef' ],
        'a long head' => [ 431, '/workers/v1/main', 'X-Long' => 'x' x 8192 ],
        'no domain' => [ 403, '/workers/v1/main', 'Worker-Domains' => 'a/b' ],
    );
    for my $what (sort keys %wrong) {
        my ($expected, @request) = @{ $wrong{$what} };
        my ($status, $head) = register($at, @request);
        is($status, $expected, $what);
        like($head, qr/^worker-protocol: 1\r$/mi, 'the version is said');
    }
    is((register($own->port, '/workers/v1/main', Host => 'weir.workers'))[0], 404, 'nobody gets there by its name from elsewhere');
    my $client = Weir::Client->connect($at);
    $client->write(registration('/workers/v1/main') . 'PRI * HTTP/2.0');
    my ($status) = ($client->read_head // '') =~ /(\d{3})/;
    is($status, 400, 'nothing may be sent before the 101 is there');
};

subtest 'tokens' => sub {
    my $other = 'another-token-of-it';
    my %tokens = (tokens => [ { sha256 => sha256_hex($token), note => 'now' }, { sha256 => sha256_hex($other), 'not-after' => '2020-01-01' } ]);
    my %app = (workers => \%tokens);
    my $own = host(app => \%app, endpoint => { auth => 'token' });
    my $at = $own->{workers};
    my ($status, $head) = register($at, '/workers/v1/main');
    is($status, 401, 'none');
    like($head, qr/^www-authenticate: Bearer\r$/mi, 'which one is wanted');
    is((register($at, '/workers/v1/main', Authorization => 'Bearer ' . 'x' x 20))[0], 401, 'a wrong one');
    is((register($at, '/workers/v1/main', Authorization => "Bearer $other"))[0], 401, 'one whose time is over');
    is((register($at, '/workers/v1/none', Authorization => "Bearer $token"))[0], 404, 'an app that is not there');
    is((register($at, '/workers/v1/main', Authorization => 'Basic ' . encode_base64("main:$token", '')))[0], 101, 'as a password');
    is((register($at, '/workers/v1/main', Authorization => 'Basic ' . encode_base64("other:$token", '')))[0], 400, 'of another app');
    my $worker = worker($own, 'w', "Authorization: Bearer $token");
    is($own->get('/fine')->body, 'fine', 'the right one');
    is($own->log_where(path => '/fine')->{dyno}, 'w', 'the worker has a name in the log');
    unlike($own->stderr, qr/\Q$token\E/, 'the token is nowhere in it');

    $tokens{tokens} = [ sha256_hex($other) ];
    $own->configure(apps => { main => { domains => ['*'], hold => 100, %app } },
        global => { 'weir.workers' => { listen => "127.0.0.1:$at", auth => 'token' } });
    ok($own->reload, 'the token is taken away');
    ok($worker->wait_event(qr/^goaway .* 0/), 'GOAWAY') or diag join "\n", $worker->events;
    ok($worker->wait_event(qr/^answer 401/), 'and it may not come back');
    is($own->get('/fine')->status, 503, 'the app has no worker');
};

subtest 'operators take tokens away, and workers as such' => sub {
    my $socket = Weir::Admin::admin_path(temp_path('admin.sock'));
    my $own = host(app => { workers => { tokens => sha256_hex($token) }, hold => 100 }, endpoint => { auth => 'token' },
        global => { 'weir.admin' => { path => $socket } });
    my @proof = (Authorization => "Bearer $token");
    is((register($own->{workers}, '/workers/v1/main', @proof))[0], 101, 'before');
    my $worker = worker($own, 'w', "Authorization: Bearer $token");
    ok($worker->wait_event(qr/^settings/), 'a worker is there');
    my $other = { settings => { workers => { tokens => [ sha256_hex('another-token-of-it') ] } } };
    is(Weir::Admin::call('PATCH', '/v1/apps/main', $other)->{status}, 200, 'another token');
    is((register($own->{workers}, '/workers/v1/main', @proof))[0], 401, 'the one of the configuration is none any more');
    ok($worker->wait_event(qr/^goaway .* 0$/), 'who has come by it is sent away');
};

subtest 'certificates' => sub {
    my $authority = authority('workers');
    my $server = certificate('localhost', ca => $authority);
    my %ssl = ('certificate-file' => $server->{cert}, 'key-file' => $server->{key}, 'client-ca-file' => $authority->{cert},
        'verify-mode' => 'optional');
    my $port = free_port();
    my $own = host(workers_port => $port,
        endpoint => { auth => 'certificate', listen => { host => '127.0.0.1', port => $port, ssl => \%ssl } });
    my $try = sub {
        my $client = tls_client($port, cert => $_[0]) or return 'no connection: ' . tls_error();
        $client->write(registration('/workers/v1/main'));
        return (($client->read_head // '') =~ m{^HTTP/1\.1 (\d+)})[0];
    };
    is($try->(), 403, 'none');
    is($try->(certificate('main', ca => $authority)), 101, 'by its name');
    is($try->(certificate('x', ca => $authority, names => ['URI:spiffe://cluster/app/main'])), 101, 'by a URI');
    is($try->(certificate('main', ca => $authority, names => ['URI:spiffe://cluster/app/other'])), 403, 'whose URI is another app\'s');
    is($try->(certificate('other', ca => $authority)), 403, 'of another one');
    is($try->(certificate('x', ca => $authority, names => ['DNS:x'], subject => '/O=a,CN=main/CN=x')), 403,
        'whose organisation looks like a name');

    my $both_port = free_port();
    host(workers_port => $both_port, app => { workers => { tokens => sha256_hex($token) } },
        endpoint => { auth => 'both', listen => { host => '127.0.0.1', port => $both_port, ssl => \%ssl } });
    for my $case ([ 101, 'main', $token ], [ 401, 'main', 'another-token-than-this' ], [ 403, 'other', $token ]) {
        my ($status, $name, $shown) = @$case;
        my $client = tls_client($both_port, cert => certificate($name, ca => $authority)) or die tls_error();
        $client->write(registration('/workers/v1/main', Authorization => "Bearer $shown"));
        like($client->read_head // '', qr{^HTTP/1\.1 $status }, "both: $name, $shown");
    }
};

subtest 'domains are claimed, and not believed' => sub {
    my $sha = sha256_hex($token);
    my $own = host(endpoint => { auth => 'token' },
        app => { domains => ['main.example'], workers => { tokens => $sha, domains => [ 'shop.example', '*.shop.example' ] } },
        apps => { other => { domains => ['other.example'], backends => [] } });
    my $claim = sub { return (register($own->{workers}, '/workers/v1/main', Authorization => "Bearer $token", 'Worker-Domains' => $_[0]))[0] };
    is($claim->('other.example'), 409, 'another app\'s');
    is($claim->('else.example'), 403, 'one that the app may not have');
    is($claim->('shop.example.evil.example'), 403, 'nor this');
    is($claim->('main.example'), 101, 'its own');
    my $worker = worker($own, 'w', "Authorization: Bearer $token", 'Worker-Domains: shop.example, A.shop.example');
    for my $host (qw(shop.example a.shop.example main.example)) {
        ok(wait_for { $own->ask("GET /fine HTTP/1.1\r\nHost: $host\r\n\r\n")->status == 200 }, $host);
    }
    is($own->ask("GET /fine HTTP/1.1\r\nHost: b.shop.example\r\n\r\n")->status, 404, 'what nobody has claimed');
};

subtest 'apps that nobody has come with their workers' => sub {
    my $own = host(app => { domains => ['x.example'] });
    my $one = Weir::Http2Backend->start->dial($own->{workers}, 'blog', 'b1');
    my $two = Weir::Http2Backend->start->dial($own->{workers}, 'news', 'n1', 'Worker-Domains: news.example');
    my $asks = sub { return $own->ask("GET /pid HTTP/1.1\r\nHost: $_[0]\r\n\r\n")->body };
    is(wait_for { my $said = $asks->('blog.localhost'); $said eq $one->{pid} && $said }, $one->{pid}, 'found by their name');
    is(wait_for { my $said = $asks->('news.example'); $said eq $two->{pid} && $said }, $two->{pid}, 'and by what they say');
    $own->configure(apps => { main => { domains => ['x.example'], workers => 'ON' } },
        global => { 'weir.workers' => { listen => "127.0.0.1:$own->{workers}", auth => 'none' } });
    ok($own->reload, 'a reload');
    is($asks->('news.example'), $two->{pid}, 'they are there behind it');
    is((register($own->{workers}, '/workers/v1/blog', 'Worker-Domains' => 'news.example'))[0], 409, 'nobody else can have the domain');
};

subtest 'killed while it is idle: nobody is told' => sub {
    my $own = host();
    my @workers = map { worker($own, "w$_") } 1 .. 2;
    ok(wait_for { my %pids; $pids{ $own->get('/pid')->body }++ for 1 .. 8; keys %pids == 2 }, 'both have requests');
    kill 'KILL', $workers[0]{pid};
    is(scalar(grep { $own->get('/pid')->status == 200 } 1 .. 50), 50, 'all are answered');
};

subtest 'killed with requests: a GET is asked of another one, a POST is a page, a body is cut' => sub {
    my $own = host(app => { balance => 'round-robin' });
    my $worker = worker($own, 'w1');
    my @clients = map { $own->connect } 1 .. 3;
    $clients[0]->write("GET /silent_at?$worker->{pid} HTTP/1.1\r\nHost: a\r\n\r\n");
    $clients[1]->write("POST /silence HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
    $clients[2]->write("GET /silent_body HTTP/1.1\r\nHost: a\r\n\r\n");
    ok($worker->wait_event(qr/^request .*silent_body/), 'it has all three');
    ok(wait_for { $worker->count(qr/^request .*silen/) == 3 }, 'indeed');
    $clients[2]->read_until(qr/ab/);
    my $second = worker($own, 'w2');
    ok(wait_for { $own->get('/pid')->body eq $second->{pid} }, 'another one is there');
    kill 'KILL', $worker->{pid};
    is($clients[0]->read_response->body, $second->{pid}, 'the GET is answered by it');
    is($clients[1]->read_response->status, 503, 'the POST is a page');
    $clients[2]->read_eof;
    ok($clients[2]->was_reset || $clients[2]->is_eof, 'the body ends');
    is($own->log_where(path => '/silent_body')->{code}, 'backend_truncated', 'and not as if it were whole');
};

subtest 'frozen: PINGs tell' => sub {
    my $own = host(endpoint => { ping => ms(300) });
    my @workers = map { worker($own, "w$_") } 1 .. 2;
    ok(wait_for { my %pids; $pids{ $own->get('/pid')->body }++ for 1 .. 8; keys %pids == 2 }, 'both have requests');
    ok(wait_for { $workers[0]->count(qr/^ping/) > 2 }, 'they are asked for signs of life, idle or not') or diag join "\n", $workers[0]->events;
    kill 'STOP', $workers[0]{pid};
    my @clients = map { $own->connect } 1 .. 4;
    $_->write("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n") for @clients;
    is(scalar(grep { $_->read_response->body eq $workers[1]{pid} } @clients), 4, 'all are answered by the other one');
    like($own->stderr, qr/worker w1 of main \S+ is gone: backend_ping_timeout/, 'why');
    kill 'CONT', $workers[0]{pid};
    ok(wait_for { $workers[0]->connections > 1 }, 'it is back when it runs again');
};

subtest 'paused, and back: SETTINGS' => sub {
    my $own = host();
    my $worker = worker($own, 'w1');
    is($own->get('/most?0,100,' . ms(500))->body, 'fine', 'it wants nothing for half a second');
    my $before = $worker->count(qr/^request/);
    my $client = $own->connect;
    $client->write("GET /fine HTTP/1.1\r\nHost: a\r\n\r\n");
    ok($client->is_silent(ms(150) / 1000), 'a request waits');
    is($worker->count(qr/^request/), $before, 'and was not sent');
    is($client->read_response->body, 'fine', 'until it may');
    is($own->get('/most?1')->body, 'fine', 'one at a time');
    my @clients = map { $own->connect } 1 .. 3;
    $_->write("GET /slow?100 HTTP/1.1\r\nHost: a\r\n\r\n") for @clients;
    is(scalar(grep { $_->read_response->status == 200 } @clients), 3, 'the others wait in the queue of the app');
};

subtest 'GOAWAY: what runs is finished, and it is back' => sub {
    my $own = host();
    my $worker = worker($own, 'w1');
    is($own->get('/goaway_after')->status, 200, 'it says good-bye');
    is(scalar(grep { $own->get('/fine')->body eq 'fine' } 1 .. 20), 20, 'no request is lost');
    ok($worker->connections > 1, 'over another connection');
};

subtest 'one that speaks no HTTP/2' => sub {
    my $own = host(endpoint => { ping => ms(300) });
    my $mute = Weir::Http2Backend->start(greeting => 'mute')->dial($own->{workers}, 'main', 'mute');
    ok($mute->wait_event(qr/^answer 101/), 'it is let in');
    ok(wait_for { $own->stderr =~ /worker mute of main \S+: no SETTINGS came: did it drop the bytes behind the 101\?/ }, 'and out again');
};

subtest 'the proxy is started anew: workers are back' => sub {
    my $own = host();
    my $at = $own->{workers};
    my $worker = worker($own, 'w1');
    is($own->get('/fine')->body, 'fine', 'before');
    is($own->stop, 0, 'it ends');
    ok($worker->wait_event(qr/^goaway/), 'and has said so');
    my $again = host(workers_port => $at);
    is($again->get('/fine')->body, 'fine', 'the first request waits for it');
};

subtest 'HTTP/1.1: one request at a time, and WebSockets' => sub {
    my $own = host();
    my ($status, $head, $worker) = register($own->{workers}, '/workers/v1/main', ALPN => 'http%2F1.1', 'Worker-Id' => 'h1');
    is($status, 101, 'it is let in');
    like($head, qr/^Worker-Capacity: 1\r$/m, 'for one request');
    my @clients = map { $own->connect } 1 .. 2;
    $_->write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n") for @clients;
    like($worker->read_head, qr{^GET /a HTTP/1\.1\r}, 'the first');
    ok($worker->is_silent(ms(100) / 1000), 'the second waits');
    $worker->write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n$_"), $_ == 1 && $worker->read_head for 1 .. 2;
    is(join('', sort map { $_->read_response->body } @clients), '12', 'both are answered');
    my $client = $own->connect;
    $client->write("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        . "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    like($worker->read_head, qr/^Upgrade: websocket\r$/mi, 'a WebSocket');
    $worker->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello");
    like($client->read_until(qr/hello/), qr{^HTTP/1\.1 101 }, 'is there');
    $client->write('back');
    is($worker->read_exactly(4), 'back', 'both ways');
    $client->close;
    ok(defined $worker->read_eof, 'and ends');
};

subtest 'a browser stays with its worker' => sub {
    my $own = host(app => { affinity => 'ON' });
    my @workers = map { worker($own, "w$_") } 1 .. 2;
    ok(wait_for { my %pids; $pids{ $own->get('/pid')->body }++ for 1 .. 8; keys %pids == 2 }, 'both have requests');
    my $first = $own->get('/pid');
    my ($cookie) = ($first->header('Set-Cookie') // '') =~ /^([^;]+)/;
    ok($cookie, 'it has a cookie');
    my $asks = sub { return $own->ask("GET /pid HTTP/1.1\r\nHost: a\r\nCookie: $cookie\r\n\r\n") };
    is(scalar(grep { $asks->()->body eq $first->body } 1 .. 10), 10, 'and one worker');
    kill 'KILL', $first->body;
    my $moved = $asks->();
    is($moved->status, 200, 'whose end nobody is told of');
    isnt($moved->body, $first->body, 'another one answers');
};

subtest 'over a unix socket, and at a path' => sub {
    my $socket = temp_path('workers.sock');
    my $own = proxy(apps => { main => { domains => ['*'], workers => 'ON', hold => ms(10_000) } }, listen => [ "unix:$socket" ],
        paths => { '/workers' => { 'weir.workers' => { auth => 'none' } } });
    my $client = IO::Socket::UNIX->new(Peer => $socket) or die "$socket: $!";
    syswrite $client, registration('/workers/v1/main', 'Worker-Id' => 'unix');
    sysread $client, my $head, 4096;
    like($head, qr{^HTTP/1\.1 101 }, 'a unix socket');
    my $worker = Weir::Http2Backend->start->dial($own->port, 'main', 'path');
    close $client;
    ok(wait_for { $own->get('/pid')->body eq $worker->{pid} }, 'a path of any listener');
};

subtest 'a configuration that is wrong' => sub {
    refuses_config("listen: 1\nweir.workers: ON\nhosts: { default: { paths: { /: { status: ON } } } }\n",
        qr/.*weir\.workers: at the global level it is a mapping with `listen`/, 'no listener');
    for my $case ([ '{ auth: some }', qr/auth must be token, certificate, both or none/ ], [ '{ ping: 6s }', qr/ping must be/ ],
        [ '{ capacity: 0 }', qr/capacity must be/ ], [ '{ tokens: a }', qr/tokens/ ], [ '[ 1 ]', qr/must be ON, OFF or a mapping/ ],
        [ '{ listen: 1 }', qr/`listen` stands at the global level/ ]) {
        my ($text, $says) = @$case;
        refuses_config("listen: 1\nhosts:\n  default:\n    paths:\n      /w: { weir.workers: $text }\n", qr/.*$says/, $text);
    }
};

done_testing;
