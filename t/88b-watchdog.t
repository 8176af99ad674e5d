# SPDX-License-Identifier: MIT
# Code that keeps its loop: it is named while it does, and when it returns; systemd is told while all loops live; and who has no patience
# has the process end.
use lib 't/lib';
use Weir::Test;
use IO::Socket::UNIX;

my $ok   = ok_backend('ok');
my $gate = temp_path('gate');
my @gate = (qq(-DGATE="$gate"));
my %so   = map { $_ => router_so($_, @gate) } qw(stuck stuck_stage);

sub stuck {
    my (%option) = @_;
    my $global = { 'weir.watchdog' => 100, 'weir.callback-warn' => 20, %{ delete $option{global} // {} } };
    my ($port) = $ok->address =~ /:(\d+)$/;
    return proxy(
        router => { module => $so{stuck}, port => $port }, path => { 'weir.stages' => $so{stuck_stage} },
        global => $global, %option
    );
}

sub id_of { my ($where) = @_; return "this-one-is-stuck-in-" . $where =~ tr/_/-/r }

# Begins a request that will be stuck there, and returns its client.
sub begin_stuck {
    my ($proxy, $where, $more) = @_;
    my $client = $proxy->connect;
    $client->write("GET /$where HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nX-Request-Id: @{[ id_of($where) ]}\r\nX-Stuck: $where\r\n" . ($more // '') . "\r\n");
    return $client;
}

my %callbacks = (
    (map { $_ => "$_ of router stuck" } qw(init lookup_domain_name checkout_service service_backend additional_headers checkin_service terminate log error_page)),
    (map { $_ => "$_ of stage slow" } qw(enter leave)),
);

subtest 'each callback is named while it is stuck, and behind it' => sub {
    my $proxy = stuck();
    for my $where (sort keys %callbacks) {
        my $what = "\Q$callbacks{$where}\E";
        my $id = id_of($where);
        my $client = begin_stuck($proxy, $where, $where eq 'error_page' ? "X-Refuse: 1\r\n" : '');
        ok(wait_for { $proxy->stderr =~ /^weir: loop 1 has been stuck for \d{3,} ms in $what \(request $id\)$/m }, "$where: while it is stuck");
        unlike($proxy->stderr, qr/^weir: $what took \d{3,} ms; .*$id$/m, 'which it still is');
        write_file($gate, '');
        ok(wait_for { $proxy->stderr =~ /^weir: loop 1 was stuck for \d{3,} ms in $what \(request $id\), and goes on$/m }, 'and when it goes on');
        like($proxy->stderr, qr/^weir: $what took \d{3,} ms; time \d+ on loop 1; request $id$/m, 'with what it took');
        is($client->read_response->status, $where eq 'error_page' ? 503 : 200, 'the request is served');
    }
    is($proxy->get('/fine')->status, 200, 'another one');
    is(scalar(() = $proxy->stderr =~ /^weir: loop \d+ has been .*this-one-is-stuck/mg), scalar(keys %callbacks), 'each was told once');
};

subtest 'another time it is counted' => sub {
    my $proxy = stuck();
    for my $time (1, 2) {
        my $client = begin_stuck($proxy, 'checkout_service');
        wait_for { (() = $proxy->stderr =~ /^weir: loop 1 has been stuck for \d+ ms in checkout_service/mg) == $time };
        write_file($gate, '');
        $client->read_response;
    }
    my @times = $proxy->stderr =~ /^weir: checkout_service of router stuck took \d+ ms; time (\d+) on loop 1;/mg;
    cmp_ok(scalar @times, '>=', 2, 'both are told');
    is("@times", join(' ', 1 .. @times), 'and counted');
};

subtest 'one loop of two' => sub {
    my $proxy = stuck(global => { 'num-threads' => 2 });
    my $client = begin_stuck($proxy, 'checkout_service');
    ok(wait_for { $proxy->stderr =~ /^weir: loop [12] has been stuck/m }, 'it is named');
    my ($loop) = $proxy->stderr =~ /^weir: loop ([12]) has been stuck/m;
    write_file($gate, '');
    is($client->read_response->status, 200, 'the request is served');
    ok(wait_for { $proxy->stderr =~ /^weir: loop $loop was stuck/m }, 'and so is its end');
    unlike($proxy->stderr, qr/^weir: loop (?!$loop)/m, 'the other one is not');
};

subtest 'nothing is said if nobody wants to know' => sub {
    my $proxy = stuck(global => { 'weir.watchdog' => 0, 'weir.callback-warn' => 0 });
    my $client = begin_stuck($proxy, 'checkout_service');
    select undef, undef, undef, ms(300) / 1000; # nothing can be awaited
    write_file($gate, '');
    is($client->read_response->status, 200, 'the request is served');
    unlike($proxy->stderr, qr/stuck|took/, 'in silence');
    $proxy->configure(
        router => { module => $so{stuck}, port => $ok->address =~ s/.*://r }, path => { 'weir.stages' => $so{stuck_stage} },
        global => { 'weir.watchdog' => 100, 'weir.callback-warn' => 20 }
    );
    $proxy->reload;
    $client = begin_stuck($proxy, 'checkout_service');
    ok(wait_for { $proxy->stderr =~ /has been stuck/ }, 'a reload brings it');
    write_file($gate, '');
    is($client->read_response->status, 200, 'and the request is served');
};

subtest 'a process that was stopped is not stuck' => sub {
    my $proxy = stuck();
    $proxy->get('/');
    for (1 .. 3) {
        $proxy->stand_still;
        select undef, undef, undef, ms(300) / 1000; # what is looked for is that time passes
        $proxy->signal('CONT');
        is($proxy->get('/')->status, 200, 'it goes on');
    }
    unlike($proxy->stderr, qr/has been stuck for \d{3,} ms in (?!\w+ of stage)/, 'and complains of nobody');
};

# A socket for NOTIFY_SOCKET, and what has come so far.
sub manager {
    my $path = temp_path('notify');
    my $socket = IO::Socket::UNIX->new(Local => $path, Type => Socket::SOCK_DGRAM()) or die "socket: $!";
    $socket->blocking(0);
    my @told;
    return ($path, sub { my $text; push @told, $text while defined $socket->recv($text, 4096); return @told });
}

subtest 'systemd hears that it lives, while it does' => sub {
    my ($path, $told) = manager();
    my $count = sub { scalar grep { $_ eq 'WATCHDOG=1' } $told->() };
    my $every = ms(800);
    my $proxy = stuck(env => { NOTIFY_SOCKET => $path, WATCHDOG_USEC => $every * 1000 });
    ok(wait_for { $count->() >= 3 }, 'again and again, also while nothing happens');
    is(($told->())[0], 'READY=1', 'behind READY');
    my $client = begin_stuck($proxy, 'checkout_service');
    ok(wait_for { my ($ms) = $proxy->stderr =~ /has been stuck for (\d+) ms/; $ms }, 'a loop is stuck');
    select undef, undef, undef, $every / 1000; # what was still due comes
    my $before = $count->();
    select undef, undef, undef, 2 * $every / 1000; # nothing can be awaited
    is($count->(), $before, 'then it hears nothing');
    write_file($gate, '');
    is($client->read_response->status, 200, 'the loop goes on');
    ok(wait_for { $count->() > $before }, 'and it hears again');
    my ($other_path, $other_told) = manager();
    my $other = stuck(env => { NOTIFY_SOCKET => $other_path, WATCHDOG_USEC => 50_000, WATCHDOG_PID => $$ });
    $other->get('/') for 1 .. 3;
    select undef, undef, undef, 0.3;
    is(scalar(grep { /WATCHDOG/ } $other_told->()), 0, 'what is meant for another process is not taken');
};

subtest 'the end of patience' => sub {
    my %env = map { $_ => join ':', 'detect_leaks=0', map { "handle_$_=0" } qw(segv abort sigfpe sigill sigbus) } qw(ASAN_OPTIONS TSAN_OPTIONS);
    my $proxy = stuck(global => { 'weir.watchdog-kill' => ms(500) }, env => \%env, crashes => 'ABRT');
    is($proxy->get('/before')->status, 200, 'a request');
    my $client = begin_stuck($proxy, 'checkout_service');
    is($proxy->wait_exit, -6, 'a loop that is stuck for too long ends the process by SIGABRT');
    my $said = $proxy->stderr;
    like($said, qr/^weir: loop 1 has been stuck for \d+ ms in checkout_service of router stuck \(request this-one-is-stuck-in-checkout-service\): the process ends itself/m, 'with a line');
    my ($flight) = $said =~ /^weir: flight of loop 1: what it began last, of \d+\n((?:weir:   -\d+us .*\n)+)/m;
    my @events = split /\n/, $flight // '';
    cmp_ok(scalar @events, '>', 10, 'and what it began');
    cmp_ok(scalar @events, '<=', 64, 'of late');
    like($events[-1], qr/ checkout_service of router stuck$/, 'in what it is stuck comes last');
    like($flight, qr/ a turn$/m, 'turns');
    like($flight, qr/ enter of stage lookup$/m, 'stages of the house');
    like($flight, qr/ enter of stage slow\nweir:   -\d+us the end of stage slow$/m, 'and of others, with their end');
    like($said, qr/^weir: crash: SIGABRT/m, 'and the crash is told');
    is($proxy->log_where(path => '/before')->{status}, 200, 'the access log is whole');
};

done_testing;
