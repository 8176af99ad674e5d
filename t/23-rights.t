# SPDX-License-Identifier: MIT
# `user`: what root's is, is opened for the proxy by a process that has kept the rights, and nothing else.
use lib 't/lib';
use Weir::Test;
use IO::Socket::INET;
use Weir::TLS;

plan skip_all => 'needs root to begin with, and the user nobody' unless $> == 0 && getpwnam 'nobody';
plan skip_all => 'under valgrind there is another program' if Weir::Client::is_valgrind();

my ($one, $two) = map { ok_backend($_) } qw(one two);
my %nobody = (user => 'nobody');

# A folder of root's in which everybody may read.
sub folder {
    my $path = temp_path('folder');
    (my $above = $path) =~ s{/[^/]*$}{};
    chmod 0755, $above or die $!;
    mkdir $path, $_[0] // 0755 or die $!;
    return $path;
}

sub install {
    my ($place, $cert) = @_;
    for my $end (qw(crt key)) {
        write_file("$place.$end.new", read_file($cert->{ $end eq 'crt' ? 'cert' : 'key' }));
        chmod($end eq 'key' ? 0600 : 0644, "$place.$end.new") or die $!;
        rename "$place.$end.new", "$place.$end" or die $!;
    }
}

sub user_of { return (read_file("/proc/$_[0]/status") =~ /^Uid:\s+\d+\s+(\d+)/m)[0] }

subtest 'a renewed certificate with a key of root\'s' => sub {
    my ($ca, $other_ca) = map { authority($_) } qw(one two);
    my $place = folder() . '/live';
    my $port = free_port();
    install($place, certificate('a.test', ca => $ca));
    my %with = (global => \%nobody, listen => [ { host => '127.0.0.1', port => $port, ssl => { 'certificate-file' => "$place.crt", 'key-file' => "$place.key" } } ]);
    my $proxy = proxy(backends => [$one], %with);
    ok(wait_for { user_of($proxy->pid) != 0 }, 'the proxy is not root');
    chmod 0600, $proxy->config or die $!;
    install($place, certificate('a.test', ca => $other_ca));
    ok($proxy->reload, 'reloaded; the configuration is root\'s as well') or diag($proxy->stderr);
    ok(tls_client($port, ca => $other_ca, hostname => 'a.test'), 'the new certificate is shown') or diag(tls_error());
    $proxy->configure(backends => [$two], %with);
    chmod 0600, $proxy->config or die $!;
    ok($proxy->reload, 'a second time');
    is($proxy->get('/')->body, 'two', 'in use');
};

subtest 'logs in a folder of root\'s' => sub {
    my $logs = folder();
    my %with = (global => { %nobody, 'error-log' => "$logs/error", 'weir.access-log' => "$logs/access", 'access-log' => "$logs/h2o" });
    my $proxy = proxy(backends => [$one], %with);
    $proxy->{err} = "$logs/error";
    $proxy->get('/1');
    ok(wait_for { read_file("$logs/access") =~ m{/1} }, 'a line');
    for my $name (qw(access error)) { rename "$logs/$name", "$logs/$name.1" or die $! }
    $proxy->signal('USR1');
    ok(wait_for { -e "$logs/access" && -e "$logs/error" }, 'USR1 makes the files anew');
    $proxy->get('/2');
    ok(wait_for { read_file("$logs/access") =~ m{/2} }, 'and writes to them');
    unlike(read_file("$logs/access.1"), qr{/2}, 'not to the old one');
    ok($proxy->reload(backends => [$two], global => { %{ $with{global} }, 'weir.access-log' => "$logs/other" }), 'a reload with another one') or diag($proxy->stderr);
    $proxy->get('/3');
    ok(wait_for { -e "$logs/other" && read_file("$logs/other") =~ m{/3} }, 'is written');
    rename "$logs/h2o", "$logs/h2o.1" or die $!;
    ok($proxy->reload, 'a log of libh2o\'s is made by a reload');
    $proxy->get('/4');
    ok(wait_for { -e "$logs/h2o" && read_file("$logs/h2o") =~ m{/4} }, 'and written') or diag($proxy->stderr);
    is($proxy->reload(yaml => "listen: [\n"), 0, 'a broken file');
    rename "$logs/other", "$logs/other.1" or die $!;
    $proxy->signal('USR1');
    ok(wait_for { -e "$logs/other" }, 'does not keep the logs of the one in use from being turned over');
    $proxy->stop;
};

subtest 'logs in a folder of the user\'s' => sub {
    my ($logs, $nobody) = (folder(), scalar getpwnam 'nobody');
    chown $nobody, -1, $logs or die $!;
    my %with = (global => { %nobody, 'error-log' => "$logs/error", 'weir.access-log' => "$logs/access" });
    my $proxy = proxy(backends => [$one], %with);
    $proxy->{err} = "$logs/error";
    ok($proxy->reload(backends => [$two], %with), 'a reload, with files that the start has made') or diag($proxy->stderr);
    is($proxy->get('/1')->body, 'two', 'in use');
    rename "$logs/access", "$logs/access.1" or die $!;
    $proxy->signal('USR1');
    ok(wait_for { -e "$logs/access" && (stat "$logs/access")[4] == $nobody }, 'a new file is made by the user itself');
    unlike($proxy->stderr, qr/porter/, 'nothing is refused');
};

subtest 'a port below 1024' => sub {
    my ($port) = grep { my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $_, Listen => 1); $probe } 601 .. 650;
    my %with = (listen => [ { host => '127.0.0.1', port => $port } ], global => { %nobody });
    for my $threads (1, 2) {
        my $proxy = proxy(backends => [$one], global => { %nobody, 'num-threads' => $threads });
        ok($proxy->reload(backends => [$two], listen => $with{listen}, global => { %nobody, 'num-threads' => $threads }), "$threads threads: added by a reload") or diag($proxy->stderr);
        is(Weir::Client->connect($port) ? 1 : 0, 1, 'it is there');
        $proxy->stop;
    }
};

subtest 'from one address to all of them' => sub {
    my $port = free_port();
    for my $threads (1, 2) {
        my $at = sub { return (listen => [ { host => $_[0], port => $port } ], global => { %nobody, 'num-threads' => $threads }) };
        my $proxy = proxy(backends => [$one], $at->('127.0.0.1'));
        for my $host (qw(0.0.0.0 127.0.0.1 0.0.0.0)) {
            ok($proxy->reload(backends => [$two], $at->($host)), "$threads threads: $host, beside sockets that were root's") or diag($proxy->stderr);
        }
        ok(Weir::Client->connect($port), 'it is there');
        $proxy->stop;
    }
};

subtest 'an upgrade begins with all rights' => sub {
    my $place = folder(0700) . '/live';
    my $run = folder();
    my $port = free_port();
    my $ca = authority('ca');
    install($place, certificate('a.test', ca => $ca));
    my $proxy = proxy(backends => [$one], global => { %nobody, 'pid-file' => "$run/pid" },
        listen => [ { host => '127.0.0.1', port => $port, ssl => { 'certificate-file' => "$place.crt", 'key-file' => "$place.key" } } ]);
    my $old = $proxy->upgrade;
    ok($old, 'a successor that can read the key') or diag($proxy->stderr);
    is(wait_for_pid($old), 0, 'the one before ends');
    isnt(user_of($proxy->pid), 0, 'the successor has given the rights up, too');
    is(read_file("$run/pid"), $proxy->pid . "\n", 'the pid file is its own');
    ok(tls_client($port, ca => $ca, hostname => 'a.test'), 'it serves');
    ok($proxy->reload, 'it reloads');
    $proxy->configure(yaml => "listen: [\n");
    is($proxy->upgrade, undef, 'one that fails');
    like($proxy->stderr, qr/^weir: upgrade: the successor has ended with status 1 before it served$/m, 'is told');
    $proxy->stop;
    ok(!-e "$run/pid", 'the pid file is removed at the end');
};

subtest 'what the user could have put there is not opened' => sub {
    my $nobody = getpwnam 'nobody';
    my ($theirs, $secret) = (folder(), temp_path('secret'));
    chown $nobody, -1, $theirs or die $!;
    write_file($secret, "nothing\n");
    chmod 0600, $secret or die $!;
    my %with = (global => { %nobody, 'weir.access-log' => "$theirs/log" });
    my $proxy = proxy(backends => [$one], %with);
    unlink "$theirs/log" or die $!;
    symlink $secret, "$theirs/log" or die $!;
    $proxy->signal('USR1');
    ok(wait_for { $proxy->stderr =~ m{^weir: porter: \Q$theirs\E/log: .*}m }, 'a link in its place is refused');
    $proxy->get('/');
    $proxy->get('/');
    is(read_file($secret), "nothing\n", 'and nothing is written there');
    my $open = proxy(backends => [$one], global => { %nobody });
    my $conf = $open->config;
    my $logs = folder();
    $open->configure(backends => [$two], global => { %nobody, 'weir.access-log' => "$logs/log" });
    chown $nobody, -1, $conf or die $!;
    is($open->reload, 0, 'a configuration that the user may write opens nothing');
    like($open->stderr, qr{porter: \Q$logs\E/log: `user` may write to the configuration}, 'and it is said why');
};

subtest 'the process that keeps the rights' => sub {
    my $children = sub { my ($parent) = @_; return grep { defined } map { my $text = eval { read_file($_) } // ''; $text =~ /^(\d+) \((.*)\) \w $parent / ? "$1 $2" : undef } glob '/proc/[0-9]*/stat' };
    my $proxy = proxy(backends => [$one], global => { %nobody });
    my ($porter) = $children->($proxy->pid);
    like($porter, qr/weir-porter/, 'is a child');
    my ($pid) = $porter =~ /^(\d+)/;
    my $held = sub { my @held = map { readlink($_) // () } glob "/proc/$pid/fd/*"; return join ' ', sort map { s/:.*|.*-//r } @held };
    ok(wait_for { $held->() eq '/dev/null /dev/null access.log socket stderr' }, 'holds nothing but its standard files and the way to the proxy') or diag($held->());
    kill 'TERM', $pid;
    ok($proxy->reload, 'a signal to all does not end it');
    $proxy->stop;
    ok(wait_for { !-e "/proc/$pid" || read_file("/proc/$pid/stat") =~ /\) Z/ }, 'it ends with the proxy');
    my $root = proxy(backends => [$one]);
    ok(wait_for { !$children->($root->pid) }, 'without `user` there is none');
    my $killed = proxy(backends => [$one], global => { %nobody });
    ($pid) = ($children->($killed->pid))[0] =~ /^(\d+)/;
    kill 'KILL', $pid;
    chmod 0600, $killed->config or die $!;
    is($killed->reload, 0, 'if it dies, a reload that needs it fails');
    like($killed->stderr, qr/^weir: porter: it does not answer, and is not asked any more$/m, 'and says so');
    is($killed->get('/')->body, 'one', 'the proxy serves');
};

done_testing;
