# SPDX-License-Identifier: MIT
package Weir::Backend;

# A backend of a test: a forked process that runs a sub of the test's for each connection, each in a process of its own, and
# writes down what it received. The test asks what arrived with ->received, ->connections and ->wait_event.
use strict;
use warnings;
use Carp qw(croak);
use Errno qw(EINTR);
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOMAXCONN SO_RCVBUF SOL_SOCKET);
use Time::HiRes qw(time);
use Weir::Client;

my %running;    # pid => backend
my $count = 0;

# serve => sub ($connection); host => address | path => unix socket; port; name; receive_buffer; fast => response bytes.
sub start {
    my ($class, %option) = @_;
    my $self = bless { name => $option{name} // 'backend', %option }, $class;
    $self->{dir} = "$option{dir}/backend-" . $count++;
    mkdir $self->{dir} or croak "$self->{dir}: $!";
    my $listener = $self->_listen;
    my $parent = $$;
    defined(my $pid = fork) or croak "fork: $!";
    if ($pid == 0) {
        POSIX::setpgid(0, 0);
        @SIG{qw(TERM INT HUP ALRM)} = ('DEFAULT') x 4;
        Weir::Client::close_all();
        eval { $option{fast} ? $self->_serve_all($listener, $parent) : $self->_accept_all($listener, $parent); 1 }
            or print STDERR "# $self->{name}: $@";
        kill 'TERM', -$$;
        POSIX::_exit(1);
    }
    POSIX::setpgid($pid, $pid);    # whoever comes first
    $self->{pid} = $pid;
    $running{$pid} = $self;
    return $self;
}

sub _listen {
    my ($self) = @_;
    if (defined $self->{path}) {
        return IO::Socket::UNIX->new(Local => $self->{path}, Listen => SOMAXCONN) // croak "$self->{path}: $!";
    }
    my $host = $self->{host} // '127.0.0.1';
    my $listener = IO::Socket::IP->new(
        LocalHost => $host, LocalPort => $self->{port} // 0, Listen => SOMAXCONN, ReuseAddr => 1)
        // croak "listen on $host: $@";
    setsockopt($listener, SOL_SOCKET, SO_RCVBUF, $self->{receive_buffer}) if $self->{receive_buffer};
    $self->{port} = $listener->sockport;
    return $listener;
}

sub port { return $_[0]{port} }

# As it stands in a configuration: "127.0.0.1:80", "[::1]:80", "unix:/path".
sub address {
    my ($self) = @_;
    return "unix:$self->{path}" if defined $self->{path};
    my $host = $self->{host} // '127.0.0.1';
    return ($host =~ /:/ ? "[$host]" : $host) . ":$self->{port}";
}

sub _event {
    my ($self, $text) = @_;
    open my $out, '>>', "$self->{dir}/events" or return;
    syswrite $out, "$text\n";
    return;
}

# The acceptor: one process per connection.
sub _accept_all {
    my ($self, $listener, $parent) = @_;
    $SIG{CHLD} = 'IGNORE';
    my $select = IO::Select->new($listener);
    for (my $index = 0;; ) {
        return if getppid() != $parent;
        $select->can_read(1) or next;
        my $socket = $listener->accept or next;
        $self->_event("accept $index");
        defined(my $pid = fork) or die "fork: $!";
        if ($pid == 0) {
            CORE::close $listener;
            my $connection = Weir::Backend::Connection->of($socket, index => $index, backend => $self);
            eval { $self->{serve}->($connection); 1 } or $connection->note("died: $@");
            $connection->close;
            $self->_event("done $index");
            POSIX::_exit(0);
        }
        CORE::close $socket;
        $index++;
    }
}

# The quick one: a single process, one fixed answer to each request, for load.
sub _serve_all {
    my ($self, $listener, $parent) = @_;
    my $select = IO::Select->new($listener);
    my %in;
    my $index = 0;
    while (getppid() == $parent) {
        for my $socket ($select->can_read(1)) {
            if ($socket == $listener) {
                my $new = $listener->accept or next;
                $self->_event('accept ' . $index++);
                $select->add($new);
                $in{$new} = '';
                next;
            }
            if (!sysread $socket, $in{$socket}, 65536, length $in{$socket}) {
                $select->remove($socket);
                delete $in{$socket};
                CORE::close $socket;
                next;
            }
            while ($in{$socket} =~ /\r\n\r\n/) {
                my $end = $+[0];
                my ($length) = substr($in{$socket}, 0, $end) =~ /^content-length: *(\d+)/mi;
                last if length $in{$socket} < $end + ($length // 0);
                substr($in{$socket}, 0, $end + ($length // 0), '');
                syswrite $socket, $self->{fast};
            }
        }
    }
    return;
}

sub _events {
    my ($self) = @_;
    open my $in, '<', "$self->{dir}/events" or return ();
    chomp(my @lines = <$in>);
    return @lines;
}

# What happened so far, as lines: "accept 0", "eof 0", "reset 0", "note 0 text", "done 0".
sub events { return $_[0]->_events }

# Waits for an event that matches. The line, or undef at the deadline.
sub wait_event {
    my ($self, $pattern, $seconds) = @_;
    my $until = time + ($seconds // Weir::Client::wait_seconds());
    while (1) {
        my ($found) = grep { /$pattern/ } $self->_events;
        return $found if defined $found;
        return if time > $until;
        select(undef, undef, undef, 0.005);
    }
}

sub connections { return scalar grep { /^accept / } $_[0]->_events }

# The raw bytes of each connection so far, in order of accepting.
sub received {
    my ($self) = @_;
    my @all;
    for my $index (0 .. $self->connections - 1) {
        my $bytes = '';
        if (open my $in, '<:raw', "$self->{dir}/in-$index") {
            local $/;
            $bytes = <$in> // '';
        }
        push @all, $bytes;
    }
    return @all;
}

# Every request head received, over all connections.
sub heads {
    my ($self) = @_;
    return map { /([A-Z]+ \S+ HTTP\/1\.\d\r\n.*?\r\n\r\n)/gs } $self->received;
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} // return;
    delete $running{$pid};
    kill 'TERM', -$pid;
    waitpid $pid, 0;
    return;
}

sub stop_all { $_->stop for values %running; return }

package Weir::Backend::Connection;

use parent -norequire, 'Weir::Client';

sub index { return $_[0]{index} }

sub on_bytes {
    my ($self, $bytes) = @_;
    open my $out, '>>:raw', "$self->{backend}{dir}/in-$self->{index}" or return;
    syswrite $out, $bytes;
    return;
}

# Something the test may wait for.
sub note {
    my ($self, $text) = @_;
    chomp $text;
    $self->{backend}->_event("note $self->{index} $text");
    return;
}

# Waits for the proxy to close this connection, and tells the test how it ended.
sub wait_close {
    my ($self, $seconds) = @_;
    $self->read_eof($seconds);
    $self->{backend}->_event(($self->{reset} ? 'reset' : $self->{eof} ? 'eof' : 'open') . " $self->{index}");
    return;
}

# The first word of the path: "/name/rest" is name.
sub case_of {
    my ($self, $head) = @_;
    return $head =~ m{^\S+ /([^/? ]+)} ? $1 : '';
}

# Answers requests until the proxy closes: $answer->($head, $body) gives the bytes of a response.
sub serve {
    my ($self, $answer) = @_;
    while (my ($head, $body) = $self->read_request) {
        $self->write($answer->($head, $body));
    }
    $self->{backend}->_event(($self->{reset} ? 'reset' : 'eof') . " $self->{index}") if $self->{eof};
    return;
}

1;
