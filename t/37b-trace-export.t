# SPDX-License-Identifier: MIT
# weir.trace as a map: which traces are sampled, what their spans tell, and what becomes of them where the receiver is slow, ill
# or not there.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;
use Weir::Http2Client;
use Weir::TLS;
use JSON::PP;

my $trace  = '0af7651916cd43dd8448eb211c80319c';
my $caller = 'b7ad6b7169203331';
my $valid  = "00-$trace-$caller-01";
my $taken  = simple_response('{"partialSuccess":{}}', headers => "Content-Type: application/json\r\n");
my $echo   = echo_backend();

# Receives spans. `answer`: what it says to its connection of this number; each has one message.
sub receiver {
    my ($answer) = @_;
    return backend(sub {
        my $c = shift;
        $c->read_request or return;
        $c->note('message');
        $c->write($answer ? $answer->($c->index) : $taken);
    }, name => 'receiver');
}

sub url_of { return 'http://' . $_[0]->address . '/v1/traces' }

# All messages so far, decoded.
sub messages {
    my ($receiver) = @_;
    return map { /\r\n\r\n(.+)\z/s ? decode_json($1) : () } $receiver->received;
}

# All spans so far, as hashes; their attributes as one, by their names.
sub spans {
    my @spans = map { @{ $_->{resourceSpans}[0]{scopeSpans}[0]{spans} } } messages(@_);
    $_->{has} = { map { $_->{key} => (values %{ $_->{value} })[0] } @{ $_->{attributes} } } for @spans;
    return @spans;
}

# The spans that are there when the proxy has ended: those of the requests, and those of the attempts.
sub spans_at_end {
    my ($proxy, $receiver) = @_;
    $proxy->stop;
    my @spans = spans($receiver);
    return ([ grep { $_->{kind} == 2 } @spans ], [ grep { $_->{kind} == 3 } @spans ]);
}

sub traced {
    my ($receiver, %trace) = @_;
    return (global => { 'weir.trace' => { export => url_of($receiver), %trace } }, paths => { '/metrics' => { 'weir.metrics' => 'ON' } });
}

# A number of weir_trace_spans_total.
sub counted {
    my ($proxy, $result) = @_;
    my ($number) = $proxy->get('/metrics')->body =~ /^weir_trace_spans_total\{result="$result"\} (\d+)$/m;
    return $number;
}

sub values_of {
    my ($name, $text) = @_;
    return join ' | ', map { /^\Q$name\E: (.*?)\r?$/i ? $1 : () } split /\n/, $text;
}

subtest 'a request, field by field' => sub {
    my $receiver = receiver();
    my $before_ns = time() * 1_000_000_000;
    my $proxy = proxy(backends => [$echo], traced($receiver, service => 'edge "1"'));
    my $r = $proxy->ask("GET /shop/caf\xc3\xa9?secret=1 HTTP/1.1\r\nHost: Shop.test:8080\r\ntraceparent: $valid\r\ntracestate: a=1\r\ntracestate: b=2\r\nX-Request-Id: id-of-the-client-0123\r\n\r\n");
    is($r->status, 200, 'it is served');
    my ($requests, $attempts) = spans_at_end($proxy, $receiver);
    is(scalar @$requests, 1, 'one span is the request');
    is(scalar @$attempts, 1, 'and one the attempt');
    my ($request, $attempt) = ($requests->[0], $attempts->[0]);

    my ($message) = messages($receiver);
    is_deeply($message->{resourceSpans}[0]{resource}{attributes}, [ { key => 'service.name', value => { stringValue => 'edge "1"' } } ], 'the resource has the name of the service');
    is($message->{resourceSpans}[0]{scopeSpans}[0]{scope}{name}, 'weir', 'the scope is ours');
    like(($receiver->heads)[0], qr{^POST /v1/traces HTTP/1\.1\r\nHost: \Q@{[ $receiver->address ]}\E\r\nContent-Type: application/json\r\n}, 'what is sent is a POST');

    is($request->{traceId}, $trace, 'the trace is the client\'s');
    is($request->{parentSpanId}, $caller, 'its span is the parent');
    like($request->{spanId}, qr/^(?!0{16})[0-9a-f]{16}$/, 'ours has an id');
    isnt($request->{spanId}, $caller, 'of its own');
    is($request->{traceState}, 'a=1,b=2', 'tracestate goes along');
    is($request->{flags}, 0x301, 'sampled, with a parent of another process');
    is($request->{name}, 'GET', 'its name is the method');
    like($request->{$_}, qr/^\d{19}$/, "$_ is nanoseconds, as a text") for qw(startTimeUnixNano endTimeUnixNano);
    ok(!ref $request->{startTimeUnixNano} && JSON::PP->new->allow_nonref->encode($request->{startTimeUnixNano}) =~ /^"/, 'in quotes');
    cmp_ok($request->{startTimeUnixNano}, '>=', $before_ns, 'of this time');
    cmp_ok($request->{endTimeUnixNano}, '>=', $request->{startTimeUnixNano}, 'the end is not before the beginning');
    my $has = $request->{has};
    my ($port) = delete $has->{'client.port'};
    like($port, qr/^\d+$/, 'the client has a port');
    is_deeply($has, {
        'http.request.method' => 'GET', 'url.path' => "/shop/caf\x{e9}", 'url.scheme' => 'http', 'server.address' => 'shop.test', 'server.port' => '8080',
        'client.address' => '127.0.0.1', 'network.protocol.version' => '1.1', 'http.response.status_code' => '200', 'weir.app' => 'main',
        'weir.request_id' => 'id-of-the-client-0123',
    }, 'and these attributes, but for the query');
    is_deeply([ sort map { keys %{ $_->{value} } } grep { $_->{key} =~ /port|status/ } @{ $request->{attributes} } ], [ ('intValue') x 3 ], 'numbers are numbers');
    ok(!exists $request->{status}, 'it has not failed');

    is($attempt->{traceId}, $trace, 'the attempt is of the same trace');
    is($attempt->{parentSpanId}, $request->{spanId}, 'below the request');
    is($attempt->{flags}, 0x101, 'which is of this process');
    is($attempt->{name}, 'GET', 'its name is the method, too');
    my ($host, $backend_port) = $echo->address =~ /^(.*):(\d+)$/;
    is_deeply($attempt->{has}, {
        'http.request.method' => 'GET', 'server.address' => $host, 'server.port' => $backend_port, 'weir.backend' => $echo->address, 'weir.app' => 'main',
        'network.protocol.version' => '1.1', 'http.response.status_code' => '200',
    }, 'its attributes are those of the backend');
    is_deeply([ map { $_->{name} } @{ $attempt->{events} } ], [qw(weir.connected weir.request_sent weir.first_byte)], 'its events are in order');
    my @at = map { $_->{timeUnixNano} } @{ $attempt->{events} };
    is("@at", "@{[ sort { $a <=> $b } @at ]}", 'and so are their times');
    cmp_ok($at[0], '>=', $attempt->{startTimeUnixNano}, 'within the attempt');
    cmp_ok($at[-1], '<=', $attempt->{endTimeUnixNano}, 'from its beginning to its end');
    is(values_of('traceparent', $r->body), "00-$trace-$attempt->{spanId}-01", 'the backend is told the attempt as its parent');
    is(values_of('tracestate', $r->body), 'a=1 | b=2', 'with the state');
};

subtest 'a trace that begins here' => sub {
    my $receiver = receiver();
    my $proxy = proxy(backends => [$echo], traced($receiver, sample => 1));
    my $client = $proxy->connect;
    my @parents = map { $client->write("GET /$_ HTTP/1.1\r\nHost: a\r\ntracestate: a=1\r\n\r\n"); values_of('traceparent', $client->read_response->body) } 1 .. 2;
    like($parents[0], qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/, 'is sampled');
    my ($requests, $attempts) = spans_at_end($proxy, $receiver);
    is_deeply([ map { "00-$_->{traceId}-$_->{spanId}-01" } @$attempts ], \@parents, 'and the backend below the attempt');
    is_deeply([ map { exists $_->{parentSpanId} || exists $_->{traceState} ? 1 : 0 } @$requests ], [ 0, 0 ], 'it has no parent, and no state of another');
    is($requests->[0]{flags}, 0x101, 'nor flags of one');
    is_deeply([ map { $_->{has}{'weir.reused'} ? 1 : 0 } @$attempts ], [ 0, 1 ], 'a connection that is used again is told so');
    is($requests->[0]{has}{'service.name'}, undef, 'a name of the service has its place');
    is((messages($receiver))[0]{resourceSpans}[0]{resource}{attributes}[0]{value}{stringValue}, 'weir', 'and is ours unless it is said');
};

subtest 'what is not sampled is not told' => sub {
    my $receiver = receiver();
    my $proxy = proxy(backends => [$echo], traced($receiver));
    like(values_of('traceparent', $proxy->get('/new')->body), qr/-00$/, 'a new trace is not, unless something is said');
    like(values_of('traceparent', $proxy->get('/flag', "traceparent: 00-$trace-$caller-00\r\n")->body), qr/^00-$trace-(?!$caller)[0-9a-f]{16}-00$/, 'the client\'s is what it says');
    $proxy->get('/sampled', "traceparent: $valid\r\n");
    my ($requests) = spans_at_end($proxy, $receiver);
    is_deeply([ map { $_->{has}{'url.path'} } @$requests ], ['/sampled'], 'the only one that is');
};

subtest 'two attempts are two spans' => sub {
    my $receiver = receiver();
    my $refusing = '127.0.0.1:' . refusing_port();
    my $proxy = proxy(backends => [$echo], app => { backends => [ { at => $refusing, tier => 0 }, { at => $echo->address, id => 'good', tier => 1 } ] }, traced($receiver, sample => 1));
    my $parent = values_of('traceparent', $proxy->get('/')->body);
    my ($requests, $attempts) = spans_at_end($proxy, $receiver);
    is(scalar @$attempts, 2, 'one for each backend');
    my ($first, $second) = @$attempts;
    is_deeply([ map { $_->{parentSpanId} } @$attempts ], [ ($requests->[0]{spanId}) x 2 ], 'both below the request');
    isnt($first->{spanId}, $second->{spanId}, 'with ids of their own');
    is($first->{has}{'error.type'}, 'backend_refused', 'the first says why it failed');
    is($first->{status}{code}, 2, 'it is an error');
    like($first->{status}{message}, qr/\w/, 'in a sentence');
    is($first->{has}{'weir.backend'}, $refusing, 'at whom');
    ok(!exists $first->{events} && !exists $first->{has}{'http.response.status_code'}, 'nothing else has happened');
    is($second->{has}{'http.request.resend_count'}, '1', 'the second says that it is one');
    is($second->{has}{'weir.backend'}, 'good', 'at another');
    ok(!exists $second->{status} && !exists $requests->[0]{status}, 'and all went well');
    is($parent, "00-$requests->[0]{traceId}-$second->{spanId}-01", 'the backend is below the second');
};

subtest 'errors' => sub {
    my $receiver = receiver();
    my $ill = backend(sub { $_[0]->serve(sub { simple_response('', status => '503 Ill') }) });
    my $proxy = proxy(apps => { ill => { domains => ['ill'], backends => [ $ill->address ] } }, traced($receiver, sample => 1));
    is($proxy->ask("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")->status, 404, 'no app');
    is($proxy->ask("BREW / HTTP/1.1\r\nHost: ill\r\n\r\n")->status, 503, 'a backend\'s error');
    my ($requests, $attempts) = spans_at_end($proxy, $receiver);
    is(scalar @$attempts, 1, 'only one has come to a backend');
    my ($nobody, $brew) = @$requests;
    is($nobody->{has}{'error.type'}, 'not_found', 'the reason is ours');
    is($nobody->{has}{'http.response.status_code'}, '404', 'with its status');
    is($brew->{has}{'error.type'}, '503', 'or the status itself');
    is_deeply($brew->{status}, { code => 2 }, 'without a sentence of ours');
    is_deeply($attempts->[0]{status}, { code => 2 }, 'the attempt, too');
    is("$brew->{name} $brew->{has}{'http.request.method'} $brew->{has}{'http.request.method_original'}", 'HTTP _OTHER BREW', 'a method that nobody knows makes no name');
};

subtest 'the share of new traces' => sub {
    my $receiver = receiver();
    my $fast = fast_backend('ok');
    my $proxy = proxy(backends => [$fast], traced($receiver, sample => 0.3), global => { 'num-threads' => 2, 'weir.trace' => { sample => 0.3, export => url_of($receiver) } });
    for my $part (1 .. 4) {
        my $client = $proxy->connect;
        for (1 .. 500) { $client->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"); $client->read_response }
    }
    my @ids = map { $_->{trace} } grep { $_->{path} eq '/' } $proxy->log_lines(2000);
    is(scalar @ids, 2000, 'all were served');
    my ($requests) = spans_at_end($proxy, $receiver);
    cmp_ok(scalar @$requests, '>', 480, 'about as many as shall be');
    cmp_ok(scalar @$requests, '<', 720, 'and not more');
    my $from = sprintf '%014x', int(0.7 * 2**56);
    is_deeply([ sort map { $_->{traceId} } @$requests ], [ sort grep { substr($_, 18) ge $from } @ids ], 'the last seven bytes of the id decide, of each');
};

subtest 'a host and a path' => sub {
    my $receiver = receiver();
    my %router = (module => 'table', apps => { main => { domains => ['*'], backends => [ $echo->address ] } });
    my $proxy = proxy(router => { %router, name => 'a' }, global => { 'weir.trace' => { export => url_of($receiver), sample => 1 } },
        paths => { '/off' => { 'weir.trace' => 'OFF', 'weir.router' => { %router, name => 'b' } }, '/none' => { 'weir.trace' => { sample => 0 }, 'weir.router' => { %router, name => 'c' } } });
    is(values_of('traceparent', $proxy->get('/off')->body), '', 'OFF is without any');
    like(values_of('traceparent', $proxy->get('/none')->body), qr/-00$/, 'another share');
    like(values_of('traceparent', $proxy->get('/all')->body), qr/-01$/, 'beside that of all others');
    is_deeply([ map { $_->{has}{'url.path'} } @{ (spans_at_end($proxy, $receiver))[0] } ], ['/all'], 'one is told');
};

subtest 'a receiver that is not there' => sub {
    my $proxy = proxy(backends => [$echo], global => { 'weir.trace' => { sample => 1, export => 'http://127.0.0.1:' . refusing_port() . '/v1/traces' } }, paths => { '/metrics' => { 'weir.metrics' => 'ON' } });
    is($proxy->get("/$_")->status, 200, 'requests are served') for 1 .. 5;
    ok(wait_for { counted($proxy, 'unreachable') == 10 }, 'their spans are lost, and counted');
    is(counted($proxy, 'exported'), 0, 'none was sent');
    like($proxy->stderr, qr{^weir: weir\.trace: http://127\.0\.0\.1:\d+/v1/traces: spans are lost: refused 0, unreachable \d+, no room to wait 0: no connection can be made$}m, 'a line says so');
    is($proxy->get('/more')->status, 200, 'more are served');
    $proxy->stop;
    my $lost = 0;
    $lost += $_ for $proxy->stderr =~ /spans are lost: refused 0, unreachable (\d+),/g;
    is($lost, 12, 'at the end what was lost since');
};

subtest 'a receiver that says nothing' => sub {
    my $silent = silent_backend();
    my $proxy = proxy(backends => [$echo], traced($silent, sample => 1, queue => 6));
    is($proxy->get('/first')->status, 200, 'a request');
    ok($silent->wait_event(qr/note 0 head/), 'its spans are on their way');
    is($proxy->get("/$_")->status, 200, 'others are served meanwhile') for 1 .. 10;
    is(counted($proxy, 'full'), 16, 'four find room, the others do not');
    $proxy->stop;
    like($proxy->stderr, qr/spans are lost: refused 0, unreachable 6, no room to wait 16: /, 'the end does not wait for ever, and all are told');
};

subtest 'a receiver that is busy' => sub {
    my $receiver = receiver(sub { $_[0] == 0 ? simple_response('', status => '503 Busy', headers => "Retry-After: 1\r\n") : $taken });
    my $proxy = proxy(backends => [$echo], traced($receiver, sample => 1));
    $proxy->get('/');
    ok(wait_for { counted($proxy, 'exported') == 2 }, 'is asked again');
    my @messages = messages($receiver);
    is(scalar @messages, 2, 'once');
    is_deeply($messages[0], $messages[1], 'with the same');
    is(counted($proxy, $_), 0, "none is $_") for qw(full refused unreachable);
    unlike($proxy->stderr, qr/spans are lost/, 'nothing is said');
};

subtest 'one that stays busy' => sub {
    my $receiver = receiver(sub { simple_response('', status => '429 Too Many') });
    my $proxy = proxy(backends => [$echo], traced($receiver, sample => 1));
    $proxy->get('/');
    ok(wait_for { counted($proxy, 'unreachable') == 2 }, 'is given up');
    is($receiver->connections, 2, 'behind the second time');
    like($proxy->stderr, qr/spans are lost: refused 0, unreachable 2, no room to wait 0: it answers 429$/m, 'with its answer');
};

subtest 'one that refuses' => sub {
    my $receiver = receiver(sub { simple_response('', status => '400 Bad Request') });
    my $proxy = proxy(backends => [$echo], traced($receiver, sample => 1));
    $proxy->get('/');
    ok(wait_for { counted($proxy, 'refused') == 2 }, 'is believed');
    is($receiver->connections, 1, 'at once');
    like($proxy->stderr, qr/spans are lost: refused 2, unreachable 0, no room to wait 0: it answers 400$/m, 'with its answer');
};

subtest 'one that takes a part' => sub {
    my $part = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1c\r\n{\"partialSuccess\":{\"rejected\r\nd\r\nSpans\":\"1\"}}\n\r\n0\r\n\r\n";
    my $receiver = receiver(sub { "HTTP/1.1 100 Continue\r\n\r\n$part" });
    my $proxy = proxy(backends => [$echo], traced($receiver, sample => 1));
    $proxy->get('/');
    ok(wait_for { counted($proxy, 'refused') == 1 }, 'the rest is lost');
    is(counted($proxy, 'exported'), 1, 'and the part is not');
};

subtest 'what answers is no receiver' => sub {
    my $receiver = receiver(sub { "SSH-2.0-none\r\n\r\n" });
    my $proxy = proxy(backends => [$echo], traced($receiver, sample => 1));
    $proxy->get('/');
    ok(wait_for { counted($proxy, 'unreachable') == 2 }, 'its spans are lost');
    like($proxy->stderr, qr/what answers does not speak HTTP$/m, 'and it is said why');
};

subtest 'a reload' => sub {
    my ($one, $other) = (receiver(), receiver());
    my $proxy = proxy(backends => [$echo], traced($one, sample => 1));
    $proxy->get('/one');
    ok(wait_for { spans($one) == 2 }, 'the first receiver has its spans');
    ok($proxy->reload(backends => [$echo], traced($other, sample => 1, service => 'other')), 'another one');
    $proxy->get('/other');
    ok(wait_for { spans($other) == 2 }, 'has the next');
    is((messages($other))[0]{resourceSpans}[0]{resource}{attributes}[0]{value}{stringValue}, 'other', 'under the new name');
    ok($proxy->reload(backends => [$echo], traced($other, sample => 0)), 'another share');
    like(values_of('traceparent', $proxy->get('/none')->body), qr/-00$/, 'which counts from then on');
    ok($proxy->reload(backends => [$echo], global => { 'weir.trace' => 'ON' }), 'nobody');
    like(values_of('traceparent', $proxy->get('/none', "traceparent: $valid\r\n")->body), qr/^00-$trace-[0-9a-f]{16}-01$/, 'is told of what is sampled');
    $proxy->stop;
    is_deeply([ scalar spans($one), scalar spans($other) ], [ 2, 2 ], 'and nobody has more');
};

subtest 'an example beside the metrics' => sub {
    my $proxy = proxy(backends => [$echo], global => { 'weir.trace' => 'ON' }, paths => { '/metrics' => { 'weir.metrics' => 'ON' } });
    my $openmetrics = "Accept: application/openmetrics-text; version=1.0.0\r\n";
    $proxy->get('/none', "traceparent: 00-$trace-$caller-00\r\n");
    unlike($proxy->get('/metrics', $openmetrics)->body, qr/trace_id/, 'what is not sampled is none');
    $proxy->get('/one', "traceparent: $valid\r\n");
    my $total = $proxy->log_where(path => '/one')->{total} =~ s/ms$//r / 1000;
    my @lines = grep { /trace_id/ } split /\n/, $proxy->get('/metrics', $openmetrics)->body;
    is(scalar @lines, 1, 'one is');
    my ($le, $value, $at) = $lines[0] =~ /^weir_stage_duration_seconds_bucket\{stage="total",le="([^"]+)"\} \d+ # \{trace_id="$trace"\} (\d+\.\d{6}) (\d+\.\d{3})$/;
    cmp_ok($value, '<=', $le, 'in its bucket');
    cmp_ok($value, '>=', $total, 'of its duration');
    cmp_ok(abs($at - time()), '<', 600, 'of this time');
    unlike($proxy->get('/metrics')->body, qr/trace_id/, 'the text of others has no place for it');
};

subtest 'many at once' => sub {
    my $receiver = receiver();
    my $fast = fast_backend('ok');
    my $proxy = proxy(backends => [$fast], traced($receiver, sample => 1));
    my $client = $proxy->connect;
    for (1 .. 400) { $client->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"); $client->read_response }
    my ($requests, $attempts) = spans_at_end($proxy, $receiver);
    is_deeply([ scalar @$requests, scalar @$attempts ], [ 400, 400 ], 'none is missing');
    is((grep { @{ $_->{resourceSpans}[0]{scopeSpans}[0]{spans} } > 512 } messages($receiver)) + 0, 0, 'and no message has more than 512');
};

subtest 'HTTP/2 with a backend' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    my $receiver = receiver();
    my $h2c = Weir::Http2Backend->start;
    my $proxy = proxy(backends => [ $h2c->address ], app => { protocol => 'h2c' }, traced($receiver, sample => 1));
    my %field = map { @$_ } @{ Weir::Http2Backend->told($proxy->get('/echo'))->{headers} };
    my (undef, $attempts) = spans_at_end($proxy, $receiver);
    is($attempts->[0]{has}{'network.protocol.version'}, '2', 'says so');
    is($field{traceparent}, "00-$attempts->[0]{traceId}-$attempts->[0]{spanId}-01", 'and is its parent');
};

subtest 'a tunnel' => sub {
    my $receiver = receiver();
    my $switch = backend(sub {
        my $c = shift;
        $c->read_head;
        $c->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    });
    my $proxy = proxy(backends => [$switch], traced($receiver, sample => 1));
    my $client = $proxy->connect;
    $client->write("GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    like($client->read_head, qr/^HTTP\/1\.1 101 /, 'is opened');
    $client->close;
    is($proxy->log_where(path => '/tunnel')->{status}, '101', 'comes to its end');
    my ($requests, $attempts) = spans_at_end($proxy, $receiver);
    is_deeply([ map { $_->{has}{'http.response.status_code'} } @$requests, @$attempts ], [ 101, 101 ], 'and is told then');
    is_deeply([ map { $_->{status} // () } @$requests, @$attempts ], [], 'as no failure');
};

subtest 'https' => sub {
    my ($ca, $other) = (authority('test authority'), authority('another authority'));
    my $receive = sub { my $c = shift; $c->read_request or return; $c->write($taken) };
    my %of = (right => certificate('127.0.0.1', ca => $ca), stranger => certificate('127.0.0.1', ca => $other), named => certificate('elsewhere.test', ca => $ca));
    my %ends = (right => 'exported', stranger => 'unreachable', named => 'unreachable');
    for my $who (sort keys %of) {
        my $receiver = tls_backend($receive, cert => $of{$who});
        my $proxy = proxy(backends => [$echo], traced($receiver, export => 'https://127.0.0.1:' . $receiver->port . '/v1/traces', 'ca-file' => $ca->{cert}, sample => 1));
        $proxy->get('/');
        ok(wait_for { counted($proxy, $ends{$who}) == 2 }, "$who: $ends{$who}");
        my ($why) = $proxy->stderr =~ /spans are lost: .*: (TLS: .*)$/m;
        like($why // 'TLS: ', qr/^TLS: (?:|.*issuer.*|IP address mismatch)$/, 'with the reason');
        is(defined $why ? 1 : 0, $who eq 'right' ? 0 : 1, 'if it was not believed');
    }
};

subtest 'mistakes' => sub {
    my %wrong = (
        '{ sample: 1.5 }'                                => [ qr/\d+: weir\.trace: `sample` must be a number from 0 to 1/, 'a share of more than all' ],
        '{ sample: -0.5 }'                               => [ qr/\d+: weir\.trace: `sample` must be/, 'less than nothing' ],
        '{ sample: 1e-3 }'                               => [ qr/\d+: weir\.trace: `sample` must be/, 'another way of writing' ],
        '{ sample: . }'                                  => [ qr/\d+: weir\.trace: `sample` must be/, 'no number' ],
        '{ samples: 1 }'                                  => [ qr/\d+: weir\.trace: unknown key samples; did you mean sample/, 'an unknown key' ],
        '{ sample: [ 1 ] }'                              => [ qr/\d+: weir\.trace: `sample` must be a word/, 'a list' ],
        '{ export: "ftp://a/" }'                         => [ qr/\d+: weir\.trace: `export` must be a URL/, 'another protocol' ],
        '{ export: "http://a b/" }'                      => [ qr/\d+: weir\.trace: `export` must be a URL/, 'a blank' ],
        '{ export: "http://u@a/" }'                      => [ qr/\d+: weir\.trace: `export` must be a URL/, 'a user' ],
        '{ export: "http://a:99999/" }'                  => [ qr/\d+: weir\.trace: `export` must be a URL/, 'a port that is none' ],
        '{ export: "http://a/", queue: 0 }'              => [ qr/\d+: weir\.trace: `queue` must be a whole number from 1 to 1000000/, 'no queue' ],
        '{ export: "http://a/", ca-file: /none }'        => [ qr/\d+: weir\.trace: `ca-file` is for https/, 'authorities for nothing' ],
        '{ export: "https://a/", ca-file: /nonexistent }' => [ qr/\d+: weir\.trace: \/nonexistent is no PEM file/, 'authorities that are not there' ],
        '{ ca-file: /none }'                             => [ qr/\d+: weir\.trace: `ca-file` without `export`/, 'authorities for nobody' ],
        'maybe'                                          => [ qr/\d+: weir\.trace: must be ON, OFF, or a map/, 'another word' ],
    );
    my $rest = "listen: 1\nhosts:\n  default:\n    paths:\n      /:\n        proxy.reverse.url: http://127.0.0.1:1/\n";
    refuses_config("weir.trace: $_\n$rest", @{ $wrong{$_} }) for sort keys %wrong;
    refuses_config($rest . "        weir.trace: { export: 'http://a/' }\n", qr/\d+: weir\.trace: `export` can be said at the global level only/, 'a receiver of a path');
    my $run = weir('check', '-c', write_file(temp_path('weir.yaml'), "weir.trace: { sample: 0.25, export: 'http://localhost:4318/v1/traces' }\n$rest"));
    is($run->{exit}, 0, 'what is right') or diag($run->{err});
    like($run->{out}, qr/^    weir\.trace +ON, sample 0\.25 +\S+:1$/m, 'is told');
};

done_testing;
