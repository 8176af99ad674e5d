# SPDX-License-Identifier: MIT
# FastCGI applications that misbehave: each has its reason in the log, the client has a page or an incomplete message, and the next
# request is fine.
use lib 't/lib';
use Weir::Test;
use Weir::FastCGI;

my %case;
my @order;

# name, what the application says, status for the client ('cut': 200 and an incomplete message), reason in the log
sub misbehaves {
    my ($name, $says, $status, $code) = @_;
    $case{$name} = $says;
    push @order, [ $name, $status, $code ];
}

my $head = output("A: 1\n\n");
my $pause = sub { select undef, undef, undef, 0.05 };

# records
misbehaves('another version', record(STDOUT => 'A: 1', version => 2), 502, 'backend_fastcgi_record');
misbehaves('another request', record(STDOUT => "A: 1\n\n", request => 2) . ending(), 502, 'backend_fastcgi_record');
misbehaves('an unknown type', record(99 => 'x'), 502, 'backend_fastcgi_record');
misbehaves('values unasked', record(10 => 'x', request => 0), 502, 'backend_fastcgi_record');
misbehaves('a record of ours', record(STDIN => 'x'), 502, 'backend_fastcgi_record');
misbehaves('a short end', record(END => 'x'), 502, 'backend_fastcgi_record');
misbehaves('HTTP', "HTTP/1.1 200 OK\r\n\r\n", 502, 'backend_fastcgi_record');
misbehaves('half a record', substr(output("A: 1\n\nbody"), 0, 12), 503, 'backend_truncated');
misbehaves('half a head of a record', "\1\6\0", 503, 'backend_truncated');
misbehaves('a broken record in a body', sub { $_[0]->write($head . output('x')); $pause->(); $_[0]->write(record(99 => 'x')) }, 'cut', 'backend_fastcgi_record');
misbehaves('a broken record behind a head', $head . output('x') . record(99 => 'x'), 502, 'backend_fastcgi_record');
misbehaves('half a record in a body', $head . substr(output('x' x 100), 0, 50), 'cut', 'backend_truncated');
misbehaves('no word', '', 503, 'backend_closed');
misbehaves('no end', $head . output('all'), 'cut', 'backend_truncated');

# ends
misbehaves('too much to do', ending(0, 2), 503, 'backend_fastcgi_overloaded');
misbehaves('no responder', ending(0, 3), 502, 'backend_fastcgi_refused');
misbehaves('no multiplexing', ending(0, 1), 502, 'backend_fastcgi_refused');
misbehaves('an unknown end', ending(0, 4), 502, 'backend_fastcgi_record');
misbehaves('an end at once', ending(), 502, 'backend_fastcgi_incomplete');
misbehaves('a failure at once', errors("oh\n") . ending(1), 502, 'backend_fastcgi_failed');
misbehaves('an end in the head', output('A: 1') . ending(), 502, 'backend_fastcgi_incomplete');
misbehaves('a failure in the head', output('A: 1') . ending(255), 502, 'backend_fastcgi_failed');
misbehaves('a short body', output("Content-Length: 9\n\nshort") . ending(), 502, 'backend_fastcgi_incomplete');
misbehaves('a failure in a short body', output("Content-Length: 9\n\nshort") . ending(2), 502, 'backend_fastcgi_failed');
misbehaves('a long body that is short', output("Content-Length: 100000\n\nshort") . ending(), 502, 'backend_fastcgi_incomplete');
misbehaves('a long body that ends later', sub { $_[0]->write(output("Content-Length: 100000\n\nshort")); $pause->(); $_[0]->write(ending(3)) }, 'cut', 'backend_fastcgi_failed');

# heads
misbehaves('a status line', output("HTTP/1.0 200 OK\r\nA: 1\r\n\r\n") . ending(), 502, 'backend_invalid_header');
misbehaves('no colon', output("A\n\n") . ending(), 502, 'backend_invalid_header');
misbehaves('a fold', output("A: 1\n b\n\n") . ending(), 502, 'backend_invalid_header');
misbehaves('a NUL', output("A: 1\0\n\n") . ending(), 502, 'backend_invalid_header');
misbehaves('no number', output("Status: OK\n\n") . ending(), 503, 'backend_invalid_status');
misbehaves('two of them', output("Status: 200\nStatus: 404\n\n") . ending(), 503, 'backend_invalid_status');
misbehaves('an interim one', output("Status: 103\n\n") . ending(), 503, 'backend_invalid_status');
misbehaves('switching', output("Status: 101\n\n") . ending(), 503, 'backend_invalid_status');
misbehaves('chunks', output("Transfer-Encoding: chunked\n\n0\r\n\r\n") . ending(), 502, 'backend_invalid_transfer_encoding');
misbehaves('no length', output("Content-Length: x\n\n") . ending(), 502, 'backend_content_length');
misbehaves('a cookie too long', output('Set-Cookie: ' . 'c' x 8181 . "\n\n") . ending(), 502, 'backend_cookie_length');
misbehaves('a status too long', output('Status: 200 ' . 'x' x 8189 . "\n\n") . ending(), 502, 'backend_status_length');
misbehaves('a head without end', output("A: 1\n" x 300000), 502, 'backend_header_length');

# silence
misbehaves('silence', sub { $_[0]->wait_close }, 503, 'backend_timeout');
misbehaves('silence in the head', sub { $_[0]->write(output('A: ')); $_[0]->wait_close }, 503, 'backend_timeout');
misbehaves('silence in the body', sub { $_[0]->write($head . output('x')); $_[0]->wait_close }, 'cut', 'backend_timeout');
misbehaves('a reset', sub { $_[0]->reset }, 503, 'backend_reset');

my $backend = fastcgi_backend(sub {
    my ($c, $request) = @_;
    my ($path) = $request->{params}{PATH_INFO} =~ m{^/(.*)}s;
    return whole('fine') if $path eq 'fine';
    my $says = $case{$path} // die "no case $path";
    ref $says ? $says->($c) : $c->write($says);
    return;
});
my $proxy = proxy(
    backends => [$backend],
    app  => { protocol => 'fastcgi', keepalive => 'default' },
    path => { 'weir.first-byte-timeout' => ms(1000), 'weir.idle-timeout' => ms(1000) },
);

sub path_of { return '/' . $_[0] =~ s/([^\w.-])/sprintf '%%%02x', ord $1/ger }

for my $case (@order) {
    my ($name, $status, $code) = @$case;
    subtest "$name: $code" => sub {
        my $path = path_of($name);
        my $client = $proxy->connect;
        $client->write("GET $path HTTP/1.1\r\nHost: a\r\n\r\n");
        my $r = $client->read_response or return fail('there is a response');
        shows_fault($client, $r, $status, $code);
        like($proxy->log_where(path => $path)->{code}, qr/^(?:$code)$/, 'code=');
        is($proxy->get('/fine')->body, 'fine', 'the next request is fine');
    };
}

subtest 'paths that lead elsewhere' => sub {
    for my $path ('/..', '/a/../b', '/%2e%2e/a', '/a%2f..%2fb', '/a%00b') {
        my $r = $proxy->get($path);
        is($r->status, 400, $path);
        like($r->body, qr/^bad_script_path\b/m, 'its reason');
    }
};

subtest 'the proxy lets go of each such application' => sub {
    ok(wait_for { 1 >= abs($backend->connections - grep { /^done / } $backend->events) }, 'every connection is closed, but one in the pool')
        or diag(join "\n", grep { /died/ } $backend->events);
};

done_testing;
