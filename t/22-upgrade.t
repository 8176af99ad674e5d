# SPDX-License-Identifier: MIT
# USR2: another process of the program, maybe a newer one, takes over, and nobody notices.
use lib 't/lib';
use Weir::Test;
use IO::Select;
use Time::HiRes qw(time);
use Weir::Http2Client;
use Weir::TLS;

plan skip_all => 'under valgrind the program is another' if Weir::Client::is_valgrind();

my ($one, $two) = map { ok_backend($_) } qw(one two);
my $gate = temp_path('gate');
my $slow = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        if ($head =~ m{^\S+ /gate}) {
            $c->note('waiting');
            wait_for { -e $gate } 60;
        }
        if ($head =~ m{^\S+ /long}) {
            $c->write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" . 'x' x 500_000);
            wait_for { -e $gate } 60;
            $c->write('y' x 500_000);
            next;
        }
        $c->write(simple_response('slow'));
    }
}, name => 'slow');

# What a proxy tells its service manager.
sub manager {
    my $path = temp_path('notify');
    my $socket = IO::Socket::UNIX->new(Type => IO::Socket::UNIX::SOCK_DGRAM(), Local => $path) or die $!;
    my @said;
    my $said = sub {
        my ($pattern) = @_;
        return wait_for {
            while (IO::Select->new($socket)->can_read(0)) { recv $socket, my $state, 4096, 0; push @said, $state }
            grep { /$pattern/ } @said;
        };
    };
    return ($path, $said, \@said);
}

sub keep_alive {
    my ($client, $path) = @_;
    $client->write("GET $path HTTP/1.1\r\nHost: a\r\n\r\n");
    return $client->read_response;
}

subtest 'requests under way finish, the next are the successor\'s' => sub {
    unlink $gate;
    my ($path, $pid_file) = (temp_path('sock'), temp_path('pid'));
    my ($notify, $said, $all) = manager();
    my %with = (listen => [ { type => 'unix', port => $path } ], global => { 'pid-file' => $pid_file });
    my $proxy = proxy(backends => [$slow], env => { NOTIFY_SOCKET => $notify }, %with);
    my $first = $proxy->pid;
    my ($running, $download, $idle) = map { $proxy->connect } 1 .. 3;
    $running->write("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    $download->write("GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
    like($download->read_head, qr/ 200 /, 'a long download has begun');
    is(keep_alive($idle, '/')->body, 'slow', 'a connection that stays open');
    $proxy->configure(backends => [$one], %with);
    my $old = $proxy->upgrade;
    is($old, $first, 'upgraded') or return;
    is($proxy->get('/')->body, 'one', 'the successor has read the configuration as it is now');
    is($idle->read_eof, '', 'an idle connection of the one before is closed');
    is(read_file($pid_file), $proxy->pid . "\n", 'the pid file names the successor');
    ok($said->("^MAINPID=" . $proxy->pid . "\nREADY=1"), 'the service manager is told');
    is(wait_for_pid($old, 0.2), undef, 'the one before waits for its requests');
    write_file($gate, '');
    is($running->read_response->body, 'slow', 'which are answered');
    ok(wait_for { length($download->read_exactly(1_000_000) // '') == 1_000_000 }, 'to the last byte');
    is(wait_for_pid($old), 0, 'then it ends');
    ok(-S $path, 'without taking the path away');
    is(read_file($pid_file), $proxy->pid . "\n", 'nor the pid file');
    ok(!(grep { /STOPPING/ } @$all), 'nor telling that the service stops');
    my $unix = Weir::Client->connect("unix:$path");
    is(keep_alive($unix, '/')->body, 'one', 'a new client of the path is served');
    ok($proxy->reload(backends => [$two], %with), 'a successor reloads');
    is($proxy->get('/')->body, 'two', 'as any other');
    my $second = $proxy->upgrade;
    is(wait_for_pid($second), 0, 'and is upgraded');
    is($proxy->get('/')->body, 'two', 'to a third');
    $proxy->stop;
    ok(!-e $path && !-e $pid_file, 'which removes path and pid file at its end');
};

subtest 'a successor that cannot serve changes nothing' => sub {
    my ($pid_file, $path) = (temp_path('pid'), temp_path('sock'));
    my ($notify, $said) = manager();
    my %with = (listen => [ { type => 'unix', port => $path } ], global => { 'pid-file' => $pid_file });
    my $proxy = proxy(backends => [$one], env => { NOTIFY_SOCKET => $notify }, %with);
    my $client = $proxy->connect;
    is(keep_alive($client, '/')->body, 'one', 'before');
    my $fails = sub {
        my ($what, $words) = @_;
        is($proxy->upgrade, undef, "$what: no successor");
        like($proxy->stderr, $words, 'why is told');
        is(keep_alive($client, '/')->body, 'one', 'the same connection goes on');
        is($proxy->get('/')->body, 'one', 'new ones are taken');
        is(read_file($pid_file), $proxy->pid . "\n", 'the pid file is right');
        ok(-S $path, 'the path is there');
    };
    $proxy->configure(yaml => "listen: [\n");
    $fails->('a broken file', qr/weir\.yaml:\d+: .*^weir: upgrade: the successor has ended with status 1 before it served$/ms);
    $proxy->configure(backends => [$one], listen => [ @{ $with{listen} }, { host => '127.0.0.1', port => refusing_port() } ], global => $with{global});
    $fails->('an address that is taken', qr/cannot listen on.*already in use/);
    ok($said->("^READY=1\nSTATUS=An upgrade has failed"), 'the service manager is told');
    ok($proxy->reload(backends => [$two], %with), 'a good file');
    my $old = $proxy->upgrade;
    ok($old, 'and the successor comes');
    is(wait_for_pid($old), 0, 'the one before ends');
    is($proxy->get('/')->body, 'two', 'served');
};

subtest 'TERM while a successor is being started' => sub {
    my $proxy = proxy(backends => [$one]);
    my $text = read_file($proxy->config);
    ok(wait_for { !children_of($proxy->pid) }, 'it has no children');    # one of root's, until it is known whether there is a `user`
    unlink $proxy->config;
    POSIX::mkfifo($proxy->config, 0600) or die $!;    # the successor waits for its configuration
    Weir::Test::_adopt_orphans();
    $proxy->signal('USR2');
    my @children;
    ok(wait_for { @children = grep { (eval { read_file("/proc/$_/stat") } // '') =~ /^\d+ \(.*\) S/ } children_of($proxy->pid) }, 'it is being started');
    is($proxy->get('/')->body, 'one', 'the proxy serves meanwhile');
    is($proxy->stop, 0, 'TERM ends it at once');
    open my $in, '>', $proxy->config or die $!;
    print $in $text;
    close $in;
    is(wait_for_pid($_), 0, 'the successor finds that it is not wanted any more') for @children;
    like($proxy->stderr, qr/^weir: upgrade: the process before this one does not wait/m, 'and says so');
};

sub children_of {
    my ($parent) = @_;
    return grep { defined } map { my $text = eval { read_file($_) } // ''; $text =~ /^(\d+) \(.*\) \w $parent / ? $1 : undef } glob '/proc/[0-9]*/stat';
}

subtest 'HUP and USR2 at once' => sub {
    my $proxy = proxy(backends => [$one]);
    Weir::Test::_adopt_orphans();
    $proxy->configure(backends => [$two]);
    $proxy->signal('HUP');
    my $old = $proxy->upgrade;
    ok($old, 'the upgrade comes behind the reload');
    is(wait_for_pid($old), 0, 'the one before ends');
    is($proxy->get('/')->body, 'two', 'served');
};

subtest 'many clients over several upgrades' => sub {
    my $fast = fast_backend('fast');
    for my $threads (1, 3) {
        my $proxy = proxy(backends => [$fast], global => { 'num-threads' => $threads });
        my $over = temp_path('over');
        my @clients = map { load($proxy->port, $over, $_) } 'short', 'short', 'kept', 'kept';
        my @old;
        for (1 .. 4) {
            push @old, $proxy->upgrade // fail('an upgrade');
            select undef, undef, undef, 0.2;
        }
        is(wait_for_pid($_), 0, 'a predecessor ends') for @old;
        write_file($over, '');
        my ($done, $lost) = (0, 0);
        for my $client (@clients) {
            my ($pid, $out) = @$client;
            is(wait_for_pid($pid), 0, 'a client ends');
            my ($some, $none, @why) = split /\n/, read_file($out);
            diag(@why) if @why;
            $done += $some;
            $lost += $none;
        }
        is($lost, 0, "$threads threads: none of $done requests was lost");
        cmp_ok($done, '>', 200, 'there were many');
    }
};

# A process that asks again and again until the file is there: each time anew, or on a connection that it keeps. One that was
# closed while it was idle is opened again, as every client does. Writes how often it was answered, and how often not.
sub load {
    my ($port, $over, $how) = @_;
    my $out = temp_path('load');
    defined(my $pid = fork) or die $!;
    return [ $pid, $out ] if $pid;
    my ($done, $lost, $client, @why) = (0, 0);
    while (!-e $over) {
        my $is_new = !$client;
        $client //= Weir::Client->connect($port) or do { $lost++; push @why, "connect: $!"; next };
        $client->write("GET /load HTTP/1.1\r\nHost: a\r\n\r\n");
        my $r = $client->read_response;
        my $is_answered = $r && $r->is_complete && ($r->body // '') eq 'fast';
        $done++ if $is_answered;
        if (!$is_answered && ($is_new || length $client->{in})) { $lost++; push @why, "$how: " . ($is_new ? 'new' : 'kept') . " \n" }
        undef $client if $how eq 'short' || !$is_answered || $r->says_close;
    }
    write_file($out, "$done\n$lost\n", @why);
    POSIX::_exit(0);
}

subtest 'HTTP/2' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    unlink $gate;
    my $proxy = proxy(backends => [$slow]);
    my $before = grep { /waiting/ } $slow->events;
    my $client = Weir::Http2Client->connect($proxy->port);
    my $id = $client->request(path => '/gate');
    wait_for { $before < grep { /waiting/ } $slow->events };
    my $old = $proxy->upgrade;
    is($client->goaway, 'NO_ERROR', 'a connection is told to go');
    write_file($gate, '');
    is($client->response($id)->{body}, 'slow', 'its stream is answered');
    ok($client->is_closed, 'and it is closed');
    is(wait_for_pid($old), 0, 'the one before ends');
    my $next = Weir::Http2Client->connect($proxy->port);
    is($next->response($next->request(path => '/'))->{body}, 'slow', 'the successor speaks it too');
    $next->close;
};

done_testing;
