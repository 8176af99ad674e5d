#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An agent in shell: says in etcd that a backend is there, for as long as the agent is. SIGTERM takes the backend back at once.
#
#   APP=shop ADDR=10.0.0.7:8080 sh agent.sh          ETCD=127.0.0.1:2379 TTL=10; several members: ETCD=10.0.0.1:2379,10.0.0.2:2379
: "${APP:?which app?}" "${ADDR:?where is the backend?}" "${TTL:=10}"
third=$(((TTL + 2) / 3))
key=/weir/v1/backends/$APP/$(hostname)-$$
export ETCDCTL_ENDPOINTS="${ETCD:-127.0.0.1:2379}" ETCDCTL_COMMAND_TIMEOUT="${third}s"
pause() { sleep "$1" & wait $!; } # a signal ends it, as it would not end a sleep in the foreground
trap '[ -z "$lease" ] || etcdctl lease revoke "$lease"; exit 0' TERM INT
while :; do # whatever fails, a new lease puts it right: the old one, without its key, ends by itself
    lease=$(etcdctl lease grant "$TTL" | cut -d' ' -f2)
    [ -n "$lease" ] && etcdctl put --lease="$lease" "$key" "{\"addr\":\"$ADDR\"}" &&
        while timeout "$third" etcdctl lease keep-alive --once "$lease" >/dev/null; do pause "$third"; done
    pause 1
done
