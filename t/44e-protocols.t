# SPDX-License-Identifier: MIT
# Streams of HTTP/2, calls of gRPC and WebSockets wait as others do: for a free slot, for a backend that is not there yet, for an app
# that is paused. Who leaves while it waits takes no slot, and a tunnel counts as a tunnel.
use lib 't/lib';
use Weir::Test;
use Weir::Stories;

plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();

use constant { WEB => 'web.test', RPC => 'rpc.test' };

my %WEB = (pseudo => { ':authority' => WEB });
my %RPC = (pseudo => { ':authority' => RPC });

# The same backends for both: HTTP/1.1 for web.test, HTTP/2 for rpc.test.
sub apps {
    my ($backends, %more) = @_;
    return (
        web => { domains => [WEB], backends => $backends, %more },
        rpc => { domains => [RPC], backends => $backends, protocol => 'h2c', %more },
    );
}

# A client of HTTP/1 that has closed its side is gone: else a WebSocket that was closed would be asked for all the same.
my @GLOBAL = (global => { 'weir.abort-on-close' => 'ON' });

sub both { return (apps => { apps(@_) }, @GLOBAL) }

# Returns once the proxy has seen all that was sent.
sub settle {
    my ($h2) = @_;
    my $before = $h2->connection->{pongs};
    $h2->frame(PING => 0, 0, 'pingpong');
    return $h2->wait(pongs => $before + 1);
}

sub connect2 { my ($proxy) = @_; return Weir::Http2Client->connect($proxy->port) }

sub websocket { my ($proxy, $path) = @_; return Weir::Stories::ask_websocket($proxy, $path, host => WEB) }

# Who waits: streams, WebSockets of both versions, and calls, of which one that goes on. And who leaves meanwhile.
sub crowd {
    my ($proxy, $name) = @_;
    my $self = { proxy => $proxy, name => $name, h2 => connect2($proxy) };
    my $h2 = $self->{h2};
    $self->{streams} = [ map { $h2->request(%WEB, path => "/$name-s$_", $_ % 3 ? () : (method => 'POST', body => 'abc')) } 1 .. 12 ];
    $self->{websocket} = websocket($proxy, "/$name-ws");
    $self->{websocket2} = Weir::Stories::ask_websocket2($h2, "/$name-ws2", %WEB);
    $self->{unary} = Weir::Stories::call($h2, %RPC, path => "/$name-unary", text => 'one');
    $self->{chat} = Weir::Stories::call($h2, %RPC, path => "/$name-chat", text => 'two', is_open => 1);

    $self->{leaving} = [
        $h2->request(%WEB, path => "/$name-gone-s"), Weir::Stories::ask_websocket2($h2, "/$name-gone-ws2", %WEB),
        Weir::Stories::call($h2, %RPC, path => "/$name-gone-unary"),
        Weir::Stories::call($h2, %RPC, path => "/$name-gone-chat", is_open => 1),
    ];
    $self->{resetting} = websocket($proxy, "/$name-gone-reset");
    $self->{closing} = websocket($proxy, "/$name-gone-close");
    $self->{closing}->is_silent(0.1);
    settle($h2);
    return $self;
}

sub nobody_is_answered {
    my ($crowd) = @_;
    my $h2 = $crowd->{h2};
    my @answered = grep { $h2->stream($_)->{headers}{':status'} } @{ $crowd->{streams} }, @$crowd{qw(websocket2 unary chat)};
    return ok(!@answered && $crowd->{websocket}->is_silent(0.05), 'all wait');
}

sub some_leave {
    my ($crowd) = @_;
    $crowd->{h2}->reset_stream($_) for @{ $crowd->{leaving} };
    $crowd->{resetting}->reset;
    $crowd->{closing}->close;
    for my $who (qw(s ws2 unary chat reset close)) {
        is($crowd->{proxy}->log_where(path => "/$crowd->{name}-gone-$who")->{code}, 'client_closed', "gone-$who leaves, and is gone at once");
    }
    return;
}

# Each is served, by that backend, in full.
sub all_are_served {
    my ($crowd, $name) = @_;
    my $h2 = $crowd->{h2};
    my @bodies = map { $h2->response($_)->{body} } @{ $crowd->{streams} };
    is_deeply(\@bodies, [ ($name) x @bodies ], 'the streams are answered');
    ok(Weir::Stories::is_open($crowd->{websocket}), 'the WebSocket is open') or diag explain $crowd->{websocket}{head};
    ok(Weir::Stories::echoes($crowd->{websocket}, $_), 'and has its echo') for 'ping', 'p' x 100;
    ok($h2->wait(headers => $crowd->{websocket2}), 'that of HTTP/2, too');
    is($h2->stream($crowd->{websocket2})->{status}, 200, 'is open');
    ok(Weir::Stories::echoes2($h2, $crowd->{websocket2}, $_), 'and has its echo') for 'ping', 'p' x 100;
    is_deeply(Weir::Stories::result($h2, $crowd->{unary}), { grpc => 0, text => 'one', name => $name, trailing => $name },
        'the call has its message and its trailers');
    Weir::Stories::say($h2, $crowd->{chat}, 'three');
    ok($h2->wait(bytes => [ $crowd->{chat}, 18 ]), 'the one that goes on has its answers');
    Weir::Stories::end_call($h2, $crowd->{chat});
    is_deeply(Weir::Stories::result($h2, $crowd->{chat}), { grpc => 0, text => 'twothree', name => $name, trailing => $name }, 'and its end');
    return;
}

sub each_was_run_once {
    my ($crowd, $server) = @_;
    my @seen = sort grep { /^\/$crowd->{name}-/ } @{ $server->report->{paths} };
    my @want = sort map { "/$crowd->{name}-$_" } (map {"s$_"} 1 .. 12), qw(ws ws2 unary chat);
    is_deeply(\@seen, \@want, 'the backend has seen each of them once, and nobody who had left');
    return;
}

sub hang_up {
    my ($crowd) = @_;
    $crowd->{websocket}->close;
    $crowd->{h2}->close;
    return;
}

subtest 'for a free slot' => sub {
    my $server = Weir::Stories->start(name => 'busy');
    my $proxy = proxy(both([ $server->address ], 'max-requests' => 1, queue => { timeout => ms(30_000) }));
    my $h2 = connect2($proxy);
    my @first = map { $h2->request(%$_, path => '/first?gate=first') } \%WEB, \%RPC;
    ok(wait_for { $server->count(qr/^at \/first/) == 2 }, 'one in flight at each');
    my $crowd = crowd($proxy, 'queue');
    nobody_is_answered($crowd);
    some_leave($crowd);
    $server->let_go('first');
    all_are_served($crowd, 'busy');
    each_was_run_once($crowd, $server);
    is($h2->response($_)->{status}, 200, 'the first, too, were answered') for @first;
    like($proxy->log_where(path => '/queue-unary')->{queue}, qr/^\d+ms$/, 'the log says that it has waited');
    hang_up($crowd);
};

subtest 'a call that goes on is a request that goes on' => sub {
    my $server = Weir::Stories->start;
    my $proxy = proxy(both([ $server->address ], 'max-requests' => 1, queue => { timeout => ms(30_000) }));
    my $h2 = connect2($proxy);
    my $chat = Weir::Stories::call($h2, %RPC, path => '/chat', is_open => 1);
    ok($h2->wait(headers => $chat), 'one has begun');
    my @calls = map { Weir::Stories::call($h2, %RPC, path => "/call-$_") } 1, 2;
    settle($h2);
    Weir::Stories::say($h2, $chat, 'more');
    ok($h2->wait(bytes => [ $chat, 19 ]), 'it goes on');
    is($server->count(qr/^at \/call/), 0, 'and others wait for its slot');
    $h2->reset_stream($chat);
    ok($server->wait_event(qr/^left \/chat/), 'it is given up, and the backend hears of it');
    is(Weir::Stories::result($h2, $_)->{grpc}, 0, 'the next ones are served') for @calls;
    $h2->close;
};

subtest 'tunnels' => sub {
    my $server = Weir::Stories->start;
    my $proxy = proxy(both([ $server->address ], 'max-requests' => 1, 'app-max-requests' => 1, 'max-tunnels' => 2, queue => { timeout => ms(30_000) }));
    my $h2 = connect2($proxy);
    my $first = websocket($proxy, '/first');
    ok(Weir::Stories::is_open($first), 'one over HTTP/1.1');
    my $second = Weir::Stories::ask_websocket2($h2, '/second', %WEB);
    $h2->wait(headers => $second);
    is($h2->stream($second)->{status}, 200, 'one over HTTP/2');
    is($h2->get("/beside-$_", %WEB)->{status}, 200, 'a request beside them has the slot: they count in neither') for 1 .. 3;

    my $third = websocket($proxy, '/waits-1');
    my $fourth = Weir::Stories::ask_websocket2($h2, '/waits-2', %WEB);
    ok($third->is_silent(0.2), 'a third waits');
    settle($h2);
    is($server->count(qr/^at \/waits/), 0, 'so does a fourth');
    $first->close;
    ok($server->wait_event(qr/^at \/waits/), 'until the first is closed');
    settle($h2);
    is($server->count(qr/^at \/waits/), 1, 'which lets one of them in');
    $h2->reset_stream($second);
    ok(Weir::Stories::is_open($third) && Weir::Stories::echoes($third, 'ping'), 'until the second is: both are open');
    ok($h2->wait(headers => $fourth) && Weir::Stories::echoes2($h2, $fourth, 'ping'), 'and have their echoes');
    $third->close;
    $h2->close;
};

subtest 'requests do not wait behind those who wait for a tunnel' => sub {
    my $server = Weir::Stories->start;
    my $proxy = proxy(both([ $server->address ], 'max-requests' => 2, 'max-tunnels' => 1, queue => { timeout => ms(60_000) }));
    my $h2 = connect2($proxy);
    my $open = websocket($proxy, '/open');
    ok(Weir::Stories::is_open($open), 'the only tunnel');
    my @waiting = map { websocket($proxy, "/tunnel-$_") } 1 .. 15;
    my @waiting2 = map { Weir::Stories::ask_websocket2($h2, "/tunnel2-$_", %WEB) } 1 .. 15;
    settle($h2);
    ok($waiting[-1]->is_silent(0.2), 'thirty wait for it');
    is($h2->get("/beside-$_", %WEB)->{status}, 200, 'requests are served meanwhile') for 1 .. 3;
    $_->reset for @waiting[ 0 .. 13 ];
    $h2->reset_stream($_) for @waiting2;
    is($proxy->log_where(path => "/tunnel2-$_")->{code}, 'client_closed', 'all but one leave') for 1 .. 15;
    is($proxy->log_where(path => "/tunnel-$_")->{code}, 'client_closed', 'all but one leave') for 1 .. 14;
    is($server->count(qr/^at \/tunnel/), 0, 'none of them has had a slot');
    $open->close;
    ok(Weir::Stories::is_open($waiting[-1]) && Weir::Stories::echoes($waiting[-1], 'ping'), 'the last one has the tunnel when it is free');
    $_->close for $waiting[-1], $h2;
};

subtest 'a request without an answer takes no tunnel' => sub {
    my $server = Weir::Stories->start;
    my $proxy = proxy(both([ $server->address ], 'max-requests' => 4, 'max-tunnels' => 1, queue => { timeout => ms(60_000) }));
    my $poll = $proxy->connect;
    $poll->write("GET /slow?gate=a HTTP/1.1\r\nHost: web.test\r\n\r\n");
    $server->wait_event(qr/^at .slow/);
    my $open = websocket($proxy, '/ws');
    ok(Weir::Stories::is_open($open), 'a WebSocket opens beside it');
    my $plain = $proxy->ask("GET /plain HTTP/1.1\r\nHost: web.test\r\nUpgrade: h2c\r\n\r\n");
    is($plain->{status}, 200, 'an Upgrade that nobody hears is none: it does not wait for a tunnel');
    $open->close;
    $server->let_go('a');
    is($poll->read_response->{status}, 200, 'and the slow one has its answer');
    $_->close for $poll;
};

subtest 'hold: for a single backend that is down' => sub {
    my $port = free_port();
    my $proxy = proxy(both(["127.0.0.1:$port"], hold => ms(30_000)));
    my $crowd = crowd($proxy, 'hold');
    nobody_is_answered($crowd);
    some_leave($crowd);
    my $server = Weir::Stories->start(name => 'back', port => $port);
    all_are_served($crowd, 'back');
    each_was_run_once($crowd, $server);
    like($proxy->log_where(path => "/hold-$_")->{hold}, qr/^\d+ms$/, "the log says that it was held: $_") for qw(s1 unary);
    hang_up($crowd);
};

subtest 'hold: until there is one at all' => sub {
    my $server = Weir::Stories->start(name => 'new');
    my $proxy = proxy(both([], hold => ms(30_000)));
    my $crowd = crowd($proxy, 'none');
    nobody_is_answered($crowd);
    some_leave($crowd);
    ok($proxy->reload(both([ $server->address ], hold => ms(30_000))), 'one is added');
    all_are_served($crowd, 'new');
    each_was_run_once($crowd, $server);
    hang_up($crowd);
};

subtest 'an app that is paused' => sub {
    my ($orders, $told) = map { temp_path($_) } qw(orders told);
    my $order = sub { write_file("$orders.new", "@_\n"); rename "$orders.new", $orders; return wait_for { !-e $orders } };
    my $waiting = sub { my ($count) = @_; return wait_for { read_file($told) =~ /^one \d+ $count$/m } };
    my $server = Weir::Stories->start(name => 'paused');
    my %apps = apps([ $server->address ], queue => { timeout => ms(30_000) });
    my $proxy = proxy(router => { module => router_so('pausing'), orders => $orders, told => $told, apps => { one => $apps{web}, two => $apps{rpc} } }, @GLOBAL);

    my $h2 = connect2($proxy);
    my $open = websocket($proxy, '/open');
    ok(Weir::Stories::is_open($open), 'a WebSocket is open');
    my $chat = Weir::Stories::call($h2, %RPC, path => '/under-way', is_open => 1);
    ok($h2->wait(headers => $chat), 'a call is under way');
    ok($order->('pause', $_, 60_000), "a pause of $_") for qw(one two);
    my $crowd = crowd($proxy, 'pause');
    nobody_is_answered($crowd);
    some_leave($crowd);
    ok($waiting->(14), 'and is counted no more');
    ok(Weir::Stories::echoes($open, 'still'), 'the WebSocket goes on');
    Weir::Stories::say($h2, $chat, 'still');
    Weir::Stories::end_call($h2, $chat);
    is_deeply(Weir::Stories::result($h2, $chat), { grpc => 0, text => 'hellostill', name => 'paused', trailing => 'paused' }, 'so does the call, to its end');
    ok($order->('resume', $_, 0), "$_ goes on") for qw(one two);
    all_are_served($crowd, 'paused');
    each_was_run_once($crowd, $server);
    hang_up($crowd);
    $_->close for $open, $h2;
    $proxy->ends_well;
};

done_testing;
