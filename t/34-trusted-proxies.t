# SPDX-License-Identifier: MIT
# Who the client is behind proxies whose word counts, for routers, backends and the log; and nobody else's word does.
use lib 't/lib';
use Weir::Test;

my $echo   = echo_backend();
my $way    = "X-Forwarded-For: 6.6.6.6, 198.51.100.7, 10.0.0.3\r\n";
my $others = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n";
my %trusts = (global => { 'weir.trusted-proxies' => [ '127.0.0.0/8', '10.0.0.0/8' ] });

# What the backend sees, as a response.
sub seen {
    my ($proxy, $path, $headers, %option) = @_;
    my $client = $option{client} // $proxy->connect;
    $client->write("GET $path HTTP/1.1\r\nHost: a.test\r\n$headers\r\n");
    return Weir::Response->new($client->read_response->body, '', '', 1, '');
}

sub all { my ($seen, $name) = @_; return join ' | ', $seen->all($name) }

subtest 'without it as ever' => sub {
    my $proxy = proxy(backends => [$echo]);
    my $seen  = seen($proxy, '/ever', $way . $others . "Forwarded: for=1.1.1.1\r\n");
    is(all($seen, 'X-Forwarded-For'), '6.6.6.6, 198.51.100.7, 10.0.0.3, 127.0.0.1', 'the whole list, and the connection');
    is(all($seen, 'X-Forwarded-Proto'), 'http', 'how it came');
    is(all($seen, 'X-Forwarded-Host') . all($seen, 'Forwarded'), 'shop.examplefor=1.1.1.1', 'the rest is passed on');
    is($proxy->log_where(path => '/ever')->{fwd}, '6.6.6.6, 198.51.100.7, 10.0.0.3, 127.0.0.1', 'fwd');
};

subtest 'a trusted peer' => sub {
    my $proxy = proxy(backends => [$echo], %trusts);
    my $seen  = seen($proxy, '/trusted', $way . $others);
    is(all($seen, 'X-Forwarded-For'), '198.51.100.7, 10.0.0.3, 127.0.0.1', 'the list begins with the client');
    is(all($seen, 'X-Forwarded-Proto'), 'https', 'what the client speaks');
    is(all($seen, 'X-Forwarded-Host'), 'shop.example', 'X-Forwarded-Host is passed on');
    my $line = $proxy->log_where(path => '/trusted');
    is("$line->{fwd} $line->{protocol}", '198.51.100.7, 10.0.0.3, 127.0.0.1 https', 'so does the log');
    $seen = seen($proxy, '/forwarded', "Forwarded: for=6.6.6.6, for=\"198.51.100.8:99\";proto=https\r\n");
    is(all($seen, 'X-Forwarded-For'), '198.51.100.8, 127.0.0.1', 'Forwarded');
    is(all($seen, 'X-Forwarded-Proto'), 'https', 'with its proto');
    is(all($seen, 'Forwarded'), 'for="198.51.100.8:99";proto=https', 'is passed on from the client on');
    $seen = seen($proxy, '/broken', "X-Forwarded-For: 1.2.3.4, what is this, 10.0.0.9\r\n");
    is(all($seen, 'X-Forwarded-For'), '10.0.0.9, 127.0.0.1', 'a list is believed up to what is no address');
    is(all(seen($proxy, '/none', ''), 'X-Forwarded-For'), '127.0.0.1', 'without a list the peer is the client');
};

subtest 'anybody else' => sub {
    my $proxy = proxy(backends => [$echo], global => { 'weir.trusted-proxies' => '10.0.0.0/8' });
    my $seen  = seen($proxy, '/spoofed', $way . $others . "Forwarded: for=10.0.0.1\r\nx-forwarded-for: 10.0.0.4\r\n");
    is(all($seen, 'X-Forwarded-For'), '127.0.0.1', 'is the client');
    is(all($seen, 'X-Forwarded-Proto'), 'http', 'and speaks what it speaks');
    is(all($seen, $_), '', "its $_ is removed") for qw(X-Forwarded-Host Forwarded);
    is($proxy->log_where(path => '/spoofed')->{fwd}, '127.0.0.1', 'in the log, too');
};

subtest 'a PROXY header, a unix socket, requests of one connection' => sub {
    my $path  = temp_path('weir.sock');
    my $proxy = proxy(backends => [$echo], listen => [ { port => $path, type => 'unix' } ], listen_with => { 'proxy-protocol' => 'ON' },
        global => { 'weir.trusted-proxies' => [ '192.0.2.1', 'unix' ] });
    my $client = $proxy->connect;
    $client->write("PROXY TCP4 192.0.2.1 192.0.2.2 1111 80\r\n");
    is(all(seen($proxy, '/one', "X-Forwarded-For: 198.51.100.$_\r\n", client => $client), 'X-Forwarded-For'), "198.51.100.$_, 192.0.2.1", "client $_") for 1 .. 2;
    $client = $proxy->connect;
    $client->write("PROXY TCP4 192.0.2.9 192.0.2.2 1111 80\r\n");
    is(all(seen($proxy, '/other', $way, client => $client), 'X-Forwarded-For'), '192.0.2.9', 'of another sender');
    is(all(seen($proxy, '/unix', $way, client => $proxy->connect(to => "unix:$path")), 'X-Forwarded-For'), '10.0.0.3, unix', 'who comes by a unix socket');
};

subtest 'routers' => sub {
    my $proxy = proxy(router => { module => router_so('tlv'), backend => $echo->address }, %trusts);
    my $seen  = seen($proxy, '/', $way);
    is($seen->header('X-Peer'), '198.51.100.7 0', 'are told of the client');
};

subtest 'redirects' => sub {
    my $proxy = proxy(apps => { old => { domains => ['a.test'], 'redirect-to' => 'b.test' }, new => { domains => ['b.test'], backends => [ $echo->address ] } }, %trusts);
    is($proxy->get('/x', $others)->header('Location'), 'https://b.test/x', 'lead to what the client speaks');
};

subtest 'at one path' => sub {
    my $router = { module => 'table', apps => { main => { domains => ['*'], backends => [ $echo->address ] } } };
    my $proxy  = proxy(%trusts, paths => { '/' => { 'weir.router' => $router }, '/nobody' => { 'weir.router' => $router, 'weir.trusted-proxies' => [] } });
    is(all(seen($proxy, '/', $way), 'X-Forwarded-For'), '198.51.100.7, 10.0.0.3, 127.0.0.1', 'the outer level');
    is(all(seen($proxy, '/nobody', $way), 'X-Forwarded-For'), '6.6.6.6, 198.51.100.7, 10.0.0.3, 127.0.0.1', 'an empty list');
};

refuses_config(<<'YAML', qr/\d+: weir\.trusted-proxies: 10\.0\.0\.0\/33 is neither an address/, 'a network that is none');
listen: 8080
hosts:
  default:
    paths:
      /:
        weir.router: stub
        weir.trusted-proxies: [10.0.0.0/33]
YAML

done_testing;
