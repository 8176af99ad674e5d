# SPDX-License-Identifier: MIT
# What routers are told of a client's certificate.
use lib 't/lib';
use Weir::Test;
use Socket qw(AF_INET inet_pton);
use Time::Local qw(timegm);
use Weir::Http2Client;
use Weir::TLS;

my $server = certificate('a.test');
my $ca     = authority('client authority');
my @names  = ('DNS:client.test', 'DNS:*.client.test', 'email:ops@client.test', 'URI:spiffe://client.test/ns/shop', 'RID:1.2.3.4', 'IP:192.0.2.7', 'IP:2001:db8::7');
my $rich   = certificate('rich', ca => $ca, subject => "/C=DE/O=Exam, ple \"AG\"/OU=ops+UID=7/CN=\xc3\xa4lice", names => \@names);
my $plain  = certificate('plain.test', ca => $ca);
my $path   = temp_path('weir.sock');

my $backend = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        return $c->wait_close if $head =~ m{^\S+ /silence } && $c->note('silent');
        $c->write(simple_response($head));
    }
});
my %router = (router => { module => router_so('client_certificate'), backend => $backend->address });
sub ssl { my (%more) = @_; return { 'certificate-file' => $server->{cert}, 'key-file' => $server->{key}, 'client-ca-file' => $ca->{cert}, %more } }
sub on { my ($port, %more) = @_; return { host => '127.0.0.1', port => $port, %more } }

my ($must, $may, $open, $behind) = map { free_port() } 1 .. 4;
my $proxy = proxy(%router, listen => [
    on($must,   ssl => ssl()),
    on($may,    ssl => ssl('verify-mode' => 'optional')),
    on($open,   ssl => { 'certificate-file' => $server->{cert}, 'key-file' => $server->{key} }),
    on($behind, ssl => ssl('verify-mode' => 'optional'), 'proxy-protocol' => 'ON'),
]);

# What the backend got, as a Weir::Response with fields.
sub told { my ($head) = @_; return Weir::Response->new($head =~ s/\r\n\r\n.*/\r\n\r\n/sr, '', '', 1, '') }

sub ask {
    my ($client, $path) = @_;
    $client->write('GET ' . ($path // '/') . " HTTP/1.1\r\nHost: a.test\r\n\r\n");
    my $r = $client->read_response or return;
    return told($r->body);
}

sub x509 { my ($c, @what) = @_; return openssl('x509', '-noout', '-in', $c->{cert}, @what) =~ s/\s+$//r }

my %expected;

sub expected {
    my ($c) = @_;
    return $expected{ $c->{cert} } if $expected{ $c->{cert} };
    my ($hex)   = x509($c, '-fingerprint', '-sha256') =~ /=(.*)/;
    my ($until) = x509($c, '-enddate', '-dateopt', 'iso_8601') =~ /=(.*)Z/;
    my ($year, $month, $day, $h, $m, $s) = $until =~ /(\d+)/g;
    return $expected{ $c->{cert} } = {
        'X-Certificate' => 'yes',
        'X-Subject'     => '"' . (x509($c, qw(-subject -nameopt RFC2253)) =~ s/^subject=//r) . '"',
        'X-Issuer'      => '"CN=client authority"',
        'X-Serial'      => '"' . (x509($c, '-serial') =~ s/^serial=//r) . '"',
        'X-Sha256'      => '"' . lc($hex =~ tr/://dr) . '"',
        'X-Not-After'   => timegm($s, $m, $h, $day, $month - 1, $year) . '000',
    };
}
sub facts { my ($head, $like) = @_; return { map { $_ => $head->header($_) } keys %$like } }

my $nothing = { 'X-Certificate' => 'no', 'X-Not-After' => 0, 'X-Names' => 0, map { $_ => '-' } qw(X-Subject X-Issuer X-Serial X-Sha256) };

subtest 'a certificate' => sub {
    for my $version (qw(TLSv1_2 TLSv1_3)) {
        for my $port ($must, $may) {
            my $client = tls_client($port, versions => $version, cert => $rich);
            my $head = ask($client);
            is_deeply(facts($head, expected($rich)), expected($rich), "$version: what it says");
            is($head->header('X-Subject'), '"CN=\C3\A4lice,UID=7+OU=ops,O=Exam\, ple \"AG\",C=DE"', 'the subject, as RFC 2253 writes it');
            is_deeply([ $head->all('X-Name') ], [ '0 client.test', '0 *.client.test', '1 ops@client.test', '2 spiffe://client.test/ns/shop', '3 192.0.2.7', '3 2001:db8::7' ], 'its other names');
            is_deeply(facts(ask($client), expected($rich)), expected($rich), 'the next request of the connection is told the same');
        }
        is_deeply(facts(ask(tls_client($must, versions => $version, cert => $plain)), expected($plain)), expected($plain), 'another');
    }
    is($proxy->log_where(path => '/', subject => 'CN=plain.test')->{status}, 200, 'a line in the log, too');
};

subtest 'none' => sub {
    is_deeply(facts(ask(tls_client($may)), $nothing), $nothing, 'where it is optional');
    is_deeply(facts(ask(tls_client($open, cert => $rich)), $nothing), $nothing, 'where nobody asks for one');
    is_deeply(facts(ask($proxy->connect), $nothing), $nothing, 'without TLS');
};

subtest 'HTTP/2' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    my $h2 = Weir::Http2Client->connect($must, tls => 1, cert => $rich);
    is_deeply(facts(told($h2->get('/')->{body}), expected($rich)), expected($rich), 'the first stream') for 1 .. 2;
    $h2 = Weir::Http2Client->connect($may, tls => 1);
    is_deeply(facts(told($h2->get('/')->{body}), $nothing), $nothing, 'none');
};

subtest 'a session that is resumed' => sub {
    for my $flag ('-tls1_2', '-tls1_3') {
        my $session = temp_path('session');
        my $request = q(printf 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
        my $client  = "openssl s_client -ign_eof -connect 127.0.0.1:$must $flag";
        my $first   = run_command('/bin/sh', '-c', "$request | $client -cert $rich->{cert} -key $rich->{key} -sess_out $session");
        my $sha256  = expected($rich)->{'X-Sha256'};
        like($first->{out}, qr/X-Sha256: \Q$sha256\E/, "$flag: begun with a certificate");
        my $again = run_command('/bin/sh', '-c', "$request | $client -sess_in $session");
        like($again->{out}, qr/^Reused/m, 'resumed');
        like($again->{out}, qr/X-Sha256: \Q$sha256\E/, 'it is still known');
    }
};

subtest 'what a PROXY header says is another matter' => sub {
    my $tlv = sub { my ($type, $value) = @_; return pack('Cn', $type, length $value) . $value };
    my $block = inet_pton(AF_INET, '192.0.2.1') . inet_pton(AF_INET, '198.51.100.2') . pack('nn', 5, 443)
        . $tlv->(0x20, pack('CN', 7, 0) . $tlv->(0x21, 'TLSv1.3') . $tlv->(0x22, 'somebody'));
    my $header = "\r\n\r\n\0\r\nQUIT\n" . pack('CCn', 0x21, 0x11, length $block) . $block;
    my $head = ask(tls_client($behind, first => $header));
    is_deeply(facts($head, $nothing), $nothing, 'its sender\'s word makes no certificate');
    is($head->header('X-Proxy-Cn'), '"somebody"', 'and is told by itself');
    $head = ask(tls_client($behind, first => $header, cert => $rich));
    is_deeply(facts($head, expected($rich)), expected($rich), 'one that is shown here');
    is($head->header('X-Proxy-Cn'), '"somebody"', 'stands beside it');
};

subtest 'what is no fact' => sub {
    my $long = certificate('long', ca => $ca, subject => '/CN=c' . '/OU=' . 'x' x 60 . ('/OU=' . 'y' x 60) x 70);
    my $head = ask(tls_client($must, cert => $long));
    is($head->header('X-Subject'), '-', 'a subject that is too long: no part of it');
    is_deeply(facts($head, { map { $_ => 1 } qw(X-Certificate X-Sha256) }), { map { $_ => expected($long)->{$_} } qw(X-Certificate X-Sha256) }, 'the rest is there');
    my $many = certificate('many', ca => $ca, names => [ map { "n$_.test" } 1 .. 150 ]);
    is(ask(tls_client($must, cert => $many))->header('X-Names'), 100, 'a hundred names are enough');
    # a<CR>b, a<NUL>b, "", ok: [2] IMPLICIT IA5String
    my $odd = certificate('odd', ca => $ca, names => ['DER:30:10:82:03:61:0d:62:82:03:61:00:62:82:00:82:02:6f:6b']);
    is_deeply([ ask(tls_client($must, cert => $odd))->all('X-Name') ], ['0 ok'], 'names that look like others are left out');
};

subtest 'after the client has gone' => sub {
    my $client = tls_client($must, cert => $rich);
    $client->write("GET /silence HTTP/1.1\r\nHost: a.test\r\n\r\n");
    wait_for { grep { /silent/ } $backend->events };
    $client->close;
    is($proxy->log_where(path => '/silence')->{subject}, 'CN=\C3\A4lice,UID=7+OU=ops,O=Exam\, ple \"AG\",C=DE', 'the log is still told');
};

done_testing;
