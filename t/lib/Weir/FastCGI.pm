# SPDX-License-Identifier: MIT
package Weir::FastCGI;

# FastCGI from the application's side, record by record: a backend of Weir::Test that reads requests and says what a test wants,
# right or wrong.
use strict;
use warnings;
use Exporter qw(import);
use Weir::Test ();

our @EXPORT = qw(fastcgi_backend record output errors ending whole);

my %number = (BEGIN => 1, END => 3, PARAMS => 4, STDIN => 5, STDOUT => 6, STDERR => 7);

# A record of a type by name or number; padding, version, request.
sub record {
    my ($type, $content, %option) = @_;
    my $padding = $option{padding} // 0;
    return pack('CCnnCx', $option{version} // 1, $number{$type} // $type, $option{request} // 1, length $content, $padding) . $content
        . 'P' x $padding;
}

sub output { return join '', map { record(STDOUT => $_) } $_[0] =~ /(.{1,65000})/gs }
sub errors { return record(STDERR => $_[0]) }

# END_REQUEST with an exit status and a protocol status.
sub ending { my ($exit, $status) = @_; return record(END => pack 'NCx3', $exit // 0, $status // 0) }

# A whole response: a head, a body, the end.
sub whole { my ($body, $head) = @_; return output(($head // '') . "Content-Type: text/plain\r\n\r\n$body") . record(STDOUT => '') . ending() }

# One length of a parameter off the front.
sub _length {
    my ($bytes) = @_;
    return unpack 'C', substr $$bytes, 0, 1, '' if ord $$bytes < 128;
    return unpack('N', substr $$bytes, 0, 4, '') & 0x7fffffff;
}

sub _params {
    my ($bytes) = @_;
    my (%param, @names);
    while (length $bytes) {
        my ($name, $value) = (_length(\$bytes), _length(\$bytes));
        push @names, substr $bytes, 0, $name, '';
        $param{ $names[-1] } = substr $bytes, 0, $value, '';
    }
    $param{'.names'} = \@names;
    return \%param;
}

# The next record: (type, content), or nothing at the connection's end.
sub read_record {
    my ($connection) = @_;
    my $head = $connection->read_exactly(8) // return;
    my (undef, $type, $request, $length, $padding) = unpack 'CCnnC', $head;
    my $content = $length ? $connection->read_exactly($length) // return : '';
    $connection->read_exactly($padding) if $padding;
    return ($type, $content, $request);
}

# Everything before the body: { params by name, keeps, body => '' }, or nothing at the connection's end.
sub read_head {
    my ($connection) = @_;
    my ($type, $begin) = read_record($connection) or return;
    my (undef, $role, $flags) = unpack 'CCC', $begin;
    my $bytes = '';
    while (my ($next, $content) = read_record($connection)) {
        last if $next == $number{PARAMS} && !length $content;
        $bytes .= $content;
    }
    return { params => _params($bytes), keeps => $flags & 1, role => $role, begins => $type == 1, body => '' };
}

sub read_body {
    my ($connection, $request) = @_;
    while (my ($type, $content) = read_record($connection)) {
        return $request if !length $content;
        $request->{body} .= $content;
    }
    return;
}

# Serves connections: $answer->($connection, $request) gives the bytes of a response, or writes them itself and gives nothing. With
# heads => 1 it is called before the body is read.
sub fastcgi_backend {
    my ($answer, %option) = @_;
    my $heads = delete $option{heads};
    return Weir::Test::backend(sub {
        my ($connection) = @_;
        while (my $request = read_head($connection)) {
            $heads || read_body($connection, $request) or return;
            my $bytes = $answer->($connection, $request) // return;
            $connection->write($bytes);
            return if !$request->{keeps};
        }
        return;
    }, %option);
}

1;
