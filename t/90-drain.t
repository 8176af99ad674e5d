# SPDX-License-Identifier: MIT
# Signals: how a proxy ends, and what USR1 does.
use lib 't/lib';
use Weir::Test;
use IO::Socket::SSL ();
use Time::HiRes qw(time);
use Weir::TLS;

# Answers when a file named by the path exists.
my $gate = temp_path('gate');
my $backend = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        if ($head =~ m{^\S+ /gate}) {
            $c->note('waiting');
            wait_for { -e $gate } 60;
        }
        if ($head =~ m{^\S+ /never}) {
            $c->note('waiting');
            return $c->wait_close(60);
        }
        $c->write(simple_response('ok'));
    }
});

sub waiting { my ($n) = @_; return wait_for { $n == grep { /waiting/ } $backend->events } }
my $held = 0;

subtest 'an idle proxy ends at once' => sub {
    my $proxy = proxy(backends => [$backend]);
    my $idle = $proxy->connect;
    my $used = $proxy->connect;
    $used->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    is($used->read_response->body, 'ok', 'one connection has been used');
    my $begin = time;
    $proxy->signal('TERM');
    is($idle->read_eof, '', 'an idle connection is closed');
    is($used->read_eof, '', 'a used one as well');
    is($proxy->wait_exit, 0, 'exit 0');
    cmp_ok(time - $begin, '<', 3 * Weir::Client::slow(), 'without waiting');
};

subtest 'TERM: running requests finish, new ones are not taken' => sub {
    unlink $gate;
    my $proxy = proxy(backends => [$backend]);
    my ($running, $upload) = map { $proxy->connect } 1 .. 2;
    $running->write("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting(++$held);
    $upload->write("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
    select undef, undef, undef, 0.05;
    $proxy->signal('TERM');
    ok(wait_for { !IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $proxy->port) }, 'new connections are refused');
    $upload->write('half');
    my $r = $upload->read_response;
    is($r->body, 'ok', 'an upload is finished');
    ok($r->says_close, 'with Connection: close');
    is($proxy->wait_exit(0.2), undef, 'it waits for the other one');
    write_file($gate, '');
    $r = $running->read_response;
    is($r->body, 'ok', 'which is answered');
    ok($r->says_close, 'with Connection: close');
    is($running->read_eof, '', 'and closed');
    is($proxy->wait_exit, 0, 'then exit 0');
    is(scalar(grep { $_->{status} } $proxy->log_lines(2)), 2, 'the log is complete');
};

subtest 'requests that are in the pipeline when TERM comes' => sub {
    unlink $gate;
    my $proxy = proxy(backends => [$backend]);
    my $client = $proxy->connect;
    $client->write("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n" . "GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting(++$held);
    $proxy->signal('TERM');
    select undef, undef, undef, 0.05;
    write_file($gate, '');
    my $r = $client->read_response;
    is($r->body, 'ok', 'the first is answered');
    $r = $client->read_response(seconds => 2) unless $r->says_close;
    ok($r->says_close, 'the last answered says close');
    ok(defined $client->read_eof, 'and closed');
    is($proxy->wait_exit, 0, 'exit 0');
};

subtest 'who has just come is answered' => sub {
    my $tls = free_port();
    my $ca = authority('ca');
    my $cert = certificate('a.test', ca => $ca);
    my $proxy = proxy(backends => [$backend],
        listen => [ { host => '127.0.0.1', port => $tls, ssl => { 'certificate-file' => $cert->{cert}, 'key-file' => $cert->{key} } } ]);
    my ($fresh, $in_handshake) = ($proxy->connect, $proxy->connect(to => $tls));
    $proxy->stand_still;
    my @queued = map { my $client = $proxy->connect; $client->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"); $client } 1 .. 20;
    $proxy->signal('TERM');
    $proxy->signal('CONT');
    $fresh->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    $in_handshake->{socket}->blocking(1);
    my $up = IO::Socket::SSL->start_SSL($in_handshake->{socket}, SSL_ca_file => $ca->{cert}, SSL_hostname => 'a.test', SSL_verifycn_name => 'a.test');
    ok($up, 'a handshake that has not ended');
    print $up "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n" if $up;
    like(join('', $up ? <$up> : ()), qr/^HTTP.1.1 200 .*ok$/s, 'and its request');
    my $r = $fresh->read_response;
    is($r->body, 'ok', 'a first request that comes now');
    ok($r->says_close, 'with Connection: close');
    ok(wait_for { !IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $proxy->port) }, 'new connections are refused');
    is(scalar(grep { my $r = $_->read_response; $r && ($r->body // '') eq 'ok' } @queued), 20, 'those who waited to be accepted');
    is($proxy->wait_exit, 0, 'exit 0');
};

subtest 'the deadline' => sub {
    my $proxy = proxy(backends => [$backend], global => { 'drain-timeout' => ms(300) }, exit => 3);
    my $client = $proxy->connect;
    $client->write("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    waiting(++$held);
    my $begin = time;
    $proxy->signal('TERM');
    my $r = $client->read_response;
    is($proxy->wait_exit, 3, 'exit 3: somebody was cut off');
    cmp_ok(time - $begin, '>=', 0.29, 'not before the deadline');
    cmp_ok(time - $begin, '<', 3 * Weir::Client::slow(), 'soon after it');
    is($r->head, "\r\n", 'the client sees a cut');
    is(join(' ', @{ $proxy->log_where(path => '/never') }{qw(at code status)}), 'error shutting_down 503', 'and the log says whose doing it was');
};

subtest 'a second signal means now' => sub {
    for my $second (qw(TERM INT)) {
        my $proxy = proxy(backends => [$backend], exit => 3);
        my $client = $proxy->connect;
        $client->write("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
        waiting(++$held);
        $proxy->signal('TERM');
        is($proxy->wait_exit(0.2), undef, "$second: it waits");
        $proxy->signal($second);
        is($proxy->wait_exit, 3, "$second: exit 3");
        ok(defined $client->read_eof, "$second: the client sees a close");
    }
};

subtest 'a router that answers after the end' => sub {
    my $log = temp_path('record.log');
    for my $threads (1, 2) {
        my $proxy = proxy(router => { module => router_so('record'), log => $log, backends => [ $backend->address ] }, global => { 'num-threads' => $threads });
        my @clients = map { $proxy->connect } 1 .. 4;
        $_->write("GET /late-$threads HTTP/1.1\r\nHost: a\r\nX-Do: checkout=" . ms(1500) . "\r\n\r\n") for @clients;
        wait_for { 4 == grep { m{^/late-$threads checkout} } split /\n/, read_file($log) };
        $proxy->signal('INT');
        is($proxy->wait_exit, 3, 'exit 3');
        is(join('', map { read_file($_) } glob "$proxy->{report}*"), '', 'its answer finds what it is given to');
        is($proxy->books->{begun} - $proxy->books->{ended}, 4, 'the requests have not ended');
        $proxy->{is_checked} = 1;    # they never will: the books cannot be balanced
    }
};

subtest 'tunnels hold it up until the deadline only' => sub {
    my $tunnel = backend(sub { my $c = shift; $c->read_head; $c->write("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"); $c->wait_close(60) });
    my $proxy = proxy(backends => [$tunnel], global => { 'drain-timeout' => ms(300) }, exit => 3);
    my $client = $proxy->connect;
    $client->write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    like($client->read_head // '', qr/101/, 'a tunnel');
    $proxy->signal('TERM');
    is($proxy->wait_exit, 3, 'exit 3');
    ok($tunnel->wait_event(qr/^(?:eof|reset)/), 'the backend hears of it');
};

subtest 'TERM during half a head' => sub {
    my $proxy = proxy(backends => [$backend]);
    my $client = $proxy->connect;
    $client->write("GET / HTTP/1.1\r\nHos");
    select undef, undef, undef, 0.05;
    $proxy->signal('TERM');
    $client->write("t: a\r\n\r\n");
    my $r = $client->read_response;
    ok($r->status == 200 || $r->status == 0, 'answered or closed');
    ok(defined $client->read_eof, 'closed');
    is($proxy->wait_exit, 0, 'exit 0');
};

subtest 'USR1 opens the logs anew' => sub {
    my $log = temp_path('access.log');
    my $proxy = proxy(backends => [$backend], global => { 'weir.access-log' => $log });
    $proxy->get('/before');
    wait_for { read_file($log) =~ m{/before} };
    rename $log, "$log.1" or die "rename: $!";
    $proxy->signal('USR1');
    ok(wait_for { -e $log }, 'a new file appears');
    $proxy->get('/after');
    ok(wait_for { read_file($log) =~ m{/after} }, 'the next line is in it');
    unlike(read_file("$log.1"), qr{/after}, 'and not in the old one');
    is(scalar(() = (read_file("$log.1") . read_file($log)) =~ /\n/g), 2, 'no line is lost');
};

subtest 'pid-file' => sub {
    my $pid_file = temp_path('weir.pid');
    my $proxy = proxy(backends => [$backend], global => { 'pid-file' => $pid_file });
    wait_for { -s $pid_file };    # the kernel may have taken our probe before it was written
    is(read_file($pid_file), $proxy->pid . "\n", 'holds the process id');
    $proxy->stop;
    ok(!-e $pid_file, 'is removed at the end');
};

subtest 'signals that mean nothing' => sub {
    my $proxy = proxy(backends => [$backend]);
    $proxy->signal('PIPE');
    is($proxy->get('/')->body, 'ok', 'PIPE is ignored');
};

done_testing;
