# SPDX-License-Identifier: MIT
# Names of backends by what the system says: /etc/hosts, /etc/resolv.conf and nsswitch.conf, in a name space where they are ours.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

my @unshare = ('unshare', $> == 0 ? '-m' : '-rm');
plan(skip_all => 'files in /etc cannot be replaced here')
    if system(qq(@unshare sh -c 'mount --bind /etc/hosts /etc/hosts' >/dev/null 2>&1)) != 0 || grep { !-e "/etc/$_" } qw(hosts resolv.conf nsswitch.conf);

my $module = temp_path('modules');
mkdir $module or die $!;
my @cc = ($ENV{CC} // 'cc', qw(-shared -fPIC -O1 -Wall), 't/tools/nss_weirtest.c', '-o', "$module/libnss_weirtest.so.2");
system(@cc) == 0 or die 'cannot compile the module';

my $port = free_port();
my @own  = map { ok_backend($_, host => "127.0.$_", port => $port) } qw(1.1 1.2);
my $log  = temp_path('asked');
my %etc  = map { $_ => temp_path($_) } qw(hosts resolv.conf nsswitch.conf);

# What stands in /etc of the proxies from now on: in place, as a container's manager does.
sub etc { my (%text) = @_; write_file($etc{$_}, $text{$_}) for keys %text; return }

sub proxy_for {
    my ($names, %more) = @_;
    my $mounts = join ' && ', map { "mount --bind $etc{$_} /etc/$_" } sort keys %etc;
    my %apps = map { my $name = $_; $name => { domains => [$name], backends => ["$name:$port"], keepalive => 'none' } } @$names;
    return proxy(
        apps => \%apps, path => { 'weir.connect-timeout' => ms(8000) },
        prefix => [ @unshare, '/bin/sh', '-c', "$mounts && exec \"\$@\"", 'sh' ],
        env => { WEIRTEST_LOG => $log, LD_LIBRARY_PATH => $module }, %more,
    );
}

sub get  { my ($proxy, $name) = @_; return $proxy->ask("GET / HTTP/1.1\r\nHost: $name\r\nConnection: close\r\n\r\n") }
sub asked { my ($name) = @_; return -e $log ? scalar(grep { $_ eq $name } split /\n/, read_file($log)) : 0 }

subtest '/etc/hosts' => sub {
    etc('hosts' => "127.0.0.1 localhost\n127.0.1.1 a.test other.test\n", 'resolv.conf' => "nameserver 127.0.9.9\n", 'nsswitch.conf' => "hosts: files dns\n");
    my $proxy = proxy_for([qw(a.test other.test b.test)]);
    is(get($proxy, $_)->body, '1.1', "$_ stands there") for qw(a.test other.test);
    etc('hosts' => "127.0.1.2 a.test\n127.0.1.1 b.test\n");
    is(get($proxy, 'b.test')->body, '1.1', 'b.test stands there now, which is seen when it is asked for');
    is(get($proxy, 'a.test')->body, '1.2', 'and a.test has moved');
    is(get($proxy, 'other.test')->status, 200, 'a name that is gone serves on for a while');
};

SKIP: {
    my $names = { a => ['127.0.1.1'], ttl => 3600 };
    my $dns = dns_server_at('127.0.9.7', 'a.test' => $names, 'long.search.test' => $names) or skip 'no right to port 53', 1;
    my $new = dns_server_at('127.0.9.8', 'b.test' => { a => ['127.0.1.2'] });
    subtest '/etc/resolv.conf' => sub {
        etc('hosts' => '', 'resolv.conf' => "nameserver 127.0.9.7\nsearch none.test search.test\n", 'nsswitch.conf' => "hosts: files dns\n");
        my $proxy = proxy_for([qw(a.test b.test long)]);
        is(get($proxy, 'a.test')->body, '1.1', 'names its server');
        is(get($proxy, 'long')->body,   '1.1', 'and search domains');
        etc('resolv.conf' => "nameserver 127.0.9.8\n");
        is(get($proxy, 'b.test')->body, '1.2', 'another one is asked as soon as it stands there');
    };
}

subtest 'modules of nsswitch.conf' => sub {
    etc('hosts' => '', 'resolv.conf' => "nameserver 127.0.9.9\n", 'nsswitch.conf' => "hosts: files dns\n");
    my $proxy = proxy_for([qw(alive.weirtest none.weirtest sleeps.weirtest)], global => { 'num-name-resolution-threads' => 2 });
    is(get($proxy, 'alive.weirtest')->status, 503, 'files and dns alone know nothing');
    etc('nsswitch.conf' => "passwd: files\nhosts: files [!UNAVAIL=continue] weirtest # ours\n");
    ok((wait_for { get($proxy, 'alive.weirtest')->status == 200 }), 'a module that stands there is asked');
    is(asked('alive.weirtest'), 1, 'once');
    my $client = $proxy->connect;
    $client->write("GET / HTTP/1.1\r\nHost: sleeps.weirtest\r\n\r\n");
    wait_for { asked('sleeps.weirtest') };
    my $r = get($proxy, 'none.weirtest');
    is($r->status, 503, 'one that it does not know');
    like($r->body, qr/backend_unresolved/, 'by its reason');
    is($client->read_response->status, 503, 'one that hangs there has the time of all');
    my $begin = time;
    is($proxy->stop, 0, 'and keeps nobody at the end');
    cmp_ok(time - $begin, '<', 3 * Weir::Client::slow(), 'the proxy is gone');
};

subtest 'weir.dns-servers' => sub {
    unlink $log;
    my $dns = dns_server();
    my $proxy = proxy_for(['alive.weirtest'], global => { 'weir.dns-servers' => $dns->address });
    is(get($proxy, 'alive.weirtest')->status, 503, 'no module is asked beside them');
    is(asked('alive.weirtest'), 0, 'none');
};

done_testing;
