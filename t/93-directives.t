# SPDX-License-Identifier: MIT
# Each weir.* directive: what is said at the top holds everywhere, a host may say otherwise, a path has the last word.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

# What the path asks for: "/…?head=N" a response head of N bytes, and so on.
my $backend = backend(sub {
    my $c = shift;
    while (my ($head, $body) = $c->read_request) {
        my ($what, $n) = $head =~ m{\?(\w+)=(\d+)} or do { $c->write(simple_response($head)); next };
        my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
        $c->write('HTTP/1.1 200 ' . 'r' x ($n - 13) . "\r\nContent-Length: 0\r\n\r\n") if $what eq 'status';
        $c->write("${ok}X: " . 'v' x ($n - 3) . "\r\n\r\n") if $what eq 'line';
        $c->write("${ok}Set-Cookie: " . 'c' x ($n - 12) . "\r\n\r\n") if $what eq 'cookie';
        $c->write($ok . join('', map { "H$_: x\r\n" } 2 .. $n) . "\r\n") if $what eq 'count';
        $c->write(_head_of($ok, $n)) if $what eq 'head';
        $c->write("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nab") if $what eq 'half';
        $c->wait_close if $what =~ /^(?:half|silent)$/;
    }
});

# A response head of so many bytes, in lines that are not too long.
sub _head_of {
    my ($ok, $bytes) = @_;
    my $head = $ok;
    $head .= 'X: ' . 'v' x 995 . "\r\n" while length($head) + 1002 < $bytes;
    return $head . 'Y: ' . 'v' x ($bytes - length($head) - 7) . "\r\n\r\n";
}

# A proxy where the directive has three values; and where each of them counts.
my @levels = ([ 'global', 'g.test', '/' ], [ 'host', 'h.test', '/' ], [ 'path', 'h.test', '/p/' ]);

sub proxy_with {
    my ($directive, $values, %option) = @_;
    my $router = $option{router} // { module => 'table', apps => { main => { domains => ['*'], backends => [ $option{to} // $backend->address ] } } };
    my %more = %{ $option{more} // {} };
    return proxy(
        router => $router,
        global => { $directive => $values->[0], %more },
        hosts  => { 'h.test' => { $directive => $values->[1], paths => { '/' => { 'weir.router' => $router }, '/p' => { 'weir.router' => $router, $directive => $values->[2] } } } },
    );
}

sub request {
    my ($level, %option) = @_;
    my (undef, $host, $path) = @$level;
    return "GET $path" . ($option{query} // '') . " HTTP/1.1\r\nHost: $host\r\n" . ($option{headers} // '') . "\r\n";
}

# ── directives whose effect can be read ──

sub backend_sees { my ($own, $level, $headers) = @_; return Weir::Response->new($own->ask(request($level, headers => $headers))->body, '', '', 1, '') }
sub named { my ($own, $level, $value) = @_; return defined backend_sees($own, $level)->header($value) ? $value : 'nothing' }

my @shown = (    # directive, three values, what is observed
    [ 'weir.request-id-header',  [qw(X-One X-Two X-Three)], \&named ],
    [ 'weir.start-time-header',  [qw(X-One X-Two X-Three)], \&named ],
    [ 'weir.connect-time-header', [qw(X-One X-Two X-Three)], \&named ],
    [ 'weir.route-time-header',  [qw(X-One X-Two X-Three)], \&named ],
    [ 'weir.via', [ '1.1 one', '1.1 two', '1.1 three' ], sub { my ($own, $level) = @_; return backend_sees($own, $level)->header('Via') } ],
    [ 'weir.via', [ '1.1 one', '1.1 two', '1.1 three' ], sub { my ($own, $level) = @_; return $own->ask(request($level))->header('Via') } ],
    [ 'weir.header-case', [qw(preserve canonical preserve)],
        sub { my ($own, $level) = @_; return backend_sees($own, $level, "x-OWN: 1\r\n")->head =~ /^X-Own/m ? 'canonical' : 'preserve' } ],
    [ 'weir.header-case', [qw(canonical preserve canonical)],
        sub { my ($own, $level) = @_; return backend_sees($own, $level, "x-OWN: 1\r\n")->head =~ /^X-Own/m ? 'canonical' : 'preserve' } ],
    [ 'weir.proxy-status', [qw(ON OFF ON)], sub { my ($own, $level) = @_; return defined $own->ask(request($level))->header('Proxy-Status') ? 'ON' : 'OFF' },
        to => '127.0.0.1:' . refusing_port() ],
    [ 'weir.proxy-status', [qw(OFF ON OFF)], sub { my ($own, $level) = @_; return defined $own->ask(request($level))->header('Proxy-Status') ? 'ON' : 'OFF' },
        to => '127.0.0.1:' . refusing_port() ],
    map({ my $values = $_; (
        [ 'weir.server-timing', $values, sub { my ($own, $level) = @_; return defined $own->ask(request($level))->header('Server-Timing') ? 'ON' : 'OFF' } ],
        [ 'weir.trace', $values, sub { my ($own, $level) = @_; return defined backend_sees($own, $level)->header('traceparent') ? 'ON' : 'OFF' } ],
    ) } [qw(ON OFF ON)], [qw(OFF ON OFF)]),
);
for my $row (@shown) {
    my ($directive, $values, $observe, %option) = @$row;
    subtest "$directive: @$values" => sub {
        my $own = proxy_with($directive, $values, %option);
        is($observe->($own, $levels[$_], $values->[$_]), $values->[$_], $levels[$_][0]) for 0 .. 2;
    };
}

subtest 'weir.access-log' => sub {
    my @files = map { temp_path("$_.log") } qw(global host path);
    my $own = proxy_with('weir.access-log', \@files);
    $own->ask(request($levels[$_], query => "?n$_")) for 0 .. 2;
    for my $n (0 .. 2) {
        is(join(' ', wait_for { read_file($files[$n]) } =~ /\?(n\d)/g), "n$n", $levels[$n][0]);
    }
};

# ── limits: at the limit it passes, one beyond it does not ──

sub passes { my ($own, $level, %option) = @_; return $own->ask(request($level, %option))->status }
sub line_of { my ($own, $level, $n) = @_; return passes($own, $level, query => '?' . 'q' x ($n - length "GET $level->[2]? HTTP/1.1")) }
sub count_of { my ($own, $level, $n) = @_; return passes($own, $level, headers => join '', map { "H$_: x\r\n" } 2 .. $n) }
sub head_of { my ($own, $level, $n) = @_; return passes($own, $level, headers => 'X: ' . 'v' x ($n - length(request($level)) - 5) . "\r\n") }
sub from_backend { my ($what) = @_; return sub { my ($own, $level, $n) = @_; return passes($own, $level, query => "?$what=$n") } }

my @limits = (    # directive, three values, probe, status beyond
    [ 'weir.max-request-line',    [ 100, 200, 300 ],       \&line_of, 414 ],
    [ 'weir.max-request-line',    [ 300, 200, 100 ],       \&line_of, 414 ],
    [ 'weir.max-header-name',     [ 20, 30, 40 ],          sub { my ($own, $level, $n) = @_; return passes($own, $level, headers => 'N' x $n . ": x\r\n") }, 431 ],
    [ 'weir.max-header-name',     [ 40, 30, 20 ],          sub { my ($own, $level, $n) = @_; return passes($own, $level, headers => 'N' x $n . ": x\r\n") }, 431 ],
    [ 'weir.max-header-value',    [ 20, 30, 40 ],          sub { my ($own, $level, $n) = @_; return passes($own, $level, headers => 'X: ' . 'v' x $n . "\r\n") }, 431 ],
    [ 'weir.max-header-value',    [ 40, 30, 20 ],          sub { my ($own, $level, $n) = @_; return passes($own, $level, headers => 'X: ' . 'v' x $n . "\r\n") }, 431 ],
    [ 'weir.max-headers',         [ 20, 30, 40 ],          \&count_of, 431 ],
    [ 'weir.max-headers',         [ 40, 30, 20 ],          \&count_of, 431 ],
    [ 'weir.max-head',            [ 500, 1000, 1500 ],     \&head_of, 431 ],
    [ 'weir.max-head',            [ 1500, 1000, 500 ],     \&head_of, 431 ],
    [ 'weir.max-status-line',     [ 100, 200, 300 ],       from_backend('status'), 502 ],
    [ 'weir.max-response-header', [ 100, 200, 300 ],       from_backend('line'), 502 ],
    [ 'weir.max-response-cookie', [ 100, 200, 300 ],       from_backend('cookie'), 502 ],
    [ 'weir.max-headers',         [ 20, 30, 40 ],          from_backend('count'), 502 ],
    [ 'weir.backend-buffer',      [ 5000, 10000, 20000 ],  from_backend('head'), 502 ],
);
for my $row (@limits) {
    my ($directive, $values, $probe, $status) = @$row;
    subtest "$directive: @$values, else $status" => sub {
        my $own = proxy_with($directive, $values);
        for my $n (0 .. 2) {
            is($probe->($own, $levels[$n], $values->[$n]), 200, "$levels[$n][0]: $values->[$n]");
            is($probe->($own, $levels[$n], $values->[$n] + 1), $status, "$levels[$n][0]: one more");
        }
    };
}

subtest 'limits act before the path is known: the widest of all holds until then' => sub {
    my $own = proxy_with('weir.max-request-line', [ 100, 200, 300 ]);
    is($own->log_lines(0), 0, 'nothing yet');
    line_of($own, $levels[0], 250);
    my ($line) = $own->log_lines(1);
    is($line->{code}, 'request_line_too_long', 'beyond the path\'s own');
    is($line->{host}, 'g.test', 'the path\'s stage 10 has refused it');
    is($own->ask('GET /' . 'x' x 400)->status, 414, 'beyond the widest: before the line is complete');
};

subtest 'weir.request-id-max-size' => sub {
    my @values = (30, 40, 50);
    my $own = proxy_with('weir.request-id-max-size', \@values);
    for my $n (0 .. 2) {
        my ($fits, $long) = map { 'i' x $_ } $values[$n], $values[$n] + 1;
        is(backend_sees($own, $levels[$n], "X-Request-Id: $fits\r\n")->header('X-Request-Id'), $fits, "$levels[$n][0]: $values[$n]");
        like(backend_sees($own, $levels[$n], "X-Request-Id: $long\r\n")->header('X-Request-Id'), qr/^[0-9a-f-]{36}$/, "$levels[$n][0]: one more");
    }
};

subtest 'weir.max-requests-per-connection' => sub {
    my @values = (4, 3, 2);
    my $own = proxy_with('weir.max-requests-per-connection', \@values);
    for my $n (0 .. 2) {
        my $client = $own->connect;
        my $served = 0;
        for (1 .. 6) {
            $client->write(request($levels[$n]));
            my $r = $client->read_response or last;
            $served++;
            last if $r->says_close;
        }
        is($served, $values[$n], $levels[$n][0]);
    }
};

# ── durations: three requests at once, and when each of them ends ──

sub durations_of {
    my ($own, @bytes) = @_;
    my $begin = time;
    my @clients = map { my $client = $own->connect; $client->write($_); $client } @bytes;
    my @took;
    wait_for {
        for my $n (grep { !defined $took[$_] } 0 .. $#clients) {
            1 while $clients[$n]->_more(0);
            $took[$n] = time - $begin if $clients[$n]->is_eof;
        }
        @took == @clients && !grep { !defined } @took;
    };
    return map { int(1000 * ($_ // 0)) } @took;
}

my @times = map { ms($_) } 200, 1000, 1800;
my @durations = (    # directive, what is asked for, options
    [ 'weir.connect-timeout',    '',          to => '127.0.0.1:' . stuck_port() ],
    [ 'weir.first-byte-timeout', '?silent=1', () ],
    [ 'weir.idle-timeout',       '?half=1',   () ],
    [ 'weir.router-timeout',     '',          router => { module => router_so('record'), log => temp_path('record.log'), backends => [ $backend->address ] },
        headers => 'X-Do: first=0 checkout=' . ms(2800) . "\r\n" ],
);
for my $row (@durations) {
    my ($directive, $query, %option) = @$row;
    subtest "$directive: @times" => sub {
        my $own = proxy_with($directive, \@times, %option);
        my @took = durations_of($own, map { request($_, query => $query, headers => $option{headers}) } @levels);
        for my $n (0 .. 2) {
            ok($took[$n] >= $times[$n] - 20 && $took[$n] < $times[$n] + ms(700), "$levels[$n][0]: $times[$n] ms") or diag("took $took[$n]");
        }
    };
}

subtest 'weir.header-timeout: the global value before a path is known, then that of its path' => sub {
    my $own = proxy_with('weir.header-timeout', [ ms(400), ms(1300), ms(2200) ]);
    my @took = durations_of($own, 'GET / HTTP/1.1', map { request($_) } @levels);
    my @times = map { ms($_) } 400, 400, 1300, 2200;
    for my $n (0 .. 3) {
        ok($took[$n] >= $times[$n] - 20 && $took[$n] < $times[$n] + ms(700), $n == 0 ? 'half a head' : "idle after a request ($levels[$n - 1][0])") or diag("took $took[$n]");
    }
};

done_testing;
