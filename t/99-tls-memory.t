# SPDX-License-Identifier: MIT
# What TLS holds: idle connections, a gigabyte in each direction, clients that read slowly. For release builds only.
use lib 't/lib';
use Weir::Test;
use Weir::TLS;
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
    $port = free_port();
    return proxy(backends => [$backend], path => { 'weir.idle-timeout' => 120_000 }, nofile => 8192,
        listen => [ { host => '127.0.0.1', port => $port, ssl => { 'certificate-file' => $cert->{cert}, 'key-file' => $cert->{key} } } ]);
}

sub memory {
    my ($proxy, $what) = @_;
    my ($kib) = read_file('/proc/' . $proxy->pid . '/status') =~ /^$what:\s+(\d+)/m;
    return $kib;
}

subtest 'a gigabyte down' => sub {
    my $proxy = start();
    my $r = run_command({ seconds => 120 }, '/bin/sh', '-c', "curl -sS --cacert $ca->{cert} https://127.0.0.1:$port/ | wc -c");
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
        $client->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        push @slow, $client;
    }
    ok(defined $_->read_exactly(100_000), 'has begun') for @slow[ 0, 49 ];
    cmp_ok(memory($proxy, 'VmHWM'), '<', 48 * 1024, 'fifty of them hold little');
    $_->close for @slow;
};

subtest 'idle connections' => sub {
    my $proxy = start();
    my @idle;
    my $open = sub {
        for (1 .. $_[0]) {
            my $client = tls_client($port, receive_buffer => 4096) or last;
            push @idle, $client;
        }
    };
    $open->(100);
    my $before = memory($proxy, 'VmRSS');
    $open->(1000);
    is(scalar @idle, 1100, 'are open');
    my $each = (memory($proxy, 'VmRSS') - $before) / 1000;
    cmp_ok($each, '<', 16, sprintf 'and hold %.1f KiB each', $each);
    $_->close for @idle;
};

done_testing;
