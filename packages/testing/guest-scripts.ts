// The shell scripts of the tiny guest, as text so that a bundled program carries them; they use no dollar-brace forms.

/**
 * The first program of the tiny guest: mounts, loads the drivers of what is there, and offers a shell on the console.
 */
export const INIT = `#!/bin/sh
export PATH=/sbin:/bin HOME=/root TERM=linux
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmp /tmp
hostname virtkit-guest

# Devices that are there already; those that come later are announced to /sbin/plug. A driver may reveal further devices.
coldplug() {
	find /sys/devices -name modalias -exec cat {} + 2>/dev/null | sort -u | xargs modprobe -aq 2>/dev/null
}
coldplug
coldplug
uevent /sbin/plug &

for button in /sys/class/input/event*; do
	case "$(cat "$button/device/name" 2>/dev/null)" in
	"Power Button") /sbin/power-button "/dev/input/$(basename "$button")" & ;;
	esac
done
for port in /sys/class/virtio-ports/*; do
	case "$(cat "$port/name" 2>/dev/null)" in
	org.qemu.guest_agent.0) /sbin/guest-agent "/dev/$(basename "$port")" & ;;
	esac
done
ip link set lo up
for nic in /sys/class/net/*; do
	[ -e "$nic/device" ] && /sbin/network "$(basename "$nic")" &
done

echo "virtkit-guest: ready"
[ -n "$run" ] && sh -c ". /etc/profile; $run"

for tty in hvc0 tty1; do
	[ -c "/dev/$tty" ] && [ -e "/sys/class/tty/$tty" ] && (while :; do setsid -c sh -l <"/dev/$tty" >"/dev/$tty" 2>&1; sleep 1; done) &
done
# Where the kernel's console is none that can be a controlling terminal, the shell does without job control.
while :; do
	setsid cttyhack sh -l
	sleep 1
done
`;

/** Called for each kernel event: loads the driver of a device plugged in, and brings new CPUs and memory online. */
export const PLUG = `#!/bin/sh
[ "$ACTION" = add ] || exit 0
[ -n "$MODALIAS" ] && modprobe -q "$MODALIAS"
case "$SUBSYSTEM" in
cpu | memory) [ -e "/sys$DEVPATH/online" ] && echo 1 >"/sys$DEVPATH/online" ;;
net) [ -e "/sys$DEVPATH/device" ] && /sbin/network "$INTERFACE" & ;;
esac
exit 0
`;

/** Waits for one press of the ACPI power button (a struct input_event is 24 bytes) and shuts down. */
export const POWER_BUTTON = `#!/bin/sh
head -c 24 "$1" >/dev/null || exit 1
echo "virtkit-guest: power button" >/dev/console
/sbin/poweroff
`;

/**
 * Brings an interface up and takes the address that a DHCP server offers; also the script that udhcpc calls with it.
 */
export const NETWORK = `#!/bin/sh
case "$1" in
deconfig) ip addr flush dev "$interface" ;;
bound | renew)
	[ -n "$mask" ] || mask=24
	ip addr add "$ip/$mask" dev "$interface"
	for gateway in $router; do ip route add default via "$gateway" dev "$interface" && break; done
	for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
	;;
leasefail | nak) ;;
*)
	ip link set "$1" up
	exec udhcpc -i "$1" -s /sbin/network -b -q -t 5 -T 2 >/dev/null 2>&1
	;;
esac
`;

/** Answers the QEMU guest agent commands that start with a handshake and end in a shutdown, on the port given. */
export const GUEST_AGENT = String.raw`#!/bin/sh
exec <>"$1" >&0
while :; do
	# The port reads as ended for as long as nobody is at the host's side.
	read -r line || { sleep 0.1; continue; }
	id=$(echo "$line" | sed -n 's/.*"id" *: *\([0-9]*\).*/\1/p')
	case "$line" in
	*'"guest-sync-delimited"'*) printf '\377{"return": %s}\n' "$id" ;;
	*'"guest-sync"'*) printf '{"return": %s}\n' "$id" ;;
	*'"guest-ping"'*) echo '{"return": {}}' ;;
	*'"guest-get-host-name"'*) printf '{"return": {"host-name": "%s"}}\n' "$(hostname)" ;;
	*'"guest-get-time"'*) printf '{"return": %s000000000}\n' "$(date +%s)" ;;
	*'"guest-shutdown"'*'"reboot"'*) /sbin/reboot ;;
	*'"guest-shutdown"'*) /sbin/poweroff ;;
	*) echo '{"error": {"class": "CommandNotFound", "desc": "The tiny guest does not know this command"}}' ;;
	esac
done
`;

/**
 * What every shell of the tiny guest starts with. Busybox would run its own commands of these names, which ask an
 * init system that is not there.
 */
export const PROFILE = `export PS1='virtkit-guest# '
poweroff() { /sbin/poweroff; }
reboot() { /sbin/reboot; }
halt() { /sbin/halt; }
cd /root
`;

/**
 * Commands that act at once, since no init system listens to the usual ones, and one that makes the kernel panic.
 */
export const COMMANDS: Readonly<Record<string, string>> = {
	poweroff: "#!/bin/sh\nsync\nexec busybox poweroff -f\n",
	halt: "#!/bin/sh\nsync\nexec busybox halt -f\n",
	reboot: "#!/bin/sh\nsync\nexec busybox reboot -f\n",
	crash: "#!/bin/sh\necho 1 >/proc/sys/kernel/sysrq\necho c >/proc/sysrq-trigger\n",
};
