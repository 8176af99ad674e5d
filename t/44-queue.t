# SPDX-License-Identifier: MIT
# Who waits: for a free backend, in turn among clients, with a bound and a deadline; for a backend to be there at all.
use lib 't/lib';
use Weir::Admin;
use Weir::Test;
use Time::HiRes qw(time);

# Answers each request when the test says so: its path is noted when it has come, a file of that name lets it go.
my $gate = temp_path('gate');
mkdir $gate or die $!;
sub let_go { write_file("$gate/$_[0]", '') }
my $gated = backend(sub {
    my $c = shift;
    while (my $head = $c->read_head) {
        my $case = $c->case_of($head);
        $c->note("at $case");
        select undef, undef, undef, 0.01 until -e "$gate/$case";
        $c->write(simple_response($case));
    }
}, name => 'gated');

sub app { return { app => { domains => ['*'], @_ } } }
my @one = (backends => [ { at => $gated->address, 'max-requests' => 1 } ]);

sub ask {
    my ($proxy, $case, %option) = @_;
    my $client = $proxy->connect;
    my $who = $option{who} ? "X-Who: $option{who}\r\n" : '';
    $client->write("GET /$case HTTP/1.1\r\nHost: a\r\n$who\r\n");
    return $client;
}

subtest 'in order, one after the other' => sub {
    my $proxy = proxy(apps => app(@one));
    my @clients = map { my $c = ask($proxy, "a$_"); $gated->wait_event(qr/at a1$/) if $_ == 1; $c->is_silent(0.05); $c } 1 .. 4;
    for my $n (1 .. 4) {
        ok($gated->wait_event(qr/at a$n$/), "a$n is served");
        is((grep { /at a[1-4]$/ } $gated->events), $n, 'and nobody before its turn');
        let_go("a$n");
        is($clients[ $n - 1 ]->read_response->body, "a$n", 'it is answered');
    }
    like($proxy->log_where(path => '/a4')->{queue}, qr/^[1-9]\d*ms$/, 'the log says how long it has waited');
    is($proxy->log_where(path => '/a1')->{queue}, undef, 'and says nothing of one that has not');
};

subtest 'in turn among clients' => sub {
    my $proxy = proxy(apps => app(@one, queue => { client => 'header X-Who' }));
    my $first = ask($proxy, 'b0', who => 'flood');
    $gated->wait_event(qr/at b0$/);
    my @flood = map { my $c = ask($proxy, "b$_", who => 'flood'); $c->is_silent(0.02); $c } 1 .. 5;
    my @light = map { ask($proxy, 'blight', who => "light $_") } 1 .. 3; # of 64 clients one shares its turn with another
    $light[0]->is_silent(0.1);
    let_go("b$_") for 0 .. 2;
    ok($gated->wait_event(qr/at blight$/), 'a light client does not wait behind a flood');
    ok(!(grep { /at b3$/ } $gated->events), 'but for one of it at most');
    let_go($_) for 'blight', map { "b$_" } 3 .. 5;
    is($_->read_response->body, 'blight', 'it is answered') for @light;
    is($_->read_response->status, 200, 'so is the flood') for $first, @flood;
};

subtest 'a bound' => sub {
    my $proxy = proxy(apps => app(@one, queue => { length => 2, client => 'header X-Who' }));
    my $first = ask($proxy, 'c0', who => 'x');
    $gated->wait_event(qr/at c0$/);
    my @waiting = map { my $c = ask($proxy, "c$_", who => 'x'); $c->is_silent(0.05); $c } 1, 2;
    my $r = ask($proxy, 'c3', who => 'x')->read_response;
    is($r->status, 503, 'one more is refused');
    like($r->body, qr/backlog_too_deep/, 'by name');
    my $other; # of 64 clients one shares its turn with another
    for my $who ('y1' .. 'y9') {
        $other = ask($proxy, 'c4', who => $who);
        last if $other->is_silent(0.2);
    }
    like($waiting[1]->read_response->body, qr/backlog_too_deep/, 'for another client the one with most waiting loses its newest');
    let_go($_) for qw(c0 c1 c4);
    is($_->read_response->status, 200, 'the others are served') for $first, $waiting[0], $other;
};

subtest 'a deadline' => sub {
    my $proxy = proxy(apps => app(@one, queue => { timeout => 300 }));
    my $first = ask($proxy, 'd0');
    $gated->wait_event(qr/at d0$/);
    my $since = time;
    my $r = ask($proxy, 'd1')->read_response;
    like($r->body, qr/backlog_timeout/, 'a request does not wait for ever');
    cmp_ok(time - $since, '>', 0.25, 'nor less than it may');
    my $standing = ask($proxy, 'd2')->read_response;
    like($standing->body, qr/backlog_timeout/, 'the next, too');
    let_go('d0');
    is($first->read_response->status, 200, 'the one under way ends well');
    is($proxy->log_where(path => '/d1')->{code}, 'backlog_timeout', 'the log names it');
};

subtest 'who leaves takes no slot' => sub {
    my $proxy = proxy(apps => app(@one));
    my $first = ask($proxy, 'e0');
    $gated->wait_event(qr/at e0$/);
    my $leaving = ask($proxy, 'e1');
    $leaving->is_silent(0.1);
    my $last = ask($proxy, 'e2');
    $last->is_silent(0.1);
    $leaving->reset;
    is($proxy->log_where(path => '/e1')->{code}, 'client_closed', 'it is gone at once');
    let_go($_) for qw(e0 e2);
    is($last->read_response->body, 'e2', 'the next is served');
    is((grep { /at e1$/ } $gated->events), 0, 'and the backend never saw it');
};

subtest 'an app as a whole' => sub {
    my $proxy = proxy(apps => app(backends => [ $gated->address ], 'app-max-requests' => 2), global => { 'num-threads' => 2 });
    my @clients = map { ask($proxy, "f$_") } 1, 2;
    $gated->wait_event(qr/at f$_$/) for 1, 2;
    my $third = ask($proxy, 'f3');
    ok($third->is_silent(0.2), 'a third waits');
    let_go("f$_") for 1 .. 3;
    is($third->read_response->body, 'f3', 'until one has ended');
    is($_->read_response->status, 200, 'those end well') for @clients;
};

subtest 'hold: nobody is there yet' => sub {
    my $proxy = proxy(apps => app(backends => [], hold => ms(20_000)));
    my @clients = map { ask($proxy, "g$_") } 1 .. 3;
    ok($clients[0]->is_silent(0.2), 'requests wait');
    let_go("g$_") for 1 .. 3;
    ok($proxy->reload(apps => app(backends => [ $gated->address ], hold => ms(20_000))), 'a backend is added');
    is($clients[ $_ - 1 ]->read_response->body, "g$_", 'they are served') for 1 .. 3;
    like($proxy->log_where(path => '/g1')->{hold}, qr/^\d+ms$/, 'the log says that it was held');
};

subtest 'hold: an end' => sub {
    my $proxy = proxy(apps => app(backends => [], hold => 300));
    like(ask($proxy, 'h1')->read_response->body, qr/no_backend/, 'and nobody comes');
    is($proxy->log_where(path => '/h1')->{code}, 'no_backend', 'the log names it');
    my $none = proxy(apps => app(backends => []));
    like($none->get('/')->body, qr/no_backend/, 'without hold it is refused at once');
};

subtest 'hold: those who come behind others who are held' => sub {
    my $proxy = proxy(apps => app(backends => [], hold => 900, queue => { timeout => 100 }));
    my @clients = map { ask($proxy, "j$_") } 1, 2;
    like($_->read_response->body, qr/no_backend/, 'have the same time, and the same reason') for @clients;
    like($proxy->log_where(path => '/j2')->{hold}, qr/^\d+ms$/, 'and were held');
};

subtest 'hold: many are let go by and by, and all of them' => sub {
    my $stream = backend(sub {
        my $c = shift;
        my $head = $c->read_head or return;
        $c->write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1");
        $c->note('begun');
        select undef, undef, undef, 0.01 until -e "$gate/streams";
        $c->write('2');
    });
    my $proxy = proxy(apps => app(backends => [], hold => ms(20_000)));
    my @clients = map { ask($proxy, "k$_") } 1 .. 30;
    $clients[-1]->is_silent(0.3);
    ok($proxy->reload(apps => app(backends => [ $stream->address ], hold => ms(20_000))), 'a backend is added');
    ok(wait_for { 30 == grep { /begun/ } $stream->events }, 'all responses begin, though none has ended');
    let_go('streams');
    is((grep { $_->read_response->body eq '12' } @clients), 30, 'and end well');
};

subtest 'hold: behind quarantine, what a trial says' => sub {
    my $port = free_port();
    my $proxy = proxy(apps => app(backends => ["127.0.0.1:$port"], hold => ms(30_000)));
    my $first = ask($proxy, 'l1');
    ok($first->is_silent(0.5), 'a request waits');
    my $busy = backend(sub { my $c = shift; $c->serve(sub { $_[0] =~ /l1 / ? "HTTP/1.1 429 Busy\r\nContent-Length: 0\r\n\r\n" : simple_response('ok') }) }, port => $port);
    is($first->read_response->status, 429, 'its trial is told to come back');
    my $since = time;
    is(ask($proxy, 'l2')->read_response->body, 'ok', 'the next is served');
    cmp_ok(time - $since, '<', 2, 'at once: enough to do is no illness');
};

subtest 'hold: a backend that restarts' => sub {
    my $port = free_port();
    my $proxy = proxy(apps => app(backends => ["127.0.0.1:$port"], hold => ms(30_000)));
    my @clients = map { ask($proxy, "i$_") } 1 .. 20;
    ok($clients[0]->is_silent(1.5), 'requests wait');
    my $back = backend(sub { my $c = shift; $c->serve(sub { simple_response('back') }) }, port => $port);
    my @good = grep { $_->read_response->status == 200 } @clients;
    is(scalar @good, 20, 'until it is there again, and nobody sees an error');
};

subtest 'Retry-After' => sub {
    my $proxy = proxy(apps => app(@one, queue => { length => 1, timeout => ms(400) }));
    my @clients = map { my $c = ask($proxy, "r$_"); $gated->wait_event(qr/at r1$/) if $_ == 1; $c->is_silent(0.05); $c } 1 .. 2;
    my $r = ask($proxy, 'r3')->read_response;
    like($r->body, qr/backlog_too_deep/, 'the queue is full');
    like($r->header('Retry-After'), qr/^(?:[12]?\d|3\d|4[0-6])$/, 'it is said when to come again');
    cmp_ok($r->header('Retry-After'), '>', 0, 'not at once');
    $r = $clients[1]->read_response;
    like($r->body, qr/backlog_timeout/, 'time is up');
    like($r->header('Retry-After'), qr/^[1-9]\d?$/, 'that is said, too');
    let_go('r1');
    is($clients[0]->read_response->header('Retry-After'), undef, 'not to others');
};

subtest 'weir.queue-max: of all apps together' => sub {
    admin_path(temp_path('admin.sock'));
    my $proxy = proxy(apps => { map { ("app$_" => { domains => ["$_.test"], @one }) } 1, 2 },
        global => { 'weir.queue-max' => 2, 'weir.admin' => { path => admin_path() } });
    my $outcome = sub { my $it = call(POST => '/v1/explain', { url => 'http://1.test/' })->{document}{outcome}; return join ' ', grep { defined } @$it{qw(what reason)} };
    my $of = sub { my ($app, $case) = @_; my $c = $proxy->connect; $c->write("GET /$case HTTP/1.1\r\nHost: $app.test\r\n\r\n"); return $c };
    my @busy = ($of->(1, 'q1'), $of->(2, 'q2'));
    $gated->wait_event(qr/at q$_$/) for 1, 2;
    is($outcome->(), 'queue', 'the next one would wait');
    my @waiting = map { my $c = $of->($_, "w$_"); $c->is_silent(0.1); $c } 1, 2;
    is($outcome->(), 'refuse backlog_too_deep', 'and then be refused');
    my $r = $of->(1, 'w3')->read_response;
    like($r->body, qr/backlog_too_deep/, 'two wait, the third does not');
    let_go($_) for qw(q1 q2 w1 w2);
    is($_->read_response->status, 200, 'they are served') for @busy, @waiting;
    is($of->(2, 'w2')->read_response->status, 200, 'and there is room again');
};

done_testing;
