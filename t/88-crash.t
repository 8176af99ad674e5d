# SPDX-License-Identifier: MIT
# A crash in somebody's module: what is said of it, what is saved, and how the process ends.
use lib 't/lib';
use Weir::Test;

my %number = (SEGV => 11, FPE => 8, ABRT => 6);

# Signals go their own way here, not a sanitizer's: what the handler leaves behind is looked at.
my %env = map { $_ => join ':', 'detect_leaks=0', map { "handle_$_=0" } qw(segv abort sigfpe sigill sigbus) } qw(ASAN_OPTIONS TSAN_OPTIONS);
my $so = router_so('crashing');

sub crashing { return proxy(router => $so, env => \%env, crashes => 'SEGV', @_) }

# Sends requests that are served, then one that is not.
sub crash {
    my ($proxy, $path) = @_;
    my $client = $proxy->connect;
    for (1 .. 20) {
        $client->write("GET /ok-$_ HTTP/1.1\r\nHost: a.test\r\n\r\n");
        $client->read_response;
        $client = $proxy->connect; # an error page closes
    }
    $client->write("GET $path HTTP/1.1\r\nHost: a.test\r\nX-Request-Id: this-one-crashes-0001\r\n\r\n");
    return $proxy->wait_exit;
}

my $at_work = 'router crashing in checkout_service, request this-one-crashes-0001, stage 50 checkout';
my %ways = (
    '/null'     => [ SEGV  => qr/SIGSEGV for address 0x0, at 0x\w+, in \Q$so\E\+0x\w+$/m ],
    '/division' => [ FPE   => qr/SIGFPE for address 0x\w+, at 0x\w+, in \Q$so\E\+0x\w+$/m ],
    '/depth'    => [ SEGV  => qr/SIGSEGV for address 0x\w+, at 0x\w+, in \Q$so\E\+0x\w+$/m ],
    '/abort'    => [ ABRT  => qr/SIGABRT, at 0x\w+$/m ],
    '/signal'   => [ SEGV  => qr/SIGSEGV, at 0x\w+$/m ],
);
for my $path (sort keys %ways) {
    subtest "crash by $path" => sub {
        my ($signal, $line) = @{ $ways{$path} };
        my $proxy = crashing(crashes => $signal);
        is(crash($proxy, $path), -$number{$signal}, "the process ends by SIG$signal");
        my $said = $proxy->stderr;
        like($said, qr/^weir: crash: $line/m, 'the signal is named, and the place');
        like($said, qr/^weir: at work: \Q$at_work\E$/m, 'the router, its callback, the request and the stage');
        like($said, qr/^weir:   walk: entered 0 10 20 30 40 50, .*a question is open/m, 'and how far the walk had come');
        is(scalar(() = $said =~ /^weir: crash:/mg), 1, 'once');
        is(scalar(grep { $_->{path} =~ m{^/ok-} } $proxy->log_lines), 20, 'no line of the access log is lost');
    };
}

subtest 'a crash on a thread of a module' => sub {
    my $proxy = crashing();
    is(crash($proxy, '/elsewhere'), -$number{SEGV}, 'ends the process as well');
    like($proxy->stderr, qr/^weir: crash: SIGSEGV .* in \Q$so\E\+0x\w+$/m, 'the module is known by its code');
    unlike($proxy->stderr, qr/at work/, 'what the thread was at is not');
    is(scalar(grep { $_->{path} =~ m{^/ok-} } $proxy->log_lines), 20, 'no line of the access log is lost');
};

subtest 'a crash in a stage' => sub {
    my $stage = router_so('wrong_stage');
    my $proxy = proxy(backends => [ refusing_port() ], path => { 'weir.stages' => $stage }, env => \%env, crashes => 'SEGV');
    is(crash($proxy, '/crash'), -$number{SEGV}, 'ends the process');
    like($proxy->stderr, qr/^weir: at work: stage wrong in enter, request this-one-crashes-0001, stage 25 wrong$/m, 'it is named');
};

subtest 'a crash beside requests' => sub {
    for my $where (qw(configure start ticker)) {
        my $file = write_file(temp_path('weir.yaml'), "listen: @{[ free_port() ]}\nhosts:\n  default:\n    paths:\n      /:\n"
            . "        weir.router:\n          module: $so\n          crash: $where\n");
        my $run = run_command({ env => \%env }, build_dir() . '/weir', 'run', '-c', $file);
        is($run->{signal}, $number{SEGV}, "in $where: the process ends");
        like($run->{err}, qr/^weir: at work: router crashing in (?:a )?$where$/m, 'the router and its function are named');
    }
};

subtest 'weir.crash-handler: OFF' => sub {
    my $proxy = crashing(global => { 'weir.crash-handler' => 'OFF' });
    is(crash($proxy, '/null'), -$number{SEGV}, 'the process ends');
    is($proxy->stderr, '', 'without a word');
};

subtest 'a log whose reader does not read' => sub {
    my $fifo = temp_path('fifo');
    POSIX::mkfifo($fifo, 0600) or die $!;
    open my $reader, '+<', $fifo or die $!;
    my $proxy = crashing(global => { 'weir.access-log' => $fifo });
    my $client = $proxy->connect;
    for (1 .. 200) {
        $client->write("GET /ok-" . 'x' x 1000 . " HTTP/1.1\r\nHost: a.test\r\n\r\n");
        $client->read_response or last;
        $client = $proxy->connect;
    }
    $client->write("GET /null HTTP/1.1\r\nHost: a.test\r\n\r\n");
    is($proxy->wait_exit, -$number{SEGV}, 'does not keep the process');
};

done_testing;
