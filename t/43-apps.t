# SPDX-License-Identifier: MIT
# Which app and which backend of it: paths of domains, ids, weights, tiers, balance; and what stays over a reload.
use lib 't/lib';
use Weir::Test;

my %b = map { $_ => ok_backend($_) } qw(one two three);
my $dead = sub { '127.0.0.1:' . refusing_port() };

# Whose answers `$count` requests got: { body => how often }.
sub answers {
    my ($proxy, $count, $path) = @_;
    my %seen;
    $seen{ $proxy->get($path // '/')->body }++ for 1 .. $count;
    return \%seen;
}

sub of { my ($proxy, $host, $path) = @_; return $proxy->ask("GET $path HTTP/1.1\r\nHost: $host\r\n\r\n") }
sub app { return { app => { domains => ['*'], @_ } } }
sub at  { my ($name, %more) = @_; return { at => $b{$name}->address, %more } }

subtest 'domains with paths' => sub {
    my $proxy = proxy(apps => {
        whole => { domains => ['shop.example'],                        backends => [ $b{one}->address ] },
        api   => { domains => [ 'shop.example/api', '*.example/api' ], backends => [ $b{two}->address ] },
        deep  => { domains => ['shop.example/api/v2'],                 backends => [ $b{three}->address ] },
    });
    my %expect = ('/' => 'one', '/apiary' => 'one', '/api' => 'two', '/api/x?y' => 'two', '/api/v2/' => 'three');
    for my $path (sort keys %expect) {
        is(of($proxy, 'shop.example', $path)->body, $expect{$path}, "$path is $expect{$path}'s");
    }
    is(of($proxy, 'other.example', '/api')->body, 'two', 'a suffix has a path, too');
    is(of($proxy, 'other.example', '/')->status, 404, 'and nothing else');
    of($proxy, 'shop.example', '/api?log');
    is($proxy->log_where(path => '/api?log')->{app}, 'api', 'the log names the app');
};

subtest 'weights and states' => sub {
    my $proxy = proxy(apps => app(backends => [ at('one', weight => 300), at('two', weight => 100), at('three', state => 'off') ]));
    my $seen = answers($proxy, 400);
    is($seen->{three}, undef, 'who is off gets nothing');
    cmp_ok($seen->{two}, '>', 60, 'a quarter') or diag explain $seen;
    cmp_ok($seen->{two}, '<', 145, 'of the requests') or diag explain $seen;
};

subtest 'tiers' => sub {
    my $proxy = proxy(apps => app(backends => [ at('one', tier => 1), { at => $dead->() }, at('two', tier => 2) ]));
    is_deeply(answers($proxy, 10), { one => 10 }, 'a spare one serves when the first will not do');
};

subtest 'in turn' => sub {
    my $proxy = proxy(apps => app(balance => 'round-robin', backends => [ map { at($_) } qw(one two three) ]), global => { 'num-threads' => 2 });
    is_deeply(answers($proxy, 30), { one => 10, two => 10, three => 10 }, 'each as often as the others');
    is(($proxy->log_lines(30))[-1]{pick}, 'turn', 'which the log says');
};

subtest 'by a hash' => sub {
    my $proxy = proxy(apps => app(balance => 'hash', 'hash-on' => ['path'], backends => [ map { at($_, id => $_) } qw(one two three) ]));
    my %owner = map { my $path = "/$_"; my $seen = answers($proxy, 3, $path); ($path => join ',', keys %$seen) } 1 .. 40;
    is((grep { /,/ } values %owner), 0, 'a path has one backend');
    my %owners = map { $_ => 1 } values %owner;
    is(scalar keys %owners, 3, 'and each backend some paths');
    ok($proxy->reload(apps => app(balance => 'hash', 'hash-on' => ['path'], backends => [ map { at($_, id => $_) } qw(one three) ])), 'one leaves');
    my @moved = grep { $proxy->get($_)->body ne $owner{$_} } sort keys %owner;
    is("@moved", join(' ', sort grep { $owner{$_} eq 'two' } keys %owner), 'exactly its paths move');
};

subtest 'defaults, and an id in the log' => sub {
    my $proxy = proxy(router => {
        module => 'table', defaults => { headers => { 'to-client' => { 'X-By' => 'default' } } },
        apps => { app => { domains => ['*'], backends => [ at('one', id => 'web-1') ] } },
    });
    is($proxy->get('/d')->header('X-By'), 'default', 'what the defaults say holds for an app');
    is($proxy->log_where(path => '/d')->{dyno}, 'web-1', 'a backend is called by its id');
};

subtest 'what is known stays over a reload' => sub {
    my $slow = backend(sub {
        my $c = shift;
        my $head = $c->read_head or return;
        $c->note('waits');
        $c->read_until(qr/go/);
        return $c->write(simple_response('slow'));
    });
    my $backends = [ { at => $slow->address, id => 's', 'max-requests' => 1 } ];
    my $proxy = proxy(apps => app(backends => $backends, queue => { length => 0 }));
    my $held = $proxy->connect;
    $held->write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    ok($slow->wait_event(qr/waits/), 'one request is under way');
    is($proxy->get('/')->status, 503, 'there is no room for another');
    ok($proxy->reload(apps => app(backends => $backends, queue => { length => 0 }, hold => 1)), 'a reload');
    like($proxy->get('/')->body, qr/backlog_too_deep/, 'does not forget it');
    $held->write('go');
    is($held->read_response->body, 'slow', 'it ends well');
};

subtest 'a router of forty lines has all of it' => sub {
    my $proxy = proxy(router => { module => build_dir() . '/examples/canary_router.so', defaults => { affinity => 'ON' }, apps => app(
        backends => [ at('one', labels => { track => 'stable' }), at('two', labels => { track => 'canary' }), at('three') ]) });
    my %seen = map { $proxy->get('/')->body => 1 } 1 .. 30;
    is_deeply([ sort keys %seen ], [qw(one three)], 'most get what is stable');
    %seen = map { $proxy->get('/', "X-Canary: yes\r\n")->body => 1 } 1 .. 10;
    is_deeply([ keys %seen ], ['two'], 'and who asks for it the canary');
    like($proxy->get('/')->header('Set-Cookie'), qr/^weir-affinity=/, 'with affinity');
    is(($proxy->log_lines(1))[0]{pick}, 'best', 'and the fields of the log');
};

done_testing;
