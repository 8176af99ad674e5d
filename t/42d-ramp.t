# SPDX-License-Identifier: MIT
# A drain whose browsers leave by and by: each of them once, and for good, spread over the time that was said.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;
use Time::HiRes qw(time);

admin_path(temp_path('admin.sock'));
my ($one, $two) = map { fast_backend($_) } qw(one two);
my $proxy = proxy(
    global => { 'weir.admin' => { path => admin_path(), permission => '0600' } },
    router => { module => 'table', name => 'main', 'state-file' => temp_path('state'), apps => { shop => {
        domains => ['*'], affinity => 'ON', balance => 'round-robin',
        backends => [ { at => $one->address, id => 'one' }, { at => $two->address, id => 'two' } ] } } },
);
use constant SESSIONS => 120;

# Of a browser: who answers it, and what cookie it has then.
sub visit {
    my ($cookie) = @_;
    my $answer = $proxy->ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" . ($cookie ? "Cookie: $cookie\r\n" : '') . "\r\n");
    return ($answer->body, ($answer->header('set-cookie') // $cookie // '') =~ s/;.*//r);
}

# The cookies of so many browsers that are at home with `one`.
sub browsers {
    my @cookies;
    while (@cookies < SESSIONS) { my ($who, $cookie) = visit(); push @cookies, $cookie if $who eq 'one' }
    return @cookies;
}

# How many of them are elsewhere by now; each keeps its new cookie.
sub gone { my ($cookies, $are_gone) = @_;
    for my $i (keys @$cookies) {
        (my $who, $cookies->[$i]) = visit($cookies->[$i]);
        $are_gone->{back} = 1 if $are_gone->{$i} && $who ne 'two';
        $are_gone->{$i}   = 1 if $who eq 'two';
    }
    return scalar grep { /\d/ } keys %$are_gone;
}

sub state_of { return call(GET => '/v1/apps/shop/backends/one')->{document}{state} }

for my $how ([ 'over the socket', sub { call(POST => '/v1/apps/shop/backends/one/drain', { max_ms => ms(60_000), ramp_ms => ms(4000) })->{status} }, 200 ],
    [ 'by the command', sub { weir(qw(drain shop one --max), ms(60_000) . 'ms', '--ramp', ms(4000) . 'ms', '-s', admin_path())->{exit} }, 0 ]) {
    my ($name, $drain, $status) = @$how;
    subtest $name => sub {
        my @cookies = browsers();
        my (%gone, @counts);
        is(gone([@cookies], {}), 0, 'all are at home');
        is($drain->(), $status, 'a drain begins');
        my $until = time + wait_seconds();
        do { push @counts, gone(\@cookies, \%gone) } while ($counts[-1] < SESSIONS && time < $until);
        is($counts[-1], SESSIONS, 'all have left');
        is(state_of(), 'draining', 'before it was off');
        cmp_ok((grep { $_ > SESSIONS / 10 && $_ < SESSIONS * 9 / 10 } @counts), '>', 0, 'by and by') or diag "@counts";
        is($gone{back}, undef, 'and nobody comes back');
        is(call(POST => '/v1/apps/shop/backends/one/up')->{status}, 200, 'it is up');
    };
}

subtest 'without it' => sub {
    my @cookies = browsers();
    is(call(POST => '/v1/apps/shop/backends/one/drain', { max_ms => ms(60_000) })->{status}, 200, 'a drain begins');
    is(gone(\@cookies, {}), 0, 'all stay until its end');
    is(call(POST => '/v1/apps/shop/backends/one/up')->{status}, 200, 'it is up');
    is(call(POST => '/v1/apps/shop/backends/one/drain', { ramp_ms => 1 })->{status}, 200, 'a ramp alone');
    ok(wait_for { state_of() eq 'off' }, 'is as long as the drain');
};

done_testing;
