# SPDX-License-Identifier: MIT
package Weir::Http2Backend;

# Backends that speak HTTP/2: t/tools/h2_backend.py, one process each, which answers as the request's path says and writes down
# what the test may wait for.
use strict;
use warnings;
use Carp qw(croak);
use IPC::Open2 ();
use JSON::PP ();
use Weir::Client;
use Weir::Test ();

my %running;

# python() in debian.txt: the distribution's own, which has the distribution's modules.
sub python { return $ENV{WEIR_PYTHON} // '/usr/bin/python3' }

# h2_backend.py with this greeting, or another script of t/tools that prints its port and ends with its standard input.
sub start {
    my ($class, %option) = @_;
    my $self = bless { %option, events => Weir::Test::temp_path('h2-events') }, $class;
    my $script = Weir::Test::root_dir() . '/t/tools/' . ($option{script} // 'h2_backend.py');
    my @command = (python(), '-B', $script, $self->{events}, $option{greeting} // ());
    local $SIG{CHLD} = 'DEFAULT';
    $self->{pid} = IPC::Open2::open2(my $out, my $in, @command);
    $self->{in} = $in;
    my $port = <$out>;
    croak "@command did not start" unless defined $port;
    ($self->{port}) = $port =~ /^(\d+)$/ or croak "@command said $port";
    $running{ $self->{pid} } = $self;
    return $self;
}

# Has it dial a proxy, as a worker of the app: `fields` are lines of its request. Without an id (undef) the proxy makes one.
sub dial {
    my ($self, $port, $app, $id, @fields) = @_;
    syswrite $self->{in}, join('|', 'dial', '127.0.0.1', $port, $app, $id // '-', @fields) . "\n";
    return $self;
}

# What it answers to /up and to checks of gRPC from now on: a status, busy, hang.
sub set_mood {
    my ($self, $mood) = @_;
    rename Weir::Test::write_file("$self->{events}.mood.new", $mood), "$self->{events}.mood";
    return;
}

# Dials nobody any more: says good-bye (GOAWAY) where it is connected, and finishes what it has.
sub leave {
    my ($self) = @_;
    my $before = $self->count(qr/^leaves/);
    syswrite $self->{in}, "leave\n";
    Weir::Test::wait_for(sub { $self->count(qr/^leaves/) > $before });
    return;
}

# Who listens there.
sub at { my ($class, $address) = @_; return (grep { $_->address eq $address } values %running)[0] }

sub port    { return $_[0]{port} }
sub address { return "127.0.0.1:$_[0]{port}" }

sub events {
    my ($self) = @_;
    open my $in, '<', $self->{events} or return ();
    chomp(my @lines = <$in>);
    return @lines;
}

sub connections { return scalar grep { /^accept / } $_[0]->events }
sub count       { my ($self, $pattern) = @_; return scalar grep { /$pattern/ } $self->events }

# Waits for an event that matches. The line, or undef at the deadline.
sub wait_event {
    my ($self, $pattern, $seconds) = @_;
    my $found;
    Weir::Test::wait_for(sub { ($found) = grep { /$pattern/ } $self->events; defined $found }, $seconds);
    return $found;
}

# What /echo answers.
sub told { return JSON::PP::decode_json($_[1]->body) }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    delete $running{$pid};
    close $self->{in};
    kill 'TERM', $pid;
    waitpid $pid, 0;
    return;
}

sub stop_all { $_->stop for values %running; return }
END { local $?; stop_all() }

1;
