# SPDX-License-Identifier: MIT
# What operators make while it serves: apps, domains, many changes at once; who watches; and what waits.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;
use IO::Select;

admin_path(temp_path('admin.sock'));
my ($one, $two, $three) = map { ok_backend($_) } qw(one two three);

sub configuration {
    my (%more) = @_;
    return (
        global => { 'weir.admin' => { path => admin_path(), permission => '0600' } },
        router => { module => 'table', name => 'main', defaults => { 'max-requests' => 50 }, %more, apps => {
            shop => { domains => [ 'shop.test', '*.shop.test' ], backends => [ { at => $one->address, id => 'one' } ] },
            blog => { domains => ['blog.test'], backends => [ $two->address ] } } },
    );
}

my $proxy = proxy(configuration());

sub readable { my ($socket) = @_; return IO::Select->new($socket)->can_read(0) }

# Who answers for a host and a path, or the status.
sub answer_of {
    my ($host, $path) = @_;
    my $answer = $proxy->ask('GET ' . ($path // '/') . " HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n");
    return $answer->status == 200 ? $answer->body : $answer->status;
}

subtest 'domains' => sub {
    is(answer_of('new.test'), 404, 'nobody has it');
    my $made = call(PUT => '/v1/domains/New.test.', { app => 'shop' });
    is($made->{status}, 201, 'it is made');
    is(answer_of('new.test'), 'one', 'and found at once');
    is(call(PUT => '/v1/domains/new.test', { app => 'shop' })->{status}, 200, 'it is there already');
    is_problem(call(PUT => '/v1/domains/new.test', { app => 'blog' }), 409, 'domain-taken', 'another app');
    my $tag = call(GET => '/v1/domains/new.test')->{fields}{etag};
    is_problem(call(PUT => '/v1/domains/new.test', { app => 'blog' }, 'If-Match' => '"0"'), 412, 'precondition-failed', 'not as it was');
    is(call(PUT => '/v1/domains/new.test', { app => 'blog' }, 'If-Match' => $tag)->{status}, 200, 'taken over, knowing whose it was');
    is(answer_of('new.test'), 'two', 'by the other');
    is(call(PUT => '/v1/domains/new.test/api', { app => 'shop' })->{status}, 201, 'a prefix of it');
    is(answer_of('new.test', '/api/x'), 'one', 'is the other app\'s');
    is(answer_of('new.test', '/apis'), 'two', 'and only that');
    is_deeply([ sort @{ call(GET => '/v1/apps/shop')->{document}{domains} } ], [ '*.shop.test', 'new.test/api', 'shop.test' ], 'an app shows its domains');
    my $listed = call(GET => '/v1/domains?limit=2')->{document};
    is_deeply([ map { $_->{domain} } @{ $listed->{domains} } ], [ '*.shop.test', 'blog.test' ], 'they are listed in order');
    is(call(GET => "/v1/domains?after=$listed->{after}&prefix=new")->{document}{domains}[0]{app}, 'blog', 'a page at a time');
    is(call(DELETE => '/v1/domains/blog.test')->{status}, 204, 'one of the configuration\'s is removed');
    is(answer_of('blog.test'), 404, 'and not found');
    is_problem(call(DELETE => '/v1/domains/blog.test'), 404, 'unknown-domain', 'a second time');
    is(call(DELETE => '/v1/domains/blog.test?revert=1')->{status}, 204, 'it is as the configuration has it');
    is(answer_of('blog.test'), 'two', 'again');
    is_problem(call(PUT => '/v1/domains/a..b', { app => 'shop' }), 422, 'invalid-value', 'what is no domain');
    is_problem(call(PUT => '/v1/domains/x.test', { app => 'none' }), 422, 'unknown-app', 'an app that is none');
    is_problem(call(PUT => '/v1/domains/x.test', {}), 422, 'invalid-value', 'no app');
    is(call(PUT => '/v1/domains/y.test', { app => 'shop' }, 'If-None-Match' => '*')->{status}, 201, 'only if there is none');
    is_problem(call(PUT => '/v1/domains/y.test', { app => 'shop' }, 'If-None-Match' => '*'), 412, 'precondition-failed', 'there is one');
};

my %api = (domains => ['api.test'], backends => [ { at => $three->address, id => 'three' } ], settings => { queue => { length => 7 } });

subtest 'apps' => sub {
    is(call(PUT => '/v1/apps/api', \%api)->{status}, 201, 'one is made');
    is(answer_of('api.test'), 'three', 'and serves');
    my $app = call(GET => '/v1/apps/api')->{document};
    is($app->{settings}{queue}{length}, 7, 'its settings');
    is($app->{settings}{'max-requests'}, 50, 'and those for all');
    is(call(POST => '/v1/apps/api/backends', { at => $one->address, id => 'one' })->{status}, 201, 'a backend is added');
    is(call(DELETE => '/v1/apps/api/backends/three')->{status}, 204, 'another one removed');
    is(answer_of('api.test'), 'one', 'so it serves');
    $app = call(GET => '/v1/apps/api')->{document};
    is(call(PUT => '/v1/apps/api', $app)->{status}, 200, 'what is shown can be put');
    my $again = call(GET => '/v1/apps/api')->{document};
    is_deeply([ @$again{qw(domains settings)} ], [ @$app{qw(domains settings)} ], 'and is the same then');
    is(call(PUT => '/v1/apps/api', { %api, domains => ['api2.test'] })->{status}, 200, 'it is replaced');
    is(answer_of('api.test'), 404, 'with its domains');
    is(answer_of('api2.test'), 'three', 'and its backends');
    is(call(DELETE => '/v1/apps/api')->{status}, 204, 'it is removed');
    is(answer_of('api2.test'), 404, 'with its domain');
    is_problem(call(GET => '/v1/apps/api'), 404, 'unknown-app', 'and gone');
    is(call(PUT => '/v1/apps/api', \%api)->{status}, 201, 'it is made again');
    is(answer_of('api.test'), 'three', 'and serves');
    is_problem(call(PUT => '/v1/apps/other', { domains => ['api.test'] }), 409, 'domain-taken', 'another one wants its domain');
    is_problem(call(GET => '/v1/apps/other'), 404, 'unknown-app', 'which leaves nothing behind');
    is_problem(call(PUT => '/v1/apps/other', { settings => { what => 1 } }), 422, 'invalid-value', 'a setting that is none');
    is_problem(call(PUT => '/v1/apps/other', { what => 1 }), 422, 'unknown-key', 'a key that is none');
    my $wrong = call(PUT => '/v1/apps/other', { backends => [ { at => '127.0.0.1:1' }, { at => 'x' } ] });
    is($wrong->{document}{pointer}, '/backends/1', 'a backend that is none, and which');
    is(call(DELETE => '/v1/apps/blog')->{status}, 204, 'one of the configuration\'s is removed');
    is(answer_of('blog.test'), 404, 'its domain with it');
    is(call(PUT => '/v1/domains/blog.test', { app => 'shop' })->{status}, 201, 'which another one may have');
    is(answer_of('blog.test'), 'one', 'and has');
    is(call(DELETE => '/v1/domains/blog.test?revert=1')->{status}, 204, 'back');
    is(call(POST => '/v1/apps/blog/revert')->{status}, 204, 'both');
    is(answer_of('blog.test'), 'two', 'as the configuration has it');
};

subtest 'many at once' => sub {
    my $seq = call(GET => '/v1/apps')->{document}{seq};
    my $done = call(POST => '/v1/changes', [
        { op => 'put',   path => '/apps/many', value => { backends => [ $one->address ] } },
        { op => 'put',   path => '/domains/many.test', value => { app => 'many' } },
        { op => 'put',   path => '/apps/many/backends/b', value => { at => $two->address, weight => 0 } },
        { op => 'patch', path => '/apps/many/backends/b', value => { weight => 3 } },
        { op => 'patch', path => '/apps/shop', value => { settings => { hold => 100 } } },
    ]);
    is($done->{status}, 200, 'all of them');
    is_deeply($done->{document}, { seq => $seq + 1, changes => 5 }, 'under one number');
    is(call(GET => '/v1/apps/many/backends/b')->{document}{weight}, 3, 'they hold');
    like(answer_of('many.test'), qr/one|two/, 'all');
    my $wrong = call(POST => '/v1/changes', [
        { op => 'delete', path => '/domains/many.test' },
        { op => 'delete', path => '/apps/many/backends/b' },
        { op => 'put',    path => '/apps/fresh', value => {} },
        { op => 'patch',  path => '/apps/shop/backends/one', value => { weight => 'much' } },
    ]);
    is_problem($wrong, 422, 'invalid-value', 'one that is wrong');
    is($wrong->{document}{pointer}, '/3', 'and which');
    is(call(GET => '/v1/apps')->{document}{seq}, $seq + 1, 'none of them');
    is(call(GET => '/v1/apps/many/backends/b')->{status}, 200, 'is done');
    is_problem(call(GET => '/v1/apps/fresh'), 404, 'unknown-app', 'nothing was made');
    like(answer_of('many.test'), qr/one|two/, 'nor taken');
    my $tag = call(GET => '/v1/apps/many')->{fields}{etag};
    my @old = ({ op => 'delete', path => '/apps/many', if_match => '"1"' });
    is_problem(call(POST => '/v1/changes', \@old), 412, 'precondition-failed', 'not as it was');
    is(call(POST => '/v1/changes', [ { %{ $old[0] }, if_match => $tag } ])->{status}, 200, 'as it was');
    is_problem(call(POST => '/v1/changes', { }), 400, 'malformed', 'no list');
    is_problem(call(POST => '/v1/changes', [ { op => 'put', path => '/what', value => {} } ]), 422, 'invalid-value', 'no path');
    is_problem(call(POST => '/v1/changes', [ { op => 'do', path => '/apps/shop' } ]), 422, 'invalid-value', 'no op');
    is_problem(call(POST => '/v1/changes', [ map { { op => 'delete', path => "/apps/$_" } } 1 .. 10001 ]), 413, 'too-large', 'too many');
};

subtest 'watching' => sub {
    my $seq = call(GET => '/v1/apps')->{document}{seq};
    my $socket = open_socket();
    print {$socket} "GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n";
    my $text = '';
    ok(wait_for { sysread $socket, $text, 4096, length $text; $text =~ /\r\n\r\n/ }, 'it begins');
    call(PATCH => '/v1/apps/shop/backends/one', { weight => 42 });
    call(DELETE => '/v1/apps/api');
    ok(wait_for { sysread $socket, $text, 4096, length $text; $text =~ /"delete"/ && $text =~ m{/apps/api"} }, 'changes come');
    my ($first) = grep { $_->{seq} == $seq + 1 } lines_of(join "\n", $text =~ /^(\{.*\})\r?$/mg);
    is_deeply([ @$first{qw(op path before after)} ], [ 'patch', '/apps/shop/backends/one', { weight => 100 }, { weight => 42 } ], 'what was and is');
    is($first->{who}{uid}, $>, 'whose it was');
    like($first->{at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'and when');
    my @since = lines_of(call(GET => "/v1/watch?once=1&after=$seq")->{body});
    is($since[0]{seq}, $seq + 1, 'what has been missed can be had');
    is($since[-1]{path}, '/apps/api', 'to the last');
    my @thousands = map { { op => 'patch', path => '/apps/shop/backends/one', value => { weight => $_ % 100 + 1 } } } 1 .. 6000;
    call(POST => '/v1/changes', \@thousands) for 1 .. 2;
    is_problem(call(GET => "/v1/watch?after=$seq"), 410, 'gone', 'but no more than ten thousand');
    is_problem(call(GET => '/v1/watch?after=x'), 422, 'invalid-value', 'no number');
};

subtest 'what is kept is bounded' => sub {
    my $seq = call(GET => '/v1/apps')->{document}{seq};
    for my $n (1 .. 5) { call(PATCH => '/v1/apps/shop/backends/one', { labels => { long => $n x 600_000 } }) }
    is_problem(call(GET => "/v1/watch?after=$seq"), 410, 'gone', 'long ones are not kept for long');
    my @last = lines_of(call(GET => '/v1/watch?once=1&after=' . ($seq + 4))->{body});
    is(length $last[0]{after}{labels}{long}, 600_000, 'the last ones are');
    call(PATCH => '/v1/apps/shop/backends/one', { labels => undef });
};

subtest 'many apps at once' => sub {
    my @apps = map { { op => 'put', path => "/apps/group$_", value => { domains => [ "a$_.group.test", "b$_.group.test" ], backends => [ $one->address ] } } } 1 .. 5;
    is(call(POST => '/v1/changes', \@apps)->{status}, 200, 'are made');
    $_->{value}{domains}[1] =~ s/^b/c/ for @apps;
    is(call(POST => '/v1/changes', \@apps)->{status}, 200, 'and replaced');
    is_deeply([ map { answer_of("$_.group.test") } qw(a1 a5 c1 c5 b1 b5) ], [ ('one') x 4, 404, 404 ], 'each with its own domains');
    call(POST => '/v1/changes', [ map { { op => 'delete', path => "/apps/group$_" } } 1 .. 5 ]);
    is(answer_of('c3.group.test'), 404, 'and gone');
};

subtest 'health' => sub {
    my ($with, $without) = map { my $socket = open_socket(); print {$socket} "GET /v1/watch?health=$_ HTTP/1.1\r\nHost: localhost\r\n\r\n"; $socket } 1, 0;
    call(PUT => '/v1/apps/ill', { domains => ['ill.test'], backends => [ { at => '127.0.0.1:' . free_port(), id => 'nobody' }, { at => $one->address, id => 'well' } ] });
    my ($told, $other) = ('', '');
    ok(wait_for { answer_of('ill.test'); sysread $with, $told, 4096, length $told if readable($with); $told =~ /"health"/ }, 'who wants to know is told');
    my ($event) = grep { $_->{op} eq 'health' } lines_of(join "\n", $told =~ /^(\{.*\})\r?$/mg);
    is_deeply([ @$event{qw(path before after)} ], [ '/apps/ill/backends/nobody', { health => 'well' }, { health => 'connect' } ], 'who is ill, and how');
    call(DELETE => '/v1/apps/ill');
    ok(wait_for { sysread $without, $other, 4096, length $other; $other =~ /"delete"/ }, 'another one');
    unlike($other, qr/"op":"health"/, 'is not');
};

subtest 'all of it' => sub {
    my $state = call(GET => '/v1/state')->{document};
    is_deeply([ map { $_->{app} } @{ $state->{apps} } ], [qw(blog shop)], 'every app');
    my ($shop) = grep { $_->{app} eq 'shop' } @{ $state->{apps} };
    my %less = (%$shop, domains => ['shop.test']);
    is(call(PUT => '/v1/state', { apps => [ \%less, { app => 'third', domains => ['third.test'], backends => [ $three->address ] } ] })->{status}, 200, 'is put');
    is(answer_of('third.test'), 'three', 'what is new serves');
    is(answer_of('www.shop.test'), 404, 'what is not said is gone');
    is(answer_of('blog.test'), 404, 'an app, too');
    is(answer_of('shop.test'), 'one', 'and what is said is there');
    is(call(PUT => '/v1/state', $state)->{status}, 200, 'and as it was');
    is_deeply([ map { answer_of($_) } qw(third.test www.shop.test blog.test) ], [ 404, 'one', 'two' ], 'again');
};

subtest 'waiting' => sub {
    is(call(POST => '/v1/apps/shop/backends/one/drain?wait=idle')->{document}{state}, 'draining', 'until nothing is in flight');
    is(call(POST => '/v1/apps/shop/backends/one/up?wait=grace')->{document}{state}, 'up', 'until nobody sees what was');

    my $gate = temp_path('gate');
    my $slow = backend(sub { $_[0]->serve(sub { wait_for { -e $gate }; simple_response('slow') }) });
    call(PUT => '/v1/apps/slow', { domains => ['slow.test'], backends => [ { at => $slow->address, id => 'a' } ] });
    my $client = $proxy->connect;
    $client->write("GET / HTTP/1.1\r\nHost: slow.test\r\nConnection: close\r\n\r\n");
    ok(wait_for { call(GET => '/v1/apps/slow')->{document}{in_flight} == 1 }, 'a request is under way');
    my @waiting = map { my $socket = open_socket(); print {$socket} "POST /v1/apps/slow/$_?wait=idle HTTP/1.0\r\nHost: localhost\r\n\r\n"; $socket->flush; $socket }
        qw(pause backends/a/drain);
    ok(wait_for { call(GET => '/v1/apps/slow/backends/a')->{document}{state} eq 'draining' }, 'two wait for its end');
    write_file($gate, '');
    is($client->read_response->body, 'slow', 'it ends');
    for my $socket (@waiting) {
        my $answer = do { local $/; readline $socket };
        is((lines_of($answer =~ /(\{.*\})/s))[0]{in_flight}, 0, 'they are told what is so then');
    }
    call(DELETE => '/v1/apps/slow');
};

subtest 'for so long' => sub {
    my $drained = call(POST => '/v1/apps/shop/backends/one/drain', { max_ms => 200 })->{document};
    is("$drained->{state} $drained->{then}{do}", 'draining off', 'a drain that ends');
    ok(wait_for { call(GET => '/v1/apps/shop/backends/one')->{document}{state} eq 'off' }, 'in being off');
    is(call(GET => '/v1/apps/shop/backends/one')->{document}{then}, undef, 'and that is all');
    is(call(POST => '/v1/apps/shop/backends/one/quarantine', { max_ms => 200 })->{document}{state}, 'off', 'a quarantine');
    ok(wait_for { call(GET => '/v1/apps/shop/backends/one')->{document}{state} eq 'up' }, 'ends');
    is(answer_of('shop.test'), 'one', 'and it serves');
    call(POST => '/v1/apps/shop/backends/one/quarantine');
    is(call(DELETE => '/v1/apps/shop/backends/one/quarantine')->{document}{then}, undef, 'or is ended');
    is(answer_of('shop.test'), 'one', 'early');
    call(POST => '/v1/apps/shop/backends/one/drain', { max_ms => 100 });
    is(call(POST => '/v1/apps/shop/backends/one/up')->{document}{then}, undef, 'who says something else ends a drain, too');
    call(POST => '/v1/apps/shop/backends', { at => $two->address, id => 'brief' });
    is(call(DELETE => '/v1/apps/shop/backends/brief?drain_ms=200')->{document}{then}{do}, 'remove', 'removed, but drained first');
    ok(wait_for { call(GET => '/v1/apps/shop/backends/brief')->{status} == 404 }, 'then it is gone');
    is(call(GET => '/v1/apps/shop/backends/one')->{document}{state}, 'up', 'what was drained for a moment is up still');
    is_problem(call(DELETE => '/v1/apps/shop/backends/one?drain_ms=x'), 422, 'invalid-value', 'no time');
    is_problem(call(PATCH => '/v1/apps/shop/backends/one', { then => { do => 'dance' } }), 422, 'invalid-value', 'nothing that can be done');
};

subtest 'over a reload' => sub {
    call(PUT => '/v1/apps/api', \%api);
    call(PUT => '/v1/domains/kept.test', { app => 'shop' });
    call(DELETE => '/v1/apps/blog');
    ok($proxy->reload(configuration()), 'the same configuration');
    is_deeply([ map { answer_of($_) } qw(api.test kept.test blog.test) ], [ 'three', 'one', 404 ], 'what was made holds');
    my %other = configuration();
    $other{router}{apps}{blog}{backends} = [ $three->address ];
    $other{router}{apps}{shop}{domains} = [ 'shop.test', 'kept.test' ];
    ok($proxy->reload(%other), 'one that says something new');
    is(answer_of('blog.test'), 'three', 'wins where it does');
    is_deeply([ map { answer_of($_) } qw(api.test kept.test) ], [ 'three', 'one' ], 'and nowhere else');
    like($proxy->stderr, qr/app blog: what was changed while the proxy ran is dropped: the configuration says something new of it/, 'which is told');
};

done_testing;
