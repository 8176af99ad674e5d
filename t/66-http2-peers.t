# SPDX-License-Identifier: MIT
# HTTP/2 servers that are not ours as backends: nghttpd, Node's http2, Python's h2; and long bodies both ways.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;

sub serve { my ($port, @command) = @_; command_server($port, @command); return "127.0.0.1:$port" }

my $root = temp_path('root');
mkdir $root;
my $long = join '', map { chr(($_ * 31 + ($_ >> 8)) % 256) } 1 .. 3_000_000;
write_file("$root/long", $long);
write_file("$root/short", 'short');

my $node = write_file(temp_path('server.js'), <<'JS');
const http2 = require('http2');
const server = http2.createServer();
server.on('stream', (stream, headers) => {
    const path = headers[':path'];
    if (path === '/trailers') {
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
        stream.end('short');
    } else if (path === '/hints') {
        stream.additionalHeaders({ ':status': 103, link: '</a>' });
        stream.respond({ ':status': 200 });
        stream.end('short');
    } else {
        stream.respond({ ':status': 200 });
        stream.pipe(stream);
    }
});
server.listen(Number(process.argv[2]), '127.0.0.1');
JS

sub before { return proxy(backends => [ $_[0] ], app => { protocol => 'h2c' }) }
sub post { return $_[0]->ask("POST $_[1] HTTP/1.1\r\nHost: a\r\nContent-Length: " . length($_[2]) . "\r\n\r\n$_[2]") }

subtest 'nghttpd' => sub {
    my $port = free_port();
    my $own = before(serve($port, 'nghttpd', '--no-tls', '--echo-upload', '--trailer', 'x-sum: 42', '-d', $root, $port));
    is($own->get('/short')->body, 'short', 'a short file');
    ok($own->get('/long')->body eq $long, 'a long one');
    is($own->ask("HEAD /long HTTP/1.1\r\nHost: a\r\n\r\n")->header('Content-Length'), length $long, 'HEAD');
    is($own->get('/none')->status, 404, 'no file');
    ok(post($own, '/echo', $long)->body eq $long, 'an upload that comes back');
    is(scalar(grep { $_->body eq 'short' } map { $own->get('/short') } 1 .. 200), 200, 'two hundred requests');
};

subtest 'Node\'s http2' => sub {
    my $port = free_port();
    my $own = before(serve($port, 'node', $node, $port));
    ok(post($own, '/echo', $long)->body eq $long, 'an upload that comes back');
    like($own->get('/trailers')->trailer, qr/^x-sum: 42\r$/m, 'trailers');
    my $client = $own->connect;
    $client->write("GET /hints HTTP/1.1\r\nHost: a\r\n\r\n");
    is($client->read_response(interim => 1)->header('link'), '</a>', 'a 103');
    is($client->read_response->body, 'short', 'and the response');
};

subtest 'the same, many at once' => sub {
    my $port = free_port();
    my $own = before(serve($port, 'node', $node, $port));
    my @clients = map { $own->connect } 1 .. 30;
    my @bodies = map { substr($long, $_ * 1000, 70_000) } 1 .. 30;
    $clients[$_]->write("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n" . substr($bodies[$_], 0, 30_000)) for 0 .. 29;
    $clients[$_]->write(substr($bodies[$_], 30_000)) for reverse 0 .. 29;
    is(scalar(grep { $clients[$_]->read_response->body eq $bodies[$_] } 0 .. 29), 30, 'each has its own bytes');
};

my $h2 = Weir::Http2Backend->start;
subtest 'a client that reads slowly holds its own stream, and no other' => sub {
    my $own = before($h2->address);
    my $slow = $own->connect(receive_buffer => 4096);
    $slow->write("GET /large?50000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    $h2->wait_event(qr/^request .*large/);
    is($own->get('/fine')->body, 'fine', 'another request of the same connection is answered');
    is($h2->connections, 1, 'it is the same');
    ok($own->log_where(path => '/fine')->{status} && !(grep { $_->{path} =~ /large/ } $own->log_lines), 'the slow one is still under way');
    $slow->reset;
    is($own->log_where(path => '/large?50000000')->{code}, 'client_closed', 'until its client leaves');
};

subtest 'a gigabyte in each direction: memory is flat' => sub {
    plan skip_all => 'memory is not measured under sanitizers and valgrind' if is_sanitized();
    my $port = free_port();
    my $own = proxy(backends => [ serve($port, 'node', $node, $port) ], app => { protocol => 'h2c' });
    my $client = $own->connect;
    my $piece = 'x' x 1_048_576;
    my ($sent, $got) = (0, 0);
    $client->write("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    my $chunk = sprintf("%x\r\n", length $piece) . "$piece\r\n";
    for (1 .. 1024) {
        $sent += $client->write($chunk, 60);
        $got += length $client->{in};
        $client->{in} = '';
    }
    $client->write("0\r\n\r\n");
    while ($client->_more(time + wait_seconds())) {
        my $end = substr $client->{in}, -5;
        $got += length $client->{in};
        $client->{in} = '';
        last if $end eq "0\r\n\r\n";
    }
    cmp_ok($got, '>', 1024 * 1_048_576, 'all of it came back');
    cmp_ok($own->memory_kb('VmHWM'), '<', 32 * 1024, 'peak below 32 MiB: ' . $own->memory_kb('VmHWM') . ' KiB');
};

done_testing;
