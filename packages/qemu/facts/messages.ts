// What is odd about a running guest, as libvirt calls it: how it is tainted, and which of its settings are deprecated.

import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

/** virDomainMessageType; none is both. */
const MESSAGE = { deprecation: 1, tainting: 2 } as const;

/** libvirt's words for taints, in its order, with when each holds (qemuDomainObjCheckTaint). */
const TAINTS: readonly (readonly [string, (run: Run, driver: Driver) => boolean])[] = [
	[
		"custom configuration parameters specified",
		({ live: { def } }) => {
			const { arg = [], env = [] } = def.qemuCommandline ?? {};
			return arg.length + env.length > 0;
		},
	],
	["custom monitor control commands issued", ({ tampered }) => tampered.monitor],
	[
		"running with undesirable elevated privileges",
		({ live: { def } }, { session, runAs }) =>
			(!session && (runAs === undefined || runAs.uid === 0 || runAs.gid === 0)) ||
			def.devices.disks.some(({ rawio }) => rawio === true),
	],
	[
		"network configuration using opaque shell scripts",
		({ live: { def } }) => def.devices.interfaces.some(({ script }) => script !== undefined),
	],
	["custom device tree blob used", ({ live: { def } }) => def.os.dtb !== undefined],
	["custom guest agent control commands issued", ({ tampered }) => tampered.agent],
	[
		"hypervisor feature autodetection override",
		({ live: { def } }) => {
			const { add = [], del = [] } = def.qemuCapabilities ?? {};
			return add.length + del.length > 0;
		},
	],
	["use of deprecated configuration settings", (run) => deprecations(run).length > 0],
	["custom device configuration", ({ live: { def } }) => (def.qemuOverride?.device.length ?? 0) > 0],
];

/** Settings that QEMU says will go away. */
function deprecations({ live: { def }, caps }: Run): string[] {
	const found: string[] = [];
	const { machine = "" } = def.os.type;
	if (caps.machine(machine)?.deprecated) found.push(`machine type '${machine}'`);
	const model = def.cpu?.mode === "custom" ? def.cpu.model?.name : undefined;
	if (
		model !== undefined &&
		(caps.accelerator(def.type)?.cpus ?? []).some(({ name, deprecated }) => name === model && deprecated)
	)
		found.push(`CPU model '${model}'`);
	return found;
}

export const messageFacts = (driver: Driver): Pick<DomainOperations<QemuDomain>, "messages"> => ({
	messages: ({ run }, flags) => {
		if (!run) return [];
		const about = flags || MESSAGE.deprecation | MESSAGE.tainting;
		return [
			...(about & MESSAGE.tainting
				? TAINTS.filter(([, holds]) => holds(run, driver)).map(([words]) => `tainted: ${words}`)
				: []),
			...(about & MESSAGE.deprecation ? deprecations(run).map((what) => `deprecated configuration: ${what}`) : []),
		];
	},
});
