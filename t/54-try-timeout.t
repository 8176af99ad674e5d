# SPDX-License-Identifier: MIT
# The time that one attempt may take, from the pick to the head of the response.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;
use Weir::Http2Client;
use Time::HiRes qw(time);

my $try  = ms(300);
my %does = (
    ok     => sub { my ($c, $head) = @_; $c->read_body($head); $c->write(simple_response('ok')) },
    kept   => sub { my ($c, $head) = @_; do { $c->read_body($head); $c->write(simple_response('ok')) } while $head = $c->read_head },
    silent => sub { $_[0]->note('silent ' . ($_[1] =~ m{^\S+ (\S+)})[0]); $_[0]->wait_close },
    slow   => sub { select undef, undef, undef, $try / 2000; $_[0]->write(simple_response('ok')) },
    begins => sub { $_[0]->write("HTTP/1.1 200 OK\r\nX-A: "); $_[0]->wait_close },
    interim => sub { $_[0]->write("HTTP/1.1 100 Continue\r\n\r\n"); $_[0]->wait_close },
    head   => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"); waits(); $_[0]->write('k') },
    long   => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"); waits(); $_[0]->write('k' x 100_000) },
    tunnel => sub { $_[0]->write("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"); waits(); $_[0]->write('hi'); $_[0]->wait_close },
);
# For twice as long as an attempt may take.
sub waits { select undef, undef, undef, 2 * $try / 1000; return }

my $one = backend(sub { my $c = shift; my $head = $c->read_head or return; $does{ $c->case_of($head) }->($c, $head) }, name => 'one');
my $two = Weir::Http2Backend->start;
my $log = temp_path('attempts.log');
my %router = (module => router_so('attempts'), log => $log);
my $proxy = proxy(router => { %router, backends => [ $one->address, $one->address, map { 'h2:' . $two->address } 1 .. 2 ] });

sub calls_of { my ($path) = @_; return recorded_calls($log, $path, qr/^terminate/m) }
sub plain_calls { return calls_of($_[0]) =~ s/ number=.*//gr =~ s/^(terminate .*) backend=.*/$1/gmr }
sub get { my ($path, $do, %option) = @_; return ($option{from} // $proxy)->get($path, "X-Do: try=$try $do\r\n" . ($option{headers} // '')) }

# How long it took, in tries.
my $begun;
sub begin   { $begun = time; return }
sub is_long { my ($tries, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return cmp_ok((time - $begun) * 1000 / $try, '>=', $tries - 0.1, $name) }

for my $case ([ silent => 'sent' ], [ begins => 'sent' ], [ interim => 'interim' ]) {
    my ($what, $reach) = @$case;
    subtest "a backend that is late: $what" => sub {
        begin();
        my $r = get("/late-$what", "to0=/$what");
        is($r->status, 503, 'a page');
        is_long(1, 'when its time is up');
        is(plain_calls("/late-$what"), "checkout\nbackend s0\nretry s0 no backend_timeout\npage backend_timeout\ncheckin s0 connected backend_timeout\n"
            . "terminate backend_timeout 503\n", 'a backend_timeout');
        like(calls_of("/late-$what"), qr/^checkin .* reach=$reach /m, 'the router is told how far it came');
        is($proxy->log_where(path => "/late-$what")->{code}, 'backend_timeout', 'named in the log');
    };
}

subtest 'another one has as much time again' => sub {
    begin();
    is(get('/again', 'retries=2 to0=/silent to1=/silent to2=/fine')->body, 'fine', 'the third answers');
    is_long(2, 'behind two');
    my @whole = calls_of('/again') =~ /^checkin s[01] connected backend_timeout .* whole=(\d+)/mg;
    is(scalar @whole, 2, 'both were late');
    cmp_ok($_ / 1000, '>=', 0.9 * $try, 'each had its time') for @whole;
    is(get('/slow', 'to0=/slow')->body, 'ok', 'one that needs half of it is not late');
};

subtest 'a backend that does not take the connection' => sub {
    my $own = proxy(router => { %router, backends => [ '127.0.0.1:' . stuck_port(), $one->address ] });
    begin();
    is(get('/stuck', 'to1=/ok', from => $own)->body, 'ok', 'another is picked');
    is_long(1, 'when its time is up');
    like(calls_of('/stuck'), qr/^checkin s0 connecting backend_\w+ number=1 reach=none .* untouched=1 /m, 'it is a failed connect');
    my $hasty = proxy(router => { %router, backends => [ '127.0.0.1:' . stuck_port(), $one->address ] }, path => { 'weir.connect-timeout' => ms(50) });
    is($hasty->get('/hasty', "X-Do: try=60000 to1=/ok\r\n")->body, 'ok', 'weir.connect-timeout counts where it is shorter');
    like(calls_of('/hasty'), qr/^checkin s0 connecting backend_connect_timeout /m, 'with its own reason');
};

subtest 'what comes before the connection' => sub {
    begin();
    is(get('/asked', 'backend=' . int($try * 0.8) . ' to0=/silent')->status, 503, 'takes its part of the time');
    my ($whole) = calls_of('/asked') =~ /^retry s0 no backend_timeout .* whole=(\d+)/m;
    cmp_ok($whole / 1000, '<', 1.7 * $try, 'it is counted from the pick');
    is_long(1, 'to the end');
    my $single = proxy(router => { %router, backends => [ $one->address ] });
    is(get('/overdue', 'backend=' . int($try * 1.5) . ' to0=/silent', from => $single)->status, 503, 'even all of it');
    like(calls_of('/overdue'), qr/^checkin s0 conn\w+ backend_\w*timeout /m, 'then there is hardly any left');
};

subtest 'a client that takes its time' => sub {
    my $client = $proxy->connect;
    $client->write("POST /client HTTP/1.1\r\nHost: a.test\r\nX-Do: try=$try to0=/ok\r\nContent-Length: 10\r\n\r\nhalf");
    is($client->read_response->status, 503, 'spends that of the attempt');
    like(calls_of('/client'), qr/^checkin s0 connected backend_timeout /m, 'as it says');
};

# ── once the head is there ──

is(get('/head', 'to0=/head')->body, 'ok', 'a short body may take longer');
is(length get('/long', 'to0=/long')->body, 100_000, 'a long one as well');
subtest 'a tunnel' => sub {
    my $client = $proxy->connect;
    $client->write("GET /tunnel HTTP/1.1\r\nHost: a.test\r\nX-Do: try=$try to0=/tunnel\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    like($client->read_head, qr{^HTTP/1\.1 101 }, 'is opened');
    is($client->read_exactly(2), 'hi', 'and lives longer');
    $client->close;
};

# ── connections that are there ──

subtest 'a connection that was kept' => sub {
    my $keeping = proxy(router => { %router, keepalive => 'reuse', backends => [ $one->address, $one->address ] });
    is(get("/kept-$_", 'to0=/kept', from => $keeping)->body, 'ok', 'is used') for 1 .. 3;
    is(get('/kept-late', 'retries=1 to0=/silent to1=/ok', from => $keeping)->body, 'ok', 'again, with a time for each request');
    is(get('/kept-4', 'to0=/kept', from => $keeping)->body, 'ok', 'and goes on');
};

# ── HTTP/2 ──

subtest 'HTTP/2: a stream that is late' => sub {
    my $client = Weir::Http2Client->connect($proxy->port);
    my $r = $client->get('/silence', headers => [ [ 'x-do', "try=$try retries=1 first=2 to2=/silence to3=/fine" ] ]);
    is($r->{body}, 'fine', 'another one answers');
    like(calls_of('/silence'), qr/^retry s2 yes backend_timeout number=1 reach=sent /m, 'the first was late');
    my ($connection, $stream) = $two->wait_event('/silence$') =~ /^request (\d+) (\d+)/;
    ok($two->wait_event("^rst $connection $stream 8"), 'it is told that nobody waits');
    is(get('/interim2', 'first=2 to2=/interim-silence')->status, 503, 'an interim response is no head');
    is(get('/collect2', 'first=2 to2=/late-body?' . 2 * $try)->body, 'ok', 'behind the head there is no hurry');
};

for my $case ([ mute => 'does not say a word' ], [ streams0 => 'gives nobody a stream' ]) {
    my ($greeting, $name) = @$case;
    my $backend = Weir::Http2Backend->start(greeting => $greeting);
    my $own = proxy(router => { %router, keepalive => 'reuse', backends => [ 'h2:' . $backend->address, $one->address ] });
    subtest "HTTP/2: a backend that $name" => sub {
        begin();
        is(get("/$greeting", 'to1=/ok', from => $own)->body, 'ok', 'costs the time of one attempt');
        is_long(1, 'all of it');
        like(calls_of("/$greeting"), qr/^checkin s0 connecting backend_\w+ number=1 reach=none .* untouched=1 /m, 'it is a failed connect');
    };
}

# ── together with others ──

subtest 'the times of the path' => sub {
    my $hasty = proxy(router => { %router, backends => [ $one->address ] }, path => { 'weir.first-byte-timeout' => ms(50) });
    is($hasty->get('/first-byte', "X-Do: try=60000 to0=/silent\r\n")->status, 503, 'count where they are shorter');
};

subtest 'a client that leaves meanwhile' => sub {
    my $client = $proxy->connect;
    $client->write("GET /leaves HTTP/1.1\r\nHost: a.test\r\nX-Do: try=$try to0=/silent/leaves\r\n\r\n");
    ok($one->wait_event('silent /silent/leaves$'), 'while the backend is silent');
    $client->reset;
    is(plain_calls('/leaves'), "checkout\nbackend s0\ncheckin s0 connected client_closed\nterminate client_closed 499\n", 'is the end of it');
};

done_testing;
