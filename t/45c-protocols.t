# SPDX-License-Identifier: MIT
# Backends that are ill, as streams of HTTP/2, calls of gRPC and WebSockets see it: hardly. And what of them is sent to another backend.
use lib 't/lib';
use Weir::Test;
use Weir::Stories;
use Time::HiRes qw(time);

plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();

use constant { WEB => 'web.test', SOCKETS => 'sockets.test', RPC => 'rpc.test', BURST => 48, ROUND => 10,
    WARM_ROUNDS => 15, ROUNDS => 21 };

my %WEB = (pseudo => { ':authority' => WEB });
my %RPC = (pseudo => { ':authority' => RPC });

sub all {
    my ($backends, %more) = @_;
    my %app = (backends => $backends, 'quarantine-base' => 60_000, %more);
    return (apps => { rpc => { domains => [RPC], protocol => 'h2c', %app }, map { $_ => { domains => [$_], %app } } WEB, SOCKETS });
}

sub connect2 { my ($proxy) = @_; return Weir::Http2Client->connect($proxy->port) }
sub left { my $seconds = $_[0] - time; return $seconds > 0 ? $seconds : 0 }
sub websocket { my ($proxy, $path, %more) = @_; return Weir::Stories::ask_websocket($proxy, $path, host => WEB, %more) }

# So many at once of one kind; of each 'ok', or what came in its place. Who has no answer in time is left open, in @$held.
my %ask = (
    stream => sub {
        my ($proxy, $h2, $count, $until) = @_;
        my @ids = map { $h2->request(%WEB, path => '/stream', $_ % 2 ? () : (method => 'POST', body => 'abc')) } 1 .. $count;
        return map { !$h2->wait(end => $_, left($until)) ? 'silent' : $h2->stream($_)->{status} == 200 ? 'ok' : $h2->stream($_)->{status} } @ids;
    },
    call => sub {
        my ($proxy, $h2, $count, $until) = @_;
        my @ids = map { Weir::Stories::call($h2, %RPC) } 1 .. $count;
        return map { my $grpc = Weir::Stories::result($h2, $_, left($until))->{grpc}; $grpc eq '0' ? 'ok' : $grpc } @ids;
    },
    websocket => sub {
        my ($proxy, $h2, $count, $until, $held) = @_;
        my @clients = map { websocket($proxy, '/websocket', host => SOCKETS) } 1 .. $count;
        return map {
            my $came = Weir::Stories::is_open($_, left($until)) ? 'ok' : substr $_->{head} // 'silent', 0, 12;
            push @$held, $_ if $came eq 'silent';
            $_->close if $came ne 'silent';
            $came
        } @clients;
    },
);

my @good = map { Weir::Stories->start(name => "good-$_") } 1 .. 3;
my $moody = Weir::Stories->start(name => 'moody');

for my $how ('500', 'hang', 'refuses', 'reset', 'grpc 14') {
    subtest "one of four: $how" => sub {
        $moody->mood($how);
        my $ill = $how eq 'refuses' ? '127.0.0.1:' . refusing_port() : $moody->address;
        my $proxy = proxy(all([ $ill, map { $_->address } @good ]));
        my @kinds = $how =~ /grpc|reset/ ? ('call') : sort keys %ask;
        my (%h2, @held) = map { $_ => connect2($proxy) } grep { $_ ne 'websocket' } @kinds; # each has room for a burst that is still open
        my ($second, $rounds) = (time + 1, 0); # a second, but not of a machine that is slow
        $ask{$_}->($proxy, $h2{$_}, BURST, time + 0.5, \@held) for @kinds; # so that it is asked often enough to be found out
        for (; time < $second || $rounds < WARM_ROUNDS; $rounds++) {
            $ask{$_}->($proxy, $h2{$_}, ROUND, time + 0.5, \@held) for @kinds;
        }
        for my $kind (@kinds) {
            my %seen;
            $seen{$_}++ for map { $ask{$kind}->($proxy, $h2{$kind}, ROUND, time + wait_seconds() / 4, \@held) } 1 .. ROUNDS;
            cmp_ok($seen{ok} // 0, '>', 0.99 * ROUND * ROUNDS, "behind the first second less than one of a hundred sees it: $kind") or diag explain \%seen;
        }
        $_->reset for @held;
        $_->close for values %h2;
        $proxy->ends_well;
    };
}
$moody->mood('');

subtest 'a backend that leaves keeps what it has' => sub {
    my $proxy = proxy(all([ $moody->address ]));
    my $h2 = connect2($proxy);
    my $socket = websocket($proxy, '/kept');
    ok(Weir::Stories::is_open($socket), 'a WebSocket');
    my $socket2 = Weir::Stories::ask_websocket2($h2, '/kept2', %WEB);
    $h2->wait(headers => $socket2);
    my $chat = Weir::Stories::call($h2, %RPC, path => '/kept-chat', is_open => 1);
    $h2->wait(headers => $chat);
    my $slow = $h2->request(%WEB, path => '/kept-slow?gate=kept');
    ok($moody->wait_event(qr/^at \/kept-slow/), 'and a request');

    ok($proxy->reload(all([ { at => $moody->address, state => 'draining' }, { at => $good[0]->address } ])), 'it is told to drain');
    my %seen;
    $seen{ $h2->get('/new', %WEB)->{body} }++ for 1 .. 8;
    $seen{ Weir::Stories::result($h2, Weir::Stories::call($h2, %RPC))->{name} }++ for 1 .. 8;
    for (1 .. 8) {
        my $new = websocket($proxy, '/new');
        Weir::Stories::is_open($new);
        my ($name) = $new->{head} =~ /^x-name: (\S+)/mi;
        $seen{$name}++;
        $new->close;
    }
    is_deeply(\%seen, { 'good-1' => 24 }, 'all that is new goes to the other one');

    ok($proxy->reload(all([ $good[0]->address ], 'drain-timeout' => 0)), 'it is taken out');
    ok(Weir::Stories::echoes($socket, 'ping'), 'the WebSocket goes on');
    ok(Weir::Stories::echoes2($h2, $socket2, 'ping'), 'so does that of HTTP/2');
    Weir::Stories::say($h2, $chat, 'more');
    $moody->let_go('kept');
    is($h2->response($slow)->{body}, 'moody', 'the request ends well');
    Weir::Stories::end_call($h2, $chat);
    is_deeply(Weir::Stories::result($h2, $chat), { grpc => 0, text => 'hellomore', name => 'moody', trailing => 'moody' }, 'so does the call');
    ok($moody->wait_event(qr/^over \/kept-chat$/), 'which has ended there, too');
    is($moody->count(qr/^over \/kept/), 1, 'and nothing else');
    $socket->close;
    $h2->close;
    ok($moody->wait_event(qr/^over \/kept$/) && $moody->wait_event(qr/^over \/kept2$/), 'until their clients end them');
    $proxy->ends_well;
};

# How often each path was run, at all of them.
sub runs {
    my ($pattern) = @_;
    my %runs;
    $runs{$_}++ for grep { /$pattern/ } map { @{ $_->report->{paths} } } $moody, @good;
    return \%runs;
}

for my $how (qw(refuse goaway)) {
    subtest "what has not been run goes to another: $how" => sub {
        $moody->mood($how);
        my $proxy = proxy(all([ map { $_->address } $moody, $good[0] ], balance => 'round-robin', quarantine => 'OFF'));
        my $h2 = connect2($proxy);
        my @ids = map { Weir::Stories::call($h2, %RPC, path => "/$how-$_") } 1 .. 10;
        my %seen;
        $seen{"$_->{grpc} $_->{name}"}++ for map { Weir::Stories::result($h2, $_) } @ids;
        is_deeply(\%seen, { '0 good-1' => 10 }, 'every call is served') or diag explain \%seen;
        my @posts = map { $h2->request(%RPC, method => 'POST', path => "/$how-post-$_") } 1 .. 10;
        is((grep { $h2->response($_)->{body} eq 'good-1' } @posts), 10, 'so is every POST, though it is not idempotent');
        cmp_ok($moody->count(qr/^refused \/$how-$_/), '>=', 4, 'half of them were refused at first') for '\d', 'post';
        is_deeply(runs(qr/^\/$how-/), { map { ("/$how-$_" => 1) } map { ($_, "post-$_") } 1 .. 10 }, 'each was run once');
        $h2->close;
        $proxy->ends_well;
    };
}

for my $how ('cut', 'reset', 'grpc 14') {
    subtest "a call that was begun is not sent again: $how" => sub {
        $moody->mood($how);
        (my $name = $how) =~ s/ //;
        my $retry = { on => [ 'reset', 'timeout', 'status' ], methods => [ 'idempotent', 'keyed' ] };
        my $proxy = proxy(all([ map { $_->address } $moody, $good[0] ], balance => 'round-robin', quarantine => 'OFF', retry => $retry));
        my $h2 = connect2($proxy);
        my %seen;
        for my $n (1 .. 10) { # one after the other: a reset takes all of its connection
            $seen{ Weir::Stories::result($h2, Weir::Stories::call($h2, %RPC, path => "/$name-$n"))->{grpc} }++;
        }
        is($seen{0}, 5, 'every other one is served') or diag explain \%seen;
        is_deeply(runs(qr/^\/$name-/), { map { ("/$name-$_" => 1) } 1 .. 10 }, 'and none was run twice, though retries are on');
        $h2->close;
        $proxy->ends_well;
    };
}
$moody->mood('');

done_testing;
