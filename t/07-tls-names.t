# SPDX-License-Identifier: MIT
# TLS with clients: which certificate is shown, who must show one, and whose sessions are resumed.
use lib 't/lib';
use Weir::Test;
use Weir::TLS;
use File::Copy qw(copy);

my $ca   = authority('test authority');
my $echo = echo_backend();
my %c    = map { $_ => certificate($_, ca => $ca) } qw(first.test second.test *.wild.test);
my $rsa  = certificate('rsa.test', ca => $ca, rsa => 2048);
my $any_host = "hosts:\n  default:\n    paths:\n      /:\n        weir.router: stub\n";

sub ssl {
    my ($c, %more) = @_;
    return { 'certificate-file' => $c->{cert}, 'key-file' => $c->{key}, %more };
}
sub on { my ($port, $ssl) = @_; return { host => '127.0.0.1', port => $port, ssl => $ssl } }
sub get { my ($path) = @_; return "GET $path HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n" }

# The common name that a client sees which asks for `$name`.
sub shown {
    my ($port, $name, %option) = @_;
    my $client = tls_client($port, hostname => $name, ca => $ca, %option) or return tls_error();
    return $client->subject;
}

subtest 'a certificate for each host' => sub {
    my $port  = free_port();
    my %paths = (paths => { '/' => { 'weir.router' => { module => 'table', apps => { main => { domains => ['*'], backends => [ $echo->address ] } } } } });
    my $proxy = proxy(backends => [$echo], hosts => {
        'first.test'  => { listen => on($port, ssl($c{'first.test'})), %paths },
        'second.test' => { listen => on($port, ssl($c{'second.test'})), %paths },
        '*.wild.test' => { listen => on($port, ssl($c{'*.wild.test'})), %paths },
        'rsa.test'    => { listen => on($port, ssl($rsa)), %paths },
        'also.test'   => { listen => on($port, ssl($c{'second.test'})), %paths },
    });
    is(shown($port, 'first.test'),   'first.test',  'the first');
    is(shown($port, 'second.test'),  'second.test', 'the second');
    is(shown($port, 'SECOND.test'),  'second.test', 'in any case');
    is(shown($port, 'also.test'),    'second.test', 'one certificate for two names');
    is(shown($port, 'a.wild.test'),  '*.wild.test', 'a wildcard');
    is(shown($port, 'rsa.test'),     'rsa.test',    'a key of another kind, and not the default besides');
    is(shown($port, 'second.test', versions => 'TLSv1_2'), 'second.test', 'with TLS 1.2, too');
    my $default = shown($port, 'unknown.test');
    ok(exists $c{$default}, "an unknown name gets the first of all ($default)");
    is(shown($port, ''), $default, 'and so does none');
    is(shown($port, 'b.a.wild.test'), $default, 'a wildcard covers one label');
    my $client = tls_client($port, hostname => 'second.test');
    $client->write("GET / HTTP/1.1\r\nHost: second.test\r\nConnection: close\r\n\r\n");
    is($client->read_response->status, 200, 'requests go through');
};

subtest 'the host `*`: names that no other host has' => sub {
    my $port = free_port();
    my $host = sub { my ($name, $c) = @_; return qq(  "$name":\n    listen: {host: 127.0.0.1, port: $port, ssl: {certificate-file: "$c->{cert}", key-file: "$c->{key}"}}\n    paths: {/: {weir.router: stub}}\n) };
    my $proxy = proxy(yaml => "listen: \@PORT\@\nhosts:\n" . $host->('first.test', $c{'first.test'}) . $host->("*:$port", $c{'second.test'}) . $host->('*.wild.test', $c{'*.wild.test'}));
    is(shown($port, 'first.test'),  'first.test',  'a name of its own');
    is(shown($port, 'a.wild.test'), '*.wild.test', 'a wildcard');
    is(shown($port, 'other.test'),  'second.test', 'any other name');
    is(shown($port, ''),            'first.test',  'no name: the first of all');
};

subtest 'a directory of certificates' => sub {
    my $dir = temp_path('certificates');
    mkdir $dir or die $!;
    my $put = sub { my ($name, $c) = @_; copy($c->{cert}, "$dir/$name.crt"); copy($c->{key}, "$dir/$name.key") };
    $put->('first.test',  $c{'first.test'});
    $put->('_.wild.test', $c{'*.wild.test'});
    $put->('*.star.test', $c{'second.test'});
    $put->('rsa.test', $rsa);
    write_file("$dir/broken.test.crt", 'no certificate');
    write_file("$dir/broken.test.key", 'no key');
    copy($c{'first.test'}{cert}, "$dir/keyless.test.crt");
    my ($port, $bare) = (free_port(), free_port());
    my $proxy = proxy(backends => [$echo], global => { 'num-threads' => 2 }, listen => [
        on($port, ssl($c{'second.test'}, 'certificate-directory' => $dir)),
        on($bare, { 'certificate-directory' => $dir }),
    ]);
    for (1 .. 4) { # on both threads, loaded and kept
        is(shown($port, 'first.test'), 'first.test', 'a pair');
        is(shown($port, 'rsa.test'), 'rsa.test', 'another one');
    }
    is(shown($port, 'x.wild.test'), '*.wild.test', '_.domain');
    is(shown($port, 'x.star.test'), 'second.test', '*.domain');
    is(shown($port, 'broken.test'), 'second.test', 'what cannot be used is as good as none');
    is(shown($port, 'keyless.test'), 'second.test', 'a certificate without a key, too');
    like($proxy->stderr, qr/a certificate cannot be used: .*broken\.test\.crt is no PEM file/, 'the log says why');
    is(shown($port, 'nobody.test'), 'second.test', 'an unknown name gets the default');
    is(shown($port, $_), 'second.test', "$_ is no name") for '../certificates/first.test', '.first.test', 'first..test', 'a/first.test';
    is(shown($bare, 'first.test'), 'first.test', 'a directory alone');
    is(tls_client($bare, hostname => 'nobody.test'), undef, 'then an unknown name is no handshake');
    like(tls_error(), qr/unrecognized name/, 'and the client is told why');
    is(tls_client($bare), undef, 'nor is none');
    refuses_config("listen:\n  port: 1\n  ssl:\n    certificate-directory: /nowhere\n$any_host", qr{.*/nowhere cannot be opened: No such file}, 'one that is not there');
};

subtest 'clients that must show a certificate' => sub {
    my $clients  = authority('client authority');
    my $good     = certificate('client.test', ca => $clients);
    my $stranger = certificate('stranger.test', ca => authority('somebody'));
    my $expired  = certificate('expired.test', ca => $clients, expired => 1);
    my ($must, $may, $open) = (free_port(), free_port(), free_port());
    my $proxy = proxy(backends => [$echo], listen => [
        on($must, ssl($c{'first.test'}, 'client-ca-file' => $clients->{cert})),
        on($may,  ssl($c{'first.test'}, 'client-ca-file' => $clients->{cert}, 'verify-mode' => 'optional')),
        on($open, ssl($c{'first.test'})),
    ]);
    # With TLS 1.3 the client has finished before it is refused: only a request shows it.
    my $status = sub {
        my $client = tls_client(@_) or return 0;
        $client->write(get('/'));
        return $client->read_response->status;
    };
    for my $version (qw(TLSv1_2 TLSv1_3)) {
        is($status->($must, versions => $version, cert => $good), 200, "$version: a good one");
        is($status->($must, versions => $version), 0, 'none');
        is($status->($must, versions => $version, cert => $stranger), 0, 'of another authority');
        is($status->($must, versions => $version, cert => $expired), 0, 'expired');
        is($status->($may, versions => $version, cert => $good), 200, 'optional: a good one');
        is($status->($may, versions => $version), 200, 'optional: none');
        is($status->($may, versions => $version, cert => $stranger), 0, 'optional: a bad one is none');
    }
    # All addresses share the keys of tickets: a session that was begun without a certificate must open nothing here.
    for my $flag ('-tls1_2', '-tls1_3') {
        my $session = temp_path('session');
        resume($open, $session, $flag);
        like(resume($open, $session, $flag, 'again'), qr/^Reused/m, "$flag: a session is resumed where it was begun");
        my $said = resume($must, $session, $flag, 'again');
        unlike($said, qr/^Reused/m, 'but not where a certificate is asked for');
        unlike($said, qr/HTTP.1.1 200/, 'and nothing is answered');
    }
};

# One request by s_client, with the session in the file (again) or a new one, which is kept in it; what the server gives for the next
# time goes to another file, if there is one.
sub resume {
    my ($port, $file, $flag, $again, $next) = @_;
    my @session = $again ? ('-sess_in', $file, defined $next ? ('-sess_out', $next) : ()) : ('-sess_out', $file);
    my $r = run_command('/bin/sh', '-c', "printf 'GET / HTTP/1.1\\r\\nHost: a.test\\r\\nConnection: close\\r\\n\\r\\n' | openssl s_client -ign_eof -connect 127.0.0.1:$port $flag @session");
    return $r->{out} . $r->{err};
}

sub ticket_key {
    my ($from, $until, $cipher, $hash, $bytes) = (@_, 'AES-256-CBC', 'SHA256', 96)[ 0 .. 4 ];
    my $hex = sub { return join '', map { sprintf '%02x', int rand 256 } 1 .. $_[0] };
    return "- name: " . $hex->(16) . "\n  cipher: $cipher\n  hash: $hash\n  key: " . $hex->($bytes) . "\n  not_before: $from\n  not_after: $until\n";
}

subtest 'sessions are resumed' => sub {
    my $port  = free_port();
    my $proxy = proxy(backends => [$echo], global => { 'num-threads' => 2 }, listen => [ on($port, ssl($c{'first.test'})) ]);
    for my $flag ('-tls1_2', '-tls1_3') {
        my $session = temp_path('session');
        like(resume($port, $session, $flag), qr/^New, TLSv1/m, "$flag: a new one");
        my @said = map { resume($port, $session, $flag, 'again') } 1 .. 12; # each on either thread
        is(scalar(grep { /^Reused, TLSv1/m } @said), 12, 'resumed, whichever thread it meets');
        is(scalar(grep { /HTTP.1.1 200/ } @said), 12, 'and requests go through');
    }
};

subtest 'a client that uses each ticket of TLS 1.3 once (RFC 8446 C.4) is resumed for ever' => sub {
    my $port  = free_port();
    my $proxy = proxy(backends => [$echo], listen => [ on($port, ssl($c{'first.test'})) ]);
    my @sessions = map { temp_path('session') } 0 .. 4;
    resume($port, $sessions[0], '-tls1_3');
    for my $n (1 .. 4) {
        my $said = resume($port, $sessions[ $n - 1 ], '-tls1_3', 'again', $sessions[$n]);
        like($said, qr/^Reused, TLSv1\.3/m, "connection $n is resumed");
        ok(-s $sessions[$n], 'and is given a ticket') or last;
        isnt(read_file($sessions[$n]), read_file($sessions[ $n - 1 ]), 'another one');
    }
};

subtest 'by several machines' => sub {
    my $now  = time;
    my $file = write_file(temp_path('tickets'), "---\n# keys\n", ticket_key($now - 10, $now + 1000));
    my %keys = (global => { 'ssl-session-resumption' => { mode => 'ticket', 'ticket-store' => 'file', 'ticket-file' => $file } });
    my ($one, $other, $alone) = map { free_port() } 1 .. 3;
    my @proxies = map { proxy(backends => [$echo], listen => [ on($_, ssl($c{'first.test'})) ], %keys) } $one, $other;
    proxy(backends => [$echo], listen => [ on($alone, ssl($c{'first.test'})) ]);
    for my $flag ('-tls1_2', '-tls1_3') {
        my $session = temp_path('session');
        resume($one, $session, $flag);
        like(resume($other, $session, $flag, 'again'), qr/^Reused/m, "$flag: one resumes the other's");
        like(resume($alone, $session, $flag, 'again'), qr/^New/m, 'but nobody who has other keys');
    }
    my $session = temp_path('session');
    resume($one, $session, '-tls1_3');
    my $old = read_file($file);
    write_file("$file.new", ticket_key($now - 5, $now + 1000), $old);
    rename "$file.new", $file;
    sleep 2; # the file is looked at once a second, and times of files may be coarse
    like(resume($one, $session, '-tls1_3', 'again'), qr/^Reused/m, 'a new key in front: old tickets are still opened');
    write_file("$file.new", ticket_key($now - 5, $now + 1000));
    rename "$file.new", $file;
    like(wait_for { sleep 1; my $said = resume($one, $session, '-tls1_3', 'again'); $said =~ /^New/m ? $said : undef }, qr/^New/m, 'the key is gone: they are not');
    write_file($file, "- name: 12\n");
    like(wait_for { sleep 1; resume($one, $session, '-tls1_3', 'again'); $proxies[0]->stderr =~ /stay as they were/ ? $proxies[0]->stderr : undef }, qr{the keys of session tickets stay as they were: \Q$file\E:1: a name has 32 hexadecimal digits}, 'a file that cannot be read changes nothing');
    my $new = temp_path('session');
    resume($one, $new, '-tls1_3');
    like(resume($one, $new, '-tls1_3', 'again'), qr/^Reused/m, 'the keys are what they were');
};

subtest 'keys for AES-128-CBC and SHA1, as h2o may have written them' => sub {
    my $now  = time;
    my $file = write_file(temp_path('tickets'), ticket_key($now - 10, $now + 1000, 'aes-128-cbc', 'sha1', 80));
    my %keys = (global => { 'ssl-session-resumption' => { mode => 'ticket', 'ticket-store' => 'file', 'ticket-file' => $file } });
    my ($one, $other) = map { free_port() } 1 .. 2;
    my @proxies = map { proxy(backends => [$echo], listen => [ on($_, ssl($c{'first.test'})) ], %keys) } $one, $other;
    for my $flag ('-tls1_2', '-tls1_3') {
        my $session = temp_path('session');
        resume($one, $session, $flag);
        like(resume($other, $session, $flag, 'again'), qr/^Reused/m, "$flag: one resumes the other's");
    }
};

subtest 'or not at all' => sub {
    my $port  = free_port();
    my $proxy = proxy(backends => [$echo], global => { 'ssl-session-resumption' => { mode => 'off' } }, listen => [ on($port, ssl($c{'first.test'})) ]);
    for my $flag ('-tls1_2', '-tls1_3') {
        my $session = temp_path('session');
        like(resume($port, $session, $flag), qr/HTTP.1.1 200/, "$flag: a request goes through");
        next unless -e $session;
        like(resume($port, $session, $flag, 'again'), qr/^New/m, 'nothing is resumed');
    }
};

subtest 'what cannot be' => sub {
    my @cases = (
        [ "mode: some",                                    'mode must be off, all, ticket or cache' ],
        [ "lifetime: 0",                                   'lifetime must be a whole number of seconds (or `5s`, `10m`, `2h`) from 1 to 604800' ],
        [ "cache-store: memcached",                        'there is no cache but the clients' ],
        [ "ticket-store: memcached",                       'ticket-store must be internal or file' ],
        [ "ticket-store: file",                            'ticket-store: file and ticket-file need each other' ],
        [ "ticket-store: file\n  ticket-file: /nowhere",   '/nowhere cannot be read: No such file' ],
        [ "colour: red",                                   'unknown key colour' ],
    );
    for my $case (@cases) {
        refuses_config("listen: 1\n${any_host}ssl-session-resumption:\n  $case->[0]\n", qr/\d+: .*\Q$case->[1]\E/, $case->[0]);
    }
};

done_testing;
