# SPDX-License-Identifier: MIT
# Proxies that workers dial, and workers that do.
package Weir::Workers;
use strict;
use warnings;
use Exporter 'import';
use Weir::Http2Backend;
use Weir::Test ();

our @EXPORT = qw(host worker);

# A proxy that workers dial at its {workers}: with `app` of the app `name` (main), `endpoint` of weir.workers, and more as of proxy().
sub host {
    my (%option) = @_;
    my $port = delete $option{workers_port} // Weir::Test::free_port();
    my $name = delete $option{name} // 'main';
    my $app = { domains => ['*'], workers => 'ON', hold => Weir::Test::ms(10_000), %{ delete $option{app} // {} } };
    my $endpoint = { listen => "127.0.0.1:$port", auth => 'none', %{ delete $option{endpoint} // {} } };
    my $own = Weir::Test::proxy(apps => { $name => $app, %{ delete $option{apps} // {} } }, %option,
        global => { 'weir.workers' => $endpoint, %{ $option{global} // {} } });
    @$own{qw(workers worker_app)} = ($port, $name);
    return $own;
}

# One that dials it, by this id.
sub worker { my ($own, $id, @fields) = @_; return Weir::Http2Backend->start->dial($own->{workers}, $own->{worker_app}, $id, @fields) }

1;
