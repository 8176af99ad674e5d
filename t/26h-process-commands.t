# SPDX-License-Identifier: MIT
# The commands about a process as a whole: reload, upgrade, connections, certificates, metrics.
use lib 't/lib';
use Weir::Test;
use Weir::Admin qw(admin_path open_socket call is_problem);
use Weir::TLS;
use File::Copy qw(copy);
use IO::Select;
use JSON::PP ();

my $path = admin_path(temp_path('admin.sock'));
my $ok   = ok_backend('ok');
my $ca   = authority('test authority');
my $cert = certificate('a.test', ca => $ca, names => [ 'a.test', 'www.a.test' ]);
my $late = certificate('late.test', ca => $ca, expired => 1);
my $tls  = free_port();

sub configuration {
    my (%global) = @_;
    return (
        backends => [$ok],
        global   => { 'weir.admin' => { path => $path }, 'num-threads' => 2, %global },
        listen   => [ { host => '127.0.0.1', port => $tls, ssl => { 'certificate-file' => $cert->{cert}, 'key-file' => $cert->{key} } } ],
    );
}

my $proxy = proxy(configuration());
ok(wait_for { -S $path }, 'the endpoint is there');

# Exit status, standard output, standard error of a command.
sub said {
    my $run = weir(@_, '-s', $path);
    return ($run->{exit}, $run->{out}, $run->{err});
}

subtest 'reload' => sub {
    $proxy->configure(configuration('weir.max-header-value' => 100));
    my ($exit, $out, $err) = said('reload');
    is("$exit $err", '0 ', 'done');
    like($out, qr/^\S+ is in use\n\z/, 'and what is in use');
    is($proxy->ask("GET / HTTP/1.1\r\nHost: a\r\nX-Long: " . 'x' x 200 . "\r\n\r\n")->status, 431, 'which holds');
    $proxy->configure(configuration('num-threads' => 3));
    ($exit, $out, $err) = said('reload');
    is($exit, 0, 'what waits for a restart');
    like($err, qr/^\S+:\d+: num-threads: the change waits for a restart\n\z/, 'is told');
    write_file($proxy->config, "listen: 1\nhosts: nonsense\n");
    ($exit, $out, $err) = said('reload');
    is("$exit $out", '1 ', 'one that cannot be used');
    like($err, qr/\A(?:\Q@{[ $proxy->config ]}\E:[12]: .+\n)+\z/, 'with places, and nothing else');
    like($err, qr/:2: hosts: /, 'the wrong one among them');
    my $problem = call(POST => '/v1/reload');
    is_problem($problem, 422, 'configuration', 'over the socket');
    is($proxy->get('/')->status, 200, 'what was there serves on');
    $proxy->configure(configuration());
    my @sockets = map { open_socket() } 1 .. 5;
    print {$_} "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" for @sockets;
    my @answers = map { local $/; readline $_ } @sockets;
    is(scalar(grep { m{^HTTP/1\.1 200} } @answers), 5, 'five at once are all answered');
};

subtest 'metrics' => sub {
    my ($exit, $out, $err) = said('metrics');
    is("$exit $err", '0 ', 'are printed');
    like($out, qr/^weir_config_generation \d+$/m, 'as text');
};

subtest 'connections' => sub {
    my $client = $proxy->connect;
    $client->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    is($client->read_response->status, 200, 'one is connected');
    my ($exit, $out, $err) = said('connections', '--json');
    is("$exit $err", '0 ', 'they are listed');
    my $document = JSON::PP->new->decode($out);
    my ($own)    = grep { $_->{listen} eq '127.0.0.1:' . $proxy->port } @{ $document->{connections} };
    is("$own->{from} $own->{protocol} $own->{in_flight}", '127.0.0.1 HTTP/1.1 0', 'it, too');
    ok(!$own->{tls}, 'without TLS');
    cmp_ok($own->{age_ms}, '<', 60000, 'how old it is');
    like($own->{loop}, qr/^[12]$/, 'on its loop');
    my $secure = tls_client($tls, hostname => 'a.test', ca => $ca);
    $secure->write("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    is($secure->read_response->status, 200, 'one with TLS');
    my ($other) = grep { $_->{tls} } @{ call(GET => '/v1/connections')->{document}{connections} };
    is($other->{listen}, "127.0.0.1:$tls", 'is told apart');
    my $limited = call(GET => '/v1/connections?limit=1')->{document};
    is(scalar @{ $limited->{connections} }, 1, 'so many as are wanted');
    cmp_ok($limited->{count}, '>=', 2, 'of all');
    is_problem(call(GET => '/v1/connections?limit=0'), 400, 'malformed', 'none');
    ($exit, $out) = said('connections', '--limit', 1);
    like($out, qr/\AID +FROM .*\n\d+ +127\.0\.0\.1 .*\n1 of \d+\n\z/, 'as a table');
    is((said('connections', '--limit', 'x'))[0], 2, 'a limit that is none');
};

subtest 'certificates' => sub {
    my ($exit, $out, $err) = said('certificates');
    is("$exit $err", '0 ', 'they are listed');
    like($out, qr/^127\.0\.0\.1:$tls +a\.test www\.a\.test +\d{4}-\d\d-\d\dT[\d:]+Z +\d+ +none +\Q$cert->{cert}\E$/m, 'with names, end and file');
    my ($one) = @{ call(GET => '/v1/certificates')->{document}{certificates} };
    is_deeply($one->{names}, [ 'a.test', 'www.a.test' ], 'names');
    cmp_ok($one->{days_left}, '>', 0, 'days');
    my ($run, $text) = said('certificates', '--expires-in', $one->{days_left} + 2);
    is($run, 1, 'one that ends sooner is a failure');
    like($text, qr/a\.test/, 'which one');
    is_deeply([ said('certificates', '--expires-in', 0) ], [ 0, '', '' ], 'none ends today');
    is((said('certificates', '--expires-in', 'soon'))[0], 2, 'a number that is none');
    $proxy->configure(
        backends => [$ok], global => { 'weir.admin' => { path => $path }, 'num-threads' => 2 },
        listen => [ { host => '127.0.0.1', port => $tls, ssl => { 'certificate-file' => $late->{cert}, 'key-file' => $late->{key} } } ]);
    is((said('reload'))[0], 0, 'another one, behind its time');
    is((said('certificates', '--expires-in', 0))[0], 1, 'is found');
    cmp_ok(call(GET => '/v1/certificates')->{document}{certificates}[0]{days_left}, '<', 0, 'it has ended');
    $proxy->configure(configuration());
    is((said('reload'))[0], 0, 'as before');
};

subtest 'certificates of a directory' => sub {
    my $dir = temp_path('certificates');
    mkdir $dir or die $!;
    my $put = sub { my ($name, $c) = @_; copy($c->{cert}, "$dir/$name.crt"); copy($c->{key}, "$dir/$name.key") };
    $put->('www.a.test', $cert);
    $put->('_.wild.test', $cert);
    copy($cert->{cert}, "$dir/keyless.test.crt");
    my %ssl = ('certificate-file' => $cert->{cert}, 'key-file' => $cert->{key}, 'certificate-directory' => $dir);
    $proxy->configure(configuration(), listen => [ { host => '127.0.0.1', port => $tls, ssl => \%ssl } ]);
    is((said('reload'))[0], 0, 'there is one');
    my $files = sub { my ($document) = @_; return join ' ', map { $_->{file} =~ s{.*/}{}r } @{ $document->{certificates} } };
    my $listed = call(GET => '/v1/certificates')->{document};
    my $own = $cert->{cert} =~ s{.*/}{}r;
    is($files->($listed), "$own _.wild.test.crt www.a.test.crt", 'its own, and then those of the directory, by name');
    is("$listed->{left_out} $listed->{unread}", '0 0', 'all of them');
    is_deeply({ %{ $listed->{certificates}[2] }, file => $cert->{cert} }, $listed->{certificates}[0], 'each with all that is told of one');
    my ($exit, $out) = said('certificates');
    like($out, qr/^127\.0\.0\.1:$tls +a\.test www\.a\.test +\d{4}-\d\d-\d\dT[\d:]+Z +\d+ +none +\Q$dir\E\/www\.a\.test\.crt\n\z/m, 'as a table');
    is_deeply([ said('certificates', '--expires-in', 0) ], [ 0, '', '' ], 'none ends today');
    $put->('late.test', $late);
    ($exit, $out) = said('certificates', '--expires-in', 0);
    is($exit, 1, 'one that has ended is a failure');
    like($out, qr/\ALISTEN .*\n.* -\d+ +none +\Q$dir\E\/late\.test\.crt\n\z/, 'and the only one that is told of');
    $put->('late.test', $cert);
    is((said('certificates', '--expires-in', 0))[0], 0, 'files are read as they are now');
    write_file("$dir/broken.test.$_", 'nothing') for qw(crt key);
    is_deeply([ said('certificates', '--expires-in', 0) ], [ 1, "and 1 that were not read\n", '' ], 'of one that cannot be read nobody knows when it ends');
    like($proxy->stderr, qr/a certificate cannot be used: .*broken\.test\.crt is no PEM file/, 'the log says why');
    unlink map { "$dir/broken.test.$_" } qw(crt key);

    for my $n (1 .. 10_000) {
        link "$dir/www.a.test.$_", sprintf '%s/n%05d.test.%s', $dir, $n, $_ or die $! for qw(crt key);
    }
    my $many = open_socket();
    print {$many} "GET /v1/certificates HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    my ($same, $version) = map { call(GET => $_) } qw(/v1/certificates /v1/version);
    ok(!IO::Select->new($many)->can_read(0), 'many are read for a while');
    is($version->{status}, 200, 'others are answered meanwhile');
    is_problem($same, 503, 'busy', 'but for who wants the same');
    my $text = join '', <$many>;
    is(scalar(() = $text =~ /"listen":/g), 10_000, 'so many are listed');
    like($text, qr/"left_out":4,"unread":0/, 'and the others counted');
    like($text, qr{/n09997\.test\.crt"[^/]+\z}, 'up to here');
    my $end = temp_path('end.sock');
    my $short = proxy(backends => [$ok], global => { 'weir.admin' => { path => $end } },
        listen => [ { host => '127.0.0.1', port => free_port(), ssl => \%ssl } ]);
    ok(wait_for { -S $end }, 'another proxy');
    my $socket = open_socket($end);
    print {$socket} "GET /v1/certificates HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    admin_path($end);
    ok(wait_for { call(GET => '/v1/certificates')->{status} == 503 }, 'which reads them');
    admin_path($path);
    is($short->stop, 0, 'its end does not wait for all of them');
    like(join('', <$socket>), qr/^HTTP.1.1 503/, 'who waits is told so');
    $proxy->configure(configuration());
    is((said('reload'))[0], 0, 'as before');
};

subtest 'what is none, and nobody' => sub {
    is((said('reload', 'now'))[0], 2, 'a word too many');
    is((said('reload', '--force'))[0], 2, 'an option that is none');
    for my $command (qw(reload upgrade connections certificates metrics)) {
        my $run = weir($command, '-s', temp_path('nobody'));
        is($run->{exit}, 6, "$command: nobody answers");
        like($run->{err}, qr/^weir: \S+: No such file/, 'and why');
    }
    my $run = weir('reload', '-c', $proxy->config);
    is($run->{exit}, 0, 'the socket of a configuration');
};

subtest 'upgrade' => sub {
    Weir::Test::_adopt_orphans();
    my ($exit, $out, $err) = said('upgrade');
    is("$exit $err", '0 ', 'done');
    my ($pid) = $out =~ /^process (\d+) serves, the one before drains\n\z/;
    ok($pid && $pid != $proxy->pid, 'another process serves');
    $proxy->{pid} = $pid;
    ok(wait_for { (eval { call(GET => '/v1/version')->{document}{pid} } // 0) == $pid }, 'and has the endpoint');
    is($proxy->get('/')->status, 200, 'nobody was turned away');
    write_file($proxy->config, "listen: 1\nhosts: nonsense\n");
    ($exit, $out, $err) = said('upgrade');
    is("$exit $out", '1 ', 'one that does not come');
    like($err, qr/nothing has changed/, 'changes nothing');
    is(call(GET => '/v1/version')->{document}{pid}, $pid, 'who was there is');
};

subtest 'a drain' => sub {
    my $gate  = temp_path('gate');
    my $gated = backend(sub { my $c = shift; while ($c->read_request) { $c->note('asked'); wait_for { -e $gate } 60; $c->write(simple_response('x')) } });
    my $socket = temp_path('own.sock');
    my $own    = proxy(backends => [$gated], global => { 'weir.admin' => { path => $socket } });
    my $client = $own->connect;
    $client->write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    wait_for { $gated->events };
    $own->signal('TERM');
    admin_path($socket);
    ok(wait_for { call(GET => '/readyz')->{status} == 503 }, 'while it drains');
    is_problem(call(POST => '/v1/reload'), 409, 'draining', 'a reload');
    is_problem(call(POST => '/v1/upgrade'), 409, 'draining', 'an upgrade');
    write_file($gate, '');
    is($client->read_response->status, 200, 'who is there is served');
};

done_testing;
