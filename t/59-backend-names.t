# SPDX-License-Identifier: MIT
# Names of backends: who is asked for them and how often, addresses in turn, names that move, name servers in trouble.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;
use Time::HiRes qw(time);

# Addresses of loopback stand for machines, all with one port.
my $port = free_port();
my %at  = map { $_ => "127.0.$_" } qw(1.1 1.2 1.3 2.1);
my @own = map { ok_backend($_, host => $at{$_}, port => $port) } qw(1.1 1.2 1.3);
my $dead  = '127.0.9.9';    # nobody listens there
my $stuck = '127.0.8.8';    # connecting never ends
my @held  = IO::Socket::IP->new(LocalHost => $stuck, LocalPort => $port, Listen => 1);
listen $held[0], 0;
push @held, map { IO::Socket::IP->new(PeerHost => $stuck, PeerPort => $port, Blocking => 0) } 1 .. 8;

sub app { my ($name, %more) = @_; return { domains => [$name], backends => ["$name:$port"], keepalive => 'none', %more } }

sub proxy_for {
    my ($dns, $names, %more) = @_;
    my $servers = ref $dns eq 'ARRAY' ? $dns : $dns->address;
    return proxy(
        apps => { map { $_ => app($_) } @$names },
        path => { 'weir.connect-timeout' => ms(8000) },
        %more,
        global => { 'weir.dns-servers' => $servers, %{ $more{global} // {} } },
    );
}

sub request { return "GET / HTTP/1.1\r\nHost: $_[0]\r\nConnection: close\r\n\r\n" }

sub get {
    my ($proxy, $name) = @_;
    return $proxy->ask(request($name));
}

sub body { return get(@_)->body }

# Until an answer that came now is so old, in seconds.
sub ages { my ($seconds) = @_; my $begin = time; return wait_for { time - $begin > $seconds } }

# The bodies of so many requests, as a sorted list of those that differ.
sub bodies { my ($count, @who) = @_; my %seen = map { (body(@who) // 'nothing') => 1 } 1 .. $count; return join ' ', sort keys %seen }

subtest 'a name is asked for once, by all threads together, as long as its TTL lasts' => sub {
    my $dns = dns_server('one.test' => { a => [ $at{'1.1'} ], ttl => 3600 });
    my $proxy = proxy_for($dns, ['one.test'], global => { 'num-threads' => 4 });
    is(bodies(40, $proxy, 'one.test'), '1.1', 'found');
    is($dns->asked('one.test'), 1, 'one question for 40 connections to 4 threads');
    is(body($proxy, 'ONE.test'), '1.1', 'letters of both cases are one name');
    is($dns->asked('one.test'), 1, 'to us');
};

subtest 'a name whose backend has moved costs no request' => sub {
    my $moving = ok_backend('old', host => $at{'2.1'}, port => $port);
    my $dns = dns_server('a.test' => { a => [ $at{'2.1'} ], ttl => 3600 });
    my $proxy = proxy_for($dns, ['a.test']);
    is(body($proxy, 'a.test'), 'old', 'the old place');
    ages(1.1);
    $dns->knows('a.test' => { a => [ $at{'1.2'} ], ttl => 3600 });
    is(body($proxy, 'a.test'), 'old', 'where connecting works, nobody asks');
    is($dns->asked('a.test'), 1, 'as long as the TTL says');
    $moving->stop;
    is(bodies(10, $proxy, 'a.test'), '1.2', 'not one request of ten is lost');
    is($dns->asked('a.test'), 2, 'for one more question');
};

subtest 'a name that has moved from where nobody answers' => sub {
    my $dns = dns_server('a.test' => { a => [$stuck], ttl => 3600 });
    my $proxy = proxy_for($dns, ['a.test']);
    my $client = $proxy->connect;
    $client->write(request('a.test'));
    wait_for { $dns->asked('a.test') };
    $dns->knows('a.test' => { a => [ $at{'1.2'} ], ttl => 3600 });
    is($client->read_response->body, '1.2', 'a request that is on its way goes to the new place');
    is(bodies(10, $proxy, 'a.test'), '1.2', 'so do all others');
    is($dns->asked('a.test'), 2, 'for one more question');
};

subtest 'a backend that is down, and its name stays' => sub {
    my $dns = dns_server('a.test' => { a => [ $dead, '127.0.9.10' ], ttl => 3600 });
    my $proxy = proxy_for($dns, ['a.test']);
    my $begin = time;
    my %seen;
    while (time - $begin < 2.5) {
        my $r = get($proxy, 'a.test');
        $seen{ $r->status . ($r->body =~ /backend_refused/ ? ' refused' : '') }++;
    }
    is(join(' ', sort keys %seen), '503 refused', 'the reason is that of the last connect');
    cmp_ok($dns->asked('a.test'), '>=', 2, 'it is asked for again');
    cmp_ok($dns->asked('a.test'), '<=', 2 + (time - $begin), 'once a second at most');
};

subtest 'addresses of one name' => sub {
    my @many = map { "127.0.5.$_" } 1 .. 20;
    my $dns = dns_server(
        'turn.test' => { a => [ @at{qw(1.1 1.2 1.3)} ] },
        'dead.test' => { a => [ $dead, $at{'1.1'}, '127.0.9.10', $at{'1.2'} ] },
        'many.test' => { a => [ @many, $at{'1.3'} ], truncated => 1 },
        'two.test'  => { a => [ $at{'1.1'} ], aaaa => ['::1'] },
        'far.test'  => { a => [ $at{'1.1'} ], aaaa => ['ff02::1'] },
        'stuck.test' => { a => [ $stuck, $at{'1.1'} ] },
    );
    my $proxy = proxy_for($dns, [qw(turn.test dead.test many.test two.test far.test stuck.test)], path => { 'weir.connect-timeout' => ms(3000) });
    is(bodies(9, $proxy, 'turn.test'), '1.1 1.2 1.3', 'are used in turn');
    my @clients = map { $proxy->connect } 1 .. 16;
    $_->write(request('dead.test')) for @clients;
    my %seen = map { $_->read_response->body => 1 } @clients;
    is(join(' ', sort keys %seen), '1.1 1.2', 'where half of them are dead, requests side by side all find one that lives');
    is(bodies(3, $proxy, 'many.test'), '1.3', '21 addresses, one alive: it is found');
    cmp_ok($dns->asked('many.test', 'tcp'), '>=', 1, 'the answer did not fit into a datagram and came by TCP');
    is(bodies(4, $proxy, 'two.test'), '1.1', 'of both families');
    is(bodies(2, $proxy, 'stuck.test'), '1.1', 'one that is silent leaves time for the others');
    is(bodies(2, $proxy, 'far.test'), '1.1', 'one that our own network has no way to');
    ages(1.1);
    bodies(4, $proxy, 'far.test');
    is($dns->asked('far.test'), 1, 'is no reason to ask again');
};

subtest 'HTTP/2' => sub {
    my $h2 = Weir::Http2Backend->start;
    my $dns = dns_server('a.test' => { a => [ $dead, $at{'1.1'} ], ttl => 3600 });
    my $proxy = proxy(
        apps => { a => { domains => ['a.test'], backends => [ 'a.test:' . $h2->port ], protocol => 'h2c' } },
        global => { 'weir.dns-servers' => $dns->address },
    );
    is(get($proxy, 'a.test')->status, 503, 'nobody is there');
    ages(1.1);
    $dns->knows('a.test' => { a => [ $dead, '127.0.0.1' ], ttl => 3600 });
    my @clients = map { $proxy->connect } 1 .. 16;
    $_->write("GET /echo HTTP/1.1\r\nHost: a.test\r\n\r\n") for @clients;
    is((grep { $_->read_response->status != 200 } @clients), 0, 'requests side by side all go to where it has moved');
    is($dns->asked('a.test'), 2, 'for one question');
    is($h2->connections, 1, 'on one connection');
};

subtest 'TTLs' => sub {
    my %ttl = ('zero.test' => 0, 'one.test' => 1, 'alias.test' => 1);
    my $dns = dns_server(
        'zero.test'  => { a => [ $at{'1.1'} ], ttl => 0 },
        'one.test'   => { a => [ $at{'1.1'} ], ttl => 1 },
        'alias.test' => { cname => 'real.test', ttl => 1 },
        'real.test'  => { a => [ $at{'1.1'} ], ttl => 3600 },
        'other.test' => { a => [ $at{'1.2'} ], ttl => 3600 },
        'long.test'  => { a => [ $at{'1.1'} ], ttl => 3600 },
    );
    my $proxy = proxy_for($dns, [ 'long.test', sort keys %ttl ]);
    is(bodies(5, $proxy, $_), '1.1', "$_: the old place") for 'long.test', sort keys %ttl;
    $dns->knows(map { $_ => { a => [ $at{'1.2'} ] } } 'long.test', 'zero.test', 'one.test');
    $dns->knows('alias.test' => { cname => 'other.test' });
    ages(1.2);
    is(body($proxy, $_), '1.2', "$_: behind its TTL the first request goes to the new place") for sort keys %ttl;
    is(body($proxy, 'long.test'), '1.1', 'before it none does');
    is($dns->asked('alias.test'), 2, 'the least TTL of a chain counts');
};

subtest 'a name in use is asked for again' => sub {
    my $dns = dns_server('a.test' => { a => [ $at{'1.1'} ], ttl => 2 });
    my $proxy = proxy_for($dns, ['a.test']);
    is(body($proxy, 'a.test'), '1.1', 'found');
    my $begin = time;
    $dns->knows('a.test' => { a => [ $at{'1.2'} ], ttl => 2 });
    wait_for { body($proxy, 'a.test') eq '1.2' };
    cmp_ok(time - $begin, '>', 1.0, 'not before three quarters of the TTL');
};

subtest 'names that there are not' => sub {
    my $dns = dns_server('empty.test' => {}, 'fails.test' => { rcode => 'SERVFAIL' });
    my $proxy = proxy_for($dns, [qw(none.test empty.test fails.test)]);
    for my $name (qw(none.test empty.test fails.test)) {
        my $r = get($proxy, $name);
        is($r->status, 503, $name);
        like($r->body, qr/backend_unresolved/, 'the page names the reason');
        my $asked = $dns->asked($name);
        is(get($proxy, $name)->status, 503, 'again');
        is($dns->asked($name), $asked, 'which is remembered');
    }
    $dns->knows('none.test' => { a => [ $at{'1.1'} ] });
    ok((wait_for { get($proxy, 'none.test')->status == 200 }), 'but not for long');
};

subtest 'a name server in trouble' => sub {
    my %trouble = ('silent.test' => { silent => 1 }, 'fails.test' => { rcode => 'SERVFAIL' }, 'gone.test' => undef);
    my $dns = dns_server(map { $_ => { a => [ $at{'1.1'} ], ttl => 1 } } keys %trouble);
    my $proxy = proxy_for($dns, [ keys %trouble ]);
    is(body($proxy, $_), '1.1', "$_ is known") for sort keys %trouble;
    $dns->knows(%trouble);
    my ($begin, $slowest, %wrong) = (time, 0);
    while (time - $begin < 4) {
        for my $name (keys %trouble) {
            my $start = time;
            $wrong{$name}++ if get($proxy, $name)->status != 200;
            $slowest = time - $start if time - $start > $slowest;
        }
    }
    is_deeply(\%wrong, {}, 'the old addresses stay in use');
    cmp_ok($slowest, '<', 1.5 * Weir::Client::slow(), 'a request waits a second at most');
    $dns->knows(map { $_ => { a => [ $at{'1.2'} ] } } keys %trouble);
    ok((wait_for { body($proxy, $_) eq '1.2' }), "$_: over") for sort keys %trouble;
};

subtest 'names that hang' => sub {
    my @hanging = map { "hangs$_.test" } 1 .. 40;
    my $dns = dns_server((map { $_ => { silent => 1 } } @hanging, 'last.test'), 'good.test' => { a => [ $at{'1.1'} ] });
    my $proxy = proxy_for($dns, [ @hanging, qw(good.test last.test) ]);
    my @clients = map { $proxy->connect } @hanging;
    $clients[$_]->write(request($hanging[$_])) for 0 .. $#hanging;
    wait_for { $dns->asked($hanging[-1]) };
    my $begin = time;
    is(body($proxy, 'good.test'), '1.1', 'another is found meanwhile');
    cmp_ok(time - $begin, '<', 0.9 * Weir::Client::slow(), 'at once');
    my $r = $clients[0]->read_response(seconds => 2 * wait_seconds());
    is($r->status, 503, 'they themselves have failed in the end');
    like($r->body, qr/backend_unresolved/, 'by name');
    $clients[1]->close;
    my $last = $proxy->connect;
    $last->write(request('last.test'));
    wait_for { $dns->asked('last.test') };
    $begin = time;
    $proxy->signal('INT');
    is($proxy->wait_exit, 3, 'the proxy ends');
    cmp_ok(time - $begin, '<', 2 * Weir::Client::slow(), 'without waiting for any');
    $proxy->{exit} = 3;
};

subtest 'name servers of the configuration' => sub {
    my $names = { a => [ $at{'1.1'} ], ttl => 3600 };
    my ($silent, $one) = (dns_server('a.test' => { silent => 1 }), dns_server('a.test' => $names));
    my $other = dns_server('a.test' => { a => [ $at{'1.2'} ], ttl => 3600 });
    my $two = [ $silent->address, $one->address ];
    my $proxy = proxy_for($two, [qw(a.test localhost)]);
    is(body($proxy, 'a.test'), '1.1', 'the second is asked if the first is silent');
    is(get($proxy, 'localhost')->status, 503, '/etc/hosts comes first');
    is($_->asked('localhost'), 0, 'no server is asked then') for $silent, $one;
    my %same = (apps => { 'a.test' => app('a.test') });
    ok($proxy->reload(%same, global => { 'weir.dns-servers' => $two }), 'a reload');
    is(body($proxy, 'a.test'), '1.1', 'no change');
    is($one->asked('a.test'), 2, 'but it was asked anew');
    ok($proxy->reload(%same, global => { 'weir.dns-servers' => $other->address }), 'another server');
    is(body($proxy, 'a.test'), '1.2', 'is asked at once');
    ok($proxy->reload(%same), 'back to those of the system');
};

subtest 'servers that are none' => sub {
    for my $case ('[]', '""', '[127.0.0.1, ""]', 'localhost', '127.0.0.1:0', '127.0.0.1:65536', '"127.0.0.1:"', '127.0.0', '"[::1"', '"[::1]53"',
        '"[127.0.0.1]:53"', '"[::1]:"', '{a: 1}', '[[127.0.0.1]]', '[' . join(', ', ('127.0.0.1') x 9) . ']', '"::1:53:"') {
        refuses_config("listen: 1\nhosts: {default: {paths: {/: {file.dir: /tmp}}}}\nweir.dns-servers: $case\n", qr/3(?::\d+)?: weir\.dns-servers: /, $case);
    }
    for my $case ('127.0.0.1', '"::1"', '"[::1]"', '["[::1]:5353", 127.0.0.2:53]') {
        my $file = write_file(temp_path('weir.yaml'), "listen: 1\nhosts: {default: {paths: {/: {file.dir: /tmp}}}}\nweir.dns-servers: $case\n");
        is(weir('check', '-c', $file)->{exit}, 0, "$case is fine");
    }
};

done_testing;
