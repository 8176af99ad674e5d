# SPDX-License-Identifier: MIT
# An app is paused, goes on, is stopped: what an operator says of it, by the functions of the kit.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

my ($orders, $told) = map { temp_path($_) } qw(orders told);

# Notes each request, and answers it when the file of its path is there, or at once.
my $gate = temp_path('gate');
mkdir $gate or die $!;
my $backend = backend(sub {
    my $c = shift;
    $c->serve(sub {
        my $case = $c->case_of($_[0]);
        $c->note("at $case");
        if ($case =~ /^slow/) { select undef, undef, undef, 0.01 until -e "$gate/$case" }
        return simple_response($case);
    });
});

sub options {
    my (%more) = @_;
    my %app = (backends => [ $backend->address ], queue => { length => 3000, timeout => ms(30_000) }, %more);
    return (router => { module => router_so('pausing'), orders => $orders, told => $told,
        apps => { one => { domains => ['one.test'], %app }, two => { domains => ['two.test'], %app } } });
}

sub order {
    write_file("$orders.new", "@_\n");
    rename "$orders.new", $orders or die $!;
    return ok(wait_for { !-e $orders }, "@_");
}

# How many requests an app has, and how many wait.
sub told { return (map { /^(\d+) (\d+)$/ ? ($1, $2) : () } read_file($told) =~ /^$_[0] (.*)$/m) }
sub waiting { my ($app, $count) = @_; return ok(wait_for { ((told($app))[1] // -1) == $count }, "$count wait") }

sub ask {
    my ($proxy, $case, $app) = @_;
    my $client = $proxy->connect;
    $client->write('GET /' . $case . " HTTP/1.1\r\nHost: " . ($app // 'one') . ".test\r\nConnection: close\r\n\r\n");
    return $client;
}

subtest 'what is new waits, what is under way goes on' => sub {
    my $proxy = proxy(options());
    my $slow = ask($proxy, 'slow1');
    ok($backend->wait_event(qr/at slow1$/), 'one is under way');
    order(pause => 'one', 60_000);
    my @held;
    for my $n (1 .. 30) {
        push @held, ask($proxy, "h$n");
        waiting(one => $n) if $n % 10 == 0;
    }
    is((told('one'))[0], 1, 'what the app has in flight is told');
    is(ask($proxy, 'other', 'two')->read_response->body, 'other', 'the other app is not paused');
    write_file("$gate/slow1", '');
    is($slow->read_response->body, 'slow1', 'what was under way is answered');
    ok(wait_for { (told('one'))[0] == 0 }, 'and then it has none');
    ok($proxy->reload(options('app-max-requests' => 1000)), 'a reload');
    is((grep { /at h/ } $backend->events), 0, 'is no resume');
    waiting(one => 30);
    order(resume => 'one', 0);
    is(join(' ', map { $_->read_response->body // '-' } @held), join(' ', map {"h$_"} 1 .. 30), 'all are answered');
    my @at = map { /at (h\d+)$/ ? $1 : () } $backend->events;
    is_deeply([ sort @at ], [ sort map {"h$_"} 1 .. 30 ], 'each went to the backend once');
    like($proxy->log_where(path => '/h1')->{hold}, qr/^[1-9]\d*ms$/, 'the log says how long they were held');
    $proxy->ends_well;
};

subtest 'in order, and no more at once than the window' => sub {
    my $proxy = proxy(options('release-window' => 3, 'max-requests' => 1));
    order(pause => 'one', 60_000);
    my @held = map { my $n = $_; my $client = ask($proxy, "o$n"); waiting(one => $n); $client } 1 .. 15;
    order(resume => 'one', 0);
    $_->read_response for @held;
    my @at = map { /at o(\d+)$/ ? $1 : () } $backend->events;
    is("@at", join(' ', 1 .. 15), 'order is kept');
    $proxy->ends_well;
};

subtest 'for no longer than was said' => sub {
    my $proxy = proxy(options());
    order(pause => 'one', ms(1500));
    my $client = ask($proxy, 'p1');
    like($client->read_response->body, qr/^paused: /m, 'then it is refused');
    like(ask($proxy, 'p2')->read_response->body, qr/^paused: /m, 'and so is who comes later');
    order(resume => 'one', 0);
    is(ask($proxy, 'p3')->read_response->body, 'p3', 'until it goes on');
    $proxy->ends_well;
};

subtest 'evenly' => sub {
    my $proxy = proxy(options());
    order(pause => 'one', 60_000);
    my @held = map { ask($proxy, "e$_") } 1 .. 20;
    waiting(one => 20);
    my $began = time;
    order(resume => 'one', 1000);
    $_->read_response for @held;
    cmp_ok(time - $began, '>=', 0.8, 'twenty take the second that was said');
    is(ask($proxy, 'e21')->read_response->body, 'e21', 'then all is as ever');
    $proxy->ends_well;
};

subtest 'a client that leaves' => sub {
    my $proxy = proxy(options());
    order(pause => 'one', 60_000);
    my @held = map { ask($proxy, "l$_") } 1, 2;
    waiting(one => 2);
    $held[0]->reset;
    waiting(one => 1);
    order(resume => 'one', 0);
    is($held[1]->read_response->body, 'l2', 'the other is answered');
    is((grep { /at l1$/ } $backend->events), 0, 'nobody has served the one that is gone');
    $proxy->ends_well;
};

subtest 'stop' => sub {
    my $proxy = proxy(options());
    order(pause => 'one', 60_000);
    my $client = ask($proxy, 's1');
    waiting(one => 1);
    order(stop => 'one');
    like($client->read_response->body, qr/^maintenance: /m, 'who waits is sent away');
    my $r = ask($proxy, 's2')->read_response;
    is($r->status, 503, 'and so is who comes');
    is($proxy->log_where(path => '/s2')->{code}, 'maintenance', 'with the reason');
    is(ask($proxy, 's3', 'two')->read_response->body, 's3', 'the other app serves');
    order(resume => 'one', 0);
    is(ask($proxy, 's4')->read_response->body, 's4', 'until it goes on');
    $proxy->ends_well;
};

done_testing;
