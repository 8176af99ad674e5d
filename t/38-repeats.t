# SPDX-License-Identifier: MIT
# What is sent again behind the connect: nothing that may have run, unless the app says so, and what a backend has declined; within a
# budget.
use lib 't/lib';
use Weir::Test;

# Counts what it runs, and fails as its path says unless it is the good one.
sub counting {
    my ($is_good) = @_;
    return backend(sub {
        my $c = shift;
        while (my ($head, $body) = $c->read_request) {
            my $case = $c->case_of($head);
            $c->note("run $case");
            if (!$is_good) {
                return $c->reset if $case =~ /reset/;
                if ($case =~ /late/) { return $c->wait_close }
                if ($case =~ /^s(\d+)/) { $c->write("HTTP/1.1 $1 No\r\nContent-Length: 2\r\n\r\nno"); next }
            }
            $c->write(simple_response('good ' . ($body // '')));
        }
    });
}
my ($bad, $good) = (counting(0), counting(1));

sub app {
    my (%more) = @_;
    return { app => { domains => ['*'], quarantine => 'OFF', backends => [
        { at => $bad->address, tier => 0 }, { at => $good->address, tier => 1 } ], keepalive => 'none', %more } };
}
sub runs { my ($case) = @_; return scalar grep { /run \Q$case\E$/ } $bad->events, $good->events }

subtest 'unless an app says so, nothing runs twice' => sub {
    my $proxy = proxy(apps => app());
    is($proxy->get('/resetA')->status, 503, 'a reset is told');
    is($proxy->get('/s503A')->body, 'no', "a backend's own error is passed on");
    is(runs($_), 1, "$_ has run once") for qw(resetA s503A);
};

subtest 'what may be repeated is' => sub {
    my $proxy = proxy(apps => app(retry => { on => [qw(reset timeout status)], 'try-timeout' => 300 }));
    is($proxy->get("/$_")->body, 'good ', "$_ is answered by another one") for qw(resetB s502B s503B s504B lateB);
    is(runs($_), 2, "$_ has run twice") for qw(resetB s503B lateB);
    my $line = $proxy->log_where(path => '/resetB');
    is("$line->{retry} $line->{tries}", 'reset 2', 'the log says why');
    is($proxy->log_where(path => '/lateB')->{retry}, 'timeout', 'and which way it failed');
    is($proxy->get('/s500B')->body, 'no', 'not a status that is not named');
    is($proxy->get('/s404B')->body, 'no', 'nor what is the client\'s fault');
};

subtest 'a connect that fails is told, too' => sub {
    my $dead = '127.0.0.1:' . refusing_port();
    my $proxy = proxy(apps => app(backends => [ { at => $dead }, { at => $good->address, tier => 1 } ]));
    is($proxy->get('/deadA')->body, 'good ', 'another one has it');
    my $line = $proxy->log_where(path => '/deadA');
    is("$line->{retry} $line->{tries}", 'connect 2', 'which the log says');
    ok($proxy->reload(apps => app(backends => [ $dead ])), 'nobody else');
    $proxy->get('/deadB');
    is($proxy->log_where(path => '/deadB')->{retry}, undef, 'is no retry');
};

subtest 'methods' => sub {
    my $proxy = proxy(apps => app(retry => { on => [qw(reset status)], methods => [qw(idempotent keyed)] }));
    my $post = sub { my ($case, $more) = @_; return $proxy->ask("POST /$case HTTP/1.1\r\nHost: a\r\n" . ($more // '') . "Content-Length: 4\r\n\r\nbody") };
    is($post->('resetC')->status, 503, 'a POST is not repeated');
    is(runs('resetC'), 1, 'it has run once');
    is($post->('resetD', "Idempotency-Key: \"x\"\r\n")->body, 'good body', 'with a key it is, body and all');
    is($proxy->ask("PUT /resetE HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nput")->body, 'good put', 'so is a PUT');
};

subtest 'where nobody else is there' => sub {
    my $proxy = proxy(apps => { app => { domains => ['*'], backends => [ $bad->address ], retry => { on => ['status'] }, quarantine => 'OFF' } });
    is($proxy->get('/s503F')->body, 'no', 'the error is passed on');
    is(runs('s503F'), 3, 'when the same one has been asked again, as often as it may be');
    is($proxy->log_where(path => '/s503F')->{tries}, 3, 'which the log says');
    my $client = $proxy->connect;
    $client->write("GET /s503Q HTTP/1.1\r\nHost: a\r\n\r\n");
    $client->close;
    ok($proxy->log_where(path => '/s503Q'), 'a client may go while it is paused');
};

# Declines what comes first on a connection, or on a connection that is not the first; and says so of which it was.
sub declining {
    my ($status, $when) = @_;
    return backend(sub {
        my $c = shift;
        my $count = 0;
        while (my ($head, $body) = $c->read_request) {
            my $case = $c->case_of($head);
            $c->note("run $case on $c->{index}" . ($head =~ /^early-data:/mi ? ' early' : ''));
            my $declines = $when eq 'always' || ($when eq 'kept' && $count++ > 0);
            $c->write($declines ? "HTTP/1.1 $status No\r\nContent-Length: 2\r\n\r\nno" : simple_response('yes'));
        }
    });
}
sub seen { my ($backend, $case) = @_; return map { /run \Q$case\E on (.*)$/ ? $1 : () } $backend->events }

subtest 'what is misdirected goes on a fresh connection' => sub {
    my $kept = declining(421, 'kept');
    my $proxy = proxy(apps => { app => { domains => ['*'], backends => [ $kept->address ] } });
    is($proxy->get('/first')->body, 'yes', 'a connection is there');
    is($proxy->ask("POST /again HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")->body, 'yes', 'on which another is declined, and served');
    my @on = seen($kept, 'again');
    is(scalar @on, 2, 'by the same backend');
    isnt($on[0], $on[1], 'on another connection');
    is($proxy->log_where(path => '/again')->{retry}, 'status', 'which the log tells');
    my $never = declining(421, 'always');
    ok($proxy->reload(apps => { app => { domains => ['*'], backends => [ $never->address ] } }), 'one that always declines');
    is($proxy->get('/never')->status, 421, 'is believed the second time');
    is(scalar seen($never, 'never'), 2, 'and not asked a third time');
};

subtest 'what is too early is sent once more' => sub {
    my $early = declining(425, 'always');
    my $proxy = proxy(apps => { app => { domains => ['*'], backends => [ { at => $early->address, tier => 0 }, { at => $good->address, tier => 1 } ] } });
    is($proxy->get('/early')->body, 'good ', 'to another one, if there is one');
    is_deeply([ map { /early$/ ? 1 : 0 } seen($early, 'early') ], [0], 'Early-Data is nothing that we say');
    is($proxy->get('/marked', "Early-Data: 1\r\n")->status, 425, 'who has sent early data itself is told');
    is(scalar seen($early, 'marked'), 1, 'and nothing is repeated');
    is($proxy->ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")->status, 425, 'nor what has a body that is gone');
    ok($proxy->reload(apps => { app => { domains => ['*'], backends => [ $early->address ], 'retry-budget' => { percent => 0, floor => 0 } } }), 'no budget');
    is($proxy->get('/broke')->status, 425, 'so nothing is repeated');
    is(scalar seen($early, 'broke'), 1, 'at all');
};

subtest 'a budget' => sub {
    my $also = counting(0);
    my $apps = app(retry => { on => ['status'] }, 'retry-budget' => { percent => 10, floor => 0 });
    $apps->{app}{backends} = [ $bad->address, $also->address ];
    my $proxy = proxy(apps => $apps);
    my $before = grep { /run s503G$/ } $bad->events, $also->events;
    $proxy->get('/s503G') for 1 .. 100;
    my $runs = grep { /run s503G$/ } $bad->events, $also->events;
    cmp_ok($runs, '<=', 112, "100 requests that all fail have run $runs times");
    cmp_ok($runs, '>', 100, 'but some were repeated');
    ok($proxy->reload(apps => { app => { %{ $apps->{app} }, backends => [ $bad->address ] } }), 'one alone');
    $proxy->get('/s503H') for 1 .. 50;
    cmp_ok(runs('s503H'), '<=', 66, 'has the same budget');
};

done_testing;
