# SPDX-License-Identifier: MIT
# OCSP stapling: what the authority says of our certificate is shown in handshakes, and nothing else.
use lib 't/lib';
use Weir::Test;
use Weir::TLS;
use POSIX qw(strftime);
use Time::HiRes qw(time);

my $ca   = authority('test authority');
my $echo = echo_backend();
my $port = free_port();
my $good = certificate('good.test', ca => $ca, ocsp => "http://127.0.0.1:$port/", chain => 1);
my $bad  = certificate('revoked.test', ca => $ca, ocsp => "http://127.0.0.1:$port/", chain => 1);
my $bare = certificate('bare.test', ca => $ca, ocsp => "http://127.0.0.1:$port/");    # its issuer is not in the file

# The index of openssl ca(1): what the responder knows.
sub line {
    my ($state, $c, $when) = @_;
    my ($serial) = openssl('x509', '-noout', '-serial', '-in', $c->{cert}) =~ /=(\w+)/;
    my $until = strftime('%y%m%d%H%M%SZ', gmtime(int(time + 864000)));
    return join("\t", $state, $until, $when // '', $serial, 'unknown', '/CN=x') . "\n";
}
my $index = write_file(temp_path('index'), line('V', $good), line('R', $bad, strftime('%y%m%d%H%M%SZ', gmtime(time - 100))), line('V', $bare));
write_file("$index.attr", "unique_subject = no\n");

# A responder: openssl(1) answers, and $signer signs.
sub responder {
    my ($signer, $flags) = (@_, '');
    my $responder = backend(sub {
        my ($c) = @_;
        my ($head, $body) = $c->read_request or return;
        my ($question, $answer) = map { temp_path("$_-$$") } qw(question answer);
        write_file($question, $body);
        system("openssl ocsp -index $index -CA $ca->{cert} -rsigner $signer->{cert} -rkey $signer->{key} -ndays 1 $flags -reqin $question -respout $answer >/dev/null 2>&1");
        $c->write(simple_response(read_file($answer), headers => "Content-Type: application/ocsp-response\r\n"));
    }, port => $port);
    return sub { $responder->stop };
}

sub start {
    my ($c, %more) = @_;
    my $at = free_port();
    my $proxy = proxy(backends => [$echo], listen => [ { host => '127.0.0.1', port => $at, ssl => { 'certificate-file' => $c->{cert}, 'key-file' => $c->{key}, 'ocsp-update-interval' => 1, %more } } ]);
    return ($proxy, $at);
}

sub status { my ($at, @flags) = @_; return s_client($at, '-status', @flags) }

subtest 'an answer is shown' => sub {
    my $stop = responder($ca);
    my ($proxy, $at) = start($good);
    for my $flag ('-tls1_2', '-tls1_3') {
        my $said = wait_for { my $text = status($at, $flag); $text =~ /OCSP Response Status: successful/ ? $text : select(undef, undef, undef, 0.05) };
        like($said, qr/Cert Status: good/, "$flag: good");
    }
    unlike(s_client($at), qr/OCSP Response Status/, 'only to those who ask for it');
    $stop->();
    ok((wait_for { $proxy->stderr =~ /OCSP: .*: the responder does not answer/ } 3 * wait_seconds()), 'a responder that is gone is told');
    like(status($at), qr/Cert Status: good/, 'what it said last is still shown');
    $proxy->signal('HUP');
    ok((wait_for { $proxy->stderr =~ /is in use/ }), 'a new configuration brings the certificate anew');
    ok((wait_for { status($at) =~ /Cert Status: good/ }), 'and what was said of it');
};

subtest "an answer of the authority's own, without its certificate" => sub {
    my $stop = responder($ca, '-resp_no_certs');
    my ($proxy, $at) = start($good);
    ok((wait_for { status($at) =~ /Cert Status: good/ }), 'is shown');
    $stop->();
};

subtest 'and given up after too many failures' => sub {
    my $stop = responder($ca);
    my ($proxy, $at) = start($good, 'ocsp-max-failures' => 0);
    ok(wait_for { status($at) =~ /Cert Status: good/ }, 'it was there');
    $stop->();
    ok((wait_for { status($at) =~ /OCSP response: no response sent/ } 3 * wait_seconds()), 'and is not');
};

subtest 'what is not shown' => sub {
    my $stop = responder($ca);
    my ($proxy, $at) = start($bad);
    ok(wait_for { $proxy->stderr =~ /OCSP: .*: the certificate has been revoked/ }, 'a certificate that was revoked is told');
    like(status($at), qr/OCSP response: no response sent/, 'and not shown');
    $stop->();
    my $stranger = authority('somebody');
    $stop = responder($stranger);
    ($proxy, $at) = start($good);
    ok(wait_for { $proxy->stderr =~ /OCSP: .*: the answer is not signed by the authority/ }, "somebody else's word is told");
    like(status($at), qr/OCSP response: no response sent/, 'and not shown');
    ($proxy, $at) = start($good, 'ocsp-update-interval' => 0);
    like(status($at), qr/OCSP response: no response sent/, 'ocsp-update-interval: 0 asks nobody');
    ($proxy, $at) = start($bare);
    like(status($at), qr/OCSP response: no response sent/, 'without the issuer nobody can be asked');
    is($proxy->stderr =~ /OCSP/, '', 'which is no reason to complain');
    $stop->();
};

# What $signer says of $c, in DER, as a file.
sub answer {
    my ($c, $signer, @flags) = @_;
    my ($question, $answer) = map { temp_path($_) } qw(question answer);
    openssl('ocsp', '-issuer', $ca->{cert}, @flags, '-cert', $c->{cert}, '-no_nonce', '-reqout', $question);
    openssl('ocsp', '-index', $index, '-CA', $ca->{cert}, '-rsigner', $signer->{cert}, '-rkey', $signer->{key}, '-ndays', 1, '-reqin', $question, '-respout', $answer);
    return $answer;
}

subtest 'answers beside the certificates of a directory' => sub {
    my $dir = temp_path('certificates');
    mkdir $dir or die $!;
    my $put = sub { my ($to, $from) = @_; write_file("$dir/$to.new", read_file($from)); rename "$dir/$to.new", "$dir/$to" or die $! };
    my $pair = sub { my ($name, $c) = @_; $put->("$name.crt", $c->{cert}); $put->("$name.key", $c->{key}) };
    my $shows = sub { my ($at, $name, @flags) = @_; my $said = status($at, '-servername', $name, @flags); return $said =~ /Cert Status: (\w+)/ ? $1 : $said =~ /OCSP response: no response sent/ ? 'nothing' : $said };
    my %answer = (
        good     => answer($good, $ca),
        sha256   => answer($good, $ca, '-sha256'),
        other    => answer($bare, $ca),
        revoked  => answer($bad, $ca),
        stranger => answer($good, authority('somebody')),
        garbage  => write_file(temp_path('garbage'), 'no DER'),
        long     => write_file(temp_path('long'), 'x' x 100_000),
    );
    my %why = (
        other    => 'the answer is about another certificate',
        revoked  => 'the certificate has been revoked',
        stranger => 'the answer is not signed by the authority',
        garbage  => 'the answer cannot be read',
        long     => 'it is too long',
        lonely   => "the certificate's issuer is not behind it in its file",
    );
    $pair->("$_.test", $_ eq 'revoked' ? $bad : $good), $put->("$_.test.ocsp", $answer{$_}) for keys %answer;
    $pair->('lonely.test', $bare);
    $put->('lonely.test.ocsp', $answer{other});
    $pair->("$_.test", $good) for qw(none comes kept gone);
    $put->("$_.test.ocsp", $answer{good}) for qw(kept gone);
    $pair->('_.wild.test', $good);
    $put->('_.wild.test.ocsp', $answer{good});

    my $at = free_port();
    my $proxy = proxy(backends => [$echo], listen => [ { host => '127.0.0.1', port => $at, ssl => { 'certificate-directory' => $dir, 'ocsp-update-interval' => 0 } } ]);
    is($shows->($at, "$_.test"), 'good', "$_: shown") for qw(kept gone good sha256 x.wild);
    is($shows->($at, 'good.test', '-tls1_2'), 'good', 'with TLS 1.2, too');
    unlike(s_client($at, '-servername', 'good.test'), qr/OCSP Response Status/, 'only to those who ask for it');
    is($shows->($at, "$_.test"), 'nothing', "$_: nothing is") for qw(none comes);
    for my $name (sort keys %why) {
        my $before = length $proxy->stderr;
        select undef, undef, undef, 1.1;    # one such line a second
        is($shows->($at, "$name.test"), 'nothing', "$name: nothing is shown");
        like(substr($proxy->stderr, $before), qr{^weir: an OCSP answer cannot be used: \Q$dir/$name.test.ocsp: $why{$name}\E$}m, 'and it is said why');
    }

    $put->('comes.test.ocsp', $answer{good});
    $put->('kept.test.ocsp', $answer{garbage});
    unlink "$dir/gone.test.ocsp" or die $!;
    ok((wait_for { $shows->($at, 'comes.test') eq 'good' || select undef, undef, undef, 0.2 } 10 + 2 * wait_seconds()), 'one that comes later is shown');
    is($shows->($at, 'gone.test'), 'nothing', 'one that is taken away is not');
    is($shows->($at, 'kept.test'), 'good', 'one that cannot be used leaves what was said before');
    like($proxy->stderr, qr{kept\.test\.ocsp: the answer cannot be read}, 'and is told');
};

subtest 'a responder that hangs does not hold the end up' => sub {
    my $full = stuck_port();
    my $silent = backend(sub { my ($c) = @_; $c->read_head; $c->note('asked'); $c->wait_close(60) }, name => 'silent');
    my %at = (silent => $silent->address, unreachable => "127.0.0.1:$full", unresolved => 'hangs.invalid:80');
    for my $how (sort keys %at) {
        my ($proxy) = start(certificate("$how.test", ca => $ca, ocsp => "http://$at{$how}/", chain => 1));
        $silent->wait_event(qr/asked/) if $how eq 'silent';
        select undef, undef, undef, 0.3;
        my $begin = time;
        is($proxy->stop, 0, "$how: TERM ends it");
        cmp_ok(time - $begin, '<', 2.5 * Weir::Client::slow(), 'at once');
        unlike($proxy->stderr, qr/OCSP:.*does not answer/, 'nothing is said of that') if $how eq 'silent';
    }
};

subtest "h2o's directives" => sub {
    my $file = write_file(temp_path('h2o.yaml'), "num-ocsp-updaters: 4\nlisten:\n  port: 1\n  ssl:\n    certificate-file: $good->{cert}\n    key-file: $good->{key}\n    ocsp-update-cmd: share/h2o/fetch-ocsp-response\n    ocsp-max-failures: 2\n    neverbleed: ON\nhosts:\n  default:\n    paths:\n      /:\n        weir.router: stub\n");
    my $r = weir('check', '-c', $file);
    is($r->{exit}, 0, 'are accepted');
    like($r->{err}, qr/ocsp-update-cmd has no effect/, 'with a word on what means nothing here');
    like($r->{err}, qr/neverbleed is not offered/, 'and another');
};

done_testing;
