# SPDX-License-Identifier: MIT
# The commands that speak with a process that runs: what they print, what they do, what they exit with.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;
use JSON::PP ();

my $path = admin_path(temp_path('admin.sock'));
my ($one, $two, $three) = map { ok_backend($_) } qw(one two three);
my $proxy = proxy(
    global => { 'weir.admin' => { path => $path } },
    router => { module => 'table', name => 'main', apps => {
        shop => { domains => ['shop.test'], backends => [ { at => $one->address, id => 'one' }, { at => $two->address, id => 'two' } ], hold => 100 },
        blog => { domains => ['blog.test'], backends => [ $three->address ] } } },
);

ok(wait_for { -S $path }, 'the endpoint is there');

sub column {
    my ($name, $id) = @_;
    my (undef, $out) = said('backends', 'shop');
    my ($head, @rows) = split /\n/, $out;
    my @names = split ' ', $head;
    my ($row) = grep { /^\Q$id\E\s/ } @rows;
    my %value;
    @value{@names} = split ' ', $row // '';
    return $value{$name};
}

subtest 'what there is' => sub {
    is((said('routers'))[1], join('', "NAME  ROUTER  GENERATION  ADMIN  AT\n", (said('routers'))[1] =~ /(main  table            1  yes    \S+:\d+\n)/), 'routers');
    my $apps = (said('apps'))[1];
    is($apps, "APP   STATE  IN-FLIGHT  WAITING  BACKENDS  WELL\nblog  up             0        0         1     1\nshop  up             0        0         2     2\n", 'apps');
    like((said('apps', 'shop'))[1], qr/^shop: up, 0 in flight, 0 waiting\nsettings that are not the usual ones:\n  hold: 100\nID /, 'one of them');
    is(column('AT', 'one'), $one->address, 'backends');
    my $document = JSON::PP::decode_json((said('apps', '--json'))[1]);
    is(join(' ', map { $_->{app} } @$document), 'blog shop', 'for programs');
    is(weir('apps', '-c', $proxy->config)->{out}, $apps, 'the socket of a configuration');
    is((said('apps', '--router', 'main'))[1], $apps, 'by the name of the router');
};

subtest 'what they do' => sub {
    does('a weight', 'weight', 'shop', 'one', '7');
    is(column('WEIGHT', 'one'), 7);
    does('another backend', 'add', 'shop', $three->address, '--id', 'three', '--weight', '9', '--tier', '2', '--max-requests', '5');
    is(column('WEIGHT', 'three') . ' ' . column('TIER', 'three'), '9 2');
    for ([ drain => 'draining' ], [ off => 'off' ], [ up => 'up' ]) {
        does($_->[0], $_->[0], 'shop', 'two');
        is(column('STATE', 'two'), $_->[1]);
    }
    does('is removed', 'remove', 'shop', 'three');
    is(column('STATE', 'three'), undef);
    does('pause', 'pause', 'shop', '--max', '60s');
    like((said('apps'))[1], qr/^shop  paused /m);
    my $client = $proxy->connect;
    $client->write("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    ok(wait_for { (said('apps'))[1] =~ /^shop  paused +\d+ +1 /m }, 'a request waits');
    does('resume', 'resume', 'shop', '--spread', '50ms');
    is($client->read_response->{status}, 200);
    does('stop', 'stop', 'shop');
    like((said('apps'))[1], qr/^shop  stopped /m);
    does('resume', 'resume', 'shop');
};

subtest 'what is refused' => sub {
    refuses('no such app', 1, 'there is no app none', 'apps', 'none');
    refuses('no such backend', 1, 'the app shop has no backend none', 'drain', 'shop', 'none');
    refuses('too heavy', 1, 'weight: must be .*', 'weight', 'shop', 'one', '1001');
    refuses('no number', 2, 'weight: heavy is no number', 'weight', 'shop', 'one', 'heavy');
    refuses('no time', 2, 'soon is no time: 250ms, 30s, 5m', 'pause', 'shop', '--max', 'soon');
    refuses('too few words', 2, 'usage: weir weight APP ID N', 'weight', 'shop', 'one');
    refuses('too many words', 2, 'usage: weir pause APP', 'pause', 'shop', 'one');
    refuses('an unknown option', 2, 'unknown option: --loud', 'apps', '--loud');
    refuses('a router that is none', 1, 'there is no router of this name', 'apps', '--router', 'other');
    my ($exit, $out) = said('apps', 'none', '--json');
    is($exit . ' ' . JSON::PP::decode_json($out)->{type}, '1 urn:weir:problem:unknown-app', 'a problem, for programs');
    my $nobody = weir('apps', '-s', temp_path('nobody.sock'));
    is($nobody->{exit}, 6, 'nobody is there');
    like($nobody->{err}, qr/No such file/);
};

like(weir('help')->{out}, qr/weir drain\|off\|up APP ID/, 'the help has them');
done_testing;
