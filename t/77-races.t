# SPDX-License-Identifier: MIT
# The backend ends and the client is reset in one turn of the loop, in either order.
use lib 't/lib';
use Weir::Test;
use Errno;
use IO::Socket::INET;

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
        $proxy->signal('STOP');
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

done_testing;
