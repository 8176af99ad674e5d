# SPDX-License-Identifier: MIT
# What TLS holds: a gigabyte in each direction, clients that read slowly, and ten thousand idle connections of each kind. For release builds only.
use lib 't/lib';
use Weir::Test;
use Weir::TLS;
use IPC::Open2 qw(open2);
use Time::HiRes qw(time);

plan skip_all => 'memory is not measured under sanitizers and valgrind' if is_sanitized();

my $gigabyte = 1 << 30;
my $piece    = 'x' x 1_048_576;
{
    no warnings 'redefine';    # a backend that writes down a gigabyte measures the disk
    *Weir::Backend::Connection::on_bytes = sub { };
}

# Reads and forgets. The number of bytes.
sub swallow {
    my ($c, $bytes) = @_;
    my $left = $bytes - length $c->{in};
    $c->{in} = '';
    while ($left > 0 && ($c->_ready(1, 0, time + wait_seconds()))[0]) {
        my $n = sysread $c->{socket}, my $buffer, 1_048_576;
        $n ? $left -= $n : (defined $n || !$!{EAGAIN}) && last;
    }
    return $bytes - $left;
}

my $backend = backend(sub {
    my ($c) = @_;
    while (my $head = $c->read_head) {
        my ($length) = $head =~ /^content-length: *(\d+)/mi;
        if ($length) {
            $c->write(simple_response(swallow($c, $length)));
            next;
        }
        if ($head !~ m{^GET /gigabyte }) {
            $c->write(simple_response('idle'));
            next;
        }
        $c->write("HTTP/1.1 200 OK\r\nContent-Length: $gigabyte\r\n\r\n");
        for (1 .. $gigabyte / length $piece) {
            last if $c->write($piece, 120) < length $piece;
        }
    }
});

my $ca   = authority('test authority');
my $cert = certificate('127.0.0.1', ca => $ca);
my $port;
sub start {
    my (%option) = @_;
    $port = free_port();
    return proxy(backends => [$backend], path => { 'weir.idle-timeout' => 120_000 }, %option,
        listen => [ { host => '127.0.0.1', port => $port, ssl => { 'certificate-file' => $cert->{cert}, 'key-file' => $cert->{key} } } ]);
}

sub memory {
    my ($proxy, $what) = @_;
    my ($kib) = read_file('/proc/' . $proxy->pid . '/status') =~ /^$what:\s+(\d+)/m;
    return $kib;
}

subtest 'a gigabyte down' => sub {
    my $proxy = start();
    my $r = run_command({ seconds => 120 }, '/bin/sh', '-c', "curl -sS --cacert $ca->{cert} https://127.0.0.1:$port/gigabyte | wc -c");
    is($r->{out} + 0, $gigabyte, 'arrives') or diag($r->{err});
    cmp_ok(memory($proxy, 'VmHWM'), '<', 32 * 1024, 'in less than 32 MiB');
};

subtest 'a gigabyte up' => sub {
    my $proxy = start();
    my $r = run_command({ seconds => 120 }, '/bin/sh', '-c',
        "head -c $gigabyte /dev/zero | curl -sS --cacert $ca->{cert} -H 'Content-Length: $gigabyte' -H 'Transfer-Encoding:' -H 'Expect:' -T - https://127.0.0.1:$port/");
    is($r->{out}, $gigabyte, 'arrives') or diag($r->{err});
    cmp_ok(memory($proxy, 'VmHWM'), '<', 32 * 1024, 'in less than 32 MiB');
};

subtest 'slow readers' => sub {
    my $proxy = start();
    my @slow;
    for (1 .. 50) {
        my $client = tls_client($port);
        $client->write("GET /gigabyte HTTP/1.1\r\nHost: a\r\n\r\n");
        push @slow, $client;
    }
    ok(defined $_->read_exactly(100_000), 'has begun') for @slow[ 0, 49 ];
    cmp_ok(memory($proxy, 'VmHWM'), '<', 48 * 1024, 'fifty of them hold little');
    $_->close for @slow;
};

# Opens connections in two steps and sees what the second step costs.
sub idles {
    my ($kind, $most_kib) = @_;
    my ($count, $warm, $to) = (10_000, 500);
    my $proxy = start(global => { 'weir.header-timeout' => 300_000, 'http2-idle-timeout' => 300 }, nofile => $count + 500);
    my $pid = open2(my $from, $to, '/bin/sh', '-c', "ulimit -n @{[ $count + 500 ]} && exec \"\$@\"", 'sh', 'python3', root_dir() . '/t/tools/idle.py',
        $kind, $kind eq 'plain' ? $proxy->port : $port);
    my $open = sub {
        print {$to} "$_[0]\n";
        $to->flush;
        return (readline($from) // 0) + 0;
    };
    is($open->($warm), $warm, 'the first are answered');
    my $before = memory($proxy, 'VmRSS');
    is($open->($count - $warm), $count, 'all are open, and have had an answer each');
    my $each = (memory($proxy, 'VmRSS') - $before) / ($count - $warm);
    cmp_ok($each, '<', $most_kib, sprintf 'and hold %.2f KiB each', $each);
    is($proxy->get('/')->status, 200, 'one more is served');
    close $to;
    waitpid $pid, 0;
}

subtest 'ten thousand idle connections'                      => sub { idles(plain => 1.1) };
subtest 'ten thousand idle connections, TLS'                 => sub { idles(tls   => 16) };
subtest 'ten thousand idle connections, HTTP/2 over TLS'     => sub { idles(h2    => 32) };

done_testing;
