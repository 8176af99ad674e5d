# SPDX-License-Identifier: MIT
# PHP-FPM, as the distribution has it, behind the router `table`.
use lib 't/lib';
use Weir::Test;

# PHP_FPM, or whichever is there.
my ($fpm) = grep { -x } $ENV{PHP_FPM} // (), glob '/usr/sbin/php-fpm[0-9]*';
plan skip_all => 'no php-fpm here: apt-get install php-fpm' unless defined $fpm;

my $root = temp_path('www');
mkdir $_ for $root, "$root/uploads", "$root/admin";
write_file("$root/index.php", '<?php header("X-Script: index"); echo "uri=$_SERVER[REQUEST_URI]", $_POST ? " a=$_POST[a]" : "";');
write_file("$root/info.php", '<?php header("Content-Type: text/plain"); ksort($_SERVER); foreach ($_SERVER as $k => $v) if (!is_array($v)) echo "$k=$v\n";');
write_file("$root/echo.php", '<?php header("Content-Type: application/octet-stream"); echo file_get_contents("php://input");');
write_file("$root/post.php", '<?php echo $_POST["a"], "/", $_GET["b"], "/", $_COOKIE["c"], "/", md5_file($_FILES["f"]["tmp_name"] ?? "/dev/null");');
write_file("$root/status.php", '<?php http_response_code(410); echo "none";');
write_file("$root/go.php", '<?php header("Location: /elsewhere");');
write_file("$root/log.php", "<?php error_log('a word'); echo 'said';");
write_file("$root/fatal.php", '<?php no_such_function();');
write_file("$root/dies.php", '<?php posix_kill(getmypid(), 9);');
write_file("$root/stream.php", '<?php echo "first"; while (ob_get_level()) ob_end_flush(); flush(); usleep(500000); echo "second";');
write_file("$root/long.php", '<?php for ($i = 0; $i < 300; $i++) echo str_repeat(chr(65 + $i % 26), 10000);');
write_file("$root/length.php", '<?php header("Content-Length: 5"); echo "hello"; exit(3);');
write_file("$root/uploads/evil.jpg", '<?php echo "EVIL";');

my $socket = temp_path('fpm.sock');
my $pool = write_file(temp_path('fpm.conf'), <<"INI");
[global]
error_log = ${\ temp_path('fpm.log')}
daemonize = no
[www]
listen = $socket
pm = static
pm.max_children = 3
php_admin_flag[display_errors] = off
php_admin_flag[log_errors] = on
${\ ($> == 0 ? "user = root\ngroup = root" : '')}
INI
my @user = $> == 0 ? ('-R') : ();
my $pid = fork // die "fork: $!";
if ($pid == 0) {
    open STDERR, '>', '/dev/null';
    exec $fpm, @user, '-F', '-y', $pool or exit 127;
}
END { local $?; kill 'TERM', $pid and waitpid $pid, 0 if $pid }
wait_for { -S $socket } or plan skip_all => "$fpm does not start";

sub before {
    my (%app) = @_;
    return proxy(backends => ["unix:$socket"], global => { 'num-threads' => 1 }, app => { protocol => 'fastcgi', root => $root, %app });
}

for my $keepalive ('none', 'default') {
    my $proxy = before(keepalive => $keepalive);
    subtest "keepalive: $keepalive" => sub {
        my $r = $proxy->get('/shop/shoes?size=42');
        is($r->body, 'uri=/shop/shoes?size=42', 'the front controller');
        is($r->header('X-Script'), 'index', 'its header');
        my $info = $proxy->get('/info.php/more/path?a=b', "X_Evil: 1\r\nProxy: http://evil\r\nX-Two: 1\r\nX-Two: 2\r\n")->body;
        like($info, qr/^\Q$_\E$/m, $_) for 'PATH_INFO=/more/path', 'SCRIPT_NAME=/info.php', "SCRIPT_FILENAME=$root/info.php", "DOCUMENT_ROOT=$root",
            'PHP_SELF=/info.php/more/path', 'QUERY_STRING=a=b', 'HTTP_X_TWO=1, 2', 'REQUEST_METHOD=GET', 'SERVER_PROTOCOL=HTTP/1.1';
        unlike($info, qr/evil/i, 'nothing that a client could sneak in');
        my $form = join '', map { "$_\r\n" } '--x', 'Content-Disposition: form-data; name="a"', '', 'one', '--x',
            'Content-Disposition: form-data; name="f"; filename="f"', '', 'y' x 300_000, '--x--';
        $r = $proxy->ask("POST /post.php?b=two HTTP/1.1\r\nHost: a\r\nCookie: c=three\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            . 'Content-Length: ' . length($form) . "\r\n\r\n$form");
        like($r->body, qr{^one/two/three/[0-9a-f]{32}$}, 'a form with a file');
        my $long = 'z' x 3_000_000;
        $r = $proxy->ask("PUT /echo.php HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n$long");
        ok($r->body eq $long, 'a long body there and back');
        $r = $proxy->ask("PUT /echo.php HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        is($r->body, 'hello', 'a body without length');
        is(length $proxy->get('/long.php')->body, 3_000_000, 'a long response');
        is($proxy->get('/status.php')->status, 410, 'a status');
        is($proxy->get('/go.php')->status, 302, 'a redirect');
        is($proxy->get('/length.php')->body, 'hello', 'a length, and an exit status');
        is($proxy->get('/fatal.php')->status, 500, 'a fatal error');
        ok((wait_for { $proxy->stderr =~ /FastCGI application .*no_such_function/ }), 'whose sentence is on the log');
        is($proxy->get('/none.php')->status, 404, 'no such script');
        my $client = $proxy->connect;
        $client->write("GET /stream.php HTTP/1.1\r\nHost: a\r\n\r\n");
        ok(defined $client->read_until(qr/first/), 'a response that comes in parts');
        unlike($client->{in} // '', qr/second/, 'passes as it comes');
        ok(defined $client->read_until(qr/second/), 'to its end');
        is($proxy->get('/dies.php')->status, 503, 'a worker that dies');
        is($proxy->get('/index.php')->status, 200, 'costs only its own request');
    };
}

# As configurations of h2o's for PHP are mostly written.
my $h2o = proxy(yaml => <<"YAML");
listen: \@PORT\@
num-threads: 1
file.index: [ 'index.php', 'index.html' ]
file.custom-handler:
  extension: .php
  fastcgi.connect:
    port: $socket
    type: unix
hosts:
  default:
    paths:
      /:
        file.dir: $root
        redirect:
          url: /index.php/
          internal: YES
          status: 307
YAML

subtest 'a configuration of h2o\'s' => sub {
    is($h2o->get('/')->body, 'uri=/', 'the index');
    like($h2o->get('/info.php/a?b')->body, qr/^PATH_INFO=\/a$/m, 'a script');
    is($h2o->get('/shop/shoes?size=42')->body, 'uri=/shop/shoes?size=42', 'the front controller');
    is($h2o->ask("POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\na=two")->body,
        'uri=/api/x a=two', 'with a body');
    is($h2o->ask("PUT /echo.php HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" . 'q' x 500_000)->body, 'q' x 500_000, 'a body');
    is($h2o->get('/uploads/evil.jpg')->body, '<?php echo "EVIL";', 'what is no script is sent, and not run');
    unlike($h2o->get('/uploads/evil.jpg/x.php')->body, qr/^EVIL/, 'whatever is behind it');
};

subtest 'what was uploaded is not run' => sub {
    my $proxy = before();
    for my $path ('/uploads/evil.jpg/x.php', '/uploads/evil.jpg%2fx.php', '/uploads/evil.jpg/.php', '/uploads/evil.jpg%00.php', '/uploads/evil.jpg') {
        my $r = $proxy->ask("POST $path HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        unlike($r->body, qr/EVIL/, $path);
    }
};

subtest 'nothing outside of the root is run' => sub {
    my $proxy = before(root => "$root/admin");
    for my $path ('/../info.php', '/%2e%2e/info.php', '/..%2finfo.php', '/x/../../info.php', '/./../info.php') {
        my $r = $proxy->get($path);
        is($r->status, 400, $path);
    }
};

done_testing;
