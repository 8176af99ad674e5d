# SPDX-License-Identifier: MIT
# Workers, proxies and clients that come and go in any order, many at a time.
use lib 't/lib';
use List::Util qw(shuffle);
use POSIX ();
use Time::HiRes qw(time);
use Weir::Client;
use Weir::Http2Backend;
use Weir::Http2Client;
use Weir::Load;
use Weir::Test;
use Weir::Workers;

use constant { ORDERS => 20, BURST => 250, BURSTS => 4, RESETS => 500, RESETS_PER_SECOND => 20, SLOW => 200, SLOW_BODY => 16_000_000 };

# The connections of a worker so far, and that none of them has ended.
sub is_connected_still {
    my ($worker, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($worker->connections, 1, "$name has one connection");
    is(join(' ', grep { /^(?:goaway|done|died|eof|reset)/ } $worker->events), '', 'which lives');
    return;
}

# ── clients that keep asking, whether or not anybody listens yet ──

# Asks again and again, until there is the file `$go` and it has been answered since. { try, said }: pipes that tell of its first try,
# and at the end what was no right answer.
sub start_client {
    my ($port, $go) = @_;
    my $parent = $$;
    pipe my $try, my $tells_try or die "pipe: $!";
    pipe my $said, my $says or die "pipe: $!";
    defined(my $pid = fork) or die "fork: $!";
    if ($pid == 0) {
        @SIG{qw(TERM INT HUP ALRM)} = ('DEFAULT') x 4;
        Weir::Client::close_all();
        my ($is_last, $wrong) = (0, '');
        while (!$is_last && $wrong eq '' && getppid() == $parent) {
            my $is_going = -e $go;
            my $client = Weir::Client->connect($port);
            syswrite $tells_try, 'x';
            if (!$client) {
                select undef, undef, undef, 0.01;    # nothing tells when somebody listens
                next;
            }
            $client->write("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n");
            my $response = $client->read_response(seconds => 3 * wait_seconds());
            $wrong = $response->status . ' ' . substr $response->body, 0, 80 if $response->status != 200;
            $is_last = $is_going;
        }
        syswrite $says, $wrong;
        POSIX::_exit(0);
    }
    return { pid => $pid, try => $try, said => $said };
}

sub end_client {
    my ($client) = @_;
    local $/;
    my $said = readline $client->{said};
    waitpid $client->{pid}, 0;
    return $said // '';
}

subtest 'started in any order: every client is answered' => sub {
    my @workers = map { Weir::Http2Backend->start } 1 .. 3;
    for my $seed (1 .. ORDERS) {
        srand $seed;
        my ($port, $at, $go) = (free_port(), free_port(), temp_path('go'));
        my ($own, @clients);
        my $lets_it_come = sub { return rand() < 0.5 };
        my %start = (proxy => sub { $own = host(workers_port => $at, listen => ["127.0.0.1:$port"]) });
        for my $n (1 .. 3) {
            $start{"client $n"} = sub {
                push @clients, start_client($port, $go);
                sysread $clients[-1]{try}, my $byte, 1 if $lets_it_come->();
            };
            $start{"worker $n"} = sub {
                my $worker = $workers[ $n - 1 ];
                my $before = $worker->count(qr/^answer 101/);
                $worker->dial($at, 'main', "w$n");
                wait_for { $worker->count(qr/^answer 101/) > $before } if $lets_it_come->() && $own;
            };
        }
        my @order = shuffle sort keys %start;
        $start{$_}->() for @order;
        write_file($go, '');
        is(join(', ', grep { length } map { end_client($_) } @clients), '', "seed $seed: " . join ', ', @order);
        is($own->stop, 0, 'the proxy ends');
        $_->leave for @workers;
    }
};

subtest 'one after the other is replaced: no request fails' => sub {
    my $own = host();
    my @workers = map { worker($own, "w$_") } 1 .. 3;
    my $load = Weir::Load->start($own, kinds => [qw(get get post post h2)], host => 'a', body => qr/^\d+$/);
    ok($load->goes_on(10), 'all are answered');
    for my $n (4 .. 9) {
        push @workers, worker($own, "w$n");
        ok($workers[-1]->wait_event(qr/^request/), "w$n has requests");
        my $leaver = shift @workers;
        $leaver->leave;
        ok($leaver->wait_event(qr/^done/), 'and one that leaves ends') or diag join "\n", grep { !/^(?:request|whole|data)/ } $leaver->events;
        $leaver->stop;
        ok($load->goes_on(10), 'clients are answered');
    }
    for my $worker (@workers) { # uncounted streams, and the same worker comes back
        is($own->get('/goaway_after')->status, 200, 'one says good-bye at once');
        ok($load->goes_on(10), 'clients are answered');
    }
    my $seen = $load->finish;
    is(join("\n", @{ $seen->{wrong} }), '', 'every answer was right');
    note("$seen->{answers} answers");
};

subtest 'another process takes over: workers come along, no request fails' => sub {
    plan skip_all => 'under valgrind the program is another' if Weir::Client::is_valgrind();
    my $own = host();
    my @workers = map { worker($own, "w$_") } 1 .. 2;
    my $go = temp_path('go');
    is($own->get('/pid')->status, 200, 'before');
    my @clients = map { start_client($own->port, $go) } 1 .. 4;
    for my $turn (1 .. 3) {
        my $old = $own->upgrade;
        ok($old, 'another one serves') or last;
        is(wait_for_pid($old), 0, 'the one before ends');
        ok(wait_for { $_->connections > $turn }, 'a worker is connected to it') for @workers;
    }
    write_file($go, '');
    is(join(', ', grep { length } map { end_client($_) } @clients), '', 'every client was answered');
};

for my $case ([ 1, 'needed' ], [ 3, 'needed' ], [ 1, 'always' ]) {
    my ($count, $hand_over) = @$case;
    subtest "a thousand clients leave at once: workers $count, hand-over $hand_over" => sub {
        my $own = host(endpoint => { 'hand-over' => $hand_over });
        my @workers = map { worker($own, "w$_", 'Worker-Capacity: 2000') } 1 .. $count;
        ok(wait_for { my %pids; $pids{ $own->get('/pid')->body }++ for 1 .. 8; keys %pids == $count }, 'all have requests');
        my $asked = sub { my $sum = 0; $sum += $_->count(qr/^request .*silence/) for @workers; return $sum };
        my $begun = time;
        for my $burst (1 .. BURSTS) {
            my @clients = map { $own->connect } 1 .. BURST;
            $_->write("GET /silence HTTP/1.1\r\nHost: a\r\n\r\n") for @clients;
            ok(wait_for { $asked->() == $burst * BURST }, 'requests are there') or diag $asked->();
            $_->reset for @clients;
        }
        ok(wait_for { $own->log_lines(BURSTS * BURST) >= BURSTS * BURST }, 'all have ended');
        ok(wait_for { my %pids; $pids{ $own->get('/pid')->body }++ for 1 .. 8; keys %pids == $count }, 'others are answered by all of them');
        my $resets = sub { my $sum = 0; $sum += $_->count(qr/^rst/) for @workers; return $sum };
        my $wanted = $count == 1 ? RESETS : BURSTS * BURST; # three have a burst of 500 each
        ok(wait_for { $resets->() >= $wanted }, 'streams are reset') or diag $resets->();
        for my $worker (@workers) {
            my $seen = $worker->count(qr/^rst/);
            cmp_ok($seen, '<=', RESETS + RESETS_PER_SECOND * (time - $begun) + 1, 'not too many at a time');
            note("$seen resets in " . (time - $begun) . ' s');
            is_connected_still($worker, 'it');
        }
    };
}

subtest 'streams that could not be reset at once are by and by' => sub {
    my $own = host(endpoint => { resets => 20, 'resets-per-second' => 200 });
    my $worker = worker($own, 'w1', 'Worker-Capacity: ' . BURST);
    is($own->get('/pid')->status, 200, 'it is there');
    for my $burst (1, 2) {
        my @clients = map { $own->connect } 1 .. BURST;
        $_->write("GET /silence HTTP/1.1\r\nHost: a\r\n\r\n") for @clients; # the second time they wait for those that are left
        ok(wait_for { $worker->count(qr/^request .*silence/) == $burst * BURST }, 'requests are there');
        $_->reset for @clients;
    }
    ok(wait_for { $worker->count(qr/^rst/) == 2 * BURST }, 'all are') or diag $worker->count(qr/^rst/);
    is($own->get('/pid')->status, 200, 'the next one is answered');
    is_connected_still($worker, 'it');
};

subtest 'who asks when a worker of another thread is full waits, and the worker is not ill' => sub {
    my $own = host(global => { 'num-threads' => 2 });
    my $worker = worker($own, 'w1', 'Worker-Capacity: 20');
    is($own->get('/pid')->status, 200, 'it is there');
    for my $round (1 .. 2) {
        my @leaving = map { $own->connect } 1 .. 20;
        my @others  = map { $own->connect } 1 .. 20;
        $_->write("GET /silence HTTP/1.1\r\nHost: a\r\n\r\n") for @leaving;
        ok(wait_for { $worker->count(qr/^request .*silence/) == $round * 20 }, 'it has as many as it takes');
        for my $n (0 .. $#others) { # so that places become free while others ask
            $leaving[$n]->reset;
            $others[$n]->write("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        is(scalar(grep { $_->read_response(seconds => 3 * wait_seconds())->status == 200 } @others), 20, 'all others are answered');
    }
    is(scalar(grep { ($_->{cause} // '') eq 'worker_gone' } $own->log_lines(81)), 0, 'and to none of them it seemed gone');
    is_connected_still($worker, 'it');
};

for my $hand_over (qw(needed always)) {
    subtest "two hundred slow readers do not stop others of the same connection: hand-over $hand_over" => sub {
        my $own = host(endpoint => { 'hand-over' => $hand_over });
        my $worker = worker($own, 'w1', 'Worker-Capacity: 1000');
        is($own->get('/share?10')->status, 200, 'it is there');
        my @slow = map { $own->connect(receive_buffer => 4096) } 1 .. SLOW;
        $_->write('GET /share?' . SLOW_BODY . " HTTP/1.1\r\nHost: a\r\n\r\n") for @slow;
        is(scalar(grep { ($_->read_head // '') =~ m{^HTTP/1\.1 200 } } @slow), SLOW, 'all have a head');
        for my $round (1 .. 20) {
            my $probe = $own->get('/share?1000');
            ok($probe->is_complete && length $probe->body == 1000, "probe $round is answered");
            is(scalar(grep { defined $_->read_exactly(1000) } @slow), SLOW, 'and each has a little more');
        }
        is_connected_still($worker, 'the worker');
        is($worker->count(qr/^rst/), 0, 'no stream was reset');
        $_->reset for @slow;
        ok(wait_for { $worker->count(qr/^rst/) >= SLOW }, 'those who read no more are');
        is(length $own->get('/share?1000')->body, 1000, 'the next one is answered');
        is_connected_still($worker, 'the worker');
    };
}

done_testing;
