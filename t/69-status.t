# SPDX-License-Identifier: MIT
# The status page: what it says, and clients that do not wait for it.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use JSON::PP;

my $backend = backend(sub {
    $_[0]->serve(sub {
        sleep 30 if $_[0] =~ m{^GET /slow};
        select undef, undef, undef, 0.3 if $_[0] =~ m{^GET /takes};
        return simple_response('x', status => $_[0] =~ m{^GET /bad} ? '500 No' : '200 OK');
    });
});
my $files = temp_path('files');
mkdir $files or die $!;
write_file("$files/a.txt", "text\n");
my $proxy = proxy(
    backends => [$backend],
    paths    => { '/status' => { status => 'ON' }, '/files' => { 'file.dir' => $files }, '/off' => { status => 'OFF' } },
    global   => { 'num-threads' => 3 },
);

sub status { return decode_json($proxy->get('/status/json' . ($_[0] // ''))->body) }

subtest 'it counts' => sub {
    $proxy->get($_) for ('/files/a.txt') x 3, ('/files/none') x 2, ('/bad') x 4, '/good';
    my $status;
    wait_for { $status = status(); $status->{'responses.5xx'} == 4 && $status->{'status-errors.404'} == 2 };
    is($status->{'status-errors.404'}, 2, 'errors of files');
    is($status->{'status-errors.500'}, 4, 'and of backends');
    cmp_ok($status->{'responses.2xx'}, '>=', 4, 'and what went well');
    is($status->{'status-errors.503'}, 0, 'what never was is 0');
    cmp_ok($status->{'duration-99'}, '>', 0, 'durations');
    cmp_ok($status->{'duration-0'}, '<=', $status->{'duration-99'}, 'in order');
};

subtest 'requests in flight' => sub {
    my $client = $proxy->connect;
    $client->write("GET /slow?now HTTP/1.1\r\nHost: a.test\r\nReferer: \"\\</script>\r\n\r\n");
    my ($found) = (undef);
    wait_for { ($found) = grep { $_->{path} eq '/slow' } @{ status()->{requests} }; $found };
    is("$found->{method} $found->{query} $found->{authority}", 'GET ?now a.test', 'are told');
    is($found->{referer}, '"\\</script>', 'whatever they say');
    wait_for { ($found) = grep { $_->{path} eq '/slow' } @{ status()->{requests} }; $found && $found->{backend} };
    is($found->{backend}, $backend->address, 'with the backend that is to answer');
    my ($page) = grep { $_->{path} eq '/status/json' } @{ status()->{requests} };
    is($page->{backend}, undef, 'where there is one');
    $client->reset;
};

subtest 'durations' => sub {
    my $own = proxy(backends => [$backend], paths => { '/status' => { status => 'ON' } });
    $own->get('/takes') for 1 .. 5;
    my $status;
    wait_for { $status = decode_json($own->get('/status/json')->body); $status->{'duration-99'} > 0 };
    for my $name (qw(process-time duration)) {
        cmp_ok($status->{"$name-75"}, '>=', 290_000 * 7 / 8, "$name: what the backend took");
    }
    cmp_ok($status->{'response-time-99'}, '<', 290_000, 'response-time begins with the response');
    my ($of_no_interest) = grep { !/^(?:connect|header|body|request-total|process|response)-time-\d+$|^duration-\d+$/ } grep { /time-\d|duration/ } keys %$status;
    is($of_no_interest, undef, 'the names are those of h2o');
};

subtest 'parts of it' => sub {
    my $main = status('?show=main');
    is(join(' ', sort keys %$main), 'connections current-time max-connections restart-time server-version uptime worker-threads', 'main');
    is($main->{'worker-threads'}, 3, 'all threads have been asked');
    is(join(' ', keys %{ status('?show=requests') }), 'requests', 'requests');
    ok(!exists status('?show=events,main')->{requests}, 'two');
    is_deeply(status('?show=none'), {}, 'none');
};

subtest 'pages' => sub {
    for my $path ('/status', '/status/') {
        my $r = $proxy->get($path);
        is($r->status . ' ' . $r->header('Content-Type'), '200 text/html; charset=utf-8', $path);
    }
    my $r = $proxy->ask("HEAD /status/json HTTP/1.1\r\nHost: a\r\n\r\n");
    is($r->status . ' ' . $r->header('Content-Type'), '200 application/json', 'HEAD');
    is($proxy->get('/status/other')->status, 404, 'nothing else');
    is($proxy->get('/off')->status, 404, 'OFF');
};

subtest 'clients that leave while threads are asked' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    for (1 .. 10) {
        my $h2 = Weir::Http2Client->connect($proxy->port);
        $h2->reset_stream($h2->request(path => '/status/json')) for 1 .. 20;
        $h2->close;
        my @clients = map { my $c = $proxy->connect; $c->write("GET /status/json HTTP/1.1\r\nHost: a\r\n\r\n"); $c } 1 .. 10;
        $_->reset for @clients;
    }
    is(status()->{'worker-threads'}, 3, 'the others are answered');
};

subtest 'a reload between question and answer' => sub {
    for (1 .. 3) {
        my @clients = map { my $c = $proxy->connect; $c->write("GET /status/json HTTP/1.1\r\nHost: a\r\n\r\n"); $c } 1 .. 5;
        $proxy->signal('HUP');
        is($_->read_response->status, 200, 'is answered') for @clients;
    }
    cmp_ok(status()->{'status-errors.500'}, '>=', 4, 'counts go on');
};

done_testing;
