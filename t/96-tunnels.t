# SPDX-License-Identifier: MIT
# Ten thousand tunnels (fewer where all is slow, or there may be far fewer files) that are open and idle: what they cost, and that
# nobody else notices. Where a few files are missing the last tunnels share their clients' connections, by HTTP/2.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use IPC::Open2 qw(open2);
use List::Util qw(min);
use Socket;
use Time::HiRes qw(time);

my $slow  = Weir::Client::slow();
my $most  = $slow > 1 ? 500 : 10_000;    # under valgrind and the thread sanitizer
my $spare = 100;    # what a process needs beside its sockets, generously

# What `ulimit -n` says after it was told to be so much, or 0. It sets the soft and the hard limit: a privileged shell
# (CAP_SYS_RESOURCE) may go beyond the hard limit it was started with, and hands that on to what it runs.
sub file_limit { return `sh -c 'ulimit -n $_[0] 2>/dev/null && ulimit -n'` =~ /^(\d+)/ ? $1 : 0 }

my $files_most = file_limit(2 * $most + $spare) || file_limit('$(ulimit -Hn)');
my $missing = 2 * $most - ($files_most - $spare);
my $shared  = $missing > 0 && $missing < 300 && Weir::Http2Client::is_possible() ? $missing + 4 : 0;    # and their few connections
my $tunnels = $shared ? $most - $shared : int(($files_most - $spare) / 2);
$tunnels = $most if $tunnels > $most;
plan skip_all => "only $files_most files for one process" if $tunnels < min(1000, $most);
diag("only $files_most files for one process and no right to raise that, so $tunnels tunnels and $shared by HTTP/2") if $tunnels < $most;
if (file_limit('') < $tunnels + $spare) {    # this process needs them as well
    exec '/bin/sh', '-c', "ulimit -n $files_most && exec \"\$@\"", 'sh', $^X, '-Ilib', $0;
}

my $ok   = fast_backend('ok');
my $tool = temp_path('echo');
system($ENV{CC} // 'cc', '-O1', '-o', $tool, root_dir() . '/t/tools/echo.c', '-lcrypto') == 0 or die 'cannot compile t/tools/echo.c';
my $pid = open2(my $from, my $to, $tool);    # behind the backend's fork, which would keep its end of $to open
chomp(my $port = <$from>);

my $proxy = proxy(
    apps => {
        tunnel => { domains => ['tunnel'], backends => ["127.0.0.1:$port"] },
        plain  => { domains => ['plain'],  backends => [ $ok->address ] },
    },
    path   => { 'weir.idle-timeout' => 60_000 },
    nofile => $files_most,
);
my $at = pack_sockaddr_in($proxy->port, INADDR_LOOPBACK);
my @open;

sub ticks { my @f = split ' ', read_file('/proc/' . $proxy->pid . '/stat') =~ s/^.*\) //sr; return $f[11] + $f[12] }

# Opens so many more. How many of them have switched.
sub open_tunnels {
    my ($count) = @_;
    my @new;
    for (1 .. $count) {
        my $socket;
        socket($socket, PF_INET, SOCK_STREAM, 0) && connect($socket, $at) or last;
        syswrite $socket, "GET /t HTTP/1.1\r\nHost: tunnel\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
        push @new, $socket;
    }
    push @open, @new;
    return scalar grep { my $head; sysread($_, $head, 4096) && $head =~ m{^HTTP/1\.1 101 .*\r\n\r\n\z}s } @new;
}

# The slowest of so many requests, in ms; more than a minute if one has failed.
sub slowest {
    my ($count) = @_;
    my $worst = 0;
    for (1 .. $count) {
        my $begin = time;
        my $r = $proxy->ask("GET / HTTP/1.1\r\nHost: plain\r\n\r\n");
        my $took = $r->body eq 'ok' ? 1000 * (time - $begin) : 99_999;
        $worst = $took if $took > $worst;
    }
    return $worst;
}

open_tunnels(100);
my ($rss, $files) = ($proxy->memory_kb('VmRSS'), $proxy->open_files);

subtest "$tunnels tunnels are opened" => sub {
    my ($good, $begin) = (100, time);
    $good += open_tunnels(min(100, $tunnels - @open)) while @open < $tunnels && time - $begin < 20 * $slow;
    is($good, $tunnels, 'all of them');
    diag(sprintf '%d tunnels in %.1f s', $good, time - $begin);
    is($proxy->open_files - $files, 2 * ($good - 100), 'two sockets each, and nothing else');
};

my @http2;    # [connection, streams, …]

subtest "$shared more by HTTP/2" => sub {
    plan skip_all => 'there are files enough for all' unless $shared;
    my %connect = (':method' => 'CONNECT', ':protocol' => 'websocket', ':authority' => 'tunnel');
    my $good = 0;
    for (my $left = $shared; $left > 0; $left -= 100) {
        my $h2 = Weir::Http2Client->connect($proxy->port);
        my @ids = map { $h2->request(pseudo => \%connect, is_open => 1) } 1 .. min(100, $left);
        $good += grep { $h2->wait(headers => $_) && $h2->stream($_)->{status} == 200 } @ids;
        push @http2, [ $h2, @ids ];
    }
    is($good, $shared, 'all of them');
    is($tunnels + $good, $most, "together $most");
};

subtest 'what they cost' => sub {
    plan skip_all => 'memory is not measured under sanitizers' if is_sanitized();
    my $each = 1024 * ($proxy->memory_kb('VmRSS') - $rss) / (@open - 100);
    diag(sprintf '%d bytes each', $each);
    cmp_ok($each, '<', 16_384, 'less than 16 KiB each');
};

subtest 'nothing moves while nobody speaks' => sub {
    my $before = ticks();
    select undef, undef, undef, 1;
    cmp_ok(ticks() - $before, '<=', 5 * $slow, 'CPU time in one second (ticks)');
};

subtest 'other requests do not notice' => sub {
    cmp_ok(slowest(100), '<', 500 * $slow, 'the slowest of a hundred requests (ms)');
};

subtest 'each of them is alive' => sub {
    my $good = 0;
    for my $n (map { int($_ * @open / 500) } 0 .. 499) {
        syswrite $open[$n], "ping $n";
        my $bytes;
        $good++ if sysread($open[$n], $bytes, 100) && $bytes eq "ping $n";
    }
    is($good, 500, 'five hundred of them, all over');
    for (@http2) {
        my ($h2, @ids) = @$_;
        $h2->data($_, "ping $_") for @ids;
        is(scalar(grep { $h2->wait(bytes => [ $_, 1 ]) && $h2->stream($_)->{body} eq "ping $_" } @ids), @ids, 'and those by HTTP/2');
    }
};

subtest 'they all end at once' => sub {
    my $begin = time;
    close $_ for splice @open;
    $_->[0]->close for splice @http2;
    ok((wait_for { $proxy->open_files <= $files } 15 * $slow), 'every socket is closed') or diag($proxy->open_files . " of $files");
    diag(sprintf '%.1f s', time - $begin);
    cmp_ok(slowest(10), '<', 500 * $slow, 'requests go on');
};

close $to;
waitpid $pid, 0;
done_testing;
