# SPDX-License-Identifier: MIT
# Proxies that follow a store, and what their tables should be by its keys.
package Weir::State;
use strict;
use warnings;
use Exporter 'import';
use IO::Socket::UNIX;
use JSON::PP ();
use Weir::Admin ();
use Weir::Test ();

our @EXPORT = qw(follow_store admin source metric table table_of who accepts);

# A proxy that follows the store as `$said` (of `etcd`) has it; more as of weir.state. {admin}: where it is asked.
sub follow_store {
    my ($said, %option) = @_;
    my $admin = Weir::Test::temp_path('admin.sock');
    my $more = delete $option{proxy} // {};
    my $own = Weir::Test::proxy(router => { module => 'table', name => 'main', state => 'ON', %{ delete $more->{router} // {} } }, %$more,
        global => { 'weir.admin' => { path => $admin }, 'weir.state' => { etcd => $said, %option } });
    $own->{admin} = $admin;
    Weir::Test::wait_for(sub { IO::Socket::UNIX->new(Peer => $admin) }) or die 'no admin endpoint';
    return $own;
}

sub admin  { my ($own, @call) = @_; Weir::Admin::admin_path($own->{admin}); return Weir::Admin::call(@call) }
sub source { my ($own) = @_; return admin($own, GET => '/v1/sources')->{document}{sources}[0] }
sub metric { my ($own, $name) = @_; return (admin($own, GET => '/metrics')->{body} =~ /^\Q$name\E (\S+)$/m)[0] }

# What is held back may go: the status.
sub accepts { my ($own) = @_; return admin($own, POST => '/v1/sources/accept')->{status} }

# Who answers for the domain, or the status.
sub who { my ($own, $host) = @_; my $r = $own->ask("GET / HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n"); return $r->status == 200 ? $r->body : $r->status }

# Its apps.
sub table {
    my ($own) = @_;
    my %table;
    for my $app (@{ admin($own, GET => '/v1/apps?limit=10000')->{document}{apps} }) {
        $table{ $app->{app} } = { settings => $app->{settings}, domains => [ sort @{ $app->{domains} } ], backends => { map { ($_->{id} => "$_->{at} $_->{weight}") } @{ $app->{backends} } } };
    }
    return \%table;
}

# What they should be by these keys, whose values are read.
sub table_of {
    my ($keys) = @_;
    my %table;
    my $app = sub { return $table{ $_[0] } //= { settings => {}, domains => [], backends => {} } };
    for my $key (sort keys %$keys) {
        my ($kind, $name, $id) = split m{/}, $key;
        my $value = $keys->{$key};
        $app->($name)->{settings} = $value if $kind eq 'apps';
        $app->($name)->{backends}{$id} = "$value->{addr} " . ($value->{weight} // 100) if $kind eq 'backends';
        push @{ $app->($value->{app} // "redirect-to:$value->{redirect}")->{domains} }, $name if $kind eq 'domains';
    }
    return \%table;
}

1;
