# SPDX-License-Identifier: MIT
# The backend ends and the client is reset in one turn of the loop, in either order.
use lib 't/lib';
use Weir::Test;

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

done_testing;
