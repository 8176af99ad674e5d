# SPDX-License-Identifier: MIT
# Which app a domain stands for, and what becomes of those that stand for none.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;

my %backend = map { $_ => ok_backend($_) } qw(shop wild deep blog);
my %apps = (
    shop => { domains => [ 'shop.example', 'www.shop.example', '[::1]' ], backends => [ $backend{shop}->address ] },
    wild => { domains => ['*.shop.example'], backends => [ $backend{wild}->address ] },
    deep => { domains => ['*.deep.shop.example'], backends => [ $backend{deep}->address ] },
    blog => { domains => ['blog.example'], backends => [ $backend{blog}->address ] },
    old  => { domains => ['old.example'], 'redirect-to' => 'shop.example' },
    port => { domains => ['port.example'], 'redirect-to' => 'shop.example:8443' },
);
my $proxy = proxy(apps => \%apps);

sub get { my ($host, $target) = @_; return $proxy->ask('GET ' . ($target // '/') . " HTTP/1.1\r\nHost: $host\r\n\r\n") }

subtest 'domains' => sub {
    my @cases = (
        [ 'shop.example',          'shop', 'its name' ],
        [ 'SHOP.Example',          'shop', 'in any case' ],
        [ 'shop.example:8080',     'shop', 'with a port' ],
        [ '[::1]',                 'shop', 'an address' ],
        [ '[::1]:80',              'shop', 'an address with a port' ],
        [ 'www.shop.example',      'shop', 'a name beats a wildcard' ],
        [ 'other.shop.example',    'wild', 'a wildcard' ],
        [ 'x.deep.shop.example',   'deep', 'the longer wildcard wins' ],
        [ 'blog.example',          'blog', 'another app' ],
    );
    for my $case (@cases) {
        my ($host, $app, $why) = @$case;
        my $r = get($host);
        is($r->body, $app, "$host: $why");
    }
};

subtest 'a domain nobody knows' => sub {
    for my $host ('nobody.example', 'example', 'xshop.example', 'shop.example.com', 'notshop.example') {
        my $r = get($host);
        is($r->status, 404, "$host: 404");
        like($r->body, qr/not_found/, 'the page names the reason');
    }
    my $line = $proxy->log_where(host => 'nobody.example');
    is($line->{code}, 'not_found', 'so does the log');
    is($line->{status}, 404, 'with its status');
    is($line->{dyno} // '', '', 'and no service');
};

subtest 'a redirect' => sub {
    my $r = get('old.example', '/a/b?c=d&e');
    is($r->status, 301, 'the status');
    is($r->header('Location'), 'http://shop.example/a/b?c=d&e', 'the same path on the new domain');
    is($r->header('Content-Length'), length $r->body, 'with a length');
    is(get('port.example', '/')->header('Location'), 'http://shop.example:8443/', 'a domain with a port');

    my $client = $proxy->connect;
    $client->write("HEAD / HTTP/1.1\r\nHost: old.example\r\n\r\nGET /next HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    is($client->read_response(head => 1)->status, 301, 'for HEAD as well');
    is($client->read_response->body, 'shop', 'and the connection lives on');
    my $line = $proxy->log_where(host => 'old.example', path => '/a/b?c=d&e');
    is($line->{status}, 301, 'in the log');
    is($line->{code}, undef, 'as no error');
};

subtest 'each request of a connection is looked up anew' => sub {
    my $client = $proxy->connect;
    my @hosts = qw(shop.example blog.example nobody.example);
    $client->write(join '', map { "GET / HTTP/1.1\r\nHost: $_\r\n\r\n" } @hosts);
    is($client->read_response->body, 'shop', 'one app');
    is($client->read_response->body, 'blog', 'another');
    is($client->read_response->status, 404, 'none');
};

subtest 'each host and path may have a router of its own' => sub {
    my %of = map { my $app = $_; $app => { module => 'table', apps => { $app => { domains => ['*'], backends => [ $backend{$app}->address ] } } } } qw(shop wild deep);
    my $own = proxy(router => $of{shop}, paths => { '/deep' => { 'weir.router' => $of{deep} } },
        hosts => { 'wild.test' => { paths => { '/' => { 'weir.router' => $of{wild} }, '/halt' => { 'weir.router' => router_so('small') } } } });
    my $client = $own->connect;
    my @asked = (map { "GET $_->[1] HTTP/1.1\r\nHost: $_->[0]\r\n\r\n" } [ 'a.test', '/' ], [ 'a.test', '/deep/x' ], [ 'wild.test', '/' ], [ 'a.test', '/x' ], [ 'wild.test', '/halt' ]);
    $client->write(join '', @asked);
    is(join(' ', map { $client->read_response->body } 1 .. 4), 'shop deep wild shop', 'each request is asked of its own');
    like($client->read_response->body, qr/small_fault/, 'also a module beside the built-in ones');
};

subtest 'an absolute target chooses host and app' => sub {
    my $echo = echo_backend;
    my $own  = proxy(apps => { %apps, echo => { domains => ['echo.test'], backends => [ $echo->address ] } },
        hosts => { 'host.test' => { paths => { '/' => { 'weir.router' => router_so('small') } } } });
    is($own->ask("GET http://blog.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n")->body, 'blog', 'Host does not');
    is($own->ask("GET http://Shop.example:81/ HTTP/1.0\r\n\r\n")->body, 'shop', 'in HTTP/1.0 without Host, too');
    like($own->ask("GET http://echo.test:81/x HTTP/1.1\r\nHost: shop.example\r\n\r\n")->body,
        qr{^GET /x HTTP/1\.1\r\nHost: echo\.test\r\n(?!.*shop\.example)}s, 'the backend hears of the same host, and of no other');
    like($own->ask("GET http://host.test/ HTTP/1.1\r\nHost: shop.example\r\n\r\n")->body, qr/small_fault/, 'the paths are those of that host');
};

# What HAProxy, keepalived and others send as a health check.
subtest 'HTTP/1.0 without Host' => sub {
    my $r = $proxy->ask("GET /bare HTTP/1.0\r\n\r\n");
    is($r->status, 400, 'no app takes everyone: 400');
    is($proxy->log_where(path => '/bare')->{code}, 'empty_host', 'its reason');
    my $echo  = echo_backend;
    my $catch = proxy(apps => { %apps, rest => { domains => ['*'], backends => [ $echo->address ] } });
    like($catch->ask("OPTIONS / HTTP/1.0\r\n\r\n")->body, qr{^OPTIONS / HTTP/1\.1\r\nHost: \r\n}, 'the app of "*" takes it, and the backend hears of no host');
    my $h2 = Weir::Http2Backend->start;
    $catch = proxy(apps => { rest => { domains => ['*'], backends => [ $h2->address ], protocol => 'h2c' } });
    $r = $catch->ask("GET /echo HTTP/1.0\r\n\r\n");
    is($r->status, 200, 'so does one whose backend speaks HTTP/2');
    unlike($r->body, qr/:authority/, 'without an empty :authority');
};

subtest 'weir.default-host' => sub {
    my $echo = echo_backend;
    my %all  = (shop => { domains => ['shop.example'], backends => [ $echo->address ] }, rest => { domains => ['*'], backends => [ $backend{blog}->address ] });
    my $own  = proxy(apps => \%all, global => { 'weir.default-host' => 'shop.example:81' });
    like($own->ask("GET /none HTTP/1.0\r\n\r\n")->body, qr{^GET /none HTTP/1\.1\r\nHost: shop\.example\r\n}, 'is asked for where HTTP/1.0 names none, and told to the backend');
    is($own->log_where(path => '/none')->{host}, 'shop.example', 'and in the log');
    like($own->ask("GET /empty HTTP/1.1\r\nHost:\r\n\r\n")->body, qr{\r\nHost: shop\.example\r\n}, 'or an empty one');
    is($own->ask("GET / HTTP/1.0\r\nHost: other.example\r\n\r\n")->body, 'blog', 'who names one has it');
    my $dir = temp_path('files');
    mkdir $dir or die $!;
    write_file("$dir/a.txt", 'a file');
    my $paths = proxy(
        backends => [ $backend{blog} ],
        hosts    => { 'files.example' => { paths => { '/' => { 'file.dir' => $dir } } } },
        global   => { 'weir.default-host' => 'files.example' },
    );
    is($paths->ask("GET /a.txt HTTP/1.0\r\n\r\n")->body, 'a file', 'it chooses among hosts');
    is($paths->ask("GET / HTTP/1.0\r\nHost: a\r\n\r\n")->body, 'blog', 'the others are there');
    refuses_config("listen: 1\nhosts: {default: {paths: {/: {file.dir: /tmp}}}}\nweir.default-host: $_\n", qr/3(?::\d+)?: weir\.default-host: must be a host/, "$_ is none") for ':80', 'a b', 'u@a';
};

subtest 'one app for everyone else' => sub {
    my $catch = proxy(apps => { %apps, rest => { domains => ['*'], backends => [ $backend{blog}->address ] } });
    is($catch->ask("GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n")->body, 'blog', 'a domain nobody else wants');
    is($catch->ask("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")->body, 'shop', 'the others keep theirs');
};

done_testing;
