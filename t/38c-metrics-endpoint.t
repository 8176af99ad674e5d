# SPDX-License-Identifier: MIT
# weir.metrics with an address of its own: what is answered there and to whom, while loops are stuck, while the proxy drains, over reloads
# and upgrades; and the same at the admin endpoint.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;
use Compress::Zlib qw(crc32);
use IO::Socket::INET;

my $promtool = $ENV{PROMTOOL} // '/usr/bin/promtool';
my $backend  = ok_backend('ok');
my $port     = free_port();

# One request to the endpoint: status, fields, body.
sub fetch {
    my ($target, %option) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $option{port} // $port, Proto => 'tcp') or return;
    my $method = $option{method} // 'GET';
    print {$socket} "$method $target HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" . ($option{fields} // '') . "\r\n" . ($option{body} // '');
    local $/;
    my ($head, $body) = split /\r\n\r\n/, <$socket> // '', 2;
    my %field = map { /^([^:]+): *(.*)$/ ? (lc $1 => $2) : () } split /\r\n/, $head // '';
    return { status => ($head // '') =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0, fields => \%field, body => $body // '' };
}

sub status_of { my $answer = fetch(@_); return $answer ? $answer->{status} : 'none' }

my $path  = admin_path(temp_path('admin.sock'));
my $proxy = proxy(backends => [$backend], global => { 'weir.metrics' => "127.0.0.1:$port", 'weir.admin' => { path => $path } });
ok(wait_for { status_of('/readyz') eq '200' }, 'the endpoint is there');

subtest 'what is there' => sub {
    $proxy->get('/');
    my $text = fetch('/metrics');
    is($text->{fields}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'text');
    like($text->{body}, qr/^weir_requests_total\{[^}]*\} \d/m, 'with numbers');
    like($text->{body}, qr/^weir_connections\{side="client"\} \d/m, 'of the server');
    my $open = fetch('/metrics', fields => "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.3\r\n");
    is($open->{fields}{'content-type'}, 'application/openmetrics-text; version=1.0.0; charset=utf-8', 'OpenMetrics for who asks for it');
    like($open->{body}, qr/\n# EOF\n\z/, 'which has an end');
    my $head = fetch('/metrics', method => 'HEAD');
    is($head->{status}, 200, 'HEAD');
    cmp_ok($head->{fields}{'content-length'}, '>', 1000, 'with the length');
    is($head->{body}, '', 'alone');
    is(fetch('/livez')->{body}, "ok\n", 'all loops turn');
    is(fetch('/readyz')->{body}, "ok\n", 'and requests are welcome');
    is(status_of('/'), 404, 'nothing else is there');
    is(status_of('/v1/apps'), 404, 'least of all the admin endpoint');
    my $post = fetch('/metrics', method => 'POST');
    is("$post->{status} $post->{fields}{allow}", '405 GET, HEAD', 'nothing can be changed');
    is(status_of('/metrics', method => 'POST', fields => "Content-Length: 2000\r\n", body => 'x' x 2000), 413, 'nobody may send much');
    SKIP: {
        skip "there is no $promtool", 1 unless -x $promtool;
        my $file = write_file(temp_path('metrics'), $text->{body});
        is(scalar `$promtool check metrics < $file 2>&1`, '', 'promtool has nothing to say');
    }
};

# Every series as its labels in order and its value: "name{a=b,c=d}" => 5.
sub series {
    my (%option) = @_;
    my %value;
    for (split /\n/, fetch('/metrics', %option)->{body}) {
        next if /^#/;
        my ($name, $labels, $value) = /^(\w+)(?:\{(.*)\})? (\S+)$/ or die "not a series: $_";
        $labels = join ',', sort map { s/"//gr } split /,(?=\w+=")/, $labels // '';
        $value{ $name . ($labels eq '' ? '' : "{$labels}") } = $value;
    }
    return \%value;
}

subtest 'what operators change, and who waits' => sub {
    my $gate  = temp_path('gate');
    my $gated = backend(sub { my $c = shift; while ($c->read_request) { $c->note('asked'); wait_for { -e $gate } 60; $c->write(simple_response('x')) } });
    my $other = free_port();
    my $own   = proxy(
        router => { module => 'table', name => 'main', 'state-file' => temp_path('kept'), apps => {
            shop => { domains => ['shop.test'], backends => [ { at => $gated->address, id => 'one', 'max-requests' => 1 } ], queue => { length => 5, timeout => ms(60000) } },
            blog => { domains => ['blog.test'], backends => [ { at => $backend->address, id => 'two' }, { at => '127.0.0.1:' . refusing_port(), id => 'three', state => 'off' } ] } } },
        global => { 'weir.metrics' => "127.0.0.1:$other", 'weir.admin' => { path => admin_path(temp_path('own.sock')) }, 'weir.metrics-apps' => 'ON', 'weir.metrics-members' => 'ON' });
    my $ask = sub { my $c = $own->connect; $c->write("GET / HTTP/1.1\r\nHost: $_[0].test\r\nConnection: close\r\n\r\n"); $c };
    is($ask->('blog')->read_response->status, 200, 'one is served') for 1 .. 3;
    my $first = $ask->('shop');
    wait_for { $gated->events };
    my @waiting = map { $ask->('shop') } 1, 2;
    ok(wait_for { (series(port => $other)->{'weir_queue_waiting{cause=busy}'} // 0) == 2 }, 'two wait');
    my $series = series(port => $other);
    is($series->{'weir_app_queue_waiting{app=other}'} // $series->{'weir_app_queue_waiting{app=shop}'}, 2, 'by app');
    is($series->{'weir_app_queue_waiting{app=blog}'}, undef, 'nobody waits for the other');
    is($series->{'weir_member_requests_in_flight{app=shop,member=one}'}, 1, 'what a backend has');
    is(join(' ', map { $series->{"weir_member_up{$_}"} } 'app=shop,member=one', 'app=blog,member=two', 'app=blog,member=three'), '1 1 0', 'who takes requests');
    is($series->{'weir_member_requests_total{app=blog,member=two,result=ok}'}, 3, 'what was answered');
    is($series->{'weir_member_requests_total{app=blog,member=two,result=failed}'}, 0, 'and failed');
    is($series->{'weir_member_handicap{app=blog,member=two}'}, 0, 'nobody is slow');
    is(join(' ', map { $series->{$_} } qw(weir_state_seq weir_state_errors_total weir_probe_lag_seconds)), '0 0 0', 'nothing was changed');
    write_file($gate, '');
    is($_->read_response->status, 200, 'all are served') for $first, @waiting;
    is(call(PATCH => '/v1/apps/shop/backends/one', { weight => 7 })->{status}, 200, 'a change');
    is(call(POST => '/v1/apps/shop/pause', { max_ms => 1000 })->{status}, 200, 'a pause');
    is(call(POST => '/v1/apps/shop/resume')->{status}, 200, 'its end');
    is(call(PATCH => '/v1/apps/shop/backends/one', { weight => 'x' })->{status}, 422, 'what is none');
    is(call(POST => '/v1/changes', [ { op => 'patch', path => '/apps/shop/backends/one', value => { weight => 8 } }, { op => 'delete', path => '/apps/blog/backends/three' } ])->{status}, 200, 'two at once');
    $series = series(port => $other);
    is(join(' ', map { $series->{"weir_state_changes_total{op=$_}"} } qw(put patch delete revert pause resume stop)), '0 2 1 0 1 1 0', 'each is counted');
    is($series->{weir_state_seq}, 4, 'the number of the last');
    is($series->{'weir_member_up{app=blog,member=three}'}, undef, 'who has gone is told of no more');
    SKIP: {
        skip "there is no $promtool", 1 unless -x $promtool;
        my $file = write_file(temp_path('metrics'), fetch('/metrics', port => $other)->{body});
        is(scalar `$promtool check metrics < $file 2>&1`, '', 'promtool has nothing to say');
    }
};

subtest 'many backends, and a state file that is broken' => sub {
    my $other = free_port();
    my $first = '{"weir-state":1,"seq":4}';
    my $state = write_file(temp_path('state'), sprintf("%s %08x\n", $first, crc32($first)), qq({"app":"x"} 00000000\n), '{"half');
    my %apps  = map { my $app = sprintf 'app-%02d', $_; ($app => { domains => ["$app.test"], backends => [ map { "127.0.0.1:$_" } 20001 .. 20050 ] }) } 1 .. 10;
    my $own   = proxy(router => { module => 'table', name => 'main', 'state-file' => $state, apps => \%apps },
        global => { 'weir.metrics' => "127.0.0.1:$other", 'weir.metrics-members' => 'ON' });
    ok(wait_for { fetch('/metrics', port => $other) }, 'the endpoint is there');
    my $series = series(port => $other);
    is($series->{'weir_members{state=up}'}, 500, 'of so many');
    is(scalar(grep { /^weir_member_up/ } keys %$series), 400, 'some are told of');
    ok($series->{'weir_member_up{app=app-08,member=127.0.0.1:20050}'}, 'the first of them');
    is($series->{'weir_member_up{app=app-09,member=127.0.0.1:20001}'}, undef, 'and no more');
    is("$series->{weir_state_seq} $series->{weir_state_errors_total}", '4 2', 'a line that is skipped, and one that is cut');
    is((grep { /^weir_(?:member_|app_queue)/ } keys %{ series() }), 0, 'none unless they are wanted');
};

subtest 'the admin endpoint has the same' => sub {
    admin_path($path);
    like(call(GET => '/metrics')->{body}, qr/^weir_requests_total\{/m, 'metrics');
    is(call(GET => $_)->{body}, "ok\n", $_) for '/livez', '/readyz';
};

subtest 'who may ask' => sub {
    my $other = free_port();
    my $own   = proxy(backends => [$backend], global => { 'weir.metrics' => { at => "127.0.0.1:$other", from => ['10.0.0.0/8'] } });
    my $answer;
    ok(wait_for { $answer = fetch('/metrics', port => $other) }, 'there is somebody');
    is($answer->{status}, 403, 'who answers nobody from here');
    unlike($answer->{body}, qr/weir_/, 'and tells nothing');
    is(status_of('/livez', port => $other), 403, 'neither this');
};

subtest 'many connections that keep still' => sub {
    my @still = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp') } 1 .. 100;
    is(scalar(grep { defined } @still), 100, 'are taken');
    is(status_of('/livez'), 200, 'and keep nobody out');
    my $cut = '';
    ok(defined sysread($still[0], $cut, 1) && $cut eq '', 'the oldest was cut');
};

subtest 'a loop that is stuck' => sub {
    my $gate  = temp_path('gate');
    my $stuck = router_so('stuck', qq(-DGATE="$gate"));
    my ($to)  = $backend->address =~ /:(\d+)$/;
    my $other = free_port();
    my $own   = proxy(router => { module => $stuck, port => $to }, global => { 'weir.watchdog' => 100, 'weir.callback-warn' => 20, 'weir.metrics' => "127.0.0.1:$other" });
    ok(wait_for { status_of('/livez', port => $other) eq '200' }, 'all turn');
    my $client = $own->connect;
    $client->write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Stuck: checkout_service\r\n\r\n");
    my $answer;
    ok(wait_for { ($answer = fetch('/livez', port => $other))->{status} == 503 }, 'one does not');
    like($answer->{body}, qr/^loop 1 has been stuck for \d{3,} ms in checkout_service of router stuck/, 'it is said which, and where');
    is(status_of('/metrics', port => $other), 200, 'numbers are there nevertheless');
    write_file($gate, '');
    is($client->read_response->status, 200, 'it goes on');
    ok(wait_for { status_of('/livez', port => $other) eq '200' }, 'all turn again');
};

subtest 'reloads' => sub {
    ok($proxy->reload(backends => [$backend], global => { 'weir.metrics' => '127.0.0.1:' . free_port(), 'weir.admin' => { path => $path } }), 'another address');
    like($proxy->stderr, qr/weir\.metrics: the change waits for a restart/, 'waits for a restart');
    is(status_of('/readyz'), 200, 'the one before goes on');
    write_file($proxy->config, "hosts: nonsense\n");
    my $reloads = $proxy->reloads;
    $proxy->signal('HUP');
    wait_for { $proxy->reloads > $reloads };
    is(status_of('/readyz'), 200, 'a configuration that cannot be used changes nothing');
    like(fetch('/metrics')->{body}, qr/^weir_config_last_reload_successful 0$/m, 'but is told');
};

subtest 'an upgrade' => sub {
    my $other = free_port();
    my $own   = proxy(backends => [$backend], global => { 'weir.metrics' => "127.0.0.1:$other" });
    ok(wait_for { status_of('/readyz', port => $other) eq '200' }, 'the endpoint is there');
    my $keeps = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $other, Proto => 'tcp');
    print {$keeps} "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    { local $/ = "ok\n"; ok(defined readline $keeps, 'one asks and stays') }
    my $slow = $own->connect;
    $slow->write("GET / HTTP/1.1\r\nHost: a\r\n");
    my $before = $own->upgrade;
    ok($before, 'another process serves');
    is(status_of('/readyz', port => $other), 200, 'and answers') for 1 .. 10;
    print {$keeps} "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n";
    local $/;
    my $last = readline($keeps) // '';
    ok($last eq '' || $last =~ /\r\nconnection: close\r\n/i, 'who stays with the one before is sent away');
    unlike($own->stderr, qr/nobody wants|address already in use/i, 'it is the same socket');
    $slow->close;
};

subtest 'a drain' => sub {
    my $gate  = temp_path('gate');
    my $gated = backend(sub { my $c = shift; while ($c->read_request) { $c->note('asked'); wait_for { -e $gate } 60; $c->write(simple_response('x')) } });
    my $other = free_port();
    my $own   = proxy(backends => [$gated], global => { 'weir.metrics' => "127.0.0.1:$other" });
    my $held  = $own->connect;
    $held->write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    wait_for { $gated->events };
    $own->signal('TERM');
    my $answer;
    ok(wait_for { ($answer = fetch('/readyz', port => $other)) && $answer->{status} == 503 }, 'requests are not welcome');
    is($answer->{body}, "the proxy drains\n", 'and why');
    is(status_of('/livez', port => $other), 200, 'though the loops turn');
    write_file($gate, '');
    is($held->read_response->status, 200, 'who is there is served');
};

subtest 'values that are none' => sub {
    my $rest = "hosts: { default: { paths: { /: { status: ON } } } }\n";
    for my $case (
        [ 'ON', qr/weir\.metrics: ON: must be HOST:PORT/ ], [ '9100', qr/weir\.metrics: 9100: must be HOST:PORT/ ],
        [ '127.0.0.1:x', qr/weir\.metrics: 127\.0\.0\.1:x: a port is a number/ ], [ '[ 1 ]', qr/weir\.metrics: must be HOST:PORT/ ],
        [ '{ from: 10.0.0.0/8 }', qr/weir\.metrics: `at` is missing/ ], [ '{ at: "127.0.0.1:9", form: [] }', qr/weir\.metrics: .*form.*from/s ],
        [ '{ at: "127.0.0.1:9", from: [ house ] }', qr/weir\.metrics: from: house is neither/ ], [ '/run/weir.sock', qr/weir\.metrics: .*must be HOST:PORT/ ],
        [ '127.0.0.1:1', qr/weir\.metrics: 127\.0\.0\.1:1 is listened on for clients/ ]
    ) {
        refuses_config("listen: '127.0.0.1:1'\nweir.metrics: $case->[0]\n$rest", qr/2: $case->[1]/, $case->[0]);
    }
    refuses_config("listen: 1\nhosts: { default: { weir.metrics: ON, paths: { /: { status: ON } } } }\n", qr/2: weir\.metrics: the command cannot be used at this level/, 'at a host');
    my $file = write_file(temp_path('conf'), "listen: 1\nweir.metrics: { at: '127.0.0.1:9', from: [ 10.0.0.0/8, '::1' ] }\n$rest");
    like(weir('check', '-c', $file)->{out}, qr{^weir\.metrics +127\.0\.0\.1:9 10\.0\.0\.0/8 ::1 +\S+:2$}m, 'check shows it');
};

done_testing;
