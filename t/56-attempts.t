# SPDX-License-Identifier: MIT
# What a router is told of one, to the byte; and what one attempt leaves to the next.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;

my %does = (
    short  => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") },
    busy   => sub { $_[0]->write(simple_response('busy', status => '503 Busy')); $_[0]->wait_close },
    switch => sub { $_[0]->write("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi"); $_[0]->read_eof },
    gofail => sub { my ($c, $head) = @_; $c->write("HTTP/1.1 100 Continue\r\n\r\n"); $c->read_body($head) },
    go     => sub { my ($c, $head) = @_; $c->write("HTTP/1.1 100 Continue\r\n\r\n"); my ($b) = $c->read_body($head); $c->write(simple_response($b)) },
    grpc   => sub { $_[0]->write(simple_response('ok', headers => "grpc-status: 5\r\n")); $_[0]->wait_close },
);
my $one = backend(sub { my $c = shift; my $head = $c->read_head or return; $does{ $c->case_of($head) }->($c, $head) }, name => 'one');
my $two = Weir::Http2Backend->start;
my $refusing = '127.0.0.1:' . refusing_port();
my $log = temp_path('attempts.log');
my %router = (module => router_so('attempts'), log => $log);
my $proxy = proxy(router => { %router, backends => [ $one->address, $one->address, 'h2:' . $two->address, $refusing, '127.0.0.1:' . stuck_port() ] });
sub calls_of { my ($path) = @_; return recorded_calls($log, $path, qr/^terminate/m) }
sub get { my ($path, $do, $more) = @_; return $proxy->get($path, "X-Do: $do\r\n" . ($more // '')) }

get('/cut', 'to0=/short');
like(calls_of('/cut'), qr/^checkin s0 connected backend_truncated .* reach=head /m, 'bytes of a page are none of the response');

my $client = $proxy->connect;
$client->write("GET /switch HTTP/1.1\r\nHost: a.test\r\nX-Do: to0=/switch\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
$client->read_exactly(60);
$client->close;
like(calls_of('/switch'), qr/^checkin .* status=101 .* head=[1-9]/m, 'a 101 came at some time');

$client = $proxy->connect;
$client->write("POST /deep HTTP/1.1\r\nHost: a.test\r\nX-Do: deep retries=1 hold=4 to0=/gofail to1=/go\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
my @statuses = $client->read_response(interim => 1)->status;
$client->write('body');
do { push @statuses, $client->read_response(interim => 1)->status } while $statuses[-1] == 100;
is("@statuses", '100 200', 'one 100 over two attempts');

get('/error', 'retries=1 to0=/busy second=3');
like(calls_of('/error'), qr/^terminate .* backend=503/m, 'the latest final response was a 503');

get('/slow', 'try=' . ms(100) . ' first=4');
like(calls_of('/slow'), qr/^checkin s4 connecting backend_connect_timeout /m, 'the time of an attempt that connects is over');

get('/frames', 'first=2 to2=/large?100000');
my ($received) = calls_of('/frames') =~ /^checkin .* received=(\d+)/m;
cmp_ok($received, '>=', 100_000 + 10 + 7 * 9, "heads of DATA frames are framing, too ($received)");

get('/upgrade', 'first=2 second=1 retries=1 to2=/rst_2 to1=/busy', "Connection: upgrade\r\nUpgrade: x\r\n");
calls_of('/upgrade');
my @upgrades = grep { /^Upgrade: x/mi } grep { m{^GET /busy } } $one->heads;
is(scalar @upgrades, 1, 'what an HTTP/2 backend cannot do is asked of the HTTP/1 backend behind it');

get('/grpc', 'to0=/grpc');
like(calls_of('/grpc'), qr/^checkin .* grpc=-1 /m, 'a grpc-status before a body is not that of a response that is only a head');

done_testing;
