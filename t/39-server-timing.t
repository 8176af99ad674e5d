# SPDX-License-Identifier: MIT
# weir.server-timing: where the time of a request went, in the response to the client.
use lib 't/lib';
use Weir::Test;
use Weir::FastCGI;
use Weir::Http2Backend;
use Weir::Http2Client;

my @on = (global => { 'weir.server-timing' => 'ON' });
my $gate = temp_path('gate');    # what holds back a response until the test has seen time pass
my $backend = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        my $case = $c->case_of($head);
        $c->note("at $case");
        select undef, undef, undef, 0.01 until $case !~ /^slow/ || -e "$gate-$case";
        return $c->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n") if $case eq 'switch';
        $c->write(simple_response('ok', headers => $case eq 'own' ? "server-timing: db;dur=53, app;desc=\"a, b\"\r\n" : ''));
    }
});

# The parts of our own Server-Timing, by name; 'lines': how many headers of that name there are.
sub timing_of {
    my ($head) = @_;
    my @lines = map { /^server-timing: (.*?)\r?$/i ? $1 : () } split /\n/, $head;
    my ($own) = grep { /queue;dur=/ } @lines;
    my %part = (lines => scalar @lines, own => $own);
    for my $part (split /, /, $own // '') {
        $part =~ /^(\w+);dur=(\d+\.\d{1,3})$/ ? ($part{$1} = $2) : ($part{wrong} = $part);
    }
    return \%part;
}

sub has_parts {
    my ($timing, $names, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(join(' ', sort grep { !/^(?:lines|own)$/ } keys %$timing), join(' ', sort split / /, $names), $what) or diag($timing->{own} // 'none');
    return $timing;
}

sub let_go_after {
    my ($case, $ms) = @_;
    $backend->wait_event(qr/at \Q$case\E$/);
    select undef, undef, undef, $ms / 1000;
    write_file("$gate-$case", '');
}

subtest 'three parts' => sub {
    my $proxy = proxy(backends => [$backend], @on);
    my $client = $proxy->connect;
    $client->write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    let_go_after('slow', 150);
    my $timing = has_parts(timing_of($client->read_head), 'queue connect wait', 'each with at most three decimals');
    cmp_ok($timing->{wait}, '>=', 140, 'the backend has taken its time');
    is($client->read_exactly(2), 'ok', 'the body is as it was');
    $client->write("GET /kept HTTP/1.1\r\nHost: a\r\n\r\n");
    has_parts(timing_of($client->read_head), 'queue connect wait', 'the next request has its own');
};

subtest 'beside the backend\'s own' => sub {
    my $proxy = proxy(backends => [$backend], @on);
    my $head = $proxy->get('/own')->head;
    like($head, qr/^server-timing: db;dur=53, app;desc="a, b"\r?$/m, 'which is untouched');
    is(has_parts(timing_of($head), 'queue connect wait', 'ours')->{lines}, 2, 'in a line of its own');
};

subtest 'who waits for a backend' => sub {
    my $proxy = proxy(apps => { main => { domains => ['*'], backends => [ { at => $backend->address, 'max-requests' => 1 } ] } }, @on);
    my ($first, $second) = map { $proxy->connect } 1, 2;
    $first->write("GET /slow-first HTTP/1.1\r\nHost: a\r\n\r\n");
    $backend->wait_event(qr/at slow-first$/);
    $second->write("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    $second->is_silent(ms(150) / 1000);
    write_file("$gate-slow-first", '');
    my $timing = has_parts(timing_of($second->read_head), 'queue connect wait', 'is told');
    my ($queue) = ($proxy->log_where(path => '/second')->{queue} // '') =~ /^(\d+)ms$/;
    ok($queue, 'that it was in the queue, which the log says, too');
    cmp_ok($timing->{queue}, '>=', $queue // 0, 'and how long');
    cmp_ok(timing_of($first->read_head)->{queue}, '<', $timing->{queue}, 'the other was not');
};

subtest 'pages of ours' => sub {
    my %apps = (
        dead   => { domains => ['dead'],   backends => [ '127.0.0.1:' . refusing_port() ] },
        silent => { domains => ['silent'], backends => [ silent_backend()->address ] },
        old    => { domains => ['old'],    'redirect-to' => 'a' },
    );
    my $proxy = proxy(apps => \%apps, global => { 'weir.server-timing' => 'ON', 'weir.first-byte-timeout' => ms(200) });
    my %wanted = (dead => 'queue', silent => 'queue connect', old => '', nobody => '');
    for my $host (sort keys %wanted) {
        has_parts(timing_of($proxy->ask("GET / HTTP/1.1\r\nHost: $host\r\n\r\n")->head), $wanted{$host}, "$host: what has happened");
    }
};

subtest 'a switch of protocols' => sub {
    my $proxy = proxy(backends => [$backend], @on);
    my $client = $proxy->connect;
    $client->write("GET /switch HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    has_parts(timing_of($client->read_head), 'queue connect wait', 'has it, too');
};

subtest 'OFF' => sub {
    my $proxy = proxy(backends => [$backend]);
    is(timing_of($proxy->get('/off')->head)->{lines}, 0, 'says nothing');
    is(timing_of($proxy->get('/own')->head)->{lines}, 1, 'the backend may');
};

subtest 'HTTP/2' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    my $h2c = Weir::Http2Backend->start;
    my $proxy = proxy(apps => { one => { domains => ['one'], backends => [ $backend->address ] }, two => { domains => ['two'], protocol => 'h2c', backends => [ $h2c->address ] } }, @on);
    my $client = Weir::Http2Client->connect($proxy->port);
    for my $host (qw(one two)) {
        my $r = $client->response($client->request(path => '/fine', pseudo => { ':authority' => $host }));
        my $lines = join "\n", map { "$_->[0]: $_->[1]" } @{ $r->{fields} };
        has_parts(timing_of($lines), 'queue connect wait', "with clients: $host");
        like($lines, qr/^server-timing: /m, 'its name in lower case');
    }
    has_parts(timing_of($proxy->ask("GET /fine HTTP/1.1\r\nHost: two\r\n\r\n")->head), 'queue connect wait', 'with backends');
};

subtest 'FastCGI' => sub {
    my $application = fastcgi_backend(sub { whole('ok') });
    my $proxy = proxy(backends => [$application], app => { protocol => 'fastcgi', root => '/srv/www' }, @on);
    has_parts(timing_of($proxy->get('/a.php')->head), 'queue connect wait', 'all parts');
};

subtest 'a response before the end of its request' => sub {
    my $early = backend(sub { my $c = shift; $c->read_head; $c->write(simple_response('early')); $c->wait_close });
    my $proxy = proxy(backends => [$early], @on);
    my $client = $proxy->connect;
    $client->write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nab");
    has_parts(timing_of($client->read_head), 'queue connect wait', 'waits from the end of the request\'s head');
};

done_testing;
