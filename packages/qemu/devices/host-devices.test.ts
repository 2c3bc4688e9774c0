// Devices of the host and what is reached through it: host devices, TPMs, redirected USB, shared memory; define and options.

import assert from "node:assert/strict";
import test from "node:test";
import type { ErrorCode } from "@virtkit/base/errors";
import { COMMON_TYPES, defineContext, hostFilesOf } from "@virtkit/testing/define-context";
import { isVirtError } from "@virtkit/testing/expect-error";
import { domainToNative } from "../command-line/native.ts";
import { completeDomain } from "../defaults/complete.ts";
import type { DriverHost } from "../driver-host.ts";

const TYPES = {
	...COMMON_TYPES,
	"virtio-balloon-pci": [],
	"cirrus-vga": [],
	"vfio-pci": ["display"],
	"vfio-ap": [],
	"usb-host": ["hostdevice", "guest-resets-all"],
	"usb-redir": ["filter"],
	"vhost-scsi-pci": [],
	"ivshmem-plain": [],
	"ivshmem-doorbell": [],
	"tpm-tis": [],
	"tpm-crb": [],
	"tpm-spapr": [],
	"tpm-passthrough": [],
	"tpm-emulator": [],
};

/** Without a balloon and with USB, so that nothing else shows. */
const around = (devices: string): string => `<memballoon model='none'/>${devices}`;

function hostWith(devices: string, host: Partial<DriverHost> = {}): DriverHost {
	const context = defineContext(devices, { types: TYPES });
	Object.assign(context.caps.facts.options, { spice: [] });
	return Object.assign(context.host, host);
}

/** What the options are, of those that name one of the words. */
function optionsOf(devices: string, words: RegExp, host: Partial<DriverHost> = {}): string[] {
	const { def } = defineContext(around(devices), { types: TYPES });
	const full = hostWith(devices, host);
	completeDomain(def, full, { fresh: true });
	const shell = domainToNative(def, full);
	return shell
		.split(/\s+(?=-[a-z])/)
		.map((option) => option.split("\\\n")[0]?.replaceAll("'", "").trim() ?? "")
		.filter((option) => words.test(option));
}

const pci = (address: string, more = ""): string =>
	`<hostdev type='pci'><driver name='vfio'/><source><address ${address}/></source>${more}</hostdev>`;
const mdev = (model: string, attributes = "", more = ""): string =>
	`<hostdev type='mdev' model='${model}' ${attributes}><source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source>${more}</hostdev>`;
const usb = (source: string, attributes = ""): string =>
	`<hostdev type='usb'><source ${attributes}>${source}</source></hostdev>`;
const USB_ADDRESS = "<address bus='1' device='4'/>";
const iscsi = (more = ""): string =>
	`<hostdev type='scsi'><source protocol='iscsi' name='iqn.2013-07.com.example:iscsi'><host name='example.org' port='3260'/>${more}</source></hostdev>`;

interface Row {
	readonly title: string;
	readonly devices: string;
	readonly words: RegExp;
	readonly host?: Partial<DriverHost>;
	readonly becomes: readonly string[];
}

const ROWS: readonly Row[] = [
	{
		title: "a PCI device keeps its place in the boot order and its ROM",
		devices: pci("domain='1' bus='2' slot='3' function='1'", "<boot order='1'/><rom bar='off' file='/rom'/>"),
		words: /vfio/,
		becomes: [
			`-device {"driver":"vfio-pci","host":"0001:02:03.1","id":"hostdev0","bootindex":1,"bus":"pci.0","addr":"0x2","rombar":0,"romfile":"/rom"}`,
		],
	},
	{
		title: "a PCI device without an address in the guest is not shown to it",
		devices: pci("bus='2' slot='3'", "<address type='unassigned'/>"),
		words: /vfio/,
		becomes: [],
	},
	{
		title: "one card of a team fails over to the other",
		devices: pci("bus='2' slot='3'", "<teaming type='transient' persistent='ua-net'/>"),
		words: /vfio/,
		becomes: [
			`-device {"driver":"vfio-pci","host":"0000:02:03.0","id":"hostdev0","failover_pair_id":"ua-net","bus":"pci.0","addr":"0x2"}`,
		],
	},
	{
		title: "a USB device is named by its node, with what a reset may do",
		devices: usb(USB_ADDRESS, "guestReset='uninitialized'"),
		words: /usb-host/,
		becomes: [
			`-device {"driver":"usb-host","hostdevice":"/dev/bus/usb/001/004","id":"hostdev0","guest-reset":true,"guest-resets-all":false,"bus":"usb.0","port":"1"}`,
		],
	},
	{
		title: "a mediated device shows nothing unless told",
		devices: mdev("vfio-pci"),
		words: /vfio/,
		becomes: [
			`-device {"driver":"vfio-pci","id":"hostdev0","sysfsdev":"/sys/bus/mdev/devices/c2177883-f1bb-47f0-914d-32a22e3a8804","display":"off","bus":"pci.0","addr":"0x2"}`,
		],
	},
	{
		title: "the firmware's screen needs the variant that is not hot-plugged",
		devices: `<graphics type='spice'/>${mdev("vfio-pci", "display='on' ramfb='on'")}<video><model type='none'/></video>`,
		words: /vfio/,
		becomes: [
			`-device {"driver":"vfio-pci-nohotplug","id":"hostdev0","sysfsdev":"/sys/bus/mdev/devices/c2177883-f1bb-47f0-914d-32a22e3a8804","display":"on","ramfb":true,"bus":"pci.0","addr":"0x2"}`,
		],
	},
	{
		title: "a unit of an iSCSI target gets a block node, a password and a controller",
		devices: iscsi("<auth username='me'><secret type='iscsi' usage='here'/></auth>"),
		words: /libvirt-1|scsi-generic|"lsi/,
		host: { secretValue: () => Buffer.from("secret") },
		becomes: [
			`-device {"driver":"lsi","id":"scsi0","bus":"pci.0","addr":"0x2"}`,
			`-object {"qom-type":"secret","id":"libvirt-1-backend-secret0","data":"DATA","keyid":"masterKey0","iv":"IV","format":"base64"}`,
			`-blockdev {"driver":"iscsi","portal":"example.org:3260","target":"iqn.2013-07.com.example:iscsi","lun":0,"transport":"tcp","user":"me","password-secret":"libvirt-1-backend-secret0","node-name":"libvirt-1-backend","read-only":false}`,
			`-device {"driver":"scsi-generic","drive":"libvirt-1-backend","id":"hostdev0","bus":"scsi0.0","scsi-id":0}`,
		],
	},
	{
		title: "a unit of the host's adapter is its generic device",
		devices:
			"<hostdev type='scsi'><source><adapter name='scsi_host3'/><address bus='0' target='1' unit='2'/></source><readonly/></hostdev>",
		words: /backend"/,
		host: { files: hostFilesOf({ "/sys/bus/scsi/devices/3:0:1:2/scsi_generic/sg5/dev": "" }) },
		becomes: [
			`-blockdev {"driver":"host_device","filename":"/dev/sg5","node-name":"libvirt-1-backend","read-only":true}`,
			`-device {"driver":"scsi-generic","drive":"libvirt-1-backend","id":"hostdev0","bus":"scsi0.0","scsi-id":0}`,
		],
	},
	{
		title: "the kernel serves a SCSI adapter",
		devices: "<hostdev type='scsi_host'><source protocol='vhost' wwpn='naa.5123456789abcde0'/></hostdev>",
		words: /vhost/,
		host: { files: hostFilesOf({ "/dev/vhost-scsi": "" }) },
		becomes: [
			`-device {"driver":"vhost-scsi-pci","wwpn":"naa.5123456789abcde0","vhostfd":"3","id":"hostdev0","bus":"pci.0","addr":"0x2"}`,
		],
	},
	{
		title: "the host's own module, with the file that cancels its commands",
		devices: "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm1'/></backend></tpm>",
		words: /tpm/,
		host: { files: hostFilesOf({ "/dev/tpm1": "", "/sys/class/tpm/tpm1/device/cancel": "" }) },
		becomes: [
			"-tpmdev passthrough,id=tpm-tpm0,path=/dev/tpm1,cancel-path=/sys/class/tpm/tpm1/device/cancel",
			`-device {"driver":"tpm-tis","tpmdev":"tpm-tpm0","id":"tpm0"}`,
		],
	},
	{
		title: "redirected USB devices pass the filter",
		devices:
			"<graphics type='spice'/><redirdev type='spicevmc'><boot order='1'/></redirdev><redirfilter><usbdev class='0x08' vendor='0x15E1' product='0x2007' version='1.10' allow='yes'/><usbdev allow='no'/></redirfilter>",
		words: /redir/,
		becomes: [
			"-chardev spicevmc,id=charredir0,name=usbredir",
			`-device {"driver":"usb-redir","chardev":"charredir0","id":"redir0","filter":"0x08:0x15E1:0x2007:0x0110:1|-1:-1:-1:-1:0","bootindex":1,"bus":"usb.0","port":"1"}`,
		],
	},
	{
		title: "shared memory is a file that peers have too",
		devices: "<shmem name='one' role='peer'><model type='ivshmem-plain'/><size unit='M'>8</size></shmem>",
		words: /shm/,
		becomes: [
			`-object {"qom-type":"memory-backend-file","id":"shmmem-shmem0","mem-path":"/dev/shm/one","size":8388608,"share":true}`,
			`-device {"driver":"ivshmem-plain","id":"shmem0","memdev":"shmmem-shmem0","master":"off","bus":"pci.0","addr":"0x2"}`,
		],
	},
	{
		title: "a server hands shared memory out",
		devices:
			"<shmem name='two'><model type='ivshmem-doorbell'/><server path='/tmp/s'/><msi vectors='32' ioeventfd='off'/></shmem><shmem name='three'><model type='ivshmem-doorbell'/><server/></shmem>",
		words: /shm/,
		becomes: [
			`-device {"driver":"ivshmem-doorbell","id":"shmem0","chardev":"charshmem0","vectors":32,"ioeventfd":false,"bus":"pci.0","addr":"0x2"}`,
			"-chardev socket,id=charshmem0,path=/tmp/s",
			`-device {"driver":"ivshmem-doorbell","id":"shmem1","chardev":"charshmem1","ioeventfd":true,"bus":"pci.0","addr":"0x3"}`,
			"-chardev socket,id=charshmem1,path=/var/lib/libvirt/shmem-three-sock",
		],
	},
	{
		title: "a module that somebody else emulates",
		devices:
			"<tpm model='tpm-crb'><backend type='external'><source type='unix' mode='connect' path='/tmp/tpm,1'/></backend></tpm>",
		words: /tpm/,
		host: { swtpm: ["2.0"] },
		becomes: [
			"-chardev socket,id=chrtpm,path=/tmp/tpm,,1",
			"-tpmdev emulator,id=tpm-tpm0,chardev=chrtpm",
			`-device {"driver":"tpm-crb","tpmdev":"tpm-tpm0","id":"tpm0"}`,
		],
	},
];

for (const { title, devices, words, host, becomes } of ROWS)
	test(title, () => {
		const options = optionsOf(devices, words, host).map((option) =>
			option.replace(/"data":"[^"]+"/, '"data":"DATA"').replace(/"iv":"[^"]+"/, '"iv":"IV"'),
		);
		assert.deepEqual(options, becomes);
	});

interface Refusal {
	readonly title: string;
	readonly devices: string;
	readonly code: ErrorCode;
	readonly host?: Partial<DriverHost>;
}

const CONTROLLER = "<controller type='scsi' index='0' model='virtio-scsi'/>";

const REFUSALS: readonly Refusal[] = [
	{ title: "two entries for one PCI device", devices: pci("bus='2'") + pci("bus='2'"), code: "XML_ERROR" },
	{ title: "two entries for one USB device", devices: usb(USB_ADDRESS) + usb(USB_ADDRESS), code: "XML_ERROR" },
	{
		title: "a PCI device at a USB address",
		devices: pci("bus='2'", "<address type='usb' bus='0'/>"),
		code: "INTERNAL_ERROR",
	},
	{
		title: "write filtering",
		devices: "<hostdev type='pci'><source writeFiltering='no'><address bus='2'/></source></hostdev>",
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "teams of USB devices",
		devices: `<hostdev type='usb'><source>${USB_ADDRESS}</source><teaming type='transient' persistent='ua-n'/></hostdev>`,
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "nodes of a container",
		devices: "<hostdev mode='capabilities' type='misc'><source><char>/dev/tty1</char></source></hostdev>",
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "a mediated device to boot from",
		devices: mdev("vfio-pci", "", "<boot order='1'/>"),
		code: "CONFIG_UNSUPPORTED",
	},
	{ title: "a display where nothing shows it", devices: mdev("vfio-pci", "display='on'"), code: "CONFIG_UNSUPPORTED" },
	{
		title: "a mediated device at an address of another bus",
		devices: mdev("vfio-pci", "", "<address type='ccw' cssid='0xfe' ssid='0' devno='0'/>"),
		code: "XML_ERROR",
	},
	{
		title: "the place of a SCSI disk",
		devices: `${CONTROLLER}<disk type='file'><source file='/d'/><target dev='sda' bus='scsi'/><address type='drive' controller='0' bus='0' target='0' unit='0'/></disk><hostdev type='scsi'><source><adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/></source><address type='drive' controller='0' bus='0' target='0' unit='0'/></hostdev>`,
		code: "XML_ERROR",
	},
	{
		title: "a unit that the host has not",
		devices:
			"<hostdev type='scsi'><source><adapter name='scsi_host999'/><address bus='0' target='0' unit='0'/></source></hostdev>",
		code: "SYSTEM_ERROR",
	},
	{
		title: "an adapter of the kernel's that is not there",
		devices: "<hostdev type='scsi_host'><source protocol='vhost' wwpn='naa.5123456789abcde0'/></hostdev>",
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "a password that nobody knows",
		devices: iscsi("<auth username='me'><secret type='iscsi' usage='here'/></auth>"),
		code: "NO_SECRET",
	},
	{ title: "a driver that is not vfio", devices: pci("bus='2'").replace("vfio", "kvm"), code: "INTERNAL_ERROR" },
	{
		title: "redirection without SPICE",
		devices: "<redirdev type='spicevmc'/>",
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "redirection without USB",
		devices: "<controller type='usb' model='none'/><redirdev type='tcp'><source host='h' service='1'/></redirdev>",
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "shared memory of a size that is no power of two",
		devices: "<shmem name='a'><model type='ivshmem-plain'/><size unit='M'>3</size></shmem>",
		code: "XML_ERROR",
	},
	{
		title: "shared memory in another folder",
		devices: "<shmem name='../a'><model type='ivshmem-plain'/></shmem>",
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "a server for plain shared memory",
		devices: "<shmem name='a'><model type='ivshmem-plain'/><server path='/s'/></shmem>",
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "a doorbell without a server",
		devices: "<shmem name='a'><model type='ivshmem-doorbell'/></shmem>",
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "the removed ivshmem device",
		devices: "<shmem name='a'/>",
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "an emulated module without an emulator",
		devices: "<tpm><backend type='emulator'/></tpm>",
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "version 1.2 on the newer interface",
		devices: "<tpm model='tpm-crb'><backend type='emulator' version='1.2'/></tpm>",
		host: { swtpm: ["1.2", "2.0"] },
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "banks of a module of version 1.2",
		devices:
			"<tpm model='tpm-tis'><backend type='emulator' version='1.2'><active_pcr_banks><sha1/></active_pcr_banks></backend></tpm>",
		host: { swtpm: ["1.2", "2.0"] },
		code: "XML_ERROR",
	},
	{
		title: "two modules",
		devices: "<tpm><backend type='passthrough'/></tpm><tpm><backend type='passthrough'/></tpm>",
		code: "CONFIG_UNSUPPORTED",
	},
	{
		title: "an external module of another kind of socket",
		devices: "<tpm><backend type='external'><source type='tcp'/></backend></tpm>",
		code: "XML_ERROR",
	},
	{
		title: "a module that the host has not",
		devices: "<tpm><backend type='passthrough'><device path='/dev/tpm999'/></backend></tpm>",
		code: "SYSTEM_ERROR",
	},
	{
		title: "a card that another program renders",
		devices: "<video><driver name='vhostuser'/><model type='virtio'/></video>",
		code: "CONFIG_UNSUPPORTED",
	},
];

for (const { title, devices, code, host } of REFUSALS)
	test(`refused: ${title}`, () => {
		assert.throws(() => optionsOf(devices, /./, host), isVirtError(code));
	});
