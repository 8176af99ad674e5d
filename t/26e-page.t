# SPDX-License-Identifier: MIT
# The page of the admin endpoint: what is served, to whom, and what a browser makes of it (chromium, or $CHROMIUM).
#
#   WEIR_PICTURES   a folder for pictures of it, light and dark
use lib 't/lib';
use Weir::Test;
use Weir::Browser;
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP ();

my $path = temp_path('admin.sock');
my $ok   = ok_backend('ok');
my $apps = {
    shop => { domains => ['shop.test'], backends => [ { at => $ok->address, id => 'well' }, { at => '127.0.0.1:' . refusing_port(), id => 'gone' } ] },
    blog => { domains => ['blog.test'], backends => [ { at => $ok->address, id => 'only' } ] },
};
my $proxy = proxy(global => { 'weir.admin' => { path => $path }, 'weir.metrics-apps' => 'ON' }, router => { module => 'table', name => 'main', apps => $apps });
ok(wait_for { -S $path }, 'the endpoint is there');

# The answer to a request: status, fields, body.
sub call {
    my ($method, $target, %fields) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $path) // die "no admin endpoint: $!";
    %fields = (Host => 'localhost:8081', Connection => 'close', 'Content-Length' => 0, %fields);
    print {$socket} "$method $target HTTP/1.1\r\n", (map { "$_: $fields{$_}\r\n" } sort keys %fields), "\r\n";
    local $/;
    my ($head, $body) = split /\r\n\r\n/, <$socket> // '', 2;
    if ($head =~ /^transfer-encoding: chunked/mi) {
        my $whole = '';
        while ($body =~ s/^([0-9a-f]+)\r\n//i && hex $1) { $whole .= substr $body, 0, hex $1, ''; $body =~ s/^\r\n// }
        $body = $whole;
    }
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+)};
    return { status => $status, fields => { map { /^([^:]+): *(.*)$/ ? (lc $1 => $2) : () } split /\r\n/, $head }, body => $body };
}

subtest 'what is served' => sub {
    my $got = call(GET => '/');
    is($got->{status}, 200, 'it is there');
    is($got->{fields}{'content-type'}, 'text/html; charset=utf-8', 'as a page');
    my ($nonce) = $got->{body} =~ /<script nonce="([0-9a-f]{32})">/;
    like($got->{body}, qr/<style nonce="$nonce">/, 'with a nonce');
    unlike($got->{body}, qr/\@NONCE\@/, 'wherever one belongs');
    is($got->{fields}{'content-security-policy'}, "default-src 'none'; script-src 'nonce-$nonce'; style-src 'nonce-$nonce'; connect-src 'self'; img-src data:; "
        . "base-uri 'none'; form-action 'none'; frame-ancestors 'none'", 'a policy that lets in what it has, and nothing else');
    is($got->{fields}{'x-content-type-options'}, 'nosniff', 'is what it is');
    unlike(call(GET => '/')->{body}, qr/$nonce/, 'the next one has another');
    my @foreign = grep { !m{^https?://(?:www\.w3\.org/2000/svg|shop\.example/cart)$} } $got->{body} =~ m{((?:https?:)?//[\w.-]+\.\w[^\s'"`<]*)}g;
    is_deeply(\@foreign, [], 'it names no other host');
    is_deeply([ $got->{body} =~ /<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="(?!data:)([^"]*)"/g ], [], 'and nothing that is to be fetched');
    unlike($got->{body}, qr/\bon\w+="|style="|innerHTML/, 'no code and no looks in attributes, no HTML made of texts');
    is(call(POST => '/')->{status}, 405, 'it takes no POST');
    is(call(GET => '/other')->{status}, 404, 'there is no other');
};

subtest 'what people need who do not see it, or have no mouse' => sub {
    my $page = call(GET => '/')->{body};
    like($page, qr/<html lang="en">/, 'its language');
    like($page, qr/<a class="skip" href="#apps">/, 'a way past the charts');
    my %ids = map { $_ => 1 } $page =~ /\bid="([\w-]+)"/g;
    is_deeply([ grep { !$ids{$_} } qw(facts state hold theme charts loops apps filter changes slow explain method url from headers answer) ], [], 'everything that scripts look for');
    is_deeply([ grep { !$ids{$_} } $page =~ /aria-labelledby="([\w-]+)"/g ], [], 'every label that is pointed to is there');
    like($page, qr/id="state" role="status" aria-live="polite"/, 'troubles are said');
    like($page, qr/:focus-visible \{ outline/, 'the focus is seen');
    my @unnamed = grep { !/aria-label/ && $page !~ /<label[^>]*>[^<]*\Q$_\E/ } $page =~ /(<(?:input|select|textarea)\b[^>]*>)/g;
    is_deeply(\@unnamed, [], 'every field has a name');
};

subtest 'whose pages may ask' => sub {
    my @browser = ('Accept-Encoding' => 'gzip, deflate');
    is(call(GET => '/v1/version', @browser)->{status}, 200, 'its own');
    is(call(GET => '/v1/version', @browser, Host => $_)->{status}, 200, "as $_") for '127.0.0.1:8081', '[::1]:8081', 'weir.localhost';
    for my $target ('/', '/v1/version', '/v1/top', '/v1/apps') {
        my $got = call(GET => $target, @browser, Host => 'evil.example:8081');
        is($got->{status}, 403, "none whose name leads here: $target");
        like($got->{body}, qr/"urn:weir:problem:foreign-origin".*Host is neither/, 'and says so');
    }
    is(call(GET => '/v1/version', Host => 'evil.example')->{status}, 403, 'nor anybody else by such a name');
    is(call(GET => '/v1/version', @browser, Host => 'weir')->{status}, 403, 'a browser by a name without dots');
    is(call(GET => '/v1/version', Host => 'weir')->{status}, 200, 'which programs may use');
    my $pause = '/v1/apps/shop/pause';
    is(call(POST => $pause, @browser, Origin => $_)->{status}, 403, "nothing is changed by $_") for 'http://evil.example', 'http://localhost:3000', 'https://localhost', 'null';
    is(call(POST => $pause, @browser, 'Sec-Fetch-Site' => 'cross-site')->{status}, 403, 'nor by a form of another site');
    is(call(POST => '/v1/apps/shop/resume', @browser, Origin => 'http://localhost:8081', 'Sec-Fetch-Site' => 'same-origin')->{status}, 200, 'but by its own page');
};

# A port that leads to the socket, as `ssh -L PORT:SOCKET` makes one.
sub tunnel {
    return backend(sub {
        my ($client) = @_;
        my $socket = IO::Socket::UNIX->new(Peer => $path) or return;
        $client->{socket}->blocking(1);
        my %other = (fileno $client->{socket}, $socket, fileno $socket, $client->{socket});
        my $select = IO::Select->new($client->{socket}, $socket);
        while (1) {
            for my $from ($select->can_read) {
                sysread $from, my $bytes, 65536 or return;
                my $to = $other{ fileno $from };
                while (length $bytes) { substr $bytes, 0, syswrite($to, $bytes) // return, '' }
            }
        }
    });
}

sub picture {
    my ($browser, $name) = @_;
    return unless $ENV{WEIR_PICTURES};
    return write_file("$ENV{WEIR_PICTURES}/$name.png", $browser->picture);
}

subtest 'a browser' => sub {
    plan skip_all => 'no chromium' unless Weir::Browser::program();
    my $browser = Weir::Browser->start(dir => temp_path('profile'));
    my $tunnel  = tunnel();
    my $ask     = sub { $proxy->ask("GET / HTTP/1.1\r\nHost: $_[0].test\r\nConnection: close\r\n\r\n") };
    $browser->size(1280, 1000);
    $browser->light('light');
    $browser->visit('http://localhost:' . $tunnel->port . '/');
    my $pid = $proxy->pid;
    ok($browser->shows("document.querySelector('#facts').textContent.includes('process $pid')"), 'the process is there');
    ok($browser->shows(q{[...document.querySelectorAll('tr.inside td')].some(td => td.textContent === 'only')}), 'and the first app, with its backends');
    ok(wait_for { $ask->('shop'); $browser->value(q{[...document.querySelectorAll('#apps td.bad')].some(td => td.textContent === '1')}) }, 'one of another app is ill');
    ok($browser->shows(q{/Requests per second: all [\d.]+, 5xx/.test(document.querySelector('#chart-rate').getAttribute('aria-label'))}), 'charts say what they show');
    ok($browser->shows(q{document.querySelector('#chart-rate path').getAttribute('d').includes('L')}), 'and draw it');
    is($browser->value(q{[...document.querySelectorAll('#apps-head th')].every(th => th.scope === 'col')}), JSON::PP::true(), 'headings are headings');

    # By the keyboard alone: Tab to the heading "App", Enter.
    $browser->value(q{document.querySelector('#filter').focus()});
    $browser->press('Tab', 9);
    is($browser->value('document.activeElement.textContent'), 'App', 'Tab leads from the filter to the first heading');
    $browser->press('Enter', 13, "\r");
    ok($browser->shows(q{document.querySelector('#apps-head th').getAttribute('aria-sort') === 'ascending'}), 'Enter sorts by it');
    is($browser->value(q{document.querySelector('#apps tbody button').textContent}), 'blog', 'it is the order of names');
    is($browser->value(q{getComputedStyle(document.activeElement).outlineStyle}), 'solid', 'the focus is seen');
    $browser->value(q{document.querySelector('#filter').value = 'SHO'; document.querySelector('#filter').dispatchEvent(new Event('input'))});
    is($browser->value(q{[...document.querySelectorAll('#apps button.open')].map(b => b.textContent).join()}), 'shop', 'the filter filters');
    $browser->value(q{document.querySelector('#filter').value = ''; document.querySelector('#filter').dispatchEvent(new Event('input'))});
    $browser->value(q{const button = [...document.querySelectorAll('#apps button.open')].find(b => b.textContent === 'shop'); button.focus()});
    $browser->press('Enter', 13, "\r");
    ok($browser->shows(q{[...document.querySelectorAll('tr.inside td.bad')].some(td => td.textContent === 'connect')}), 'Enter opens an app: its health');
    ok($browser->shows(q{[...document.querySelectorAll('tr.inside td.reason')].some(td => td.textContent.includes('could not be connected'))}), 'and why');
    is($browser->value(q{document.activeElement.getAttribute('aria-expanded') + document.activeElement.textContent}), 'trueshop', 'and keeps the focus');

    $browser->value(q{document.querySelector('#url').value = 'https://shop.test/'; document.querySelector('#explain').requestSubmit()});
    ok($browser->shows(q{/app shop/.test((document.querySelector('#answer pre') || {}).textContent)}), 'the form says what comes of it');

    my $colour = q{getComputedStyle(document.body).backgroundColor};
    my $light  = $browser->value($colour);
    picture($browser, 'light');
    $browser->light('dark');
    isnt($browser->value($colour), $light, 'it is dark where the system is');
    picture($browser, 'dark');
    $browser->value(q{const theme = document.querySelector('#theme'); theme.value = 'light'; theme.dispatchEvent(new Event('change'))});
    is($browser->value($colour), $light, 'or as the switch says');
    $browser->size(420, 900);
    picture($browser, 'narrow');
    cmp_ok($browser->value('document.documentElement.scrollWidth'), '<=', 420, 'it fits a narrow one');

    $proxy->stand_still;
    $browser->value(q{document.querySelector('#hold').click()});
    is($browser->value(q{document.querySelector('#hold').getAttribute('aria-pressed')}), 'true', 'it can be held still');
    $proxy->signal('CONT');
    is_deeply([ $browser->troubles ], [], 'nothing went wrong');
};

# The endpoint, but that it tells of these changes, and has this explanation.
sub told {
    my ($changes, $explanation) = @_;
    return backend(sub {
        my ($client) = @_;
        while (my ($head) = $client->read_request) {
            my ($method, $target) = $head =~ /^(\S+) (\S+)/;
            if ($target =~ m{/watch\?after=\d+$}) {
                my ($one, $rest) = $changes =~ /^(.{10})(.*)$/s;    # a line may come in pieces
                $client->write("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n");
                $client->write(sprintf "%x\r\n%s\r\n", length, $_) for $one, $rest;
                return $client->wait_close(600);
            }
            my $got = $target eq '/v1/explain' ? { fields => {}, body => $explanation } : call($method, $target);
            my @fields = map { "$_: $got->{fields}{$_}\r\n" } grep { /^(?:content-type|content-security-policy|weir-seq)$/ } keys %{ $got->{fields} };
            $client->write(join '', "HTTP/1.1 200 OK\r\n", @fields, 'Content-Length: ', length $got->{body}, "\r\n\r\n$got->{body}");
        }
    });
}

subtest 'changes and explanations' => sub {
    plan skip_all => 'no chromium' unless Weir::Browser::program();
    my $change = '{"seq":7,"at":"2026-11-29T12:00:01.123Z","who":{"uid":5},"op":"patch","path":"/apps/shop","before":{"hold":1},"after":{"hold":"<b>2</b>"}}';
    my $server = told("$change\n\n", '{"lookup":{"app":"shop"},"members":[{"id":"well","because":"cost"},{"id":"gone","because":"connect"}]}');
    my $browser = Weir::Browser->start(dir => temp_path('profile'));
    $browser->visit('http://localhost:' . $server->port . '/');
    ok($browser->shows(q{document.querySelectorAll('#changes li').length === 1}), 'a change is there');
    like($browser->value(q{document.querySelector('#changes').textContent}), qr/no\. 7.*patch \/apps\/shop by uid 5: \{"hold":1\} . \{"hold":"<b>2<\/b>"\}/, 'what, whose, from what to what: as text');
    $browser->value(q{document.querySelector('#url').value = 'https://shop.test/'; document.querySelector('#explain').requestSubmit()});
    ok($browser->shows(q{[...document.querySelectorAll('#answer td')].some(td => td.textContent === 'connect')}), 'an explanation is a table');
    is($browser->value(q{[...document.querySelectorAll('#answer thead th')].map(th => th.textContent).join()}), 'id,because', 'with headings');
    is_deeply([ $browser->troubles ], [], 'nothing went wrong');
};

done_testing;
