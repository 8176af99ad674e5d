# SPDX-License-Identifier: MIT
# Interim responses are bytes like any: a client that does not read them stops the backend that sends them.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;
use Weir::Http2Client;

my $large = "HTTP/1.1 103 Early Hints\r\nX-Large: " . 'v' x 400_000 . "\r\n\r\n";

my $backend = backend(sub {
    my ($c) = @_;
    my $head = $c->read_head or return;
    if ($head =~ m{ /large }) {
        my $all = $large x 60 . simple_response('at last');
        my $sent = $c->write_until_stuck($all, ms(500) / 1000);
        $c->note("stuck at $sent");
        $c->write(substr($all, $sent), 6 * wait_seconds());
    } elsif ($head =~ m{ /upload }) {
        for my $n (1 .. 200) {
            $c->read_exactly(10);
            $c->write("HTTP/1.1 104 Upload Resumption Supported\r\nUpload-Offset: $n\r\n\r\n");
        }
        $c->write(simple_response('whole'));
    }
});
my $proxy = proxy(backends => [$backend]);

sub is_stuck {
    my ($who) = @_;
    my ($sent) = ($backend->wait_event(qr/stuck at/, 2 * wait_seconds()) // '') =~ /stuck at (\d+)/;
    cmp_ok($sent // 1e9, '<', 12_000_000, "$who that does not read stops the backend");
}

subtest 'HTTP/1' => sub {
    my $client = $proxy->connect(receive_buffer => 4096);
    $client->write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    is_stuck('a client');
    my $right = grep { my $r = $client->read_response(interim => 1, seconds => 6 * wait_seconds()); $r->status == 103 && length $r->header('X-Large') == 400_000 } 1 .. 60;
    is($right, 60, 'when it reads, it gets all of them');
    is($client->read_response->body, 'at last', 'and the answer');
};

subtest 'HTTP/2' => sub {
    plan skip_all => 'no python3-h2' unless Weir::Http2Client->is_possible;
    my $h2 = Weir::Http2Client->connect($proxy->port, receive_buffer => 4096, settings => { 6 => 1_000_000 });
    my $id = $h2->request(path => '/large');
    is_stuck('a client');
    my $r = $h2->response($id, 6 * wait_seconds());
    is(scalar @{ $r->{interim} }, 60, 'when it reads, it gets all of them');
    is($r->{body}, 'at last', 'and the answer');
};

subtest 'a client that never reads' => sub {
    my $own = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(500) });
    my $client = $own->connect(receive_buffer => 4096);
    $client->write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    is($own->log_where(path => '/large')->{code}, 'client_stalled', 'is let go of');
};

subtest 'an HTTP/2 backend, whose connection others share' => sub {
    my $h2c = Weir::Http2Backend->start;
    my $own = proxy(backends => [ $h2c->address ], app => { protocol => 'h2c' }, path => { 'weir.idle-timeout' => ms(500) });
    my $client = $own->connect(receive_buffer => 4096);
    $client->write("GET /large-interims HTTP/1.1\r\nHost: a\r\n\r\n");
    is($own->log_where(path => '/large-interims')->{code}, 'backend_too_many_interim', 'the request is ended');
    is($own->get('/fine')->body, 'fine', 'another one goes on');
};

subtest 'those that tell how far an upload has come' => sub {
    my $client = $proxy->connect;
    $client->write("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n");
    my $heard = 0;
    for (1 .. 200) {
        $client->write('x' x 10);
        $heard++ if $client->read_response(interim => 1)->status == 104;
    }
    is($heard, 200, 'may be many');
    is($client->read_response->body, 'whole', 'and the answer comes behind them');
};

done_testing;
