# SPDX-License-Identifier: MIT
# The border that router modules cross: how they are compiled, which of them are taken, what the library shows.
use lib 't/lib';
use Weir::Test;

my $build = build_dir();
my $root  = root_dir();

sub config_with {
    my ($so, $more) = @_;
    my $port = free_port();
    return write_file(temp_path('weir.yaml'), <<"YAML");
listen: $port
hosts:
  default:
    paths:
      /:
        weir.router:
          module: $so
YAML
}

subtest 'each example module compiles with the line of the guide' => sub {
    my @sources = glob "$root/examples/*_router.c $root/examples/*_stage.c";
    plan skip_all => 'no examples' unless @sources;
    my $pkg_config = run_command({ env => { PKG_CONFIG_PATH => $build } }, 'sh', '-c', 'pkg-config --cflags weir');
    my $flags = $pkg_config->{exit} ? "-I$build/include" : $pkg_config->{out} =~ s/\s+$//r;
    for my $source (@sources) {
        my ($name) = $source =~ m{([^/]+)\.c$};
        my $so = temp_path("$name.so");
        my $run = run_command('sh', '-c', "cc -shared -fPIC -Wall -Werror $flags $source -o $so");
        is($run->{exit}, 0, $name) or diag($run->{err});
    }
};

subtest 'each public header stands on its own, in C and in C++' => sub {
    for my $header (glob "$build/include/weir*.h") {
        my ($name) = $header =~ m{([^/]+)$};
        next if $name eq 'weir_h2o.h';    # needs libh2o
        my $source = write_file(temp_path('alone.c'), "#include <$name>\nint main(void) { return 0; }\n");
        my $run = run_command('cc', '-fsyntax-only', '-Wall', '-Wextra', '-Wpedantic', '-std=c11', '-Werror', "-I$build/include", $source);
        is($run->{exit}, 0, $name) or diag($run->{err});
        $run = run_command('c++', '-fsyntax-only', '-x', 'c++', '-Wall', '-Wextra', '-Wpedantic', '-std=c++11', '-Werror', "-I$build/include", $source);
        is($run->{exit}, 0, "$name, in C++") or diag($run->{err});
    }
};

subtest 'a router in C++' => sub {
    my $so = temp_path('in_cpp.so');
    my $run = run_command('c++', qw(-std=c++20 -Wall -Wextra -Wpedantic -Werror -shared -fPIC), "-I$build/include",
        "$root/t/routers/in_cpp.cc", '-o', $so);
    is($run->{exit}, 0, 'compiles') or diag($run->{err});
    my $backend = fast_backend('b1');
    my $proxy = proxy(router => { module => $so, port => $backend->{port} });
    my $r = $proxy->get('/');
    is($r->status, 200, 'answers from a thread');
    is($r->header('X-Language'), 'C++', 'adds headers');
    is($proxy->get('/overdue')->status, 504, 'and is waited for as long as it says');
    is($proxy->log_where(path => '/overdue')->{code}, 'too_slow', 'with its own reason');
    refuses_config("listen: 1\nhosts:\n  default:\n    paths:\n      /:\n        weir.router:\n          module: $so\n          prot: 1\n",
        qr/\d+: .*`prot`.*`port`/, 'an unknown key');
    my $wrong = write_file(temp_path('wrong.cc'), "#include <weir.h>\nweir_answer_t f(int *q) { return weir_later(q); }\n");
    isnt(run_command('c++', '-fsyntax-only', "-I$build/include", $wrong)->{exit}, 0, 'weir_later() takes nothing but a question');
};

subtest 'a smaller router of an older time is taken; what stands behind its table is not looked at' => sub {
    my $proxy = proxy(router => { module => router_so('small') });
    my $r = $proxy->get('/small');
    is($r->status, 502, 'its fault decides');
    is($proxy->log_where(path => '/small')->{code}, 'small_fault', 'by its name');
};

subtest 'a larger router of a time to come' => sub {
    my $proxy = proxy(router => { module => router_so('large') });
    is($proxy->get('/large')->status, 502, 'is taken if what we do not know is NULL');
    is($proxy->log_where(path => '/large')->{code}, 'large_fault', 'its fault decides');
    my $run = weir('check', '-c', config_with(router_so('large', '-DEXTRA=1')));
    is($run->{exit}, 1, 'is refused at start if it is not');
    like($run->{err}, qr/weir\.yaml:\d+: \S.*/, 'with file, line and a sentence');
};

subtest 'a module that cannot be a router is refused at start, with a sentence' => sub {
    my %wrong = (
        'without lookup_domain_name' => [ router_so('incomplete', '-DWITHOUT_LOOKUP'), qr/lookup_domain_name/ ],
        'without checkout_service'   => [ router_so('incomplete', '-DWITHOUT_CHECKOUT'), qr/checkout_service/ ],
        'without service_backend'    => [ router_so('incomplete', '-DWITHOUT_BACKEND'), qr/service_backend/ ],
        'that calls a function which this proxy does not have' => [ router_so('incomplete', '-DCALLS_UNKNOWN'), qr/weir_of_a_time_to_come/ ],
        'without its symbol'         => [ router_so('incomplete', '-DWITHOUT_SYMBOL'), qr/weir_router/ ],
        'that is not there'          => [ './no/such/router.so', qr/no such|cannot open|not found/i ],
        'that is no shared object'   => [ write_file(temp_path('text.so'), "not a module\n"), qr/\S/ ],
        'of an unknown built-in name' => [ 'no_such_name', qr/no_such_name/ ],
    );
    for my $how (sort keys %wrong) {
        my ($so, $sentence) = @{ $wrong{$how} };
        my $run = weir('check', '-c', config_with($so));
        is($run->{exit}, 1, "a module $how: exit 1");
        like($run->{err}, qr/weir\.yaml:\d+: .*$sentence/s, "a module $how: why");
    }
    my $run = weir('check', '-c', config_with(router_so('incomplete')));
    is($run->{exit}, 0, 'with nothing missing it is taken') or diag($run->{err});
};

subtest 'the library shows weir_* functions and no data' => sub {
    my $so = "$build/libweir.so";
    plan skip_all => 'no library' unless -e $so;
    my $run = run_command('nm', '-D', '--defined-only', $so);
    plan skip_all => 'no nm' if $run->{exit};
    my @symbols = map { [ (split)[ -2, -1 ] ] } split /\n/, $run->{out};
    cmp_ok(scalar(grep { $_->[1] =~ /^weir_/ } @symbols), '>', 40, 'there are some');
    my @strange = grep { $_->[1] !~ /^weir_/ && $_->[1] !~ /^(?:_init|_fini|_edata|_end|__bss_start)$/ && $_->[1] !~ /^__(?:asan|odr_asan|ubsan|tsan)/ } @symbols;
    is_deeply([ map { $_->[1] } @strange ], [], 'no other name');
    is_deeply([ map { $_->[1] } grep { $_->[0] =~ /[BDRbdr]/ && $_->[1] =~ /^weir_/ } @symbols ], [], 'no data');
};

subtest 'every function of the public headers is exported' => sub {
    my $so = "$build/libweir.so";
    plan skip_all => 'no library' unless -e $so;
    my %there = map { (split)[-1] => 1 } split /\n/, run_command('nm', '-D', '--defined-only', $so)->{out};
    for my $header (grep { !/weir_h2o/ } glob "$build/include/weir*.h") {
        my $text = read_file($header) =~ s{/\*.*?\*/}{}gsr;
        while ($text =~ /^WEIR_API\s[^;]*?\b(weir_\w+)\s*\(/mg) {
            ok($there{$1}, $1);
        }
    }
};

# ── the headers of each ABI ──

my ($abi) = read_file("$build/include/weir_router.h") =~ /^#define WEIR_ROUTER_ABI (\d+)$/m;

# What compilers make of headers: their declarations, { outside the braces => inside }, and their macros, { name => text }.
sub meaning_of {
    my ($folder) = @_;
    my (%declaration, %macro);
    for my $header (glob "$folder/weir*.h") {
        my $text = run_command('cc', qw(-w -fpreprocessed -dD -E -P), $header)->{out} =~ s/\\\n//gr;
        while ($text =~ s/^#define (\w+)(.*)\n//m) {
            my ($name, $body) = ($1, $2);
            $macro{$name} = squeeze($body);
        }
        $text =~ s/^(?:#.*|WEIR_C_BEGIN|WEIR_C_END)\n//gm;
        while ($text =~ /\G\s*((?:[^{};]|(\{(?:[^{}]|(?2))*\}))+?)(?:;|(?<=\})\n)/g) {
            my ($whole, $inside) = ($1, $2 // '');
            (my $outside = $whole) =~ s/\Q$inside\E/{}/ if length $inside;
            $declaration{ squeeze($outside // $whole) } = squeeze($inside =~ s/^\{|,?\s*\}$//gr);
        }
    }
    return (\%declaration, \%macro);
}

sub squeeze { return $_[0] =~ s/\s+/ /gr =~ s/^ | $//gr }

subtest 'the headers of every ABI from 5 on are kept' => sub {
    ok(-e "$root/t/abi/$_/weir.h", "of ABI $_") for 5 .. $abi;
    is_deeply([ meaning_of("$root/t/abi/$abi") ], [ meaning_of("$build/include") ], 'those of this one are as they were kept')
        or diag('something was appended: raise WEIR_ROUTER_ABI (and WEIR_STAGE_ABI), then ./dev abi');
};

for my $old (5 .. $abi) {
    subtest "what was compiled against ABI $old" => sub {
        my ($was, $was_macro) = meaning_of("$root/t/abi/$old");
        my ($is, $is_macro) = meaning_of("$build/include");
        cmp_ok(scalar keys %$was, '>', 150, 'its declarations are read');
        is_deeply([ grep { !exists $is->{$_} } sort keys %$was ], [], 'every one of them is there');
        is_deeply([ grep { exists $is->{$_} && index($is->{$_}, $was->{$_}) != 0 } sort keys %$was ], [], 'and has only grown at its end');
        is_deeply([ grep { !/_ABI$|^WEIR_VERSION$/ && ($is_macro->{$_} // '') ne $was_macro->{$_} } sort keys %$was_macro ], [], 'as every macro');

        my %so;
        for my $source ("$root/examples/toy_router.c", "$root/examples/auth_stage.c") {
            my ($name) = $source =~ m{(\w+)\.c$};
            $so{$name} = temp_path("$name.so");
            my $run = run_command('cc', qw(-shared -fPIC -Wall -Werror), "-I$root/t/abi/$old", $source, '-o', $so{$name});
            is($run->{exit}, 0, "$name compiles") or diag($run->{err});
        }
        my $proxy = proxy(router => $so{toy_router}, path => { 'weir.stages' => $so{auth_stage} });
        is($proxy->get('/')->status, 401, 'the stage is taken');
        like($proxy->get('/', "Authorization: Bearer x\r\n")->status, qr/^(?:200|502|404)$/, 'and the router');
    };
}

subtest 'modules of ABI 4 and older are refused, with what is to be done' => sub {
    for my $case ([ router => router_so('incomplete', '-DWITHOUT_ABI'), 'weir_router_abi' ],
        [ stage => router_so('marking_stage', '-DMARK="1"', '-DWITHOUT_ABI'), 'weir_stage_abi' ]) {
        my ($what, $so, $symbol) = @$case;
        my $file = $what eq 'router' ? config_with($so)
            : write_file(temp_path('weir.yaml'), "listen: @{[ free_port() ]}\nhosts:\n  default:\n    paths:\n      /:\n"
            . "        weir.router: stub\n        weir.stages: $so\n");
        my $run = weir('check', '-c', $file);
        is($run->{exit}, 1, "a $what is refused");
        like($run->{err}, qr/weir\.yaml:\d+: .*this $what was made for ABI 4 of Weir or an older one, and this proxy takes ABI 5/, 'why');
        like($run->{err}, qr/compile it anew .* add `const int $symbol = /, 'and what to do');
    }
};

done_testing;
