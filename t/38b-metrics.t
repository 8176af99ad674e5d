# SPDX-License-Identifier: MIT
# The proxy's metrics: that they are the access log's numbers, that Prometheus can read them, and what outlives what.
#
#   WEIR_METRICS   how many requests are made (20000, of sanitizer builds 6000)
#   PROMTOOL       another promtool
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use JSON::PP;

my $promtool = $ENV{PROMTOOL} // '/usr/bin/promtool';
my $switch   = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
my $backend  = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        if ($head =~ m{^GET /tunnel}) {
            $c->write($switch);
            while (defined(my $bytes = $c->read_until(qr/.+/s, 60))) { $c->write($bytes) }
            return;
        }
        if ($head =~ m{^GET /slow}) { $c->note('slow'); $c->wait_close; return }
        my ($status) = $head =~ m{^\S+ /s/(\d+)};
        my $body = ($status // 200) =~ /204|304/ ? '' : 'x' x 10;
        $c->write(simple_response($body, status => ($status // 200) . ' As asked'));
    }
});

# Every series as its labels in order and its value: "name{a=b,c=d}" => 5.
sub series {
    my ($proxy, $headers) = @_;
    my %value;
    for (split /\n/, $proxy->get('/metrics', $headers)->body) {
        next if /^#/;
        my ($name, $labels, $value) = /^(\w+)(?:\{(.*)\})? (\S+)$/ or die "not a series: $_";
        $labels = join ',', sort map { s/"//gr } split /,(?=\w+=")/, $labels // '';
        $value{ $name . ($labels eq '' ? '' : "{$labels}") } = $value;
    }
    return \%value;
}

# What the log says, in the same words.
sub counted_lines {
    my ($proxy) = @_;
    my %count;
    for my $line ($proxy->log_lines(0)) {
        my $status = ($line->{status} // '') eq '' ? 'none' : $line->{status} eq '499' ? '499' : substr($line->{status}, 0, 1) . 'xx';
        $count{ 'weir_requests_total{reason=' . ($line->{code} // '') . ",status=$status}" }++;
    }
    return \%count;
}

sub counted_requests {
    my ($series) = @_;
    return { map { $_ => $series->{$_} } grep { /^weir_requests_total/ && $series->{$_} > 0 } keys %$series };
}

my %paths = ('/metrics' => { 'weir.metrics' => 'ON' }, '/status' => { status => 'ON' });
my %two   = ('num-threads' => 2);

# So many at once on a connection of their own.
sub pipeline {
    my ($proxy, @requests) = @_;
    my $client = $proxy->connect;
    my $last   = pop @requests;
    $client->write(join '', (map { "$_\r\n" } @requests), "${last}Connection: close\r\n\r\n");
    return scalar(() = ($client->read_eof(60) // '') =~ m{HTTP/1\.1 \d}g);
}

sub wait_idle {
    my ($proxy) = @_;
    return wait_for { my $s = series($proxy); $s->{weir_requests_in_flight} == 0 && $s };
}

sub promtool_says {
    my ($text) = @_;
    my $file = write_file(temp_path('metrics'), $text);
    return scalar `$promtool check metrics < $file 2>&1`;
}

my $proxy = proxy(backends => [$backend], paths => \%paths, global => \%two);

subtest 'the sums are the lines of the access log' => sub {
    my $most = $ENV{WEIR_METRICS} // (is_sanitized() ? 6000 : 20000);
    my ($made, $answers) = (0, 0);
    while ($made < $most - 600) {
        my @statuses = (200, 200, 201, 204, 302, 304, 400, 404, 404, 500, 502, 503);
        my @requests = map { "GET /s/$statuses[($made + $_) % @statuses] HTTP/1.1\r\nHost: a\r\n" } 0 .. 199;
        $answers += pipeline($proxy, @requests);
        $made += @requests;
    }
    is($answers, $made, 'all were answered');

    my $refused = 0;
    for my $head ("GET / HTTP/9.9\r\n\r\n", "G\@T / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: " . 'x' x 20000 . "\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n") {
        for (1 .. 20) { $refused += $proxy->raw($head) =~ m{^HTTP/1\.1 [45]}; $made++ }
    }
    is($refused, 100, 'heads that cannot be used are refused');

    for my $n (1 .. 20) {
        my $client = $proxy->connect;
        $client->write("GET /slow/$n HTTP/1.1\r\nHost: a\r\n\r\n");
        wait_for { $n <= grep { /slow/ } $backend->events };
        $client->reset;
        $made++;
    }
    for (1 .. 10) {
        my $client = $proxy->connect;
        $client->write("GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
        like($client->read_head // '', qr/^HTTP\/1\.1 101/, 'a tunnel') if $_ == 1;
        $client->write('word');
        $client->read_exactly(4);
        $client->close;
        $made++;
    }
    if (Weir::Http2Client::is_possible()) {
        my $h2 = Weir::Http2Client->connect($proxy->port);
        my @ids;
        for my $n (1 .. 300) {
            $h2->get('/s/' . ($n % 3 == 0 ? 404 : 200));
            $made++;
        }
        $h2->close;
    }
    my $rest = $most - $made;
    $made += pipeline($proxy, map { "GET / HTTP/1.1\r\nHost: a\r\n" } 1 .. $rest) if $rest > 0;

    my $series = wait_idle($proxy);
    my ($lines, $requests);
    wait_for { $lines = counted_lines($proxy); $requests = counted_requests(series($proxy)); eval { is_same($lines, $requests) } };
    is_deeply($requests, $lines, 'by status and reason');
    my $sum = 0;
    $sum += $_ for values %$requests;
    is($sum, $made, "of all $made");
    cmp_ok(scalar(grep { /reason=\w/ } keys %$requests), '>=', 5, 'with several reasons');
    is($requests->{'weir_requests_total{reason=client_closed,status=499}'}, 20, 'those that left, among them');
    is($series->{weir_tunnels}, 0, 'no tunnel is open');
    is($series->{'weir_stage_duration_seconds_count{stage=queue}'}, $series->{'weir_tries_total{result=ok}'}
        + $series->{'weir_tries_total{result=client}'} + $series->{'weir_tries_total{result=failed}'}, 'each try was picked once');
};

sub is_same {
    my ($one, $other) = @_;
    return join("\n", map { "$_ $one->{$_}" } sort keys %$one) eq join("\n", map { "$_ $other->{$_}" } sort keys %$other);
}

subtest 'what is going on now' => sub {
    my $client = $proxy->connect;
    $client->write("GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    $client->read_head;
    my $series = series($proxy);
    is("$series->{weir_tunnels} $series->{weir_requests_in_flight}", '1 1', 'a tunnel, which is a request');
    cmp_ok($series->{'weir_connections{side=client}'}, '>=', 2, 'the tunnel and this one');
    cmp_ok($series->{'weir_backend_pool_connections{state=busy}'}, '>=', 1, 'its backend');
    is($series->{'weir_connections{side=backend}'}, $series->{'weir_backend_pool_connections{state=busy}'} + $series->{'weir_backend_pool_connections{state=idle}'},
        'busy and idle are all there are');
    $client->close;
    ok(wait_for { series($proxy)->{weir_tunnels} == 0 }, 'and then it is not');
};

subtest 'a reload keeps all counts' => sub {
    my $before = series($proxy);
    ok($proxy->reload(backends => [$backend], paths => \%paths, global => { %two, 'weir.max-header-value' => 100 }), 'another configuration');
    my $after = series($proxy);
    my @less = grep { /_total|_bucket|_count|_sum/ && ($after->{$_} // -1) < $before->{$_} } keys %$before;
    is_deeply(\@less, [], 'none has fallen');
    is($after->{weir_config_generation}, $before->{weir_config_generation} + 1, 'one more was taken');
    write_file($proxy->config, "hosts: nonsense\n");
    my $reloads = $proxy->reloads;
    $proxy->signal('HUP');
    wait_for { $proxy->reloads > $reloads };
    my $failed = series($proxy);
    is($failed->{weir_config_last_reload_successful}, 0, 'one that cannot be used');
    is($failed->{weir_config_last_reload_timestamp_seconds}, $after->{weir_config_last_reload_timestamp_seconds}, 'is not the one in use');
};

subtest 'formats' => sub {
    my $text = $proxy->get('/metrics');
    is($text->header('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8', 'text');
    my $open = $proxy->get('/metrics', "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3\r\n");
    is($open->header('Content-Type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8', 'OpenMetrics for who asks for it');
    like($open->body, qr/\n# EOF\n\z/, 'which has an end');
    is($proxy->ask("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n")->status, 200, 'HEAD');
    cmp_ok(scalar(() = $text->body =~ /^\w/mg), '<', 900, 'not too many series');
    SKIP: {
        skip "there is no $promtool", 1 unless -x $promtool;
        is(promtool_says($text->body), '', 'promtool has nothing to say');
    }
};

subtest 'clients that do not wait' => sub {
    for (1 .. 50) {
        my $client = $proxy->connect;
        $client->write("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        $client->reset;
    }
    is($proxy->get('/metrics')->status, 200, 'do no harm');
};

subtest 'apps' => sub {
    my %apps = map { $_ => { domains => ["$_.test"], backends => [ $backend->address ] } } qw(a b c d);
    my $own = proxy(apps => \%apps, paths => \%paths, global => { %two, 'weir.metrics-apps' => { top => 2 } });
    my %times = (a => 3, b => 9, c => 5, d => 2);
    for my $app (sort keys %times) {
        for (1 .. $times{$app}) { $own->ask("GET /s/404 HTTP/1.1\r\nHost: $app.test\r\n\r\n") }
    }
    wait_idle($own);
    my $series = series($own);
    is_deeply({ map { $_ => $series->{$_} } grep { /^weir_app_requests_total/ } keys %$series },
        { map { ("weir_app_requests_total{app=$$_[0],status=4xx}" => $$_[1]) } [ b => 9 ], [ c => 5 ], [ other => 5 ] }, 'the two with most requests, and the rest');
    is($series->{'weir_app_requests_in_flight{app=b}'}, 0, 'none is under way');
    is($series->{'weir_app_request_duration_seconds_count{app=other}'}, 5, 'how long they took');
    is((grep { /^weir_app_/ } keys %{ series($proxy) }), 0, 'nothing of it unless it is wanted');
    refuses_config("listen: 1\nweir.metrics-apps: $_\nhosts: { default: { paths: { /: { status: ON } } } }\n", qr/2:(?:\d+:)? weir\.metrics-apps: must be ON, OFF, or/, $_)
        for 'MAYBE', '{ top: 0 }', '{ top: 2, more: 1 }', '{ most: 5 }', '{ top: 10001 }', '[ 1 ]';
};

subtest 'what the kit counts' => sub {
    my $gate  = temp_path('gate');
    my $gated = backend(sub {
        my $c = shift;
        while (my ($head) = $c->read_request) {
            if ($head =~ m{^GET /held}) { $c->note('held'); wait_for { -e $gate } 60 }
            $c->write(simple_response('x'));
        }
    });
    my %apps = (
        busy => { domains => ['busy.test'], backends => [ { at => $gated->address, 'max-requests' => 1 } ], queue => { length => 2, timeout => ms(60000) } },
        pins => { domains => [ 'pins.test', 'also.test' ], backends => [ $backend->address ], affinity => 'ON' },
        down => { domains => ['down.test'], backends => [ map { '127.0.0.1:' . refusing_port() } 1 .. 2 ] },
    );
    my $own = proxy(router => { module => 'table', name => 'counted', apps => \%apps }, paths => \%paths, global => \%two);
    my $series = series($own);
    is("$series->{weir_apps} $series->{weir_domains} $series->{'weir_members{state=up}'}", '3 4 4', 'what there is');
    is($series->{'weir_queue_waiting{cause=busy}'}, 0, 'nobody waits');

    my $first = $own->connect;
    $first->write("GET /held HTTP/1.1\r\nHost: busy.test\r\n\r\n");
    wait_for { grep { /held/ } $gated->events };
    my @waiting = map { my $c = $own->connect; $c->write("GET / HTTP/1.1\r\nHost: busy.test\r\n\r\n"); $c } 1, 2;
    ok(wait_for { series($own)->{'weir_queue_waiting{cause=busy}'} == 2 }, 'two wait');
    is($own->ask("GET / HTTP/1.1\r\nHost: busy.test\r\n\r\n")->status, 503, 'a third may not');
    $waiting[0]->reset;
    ok(wait_for { series($own)->{'weir_queue_left_total{how=client}'} == 1 }, 'one has left');
    write_file($gate, '');
    is($waiting[1]->read_response->status, 200, 'the other is served');
    $series = series($own);
    is($series->{'weir_queue_entered_total{cause=busy}'}, 2, 'two had waited');
    is(join(' ', map { $series->{"weir_queue_left_total{how=$_}"} } qw(served client deep deadline)), '1 1 1 0', 'and how they ended');
    is($series->{'weir_queue_wait_seconds_count'}, 1, 'how long');
    is($series->{'weir_queue_waiting{cause=busy}'}, 0, 'nobody waits any more');

    my $r = $own->ask("GET / HTTP/1.1\r\nHost: pins.test\r\n\r\n");
    my ($cookie) = $r->header('Set-Cookie') =~ /^([^;]+)/;
    $own->ask("GET / HTTP/1.1\r\nHost: pins.test\r\nCookie: $cookie\r\n\r\n") for 1, 2;
    (my $wrong = $cookie) =~ s/=.*/=nonsense/;
    $own->ask("GET / HTTP/1.1\r\nHost: pins.test\r\nCookie: $wrong\r\n\r\n");
    $series = wait_idle($own);
    is(join(' ', map { $series->{"weir_affinity_total{result=$_}"} } qw(new kept invalid moved)), '1 2 1 0', 'pins');

    $own->ask("GET / HTTP/1.1\r\nHost: down.test\r\n\r\n") for 1 .. 6;
    $series = wait_idle($own);
    is($series->{'weir_members{state=connect}'}, 2, 'who cannot be connected to');
    cmp_ok($series->{'weir_quarantines_total{cause=connect}'}, '>=', 2, 'is put away');
    cmp_ok($series->{'weir_retries_total{class=a}'}, '>=', 1, 'the other one was tried');
    cmp_ok($series->{'weir_backend_connects_total{result=refused}'}, '>=', 6, 'and refused');

    my $before = series($own);
    ok($own->reload(router => { module => 'table', name => 'counted', apps => { %apps, busy => { domains => ['busy.test'], backends => [ $gated->address ] } } },
        paths => \%paths, global => \%two), 'another configuration');
    my $after = series($own);
    is("$after->{weir_apps} $after->{weir_domains}", '3 4', 'is told once, whatever is left of the one before');
    is($after->{'weir_queue_entered_total{cause=busy}'}, 2, 'and nothing is forgotten');
    SKIP: {
        skip "there is no $promtool", 1 unless -x $promtool;
        is(promtool_says($own->get('/metrics')->body), '', 'promtool has nothing to say');
    }
};

subtest 'a router of one\'s own' => sub {
    my $own = proxy(router => { module => router_so('counting') }, paths => \%paths);
    $own->get('/') for 1 .. 3;
    my $series = series($own);
    is($series->{'weir_router_lookups_total{who=a \\guest\\}'}, 3, 'tells its own');
    is($series->{'weir_router_guests_bucket{le=10.0}'}, 3, 'histograms, too');
    is($series->{'weir_requests_total{reason=not_here,status=4xx}'}, 3, 'its reasons are named');
    is($series->{'weir_requests_total'}, undef, 'what is the proxy\'s it cannot tell');
    is($series->{'weir_callback_duration_seconds_count{callback=lookup_domain_name}'}, 3, 'how long its callbacks took');
    like($own->stderr, qr/a router's metric weir_requests_total: dropped/, 'and hears of it');
};

subtest 'alerts, the dashboard, and the queries of the documents' => sub {
    my $docs  = weir('docs', 'metrics')->{out};
    my %known = map { $_ => 1 } $docs =~ /^### `(\w+)`/mg;
    cmp_ok(scalar keys %known, '>', 30, 'metrics are described');
    my %histogram = map { ("${_}_bucket" => 1, "${_}_sum" => 1, "${_}_count" => 1) } $docs =~ /^### `(\w+)`\nhistogram/mg;
    for my $file (map { root_dir() . "/examples/monitoring/$_" } qw(alerts.yaml grafana.json)) {
        my @unknown = grep { !$known{$_} && !$histogram{$_} } read_file($file) =~ /\b(weir_\w+)/g;
        is_deeply(\@unknown, [], "$file names what there is");
    }
    my $board = JSON::PP->new->decode(read_file(root_dir() . '/examples/monitoring/grafana.json'));
    cmp_ok(scalar @{ $board->{panels} }, '>=', 10, 'the dashboard is JSON');
    my @queries = $docs =~ /^    (.*weir_.*[a-z)\]0-9}])$/mg;
    @queries = grep { !/weir\.metrics/ } @queries;
    is(scalar @queries, scalar keys %known, 'each metric has a query');
    push @queries, map { map { $_->{expr} =~ s/\$__rate_interval/5m/gr } @{ $_->{targets} } } @{ $board->{panels} };
    SKIP: {
        skip "there is no $promtool", 2 unless -x $promtool;
        my $rules = root_dir() . '/examples/monitoring/alerts.yaml';
        like(scalar `$promtool check rules $rules 2>&1`, qr/SUCCESS: 11 rules found/, 'promtool takes the alerts');
        my $own = write_file(temp_path('rules.yaml'), "groups:\n- name: queries\n  rules:\n", map { my $n = 0; my $q = $queries[$_] =~ s/'/''/gr; "  - record: q$_\n    expr: '$q'\n" } 0 .. $#queries);
        like(scalar `$promtool check rules $own 2>&1`, qr/SUCCESS: ${\ scalar @queries} rules found/, 'and all queries');
    }
};

done_testing;
