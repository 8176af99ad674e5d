# SPDX-License-Identifier: MIT
package Weir::Http2Client;

# An HTTP/2 client of a test: t/tools/http2.py at the other end of two pipes. What is sent need not be allowed.
use strict;
use warnings;
use Carp qw(croak);
use IPC::Open2 qw(open2);
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use Weir::Client;

our %TYPE = (
    DATA => 0, HEADERS => 1, PRIORITY => 2, RST_STREAM => 3, SETTINGS => 4, PUSH_PROMISE => 5, PING => 6,
    GOAWAY => 7, WINDOW_UPDATE => 8, CONTINUATION => 9,
);
our ($END_STREAM, $ACK, $END_HEADERS) = (1, 1, 4);
our %CODE = (
    NO_ERROR => 0, PROTOCOL_ERROR => 1, INTERNAL_ERROR => 2, FLOW_CONTROL_ERROR => 3, STREAM_CLOSED => 5,
    FRAME_SIZE_ERROR => 6, REFUSED_STREAM => 7, CANCEL => 8, COMPRESSION_ERROR => 9, ENHANCE_YOUR_CALM => 11,
);

# Whether Debian's python3-h2 is there, which brings HPACK.
sub is_possible { return system('/usr/bin/python3 -c "import h2, hpack" 2>/dev/null') == 0 }

# connect(port, tls => 1, cert => { cert, key }, settings => { id => value }, preface => 0, receive_buffer => bytes, updates_windows => 0, answers => 0)
sub connect {
    my ($class, $port, %option) = @_;
    for (qw(tls preface updates_windows answers)) {
        $option{$_} = $option{$_} ? JSON::PP::true : JSON::PP::false if exists $option{$_};
    }
    my $json = JSON::PP->new->latin1;
    my $pid  = open2(my $out, my $in, '/usr/bin/python3', Weir::Test::root_dir() . '/t/tools/http2.py',
        $json->encode({ port => $port + 0, %option }));
    $in->autoflush(1);
    return bless { pid => $pid, in => $in, out => $out, json => $json, next => 1 }, $class;
}

# One command, its answer.
sub tell {
    my ($self, @command) = @_;
    print { $self->{in} } $self->{json}->encode(\@command), "\n";
    my $line = readline $self->{out};
    croak "http2.py died at $command[0]" unless defined $line;
    return JSON::PP->new->allow_nonref->decode($line);
}

sub next_id {
    my ($self) = @_;
    my $id = $self->{next};
    $self->{next} += 2;
    return $id;
}

# The pseudo-fields of a usual request, with some replaced, or left out where undef.
sub fields {
    my ($self, %option) = @_;
    my %pseudo = (':method' => 'GET', ':scheme' => 'http', ':path' => '/', ':authority' => 'a.test', %{ $option{pseudo} // {} });
    $pseudo{':path'}   = $option{path}   if defined $option{path};
    $pseudo{':method'} = $option{method} if defined $option{method};
    my @first = map { defined $pseudo{$_} ? [ $_, $pseudo{$_} ] : () } sort { length $a <=> length $b } keys %pseudo;
    return [ @first, @{ $option{headers} // [] } ];
}

# Sends HEADERS, and DATA if there is a body. The stream's number.
#   path, method, pseudo => { ':x' => value | undef }, headers => [ [name, value], … ]
#   body => bytes, is_open => 1 (no END_STREAM)
sub request {
    my ($self, %option) = @_;
    my $id = $option{id} // $self->next_id;
    my $has_more = defined $option{body} || $option{is_open} || $option{trailers};
    $self->tell('headers', $id, $self->fields(%option), $END_HEADERS | ($has_more ? 0 : $END_STREAM));
    $self->data($id, $option{body}, is_last => !$option{is_open} && !$option{trailers}) if defined $option{body};
    $self->tell('headers', $id, $option{trailers}) if $option{trailers};
    return $id;
}

# In frames of at most 16384 bytes, whatever the windows say.
sub data {
    my ($self, $id, $bytes, %option) = @_;
    do {
        my $piece = substr $bytes, 0, 16384, '';
        $self->frame(DATA => $option{is_last} && !length $bytes ? $END_STREAM : 0, $id, $piece);
    } while (length $bytes);
    return;
}

sub frame {
    my ($self, $type, $flags, $id, $payload) = @_;
    return $self->tell('frame', ($TYPE{$type} // $type) + 0, $flags + 0, $id + 0, unpack 'H*', $payload // '');
}

sub reset_stream { my ($self, $id, $code) = @_; return $self->frame(RST_STREAM => 0, $id, pack 'N', $CODE{ $code // 'CANCEL' }) }

# wait(end => id), (reset => id), (headers => id), (interim => id), (bytes => [id, n]), (goaway => n), (pongs => n), (acks => n), (close => 1)
sub wait {
    my ($self, $what, $value, $seconds) = @_;
    return $self->tell('wait', { $what => $value }, $seconds // Weir::Client::wait_seconds());
}

# What came on a stream: status, headers (a hash, first of each), fields (all), body, body_bytes, md5, interim, trailers, end, reset.
sub stream {
    my ($self, $id) = @_;
    my $stream = $self->tell('stream', $id);
    $stream->{body}   = decode_base64($stream->{body});
    $stream->{fields} = $stream->{headers};
    my %first;
    $first{ $_->[0] } //= $_->[1] for @{ $stream->{fields} // [] };
    $stream->{headers} = \%first;
    $stream->{status}  = $first{':status'} // 0;
    return $stream;
}

# Waits for a stream's end.
sub response {
    my ($self, $id, $seconds) = @_;
    $self->wait(end => $id, $seconds);
    return $self->stream($id);
}

sub get {
    my ($self, $path, %option) = @_;
    return $self->response($self->request(path => $path, %option));
}

sub connection { return $_[0]->tell('connection') }

# The last GOAWAY's error code, by name, once there is one.
sub goaway {
    my ($self, $count, $seconds) = @_;
    $self->wait(goaway => $count // 1, $seconds);
    my $all = $self->connection->{goaways};
    return @$all ? $self->name_of($all->[-1]{code}) : '';
}

sub name_of {
    my ($self, $code) = @_;
    return 'none' unless defined $code;
    my ($name) = grep { $CODE{$_} == $code } keys %CODE;
    return $name // $code;
}

sub is_closed { my ($self, $seconds) = @_; return $self->wait(close => 1, $seconds) }

sub close {
    my ($self) = @_;
    my $pid = delete $self->{pid} // return;
    CORE::close $self->{in};
    CORE::close $self->{out};
    waitpid $pid, 0;
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    $self->close;
    return;
}

1;
