# SPDX-License-Identifier: MIT
# Apps from a directory of files: taken when they come, kept when they are broken, and never instead of what was said elsewhere.
use lib 't/lib';
use Weir::Admin;
use Weir::Http2Backend;
use Weir::Load;
use Weir::Test;
use IO::Select;
use IO::Socket::UNIX;

my ($one, $two) = map { ok_backend($_) } qw(one two);

# A directory of apps, and a proxy that follows it. `files`: name => text.
sub follow {
    my (%option) = @_;
    my $directory = temp_path('apps.d');
    mkdir $directory unless $option{is_missing};
    my $files = delete $option{files} // {};
    put($directory, $_, $files->{$_}) for sort keys %$files;
    admin_path(temp_path('admin.sock'));
    my $own = proxy(
        router => { module => 'table', name => 'main', state => 'ON', apps => { fixed => { domains => [ 'fixed.test', 'mine.test' ], backends => [ $one->address ] } }, %{ delete $option{router} // {} } },
        %option,
        global => { 'weir.admin' => { path => admin_path() }, 'weir.state' => { files => $directory, %{ delete $option{state} // {} } }, %{ $option{global} // {} } });
    # One that does not say yet that it is ready takes connections before its other doors are open.
    wait_for { IO::Socket::UNIX->new(Peer => admin_path()) } or die 'no admin endpoint';
    return ($own, $directory);
}

# As one writes such a file: beside, and then by its name.
sub put { my ($directory, $name, $text) = @_; rename write_file("$directory/.$name.new", $text), "$directory/$name" or die "$name: $!"; return }

sub app { my ($backend, @domains) = @_; return 'domains: [ "' . join('", "', @domains) . "\" ]\nbackends: [ \"" . $backend->address . "\" ]\n" }

sub who { my ($own, $host) = @_; my $r = $own->ask("GET / HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n"); return $r->status == 200 ? $r->body : $r->status }

sub sources { return call(GET => '/v1/sources')->{document} }
sub trouble { my ($app) = @_; return (grep { $_->{app} eq $app } @{ sources()->{trouble} })[0] }

subtest 'what is there at the start, comes, changes and goes' => sub {
    my ($own, $directory) = follow(files => { 'shop.yaml' => app($one, 'shop.test'), 'blog.json' => '{"domains": ["blog.test"], "backends": ["' . $two->address . '"]}' });
    is(who($own, 'fixed.test') . who($own, 'shop.test') . who($own, 'blog.test'), 'oneonetwo', 'all of it is served from the first request on');
    is(who($own, 'new.test'), 404, 'one that is not there');
    put($directory, 'new.yml', app($two, 'new.test', '*.new.test'));
    ok(wait_for { who($own, 'new.test') eq 'two' }, 'comes');
    is(who($own, 'a.new.test'), 'two', 'with all its domains');
    put($directory, 'new.yml', app($one, '*.new.test'));
    ok(wait_for { who($own, 'a.new.test') eq 'one' }, 'goes elsewhere');
    is(who($own, 'new.test'), 404, 'and has a domain less');
    rename "$directory/new.yml", "$directory/other.yml";
    ok(wait_for { (call(GET => '/v1/apps/other')->{document} // {})->{app} }, 'by another name it is another app');
    ok(wait_for { who($own, 'a.new.test') eq 'one' }, 'with the domain, whichever of the two was heard of first');
    unlink "$directory/other.yml";
    ok(wait_for { who($own, 'a.new.test') eq '404' }, 'it goes');
    like($own->stderr, qr/weir: state: app new is as its file says/, 'which is told');
    is(call(GET => '/v1/apps/shop')->{document}{source}, 'state', 'where an app is from');
    is(call(GET => '/v1/apps/fixed')->{document}{source}, 'configuration', 'is told, too');
    write_file("$directory/$_", 'x: [') for 'notes.txt', '.hidden.yaml', 'shop.yaml~';
    put($directory, 'last.yaml', app($one, 'last.test'));
    ok(wait_for { who($own, 'last.test') eq 'one' }, 'other files');
    is(sources()->{refused}, 0, 'are nobody\'s');
};

subtest 'no request fails while a file is written again and again' => sub {
    my ($own, $directory) = follow(files => { 'live.yaml' => app($one, 'live.test') });
    my $load = Weir::Load->start($own, kinds => [qw(get post h2)], host => 'live.test', body => qr/^(?:one|two)$/);
    for my $n (1 .. 20) {
        put($directory, 'live.yaml', app($n % 2 ? $two : $one, 'live.test', "n$n.test"));
        ok(wait_for { who($own, "n$n.test") eq ($n % 2 ? 'two' : 'one') }, "version $n is in force");
    }
    ok($load->goes_on(5), 'all are answered');
    is(join("\n", @{ $load->finish->{wrong} }), '', 'every answer was right');
};

subtest 'a file that is broken changes nothing' => sub {
    my ($own, $directory) = follow(files => { 'shop.yaml' => app($one, 'shop.test'), 'never.yaml' => "domains: [ never.test ]\nhold: soon\nbackends: []\n" });
    like($own->stderr, qr/weir: state: app never of \S+never\.yaml is not taken: hold: must be a duration/, 'one that was so from the start is told');
    is(who($own, 'never.test'), 404, 'and not there');
    for my $case (
        [ 'no YAML', "domains: [ shop.test\n", qr/shop\.yaml:\d+: / ], [ 'no map', "- a\n", qr/shop\.yaml:1: an app is a map/ ],
        [ 'an unknown key', app($two, 'shop.test') . "retires: 3\n", qr/shop\.yaml:3: unknown key `retires`/ ],
        [ 'a wrong value', app($two, 'shop.test') . "hold: soon\n", qr/shop\.yaml:3: hold: must be/ ],
        [ 'no domain', app($two, 'shop..test'), qr/shop\.yaml:1: `shop\.\.test` is no domain/ ],
        [ 'a list of domains that is none', "domains: shop.test\nbackends: []\n", qr/shop\.yaml:1: domains are a list/ ],
        [ 'a key twice', app($two, 'shop.test') . "hold: 1s\nhold: 2s\n", qr/shop\.yaml:4: `hold` stands there twice/ ],
        [ 'no backends', "domains: [ shop.test ]\n", qr/the app `shop` has neither backends nor/ ],
        [ 'too long', app($two, 'shop.test') . '#' x (1 << 20), qr/1 MiB at most/ ],
        [ 'empty', '', qr/shop\.yaml/ ]) {
        my ($what, $text, $why) = @$case;
        put($directory, 'shop.yaml', $text);
        ok(wait_for { (trouble('shop') // { problem => '' })->{problem} =~ $why }, $what) or diag explain sources();
        is(who($own, 'shop.test'), 'one', 'the app is as it was');
        ok(trouble('shop')->{holds}, 'which is told');
    }
    my ($exit, $out, $err) = said('state');
    like($out, qr/^app shop, \S+shop\.yaml, stays as it was: /m, 'weir state says so');
    like($out, qr/^app never, \S+never\.yaml, is not taken: hold: /m, 'of both');
    my $check = weir('check', '-c', $own->{config});
    is($check->{exit}, 1, 'weir check refuses');
    like($check->{err}, qr/^\S+never\.yaml:2: hold: must be/m, 'and says where');
    like(call(GET => '/metrics')->{body}, qr/^weir_state_troubles\{reason="refused"\} 2$/m, 'metrics count them');
    ok($own->reload, 'a reload');
    is(who($own, 'shop.test'), 'one', 'keeps the last that was good');
    ok(trouble('shop')->{problem}, 'and does not forget the trouble');
    put($directory, 'shop.yaml', app($two, 'shop.test'));
    put($directory, 'never.yaml', app($two, 'never.test'));
    ok(wait_for { who($own, 'shop.test') eq 'two' && who($own, 'never.test') eq 'two' }, 'until they are right');
    is(sources()->{refused}, 0, 'and nothing is the matter any more');
    is(weir('check', '-c', $own->{config})->{exit}, 0, 'weir check, too');
};

subtest 'who wins: operators, the configuration, files' => sub {
    my ($own, $directory) = follow(files => { 'fixed.yaml' => app($two, 'other.test'), 'shop.yaml' => app($two, 'mine.test', 'shop.test') });
    is(who($own, 'other.test'), 404, 'an app of the configuration is not replaced');
    like(trouble('fixed')->{problem}, qr/^the configuration has an app of that name$/, 'why');
    is(who($own, 'shop.test') . who($own, 'mine.test'), 'twoone', 'a domain of the configuration stays where it is, the others are there');
    like(trouble('shop')->{problem}, qr/^the domain mine\.test stays with the app fixed$/, 'why');
    ok(!trouble('shop')->{refused}, 'the app holds but for that');
    is(call(PUT => '/v1/apps/hand', { domains => ['hand.test'], backends => [ $one->address ] })->{status}, 201, 'an operator makes one');
    put($directory, 'hand.yaml', app($two, 'hand.test'));
    ok(wait_for { trouble('hand') }, 'a file of that name');
    is(trouble('hand')->{problem}, 'operators have made an app of that name', 'is refused');
    is(who($own, 'hand.test'), 'one', 'theirs is as it was');
    does('the app of theirs is gone', 'revert', 'hand');
    put($directory, 'again.yaml', app($two, 'again.test'));
    ok(wait_for { who($own, 'hand.test') eq 'two' }, 'what was refused is tried again when something changes');
    does('an operator changes an app of a file', 'weight', 'shop', $two->address, 7);
    put($directory, 'shop.yaml', app($two, 'mine.test', 'shop.test', 'more.test'));
    ok(wait_for { who($own, 'more.test') eq 'two' }, 'another version');
    is(call(GET => '/v1/apps/shop')->{document}{backends}[0]{weight}, 7, 'the change holds');
    is(call(DELETE => '/v1/apps/shop')->{status}, 204, 'an operator removes one');
    is(who($own, 'shop.test'), 404, 'it is gone');
    ok($own->reload, 'a reload');
    is(who($own, 'shop.test'), 404, 'and stays so');
    put($directory, 'shop.yaml', app($one, 'shop.test'));
    ok(wait_for { who($own, 'shop.test') eq 'one' }, 'until its file says something new');
};

subtest 'what operators say of domains, and of apps whose files go' => sub {
    my ($own, $directory) = follow(files => { 'shop.yaml' => app($two, 'shop.test'), map { ("pair$_.yaml" => app($one, "p$_.test"), "to$_.yaml" => app($two, "t$_.test")) } 1 .. 6 });
    is(call(PUT => '/v1/domains/extra.test', { app => 'shop' })->{status}, 201, 'a domain for an app of a file');
    is(call(PUT => '/v1/domains/mine.test', { app => 'shop' }, 'If-Match' => '*')->{status}, 200, 'one of the configuration\'s');
    is(call(PUT => "/v1/domains/p$_.test", { app => "to$_" }, 'If-Match' => '*')->{status}, 200, 'from one to another') for 1 .. 6;
    for my $when ('at once', 'behind a reload') {
        is(who($own, $_), 'two', "$_, $when") for qw(extra.test mine.test shop.test), map {"p$_.test"} 1 .. 6;
        $own->reload if $when eq 'at once';
    }
    is(call(DELETE => '/v1/apps/shop')->{status}, 204, 'an app of a file is removed');
    ok($own->reload, 'a reload');
    does('it is taken back', 'revert', 'shop');
    is(who($own, 'shop.test'), 'two', 'it has its domain');
    is(call(DELETE => '/v1/apps/shop')->{status}, 204, 'it is removed once more');
    unlink "$directory/shop.yaml";
    put($directory, 'heir.yaml', app($one, 'shop.test'));
    ok(wait_for { who($own, 'shop.test') eq 'one' }, 'and its file: another one may have its domain');
    unlink "$directory/heir.yaml";
    ok(wait_for { who($own, 'shop.test') eq '404' }, 'which goes');
    is(call(PUT => '/v1/apps/heir', { domains => ['shop.test'], backends => [ $two->address ] })->{status}, 201, 'an operator makes an app of its name');
    ok($own->reload, 'a reload');
    is(who($own, 'shop.test'), 'two', 'which is there as any other');
    is(call(GET => '/v1/apps/heir')->{document}{source}, 'operators', 'and theirs');
};

subtest 'a domain that two files want stays where it is, over a reload as well' => sub {
    my ($own, $directory) = follow(files => { map { ("first$_.yaml" => app($one, "x$_.test")) } 1 .. 8 });
    put($directory, "second$_.yaml", app($two, "x$_.test", "y$_.test")) for 1 .. 8;
    ok(wait_for { sources()->{conflicts} == 8 }, 'eight want them');
    is(join(' ', map { who($own, "x$_.test") } 1 .. 8), join(' ', ('one') x 8), 'the first have them');
    ok($own->reload, 'a reload');
    is(join(' ', map { who($own, "x$_.test") } 1 .. 8), join(' ', ('one') x 8), 'and still do');
    unlink "$directory/first3.yaml";
    ok(wait_for { who($own, 'x3.test') eq 'two' }, 'until one goes');
};

subtest 'apps of workers and of files' => sub {
    my $port = free_port();
    my ($own, $directory) = follow(global => { 'weir.workers' => { listen => "127.0.0.1:$port", auth => 'none' } });
    my $worker = Weir::Http2Backend->start->dial($port, 'wapp', 'w1', 'Worker-Domains: w.test');
    my $pid = sub { my ($host) = @_; my $r = $own->ask("GET /pid HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n"); return $r->status == 200 ? $r->body : $r->status };
    ok(wait_for { $pid->('w.test') eq $worker->{pid} }, 'an app comes with its worker');
    put($directory, 'one.yaml', app($one, 'w.test'));
    ok(wait_for { who($own, 'w.test') eq 'one' }, 'a file has its domain');
    put($directory, 'two.yaml', app($two, 'w.test'));
    ok(wait_for { trouble('two') }, 'another file');
    is(who($own, 'w.test'), 'one', 'has not');
    unlink "$directory/$_.yaml" for qw(two one);
    ok(wait_for { $pid->('w.test') eq $worker->{pid} }, 'both go: it is the worker\'s again');
    put($directory, 'wapp.yaml', "domains: [ wf.test ]\nbackends: []\nworkers: ON\n");
    ok(wait_for { $pid->('wf.test') eq $worker->{pid} }, 'a file of the app: the worker serves it');
    unlink "$directory/wapp.yaml";
    ok(wait_for { $pid->('wf.test') eq '404' }, 'the file goes');
    is($pid->('wapp.localhost'), $worker->{pid}, 'the app is the worker\'s again');
    my $other = Weir::Http2Backend->start->dial($port, 'wapp', 'w2');
    is($other->wait_event(qr/^answer/), 'answer 101', 'and takes others');
};

subtest 'how a file comes' => sub {
    my ($own, $directory) = follow();
    my $beside = temp_path('beside');
    mkdir $beside;
    write_file("$beside/link.yaml", app($one, 'link.test'));
    symlink "$beside/link.yaml", "$directory/link.yaml" or die $!;
    ok(wait_for { who($own, 'link.test') eq 'one' }, 'as a symbolic link');
    rename "$beside/link.yaml", "$beside/away";
    put($directory, 'other.yaml', app($one, 'other.test'));
    ok(wait_for { who($own, 'other.test') eq 'one' } && wait_for { trouble('link') }, 'whose file is away');
    is(who($own, 'link.test'), 'one', 'the app stays');
    like(trouble('link')->{problem}, qr/link\.yaml: No such file/, 'and it is told');
    link "$beside/away", "$directory/hard.yaml" or die $!;
    ok(wait_for { trouble('hard') }, 'as another name of a file');
    write_file("$beside/same.yaml", my $text = app($two, 'other.test'));
    utime +(stat "$directory/other.yaml")[ 8, 9 ], "$beside/same.yaml";
    is(-s "$beside/same.yaml", -s "$directory/other.yaml", 'as large, and as old');
    write_file("$directory/other.yaml", $text);
    utime +(stat "$beside/same.yaml")[ 8, 9 ], "$directory/other.yaml";
    ok(wait_for { who($own, 'other.test') eq 'two' }, 'is another one all the same');
    write_file("$directory/\xff.yaml", app($one, 'bytes.test'));
    put($directory, 'last.yaml', app($one, 'last.test'));
    ok(wait_for { who($own, 'last.test') eq 'one' }, 'a name that is no text');
    is(who($own, 'bytes.test'), 404, 'is no app\'s');
};

subtest 'over reloads, and another directory' => sub {
    my ($own, $directory) = follow(files => { 'shop.yaml' => app($one, 'shop.test'), 'blog.yaml' => app($one, 'blog.test') });
    ok($own->reload, 'a reload');
    is(who($own, 'shop.test'), 'one', 'apps are there');
    put($directory, 'shop.yaml', app($two, 'shop.test'));
    ok(wait_for { who($own, 'shop.test') eq 'two' }, 'and follow their files');
    my $other = temp_path('other.d');
    mkdir $other;
    put($other, 'shop.yaml', app($one, 'shop.test'));
    my $text = read_file($own->{config});
    my $swap = sub { my ($text) = @_; $own->configure(yaml => $text); return $own->reload(yaml => $text) };
    ok($swap->($text =~ s/\Q$directory\E/$other/r), 'another directory');
    ok(wait_for { who($own, 'shop.test') eq 'one' && who($own, 'blog.test') eq '404' }, 'what is there counts, and nothing else');
    ok($swap->($text =~ s/^weir\.state:\n(?:  .*\n)+//mr), 'none');
    ok(wait_for { who($own, 'shop.test') eq '404' }, 'nothing of it is left');
    is(who($own, 'fixed.test'), 'one', 'but for what the configuration says');
};

subtest 'a directory that is gone, and very many files' => sub {
    my ($own, $directory) = follow(files => { map { ("app$_.yaml" => app($one, "n$_.test")) } 1 .. 300 });
    is(who($own, 'n300.test'), 'one', 'all are there');
    rename $directory, "$directory.away";
    ok(wait_for { (sources()->{sources}[0]{problem} // '') =~ /No such file/ }, 'it is seen');
    is(who($own, 'n1.test'), 'one', 'and nothing is lost');
    rename "$directory.away", $directory;
    unlink map {"$directory/app$_.yaml"} 1 .. 30;
    ok(wait_for { who($own, 'n30.test') eq '404' }, 'thirty may go');
    is(call(POST => '/v1/sources/accept')->{status}, 409, 'nothing is held back that could go');
    mkdir "$directory/away";
    rename "$directory/app$_.yaml", "$directory/away/app$_.yaml" for 31 .. 300;
    ok(wait_for { sources()->{sources}[0]{held_back} > 0 }, 'all of them may not');
    is(who($own, 'n300.test'), 'one', 'the rest is served');
    put($directory, 'more.yaml', app($one, 'more.test'));
    ok(wait_for { who($own, 'more.test') eq 'one' }, 'what comes meanwhile is taken');
    is(who($own, 'n300.test'), 'one', 'what is held back stays so');
    my $held = sources()->{sources}[0]{held_back};
    rename "$directory/away/app300.yaml", "$directory/app300.yaml";
    ok(wait_for { sources()->{sources}[0]{held_back} < $held }, 'but for what is back');
    like((said('state'))[1], qr/are not there any more, and stay until.*`weir state accept` lets \d+ go/s, 'which is told');
    does('an operator lets them go', 'state', 'accept');
    ok(wait_for { who($own, 'n299.test') eq '404' && who($own, 'n200.test') eq '404' }, 'they go');
    is(who($own, 'n300.test'), 'one', 'what is there stays');
    is(who($own, 'fixed.test'), 'one', 'the configuration\'s stays');
};

subtest 'ready when the first state is there' => sub {
    my $path = temp_path('notify');
    my $manager = IO::Socket::UNIX->new(Type => IO::Socket::UNIX::SOCK_DGRAM(), Local => $path) or die $!;
    my $told = sub { my @all; while (IO::Select->new($manager)->can_read(0)) { recv $manager, my $text, 4096, 0; push @all, $text } return "@all" };
    my ($own, $directory) = follow(is_missing => 1, state => { wait => '1h' }, env => { NOTIFY_SOCKET => $path });
    my $ready = sub { return call(GET => $_[0] // '/readyz')->{status} };
    ok(wait_for { call(GET => '/ready')->{body} =~ /the first state is awaited/ }, 'it waits');
    is($ready->() . $ready->('/ready'), '503503', 'and is not ready');
    is(who($own, 'fixed.test'), 'one', 'who comes is served all the same');
    unlike($told->(), qr/READY=1/, 'the service manager waits');
    mkdir $directory;
    put($directory, 'shop.yaml', app($two, 'shop.test'));
    ok(wait_for { who($own, 'shop.test') eq 'two' }, 'it comes');
    ok(wait_for { $ready->() == 200 && $ready->('/ready') == 200 }, 'then it is');
    like($told->(), qr/READY=1/, 'and the service manager is told');
    my ($gone, $nowhere) = follow(is_missing => 1, state => { wait => '1h' }, env => { NOTIFY_SOCKET => temp_path('nobody') });
    ok(call(GET => '/readyz')->{status} == 503, 'one that waits');
    my $without = read_file($gone->{config}) =~ s/^weir\.state:\n(?:  .*\n)+//mr;
    $gone->configure(yaml => $without);
    ok($gone->reload(yaml => $without), 'and is told that there is nothing to wait for');
    ok(wait_for { call(GET => '/readyz')->{status} == 200 }, 'is ready');
    my ($late) = follow(is_missing => 1, state => { wait => ms(100) });
    ok(wait_for { call(GET => '/readyz')->{status} == 200 }, 'or when it has waited for long enough');
    like($late->stderr, qr/state: nothing has come/, 'which is told');
};

subtest 'a configuration that is wrong' => sub {
    my $rest = "listen: 1\nhosts: { default: { paths: { /: { status: ON } } } }\n";
    for my $case ([ 'ON', qr/must be a mapping with `files`/ ], [ '{ wait: 1s }', qr/must be a mapping with `files`/ ], [ '{ files: [ a ] }', qr/`files` is the name of a directory/ ],
        [ '{ files: /tmp, wait: soon }', qr/`wait` is a time/ ], [ '{ files: /tmp, file: x }', qr/unknown key/ ]) {
        my ($text, $says) = @$case;
        refuses_config("weir.state: $text\n$rest", qr/.*$says/, $text);
    }
};

done_testing;
