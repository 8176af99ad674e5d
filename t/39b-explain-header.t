# SPDX-License-Identifier: MIT
# weir.explain-trusted: why a request went where it went, in the response to those who may know.
use lib 't/lib';
use Weir::Test;

# What a client of this app is told; of a page, too.
sub explained {
    my ($proxy, $host, $headers, $path) = @_;
    my $answer = $proxy->raw('GET ' . ($path // '/') . " HTTP/1.1\r\nHost: $host.test\r\n" . ($headers // '') . "Connection: close\r\n\r\n");
    my @lines = $answer =~ /^x-weir-explain: (.*?)\r?$/gmi;
    return { status => $answer =~ m{^HTTP/1.1 (\d+)} ? $1 : 0, lines => scalar @lines, text => $lines[0] // '' };
}

my ($backend, $other) = map { ok_backend($_) } qw(one two);
my $dead = refusing_port();

sub platform {
    my (%global) = @_;
    return proxy(
        global => \%global,
        router => {
            module => 'table',
            apps => {
                shop => {
                    domains => [ 'shop.test', 'shop.test/sub' ],
                    backends => [{ at => $backend->address, id => 'web-1' }, { at => $other->address, id => 'web 2' }],
                },
                one => { domains => ['one.test'], backends => [$backend->address], affinity => 'ON' },
                gone => { domains => ['gone.test'], backends => [{ at => "127.0.0.1:$dead", id => 'lost' }] },
                none => { domains => ['*.none.test'], backends => [], hold => 1 },
            },
        },
    );
}

subtest 'who may know' => sub {
    my $proxy = platform('weir.explain-trusted' => ['127.0.0.0/8']);
    my $told = explained($proxy, 'shop');
    is($told->{status}, 200);
    is($told->{lines}, 1, 'one header');
    like($told->{text}, qr{^app=shop rule=exact pick=best drawn=\S+ queue=0 tries=1 pin=none$}, 'what was decided');
    my ($drawn) = $told->{text} =~ /drawn=(\S+)/;
    is(join(' ', sort map { s/:\d+\/\d+$//r } split /,/, $drawn), 'web-1 web?2', 'both were compared, and no name breaks the word')
      or diag $told->{text};
    like(explained($proxy, 'one')->{text}, qr{^app=one rule=exact pick=only drawn=\S+ queue=0 tries=1 pin=new$}, 'a pin');
    my $failed = explained($proxy, 'gone');
    is($failed->{status}, 503, 'a page');
    like($failed->{text}, qr{^app=gone rule=exact pick=(?:only|last) .*tries=[1-9]\d* pin=none$}, 'says it, too');
    my $held = explained($proxy, 'a.none');
    like($held->{text}, qr{^app=none rule=suffix pick=none queue=\d+ tries=0 pin=none$}, 'who waited for nobody');
    like(explained($proxy, 'shop', '', '/sub/x')->{text}, qr{^app=shop rule=exact,prefix pick}, 'a path');
    is(explained($proxy, 'unknown')->{lines}, 0, 'nothing was decided where there is no app');
};

subtest 'who may not' => sub {
    is(explained(platform('weir.explain-trusted' => ['192.0.2.0/24', '::1']), 'shop')->{lines}, 0, 'another network');
    is(explained(platform(), 'shop')->{lines}, 0, 'nobody, by default');
    my $behind = platform('weir.explain-trusted' => ['192.0.2.7'], 'weir.trusted-proxies' => ['127.0.0.1']);
    is(explained($behind, 'shop', "X-Forwarded-For: 192.0.2.7\r\n")->{lines}, 1, 'the client counts, not the proxy in front of us');
    is(explained($behind, 'shop', "X-Forwarded-For: 192.0.2.8\r\n")->{lines}, 0, 'nor another client');
};

refuses_config(<<'YAML', qr/\d+: weir\.explain-trusted: 10\.0\.0\.0\/99 is neither an address/, 'a network that is none');
listen: 8080
weir.explain-trusted: [ 10.0.0.0/99 ]
hosts:
  default: { paths: { /: { weir.router: { module: table, apps: { a: { domains: [ "*" ], backends: [ "127.0.0.1:1" ] } } } } } }
YAML

done_testing;
