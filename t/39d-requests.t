# SPDX-License-Identifier: MIT
# weir explain --request-id: what has become of a request, as the rings of the loops remember it.
use lib 't/lib';
use Weir::Test;
use JSON::PP ();

my $path = temp_path('admin.sock');
my $dead = '127.0.0.1:' . refusing_port();
my ($one, $two) = map { ok_backend($_) } qw(one two);
my @tiers = ({ at => $dead, id => 'lost' }, { at => $two->address, id => 'two', tier => 1 });

sub steered { my ($number, %more) = @_; my $proxy = proxy(%more, global => { 'weir.admin' => { path => "$path.$number" }, %{ $more{global} // {} } });
    ok(wait_for { -S "$path.$number" }, 'the endpoint is there'); return $proxy }

# What is told of an id: status and output, or the first document.
sub told { my ($number, $id, @more) = @_; return weir('explain', '-s', "$path.$number", '--request-id', $id, @more) }
sub document { my $run = told(@_, '--json'); return $run->{exit} == 0 ? JSON::PP::decode_json($run->{out})->{requests}[0] : undef }

my $proxy = steered(1, router => { module => 'table', apps => {
    tiers => { domains => ['tiers.test'], backends => [ { at => $one->address, id => 'one' } ] },
    alone => { domains => ['alone.test'], backends => [ { at => $dead, id => 'lost' } ] } } });

sub get {
    my ($host, $target, $headers) = @_;
    my $text = join '', map { "$_\r\n" } @{ $headers // [] };
    return $proxy->ask("GET $target HTTP/1.1\r\nHost: $host.test\r\n${text}Connection: close\r\n\r\n");
}

subtest 'what has become of a request' => sub {
    is(get('alone', '/', ['X-Request-Id: failed-0000000000001'])->{status}, 503, 'one fails');
    my $failed = document(1, 'failed-0000000000001');
    is("$failed->{id} $failed->{app} $failed->{status} $failed->{backend}", 'failed-0000000000001 alone 503 lost', 'it is remembered');
    like($failed->{reason}, qr/^(?:backend_refused|backends_ill)$/, 'with its reason');
    like($failed->{router}, qr/^app=alone /, 'and what its router says');
    is(get('tiers', '/', ['X-Request-Id: good-0000000000000001'])->{status}, 200, 'one goes well');
    ok(wait_for { document(1, 'good-0000000000000001') || !get('tiers', '/', ['X-Request-Id: good-0000000000000001']) }, 'it is, too, in a quiet moment');
    my $good = document(1, 'good-0000000000000001');
    is("$good->{status} $good->{backend_status} $good->{tries} $good->{backend}", '200 200 1 one', 'how it was');
    cmp_ok($good->{total_us}, '>=', $good->{head_us}, 'and how long it took');
    my $long = 'l' x 100;
    is(get('alone', '/', ["X-Request-Id: $long"])->{status}, 503, 'one with a long id');
    is(document(1, $long)->{id}, 'l' x 32, 'of which the beginning is kept');
    is(told(1, 'l' x 99 . 'm')->{exit}, 1, 'and which is told from others');
};

is(told(1, 'none')->{exit}, 1, 'one of which nothing is known');
like(told(1, 'none')->{err}, qr/no request of this id/, 'and it says so');

subtest 'one that was tried again' => sub {
    my $other = steered(2, apps => { two => { domains => ['*'], backends => \@tiers } });
    is($other->ask("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: again-00000000000001\r\nConnection: close\r\n\r\n")->{body}, 'two', 'the second one answers');
    my $run = told(2, 'again-00000000000001');
    is($run->{exit}, 0);
    like($run->{out}, qr{^request   again-00000000000001 at \S+: 200; }m, 'what has become of it');
    like($run->{out}, qr{^app       two; queue 0\.0 ms; 2 tries$}m, 'in how many tries');
    like($run->{out}, qr{^tries     lost: backend_refused, reached none, \d+\.\d ms\n          two: 200, connected after}m, 'which');
    like($run->{out}, qr{^router    app=two pick=\S+ retry=connect$}m, 'and why');
};

subtest 'a ring of none' => sub {
    my $none = steered(3, global => { 'weir.explain-ring' => 0 }, backends => [ $one->address ]);
    is($none->ask("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: nothing-0000000001\r\nConnection: close\r\n\r\n")->{status}, 200);
    my $run = told(3, 'nothing-0000000001');
    is($run->{exit}, 1, 'nothing is remembered');
    like($run->{err}, qr/weir\.explain-ring is 0/, 'and it says why');
};

refuses_config("listen: 8080\nweir.explain-ring: many\nhosts: { default: { paths: { /: { file.dir: /tmp } } } }\n", qr/2: weir\.explain-ring/, 'no number');
done_testing;
