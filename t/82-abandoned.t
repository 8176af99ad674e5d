# SPDX-License-Identifier: MIT
# Questions that nobody waits for any more: the client has left, the time is up, the proxy ends. The router is told once, and what it
# picks all the same comes back once.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;

my $backend = echo_backend();
my $log     = temp_path('patient.log');
my $module  = router_so('patient');
my %router  = (module => $module, log => $log, backend => $backend->address);
my %broken  = (%router, backend => '127.0.0.1:' . refusing_port());
my $proxy   = proxy(router => \%router, path => { 'weir.router-timeout' => ms(60_000) });
my $dead    = proxy(router => \%broken, path => { 'weir.router-timeout' => ms(60_000) });
my $hasty   = proxy(router => \%router, path => { 'weir.router-timeout' => ms(100) });
my $dead_and_hasty = proxy(router => \%broken, path => { 'weir.router-timeout' => ms(100) });

sub calls    { my ($path) = @_; return recorded_calls($log, $path) }
sub calls_of { my ($path) = @_; return recorded_calls($log, $path, qr/^terminate/m) }
sub get { my ($from, $path, $do) = @_; return $from->get($path, "X-Do: $do\r\n") }

# Sends a request and waits until its question is open.
sub open_question {
    my ($from, $path, $question, $do) = @_;
    my $client = $from->connect;
    $client->write("GET $path HTTP/1.1\r\nHost: a.test\r\nX-Do: keep=$question $do\r\n\r\n");
    ok(wait_for { calls($path) =~ /^$question/m }, "$question is asked");
    return $client;
}
sub answer { my ($from, $path, $how) = @_; return is(get($from, '/answer', "answer=$path " . ($how // ''))->status, 200, 'the router answers at last') }

# question, whether it is one about a backend that cannot be connected to, what is called before it, and behind it when the request
# has ended for the reason %s with the status %d
my $end   = "terminate %s %d\n";
my $begin = "init\nlookup\n";
my @open  = (
    [ init     => 0, "init\n",                      "checkin - lookup %s\n$end" ],
    [ lookup   => 0, $begin,                        "checkin - lookup %s\n$end" ],
    [ checkout => 0, "${begin}checkout\n",          "checkin service checkout %s\n$end" ],
    [ backend  => 0, "${begin}checkout\nbackend\n", "checkin service checkout %s\n$end" ],
    [ checkin  => 1, "${begin}checkout\nbackend\ncheckin service connecting backend_refused\n", "checkin - checkout %s\n$end" ],
);
sub ended { my ($behind, $fault, $status) = @_; return $behind =~ s/%s/$fault/gr =~ s/%d/$status/r }

# ── the client leaves ──

for my $case (@open) {
    my ($question, $is_dead, $before, $behind) = @$case;
    my $from = $is_dead ? $dead : $proxy;
    for my $how ('', 'abandoned=here', 'abandoned=thread', 'abandoned=late') {
        subtest "the client leaves while $question is open; $how" => sub {
            my $path = "/left-$question-" . $how =~ s/\W/-/gr;
            my $client = open_question($from, $path, $question, $how);
            $client->reset;
            ok(wait_for { calls($path) =~ /^abandoned/m }, 'the router is told');
            if ($how eq '') {
                is(calls($path), "${before}abandoned client\n", 'then the answer is waited for');
                answer($from, $path);
            }
            if ($is_dead) {    # which is kept as well
                ok(wait_for { calls($path) =~ /^checkin - /m }, 'the closing check-in follows');
                answer($from, $path);
            }
            is(calls_of($path), "${before}abandoned client\n" . ended($behind, 'client_closed', 499), 'and that was all');
        };
    }
}

subtest 'a client of HTTP/2' => sub {
    my $h2 = Weir::Http2Client->connect($proxy->port);
    my $id = $h2->request(path => '/left-http2', headers => [ [ 'x-do', 'keep=checkout abandoned=here' ] ]);
    wait_for { $h2->tell('pump', 0); calls('/left-http2') =~ /^checkout/m };
    $h2->reset_stream($id);
    $h2->tell('flush', wait_seconds());
    is(calls_of('/left-http2'), "${begin}checkout\nabandoned client\ncheckin service checkout client_closed\nterminate client_closed 499\n", 'resets its stream');
    is($h2->get('/after-http2')->{status}, 200, 'the connection goes on');
};

subtest 'a page that nobody will see' => sub {
    my $client = open_question($proxy, '/left-page', 'page', 'refuse');
    $client->reset;
    answer($proxy, '/left-page');
    like(calls_of('/left-page'), qr/^checkin - checkout maintenance\nterminate maintenance (?:499|503)\n\z/m, 'ends like others, once it is answered');
};

# ── the time is up ──

for my $case (@open) {
    my ($question, $is_dead, $before, $behind) = @$case;
    my $from = $is_dead ? $dead_and_hasty : $hasty;
    for my $until ('', 'until=' . ms(50), 'nameless until=' . ms(50)) {
        my ($fault, $status) = $until =~ /^until/ ? ('exhausted', 429) : ('router_timeout', 503);
        subtest "$question takes too long; $until" => sub {
            my $path = "/late-$question-" . $until =~ s/\W/-/gr;
            my $client = open_question($from, $path, $question, $until);
            my $r = $client->read_response;
            is($r->status, $status, 'the client gets a page');
            like($r->body, qr/\b$fault\b/, 'with the reason');
            is(calls($path), "${before}abandoned deadline\n", 'the router is told, once; and is not asked for a page');
            answer($from, $path);
            if ($is_dead) {
                ok(wait_for { calls($path) =~ /^checkin - /m }, 'the closing check-in follows');
                answer($from, $path);
            }
            my $calls = calls_of($path);
            my $most = ended($behind, $fault, $status);
            # on a slow machine the closing check-in may take too long as well
            is($calls =~ s/^(checkin .*\n)abandoned deadline\n(?=terminate)/$1/mr, "${before}abandoned deadline\n$most", 'the end');
            is($from->log_where(path => $path)->{code}, $fault, 'named in the log');
        };
    }
}

subtest 'a page that takes too long' => sub {
    for my $until ('', 'until=' . ms(50)) {
        my $path = '/late-page-' . $until =~ s/\W/-/gr;
        my $client = open_question($hasty, $path, 'page', "refuse own $until");
        my $r = $client->read_response;
        is($r->status, 503, 'is ours');
        like($r->body, qr/\bmaintenance\b/, 'and names the reason of the refusal');
        answer($hasty, $path);
        is(calls_of($path), "${begin}checkout\npage maintenance\nabandoned deadline\ncheckin - checkout maintenance\nterminate maintenance 503\n", 'the calls');
    }
};

subtest 'a closing check-in that takes too long' => sub {
    my $client = open_question($hasty, '/late-closing', 'checkin', '');
    is($client->read_response->status, 200, 'the client has its response');
    ok(wait_for { calls('/late-closing') =~ /^abandoned/m }, 'the router is told');
    answer($hasty, '/late-closing');
    is(calls_of('/late-closing'), "${begin}checkout\nbackend\ncheckin service connected -\nabandoned deadline\nterminate - 200\n", 'the calls');
};

subtest 'a time longer than weir.router-timeout' => sub {
    my $client = open_question($hasty, '/longer', 'checkout', 'until=' . ms(60_000));
    ok($client->is_silent(ms(250) / 1000), 'is waited for');
    answer($hasty, '/longer');
    is($client->read_response->status, 200, 'the answer counts');
    is(calls_of('/longer'), "${begin}checkout\nbackend\ncheckin service connected -\nterminate - 200\n", 'nobody was told anything');
};

# how the router answers in the call. From another thread its answer is there before the walk goes on: letters are opened in order
for my $how (qw(here thread)) {
    my ($page, $status) = ("page exhausted\n", 418);
    subtest "an answer when the time is up: $how" => sub {
        my $path = "/answered-$how";
        my $client = open_question($proxy, $path, 'checkout', "own abandoned=$how until=" . ms(50));
        is($client->read_response->status, $status, 'closes the question: the router is asked for the page');
        is(calls_of($path), "${begin}checkout\nabandoned deadline\n${page}checkin service checkout exhausted\nterminate exhausted $status\n",
            'what was picked comes back once');
    };
}

subtest 'the client leaves when the time was up already' => sub {
    my $client = open_question($hasty, '/both', 'checkout', '');
    ok(wait_for { calls('/both') =~ /^abandoned/m }, 'the router is told of the first');
    $client->reset;
    select undef, undef, undef, 0.02;
    answer($hasty, '/both');
    is(calls_of('/both'), "${begin}checkout\nabandoned deadline\ncheckin service checkout router_timeout\nterminate router_timeout 503\n", 'and of nothing else');
};

# ── the proxy ends ──

for my $case (@open) {
    my ($question, $is_dead, $before, $behind) = @$case;
    next if $is_dead;    # its closing one would be kept as well, and there is nobody to answer it
    subtest "the proxy ends while $question is open" => sub {
        my $own  = proxy(router => \%router, path => { 'weir.router-timeout' => ms(60_000) }, global => { 'drain-timeout' => ms(100) }, exit => 3);
        my $path = "/end-$question";
        my $client = open_question($own, $path, $question, 'abandoned=here until=' . ms(60_000));
        $own->signal('TERM');
        is($own->wait_exit, 3, 'somebody was cut off');
        is(calls_of($path), "${before}abandoned shutdown\n" . ended($behind, 'shutting_down', 503), 'the router was told, and all was brought to an end');
    };
}

subtest 'an answer before the deadline' => sub {
    my $own = proxy(router => \%router, path => { 'weir.router-timeout' => ms(60_000) });
    my $client = open_question($own, '/drained', 'checkout', 'after=' . ms(100) * 1000);
    $own->signal('TERM');
    is($client->read_response->status, 200, 'is served');
    is($own->wait_exit, 0, 'nobody was cut off');
    is(calls_of('/drained'), "${begin}checkout\nbackend\ncheckin service connected -\nterminate - 200\n", 'or told anything');
};

# ── at the same moment ──

subtest 'an answer that is there already' => sub {
    is(get($proxy, "/first-$_", "keep=$_ first abandoned=here until=1")->status, 200, "$_: a promise behind it changes nothing") for qw(init lookup checkout backend checkin);
    is(get($proxy, "/first-page", 'keep=page first refuse own until=1')->status, 418, 'page as well');
    unlike(calls_of("/first-$_"), qr/abandoned/, "$_: nobody is told") for qw(init lookup checkout backend checkin page);
};

# What must hold of every request, whoever came first.
sub holds {
    my ($calls) = @_;
    my $picked = () = $calls =~ /^(?:backend|checkin service checkout)/mg;
    my $back   = () = $calls =~ /^checkin service/mg;
    return (() = $calls =~ /^abandoned/mg) <= 1 && $back <= 1 && ($picked == 0 || $back == 1) && (() = $calls =~ /^terminate/mg) == 1;
}

my $count = is_sanitized() ? 150 : 400;
for my $race ([ leaves => '', 'the client leaves as a thread answers' ], [ late => 'until=2', 'the time is up as a thread answers' ],
    [ both => 'until=2 abandoned=here', 'the client leaves as the time is up, and the router answers in that call' ]) {
    my ($word, $how, $name) = @$race;
    subtest $name => sub {
        my $prefix = "/race-$word-";
        for my $i (1 .. $count) {
            my $client = $proxy->connect;
            my $question = qw(init lookup checkout backend)[ $i % 4 ];
            my $after = $word eq 'both' ? '' : 'after=' . 37 * ($i % 80);
            $client->write("GET $prefix$i HTTP/1.1\r\nHost: a.test\r\nX-Do: keep=$question $after $how\r\n\r\n");
            select undef, undef, undef, ($i * 7 % 30) / 10_000;
            $client->reset;
        }
        ok(wait_for { $count == (() = read_file($log) =~ m{^\Q$prefix\E\d+ terminate}mg) }, "$count requests end");
        my ($text, %calls) = read_file($log);
        push @{ $calls{$1} }, $2 while $text =~ m{^\Q$prefix\E(\d+) (.*)$}mg;
        is(join(' ', grep { !holds(join "\n", @{ $calls{$_} }) } sort keys %calls), '', 'each as it should');
    };
}

subtest 'init has answered the whole request, but late' => sub {
    is(get($proxy, '/late-init', 'keep=init respond abandoned=here until=50')->status, 429, 'the client has what its time was worth');
    is(calls('/late-init'), "init\nabandoned deadline\n", 'and the router hears nothing more');
};

subtest 'a page that nobody will see' => sub {
    my $client = open_question($proxy, '/unseen', 'page', 'refuse abandoned=here');
    $client->reset;
    ok(wait_for { calls('/unseen') =~ /^abandoned client/m }, 'the router is told');
};

for my $case ([ page => 'refuse', 3 ], [ checkin => '', 0 ]) {
    my ($question, $do, $exit) = @$case;
    subtest "the proxy ends while $question is open" => sub {
        my $own    = proxy(router => \%router, path => { 'weir.router-timeout' => ms(60_000) }, global => { 'drain-timeout' => ms(100) }, exit => $exit);
        my $client = open_question($own, "/end-$question", $question, "$do abandoned=here");
        $own->signal('TERM');
        $own->wait_exit;
        like(calls("/end-$question"), qr/^abandoned shutdown$/m, 'the router is told');
    };
}

done_testing;
