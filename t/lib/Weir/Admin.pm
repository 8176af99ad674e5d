# SPDX-License-Identifier: MIT
# Calls to the admin endpoint, over its socket.
package Weir::Admin;
use strict;
use warnings;
use Exporter 'import';
use IO::Socket::UNIX;
use JSON::PP ();
use Test::More;
use Weir::Test ();

our @EXPORT = qw(said does refuses admin_path open_socket call is_problem lines_of);

my $json = JSON::PP->new->utf8->canonical;
my $path;

# Where it is from now on.
sub admin_path { return $path = shift // $path }

sub open_socket { return IO::Socket::UNIX->new(Peer => $_[0] // $path) // die "no admin endpoint: $!" }

sub unchunked {
    my ($rest) = @_;
    my $whole = '';
    while ($rest =~ s/^([0-9a-f]+)\r\n//i && hex $1) { $whole .= substr $rest, 0, hex $1, ''; $rest =~ s/^\r\n// }
    return $whole;
}

# The answer to a call: status, fields, body, document (undef: there is none).
sub call {
    my ($method, $target, $body, %fields) = @_;
    my $socket = open_socket();
    my $text = defined $body ? (ref $body ? $json->encode($body) : $body) : '';
    my $head = "$method $target HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" . join '', map { "$_: $fields{$_}\r\n" } keys %fields;
    $head .= 'Content-Length: ' . length($text) . "\r\n" if length $text;
    print {$socket} "$head\r\n$text";
    local $/;
    my $answer = <$socket> // '';
    my ($first, $rest) = split /\r\n\r\n/, $answer, 2;
    my %got = map { /^([^:]+): *(.*)$/ ? (lc $1 => $2) : () } split /\r\n/, $first // '';
    $rest = unchunked($rest) if ($got{'transfer-encoding'} // '') eq 'chunked';
    my $is_json = ($got{'content-type'} // '') =~ m{^application/(?:problem\+)?json};
    return { status => $first =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0, fields => \%got, body => $rest // '',
        document => $is_json && length($rest // '') ? $json->decode($rest) : undef };
}

# Exit status, standard output, standard error of a command.
sub said {
    my $run = Weir::Test::weir(@_, '-s', $path);
    return ($run->{exit}, $run->{out}, $run->{err});
}

# It does so without a word.
sub does {
    my ($what, @command) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, $out, $err) = said(@command);
    return is("$exit $out$err", '0 ', $what);
}

# It exits with this status and says why.
sub refuses {
    my ($what, $status, $why, @command) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, $out, $err) = said(@command);
    is("$exit $out", "$status ", "$what: exit status");
    return like($err, qr/^weir: $why\n\z/, "$what: says why");
}

# The documents of a stream, one a line.
sub lines_of { return map { $json->decode($_) } grep { /\S/ } split /\n/, $_[0] }

sub is_problem {
    my ($answer, $status, $type, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($answer->{status}, $status, "$what: status");
    is($answer->{document}{type}, "urn:weir:problem:$type", "$what: type");
    return is($answer->{fields}{'content-type'}, 'application/problem+json', "$what: is a problem");
}

1;
