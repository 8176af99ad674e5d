# SPDX-License-Identifier: MIT
# Workers are asked how they are, on the connections that they have made, and are seen by whoever looks on.
use lib 't/lib';
use JSON::PP ();
use Weir::Admin;
use Weir::Client;
use Weir::Http2Backend;
use Weir::Test;
use Weir::Workers;

# A busy machine may be slow to answer: that alone is no failure.
my %quick = (interval => 100, 'fast-interval' => 100, timeout => ms(15_000), fall => 1, rise => 1);

# Who answers a number of requests: { process or status => how often }.
sub who {
    my ($own, $count, $path) = @_;
    my %seen;
    for (1 .. $count // 12) {
        my $r = $own->get($path // '/who');
        $seen{ $r->status == 200 ? $r->body : $r->status }++;
    }
    return \%seen;
}

sub all_answer {
    my ($own, @workers) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(wait_for { my $who = who($own, 4 * @workers); @workers == grep { $who->{ $_->{pid} } } @workers }, 'all of them answer');
}

sub is_alone {
    my ($own, @workers) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $who = who($own);
    delete @$who{ map { $_->{pid} } @workers };
    return is_deeply($who, {}, 'and it gets nothing; nobody saw an error');
}

sub connected_once {
    my (@workers) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(join(' ', map { $_->connections } @workers), join(' ', (1) x @workers), 'each by its first connection');
}

for my $how ('needed', 'always') {
    subtest "http, two loops, hand-over: $how: one that says no gets nothing, until it says yes" => sub {
        my $own = host(app => { quarantine => 'OFF', health => { http => '/up', %quick } }, endpoint => { 'hand-over' => $how }, global => { 'num-threads' => 2 });
        my @workers = map { worker($own, "w$_") } 1 .. 3;
        all_answer($own, @workers);
        like($workers[0]->wait_event(qr/^asked/), qr/^asked :method=GET :scheme=http :authority=\S+ :path=\/up user-agent=weir-probe$/,
            'it is asked');
        $workers[0]->set_mood('503');
        ok(wait_for { $own->stderr =~ /router table \(default \/\): app main: backend w1 fails its check: status 503/ }, 'it is told');
        is_alone($own, @workers[ 1, 2 ]);
        $workers[0]->set_mood('200');
        ok(wait_for { $own->stderr =~ /backend w1 passes its check: status 200/ }, 'that it is well again, too');
        all_answer($own, @workers);
        connected_once(@workers);
        is(scalar(grep { $_->{path} eq '/up' } $own->log_lines(20)), 0, 'no check is in the access log');
        $own->ends_well; # it would go on asking
    };
}

subtest 'http: no answer, and a stream that is refused' => sub {
    my $own = host(app => { quarantine => 'OFF', health => { http => '/up', %quick, timeout => ms(1500) } });
    my @workers = map { worker($own, "w$_") } 1 .. 3;
    all_answer($own, @workers);
    $workers[0]->set_mood('hang');
    ok(wait_for { $own->stderr =~ /backend w1 fails its check: backend_timeout/ }, 'silence is a failure');
    is_alone($own, @workers[ 1, 2 ]);
    $workers[0]->set_mood('200');
    ok(wait_for { $own->stderr =~ /backend w1 passes its check/ }, 'an answer ends it');
    $workers[0]->set_mood('busy');
    my $asked = $workers[0]->count(qr/^asked/);
    ok(wait_for { $workers[0]->count(qr/^asked/) > $asked + 4 }, 'it refuses to answer');
    is(scalar(() = $own->stderr =~ /backend w1 fails/g), 1, 'who refuses is busy, not ill');
    $own->ends_well;
};

subtest 'gRPC' => sub {
    my $own = host(app => { quarantine => 'OFF', health => { grpc => 'shop.Cart', %quick, timeout => ms(1500) } });
    my @workers = map { worker($own, "w$_") } 1 .. 3;
    all_answer($own, @workers);
    ok($workers[0]->wait_event(qr/^check shop\.Cart$/), 'the service is asked for');
    $workers[0]->set_mood('not');
    ok(wait_for { $own->stderr =~ /backend w1 fails its check: status 200/ }, 'it does not serve');
    is_alone($own, @workers[ 1, 2 ]);
    $workers[0]->set_mood('200');
    ok(wait_for { $own->stderr =~ /backend w1 passes its check/ }, 'and serves again');
    $workers[0]->set_mood('hang');
    ok(wait_for { $own->stderr =~ /backend w1 fails its check: backend_timeout/ }, 'silence is a failure, also behind a body that was taken');
    connected_once(@workers);
    $own->ends_well;
};

subtest 'Worker-Health: one says itself where it is asked' => sub {
    my $own = host(app => { quarantine => 'OFF' });
    my @workers = (worker($own, 'w1', 'Worker-Health: /up'), map { worker($own, "w$_") } 2, 3);
    all_answer($own, @workers);
    ok($workers[0]->wait_event(qr/^asked .* :path=\/up /), 'and is');
    $workers[0]->set_mood('500');
    ok((wait_for { $own->stderr =~ /backend w1 fails its check: status 500/ } 4 * wait_seconds()), 'it is told');
    is_alone($own, @workers[ 1, 2 ]);
    is($workers[1]->count(qr/^asked/), 0, 'who has said nothing is not asked');
    connected_once(@workers);
    $own->ends_well;
};

subtest 'who cannot be asked is believed' => sub {
    my $own = host(app => { quarantine => 'OFF', health => { http => '/up', %quick, timeout => ms(300) } });
    my $client = Weir::Client->connect($own->{workers});
    $client->write("GET /workers/v1/main HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ptth\r\nALPN: http%2F1.1\r\nWorker-Id: old\r\n\r\n");
    like($client->read_head, qr{^HTTP/1\.1 101 }, 'one of HTTP/1.1');
    ok($client->is_silent(ms(700) / 1000), 'is not asked');
    my $one = $own->connect;
    $one->write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    like($client->read_head, qr{^GET /a }, 'and gets requests');
    $client->write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    is($one->read_response->body, '1', 'as ever');
    $client->close;
    my $worker = worker($own, 'w1');
    is($own->get('/most?0,100,' . ms(1500))->body, 'fine', 'one that takes nothing at present');
    is($own->get('/fine')->body, 'fine', 'is there when it takes something again');
    unlike($own->stderr, qr/backend \S+ fails .*/, 'and was never ill');
    $own->ends_well;
};

subtest 'a stream that is refused goes to another worker' => sub {
    my $own = host(app => { quarantine => 'OFF' });
    my @workers = map { worker($own, "w$_") } 1 .. 2;
    all_answer($own, @workers);
    my $before = $workers[0]->count(qr/^request .*who/);
    $workers[0]->set_mood('busy');
    is_deeply(who($own, 20), { $workers[1]{pid} => 20 }, 'GET');
    my %seen;
    $seen{ $own->ask("POST /who HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")->body }++ for 1 .. 20;
    is_deeply(\%seen, { $workers[1]{pid} => 20 }, 'POST, with its body');
    # who was slow before is asked last
    my %late;
    ok(wait_for { $late{$_}++ for keys %{ who($own, 4) }; $workers[0]->count(qr/^request .*who/) > $before }, 'although it was asked');
    is(join(' ', keys %late), $workers[1]{pid}, 'and nobody saw that');
};

subtest 'seen: weir top, weir explain' => sub {
    admin_path(temp_path('admin.sock'));
    my $own = host(app => { quarantine => 'OFF' }, global => { 'weir.admin' => { path => admin_path() }, 'weir.metrics-apps' => 'ON' });
    my @workers = map { worker($own, "w$_") } 1 .. 2;
    all_answer($own, @workers);
    my ($exit, $out, $err) = said('top', '--once', '--json');
    is("$exit$err", '0', 'weir top');
    my $app = JSON::PP::decode_json($out)->{routers}[0]{apps}[0];
    is($app->{app}, 'main', 'shows their app');
    my ($drawn) = (said('top', '--once'))[1];
    like($drawn, qr/^.*\bmain\b.*\b2\b/m, 'and how many it has');
    my $told = call(POST => '/v1/explain', { url => 'http://a.test/' })->{document};
    is(join(' ', sort map { $_->{id} } @{ $told->{members} }), 'w1 w2', 'weir explain knows both');
    like($told->{pick}{id}, qr/^w[12]$/, 'and takes one');
    $workers[0]->leave;
    ok(wait_for { @{ call(POST => '/v1/explain', { url => 'http://a.test/' })->{document}{members} } == 1 }, 'who leaves is not there any more');
    my $text = (said('explain', 'http://a.test/'))[1];
    like($text, qr/\bw2\b/, 'in words, too');
};

subtest 'header-timeout: a registration that does not get on' => sub {
    my $own = host(endpoint => { 'header-timeout' => ms(300) });
    my ($half, $other) = map { Weir::Client->connect($_) } $own->{workers}, $own->port;
    $_->write("GET /workers/v1/main HTTP/1.1\r\nHost: x\r\n") for $half, $other;
    ok(defined $half->read_eof, 'is over');
    ok($other->is_silent(0.1), 'elsewhere the time is that of clients');
    $other->close;
    refuses_config("listen: 1\nhosts:\n  default:\n    paths:\n      /w: { weir.workers: { header-timeout: 1s } }\n",
        qr/.*header-timeout` stands beside `listen`/, 'not at a path');
};

done_testing;
