# SPDX-License-Identifier: MIT
package Weir::Dns;

# A name server of a test: UDP and TCP on one loopback port, in a process of its own. What it knows may be changed at any time, and
# every question is written down.
#
#   my $dns = Weir::Dns->start(dir => $dir, names => { 'a.test' => { a => [ '127.0.0.1' ], ttl => 60 } });
#   $dns->knows('a.test' => { silent => 1 });
#
# host and port: where it is, if not on a free port of 127.0.0.1.
# Of a name, all optional: a, aaaa => [ address, … ]; ttl in seconds (60); cname => the name that knows more;
# rcode => 'SERVFAIL'; silent => 1: no answer; truncated => 1: whole answers by TCP only. Who is not known does not exist.
use strict;
use warnings;
use Carp qw(croak);
use IO::Select;
use IO::Socket::IP;
use POSIX ();
use Socket qw(AF_INET6 SOCK_DGRAM inet_aton inet_pton);
use Storable ();
use Weir::Client;

my %running;
my $count = 0;
my %rcodes = (SERVFAIL => 2, NXDOMAIN => 3, REFUSED => 5);
my %types  = (1 => 'a', 28 => 'aaaa');

sub start {
    my ($class, %option) = @_;
    my $self = bless { names => $option{names} // {} }, $class;
    $self->{file} = "$option{dir}/dns-" . $count++;
    $self->_save;
    my ($udp, $tcp) = _sockets($option{host} // '127.0.0.1', $option{port} // 0);
    $self->{port} = $udp->sockport;
    my $parent = $$;
    defined(my $pid = fork) or croak "fork: $!";
    if ($pid == 0) {
        @SIG{qw(TERM INT HUP ALRM)} = ('DEFAULT') x 4;
        Weir::Client::close_all();
        eval { $self->_serve($udp, $tcp, $parent); 1 } or print STDERR "# dns: $@";
        POSIX::_exit(1);
    }
    $self->{pid} = $pid;
    $running{$pid} = $self;
    return $self;
}

# Both on one port.
sub _sockets {
    my ($host, $port) = @_;
    for (1 .. 100) {
        my $udp = IO::Socket::IP->new(LocalHost => $host, LocalPort => $port, Type => SOCK_DGRAM) // croak "udp: $@";
        my $tcp = IO::Socket::IP->new(LocalHost => $host, LocalPort => $udp->sockport, Listen => 16, ReuseAddr => 1);
        return ($udp, $tcp) if $tcp;
    }
    croak 'no port for both';
}

sub port    { return $_[0]{port} }
sub address { return "127.0.0.1:$_[0]{port}" }

# From now on; undef: it does not exist.
sub knows {
    my ($self, %names) = @_;
    while (my ($name, $what) = each %names) {
        $self->{names}{$name} = $what;
        delete $self->{names}{$name} if !defined $what;
    }
    $self->_save;
    return $self;
}

sub _save {
    my ($self) = @_;
    Storable::nstore($self->{names}, "$self->{file}.new");
    rename "$self->{file}.new", $self->{file} or croak "rename: $!";
    return;
}

# How often it was asked for a name's addresses of IPv4, in whatever way.
sub asked {
    my ($self, $name, $how) = @_;
    my $wanted = quotemeta $name;
    open my $in, '<', "$self->{file}.log" or return 0;
    return scalar grep { defined $how ? /^a $wanted $how$/ : /^a $wanted / } <$in>;
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} // return;
    delete $running{$pid};
    kill 'TERM', $pid;
    waitpid $pid, 0;
    return;
}

sub stop_all { $_->stop for values %running; return }

# ── the server ──

sub _serve {
    my ($self, $udp, $tcp, $parent) = @_;
    my $select = IO::Select->new($udp, $tcp);
    while (getppid() == $parent) {
        for my $socket ($select->can_read(1)) {
            if ($socket == $tcp) {
                $select->add($tcp->accept // next);
            } elsif ($socket == $udp) {
                my $from = recv $udp, my $question, 4096, 0;
                my $reply = $self->_reply($question, 'udp') // next;
                send $udp, $reply, 0, $from;
            } elsif (!$self->_serve_stream($socket)) {
                $select->remove($socket);
                close $socket;
            }
        }
    }
    return;
}

sub _serve_stream {
    my ($self, $socket) = @_;
    sysread($socket, my $head, 2) == 2 or return 0;
    sysread $socket, my $question, unpack 'n', $head or return 0;
    my $reply = $self->_reply($question, 'tcp') // return 1;
    return syswrite $socket, pack('n/a*', $reply);
}

# The first question of a message: its id, name, type and bytes.
sub _read_question {
    my ($message) = @_;
    my $id = unpack 'n', $message;
    my ($at, @labels) = (12);
    while (my $length = unpack "x$at C", $message) {
        push @labels, substr $message, $at + 1, $length;
        $at += $length + 1;
    }
    return ($id, lc join('.', @labels), unpack("x$at x n", $message), substr($message, 12, $at + 5 - 12));
}

sub _name_bytes { return join('', map { pack 'C/a*', $_ } split /\./, $_[0]) . "\0" }

sub _record { my ($name, $type, $ttl, $data) = @_; return _name_bytes($name) . pack('n n N n/a*', $type, 1, $ttl, $data) }

# The records of a name for one type, aliases first.
sub _records {
    my ($names, $name, $type) = @_;
    my $known = $names->{$name} // return ();
    my $ttl = $known->{ttl} // 60;
    return (_record($name, 5, $ttl, _name_bytes($known->{cname})), _records($names, $known->{cname}, $type)) if $known->{cname};
    my $key = $types{$type} // return ();
    return map { _record($name, $type, $ttl, $key eq 'a' ? inet_aton($_) : inet_pton(AF_INET6, $_)) } @{ $known->{$key} // [] };
}

sub _reply {
    my ($self, $message, $how) = @_;
    my ($id, $name, $type, $question) = _read_question($message);
    my $names = Storable::retrieve($self->{file});    # before it is told that somebody has asked
    open my $log, '>>', "$self->{file}.log" or die "log: $!";
    syswrite $log, ($types{$type} // $type) . " $name $how\n";
    my $known = $names->{$name};
    return if $known && $known->{silent};
    my $rcode = $known ? $rcodes{ $known->{rcode} // '' } // 0 : $rcodes{NXDOMAIN};
    my $is_cut = $known && $known->{truncated} && $how eq 'udp';
    my @records = $rcode || $is_cut ? () : _records($names, $name, $type);
    return pack('n n n n n n', $id, 0x8180 | ($is_cut ? 0x200 : 0) | $rcode, 1, scalar @records, 0, 0) . $question . join '', @records;
}

1;
