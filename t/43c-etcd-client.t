# SPDX-License-Identifier: MIT
# The client of etcd, held against etcd itself: what it reads, writes and watches, who it believes, and what it makes of members that die.
use lib 't/lib';
use Weir::Etcd;
use Weir::Test;
use Weir::TLS;
use IO::Select;
use IPC::Open2 qw(open2);
use Time::HiRes qw(time);

needs_etcd();

my $tool = build_dir() . '/t/tools/etcd_client';
-x $tool or BAIL_OUT("$tool is not built");
alarm int 300 * Weir::Client::slow();

# ── the client ──

my @clients;

# A client of these arguments, that waits for commands.
sub client {
    my (@arguments) = @_;
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=1';
    my $pid = open2(my $out, my $in, $tool, @arguments);
    $in->autoflush(1);
    push @clients, my $made = { pid => $pid, in => $in, out => $out };
    return $made;
}

# Has it do something: { status, code, problem, text, ms }.
sub tells {
    my ($client, $line) = @_;
    print { $client->{in} } "$line\n";
    return answer($client);
}

sub answer {
    my ($client) = @_;
    my ($text, $until) = ('', time + wait_seconds() * 3);
    while (time < $until && $text !~ /^= .*\n\z/m) {
        IO::Select->new($client->{out})->can_read(1) or next;
        sysread $client->{out}, $text, 65536, length $text or last;
    }
    $text =~ s/^took=(\d+)\n//m;
    my $ms = $1;
    $text =~ s/^= (\w+) (-?\d+) (.*)\n\z//m or return { status => 'DEAD', code => 0, problem => '', text => $text, ms => 0 };
    return { status => $1, code => $2, problem => $3, text => $text, ms => $ms };
}

sub fine { my ($client, $line, $text, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = tells($client, $line);
    is("$r->{status} $r->{problem}", 'FINE ', $name // $line);
    like($r->{text}, $text, 'as it should be') if defined $text;
    return $r;
}

sub fails { my ($client, $line, $status, $problem, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = tells($client, $line);
    is($r->{status}, $status, $name // $line);
    like($r->{problem}, $problem, 'which is told');
    return $r;
}

sub leave {
    my ($client) = @_;
    close $client->{in};
    my $status = Weir::Test::wait_for_pid($client->{pid});
    is($status, 0, 'the client ends well');
    $client->{pid} = 0;
    return;
}

END { local $?; kill 'KILL', map { $_->{pid} || () } @clients }

my $one = etcd(more => [ '--max-txn-ops', 128 ]);

subtest 'keys are read and written' => sub {
    my $c = client($one->{at});
    fails($c, 'read /a/ 0 0', 'CUT', qr/^there is no connection$/, 'without a connection');
    fine($c, 'connect', qr{^endpoint=\Q$one->{url}\E$}m);
    fine($c, 'read /a/ 0 0', qr/^count=0 more=0 revision=\d+ cluster=1$/m, 'nothing');
    fine($c, 'put /a/1 one');
    fine($c, 'put /a/2 two');
    fine($c, 'put /b/1 other');
    my $r = fine($c, 'read /a/ 0 0', qr{^/a/1=one \@\d+ lease=none\n/a/2=two \@\d+ lease=none\ncount=2 more=0}m);
    my ($revision) = $r->{text} =~ /revision=(\d+)/;
    fine($c, 'read /a/ 1 0', qr{^/a/1=one .*\ncount=1 more=1}m, 'a limit');
    fine($c, 'read /a/ 0 0 serializable keys', qr{^/a/1= .*\n/a/2= .*\ncount=2 }m, 'only keys, of this member');
    like($one->ctl('get', '/a/1')->{out}, qr{^/a/1\none$}m, 'etcdctl sees them');
    fine($c, 'remove /a/');
    fine($c, 'read /a/ 0 0', qr/^count=0/m, 'what was removed');
    fine($c, "read /a/ 0 $revision", qr/^count=2/m, 'was there once');
    fails($c, 'read /a/ 0 999999', 'COMPACTED', qr/future revision \(code 11\)/, 'a revision of the future');
    fails($c, 'fill /f/ 129 129', 'FAILED', qr/too many operations in txn request \(code 3\)/, 'a transaction that is too long');
    fine($c, 'fill /f/ 128 128', undef, 'one that is as long as can be');
    fine($c, 'fill /g/ 20 1 1000000', undef, 'values that are long');
    fine($c, 'read /g/ 0 0', qr/^count=20 /m, 'an answer that is longer than the window');
    leave($c);
};

subtest 'pages of one revision' => sub {
    my $c = client($one->{at});
    fine($c, 'connect');
    my ($count, $page) = (12_800, 1_000);
    fine($c, "fill /many/ $count 128");
    my $r = fine($c, "pages /many/ $page /many/zzz", qr{^count=12800 pages=13 revision=\d+ last=/many/0012799$}m, 'what is written meanwhile is not in them');
    fine($c, "pages /many/ 100000", qr{^count=12801 pages=1 revision=\d+ last=/many/zzz$}m, 'but later');
    my ($revision) = $r->{text} =~ /revision=(\d+)/;
    is($one->ctl('compaction', $revision + 1)->{exit}, 0, 'what was is forgotten');
    fails($c, "read /many/ 1 $revision", 'COMPACTED', qr/compacted \(code 11\)/, 'a page of it');
    fine($c, 'read /many/ 1 0', undef, 'the connection goes on');
    leave($c);
};

subtest 'a watch' => sub {
    my $c = client($one->{at});
    fine($c, 'connect');
    my ($first) = fine($c, 'put /w/a 1')->{text} =~ /(\d+)/;
    fine($c, 'put /w/b 2');
    fine($c, 'remove /w/a');
    fine($c, "watch /w/ $first");
    fine($c, 'next 5000', qr/^created=1 cancelled=0 more=0 compact=0 events=0 revision=\d+ reason=$/m);
    fine($c, 'next 5000', qr{^created=0 .*events=3 .*\nput /w/a=1 \@\d+\nput /w/b=2 \@\d+\nremoved /w/a= \@\d+$}m);
    fails($c, 'next 100', 'NOTHING', qr/time is up/, 'nothing more');
    fine($c, 'put /w/c 3', undef, 'a call beside it');
    fine($c, 'read /w/ 0 0', qr/count=2/);
    fine($c, 'next 5000', qr{^put /w/c=3}m, 'what it says meanwhile is kept');
    fine($c, 'fill /w/many 4999 0', undef, 'five thousand revisions');
    fine($c, "watch /w/many $first", undef, 'another watch, from before them');
    my $r = fine($c, 'follow 10000 4999', qr/^events=4999 messages=\d+ first=\d+ last=\d+ ahead=[1-9]/m, 'all of them come, in their order, with headers that are ahead of them');
    my ($from, $to) = $r->{text} =~ /first=(\d+) last=(\d+)/;
    is($to - $from, 4998, 'none is missing');
    fine($c, 'unwatch');
    fails($c, 'next 100', 'FAILED', qr/there is no watch/, 'a watch that has ended');
    is($one->ctl('compaction', $to)->{exit}, 0, 'what was is forgotten');
    fine($c, "watch /w/ $first");
    $r = fine($c, 'next 5000');
    $r = fine($c, 'next 5000') if $r->{text} !~ /cancelled=1/;
    like($r->{text}, qr/cancelled=1 more=0 compact=\Q$to\E /, 'a watch that comes too late is told so');
    fine($c, 'put /w/d 4', undef, 'the connection goes on');
    leave($c);
};

subtest 'more than anybody reads' => sub {
    my ($c, $writer) = map { client($one->{at}) } 1 .. 2;
    fine($_, 'connect') for $c, $writer;
    fine($c, 'watch /big/ 0');
    fine($c, 'next 5000', qr/created=1/);
    fine($writer, 'fill /big/ 60 1 1000000', undef, '60 MB');
    fine($c, 'put /small 1', undef, 'a call beside what waits');
    fine($c, 'follow 10000 60', qr/^events=60 /m, 'all of it comes');
    leave($_) for $c, $writer;
};

subtest 'leases' => sub {
    my $c = client($one->{at});
    fine($c, 'connect');
    fine($c, 'lease 60');
    fine($c, 'put /l/1 x lease');
    fine($c, 'read /l/ 0 0', qr{^/l/1=x \@\d+ lease=last$}m);
    fine($c, 'keep', qr/^ttl=60$/m);
    fine($c, 'end');
    fine($c, 'read /l/ 0 0', qr/^count=0/m, 'it ends with its keys');
    fine($c, 'keep', qr/^ttl=0$/m, 'and cannot be kept');
    fails($c, 'end', 'FAILED', qr/requested lease not found \(code 5\)/, 'nor ended');
    fails($c, 'put /l/1 x lease', 'FAILED', qr/requested lease not found/, 'nor used');
    leave($c);
};

subtest 'somebody wakes it' => sub {
    my $c = client($one->{at});
    fine($c, 'wake 0');
    fails($c, 'sleep 5000', 'WOKEN', qr/./, 'who waits without a connection');
    fine($c, 'connect');
    fine($c, 'wake 200');
    my $r = fails($c, 'sleep 20000', 'WOKEN', qr/./, 'who waits');
    cmp_ok($r->{ms}, '<', 15000, 'at once');
    fails($c, 'sleep 50', 'NOTHING', qr/time is up/, 'once');
    fine($c, 'watch /w/ 0');
    fine($c, 'next 5000', qr/created=1/);
    fine($c, 'wake 200');
    fails($c, 'next 20000', 'WOKEN', qr/./, 'who watches');
    fine($c, 'put /w/awake 1');
    fine($c, 'next 5000', qr{put /w/awake=1}m, 'the watch goes on');
    my $stuck = client('127.0.0.1:' . stuck_port());
    fine($stuck, 'wake 100');
    fails($stuck, 'connect', 'WOKEN', qr/./, 'who connects');
    leave($_) for $c, $stuck;
};

subtest 'nobody there, or somebody else' => sub {
    my $c = client('127.0.0.1:' . (my $port = refusing_port()));
    fails($c, 'connect', 'CUT', qr/^127\.0\.0\.1:$port: connection refused$/);
    $c = client('connect=300', '127.0.0.1:' . ($port = stuck_port()));
    my $r = fails($c, 'connect', 'CUT', qr/^127\.0\.0\.1:$port: no answer in time$/);
    cmp_ok($r->{ms}, '>=', 290, 'after its time');
    $c = client('connect=300', silent_backend()->address);
    fails($c, 'connect', 'CUT', qr/: HTTP\/2 does not begin in time$/, 'one who says nothing');
    $c = client('connect=300', 'tls=1', silent_backend()->address);
    fails($c, 'connect', 'CUT', qr/: TLS does not begin in time$/, 'nor with TLS');
    $c = client('connect=1000', ok_backend('ok')->address);
    fails($c, 'connect', 'CUT', qr/: (?:no HTTP\/2 is spoken there|the connection has ended|HTTP\/2 does not begin in time)$/, 'HTTP/1');
    $c = client('no-such-name.invalid:1');
    fails($c, 'connect', 'CUT', qr/^no-such-name\.invalid:1: there is no such name$/, 'no name');
    $c = client('tls=1', $one->{at});
    fails($c, 'connect', 'CUT', qr/^\Q$one->{at}\E: TLS cannot begin: (?:wrong version number|the connection has been cut)$/, 'no TLS');
    $c = client('nothing');
    is(answer($c)->{status}, 'REFUSED', 'no endpoint');
};

subtest 'a user and a password' => sub {
    my $own = etcd();
    $own->ctl(@$_)->{exit} and BAIL_OUT("etcdctl @$_")
        for [qw(user add root:secret)], [qw(user grant-role root root)], [qw(role add reader)], [qw(role grant-permission reader read /v1/ /v10)], [qw(user add proxy:first)],
        [qw(user grant-role proxy reader)];
    my $file = write_file(temp_path('password'), "first\nnothing of it\n");
    my @is = ('user=proxy', "password=$file", $own->{at});
    my $c = client(@is);
    fine($c, 'connect', undef, 'whom nobody asks');
    fine($c, 'put /v1/a 1');
    is($own->ctl(qw(auth enable))->{exit}, 0, 'from now on somebody does');
    my $nobody = client($own->{at});
    fine($nobody, 'connect');
    fails($nobody, 'read /v1/ 0 0', 'DENIED', qr/user name is empty/, 'nobody');
    fine($c, 'connect', undef, 'somebody');
    fine($c, 'read /v1/ 0 0', qr{^/v1/a=1}m);
    fails($c, 'put /v1/a 2', 'DENIED', qr/permission denied \(code 7\)/, 'may not do all');
    fails($c, 'read /v2/ 0 0', 'DENIED', qr/permission denied/, 'nor read all');
    fine($c, 'watch /v1/ 0');
    fine($c, 'next 5000', qr/created=1 cancelled=0/);
    fine($c, 'watch /v2/ 0');
    fails($c, 'next 5000', 'DENIED', qr/permission denied/, 'nor watch all');
    fine($c, 'read /v1/ 0 0', undef, 'the connection goes on');
    is($own->ctl(qw(--user root:secret role add later))->{exit}, 0, 'when roles change');
    fine($c, 'read /v1/ 0 0', qr/count=1/, 'a new token is asked for');
    is(run_command({ env => { ETCDCTL_API => 3 } }, 'sh', '-c', "echo second | etcdctl --endpoints $own->{url} --user root:secret user passwd proxy --interactive=false")->{exit}, 0, 'another password');
    fails($c, 'connect', 'DENIED', qr/^etcdserver: authentication failed, invalid user ID or password \(code 3\)$/, 'the old one');
    write_file($file, 'second');
    fine($c, 'connect', undef, 'the file is read again');
    fine($c, 'read /v1/ 0 0');
    unlink $file;
    fails($c, 'connect', 'DENIED', qr/^the password of proxy cannot be read from \Q$file\E/, 'no file');
    leave($_) for $c, $nobody;
    $own->ends;
};

subtest 'certificates' => sub {
    my ($ca, $other) = map { authority($_) } qw(store other);
    my $server = certificate('127.0.0.1', ca => $ca);
    my @asks = ('--client-cert-auth', '--trusted-ca-file', $ca->{cert}, '--cert-file', $server->{cert}, '--key-file', $server->{key});
    my $own = etcd(scheme => 'https', more => \@asks);
    my $mine = certificate('proxy', ca => $ca);
    my @is = ("ca=$ca->{cert}", "cert=$mine->{cert}", "key=$mine->{key}");
    my $c = client(@is, $own->{url});
    fine($c, 'connect', qr{endpoint=https://}, 'a certificate');
    fine($c, 'fill /t/ 20 1 1000000');
    fine($c, 'read /t/ 0 0', qr/count=20 /m, 'much, over TLS');
    fine($c, 'watch /t/ 0');
    fine($c, 'next 5000', qr/created=1/);
    leave($c);
    $c = client("ca=$other->{cert}", @is[ 1, 2 ], $own->{url});
    fails($c, 'connect', 'DENIED', qr/^\Q$own->{at}\E is not believed: (?:unable to get local issuer certificate|self-signed certificate in certificate chain)$/, 'another authority');
    $c = client(@is, 'name=db.test', $own->{url});
    fails($c, 'connect', 'DENIED', qr/is not believed: hostname mismatch$/i, 'another name');
    $c = client($is[0], $own->{url});
    my $r = tells($c, 'connect');
    like("$r->{status} $r->{problem}", qr/^(?:DENIED .*alert|CUT .*(?:reset|ended|cut))/, 'none of ours');
    my $late = certificate('proxy', ca => $ca, expired => 1);
    $c = client($is[0], "cert=$late->{cert}", "key=$late->{key}", $own->{url});
    $r = tells($c, 'connect');
    like("$r->{status} $r->{problem}", qr/^(?:DENIED .*alert|CUT .*(?:reset|ended|cut))/, 'one that has expired');
    Weir::Test::write_file($late->{cert}, read_file($mine->{cert}));
    Weir::Test::write_file($late->{key}, read_file($mine->{key}));
    fine($c, 'connect', undef, 'when it is renewed, it is read again');
    fails(client("ca=$ca->{key}", $own->{url}), 'connect', 'DENIED', qr/is no PEM file of certificates/, 'no authority');
    fails(client($is[0], "cert=$mine->{cert}", "key=$server->{key}", $own->{url}), 'connect', 'DENIED', qr/./, 'a key of another');
    $own->ends;
    my $old = certificate('127.0.0.1', ca => $ca, expired => 1);
    $own = etcd(scheme => 'https', more => [ '--cert-file', $old->{cert}, '--key-file', $old->{key} ]);
    fails(client(@is, $own->{url}), 'connect', 'DENIED', qr/^\Q$own->{at}\E is not believed: certificate has expired$/, "the store's has expired");
    $own->ends;
};

subtest 'members that die, freeze, and come back' => sub {
    my ($left, $right) = map { etcd() } 1 .. 2;
    my $c = client('ping=500', 'pong=500', 'connect=1000', 'call=1000', map { $_->{at} } $left, $right);
    my $which = sub { return (tells($c, 'connect')->{text} =~ /:(\d+)$/m)[0] == $left->{port} ? $left : $right };
    my $at = $which->();
    fine($c, 'put /x 1');
    fine($c, 'watch /x 0');
    fine($c, 'next 5000', qr/created=1/);
    $at->freezes;
    my $r = fails($c, 'next 20000', 'CUT', qr/^\Q$at->{at}\E: it does not answer any more$/, 'one that is frozen is found out');
    cmp_ok($r->{ms}, '<', 10000, 'by its silence');
    fails($c, 'read /x 0 0', 'CUT', qr/there is no connection/, 'until there is another connection');
    my $next = $which->();
    isnt($next->{port}, $at->{port}, 'which is with another member');
    $at->thaws;
    fine($c, 'put /x 2');
    $next->freezes;
    fails($c, 'put /x 3', 'CUT', qr/^\Q$next->{at}\E(?: does not answer in time|: it does not answer any more)$/, 'a call to one that is frozen');
    $next->thaws;
    is($which->()->{port}, $at->{port}, 'the first one is back');
    fine($c, 'put /x 4');
    fine($c, 'watch /x 0');
    fine($c, 'next 5000', qr/created=1/);
    $at->ends;
    fails($c, 'next 5000', 'CUT', qr/^\Q$at->{at}\E: (?:the connection has ended|connection reset by peer)$/, 'one that dies');
    fails($c, 'connect', 'CUT', qr/connection refused/, 'it has worked, and is tried once more');
    is($which->()->{port}, $next->{port}, 'then the next');
    fine($c, 'put /x 5');
    $r = tells($c, 'watch /x 0');
    $next->ends('TERM');
    my $end = tells($c, 'next 5000');
    $end = tells($c, 'next 5000') while $end->{status} eq 'FINE';
    is($end->{status}, 'CUT', "one that goes away: $end->{problem}");
    leave($c);
};

subtest 'a server that takes pings ill' => sub {
    my $c = client('ping=200', 'pong=5000', $one->{at});
    fine($c, 'connect');
    fails($c, 'sleep 1500', 'NOTHING', qr/./, 'without a call there are none');
    fine($c, 'watch /ping/ 0');
    fine($c, 'next 5000', qr/created=1/);
    fails($c, 'next 20000', 'CUT', qr/^\Q$one->{at}\E is going away \(ENHANCE_YOUR_CALM: too_many_pings\)$/, 'with one there may be too many');
    fine($c, 'connect', undef, 'which it gets over');
    leave($c);
};

subtest 'two of three members are gone' => sub {
    my %peers = map { ("c$_" => free_port()) } 1 .. 3;
    my @cluster = map { etcd(name => "c$_", peers => \%peers, is_slow => 1) } 1 .. 3;
    my $c = client('call=3000', $cluster[0]{at});
    ok(wait_for { tells($c, 'connect')->{status} eq 'FINE' && tells($c, 'put /q/1 1')->{status} eq 'FINE' }, 'three members');
    fine($c, 'watch /q/ 0');
    fine($c, 'next 5000', qr/created=1/);
    $_->ends for @cluster[ 1, 2 ];
    my $r = fails($c, 'next 30000', 'CUT', qr/^etcdserver: no leader \(code 14\)$/, 'the watch ends');
    is($r->{code}, 14, 'with its code');
    fine($c, 'connect', undef, 'the one that is left takes connections');
    fails($c, 'read /q/ 0 0', 'CUT', qr/does not answer in time|code 14/, 'reads nothing that is sure');
    fine($c, 'connect');
    fine($c, 'read /q/ 0 0 serializable', qr{^/q/1=1 }m, 'but what it has');
    leave($c);
    $cluster[0]->ends;
};

done_testing;
