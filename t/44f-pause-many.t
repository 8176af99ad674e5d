# SPDX-License-Identifier: MIT
# Two thousand requests wait for an app that is paused, most of them streams of HTTP/2. When it goes on none is lost, each client's come
# in their order, and the backend is not overrun.
use lib 't/lib';
use Weir::Test;
use Weir::Stories;
use Time::HiRes qw(time);

plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();

use constant { CONNECTIONS => 20, STREAMS => 90, PLAIN => 200, WINDOW => 10, ANSWER_MS => 5 };
use constant ALL => CONNECTIONS * STREAMS + PLAIN;

my ($orders, $told) = map { temp_path($_) } qw(orders told);
my $server = Weir::Stories->start(answer_ms => ANSWER_MS);
my %app = (backends => [ $server->address ], protocol => 'h2c', 'release-window' => WINDOW,
    queue => { length => ALL, timeout => ms(60_000), client => 'header X-Who' });
# One thread, and one connection to the backend: what is let go first is there first.
my $proxy = proxy(
    router => { module => router_so('pausing'), orders => $orders, told => $told,
        apps => { one => { domains => ['*'], %app }, two => { domains => ['two.test'], %app } } },
    nofile => 4096,
);

sub order {
    write_file("$orders.new", "@_\n");
    rename "$orders.new", $orders or die $!;
    return ok(wait_for { !-e $orders }, "@_");
}

order(pause => 'one', 600_000);
my @h2 = map { Weir::Http2Client->connect($proxy->port) } 1 .. CONNECTIONS;
my @streams; # [ connection, stream, path ]
for my $n (1 .. STREAMS) {
    push @streams, map { [ $h2[ $_ - 1 ], $h2[ $_ - 1 ]->request(path => "/$_-$n", headers => [ [ 'x-who', "client $_" ] ]) ] } 1 .. CONNECTIONS;
}
my @plain = map { my $c = $proxy->connect; $c->write("GET /plain-$_ HTTP/1.1\r\nHost: a\r\nX-Who: plain $_\r\nConnection: close\r\n\r\n"); $c } 1 .. PLAIN;
ok(wait_for { read_file($told) =~ /^one 0 @{[ALL]}$/m }, ALL . ' wait, and none is in flight') or diag read_file($told);
is($server->report->{paths}[0], undef, 'the backend has seen none of them');

my $went_on_at = time;
order(resume => 'one', 0);
my %seen;
$seen{ $_->read_response->body // 'none' }++ for @plain;
for (@streams) {
    my $r = $_->[0]->response($_->[1]);
    $seen{ $r->{status} == 200 ? $r->{body} : "status $r->{status} reset " . ($r->{reset} // 'no') }++;
}
note sprintf '%d answers in %.2f s', ALL, time - $went_on_at;
is_deeply(\%seen, { well => ALL }, 'each has the answer of the backend') or diag explain \%seen;

my $report = $server->report;
my %runs;
$runs{$_}++ for @{ $report->{paths} };
is(scalar @{ $report->{paths} }, ALL, 'which has had as many requests');
is(scalar keys %runs, ALL, 'and none twice');
# The steward and the loop both let go, and the loop hears of it in that order. From there on it is one thread and one connection: streams
# are opened in the order of the answers. (With two loops each would have its own order; of two clients nobody knows who shares a turn.)
my (%last, @late);
for my $path (@{ $report->{paths} }) {
    my ($who, $n) = $path =~ m{^/(\d+)-(\d+)$} or next;
    push @late, $path if $n != ($last{$who} // 0) + 1;
    $last{$who} = $n;
}
is_deeply(\@late, [], 'those of each client in their order');
is($server->count(qr/^connected$/), 1, 'over one connection');

# In turn among clients: of 64 clients two may share a turn, of these twenty not many.
my @first = grep { m{^/\d+-\d+$} } @{ $report->{paths} }[ 0 .. 99 ];
my %of_client;
$of_client{ (m{^/(\d+)-})[0] }++ for @first;
cmp_ok(scalar keys %of_client, '>', CONNECTIONS / 2, 'and clients in turn') or diag explain \%of_client;

note "at most $report->{most} at a time, at most $report->{ahead} ahead of the answers";
cmp_ok($report->{ahead}, '<=', WINDOW, 'at no instant were there more than the window, and one more for each answer');
cmp_ok($report->{most}, '>', WINDOW, 'but soon more than the window');
my @lines = $proxy->log_lines(ALL);
is((grep { ($_->{hold} // '') =~ /^\d+ms$/ } @lines), ALL, 'the log says of each that it was held');
$_->close for @h2;

done_testing;
