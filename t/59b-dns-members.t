# SPDX-License-Identifier: MIT
# Names among the backends of the table (`dns:name:port`): each address is a backend of its own, and they follow the name.
use lib 't/lib';
use Weir::Test;
use Weir::TLS;

my $port = free_port();
my %at   = map { $_ => "127.0.$_" } qw(1.1 1.2 1.3);
my @own  = map { ok_backend($_, host => $at{$_}, port => $port) } sort keys %at;

sub app { my ($backends, %more) = @_; return { app => { domains => ['*'], backends => $backends, %more } } }

sub started {
    my ($dns, $backends, %more) = @_;
    return proxy(apps => app($backends, %more), global => { 'weir.dns-servers' => $dns->address });
}

# Who answers so many requests.
sub who { my ($proxy, $count) = @_; my %seen; $seen{ $_->status == 200 ? $_->body : $_->status }++ for map { $proxy->get('/') } 1 .. $count // 30; return \%seen }
sub names { return join ' ', sort keys %{ $_[0] } }

subtest 'each address is a backend' => sub {
    my $dns = dns_server('web.test' => { a => [ @at{qw(1.1 1.2)} ], ttl => 1 });
    my $proxy = started($dns, ["dns:Web.test:$port"], balance => 'round-robin');
    is($proxy->get('/')->status, 200, 'the first request waits for the name');
    my $who = who($proxy, 40);
    is_deeply($who, { '1.1' => 20, '1.2' => 20 }, 'each gets its share') or diag explain $who;
    is($proxy->log_lines(1) && ($proxy->log_lines(1))[0]{dyno} =~ /^127\.0\.1\.[12]:$port$/, 1, 'and is called by its address');
    $dns->knows('web.test' => { a => [ @at{qw(1.2 1.3)} ], ttl => 1 });
    ok(wait_for { names(who($proxy)) eq '1.2 1.3' }, 'they follow the name');
    is((grep { $_->{status} != 200 } $proxy->log_lines), 0, 'without an error');
};

subtest 'one of them is ill: it alone gets nothing' => sub {
    my $dns = dns_server('web.test' => { a => [ @at{qw(1.1 1.2)}, '127.0.9.9' ], ttl => 3600 });
    my $proxy = started($dns, ["dns:web.test:$port"], balance => 'round-robin', health => { tcp => 'ON', interval => 100, fall => 1 });
    ok(wait_for { $proxy->stderr =~ /backend 127\.0\.9\.9:$port fails its check: backend_refused/ }, 'checks are for each');
    is(names(who($proxy)), '1.1 1.2', 'the others serve');
};

subtest 'weights, ids, other backends beside it' => sub {
    my $dns = dns_server('web.test' => { a => [ @at{qw(1.1 1.2)} ], ttl => 3600 });
    my $proxy = started($dns, [ { at => "dns:web.test:$port", id => 'web', weight => 50 }, { at => "$at{'1.3'}:$port" }, { at => "dns:web.test:$port" } ], balance => 'round-robin');
    ok(wait_for { names(who($proxy, 80)) eq '1.1 1.2 1.3' }, 'all of them serve, soon');
    my $dynos = sub { who($proxy); my %seen = map { $_->{dyno} => 1 } $proxy->log_lines; return scalar grep { m{^web/127\.0\.1\.[12]:$port$} } keys %seen };
    ok(wait_for { $dynos->() == 2 }, 'an id stands before the address');
};

subtest 'no answer, and then one' => sub {
    my $dns = dns_server('web.test' => { silent => 1 });
    my $proxy = started($dns, ["dns:web.test:$port"]);
    my $r = $proxy->get('/');
    is($r->status, 503, 'one waits a while');
    is($proxy->log_where(status => 503)->{code}, 'backends_starting', 'and is told why');
    $dns->knows('web.test' => { a => [ $at{'1.1'} ], ttl => 1 });
    ok(wait_for { $proxy->get('/')->status == 200 }, 'the name has an address now');
};

subtest 'a name that is gone keeps what it had' => sub {
    my $dns = dns_server('web.test' => { a => [ $at{'1.1'} ], ttl => 1 });
    my $proxy = started($dns, ["dns:web.test:$port"]);
    is($proxy->get('/')->body, '1.1', 'it serves');
    $dns->knows('web.test' => { rcode => 'SERVFAIL' });
    my $asked = $dns->asked('web.test');
    ok(wait_for { $dns->asked('web.test') > $asked + 1 }, 'it is asked for again');
    is($proxy->get('/')->body, '1.1', 'and still serves');
};

subtest 'a name that does not exist' => sub {
    my $dns = dns_server();
    my $proxy = started($dns, ["dns:nowhere.test:$port"]);
    ok(wait_for { $proxy->stderr =~ /dns:nowhere\.test: backend_unresolved: there are no backends of this name/ }, 'it is said');
    is($proxy->get('/')->status, 503, 'there is nobody');
    is($proxy->log_where(status => 503)->{code}, 'no_backend', 'which is told');
    ok($proxy->reload(apps => app(["$at{'1.1'}:$port"]), global => { 'weir.dns-servers' => $dns->address }), 'a reload without it');
    is($proxy->get('/')->body, '1.1', 'is fine');
};

subtest 'reloads ask nobody, and keep who is there' => sub {
    my $dns = dns_server('web.test' => { a => [ @at{qw(1.1 1.2)} ], ttl => 3600 });
    my @with = (apps => app(["dns:web.test:$port"]), global => { 'weir.dns-servers' => $dns->address });
    my $proxy = proxy(@with);
    is($proxy->get('/')->status, 200, 'it serves');
    my $asked = $dns->asked('web.test');
    for my $n (1 .. 3) {
        ok($proxy->reload(@with, path => { 'weir.first-byte-timeout' => 30_000 + $n }), 'reload');
        is($proxy->get('/')->status, 200, 'it serves at once');
    }
    is($dns->asked('web.test'), $asked, 'the name was not asked for again');
};

subtest 'TLS: the name must stand in the certificate' => sub {
    my $ca   = authority('names');
    my $good = tls_backend(sub { $_[0]->serve(sub { simple_response('tls') }) }, cert => certificate('web.test', ca => $ca, names => ['web.test']));
    my $dns  = dns_server('web.test' => { a => ['127.0.0.1'], ttl => 3600 }, 'other.test' => { a => ['127.0.0.1'], ttl => 3600 });
    my $proxy = proxy(apps => {
        good => { domains => ['good.test'], backends => [ 'dns:https://web.test:' . $good->port ], tls => { 'ca-file' => $ca->{cert} } },
        bad => { domains => ['bad.test'], backends => [ 'dns:https://other.test:' . $good->port ], tls => { 'ca-file' => $ca->{cert} } },
    }, global => { 'weir.dns-servers' => $dns->address });
    is($proxy->ask("GET / HTTP/1.1\r\nHost: good.test\r\n\r\n")->body, 'tls', 'that of the name');
    is($proxy->ask("GET / HTTP/1.1\r\nHost: bad.test\r\n\r\n")->status, 502, 'another name is not believed');
    is($proxy->log_where(status => 502)->{code}, 'backend_tls_name', 'with the reason');
};

subtest 'mistakes' => sub {
    for my $text ('dns:127.0.0.1:80', 'dns:[::1]:80', 'dns:name', 'dns:unix:/x', 'dns:') {
        my $file = write_file(temp_path('wrong.yaml'), "listen: 80\nhosts: { default: { paths: { /: { weir.router: { module: table, apps: { app: {\n domains: [a.test],\n backends: [\"$text\"] } } } } } } }\n");
        my $run = weir('check', '-c', $file);
        is($run->{exit}, 1, $text);
        like($run->{err}, qr/^\Q$file\E:4: /m, 'with its place') or diag $run->{err};
    }
};

done_testing;
