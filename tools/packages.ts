// The Debian packages that commands need: one row a package, with what shows that it is there already.

/** What a package is needed for; a later purpose needs the packages of the earlier ones too. */
export const PURPOSES = ["up", "test", "bench", "lab"] as const;
export type Purpose = (typeof PURPOSES)[number];

/** A package that `apt-get` can bring. */
export interface SystemPackage {
	readonly purpose: Purpose;
	/** Its name in Debian, by Node's name of the processor when that differs. */
	readonly name: string | Readonly<Record<string, string>>;
	/** Programs (looked up in PATH) or path patterns; one of them present means there is nothing to install. */
	readonly present: readonly string[];
	/** Why it is needed, for whoever is asked to install it. */
	readonly reason: string;
}

// Of libvirt only libvirtd itself is taken, not libvirt-daemon-system: that one would bring services for the system's own
// sockets, and tests run libvirtd in folders of their own.
export const SYSTEM_PACKAGES: readonly SystemPackage[] = [
	{
		purpose: "up",
		name: { x64: "qemu-system-x86", arm64: "qemu-system-arm" },
		present: ["/usr/bin/qemu-system-$ARCH"],
		reason: "runs the guests",
	},
	{ purpose: "up", name: "qemu-utils", present: ["qemu-img"], reason: "makes and reads disk images" },
	{
		purpose: "up",
		name: "busybox-static",
		present: ["/var/lib/dpkg/info/busybox-static.list"],
		reason: "the programs inside the demo guest",
	},
	{
		purpose: "up",
		name: { x64: "linux-image-amd64", arm64: "linux-image-arm64" },
		present: ["/boot/vmlinuz-*"],
		reason: "the demo guest's kernel",
	},
	{ purpose: "up", name: "xz-utils", present: ["xz"], reason: "unpacks the modules of kernels that have them packed" },
	{
		purpose: "test",
		name: "libvirt-clients",
		present: ["virsh"],
		reason: "the client that tests drive the daemon with",
	},
	{
		purpose: "test",
		name: "python3-libvirt",
		present: ["/usr/lib/python3/dist-packages/libvirt.py"],
		reason: "the binding that tests and benchmarks drive daemons with",
	},
	{
		purpose: "test",
		name: "libvirt-daemon",
		present: ["/usr/sbin/libvirtd"],
		reason: "libvirt's own daemon, which tests compare answers with",
	},
	{
		purpose: "test",
		name: "libxml2-utils",
		present: ["xmllint"],
		reason: "libxml2's XPath and RELAX NG, which tests compare with",
	},
	{ purpose: "test", name: "openssl", present: ["openssl"], reason: "makes the certificates that tests of TLS use" },
	{ purpose: "test", name: "swtpm", present: ["swtpm"], reason: "emulates guests' TPMs" },
	{ purpose: "test", name: "swtpm-tools", present: ["swtpm_setup"], reason: "makes the state of emulated TPMs" },
	{
		purpose: "test",
		name: "qemu-guest-agent",
		present: ["/usr/sbin/qemu-ga"],
		reason: "QEMU's own guest agent, which tests ask about this machine",
	},
	{
		purpose: "test",
		name: "python3-prometheus-client",
		present: ["/usr/lib/python3/dist-packages/prometheus_client/__init__.py"],
		reason: "Prometheus's own reader of metrics, which a test has read the daemon's",
	},
	{ purpose: "test", name: "dbus-daemon", present: ["dbus-daemon"], reason: "the bus of consoles of type dbus" },
	{ purpose: "lab", name: "mmdebstrap", present: ["mmdebstrap"], reason: "makes the lab's host of Debian packages" },
	{ purpose: "lab", name: "e2fsprogs", present: ["mkfs.ext4"], reason: "makes the disk of the lab's host" },
];
