# SPDX-License-Identifier: MIT
# Members of etcd, alone or of a cluster, that a test starts, freezes and kills.
package Weir::Etcd;
use strict;
use warnings;
use Exporter 'import';
use IO::Socket::IP;
use POSIX ();
use Test::More;
use Weir::Test ();

our @EXPORT = qw(needs_etcd etcd etcd_cluster);

my (%running, $members);
my $owner = $$;
END { local $?; $$ == $owner or return; kill 'CONT', keys %running; kill 'KILL', keys %running; waitpid $_, 0 for keys %running }

# The file is skipped where there is none.
sub needs_etcd {
    my @missing = grep { my $name = $_; !grep { -x "$_/$name" } split /:/, $ENV{PATH} } qw(etcd etcdctl);
    plan skip_all => 'no etcd here: apt-get install etcd-server etcd-client' if @missing;
    return;
}

# A member that takes connections: {url}, {at}, {port}, {pid}, {dir}. `scheme`, `name`, `peers` (of a cluster: name => port), `more` arguments,
# `dir` of one that has run, `is_slow`: it is not waited for.
sub etcd {
    my (%option) = @_;
    my ($name, $scheme, $port) = ($option{name} // 'm' . ++$members, $option{scheme} // 'http', $option{port} // Weir::Test::free_port());
    my $self = bless {
        name => $name, port => $port, at => "127.0.0.1:$port", url => "$scheme://127.0.0.1:$port", dir => $option{dir} // Weir::Test::temp_path('etcd'),
        log => Weir::Test::temp_path('etcd.log'), peers => $option{peers} // { $name => Weir::Test::free_port() }, more => $option{more} // []
    }, __PACKAGE__;
    $self->begin(is_slow => $option{is_slow});
    return $self;
}

# So many of them, which know each other.
sub etcd_cluster {
    my ($count, %option) = @_;
    my $prefix = 'c' . ++$members;
    my %peers = map { ("$prefix-$_" => Weir::Test::free_port()) } 1 .. $count;
    my @all = map { etcd(%option, name => $_, peers => \%peers, is_slow => 1) } sort keys %peers;
    $_->listens for @all;
    $all[0]->has_leader or diag('no leader');
    return @all;
}

sub command {
    my ($self) = @_;
    my $peer = "http://127.0.0.1:$self->{peers}{$self->{name}}";
    return ('etcd', '--name', $self->{name}, '--data-dir', $self->{dir}, '--unsafe-no-fsync', '--listen-client-urls', $self->{url}, '--advertise-client-urls', $self->{url},
        '--listen-peer-urls', $peer, '--initial-advertise-peer-urls', $peer, '--initial-cluster', join(',', map {"$_=http://127.0.0.1:$self->{peers}{$_}"} sort keys %{ $self->{peers} }),
        @{ $self->{more} });
}

# It runs, for the first time or again.
sub begin {
    my ($self, %option) = @_;
    my @command = $self->command;
    my $pid = fork // die $!;
    if (!$pid) {
        open STDOUT, '>>', $self->{log} or die $!;
        open STDERR, '>&', \*STDOUT or die $!;
        delete @ENV{ grep {/^ETCD/} keys %ENV };
        exec @command;
    }
    $running{ $self->{pid} = $pid } = 1;
    return $option{is_slow} || $self->listens;
}

sub listens {
    my ($self) = @_;
    return Weir::Test::wait_for(sub { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $self->{port}) }) || (diag(Weir::Test::read_file($self->{log})), 0)[1];
}

# It dies at once, or as the signal says.
sub ends {
    my ($self, $signal) = @_;
    my $pid = delete $self->{pid} // return;
    kill $signal // 'KILL', $pid;
    waitpid $pid, 0;
    delete $running{$pid};
    return;
}

# None of its threads runs any more: a signal alone may come after the next answer.
sub freezes {
    my ($self) = @_;
    kill 'STOP', $self->{pid};
    return Weir::Test::wait_for(sub { !grep { !m{\) [Tt] } } map { eval { Weir::Test::read_file($_) } // () } glob "/proc/$self->{pid}/task/*/stat" });
}

sub thaws { my ($self) = @_; return kill 'CONT', $self->{pid} }

# etcdctl's words, of this member: what run_command() says.
sub ctl { my ($self, @words) = @_; return Weir::Test::run_command({ env => { ETCDCTL_API => 3 } }, 'etcdctl', '--endpoints', $self->{url}, @words) }

# Whether it writes, as soon as it does.
sub has_leader { my ($self) = @_; return Weir::Test::wait_for(sub { $self->ctl(qw(--command-timeout 2s put /t/leader 1))->{exit} == 0 }) }

# Whether it is the leader of its cluster.
sub is_leader {
    my ($self) = @_;
    my $out = $self->ctl(qw(endpoint status --write-out fields))->{out};
    my ($id) = $out =~ /^"MemberID" : (\d+)$/m;
    return $out =~ /^"Leader" : (\d+)$/m && $1 eq ($id // '');
}

# Pairs of keys and values, one after the other; the last revision.
sub put {
    my ($self, @pairs) = @_;
    my $out = '';
    while (my ($key, $value) = splice @pairs, 0, 2) {
        my $run = $self->ctl('put', '--write-out', 'fields', '--', $key, $value);
        $run->{exit} == 0 or die "put $key: $run->{err}";
        $out = $run->{out};
    }
    return $out =~ /^"Revision" : (\d+)$/m ? $1 : undef;
}

# A key, or (`is_all`) all that begin with it; how many that was.
sub remove { my ($self, $key, $is_all) = @_; return 0 + $self->ctl('del', ($is_all ? '--prefix' : ()), '--', $key)->{out} }

# Many in one transaction: [ put => key, value ], [ del => key ].
sub writes {
    my ($self, @writes) = @_;
    my $quoted = sub { my $text = shift // return; $text =~ s/(["\\])/\\$1/g; return qq("$text") };
    my $file = Weir::Test::write_file(Weir::Test::temp_path('txn'), "\n" . join('', map { my ($verb, @words) = @$_; join(' ', $verb, map { $quoted->($_) } @words) . "\n" } @writes) . "\n\n");
    my $run = Weir::Test::run_command({ env => { ETCDCTL_API => 3 } }, 'sh', '-c', 'exec etcdctl --endpoints "$1" txn <"$2"', 'sh', $self->{url}, $file);
    $run->{out} =~ /^SUCCESS/m or die "txn: $run->{out}$run->{err}";
    return;
}

# All keys that begin with it: { key => value }.
sub all {
    my ($self, $prefix) = @_;
    my @lines = split /\n/, $self->ctl('get', '--prefix', '--', $prefix)->{out};
    return { @lines };
}

1;
