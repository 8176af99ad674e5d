# SPDX-License-Identifier: MIT
# The workers of examples/, each in its own language: they dial in, whoever is there first, serve, come back, leave in order.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;
use Weir::TLS;
use Digest::SHA qw(sha256_hex);

chdir root_dir();
my $workers = 'examples/workers';
my $long    = join '', map { chr(($_ * 31 + ($_ >> 8)) % 256) } 1 .. 300_000;
my %running;    # workers that have not ended, by pid

sub worker {
    my ($port, @command) = @_;
    my %env  = (ROUTER => "127.0.0.1:$port", ref $command[0] ? %{ shift @command } : ());
    my $self = { said => write_file(temp_path('said'), '') };
    $self->{pid} = Weir::Test::_spawn($self->{said}, $self->{said}, command => \@command, env => \%env);
    $running{ $self->{pid} } = 1;
    return $self;
}

END {
    local $?;
    kill 'KILL', $_ for keys %running;
    waitpid $_, 0 for keys %running;
}

# Waits until the worker has said so that often.
sub has_said {
    my ($worker, $what, $times) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $count = 0;
    my $enough = wait_for { ($count = () = read_file($worker->{said}) =~ /\Q$what\E/g) >= $times } 2 * wait_seconds();
    ok($enough, "it has said '$what'") or diag("$count times of $times: ", read_file($worker->{said}));
    return $enough;
}

sub router {
    my ($port, %option) = @_;
    return proxy(%option, apps => { demo => { domains => ['*'], workers => 'ON' } },
        global => { 'num-threads' => 2, 'weir.workers' => { listen => "127.0.0.1:$port", auth => 'none' } });
}

# Waits for its end behind SIGTERM; its exit status.
sub ends {
    my ($worker) = @_;
    my $exit = wait_for_pid($worker->{pid});
    delete $running{ $worker->{pid} } if defined $exit;
    return $exit;
}

sub begin_slow {
    my ($own) = @_;
    my $client = $own->connect;
    $client->write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    return $client;
}

# The whole life of a worker. `connections`: how many it has; `hello`: how it greets; `counts`: a POST is counted, not echoed.
sub lives_well {
    my ($connections, $hello, $counts, @command) = @_;
    my $port   = free_port();
    my $worker = worker($port, @command);
    has_said($worker, 'again in', 1) or return;

    my $own = router($port);
    has_said($worker, 'registered with', $connections) or return;
    like($own->get('/')->body, qr/^hello from $hello \d+\n\z/, 'a GET; the proxy came later than the worker');
    my $r = $own->ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n$long");
    ok($r->body eq ($counts ? "300000 bytes\n" : $long), 'a POST of 300 kB') or diag($r->status, ' ', length $r->body);
    is($own->ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")->status, 200, 'a HEAD');

    my @clients = map { begin_slow($own) } 1 .. 2;
    my @heads   = map { $_->read_until(qr/slow\.\.\./) // '' } @clients;
    ok(!(grep { $_->{in} =~ /done/ } @clients), 'two have begun before one has ended');
    like($_, qr{^HTTP/1\.1 200 }, 'a head') for @heads;
    ok(defined $_->read_until(qr/ and done\n/), 'and its end') for @clients;

    is($own->stop, 0, 'the proxy leaves');
    my $brief = router($port, crashes => 'KILL');
    has_said($worker, 'registered with', 2 * $connections) or return;
    $brief->signal('KILL');
    ok($brief->wait_exit < 0, 'another is gone without a word');
    my $next = router($port);
    has_said($worker, 'registered with', 3 * $connections) or return;
    like($next->get('/')->body, qr/^hello from $hello \d+\n\z/, 'the next one has the worker, too');

    my $client = begin_slow($next);
    ok(defined $client->read_until(qr/slow\.\.\./), 'a request runs');
    kill 'TERM', $worker->{pid};
    ok(defined $client->read_until(qr/ and done\n/), 'it is answered whole behind SIGTERM');
    $client->write("GET /again HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    my $rest = $client->read_eof // '';
    like($rest, qr{^(?:\r\n0\r\n\r\n)?HTTP/1\.1 503 }, 'the next one has nobody to go to');
    is(ends($worker), 0, 'the worker has exited with 0') or diag(read_file($worker->{said}));
    is($next->stop, 0, 'the proxy, too');
    return;
}

# A token, over TLS; and somebody else's certificate.
sub proves_itself {
    my ($hello, @command) = @_;
    my ($ca, $other, $port) = (authority('ours'), authority('theirs'), free_port());
    my $cert  = certificate('localhost', ca => $ca, names => ['127.0.0.1']);
    my $token = 'a-token-of-this-test';
    my %ssl   = ('certificate-file' => $cert->{cert}, 'key-file' => $cert->{key});
    my $own   = proxy(apps => { demo => { domains => ['*'], workers => { tokens => [ { sha256 => sha256_hex($token) } ] } } },
        global => { 'weir.workers' => { listen => { host => '127.0.0.1', port => $port, ssl => \%ssl } } });
    my $worker = worker($port, { TOKEN => $token, CA => $ca->{cert} }, @command);
    has_said($worker, 'registered with', 2) or return;
    like($own->get('/')->body, qr/^hello from $hello \d+\n\z/, 'it serves over TLS');
    is($own->ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n$long")->body, $long, 'a POST');
    kill 'TERM', $worker->{pid};
    is(ends($worker), 0, 'it exits with 0');
    for my $wrong ({ TOKEN => $token, CA => $other->{cert} }, { TOKEN => 'another-token-of-this', CA => $ca->{cert} }) {
        my $refused = worker($port, $wrong, @command);
        has_said($refused, 'again in', 2);
        unlike(read_file($refused->{said}), qr/registered/, 'it is not registered');
        kill 'TERM', $refused->{pid};
        is(ends($refused), 0, 'and can be ended all the same');
    }
    return;
}

# What a server needs besides, to dial: lines of code from one mark to the next.
sub dialler_lines {
    my ($file) = @_;
    my ($part) = read_file($file) =~ m{---- the dialler ----(.*?)(?:---- main ----|\z)}s or return 'no such part';
    return scalar grep { /\S/ && !m{^\s*(?://|#|/\*|\*|""")} } split /\n/, $part;
}

subtest 'diallers are short' => sub {
    for my $file ('examples/worker.mjs', "$workers/go/main.go", map { "$workers/worker$_" } qw(.c .rb _asgi.py _h2.py)) {
        my $lines = dialler_lines($file);
        ok($lines =~ /^\d+$/ && $lines > 10 && $lines <= 40, "$file: $lines lines of code");
    }
};

my $python = Weir::Http2Backend::python();

my @node   = ('node', 'examples/worker.mjs');
my @h2     = ($python, '-B', "$workers/worker_h2.py");
my @asgi   = ($python, '-B', "$workers/worker_asgi.py");

subtest 'Node' => sub { lives_well(2, 'node', 0, @node) };
subtest 'Node, TLS' => sub { proves_itself('node', @node) };
subtest 'Python, h2' => sub { lives_well(2, 'python', 0, @h2) };
subtest 'Python, h2, TLS' => sub { proves_itself('python', @h2) };
subtest 'Python, an ASGI application' => sub { lives_well(2, 'asgi', 0, @asgi) };
subtest 'Python, an ASGI application, TLS' => sub { proves_itself('asgi', @asgi) };

subtest 'Go' => sub {
    my $program = temp_path('worker');
    my %offline = (GOPATH => '/usr/share/gocode', GO111MODULE => 'off', GOCACHE => build_dir() . '/go-cache', GOFLAGS => '');
    my $run = run_command({ env => \%offline, seconds => 100 }, 'go', 'build', '-o', $program, "$workers/go/main.go");
    is($run->{exit}, 0, 'it compiles with nothing but Debian\'s packages') or return diag($run->{err});
    lives_well(2, 'go', 0, $program);
    proves_itself('go', $program);
};

subtest 'C' => sub {
    my $program = temp_path('worker');
    my @warnings = qw(-Wall -Wextra -Werror -Wno-unused-parameter);
    my $run = run_command($ENV{CC} // 'cc', '-O1', @warnings, '-pthread', "$workers/worker.c", '-o', $program, '-lnghttp2');
    is($run->{exit}, 0, 'it compiles without a warning') or return diag($run->{err});
    lives_well(2, 'C', 1, $program);
};

my @ruby = ('ruby', "$workers/worker.rb");

subtest 'Ruby, HTTP/1.1' => sub { lives_well(4, 'ruby', 0, @ruby) };
subtest 'Ruby, HTTP/1.1, TLS' => sub { proves_itself('ruby', @ruby) };

done_testing;
