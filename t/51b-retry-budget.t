# SPDX-License-Identifier: MIT
# An hour in which everything fails, in eight seconds: what is sent again is a tenth more for the backends, and three a second, and
# not three times as much. And when it is over nothing is left of it.
use lib 't/lib';
use Weir::Test;
use Weir::Stories;
use List::Util qw(max sum);
use POSIX qw(ceil);
use Time::HiRes qw(time);

plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();

use constant { LOAD_S => 8, PAUSE_S => 0.1, STREAMS => 6, POSTS => 2, PLAIN => 4 };

my @moods = (qw(503 503 reset reset));
my @servers = map { Weir::Stories->start(name => "b$_") } 1 .. 4;
$servers[$_]->mood($moods[$_]) for 0 .. 3;
my $proxy = proxy(apps => { app => {
    domains => ['*'], backends => [ map { $_->address } @servers ],
    retry   => { on => [qw(reset timeout status)], status => [ 502, 503, 504 ], most => 3 },
    'quarantine-base' => 500, # they are asked again and again
} }, global => { 'num-threads' => 2 });

my $h2 = Weir::Http2Client->connect($proxy->port);
my ($count, %seen) = 0;

sub plain { my $c = $proxy->connect; $c->write("GET /plain-" . ++$count . " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); return $c }

my ($began, $next) = (time, time);
while (time < $began + LOAD_S) {
    my @streams = map { $h2->request(path => '/stream-' . ++$count) } 1 .. STREAMS;
    push @streams, map { $h2->request(path => '/post-' . ++$count, method => 'POST', body => 'abc') } 1 .. POSTS;
    my @plain = map { plain() } 1 .. PLAIN;
    $seen{ $h2->response($_)->{status} }++ for @streams;
    $seen{ $_->read_response->status }++ for @plain;
    $next += PAUSE_S;
    select undef, undef, undef, max(0, $next - time);
}
my $took_s = time - $began;
note explain \%seen;
is_deeply([ grep { !/^50[234]$/ } keys %seen ], [], 'all fail, each with an answer');
is(sum(values %seen), $count, 'and every one of them has one');

my @paths = map { @{ $_->report->{paths} } } @servers;
my $floor = 30 * ceil(($took_s + 1) / 10);
note sprintf '%d requests in %.1f s, %d tries', $count, $took_s, scalar @paths;
cmp_ok(scalar @paths, '<=', 1.1 * $count + $floor, 'tries at the backends: a tenth more than requests, and three a second');
cmp_ok(scalar @paths, '>=', $count + 25, 'though all of them might have been repeated');
my %runs;
$runs{$_}++ for @paths;
is(scalar keys %runs, $count, 'each was tried');
is((grep { $runs{$_} > 1 && /post/ } keys %runs), 0, 'none twice that may not be');
cmp_ok(max(values %runs), '<=', 4, 'none more often than is allowed');
my @lines = $proxy->log_lines($count);
is(sum(map { $_->{tries} // 1 } @lines), scalar @paths, 'the log has as many tries');

$_->mood('') for @servers;
ok(wait_for { $h2->get('/again')->{status} == 200 }, 'when they are well again it serves');
ok(wait_for { 40 == grep { $h2->get('/well')->{status} == 200 } 1 .. 40 }, 'all of them');
$h2->close;

done_testing;
