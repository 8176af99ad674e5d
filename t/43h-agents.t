# SPDX-License-Identifier: MIT
# The agents of examples/, in C and in shell: a backend comes and goes with its agent, whatever becomes of the agent, and of etcd.
use lib 't/lib';
use Weir::Etcd;
use Weir::Test;
use Weir::Admin;
use IO::Socket::IP;
use Time::HiRes qw(time);

needs_etcd();
alarm int 300 * Weir::Client::slow();

my %running;

END { local $?; kill 'KILL', keys %running; waitpid $_, 0 for keys %running }

sub begin {
    my ($said, %option) = @_;
    delete local @ENV{ grep {/^ETCD/} keys %ENV };
    my $pid = Weir::Test::_spawn($said, $said, %option);
    $running{$pid} = 1;
    return $pid;
}

# Its exit status, or the signal below 0.
sub ends {
    my ($pid, $signal) = @_;
    kill $signal, $pid;
    my $exit = wait_for_pid($pid);
    delete $running{$pid} if defined $exit;
    return $exit;
}

my $etcd = etcd();
my $port = $etcd->{port};

sub ctl { return $etcd->ctl(@_) }

# The leases that etcd has: an agent's, and none besides.
sub leases { return [ ctl(qw(lease list))->{out} =~ /^([0-9a-f]+)$/mg ] }

my ($web, $job) = map { ok_backend($_) } qw(web job);
ctl('put', @$_)->{exit} and BAIL_OUT("etcdctl put @$_")
    for [ '/weir/v1/apps/shop', '{}' ], [ '/weir/v1/domains/shop.test', '{"app":"shop"}' ];
admin_path(temp_path('admin.sock'));
my $own = proxy(
    router => { module => 'table', name => 'main', state => 'ON' },
    global => { 'weir.admin' => { path => admin_path() }, 'weir.state' => { etcd => { endpoints => ["127.0.0.1:$port"], status => 'OFF' } } });

# Where the backends of the app are, and what a client gets.
sub backends { return join ' ', sort map { $_->{at} } @{ (call(GET => '/v1/apps/shop')->{document} // {})->{backends} // [] } }
# Whether nothing but this backend is seen for so many seconds.
sub stays { my ($backend, $seconds) = @_; return !wait_for { backends() ne $backend->address } $seconds }

sub who { my $r = $own->ask("GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"); return $r->status == 200 ? $r->body : $r->status }

my $program = temp_path('agent');
my $source  = root_dir() . '/examples/agent.c';
is(run_command('cc', qw(-Wall -Wextra -Werror), $source, '-o', $program)->{err}, '', 'the agent in C compiles without a warning');
my %agents = (C => [$program], shell => [ 'sh', root_dir() . '/examples/agent.sh' ]);

# In shell each command is a process, and a third of the TTL whole seconds.
my %ttl = (C => int 2 * Weir::Client::slow(), shell => int 5 * Weir::Client::slow());

sub agent {
    my ($kind, $backend, %env) = @_;
    my $said = write_file(temp_path('said'), '');
    return { said => $said, pid => begin($said, command => $agents{$kind}, env => { ETCD => "127.0.0.1:$port", APP => 'shop', ADDR => $backend->address, TTL => $ttl{$kind}, %env }) };
}

for my $kind (sort keys %agents) {
    subtest "the agent in $kind" => sub {
        my $ttl = $ttl{$kind};
        is(backends(), '', 'no backend');
        my $agent = agent($kind, $web);
        ok(wait_for { backends() eq $web->address }, 'one comes') or diag(read_file($agent->{said}));
        is(who(), 'web', 'and serves');
        my ($key) = ctl('get', '--prefix', '--keys-only', '/weir/v1/backends/')->{out} =~ m{^(/\S+)$}m;
        like($key, qr{^/weir/v1/backends/shop/[^/]+-$agent->{pid}$}, 'by its own name');
        my $leases = leases();
        is(@$leases, 1, 'with a lease');
        ok(stays($web, $ttl + 2), 'which is kept alive');
        is_deeply(leases(), $leases, 'the same');

        is(ends($agent->{pid}, 'KILL'), -9, 'killed');
        my $since = time;
        ok((wait_for { backends() eq '' } $ttl + wait_seconds()), 'its backend goes with the lease');
        cmp_ok(time - $since, '<', $ttl + 3 * Weir::Client::slow(), 'which is soon');

        $agent = agent($kind, $job);
        ok(wait_for { who() eq 'job' }, 'the next one');
        $etcd->ends;
        is(who(), 'job', 'the backend serves');
        ok(wait_for { read_file($agent->{said}) =~ /refused|deadline exceeded/ }, 'the agent says what is wrong');
        is(run_command('kill', '-0', $agent->{pid})->{exit}, 0, 'and goes on');
        ok($etcd->begin, 'etcd is back');
        ok(stays($job, $ttl + 3), 'the backend stays');
        my ($lease) = @{ leases() };
        is(ctl(qw(lease revoke), $lease)->{exit}, 0, 'somebody takes its lease');
        ok(wait_for { (leases()->[0] // $lease) ne $lease }, 'it has another');
        ok(wait_for { backends() eq $job->address }, 'the backend is there again') or diag(read_file($agent->{said}));

        is(ends($agent->{pid}, 'TERM'), 0, 'SIGTERM: it leaves well') or diag(read_file($agent->{said}));
        is(ctl('get', '--prefix', '--keys-only', '/weir/v1/backends/')->{out}, '', 'and has taken its key with it');
        ok(wait_for { backends() eq '' }, 'the backend is gone');
        is_deeply(leases(), [], 'the lease, too');

        $agent = agent($kind, $web);
        ok(wait_for { who() eq 'web' }, 'one more');
        is(ends($agent->{pid}, 'INT'), 0, 'SIGINT');
        ok(wait_for { backends() eq '' }, 'does the same');

        $agent = agent($kind, $web, ETCD => '127.0.0.1:' . refusing_port() . ",127.0.0.1:$port");
        ok(wait_for { who() eq 'web' }, 'a member that is not there is passed over') or diag(read_file($agent->{said}));
        is(ends($agent->{pid}, 'TERM'), 0, 'by which it can be ended as well');
        ok(wait_for { backends() eq '' }, 'and is gone');
        for my $missing (qw(APP ADDR)) {
            my $run = run_command({ env => { APP => 'shop', ADDR => $web->address, $missing => '' } }, @{ $agents{$kind} });
            is($run->{exit}, 2, "without $missing");
            like($run->{err}, qr/\b$missing\b/, 'it does not begin');
        }
    };
}

subtest 'an agent that asks in vain' => sub {
    my $agent = agent('C', $web, ETCD => '127.0.0.1:' . stuck_port());
    ok(wait_for { read_file($agent->{said}) =~ m{^agent: 127\.0\.0\.1:\d+: /v3/lease/grant: Connection timed out$}m }, 'one that does not answer is told');
    is(ends($agent->{pid}, 'TERM'), 0, 'it can be ended');
    $agent = agent('C', $web, ETCD => $web->address);
    ok(wait_for { read_file($agent->{said}) =~ m{^agent: \S+: /v3/lease/grant: }m }, 'one that is no etcd, too');
    is(ends($agent->{pid}, 'TERM'), 0, 'it can be ended');
    is(ctl('get', '--prefix', '--keys-only', '/weir/v1/backends/')->{out}, '', 'nobody is there');
};

done_testing;
