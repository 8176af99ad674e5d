# SPDX-License-Identifier: MIT
# Documents held against schemas (JSON Schema 2020-12), as far as lib/admin/openapi.json uses it: a keyword that is not known
# here is fatal, so that none is there that nobody looks at.
package Weir::Schema;
use strict;
use warnings;
use B ();

my %silent = map { $_ => 1 } qw(description default);
my %keywords;

# `all`: the document that references lead into.
sub new {
    my ($class, $all) = @_;
    return bless { all => $all }, $class;
}

# What a reference leads to; itself, if it is none.
sub resolve {
    my ($self, $node) = @_;
    while (ref $node eq 'HASH' && defined $node->{'$ref'}) {
        my ($path) = $node->{'$ref'} =~ m{^#/(.+)$} or die "no reference of this document: $node->{'$ref'}";
        my $found = $self->{all};
        $found = $found->{$_} // die "nothing is at $node->{'$ref'}" for split m{/}, $path;
        $node = $found;
    }
    return $node;
}

sub type_of {
    return 'null' if !defined $_[0];
    return { HASH => 'object', ARRAY => 'array', 'JSON::PP::Boolean' => 'boolean' }->{ ref $_[0] } if ref $_[0];
    my $flags = B::svref_2object(\$_[0])->FLAGS;
    return 'string' if $flags & B::SVf_POK || !($flags & (B::SVf_IOK | B::SVf_NOK));
    return $_[0] == int $_[0] ? 'integer' : 'number';
}

# Everything that does not fit, each with its place.
sub troubles {
    my ($self, $schema, $value, $at) = @_;
    $at //= '';
    $schema = $self->resolve($schema);
    my @troubles;
    for my $keyword (sort grep { !$silent{$_} } keys %$schema) {
        my $check = $keywords{$keyword} // die "$at: there is a keyword $keyword, which nobody checks";
        push @troubles, $check->($self, $schema->{$keyword}, $value, $at, $schema);
    }
    return @troubles;
}

sub is_number { return type_of($_[0]) =~ /^(?:integer|number)$/ }

%keywords = (
    type => sub {
        my ($self, $types, $value, $at) = @_;
        my $is = type_of($value);
        my $fits = grep { $_ eq $is || ($_ eq 'number' && $is eq 'integer') } ref $types ? @$types : $types;
        return $fits ? () : "$at: $is in place of " . join ' or ', ref $types ? @$types : $types;
    },
    enum => sub {
        my ($self, $words, $value, $at) = @_;
        return (grep { defined $_ ? defined $value && $_ eq $value : !defined $value } @$words) ? () : "$at: none of the words: " . ($value // 'null');
    },
    required => sub {
        my ($self, $names, $value, $at) = @_;
        return map { "$at: no $_" } grep { ref $value eq 'HASH' && !exists $value->{$_} } @$names;
    },
    properties => sub {
        my ($self, $schemas, $value, $at) = @_;
        return if ref $value ne 'HASH';
        return map { $self->troubles($schemas->{$_}, $value->{$_}, "$at/$_") } grep { exists $schemas->{$_} } sort keys %$value;
    },
    additionalProperties => sub {
        my ($self, $other, $value, $at, $schema) = @_;
        return if ref $value ne 'HASH';
        my @others = grep { !exists $schema->{properties}{$_} } sort keys %$value;
        return ref $other eq 'HASH' ? map { $self->troubles($other, $value->{$_}, "$at/$_") } @others : $other ? () : map { "$at: $_ is not described" } @others;
    },
    items => sub {
        my ($self, $schema, $value, $at) = @_;
        return ref $value eq 'ARRAY' ? map { $self->troubles($schema, $value->[$_], "$at/$_") } 0 .. $#$value : ();
    },
    minItems  => sub { my ($self, $least, $value, $at) = @_; return ref $value eq 'ARRAY' && @$value < $least ? "$at: too few" : () },
    maxItems  => sub { my ($self, $most, $value, $at) = @_; return ref $value eq 'ARRAY' && @$value > $most ? "$at: too many" : () },
    minimum   => sub { my ($self, $least, $value, $at) = @_; return is_number($value) && $value < $least ? "$at: too small" : () },
    maximum   => sub { my ($self, $most, $value, $at) = @_; return is_number($value) && $value > $most ? "$at: too large" : () },
    minLength => sub { my ($self, $least, $value, $at) = @_; return type_of($value) eq 'string' && length $value < $least ? "$at: too short" : () },
    maxLength => sub { my ($self, $most, $value, $at) = @_; return type_of($value) eq 'string' && length $value > $most ? "$at: too long" : () },
    pattern   => sub { my ($self, $pattern, $value, $at) = @_; return type_of($value) eq 'string' && $value !~ /$pattern/ ? "$at: not of the pattern" : () },
    format    => sub {
        my ($self, $format, $value, $at) = @_;
        die "$at: there is a format $format, which nobody checks" if $format ne 'date-time';
        return type_of($value) ne 'string' || $value =~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ ? () : "$at: no time";
    },
    allOf => sub { my ($self, $schemas, $value, $at) = @_; return map { $self->troubles($_, $value, $at) } @$schemas },
    anyOf => sub {
        my ($self, $schemas, $value, $at) = @_;
        my @each = map { [ $self->troubles($_, $value, $at) ] } @$schemas;
        return (grep { !@$_ } @each) ? () : map { @$_ } @each;
    },
);

1;
