# SPDX-License-Identifier: MIT
# A cluster of etcd whose members die, freeze and are cut off, and two proxies that follow it: all that is written arrives, once, and no
# request fails meanwhile. What has happened is asked of etcd itself, which keeps every revision.
use lib 't/lib';
use Weir::Etcd;
use Weir::Load;
use Weir::State;
use Weir::Test;
use Weir::TLS;
use IO::Select;
use IO::Socket::IP;
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX ();
use Socket qw(AF_UNIX PF_UNSPEC SOCK_STREAM);
use Time::HiRes qw(time);

needs_etcd();
alarm int 400 * Weir::Client::slow();

# A ping after ten seconds of silence, ten more for its answer, and what a loaded machine and one more attempt take.
use constant { ROOT => '/weir/v1/', SILENCE => 28, MANY => 4_999, WRITERS => 8 };

my $json = JSON::PP->new->canonical->utf8;
my %running;
END { local $?; kill 'KILL', keys %running; waitpid $_, 0 for keys %running }

# ── the store, over its JSON gateway: etcdctl is a process for each word ──

my @members = etcd_cluster(3);

sub request { my ($path, $document) = @_; my $text = $json->encode($document); return "POST /v3/$path HTTP/1.1\r\nHost: localhost\r\nContent-Length: " . length($text) . "\r\n\r\n$text" }

# What it says to a call; undef if it does not, or says no.
sub post {
    my ($member, $path, $document) = @_;
    my $client = Weir::Client->connect($member->{port}) // return;
    $client->write(request($path, $document));
    my $r = $client->read_response(seconds => 5 * Weir::Client::slow());
    return $r->is_complete && $r->status == 200 ? $json->decode($r->body) : undef;
}

sub key { my ($name) = @_; return (key => encode_base64(ROOT . $name, '')) }
sub all_keys { return (key => encode_base64(ROOT, ''), range_end => encode_base64(ROOT =~ s{/\z}{0}r, '')) }
sub put_of { my ($name, $value) = @_; return { key($name), value => encode_base64($json->encode($value), '') } }

# One revision; what is undef goes. Of a cluster that has just lost its leader it is asked for again: twice is not too often, for what has
# happened is what etcd says of it.
sub revision {
    my ($member, @pairs) = @_;
    my @writes;
    while (my ($name, $value) = splice @pairs, 0, 2) { push @writes, defined $value ? { request_put => put_of($name, $value) } : { request_delete_range => { key($name) } } }
    return (wait_for { post($member, 'kv/txn', { success => \@writes }) }) // die "nothing can be written to $member->{at}";
}

# All keys as they are: name => value; the revision of the last one that was put.
sub keys_there {
    my ($member) = @_;
    my $answer = (wait_for { post($member, 'kv/range', { all_keys() }) }) // die "nothing can be read of $member->{at}";
    my ($last) = sort { $b <=> $a } map { $_->{mod_revision} } @{ $answer->{kvs} };
    return ({ map { (substr(decode_base64($_->{key}), length ROOT) => $json->decode(decode_base64($_->{value}))) } @{ $answer->{kvs} } }, $last);
}

# The revision of each event, of the first one on. No revision of this file removes only.
my @history;

sub read_history {
    my ($member, $last) = @_;
    return if @history && $history[-1] >= $last;
    my $client = Weir::Client->connect($member->{port}) // die "$member->{at}: $!";
    $client->write(request('watch', { create_request => { all_keys(), start_revision => 1 + ($history[-1] // 0) } }));
    while (!@history || $history[-1] < $last) {
        my $line = $client->read_until(qr/\n/) // die "$member->{at} does not say what has happened";
        push @history, map { $_->{kv}{mod_revision} } @{ $json->decode($line)->{result}{events} // [] } if $line =~ /^\{"result":/;
    }
    return;
}

sub alive { return grep { $_->{pid} && !$_->{is_frozen} } @members }

sub leader { return (wait_for { (grep { $_->is_leader } alive())[0] }) // die 'no leader' }

# This member leads from now on.
sub lead {
    my ($member) = @_;
    my ($id) = $member->ctl(qw(endpoint status --write-out fields))->{out} =~ /^"MemberID" : (\d+)$/m;
    return (wait_for { $member->is_leader || !leader()->ctl('move-leader', sprintf '%x', $id) }) // die "$member->{at} does not lead";
}

# ── what is between ──

# A process before the members that lets bytes pass, or not: its ports are {at}. `hold`: nothing goes on, and nothing is closed; `cut`: all is
# closed, and so is who comes; `pass`; `pass N`: the members may say so many bytes, then as `cut`.
sub relay {
    my (@to) = @_;
    my @listeners = map { IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => free_port(), Listen => 10, ReuseAddr => 1) // die "listen: $!" } @to;
    socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die $!;
    defined(my $pid = fork) or die $!;
    if ($pid) {
        $running{$pid} = 1;
        return { at => [ map { '127.0.0.1:' . $_->sockport } @listeners ], control => $ours };
    }
    close $ours;
    %running = ();
    @SIG{qw(TERM INT HUP ALRM)} = ('DEFAULT') x 4;
    Weir::Client::close_all();
    eval { pass_on($theirs, { map { ($listeners[$_] => $to[$_]{port}) } 0 .. $#to }, @listeners) };
    POSIX::_exit(0);
}

sub pass_on {
    my ($control, $port, @listeners) = @_;
    my ($mode, $left, %other, %is_member) = ('pass');
    my $end = sub { delete @other{@_}, delete @is_member{@_}, map { close $_ } @_ };
    my $cut = sub { ($mode, $left) = ('cut'); $end->(map { $_->[0] } values %other) };
    while (1) {
        my @open = map { $_->[0] } values %other;
        for my $from (IO::Select->new($control, $mode eq 'hold' ? () : (@listeners, @open))->can_read) {
            if ($from == $control) {
                sysread $control, my $word, 64 or return;
                ($mode, $left) = $word =~ /^(\w+) ?(\d+)?/;
                $cut->() if $mode eq 'cut';
                syswrite $control, "done\n";
                last;
            }
            if ($port->{$from}) {
                my $client = $from->accept or next;
                my $member = $mode eq 'cut' ? undef : IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port->{$from});
                $member or next;    # with which the client is closed
                @other{ $client, $member } = ([ $client, $member ], [ $member, $client ]);
                $is_member{$member} = 1;
                next;
            }
            my $to = ($other{$from} // next)->[1];    # its other end may have ended before, in this turn
            my $some = '';
            sysread $from, $some, $is_member{$from} && defined $left && $left < 65536 ? $left : 65536;
            if (!length $some) { $end->($from, $to); next }
            $left -= length $some if $is_member{$from} && defined $left;
            $to->syswrite($some);
            next if !defined $left || $left;
            $cut->();
            syswrite $control, "cut\n";
            last;
        }
    }
    return;
}

# It does so by when this returns.
sub network { my ($relay, $word) = @_; syswrite $relay->{control}, $word; return hears($relay, 'done') }

sub hears { my ($relay, $word) = @_; my $said = ''; IO::Select->new($relay->{control})->can_read(3 * wait_seconds()) && sysread $relay->{control}, $said, 64; return $said eq "$word\n" }

# ── proxies ──

# An answer takes a moment, so that there are steady requests and a machine for the others, too.
my %backend = map {
    my $name = $_;
    ($name => backend(sub { $_[0]->serve(sub { select undef, undef, undef, 0.02; simple_response($name) }) }, name => $name))
} qw(one two);

my $next_key = 0;

# The same key is another value each time; an app comes with all that belongs to it, and the one before goes, in one revision.
sub change {
    my ($member) = @_;
    my ($n, $before) = ($next_key + 1, $next_key++);
    revision($member, 'backends/shop/b', { addr => $backend{two}->address, weight => $n }, 'domains/swing.test', { app => $n % 2 ? 'shop' : 'blog' });
    revision($member, "apps/app$n", { 'max-requests' => $n }, "backends/app$n/a", { addr => $backend{one}->address }, "domains/app$n.test", { app => "app$n" },
        "domains/kept$n.test", $n % 3 ? { app => 'blog' } : { redirect => 'shop.test' }, map { ($_ => undef) } "apps/app$before", "backends/app$before/a", "domains/app$before.test");
    revision($member, 'apps/blog', { 'max-requests' => $n });
    return;
}

# A proxy that follows the store there, and since which revision.
sub follow {
    my ($said, %option) = @_;
    my $own = follow_store($said, %option);
    (wait_for { source($own)->{revision} } 3 * wait_seconds()) or die 'nothing is known';
    @$own{qw(from snapshots)} = @{ source($own) }{qw(revision snapshots)};
    return $own;
}

# The member of these that it is connected to.
sub member_of { my ($own, $at) = @_; my $place = source($own)->{place}; return (map { $members[$_] } grep { $place =~ /\Q$at->[$_]\E$/ } 0 .. $#$at)[0] // die "nobody is at $place" }

# All that has been written is there, and came as an event, once.
sub agree {
    my ($what, @own) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($member) = alive();
    my ($keys, $last) = keys_there($member);
    read_history($member, $last);
    for my $own (@own) {
        my $name = "$own->{name}, $what";
        ok((wait_for { my $is = source($own); $is->{following} && $is->{revision} >= $last } 3 * wait_seconds()), "$name: it follows") or diag explain source($own);
        my $is = source($own);
        is_deeply(table($own), table_of($keys), "$name: its apps are those of the store");
        is($is->{revision}, $last, "$name: its revision is the last one");
        is($is->{events}, scalar(grep { $_ > $own->{from} } @history), "$name: each event has come, and once");
        is("$is->{snapshots} $is->{refused_values} $is->{held_back}", "$own->{snapshots} 0 0", "$name: nothing was read anew, refused or held back");
        is(who($own, "app$next_key.test") . who($own, 'app' . ($next_key - 1) . '.test'), 'one404', "$name: what was written last is served, and what went is not");
        is(metric($own, 'weir_state_keys{kind="domains"}'), scalar(grep {/^domains/} keys %$keys), "$name: which metrics say, too");
    }
    return;
}

sub is_lost { my ($own, $seconds, $why) = @_; return wait_for { my $is = source($own); !$is->{following} && ($is->{problem} // '') =~ ($why // qr/./) } $seconds // wait_seconds() }

my (@own, @load, $safe_own);

sub load { my (@of) = @_; return map { Weir::Load->start($_, kinds => [qw(get h2)], host => 'shop.test', body => qr/^(?:one|two)$/) } @of }

sub serves { my ($what) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return ok(!(grep { !$_->goes_on(5) } @load), "$what: both serve") }

sub none_failed {
    my @seen = map { $_->finish } splice @load;
    note join ', ', map {"$_->{answers} answers"} @seen;
    return is(join("\n", map { @{ $_->{wrong} } } @seen), '', 'no request has failed');
}

# What happens to the cluster, while there are requests: changes come before it, and behind it.
sub fault {
    my ($what, $happens) = @_;
    return subtest $what => sub {
        my $from = time;
        @load = load(@own, $safe_own);
        change(leader());
        serves('before');
        $happens->();
        change(leader());
        serves('behind');
        agree('behind', @own);
        none_failed();
        note sprintf '%.1f s', time - $from;
    };
}

# ── a store that asks for certificates, and shows one ──

my $ca = authority('store');
my ($server, $mine, $old) = map { certificate(@$_, ca => $ca) } ['127.0.0.1'], ['proxy'], [ '127.0.0.1', expired => 1 ];
my $safe = etcd(scheme => 'https', more => [ '--client-cert-auth', '--trusted-ca-file', $ca->{cert}, '--cert-file', $server->{cert}, '--key-file', $server->{key} ]);

# With a certificate, and whoever answers.
sub safe_put {
    while (my ($name, $value) = splice @_, 0, 2) {
        my $run = $safe->ctl('--insecure-skip-tls-verify', '--cert', $mine->{cert}, '--key', $mine->{key}, 'put', '--', ROOT . $name, $json->encode($value));
        $run->{exit} == 0 or die "put $name: $run->{err}";
    }
    return;
}

# From now on it shows these.
my %good = map { ($_ => read_file($server->{$_})) } qw(cert key);
my %late = map { ($_ => read_file($old->{$_})) } qw(cert key);
sub show { my (%text) = @_; write_file($server->{$_}, $text{$_}) for keys %text; return }

subtest 'a certificate that has expired' => sub {
    safe_put('apps/shop', {}, 'backends/shop/a', { addr => $backend{one}->address }, 'domains/shop.test', { app => 'shop' });
    $safe_own = follow({ endpoints => [ $safe->{url} ], tls => { 'ca-file' => $ca->{cert}, 'certificate-file' => $mine->{cert}, 'key-file' => $mine->{key} }, status => 'OFF' });
    is(who($safe_own, 'shop.test'), 'one', 'with certificates on both sides');
    safe_put('domains/before.test', { app => 'shop' });
    ok(wait_for { who($safe_own, 'before.test') eq 'one' }, 'the store is followed');
    $safe->ends;
    show(%late);
    ok($safe->begin, 'its certificate is another one');
    ok(is_lost($safe_own, undef, qr/^\Q$safe->{at}\E is not believed: certificate has expired$/), 'which is not believed, and told') or diag explain source($safe_own);
    is(metric($safe_own, 'weir_state_following'), 0, 'by metrics, too');
    like($safe_own->stderr, qr/state: \S+ is not believed: certificate has expired; what is known is served/, 'and in the log');
    safe_put('domains/meanwhile.test', { app => 'shop' });
};

# ── the cluster ──

my $relay = relay(@members);
my @at = ([ map { $_->{at} } @members ], $relay->{at});

revision($members[0], 'apps/shop', {}, 'apps/blog', {}, 'backends/shop/a', { addr => $backend{one}->address }, 'backends/blog/a', { addr => $backend{two}->address }, 'domains/shop.test', { app => 'shop' },
    'domains/blog.test', { app => 'blog' }, 'domains/swing.test', { app => 'blog' });
# One of them is at the members, and tells them of itself; the other one is behind the relay.
my @said = ({ endpoints => $at[0], node => 'node-1' }, { endpoints => $at[1], status => 'OFF' });
my @file = map { temp_path("snapshot-$_") } 1 .. 2;
@own = map { follow($said[$_], snapshot => $file[$_], 'snapshot-interval' => ms(200)) } 0 .. 1;

fault 'the leader dies' => sub {
    my $member = member_of($own[0], $at[0]);
    lead($member);
    change($member);
    $member->ends;
    serves('without it');
    change(leader());
    agree('without it', @own);
    ok($member->begin, 'it is back');
};

fault 'a follower dies' => sub {
    my $member = member_of($own[0], $at[0]);
    lead((grep { $_ != $member } @members)[0]);
    $member->ends;
    change(leader());
    serves('without it');
    agree('without it', @own);
    isnt(member_of($own[0], $at[0]), $member, 'another one is followed');
    ok($member->begin, 'it is back');
};

subtest 'a certificate that has expired, some time later' => sub {
    is(who($safe_own, 'meanwhile.test'), 404, 'nobody has followed');
    is(who($safe_own, 'before.test'), 'one', 'what is known is served');
    is(source($safe_own)->{events}, 1, 'and no more has come');
    show(%good);    # which it reads for each connection
};

fault 'there is no quorum' => sub {
    my $left = member_of($own[0], $at[0]);
    my @gone = grep { $_ != $left } @members;
    agree('before', @own);
    my $said = length $own[0]->stderr;
    my @before = map { table($_) } @own;
    my $has_come = sub { return join ' ', map { source($_)->{events} } @own };
    my $events = $has_come->();
    $_->ends for @gone;
    ok((wait_for { substr($own[0]->stderr, $said) =~ /^weir: state: etcdserver: no leader \(code 14\); what is known is served$/m } 2 * wait_seconds()), 'a member that is left says so');
    ok(is_lost($_, 2 * wait_seconds()), "$_->{name} does not follow") or diag explain source($_) for @own;
    serves('without it');
    is_deeply([ map { table($_) } @own ], \@before, 'with what is known');
    is($has_come->(), $events, 'and no more than that');
    my $cold = follow({ endpoints => $at[0], status => 'OFF' });
    is_deeply(table($cold), $before[0], 'one that has no file takes what the member that is left knows');
    $cold->stop;
    $_->begin(is_slow => 1) for @gone;
    ok($_->listens, 'they are back') for @gone;
};

fault 'a member is frozen, and a network is silent' => sub {
    my $member = member_of($own[0], $at[0]);
    lead($member);
    change($member);
    network($relay, 'hold');
    $member->freezes;
    $member->{is_frozen} = 1;
    my $from = time;
    change(leader());
    serves('in the midst of it');
    ok((wait_for { member_of($own[0], $at[0]) != $member && source($own[0])->{following} } SILENCE * Weir::Client::slow()), 'another member is followed');
    note sprintf 'after %.1f s', time - $from;
    ok(is_lost($own[1], SILENCE * Weir::Client::slow()), 'silence is seen');
    note sprintf 'after %.1f s: %s', time - $from, source($own[1])->{problem};
    change(leader());
    agree('meanwhile', $own[0]);
    serves('meanwhile');
    $member->thaws;
    $member->{is_frozen} = 0;
    network($relay, 'pass');
};

fault 'a network that closes connections' => sub {
    network($relay, 'cut');
    ok(is_lost($own[1]), 'it is told');
    change(leader());
    agree('meanwhile', $own[0]);
    serves('meanwhile');
    network($relay, 'pass');
};

# Of each writer a revision in turn; the last one puts something.
sub many {
    my (@to) = @_;
    my @client = map { Weir::Client->connect($to[ $_ % @to ]{port}) } 1 .. WRITERS;
    my ($n, $fine) = (0, 0);
    while ($n < MANY) {
        my $round = int $n / WRITERS;
        my @asked;
        for my $i (0 .. WRITERS - 1) {
            last if $n++ == MANY;
            my ($app, $domain) = ("many$i", sub {"domains/d$_[0].many$i.test"});
            my $put = $round == 0 ? put_of("apps/$app", {}) : $round % 30 == 1 ? put_of($domain->($round), { app => $app })
                : $round % 90 != 2 ? put_of("backends/$app/a", { addr => $backend{one}->address, weight => $round }) : undef;
            $client[$i]->write($put ? request('kv/put', $put) : request('kv/deleterange', { key($domain->($round - 1)) }));
            push @asked, $client[$i];
        }
        $fine += grep { $_->read_response->status == 200 } @asked;
    }
    return $fine;
}

fault 'thousands of revisions, and a cut in the midst of them' => sub {
    agree('before', @own);
    network($relay, 'cut');
    ok(is_lost($own[1]), 'the network is cut');
    my $before = source($own[1]);
    my ($from, $events) = (time, scalar @history);
    is(many(alive()), MANY, 'thousands of revisions');
    note sprintf '%.1f s', time - $from;
    agree('meanwhile', $own[0]);
    is(@history - $events, MANY, 'which are as many events');
    # The store tells a thousand at a time, in less than that.
    my $is = $before;
    for my $bytes (100_000, 130_001) {
        network($relay, "pass $bytes");
        ok(hears($relay, 'cut'), "$bytes bytes come");
        my $half = $is;
        ok((wait_for { $is = source($own[1]); !$is->{following} && $is->{events} > $half->{events} }), 'until the next cut') or diag explain $is;
    }
    note 'events: ' . ($is->{events} - $before->{events});
    cmp_ok($is->{events} - $before->{events}, '<=', MANY - 1000, 'which is in the midst of them');
    network($relay, 'pass');
};

subtest 'nobody is there, and proxies begin anew' => sub {
    @load = load(@own);
    change(leader());
    agree('before', @own);
    my $before = table($own[0]);
    my $last = $history[-1];
    $_->ends for @members;
    ok(is_lost($_), "$_->{name} sees that") for @own;
    serves('without any member');
    none_failed();
    is($_->stop, 0, "$_->{name} ends") for @own;
    @own = map { follow($said[$_], snapshot => $file[$_], 'snapshot-interval' => ms(200)) } 0 .. 1;
    for my $own (@own) {
        is(who($own, "app$next_key.test") . who($own, 'blog.test'), 'onetwo', "$own->{name} serves at once");
        is_deeply(table($own), $before, 'what it has known');
        my $is = source($own);
        is("$is->{of_file} $is->{revision} $is->{events}", "1 $last 0", 'of its file');
    }
    @load = load(@own);
    serves('of the file');
    $_->begin(is_slow => 1) for @members;
    $_->listens for @members;
    change(leader());
    agree('with members', @own);
    ok(!source($_)->{of_file}, "$_->{name} has heard of them") for @own;
    serves('with members');
    none_failed();
};

subtest 'a certificate that was renewed' => sub {
    ok((wait_for { source($safe_own)->{following} } 70 * Weir::Client::slow()), 'within a minute it is followed again');
    ok(wait_for { who($safe_own, 'meanwhile.test') eq 'one' }, 'with what has happened meanwhile');
    is(source($safe_own)->{events}, 2, 'which has come once');
    is(source($safe_own)->{snapshots}, 1, 'and was not read anew');
};

done_testing;
