# SPDX-License-Identifier: MIT
# What the access log calls an application and a service: what the router says of this request, else how it describes them, else
# the address.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;

my $ok      = ok_backend('ok');
my $broken  = backend(sub { $_[0]->read_head });
my $refuses = '127.0.0.1:' . refusing_port();
my $describing = router_so('names', '-DDESCRIBES');
my $proxy = proxy(router => { module => $describing, backends => [ $ok->address ] });
my $plain = proxy(router => { module => router_so('names'), backends => [ $ok->address ] });

# The names in the line of a request with these orders.
my $count = 0;
sub names {
    my ($from, $do) = @_;
    my $path = '/' . ++$count;
    $from->get($path, "X-Do: $do\r\n");
    my $line = $from->log_where(path => $path);
    return join ' ', map { defined $line->{$_} ? "$_=$line->{$_}" : () } qw(app dyno asked);
}

my $address = $ok->address;
for my $case (
    [ 'a router that says nothing'                => $plain, '',                                  "dyno=$address asked=0/0" ],
    [ 'one that names both, of this request'      => $plain, 'app=shop name=web.1',               'app=shop dyno=web.1 asked=0/0' ],
    [ 'one that describes both'                   => $proxy, 'group=shop service=web.!',          'app=shop dyno=web.0 asked=1/1' ],
    [ 'what is said of this request comes first'  => $proxy, 'group=g service=s app=shop name=w', 'app=shop dyno=w asked=0/1' ],
    [ 'what is said without a word is not said'   => $proxy, 'group=g service=s app= name=',      'app=g dyno=s asked=1/1' ],
    [ 'a description without a name'              => $proxy, 'other',                             "dyno=$address asked=1/1" ],
    [ 'a description with more than a name'       => $proxy, 'other group=g service=s',           'app=g dyno=s asked=1/1' ],
    [ 'a description whose name is empty'         => $proxy, 'group= service=',                   "dyno=$address asked=1/1" ],
    [ 'names with spaces'                         => $proxy, 'group=the_shop service=web_no_1',   'app=the shop dyno=web no 1 asked=1/1' ],
    [ 'a group that is NULL'                      => $proxy, 'none service=s',                    'app=nobody dyno=s asked=0/1' ],
    [ 'an address that is none'                   => $proxy, 'group=g bad service=web.!',         'app=g dyno=web.0 asked=1/1' ],
    [ 'refused in init: nobody knows the app'     => $proxy, 'group=g service=s init',            'dyno= asked=0/0' ],
    [ 'refused in the lookup'                     => $proxy, 'group=g service=s app=shop lookup', 'dyno= asked=0/0' ],
    [ 'refused in the checkout'                   => $proxy, 'group=g service=s checkout',        'app=g dyno= asked=1/0' ],
) {
    my ($name, $from, $do, $want) = @$case;
    is(names($from, $do), $want, $name);
}

subtest 'several services' => sub {
    my $own = proxy(router => { module => $describing, backends => [ $refuses, $broken->address, $address ] });
    is(names($own, 'group=shop service=web.!'), 'app=shop dyno=web.2 asked=1/2', 'the last one counts, behind a failed connect and a retry');
    is(names($own, 'group=shop'), "app=shop dyno=$address asked=1/2", 'by its address as well');
    my $none = proxy(router => { module => $describing, backends => [ $broken->address, $refuses ] });
    is(names($none, 'group=shop service=web.!'), 'app=shop dyno=web.1 asked=1/2', 'where none is left, the one that was tried last');
};

subtest 'quotes' => sub {
    names($proxy, 'app=a"b\\c name=d"e');
    my $line = $proxy->log_where(app => 'a"b\\c');
    is($line->{dyno}, 'd"e', 'do not break the line');
};

subtest 'a client of HTTP/2' => sub {
    my $client = Weir::Http2Client->connect($proxy->port);
    is($client->get('/two', headers => [ [ 'x-do', 'group=shop service=web.!' ] ])->{status}, 200, 'is served');
    my $line = $proxy->log_where(path => '/two');
    is("$line->{app} $line->{dyno}", 'shop web.0', 'under the same names');
};

$proxy->get('/moved', "X-Do: redirect\r\n");
is($proxy->log_where(path => '/moved')->{app}, undef, 'a redirect has no group to be described');

done_testing;
