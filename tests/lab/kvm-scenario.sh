#!/bin/sh
# On a host with KVM: guests of the bundled virtkit, driven by its own command line and by Debian's virsh. The test reads
# what is collected here; the script itself judges nothing.
out=/lab/out
mkdir -p $out

stamp() { echo "$(cut -d' ' -f1 /proc/uptime) $*" >>$out/times; echo "lab: $(cut -d' ' -f1 /proc/uptime) $*"; }
# collect NAME COMMAND…: what the command says, and that it failed.
collect() {
	name=$1
	shift
	"$@" >$out/$name 2>&1 || echo "exit status $?" >>$out/$name
	stamp "$name"
}
real_virsh() { virsh -c 'qemu+unix:///system?socket=/run/virtkit/libvirt-sock' "$@"; }
# wait_for SECONDS COMMAND…: until the command succeeds.
wait_for() {
	left=$1
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$left" -gt 0 ] || return 1
		left=$((left - 1))
		sleep 1
	done
}
console_of() { echo "/var/log/virtkit/qemu/$1-console.log"; }
reach() { wait_for 200 grep -q "$2" "$(console_of "$1")"; stamp "$1: $2"; }
is_off() { [ "$(real_virsh domstate "$1" | head -n 1)" = "shut off" ]; }
groups() {
	find /sys/fs/cgroup -path '*virtkit*' -type d | while read -r group; do
		for file in cpu.weight cpu.max; do
			[ -e "$group/$file" ] && echo "${group##*/} $file $(cat "$group/$file")"
		done
		echo "${group##*/} threads $(tr '\n' ' ' <"$group/cgroup.threads")"
	done
}
threads() {
	for task in /proc/"$(pgrep -f "guest=$1,")"/task/*; do
		echo "$(cat "$task/comm"): ${task##*/} $(grep Cpus_allowed_list "$task/status") $(sed -n 's/^0:://p' "$task/cgroup")"
	done
}
leftovers() {
	pgrep -a qemu
	find /sys/fs/cgroup -path '*qemu*' -type d
	find /run/virtkit/qemu /var/lib/virtkit/qemu -name '*web*' -o -name '*demo*' -o -name '*.sock'
}

stamp "the host is up"
cp -a /lab/virtkit /opt/virtkit
PATH=/opt/virtkit:$PATH
stamp "the bundle is copied"

# Before the module is loaded there is no KVM; after it there is, and nobody has to be told.
collect up-without-kvm virtkit up --no-console --name early
collect destroy-early real_virsh destroy early
modprobe kvm_amd
udevadm settle
collect kvm-device ls -l /dev/kvm
collect up virtkit up --no-console
reach demo "virtkit-guest: ready"
collect demo-list virtkit list
collect demo-vcpuinfo virtkit vcpuinfo demo
collect demo-dominfo real_virsh dominfo demo
collect demo-destroy real_virsh destroy demo

virtkit dumpxml --inactive demo | sed -e 's/>demo</>web</' -e '/<uuid>/d' -e '/<mac /d' \
	-e 's/<vcpu.*/<vcpu>2<\/vcpu>/' -e 's/ttyS0 quiet/ttyS0 loglevel=6/' >/tmp/web.xml
cp /tmp/web.xml $out/web-xml
collect web-define real_virsh define /tmp/web.xml
collect web-start real_virsh start web
reach web .
reach web "virtkit-guest: ready"
reach web "virtkit-guest# "
# Held open: QEMU takes what is typed only while somebody is at the terminal.
exec 3>"$(real_virsh ttyconsole web)"
echo 'echo answer $((6 * 7)): $(dmesg | grep -o "Hypervisor detected.*")' >&3
reach web "answer 42:"
exec 3>&-
cp "$(console_of web)" $out/web-console
collect web-argv cat "/proc/$(pgrep -f guest=web,)/cmdline"
collect web-descriptors ls -l "/proc/$(pgrep -f guest=web,)/fd"
collect web-dominfo real_virsh dominfo web
collect web-vcpuinfo virtkit vcpuinfo web
collect web-groups groups
collect web-shares real_virsh schedinfo web --live --set cpu_shares=300
collect web-quota real_virsh schedinfo web --live --set vcpu_quota=50000
collect web-vcpupin real_virsh vcpupin web 0 1 --live
collect web-emulatorpin real_virsh emulatorpin web 0 --live
collect web-pins real_virsh vcpupin web
collect web-tuned-groups groups
collect web-threads threads web
collect web-stats real_virsh domstats web --cpu-total --vcpu
collect web-shutdown real_virsh shutdown web
wait_for 200 is_off web
collect web-state real_virsh domstate web --reason
collect leftovers leftovers
for guest in early demo web; do collect undefine-$guest real_virsh undefine $guest; done
collect list real_virsh list --all --name
collect daemon-log cat /var/log/virtkit/daemon.log
