# SPDX-License-Identifier: MIT
#
# Debian packages, for ./dev and t/tools/elsewhere.sh, which source this file at the root of the tree.
# `yes=1` answers the one question that is asked here.

etc=/etc

fail() {
    echo "dev: $*" >&2
    exit 1
}

# packages SECTION...: the names below "# SECTION" in deps/debian.txt
packages() {
    local section
    for section in "$@"; do
        awk -v want="# $section" '/^#/ { inside = $0 == want; next } inside && NF' deps/debian.txt
    done | sort -u
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# codename: of this system, as os-release has it
codename() {
    (. "$etc/os-release" && echo "${VERSION_CODENAME:-}")
}

# mirror: where apt gets this Debian from. An archive with the same suite that is not Debian's own is not meant: its
# origin tells, once lists have been fetched.
mirror() {
    local format='$(RELEASE) $(COMPONENT) $(REPO_URI)' targets
    if [ -n "${WEIR_MIRROR:-}" ]; then
        echo "$WEIR_MIRROR"
        return
    fi
    targets=$(apt-get indextargets --format "$format" 'Created-By: Packages' 'Origin: Debian' 2>/dev/null)
    [ -n "$targets" ] || targets=$(apt-get indextargets --format "$format" 'Created-By: Packages')
    awk -v suite="$(codename)" '($1 == suite || $1 == "stable" || $1 == "oldstable") && $2 == "main" { print $3; exit }' \
        <<<"$targets"
}

agreed() {
    local answer=
    [ -z "${yes:-}" ] || return 0
    [ -t 0 ] || fail "$1 Run \`./dev --yes ...\` if that is wanted."
    read -r -p "$1 Do it? [y/N] " answer
    [[ $answer =~ ^[yY] ]]
}

# add_source NAME: deps/CODENAME/NAME.sources and NAME.pref of this system, below /etc/apt, unless they are there
add_source() {
    local from to url
    from=deps/$(codename)
    to=$etc/apt
    [ -f "$from/$1.sources" ] && [ ! -f "$to/sources.list.d/weir-$1.sources" ] || return 0
    agreed "This Debian has no $1: its packages are those of Debian 12, from a source that is pinned to them ($from/)." ||
        fail "no package source for $1"
    url=$(mirror)
    [ -n "$url" ] || fail "no Debian mirror in /etc/apt; name one: WEIR_MIRROR=URL ./dev ..."
    as_root cp "$from/$1.pref" "$to/preferences.d/weir-$1.pref" # first: never the source without its pins
    sed "s|@MIRROR@|$url|" "$from/$1.sources" | as_root tee "$to/sources.list.d/weir-$1.sources" >/dev/null
    as_root apt-get update
}

# set_up SECTION...: installs what is missing, and touches nothing if nothing is
set_up() {
    local missing=() package
    command -v dpkg-query >/dev/null || fail "not a Debian system: install what deps/debian.txt names by hand"
    for package in $(packages "$@"); do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    case " ${missing[*]} " in
    *' libh2o'* | *' h2o '*) add_source libh2o ;;
    esac
    echo "installing: ${missing[*]}"
    apt_install "${missing[@]}" || {
        as_root apt-get update
        apt_install "${missing[@]}"
    }
}
