# SPDX-License-Identifier: MIT
# Ways to a backend, ways not to get there, and connections that are used again.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

sub app { my ($backend, %more) = @_; return { backends => [ ref $backend ? $backend->address : $backend ], %more } }

# One proxy for all: the domain names the case.
sub apps { my (%apps) = @_; $apps{$_}{domains} = ["$_.test"] for keys %apps; return \%apps }

my $has_ipv6 = defined IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1);
my %backend = (
    v4    => ok_backend('v4'),
    path  => ok_backend('path', path => temp_path('backend.sock')),
    named => ok_backend('named'),
    none  => ok_backend('none'),
    fresh => ok_backend('fresh'),
    pool  => ok_backend('pool'),
    $has_ipv6 ? (v6 => ok_backend('v6', host => '::1')) : (),
);
# Serves one request per connection; a second one on it is met with a close.
$backend{stale} = backend(sub {
    my $c = shift;
    $c->read_request or return;
    $c->write(simple_response('stale'));
    $c->read_request or return;
});
# The same, but says something first.
$backend{half} = backend(sub {
    my $c = shift;
    $c->read_request or return;
    $c->write(simple_response('half'));
    $c->read_request or return;
    $c->write('HTTP/1.1 2');
});
# Closes each connection behind its response without saying so.
$backend{leaves} = backend(sub { my $c = shift; $c->read_request; $c->write(simple_response('leaves')); $c->note('left') });
# Sends something unasked on an idle connection.
$backend{babbles} = backend(sub {
    my $c = shift;
    $c->read_request or return;
    $c->write(simple_response('babbles') . simple_response('unasked'));
    $c->wait_close;
});
my $proxy = proxy(
    apps => apps(
        (map { $_ => app($backend{$_}) } grep { !/^(?:none|named)$/ } keys %backend),
        named   => app('localhost:' . $backend{named}->port),
        none    => app($backend{none}, keepalive => 'none'),
        fresh   => app($backend{fresh}, keepalive => 'new'),
        refused => app('127.0.0.1:' . refusing_port()),
        stuck   => app('127.0.0.1:' . stuck_port()),
        nowhere => app('unix:' . temp_path('nobody.sock')),
        unknown => app('no-such-host.invalid:80'),
    ),
    path => { 'weir.connect-timeout' => ms(300), 'weir.idle-timeout' => ms(5000) },
);

sub get { my ($name, $path) = @_; return $proxy->ask('GET ' . ($path // "/$name") . " HTTP/1.1\r\nHost: $name.test\r\n\r\n") }

subtest 'addresses' => sub {
    for my $name (qw(v4 v6 path named)) {
        SKIP: {
            skip 'no ::1 here', 2 if $name eq 'v6' && !$has_ipv6;
            my $r = get($name);
            is($r->body, $name, $name);
            is($proxy->log_where(path => "/$name")->{dyno}, $name eq 'named' ? 'localhost:' . $backend{named}->port : $backend{$name}->address,
                "$name: in the log");
        }
    }
};

subtest 'no way' => sub {
    my %code = (refused => 'backend_refused', stuck => 'backend_connect_timeout', unknown => 'backend_unresolved');
    for my $name (sort keys %code) {
        my $begin = time;
        my $r = get($name);
        is($r->status, 503, "$name: 503");
        like($r->body, qr/$code{$name}/, "$name: the page names the reason");
        is($proxy->log_where(path => "/$name")->{code}, $code{$name}, "$name: in the log");
        cmp_ok(time - $begin, '>=', 0.29, "$name: not before the timeout") if $name eq 'stuck';
        cmp_ok(time - $begin, '<', 2 * ms(1000) / 1000, "$name: soon after it") if $name eq 'stuck';
    }
    is(get('nowhere')->status, 503, 'a socket that is not there: 503');
    like($proxy->log_where(path => '/nowhere')->{code}, qr/^backend_(?:unreachable|refused)$/, 'its reason');
};

subtest 'many clients, one connection' => sub {
    for (1 .. 5) {
        is(get('pool')->body, 'pool', "request $_");
    }
    is($backend{pool}->connections, 1, 'keepalive by default: one connection for five requests');
    get('none') for 1 .. 3;
    is($backend{none}->connections, 3, 'keepalive: none gives each its own');
    like(join('', $backend{none}->received), qr/^Connection: close\r$/m, 'and says so');
    unlike(join('', $backend{pool}->received), qr/^Connection: close\r$/m, 'a pooled one does not');
    my $before = $backend{fresh}->connections;
    get('fresh') for 1 .. 3;
    is($backend{fresh}->connections, $before + 3, 'keepalive: new dials anew each time');
};

subtest 'a client that closes does not close the backend\'s connection' => sub {
    my $before = $backend{pool}->connections;
    for (1 .. 3) {
        my $r = $proxy->ask("GET / HTTP/1.1\r\nHost: pool.test\r\nConnection: close\r\n\r\n");
        is($r->body, 'pool', "request $_");
    }
    cmp_ok($backend{pool}->connections, '<=', $before + 1, 'it is kept for the next');
};

subtest 'two at once need two connections, which both stay' => sub {
    my $two = backend(sub { my $c = shift; $c->serve(sub { select undef, undef, undef, 0.05; simple_response('two') }) });
    my $own = proxy(backends => [$two]);
    for my $round (1 .. 3) {
        my @clients = map { $own->connect } 1 .. 2;
        $_->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n") for @clients;
        is(join(' ', map { $_->read_response->body } @clients), 'two two', "round $round");
    }
    is($two->connections, 2, 'two connections in all');
};

subtest 'a pooled connection turns out to be dead' => sub {
    is(get('stale')->body, 'stale', 'the first request');
    is(get('stale', '/again')->body, 'stale', 'a GET goes once more over a new connection');
    is($backend{stale}->connections, 2, 'a second connection');
    my $line = $proxy->log_where(path => '/again');
    is($line->{code}, undef, 'nobody notices');

    my $before = $backend{stale}->connections;
    my $r = $proxy->ask("POST /post HTTP/1.1\r\nHost: stale.test\r\nContent-Length: 4\r\n\r\nbody");
    is($r->status, 503, 'a POST whose body is out is not sent twice');
    is($proxy->log_where(path => '/post')->{code}, 'backend_closed', 'its reason');
    is($backend{stale}->connections, $before, 'nobody was dialled');
    my $posts = () = join('', $backend{stale}->received) =~ m{^POST /post }mg;
    is($posts, 1, 'the backend saw it once');
};

subtest 'once a byte of the response is there, it is not tried again' => sub {
    is(get('half')->body, 'half', 'the first request');
    my $r = get('half', '/half-again');
    is($r->status, 503, 'the second fails');
    like($proxy->log_where(path => '/half-again')->{code}, qr/^backend_(?:closed|truncated)$/, 'its reason');
};

subtest 'a backend that closes idle connections' => sub {
    for my $n (1 .. 3) {
        is(get('leaves', "/leaves-$n")->body, 'leaves', "request $n is answered");
        $backend{leaves}->wait_event(qr/^done @{[ $n - 1 ]}$/);
        select undef, undef, undef, 0.02;    # the proxy hears of the close
    }
    is($backend{leaves}->connections, 3, 'over a new connection each time');
};

subtest 'bytes that nobody asked for are not the next answer' => sub {
    for my $n (1 .. 3) {
        is(get('babbles')->body, 'babbles', "request $n has its own answer");
    }
    is($backend{babbles}->connections, 3, 'such a connection is not used again');
    ok($backend{babbles}->wait_event(qr/^(?:eof|reset) 0/), 'but closed');
};

# The proxy stands still while the client asks and the backend speaks: it hears of both in one turn.
sub speaks_unasked {
    my ($client_is_first) = @_;
    my $gate = temp_path('gate');
    my $babbler = backend(sub {
        my $c = shift;
        while (defined $c->read_head) {
            $c->write(simple_response('asked for'));
            next if $c->index > 0;
            wait_for { -e $gate };
            $c->write(simple_response('not asked for'));
            $c->note('spoken');
        }
    });
    my $own = proxy(backends => [$babbler], global => { 'num-threads' => 1 });
    my $client = $own->connect;
    my $ask = sub { $client->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n") };
    $ask->();
    is($client->read_response->body, 'asked for', 'a connection for the pool');
    $own->stand_still;
    $ask->() if $client_is_first;
    write_file($gate, '');
    ok($babbler->wait_event(qr/spoken/), 'the backend speaks');
    $ask->() unless $client_is_first;
    kill CONT => $own->pid;
    is($client->read_response->body, 'asked for', 'the request has its own answer');
    is($babbler->connections, 2, 'by another connection');
}

subtest 'bytes that nobody asked for, in the turn of the next request, before it' => sub { speaks_unasked(0) };
subtest 'bytes that nobody asked for, in the turn of the next request, behind it' => sub { speaks_unasked(1) };

subtest 'an idle connection is closed in the end' => sub {
    my $kept = ok_backend('kept');
    my $short = proxy(backends => [$kept], path => { 'weir.backend-idle-timeout' => ms(300) });
    is($short->get('/')->body, 'kept', 'a request');
    is($kept->wait_event(qr/^eof/), 'eof 0', 'the proxy closes it');
    is($short->get('/')->body, 'kept', 'the next request is fine');
};

subtest 'many timeouts, each of another length, and others after a reload' => sub {
    my $at = '127.0.0.1:' . stuck_port();
    my $router = { module => 'table', apps => { stuck => { domains => ['*'], backends => [$at] } } };
    my $paths = sub {
        my ($first_ms, $step_ms) = @_;
        return map { ("/$_" => { 'weir.router' => $router, 'weir.connect-timeout' => ms($first_ms + $step_ms * $_) }) } 1 .. 80;
    };
    my $many = proxy(paths => { $paths->(600, 17) });
    for my $round ([ 600, 17 ], [ 503, 19 ]) {
        my ($first_ms, $step_ms) = @$round;
        ok($many->reload(paths => { $paths->($first_ms, $step_ms) }), 'another eighty');
        my $begun = $many->_log_now;
        my @clients = map { my $c = $many->connect; $c->write("GET /$_ HTTP/1.1\r\nHost: a\r\n\r\n"); $c } reverse 1 .. 80;
        my @lines = $many->log_lines($begun + 80);
        splice @lines, 0, $begun;
        is(scalar(grep { $_->{code} eq 'backend_connect_timeout' } @lines), 80, 'all of them end');
        is(join(' ', map { $_->{path} } grep { $_->{path} =~ m{^/(?:1|80)$} } @lines), '/1 /80', 'the shortest long before the longest');
        my @early = grep { $_->{service} =~ /^(\d+)ms/ && $1 < ms($first_ms + $step_ms * substr $_->{path}, 1) - 1 } @lines;
        is(scalar(@early), 0, 'and none early') or diag(join "\n", map { $_->{''} } @early);
    }
};

subtest 'the client leaves while the proxy connects' => sub {
    my $client = $proxy->connect;
    $client->write("GET /left HTTP/1.1\r\nHost: stuck.test\r\n\r\n");
    select undef, undef, undef, 0.05;
    $client->reset;
    is($proxy->log_where(path => '/left')->{code}, 'client_closed', 'it is noticed');
    is(get('v4')->body, 'v4', 'the next request is fine');
};

done_testing;
