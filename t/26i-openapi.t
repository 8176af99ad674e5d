# SPDX-License-Identifier: MIT
# What openapi.json says of the admin endpoint, held against what answers: every path, method, status and document.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;
use Weir::Schema;
use JSON::PP ();

admin_path(temp_path('admin.sock'));
my ($one, $two) = map { ok_backend($_) } qw(one two);
my $dead = '127.0.0.1:' . refusing_port();
my %table = (module => 'table', name => 'main', apps => {
    shop => { domains => ['shop.test'], affinity => { cookie => 'stay' }, backends => [ { at => $one->address, id => 'one', labels => { rack => 'a' } }, { at => $two->address, id => 'two' } ] },
    lost => { domains => ['lost.test'], backends => [ { at => $dead, id => 'dead' } ] } });
my $proxy = proxy(global => { 'weir.admin' => { path => admin_path() }, 'weir.metrics-apps' => 'ON' }, paths => { '/' => { 'weir.router' => \%table } });
ok(wait_for { -S admin_path() }, 'the endpoint is there');
$proxy->ask("GET / HTTP/1.1\r\nHost: $_.test\r\nX-Request-Id: of-$_-000000000000000\r\nConnection: close\r\n\r\n") for qw(shop lost);

my $got = call(GET => '/v1/openapi.json');
is($got->{status}, 200, 'it is served');
is($got->{body}, read_file(root_dir() . '/lib/admin/openapi.json'), 'as it stands in the tree');
my $api    = $got->{document};
my $schema = Weir::Schema->new($api);
my @methods = qw(get put post patch delete options);

# The operation for a method at a path.
sub operation { my ($method, $path) = @_; return ref $api->{paths}{$path} ? $api->{paths}{$path}{ lc $method } : undef }

# Whether an answer is as the operation says.
sub fits {
    my ($operation, $answer, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $response = $schema->resolve($operation->{responses}{ $answer->{status} });
    return fail("$what: $answer->{status} is not described") if !$response;
    for my $name (sort keys %{ $response->{headers} // {} }) {
        my $header = $schema->resolve($response->{headers}{$name});
        my $value = $answer->{fields}{ lc $name };
        my @wrong = !defined $value ? 'is not there' : $schema->troubles($header->{schema}, $name eq 'Weir-Seq' ? 0 + $value : $value);
        is("@wrong", '', "$what: $name") if @wrong;
    }
    return is($answer->{body}, '', "$what: nothing") if !$response->{content};
    my $type = ($answer->{fields}{'content-type'} // '') =~ s/;.*//r;
    return fail("$what: $type is not described") if !$response->{content}{$type};
    my ($line) = $type eq 'application/x-ndjson' ? lines_of($answer->{body}) : $answer->{document} // $answer->{body};
    return is(join("\n", $schema->troubles($response->{content}{$type}{schema}, $line)), '', "$what: $answer->{status} $type");
}

# What it says of itself: names in a target that nobody knows, and bodies that it does not take.
sub is_asked_well {
    my ($operation, $path, $target, $body, $fields) = @_;
    my %known = map { ("$_->{in} $_->{name}" => 1) } map { $schema->resolve($_) } @{ $operation->{parameters} // [] };
    my @asked = ((map { "query $_" } $target =~ /[?&](\w+)=/g), map { "header $_" } keys %$fields);
    my @unknown = grep { !$known{$_} } @asked;
    return @unknown ? "@unknown" : () if !defined $body;
    my $request = $operation->{requestBody} // return 'takes no body';
    return (@unknown, $schema->troubles($request->{content}{'application/json'}{schema}, $body));
}

my %new = (domains => ['new.test'], settings => { queue => { length => 7 } }, backends => [ $two->address, { at => $one->address, id => 'n', zone => 'z' } ]);

# Method, path, target, expected status, body, fields. Each leaves behind what was there before.
sub process_calls {
    return (
        [ GET => '/', '/', 200 ],
        [ GET => '/v1', '/v1', 200 ],
        [ GET => '/v1/openapi.json', '/v1/openapi.json', 200 ],
        [ GET => '/v1/version', '/v1/version', 200 ],
        [ GET => '/v1/routers', '/v1/routers', 200 ],
        (map { [ GET => $_, $_, 200 ] } qw(/metrics /livez /readyz /ready /v1/sources)),
        [ POST => '/v1/sources/accept', '/v1/sources/accept', 404 ],
        [ POST => '/v1/reload', '/v1/reload', 200 ],
        [ POST => '/v1/upgrade', '/v1/upgrade', 403, undef, Origin => 'http://evil.test' ],
        [ GET => '/v1/connections', '/v1/connections?limit=10', 200 ],
        [ GET => '/v1/certificates', '/v1/certificates?expires_in=10', 200 ],
        [ GET => '/v1/top', '/v1/top', 200 ],
        [ GET => '/v1/top', '/v1/top?limit=1&sort=errors', 200 ],
        [ GET => '/v1/top', '/v1/top?sort=x', 400 ],
        [ GET => '/v1/routers/{router}/top', '/v1/routers/main/top?limit=1', 200 ],
        [ GET => '/v1/routers/{router}/top', '/v1/routers/none/top', 404 ],
        (map { [ POST => '/v1/explain', '/v1/explain', 200, { url => "http://$_.test/", headers => { Cookie => 'a=b' }, from => '192.0.2.1', seed => 1 } ] } qw(shop lost nobody)),
        [ POST => '/v1/explain', '/v1/explain?text=1', 200, { url => 'http://shop.test/' } ],
        [ POST => '/v1/explain', '/v1/explain', 422, { what => 1 } ],
        [ POST => '/v1/explain', '/v1/explain', 400, '{' ],
        (map { [ GET => '/v1/requests/{request}', "/v1/requests/of-lost-000000000000000$_", 200 ] } '', '?text=1'),
        [ GET => '/v1/requests/{request}', '/v1/requests/none', 404 ],
    );
}

# The same behind /v1 and behind /v1/routers/main.
sub router_calls {
    my $seq   = call(GET => '/v1/apps')->{document}{seq};
    my $state = call(GET => '/v1/state')->{document};
    my @stale = ('If-Match' => '"999999"');
    return (
        [ GET => '/apps', '/apps', 200 ],
        [ GET => '/apps', '/apps?prefix=s&after=a&limit=1', 200 ],
        [ GET => '/apps/{app}', '/apps/shop', 200 ],
        [ GET => '/apps/{app}', '/apps/shop?effective=1', 200 ],
        [ GET => '/apps/{app}', '/apps/none', 404 ],
        [ PUT => '/apps/{app}', '/apps/new', 201, \%new, 'If-None-Match' => '*' ],
        [ PUT => '/apps/{app}', '/apps/new?wait=grace', 200, \%new ],
        [ PUT => '/apps/{app}', '/apps/new', 412, \%new, @stale ],
        [ PUT => '/apps/{app}', '/apps/new', 422, { what => 1 } ],
        [ PUT => '/apps/{app}', '/apps/new', 400, '[]' ],
        [ PUT => '/apps/{app}', '/apps/new', 409, { domains => ['shop.test'] } ],
        [ PATCH => '/apps/{app}', '/apps/shop?effective=1', 200, { settings => { hold => 1000 } } ],
        [ PATCH => '/apps/{app}', '/apps/shop', 422, { settings => { hold => 'long' } } ],
        [ PATCH => '/apps/{app}', '/apps/none', 404, { settings => {} } ],
        [ POST => '/apps/{app}/pause', '/apps/shop/pause', 200, { max_ms => 60000 } ],
        [ POST => '/apps/{app}/pause', '/apps/shop/pause', 200 ],
        [ POST => '/apps/{app}/pause', '/apps/none/pause', 404 ],
        [ POST => '/apps/{app}/stop', '/apps/shop/stop', 200 ],
        [ POST => '/apps/{app}/resume', '/apps/shop/resume', 200, { spread_ms => 10 } ],
        [ POST => '/apps/{app}/resume', '/apps/shop/resume', 412, undef, @stale ],
        [ GET => '/apps/{app}/backends', '/apps/shop/backends', 200 ],
        [ GET => '/apps/{app}/backends', '/apps/none/backends', 404 ],
        [ POST => '/apps/{app}/backends', '/apps/shop/backends', 201, { at => $one->address, id => 'more', weight => 3 } ],
        [ POST => '/apps/{app}/backends', '/apps/shop/backends', 409, { at => $one->address, id => 'more' } ],
        [ POST => '/apps/{app}/backends', '/apps/shop/backends', 422, { id => 'x' } ],
        [ GET => '/apps/{app}/backends/{backend}', '/apps/lost/backends/dead', 200 ],
        [ GET => '/apps/{app}/backends/{backend}', '/apps/shop/backends/none', 404 ],
        [ PATCH => '/apps/{app}/backends/{backend}', '/apps/shop/backends/more', 200, { max_requests => 9, zone => undef } ],
        [ PATCH => '/apps/{app}/backends/{backend}', '/apps/shop/backends/more', 422, { weight => 1001 } ],
        [ PUT => '/apps/{app}/backends/{backend}', '/apps/shop/backends/more', 200, { at => $two->address, state => 'off' } ],
        [ PUT => '/apps/{app}/backends/{backend}', '/apps/shop/backends/another', 201, { at => $two->address } ],
        [ DELETE => '/apps/{app}/backends/{backend}', '/apps/shop/backends/more?wait=idle', 204 ],
        [ DELETE => '/apps/{app}/backends/{backend}', '/apps/shop/backends/more', 404 ],
        (map { [ POST => "/apps/{app}/backends/{backend}/$_", "/apps/shop/backends/two/$_", 200 ] } qw(drain off up)),
        (map { [ POST => "/apps/{app}/backends/{backend}/$_", "/apps/shop/backends/none/$_", 404 ] } qw(drain off up revert)),
        [ POST => '/apps/{app}/backends/{backend}/quarantine', '/apps/shop/backends/two/quarantine', 200, { max_ms => 60000 } ],
        [ DELETE => '/apps/{app}/backends/{backend}/quarantine', '/apps/shop/backends/two/quarantine', 200 ],
        [ POST => '/apps/{app}/backends/{backend}/revert', '/apps/shop/backends/two/revert', 204 ],
        [ GET => '/domains', '/domains', 200 ],
        [ GET => '/domains', '/domains?limit=1&prefix=s&after=a', 200 ],
        [ GET => '/domains/{domain}', '/domains/shop.test', 200 ],
        [ GET => '/domains/{domain}', '/domains/none.test', 404 ],
        [ GET => '/domains/{domain}', '/domains/a..b', 422 ],
        [ PUT => '/domains/{domain}', '/domains/more.test', 201, { app => 'shop' } ],
        [ PUT => '/domains/{domain}', '/domains/more.test', 409, { app => 'lost' } ],
        [ PUT => '/domains/{domain}/{prefix}', '/domains/more.test/a/b', 201, { app => 'lost' } ],
        [ PUT => '/domains/{domain}/{prefix}', '/domains/more.test/a/b', 200, { app => 'lost' } ],
        [ GET => '/domains/{domain}/{prefix}', '/domains/more.test/a/b', 200 ],
        [ DELETE => '/domains/{domain}/{prefix}', '/domains/more.test/a/b', 204 ],
        [ DELETE => '/domains/{domain}', '/domains/more.test?revert=1', 204 ],
        [ DELETE => '/domains/{domain}', '/domains/none.test', 404 ],
        [ POST => '/changes', '/changes', 200, [ { op => 'patch', path => '/apps/shop/backends/one', value => { weight => 7 } }, { op => 'revert', path => '/apps/shop/backends/one' } ] ],
        [ POST => '/changes', '/changes', 422, [ { op => 'do', path => '/apps/shop' } ] ],
        [ POST => '/changes', '/changes', 413, [ map { { op => 'delete', path => '/apps/x' } } 0 .. 10000 ] ],
        [ GET => '/watch', "/watch?once=1&after=$seq", 200 ],
        [ GET => '/watch', '/watch?after=x', 422 ],
        [ DELETE => '/apps/{app}', '/apps/new', 204 ],
        [ DELETE => '/apps/{app}', '/apps/new', 404 ],
        [ POST => '/apps/{app}/revert', '/apps/shop/revert', 204 ],
        [ GET => '/state', '/state', 200 ],
        [ PUT => '/state', '/state', 200, $state ],
        [ PUT => '/state', '/state', 422, {} ],
    );
}

my %called;

sub make_calls {
    my ($behind, @calls) = @_;
    for my $one (@calls) {
        my ($method, $path, $target, $status, $body, @fields) = @$one;
        $path = "/v1$path" if $behind;
        my $operation = operation($method, $path);
        my $what = "$method $behind$target";
        ok($operation, "$what: is described") or next;
        is(join(' ', is_asked_well($operation, $path, $target, $body, {@fields})), '', "$what: so is what it takes") if $status < 400;
        my $answer = call($method, "$behind$target", $body, @fields);
        is($answer->{status}, $status, "$what: $status") or diag $answer->{body};
        fits($operation, $answer, $what);
        $called{"$method $path"} = 1;
    }
    return;
}

subtest 'the process' => sub { make_calls('', process_calls()) };
subtest 'its only router' => sub { make_calls('/v1', router_calls()) };
subtest 'the same by its name' => sub { make_calls('/v1/routers/main', router_calls()) };

my %described = map { my $path = $_; map { (uc($_) . " $path" => 1) } grep { $api->{paths}{$path}{$_} } @methods } keys %{ $api->{paths} };
cmp_ok(scalar keys %described, '>=', 39, 'there is much to call');
is_deeply([ grep { !$called{$_} } sort keys %described ], [], 'all of it was called');

subtest 'a foreign page' => sub {
    for my $what (grep { !/^GET/ } sort keys %described) {
        my ($method, $path) = split / /, $what;
        my $answer = call($method, $path =~ s/[{}]//gr, undef, 'Accept-Encoding' => 'gzip', 'Sec-Fetch-Site' => 'cross-site', Origin => 'http://evil.test');
        is($answer->{status}, 403, "$what: is refused");
        fits(operation($method, $path), $answer, $what);
    }
};

subtest 'what is not described is not there' => sub {
    my %names = (app => 'shop', backend => 'one', domain => 'shop.test', prefix => 'x', request => 'x', router => 'main');
    for my $path (sort keys %{ $api->{paths} }) {
        my $target = $path =~ s/\{(\w+)\}/$names{$1}/gr;
        for my $method (grep { !operation($_, $path) } @methods) {
            my $answer = call(uc $method, $target);
            like($answer->{status}, qr/^40[45]$/, "$method $target");
            is(join(' ', $schema->troubles({ '$ref' => '#/components/schemas/Problem' }, $answer->{document})), '', 'and is a problem');
        }
    }
};

# "/v1/routers/*/**" is a path with one segment, and any number behind it.
sub is_of { my ($path, $route) = @_;
    my $pattern = join '', map { $_ eq '**' ? '(?:/.*)?' : $_ eq '*' ? '/[^/]+' : "/$_" } grep { length } split m{/}, $route;
    return $path =~ m{^(?:$pattern|/)$} && ($route eq '/') == ($path eq '/') }

subtest 'every route' => sub {
    my @routes = @{ call(GET => '/v1')->{document}{paths} };
    my @paths = map { my $path = $_; ($path, $api->{paths}{$path}{'x-also-at'} // ()) } keys %{ $api->{paths} };
    cmp_ok(scalar @routes, '>', 8, 'there are routes');
    for my $route (@routes) {
        my @fit = grep { is_of($_, $route->{path}) && ($route->{method} eq '*' || operation($route->{method}, $_)) } @paths;
        ok(scalar @fit, "$route->{method} $route->{path} is described");
    }
    for my $path (@paths) {
        ok(scalar(grep { is_of($path, $_->{path}) } @routes), "$path is one of theirs");
    }
};

subtest 'every verb of the kit' => sub {
    my $source = read_file(root_dir() . '/router/kit/admin.c');
    my @parts = $source =~ /\{"(\w+)", (?:call_of_\w+|kit_asked_\w+|answer_\w+)\}/g;
    my ($states) = $source =~ /verbs\[\] = \{(.*?)\};/s;
    my @verbs = ((map { /"(\w+)", "/g } $states // ''), $source =~ /weir_span_is\(verb, "(\w+)"\)/g);
    cmp_ok(scalar @parts, '>=', 6, 'its parts were found');
    cmp_ok(scalar @verbs, '>=', 8, 'and verbs');
    ok($api->{paths}{"/v1/$_"} || $api->{paths}{"/v1/routers/{router}/$_"}, "/v1/$_") for @parts;
    for my $verb (@verbs) {
        ok(scalar(grep { m{/\Q$verb\E$} } keys %{ $api->{paths} }), $verb);
    }
};

subtest 'problem types' => sub {
    my %known = map { (s/.*://r => 1) } @{ $api->{components}{schemas}{Problem}{properties}{type}{enum} };
    my %used;
    for my $file (map { glob root_dir() . "/$_/*.c" } qw(lib/admin router router/kit conf)) {
        my $text = read_file($file);
        $used{$_} = 1 for $text =~ /(?:problem|refuse)\([^;"]*?(?:\d{3}|[A-Z_]{3,}), "([a-z]+(?:-[a-z]+)*)"/g;
    }
    cmp_ok(scalar keys %used, '>', 15, 'types were found');
    is_deeply([ grep { !$known{$_} } sort keys %used ], [], 'all are described');
    my $documented = read_file(root_dir() . '/docs/admin.md');
    is_deeply([ grep { $documented !~ /\b\Q$_\E\b/ } sort keys %known ], [], 'and stand in docs/admin.md');
};

subtest 'several routers, and one that cannot be asked' => sub {
    $proxy->configure(global => { 'weir.admin' => { path => admin_path() } }, paths => { '/' => { 'weir.router' => \%table }, '/x' => { 'weir.router' => { %table, name => 'x' } }, '/s' => { 'weir.router' => 'stub' } });
    ok($proxy->reload, 'there are three');
    my ($stub) = grep { !$_->{admin} } @{ call(GET => '/v1/routers')->{document}{routers} };
    my $name = $stub->{name} =~ s/([^\w.])/sprintf '%%%02x', ord $1/ger;
    for my $path (sort grep { $api->{paths}{$_}{'x-also-at'} } keys %{ $api->{paths} }) {
        my ($method) = grep { operation($_, $path) } @methods;
        my $target = $path =~ s/[{}]//gr;
        my $answer = call(uc $method, $target);
        is($answer->{status}, 409, "$target: which one");
        fits(operation($method, $path), $answer, $target);
        $answer = call(uc $method, $target =~ s{^/v1}{/v1/routers/$name}r);
        is($answer->{status}, 405, "$target: not of a router that cannot be asked");
        fits(operation($method, $path), $answer, $target);
    }
    fits(operation(GET => '/v1/routers'), call(GET => '/v1/routers'), 'the list');
    fits(operation(GET => '/v1/top'), call(GET => '/v1/top'), 'top');
};

subtest 'what does not fit is seen' => sub {
    my $backend = call(GET => '/v1/routers/main/apps/shop')->{document}{backends}[0];
    my $troubles = sub { scalar $schema->troubles({ '$ref' => '#/components/schemas/Backend' }, $_[0]) };
    is($troubles->($backend), 0, 'one as it is');
    is($troubles->({ %$backend, more => 1 }), 1, 'something more');
    is($troubles->({ %$backend, weight => '1' }), 1, 'a text for a number');
    is($troubles->({ %$backend, health => 'good' }), 1, 'another word');
    is($troubles->({ map { $_ => $backend->{$_} } grep { $_ ne 'at' } keys %$backend }), 1, 'something missing');
    ok(!eval { $schema->troubles({ multipleOf => 2 }, 1); 1 }, 'a keyword that nobody checks');
};

$proxy->ends_well;
done_testing;
