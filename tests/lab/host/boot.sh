#!/bin/sh
# Process 1 of the lab's host: what an init system mounts and starts, then the scenario, then power off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for folder in /dev/shm /run /tmp; do mount -t tmpfs tmpfs "$folder"; done
chmod 1777 /tmp /dev/shm
mkdir /run/lock
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
# Gives device nodes their groups, /dev/kvm among them.
/lib/systemd/systemd-udevd --daemon
cd /lab || exit
sh ./scenario.sh </dev/null
echo $? >/lab/status
sync
echo o >/proc/sysrq-trigger
while :; do sleep 1; done
