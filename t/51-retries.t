# SPDX-License-Identifier: MIT
# Requests that are sent again because the router wants it: when it is asked, what it is told of each attempt, and where it ends.
use lib 't/lib';
use Weir::Test;
use File::Basename qw(dirname);
use Weir::Http2Backend;
use Weir::Http2Client;

my $busy_response = simple_response('busy', status => '503 Busy', headers => "X-Fetch: later\r\n");
my $long = 'x' x 100_000;
my %does = (
    ok     => sub { my ($c, $head) = @_; $c->read_body($head); $c->write(simple_response('ok')) },
    kept   => sub { my ($c, $head) = @_; do { $c->read_body($head); $c->write(simple_response('ok')) } while $head = $c->read_head },
    closed => sub { },
    reset  => sub { $_[0]->reset },
    whole  => sub { my ($c, $head) = @_; $c->read_body($head) },
    head   => sub { $_[0]->write("HTTP/1.1 200 OK\r\nX-A: ") },
    wrong  => sub { $_[0]->write("HTTP/1.1 200 OK\r\nno colon\r\n\r\n") },
    short  => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") },
    switch => sub { $_[0]->write("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"); $_[0]->wait_close },
    hints  => sub { $_[0]->write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n") },
    go     => sub { $_[0]->write("HTTP/1.1 100 Continue\r\n\r\n") },
    busy   => sub { my ($c, $head) = @_; $c->read_body($head); $c->write($busy_response); $c->wait_close },
    large  => sub { $_[0]->write("HTTP/1.1 503 Busy\r\nContent-Length: 100000000\r\n\r\n$long"); $_[0]->wait_close },
    begun  => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n$long"); $_[0]->note('begun'); $_[0]->wait_close },
    cut    => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n$long") },
    missing => sub { $_[0]->write(simple_response('none', status => '404 None')); $_[0]->wait_close },
    grpc   => sub { $_[0]->write("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\ngrpc-status: 14\r\n\r\n"); $_[0]->wait_close },
);
my $one = backend(sub { my $c = shift; my $head = $c->read_head or return; $does{ $c->case_of($head) }->($c, $head) }, name => 'one');
my $two = Weir::Http2Backend->start;

my $log = temp_path('attempts.log');
my %router = (module => router_so('attempts'), log => $log, backends => [ $one->address, $one->address, map { 'h2:' . $two->address } 1 .. 2 ]);
my $proxy = proxy(router => \%router);

sub calls_of { my ($path) = @_; return recorded_calls($log, $path, qr/^terminate/m) }

# The same without the attempts, and without the counts at the end.
sub plain_calls { return calls_of($_[0]) =~ s/ number=.*//gr =~ s/ backend=.*//gr =~ s/^(terminate .*) backend=.*/$1/gmr }

# What the lines that match say of their attempts, as hashes.
sub attempts { my ($path, $line) = @_; return map { +{ /(\w+)=(\S+)/g } } grep { /$line/ } split /\n/, calls_of($path) }

sub get { my ($path, $do, %option) = @_; return ($option{from} // $proxy)->get($path, "X-Do: $do\r\n" . ($option{headers} // '')) }

# What one backend does wrong, as the second's answer to the router's question.
sub repeated {
    my ($first, $second, $fault) = @_;
    return "checkout\nbackend $first\nretry $first yes $fault\ncheckin $first connected $fault\n"
        . "checkout\nbackend $second\nanswered $second\ncheckin $second connected -\nterminate - 200\n";
}

# ── failures ──

# what the first backend does, the fault, how far it came
my @failures = (
    [ '/closed', backend_closed              => 'sent' ],
    [ '/reset',  backend_reset               => 'sent' ],
    [ '/head',   backend_truncated           => 'sent' ],
    [ '/wrong',  backend_invalid_header      => 'sent' ],
    [ '/switch', backend_unsolicited_upgrade => 'sent' ],
    [ '/go',     backend_truncated           => 'interim' ],
);
for my $case (@failures) {
    my ($what, $fault, $reach) = @$case;
    subtest "$what, then another backend" => sub {
        my $r = get("/failed$what", "retries=1 to0=$what to1=/ok");
        is($r->status . $r->body, '200ok', 'the client has the answer of the second');
        is(plain_calls("/failed$what"), repeated('s0', 's1', $fault), 'each pick comes back before the next');
        my ($asked) = attempts("/failed$what", qr/^retry/);
        is("@$asked{qw(number reach status untouched may idempotent head)}", "1 $reach 0 0 1 1 0", 'what the router is told of the first');
        my @back = attempts("/failed$what", qr/^checkin/);
        is(join(' ', map { "$_->{number}$_->{reach}" } @back), "1$reach 2whole", 'and at the check-ins');
    };
}
my @failures2 = (
    [ '/rst_2',      backend_stream_failed => 'sent' ],
    [ '/rst_8',      backend_stream_cancelled => 'sent' ],
    [ '/close',      backend_closed => 'sent' ],
    [ '/no-status',  backend_http2_message => 'sent' ],
    [ '/continue-rst', backend_stream_failed => 'interim' ],
);
for my $case (@failures2) {
    my ($what, $fault, $reach) = @$case;
    subtest "HTTP/2: $what, then another backend" => sub {
        my $client = $proxy->connect;
        $client->write("POST /failed2$what HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2 retries=1 hold=100 to2=$what to3=/fine\r\nContent-Length: 4\r\n\r\nbody");
        my $r = $client->read_response;
        $r = $client->read_response while $r && $r->status < 200;
        is($r->status . $r->body, '200fine', 'the client has the answer of the second');
        is(plain_calls("/failed2$what"), repeated('s2', 's3', $fault), 'each pick comes back before the next');
        my ($asked) = attempts("/failed2$what", qr/^retry/);
        is("@$asked{qw(number reach status untouched may idempotent head)}", "1 $reach 0 0 1 0 0", 'what the router is told of the first');
    };
}

subtest 'a short response that stays short' => sub {
    my $r = get('/short', 'retries=1 to0=/short to1=/ok');
    is($r->status . $r->body, '200ok', 'was held until it was whole: the client sees nothing of it');
    is(plain_calls('/short'), repeated('s0', 's1', 'backend_truncated') =~ s/^retry/answered s0\nretry/mr, 'the router has heard of its head');
    my ($asked) = attempts('/short', qr/^retry/);
    is("@$asked{qw(reach status)}", 'head 200', 'and is told how far it came');
};

subtest 'from HTTP/1 to HTTP/2 and back' => sub {
    is(get('/mixed', 'second=2 retries=2 to0=/reset to2=/rst_2 to3=/fine')->body, 'fine', 'the third answers');
    my @back = attempts('/mixed', qr/^checkin/);
    is(join(' ', map { $_->{number} . $_->{reach} } @back), '1sent 2sent 3whole', 'three attempts');
    is(get('/back', 'first=3 second=0 retries=1 to3=/rst_2 to0=/ok')->body, 'ok', 'the other way');
};

subtest 'a router that does not want it' => sub {
    my $r = get('/unwanted', 'to0=/closed');
    is($r->status, 503, 'a page');
    is(plain_calls('/unwanted'), "checkout\nbackend s0\nretry s0 no backend_closed\npage backend_closed\ncheckin s0 connected backend_closed\n"
        . "terminate backend_closed 503\n", 'it is asked once');
    is($proxy->log_where(path => '/unwanted')->{code}, 'backend_closed', 'the log names the failure');
};

subtest 'a router that has nobody left' => sub {
    is(get('/nobody', 'first=3 retries=9 to3=/rst_2')->status, 503, 'a page');
    like(plain_calls('/nobody'), qr/^checkin s3 connected backend_stream_failed\ncheckout\npage all_tried\ncheckin - checkout all_tried -\nterminate all_tried 503\n/m,
        'with its own reason; the closing check-in has no service, and no attempt');
    is($proxy->log_where(path => '/nobody')->{code}, 'all_tried', 'in the log as well');
};

subtest 'a retry, then a failed connect' => sub {
    my $own = proxy(router => { %router, backends => [ $one->address, '127.0.0.1:' . refusing_port(), $one->address ] });
    is(get('/connects', 'retries=1 to0=/closed to2=/ok', from => $own)->body, 'ok', 'the third answers');
    is(plain_calls('/connects'), "checkout\nbackend s0\nretry s0 yes backend_closed\ncheckin s0 connected backend_closed\ncheckout\nbackend s1\n"
        . "checkin s1 connecting backend_refused\ncheckout\nbackend s2\nanswered s2\ncheckin s2 connected -\nterminate - 200\n", 'for which nobody asks');
    my @back = attempts('/connects', qr/^checkin/);
    is(join(' ', map { "$_->{number}$_->{reach}$_->{untouched}" } @back), '1sent0 2none1 3whole0', 'the attempts');
    is("@{ $back[1] }{qw(connect head sent received)}", '0 0 0 0', 'the second never came anywhere');
};

subtest 'what is the client\'s fault' => sub {
    my $client = $proxy->connect;
    $client->write("POST /chunk HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=1 hold=100 to0=/busy\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nzz\r\n");
    is($client->read_response->status, 400, 'is told to the client');
    is(plain_calls('/chunk'), "checkout\nbackend s0\npage client_bad_chunk\ncheckin s0 connected client_bad_chunk\nterminate client_bad_chunk 400\n",
        'and no other service would do better');
};

# ── the backend's own errors ──

subtest 'an error of the backend, by its status' => sub {
    my $r = get('/busy', 'retries=1 to0=/busy to1=/ok fetch');
    is($r->status . $r->body, '200ok', 'the client has the answer of the second');
    is(join('', $r->all('X-Fetch')), '', 'and nothing of the first');
    is(plain_calls('/busy'), "checkout\nbackend s0\nanswered s0\nretry s0 yes -\nfetched later\ncheckin s0 connected -\ncheckout\nbackend s1\nanswered s1\n"
        . "checkin s1 connected -\nterminate - 200\n", 'the router is asked without a fault, and sees the headers');
    my ($first, $second) = attempts('/busy', qr/^answered/);
    is("@$first{qw(number reach status)} @$second{qw(number reach status)}", '1 head 503 2 head 200', 'it has heard of both heads');
    is($first->{received}, length $busy_response, 'bytes of the first');
};

subtest 'the same over HTTP/2, for a client of HTTP/2' => sub {
    my $client = Weir::Http2Client->connect($proxy->port);
    my $r = $client->get('/busy2', headers => [ [ 'x-do', 'first=2 retries=2 to2=/busy to3=/status?503 second=3 round' ] ]);
    is($r->{status}, 503, 'the third answers, which is asked again');
    my @asked = attempts('/busy2', qr/^retry/);
    is(join(' ', map { "$_->{number}$_->{status}" } @asked), '1503 2503 3503', 'asked about each');
    is(scalar(attempts('/busy2', qr/^answered/)), 3, 'told of each');
    $r = $client->get('/busy3', headers => [ [ 'x-do', 'first=2 retries=1 to2=/busy to3=/fine' ] ]);
    is("$r->{status}$r->{body}", '200fine', 'and the connection goes on');
};

subtest 'a long body behind the status' => sub {
    is(get('/large', 'retries=1 to0=/large to1=/ok')->body, 'ok', 'is not waited for');
    my ($asked) = attempts('/large', qr/^retry/);
    is("@$asked{qw(reach may)}", 'head 1', 'none of it has gone to the client');
};

subtest 'an error that the router lets pass' => sub {
    my $r = get('/missing', 'retries=1 only=503 to0=/missing');
    is($r->status . $r->body, '404none', 'goes to the client as it came');
    is(plain_calls('/missing'), "checkout\nbackend s0\nanswered s0\nretry s0 no -\ncheckin s0 connected -\nterminate - 404\n", 'asked once');
    is($proxy->log_where(path => '/missing')->{code}, undef, 'all went well');
};

is(get('/grpc', 'to0=/grpc')->status, 503, 'gRPC\'s status in a head passes');
is(join(' ', map { $_->{grpc} } attempts('/grpc', qr/grpc=/)), '14 14 14', 'and the router is told');

subtest 'a response that is none' => sub {
    is($proxy->ask("HEAD /head HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=1 to0=/busy to1=/ok\r\n\r\n", head => 1)->status, 200, 'HEAD is sent again like GET');
    is(plain_calls('/head'), "checkout\nbackend s0\nanswered s0\nretry s0 yes -\ncheckin s0 connected -\ncheckout\nbackend s1\nanswered s1\n"
        . "checkin s1 connected -\nterminate - 200\n", 'the calls');
};

# ── too late ──

subtest 'once a byte of the response went out' => sub {
    my $client = $proxy->connect;
    $client->write("GET /begun HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=9 to0=/cut\r\n\r\n");
    my $r = $client->read_response;
    is($r->status, 200, 'it had begun');
    ok(!$r->is_complete, 'it is cut');
    is(plain_calls('/begun'), "checkout\nbackend s0\nanswered s0\ncheckin s0 connected backend_truncated\nterminate backend_truncated 200\n", 'nobody is asked');
    my ($back) = attempts('/begun', qr/^checkin/);
    is("@$back{qw(reach may)}", 'body 0', 'the check-in says why');
};

subtest 'once an interim response went out' => sub {
    my $client = $proxy->connect;
    $client->write("GET /hints HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=9 to0=/hints\r\n\r\n");
    is(join(' ', map { $client->read_response(interim => 1)->status } 1 .. 2), '103 503', 'the client has seen it, then a page');
    is(plain_calls('/hints'), "checkout\nbackend s0\npage backend_truncated\ncheckin s0 connected backend_truncated\nterminate backend_truncated 503\n", 'nobody is asked');
    my ($back) = attempts('/hints', qr/^checkin/);
    is("@$back{qw(reach may)}", 'interim 0', 'the check-in says why');
    $client = $proxy->connect;
    $client->write("POST /hints2 HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2 retries=9 hold=4 to2=/middle-hints\r\nContent-Length: 4\r\n\r\nbody");
    is(join(' ', map { $client->read_response(interim => 1)->status } 1 .. 2), '103 502', 'over HTTP/2 it is the same');
    is(scalar(attempts('/hints2', qr/^retry/)), 0, 'nobody is asked');
    is($proxy->ask("GET /hints10 HTTP/1.0\r\nHost: a.test\r\nX-Do: retries=1 to0=/hints to1=/ok\r\n\r\n")->body, 'ok', 'a client of HTTP/1.0 sees none: there it is sent again');
};

subtest 'a client that wants another protocol' => sub {
    my $upgrade = "Connection: upgrade\r\nUpgrade: x\r\n";
    is(get('/upgrade', 'retries=9 to0=/closed', headers => $upgrade)->status, 503, 'gets a page');
    is(plain_calls('/upgrade'), "checkout\nbackend s0\npage backend_closed\ncheckin s0 connected backend_closed\nterminate backend_closed 503\n", 'nobody is asked');
    is(get('/upgrade-busy', 'retries=9 to0=/busy', headers => $upgrade)->status, 503, 'or what the backend says instead');
    my ($told) = attempts('/upgrade-busy', qr/^answered/);
    is("@$told{qw(status may)}", '503 0', 'of which the router only hears');
};

subtest 'a body that was not held' => sub {
    my $client = $proxy->connect;
    $client->write("POST /unheld HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=9 to0=/whole\r\nContent-Length: 4\r\n\r\nbody");
    is($client->read_response->status, 503, 'is not there any more');
    my ($back) = attempts('/unheld', qr/^checkin/);
    is("$back->{reach} $back->{may} " . scalar(attempts('/unheld', qr/^retry/)), 'sent 0 0', 'nobody is asked');
    $client = $proxy->connect;
    $client->write("POST /unbegun HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=9 to0=/closed to1=/ok\r\nContent-Length: 4\r\n\r\n");
    ok(wait_for { recorded_calls($log, '/unbegun') =~ /^backend s1/m }, 'one that has not begun is another matter');
    $client->write('body');
    is($client->read_response->body, 'ok', 'the second backend gets it');
};

# ── numbers ──

subtest 'bytes and times of each attempt' => sub {
    my $body = 'b' x 5000;
    my $client = $proxy->connect;
    $client->write("POST /numbers HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=1 hold=5000 to0=/busy/numbers to1=/ok/numbers\r\nContent-Length: 5000\r\n\r\n$body");
    is($client->read_response->body, 'ok', 'sent twice');
    my ($first, $second) = attempts('/numbers', qr/^checkin/);
    my @sent = map { length } grep { m{^POST /\w+/numbers } } $one->received;
    is("$first->{sent} $second->{sent}", "@sent", 'sent: what each backend has got');
    is("$first->{received} $second->{received}", join(' ', length $busy_response, length simple_response('ok')), 'received: what each has said');
    for my $attempt ($first, $second) {
        cmp_ok($attempt->{connect}, '>', 0, 'the connection took its time');
        cmp_ok($attempt->{head}, '>=', $attempt->{connect}, 'the head came after it');
        cmp_ok($attempt->{whole}, '>=', $attempt->{head}, 'the end after the head');
    }
    like(calls_of('/numbers'), qr/^terminate - 200 backend=200 body=5000 response=2 connects=2$/m, 'the body counts once');
};

subtest 'a connection that had served others' => sub {
    my $keeping = proxy(router => { %router, keepalive => 'reuse' });
    for my $case ([ 'HTTP/1', 'to0=/kept' ], [ 'HTTP/2', 'first=2 to2=/fine' ]) {
        my ($name, $do) = @$case;
        my @paths = map { '/reused-' . lc($name =~ s/\W//r) . "-$_" } 1 .. 2;
        is(get($_, $do, from => $keeping)->status, 200, "$name: $_") for @paths;
        is(join(' ', map { (attempts($_, qr/^checkin/))[0]{reused} } @paths), '0 1', 'the second is told so');
        my ($back) = attempts($paths[1], qr/^checkin/);
        cmp_ok($back->{connect}, '>', 0, 'its connection was there at once');
    }
};

subtest 'a request that the backend has certainly not acted upon' => sub {
    my $r = get('/refused', 'first=2 retries=1 to2=/rst_7 to3=/fine');
    is($r->body, 'fine', 'goes to another');
    my ($asked) = attempts('/refused', qr/^retry/);
    is("@$asked{qw(number untouched)}", '1 1', 'when the proxy has tried it by itself, once');
    is($two->count(qr{^request \d+ \d+ /rst_7$}), 2, 'so the first has seen it twice');
    like(calls_of('/refused'), qr/connects=3$/m, 'over three connections or streams');
};

# ── ends ──

subtest 'a router that always wants it' => sub {
    my $fast = Weir::Backend->start(fast => simple_response('busy', status => '503 Busy'), dir => dirname(temp_path()), name => 'fast');
    my $own = proxy(router => { %router, keepalive => 'reuse', backends => [ $fast->address ] });
    is(get('/endless', 'again round', from => $own)->status, 503, 'is stopped');
    is($own->log_where(path => '/endless')->{code}, 'too_many_attempts', 'by the count of its attempts');
    my @back = attempts('/endless', qr/^checkin s/);
    is(scalar @back, 1000, 'a thousand picks have come back');
    is("$back[0]{number} $back[-1]{number}", '1 1000', 'each with its number');
    like(calls_of('/endless'), qr/^page too_many_attempts\ncheckin - checkout too_many_attempts -\nterminate too_many_attempts 503/m, 'then a page');
};

subtest 'requests behind one that is sent again' => sub {
    my $client = $proxy->connect;
    $client->write(join '', map { "POST /piped-$_ HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=1 hold=9 to0=/busy to1=/ok\r\nContent-Length: 4\r\n\r\nbody" } 1 .. 3);
    is(join(' ', map { $client->read_response->body } 1 .. 3), 'ok ok ok', 'wait, and have their answers in order');
    is(scalar(attempts("/piped-$_", qr/^checkin/)), 2, "the request $_ was sent twice") for 1 .. 3;
};

subtest 'the client leaves while a service that failed is checked in' => sub {
    my $client = $proxy->connect;
    $client->write("GET /left HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=1 to0=/closed checkin=" . ms(200) . "\r\n\r\n");
    wait_for { recorded_calls($log, '/left') =~ /^checkin/m };
    $client->reset;
    is(plain_calls('/left'), "checkout\nbackend s0\nretry s0 yes backend_closed\ncheckin s0 connected backend_closed\nabandoned client\n"
        . "checkin - checkout client_closed -\nterminate client_closed 499\n", 'it is not picked again');
};

subtest 'a router that is late with such a check-in' => sub {
    my $hasty = proxy(router => \%router, path => { 'weir.router-timeout' => ms(50) });
    is(get('/late', 'retries=1 to0=/closed checkin=' . ms(200), from => $hasty)->status, 503, 'a page');
    is($hasty->log_where(path => '/late')->{code}, 'router_timeout', 'the router\'s fault');
    is(plain_calls('/late'), "checkout\nbackend s0\nretry s0 yes backend_closed\ncheckin s0 connected backend_closed\nabandoned deadline\n"
        . "checkin - checkout router_timeout -\nabandoned deadline\nterminate router_timeout 503\n", 'nothing is picked again');
};

done_testing;
