# SPDX-License-Identifier: MIT
# Listening sockets that were open before the proxy began: systemd's, and those of start_server.
use lib 't/lib';
use Weir::Test;
use Fcntl qw(F_SETFD);
use IO::Socket::IP;
use IO::Socket::UNIX;
use Socket qw(IPPROTO_IPV6 IPV6_V6ONLY SOL_SOCKET SO_REUSEPORT);

my $one = ok_backend('one');

sub listening {
    my ($host, $port, %more) = @_;
    return IO::Socket::IP->new(LocalHost => $host, LocalPort => $port, Listen => 64, ReuseAddr => 1, V6Only => 0, %more) // die "$host $port: $@";
}

# A client that has connected and asked before anybody accepts.
sub waiting {
    my ($to) = @_;
    my $client = Weir::Client->connect($to);
    $client->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    return $client;
}

subtest 'systemd\'s sockets are taken, with who waits there' => sub {
    my ($port, $unnamed, $path) = (free_port(), free_port(), temp_path('sock'));
    my ($tcp, $rest) = map { listening('127.0.0.1', $_) } $port, $unnamed;
    my $unix = IO::Socket::UNIX->new(Local => $path, Listen => 64) or die $!;
    my @clients = map { waiting($_) } $port, "unix:$path", $unnamed;
    my $proxy = proxy(backends => [$one], handed => [ $tcp, $unix, $rest ],
        listen => [ { host => '127.0.0.1', port => $port }, { type => 'unix', port => $path } ]);
    is($clients[0]->read_response->body, 'one', 'a port');
    is($clients[1]->read_response->body, 'one', 'a path');
    like($proxy->stderr, qr/^weir: 127\.0\.0\.1:$unnamed was handed over, but no `listen` names it: closed$/m, 'one that nobody wants is told');
    $proxy->stop;
    ok(-S $path, 'the path stays: who made it may start the next');
};

subtest 'start_server\'s as well' => sub {
    my $port = free_port();
    my $tcp = listening('127.0.0.1', $port);
    fcntl($tcp, F_SETFD, 0) or die $!;
    my $client = waiting($port);
    my $proxy = proxy(backends => [$one], env => { SERVER_STARTER_PORT => "127.0.0.1:$port=" . fileno $tcp },
        listen => [ { host => '127.0.0.1', port => $port } ]);
    is($client->read_response->body, 'one', 'served');
};

subtest 'any number of sockets serves any number of threads' => sub {
    for my $case ([ 1, 4 ], [ 4, 2 ], [ 3, 1 ]) {
        my ($sockets, $threads) = @$case;
        my $port = free_port();
        my @tcp = map { listening('127.0.0.1', $port, ReusePort => 1) } 1 .. $sockets;
        my @clients = map { waiting($port) } 1 .. 40;
        my $proxy = proxy(backends => [$one], handed => \@tcp, listen => [ { host => '127.0.0.1', port => $port } ], global => { 'num-threads' => $threads });
        close $_ for @tcp;
        push @clients, map { waiting($port) } 1 .. 40;
        is(scalar(grep { my $r = $_->read_response; $r && $r->body eq 'one' } @clients), 80, "$sockets for $threads: nobody waits for ever");
        ok($proxy->reload(backends => [$one]), 'taken away by a reload');
        ok(wait_for { !IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port) }, 'it is closed');
    }
};

subtest 'one socket for IPv6 and IPv4, as systemd makes it' => sub {
    for my $host ([ '::', '0.0.0.0' ], ['0.0.0.0'], ['::']) {
        my $port = free_port();
        my $both = eval { listening('::', $port) } or plan skip_all => 'there is no IPv6 here';
        my $proxy = proxy(backends => [$one], handed => [$both], listen => [ map { { host => $_, port => $port } } @$host ]);
        is(waiting($port)->read_response->body, 'one', "@$host: a client of IPv4");
        is($proxy->log_where(path => '/')->{fwd}, '127.0.0.1', 'who is shown as one');
        unlike($proxy->stderr, qr/handed over/, 'nothing is left');
    }
};

subtest 'what is no such socket' => sub {
    my $said = sub {
        my ($words, %env) = @_;
        my $proxy = proxy(backends => [$one], env => \%env);
        is($proxy->get('/')->body, 'one', join(' ', %env) . ': it serves');
        like($proxy->stderr, $words, 'and says why it does not use that');
    };
    open my $file, '<', $0 or die $!;
    fcntl($file, F_SETFD, 0) or die $!;
    my $fd = fileno $file;
    $said->(qr/^weir: SERVER_STARTER_PORT: descriptor $fd is no listening socket of a stream/m, SERVER_STARTER_PORT => "80=$fd");
    $said->(qr/^weir: SERVER_STARTER_PORT: descriptor 999 is no listening/m, SERVER_STARTER_PORT => '80=999');
    $said->(qr/^weir: SERVER_STARTER_PORT: must be ADDRESS=DESCRIPTOR: 80$/m, SERVER_STARTER_PORT => '80');
    $said->(qr/^weir: SERVER_STARTER_PORT: must be ADDRESS=DESCRIPTOR: 80=x$/m, SERVER_STARTER_PORT => '80=x');
    my $proxy = proxy(backends => [$one], env => { LISTEN_FDS => 9, LISTEN_PID => 1 });
    unlike($proxy->stderr, qr/LISTEN/, 'what is meant for another process is left alone');
};

subtest 'children are not told of them' => sub {
    my ($port, $seen) = (free_port(), temp_path('seen'));
    my $tcp = listening('127.0.0.1', $port);
    my $proxy = proxy(backends => [$one], handed => [$tcp], listen => [ { host => '127.0.0.1', port => $port } ],
        global => { 'access-log' => "| env > $seen; ls -l /proc/self/fd >> $seen; cat > /dev/null" });
    ok(wait_for { -e $seen && read_file($seen) =~ /0 -> / }, 'a log command has started');
    unlike(read_file($seen), qr/LISTEN_|SERVER_STARTER/, 'its environment has none of the names');
    unlike(read_file($seen), qr/^.* [3-9] -> socket/m, 'and it holds no socket');
};

done_testing;
