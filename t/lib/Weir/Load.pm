# SPDX-License-Identifier: MIT
# Clients that ask without a pause, each on one connection of its own that must last, in processes of their own. A test changes the
# proxy meanwhile, waits until each of them has had some more answers, and asks at the end what they have seen.
package Weir::Load;
use strict;
use warnings;
use Carp qw(croak);
use JSON::PP ();
use POSIX ();
use Weir::Client;
use Weir::Http2Client;

use constant { WORD => 8, MOST_WRONG => 5 };

my @running;

# start($proxy, kinds => [qw(get post h2)], host => 'live.test', body => qr/…/, headers => "Name: value\r\n"): a client of each kind.
sub start {
    my ($class, $proxy, %option) = @_;
    my $dir = Weir::Test::temp_path('load');
    mkdir $dir or croak "$dir: $!";
    my $self = bless { dir => $dir, clients => [] }, $class;
    push @running, $self;
    for my $kind (@{ $option{kinds} }) {
        my $name = scalar(@{ $self->{clients} }) . "-$kind";
        Weir::Test::write_file("$dir/$name.count", pack 'Q', 0);
        push @{ $self->{clients} }, { name => $name, pid => _fork($self, $proxy->port, $name, $kind, \%option) };
    }
    return $self;
}

sub _fork {
    my ($self, $port, $name, $kind, $option) = @_;
    my $parent = $$;
    defined(my $pid = fork) or croak "fork: $!";
    return $pid if $pid;
    @SIG{qw(TERM INT HUP ALRM)} = ('DEFAULT') x 4;
    Weir::Client::close_all();
    my $seen = eval { _ask_on($self, $port, $name, $kind, $parent, $option) } // { wrong => ["died: $@"], answers => 0 };
    Weir::Test::write_file("$self->{dir}/$name.seen", JSON::PP->new->latin1->encode($seen));
    POSIX::_exit(0);
}

# Until the file `stop` is there, or the test is gone.
sub _ask_on {
    my ($self, $port, $name, $kind, $parent, $option) = @_;
    my $ask = $kind eq 'h2' ? _http2($port, $option) : _http1($port, $kind, $option);
    my ($answers, @wrong) = (0);
    sysopen my $count, "$self->{dir}/$name.count", POSIX::O_WRONLY() or die "$name.count: $!";
    while (!-e "$self->{dir}/stop" && getppid() == $parent && @wrong < MOST_WRONG) {
        my ($status, $body) = $ask->($answers);
        if   ($status == 200 && $body =~ $option->{body}) { $answers++ }
        else                                              { push @wrong, "answer $answers: $status " . substr $body, 0, 80 }
        sysseek $count, 0, 0;
        syswrite $count, pack 'Q', $answers;
    }
    return { answers => $answers, wrong => \@wrong };
}

# One connection, and never another one: what a closed one has instead of an answer is status 0.
sub _http1 {
    my ($port, $kind, $option) = @_;
    my $client = Weir::Client->connect($port) // die "cannot connect: $!";
    my $fields = "Host: $option->{host}\r\n" . ($option->{headers} // '');
    my $text   = $kind eq 'post' ? "POST /post HTTP/1.1\r\n${fields}Content-Length: 500\r\n\r\n" . 'x' x 500 : "GET /get HTTP/1.1\r\n$fields\r\n";
    return sub {
        $client->write($text);
        my $response = $client->read_response(seconds => 3 * Weir::Client::wait_seconds());
        return (0, 'the connection is closed') if $client->is_eof || !$response->is_complete || $response->says_close;
        return ($response->status, $response->body);
    };
}

sub _http2 {
    my ($port, $option) = @_;
    my $client = Weir::Http2Client->connect($port);
    return sub {
        my $id = $client->request(path => '/h2', pseudo => { ':authority' => $option->{host} });
        my $stream = $client->response($id, 3 * Weir::Client::wait_seconds());
        return (0, 'the connection is closed') if @{ $client->connection->{goaways} };
        return ($stream->{status}, $stream->{body});
    };
}

sub _counts {
    my ($self) = @_;
    return map { unpack 'Q', Weir::Test::read_file("$self->{dir}/$_->{name}.count") } @{ $self->{clients} };
}

# Waits until each client has had so many more right answers. False at the deadline, or if one has given up.
sub goes_on {
    my ($self, $count) = @_;
    my @from = $self->_counts;
    my $given_up = 0;
    return Weir::Test::wait_for {
        my @now = $self->_counts;
        $given_up ||= grep { -e "$self->{dir}/$_->{name}.seen" } @{ $self->{clients} };
        $given_up || !grep { $now[$_] < $from[$_] + $count } 0 .. $#now;
    } && !$given_up;
}

# Ends them. What they have seen: { answers => all of them, wrong => [what was no right answer] }
sub finish {
    my ($self) = @_;
    Weir::Test::write_file("$self->{dir}/stop", '');
    my %all = (answers => 0, wrong => []);
    for my $client (splice @{ $self->{clients} }) {
        waitpid $client->{pid}, 0;
        my $seen = JSON::PP->new->latin1->decode(Weir::Test::read_file("$self->{dir}/$client->{name}.seen"));
        $all{answers} += $seen->{answers};
        push @{ $all{wrong} }, map {"$client->{name}: $_"} @{ $seen->{wrong} };
    }
    return \%all;
}

1;
