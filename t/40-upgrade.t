# SPDX-License-Identifier: MIT
# Switching protocols: the handshake, and the tunnel behind it.
use lib 't/lib';
use Weir::Test;
use Digest::MD5 qw(md5_hex);

my $switch = "HTTP/1.1 101 Whatever\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nX-Own: 1\r\n";

sub echo_until_end {
    my ($c) = @_;
    while (1) {
        my $bytes = $c->read_until(qr/.+/s, 60) // last;
        $c->write($bytes);
    }
    return;
}

my %does = (
    echo   => sub { my ($c) = @_; $c->write("$switch\r\n"); echo_until_end($c) },
    # speaks first, in the packet of the head
    early  => sub { my ($c) = @_; $c->write("$switch\r\nearly"); echo_until_end($c) },
    # reads to the client's end, then answers
    half   => sub { my ($c) = @_; $c->write("$switch\r\n"); my $all = $c->read_eof; $c->note('eof'); $c->write("sum " . md5_hex($all)); $c->close },
    # ends first, and goes on listening
    ends   => sub { my ($c) = @_; $c->write("$switch\r\nbye"); $c->shutdown_write; my $all = $c->read_eof; $c->note("heard $all") },
    quiet  => sub { my ($c) = @_; $c->write("$switch\r\n"); $c->wait_close },
    reset  => sub { my ($c) = @_; $c->write("$switch\r\n"); $c->read_exactly(4); $c->reset },
    no     => sub { my ($c, $head) = @_; $c->write(simple_response($head)) },
    watch  => sub { my ($c) = @_; $c->write("$switch\r\n"); $c->note('up'); $c->wait_close },
);
my $backend = backend(sub {
    my $c = shift;
    while (my $head = $c->read_head) {
        my $case = $c->case_of($head);
        $does{$case}->($c, $head);
        return if $case ne 'no';
    }
});
my $proxy = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(1000) });

sub upgrade {
    my ($path, %option) = @_;
    return ($option{method} // 'GET') . " /$path HTTP/1.1\r\nHost: a\r\n" . ($option{headers} // "Connection: Upgrade\r\nUpgrade: websocket\r\n") . "Sec-WebSocket-Key: k\r\n\r\n";
}

# A client behind its handshake.
sub tunnel {
    my ($path, $more) = @_;
    my $client = $proxy->connect;
    $client->write(upgrade($path) . ($more // ''));
    return ($client, $client->read_head // '');
}

subtest 'the handshake' => sub {
    my ($client, $head) = tunnel('echo');
    like($head, qr{^HTTP/1\.1 101 Switching Protocols\r\n}, 'it switches');
    like($head, qr/^Connection: upgrade\r$/mi, 'Connection: Upgrade');
    like($head, qr/^Upgrade: websocket\r$/m, 'Upgrade');
    like($head, qr/^Sec-WebSocket-Accept: x\r\n(?:.*\r\n)*X-Own: 1\r$/m, 'the backend\'s headers');
    like($head, qr/^Via: 1\.1 weir\r$/m, 'Via');
    unlike($head, qr/^(?:Content-Length|Transfer-Encoding|Date|Server):/mi, 'nothing else');
    my ($seen) = grep { m{^GET /echo} } $backend->heads;
    like($seen, qr/^Connection: upgrade\r$/mi, 'the backend was asked: Connection');
    like($seen, qr/^Upgrade: websocket\r$/m, 'Upgrade');
    like($seen, qr/^Sec-WebSocket-Key: k\r$/m, 'and the rest');
};

subtest 'bytes in both directions' => sub {
    my $large = join '', map { pack 'N', $_ } 1 .. 1_000_000;    # takes a while, in which no tunnel must be idle
    my ($client) = tunnel('echo');
    for my $bytes ("\x81\x05hello", "\0" x 100, join '', map { chr } 0 .. 255) {
        $client->write($bytes);
        is($client->read_exactly(length $bytes), $bytes, length($bytes) . ' bytes come back');
    }
    $client->write($large, 3 * wait_seconds());
    ok(($client->read_exactly(length $large, 3 * wait_seconds()) // '') eq $large, '4 MB come back')
        or diag(sprintf '%d are there, eof %d, reset %d, %s', length $client->{in}, $client->is_eof, $client->was_reset, join ' ', map { $_->{''} } ($proxy->log_lines)[-1]);
};

subtest 'early bytes' => sub {
    my ($client, $head) = tunnel('early', 'sent before the answer');
    like($head, qr/^HTTP\/1\.1 101/, 'it switches');
    is($client->read_exactly(5), 'early', 'the backend\'s come behind the head');
    is($client->read_exactly(22), 'sent before the answer', 'the client\'s have been forwarded');
};

subtest 'each direction ends for itself' => sub {
    my ($client) = tunnel('half');
    $client->write('all I have to say');
    $client->shutdown_write;
    is($client->read_eof, 'sum ' . md5_hex('all I have to say'), 'the client ends first and hears the answer');
    ($client) = tunnel('ends');
    is($client->read_exactly(3), 'bye', 'the backend ends first');
    is($client->read_until(qr/./s, 0.2), undef, 'the client hears it');
    $client->write('but I go on');
    $client->shutdown_write;
    ok($backend->wait_event(qr/heard but I go on/), 'and is heard');
    ok(!$client->was_reset, 'in peace');
    is($proxy->log_where(path => '/ends')->{status}, 101, '101 in the log');
    is($proxy->log_where(path => '/ends')->{at}, 'info', 'and no error');
};

subtest 'who leaves takes the other along' => sub {
    my ($client) = tunnel('watch');
    $backend->wait_event(qr/note \d+ up/);
    $client->reset;
    ok($backend->wait_event(qr/^(?:eof|reset) /), 'the backend hears of a client\'s reset');
    ($client) = tunnel('reset');
    $client->write('ping');
    ok(defined $client->read_eof, 'the client hears of a backend\'s reset');
};

subtest 'a silent tunnel is closed, one that speaks is not' => sub {
    my ($client) = tunnel('quiet');
    my ($other) = tunnel('echo');
    my $alive = 0;
    for (1 .. 6) {
        select undef, undef, undef, ms(300) / 1000;
        $other->write('ping');
        $alive++ if ($other->read_exactly(4) // '') eq 'ping';
    }
    is($alive, 6, 'each byte prolongs it');
    ok(defined $client->read_eof, 'silence ends it');
    is($proxy->log_where(path => '/quiet')->{code}, 'tunnel_idle', 'tunnel_idle in the log');
};

subtest 'the backend does not want to' => sub {
    my $client = $proxy->connect;
    $client->write(upgrade('no'));
    my $r = $client->read_response;
    is($r->status, 200, 'an ordinary response');
    is($r->header('Upgrade'), undef, 'without Upgrade');
    $client->write("GET /no HTTP/1.1\r\nHost: a\r\n\r\n");
    is($client->read_response->status, 200, 'the connection lives on');
};

subtest 'how it may be asked for' => sub {
    my %good = (
        'a list'            => "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
        'without a comma'   => "Connection: Upgrade Keep-Alive\r\nUpgrade: websocket\r\n",
        'a second field'    => "Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: websocket\r\n",
        'any protocol'      => "Connection: UPGRADE\r\nUpgrade: foo/1.2, bar\r\n",
    );
    for my $how (sort keys %good) {
        my $client = $proxy->connect;
        $client->write(upgrade('echo', headers => $good{$how}));
        like($client->read_head // '', qr/^HTTP\/1\.1 101 /, $how);
    }
    my %bad = (
        'no Upgrade'       => "Connection: Upgrade\r\n",
        'an empty one'     => "Connection: Upgrade\r\nUpgrade:\r\n",
        'no token'         => "Connection: Upgrade\r\nUpgrade: a b\r\n",
        'two slashes'      => "Connection: Upgrade\r\nUpgrade: a/b/c\r\n",
    );
    for my $how (sort keys %bad) {
        my $client = $proxy->connect;
        $client->write(upgrade('echo', headers => $bad{$how}));
        my $r = $client->read_response;
        is($r->status, 400, "$how: 400");
        like($r->body, qr/bad_request_header/, "$how: its reason");
    }
    my $r = $proxy->ask(upgrade('no', headers => "Upgrade: websocket\r\n"));
    unlike($r->body, qr/^Upgrade:/mi, 'Upgrade alone asks for nothing, and ends here');
};

subtest 'a body before the switch' => sub {
    my $client = $proxy->connect;
    $client->write(upgrade('echo', method => 'POST', headers => "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n") . 'bodyping');
    like($client->read_head // '', qr/^HTTP\/1\.1 101 /, 'it switches');
    is($client->read_exactly(8), 'bodyping', 'body and tunnel arrive in order');
};

done_testing;
