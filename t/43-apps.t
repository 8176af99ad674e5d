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

subtest 'a router that chooses for itself' => sub {
    my $serves = sub {
        my ($name) = @_;
        return backend(sub {
            my $c = shift;
            while (defined(my $head = $c->read_head)) {
                if ($head !~ /^POST/) { $c->write(simple_response($name)); next }
                $c->note('waits');
                $c->read_until(qr/go/);
                return $c->write(simple_response("$name, late"));
            }
        });
    };
    my %at = map { $_ => $serves->($_) } qw(one two three);
    my $proxy = proxy(router => { module => build_dir() . '/examples/tenant_router.so', apps => app(balance => 'hash', 'max-requests' => 1, backends => [
        (map { { at => $at{$_}->address, id => $_ } } sort keys %at), { at => ok_backend('spare')->address, id => 'spare', weight => 300, labels => { tenants => 'none' } } ]) });
    my $of = sub { my ($tenant, $path) = @_; return $proxy->get($path // '/', "X-Tenant: $tenant\r\n")->body };
    my $pick = sub { return $proxy->log_where(path => shift)->{pick} };

    my $owner = $of->('acme', '/first');
    is($pick->('/first'), 'hash', 'a tenant that is new goes where its key says');
    is($of->('acme', '/second'), $owner, 'and stays there');
    is($pick->('/second'), 'prefer', 'because the router would have it so');
    my %seen = map { $of->("tenant-$_") => 1 } 1 .. 30;
    is(join(' ', sort keys %seen), 'one three two', 'others have their own, but for the one that is for no tenant');
    %seen = map { $proxy->get('/')->body => 1 } 1 .. 20;
    ok($seen{spare}, 'who has none gets that, too');

    my $held = $proxy->connect;
    $held->write("POST /acme HTTP/1.1\r\nHost: a\r\nX-Tenant: acme\r\nContent-Length: 2\r\n\r\n");
    ok($at{$owner}->wait_event(qr/waits/), 'its backend is full');
    my $other = $of->('acme');
    isnt($other, $owner, 'so another one takes the next, and is its home now');
    is($of->('acme', '/third'), $other, 'whoever owns its key');
    is($pick->('/third'), 'prefer', 'by preference');
    $held->write('go');
    is($held->read_response->body, "$owner, late", 'and when the first is free again');
    is($of->('acme'), $owner, 'the tenant is at home where it was served last');
};

# `weir check` of these lines under `module: table`: { exit, out, err }, without the file's name.
sub checked {
    my (@lines) = @_;
    my $file = write_file(temp_path('check.yaml'), join "\n", 'listen: 80', 'hosts:', '  default:', '    paths:', '      /:', '        weir.router:',
        '          module: table', (map { "          $_" } @lines), '');
    my $run = weir('check', '-c', $file);
    s/^\Q$file\E://gm, s/\Q$file\E:(\d+)$/line $1/gm for @$run{qw(out err)};
    return $run;
}

subtest 'an app that has no code yet' => sub {
    my %apps = (shop => { domains => ['shop'], blank => 'ON' }, blog => { domains => ['blog'], backends => [ $b{one}->address ] });
    my $proxy = proxy(apps => \%apps);
    my $r = of($proxy, 'shop', '/new');
    is($r->status, 404, 'is not found');
    like($r->body, qr/^not_found: This app has not been given any code yet\.$/m, 'and a page');
    my $line = $proxy->log_where(path => '/new');
    is($line->{code}, 'not_found', 'the log has our name for it');
    is($line->{app}, 'shop', 'and the app');
    is($line->{dyno}, '', 'no backend');
    is(of($proxy, 'blog', '/')->body, 'one', 'other apps are not');
    my $run = checked('apps:', '  one: { domains: [a.test], blank: ON }');
    is($run->{exit} . $run->{err}, '0', 'check is content');
    like($run->{out}, qr/^        one\n +blank +ON +line 9$/m, 'and tells it');
    $apps{shop} = { domains => ['shop'], backends => [ $b{two}->address ] };
    ok($proxy->reload(apps => \%apps), 'a reload that gives it code');
    is(of($proxy, 'shop', '/new')->body, 'two', 'is served');
    $apps{shop}{blank} = 'ON';
    ok($proxy->reload(apps => \%apps), 'and one that takes it away');
    is(of($proxy, 'shop', '/newer')->status, 404, 'is not, whatever backends there are');
};

subtest 'check tells what holds for each app, and where it stands' => sub {
    my $run = checked('defaults: { max-requests: 64, queue: { length: 500 } }', 'apps:',
        '  one: { domains: [a.test], backends: ["127.0.0.1:1"], hold: 1000, max-requests: 5 }',
        '  two: { domains: [b.test], backends: ["127.0.0.1:1"], balance: hash, hash-on: [path, "cookie c"], health: { tcp: ON, expect: 200 } }');
    is($run->{exit}, 0, 'fine');
    is($run->{err}, '', 'nothing to warn of');
    my ($all, $one, $two) = $run->{out} =~ /^ +every app that does not say otherwise\n(.*?)^        one\n(.*?)^        two\n(.*?)^    stages/ms;
    like($all, qr/^ +max-requests +64 +line 8$/m, 'of all: what the defaults say');
    like($all, qr/^ +queue: length +500 +line 8$/m, 'in a map, too');
    like($all, qr/^ +$_ +default$/m, "and what nobody says: $_") for qr/balance +best/, qr/hold +0/, qr/affinity +OFF/, qr/failure-status +500, 502-504/;
    unlike($all, qr/affinity: |health: |retry: |hash/, 'nothing of what is off');
    is($one, "          max-requests                  5                  line 10\n          hold                          1000               line 10\n", 'of one what it says');
    like($two, qr/^ +$_$/m, "of the other: $_") for qr/balance +hash +line 11/, qr/hash-on +path, cookie c +line 11/, qr/health: tcp +ON +line 11/,
        qr/health: expect +200 +line 11/, qr/health: interval +5000 +default/;
    unlike($two, qr/max-requests/, 'and nothing of what holds for all');
};

subtest 'check warns of what may not be meant' => sub {
    my $many = join ', ', map { qq("127.0.0.1:$_") } 1 .. 129;
    my $heavy = join ', ', (map { qq({ at: "127.0.0.1:$_", weight: 1000 }) } 1 .. 11), '{ at: "127.0.0.1:12", weight: 1 }';
    my $run = checked('apps:', "  least: { domains: [a.test], balance: least, backends: [ $many ] }",
        '  hold: { domains: [b.test], hold: 1000, backends: ["127.0.0.1:1"] }', '  pins: { domains: [c.test], affinity: ON, backends: ["127.0.0.1:1"] }',
        '  slots: { domains: [d.test], max-requests: 1, backends: ["127.0.0.1:1", "127.0.0.1:2"] }', "  rare: { domains: [e.test], backends: [ $heavy ] }");
    is($run->{exit}, 0, 'it is fine all the same');
    my @lines = split /\n/, $run->{err};
    is(scalar @lines, 5, 'a line each') or diag $run->{err};
    like($lines[0], qr/^9: warning: the app `least` has 129 backends/, 'least among many');
    like($lines[1], qr/^10: warning: the app `hold` holds requests, 1000 at most/, 'hold without a length');
    like($lines[2], qr/^11: warning: the app `pins` has affinity without a `key-file`/, 'pins that end');
    like($lines[3], qr/^12: warning: the app `slots` may have only 2 in flight/, 'few slots');
    like($lines[4], qr/^13: warning: the backend `127\.0\.0\.1:12` of the app `rare` gets one request of 11001/, 'a weight that is next to nothing');
};

subtest 'apps and domains of files' => sub {
    my ($apps, $domains) = map { temp_path($_) } qw(apps.json domains.json);
    my @at = map { ok_backend($_) } qw(one two three);
    write_file($apps, join "\n", "# two apps", qq({"app": "one", "domains": ["one.test"], "backends": ["@{[ $at[0]->address ]}"], "error-pages": {}}), '',
        qq({"app": "two", "backends": [{"at": "@{[ $at[1]->address ]}", "id": "\\u0074wo"}]}));
    write_file($domains, qq({"domain": "two.test/deep", "app": "two"}\n{"domain": "*.three.test", "app": "three"}\n));
    my %router = (module => 'table', 'apps-file' => $apps, 'domains-file' => $domains, apps => { three => { domains => ['three.test'], backends => [ $at[2]->address ] } });
    my $proxy = proxy(router => \%router);
    my $ask = sub { $proxy->ask("GET $_[1] HTTP/1.1\r\nHost: $_[0]\r\n\r\n") };
    is($ask->('one.test', '/')->body, 'one', 'an app of the file');
    is($ask->('two.test', '/deep/x')->body, 'two', 'its domain of the other file, with a path');
    is($ask->('two.test', '/')->status, 404, 'which is its only one');
    is($ask->($_, '/')->body, 'three', "an app that is written out: $_") for qw(three.test a.three.test);
    is($proxy->log_where(app => 'two')->{dyno}, 'two', 'JSON is read as JSON');
    write_file($apps, qq({"app": "one", "domains": ["one.test"], "backends": ["@{[ $at[1]->address ]}"]}\n{"app": "two", "backends": []}\n));
    ok($proxy->reload(router => \%router), 'a reload reads them again');
    is($ask->('one.test', '/')->body, 'two', 'as they are now');

    my %wrong = (
        '{"app": "two", "backends": [], "hodl": 1}'        => qr/^apps:2: .*hodl/,
        '{"app": "one", "domains": ["x.test"], "backends": []}' => qr/^yaml:\d+: the app `one` is there twice/,
        '{"app": "two", "domains": ["one.test"], "backends": []}' => qr/^apps:2: the domain `one\.test` belongs to the app `one` already/,
        '{"app": "two"'                                    => qr/^apps:2: /,
        'app: two'                                         => qr/^apps:2: each line is a JSON object/,
        '{"domains": ["x.test"], "backends": []}'          => qr/^apps:2: an app has a name/,
    );
    write_file($domains, '');
    my $file = write_file(temp_path('files.yaml'), "listen: 80\nhosts: { default: { paths: { /: { weir.router: { module: table,\n apps-file: $apps, domains-file: $domains } } } } }\n");
    for my $line (sort keys %wrong) {
        write_file($apps, qq({"app": "one", "domains": ["one.test"], "backends": []}\n$line\n));
        my $run = weir('check', '-c', $file);
        is($run->{exit}, 1, $line);
        (my $err = $run->{err}) =~ s/^\Q$apps\E:/apps:/gm;
        $err =~ s/^\Q$file\E:/yaml:/gm;
        like($err, $wrong{$line}, 'with its place') or diag $run->{err};
    }
    write_file($apps, qq({"app": "one", "domains": ["one.test"], "backends": []}\n));
    write_file($domains, qq({"domain": "z.test", "app": "one"}\n{"domain": "x.test", "app": "none"}\n));
    like(weir('check', '-c', $file)->{err}, qr/^\Q$domains\E:2: there is no app `none`/m, 'a domain of nobody');
    unlink $domains;
    like(weir('check', '-c', $file)->{err}, qr/^\Q$file\E:3: domains-file: \Q$domains\E: No such file/m, 'a file that is not there');
};

subtest 'a router of the kit tells the same' => sub {
    my $file = write_file(temp_path('canary.yaml'), "listen: 80\nhosts: { default: { paths: { /: { weir.router: {\n module: "
        . build_dir() . "/examples/canary_router.so,\n apps: { a: { domains: [a.test], backends: [\"127.0.0.1:1\"], hold: 5,\n queue: { length: 9 } } } } } } } }\n");
    my $run = weir('check', '-c', $file);
    like($run->{out}, qr/^ +hold +5 +\Q$file\E:4$/m, 'with places') or diag $run->{err};
};

done_testing;
