// What of devices cannot be had, and the code that says so.

import assert from "node:assert/strict";
import test from "node:test";
import type { ErrorCode } from "@virtkit/base/errors";
import { type ContextOptions, defineContext } from "@virtkit/testing/define-context";
import { completeDomain } from "../defaults/complete.ts";

interface Row extends ContextOptions {
	readonly code: ErrorCode;
	readonly devices: string;
	/** Types that the emulator lacks; it has all others. */
	readonly lacks?: readonly string[];
}

const q35 = { machine: "pc-q35-7.2" } as const;
const virt = { arch: "aarch64", machine: "virt" } as const;

const ROWS: readonly Row[] = [
	{
		code: "CONFIG_UNSUPPORTED",
		devices: "<interface type='user'><ip address='192.0.2.1' peer='192.0.2.2'/></interface>",
	},
	{ code: "XML_ERROR", devices: "<interface type='user'><ip address='192.0.2.1' prefix='30'/></interface>" },
	{
		code: "CONFIG_UNSUPPORTED",
		devices: "<interface type='bridge'><source bridge='br0'/><ip address='192.0.2.1'/></interface>",
	},
	{
		code: "CONFIG_UNSUPPORTED",
		devices: "<interface type='user'><model type='virtio'/><driver rx_queue_size='100'/></interface>",
	},
	{
		code: "CONFIG_UNSUPPORTED",
		devices: "<interface type='user'><model type='e1000'/><driver iommu='on'/></interface>",
	},
	{ code: "CONFIG_UNSUPPORTED", devices: "<interface type='user'><mtu size='9000'/></interface>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<interface type='user'><teaming type='transient'/></interface>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<interface type='ethernet'><port isolated='yes'/></interface>" },
	{
		code: "INTERNAL_ERROR",
		devices:
			"<interface type='vhostuser'><source type='unix' path='/a' mode='client'/><model type='e1000'/></interface>",
	},
	{ code: "INTERNAL_ERROR", devices: "<interface type='user'><model type='usb-net'/></interface>" },
	{ code: "INTERNAL_ERROR", devices: "<serial type='file'/>" },
	{ code: "INTERNAL_ERROR", devices: "<serial type='tcp'><source host='a'/></serial>" },
	{
		code: "INTERNAL_ERROR",
		devices: "<serial type='unix'><source mode='bind' path='/a'><reconnect enabled='no'/></source></serial>",
	},
	{ code: "CONFIG_UNSUPPORTED", devices: "<serial type='spiceport'><source channel='a'/></serial>" },
	{
		code: "CONFIG_UNSUPPORTED",
		devices: "<serial type='pty'><target type='pci-serial'/><address type='isa'/></serial>",
	},
	{
		code: "CONFIG_UNSUPPORTED",
		devices: "<serial type='pty'><target type='usb-serial'><model name='pl011'/></target></serial>",
	},
	{ code: "CONFIG_UNSUPPORTED", devices: "<serial type='pty'><target type='spapr-vio-serial'/></serial>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<serial type='pty'><target type='isa-debug'/></serial>", ...virt },
	{ code: "INTERNAL_ERROR", devices: "<serial><target type='isa-serial' port='4'/></serial>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<console/><console/>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<console><target type='xen'/></console>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<console><target type='sclp'/></console>", lacks: ["sclpconsole"] },
	{ code: "CONFIG_UNSUPPORTED", devices: "<smartcard mode='host'/><smartcard mode='host'/>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<graphics type='rdp'/>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<graphics type='vnc' passwd='123456789'/>" },
	{ code: "XML_ERROR", devices: "<graphics type='vnc'><audio id='9'/></graphics>" },
	{ code: "XML_ERROR", devices: "<graphics type='vnc'><listen type='network'/></graphics>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<graphics type='spice' tlsPort='5901'/>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<graphics type='sdl'/><graphics type='egl-headless'/>" },
	{ code: "XML_ERROR", devices: "<graphics type='dbus' p2p='yes' address='a'/>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<video><model type='vga' ram='1024'/></video>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<video><model type='vga'/></video><video><model type='cirrus'/></video>" },
	{ code: "OVERFLOW", devices: "<video><model type='qxl' ram='4294967295'/></video>" },
	{ code: "XML_ERROR", devices: "<sound model='ac97'><audio id='4'/></sound>" },
	{ code: "XML_ERROR", devices: "<audio id='1' type='none'/><audio id='1' type='alsa'/>" },
	{ code: "INTERNAL_ERROR", devices: "<input type='tablet' bus='ps2'/>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<input type='mouse' bus='usb' model='virtio'/>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<vsock><cid address='2'/></vsock>" },
	{ code: "XML_ERROR", devices: "<panic model='isa'/><panic model='isa'/>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<panic model='s390'/>" },
	{ code: "XML_ERROR", devices: "<iommu model='virtio'><driver eim='on'/></iommu>", ...q35 },
	{ code: "CONFIG_UNSUPPORTED", devices: "<iommu model='intel'/>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<watchdog model='diag288'/>" },
	{ code: "CONFIG_UNSUPPORTED", devices: "<tpm><backend type='emulator'/></tpm>" },
];

for (const { code, devices, lacks = [], ...options } of ROWS)
	test(`${devices} is refused with ${code}`, () => {
		const context = defineContext(devices, options);
		Object.assign(context.caps, {
			has: (type: string) => type !== "zpci" && !lacks.includes(type),
			hasSchema: () => true,
			hasOption: () => true,
			hasMachineProperty: () => true,
		});
		assert.throws(() => completeDomain(context.def, context.host, { fresh: true }), {
			code,
			// Where in the document it is.
			message: / \(line \d+, column \d+\)$/,
		});
	});
