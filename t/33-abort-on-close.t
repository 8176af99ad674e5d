# SPDX-License-Identifier: MIT
# A client that ends its side while it waits for a response: it may still read, or is gone, as the configuration has it.
use lib 't/lib';
use Weir::Test;

# Waits with its answer until it is told, or until the proxy is gone.
my $go      = temp_path('go');
my $backend = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        $c->write("HTTP/1.1 200 OK\r\nContent-Length: 200002\r\n\r\n" . 'x' x 200_000) if $head =~ m{^GET /half};
        $c->note("asked $1") if $head =~ m{^\w+ (\S+)};
        if ($head =~ m{^\w+ /gone}) { $c->wait_close; $c->note('let go'); return }
        wait_for { -e $go };
        $c->write($head =~ m{^GET /half} ? '!!' : simple_response('late'));
    }
});
my %on = (global => { 'weir.abort-on-close' => 'ON' });

# A client that has asked, and ended its side when the backend had heard it.
sub client {
    my ($proxy, $request) = @_;
    my $client = $proxy->connect;
    $client->write($request);
    my ($path) = $request =~ m{^\w+ (\S+)};
    $backend->wait_event(qr/ asked \Q$path\E$/);
    $client->shutdown_write;
    return $client;
}

sub request { return "GET $_[0] HTTP/1.1\r\nHost: a\r\n\r\n" }

subtest 'OFF: it gets its answer' => sub {
    my $proxy  = proxy(backends => [$backend]);
    my $client = client($proxy, request('/off'));
    ok($client->is_silent(0.3), 'it waits');
    write_file($go, '');
    my $r = $client->read_response;
    is($r && $r->body, 'late', 'and reads');
    is($proxy->log_where(path => '/off')->{status}, 200, 'the log has nothing else to say');
    unlink $go;
};

subtest 'ON: it is gone' => sub {
    my $proxy = proxy(backends => [$backend], %on);
    for my $case ([ '/gone/get', request('/gone/get') ], [ '/gone/post', "POST /gone/post HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" ]) {
        my ($path, $text) = @$case;
        my $client = client($proxy, $text);
        $backend->wait_event(qr/let go/);
        is($client->read_eof, '', "$path: the connection is closed");
        my $line = $proxy->log_where(path => $path);
        is("$line->{code} $line->{status}", 'client_closed 499', "$path: and the backend let go");
    }
};

subtest 'ON: a response that is under way goes on' => sub {
    my $proxy  = proxy(backends => [$backend], %on);
    my $client = $proxy->connect;
    $client->write(request('/half'));
    ok(defined $client->read_until(qr/\r\n\r\n(?:x{50000}){4}/), 'it has begun');
    $client->shutdown_write;
    ok($client->is_silent(0.3), 'the client has ended its side');
    write_file($go, '');
    is($client->read_until(qr/!!/), '!!', 'and reads the rest');
    unlink $go;
};

subtest 'ON: at one path' => sub {
    my $router = { module => 'table', apps => { main => { domains => ['*'], backends => [ $backend->address ] } } };
    my $proxy  = proxy(paths => { '/' => { 'weir.router' => $router }, '/gone' => { 'weir.router' => $router, 'weir.abort-on-close' => 'ON' } });
    my $gone   = client($proxy, request('/gone/there'));
    is($proxy->log_where(path => '/gone/there')->{status}, 499, 'gone');
    my $client = client($proxy, request('/here'));
    write_file($go, '');
    is($client->read_response->body, 'late', 'elsewhere not');
    unlink $go;
};

done_testing;
