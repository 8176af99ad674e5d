# SPDX-License-Identifier: MIT
# A browser stays with its backend: over reloads, growth, weights, restarts. It moves only if it must, and all of its requests together.
use lib 't/lib';
use Weir::Test;

my %up;
my $answer = sub {
    my ($name) = @_;
    return sub {
        my $c = shift;
        return $c->serve(sub {
            my ($head) = @_;
            return "HTTP/1.1 200 OK\r\nSet-Cookie: weir-affinity=mine; Path=/\r\nContent-Length: 3\r\n\r\n123" if $head =~ m{^GET /own };
            return "HTTP/1.1 200 OK\r\nCache-Control: public\r\nContent-Length: 3\r\n\r\nall" if $head =~ m{^GET /public };
            return "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" if $head =~ m{^GET /upgrade };
            return simple_response($name);
        });
    };
};
my %port = map { $_ => free_port() } 1 .. 4;
sub up   { my ($n) = @_; $up{$n} = backend($answer->("b$n"), port => $port{$n}); return }
sub down { my ($n) = @_; $up{$n}->stop; delete $up{$n}; return }
up($_) for 1 .. 3;

sub at  { my ($n, %more) = @_; return { at => "127.0.0.1:$port{$n}", id => "web-$n", %more } }
sub app { my ($backends, %more) = @_; return { shop => { domains => ['*'], backends => $backends, affinity => 'ON', %more } } }

# A browser: keeps the cookie it was given. Returns body, or status if that is not 200.
sub browse {
    my ($proxy, $jar, $path, $more) = @_;
    my $cookie = $jar->{value} ? "Cookie: theme=dark; weir-affinity=$jar->{value}\r\n" : '';
    my $r = $proxy->get($path // '/', $cookie . ($more // ''));
    my ($set) = grep { /^weir-affinity=[\w-]{51};/ } $r->all('Set-Cookie');
    $jar->{set} = $set;
    ($jar->{value}) = $set =~ /^weir-affinity=([^;]*)/ if $set;
    return $r->status == 200 ? $r->body : $r->status;
}

# Pins a browser to this backend.
sub browser_of {
    my ($proxy, $n) = @_;
    for (1 .. 200) {
        my $jar = {};
        return $jar if browse($proxy, $jar) eq "b$n";
    }
    die "nobody gets to b$n";
}

subtest 'stays' => sub {
    my $proxy = proxy(apps => app([ map { at($_) } 1 .. 3 ]));
    my $jar = {};
    my $mine = browse($proxy, $jar);
    is($jar->{set}, "weir-affinity=$jar->{value}; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax", 'the first answer has the cookie');
    my %seen;
    for (1 .. 20) { $seen{ browse($proxy, $jar) }++; $seen{set}++ if $jar->{set} }
    is_deeply(\%seen, { $mine => 20 }, 'all others come from the same backend, and have none');
    is_deeply([ map { $_->{affinity} } ($proxy->log_lines(2))[ 0, 1 ] ], [ 'new', 'kept' ], 'the log says so');
    is(($proxy->log_lines(2))[1]{pick}, 'pin', 'and how it was picked');
    my %all = map { browse($proxy, {}) => 1 } 1 .. 40;
    is(scalar keys %all, 3, 'other browsers get to other backends');
};

subtest 'a cookie that was changed is none' => sub {
    my $proxy = proxy(apps => app([ map { at($_) } 1 .. 3 ]));
    my $jar = {};
    browse($proxy, $jar);
    substr($jar->{value}, 20, 1) = substr($jar->{value}, 20, 1) eq 'A' ? 'B' : 'A';
    browse($proxy, $jar, '/forged');
    ok($jar->{set}, 'a new one is given');
    is($proxy->log_where(path => '/forged')->{affinity}, 'invalid', 'the log says why');
};

subtest 'reloads, growth, weights' => sub {
    my $proxy = proxy(apps => app([ map { at($_) } 1 .. 3 ]));
    my @jars = map { { } } 1 .. 12;
    my @mine = map { browse($proxy, $_) } @jars;
    up(4);
    ok($proxy->reload(apps => app([ at(4), at(3, weight => 1), at(2), at(1, weight => 900) ])), 'a reload that changes all of it');
    is_deeply([ map { browse($proxy, $_) } @jars ], \@mine, 'moves nobody');
    is((grep { $_->{set} } @jars), 0, 'nor writes a cookie');
    down(4);
};

subtest 'a restart' => sub {
    my $file = write_file(temp_path('keys'), 'id ' . 'ab' x 32 . "\n1 " . 'cd' x 32 . "\n");
    chmod 0600, $file;
    my $apps = app([ map { at($_) } 1 .. 3 ], affinity => { 'key-file' => $file });
    my $proxy = proxy(apps => $apps);
    my @jars = map { { } } 1 .. 9;
    my @mine = map { browse($proxy, $_) } @jars;
    $proxy->stop;
    my $other = proxy(apps => $apps);
    is_deeply([ map { browse($other, $_) } @jars ], \@mine, 'with keys of a file everybody stays');
    write_file($file, 'id ' . 'ab' x 32 . "\n2 " . 'ef' x 32 . "\n1 " . 'cd' x 32 . "\n");
    my $own = proxy(apps => $apps);
    is_deeply([ map { browse($own, $_) } @jars ], \@mine, 'also when another key signs');
    chmod 0644, $file;
    my $run = weir('check', '-c', $own->config);
    like($run->{err}, qr/key-file: .*\Q$file\E/, 'a file that others may read is refused') or diag($run->{out});
};

subtest 'a backend that is down for a moment' => sub {
    my $proxy = proxy(apps => app([ map { at($_) } 1 .. 3 ], affinity => { grace => ms(60_000) }));
    my $jar = browser_of($proxy, 2);
    down(2);
    my %seen;
    my $held = $jar->{value};
    my @parallel = map { $proxy->connect } 1 .. 6;
    $_->write("GET /away HTTP/1.1\r\nHost: a\r\nCookie: weir-affinity=$held\r\n\r\n") for @parallel;
    my @answers = map { $_->read_response } @parallel;
    $seen{ $_->body }++ for @answers;
    is((values %seen)[0], 6, 'all of its requests go to one other backend') or diag explain \%seen;
    is((grep { $_->header('Set-Cookie') } @answers), 0, 'and the pin stays');
    is($proxy->log_where(path => '/away')->{affinity}, 'borrowed', 'the log says so');
    up(2);
    ok(wait_for { browse($proxy, $jar) eq 'b2' }, 'it comes home');
};

subtest 'a backend that is gone for long' => sub {
    my $proxy = proxy(apps => app([ map { at($_) } 1 .. 3 ], affinity => { grace => 0 }));
    my $jar = browser_of($proxy, 2);
    down(2);
    my $now;
    ok(wait_for { $now = browse($proxy, $jar, '/moved'); $jar->{set} }, 'the pin moves');
    up(2);
    is_deeply([ map { browse($proxy, $jar) } 1 .. 5 ], [ ($now) x 5 ], 'and stays there');
    is($proxy->log_where(affinity => 'moved')->{affinity}, 'moved', 'the log says so');
};

subtest 'a backend that is taken away' => sub {
    my $proxy = proxy(apps => app([ map { at($_) } 1 .. 3 ], 'drain-timeout' => ms(1500)));
    my $jar = browser_of($proxy, 2);
    ok($proxy->reload(apps => app([ at(1), at(3) ], 'drain-timeout' => ms(1500))), 'by a reload');
    is(browse($proxy, $jar), 'b2', 'serves those that are pinned to it');
    is((grep { browse($proxy, {}) eq 'b2' } 1 .. 20), 0, 'and nobody else');
    ok(wait_for { browse($proxy, $jar) ne 'b2' }, 'for a while');
    ok($jar->{set}, 'then the pin moves');
};

subtest 'strict' => sub {
    my $proxy = proxy(apps => app([ map { at($_) } 1 .. 3 ], affinity => { strict => 'ON' }, 'drain-timeout' => 0));
    my $jar = browser_of($proxy, 2);
    ok($proxy->reload(apps => app([ at(1), at(3) ], affinity => { strict => 'ON' }, 'drain-timeout' => 0)), 'its backend goes');
    is(browse($proxy, $jar, '/lost'), 503, 'there is no other');
    is($proxy->log_where(path => '/lost')->{code}, 'affinity_lost', 'the reason is named');
};

subtest 'a backend that is full' => sub {
    my $gate = temp_path('gate');
    my $slow = backend(sub {
        my $c = shift;
        my $head = $c->read_head or return;
        $c->note('at ' . $c->case_of($head));
        select undef, undef, undef, 0.01 until -e $gate;
        $c->write(simple_response('slow'));
    });
    my $proxy = proxy(apps => app([ { at => $slow->address, id => 'slow', 'max-requests' => 1 }, at(1) ], affinity => { patience => 300 }));
    my ($jar, $first) = {};
    for (1 .. 100) {
        $first = $proxy->connect;
        $first->write("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
        my $is_slow; # or the other one has answered
        wait_for { $is_slow = grep { /at first$/ } $slow->events; $is_slow || !$first->is_silent(0.02) };
        last if $is_slow;
        $first->close;
    }
    write_file($gate, '');
    my $r = $first->read_response;
    ($jar->{value}) = $r->header('Set-Cookie') =~ /^weir-affinity=([^;]*)/;
    unlink $gate;
    my $second = $proxy->connect;
    $second->write("GET /second HTTP/1.1\r\nHost: a\r\nCookie: weir-affinity=$jar->{value}\r\n\r\n");
    ok($second->is_silent(0.2), 'its backend has one');
    is(browse($proxy, $jar, '/third'), 'b1', 'another waits, and then goes elsewhere');
    is($jar->{set}, undef, 'the pin stays');
    is($proxy->log_where(path => '/third')->{affinity}, 'borrowed', 'the log says so');
    write_file($gate, '');
    is($second->read_response->body, 'slow', 'the one ends well');
};

subtest 'who waits for a backend that goes' => sub {
    my $gate = temp_path('gate');
    my $slow = sub {
        my ($name) = @_;
        return backend(sub {
            my $c = shift;
            while (my $head = $c->read_head) {
                my $case = $c->case_of($head);
                $c->note("at $case");
                select undef, undef, undef, 0.01 until $case ne 'wait' || -e $gate;
                $c->write(simple_response($name));
            }
        });
    };
    my ($one, $two) = map { $slow->($_) } qw(one two);
    my %more = ('app-max-requests' => 1, 'drain-timeout' => 0);
    for my $strict ('OFF', 'ON') {
        unlink $gate;
        $more{affinity} = { strict => $strict, patience => ms(20_000) };
        my @both = ({ at => $one->address, id => 'one' }, { at => $two->address, id => 'two' });
        my $proxy = proxy(apps => app([@both], %more));
        my %jar;
        for (1 .. 200) { my $jar = {}; $jar{ browse($proxy, $jar) } = $jar; last if keys %jar == 2 }
        my $busy = $proxy->connect;
        $busy->write("GET /wait HTTP/1.1\r\nHost: a\r\nCookie: weir-affinity=$jar{two}{value}\r\n\r\n");
        $busy->is_silent(0.2);
        my $waits = $proxy->connect;
        $waits->write("GET /then HTTP/1.1\r\nHost: a\r\nCookie: weir-affinity=$jar{one}{value}\r\n\r\n");
        ok($waits->is_silent(0.2), "strict $strict: a request waits for its backend");
        ok($proxy->reload(apps => app([ $both[1] ], %more)), 'which a reload takes away');
        write_file($gate, '');
        my $r = $waits->read_response;
        is($r->status == 200 ? $r->body : $r->status, $strict eq 'ON' ? 503 : 'two', 'it is told, or goes to another');
        is($busy->read_response->body, 'two', 'the other one ends well');
    }
};

subtest 'where no cookie is written' => sub {
    my $proxy = proxy(apps => app([ map { at($_) } 1 .. 3 ]));
    my $own = $proxy->get('/own');
    is_deeply([ $own->all('Set-Cookie') ], ['weir-affinity=mine; Path=/'], 'where the backend sets it itself');
    is($proxy->get('/public')->header('Set-Cookie'), undef, 'where a shared cache may keep the answer');
    my $client = $proxy->connect;
    $client->write("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    like($client->read_head, qr/^HTTP\/1\.1 101 .*^Set-Cookie: weir-affinity=/ms, 'a 101 has one');
    $client->close;
};

done_testing;
