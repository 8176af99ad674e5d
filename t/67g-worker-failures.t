# SPDX-License-Identifier: MIT
# What goes wrong with workers, and what their clients see of it.
use lib 't/lib';
use Weir::Admin;
use Weir::Http2Backend;
use Weir::Test;
use Weir::Workers;

chdir root_dir();
my %running;    # workers in Node that have not ended, by pid

sub node_worker {
    my ($port) = @_;
    my $self = { said => write_file(temp_path('said'), '') };
    $self->{pid} = Weir::Test::_spawn($self->{said}, $self->{said}, command => [ 'node', 'examples/worker.mjs' ],
        env => { ROUTER => "127.0.0.1:$port", DEAD_MS => ms(1500) });
    return $running{ $self->{pid} } = $self;
}

END {
    local $?;
    kill 'KILL', $_ for keys %running;
    waitpid $_, 0 for keys %running;
}

subtest 'its library gives up: GOAWAY with an error' => sub {
    admin_path(temp_path('admin.sock'));
    my $own = host(name => 'demo', global => { 'weir.admin' => { path => admin_path() } });
    my @workers = map { worker($own, "w$_") } 1 .. 2;
    ok(wait_for { my %pids; $pids{ $own->get('/pid')->body }++ for 1 .. 8; keys %pids == 2 }, 'both have requests');
    is($own->get('/goaway_error')->status, 503, 'whoever had its answer from there has a page');
    is(scalar(grep { $own->get('/pid')->status == 200 } 1 .. 20), 20, 'others are answered');
    ok(wait_for { call(GET => '/metrics')->{body} =~ /^weir_worker_goaway_errors_total [1-9]/m }, 'it is counted');
};

subtest 'it is slow' => sub {
    my $own = host(name => 'demo', path => { 'weir.first-byte-timeout' => ms(500) });
    my $worker = worker($own, 'w1');
    is($own->get('/silence')->status, 503, 'no answer in time: a page');
    ok($worker->wait_event(qr/^rst \d+ \d+/), 'whose stream is reset');
    is($own->get('/fine')->body, 'fine', 'the connection goes on');
    is($worker->connections, 1, 'and is the same');
};

subtest 'all that there are have enough to do' => sub {
    my $own = host(name => 'demo', app => { 'max-requests' => 2, queue => { length => 1, timeout => ms(10_000) } });
    my $worker = worker($own, 'w1');
    is($own->get('/fine')->body, 'fine', 'one is there');
    my @clients = map { $own->connect } 1 .. 2;
    $_->write("GET /silence HTTP/1.1\r\nHost: a\r\n\r\n") for @clients;
    ok(wait_for { $worker->count(qr/^request .*silence/) == 2 }, 'two are all it may have');
    my $third = $own->connect;
    $third->write("GET /fine HTTP/1.1\r\nHost: a\r\n\r\n");
    ok($third->is_silent(0.1), 'one waits');
    is($own->get('/fourth')->status, 503, 'the next has a page');
    is($own->log_where(path => '/fourth')->{code}, 'backlog_too_deep', 'that says why');
    $clients[0]->reset;
    is($third->read_response->body, 'fine', 'whoever waits is next');
    $clients[1]->reset;
};

subtest 'nobody is there any more' => sub {
    my $own = host(name => 'demo', app => { hold => ms(300) });
    my $worker = worker($own, 'w1');
    is($own->get('/fine')->body, 'fine', 'one is there');
    $worker->leave;
    ok($worker->wait_event(qr/^done/), 'it leaves');
    my $r = $own->get('/fine');
    is($r->status, 503, 'a request waits, and has a page');
    like($own->log_where(status => 503)->{code} // '', qr/^no_backend$/, 'that says why');
};

subtest 'an app with backends of both kinds' => sub {
    my $dialled = ok_backend('dialled');
    my $own = host(name => 'demo', app => { backends => [ $dialled->address ] });
    my $worker = worker($own, 'w1');
    my %seen;
    ok(wait_for { $seen{ $own->get('/pid')->body }++; $seen{dialled} && $seen{ $worker->{pid} } }, 'both have requests');
    kill 'KILL', $worker->{pid};
    is(scalar(grep { $own->get('/pid')->body eq 'dialled' } 1 .. 20), 20, 'the one that is left has all');
};

subtest 'a proxy that is frozen: its workers dial again' => sub {
    my $own = host(name => 'demo', endpoint => { ping => ms(300) });
    my $worker = node_worker($own->{workers});
    like($own->get('/')->body, qr/^hello from node/, 'it serves');
    $own->signal('STOP');
    ok(wait_for { read_file($worker->{said}) =~ /: silence; again in/ }, 'it hears no PING any more');
    $own->signal('CONT');
    like($own->get('/')->body, qr/^hello from node/, 'and is back when the proxy is');
};

subtest 'one of two proxies is out of reach' => sub {
    my @own = map { host(name => 'demo') } 1 .. 2;
    my $worker = Weir::Http2Backend->start;
    $worker->dial($_->{workers}, 'demo', 'w1') for @own;
    is($_->get('/fine')->body, 'fine', 'a worker holds connections to both') for @own;
    is($own[0]->stop, 0, 'one ends');
    is(scalar(grep { $own[1]->get('/fine')->body eq 'fine' } 1 .. 10), 10, 'the other goes on');
};

done_testing;
