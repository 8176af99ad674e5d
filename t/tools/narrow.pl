# SPDX-License-Identifier: MIT
# narrow.pl PORT BACKLOG MS: a server that takes MS for each answer, and keeps book of what it had to bear. Its listen queue has room
# for BACKLOG connections.
#
# GET /paths says what was asked for, in this order. GET /report says what there was so far: requests, answers, connections; the most requests at a time, the most connections in the
# listen queue, and how many did not fit there; `ahead`, by how many the requests at a time were more than the answers before.
use strict;
use warnings;
use IO::Select;
use IO::Socket::IP;
use Socket qw(IPPROTO_TCP SOL_SOCKET);
use Time::HiRes qw(time);

use constant { TCP_INFO => 11, SO_MEMINFO => 55, TCPI_UNACKED_AT => 24, DROPS_AT => 8 };

my ($port, $backlog, $answer_ms) = @ARGV;
my $listener = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port, Listen => $backlog, ReuseAddr => 1) or die "listen: $@";
my $select = IO::Select->new($listener);
my (%in, %ends_at, %is_tunnel, @paths);
my %seen = map { $_ => 0 } qw(requests answers connections most queued dropped ahead);

sub at_least { my ($what, $value) = @_; $seen{$what} = $value if $value > $seen{$what}; return }

# Of a listener tcpi_unacked is the length of its queue; the last word of SO_MEMINFO counts what did not fit.
sub look_at_queue {
    my $length = unpack 'x' . TCPI_UNACKED_AT . 'L', getsockopt($listener, IPPROTO_TCP, TCP_INFO) // '';
    $seen{dropped} = (unpack 'L*', getsockopt($listener, SOL_SOCKET, SO_MEMINFO) // '')[DROPS_AT] // 0;
    at_least(queued => $length // 0);
    at_least(most => $length + keys %ends_at);
    at_least(ahead => $length + keys(%ends_at) - $seen{answers});
    return;
}

sub forget { my ($socket) = @_; $select->remove($socket); delete $_->{$socket} for \(%in, %ends_at, %is_tunnel); return close $socket }

sub report { return join '', map { "$_=$seen{$_}\n" } sort keys %seen }

sub write_all { my ($socket, $bytes) = @_; $socket->blocking(1); syswrite $socket, $bytes; return $socket->blocking(0) }

sub take {
    my ($socket) = @_;
    return forget($socket) unless sysread $socket, $in{$socket}, 65536, length($in{$socket} //= '');
    return write_all($socket, delete $in{$socket}) if $is_tunnel{$socket};
    return if $ends_at{$socket} || $in{$socket} !~ /\r\n\r\n/;
    my ($head, $body) = split /\r\n\r\n/, $in{$socket}, 2;
    my $length = $head =~ /^content-length: *(\d+)/mi ? $1 : 0;
    return if length $body < $length;
    if ($head =~ m{^GET /(report|paths) }) {
        my $text = $1 eq 'report' ? report() : join "\n", @paths;
        $in{$socket} = '';
        return write_all($socket, sprintf "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", length $text, $text);
    }
    push @paths, $head =~ m{^\S+ (\S+)};
    $seen{requests}++;
    $ends_at{$socket} = [ $socket, time + $answer_ms / 1000, $head =~ /^upgrade:/mi ];
    return;
}

sub answer {
    my ($socket, undef, $is_upgrade) = @{ delete $ends_at{ $_[0] } };
    $seen{answers}++;
    $in{$socket} = '';
    $is_tunnel{$socket} = $is_upgrade;
    return write_all($socket, $is_upgrade ? "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell");
}

while (getppid() != 1) {
    my @ready = $select->can_read(0.002);
    look_at_queue();
    for my $socket (@ready) {
        if ($socket != $listener) {
            take($socket);
            next;
        }
        my $new = $listener->accept or next;
        $new->blocking(0);
        $seen{connections}++;
        $select->add($new);
    }
    my $now = time;
    $ends_at{$_}[1] <= $now && answer($_) for keys %ends_at;
}
