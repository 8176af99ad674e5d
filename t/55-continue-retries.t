# SPDX-License-Identifier: MIT
# Expect: 100-continue where the router takes its time, refuses, or wants the request sent again: nobody is asked for a body that no
# service takes, and nobody twice.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;
use Weir::Http2Client;

my %does = (
    good   => sub { my ($c, $head) = @_; my ($body) = $c->read_body($head); $c->write(simple_response("got $body")) },
    unread => sub { my ($c) = @_; $c->note('unread') },
    whole  => sub { my ($c, $head) = @_; $c->read_body($head) },
    busy   => sub { my ($c, $head) = @_; $c->read_body($head); $c->write(simple_response('busy', status => '503 Busy')); $c->wait_close },
    early  => sub { my ($c) = @_; $c->write(simple_response('busy', status => '503 Busy')); $c->wait_close },
    no     => sub { my ($c) = @_; $c->write(simple_response('no', status => '417 No')); $c->wait_close },
    go     => sub { my ($c, $head) = @_; $c->write("HTTP/1.1 100 Continue\r\n\r\n"); my ($body) = $c->read_body($head); $c->write(simple_response("went $body")) },
    gofail => sub { my ($c, $head) = @_; $c->write("HTTP/1.1 100 Continue\r\n\r\n"); $c->read_body($head) },
);
my $one = backend(sub { my $c = shift; my $head = $c->read_head or return; $does{ $c->case_of($head) }->($c, $head) }, name => 'one');
my $two = Weir::Http2Backend->start;
my $log = temp_path('attempts.log');
my %router = (module => router_so('attempts'), log => $log);
my $proxy = proxy(router => { %router, backends => [ $one->address, $one->address, map { 'h2:' . $two->address } 1 .. 2 ] });
my $other = temp_path('patient.log');
my $patient = proxy(router => { module => router_so('patient'), log => $other, backend => $one->address });

sub calls_of { my ($path) = @_; return recorded_calls($log, $path, qr/^terminate/m) }

# A client that has asked whether it may send a body.
sub asks {
    my ($from, $path, $do, %option) = @_;
    my $client = $from->connect;
    my $framing = $option{framing} // "Content-Length: 4\r\n";
    $client->write("POST $path HTTP/1.1\r\nHost: a.test\r\nX-Do: $do\r\nExpect: 100-continue\r\n$framing" . ($option{headers} // '') . "\r\n");
    return $client;
}

# All that such a client gets: the statuses, and the last one's body. It sends its body when it is asked to.
sub gets {
    my ($client, $body) = @_;
    my @statuses;
    while (my $r = $client->read_response(interim => 1)) {
        push @statuses, $r->status;
        return "@statuses: " . $r->body if $r->status >= 200;
        $client->write($body // 'body') if @statuses == 1;
    }
    return "@statuses";
}
sub statuses { my ($answer) = @_; return $answer =~ s/:.*//sr }

# ── before a service is picked ──

for my $question (qw(init lookup checkout backend)) {
    subtest "while $question is open" => sub {
        my $path = "/good/$question";
        my $client = asks($patient, $path, "keep=$question");
        wait_for { recorded_calls($other, $path) =~ /^$question/m };
        ok($client->is_silent(0.05), 'the client is not asked for its body');
        is($patient->get('/answer', "X-Do: answer=$path\r\n")->status, 200, 'the answer comes');
        is(gets($client), '100 200: got body', 'then it is, once');
    };
}

subtest 'a router that waits, then refuses' => sub {
    my $client = asks($proxy, '/refused', 'refuse checkout=' . ms(100));
    my $answer = gets($client);
    is(statuses($answer), '503', 'the client sees no 100, and a final status');
    like($answer, qr/maintenance/, 'with the reason');
    ok(defined $client->read_eof, 'its connection ends: nobody knows whether the body will come');
    like(calls_of('/refused'), qr/^page maintenance\n/m, 'the usual page');
    my $h2 = Weir::Http2Client->connect($proxy->port);
    my $r = $h2->response($h2->request(path => '/refused2', method => 'POST', is_open => 1,
        headers => [ [ 'expect', '100-continue' ], [ 'x-do', 'refuse checkout=' . ms(100) ] ]));
    is(scalar(@{ $r->{interim} }) . " $r->{status}", '0 503', 'over HTTP/2 as well');
};

subtest 'a router that does not answer' => sub {
    my $hasty = proxy(router => { %router, backends => [ $one->address ] }, path => { 'weir.router-timeout' => ms(50) });
    is(statuses(gets(asks($hasty, '/timeout', 'to0=/good checkout=' . ms(200)))), '503', 'no 100, and a page');
};

subtest 'a stage that answers by itself' => sub {
    my $stage_log = temp_path('stage.log');
    my $own = proxy(router => { %router, backends => [ $one->address ] }, path => { 'weir.stages' => router_so('stage', '-DNUMBER=45', qq(-DLOG="$stage_log")) });
    is(gets(asks($own, "/stage-$_", 'to0=/good', headers => "X-Do-45: $_\r\n")), "202: from a stage\n", "$_: no 100, and its answer") for qw(reply late);
    is(statuses(gets(asks($own, '/stage-refuse', 'to0=/good', headers => "X-Do-45: refuse\r\n"))), '403', 'refuse: no 100 either');
    is(gets(asks($own, '/stage-pass', 'to0=/good', headers => "X-Do-45: pass\r\n")), '100 200: got body', 'pass: the 100 follows');
};

# ── over several attempts ──

subtest 'a body that is held' => sub {
    is(gets(asks($proxy, "/held-$_", "retries=1 hold=4 to0=/$_ to1=/good")), '100 200: got body', "$_: the client is asked for it once") for qw(unread whole busy early);
    is(gets(asks($proxy, '/held-chunks', 'retries=1 hold=100 to0=/whole to1=/good', framing => "Transfer-Encoding: chunked\r\n"), "4\r\nbody\r\n0\r\n\r\n"),
        '100 200: got body', 'in chunks');
    is(gets(asks($proxy, '/held-four', 'retries=9 hold=4 to0=/whole to1=/busy to2=/rst_2 to3=/body')), '100 200: body', 'by four backends of two protocols');
};

subtest 'a body that has not begun' => sub {
    my $client = asks($proxy, '/unbegun', 'retries=1 to0=/unread to1=/good');
    is($client->read_response(interim => 1)->status, 100, 'the client is asked for it');
    wait_for { recorded_calls($log, '/unbegun') =~ /^backend s1/m };
    $client->write('body');
    is(gets($client), '200: got body', 'and need not know that the first backend was gone by then');
};

subtest 'a failed connect' => sub {
    my $own = proxy(router => { %router, backends => [ '127.0.0.1:' . refusing_port(), '127.0.0.1:' . refusing_port(), $one->address ] });
    is(gets(asks($own, '/connect', 'to2=/good')), '100 200: got body', 'the client is asked once');
    is(statuses(gets(asks($own, '/connects', 'to2=/good second=5'))), '100 503', 'even where nobody is left');
};

subtest 'a body that is not held' => sub {
    is(statuses(gets(asks($proxy, '/unheld', 'retries=1 to0=/whole to1=/good'))), '100 503', 'is not asked for again');
};

# ── where the backend decides ──

subtest 'the backend\'s own 100' => sub {
    is(gets(asks($proxy, '/deep', 'deep to0=/go')), '100 200: went body', 'is the one that the client sees');
    is(gets(asks($proxy, '/deep-no', 'deep to0=/no')), '417: no', 'as is its refusal');
    my ($head) = grep { m{^POST /go } } $one->heads;
    like($head, qr/^Expect: 100-continue\r$/m, 'which was asked for');
};

subtest 'a backend that fails before it' => sub {
    is(gets(asks($proxy, "/deep-$_", "deep retries=1 to0=/$_ to1=/go")), '100 200: went body', "$_: the second one decides") for qw(unread early no);
    is(gets(asks($proxy, '/deep-both', 'deep retries=1 to0=/unread to1=/no')), '417: no', 'and may refuse');
    is(gets(asks($proxy, '/deep-http2', 'deep retries=1 second=3 to0=/early to3=/continue')), '100 200: body', 'over HTTP/2');
};

subtest 'a backend that fails behind it' => sub {
    is(gets(asks($proxy, '/behind', 'deep retries=1 hold=4 to0=/gofail to1=/good')), '100 200: got body', 'the second gets what is held');
    is(gets(asks($proxy, '/behind-http2', 'deep retries=1 hold=4 first=2 second=1 to2=/continue-rst to1=/good')), '100 200: got body', 'over HTTP/2');
    is(statuses(gets(asks($proxy, '/behind-unheld', 'deep retries=1 to0=/gofail to1=/good'))), '100 503', 'or nothing, where nothing is held');
    my ($told) = calls_of('/behind') =~ /^retry s0 yes \w+ (.*)$/m;
    like($told, qr/ reach=interim .* may=1 /, 'a 100 does not keep the router from it');
};

subtest 'a client of HTTP/2' => sub {
    my $h2 = Weir::Http2Client->connect($proxy->port);
    for my $case ([ '/held', 'retries=1 hold=4 to0=/whole to1=/good' => 'got body' ], [ '/deep', 'deep retries=1 to0=/unread to1=/go' => 'went body' ],
        [ '/both', 'deep retries=1 first=2 to2=/first-rst to3=/continue' => 'body' ]) {
        my ($path, $do, $want) = @$case;
        my $id = $h2->request(path => "/two$path", method => 'POST', is_open => 1, headers => [ [ 'content-length', '4' ], [ 'expect', '100-continue' ], [ 'x-do', $do ] ]);
        ok($h2->wait(interim => $id), "$path: is asked for its body");
        $h2->data($id, 'body', is_last => 1);
        my $r = $h2->response($id);
        is(scalar(@{ $r->{interim} }) . " $r->{status} $r->{body}", "1 200 $want", 'once');
    }
};

done_testing;
