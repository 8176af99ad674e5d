# SPDX-License-Identifier: MIT
# A single backend that is down for a while, and hundreds who wait for it: none of them sees an error, and when it is back it is not
# overrun: its listen queue is short.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use IO::Select;
use Time::HiRes qw(time);

use constant { CLIENTS => 500, HTTP2 => 3, STREAMS => 10, TUNNELS => 5, WINDOW => 10, BACKLOG => 100, ANSWER_MS => 20 };

my $down_s = 3;
my $port   = free_port();
my $proxy  = proxy(
    apps => { app => { domains => ['*'], backends => ["127.0.0.1:$port"], hold => ms(30_000), 'release-window' => WINDOW } },
    global => { 'num-threads' => 2 }, nofile => 4096,
);

my @http2 = Weir::Http2Client::is_possible() ? map { Weir::Http2Client->connect($proxy->port) } 1 .. HTTP2 : ();
my $http1 = CLIENTS - TUNNELS - @http2 * STREAMS;

my @plain = map { my $client = $proxy->connect; $client->write("GET /plain-$_ HTTP/1.1\r\nHost: a\r\n\r\n"); $client } 1 .. $http1 - 50;
push @plain, map { my $client = $proxy->connect; $client->write("POST /post-$_ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"); $client } 1 .. 50;
my @streams = map { my $h2 = $_; map { [ $h2, $h2->request(path => "/stream-$_", ($_ % 2 ? (method => 'POST', body => 'abc') : ())) ] } 1 .. STREAMS } @http2;
my @tunnels = map { my $client = $proxy->connect; $client->write("GET /tunnel-$_ HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"); $client } 1 .. TUNNELS;
is(@plain + @streams + @tunnels, CLIENTS, 'so many clients') if @http2;

# Whoever of them is answered while nobody is there.
my $until = time + $down_s;
my $early = IO::Select->new(map { $_->{socket} } @plain, @tunnels);
ok(!$early->can_read($until - time), 'nobody is answered as long as the backend is down');

command_server($port, $^X, root_dir() . '/t/tools/narrow.pl', $port, BACKLOG, ANSWER_MS);
my $up_at = time;
$early->can_read(wait_seconds());
my $first_s = time - $up_at;

my %seen;
$seen{ $_->read_response->status // 'none' }++ for @plain;
is_deeply(\%seen, { 200 => scalar @plain }, 'everybody who waits gets an answer of the backend') or diag explain \%seen;
is((grep { $_->[0]->response($_->[1])->{status} == 200 } @streams), scalar @streams, 'so do the streams of HTTP/2');
for my $client (@tunnels) {
    like($client->read_head, qr{^HTTP/1\.1 101 }, 'and the tunnels');
    $client->write("ping\n");
    is($client->read_exactly(5), "ping\n", 'bytes pass');
    $client->close;
}
note sprintf 'the first answer came %.2f s after the backend, the last %.2f s', $first_s, time - $up_at;

my $direct = Weir::Client->connect($port);
$direct->write("GET /report HTTP/1.1\r\nHost: a\r\n\r\n");
my %report = $direct->read_response->body =~ /(\w+)=(-?\d+)/g;
note explain \%report;
is($report{requests}, @plain + @streams + @tunnels, 'the backend has seen each request once');
is($report{dropped}, 0, 'its listen queue has refused nobody');
cmp_ok($report{queued}, '<=', BACKLOG, 'nor was it longer than it may');
cmp_ok($report{ahead}, '<=', WINDOW, 'at no time had it more than the window, and one more for each answer');
my @lines = $proxy->log_lines(@plain + @streams + @tunnels);
is((grep { ($_->{hold} // '') =~ /^\d{3,}ms$/ } @lines), scalar @lines, 'the log says how long each was held');
$_->close for @http2;

done_testing;
