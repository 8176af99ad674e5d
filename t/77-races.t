# SPDX-License-Identifier: MIT
# The backend ends and the client is reset in one turn of the loop, in either order.
use lib 't/lib';
use Weir::Test;
use Errno;
use IO::Socket::INET;
use Socket;

my $go = temp_path('go');
my $backend = backend(sub {
    my $c = shift;
    $c->read_head or return;
    $c->note('head');
    wait_for { -e $go };
});

for my $case ([ 'the backend ends first', 0 ], [ 'the client is reset first', 1 ]) {
    my ($name, $is_client_first) = @$case;
    subtest $name => sub {
        unlink $go;
        my $proxy = proxy(backends => [$backend]);
        my $client = $proxy->connect;
        $client->write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        $backend->wait_event("note $is_client_first head");
        $proxy->stand_still;
        $client->reset if $is_client_first;
        write_file($go, 'x');
        # Nothing tells when the kernel has both ends: the proxy, stopped, cannot.
        select undef, undef, undef, 0.2;
        $client->reset unless $is_client_first;
        $proxy->signal('CONT');
        is($proxy->get('/b')->status, 503, 'the proxy lives on: the next request has its page');
        is(scalar(@{ [ $proxy->log_lines(2) ] }), 2, 'each has its line');
    };
}

subtest 'a body whose end only the close tells is not ended by a cut' => sub {
    my $cut = backend(sub {
        my $c = shift;
        $c->read_head or return;
        $c->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    });
    my $proxy = proxy(backends => [$cut]);
    my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $proxy->port) or die $!;
    $client->syswrite("GET /cut HTTP/1.0\r\nHost: a\r\n\r\n");
    my ($bytes, $count);
    1 while $count = sysread $client, $bytes, 4096;
    ok(!defined $count && $!{ECONNRESET}, 'HTTP/1.0: the client sees a reset');
    is($proxy->log_where(path => '/cut')->{code}, 'backend_truncated', 'and the log knows why');
};

subtest 'a cut does not cost the responses in front of it' => sub {
    my $whole = 'x' x 200_000;
    my $backend = backend(sub {
        my $c = shift;
        while (defined(my $head = $c->read_head)) {
            if ($head =~ m{^GET /whole }) {
                $c->write("HTTP/1.1 200 OK\r\nContent-Length: " . length($whole) . "\r\n\r\n$whole");
                next;
            }
            $c->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
            return;
        }
    });
    my $proxy = proxy(backends => [$backend], global => { 'weir.idle-timeout' => ms(20_000) });
    for my $version ('1.0', '1.1') {
        my $client = IO::Socket::INET->new(Proto => 'tcp') or die $!;
        setsockopt $client, SOL_SOCKET, SO_RCVBUF, 4096;
        connect $client, sockaddr_in($proxy->port, inet_aton('127.0.0.1')) or die $!;
        $client->syswrite("GET /whole HTTP/1.1\r\nHost: a\r\n\r\nGET /cut-$version HTTP/$version\r\nHost: a\r\n\r\nGET /never HTTP/1.1\r\n");
        # The whole response is the kernel's, and the next is cut, before the client reads anything
        is($proxy->log_where(path => "/cut-$version")->{code}, 'backend_truncated', "HTTP/$version: the second response is cut");
        my ($got, $count) = ('');
        1 while $count = sysread $client, $got, 16_384, length $got;
        is(($got =~ tr/x//), length $whole, 'the client gets the first in full');
        ok($got =~ /\r\nabc/, 'and what there is of the second');
        ok(!defined $count && $!{ECONNRESET}, 'then a reset') if $version eq '1.0';
        ok($got !~ /\r\n0\r\n\r\n/, 'and no last chunk') if $version eq '1.1';
    }
};

done_testing;
