#!/bin/sh
# Process 1 of a host of the sandbox: what the kernel and systemd do on an EC2 instance before and around cloud-init.
# BLUEGREEN_METADATA and BLUEGREEN_REGISTRY are address:port at the bridge's gateway.
set -u

exec 3>&1 # the console for good: while it runs a program, a shell's own output is where that program's goes

say() { printf '[host] %s\n' "$*"; }

mount_cgroups() { # Docker mounts them read-only, and an engine needs its own below
  umount -R -l /sys/fs/cgroup 2>/dev/null
  if grep -qs '^nodev.cgroup2$' /proc/filesystems && ! grep -q ':[a-z]' /proc/self/cgroup; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir -p /sys/fs/cgroup/init # a group with processes may not hand controllers on
    while read -r pid; do echo "$pid"; done </sys/fs/cgroup/cgroup.procs | while read -r pid; do
      echo "$pid" >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null
    done
    tr ' ' '\n' </sys/fs/cgroup/cgroup.controllers | while read -r controller; do
      echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null
    done
    return
  fi
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  cut -d: -f2 /proc/self/cgroup | while read -r group; do
    case $group in "") continue ;; name=*) folder=${group#name=} kind=none,$group ;; *) folder=$group kind=$group ;; esac
    mkdir -p "/sys/fs/cgroup/$folder"
    mount -t cgroup -o "$kind" cgroup "/sys/fs/cgroup/$folder" || rmdir "/sys/fs/cgroup/$folder"
  done
}

pose_as_ec2() { # cloud-init tells EC2 by the firmware's words; dmidecode (beside this file) answers where sysfs has none
  folder=/sys/class/dmi/id
  [ -d "$folder" ] || return 0
  mount -t tmpfs tmpfs "$folder"
  echo ec2b1e64-0000-4000-8000-000000000001 | tee "$folder/product_uuid" >"$folder/product_serial"
  echo "Amazon EC2" >"$folder/sys_vendor"
}

redirect() { # from ADDRESS PORT to HOST:PORT, for this host and for the containers in it
  iptables -w 10 -t nat -A OUTPUT -d "$1" -p tcp --dport "$2" -j DNAT --to-destination "$3"
  iptables -w 10 -t nat -A PREROUTING -d "$1" -p tcp --dport "$2" -j DNAT --to-destination "$3"
}

connect() {
  echo 1 >/proc/sys/net/ipv4/ip_forward
  echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
  redirect 169.254.169.254 80 "$BLUEGREEN_METADATA"
  redirect 127.0.0.1 "${BLUEGREEN_REGISTRY##*:}" "$BLUEGREEN_REGISTRY"
  iptables -w 10 -t nat -A POSTROUTING -s 127.0.0.0/8 -o eth0 -j MASQUERADE
}

stage() {
  say "cloud-init $*"
  touch /var/log/cloud-init.log
  lines=$(wc -l </var/log/cloud-init.log)
  cloud-init "$@" >>/var/log/cloud-init-output.log 2>&1 || say "cloud-init $* failed with exit code $?"
  tail -n "+$((lines + 1))" /var/log/cloud-init.log | grep -aE '(WARNING|ERROR|CRITICAL)\]' | tail -n 8
}

shut_down() { # as systemd does: the engine ends its containers in order
  say "shutting down"
  [ -x /etc/init.d/docker ] && service docker stop >/dev/null 2>&1
  exit 0
}

trap shut_down TERM INT
ln -sf /proc/1/fd/3 /dev/console
mount -t tmpfs -o mode=755 tmpfs /run # what a running system keeps there ends with it: pid files, secrets
mkdir -p /run/lock
mount -o remount,rw /proc/sys 2>/dev/null
mount_cgroups
pose_as_ec2
connect
say "$(hostname) boots"
[ -x /etc/init.d/docker ] && service docker start >/dev/null 2>&1
stage init --local
stage init
stage modules --mode=config
stage modules --mode=final
say "booted"
while :; do # `wait` reaps what this process inherits, and lets the trap in
  sleep 86400 &
  wait $!
done
