# SPDX-License-Identifier: MIT
# gRPC through the proxy: a client and a server that are not ours (python3-grpcio), every kind of call, and what a client sees of errors.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;
use JSON::PP ();

my $server = Weir::Http2Backend->start(script => 'grpc_server.py');
my $proxy  = proxy(
    apps => { main => { domains => ['*'], backends => [ $server->address ], protocol => 'h2c' } },
    path => { 'weir.first-byte-timeout' => ms(20_000), 'weir.idle-timeout' => ms(20_000) },
);

# Makes calls by one channel; what each came to, as hashes.
sub calls {
    my ($port, @calls) = @_;
    my $run = run_command({ seconds => 60 }, Weir::Http2Backend::python(), '-B', root_dir() . '/t/tools/grpc_client.py', $port, @calls);
    my @told = map { JSON::PP::decode_json($_) } grep { /^\{/ } split /\n/, $run->{out};
    diag($run->{err}) if @told != @calls;
    return @told;
}

sub call { return (calls($proxy->port, @_))[0] // {} }

subtest 'unary' => sub {
    my $told = call('unary');
    is($told->{code}, 'OK', 'status');
    is($told->{result}, 'yxxxx5', 'message');
    is($told->{initial}{'x-initial'}, 'yes', 'initial metadata');
    is($told->{trailing}{'x-trailing'}, 'yes', 'trailing metadata');
    is_deeply($told->{trailing}{'x-data-bin'}, [ 0, 1, 2 ], 'in binary, too');
    ok($server->wait_event(qr/^metadata x-from client$/), 'the client\'s metadata arrive');
    ok($server->wait_event(qr/^metadata x-from-bin b'\\x00\\xff'$/), 'in binary, too');
    is($proxy->log_where(path => '/weir.Test/Unary')->{status}, 200, 'the log has the call');
};

subtest 'messages of 4 MB there and back' => sub { is(call('unary:4000000')->{result}, 'yxxxx4000000', 'message') };
subtest 'server streaming' => sub { is_deeply(call('server_stream:200:10000')->{result}, [200], 'all messages') };
subtest 'client streaming' => sub { is(call('client_stream:200:10000')->{result}, '200 2000000', 'all messages') };

subtest 'bidirectional streaming: each message answered before the next' => sub {
    my $told = call('both:one:two:three');
    is($told->{code}, 'OK', 'status');
    is_deeply($told->{result}, [qw(ONE TWO THREE)], 'messages');
};

subtest 'many calls at once' => sub { is(call('many:50')->{result}, 50, 'each has its own answer') };

subtest 'statuses of the server' => sub {
    my ($fail, $late, $unknown) = calls($proxy->port, qw(fail fail_late unknown));
    is($fail->{code}, 'FAILED_PRECONDITION', 'a call that fails at once');
    is($fail->{details}, "as you wish: 100% \x{fc}", 'its message');
    is($fail->{trailing}{'x-why'}, 'asked', 'its metadata');
    is($late->{code}, 'DATA_LOSS', 'a stream that fails after a message');
    is_deeply($late->{result}, ['one'], 'with that message');
    is($unknown->{code}, 'UNIMPLEMENTED', 'a method that is not there');
};

subtest 'cancellation and deadlines reach the server' => sub {
    is(call('wait:0.5')->{code}, 'DEADLINE_EXCEEDED', 'a deadline of the client');
    ok($server->wait_event(qr/^wait ended/), 'the server has heard');
    my $before = $server->count(qr/^both ended/);
    is(call('both_cancel')->{code}, 'CANCELLED', 'a call that is cancelled');
    ok(wait_for { $server->count(qr/^both ended/) > $before }, 'the server has heard');
    is(call('unary')->{code}, 'OK', 'the next call is fine');
};

subtest 'errors of the proxy are gRPC statuses' => sub {
    my $down = proxy(backends => [ '127.0.0.1:' . refusing_port() ], app => { protocol => 'h2c' });
    my ($refused) = calls($down->port, 'unary');
    is($refused->{code}, 'UNAVAILABLE', 'no backend');
    like($refused->{details}, qr/^backend_refused: /, 'by its reason');
    is($down->log_where(path => '/weir.Test/Unary')->{code}, 'backend_refused', 'the log says so, too');

    my $bad = Weir::Http2Backend->start(greeting => 'http1');
    my $wrong = proxy(backends => [ $bad->address ], app => { protocol => 'h2c' });
    my ($told) = calls($wrong->port, 'unary');
    is($told->{code}, 'UNAVAILABLE', 'a backend of another protocol');
    like($told->{details}, $ENV{WEIR_WORKERS} ? qr/^no_backend: / : qr/^backend_not_http2: /, 'by its reason');

    my $nowhere = proxy(apps => { main => { domains => ['nowhere.test'], backends => [ $server->address ], protocol => 'h2c' } });
    ($told) = calls($nowhere->port, 'unary');
    is($told->{code}, 'UNIMPLEMENTED', 'no such domain (404)');
    like($told->{details}, qr/^not_found: /, 'by its reason');
};

subtest 'the same calls in HTTP/1.1, with chunks and trailers' => sub {
    my $message = "\0" . pack('N', 5) . 'hello';
    my $r = $proxy->ask("POST /weir.Test/Unary HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nTE: trailers\r\n"
            . "Transfer-Encoding: chunked\r\n\r\na\r\n$message\r\n0\r\n\r\n");
    is($r->status, 200, 'status');
    is($r->body, "\0" . pack('N', 5) . 'olleh', 'message');
    like($r->trailer, qr/^grpc-status: 0\r$/mi, 'trailers');
    my $down = proxy(backends => [ '127.0.0.1:' . refusing_port() ], app => { protocol => 'h2c' });
    my $refused = $down->ask("POST /a HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n");
    is($refused->status . ' ' . $refused->body, '200 ', 'an error: 200 and no body');
    is($refused->header('grpc-status'), '14', 'but a gRPC status');
    like($refused->header('grpc-message'), qr/^backend_refused: /, 'and the reason');
};

subtest 'weir.trace and weir.server-timing' => sub {
    my $traced = proxy(apps => { main => { domains => ['*'], backends => [ $server->address ], protocol => 'h2c' } },
        global => { 'weir.trace' => 'ON', 'weir.server-timing' => 'ON' });
    my ($unary, $both) = calls($traced->port, 'unary', 'both:one:two');
    my $trace = $traced->log_where(path => '/weir.Test/Unary')->{trace};
    ok($server->wait_event(qr/^metadata traceparent 00-$trace-[0-9a-f]{16}-00$/), 'the server gets the trace that is in the log');
    my $parts = qr/^queue;dur=\d+\.\d{1,3}, connect;dur=\d+\.\d{1,3}, wait;dur=\d+\.\d{1,3}$/;
    like($unary->{initial}{'server-timing'}, $parts, 'the client gets the timing');
    like($both->{initial}{'server-timing'}, $parts, 'also where the response begins before the request has ended');
    my $down = proxy(backends => [ '127.0.0.1:' . refusing_port() ], app => { protocol => 'h2c' }, global => { 'weir.server-timing' => 'ON' });
    my ($refused) = calls($down->port, 'unary');
    like($refused->{trailing}{'server-timing'} // $refused->{initial}{'server-timing'}, qr/^queue;dur=\d+\.\d{1,3}$/, 'errors of ours have it, too');
};

done_testing;
