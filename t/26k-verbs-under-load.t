# SPDX-License-Identifier: MIT
# Every verb of the admin endpoint and of its commands while clients ask without a pause: no request fails, no connection is closed.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;
use Weir::Http2Client;
use Weir::Load;
use JSON::PP ();

admin_path(temp_path('admin.sock'));
my ($one, $two, $three) = map { fast_backend($_) } qw(one two three);
my %live  = (domains => ['live.test'], backends => [ { at => $one->address, id => 'one' }, { at => $two->address, id => 'two' } ]);
my $proxy = proxy(
    global => { 'weir.admin' => { path => admin_path(), permission => '0600' }, 'num-threads' => 2 },
    router => { module => 'table', name => 'main', apps => {
        live => { %live, queue => { timeout => ms(60_000) } },
        other => { domains => [ 'other.test', '*.other.test' ], backends => [ { at => $three->address, id => 'a' }, { at => $one->address, id => 'b' } ] } } },
);
ok(wait_for { -S admin_path() }, 'the endpoint is there');

my @kinds = (qw(get post get), Weir::Http2Client::is_possible() ? 'h2' : 'get');
my $load  = Weir::Load->start($proxy, kinds => \@kinds, host => 'live.test', body => qr/^(?:one|two|three)$/);
ok($load->goes_on(1), scalar(@kinds) . ' clients are at work');
my @at_first = sort { $a <=> $b } ports();

# The ports of the clients, from the proxy's side of their connections: who connects anew has another one.
sub ports {
    my $at = sprintf '%04X', $proxy->port;
    return map { /^\s*\d+: \w+:$at \w+:(\w+) 01 / ? hex $1 : () } split /\n/, read_file('/proc/net/tcp');
}

# Something is done, with this status, and then all clients go on.
sub works {
    my ($status, $method, $target, @rest) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $answer = call($method => $target, @rest);
    is($answer->{status}, $status, "$method $target") or diag $answer->{body};
    ok($load->goes_on(2), 'and the clients go on');
    return $answer->{document};
}

sub commands {
    my (@words) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $run = weir(@words, '-s', admin_path());
    is("$run->{exit} $run->{err}", '0 ', "weir @words");
    ok($load->goes_on(2), 'and the clients go on');
    return $run->{out};
}

my $backends = '/v1/apps/live/backends';

subtest 'what is read' => sub {
    works(200, GET => $_) for qw(/ /v1 /v1/version /v1/routers /v1/top /v1/apps /v1/apps/live /v1/apps/live?effective=1 /v1/domains /v1/domains/live.test
        /v1/state /v1/watch?once=1), $backends, "$backends/one";
    works(200, POST => '/v1/explain', { url => 'http://live.test/' });
    commands(@$_) for ['routers'], ['apps'], [qw(apps live)], [qw(backends live)], [qw(top --once --interval 0.2)], [qw(explain http://live.test/)];
};

subtest 'backends of the app that they ask' => sub {
    works(201, POST => $backends, { at => $three->address, id => 'three', weight => 50 });
    works(200, PATCH => "$backends/one", { weight => 7, max_requests => 30 });
    works(200, PUT => "$backends/one", { at => $one->address, weight => 70 });
    works(200, PUT => "$backends/two", { at => $three->address });
    works(200, PUT => "$backends/two", { at => $two->address });
    for my $id (qw(one two three)) {
        is(works(200, POST => "$backends/$id/drain?wait=idle")->{in_flight}, 0, 'it is idle');
        works(200, POST => "$backends/$id/off?wait=grace");
        works(200, POST => "$backends/$id/up");
    }
    works(204, DELETE => "$backends/three?wait=idle");
    works(201, PUT => "$backends/three", { at => $three->address });
    works(204, DELETE => "$backends/one");
    works(204, DELETE => "$backends/two");
    works(204, POST => "$backends/$_/revert") for qw(one two);
    works(204, DELETE => "$backends/three");
};

subtest 'the same by commands' => sub {
    commands('add', 'live', $three->address, '--id', 'three', '--weight', 9, '--max-requests', 50);
    commands(qw(weight live one 0));
    commands(qw(weight live one 100));
    for my $id (qw(one two three)) { commands($_, 'live', $id) for qw(drain off up) }
    commands(qw(remove live three));
};

subtest 'settings of that app' => sub {
    for my $settings ({ balance => 'round-robin' }, { balance => 'least' }, { hold => 100, 'app-max-requests' => 3 }, { choices => 2, queue => { length => 50 } }) {
        works(200, PATCH => '/v1/apps/live', { settings => $settings });
        works(200, PATCH => '/v1/apps/live', { settings => { map { $_ => undef } keys %$settings } });
    }
    works(200, PUT => '/v1/apps/live', works(200, GET => '/v1/apps/live'));
    works(204, POST => '/v1/apps/live/revert');
};

# All four wait, each with its one request.
sub all_wait { return ok(wait_for { (call(GET => '/v1/apps/live')->{document}{queue}{waiting} // 0) == @kinds }, 'all clients wait') }

subtest 'a pause' => sub {
    is(call(POST => '/v1/apps/live/pause?wait=idle', { max_ms => ms(60_000) })->{document}{in_flight}, 0, 'nothing is in flight any more');
    all_wait();
    works(200, POST => '/v1/apps/live/resume');
    is(weir(qw(pause live --max 60s -s), admin_path())->{exit}, 0, 'weir pause');
    all_wait();
    is(call(PATCH => "$backends/one", { weight => 30 })->{status}, 200, 'something is changed meanwhile');
    is(call(POST => "$backends/two/off")->{status}, 200, 'and another');
    commands(qw(resume live --spread 50ms));
    works(204, POST => '/v1/apps/live/revert');
};

subtest 'what is not theirs' => sub {
    works(200, POST => '/v1/apps/other/stop');
    is($proxy->ask("GET / HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n")->status, 503, 'another app is stopped');
    commands(qw(resume other));
    commands(qw(stop other));
    works(200, POST => '/v1/apps/other/resume');
    works(201, PUT => '/v1/apps/new', { domains => ['new.test'], backends => [ $three->address ] });
    works(200, PATCH => '/v1/apps/new', { settings => { hold => 5 } });
    works(201, PUT => '/v1/domains/more.test', { app => 'new' });
    works(201, PUT => '/v1/domains/live.test/part', { app => 'new' });
    works(204, DELETE => '/v1/domains/live.test/part');
    works(204, DELETE => '/v1/domains/more.test');
    works(204, DELETE => '/v1/apps/new');
    works(204, DELETE => '/v1/domains/other.test');
    works(204, DELETE => '/v1/domains/other.test?revert=1');
    works(204, DELETE => '/v1/apps/other');
    works(204, POST => '/v1/apps/other/revert');
};

subtest 'much at once' => sub {
    my @changes = map { (
        { op => 'put', path => "/apps/n$_", value => { domains => ["n$_.test"], backends => [ $three->address ] } },
        { op => 'put', path => "/apps/live/backends/n$_", value => { at => $three->address, weight => $_ } },
    ) } 1 .. 50;
    works(200, POST => '/v1/changes', \@changes);
    works(200, POST => '/v1/changes', [ map { { op => 'delete', path => $_->{path} } } @changes ]);
    works(200, POST => '/v1/changes', [ map { { op => 'patch', path => '/apps/live/backends/one', value => { weight => $_ } } } 1 .. 1000 ]);
    works(404, POST => '/v1/changes', [ { op => 'delete', path => '/apps/live' }, { op => 'delete', path => '/apps/none' } ]);
    works(200, PUT => '/v1/state', works(200, GET => '/v1/state'));
    works(204, POST => '/v1/apps/live/revert');
};

subtest 'for so long' => sub {
    my $state = sub { return call(GET => "$backends/one")->{document}{state} };
    works(200, POST => "$backends/one/drain", { max_ms => 100 });
    ok(wait_for { $state->() eq 'off' }, 'a drain ends by itself');
    works(200, POST => "$backends/one/up");
    commands(qw(quarantine live one --max 100ms));
    ok(wait_for { $state->() eq 'up' }, 'and a quarantine');
    commands(qw(off live one --max 100ms));
    ok(wait_for { $state->() eq 'up' }, 'and so does off');
    works(201, PUT => "$backends/three", { at => $three->address });
    works(200, DELETE => "$backends/three?drain_ms=100");
    ok(wait_for { call(GET => "$backends/three")->{status} == 404 }, 'and what is removed in time has gone');
    works(204, POST => '/v1/apps/live/revert');
};

subtest 'the later commands' => sub {
    my $file = temp_path('changes.json');
    write_file($file, JSON::PP->new->encode([
        { op => 'put', path => '/apps/batch', value => { domains => ['batch.test'], backends => [ $three->address ] } },
        { op => 'patch', path => '/apps/live/backends/one', value => { weight => 11 } } ]));
    commands('apply', $file);
    commands(qw(domain add more.live.test live));
    commands(qw(domain add more.live.test batch --take));
    commands(qw(domain remove more.live.test));
    commands(qw(remove live two --wait));
    commands(qw(revert live two));
    commands(qw(revert live));
    commands(qw(revert batch.test));
    commands(@$_) for [qw(domains live)], ['dump'], ['state'], [ 'dump', '--save', temp_path('state.json') ], [qw(watch --once --after 0)], ['connections'], ['metrics'];
    commands(qw(drain live two --wait));
    commands(qw(up live two));
};

subtest 'a reload' => sub {
    commands(qw(weight live one 60));
    commands('reload');
    is(call(GET => "$backends/one")->{document}{weight}, 60, 'what was changed holds');
    works(204, POST => '/v1/apps/live/revert');
};

is_deeply([ sort { $a <=> $b } ports() ], \@at_first, 'the connections are those that there were') or diag explain [ ports() ];
my $seen = $load->finish;
is_deeply($seen->{wrong}, [], "each of $seen->{answers} requests had its answer, on the one connection of its client");
is((grep { $_->{host} eq 'live.test' && $_->{status} != 200 } $proxy->log_lines($seen->{answers})), 0, 'so says the log');
is((grep { ($_->{code} // '') ne '' && $_->{host} eq 'live.test' } $proxy->log_lines($seen->{answers})), 0, 'and has no reason to tell');
is(scalar(grep { $_->{host} eq 'live.test' } $proxy->log_lines($seen->{answers})), $seen->{answers}, 'no line is missing');

done_testing;
