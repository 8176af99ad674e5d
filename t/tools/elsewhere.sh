#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: elsewhere.sh CODENAME [FILE...], from the root of the tree: `./dev test [FILE...]` on another Debian, in a chroot.
#
# The chroot stays below build/elsewhere/ (with its packages, and its build of the tree), so that the next time is short.
# All mounts are those of a mount namespace, and all processes those of a pid namespace: both are gone when this ends, be
# it by a signal. Environment: WEIR_PRESET and WEIR_SLOW as for `./dev test`, WEIR_MIRROR (a Debian mirror; else apt's own),
# WEIR_ELSEWHERE_S (seconds for the whole run inside, 7200).
set -eu
. deps/apt.sh

codename=${1:-}
root=build/elsewhere/$codename
make_root_s=1800
run_s=${WEIR_ELSEWHERE_S:-7200}

check_arguments() {
    case $codename in
    bookworm | trixie) ;;
    *) fail "elsewhere: on which Debian? bookworm and trixie are known, '$codename' is not" ;;
    esac
    [[ $run_s =~ ^[1-9][0-9]*$ ]] || fail "elsewhere: WEIR_ELSEWHERE_S=$run_s is not a number of seconds"
    [ "$(id -u)" = 0 ] || fail "elsewhere: a chroot and its mounts need root: sudo ./dev elsewhere $codename"
}

# Made under another name first: what is called $root is whole.
make_root() {
    local url
    [ ! -d "$root" ] || return 0
    set_up elsewhere
    url=$(mirror)
    [ -n "$url" ] || fail "elsewhere: no Debian mirror in /etc/apt; name one: WEIR_MIRROR=URL ./dev elsewhere $codename"
    rm -rf "$root.new"
    mkdir -p build/elsewhere
    echo "== $root from $url"
    timeout --foreground -k 10 "$make_root_s" debootstrap --variant=minbase --include=ca-certificates \
        "$codename" "$root.new" "$url" >"$root.log" 2>&1 || {
        tail -n 5 "$root.log" >&2
        fail "elsewhere: debootstrap failed, see $root.log"
    }
    echo force-unsafe-io >"$root.new/etc/dpkg/dpkg.cfg.d/weir" # packages go to disk once, not file by file
    mv "$root.new" "$root"
}

# HEAD, with what is changed and what is new. The build inside stays, and builds again what differs.
copy_tree() {
    mkdir -p "$root/weir"
    find "$root/weir" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
        tar --null --no-recursion -T - -cf - | tar --no-same-owner -xf - -C "$root/weir"
}

# run_inside [FILE...]
run_inside() {
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    setpriv --pdeathsig TERM timeout --foreground -k 10 "$run_s" unshare --mount --pid --fork --kill-child --propagation private bash -euc '
        root=$1 settings=$2
        shift 2
        mount --rbind "$root" "$root" # what is no mount cannot be unshared inside
        mount -t proc proc "$root/proc"
        mount --rbind /sys "$root/sys"
        mount --rbind /dev "$root/dev"
        exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            $settings sh -c '\''cd /weir && exec ./dev --yes test "$@"'\'' sh "$@"
    ' bash "$root" "WEIR_PRESET=${WEIR_PRESET:-asan} ${WEIR_SLOW:+WEIR_SLOW=$WEIR_SLOW}" "$@"
}

# main CODENAME [FILE...]: one function, so that this file may be edited while it runs
main() {
    local status=0
    check_arguments
    shift
    make_root
    copy_tree
    run_inside "$@" || status=$?
    case $status in
    0) echo "== $codename: all passed" ;;
    124 | 137) echo "== $codename: ended after $run_s seconds (WEIR_ELSEWHERE_S)" ;;
    *) echo "== $codename: failed, status $status" ;;
    esac
    exit $status
}

main "$@"
