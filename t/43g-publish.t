# SPDX-License-Identifier: MIT
# The commands of publishers: what is written to etcd, what is refused before, what differs, and that proxies take it.
use lib 't/lib';
use Weir::Admin;
use Weir::Docs;
use Weir::Etcd;
use Weir::Test;
use Weir::TLS;
use IO::Select;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Time::HiRes qw(time);

needs_etcd();
alarm int 300 * Weir::Client::slow();

my $json = JSON::PP->new->canonical->utf8;
my %running;
END { local $?; kill 'KILL', keys %running; waitpid $_, 0 for keys %running }

my $one   = etcd();
my $roots = 0;
my ($root, @at);

# From now on the keys are elsewhere, where there are none.
sub anew { $root = '/root' . $roots++; @at = ('--etcd', $one->{url}, '--prefix', $root); return }

sub state_of { my ($verb, @words) = @_; return weir('state', $verb, @words) }

sub writes { my (@words) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $run = state_of(@words, @at);
    return is("$run->{exit} $run->{out}$run->{err}", '0 ', "@words");
}

sub says { my ($exit, $text, $what, @words) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $run = state_of(@words);
    is($run->{exit}, $exit, $what);
    like("$run->{out}$run->{err}", $text, 'which is told');
    return $run;
}

sub value { my ($key) = @_; return $one->ctl('get', '--print-value-only', "$root/v1/$key")->{out} =~ s/\n\z//r }

sub keys_there { return join ' ', map { s{^\Q$root\E/v1/}{}r } grep { length } split /\n/, $one->ctl('get', '--prefix', '--keys-only', "$root/")->{out} }

sub exported { return $json->decode(state_of('export', @at)->{out}) }

sub document { my ($what, $name) = @_; return write_file(temp_path($name // 'state.json'), ref $what ? $json->encode($what) : $what) }

# A configuration whose routers take the state.
sub configuration {
    my (%etcd) = @_;
    return document({ listen => '127.0.0.1:1', 'weir.state' => { etcd => { endpoints => [ $one->{url} ], prefix => $root, %etcd } },
        hosts => { default => { paths => { '/' => { 'weir.router' => { module => 'table', state => 'ON', apps => { fixed => { domains => ['fixed.test'], backends => ['127.0.0.1:1'] } } } } } } } }, 'weir.yaml');
}

subtest 'put and delete' => sub {
    anew();
    writes('put', 'apps/shop', '{ "hold": "5s",  "max-requests": 50 }', 'domains/www.shop.test', '{"app": "shop"}');
    is(value('apps/shop'), '{"hold":"5s","max-requests":50}', 'without blanks');
    is(keys_there(), 'apps/shop domains/www.shop.test', 'both');
    my ($first, $second) = map { $_->{mod_revision} } @{ $json->decode($one->ctl('get', '--prefix', "$root/", '-w', 'json')->{out})->{kvs} };
    is($first, $second, 'in one transaction');
    my $file = document({ addr => '10.0.0.1:80' });
    writes('put', 'backends/shop/a', "\@$file");
    is(value('backends/shop/a'), '{"addr":"10.0.0.1:80"}', 'of a file');
    my $run = run_command('sh', '-c', "echo '{\"addr\": \"10.0.0.2:80\"}' | " . build_dir() . "/weir state put backends/shop/b - @at");
    is("$run->{exit} $run->{out}$run->{err}" . value('backends/shop/b'), '0 {"addr":"10.0.0.2:80"}', 'of standard input');
    writes('delete', 'backends/shop/a', 'backends/shop/nobody');
    is(keys_there(), 'apps/shop backends/shop/b domains/www.shop.test', 'is gone; what was not there is no fault');
    writes('put', 'backends/shop2/a', '{"addr":"10.0.0.3:80"}');
    writes('delete', '--all', 'backends/shop/', 'domains/');
    is(keys_there(), 'apps/shop backends/shop2/a', 'all that begin with a word');
    says(2, qr/^weir: a key is not empty$/m, 'not simply all', 'delete', '--all', '', @at);
    is(keys_there(), 'apps/shop backends/shop2/a', 'nothing was done');
};

subtest 'a lease' => sub {
    anew();
    my $run = state_of('put', '--lease', 2, 'backends/shop/a', '{"addr":"10.0.0.1:80"}', @at);
    is($run->{exit}, 0, 'is taken');
    like($run->{out}, qr/^[0-9a-f]+\n\z/, 'its name is printed');
    chomp(my $lease = $run->{out});
    like($one->ctl('lease', 'timetolive', $lease)->{out}, qr/granted with TTL\(\d+s\)/, 'by which others know it');
    like(keys_there(), qr{^(?:backends/shop/a)?$}, 'the key is there');
    ok(wait_for { keys_there() eq '' }, 'and ends');
    $run = state_of('put', '--lease', 60, 'backends/shop/a', '{"addr":1}', @at);
    is("$run->{exit} $run->{out}", '1 ', 'none for what is refused');
    says(2, qr/--lease is a number of seconds: 1 to \d+/, 'no number', 'put', '--lease', 'soon', 'apps/a', '{}', @at);
};

subtest 'what is refused' => sub {
    anew();
    my @cases = (
        [ 'no JSON',            'apps/shop',       '{',                   qr/^weir: apps\/shop: \S/m ],
        [ 'no object',          'apps/shop',       '[1]',                 qr/^weir: apps\/shop: the value is no object$/m ],
        [ 'a key twice',        'apps/shop',       '{"a":1,"a":2}',       qr/^weir: apps\/shop: duplicate/m ],
        [ 'no such kind',       'app/shop',        '{}',                  qr/^weir: app\/shop: keys begin with apps\//m ],
        [ 'an upper-case name', 'domains/A.test',  '{"app":"shop"}',      qr/^weir: domains\/A\.test: a domain is in lower case/m ],
        [ 'a backend nowhere',  'backends/shop/a', '{}',                  qr/^weir: backends\/shop\/a: a backend has an `addr`/m ],
        [ 'no name',            'backends/shop',   '{"addr":"a:1"}',      qr/^weir: backends\/shop: the key of a backend/m ],
        [ 'to itself',          'domains/a.test',  '{"redirect":"a.test"}', qr/^weir: domains\/a\.test: the redirect to a\.test leads back here$/m ],
    );
    says(1, $_->[3], $_->[0], 'put', 'apps/fine', '{}', $_->[1], $_->[2], @at) for @cases;
    is(keys_there(), '', 'nothing at all is written');
    writes('put', 'domains/a.test', '{"redirect":"b.test"}', 'apps/away', '{"redirect-to":"a.test"}');
    says(1, qr/^weir: domains\/b\.test: the redirect to a\.test leads back here$/m, 'a loop with what is there', 'put', 'domains/b.test', '{"redirect":"a.test"}', @at);
    says(1, qr/^weir: domains\/d\.test: .* leads back here$/m, 'a loop of its own', 'put', 'domains/c.test', '{"redirect":"d.test"}', 'domains/d.test', '{"redirect":"c.test"}', @at);
    is(keys_there(), 'apps/away domains/a.test', 'neither is written');
    says(2, qr/apps\/a stands there twice/, 'a key twice', 'put', 'apps/a', '{}', 'apps/a', '{}', @at);
    says(2, qr/apps\/b: a value must follow/, 'no value', 'put', 'apps/a', '{}', 'apps/b', @at);
    says(2, qr/one transaction has 128 keys at most: weir state import/, 'too many', 'put', (map { ("apps/a$_", '{}') } 1 .. 129), @at);
    says(2, qr/no\/such\.json: No such file/, 'no file', 'put', 'apps/a', '@no/such.json', @at);
    writes('put', 'meta', '{"schema":2,"min_reader":2}');
    says(1, qr/^weir: meta: the keys of this store are for newer versions$/m, 'a store of newer ones', 'put', 'apps/a', '{}', @at);
};

subtest 'routers judge as well' => sub {
    anew();
    my @with = ('-c', configuration());
    says(1, qr/^weir: apps\/shop: hold: must be a duration .* not `soon`$/m, 'a setting', 'put', 'apps/shop', '{"hold":"soon"}', @with);
    my $run = says(1, qr/^weir: backends\/shop\/c: `nonsense` is no backend/m, 'one of many', 'put', 'apps/shop', '{}', 'backends/shop/a', '{"addr":"127.0.0.1:1"}',
        'backends/shop/c', '{"addr":"nonsense"}', 'domains/shop.test', '{"app":"shop"}', @with);
    is(() = $run->{err} =~ /\n/g, 1, 'the others are not blamed');
    says(1, qr/^weir: apps\/fixed: the configuration has an app of that name$/m, 'what the configuration has', 'put', 'apps/fixed', '{}', @with);
    is(keys_there(), '', 'nothing is written');
    $run = state_of('put', 'apps/shop', '{"hold":"1s"}', 'apps/blog', '{"max-requests":"50"}', 'backends/shop/a', '{"addr":"127.0.0.1:1","weight":"50"}', @with);
    is("$run->{exit} $run->{out}$run->{err}", '0 ', 'what they take, numbers as words, too');
    says(1, qr/^weir: config\/defaults: apps\/blog: hold: must be a duration/m, 'what all have from the defaults', 'put', 'config/defaults', '{"hold":"soon"}', @with);
    says(1, qr/^weir: backends\/shop\/b: `nonsense`/m, 'beside what is there', 'put', 'backends/shop/b', '{"addr":"nonsense"}', @with);
    $one->ctl('put', "$root/v1/backends/shop/broken", '{"addr":"nonsense"}');
    is(state_of('put', 'apps/shop', '{"hold":"2s"}', @with)->{exit}, 0, 'what others have broken is not held against it');
    says(1, qr/^\S+weir\.yaml:\d+: .*\n/m, 'a configuration that is broken', 'put', 'apps/shop', '{}', '-c', document("listen: 1\nnonsense: 1\n", 'weir.yaml'));
    says(2, qr/there is no weir\.state with etcd; --etcd URL/, 'one without a store', 'put', 'apps/shop', '{}', '-c', document("listen: 127.0.0.1:1\nhosts: { default: { paths: { /: { file.dir: /tmp } } } }\n", 'weir.yaml'));
};

subtest 'out, and in again' => sub {
    anew();
    writes('put', 'apps/shop', '{"hold":"5s","max-requests":50,"lb":{"x":[1,2.5,true,null]}}', 'apps/Grüße', '{}', 'backends/shop/a', '{"addr":"10.0.0.1:80","weight":7}', 'domains/shop.test', '{"app":"shop"}',
        'domains/shop.test/cart', '{"app":"shop","cert":"c"}', 'domains/old.test', '{"redirect":"shop.test"}', 'config/defaults', '{"hold":"1s"}', 'certs/c', '{"chain":"PEM\n"}', 'meta', '{"schema":1,"min_reader":1}');
    my $file = temp_path('export.json');
    is(state_of('export', $file, @at)->{exit}, 0, 'into a file');
    my $text = read_file($file);
    is(state_of('export', @at)->{out}, $text, 'as on standard output');
    my $document = $json->decode($text);
    like($text, qr/^\{\n  "apps": \{\n    "Gr/, 'for people');
    is(join(' ', sort keys %$document), 'apps backends certs config domains meta', 'by kinds');
    is_deeply($document->{backends}, { shop => { a => { addr => '10.0.0.1:80', weight => 7 } } }, 'backends by apps');
    is($document->{domains}{'shop.test/cart'}{app}, 'shop', 'domains with their paths');
    is(state_of('diff', $file, @at)->{exit}, 0, 'it does not differ');
    my $before = $root;
    anew();
    is(state_of('import', $file, @at)->{out}, "9 written, 0 removed, in 1 transactions\n", 'into an empty store');
    my $again = state_of('diff', $file, @at);
    is("$again->{exit} $again->{out}", '0 ', 'all of it');
    is(state_of('export', @at)->{out}, $text, 'as it was');
    is(state_of('import', $file, @at)->{out}, "0 written, 0 removed, in 0 transactions\n", 'and nothing twice');
    $one->ctl('put', "$root/v1/apps/broken", '{');
    $one->ctl('put', "$root/v1/later/thing", '{}');
    my $run = says(1, qr/^weir: apps\/broken is left out: the value is no JSON\nweir: later\/thing is left out: it is of no kind/m, 'what no document can have', 'export', @at);
    is_deeply([ grep { $_ eq 'broken' } keys %{ $json->decode($run->{out} =~ s/^weir:.*//mgr)->{apps} } ], [], 'is not there');
};

subtest 'what differs, and what is done about it' => sub {
    anew();
    writes('put', 'apps/shop', '{"hold":"5s","max-requests":50}', 'apps/gone', '{}', 'backends/gone/a', '{"addr":"10.0.0.9:80"}', 'domains/gone.test', '{"app":"gone"}', 'certs/kept', '{}', 'meta', '{"schema":1}');
    state_of('put', '--lease', 600, 'backends/shop/leased', '{"addr":"10.0.0.2:80"}', @at);
    my $file = document(<<'END', 'state.yaml');
apps:
  shop: { max-requests: 50, hold: 6s }
backends:
  shop:
    web-1: { addr: "10.0.0.1:80", weight: 50 }
domains:
  shop.test: { app: shop }
meta: { schema: 1 }
END
    my $differs = <<'END';
- apps/gone
~ apps/shop: {"hold":"5s","max-requests":50} -> {"max-requests":"50","hold":"6s"}
- backends/gone/a
+ backends/shop/web-1 {"addr":"10.0.0.1:80","weight":"50"}
- domains/gone.test
+ domains/shop.test {"app":"shop"}
END
    my $there = keys_there();
    my $run = state_of('diff', $file, @at);
    is("$run->{exit} $run->{out}", "1 $differs", 'a line for each; YAML, too');
    $run = state_of('import', '--remove', '--dry-run', $file, @at);
    is("$run->{exit} $run->{out}", "0 $differs", 'a dry run tells the same');
    is(state_of('import', '--dry-run', $file, @at)->{out}, $differs =~ s/^- .*\n//mgr, 'without what would go');
    is(keys_there(), $there, 'and does nothing');
    is(state_of('import', $file, @at)->{out}, "3 written, 0 removed, in 1 transactions\n", 'what is new');
    is(state_of('diff', $file, @at)->{out}, $differs =~ s/^[~+] .*\n//mgr, 'what is left');
    is(state_of('import', '--remove', $file, @at)->{out}, "0 written, 3 removed, in 1 transactions\n", 'what has to go');
    is(keys_there(), 'apps/shop backends/shop/leased backends/shop/web-1 certs/kept domains/shop.test meta', 'but what is under a lease, and what the document does not speak of');
    is(state_of('diff', $file, @at)->{exit}, 0, 'no difference');
    is(state_of('diff', document({ apps => { shop => { 'max-requests' => '50', hold => '6s' } } }), @at)->{exit}, 0, 'nor in how a number is written');
    my $in = run_command('sh', '-c', build_dir() . "/weir state diff - @at < $file");
    is("$in->{exit} $in->{out}$in->{err}", '0 ', 'standard input');
};

subtest 'documents that are none' => sub {
    anew();
    my @cases = ([ 'a list', '[1]', qr/the document is a mapping/ ], [ 'no such section', '{"app": {}}', qr/`app` is no section/ ], [ 'nothing below', '{"apps": 1}', qr/`apps` must be a mapping/ ],
        [ 'backends without apps', '{"backends": {"shop": "a"}}', qr/`shop` of `backends` is a mapping/ ], [ 'a slash', '{"backends": {"shop": {"a/b": {}}}}', qr/`shop` has a backend without a name/ ],
        [ 'broken', '{"apps": ', qr/state\.json:\d+: / ], [ 'twice', "apps: {}\napps: {}\n", qr/state\.json:2: .*(?:twice|apps)/ ]);
    for (@cases) {
        my ($what, $text, $why) = @$_;
        says(2, $why, "$what: $_", $_, document($text), @at) for 'import', 'diff';
    }
    my $bad = document({ apps => { fine => {}, bad => [] }, domains => { 'x.test' => { app => 'fine' }, 'X.test' => { app => 'fine' } } });
    says(1, qr/^weir: apps\/bad: the value is no object\nweir: domains\/X\.test: a domain is/m, 'values that are refused', 'import', $bad, @at);
    says(1, qr/^\+ apps\/bad \[\]\n.*^weir: apps\/bad:/ms, 'by a dry run, too', 'import', '--dry-run', $bad, @at);
    is(keys_there(), '', 'nothing is written');
};

subtest 'many' => sub {
    anew();
    my %all = (apps => { map { ("app$_" => { hold => '1s' }) } 1 .. 300 }, domains => { map { ("d$_.test" => { app => "app$_" }) } 1 .. 300 }, config => { defaults => { hold => '2s' } },
        backends => { map { ("app$_" => { a => { addr => "10.0.0.1:$_" } }) } 1 .. 400 });
    my $file = document(\%all);
    my $from = time;
    is(state_of('import', $file, '-c', configuration())->{out}, "1001 written, 0 removed, in 8 transactions\n", 'a thousand keys');
    note sprintf '%.2f s', time - $from;
    my %revisions;
    for (@{ $json->decode($one->ctl('get', '--prefix', "$root/", '-w', 'json')->{out})->{kvs} }) {
        my ($kind) = decode_base64($_->{key}) =~ m{^\Q$root\E/v1/(\w+)};
        push @{ $revisions{$kind} }, $_->{mod_revision};
    }
    my ($last, @wrong) = (0);
    for my $kind (qw(config apps backends domains)) {
        my @sorted = sort { $a <=> $b } @{ $revisions{$kind} };
        push @wrong, $kind if $sorted[0] < $last;
        $last = $sorted[-1];
    }
    is("@wrong", '', 'apps before their backends, and these before their domains');
    is(state_of('diff', $file, @at)->{exit}, 0, 'all of it is there');
    is(state_of('import', '--remove', document({ map { ($_ => {}) } keys %all }), @at)->{out}, "0 written, 1001 removed, in 8 transactions\n", 'and goes');
    is(keys_there(), '', 'all of it');
    my %large = map { ("app$_" => { note => 'x' x 60000 }) } 1 .. 60;
    is(state_of('import', document({ apps => \%large }), @at)->{out}, "60 written, 0 removed, in 4 transactions\n", 'no transaction is longer than the store takes');
};

subtest 'a proxy takes each step of it' => sub {
    anew();
    my $ok = ok_backend('ok');
    admin_path(temp_path('admin.sock'));
    my $own = proxy(router => { module => 'table', name => 'main', state => 'ON' }, global => { 'weir.admin' => { path => admin_path() }, 'weir.state' => { etcd => { endpoints => [ $one->{url} ], prefix => $root, status => 'OFF' } } });
    my %all = (apps => { shop => {} }, backends => { shop => { a => { addr => $ok->address } } }, domains => { 'shop.test' => { app => 'shop' }, 'a.test' => { redirect => 'b.test' }, 'c.test' => { redirect => 'd.test' } });
    is(state_of('import', document(\%all), '-c', $own->config)->{exit}, 0, 'all at once');
    my $who = sub { return $own->ask("GET / HTTP/1.1\r\nHost: $_[0]\r\nConnection: close\r\n\r\n") };
    ok(wait_for { $who->('shop.test')->status == 200 }, 'is served');
    ok(wait_for { ($who->('a.test')->header('Location') // '') =~ /b\.test/ }, 'or redirected');
    delete $all{domains}{'c.test'};
    $all{domains}{$_->[0]} = { redirect => $_->[1] } for [ 'a.test', 'e.test' ], [ 'b.test', 'a.test' ], [ 'd.test', 'c.test' ];
    is(state_of('import', '--remove', document(\%all), '-c', $own->config)->{out}, "3 written, 1 removed, in 2 transactions\n", 'redirects the other way round');
    ok(wait_for { ($who->('d.test')->header('Location') // '') =~ /c\.test/ }, 'are so');
    ok(wait_for { ($who->('b.test')->header('Location') // '') =~ /a\.test/ }, 'all of them');
    is(call(GET => '/v1/sources')->{document}{refused}, 0, 'and none was refused on the way');
};

subtest 'nobody there, or not for us' => sub {
    anew();
    my $port = refusing_port();
    my $none = document({ apps => {} });
    for my $words ([ 'put', 'apps/a', '{}' ], [ 'delete', 'apps/a' ], ['export'], [ 'import', $none ], [ 'diff', $none ]) {
        says(6, qr/^weir: etcd: 127\.0\.0\.1:$port: connection refused$/m, $words->[0], @$words, '--etcd', "http://127.0.0.1:$port");
    }
    says(0, qr/^$/, 'one of two is there', 'put', 'apps/a', '{}', '--etcd', "http://127.0.0.1:$port,$one->{url}", '--prefix', $root);
    my $own = etcd();
    $own->ctl(@$_)->{exit} and BAIL_OUT("etcdctl @$_") for [qw(user add root:secret)], [qw(user grant-role root root)], [qw(role add reader)], [qw(role grant-permission reader read /weir/v1/ /weir/v10)],
        [qw(role add agent)], [qw(role grant-permission agent readwrite /weir/v1/backends/shop/ /weir/v1/backends/shop0)], [qw(role add apps)], [qw(role grant-permission apps readwrite /weir/v1/apps/ /weir/v1/apps0)],
        (map { my $name = $_; ([ 'user', 'add', "$name:first" ], [ 'user', 'grant-role', $name, $name ]) } qw(reader agent)), [qw(user add apps:first)], [qw(user grant-role apps apps)], [qw(user grant-role apps reader)], [qw(auth enable)];
    my $file = write_file(temp_path('password'), "first\n");
    my @as = ('--etcd', $own->{url}, '--password-file', $file, '--user');
    says(1, qr/^weir: etcd \Q$own->{url}\E: .*user name is empty/m, 'nobody', 'export', '--etcd', $own->{url});
    says(1, qr/^weir: etcd \Q$own->{url}\E: .*permission denied/m, 'who may only read', 'put', 'apps/a', '{}', @as, 'reader');
    says(0, qr/^\{/, 'exports', 'export', @as, 'reader');
    says(0, qr/^weir: what is in the store may not be read, and so these values are judged by themselves: .*permission denied/m, 'who may only write', 'put', 'backends/shop/a', '{"addr":"10.0.0.1:80"}', @as, 'agent');
    says(1, qr/permission denied/, 'not everywhere', 'put', 'backends/blog/a', '{"addr":"10.0.0.1:80"}', @as, 'agent');
    says(0, qr/^$/, 'and deletes', 'delete', 'backends/shop/a', @as, 'agent');
    says(2, qr/permission denied/, 'who may not read cannot compare', 'diff', $none, @as, 'agent');
    my $half = document({ apps => { map { ("a$_" => {}) } 1 .. 200 }, domains => { map { ("d$_.test" => { app => 'a1' }) } 1 .. 100 } });
    says(1, qr/^weir: 128 of 300 changes are in force; the rest is done by the same command again$/m, 'who may write half of it', 'import', $half, @as, 'apps');
    my $run = state_of('import', $half, '--etcd', $own->{url}, '--user', 'root', '--password-file', write_file(temp_path('password'), 'secret'));
    is($run->{out}, "172 written, 0 removed, in 2 transactions\n", 'the rest is done by another');
    says(1, qr/authentication failed/, 'a wrong password', 'export', '--etcd', $own->{url}, '--user', 'reader', '--password-file', write_file(temp_path('password'), 'wrong'));
    my $configured = document({ listen => '127.0.0.1:1', 'weir.state' => { etcd => { endpoints => [ $own->{url} ], user => 'reader', 'password-file' => $file } }, hosts => { default => { paths => { '/' => { 'file.dir' => '/tmp' } } } } }, 'weir.yaml');
    says(1, qr/permission denied/, 'the proxy\'s own user only reads', 'put', 'apps/b', '{}', '-c', $configured);
    says(0, qr/^$/, 'a publisher\'s takes its place', 'put', 'apps/b', '{}', '-c', $configured, '--user', 'apps', '--password-file', $file);
    says(2, qr/belong together/, 'a user without a password', 'export', '--etcd', $own->{url}, '--user', 'apps');
};

# A port behind which is the store, but that each connection is cut when it has brought so many bytes.
sub cutting_port {
    my ($member, $bytes) = @_;
    my ($port, $store_port) = (free_port(), $member->{url} =~ /(\d+)$/);
    my $listener = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port, Listen => 5, ReuseAddr => 1) or die "listen: $!";
    my $pid = fork // die $!;
    if ($pid) {
        $running{$pid} = 1;
        return $port;
    }
    %running = ();
    while (my $client = $listener->accept) {
        my ($store, $left) = (IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $store_port), $bytes);
        while ($left > 0) {
            for my $from (IO::Select->new($client, $store)->can_read(5)) {
                my ($to, $some) = $from == $client ? $store : $client;
                sysread($from, $some, $from == $client && $left < 65536 ? $left : 65536) or $left = 0;
                $to->syswrite($some) if defined $some && length $some;
                $left -= length $some if $from == $client;
            }
        }
    }
    POSIX::_exit(0);
}

subtest 'a connection that is cut on the way' => sub {
    anew();
    my $file = document({ apps => { map { ("a$_" => { note => 'x' x 300 }) } 1 .. 1000 } });
    my @cut = ('--etcd', 'http://127.0.0.1:' . cutting_port($one, 100_000), '--prefix', $root);
    is(state_of('import', $file, @cut)->{out}, "1000 written, 0 removed, in 8 transactions\n", 'is made anew, and all of it is written');
    is(state_of('diff', $file, @at)->{exit}, 0, 'as it should be');
    anew();
    @cut = ('--etcd', 'http://127.0.0.1:' . cutting_port($one, 20_000), '--prefix', $root);
    says(6, qr/^weir: etcd.*\nweir: 0 of 1000 changes are in force; the rest is done by the same command again$/m, 'one that never lasts', 'import', $file, @cut);
    is(state_of('import', $file, @at)->{out}, "1000 written, 0 removed, in 8 transactions\n", 'the same command again');
};

subtest 'over TLS' => sub {
    my $ca = authority('store');
    my ($server, $mine) = (certificate('127.0.0.1', ca => $ca), certificate('publisher', ca => $ca));
    my $own = etcd(scheme => 'https', more => [ '--client-cert-auth', '--trusted-ca-file', $ca->{cert}, '--cert-file', $server->{cert}, '--key-file', $server->{key} ]);
    my @as = ('--etcd', $own->{url} =~ s{^https://}{}r, '--ca-file', $ca->{cert}, '--certificate-file', $mine->{cert}, '--key-file', $mine->{key});
    says(0, qr/^$/, 'a certificate', 'put', 'apps/a', '{}', @as);
    says(0, qr/"a": \{\}/, 'is known', 'export', @as);
    says(1, qr/^weir: etcd: \S+ is not believed: /m, 'a store that is not', 'export', '--etcd', $own->{url}, '--ca-file', authority('other')->{cert});
};

subtest 'usage' => sub {
    anew();
    says(2, qr/where is the store\? -c FILE, or --etcd URL/, 'nowhere', 'export');
    says(2, qr/usage: weir state import FILE/, 'no file', 'import', @at);
    says(2, qr/usage: weir state diff FILE/, 'two', 'diff', 'a', 'b', @at);
    says(2, qr/usage: weir state put KEY VALUE/, 'no value', 'put', @at);
    says(2, qr/unknown option: --remove/, 'an option of another', 'diff', '--remove', 'a', @at);
    says(2, qr/--prefix begins with \//, 'a prefix', 'export', '--etcd', $one->{url}, '--prefix', 'weir');
    says(2, qr/--key-file needs --certificate-file/, 'a key alone', 'export', @at, '--key-file', 'x');
    says(2, qr/nonsense:\/\/x/, 'no URL', 'export', '--etcd', 'nonsense://x');
    says(2, qr/there is `weir state`, and accept, put, delete/, 'no such word', 'frob');
    is(weir('check', '-c', configuration())->{exit}, 0, 'a configuration is checked without the store');
    like(weir('help')->{out}, qr/weir state $_ /, "the help has $_") for qw(put delete export import diff);
};

# Each command with what it must say: "# => TEXT" behind it.
subtest 'the commands of docs/state.md' => sub {
    my $directory = temp_path('apps.d');
    mkdir $directory;
    my $here = temp_path('here');
    mkdir $here;
    my @commands = grep { $_->{language} eq 'sh' } blocks(root_dir() . '/docs/state.md');
    is(scalar @commands, 2, 'files, and etcd');
    my $script = join '', map { $_->{text} =~ s{/etc/weir/apps\.d}{$directory}gr =~ s{http://127\.0\.0\.1:2379}{$one->{url} --prefix /docs}gr } @commands;
    my $run = run_command({ cwd => $here, env => { PATH => build_dir() . ":$ENV{PATH}" } }, 'bash', '-ec', "exec 2>&1\n$script");
    is($run->{exit}, 0, 'end well') or diag($run->{out});
    my @said = $script =~ /# => (.*)$/mg;
    cmp_ok(scalar @said, '>', 2, 'some say something');
    like($run->{out}, qr/\Q$_\E/, $_) for @said;
    like(read_file("$directory/shop.yaml"), qr/shop\.example/, 'the file is there');
    is_deeply([ sort keys %{ $one->all('/docs/v1/') } ], [ '/docs/v1/apps/shop', '/docs/v1/backends/shop/web-1' ], 'and the keys');
};

done_testing;
