// `-machine`, `-accel` and the chipset's settings.

import { VirtError } from "@virtkit/base/errors";
import type { BuildContext } from "../devices/entry.ts";
import { isMachine } from "../machine.ts";
import { pflashNodes } from "./firmware.ts";

const onOff = (value: boolean): string => (value ? "on" : "off");

/** Parameters of `-machine` that features of the guest become. */
function featureParameters({ def, caps }: BuildContext): string[] {
	const { vmport, smm, gic, ioapic, hpt, htm, cfpc, sbbc, ibs, ras, ps2, aia, virtualization, ...others } =
		def.features ?? {};
	const nested = others["nested-hv"]?.state;
	const counting = others["ccf-assist"]?.state;
	const parameters: (string | undefined)[] = [
		vmport && `vmport=${onOff(vmport.state ?? true)}`,
		smm && `smm=${onOff(smm.state ?? true)}`,
		gic?.version && caps.arch === "aarch64" ? `gic-version=${gic.version}` : undefined,
		ioapic?.driver && `kernel_irqchip=${ioapic.driver === "qemu" ? "split" : "on"}`,
		hpt?.resizing && `resize-hpt=${hpt.resizing}`,
		hpt?.maxpagesize ? `cap-hpt-max-page-size=${hpt.maxpagesize}k` : undefined,
		htm && `cap-htm=${onOff(htm.state)}`,
		nested === undefined ? undefined : `cap-nested-hv=${onOff(nested)}`,
		counting === undefined ? undefined : `cap-ccf-assist=${onOff(counting)}`,
		cfpc?.value && `cap-cfpc=${cfpc.value}`,
		sbbc?.value && `cap-sbbc=${sbbc.value}`,
		ibs?.value && `cap-ibs=${ibs.value}`,
		ras && `ras=${onOff(ras.state)}`,
		ps2 && `i8042=${onOff(ps2.state)}`,
		aia && `aia=${aia.value}`,
		virtualization ? "virtualization=on" : undefined,
	];
	return parameters.filter((one) => one !== undefined);
}

/** Parameters of `-machine` about memory. */
function memoryParameters({ def, caps, settings }: BuildContext): string[] {
	const { memories } = def.devices;
	const epc = memories.filter(({ model }) => model === "sgx-epc");
	const ram = def.cpu?.numa?.cell.length ? undefined : caps.machine(def.os.type.machine ?? "")?.defaultRamId;
	return [
		`dump-guest-core=${onOff(def.memory?.dumpCore ?? settings.dumpGuestCore ?? false)}`,
		...(def.memoryBacking?.nosharepages ? ["mem-merge=off"] : []),
		...(memories.some(({ model }) => model === "nvdimm") ? ["nvdimm=on"] : []),
		...epc.map(
			({ alias, target }, index) => `sgx-epc.${index}.memdev=mem${alias},sgx-epc.${index}.node=${target?.node ?? 0}`,
		),
		...(ram === undefined ? [] : [`memory-backend=${ram}`]),
	];
}

/** What boots first on s390x may be told which of its boot entries to load. */
function loadparm({ def }: BuildContext): string | undefined {
	for (const { boot } of [...def.devices.disks, ...def.devices.interfaces])
		if (boot?.order === 1 && boot.loadparm !== undefined) return `loadparm=${boot.loadparm}`;
	return undefined;
}

const isS390Machine = ({ caps }: BuildContext): boolean => caps.arch === "s390x";

/** `-machine`. */
export function buildMachine(context: BuildContext): void {
	const { command, def, caps } = context;
	const { keywrap, launchSecurity, cpu, os, clock } = def;
	const { iommu } = def.devices;
	const hpet = clock.timer.find(({ name, present }) => name === "hpet" && present !== undefined);
	const parameters = [
		"usb=off",
		...(keywrap?.cipher.map(({ name, state }) => keyWrap(name, state ?? false, context)) ?? []),
		...featureParameters(context),
		iommu?.model === "smmuv3" ? "iommu=smmuv3" : undefined,
		...memoryParameters(context),
		cpu?.mode === "host-model" && cpu.model?.name && isMachine(def, "pseries")
			? `max-cpu-compat=${cpu.model.name}`
			: undefined,
		isS390Machine(context) ? loadparm(context) : undefined,
		launchSecurity ? "confidential-guest-support=lsec0" : undefined,
		...pflashNodes(context).map((node, index) => (node ? `pflash${index}=${node}` : undefined)),
		usesHmat(context) ? "hmat=on" : undefined,
		os.bios?.useserial ? "graphics=off" : undefined,
		hpet && caps.hasOption("machine", "hpet") ? `hpet=${onOff(hpet.present ?? true)}` : undefined,
	];
	command.from({ element: os.type, what: "machine" }, () =>
		command.add("-machine", [os.type.machine, ...parameters.filter(Boolean)].join(",")),
	);
}

/** Whether the machine wraps the guest's keys of that cipher. Throws CONFIG_UNSUPPORTED where no machine of the emulator does. */
function keyWrap(cipher: string, state: boolean, { caps }: BuildContext): string {
	const option = `${cipher}-key-wrap`;
	if (caps.arch !== "s390x" || !caps.hasOption("machine", option))
		throw new VirtError("CONFIG_UNSUPPORTED", `${option} is not available with this QEMU binary`);
	return `${option}=${onOff(state)}`;
}

/** Whether the guest gets a table of memory latencies and bandwidths. */
export function usesHmat({ def }: BuildContext): boolean {
	const numa = def.cpu?.numa;
	return numa !== undefined && (Boolean(numa.interconnects?.length) || numa.cell.some(({ cache }) => cache.length > 0));
}

/** `-accel`. */
export function buildAccelerator({ command, def }: BuildContext): void {
	const cache = def.features?.tcg?.["tb-cache"];
	const ring = def.features?.kvm?.["dirty-ring"];
	const tcg = `tcg${cache ? `,tb-size=${cache / 1024}` : ""}`;
	const kvm = `kvm${ring?.state ? `,dirty-ring-size=${ring.size}` : ""}`;
	command.from({ element: def, what: `domain type ${def.type}` }, () =>
		command.add("-accel", def.type === "kvm" ? kvm : tcg),
	);
}

/** Size of the memory segment of system management mode. */
export function buildTseg({ command, def }: BuildContext): void {
	const { smm } = def.features ?? {};
	if (smm?.state && smm.tseg !== undefined)
		command.from({ element: smm, what: "SMM memory segment" }, () =>
			command.add("-global", `mch.extended-tseg-mbytes=${(smm.tseg ?? 0) / 1024 / 1024}`),
		);
}
