# SPDX-License-Identifier: MIT
# Who is slow on purpose: weir.min-rate and weir.max-request-time, in either direction.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;

my $large = 'x' x 8_000_000;
my $backend = backend(sub {
    my ($c) = @_;
    while (defined(my $head = $c->read_head)) {
        if ($head =~ m{ /drip }) {
            $c->write("HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n" . 'x' x 70_000);
            for (1 .. 300) { select undef, undef, undef, 0.1; $c->write('x', 1) or return }
        } elsif ($head =~ m{ /think }) {
            select undef, undef, undef, 12;
            $c->write(simple_response('thought'));
        } elsif ($head =~ m{ /large }) {
            $c->write("HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n$large", 60);
        } else {
            my ($body) = $c->read_body($head);
            $c->write(simple_response(length($body // '')));
        }
    }
});

# One byte now and then, until the other side says something.
sub dribble { my ($client) = @_; for (1 .. 300) { $client->write('x'); last unless $client->is_silent(0.1) } }

subtest 'weir.min-rate' => sub {
    my $proxy = proxy(backends => [$backend], path => { 'weir.min-rate' => 1000 });
    my %client = map { $_ => $proxy->connect($_ eq 'reads' ? (receive_buffer => 4096) : ()) } qw(sends reads drip think);
    $client{sends}->write("POST /sends HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    $client{reads}->write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    $client{drip}->write("GET /drip HTTP/1.1\r\nHost: a\r\n\r\n");
    $client{think}->write("GET /think HTTP/1.1\r\nHost: a\r\n\r\n");
    dribble($client{sends});
    is($client{sends}->read_response->status, 408, 'a client that hardly sends');
    is($proxy->log_where(path => '/sends')->{code}, 'client_too_slow', 'its reason');
    is($proxy->log_where(path => '/large')->{code}, 'client_too_slow', 'a client that reads nothing');
    is($proxy->log_where(path => '/drip')->{code}, 'backend_too_slow', 'a backend that hardly sends');
    ok(!$client{$_}->read_response->is_complete, "$_ is cut") for qw(drip reads);
    is($client{think}->read_response(seconds => 30)->body, 'thought', 'who only thinks may think');
    is($proxy->ask("POST /fine HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" . 'x' x 3_000_000)->body, 3_000_000, 'who is fast may go on');
};

subtest 'weir.min-rate, HTTP/2' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    my $proxy = proxy(backends => [$backend], path => { 'weir.min-rate' => 1000 });
    my $h2 = Weir::Http2Client->connect($proxy->port, updates_windows => 0);
    my $reads = $h2->request(path => '/large');
    my $other = Weir::Http2Client->connect($proxy->port);
    my $sends = $other->request(path => '/sends', method => 'POST', is_open => 1);
    is($proxy->log_where(path => '/large')->{code}, 'client_too_slow', 'a client whose window stays shut');
    is($proxy->log_where(path => '/sends')->{code}, 'client_too_slow', 'one that does not send');
    is($other->response($sends)->{status}, 408, 'is told');
    is($h2->response($reads)->{reset}, 2, 'the other stream is reset');
};

subtest 'weir.max-request-time' => sub {
    my $proxy = proxy(backends => [$backend], path => { 'weir.max-request-time' => ms(1500) });
    my ($sends, $drip) = map { $proxy->connect } 1 .. 2;
    $drip->write("GET /drip HTTP/1.1\r\nHost: a\r\n\r\n");
    $sends->write("POST /sends HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    dribble($sends);
    is($sends->read_response->status, 504, 'nothing was answered yet');
    ok(!$drip->read_response->is_complete, 'a response is cut');
    is($proxy->log_where(path => $_)->{code}, 'request_too_long', "$_: the reason") for qw(/sends /drip);
};

done_testing;
