# SPDX-License-Identifier: MIT
package Weir::TLS;

# TLS for tests: certificates made by openssl(1) when they are needed, and clients and backends that speak it.
#
#   authority('name')                       a CA: { cert, key }
#   certificate('a.test', ca => $ca, …)     signed by $ca, or by itself: { cert, key }; names => […], subject => '/…', expired => 1, rsa => bits, ocsp => URL, chain => 1
#   tls_client($port, hostname => …, ca => $ca, alpn => […], versions => …, cert => $c)   a Weir::Client, or undef: why is in tls_error()
#   tls_backend(sub { … }, cert => $c, ca => $ca, alpn => […])   a backend; with ca it wants a certificate; its connections know how they began
#   key_updates()                           t/tools/key_updates.c, compiled: a peer whose records carry nothing
#   s_client($port, @arguments)             what `openssl s_client` says, with an empty standard input
use strict;
use warnings;
use Carp qw(croak);
use Exporter qw(import);
use IO::Socket::SSL;
use Weir::Client;
use Weir::Test ();

our @EXPORT = qw(authority certificate tls_client tls_error tls_backend s_client openssl key_updates);

my $error = '';
my $serial = 0;

sub tls_error { return $error }

sub openssl {
    my (@arguments) = @_;
    my $r = Weir::Test::run_command('openssl', @arguments);
    croak "openssl @arguments: $r->{err}" if !defined $r->{exit} || $r->{exit} != 0;
    return $r->{out};
}

sub _new_key {
    my ($path, $rsa) = @_;
    return openssl('genrsa', '-out', $path, $rsa) if $rsa;
    return openssl('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', $path);
}

my $updates;
sub key_updates {
    return $updates //= do {
        my $program = Weir::Test::temp_path('key_updates');
        system($ENV{CC} // 'cc', '-O2', '-Wall', Weir::Test::root_dir() . '/t/tools/key_updates.c', '-o', $program, '-lssl', '-lcrypto') == 0
            or croak 'cannot compile t/tools/key_updates.c';
        $program;
    };
}

sub authority {
    my ($name) = @_;
    my $at = Weir::Test::temp_path('ca');
    _new_key("$at.key");
    openssl(qw(req -x509 -new -sha256 -days 30), '-key', "$at.key", '-out', "$at.crt", '-subj', "/CN=$name");
    return { cert => "$at.crt", key => "$at.key" };
}

sub certificate {
    my ($name, %option) = @_;
    my $at = $option{at} // Weir::Test::temp_path('tls');
    my $names = join ',', map { /^(?:DER|DNS|URI|email|IP|RID):/ ? $_ : /^[\d.]+$/ ? "IP:$_" : "DNS:$_" } @{ $option{names} // [$name] };
    my $more = $option{ocsp} ? "authorityInfoAccess=OCSP;URI:$option{ocsp}\n" : '';
    Weir::Test::write_file("$at.ext", "subjectAltName=$names\n$more");
    _new_key("$at.key", $option{rsa});
    openssl(qw(req -new -sha256), '-key', "$at.key", '-out', "$at.csr", '-utf8', '-subj', $option{subject} // "/CN=$name");
    my $ca = $option{ca};
    return _sign_expired($at, $ca) if $option{expired};
    my @signer = $ca ? ('-CA', $ca->{cert}, '-CAkey', $ca->{key}, '-set_serial', time . $$ % 1000 . ++$serial) : ('-signkey', "$at.key");
    openssl(qw(x509 -req -sha256), '-in', "$at.csr", '-out', "$at.crt", '-days', 10, '-extfile', "$at.ext", @signer);
    Weir::Test::write_file("$at.crt", Weir::Test::read_file("$at.crt"), Weir::Test::read_file($ca->{cert})) if $option{chain};
    return { cert => "$at.crt", key => "$at.key" };
}

# By ca(1): req(1) and x509(1) know no other beginning than now before OpenSSL 3.4, and no negative days since.
sub _sign_expired {
    my ($at, $ca) = @_;
    mkdir "$at.new" or croak "$at.new: $!";
    Weir::Test::write_file("$at.index", '');
    Weir::Test::write_file("$at.cnf", "[ca]\ndefault_ca = it\n[it]\ndatabase = $at.index\nnew_certs_dir = $at.new\nrand_serial = yes\n",
        "default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n");
    openssl(qw(ca -batch -notext -startdate 20200101000000Z -enddate 20200201000000Z), '-config', "$at.cnf", '-extfile', "$at.ext",
        '-cert', $ca->{cert}, '-keyfile', $ca->{key}, '-in', "$at.csr", '-out', "$at.crt");
    return { cert => "$at.crt", key => "$at.key" };
}

sub tls_client {
    my ($to, %option) = @_;
    my $plain = Weir::Client->connect($to, %option) // croak "cannot connect to $to: $!";
    $plain->write($option{first}) if defined $option{first};
    my $socket = $plain->{socket};
    $socket->blocking(1);
    my $ca = $option{ca};
    my $is_done = IO::Socket::SSL->start_SSL(
        $socket,
        SSL_verify_mode => $ca ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
        SSL_hostname => $option{hostname} // '',
        Timeout => Weir::Client::wait_seconds(),
        ($ca ? (SSL_ca_file => $ca->{cert}, SSL_verifycn_scheme => 'none') : ()),
        ($option{versions} ? (SSL_version => $option{versions}) : ()),
        ($option{alpn} ? (SSL_alpn_protocols => $option{alpn}) : ()),
        ($option{cert} ? (SSL_cert_file => $option{cert}{cert}, SSL_key_file => $option{cert}{key}) : ()),
    );
    if (!$is_done) {
        $error = $IO::Socket::SSL::SSL_ERROR;
        return;
    }
    my $client = Weir::Client::TLS->of($socket);
    $socket->blocking(0);
    return $client;
}

sub tls_backend {
    my ($serve, %option) = @_;
    my $ca = delete $option{ca};
    my ($cert, $alpn, $versions) = delete @option{qw(cert alpn versions)};
    my $context = IO::Socket::SSL::SSL_Context->new(
        SSL_server => 1,
        SSL_cert_file => $cert->{cert}, SSL_key_file => $cert->{key},
        ($ca ? (SSL_verify_mode => SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, SSL_ca_file => $ca->{cert}) : ()),
        ($alpn ? (SSL_alpn_protocols => $alpn) : ()),
        ($versions ? (SSL_version => $versions) : ()),
        SSL_session_id_context => 'test',
    ) or croak "context: $IO::Socket::SSL::SSL_ERROR";
    return Weir::Test::backend(sub {
        my ($c) = @_;
        my $socket = $c->{socket};
        $socket->blocking(1);
        if (!IO::Socket::SSL->start_SSL($socket, SSL_server => 1, SSL_reuse_ctx => $context, Timeout => Weir::Client::wait_seconds())) {
            $c->note("handshake failed: $IO::Socket::SSL::SSL_ERROR");
            return;
        }
        $socket->blocking(0);
        bless $c, 'Weir::Backend::Connection::TLS';
        $c->note(join ' ', 'tls', $socket->get_sslversion, 'sni=' . ($socket->get_servername // '-'), 'alpn=' . ($socket->alpn_selected // '-'),
            'reused=' . Net::SSLeay::session_reused($socket->_get_ssl_object), 'client=' . ($ca ? $socket->peer_certificate('cn') : '-'));
        $serve->($c);
    }, %option);
}

sub s_client {
    my ($port, @arguments) = @_;
    my $r = Weir::Test::run_command(qw(openssl s_client -connect), "127.0.0.1:$port", @arguments);
    return $r->{out} . $r->{err};
}

package Weir::Client::TLS;

use parent -norequire, 'Weir::Client';
use Errno qw(EAGAIN EINTR);

# As the parent's, but what OpenSSL has read already is no readiness of the socket.
sub _take {
    my ($self) = @_;
    my $has_some = 0;
    while (1) {
        my $n = $self->{socket}->sysread(my $bytes, 262144);
        if (!defined $n) {
            return $has_some if $! == EAGAIN || $! == EINTR;
            @{$self}{qw(eof reset)} = (1, 1);
            return $has_some;
        }
        if ($n == 0) {
            $self->{eof} = 1;
            return $has_some;
        }
        $self->{in} .= $bytes;
        $self->on_bytes($bytes);
        $has_some = 1;
        return 1 unless $self->{socket}->pending;
    }
}

# Whether the other side has said that there is no more; an end without it may be anybody's.
sub was_notified { return (Net::SSLeay::get_shutdown($_[0]{socket}->_get_ssl_object) & 2) ? 1 : 0 }

sub version { return $_[0]{socket}->get_sslversion }
sub alpn    { return $_[0]{socket}->alpn_selected }
sub subject { return $_[0]{socket}->peer_certificate('cn') }

sub ssl { return $_[0]{socket}->_get_ssl_object }

# Says close_notify and goes on reading.
sub notify { return Net::SSLeay::shutdown($_[0]->ssl) }

# Closes; with a close_notify only if notify() has said it.
sub close {
    my ($self) = @_;
    $self->{socket}->close(SSL_no_shutdown => 1) if $self->{socket};
    return;
}

package Weir::Backend::Connection::TLS;

use mro 'c3';
our @ISA = qw(Weir::Client::TLS Weir::Backend::Connection);

1;
