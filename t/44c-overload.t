# SPDX-License-Identifier: MIT
# Ten times as many requests as the backend can serve, for a while: nobody waits longer than he may, nobody is lost, and who sends
# little hardly notices.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use IO::Select;
use List::Util qw(max);
use Time::HiRes qw(time);

# The backend answers 40 requests a second.
use constant { ANSWER_MS => 50, SLOTS => 2, FLOOD => 60, LIGHT => 6, LEAVERS => 3, LOAD_S => 8, PAUSE_S => 0.1, LIGHT_PAUSE_S => 0.5, LEAVE_S => 0.04 };

my $timeout_ms = ms(3000);
my $port       = free_port();
command_server($port, $^X, root_dir() . '/t/tools/narrow.pl', $port, 128, ANSWER_MS);
my $proxy = proxy(
    apps => { app => {
        domains => ['*'], backends => [ { at => "127.0.0.1:$port", 'max-requests' => SLOTS } ],
        queue   => { length => 100, timeout => $timeout_ms, client => 'header X-Who' },
    } },
    global => { 'num-threads' => 2 }, nofile => 4096,
);

# ── the load ──

my $select = IO::Select->new;
my (%of_socket, @answers, @odd);

# Each asks again and again: `who`, `at` when next, `leaves` before it was answered. A refusal ends its connection.
my @askers = (
    (map { { who => 'flood',    pause => PAUSE_S } } 1 .. FLOOD),
    (map { { who => "light-$_", pause => LIGHT_PAUSE_S } } 1 .. LIGHT),
    (map { { who => 'leaver',   pause => PAUSE_S, leaves => 1 } } 1 .. LEAVERS),
);
$askers[$_]{at} = time + $_ * 0.01 for 0 .. $#askers;
my $number = 0;

sub hang_up {
    my ($asker) = @_;
    my $client = delete $asker->{client} // return;
    $select->remove($client->{socket});
    delete $of_socket{ $client->{socket} };
    return $client->reset;
}

sub ask {
    my ($asker) = @_;
    if (!$asker->{client}) {
        $asker->{client} = $proxy->connect;
        $select->add($asker->{client}{socket});
        $of_socket{ $asker->{client}{socket} } = $asker;
    }
    $asker->{path} = sprintf '/%s/%d', $asker->{who}, ++$number;
    $asker->{sent_at} = time;
    return $asker->{client}->write("GET $asker->{path} HTTP/1.1\r\nHost: a\r\nX-Who: $asker->{who}\r\n\r\n");
}

sub hear {
    my ($asker) = @_;
    my $response = $asker->{client}->read_response;
    push @answers, { who => $asker->{who}, path => $asker->{path}, status => $response->status, s => time - $asker->{sent_at} };
    push @odd, $asker->{path} if !$response->is_complete || $response->status !~ /^(?:200|503)$/;
    hang_up($asker) if $response->says_close || $asker->{client}->is_eof;
    delete $asker->{sent_at};
    $asker->{at} = time + $asker->{pause};
    return;
}

sub leave {
    my ($asker) = @_;
    hang_up($asker);
    delete $asker->{sent_at};
    $asker->{at} = time + $asker->{pause};
    return;
}

# Streams of one connection come in their order: those of each round, and the rounds, are to be served in it.
my $h2 = Weir::Http2Client::is_possible() ? Weir::Http2Client->connect($proxy->port) : undef;
my @streams;
my $ends_at = time + LOAD_S;
my $round_at = time + 1;
my $half_kb;

while (time < $ends_at || grep { $_->{sent_at} } @askers) {
    hear($of_socket{$_}) for $select->can_read(0.005);
    my $now = time;
    $half_kb //= $proxy->memory_kb('VmRSS') if $now > $ends_at - LOAD_S / 2;
    for my $asker (@askers) {
        leave($asker) if $asker->{leaves} && $asker->{sent_at} && $now > $asker->{sent_at} + LEAVE_S;
        ask($asker) if !$asker->{sent_at} && $now >= $asker->{at} && $now < $ends_at;
    }
    next if !$h2 || $now < $round_at || $now >= $ends_at;
    push @streams, map { $h2->request(path => sprintf('/ordered/%d', @streams + $_), headers => [ [ 'x-who', 'ordered' ] ]) } 1 .. 5;
    $round_at = $now + 0.7;
}
my @ordered = map { $h2->response($_)->{status} } @streams;
my $grown_kb = $proxy->memory_kb('VmRSS') - $half_kb;
hang_up($_) for @askers;

# ── what became of them ──

my %count;
$count{ $_->{who} =~ s/-.*//r }{ $_->{status} }++ for @answers;
note explain \%count;
is_deeply(\@odd, [], 'every answer is whole: the backend\'s, or a page');
cmp_ok($count{flood}{503}, '>', $count{flood}{200}, 'there is far too much to do');

my @lines;
wait_for { @lines = grep { ($_->{path} // '') =~ m{^/\w} } $proxy->log_lines; @lines >= $number + @streams };
is(scalar @lines, $number + @streams, 'the log has each request');
my ($longest) = sort { $b <=> $a } map { ($_->{queue} // '0') =~ /^(\d+)/ } @lines;
cmp_ok($longest, '<=', $timeout_ms + ms(500), 'nobody has waited longer than the deadline and a little');
my @late = grep { $_->{s} > ($timeout_ms + ms(1500)) / 1000 } @answers;
is(scalar @late, 0, 'nor did anybody hear of it later') or diag explain [ map { "$_->{path} $_->{s}" } @late ];

note "memory in the second half: $grown_kb kB more than $half_kb kB";
SKIP: {
    skip 'a sanitizer keeps memory', 1 if is_sanitized();
    cmp_ok($grown_kb, '<', 4096, 'memory does not grow with it');
}

my %of_light;
push @{ $of_light{ $_->{who} } }, $_ for grep { $_->{who} =~ /^light/ } @answers;
my @happy = grep { !grep { $_->{status} != 200 } @{ $of_light{$_} } } keys %of_light;
cmp_ok(scalar @happy, '>=', LIGHT - 2, 'who sends little is always served') or diag explain \%count; # of 64 clients one shares its turn with another
note sprintf 'the slowest answer to them took %.2f s', max map { $_->{s} } map { @{ $of_light{$_} } } @happy;
my @of_happy = sort { $a <=> $b } map { $_->{s} } map { @{ $of_light{$_} } } @happy;
cmp_ok($of_happy[ $#of_happy * 0.9 ], '<', ms(800) / 1000, 'and soon');

my $direct = Weir::Client->connect($port);
$direct->write("GET /paths HTTP/1.1\r\nHost: a\r\n\r\n");
my @paths = split /\n/, $direct->read_response->body;
my %seen;
$seen{$_}++ for @paths;
is((grep { $_ > 1 } values %seen), 0, 'nothing was sent twice');
my @served = map { m{^/ordered/(\d+)} } @paths;
is("@served", join(' ', sort { $a <=> $b } @served), 'within a client, in order') or diag "@served";
is((grep { $_ == 200 } @ordered), scalar @served, 'and those that were served have heard of it') if $h2;

my @gone = grep { ($_->{code} // '') eq 'client_closed' } @lines;
my @in_queue = grep { !$_->{dyno} } @gone;
cmp_ok(scalar @in_queue, '>', 5, 'some have left while they waited') or diag explain $gone[0];
is((grep { $seen{ $_->{path} } } @in_queue), 0, 'and have not taken a slot');
$h2->close if $h2;

done_testing;
