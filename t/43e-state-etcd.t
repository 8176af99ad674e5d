# SPDX-License-Identifier: MIT
# Apps from a store of one member: what comes of each key, of garbage, of a store that is away, older, another one, empty or full, and of the file.
use lib 't/lib';
use Weir::Admin;
use Weir::Etcd;
use Weir::Load;
use Weir::Schema;
use Weir::State;
use Weir::Test;
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP ();

needs_etcd();
alarm int 300 * Weir::Client::slow();

my $json = JSON::PP->new->canonical->utf8;
my ($one, $two) = map { ok_backend($_) } qw(one two);
my $shared = etcd();
my $roots  = 0;
my ($store, $root);

# From now on keys are there, below a prefix of their own.
sub anew { ($store, $root) = ($_[0] // $shared, '/root' . $roots++); return }

sub keys_of { my (@pairs) = @_; my @all; while (my ($name, $value) = splice @pairs, 0, 2) { push @all, [ defined $value ? 'put' : 'del', "$root/v1/$name", defined $value ? ref $value ? $json->encode($value) : $value : () ] } return @all }

# One revision; what is undef goes.
sub writes { return $store->writes(keys_of(@_)) }

# An app with a domain of its name, and a backend.
sub app { my ($name, $backend) = @_; return ("apps/$name" => {}, "domains/$name.test" => { app => $name }, "backends/$name/a" => { addr => $backend->address }) }

sub follow {
    my (%option) = @_;
    my $said = { endpoints => [ $store->{at} ], prefix => $root, status => 'OFF', resync => ms(100), %{ delete $option{etcd} // {} } };
    my $own = follow_store($said, %option);
    (wait_for { source($own)->{following} } 2 * wait_seconds()) or diag explain source($own) if !$option{proxy}{is_late};
    return $own;
}

# It is as the store is.
sub agree {
    my ($own, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $all = $store->all("$root/v1/");
    my $wanted = table_of({ map { (substr($_, length "$root/v1/") => eval { $json->decode($all->{$_}) }) } keys %$all });
    return ok((wait_for { $json->encode(table($own)) eq $json->encode($wanted) }, $what // 'it is as the store is')) || diag explain [ table($own), $wanted ];
}

sub shown { my ($own) = @_; admin_path($own->{admin}); return (Weir::Admin::said('state'))[1] }

# What is wrong with a key: "reason: why"; undef: nothing.
sub wrong { my ($own, $name) = @_; return (map {"$_->{reason}: $_->{problem}"} grep { $_->{key} eq "$root/v1/$name" } @{ admin($own, GET => '/v1/sources')->{document}{values} })[0] }

# Something happens to the store while nobody hears of it: it stands at another port.
sub elsewhere {
    my ($happens) = @_;
    $store->ends('TERM');
    my %more = (name => $store->{name}, peers => $store->{peers}, more => $store->{more});
    my $other = etcd(%more, dir => $store->{dir});
    $other->has_leader;
    my $own = $store;
    $store = $other;
    my $dir = $happens->();
    $other->ends('TERM');
    $store = $own;
    $store->{dir} = $dir if -d ($dir // '');
    return $store->begin;
}

subtest 'keys come, change and go' => sub {
    anew();
    writes(app(shop => $one), app(blog => $two), 'domains/move.test' => { app => 'shop' });
    my $own = follow();
    is(who($own, 'shop.test') . who($own, 'blog.test') . who($own, 'move.test'), 'onetwoone', 'what is there at the start');
    agree($own);
    writes(app(late => $two), 'domains/shop.test' => undef, 'domains/to.test' => { redirect => 'www.shop.test' }, 'domains/move.test/deep' => { app => 'late' });
    ok(wait_for { who($own, 'late.test') eq 'two' }, 'what comes');
    is(who($own, 'shop.test'), 404, 'what goes with it');
    is(who($own, 'to.test'), 301, 'a redirect');
    writes('backends/late/a' => { addr => $one->address });
    ok(wait_for { who($own, 'late.test') eq 'one' }, 'what changes');
    writes('apps/late' => undef);
    ok(wait_for { who($own, 'late.test') eq '404' }, 'an app that goes');
    writes('apps/late' => { hold => '1s' });
    ok(wait_for { who($own, 'late.test') eq 'one' }, 'has its backends and domains when it is back');
    writes('domains/early.test' => { app => 'soon' }, 'backends/soon/x' => { addr => $two->address });
    is(who($own, 'early.test'), 404, 'a domain whose app is not there yet');
    writes('apps/soon' => {});
    ok(wait_for { who($own, 'early.test') eq 'two' }, 'waits for it');
    my $most = sub { return join ' ', map { table($own)->{$_}{settings}{'max-requests'} // '-' } qw(soon blog) };
    writes('config/defaults' => { 'max-requests' => 7 }, 'apps/blog' => { 'max-requests' => 8 });
    ok(wait_for { $most->() eq '7 8' }, 'defaults are of all apps that do not say otherwise');
    writes('config/defaults' => undef);
    ok(wait_for { $most->() eq '- 8' }, 'until they go');
    $own->ends_well;
};

subtest 'no request fails while a domain moves to and fro' => sub {
    anew();
    writes(app(shop => $one), app(blog => $two), 'domains/move.test' => { app => 'shop' });
    my $own = follow();
    my $load = Weir::Load->start($own, kinds => [qw(get h2)], host => 'move.test', body => qr/^(?:one|two)$/);
    for my $n (1 .. 40) { writes('domains/move.test' => { app => $n % 2 ? 'blog' : 'shop' }, "backends/shop/n$n" => { addr => $one->address }, 'backends/shop/n' . ($n - 1) => undef) }
    ok($load->goes_on(20), 'there are requests');
    agree($own);
    my $seen = $load->finish;
    is(join("\n", @{ $seen->{wrong} }), '', 'none of them has failed');
    is(scalar(() = $own->stderr =~ /stays with the app/g), 0, 'and no conflict is told');
    is(admin($own, GET => '/v1/sources')->{document}{conflicts}, 0, 'or counted');
};

subtest 'garbage' => sub {
    anew();
    my @good = ('apps/shop' => { hold => '1s' }, 'domains/shop.test' => { app => 'shop' }, 'backends/shop/a' => { addr => $one->address });
    writes(@good, app(blog => $two));
    my $own = follow();
    my %garbage = (
        'apps/shop' => [ [ 'json', '{"hold"' ], [ 'json', '' ], [ 'json', "\xff{}" ], [ 'type', '[]' ], [ 'type', '7' ], [ 'reserved', '{"domains":["x"]}' ], [ 'refused', '{"hold":"soon"}' ], [ 'refused', '{"unknown":1}' ], [ 'length', '{"x":"' . 'y' x 66_000 . '"}' ] ],
        'backends/shop/a' => [ [ 'type', '{"addr":7}' ], [ 'type', '{}' ], [ 'refused', '{"addr":"nowhere at all"}' ] ],
        'domains/shop.test' => [ [ 'type', '{}' ], [ 'type', '{"app":7}' ], [ 'name', '{"app":"a/b"}' ], [ 'loop', '{"redirect":"shop.test"}' ] ],
    );
    my ($wrong, %reasons) = (0);
    for my $key (sort keys %garbage) {
        for my $case (@{ $garbage{$key} }) {
            my ($reason, $value) = @$case;
            writes($key => $value);
            $reasons{$reason}++;
            my $what = "$key: " . substr $value, 0, 40;
            like((wait_for { wrong($own, $key) }) && wrong($own, $key), qr/^$reason: ./, $what);
            is(who($own, 'shop.test'), 'one', 'is served as it was');
            is(metric($own, qq(weir_state_rejected_values{reason="$reason"})), 1, 'counted');
            like(shown($own), qr{^\Q$root\E/v1/\Q$key\E \(revision \d+\) is refused, $reason: }m, 'and shown') if !$wrong++;
            writes(@good);
            ok(wait_for { !wrong($own, $key) }, 'until it is mended');
        }
    }
    writes('apps/shop' => 'garbage');
    ok(wait_for { wrong($own, 'apps/shop') }, 'the document of it all');
    is(join("\n", Weir::Schema->new($json->decode(read_file(root_dir() . '/lib/admin/openapi.json')))->troubles({ '$ref' => '#/components/schemas/Sources' }, admin($own, GET => '/v1/sources')->{document})),
        '', 'is as openapi.json has it');
    writes(@good);
    is(join(' ', sort keys %reasons), 'json length loop name refused reserved type', 'each reason');
    writes('domains/Upper.test' => { app => 'shop' }, 'domains/fine.test' => { app => 'shop' }, 'nonsense/x' => 'y', 'backends/shop' => {});
    ok(wait_for { who($own, 'fine.test') eq 'one' }, 'others of the revision hold');
    like(wrong($own, 'domains/Upper.test'), qr/^name: /, 'a name that is none');
    is(wrong($own, 'nonsense/x'), undef, 'kinds that are not known are passed over');
    writes('domains/a.test' => { redirect => 'b.test' });
    writes('domains/b.test' => { redirect => 'c.test' });
    writes('domains/c.test' => { redirect => 'a.test' });
    ok(wait_for { (wrong($own, 'domains/c.test') // '') =~ /^loop: / }, 'a redirect that leads back over others');
    $store->ctl('del', "$root/v1/domains/b.test");
    writes('domains/c.test' => { redirect => 'a.test' });
    ok(wait_for { !wrong($own, 'domains/c.test') }, 'may be when it does not any more');
    like($own->stderr, qr{state: \Q$root\E/v1/apps/shop is refused, and is as it was: }, 'the log tells');
    $own->ends_well;
};

subtest 'an app that two sources have' => sub {
    anew();
    writes(app(shop => $one), 'apps/fixed' => {}, 'domains/mine.test' => { app => 'shop' });
    my $own = follow(proxy => { router => { apps => { fixed => { domains => [ 'fixed.test', 'mine.test' ], backends => [ $two->address ] } } } });
    is(who($own, 'fixed.test') . who($own, 'mine.test') . who($own, 'shop.test'), 'twotwoone', 'the configuration has what it has');
    like(wrong($own, 'apps/fixed'), qr/^refused: the configuration has an app of that name$/, 'which is told');
    like(shown($own), qr/^app shop, etcd \S+, is not taken|^app shop, etcd \S+: the domain mine\.test stays with the app fixed$/m, 'of the domain, too');
    like($own->stderr, qr{state: app shop of \Q$root\E/v1/: the domain mine\.test stays with the app fixed}, 'in the log');
    admin_path($own->{admin});
    like((Weir::Admin::said('explain', 'http://shop.test/'))[1], qr/app shop \(state\)/, 'explain says whose it is');
    like((Weir::Admin::said('explain', 'http://mine.test/'))[1], qr/app fixed \(configuration\)/, 'either way');
};

subtest 'the store is away, and there is a file' => sub {
    anew(etcd());
    writes(app(shop => $one), app(blog => $two));
    my $file = temp_path('snapshot');
    my $own = follow(snapshot => $file, 'snapshot-interval' => ms(100));
    ok(wait_for { -s $file }, 'it is written');
    is((stat $file)[2] & 07777, 0600, 'for its owner');
    $store->ends;
    ok(wait_for { !source($own)->{following} }, 'the store is away');
    is(who($own, 'shop.test'), 'one', 'all is served');
    cmp_ok(metric($own, 'weir_state_age_seconds'), '>', 0, 'how old it is, is known');
    like(shown($own), qr/not followed for \d/, 'and told');
    ok($store->begin, 'it is back');
    writes(app(late => $one));
    ok(wait_for { who($own, 'late.test') eq 'one' }, 'and is followed');
    is(source($own)->{snapshots}, 1, 'from where it was');
    $own->ends_well;
    $store->ends;
    my $start = sub { my (%more) = @_; return follow(snapshot => $file, wait => ms(100), proxy => { is_late => 1 }, %more) };
    $own = $start->();
    is(who($own, 'late.test'), 'one', 'who starts then has the file');
    ok(source($own)->{of_file}, 'which is told');
    is($own->stop, 0, 'it ends');
    my $whole = read_file($file);
    for my $case (
        [ 'one bit',      sub { substr($_[0], length($_[0]) / 2, 1) ^= "\1" } ], [ 'cut',            sub { substr($_[0], -9) = '' } ],
        [ 'nothing',      sub { $_[0] = '' } ],                                  [ 'something else', sub { $_[0] = "apps: {}\n" x 100 } ],
        [ 'another size', sub { $_[0] .= 'x' } ]) {
        my ($what, $harm) = @$case;
        my $text = $whole;
        $harm->($text);
        write_file($file, $text);
        my $harmed = $start->();
        is(who($harmed, 'late.test'), 404, "$what: it is not used");
        like($harmed->stderr, qr/state: .*\Q$file\E.*: it is not used/, 'which is told');
        $harmed->stop;
    }
    write_file($file, $whole);
    my $other = $start->(etcd => { prefix => '/another' });
    is(who($other, 'late.test'), 404, 'nor for another prefix');
    $other->stop;
    $own = $start->();
    elsewhere(sub { writes('domains/late.test' => undef, app(new => $two)) });
    ok(wait_for { source($own)->{following} }, 'the store is back');
    ok(wait_for { who($own, 'new.test') eq 'two' && who($own, 'late.test') eq '404' }, 'what has happened meanwhile has happened');
    is(source($own)->{snapshots}, 0, 'without reading all of it');
    agree($own);
    $own->ends_well;
    $store->ends;
};

subtest 'the store has forgotten what has happened' => sub {
    anew(etcd());
    writes(app(shop => $one), map { ("domains/d$_.test" => { app => 'shop' }) } 1 .. 50);
    my $own = follow();
    elsewhere(sub {
        writes("domains/e$_.test" => { app => 'shop' }) for 1 .. 20;
        writes(map { ("domains/d$_.test" => undef) } 1 .. 10);
        my ($revision) = $store->ctl(qw(endpoint status --write-out fields))->{out} =~ /^"Revision" : (\d+)$/m;
        is($store->ctl('compaction', $revision)->{exit}, 0, 'it is compacted');
    });
    ok(wait_for { source($own)->{snapshots} == 2 }, 'all is read anew') or diag explain source($own);
    like($own->stderr, qr/state: what has happened since revision \d+ is no more in the store: all of it is read anew/, 'which is told');
    agree($own);
    is(who($own, 'e20.test') . who($own, 'd10.test') . who($own, 'd11.test'), 'one404one', 'and served');
    $store->ends;
};

subtest 'the store is older than it was' => sub {
    anew(etcd());
    writes(app(shop => $one), 'domains/old.test' => { app => 'shop' });
    my $own = follow();
    my $backup = temp_path('backup');
    is($store->ctl('snapshot', 'save', $backup)->{exit}, 0, 'a backup');
    writes("domains/n$_.test" => { app => 'shop' }) for 1 .. 5;
    writes('domains/old.test' => undef);
    ok(wait_for { who($own, 'n5.test') eq 'one' && who($own, 'old.test') eq '404' }, 'and more');
    elsewhere(sub {
        my $dir = temp_path('restored');
        my $peer = "http://127.0.0.1:$store->{peers}{$store->{name}}";
        my $run = $store->ctl('snapshot', 'restore', $backup, '--data-dir', $dir, '--name', $store->{name}, '--initial-cluster', "$store->{name}=$peer", '--initial-advertise-peer-urls', $peer);
        is($run->{exit}, 0, 'it is restored') or diag($run->{err});
        return $dir;
    });
    ok(wait_for { source($own)->{snapshots} == 2 }, 'all is read anew') or diag explain source($own);
    like($own->stderr, qr/state: the store is (?:older than it was|another cluster): all of it is read anew/, 'which is told');
    agree($own);
    writes('domains/again.test' => { app => 'shop' });
    ok(wait_for { who($own, 'again.test') eq 'one' }, 'and followed from there');
    agree($own);
    $store->ends;
};

subtest 'another store, which has nothing' => sub {
    anew(etcd());
    writes(app(shop => $one));
    my $own = follow();
    my ($mine, $port) = ($store, $store->{port});
    $store->ends;
    $store = etcd(port => $port);
    ok((wait_for { source($own)->{held_back} == 3 } 2 * wait_seconds()), 'nothing of it goes') or diag explain source($own);
    like($own->stderr, qr/state: the store is another cluster: all of it is read anew/, 'it is told');
    is(who($own, 'shop.test'), 'one', 'all is served');
    writes(app(new => $two));
    ok(wait_for { who($own, 'new.test') eq 'two' }, 'what comes is taken');
    like(shown($own), qr/`weir state accept` lets 3 go that are not there any more/, 'who looks is told');
    is(accepts($own), 204, 'somebody says that it may go');
    ok(wait_for { who($own, 'shop.test') eq '404' }, 'it goes');
    is(accepts($own), 409, 'nothing more is held back');
    agree($own);
    $store->ends;
};

subtest 'very much is deleted' => sub {
    anew();
    writes(app(shop => $one));
    writes(map { ("domains/a$_.test" => { app => 'shop' }) } 1 .. 125);
    writes(map { ("domains/b$_.test" => { app => 'shop' }) } 1 .. 125);
    my $own = follow();
    my $load = Weir::Load->start($own, kinds => [qw(get h2)], host => 'b1.test', body => qr/^one$/);
    writes(map { ("domains/a$_.test" => undef) } 1 .. 50);
    ok(wait_for { who($own, 'a50.test') eq '404' }, 'fifty may go');
    is($store->remove("$root/v1/domains/", 1), 201, 'all of them');
    ok(wait_for { source($own)->{held_back} == 201 }, 'may not') or diag explain source($own);
    is(source($own)->{held_keys}{domains}, 201, 'which are domains');
    is(who($own, 'a60.test') . who($own, 'b125.test'), 'oneone', 'they are served');
    like($own->stderr, qr/state: 201 of 201 domains are not there any more, and stay until it is said that they may go/, 'it is told');
    is(metric($own, 'weir_state_troubles{reason="held_back"}'), 201, 'and counted');
    ok($own->reload, 'over a reload') && is(who($own, 'b125.test'), 'one', 'it holds');
    writes('domains/b1.test' => { app => 'shop' });
    ok(wait_for { source($own)->{held_back} == 200 }, 'what comes back is held back no more');
    is(accepts($own), 204, 'the rest goes');
    ok(wait_for { who($own, 'b125.test') eq '404' }, 'at once');
    agree($own);
    ok($load->goes_on(5), 'there were requests');
    is(join("\n", @{ $load->finish->{wrong} }), '', 'of which none has failed');
};

subtest 'most backends of an app go with their leases' => sub {
    anew();
    my ($lease) = $store->ctl(qw(lease grant 600))->{out} =~ /^lease ([0-9a-f]+)/;
    writes('apps/shop' => {}, 'domains/shop.test' => { app => 'shop' });
    $store->ctl('put', '--lease', $lease, "$root/v1/backends/shop/w$_", $json->encode({ addr => $one->address })) for 1 .. 6;
    my $own = follow();
    is(source($own)->{keys}{backends}, 6, 'six of them');
    is($store->ctl('lease', 'revoke', $lease)->{exit}, 0, 'whose agents all die');
    ok(wait_for { source($own)->{held_back} == 3 }, 'half of them stay') or diag explain source($own);
    is(who($own, 'shop.test'), 'one', 'so that somebody serves');
    like($own->stderr, qr/state: app shop has lost most of its backends with their leases: the last ones stay until others come/, 'it is told');
    writes('backends/shop/new' => { addr => $two->address });
    ok(wait_for { who($own, 'shop.test') eq 'two' && source($own)->{held_back} == 0 }, 'until there is another one');
    agree($own);
};

subtest 'the store is full' => sub {
    anew(etcd(more => [ '--quota-backend-bytes', 1 << 20 ]));
    writes(app(shop => $one));
    my $own = follow(etcd => { status => 'ON', node => 'full' });
    my $run;
    for my $n (1 .. 60) { last if ($run = $store->ctl('put', "/fill/$n", 'x' x 50_000))->{exit} }
    like($run->{err}, qr/database space exceeded/, 'nothing can be written');
    is(who($own, 'shop.test'), 'one', 'all is served');
    ok(source($own)->{following}, 'and followed');
    my ($revision) = $store->ctl(qw(endpoint status --write-out fields))->{out} =~ /^"Revision" : (\d+)$/m;
    $store->remove('/fill/', 1);
    $store->ctl('compaction', $revision);
    $store->ctl('defrag');
    $store->ctl(qw(alarm disarm));
    ok((wait_for { eval { writes(app(late => $two)); 1 } }), 'there is room again');
    ok(wait_for { who($own, 'late.test') eq 'two' }, 'and it goes on');
    is(source($own)->{snapshots}, 1, 'from where it was');
    $store->ends;
};

subtest 'what a node tells of itself' => sub {
    anew();
    my $status = sub { my $text = $store->all("$root/v1-status/"); return map { ($_ => $json->decode($text->{$_})) } sort keys %$text };
    my $own = follow(etcd => { status => 'ON', node => 'left', address => '192.0.2.7' });
    my %told;
    ok(wait_for { %told = $status->() }, 'it tells');
    is(join(' ', keys %told), "$root/v1-status/nodes/left", 'by its name');
    is($told{"$root/v1-status/nodes/left"}{addr}, '192.0.2.7', 'where it is');
    like($told{"$root/v1-status/nodes/left"}{ver}, qr/^\d+\./, 'which version');
    like($store->ctl(qw(lease list))->{out}, qr/^[0-9a-f]+$/m, 'with a lease');
    $own->ends_well;
    ok(wait_for { !$status->() }, 'and is gone when it ends');
    follow();
    is_deeply([ $status->() ], [], 'status: OFF is without');
};

subtest 'ready when the first state is there' => sub {
    anew(etcd());
    $store->ends;
    my $path = temp_path('notify');
    my $manager = IO::Socket::UNIX->new(Type => IO::Socket::UNIX::SOCK_DGRAM(), Local => $path) or die $!;
    my $told = sub { my @all; while (IO::Select->new($manager)->can_read(0)) { recv $manager, my $text, 4096, 0; push @all, $text } return "@all" };
    my $own = follow(wait => '1h', proxy => { is_late => 1, env => { NOTIFY_SOCKET => $path } });
    my $ready = sub { return join ' ', map { admin($own, GET => $_)->{status} } qw(/readyz /ready) };
    is($ready->(), '503 503', 'it waits');
    unlike($told->(), qr/READY=1/, 'and so does the service manager');
    ok($store->begin, 'the store comes');
    writes(app(shop => $one));
    ok(wait_for { $ready->() eq '200 200' }, 'then it is ready');
    ok(wait_for { $told->() =~ /READY=1/ }, 'and the manager is told');
    ok(wait_for { who($own, 'shop.test') eq 'one' }, 'it serves');
    $store->ends;
    my $late = follow(wait => ms(100), proxy => { is_late => 1 });
    ok(wait_for { admin($late, GET => '/readyz')->{status} == 200 }, 'or when it has waited for long enough');
    like($late->stderr, qr/state: nothing has come/, 'which is told');
};

subtest 'over reloads' => sub {
    anew();
    writes(app(shop => $one), app(blog => $two));
    $store->put('/other/v1/apps/shop', '{}', '/other/v1/backends/shop/a', $json->encode({ addr => $two->address }), '/other/v1/domains/shop.test', '{"app":"shop"}');
    my $own = follow();
    my $load = Weir::Load->start($own, kinds => [qw(get h2)], host => 'shop.test', body => qr/^(?:one|two)$/);
    my $text = read_file($own->{config});
    my $swap = sub { my ($text) = @_; $own->configure(yaml => $text); return $own->reload(yaml => $text) };
    ok($own->reload, 'a reload');
    is(who($own, 'shop.test'), 'one', 'apps are there');
    writes('backends/blog/a' => { addr => $one->address });
    ok(wait_for { who($own, 'blog.test') eq 'one' }, 'and followed');
    is(source($own)->{snapshots}, 1, 'by the same follower');
    ok($swap->($text =~ s/resync: \S+/resync: 200ms/r), 'other settings');
    writes('backends/blog/a' => { addr => $two->address });
    ok(wait_for { who($own, 'blog.test') eq 'two' }, 'go on from there');
    is(source($own)->{snapshots}, 0, 'without reading all of it');
    ok($swap->($text =~ s/\Q$root\E/\/other/r), 'another prefix');
    ok(wait_for { who($own, 'shop.test') eq 'two' && who($own, 'blog.test') eq '404' }, 'what is there counts, and nothing else');
    $load->goes_on(5);
    is(join("\n", @{ $load->finish->{wrong} }), '', 'no request has failed');
    my $directory = temp_path('apps.d');
    mkdir $directory;
    write_file("$directory/shop.yaml", 'domains: [ shop.test ]' . "\nbackends: [ \"" . $one->address . "\" ]\n");
    my $files = $text =~ s/^weir\.state:\n(?:  .*\n)+/weir.state: { files: "$directory" }\n/mr;
    ok($swap->($files), 'files');
    ok(wait_for { who($own, 'shop.test') eq 'one' && source($own)->{kind} eq 'files' }, 'in place of a store');
    ok($swap->($text), 'and back');
    ok(wait_for { who($own, 'blog.test') eq 'two' && source($own)->{kind} eq 'etcd' }, 'as well');
    $own->ends_well;
};

subtest 'a configuration that is wrong' => sub {
    my $rest = "listen: 1\nhosts: { default: { paths: { /: { status: ON } } } }\n";
    for my $case (
        [ '{}', qr/etcd has `endpoints`, one at least/ ], [ '{ endpoints: [] }', qr/`endpoints`/ ], [ '{ endpoints: [ "ftp://x" ] }', qr/./ ], [ '{ endpoints: [ "x:99999" ] }', qr/./ ],
        [ '{ endpoints: [ "a:1" ], prefix: weir }', qr/`prefix` begins with \// ], [ '{ endpoints: [ "a:1" ], user: x }', qr/`user` needs `password-file`/ ],
        [ '{ endpoints: [ "a:1" ], tls: { key-file: x } }', qr/`key-file` needs `certificate-file`/ ], [ '{ endpoints: [ "a:1" ], status: maybe }', qr/`status` is ON or OFF/ ],
        [ '{ endpoints: [ "a:1" ], node: "a/b" }', qr/`node` is a name/ ], [ '{ endpoints: [ "a:1" ], resync: soon }', qr/`resync` is a time/ ], [ '{ endpoints: [ "a:1" ], what: x }', qr/unknown key/ ]) {
        my ($text, $says) = @$case;
        refuses_config("weir.state: { etcd: $text }\n$rest", qr/.*$says/, $text);
    }
    refuses_config("weir.state: { etcd: { endpoints: [ \"a:1\" ] }, files: /tmp }\n$rest", qr/.*with `files`, a directory, or `etcd`, a store/, 'both');
};

done_testing;
