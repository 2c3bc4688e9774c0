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
# The host's device that says to be this: VENDOR DEVICE.
pci_device() {
	for folder in /sys/bus/pci/devices/*; do
		[ "$(cat "$folder/vendor") $(cat "$folder/device")" = "$1 $2" ] && basename "$folder"
	done
}
driver_of() { basename "$(readlink "/sys/bus/pci/devices/$1/driver")"; }
is_driven_by() { [ "$(driver_of "$1")" = "$2" ]; }
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
	-e 's/<vcpu.*/<vcpu>2<\/vcpu>/' -e 's/ttyS0 quiet/ttyS0 loglevel=6/' \
	-e "s/<\/devices>/<controller type='pci' model='pcie-root-port'\/><controller type='pci' model='pcie-root-port'\/>&/" >/tmp/web.xml
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

# Devices of the host: a network card and a USB device, to a guest that runs and back; the card to one that starts.
modprobe -a e1000e xhci_pci
udevadm settle
nic=$(pci_device 0x8086 0x10d3)
place=$(echo "$nic" | sed "s/\(.*\):\(.*\):\(.*\)\.\(.*\)/domain='0x\1' bus='0x\2' slot='0x\3' function='0x\4'/")
echo "<hostdev mode='subsystem' type='pci' managed='yes'><source><address $place/></source></hostdev>" >/tmp/nic.xml
echo "<hostdev mode='subsystem' type='usb'><source><vendor id='0x0627'/><product id='0x0001'/></source></hostdev>" >/tmp/usb.xml
echo "<domain type='kvm'><name>other</name><memory unit='MiB'>64</memory><os><type machine='q35'>hvm</type></os>
<devices>$(cat /tmp/nic.xml)</devices></domain>" >/tmp/other.xml
collect nic-host-before driver_of "$nic"
collect nic-attach real_virsh attach-device web /tmp/nic.xml --live
collect nic-host-during driver_of "$nic"
collect nic-xml real_virsh dumpxml web
exec 3>"$(real_virsh ttyconsole web)"
seen='until grep -q 0x10d3 /sys/bus/pci/devices/*/device; do sleep 1; done; echo nic "seen"'
gone='while grep -q 0x10d3 /sys/bus/pci/devices/*/device; do sleep 1; done; echo nic "gone"'
echo "$seen" >&3
reach web "^nic seen"
collect nic-other real_virsh create /tmp/other.xml --paused
collect nic-detach real_virsh detach-device web /tmp/nic.xml --live
echo "$gone" >&3
reach web "^nic gone"
exec 3>&-
wait_for 60 is_driven_by "$nic" e1000e
collect nic-host-after driver_of "$nic"
collect other-create real_virsh create /tmp/other.xml --paused
collect other-host driver_of "$nic"
collect other-destroy real_virsh destroy other
collect other-host-after driver_of "$nic"
collect usb-attach real_virsh attach-device web /tmp/usb.xml --live
collect usb-xml real_virsh dumpxml web
collect usb-second real_virsh attach-device web /tmp/usb.xml --live
collect usb-detach real_virsh detach-device web /tmp/usb.xml --live

cp "$(console_of web)" $out/web-console
collect web-shutdown real_virsh shutdown web
wait_for 200 is_off web
collect web-state real_virsh domstate web --reason
collect leftovers leftovers
for guest in early demo web; do collect undefine-$guest real_virsh undefine $guest; done
collect list real_virsh list --all --name
collect daemon-log cat /var/log/virtkit/daemon.log
