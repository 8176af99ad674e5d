# SPDX-License-Identifier: MIT
# Weir inside a program of somebody else's: examples/embed.c, by libh2o's own front and by Weir's.
use lib 't/lib';
use Weir::Test;
use IO::Socket::IP;
use Time::HiRes qw(time);

my $backend = backend(sub {
    my $c = shift;
    while (my ($head, $body) = $c->read_request) {
        $c->note($head =~ /^(\S+ \S+)/);
        return if $head =~ m{^\S+ /die};
        if ($head =~ /^Upgrade:/mi) {
            $c->write("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
            while (defined(my $line = $c->read_until(qr/\n/, 60))) { $c->write($line) }
            return;
        }
        if ($head =~ m{^\S+ /chunks}) { $c->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"); next }
        if ($head =~ m{^\S+ /found}) { $c->write("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"); next }
        if ($head =~ m{^\S+ /close}) { $c->write("HTTP/1.1 200 OK\r\n\r\nuntil the end"); return }
        if ($head =~ m{^\S+ /cut})   { $c->write("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" . 'x' x 200_000); select undef, undef, undef, 0.05; return }
        if ($head =~ m{^\S+ /big})   { $c->write("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" . 'x' x 3_000_000); next }
        if ($head =~ m{^\S+ /never}) { $c->wait_close(60); return }
        if ($head =~ m{^\S+ /slow})  { select undef, undef, undef, 0.3 }
        $c->write(simple_response($head . $body, headers => "Server: backend\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Extra: 1\r\n"));
    }
});

my $files = temp_path('files');
mkdir $files or die $!;
write_file("$files/a.txt", "a file\n");

my ($stock, $ours) = (free_port(), free_port());
my ($out, $err, $report) = (temp_path('out'), temp_path('err'), temp_path('sanitizer'));
my $program = Weir::Test::build_dir() . '/examples/embed';
plan(skip_all => "no $program") unless -x $program;
my $pid = Weir::Test::_spawn($out, $err, command => [ $program, $stock, $ours, $backend->port, $files ], env => Weir::Test::_proxy_env($report));
END { kill 'KILL', $pid if $pid }
my $is_up = wait_for { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $ours) };
ok($is_up, 'it starts') or BAIL_OUT(read_file($err));

sub ask {
    my ($port, $bytes, %option) = @_;
    my $client = Weir::Client->connect($port) // return;
    $client->write($bytes);
    return $client->read_response(%option);
}
sub get { my ($port, $path, $more) = @_; return ask($port, "GET $path HTTP/1.1\r\nHost: a.test\r\n" . ($more // '') . "\r\n") }

for my $front ([ 'libh2o\'s front', $stock ], [ 'our front', $ours ]) {
    my ($name, $port) = @$front;
    subtest $name => sub {
        is(get($port, '/files/a.txt')->body, "a file\n", 'its files');
        is(ask($port, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")->body, 'hello', 'its handler, with a body');
        is(ask($port, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")->body, 'abcde', 'in chunks');

        my $r = get($port, '/path?x=1', "X-One: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\n");
        is($r->status, 200, 'a route');
        like($r->body, qr{^GET /path\?x=1 HTTP/1\.1\r\n}, 'the target arrives');
        like($r->body, qr{^Host: a\.test\r$}m, 'Host');
        like($r->body, qr{^X-Forwarded-For: 127\.0\.0\.1\r$}m, 'X-Forwarded-For');
        like($r->body, qr{^X-Forwarded-Port: $port\r$}m, 'X-Forwarded-Port');
        like($r->body, qr{^X-Request-Id: \S+\r$}m, 'X-Request-Id');
        like($r->body, qr{^Via: 1\.1 embed\r$}m, 'a directive of the program is in force');
        like($r->body, qr{^x-one: 1\r$}mi, 'other fields');
        unlike($r->body, qr/^x-hop/mi, 'but for those of the hop');
        is(scalar(() = $r->head =~ /^(?:Date|Server):/mgi), 2, 'one Date, one Server') or diag($r->head);
        is($r->header('X-Extra'), '1', 'fields of the backend');
        like($r->header('Via'), qr/embed/, 'Via to the client');

        $r = ask($port, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" . 'y' x 200_000);
        is(length($r->body =~ s/.*?\r\n\r\n//sr), 200_000, 'a body goes through');
        is(length get($port, '/big')->body, 3_000_000, 'a long response comes back');
        is(get($port, '/chunks')->body, 'hello world', 'in chunks');
        is(get($port, '/found')->body, 'hello', 'with another status');
        is(get($port, '/close')->body, 'until the end', 'until the connection ends');
        is(ask($port, "HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n", head => 1)->status, 200, 'HEAD');
        $r = get($port, '/die');
        is($r->status, 503, 'a backend that dies is a page') or diag($r->head);
        $r = get($port, '/cut');
        ok(!$r->is_complete, 'one that dies in the middle is a cut');

        my $client = Weir::Client->connect($port);
        for my $n (1 .. 3) {
            $client->write("GET /again$n HTTP/1.1\r\nHost: a\r\n\r\n");
            like($client->read_response->body, qr{^GET /again$n }, "request $n on one connection");
        }
        $client->write("GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n");
        like($client->read_response->body, qr{^GET /one }, 'pipelined');
        like($client->read_response->body, qr{^GET /two }, 'both');
        $client->write("GET /never$port HTTP/1.1\r\nHost: a\r\n\r\n");
        ok($backend->wait_event(qr{GET /never$port}), 'a request without an answer');
        $client->reset;
        is(get($port, '/after')->status, 200, 'the others do not notice');
    };
}

subtest 'what libh2o\'s front cannot' => sub {
    my $upgrade = "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    my $r = ask($stock, $upgrade);
    is($r->status, 200, 'a switch of protocols is not asked for');
    unlike($r->body, qr/^upgrade|upgrade\r$/mi, 'the backend hears nothing of it');
    my $client = Weir::Client->connect($ours);
    $client->write($upgrade);
    like($client->read_head, qr/^HTTP\/1\.1 101/, 'our front makes a tunnel');
    $client->write("hello\n");
    is($client->read_until(qr/\n/), "hello\n", 'that works');
};

subtest 'many at once' => sub {
    my @clients = map { my $c = Weir::Client->connect($_ % 2 ? $stock : $ours); $c->write("GET /slow$_ HTTP/1.1\r\nHost: a\r\n\r\n"); $c } 1 .. 20;
    is(scalar(grep { $_->read_response->status == 200 } @clients), 20, 'all are answered');
};

subtest 'the end' => sub {
    my ($idle, $busy) = map { Weir::Client->connect($ours) } 1 .. 2;
    $idle->write("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    is($idle->read_response->status, 200, 'an idle connection');
    $busy->write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    $backend->wait_event(qr{GET /slow$});
    kill 'TERM', $pid;
    is($idle->read_eof, '', 'is closed');
    my $r = $busy->read_response;
    is($r->status, 200, 'a request is finished');
    ok($r->says_close, 'and its connection closed');
    my $status = Weir::Test::_reap($pid, 3 * wait_seconds());
    is($status, 0, 'the program ends') or diag(read_file($err));
    $pid = 0 if defined $status;
    ok(!(grep { -s } glob "$report*"), 'no sanitizer report') or diag(map { read_file($_) } glob "$report*");
    my $lines = () = read_file($out) =~ /^at=/mg;
    cmp_ok($lines, '>', 50, 'the access log is on its standard output');
};

done_testing;
