# SPDX-License-Identifier: MIT
# HUP: another configuration while requests run.
use lib 't/lib';
use Weir::Test;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(time);
use Weir::Http2Client;
use Weir::TLS;

my ($one, $two) = map { ok_backend($_) } qw(one two);

# Answers /gate when the file is there, and makes a tunnel that echoes of an upgrade.
my $gate = temp_path('gate');
my $slow = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        if ($head =~ /^Upgrade:/mi) {
            $c->write("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
            while (defined(my $line = $c->read_until(qr/\n/, 120))) { $c->write("$line") }
            return;
        }
        if ($head =~ m{^\S+ /gate}) {
            $c->note('waiting');
            wait_for { -e $gate } 60;
        }
        $c->write(simple_response('slow'));
    }
}, name => 'slow');
my $held = 0;
sub waiting { my $n = ++$held; return wait_for { $n == grep { /waiting/ } $slow->events } }

sub tunnel {
    my ($proxy, %option) = @_;
    my $client = $proxy->connect(%option);
    $client->write("GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    like($client->read_head // '', qr/^HTTP\/1\.1 101/, 'a tunnel');
    return $client;
}

sub echoes {
    my ($client, $text) = @_;
    $client->write("$text\n");
    return ($client->read_until(qr/\n/) // '') eq "$text\n";
}

sub keep_alive {
    my ($client, $path) = @_;
    $client->write("GET $path HTTP/1.1\r\nHost: a\r\n\r\n");
    return $client->read_response;
}

subtest 'a route and a limit change' => sub {
    my $proxy = proxy(backends => [$one]);
    my $client = $proxy->connect;
    is(keep_alive($client, '/')->body, 'one', 'the first configuration');
    ok($proxy->reload(backends => [$two], path => { 'weir.max-header-value' => 50 }), 'the second is in use');
    is(keep_alive($client, '/')->body, 'two', 'a connection takes it with its next request');
    is($proxy->get('/')->body, 'two', 'a new connection as well');
    my $long = 'X-Long: ' . 'x' x 60 . "\r\n";
    is($proxy->get('/', $long)->status, 431, 'its limit is in force');
    ok($proxy->reload(backends => [$one]), 'back');
    is($proxy->get('/', $long)->status, 200, 'the limit is gone');
    is(keep_alive($client, '/')->body, 'one', 'the same connection all the time');
};

subtest 'requests under way finish with what they began with' => sub {
    unlink $gate;
    my $proxy = proxy(backends => [$slow], path => { 'weir.via' => '1.1 old' });
    my ($running, $tunnel) = ($proxy->connect, tunnel($proxy));
    $running->write("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting();
    for my $n (1 .. 20) {
        $proxy->reload(backends => [$one], path => { 'weir.via' => "1.1 new$n" }) or fail("reload $n");
        echoes($tunnel, "after $n") or fail("the tunnel after reload $n");
    }
    write_file($gate, '');
    my $r = $running->read_response;
    is($r->body, 'slow', 'a slow request is answered by its old backend');
    like($r->header('Via'), qr/1\.1 old/, 'with the headers of its old configuration');
    $r = keep_alive($running, '/');
    is($r->body, 'one', 'the next on the same connection is the new one\'s');
    like($r->header('Via'), qr/new20/, 'with its headers');
    ok(echoes($tunnel, 'still'), 'the tunnel has survived 20 reloads');
    $tunnel->shutdown_write;
    is($tunnel->read_eof, '', 'and ends as tunnels do');
};

subtest 'a broken file changes nothing' => sub {
    my $proxy = proxy(backends => [$one]);
    my $client = $proxy->connect;
    is(keep_alive($client, '/')->body, 'one', 'before');
    my %broken = (
        'a syntax error'       => [ "listen: [\n", qr{weir\.yaml:\d+: } ],
        'an unknown directive' => [ "listen: \@PORT\@\nweir.nonsense: 1\nhosts: {default: {paths: {/: {weir.router: stub}}}}\n", qr{weir\.yaml:2: .*weir\.nonsense} ],
        'a missing module'     => [ "listen: \@PORT\@\nhosts:\n  default:\n    paths:\n      /:\n        weir.router: ./gone.so\n", qr{weir\.yaml:6: .*gone\.so} ],
        'a module that refuses' => [ "listen: \@PORT\@\nhosts:\n  default:\n    paths:\n      /:\n        weir.router: { module: table, apps: { a: { domains: [a], nonsense: 1 } } }\n", qr{weir\.yaml:6: } ],
        'an error log nowhere' => [ "listen: \@PORT\@\nerror-log: /no/such/dir/log\nhosts: {default: {paths: {/: {weir.router: stub}}}}\n", qr{weir\.yaml:2.*error-log: /no/such/dir/log: No such file} ],
    );
    for my $what (sort keys %broken) {
        my ($yaml, $complaint) = @{ $broken{$what} };
        my $before = length $proxy->stderr;
        is($proxy->reload(yaml => $yaml), 0, "$what: nothing has changed");
        like(substr($proxy->stderr, $before), $complaint, "$what: the log says what and where");
        is(keep_alive($client, '/')->body, 'one', "$what: the old one serves");
    }
    ok($proxy->reload(backends => [$two]), 'a good file after the bad ones');
    is(keep_alive($client, '/')->body, 'two', 'is taken');
    unlink $proxy->config;
    is($proxy->reload, 0, 'a file that is gone');
    is(keep_alive($client, '/')->body, 'two', 'changes nothing either');
};

subtest 'listeners come, stay and go' => sub {
    unlink $gate;
    my ($port, $path) = (free_port(), temp_path('sock'));
    my @more = ({ host => '127.0.0.1', port => $port }, { type => 'unix', port => $path, permission => '600' });
    my $proxy = proxy(backends => [$slow]);
    ok(!IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port), 'not yet there');
    my $stays = $proxy->connect;
    is(keep_alive($stays, '/')->body, 'slow', 'a connection to the one that stays');
    ok($proxy->reload(backends => [$slow], listen => \@more), 'two listeners more');
    my ($idle, $busy, $tunnel) = ($proxy->connect(to => $port), $proxy->connect(to => "unix:$path"), tunnel($proxy, to => $port));
    is(keep_alive($idle, '/')->body, 'slow', 'the port answers');
    is(sprintf('%o', (stat $path)[2] & 0777), '600', 'the path has its permission');
    $busy->write("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting();
    my @rights = ({ %{ $more[0] } }, { %{ $more[1] }, permission => '666' });
    ok($proxy->reload(backends => [$slow], listen => \@rights), 'only the permission changes');
    is(sprintf('%o', (stat $path)[2] & 0777), '666', 'on the socket that stays');
    is(keep_alive($idle, '/')->body, 'slow', 'whose connections stay too');
    ok($proxy->reload(backends => [$one]), 'both are taken away');
    is($idle->read_eof, '', 'an idle connection to them is closed');
    ok(!IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port), 'the port refuses');
    ok(!-e $path, 'the path is gone');
    ok(echoes($tunnel, 'hello'), 'a tunnel goes on');
    write_file($gate, '');
    my $r = $busy->read_response;
    is($r->body, 'slow', 'a request finishes');
    ok($r->says_close, 'the last of its connection');
    is($busy->read_eof, '', 'which is closed');
    is(keep_alive($stays, '/')->body, 'one', 'connections to the listener that stayed have not felt anything');
};

subtest 'a connection that waits in the kernel is not lost' => sub {
    my $proxy = proxy(backends => [$one], global => { 'max-connections' => 1 });
    my $first = $proxy->connect;
    $first->write("GET / HTTP/1.1\r\nHost: a\r\nX"); # who only waits for the next request would make room
    ok($first->is_silent(0.1), 'all there is room for');
    my $second = $proxy->connect;
    $second->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ok($second->is_silent(0.1), 'the next waits');
    ok($proxy->reload(backends => [$two], global => { 'max-connections' => 2 }), 'a reload that makes room');
    is($second->read_response->body, 'two', 'it is served by the new configuration');
};

subtest 'all listeners or none' => sub {
    my $taken = refusing_port();
    my ($port, $path) = (free_port(), temp_path('sock'));
    my $proxy = proxy(backends => [$one]);
    is($proxy->get('/')->body, 'one', 'before');
    my $before = $proxy->open_files;
    my @more = ({ host => '127.0.0.1', port => $port }, { type => 'unix', port => $path }, { host => '127.0.0.1', port => $taken });
    is($proxy->reload(backends => [$two], listen => \@more), 0, 'one cannot be bound');
    like($proxy->stderr, qr{weir\.yaml:\d+: cannot listen on 127\.0\.0\.1:$taken: bind: Address already in use}, 'which is said');
    is($proxy->get('/')->body, 'one', 'the old configuration serves');
    ok(!IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port), 'the other port is closed again');
    ok(!-e $path, 'the path is removed');
    ok(wait_for { $proxy->open_files <= $before + 2 }, 'nothing stays open') or diag($before, ' ', $proxy->open_files);
};

# A process that connects again and again until the file is there, and asks; writes how often it was answered, and why not.
sub keeps_asking {
    my ($port, $over) = @_;
    my $out = temp_path('asked');
    defined(my $pid = fork) or die $!;
    return ($pid, $out) if $pid;
    my ($done, @why) = (0);
    while (!-e $over) {
        my $client = Weir::Client->connect($port);
        my $r = $client && $client->write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") && $client->read_response;
        $r && $r->is_complete ? $done++ : push @why, ($client ? 'no answer' : "$!") . "\n";
    }
    write_file($out, "$done\n", @why);
    POSIX::_exit(0);
}

sub sockets_of { my ($proxy) = @_; return scalar grep { (readlink $_ // '') =~ /^socket/ } glob '/proc/' . $proxy->pid . '/fd/*' }

subtest 'between one address and all of them' => sub {
    for my $threads (1, 2) {
        my ($port, $over) = (free_port(), temp_path('over'));
        my $at = sub { return (global => { 'num-threads' => $threads }, listen => [ map { { host => $_, port => $port } } @_ ]) };
        my $proxy = proxy(backends => [$one], $at->('127.0.0.1'));
        my $before = sockets_of($proxy);
        my ($pid, $out) = keeps_asking($port, $over);
        my $kept = $proxy->connect(to => $port);
        for my $where (split ' ', '0.0.0.0 127.0.0.1 0.0.0.0 127.0.0.1 0.0.0.0,127.0.0.1 127.0.0.1,0.0.0.0 0.0.0.0') {
            my $is_everywhere = $where =~ /0\.0\.0\.0/ ? 1 : 0;
            ok($proxy->reload(backends => [$two], $at->(split /,/, $where)), "$threads threads: $where") or diag($proxy->stderr);
            my $other = IO::Socket::IP->new(PeerHost => '127.0.0.2', PeerPort => $port);
            is($other ? 1 : 0, $is_everywhere, 'what is reachable');
            is(keep_alive($proxy->connect(to => $port), '/')->body, 'two', 'it serves');
            select undef, undef, undef, 0.1;
        }
        write_file($over, '');
        waitpid $pid, 0;
        my ($done, @why) = split /\n/, read_file($out);
        cmp_ok($done, '>', 10, "asked $done times");
        is("@why", '', 'and always answered');
        $kept->close;
        ok($proxy->reload(backends => [$one]), 'both gone');
        ok(wait_for { !IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port) }, 'nothing is left open');
        my $both = proxy(backends => [$one], $at->('0.0.0.0', '127.0.0.1'));
        is($both->ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")->body, 'one', 'both at the start');
        ok(wait_for { sockets_of($proxy) <= $before }, 'no socket is left') or diag($before, ' ', sockets_of($proxy));
    }
};

subtest 'PROXY headers are switched on a kept listener' => sub {
    my $proxy = proxy(backends => [$one]);
    is($proxy->get('/')->body, 'one', 'without');
    my $old = $proxy->connect;
    is(keep_alive($old, '/')->body, 'one', 'a connection without a header');
    ok($proxy->reload(backends => [$two], listen_with => { 'proxy-protocol' => 'ON' }), 'switched on');
    is($proxy->ask("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")->body, 'two', 'a new connection needs one');
    is(keep_alive($old, '/')->body, 'two', 'an old one does not');
    is($proxy->log_where(fwd => '192.0.2.7')->{status}, 200, 'the header counted');
    my $half = $proxy->connect;
    $half->write('PROXY TCP4 192.0.2.9');
    ok($proxy->reload(backends => [$one], listen_with => { 'proxy-protocol' => 'ON' }), 'a reload in the middle of a header');
    $half->write(" 192.0.2.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    is($half->read_response->body, 'one', 'which is read to its end');
};

subtest 'certificates' => sub {
    my ($ca, $other_ca) = map { authority($_) } qw(one two);
    my ($first, $second) = (certificate('a.test', ca => $ca), certificate('a.test', ca => $other_ca));
    my $place = temp_path('live');
    my $install = sub { my ($from) = @_; write_file("$place.$_", read_file($from->{ $_ eq 'crt' ? 'cert' : 'key' })) for qw(crt key) };
    $install->($first);
    my %ssl = (listen_with => { ssl => { 'certificate-file' => "$place.crt", 'key-file' => "$place.key" } });
    my $proxy = proxy(backends => [$one], %ssl);
    my $old = tls_client($proxy->port, ca => $ca, hostname => 'a.test');
    ok($old, 'a connection under the first certificate') or diag(tls_error());
    is(keep_alive($old, '/')->body, 'one', 'is served');
    my $half = $proxy->connect;
    $half->write("\x16\x03\x01\x02");
    $install->($second);
    ok($proxy->reload(backends => [$two], %ssl), 'a new certificate under the same name');
    ok(!tls_client($proxy->port, ca => $ca, hostname => 'a.test'), 'the old one is not shown any more');
    my $new = tls_client($proxy->port, ca => $other_ca, hostname => 'a.test');
    ok($new, 'the new one is') or diag(tls_error());
    is(keep_alive($new, '/')->body, 'two', 'and serves');
    is(keep_alive($old, '/')->body, 'two', 'the old connection goes on, with the new configuration');
    $half->close;
    write_file("$place.key", "nonsense\n");
    my $before = length $proxy->stderr;
    is($proxy->reload(backends => [$one], %ssl), 0, 'a key that is none');
    like(substr($proxy->stderr, $before), qr/weir\.yaml:\d+: .*\.key/, 'is said');
    ok(tls_client($proxy->port, ca => $other_ca, hostname => 'a.test'), 'and changes nothing');
    ok($proxy->reload(backends => [$one]), 'TLS is switched off');
    is($proxy->get('/')->body, 'one', 'a new connection speaks plainly');
    is(keep_alive($new, '/')->body, 'one', 'one that has begun with TLS goes on with it');
};

subtest 'HTTP/2' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    unlink $gate;
    my $port = free_port();
    my @more = (listen => [ { host => '127.0.0.1', port => $port } ]);
    my $proxy = proxy(backends => [$slow], @more);
    my ($stays, $goes) = map { Weir::Http2Client->connect($_) } $proxy->port, $port;
    my ($first, $last) = map { my $id = $_->request(path => '/gate'); waiting(); $id } $stays, $goes;
    ok($proxy->reload(backends => [$one]), 'reloaded, one listener less');
    is($stays->response($stays->request(path => '/'))->{body}, 'one', 'the next stream takes the new configuration');
    write_file($gate, '');
    is($stays->response($first)->{body}, 'slow', 'while the one before it finishes with the old');
    is($goes->response($last)->{body}, 'slow', 'a stream by the listener that went finishes too');
    is($goes->goaway, 'NO_ERROR', 'its connection is told to go');
    ok($goes->is_closed, 'and closed');
    is($stays->response($stays->request(path => '/'))->{body}, 'one', 'the other goes on');
    $stays->close;
};

subtest 'a module that was rebuilt' => sub {
    unlink $gate;
    my $so = temp_path('living.so');
    my $log = temp_path('living.log');
    my $install = sub {
        my ($version, $in_place) = @_;
        my $new = router_so('living', "-DVERSION=\"$version\"");
        return write_file($so, read_file($new)) if $in_place;
        write_file("$so.new", read_file($new));
        rename "$so.new", $so or die $!;
    };
    $install->('1');
    my %option = (router => { module => $so, log => $log, backend => $slow->address });
    my $proxy = proxy(%option);
    is($proxy->get('/')->header('X-Version'), '1', 'the first');
    my ($running, $tunnel) = ($proxy->connect, tunnel($proxy));
    $running->write("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting();
    $install->('2');
    is($proxy->get('/')->header('X-Version'), '1', 'a new file alone does nothing');
    ok($proxy->reload, 'reloaded');
    is($proxy->get('/')->header('X-Version'), '2', 'the new code answers');
    $install->('3', 1);
    is($proxy->get('/')->header('X-Version'), '2', 'a file that is written over in place does not disturb what runs');
    ok($proxy->reload, 'reloaded');
    is($proxy->get('/')->header('X-Version'), '3', 'and is new code too');
    ok(wait_for { read_file($log) =~ /^2 release/m }, 'the second is released, nobody needs it');
    unlike(read_file($log), qr/^1 release/m, 'the first is not');
    write_file($gate, '');
    is($running->read_response->header('X-Version'), '1', 'a request keeps its old code');
    ok(wait_for { read_file($log) =~ m{^1 checkin /gate$}m && read_file($log) =~ m{^1 terminate /gate$}m }, 'to the end: checkin, terminate');
    ok(echoes($tunnel, 'hello'), 'a tunnel too');
    unlike(read_file($log), qr/^1 release/m, 'and holds it');
    $tunnel->close;
    ok(wait_for { read_file($log) =~ /^1 release instances=1 statics=1$/m }, 'its end releases the first') or diag(read_file($log));
    like(read_file($log), qr{^1 terminate /tunnel\n(?:.*\n)*1 release}m, 'after terminate');
    $proxy->stop;
    my %count = map { $_ => scalar(() = read_file($log) =~ /^\d $_\b/mg) } qw(configure release unload);
    is_deeply(\%count, { configure => 3, release => 3, unload => 3 }, 'each instance was made once and ended once');
};

subtest 'modules that cannot be unloaded are followed by their successors all the same' => sub {
    my ($so, $log) = (temp_path('living.so'), temp_path('living.log'));
    my $install = sub { write_file("$so.new", read_file(router_so('living', "-DVERSION=\"$_[0]\"", '-Wl,-z,nodelete'))); rename "$so.new", $so or die $! };
    $install->(1);
    my $proxy = proxy(router => { module => $so, log => $log, backend => $slow->address });
    is($proxy->get('/')->header('X-Version'), 1, 'the first');
    for my $version (2 .. 6) {
        $install->($version);
        ok($proxy->reload, 'reloaded');
        is($proxy->get('/')->header('X-Version'), $version, "version $version answers");
        my $old = $version - 1;
        ok(wait_for { read_file($log) =~ /^$old release/m }, "version $old is released");
    }
    unlike(read_file($log), qr/unload/, 'none was unloaded');
};

subtest 'an object that finds its libraries beside itself' => sub {
    my $dir = temp_path('origin');
    mkdir $dir or die $!;
    my $build = Weir::Test::build_dir();
    my $root = Weir::Test::root_dir();
    my $version = sub {
        write_file("$dir/beside.c", "const char *beside(void) { return \"$_[0]\"; }\n");
        system('cc', qw(-shared -fPIC), "$dir/beside.c", '-o', "$dir/libbeside.so") == 0 or die;
        system('cc', qw(-shared -fPIC), "-I$build/include", '-DVERSION=beside()', '-DDECLARE=const char *beside(void);',
            "$root/t/routers/living.c", "-L$dir", '-lbeside', '-Wl,-rpath,$ORIGIN', '-o', "$dir/living.so") == 0 or die;
    };
    $version->('a');
    my $proxy = proxy(router => { module => "$dir/living.so", log => "$dir/log", backend => $slow->address });
    is($proxy->get('/')->header('X-Version'), 'a', 'loads from its place');
    $version->('b');
    ok($proxy->reload, 'reloaded with another');
    like($proxy->get('/')->header('X-Version'), qr/^[ab]$/, 'answers');
};

subtest 'stages are rebuilt as well' => sub {
    my $so = temp_path('stage.so');
    my $install = sub { write_file("$so.new", read_file(router_so('marking_stage', "-DMARK=\"$_[0]\""))); rename "$so.new", $so or die $! };
    $install->('1');
    my $proxy = proxy(backends => [$one], path => { 'weir.stages' => [$so] });
    is($proxy->get('/mark')->header('X-Mark'), '1', 'the first');
    $install->('2');
    ok($proxy->reload, 'reloaded');
    is($proxy->get('/mark')->header('X-Mark'), '2', 'the new code');
    ok($proxy->reload(backends => [$one]), 'reloaded without');
    is($proxy->get('/mark')->header('X-Mark'), undef, 'no stage any more');
};

subtest 'an answer that comes after its generation' => sub {
    my $so = router_so('record');
    my $log = temp_path('record.log');
    my $proxy = proxy(router => { module => $so, log => $log, backends => [ $one->address ] });
    my $client = $proxy->connect;
    $client->write("GET /late HTTP/1.1\r\nHost: a\r\nX-Do: checkout=700\r\n\r\n");
    ok(wait_for { read_file($log) =~ m{^/late checkout}m }, 'a question is open');
    $client->reset;
    ok($proxy->reload(backends => [$two]), 'a reload, and the client has gone');
    is($proxy->get('/')->body, 'two', 'new requests go the new way');
    ok(wait_for { read_file($log) =~ m{^/late terminate}m }, 'the old router hears of the end');
};

subtest 'logs' => sub {
    my ($a, $b, $errors) = (temp_path('a.log'), temp_path('b.log'), temp_path('errors'));
    my $proxy = proxy(backends => [$one], global => { 'weir.access-log' => $a });
    $proxy->get('/1');
    ok(wait_for { read_file($a) =~ m{/1} }, 'the first log');
    rename $a, "$a.1" or die $!;
    ok($proxy->reload, 'reload after the file was moved away');
    $proxy->get('/2');
    ok(wait_for { -e $a && read_file($a) =~ m{/2} }, 'opens it anew');
    ok($proxy->reload(backends => [$one], global => { 'weir.access-log' => $b }), 'another file');
    $proxy->get('/3');
    ok(wait_for { -e $b && read_file($b) =~ m{/3} }, 'is written to');
    unlike(read_file($a), qr{/3}, 'and the one before is not');
    ok(wait_for { !grep { (readlink $_ // '') eq $a } glob '/proc/' . $proxy->pid . '/fd/*' }, 'which is closed');
    $proxy->configure(backends => [$one], global => { 'error-log' => $errors });
    $proxy->signal('HUP');
    ok(wait_for { -e $errors && read_file($errors) =~ /in use$/m }, 'an error-log takes what is said');
    $proxy->configure(backends => [$one]);
    my $before = $proxy->reloads;
    $proxy->signal('HUP');
    ok(wait_for { $proxy->reloads > $before }, 'until it is taken away: standard error is where it was');
};

# The children of a process that there are, as "PID STATE".
sub children {
    my ($parent) = @_;
    my @stats = map { my $place = $_; my $text = eval { read_file($place) }; $text // () } glob '/proc/[0-9]*/stat';
    my @children = sort map { /^(\d+) \(.*\) (\w) $parent / ? "$1 $2" : () } @stats;
    return @children;
}

# A command that writes each line behind its pid, and at last that it ends.
sub log_command {
    my ($file) = @_;
    return "| me=\$\$; while read -r line; do echo \"\$me \$line\" >> $file; done; echo \"\$me end\" >> $file";
}

subtest 'commands that read logs' => sub {
    unlink $gate;
    my $lines = temp_path('lines');
    my $proxy = proxy(backends => [$slow]);
    my %with = (backends => [$slow], global => { 'access-log' => log_command($lines), 'error-log' => "| exec cat >> $proxy->{err}" });
    my $who = sub { my ($path) = @_; my $pid = 'nobody'; wait_for { -e $lines && read_file($lines) =~ m{^(\d+) .*"GET \Q$path\E }m ? $pid = $1 : 0 }; return $pid };
    my $ends = sub { my ($pid) = @_; return -e $lines && read_file($lines) =~ /^$pid end$/m };
    ok($proxy->reload(%with), 'one for requests, one for what goes wrong');
    $proxy->get('/0');
    my $first = $who->('/0');
    my $running = $proxy->connect;
    $running->write("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting();
    for my $n (1 .. 5) {
        ok($proxy->reload(%with), "reload $n");
        $proxy->get("/$n");
        isnt($who->("/$n"), $who->('/' . ($n - 1)), 'starts another');
    }
    ok(wait_for { children($proxy->pid) == 3 }, 'three are left') or diag(join ', ', children($proxy->pid));
    is_deeply([ grep { /Z/ } children($proxy->pid) ], [], 'nobody waits to be waited for');
    ok(!$ends->($first), 'the first has a request still to come');
    my $last = $who->('/5');
    is(scalar(grep { /^(?:$first|$last) / } children($proxy->pid)), 2, 'of which one is the first, one the last');
    write_file($gate, '');
    is($running->read_response->body, 'slow', 'which ends');
    ok(wait_for { $ends->($first) }, 'then the first is told of its end');
    is($who->('/gate'), $first, 'after the last line, which was its own');
    ok(wait_for { children($proxy->pid) == 2 }, 'and goes');

    my ($files, $before) = ($proxy->open_files, join ' ', children($proxy->pid));
    $proxy->configure(backends => [$slow], global => { %{ $with{global} }, hosts => { default => { paths => { '/' => { 'access-log' => log_command($lines), 'weir.router' => './gone.so' } } } } });
    for my $n (1 .. 3) {
        is($proxy->reload, 0, 'a configuration that is refused');
        ok(wait_for { join(' ', children($proxy->pid)) eq $before }, 'leaves none behind');
    }
    is($proxy->open_files, $files, 'and no file');
    is($proxy->get('/6')->body, 'slow', 'the last still writes');
    is($who->('/6'), $last, 'what it is told');
    is($proxy->stop, 0, 'the end');
    ok(wait_for { $ends->($last) }, 'is that of the last one too');
    my %count;
    $count{$_}++ for read_file($lines) =~ m{"GET (\S+) }g;
    is_deeply(\%count, { map { ("/$_" => 1) } 0 .. 6, 'gate' }, 'each line has come once');
};

subtest 'a command that fails' => sub {
    my $proxy = proxy(backends => [$one], global => { 'access-log' => '| exit 3' });
    ok(wait_for { $proxy->stderr =~ /^weir: log command ` exit 3` has ended with status 3$/m }, 'is said') or diag($proxy->stderr);
    is($proxy->get('/')->body, 'one', 'and nobody else\'s business');
};

subtest 'commands after privileges were dropped' => sub {
    plan skip_all => 'needs root to begin with, and the user nobody' unless $> == 0 && getpwnam 'nobody';
    my $lines = temp_path('lines');
    write_file($lines, '');
    chmod 0666, $lines or die $!;
    my %with = (backends => [$one], global => { user => 'nobody', 'access-log' => log_command($lines) });
    my $proxy = proxy(%with);
    chmod 01777, $proxy->config =~ m{(.*)/} or die $!;
    $proxy->get('/first');
    ok($proxy->reload(%with), 'reloaded');
    $proxy->get('/second');
    ok(wait_for { read_file($lines) =~ m{^(\d+) .*/first (?:.*\n)*\1 end$}m }, 'the first has ended');
    ok(wait_for { read_file($lines) =~ m{/second } }, 'the second is told');
};

subtest 'what needs a restart is named' => sub {
    my $proxy = proxy(backends => [$one], global => { 'num-threads' => 2 });
    ok($proxy->reload(backends => [$two], global => { 'num-threads' => 3, 'pid-file' => temp_path('pid') }), 'the rest is taken');
    like($proxy->stderr, qr{weir\.yaml:\d+: num-threads: the change waits for a restart}, 'threads');
    like($proxy->stderr, qr{weir\.yaml:\d+: pid-file: the change waits for a restart}, 'pid-file');
    is($proxy->get('/')->body, 'two', 'it serves');
};

subtest 'systemd is told' => sub {
    my $path = temp_path('notify');
    my $socket = IO::Socket::UNIX->new(Local => $path, Type => Socket::SOCK_DGRAM()) or die "socket: $!";
    my @told;
    my $take = sub { my ($want) = @_; wait_for { $socket->blocking(0); my $text; push @told, $text while defined $socket->recv($text, 4096); (join '|', @told) =~ $want } };
    my $proxy = proxy(backends => [$one], env => { NOTIFY_SOCKET => $path });
    ok($take->(qr/^READY=1$/), 'READY');
    $proxy->reload;
    ok($take->(qr/^READY=1\|RELOADING=1\nMONOTONIC_USEC=\d+\|READY=1\nSTATUS=$/), 'RELOADING with the time, READY') or diag(explain \@told);
    write_file($proxy->config, "nonsense\n");
    $proxy->reload;
    ok($take->(qr/RELOADING=1\nMONOTONIC_USEC=\d+\|READY=1\nSTATUS=A reload has failed; the log says why$/), 'also when it fails, with that as its status');
    is(scalar(grep { /^READY/ } @told), 3, 'as often as RELOADING');
    $proxy->stop;
    ok($take->(qr/STOPPING=1$/), 'STOPPING');
};

subtest 'HUP after HUP: the last file wins' => sub {
    my $so = router_so('living', '-DVERSION="slow"', '-DCONFIGURE_MS=' . ms(300));
    my $proxy = proxy(backends => [$one]);
    $proxy->configure(router => { module => $so, log => temp_path('log'), backend => $slow->address });
    $proxy->signal('HUP');
    wait_for { $proxy->stderr =~ /configuring/ };
    is($proxy->get('/')->body, 'one', 'requests are served while a module takes its time');
    $proxy->configure(backends => [$two]);
    $proxy->signal('HUP') for 1 .. 10;
    ok(wait_for { $proxy->get('/')->body eq 'two' }, 'the last file is in use');
    select undef, undef, undef, 0.1;
    is($proxy->reloads, 2, 'ten signals are one reload more');
};

subtest 'HUP and TERM' => sub {
    unlink $gate;
    my $proxy = proxy(backends => [$slow]);
    my $client = $proxy->connect;
    $client->write("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting();
    $proxy->signal('TERM');
    wait_for { !IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $proxy->port) };
    $proxy->signal('HUP');
    ok(wait_for { $proxy->stderr =~ /HUP is ignored: the proxy is draining/ }, 'HUP while it drains is ignored');
    write_file($gate, '');
    is($client->read_response->body, 'slow', 'the request is answered');
    is($proxy->wait_exit, 0, 'exit 0');

    my $so = router_so('living', '-DVERSION="slow"', '-DCONFIGURE_MS=' . ms(300));
    $proxy = proxy(backends => [$one]);
    $proxy->configure(router => { module => $so, log => temp_path('log'), backend => $slow->address });
    $proxy->signal('HUP');
    wait_for { $proxy->stderr =~ /configuring/ };
    $proxy->signal('TERM');
    is($proxy->wait_exit, 0, 'TERM while a configuration is being loaded');
    for my $n (1 .. 10) {
        $proxy = proxy(backends => [$one], global => { 'num-threads' => 3 });
        $proxy->signal('HUP');
        select undef, undef, undef, rand 0.02;
        $proxy->signal('TERM');
        $proxy->wait_exit == 0 or fail('TERM right after HUP');
    }
};

subtest 'libh2o\'s handlers over reloads' => sub {
    my $dir = temp_path('files');
    mkdir $dir or die $!;
    write_file("$dir/a.txt", 'A' x 1000);
    my %paths = (
        '/files'  => { 'file.dir' => $dir },
        '/stock'  => { 'proxy.reverse.url' => 'http://' . $one->address . '/', 'proxy.timeout.io' => 5000 },
        '/status' => { status => 'ON' },
    );
    my $proxy = proxy(backends => [$two], paths => \%paths, global => { 'num-threads' => 4 });
    for my $n (1 .. 5) {
        my $client = $proxy->connect;
        is(length keep_alive($client, '/files/a.txt')->body, 1000, 'file.dir');
        is($proxy->get('/stock')->body, 'one', 'proxy.reverse.url');
        like($proxy->get('/status/json')->body, qr/"connections"|requests/, 'status');
        ok($proxy->reload, 'reload');
        is(length keep_alive($client, '/files/a.txt')->body, 1000, 'a connection from before');
    }
};

# Requests, tunnels and reloads at once: 200 in 20 seconds; fewer where everything is slower.
subtest 'many reloads under load' => sub {
    my ($count, $seconds) = is_sanitized() ? (40, 6) : (200, 20);
    my @fast = map { fast_backend($_) } qw(fast0 fast1);
    my $config = sub {
        my ($n) = @_;
        return (apps => {
            main => { domains => ['*'],    backends => [ $fast[ $n % 2 ]->address ] },
            slow => { domains => ['slow'], backends => [ $slow->address ] },
        }, global => { 'num-threads' => 2 });
    };
    my $proxy = proxy($config->(0));
    my @tunnels = map { my $c = $proxy->connect; $c->write("GET /t HTTP/1.1\r\nHost: slow\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"); $c->read_head; $c } 1 .. 5;
    my $until = time + $seconds * Weir::Client::slow() + 5;
    my $stop = temp_path('stop');
    my @kids;
    for my $kid (1 .. 3) {
        pipe my $read, my $write or die $!;
        defined(my $pid = fork) or die $!;
        if (!$pid) {
            my ($good, $bad, $why, $client) = (0, 0, '');
            until (-e $stop || time > $until + 60) {
                $client = undef if $kid == 1 || ($client && $client->is_eof);
                $client //= Weir::Client->connect($proxy->port);
                my $r = $client ? keep_alive($client, '/') : undef;
                $r && $r->status == 200 && $r->body =~ /^fast/ ? $good++ : do { $bad++; $why ||= $r ? $r->status . $r->head : 'connect' };
            }
            syswrite $write, "$good $bad $why";
            POSIX::_exit(0);
        }
        push @kids, [ $pid, $read ];
    }
    my ($memory, $files);
    my $begin = time;
    for my $n (1 .. $count) {
        $proxy->reload($config->($n)) or fail("reload $n");
        ($memory, $files) = ($proxy->memory_kb('VmRSS'), $proxy->open_files) if $n == int($count / 4);
        my $rest = $begin + $n * $seconds / $count - time;
        select undef, undef, undef, $rest if $rest > 0;
    }
    my $took = time - $begin;
    write_file($stop, '');
    for my $kid (@kids) {
        my ($good, $bad, $why) = split / /, readline $kid->[1] // '0 1 died', 3;
        waitpid $kid->[0], 0;
        is($bad, 0, "no request of $good failed") or diag($why);
        cmp_ok($good, '>', 10, 'and there were some');
    }
    is(scalar(grep { echoes($_, 'alive') } @tunnels), 5, 'every tunnel is alive');
    note(sprintf '%d reloads in %.1f s; memory %d -> %d kB, files %d -> %d', $count, $took, $memory, $proxy->memory_kb('VmRSS'), $files, $proxy->open_files);
    is(wait_for { $proxy->open_files <= $files + 12 }, 1, 'no growth of descriptors');
    cmp_ok($proxy->memory_kb('VmRSS'), '<', $memory + 3000, 'no growth of memory') unless is_sanitized();
    $_->close for @tunnels;
};

done_testing;
