# SPDX-License-Identifier: MIT
# Expect: 100-continue, answered here or end to end.
use lib 't/lib';
use Weir::Test;

my $ok = simple_response('ok');
my $continue = "HTTP/1.1 100 Continue\r\n\r\n";
my %does = (
    echo      => sub { my ($c, $head) = @_; $c->write(simple_response($head . ($c->read_body($head))[0])) },
    # says 100, then takes the body
    continue  => sub { my ($c, $head) = @_; $c->write("HTTP/1.1 100 Go on\r\nX-Own: 1\r\n\r\n"); my ($body) = $c->read_body($head); $c->write(simple_response("got $body")) },
    twice     => sub { my ($c, $head) = @_; $c->write($continue); $c->read_body($head); $c->write($continue . $ok) },
    # says no
    final     => sub { $_[0]->write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"); $_[0]->wait_close },
    # everything in one packet
    together  => sub { my ($c, $head) = @_; $c->write($continue . $ok); $c->read_body($head) },
    hints     => sub { my ($c, $head) = @_; $c->write("HTTP/1.1 103 Early Hints\r\n\r\n"); $c->write($continue); $c->read_body($head); $c->write($ok) },
    silent    => sub { my ($c, $head) = @_; $c->wait_close },
    # waits for the body without a word
    wordless  => sub { my ($c, $head) = @_; my ($body) = $c->read_body($head); $c->write(simple_response("got $body")) },
);
my $backend = backend(sub {
    my $c = shift;
    while (my $head = $c->read_head) {
        $does{ $c->case_of($head) }->($c, $head);
    }
});
my $proxy = proxy(
    apps => {
        here => { domains => ['here'], backends => [ $backend->address ] },
        deep => { domains => ['deep'], backends => [ $backend->address ], features => ['deep-continue'] },
    },
    path => { 'weir.idle-timeout' => ms(600), 'weir.first-byte-timeout' => ms(600) },
);

sub post {
    my ($host, $path, %option) = @_;
    return "POST /$path HTTP/" . ($option{version} // '1.1') . "\r\nHost: $host\r\nContent-Length: 4\r\nExpect: " . ($option{expect} // '100-continue') . "\r\n\r\n";
}

# Sends a head, waits for a 100, sends the body.
sub politely {
    my ($host, $path) = @_;
    my $client = $proxy->connect;
    $client->write(post($host, $path));
    my $interim = $client->read_head;
    $client->write('body') if ($interim // '') =~ m{^HTTP/1\.1 100 };
    return ($interim, $client);
}

subtest 'answered here' => sub {
    my ($interim, $client) = politely('here', 'echo');
    is($interim, "HTTP/1.1 100 Continue\r\n\r\n", 'a plain 100 comes at once');
    my $r = $client->read_response;
    like($r->body, qr/\r\n\r\nbody$/, 'the body reaches the backend');
    unlike($r->body, qr/^Expect:/mi, 'Expect does not');
    ok(!$r->says_close, 'the connection lives on');
    $client->write(post('here', 'echo', expect => '100-CONTINUE') . 'body');
    like($client->read_response(interim => 1)->status, qr/^(?:100|200)$/, 'a body that did not wait');
};

subtest 'a 100 of the backend besides' => sub {
    my ($interim, $client) = politely('here', 'continue');
    my $r = $client->read_response;
    is($r->body, 'got body', 'is harmless');
    ($interim, $client) = politely('here', 'twice');
    $r = $client->read_response;
    is($r->body, 'ok', 'and so is a second one');
};

subtest 'a refused request is answered before the body is sent' => sub {
    my $client = $proxy->connect;
    $client->write(post('here', 'echo') =~ s/Host: here/Host: nobody/r);
    my $r = $client->read_response(interim => 1);
    is($r->status, 404, 'no such app: no 100 first');
    is($client->read_eof, '', 'and a close, as the body will not be read');
};

subtest 'no 100 before a service is there that takes the body' => sub {
    my $log = write_file(temp_path('record.log'), '');
    my $record = proxy(router => { module => router_so('record'), log => $log, backends => [ $backend->address ] });
    my $expect = "POST /echo HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n";
    my $client = $record->connect;
    $client->write("${expect}X-Do: first=0 checkout-refuse\r\n\r\n" =~ s{/echo}{/refused}r);
    my $r = $client->read_response(interim => 1);
    is($r->status, 503, 'a router that refuses is the first that the client hears');
    is($client->read_eof, '', 'the body will not be read');
    $client = $record->connect;
    $client->write("${expect}X-Do: first=0 checkout=100\r\n\r\n");
    is($client->read_response(interim => 1)->status, 100, 'a router that takes its time');
    like(recorded_calls($log, '/echo'), qr/^service_backend/m, 'is waited for');
    $client->write('body');
    like($client->read_response->body, qr/\nbody$/, 'then the body flows');
};

subtest 'other expectations' => sub {
    my @cases = (
        [ 'foo', 417, 'expectation_failed' ], [ 'foo=bar', 417, 'expectation_failed' ], [ '100-continue=yes', 417, 'expectation_failed' ],
        [ '100-continue, 100-continue', 417, 'expectation_failed' ], [ '100-continue, foo', 417, 'expectation_failed' ],
        [ '100 continue', 400, 'bad_request_header' ], [ '"x', 400, 'bad_request_header' ], [ '@', 400, 'bad_request_header' ],
    );
    my $n = 0;
    for my $host (qw(here deep)) {
        for my $case (@cases) {
            my ($value, $status, $code) = @$case;
            my $client = $proxy->connect;
            my $path = 'x' . $n++;
            $client->write(post($host, $path, expect => $value));
            my $r = $client->read_response(interim => 1);
            is($r->status, $status, "$host: $value: $status");
            like($r->body, qr/$code/, "$host: $value: $code");
            is($client->read_eof, '', "$host: $value: closed");
        }
    }
    for my $empty ('', ',', ' , ') {
        my $r = $proxy->ask(post('here', 'echo', expect => $empty) . 'body');
        is($r->status, 200, "'$empty' is no expectation");
    }
};

subtest 'HTTP/1.0 is not told to go on' => sub {
    my $r = $proxy->ask(post('here', 'echo', version => '1.0') . 'body', interim => 1);
    is($r->status, 200, 'the answer is the first it hears');
};

subtest 'end to end: the backend says go on' => sub {
    my ($interim, $client) = politely('deep', 'continue');
    is($interim, "HTTP/1.1 100 Continue\r\n\r\n", 'a plain 100 is forwarded, whatever it was called');
    my $r = $client->read_response;
    is($r->body, 'got body', 'then the body flows');
    ok(!$r->says_close, 'the connection lives on');
    my ($head) = grep { m{^POST /continue} && /Host: deep/ } $backend->heads;
    like($head, qr/^Expect: 100-continue\r$/m, 'the backend was asked');
};

subtest 'end to end: nothing is said before the backend speaks' => sub {
    my $client = $proxy->connect;
    $client->write(post('deep', 'silent'));
    ok($client->is_silent(ms(200) / 1000), 'no 100 of ours');
    my $r = $client->read_response(interim => 1);
    is($r->status, 503, 'but an end when nobody speaks');
};

subtest 'end to end: the backend says no' => sub {
    my $client = $proxy->connect;
    $client->write(post('deep', 'final'));
    my $r = $client->read_response(interim => 1);
    is($r->status . $r->body, '403no', 'that is the answer');
    ok($r->says_close, 'Connection: close, as the body may come or not');
    is($client->read_eof, '', 'and so it is');
};

subtest 'end to end: a client that does not wait' => sub {
    my $client = $proxy->connect;
    $client->write(post('deep', 'wordless') . 'body');
    my $r = $client->read_response(interim => 1);
    is($r->body, 'got body', 'its body is forwarded');
    ok(!$r->says_close, 'and its connection lives on, as its body was taken');
};

subtest 'end to end: odd answers' => sub {
    my ($interim, $client) = politely('deep', 'together');
    is($interim, $continue, '100 and the answer in one packet: 100 first');
    is($client->read_response->body, 'ok', 'then the answer');
    ($interim, $client) = politely('deep', 'twice');
    $client->write('body');
    is($client->read_response(interim => 1)->body, 'ok', 'a second 100 is skipped');
    $client = $proxy->connect;
    $client->write(post('deep', 'hints'));
    is($client->read_response(interim => 1)->status, 103, '103 comes first');
    is($client->read_response(interim => 1)->status, 100, 'then 100');
    $client->write('body');
    is($client->read_response->body, 'ok', 'then the answer');
};

subtest '100 without any Expect' => sub {
    my $client = $proxy->connect;
    my $get = "GET /together HTTP/1.1\r\nHost: here\r\n\r\n";
    $client->write($get);
    is($client->read_response(interim => 1)->status, 100, 'is forwarded to HTTP/1.1');
    is($client->read_response->body, 'ok', 'before the answer');
    is($proxy->ask($get =~ s/1\.1/1.0/r, interim => 1)->status, 200, 'not to HTTP/1.0');
};

done_testing;
