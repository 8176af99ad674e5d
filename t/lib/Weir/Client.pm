# SPDX-License-Identifier: MIT
package Weir::Client;

# A socket that speaks bytes, with a deadline on every wait; and the reader of HTTP/1 messages that both ends of a test use.
# Weir::Backend::Connection inherits from it. Nothing here dies because of the network: what was missing shows in the result.
use strict;
use warnings;
use Errno qw(EAGAIN EINTR EINPROGRESS);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use IO::Socket::IP;
use IO::Socket::UNIX;
use Scalar::Util qw(weaken);
use Socket qw(SOL_SOCKET SO_LINGER SO_RCVBUF IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

$SIG{PIPE} = 'IGNORE';

my %open;    # every socket that still lives

# How much longer everything takes here than on a plain build.
sub slow {
    return $ENV{WEIR_SLOW} if $ENV{WEIR_SLOW};
    return 8 if is_valgrind();
    return ($ENV{WEIR_BUILD} // '') =~ /tsan/ ? 4 : 1;
}

# Whether each proxy is to run under valgrind.
sub is_valgrind { return $ENV{WEIR_VALGRIND} || ($ENV{WEIR_PRESET} // '') eq 'valgrind' }

sub wait_seconds { return 10 * slow() }

# connect(port), connect("[::1]:80"), connect("unix:/path"); receive_buffer => bytes makes a slow reader possible.
sub connect {
    my ($class, $to, %option) = @_;
    my $socket;
    if ($to =~ /^unix:(.*)/) {
        $socket = IO::Socket::UNIX->new(Peer => $1);
    } elsif ($option{receive_buffer}) {    # the window is fixed by the handshake, so the buffer must come before it
        socket($socket, Socket::PF_INET(), Socket::SOCK_STREAM(), 0) or die "socket: $!";
        setsockopt($socket, SOL_SOCKET, SO_RCVBUF, $option{receive_buffer}) or die "SO_RCVBUF: $!";
        CORE::connect($socket, Socket::pack_sockaddr_in($to, Socket::INADDR_LOOPBACK())) or return;
    } else {
        my ($host, $port) = $to =~ /^\[?(.*?)\]?:(\d+)$/ ? ($1, $2) : ('127.0.0.1', $to);
        $socket = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port, Timeout => wait_seconds(),
            ($option{from} ? (LocalHost => $option{from}) : ()));
    }
    return unless $socket;
    return $class->of($socket);
}

sub of {
    my ($class, $socket, %more) = @_;
    setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);    # harmless failure on unix sockets
    my $flags = fcntl($socket, F_GETFL, 0);
    fcntl($socket, F_SETFL, $flags | O_NONBLOCK);
    my $self = bless { socket => $socket, in => '', eof => 0, reset => 0, broken => 0, %more }, $class;
    weaken($open{$socket} = $socket);
    return $self;
}

# In a forked process: what the test has open must not stay open here, or the test could not close it.
sub close_all {
    CORE::close $_ for grep { defined } values %open;
    %open = ();
    return;
}

sub local_port { return $_[0]{socket}->sockport }
sub is_eof     { return $_[0]{eof} }
sub was_reset  { return $_[0]{reset} }

# Waits until readable or writable; returns (readable, writable), or nothing at the deadline.
sub _ready {
    my ($self, $read, $write, $until) = @_;
    my $fd = fileno($self->{socket}) // return;
    while (1) {
        my ($r, $w) = ('', '');
        vec($r, $fd, 1) = 1 if $read;
        vec($w, $fd, 1) = 1 if $write;
        my $left = $until - time;
        my $n = select($r, $w, undef, $left > 0 ? $left : 0);
        return (vec($r, $fd, 1), vec($w, $fd, 1)) if $n > 0;
        return if $n == 0 && $until <= time;
    }
}

# Called with every piece of input; the backend's side records it.
sub on_bytes { }

# One read into the buffer. True if bytes came.
sub _take {
    my ($self) = @_;
    my $n = sysread($self->{socket}, my $bytes, 262144);
    if (!defined $n) {
        return 0 if $! == EAGAIN || $! == EINTR;
        @{$self}{qw(eof reset)} = (1, 1);
        return 0;
    }
    if ($n == 0) {
        $self->{eof} = 1;
        return 0;
    }
    $self->{in} .= $bytes;
    $self->on_bytes($bytes);
    return 1;
}

# Waits for more input until `$until`. True if bytes came.
sub _more {
    my ($self, $until) = @_;
    while (!$self->{eof}) {
        my ($readable) = $self->_ready(1, 0, $until) or return 0;
        return 1 if $readable && $self->_take;
    }
    return 0;
}

# Writes everything, reading meanwhile so that neither side can block the other. Returns how many bytes went out.
sub write {
    my ($self, $bytes, $seconds) = @_;
    my $until = time + ($seconds // wait_seconds());
    my $sent  = 0;
    while ($sent < length $bytes && !$self->{broken}) {
        my ($readable, $writable) = $self->_ready(!$self->{eof}, 1, $until) or last;
        $self->_take if $readable;
        next unless $writable;
        my $n = syswrite($self->{socket}, $bytes, 262144, $sent);
        if (defined $n) {
            $sent += $n;
        } elsif ($! != EAGAIN && $! != EINTR) {
            $self->{broken} = 1;
        }
    }
    return $sent;
}

# Writes as much as the other side takes before it has taken nothing for `$seconds`. Reads nothing.
sub write_until_stuck {
    my ($self, $bytes, $seconds) = @_;
    my $sent = 0;
    while ($sent < length $bytes) {
        my (undef, $writable) = $self->_ready(0, 1, time + $seconds) or last;
        my $n = syswrite($self->{socket}, $bytes, 65536, $sent);
        last if !defined $n && $! != EAGAIN && $! != EINTR;
        $sent += $n // 0;
    }
    return $sent;
}

# Writes the same again and again, as it is taken, until the other side says something or ends. Returns how many bytes went out.
sub write_until_answered {
    my ($self, $bytes, $seconds) = @_;
    my $until = time + ($seconds // wait_seconds());
    my $sent  = 0;
    until (length $self->{in} || $self->{eof}) {
        my ($readable, $writable) = $self->_ready(1, 1, $until) or last;
        $self->_take if $readable;
        $sent += syswrite($self->{socket}, $bytes) // 0 if $writable && !$readable;
    }
    return $sent;
}

# A piece per write, each in a packet of its own as far as the kernel allows.
sub write_pieces {
    my ($self, @pieces) = @_;
    for my $piece (@pieces) {
        $self->write($piece);
        select(undef, undef, undef, 0.001);
    }
    return;
}

# Reads until the buffer matches, and takes everything up to the end of the match. undef at close or deadline.
sub read_until {
    my ($self, $pattern, $seconds) = @_;
    my $until = time + ($seconds // wait_seconds());
    while (1) {
        return substr($self->{in}, 0, $+[0], '') if $self->{in} =~ /$pattern/s;
        $self->_more($until) or return;
    }
}

# A message head with its empty line.
sub read_head { return $_[0]->read_until(qr/\r\n\r\n/, $_[1]) }

sub read_exactly {
    my ($self, $bytes, $seconds) = @_;
    my $until = time + ($seconds // wait_seconds());
    while (length $self->{in} < $bytes) {
        $self->_more($until) or return;
    }
    return substr($self->{in}, 0, $bytes, '');
}

# Everything until the other side closes. undef if it does not; then the bytes stay in the buffer.
sub read_eof {
    my ($self, $seconds) = @_;
    my $until = time + ($seconds // wait_seconds());
    1 while $self->_more($until);
    return unless $self->{eof};
    return substr($self->{in}, 0, length $self->{in}, '');
}

# True if nothing arrives and nobody closes for so long.
sub is_silent {
    my ($self, $seconds) = @_;
    return 0 if length $self->{in} || $self->{eof};
    return !$self->_more(time + $seconds) && !$self->{eof};
}

# Reads a chunked body. Returns (payload, trailer bytes, complete).
sub read_chunked {
    my ($self, $seconds) = @_;
    my $body = '';
    while (1) {
        my $line = $self->read_until(qr/\r\n/, $seconds);
        return ($body . substr($self->{in}, 0), '', 0) unless defined $line;
        my ($size) = $line =~ /^([0-9a-fA-F]+)(?:;.*)?\r\n\z/s or return ($body, '', 0);
        if (hex $size == 0) {
            my $trailer = '';
            while (1) {
                my $field = $self->read_until(qr/\r\n/, $seconds) // return ($body, $trailer, 0);
                return ($body, $trailer, 1) if $field eq "\r\n";
                $trailer .= $field;
            }
        }
        my $data = $self->read_exactly(hex($size) + 2, $seconds);
        return ($body . substr($self->{in}, 0), '', 0) unless defined $data;
        return ($body, '', 0) unless substr($data, -2, 2, '') eq "\r\n";
        $body .= $data;
    }
}

# The body that belongs to `$head`. Returns (payload, trailer, complete, framing).
sub read_body {
    my ($self, $head, %option) = @_;
    my $seconds = $option{seconds};
    return ('', '', 1, 'none') if $option{no_body};
    return ($self->read_chunked($seconds), 'chunked') if $head =~ /^transfer-encoding:[ \t]*chunked\s*$/mi;
    if ($head =~ /^content-length:[ \t]*(\d+)\s*$/mi) {
        my $length = $1;
        my $body = $length > 0 ? $self->read_exactly($length, $seconds) : '';
        return ($body, '', 1, 'length') if defined $body;
        return (substr($self->{in}, 0, length $self->{in}, ''), '', 0, 'length');
    }
    return ('', '', 1, 'none') unless $option{until_close};
    my $body = $self->read_eof($seconds);
    return ($body // $self->{in}, '', (defined $body && !$self->{reset}) ? 1 : 0, 'close');
}

# One response, interim ones left out unless interim => 1. head => 1: to a HEAD request.
# One that is false, of status 0, if not even a head came.
sub read_response {
    my ($self, %option) = @_;
    while (1) {
        my $head = $self->read_head($option{seconds}) // return Weir::Response->new("\r\n", '', '', 0, 'none');
        my ($status) = $head =~ m{^HTTP/1\.[01] (\d{3})} or return Weir::Response->new($head, '', '', 0, 'none');
        my $no_body = $option{head} || $status =~ /^(?:1..|204|304)$/;
        next if $status =~ /^1/ && $status != 101 && !$option{interim};
        my @body = $self->read_body($head, no_body => $no_body, until_close => 1, seconds => $option{seconds});
        return Weir::Response->new($head, @body);
    }
}

# One request on the backend's side. Returns (head, body, trailer, complete), or nothing at close.
sub read_request {
    my ($self, %option) = @_;
    my $head = $self->read_head($option{seconds}) // return;
    return ($head, $self->read_body($head, %option));
}

sub shutdown_write { return CORE::shutdown($_[0]{socket}, 1) }

sub close {
    my ($self) = @_;
    CORE::close($self->{socket}) if $self->{socket};
    return;
}

# Closes with a RST.
sub reset {
    my ($self) = @_;
    setsockopt($self->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
    return $self->close;
}

package Weir::Response;

use overload bool => sub { $_[0]{status} != 0 }, fallback => 1;

sub new {
    my ($class, $head, $body, $trailer, $complete, $framing) = @_;
    my ($line, @lines) = split /\r\n/, $head;
    my ($version, $status, $reason) = ($line // '') =~ m{^HTTP/(1\.[01]) (\d{3}) ?(.*)}s;
    return bless {
        head     => $head,
        version  => $version,
        status   => $status // 0,
        reason   => $reason // '',
        fields   => [ map { [ /^([^:]*):[ \t]*(.*)$/s ] } grep { /:/ } @lines ],
        body     => $body,
        trailer  => $trailer,
        complete => $complete,
        framing  => $framing,
    }, $class;
}

sub status      { return $_[0]{status} }
sub reason      { return $_[0]{reason} }
sub version     { return $_[0]{version} }
sub head        { return $_[0]{head} }
sub body        { return $_[0]{body} }
sub trailer     { return $_[0]{trailer} }
sub is_complete { return $_[0]{complete} }
sub framing     { return $_[0]{framing} }

# Every value of a field, in order.
sub all {
    my ($self, $name) = @_;
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } @{ $self->{fields} };
}

# The first value of a field, or undef.
sub header {
    my ($self, $name) = @_;
    return ($self->all($name))[0];
}

# Whether the other side said it would close.
sub says_close { return (grep { /\bclose\b/i } $_[0]->all('Connection')) ? 1 : 0 }

1;
