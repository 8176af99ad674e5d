# SPDX-License-Identifier: MIT
# weir.trace: a client's traceparent goes on with a span of ours, another one begins where there is none, and the log has its id.
use lib 't/lib';
use Weir::Test;
use Weir::FastCGI;
use Weir::Http2Backend;
use Weir::Http2Client;

my $trace  = '0af7651916cd43dd8448eb211c80319c';
my $caller = 'b7ad6b7169203331';
my $valid  = "00-$trace-$caller-01";
my $new    = qr/00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00/;
my @on     = (global => { 'weir.trace' => 'ON' });
my $echo   = echo_backend();

# All values of a header in a text of lines "Name: value", in order.
sub values_of {
    my ($name, $text) = @_;
    return join ' | ', map { /^\Q$name\E: (.*?)\r?$/i ? $1 : () } split /\n/, $text;
}

# What the backend got for such headers: its traceparent and its tracestate.
sub passed {
    my ($proxy, $path, $headers) = @_;
    my $body = $proxy->get($path, $headers)->body;
    return (values_of('traceparent', $body), values_of('tracestate', $body));
}

subtest 'a valid one' => sub {
    my $proxy = proxy(backends => [$echo], @on);
    my ($parent, $state) = passed($proxy, '/valid', "traceparent: $valid\r\ntracestate: a=1,b=2\r\ntracestate: c=3\r\n");
    like($parent, qr/^00-$trace-(?!$caller)(?!0{16})[0-9a-f]{16}-01$/, 'goes on with a span of ours');
    is($state, 'a=1,b=2 | c=3', 'and tracestate with it, as it came');
    is($proxy->log_where(path => '/valid')->{trace}, $trace, 'the log has the trace id');
    my ($again) = passed($proxy, '/again', "TraceParent:  $valid \r\n");
    like($again, qr/^00-$trace-[0-9a-f]{16}-01$/, 'whatever the case of its name, and blanks around it');
    isnt($again, $parent, 'each request has a span of its own');
    like((passed($proxy, '/flags', "traceparent: 00-$trace-$caller-00\r\n"))[0], qr/^00-$trace-[0-9a-f]{16}-00$/, 'not sampled is not sampled');
    like((passed($proxy, '/later', "traceparent: cc-$trace-$caller-01-more\r\n"))[0], qr/^00-$trace-[0-9a-f]{16}-01$/, 'a later version becomes ours');
};

subtest 'none' => sub {
    my $proxy = proxy(backends => [$echo], @on);
    my ($parent, $state) = passed($proxy, '/none', "tracestate: a=1\r\n");
    like($parent, qr/^$new$/, 'begins here');
    is($state, '', 'with no state of another trace');
    is($proxy->log_where(path => '/none')->{trace}, substr($parent, 3, 32), 'the log has its id');
    isnt((passed($proxy, '/another'))[0], $parent, 'and another request another one');
};

subtest 'one that is invalid is as good as none' => sub {
    my $proxy = proxy(backends => [$echo], @on);
    my %invalid = (
        version => "ff-$trace-$caller-01", trace => '00-' . '0' x 32 . "-$caller-01", parent => "00-$trace-" . '0' x 16 . '-01', upper => '00-' . uc($trace) . "-$caller-01",
        short => "00-$trace-$caller-1", long => "00-$trace-$caller-01-more", word => 'nonsense', empty => '',
    );
    for my $name (sort keys %invalid) {
        my ($parent, $state) = passed($proxy, "/$name", "traceparent: $invalid{$name}\r\ntracestate: a=1\r\n");
        like($parent, qr/^$new$/, "$name: $invalid{$name}");
        unlike($parent, qr/$trace/, 'another trace begins');
        is($state, '', 'tracestate is removed');
        is($proxy->log_where(path => "/$name")->{trace}, substr($parent, 3, 32), 'the log has the new one');
    }
    my ($parent, $state) = passed($proxy, '/two', "traceparent: $valid\r\ntracestate: a=1\r\ntraceparent: $valid\r\n");
    like($parent, qr/^$new$/, 'two of them');
    is($state, '', 'tracestate is removed');
};

subtest 'requests that no backend gets' => sub {
    my $proxy = proxy(apps => { dead => { domains => ['dead'], backends => [ '127.0.0.1:' . refusing_port() ] } }, @on);
    is($proxy->ask("GET /$_ HTTP/1.1\r\nHost: $_\r\ntraceparent: $valid\r\n\r\n")->status >= 400, 1, "$_: refused") for qw(dead nobody);
    is($proxy->log_where(path => "/$_")->{trace}, $trace, "$_: the log has the trace id") for qw(dead nobody);
    $proxy->ask("GET /new HTTP/1.1\r\nHost: nobody\r\n\r\n");
    like($proxy->log_where(path => '/new')->{trace}, qr/^[0-9a-f]{32}$/, 'or a new one');
    is($proxy->ask("nonsense\r\n\r\n")->status, 400, 'what is no request');
    is($proxy->log_where(code => 'bad_request_line')->{trace}, undef, 'has none');
};

subtest 'a backend that is tried second' => sub {
    my $proxy = proxy(backends => [ '127.0.0.1:' . refusing_port(), $echo ], @on);
    for my $n (1 .. 3) { # whichever comes first
        my ($parent) = passed($proxy, "/second$n", "traceparent: $valid\r\n");
        like($parent, qr/^00-$trace-[0-9a-f]{16}-01$/, 'gets it once');
    }
};

subtest 'a router that sets it itself' => sub {
    my $own = "00-$caller$caller-$caller-00";
    my $proxy = proxy(path => { 'proxy.reverse.url' => 'http://' . $echo->address . '/', 'proxy.header.set' => "traceparent: $own" }, @on);
    my ($parent) = passed($proxy, '/own', "traceparent: $valid\r\n");
    is($parent, $own, 'has the last word');
};

subtest 'OFF' => sub {
    my $proxy = proxy(backends => [$echo]);
    my ($parent, $state) = passed($proxy, '/off', "traceparent: nonsense\r\ntraceparent: $valid\r\ntracestate: a=1\r\n");
    is("$parent, $state", "nonsense | $valid, a=1", 'both headers go on as they came');
    is(join(',', passed($proxy, '/nothing')), ',', 'and none is made');
    ok(!exists $proxy->log_where(path => '/off')->{trace}, 'the log has no field');
};

subtest 'HTTP/2' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    my $h2c = Weir::Http2Backend->start;
    my $proxy = proxy(apps => { one => { domains => ['one'], backends => [ $echo->address ] }, two => { domains => ['two'], protocol => 'h2c', backends => [ $h2c->address ] } }, @on);
    my $client = Weir::Http2Client->connect($proxy->port);
    my $r = $client->response($client->request(path => '/one', pseudo => { ':authority' => 'one' }, headers => [ [ traceparent => $valid ], [ tracestate => 'a=1' ] ]));
    like(values_of('traceparent', $r->{body}), qr/^00-$trace-(?!$caller)[0-9a-f]{16}-01$/, 'with clients');
    is(values_of('tracestate', $r->{body}), 'a=1', 'and its state');
    is($proxy->log_where(path => '/one')->{trace}, $trace, 'in the log');
    for my $case ([ "traceparent: $valid\r\ntracestate: a=1\r\n", qr/^00-$trace-(?!$caller)[0-9a-f]{16}-01$/, 'a=1' ], [ "tracestate: a=1\r\n", qr/^$new$/, '' ]) {
        my ($headers, $parent, $state) = @$case;
        my $told = Weir::Http2Backend->told($proxy->ask("GET /echo HTTP/1.1\r\nHost: two\r\n$headers\r\n"));
        my %field = map { @$_ } @{ $told->{headers} };
        like($field{traceparent}, $parent, 'with backends');
        is($field{tracestate} // '', $state, 'and its state');
    }
};

subtest 'FastCGI' => sub {
    my $application = fastcgi_backend(sub { whole(join "\n", map { ($_[1]{params}{$_} // 'none') } qw(HTTP_TRACEPARENT HTTP_TRACESTATE)) });
    my $proxy = proxy(backends => [$application], app => { protocol => 'fastcgi', root => '/srv/www' }, @on);
    like($proxy->get('/a.php', "traceparent: $valid\r\ntracestate: a=1\r\ntracestate: b=2\r\n")->body, qr/^00-$trace-(?!$caller)[0-9a-f]{16}-01\na=1, b=2$/, 'is told by parameters');
    like($proxy->get('/a.php', "tracestate: a=1\r\n")->body, qr/^$new\nnone$/, 'of a new one, too');
};

subtest 'a WebSocket' => sub {
    my $switch = backend(sub {
        my $c = shift;
        my $head = $c->read_head;
        $c->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\nX-Parent: " . values_of('traceparent', $head) . "\r\n\r\n");
    });
    my $proxy = proxy(backends => [$switch], @on);
    my $client = $proxy->connect;
    $client->write("GET /switch HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\ntraceparent: $valid\r\n\r\n");
    like($client->read_head, qr/^X-Parent: 00-$trace-(?!$caller)[0-9a-f]{16}-01\r$/m, 'has it, too');
};

done_testing;
