# SPDX-License-Identifier: MIT
# state-file: what operators have changed holds over a restart, whatever has happened to the process or to the file.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;

admin_path(temp_path('admin.sock'));
my ($one, $two) = map { ok_backend($_) } qw(one two);
my $path = temp_path('state');

sub configuration {
    my (%more) = @_;
    return (
        global => { 'weir.admin' => { path => admin_path(), permission => '0600' } },
        router => { module => 'table', name => 'main', 'state-file' => $path, %more, apps => {
            shop => { domains => ['shop.test'], backends => [ { at => $one->address, id => 'one' }, { at => $two->address, id => 'two' } ] },
            blog => { domains => ['blog.test'], backends => [ $two->address ] } } },
    );
}

sub answer_of {
    my ($proxy, $host) = @_;
    my $answer = $proxy->ask("GET / HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n");
    return $answer->status == 200 ? $answer->body : $answer->status;
}

sub content { open my $in, '<', $path or return ''; local $/; return scalar <$in> }
sub rewrite { my ($text) = @_; open my $out, '>', $path or die "$path: $!"; print {$out} $text; return close $out }

# Changes of every kind.
sub change_all {
    call(PATCH => '/v1/apps/shop/backends/one', { weight => 7 });
    call(DELETE => '/v1/apps/shop/backends/two');
    call(PATCH => '/v1/apps/shop', { settings => { hold => 1234 } });
    call(PUT => '/v1/apps/api', { domains => ['api.test'], backends => [ { at => $two->address, id => 'b' } ] });
    call(POST => '/v1/apps/api/backends', { at => $one->address, id => 'a', state => 'off' });
    call(DELETE => '/v1/apps/blog');
    call(PUT => '/v1/domains/more.test', { app => 'shop' });
    call(PUT => '/v1/apps/gone', { backends => [ $one->address ] });
    call(DELETE => '/v1/apps/gone');
    call(PUT => '/v1/apps/still', { domains => ['still.test'], backends => [ $one->address ] });
    return call(POST => '/v1/apps/still/stop')->{status};
}

sub holds {
    my ($proxy, $what) = @_;
    return subtest $what => sub {
        my $shop = call(GET => '/v1/apps/shop')->{document};
        is_deeply([ map { [ @$_{qw(id weight)} ] } @{ $shop->{backends} } ], [ [ 'one', 7 ] ], 'backends');
        is($shop->{settings}{hold}, 1234, 'settings');
        is_deeply([ map { answer_of($proxy, $_) } qw(shop.test more.test api.test blog.test) ], [ 'one', 'one', 'two', 404 ], 'domains and apps');
        is(call(GET => '/v1/apps/api/backends/a')->{document}{state}, 'off', 'a state');
        is_problem(call(GET => '/v1/apps/gone'), 404, 'unknown-app', 'what has gone');
        is(call(GET => '/v1/apps/still')->{document}{state}, 'stopped', 'what is stopped');
        is(answer_of($proxy, 'still.test'), 503, 'and serves nobody');
        my ($entry) = grep { $_->{domain} eq 'more.test' } @{ call(GET => '/v1/domains')->{document}{domains} };
        is($entry->{app}, 'shop', 'an entry');
    };
}

my $seq;
subtest 'a clean end' => sub {
    my $proxy = proxy(configuration());
    is(change_all(), 200, 'much is changed');
    $seq = call(GET => '/v1/apps')->{document}{seq};
    $proxy->stop;
    is(sprintf('%04o', (stat $path)[2] & 07777), '0600', 'the file is for its owner');
    is((split /\n/, content())[0] =~ /^\{"weir-state":1,"seq":\d+\} [0-9a-f]{8}$/ ? 1 : 0, 1, 'and begins with what it is');
};

subtest 'the next one' => sub {
    my $proxy = proxy(configuration());
    holds($proxy, 'has all of it');
    is(call(GET => '/v1/apps')->{document}{seq}, $seq, 'and counts on');
    is(call(GET => '/v1/apps/shop')->{document}{seq} > 0, 1, 'with what each is of');
    call(POST => '/v1/apps/still/resume');
    is(answer_of($proxy, 'still.test'), 'one', 'it goes on');
    call(POST => '/v1/apps/still/stop');
    $proxy->reload(configuration(zone => 'a'));
    holds($proxy, 'over a reload');
};

subtest 'killed' => sub {
    my $proxy = proxy(configuration('state-sync' => 'always'));
    call(PATCH => '/v1/apps/shop/backends/one', { weight => 8 });
    is(call(PATCH => '/v1/apps/shop/backends/one', { weight => 7 })->{document}{weight}, 7, 'answered when it is on disk');
    $proxy->{crashes} = 1;
    $proxy->signal('KILL');
    $proxy->wait_exit;
    holds(proxy(configuration()), 'nothing is lost that was answered');
};

subtest 'a torn end' => sub {
    rewrite(content() . '{"seq":99999,"set":[{"app":"sho');
    my $proxy = proxy(configuration());
    holds($proxy, 'what is whole is there');
    like($proxy->stderr, qr/state-file \Q$path\E: \d+ records taken over, and the last line cut, which was not whole; 0 lines skipped/, 'which is told');
};

subtest 'a broken middle' => sub {
    my @lines = split /^/m, content();
    my ($at) = grep { $lines[$_] =~ /more\.test/ } 0 .. $#lines;
    $lines[$at] =~ s/more/mohr/;
    rewrite(join '', @lines[ 0 .. $at ], '{"seq":5,"set":[{"app":1}]} 00000000' . "\n", @lines[ $at + 1 .. $#lines ]);
    my $proxy = proxy(configuration());
    is_deeply([ map { answer_of($proxy, $_) } qw(shop.test more.test api.test blog.test) ], [ 'one', 404, 'two', 404 ], 'the rest is there');
    like($proxy->stderr, qr/2 lines skipped, which are not as they were written/, 'which is told');
};

subtest 'no state file' => sub {
    rewrite("something else\n");
    my $proxy = proxy(configuration());
    is(answer_of($proxy, 'api.test'), 404, 'it serves what the configuration says');
    like($proxy->stderr, qr/state-file \Q$path\E: this is no state file/, 'says why');
    is(call(PATCH => '/v1/apps/shop/backends/one', { weight => 7 })->{status}, 200, 'can be changed');
    is(content(), "something else\n", 'and leaves the file alone');
};

subtest 'a drain that ends later' => sub {
    unlink $path;
    my $proxy = proxy(configuration());
    call(POST => '/v1/apps/shop/backends/one/drain', { max_ms => 1500 });
    $proxy->stop;
    my $next = proxy(configuration());
    ok(wait_for { call(GET => '/v1/apps/shop/backends/one')->{document}{state} eq 'off' }, 'ends over a restart');
};

subtest 'many changes' => sub {
    unlink $path;
    my $proxy = proxy(configuration());
    my @list = map { { op => 'patch', path => '/apps/shop/backends/one', value => { weight => $_ % 1000 } } } 1 .. 10000;
    for my $n (1 .. 40) {
        call(PUT => "/v1/apps/app$n", { domains => [ map { "d$_.app$n.test" } 1 .. 300 ], backends => [ $one->address ] });
    }
    is(call(POST => '/v1/changes', \@list)->{status}, 200, 'ten thousand at once');
    call(DELETE => "/v1/apps/app$_") for 1 .. 39;
    $proxy->stop;
    my $next = proxy(configuration());
    is(answer_of($next, 'd300.app40.test'), 'one', 'what is left is there');
    is(answer_of($next, 'd300.app39.test'), 404, 'and what is not is not');
    cmp_ok(-s $path, '<', 100_000, 'the file has shrunk');
};

refuses_config(<<"YAML", qr/6: `state`: a state-file is written with its whole path/, 'a path beside something');
listen: 8080
hosts:
  default:
    paths:
      /:
        weir.router: { module: table, state-file: state, apps: { a: { domains: ["*"], backends: [] } } }
YAML
refuses_config(<<"YAML", qr/6: state-sync says something of a state-file, which is missing/, 'a sync of nothing');
listen: 8080
hosts:
  default:
    paths:
      /:
        weir.router: { module: table, state-sync: always, apps: { a: { domains: ["*"], backends: [] } } }
YAML
refuses_config(<<"YAML", qr/6: .*state-sync/, 'another word');
listen: 8080
hosts:
  default:
    paths:
      /:
        weir.router: { module: table, state-file: /x, state-sync: never, apps: { a: { domains: ["*"], backends: [] } } }
YAML

done_testing;
