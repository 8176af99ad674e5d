# SPDX-License-Identifier: MIT
# Load by several clients at once, and what happens when something runs out.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use IO::Select;
use POSIX ();

# Runs the sub so often in each of so many processes. Each returns [ good, bad, first complaint ].
sub in_parallel {
    my ($processes, $times, $work) = @_;
    my @results;
    my @kids;
    for my $n (1 .. $processes) {
        pipe my $read, my $write or die "pipe: $!";
        defined(my $pid = fork) or die "fork: $!";
        if ($pid == 0) {
            my ($good, $bad, $why) = (0, 0, '');
            srand $n;
            for (1 .. $times) {
                my $complaint = $work->();
                $complaint ? do { $bad++; $why ||= $complaint } : $good++;
            }
            $why =~ s/\s+/ /g;
            syswrite $write, "$good $bad $why\n";
            POSIX::_exit(0);
        }
        close $write;
        push @kids, [ $pid, $read ];
    }
    for my $kid (@kids) {
        my $line = readline $kid->[1] // '';
        push @results, [ split / /, $line // '0 1 died', 3 ];
        waitpid $kid->[0], 0;
    }
    return @results;
}

my $dead = '127.0.0.1:' . refusing_port();
my $fast = fast_backend('fast');
my $echo = echo_backend();

# A few requests of one client. A complaint, or nothing.
my $client;
sub request_of_each_kind {
    my ($proxy) = @_;
    $client = Weir::Client->connect($proxy->port) // return 'cannot connect' if !$client || $client->is_eof;
    my $kind = int rand 8;
    if ($kind == 0) {
        my $body = 'x' x int rand 100_000;
        $client->write("POST /post HTTP/1.1\r\nHost: echo\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
        my $r = $client->read_response;
        return $r->status . ' for a POST' if $r->status != 200 || $r->body !~ /\r\n\r\n\Q$body\E\z/;
    } elsif ($kind == 1) {
        $client->write("POST /chunked HTTP/1.1\r\nHost: echo\r\nTransfer-Encoding: chunked\r\n\r\n" . "5\r\nhello\r\n" x 10 . "0\r\n\r\n");
        my $r = $client->read_response;
        return $r->status . ' for chunks' if $r->status != 200 || $r->body !~ /(?:hello){10}\z/;
    } elsif ($kind == 2) {
        $client->write("GET /close HTTP/1.1\r\nHost: fast\r\nConnection: close\r\n\r\n");
        my $r = $client->read_response;
        undef $client;
        return $r->status . ' for close' if $r->body ne 'fast';
    } elsif ($kind == 3) {
        $client->write("GET /aborted HTTP/1.1\r\nHost: echo\r\n\r\n");
        $client->reset;
        undef $client;
    } else {
        $client->write("GET /a HTTP/1.1\r\nHost: fast\r\n\r\n" x 3);
        for (1 .. 3) {
            my $r = $client->read_response;
            return $r->status . ' for GET' if $r->body ne 'fast';
        }
    }
    return;
}

subtest 'mixed load over lists whose first backend is dead' => sub {
    my $proxy = proxy(
        apps => {
            fast => { domains => ['fast'], backends => [ $dead, $fast->address ] },
            echo => { domains => ['echo'], backends => [ $dead, $echo->address ] },
        },
        global => { 'num-threads' => 2 },
    );
    my @results = in_parallel(4, 150, sub { request_of_each_kind($proxy) });
    my ($good, $bad) = (0, 0);
    for (@results) {
        $good += $_->[0];
        $bad  += $_->[1];
    }
    is($good, 600, 'all were served');
    is($bad, 0, 'no request failed') or diag(join "\n", map { $_->[2] // '' } @results);
    ok(wait_for { $proxy->open_files < 200 }, 'nothing is left open without need');
    is($proxy->stop, 0, 'a clean end');
    my $books = $proxy->books // {};
    is($books->{picks}, $books->{checkins}, 'picks = checkins');
};

subtest 'no more file descriptors: accepting pauses, and goes on' => sub {
    my $proxy = proxy(backends => [$fast], nofile => 64);
    my $ticks = sub { my @f = split ' ', read_file('/proc/' . $proxy->pid . '/stat') =~ s/^.*\) //sr; $f[11] + $f[12] };
    my @clients = grep { defined } map { Weir::Client->connect($proxy->port) } 1 .. 100;
    my $before = $ticks->();
    select undef, undef, undef, 1;
    cmp_ok($ticks->() - $before, '<', 50, 'it does not spin meanwhile');
    $_->close for @clients;
    my $served = wait_for {
        my $c = Weir::Client->connect($proxy->port) or return 0;
        $c->write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        $c->read_response(seconds => 2)->body eq 'fast';
    };
    ok($served, 'it serves again when there are some');
};

subtest 'max-connections' => sub {
    my $proxy = proxy(backends => [$fast], global => { 'max-connections' => 3 });
    my @clients = map { $proxy->connect } 1 .. 3;
    $_->write("GET / HTTP/1.1\r\nHost: a\r\nX") for @clients;
    my $waiting = $proxy->connect;
    $waiting->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ok($waiting->is_silent(0.3), 'three are asking: one more has to wait');
    (shift @clients)->close;
    is($waiting->read_response->body, 'fast', 'until there is room');
};

subtest 'max-connections: who waits for nothing makes room, the one that has waited longest first' => sub {
    my $proxy = proxy(backends => [$fast], global => { 'max-connections' => 3 });
    my @clients = map { $proxy->connect } 1 .. 3;
    for my $n (1, 2, 0) {
        $clients[$n]->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        is($clients[$n]->read_response->body, 'fast', "client $n has its answer");
    }
    my $another = $proxy->connect;
    $another->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    is($another->read_response->body, 'fast', 'another one is served at once');
    is($clients[1]->read_eof, '', 'in place of the first that had its answer');
    ok($clients[$_]->is_silent(0.1), "client $_ may go on") for 0, 2;
};

# The proxy stands still while the idle client asks and another one comes: it hears of both in one turn.
for my $is_first (1, 0) {
    subtest 'max-connections: who has asked is not taken for idle, ' . ($is_first ? 'before another one comes' : 'behind it') => sub {
        my $proxy = proxy(backends => [$fast], global => { 'max-connections' => 1 });
        my $ask = sub { $_[0]->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n") };
        my $client = $proxy->connect;
        $ask->($client);
        is($client->read_response->body, 'fast', 'it is idle');
        $proxy->stand_still;
        $ask->($client) if $is_first;
        my $another = $proxy->connect;
        $ask->($another);
        $ask->($client) unless $is_first;
        kill CONT => $proxy->pid;
        is($client->read_response->body, 'fast', 'it asked, and is answered');
        is($another->read_response->body, 'fast', 'then the other one');
    };
}

subtest 'HTTP/2 clients that wait for nothing make room, too' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    my $proxy = proxy(backends => [$fast], global => { 'max-connections' => 1 });
    my $h2 = Weir::Http2Client->connect($proxy->port);
    is($h2->get('/')->{status}, 200, 'one is served');
    is($proxy->get('/')->body, 'fast', 'then another client');
    is($h2->goaway, 'NO_ERROR', 'the first was told');
};

subtest 'descriptors are kept for backends' => sub {
    my $proxy = proxy(backends => [$fast], nofile => 128, global => { 'max-connections' => 100 });
    like($proxy->stderr, qr/^weir: max-connections: 100 would need more than the 128 files that may be open: it is 16$/m, 'is said');
    my @clients = grep { defined } map { Weir::Client->connect($proxy->port) } 1 .. 40;
    my $served = grep { $_->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"); my $r = $_->read_response(seconds => 2); $r && $r->status == 200 } reverse @clients;
    cmp_ok($served, '>=', 8, 'those that have a place are served');
    is(scalar(grep { ($_->{code} // '') =~ /unreachable|no_descriptors/ } $proxy->log_lines), 0, 'and no backend is blamed');
};

subtest 'no_descriptors: one client that wants more backends than there are descriptors' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    my $proxy = proxy(backends => [ '127.0.0.1:' . stuck_port() ], nofile => 100, path => { 'weir.connect-timeout' => ms(2000) });
    my $h2 = Weir::Http2Client->connect($proxy->port);
    my @ids = map { $h2->request(path => "/$_") } 1 .. 100;
    is($h2->response($ids[99])->{status}, 503, 'the last of a hundred');
    is($proxy->log_where(path => '/100')->{code}, 'no_descriptors', 'the reason is not the backend');
};

subtest 'clients that come and go at once' => sub {
    my $proxy = proxy(backends => [ $dead, $echo->address ]);
    for my $n (1 .. 150) {
        my $c = $proxy->connect;
        $c->write(substr "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345", 0, $n % 60);
        $n % 2 ? $c->reset : $c->close;
    }
    is($proxy->get('/after')->status, 200, 'the next is served');
    ok(wait_for { $proxy->open_files < 40 }, 'nothing is left open');
};

done_testing;
