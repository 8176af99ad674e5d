# SPDX-License-Identifier: MIT
# The order of a router's callbacks, for each way a request can take.
use lib 't/lib';
use Weir::Test;

my $hold = sub { $_[0]->wait_close };
my %does = (
    ok        => sub { $_[0]->write(simple_response('ok')) },
    large     => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" . 'x' x 5000000) },
    closed    => sub { },
    invalid   => sub { $_[0]->write("HTTP/1.1 OK\r\n\r\n") },
    cut       => sub { $_[0]->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n") },
    silent    => $hold,
    continue  => sub { $_[0]->write("HTTP/1.1 100 Continue\r\n\r\n"); $_[0]->read_exactly(4); $_[0]->write(simple_response('ok')) },
    switch    => sub { $_[0]->write("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi") },
    trickle   => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nab"); $_[0]->wait_close },
    hints     => sub { $_[0]->write("HTTP/1.1 103 Early Hints\r\n\r\n" . simple_response('ok')) },
);
my $backend = backend(sub { my $c = shift; my $head = $c->read_head or return; my ($case) = $c->case_of($head) =~ /^(\w+)/; $does{$case}->($c) });
my $log = temp_path('record.log');
my $proxy = proxy(
    router => { module => router_so('record'), log => $log, backends => [ map({ '127.0.0.1:' . refusing_port() } 1 .. 2), $backend->address ] },
    path => { 'weir.first-byte-timeout' => ms(200), 'weir.idle-timeout' => ms(500) },
);

my $begin   = "init\nlookup_domain_name a.test\n";
my $picked  = "checkout_service main\nservice_backend s2\n";
my $asked   = "${begin}${picked}additional_headers to_backend\n";
my $relayed = "${asked}additional_headers to_client\n";
my $ended   = "checkin_service main s2 connected -\nterminate - 200\n";

sub failed {
    my ($calls, $fault, $status) = @_;
    return "${calls}error_page $fault main\ncheckin_service main s2 connected $fault\nterminate $fault $status\n";
}

# name, request line and headers behind Host, what X-Do says, and the calls
my @paths = (
    [ 'a plain request',        'GET /ok-plain',                '',          $relayed . $ended ],
    [ 'with a body',            "POST /ok-body\nContent-Length: 4\n\nbody", '', $relayed . $ended ],
    [ 'HEAD',                   'HEAD /ok-head',                '',          $relayed . $ended ],
    [ 'interim responses',      'GET /hints-a',                 '',          $relayed . $ended ],
    [ 'a retry',                'GET /ok-retry',                'first=1',
        "${begin}checkout_service main\nservice_backend s1\ncheckin_service main s1 connecting backend_refused\n"
        . "${picked}additional_headers to_backend\nadditional_headers to_client\n$ended" ],
    [ 'two retries',            'GET /ok-retries',              'first=0',
        $begin . join('', map { "checkout_service main\nservice_backend s$_\ncheckin_service main s$_ connecting backend_refused\n" } 0, 1)
        . "${picked}additional_headers to_backend\nadditional_headers to_client\n$ended" ],
    [ 'none left',              'GET /none',                    'first=3',
        "${begin}checkout_service main\nerror_page all_tried main\ncheckin_service main - checkout all_tried\nterminate all_tried 502\n" ],
    [ 'a bad address',          'GET /bad',                     'bad-address',
        "$begin${picked}checkin_service main s2 connecting backend_bad_address\ncheckout_service main\nerror_page all_tried main\n"
        . "checkin_service main - checkout all_tried\nterminate all_tried 502\n" ],
    [ 'init refuses',           'GET /init',                    'init-refuse',
        "init\nerror_page not_today -\ncheckin_service - - lookup not_today\nterminate not_today 503\n" ],
    [ 'lookup refuses',         'GET /lookup',                  'lookup-refuse',
        "${begin}error_page no_such_app -\ncheckin_service - - lookup no_such_app\nterminate no_such_app 404\n" ],
    [ 'a redirect',             'GET /redirect',                'lookup-redirect',
        "${begin}checkin_service - - lookup -\nterminate - 301\n" ],
    [ 'a group that is NULL',   'GET /ok-null',                 'lookup-null',
        "${begin}checkout_service -\nservice_backend s2\nadditional_headers to_backend\nadditional_headers to_client\n"
        . "checkin_service - s2 connected -\nterminate - 200\n" ],
    [ 'checkout refuses',       'GET /checkout',                'checkout-refuse',
        "${begin}checkout_service main\nerror_page maintenance main\ncheckin_service main - checkout maintenance\nterminate maintenance 503\n" ],
    [ 'a page of the router',   'GET /page',                    'checkout-refuse own-page',
        "${begin}checkout_service main\nerror_page maintenance main\ncheckin_service main - checkout maintenance\nterminate maintenance 418\n" ],
    [ 'the backend closes',     'GET /closed',                  '',          failed($asked, 'backend_closed', 503) ],
    [ 'an invalid status',      'GET /invalid',                 '',          failed($asked, 'backend_invalid_status', 503) ],
    [ 'the backend is silent',  'GET /silent',                  '',          failed($asked, 'backend_timeout', 503) ],
    [ 'an expectation, met here', "POST /ok-here\nExpect: 100-continue\nContent-Length: 4\n\nbody", '',
        "${begin}feature deep_continue\n${picked}additional_headers to_backend\nadditional_headers to_client\n$ended" ],
    [ 'an expectation, end to end', "POST /continue\nExpect: 100-continue\nContent-Length: 4\n\nbody", 'deep',
        "${begin}feature deep_continue\n${picked}additional_headers to_backend\nadditional_headers to_client\n$ended" ],
    [ 'an expectation that cannot be met', "GET /expect\nExpect: wonders", '',
        "${begin}error_page expectation_failed main\ncheckin_service main - checkout expectation_failed\nterminate expectation_failed 417\n" ],
    [ 'Upgrade without a protocol', "GET /upgrade\nConnection: upgrade", '',
        "${begin}error_page bad_request_header main\ncheckin_service main - checkout bad_request_header\nterminate bad_request_header 400\n" ],
    [ 'another protocol',       "GET /switch\nConnection: upgrade\nUpgrade: x", '',
        "${relayed}checkin_service main s2 connected -\nterminate - 101\n" ],
    [ 'no Host in HTTP/1.0',    'GET /ok-hostless',             '',
        ($relayed =~ s/a\.test//r) . "checkin_service main s2 connected -\nterminate - 200\n" ],
    [ 'an empty Host in HTTP/1.0', "GET /empty\nHost:",         '',
        "init\nerror_page empty_host -\ncheckin_service - - lookup empty_host\nterminate empty_host 400\n" ],
);
cmp_ok(scalar @paths, '>=', 20, scalar(@paths) . ' paths');

sub calls    { my ($path) = @_; return recorded_calls($log, $path) }
sub calls_of { my ($path) = @_; return recorded_calls($log, $path, qr/^terminate/m) }

for my $case (@paths) {
    my ($name, $text, $do, $want) = @$case;
    my ($head, $body) = split /\n\n/, $text, 2;
    my ($line, @headers) = split /\n/, $head;
    my ($path) = $line =~ m{ (/\S*)};
    my $version = $name =~ m{(HTTP/1\.0)} ? $1 : 'HTTP/1.1';
    push @headers, 'Host: a.test' unless $name =~ /no Host|empty Host/;
    push @headers, 'X-Do: ' . ($do =~ /first=/ ? $do : "first=2 $do");
    my $client = $proxy->connect;
    $client->write(join("\r\n", "$line $version", @headers, '', $body // ''));
    $client->read_response(head => $line =~ /^HEAD/ ? 1 : 0);
    $client->close;
    is(calls_of($path), $want, $name);
}

is(scalar(() = read_file($log) =~ /peer_port/g), 0, 'peer_port is a question for listeners of the PROXY protocol only');

subtest 'a response that is cut' => sub {
    $proxy->get('/cut', "X-Do: first=2\r\n");
    my $calls = calls_of('/cut') =~ s/^error_page .*\n//mr;    # may be asked, is not sent
    is($calls, "${relayed}checkin_service main s2 connected backend_truncated\nterminate backend_truncated 200\n", 'the reason is told');
};

subtest 'a client that leaves' => sub {
    my %leaves = ('/silent-left' => $asked, '/trickle-left' => $relayed, '/large-left' => $relayed);
    for my $path (sort keys %leaves) {
        my $client = $proxy->connect(receive_buffer => 4096);
        $client->write("GET $path HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2\r\n\r\n");
        wait_for { calls($path) =~ /to_backend/ };
        $client->read_head if $path ne '/silent-left';
        $client->reset;
        my $calls = calls_of($path) =~ s/^error_page .*\n//mr;
        like($calls, qr/^\Q$leaves{$path}\Echeckin_service main s2 connected client_closed\nterminate client_closed \d+\n\z/, $path);
    }
};

subtest 'requests the proxy cannot read are nobody\'s business' => sub {
    my $before = read_file($log);
    is($proxy->ask("GET /malformed HTTP/1.1\r\nX Y: z\r\n\r\n")->status, 400, 'refused');
    is($proxy->ask("GET /ok-after HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2\r\n\r\n")->status, 200, 'the next is');
    calls_of('/ok-after');
    unlike(substr(read_file($log), length $before), qr/malformed/, 'no callback ran');
};

subtest 'two requests of one connection have a state each' => sub {
    my $client = $proxy->connect;
    $client->write(join '', map { "GET /ok-$_ HTTP/1.1\r\nHost: a.test\r\nX-Do: first=2\r\n\r\n" } qw(one two));
    is($client->read_response->body, 'ok', 'the first');
    is($client->read_response->body, 'ok', 'the second');
    is(calls_of($_), $relayed . $ended, $_) for '/ok-one', '/ok-two';
};

subtest 'the answers may as well come later' => sub {
    my $all = join ' ', map { "$_=" . ms(5) } qw(init lookup checkout backend checkin);
    is($proxy->get('/ok-later', "X-Do: first=2 $all\r\n")->body, 'ok', 'answered');
    is(calls_of('/ok-later'), $relayed . $ended, 'the same calls');
};

done_testing;
