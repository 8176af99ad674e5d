# SPDX-License-Identifier: MIT
# Backends with a process for each connection: those that are idle here must not keep them from who waits.
use lib 't/lib';
use Weir::Test;
use IO::Socket::INET;
use IPC::Open3;

my $WORKERS = 4;
my @pids;
END { my $code = $?; kill TERM => @pids; waitpid $_, 0 for @pids; $? = $code }

# Each worker serves one connection until that ends, as Starman, Unicorn with keep-alive, or Apache's prefork do.
sub prefork {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128, ReuseAddr => 1) or die "listen: $@";
    for (1 .. $WORKERS) {
        my $pid = fork // die "fork: $!";
        push @pids, $pid and next if $pid;
        $SIG{TERM} = 'DEFAULT';
        while (1) {
            my $c = $listener->accept or next;
            my $in = '';
            while (sysread $c, $in, 65536, length $in) {
                while ($in =~ s/\A(.*?)\r\n\r\n//s) {
                    my $wait_ms = $1 =~ m{ /wait-(\d+) } ? $1 : 0;
                    select undef, undef, undef, $wait_ms / 1000;
                    syswrite $c, simple_response($$);
                }
            }
        }
    }
    return '127.0.0.1:' . $listener->sockport;
}

# So many requests at once, each by a connection of its own. Their statuses.
sub at_once {
    my ($proxy, $count, $path) = @_;
    my @clients = map { $proxy->connect } 1 .. $count;
    $_->write("GET $path HTTP/1.1\r\nHost: a\r\n\r\n") for @clients;
    return map { $_->read_response->status } @clients;
}

sub never_starves {
    my ($name, $address, $threads) = @_;
    my $proxy = proxy(backends => [$address], global => { 'num-threads' => $threads },
        path => { 'weir.first-byte-timeout' => ms(4000), 'weir.backend-yield-after' => 100, 'weir.backend-idle-timeout' => 600_000 });
    for my $round (1 .. 4) {
        my @status = at_once($proxy, 3 * $WORKERS, '/wait-20');
        is("@status", join(' ', (200) x @status), "$name, $threads threads: more requests than workers, round $round");
    }
    return $proxy;
}

for my $threads (1, 2, 4) {
    never_starves('workers with one connection each', prefork(), $threads);
}

subtest 'Starman' => sub {
    plan skip_all => 'starman is not installed' unless -x '/usr/bin/starman';
    my $app = write_file(temp_path('app.psgi'), "sub { select undef, undef, undef, 0.02; [200, ['Content-Type' => 'text/plain', 'Content-Length' => 3], ['hey']] }\n");
    my $port = free_port();
    my $pid = open3(my $in, my $out, undef, '/usr/bin/starman', '--listen', "127.0.0.1:$port", '--workers', $WORKERS,
        '--keepalive-timeout', 600, '--error-log', '/dev/null', $app);
    push @pids, $pid;
    ok(wait_for { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }, 'is there') or return;
    never_starves('Starman', "127.0.0.1:$port", 2);
};

subtest 'a backend that is merely slow keeps most connections' => sub {
    my $slow = backend(sub {
        my $c = shift;
        while (defined $c->read_head) {
            select undef, undef, undef, ms(150) / 1000;
            $c->write(simple_response('slow'));
        }
    }, name => 'slow');
    my $proxy = proxy(backends => [$slow], global => { 'num-threads' => 1, 'weir.backend-yield-after' => ms(100) });
    at_once($proxy, 8, '/') for 1 .. 3;
    my $first = $slow->connections;
    at_once($proxy, 8, '/') for 1 .. 3;
    cmp_ok($slow->connections - $first, '<', 24, 'of 24 requests some are sent on connections of before');
};

done_testing;
