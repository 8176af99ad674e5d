# SPDX-License-Identifier: MIT
# The request's id in what the client gets: what it can name to whoever reads the log.
use lib 't/lib';
use Weir::Test;

my $uuid    = qr/^[0-9a-f-]{36}$/;
my $backend = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        $c->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), return if $head =~ m{^GET /switch};
        $c->write(simple_response('ok', headers => $head =~ m{^GET /own} ? "x-request-id: the-backends-own\r\nX-Request-ID: another\r\n" : ''));
    }
});
my %apps = (
    main => { domains => ['a'],    backends => [ $backend->address ] },
    dead => { domains => ['dead'], backends => [ '127.0.0.1:' . refusing_port() ] },
    old  => { domains => ['old'],  'redirect-to' => 'a' },
);

sub get {
    my ($proxy, $path, $host, $headers) = @_;
    return $proxy->ask("GET $path HTTP/1.1\r\nHost: $host\r\n" . ($headers // '') . "\r\n");
}

# All ids of a response.
sub ids { return join ' ', map { /^x-request-id: (.*?)\r?$/i ? $1 : () } split /\n/, $_[0]->head }

subtest 'error pages' => sub {
    my $proxy = proxy(apps => \%apps);
    my $r = get($proxy, '/page', 'dead');
    is($r->status, 503, 'a page');
    like(ids($r), $uuid, 'has an id');
    is(ids($r), $proxy->log_where(path => '/page')->{request_id}, 'which the log has, too');
    is(ids(get($proxy, '/theirs', 'nobody', "X-Request-Id: an-id-of-the-clients-own\r\n")), 'an-id-of-the-clients-own', 'or the client\'s own');
    is(ids(get($proxy, '/fine', 'a')), '', 'no other response does');
    is(ids(get($proxy, '/own', 'a')), 'the-backends-own another', 'a backend says what it likes');
    is(ids(get($proxy, '/old', 'old')), '', 'nor a redirect');
};

subtest 'weir.request-id-to-client' => sub {
    my $proxy = proxy(apps => \%apps, global => { 'weir.request-id-to-client' => 'ON' });
    my $id = 'an-id-of-the-clients-own';
    for my $case ([ '/fine', 'a', 200 ], [ '/own', 'a', 200 ], [ '/old', 'old', 301 ], [ '/page', 'dead', 503 ], [ '/none', 'nobody', 404 ]) {
        my ($path, $host, $status) = @$case;
        my $r = get($proxy, $path, $host, "X-Request-Id: $id\r\n");
        is($r->status, $status, "$path: $status");
        is(ids($r), $id, "$path: with the id, once");
    }
    my $client = $proxy->connect;
    $client->write("GET /switch HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nX-Request-Id: $id\r\n\r\n");
    like($client->read_head, qr/^HTTP\/1\.1 101 .*^X-Request-Id: $id\r$/ms, 'a 101 as well');
};

subtest 'the name of the header' => sub {
    my $proxy = proxy(apps => \%apps, global => { 'weir.request-id-to-client' => 'ON', 'weir.request-id-header' => 'X-Trace' });
    like(get($proxy, '/fine', 'a')->header('X-Trace') // '', $uuid, 'is the one of the request');
    is(get($proxy, '/own', 'a')->header('x-request-id'), 'the-backends-own', 'others stay as they are');
};

subtest 'a module of a user\'s' => sub {
    my $proxy = proxy(global => { 'weir.request-id-to-client' => 'ON' }, router => { module => router_so('small') });
    my $r = get($proxy, '/', 'a');
    is($r->status, 502, 'refuses');
    like($r->header('X-Request-Id') // '', $uuid, 'has the id');
};

done_testing;
