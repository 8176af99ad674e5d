# SPDX-License-Identifier: MIT
# Commands about domains, lists of changes, all of the state, and who watches.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;
use JSON::PP ();

my $path = admin_path(temp_path('admin.sock'));
my ($one, $two) = map { ok_backend($_) } qw(one two);
my $proxy = proxy(
    global => { 'weir.admin' => { path => $path } },
    router => { module => 'table', name => 'main', apps => {
        shop => { domains => ['shop.test'], backends => [ { at => $one->address, id => 'one' } ] },
        blog => { domains => ['blog.test'], backends => [ { at => $two->address, id => 'two' } ] } } },
);
ok(wait_for { -S $path }, 'the endpoint is there');

sub answer_of {
    my ($host, $target) = @_;
    my $answer = $proxy->ask('GET ' . ($target // '/') . " HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n");
    return $answer->status == 200 ? $answer->body : $answer->status;
}

subtest 'domains' => sub {
    does('one is added', qw(domain add new.test shop));
    does('a prefix', qw(domain add new.test/api/v1 blog));
    is_deeply([ answer_of('new.test'), answer_of('new.test', '/api/v1/x') ], [qw(one two)], 'they are found');
    is((said('domains'))[1], "DOMAIN           APP\nblog.test        blog\nnew.test         shop\nnew.test/api/v1  blog\nshop.test        shop\n", 'a list');
    is((said('domains', 'new.test/'))[1], "DOMAIN           APP\nnew.test/api/v1  blog\n", 'of those that begin so');
    my $list = JSON::PP->new->decode((said('domains', '--json'))[1]);
    is(scalar @$list, 4, 'as a document');
    refuses('another app', 1, 'the domain new\.test belongs to the app shop; .*', qw(domain add new.test blog));
    does('but with --take', qw(domain add new.test blog --take));
    is(answer_of('new.test'), 'two', 'it is taken');
    does('it is removed', qw(domain remove new.test));
    is(answer_of('new.test'), 404, 'and gone');
    refuses('a second time', 1, 'there is no domain new\.test', qw(domain remove new.test));
    does('one of the configuration', qw(domain remove blog.test));
    does('is back', qw(revert blog.test));
    is(answer_of('blog.test'), 'two', 'and found');
    refuses('something else', 2, 'usage: weir domain add DOMAIN APP \| weir domain remove DOMAIN', qw(domain make x));
};

subtest 'apply' => sub {
    my $file = temp_path('changes.json');
    write_file($file, '[{"op":"put","path":"/apps/api","value":{"domains":["api.test"],"backends":["' . $two->address . '"]}},{"op":"patch","path":"/apps/shop/backends/one","value":{"weight":5}}]');
    my ($exit, $out) = said('apply', $file);
    is($exit, 0, 'a list of changes');
    like($out, qr/^2 changes, number \d+\n\z/, 'how many, and which');
    is(answer_of('api.test'), 'two', 'they hold');
    write_file($file, '[{"op":"delete","path":"/apps/api"},{"op":"delete","path":"/apps/none"}]');
    refuses('one that cannot be', 1, 'there is no app none', 'apply', $file);
    is(answer_of('api.test'), 'two', 'none of them is done');
    write_file($file, "[\n{");
    refuses('no JSON', 2, "\Q$file\E:2: .*", 'apply', $file);
};

subtest 'dump' => sub {
    my $file = temp_path('state.json');
    does('is saved', 'dump', '--save', $file);
    my $state = JSON::PP->new->decode(read_file($file));
    is_deeply([ map { $_->{app} } @{ $state->{apps} } ], [qw(api blog shop)], 'all of it');
    like((said('dump'))[1], qr/"app": ?"api"/, 'or printed');
    does('an app is reverted', 'revert', 'shop');
    is((grep { /^one / } split /\n/, (said('backends', 'shop'))[1])[0] =~ /\s100\s/ ? 1 : 0, 1, 'as the configuration has it');
    does('weight', qw(weight shop one 7));
    does('a backend is', qw(revert shop one));
    refuses('none', 1, 'there is no app none', 'revert', 'none');
};

subtest 'watch' => sub {
    my ($seq) = (said('apps', 'shop', '--json'))[1] =~ /"seq": ?(\d+)/;
    does('something changes', qw(weight shop one 9));
    my ($exit, $out) = said('watch', '--once', '--after', $seq);
    is($exit, 0, 'what has changed');
    like($out, qr{^\d{4}-\S+Z \d+ uid \d+: patch "/apps/shop/backends/one" \{"weight":100\} -> \{"weight":9\}$}m, 'in a line');
    like((said('watch', '--once', '--json', '--after', $seq))[1], qr/^\{.*"path":"\/apps\/shop\/backends\/one".*\}$/m, 'or a document');
    refuses('a number that is none', 1, '`after` is a sequence number', 'watch', '--after', 'x');
    is(weir('watch', '-s', "$path.none")->{exit}, 6, 'nobody is there');
};

subtest 'for so long' => sub {
    does('a quarantine', qw(quarantine shop one --max), ms(1000) . 'ms');
    like((said('backends', 'shop'))[1], qr/^one .* off /m, 'it is off');
    ok(wait_for { (said('backends', 'shop'))[1] =~ /^one .* up /m }, 'and up again');
    refuses('no time', 2, 'soon is no time: .*', qw(drain shop one --max soon));
};

subtest 'waiting' => sub {
    does('until it is idle', qw(drain shop one --wait));
    does('and up', qw(up shop one));
};

done_testing;
