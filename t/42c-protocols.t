# SPDX-License-Identifier: MIT
# A browser's cookie leads to its backend whatever it speaks: streams of HTTP/2, WebSockets, gRPC.
use lib 't/lib';
use Weir::Test;
use Weir::Stories;

plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();

use constant { WEB => 'web.test', RPC => 'rpc.test' };

my %WEB = (pseudo => { ':authority' => WEB });
my %RPC = (pseudo => { ':authority' => RPC });
my %port = map { $_ => free_port() } 1 .. 4;
my %up = map { $_ => Weir::Stories->start(name => "b$_", port => $port{$_}) } 1 .. 4;

sub both {
    my ($grace) = @_;
    my %app = (backends => [ map { { at => "127.0.0.1:$port{$_}", id => "b$_" } } 1 .. 4 ], affinity => { grace => $grace });
    return (apps => { web => { domains => [WEB], %app }, rpc => { domains => [RPC], protocol => 'h2c', %app } });
}

sub cookie { my ($pin) = @_; return defined $pin ? (headers => [ [ 'cookie', "theme=dark; weir-affinity=$pin" ] ]) : () }

# The pin that a response brings.
sub pin_of {
    my ($fields) = @_;
    return (map { $_->[0] eq 'set-cookie' && $_->[1] =~ /^weir-affinity=([\w-]{51});/ ? $1 : () } @$fields)[0];
}

# The name of the backend that has answered, and what the cookie is then.
sub browse {
    my ($h2, $pin, $path) = @_;
    my $r = $h2->get($path // '/', %WEB, cookie($pin));
    return ($r->{body}, pin_of($r->{fields}));
}

sub call {
    my ($h2, $pin) = @_;
    my $id = Weir::Stories::call($h2, %RPC, cookie($pin));
    my $name = Weir::Stories::result($h2, $id)->{name};
    return ($name, pin_of($h2->stream($id)->{fields}));
}

# Of WebSockets the name is in a header of the handshake.
sub open_socket {
    my ($proxy, $pin) = @_;
    my $client = Weir::Stories::ask_websocket($proxy, '/ws', host => WEB, headers => defined $pin ? "Cookie: weir-affinity=$pin\r\n" : '');
    Weir::Stories::is_open($client) && Weir::Stories::echoes($client, 'ping') or return ('none');
    my ($name) = $client->{head} =~ /^x-name: (\S+)/mi;
    my ($new) = $client->{head} =~ /^set-cookie: weir-affinity=([\w-]{51});/mi;
    return ($name, $new, $client);
}

# The same over HTTP/2.
sub open_socket2 {
    my ($h2, $pin) = @_;
    my $id = Weir::Stories::ask_websocket2($h2, '/ws', %WEB, cookie($pin));
    $h2->wait(headers => $id) && Weir::Stories::echoes2($h2, $id, 'ping') or return ('none');
    my $r = $h2->stream($id);
    return ($r->{headers}{'x-name'}, pin_of($r->{fields}));
}

my $proxy = proxy(both(ms(60_000)));
my $h2 = Weir::Http2Client->connect($proxy->port);

subtest 'by whatever it was given, with whatever it comes back' => sub {
    for my $first (qw(stream websocket websocket2)) {
        my ($name, $pin) = $first eq 'stream' ? browse($h2) : $first eq 'websocket' ? open_socket($proxy) : open_socket2($h2);
        like($pin // '', qr/^[\w-]{51}$/, "the first answer to a $first has the cookie");
        my %seen;
        for (1 .. 4) {
            my @answers = ([ browse($h2, $pin) ], [ open_socket($proxy, $pin) ], [ open_socket2($h2, $pin) ]);
            $seen{ $_->[0] . ($_->[1] ? ' and a cookie' : '') }++ for @answers;
        }
        is_deeply(\%seen, { $name => 12 }, 'streams and WebSockets with it go to the same backend, and are given none');
    }
    my ($name, $pin) = call($h2);
    like($pin // '', qr/^[\w-]{51}$/, 'so it is with gRPC');
    my %seen;
    for (1 .. 12) { my ($at, $new) = call($h2, $pin); $seen{ $at . ($new ? ' and a cookie' : '') }++ }
    is_deeply(\%seen, { $name => 12 }, 'where calls go to the same backend');
    my ($other, $new) = call($h2, (browse($h2))[1]);
    ok($new, 'but the cookie of another app is none');
};

subtest 'many streams at once, each with its own cookie' => sub {
    my @browsers = map { [ browse($h2) ] } 1 .. 24;
    my %at = map { $_->[0] => 1 } @browsers;
    cmp_ok(scalar keys %at, '>', 2, 'browsers are at several backends');
    my @ids = map { $h2->request(%WEB, path => '/many', cookie($_->[1])) } @browsers, @browsers;
    is_deeply([ map { $h2->response($_)->{body} } @ids ], [ map { $_->[0] } @browsers, @browsers ], 'over one connection each has its own');
};

subtest 'a backend that is killed' => sub {
    my ($name, $pin) = browse($h2);
    my ($n) = $name =~ /(\d)/;
    my $call_pin; # a caller of the same backend
    for (1 .. 200) { (my $at, $call_pin) = call($h2); last if $at eq $name }
    my (undef, undef, $open) = open_socket($proxy, $pin);
    $up{$n}->stop;
    ok(defined $open->read_eof, 'its WebSocket is over');

    my @ids = map { $h2->request(%WEB, path => "/away-$_", cookie($pin)) } 1 .. 6;
    my @calls = map { Weir::Stories::call($h2, %RPC, cookie($call_pin)) } 1 .. 6;
    my (%seen, %called);
    for my $r (map { $h2->response($_) } @ids) { $seen{ $r->{body} . (pin_of($r->{fields}) ? ' and a cookie' : '') }++ }
    $called{ Weir::Stories::result($h2, $_)->{name} }++ for @calls;
    is((values %seen)[0], 6, 'six streams at once go to one other backend, and have no new cookie') or diag explain \%seen;
    is((values %called)[0], 6, 'six calls, too') or diag explain \%called;
    my ($fallback) = keys %seen;
    isnt($fallback, $name, 'which is another');
    is((open_socket($proxy, $pin))[0], $fallback, 'its next WebSocket goes there, too');
    is((open_socket2($h2, $pin))[0], $fallback, 'and that of HTTP/2');
    is($proxy->log_where(path => '/away-6')->{affinity}, 'borrowed', 'the log says so');

    $up{$n} = Weir::Stories->start(name => $name, port => $port{$n});
    ok(wait_for { (browse($h2, $pin))[0] eq $name }, 'when it is back the browser comes home');
    is((open_socket($proxy, $pin))[0], $name, 'with its WebSockets');
    ok(wait_for { (call($h2, $call_pin))[0] eq $name }, 'and the caller with its calls');
};

subtest 'a backend that is gone for long' => sub {
    ok($proxy->reload(both(0)), 'no grace');
    my ($name, $pin) = browse($h2);
    my ($n) = $name =~ /(\d)/;
    $up{$n}->stop;
    wait_for { (browse($h2, $pin))[1] };
    my @ids = map { $h2->request(%WEB, path => "/moved-$_", cookie($pin)) } 1 .. 6;
    my %seen;
    for my $r (map { $h2->response($_) } @ids) { $seen{ $r->{body} . (pin_of($r->{fields}) ? ' and a cookie' : '') }++ }
    is((values %seen)[0], 6, 'six streams at once move to one other backend, and each is given its cookie') or diag explain \%seen;
    like((keys %seen)[0], qr/ and a cookie$/, 'each is given a cookie');
    my ($at, $new, $client) = open_socket($proxy, $pin);
    is("$at and a cookie", (keys %seen)[0], 'a WebSocket moves there, too');
    ok($new, 'and is given it with its handshake');
    $up{$n} = Weir::Stories->start(name => $name, port => $port{$n});
    is_deeply([ map { (browse($h2, $new))[0] } 1 .. 5 ], [ ($at) x 5 ], 'there it stays');
};
$h2->close;

done_testing;
