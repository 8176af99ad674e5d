# SPDX-License-Identifier: MIT
# Backends that are ill: they are left alone, tried now and then, and come back. Clients hardly notice.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

my @good = map { fast_backend("good $_") } 1 .. 3;
my $mood = temp_path('mood');

# Answers as the file `$mood` says: 500, nothing at all, 429, or well.
my $moody = backend(sub {
    my $c = shift;
    while ($c->read_head) {
        my $now = -e $mood ? read_file($mood) : '';
        return $c->wait_close if $now eq 'hang';
        return $c->reset if $now eq 'reset';
        my $more = $now eq '429' ? "Retry-After: 30\r\n" : '';
        my $status = $now =~ /^\d+$/ ? $now : 200;
        $c->write("HTTP/1.1 $status Mood\r\n${more}Content-Length: 5\r\n\r\nmoody");
    }
});

sub app { my (%more) = @_; return { app => { domains => ['*'], backends => [ $moody->address, map { $_->address } @good ], %more } } }
sub mood { my ($text) = @_; write_file($mood, $text); return }

# So many requests, `$width` at once: { body or status => how often }. `silent`: those that were not answered in time, which stay open.
sub ask_many {
    my ($proxy, $count, $width, $held) = @_;
    my %seen;
    while ($count > 0) {
        my @now = map { $proxy->connect } 1 .. $width;
        $_->write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") for @now;
        my $until = time + 0.4 * Weir::Client::slow();
        for my $client (@now) {
            my $left = $until - time;
            my $r = $client->is_silent($left > 0 ? $left : 0) ? undef : $client->read_response;
            push @$held, $client unless $r;
            $seen{ !$r ? 'silent' : $r->status == 200 ? $r->body : $r->status }++;
        }
        $count -= $width;
    }
    return \%seen;
}

subtest 'one refuses' => sub {
    my $proxy = proxy(apps => { app => { domains => ['*'], backends => [ '127.0.0.1:' . refusing_port(), map { $_->address } @good ] } });
    my $seen = ask_many($proxy, 100, 4);
    is((grep { !/good/ } keys %$seen), 0, 'nobody sees an error') or diag explain $seen;
    my @tried = grep { ($_->{tries} // 1) > 1 } $proxy->log_lines(100);
    cmp_ok(scalar @tried, '<', 12, 'and it is hardly tried any more');
};

for my $how ('500', 'reset') {
    subtest "one answers by: $how" => sub {
        mood($how);
        my $proxy = proxy(apps => app('quarantine-base' => 60_000));
        ask_many($proxy, 120, 4);
        my $seen = ask_many($proxy, 200, 4);
        my $errors = 0;
        $errors += $seen->{$_} for grep { !/good/ } keys %$seen;
        cmp_ok($errors, '<=', 2, 'after a moment less than one of a hundred sees it') or diag explain $seen;
    };
}

subtest 'one hangs' => sub {
    mood('hang');
    my $proxy = proxy(apps => app('quarantine-base' => 60_000));
    my @held;
    ask_many($proxy, 24, 8, \@held);
    my $deadline = time + wait_seconds();
    my $seen = {};
    do { $seen = ask_many($proxy, 40, 8, \@held) } while ($seen->{silent} && time < $deadline);
    is($seen->{silent}, undef, 'after a moment nobody waits for it') or diag explain $seen;
    cmp_ok(scalar @held, '<', 40, scalar(@held) . ' requests had to find that out');
    mood('');
    $_->close for @held;
};

subtest 'an application that fails by itself takes nobody away' => sub {
    my $three_of_ten = sub {
        my ($name) = @_;
        my $n = $$; # each connection has a process of its own, and begins somewhere else
        return sub { 7 * $n++ % 10 < 3 ? "HTTP/1.1 500 Own\r\nContent-Length: 3\r\n\r\n123" : simple_response($name) };
    };
    my $mean = backend(sub { my $c = shift; $c->serve($three_of_ten->('mean')) });
    my $also = backend(sub { my $c = shift; $c->serve($three_of_ten->('also')) });
    # in turn, so that only an illness takes requests away: `best` also goes by times, which a busy machine makes
    my $proxy = proxy(apps => { app => { domains => ['*'], backends => [ map { $_->address } $mean, $also ], balance => 'round-robin' } });
    my $seen = ask_many($proxy, 300, 4);
    cmp_ok($_, '>', 40, 'both answer to the end') for @$seen{qw(mean also)};
};

subtest 'it comes back' => sub {
    mood('500');
    my $proxy = proxy(apps => app('quarantine-base' => 500, balance => 'round-robin')); # `best` would spare it before it is ill
    ask_many($proxy, 120, 4);
    mood('');
    my $seen = {};
    my $is_back = wait_for { ($seen = ask_many($proxy, 16, 4))->{moody} };
    ok($is_back, 'when it is well again');
    is($seen->{500}, undef, 'without an error');
    is($proxy->log_where(pick => 'trial', status => 200)->{pick}, 'trial', 'one request has tried it');
};

subtest 'enough to do is no illness' => sub {
    mood('429');
    my $proxy = proxy(apps => app());
    my $seen = ask_many($proxy, 300, 4);
    cmp_ok($seen->{429}, '<', 60, 'it gets less') or diag explain $seen;
    ok($seen->{429}, 'but something');
    mood('');
};

subtest 'quarantine: OFF' => sub {
    mood('500');
    my $proxy = proxy(apps => app(quarantine => 'OFF', balance => 'round-robin'));
    cmp_ok(ask_many($proxy, 80, 4)->{500}, '>', 14, 'nobody is left alone');
    mood('');
};

done_testing;
