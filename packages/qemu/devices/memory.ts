// Memory modules: DIMMs, NVDIMMs, virtio-mem, virtio-pmem and SGX's protected memory.

import { VirtError } from "@virtkit/base/errors";
import type { MemoryDeviceDef, MemoryModel } from "@virtkit/model/domain/memory-device";
import { virtioSlot } from "../addresses/pci-need.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { type MemoryPiece, memoryBackend } from "../command-line/memory-backend.ts";
import { hasMemoryHotplug } from "../defaults/memory.ts";
import { isPpc64 } from "../machine.ts";
import { addressProps } from "./device-address.ts";
import { checkDeviceRules, type DeviceRule, refuseDevice } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry } from "./entry.ts";
import { findModule, resizeModule } from "./memory-update.ts";
import { findDescribed } from "./plug-find.ts";
import { virtioProps } from "./virtio.ts";

/** QEMU's names of the models; SGX's memory is no device. */
const DRIVERS: Readonly<Partial<Record<MemoryModel, string>>> = {
	dimm: "pc-dimm",
	nvdimm: "nvdimm",
	"virtio-pmem": "virtio-pmem-pci",
	"virtio-mem": "virtio-mem-pci",
};
const PREFIXES: Readonly<Record<MemoryModel, string>> = {
	dimm: "dimm",
	nvdimm: "nvdimm",
	"virtio-pmem": "virtiopmem",
	"virtio-mem": "virtiomem",
	"sgx-epc": "epc",
};

const isDimm = ({ model }: MemoryDeviceDef): boolean => model === "dimm" || model === "nvdimm";

/** What a guest's memory in a module is a multiple of on ppc64, in KiB. */
const PPC64_STEP = 256 * 1024;
/** The same of other machines' modules. */
const MODULE_STEP = 2048;
/** Smallest block of virtio-mem, in KiB: a transparent huge page. */
const MIN_BLOCK = 2048;

const MISSING: Readonly<Record<MemoryModel, readonly [driver: string, message: string]>> = {
	dimm: ["pc-dimm", "memory hotplug isn't supported by this QEMU binary"],
	nvdimm: ["nvdimm", "nvdimm isn't supported by this QEMU binary"],
	"virtio-pmem": ["virtio-pmem-pci", "virtio-pmem isn't supported by this QEMU binary"],
	"virtio-mem": ["virtio-mem-pci", "virtio-mem isn't supported by this QEMU binary"],
	"sgx-epc": ["memory-backend-epc", "sgx epc isn't supported by this QEMU binary"],
};

const nodeCount = ({ def }: DefineContext): number => def.cpu?.numa?.cell.length ?? 0;
const detail = (broken: DeviceRule<MemoryDeviceDef>["broken"]): DeviceRule<MemoryDeviceDef> => ({
	code: "XML_DETAIL",
	broken,
});

/** What the driver must have for the module. */
const DRIVER_RULES: readonly DeviceRule<MemoryDeviceDef>[] = [
	{
		broken: ({ model }, { caps }) => {
			const [driver, message] = MISSING[model];
			return (!caps.has(driver) || (model === "sgx-epc" && !caps.facts.sgx)) && message;
		},
	},
	{
		broken: ({ model, target }, { caps }) =>
			model === "nvdimm" &&
			target.readonly &&
			!caps.has("nvdimm", "unarmed") &&
			"nvdimm readonly property is not available with this QEMU binary",
	},
];

/** What holds for any hypervisor. */
const COMMON_RULES: readonly DeviceRule<MemoryDeviceDef>[] = [
	detail(({ target: { node } }, context) => {
		if (node === undefined || node < nodeCount(context)) return undefined;
		return nodeCount(context) === 0
			? "can't add memory backend as guest has no NUMA nodes configured"
			: `can't add memory backend for guest node '${node}' as the guest has only '${nodeCount(context)}' NUMA nodes configured`;
	}),
	detail(
		({ model, source }) =>
			(model === "nvdimm" || model === "virtio-pmem") &&
			source?.path === undefined &&
			`path is required for model '${model}'`,
	),
	{
		broken: ({ model, discard }) =>
			(model === "nvdimm" || model === "virtio-pmem") && discard && `discard is not supported for model '${model}'`,
	},
	{
		broken: ({ model, target, uuid }, { def }) => {
			if (model !== "nvdimm") return undefined;
			if (!isPpc64(def)) return uuid !== undefined && "UUID is not supported for NVDIMM device";
			return !target.label?.size && "label size is required for NVDIMM device";
		},
	},
	{
		broken: ({ model, access }) =>
			model === "virtio-pmem" && access !== "shared" && "shared access mode required for virtio-pmem device",
	},
	{
		broken: ({ model, target }) =>
			model === "virtio-pmem" && target.node !== undefined && "virtio-pmem does not support NUMA nodes",
	},
	detail(({ model, target: { size, block = 0, requested = 0 } }) => {
		if (model !== "virtio-mem") return undefined;
		if (requested > size) return `requested size ${requested} must be smaller than or equal to @size (${size}KiB)`;
		if (block === 0 || Math.log2(block) % 1 !== 0) return `block size must be a power of two, and is ${block}KiB`;
		if (block < MIN_BLOCK) return `block size too small, must be at least ${MIN_BLOCK}KiB`;
		return requested % block !== 0 && "requested size must be an integer multiple of block size";
	}),
	{
		broken: ({ model, address }) =>
			model === "sgx-epc" && address && "memory device address is not supported for model 'sgx-epc'",
	},
];

/** Rules about where a module is plugged in (qemuDomainDefValidateMemoryHotplugDevice). */
const PLUG_RULES: readonly DeviceRule<MemoryDeviceDef>[] = [
	{
		broken: (module) =>
			isDimm(module) &&
			module.address &&
			module.address.type !== "dimm" &&
			"only 'dimm' addresses are supported for the pc-dimm device",
	},
	{
		broken: ({ model, address }) =>
			(model === "virtio-pmem" || model === "virtio-mem") &&
			address &&
			address.type !== "pci" &&
			`only 'pci' addresses are supported for the ${model} device`,
	},
	{
		broken: ({ model, target }, context) =>
			model !== "virtio-pmem" &&
			target.node === undefined &&
			nodeCount(context) > 0 &&
			model !== "sgx-epc" &&
			"target NUMA node needs to be specified for memory device",
	},
	{
		broken: ({ address }, { def }) =>
			address?.type === "dimm" &&
			(address.slot ?? 0) >= (def.maxMemory?.slots ?? 0) &&
			`memory device slot '${address.slot}' exceeds slots count '${def.maxMemory?.slots}'`,
	},
	{
		broken: (module, { def }) => {
			const { address } = module;
			if (address?.type !== "dimm") return undefined;
			const taken = def.devices.memories.some(
				({ address: other }) => other?.type === "dimm" && other !== address && other.slot === address.slot,
			);
			return taken && `memory device slot '${address.slot}' is already being used by another memory device`;
		},
	},
];

/** Checks what must hold before any other rule about the domain (qemuDomainDefValidateMemoryHotplug). */
export function checkMemoryPlugs(context: DefineContext): void {
	if (!hasMemoryHotplug(context.def)) return;
	for (const module of context.def.devices.memories) checkDeviceRules(PLUG_RULES, module, context);
}

function pieceOf(module: MemoryDeviceDef): MemoryPiece {
	const { model, source, target, access, discard, alias } = module;
	const kind = model === "sgx-epc" ? "epc" : model === "virtio-mem" || model === "virtio-pmem" ? model : undefined;
	return {
		id: `mem${alias}`,
		file: alias ?? "",
		kib: target.size,
		node: target.node,
		pageKib: source?.pagesize || undefined,
		hostNodes: source?.nodemask,
		access,
		discard,
		path: source?.path,
		pmem: source?.pmem,
		alignKib: source?.alignsize,
		kind,
	};
}

const bytes = (kib: number | undefined): number | undefined => (kib ? kib * 1024 : undefined);

/** The properties of the module, for -device and device_add. */
export function memoryProps(module: MemoryDeviceDef, { def }: DefineContext): JsonObject {
	const { model, target, uuid, alias } = module;
	return {
		driver: DRIVERS[model],
		node: target.node,
		"label-size": bytes(target.label?.size),
		"block-size": bytes(target.block),
		"requested-size": bytes(target.requested),
		"dynamic-memslots": target.dynamicMemslots,
		memaddr: target.address?.base,
		...virtioProps(module.driver),
		uuid,
		unarmed: target.readonly ? true : undefined,
		memdev: `mem${alias}`,
		id: alias,
		...addressProps(module, def),
	};
}

function buildMemory(module: MemoryDeviceDef, context: BuildContext): void {
	const { command } = context;
	command.addJson("-object", memoryBackend(context, pieceOf(module)).object);
	if (module.model !== "sgx-epc") command.addDevice(memoryProps(module, context));
}

/** Rounds the size to what the guest can have: down for NVDIMMs of ppc64, whose file must not end before it. */
export function alignModule(module: MemoryDeviceDef, step: number): void {
	const { target, model } = module;
	if (model !== "nvdimm" || step !== PPC64_STEP) {
		target.size = Math.ceil(target.size / step) * step;
		return;
	}
	const label = target.label?.size ?? 0;
	const area = Math.floor((target.size - label) / step) * step;
	if (area <= 0)
		refuseDevice(module, "minimum target size for the NVDIMM must be 256MB plus the label size", "XML_ERROR");
	target.size = area + label;
}

/** KiB that sizes of modules are multiples of. */
export const moduleStep = ({ def }: Pick<DefineContext, "def">): number => (isPpc64(def) ? PPC64_STEP : MODULE_STEP);

export const memory: DeviceEntry<MemoryDeviceDef> = {
	kind: "memory",
	list: (def) => def.devices.memories,
	alias: (module, _, { def }) => `${PREFIXES[module.model]}${aliasNumber(module, def.devices.memories)}`,
	complete: (module, context) => {
		// The guest's writes are to reach the file.
		if (module.model === "virtio-pmem") module.access ??= "shared";
		if (module.model === "nvdimm" && isPpc64(context.def)) module.uuid ??= context.host.uuid();
		if (context.fresh && isPpc64(context.def)) alignModule(module, PPC64_STEP);
	},
	checkCommon: (module, context) => checkDeviceRules(COMMON_RULES, module, context),
	check: (module, context) => checkDeviceRules(DRIVER_RULES, module, context),
	pci: ({ model }, context) => (model === "virtio-mem" || model === "virtio-pmem" ? virtioSlot(context) : undefined),
	build: buildMemory,
	hotplug: {
		checkAttach: checkRoom,
		// What the modules hold is part of what the guest has.
		account: ({ target }, def, sign) => {
			if (def.memory) def.memory.size += sign * target.size;
		},
		find: findDescribed(
			({ def }) => def.devices.memories,
			({ model }) => `model '${model}' memory device not present in the domain configuration`,
		),
		storedUpdate: true,
		findToUpdate: findModule,
		update: resizeModule,
	},
};

/** Throws CONFIG_UNSUPPORTED where the definition has no room for another module. */
function checkRoom({ target: { size } }: MemoryDeviceDef, { def }: DefineContext, live: boolean): void {
	const fail = (what: string): never => {
		throw new VirtError("CONFIG_UNSUPPORTED", what);
	};
	const { size: most = 0, slots = 0 } = def.maxMemory ?? {};
	if (slots === 0) fail("cannot use/hotplug a memory device when domain 'maxMemory' is not defined");
	if ((def.memory?.size ?? 0) + size > most)
		fail(`Attaching memory device with size '${size}' would exceed domain's maxMemory config size '${most}'`);
	if (!live && def.devices.memories.length >= slots) fail("no free memory device slot available");
}

/** DIMMs are named after their slots, others count among their kind. */
function aliasNumber(module: MemoryDeviceDef, all: readonly MemoryDeviceDef[]): number {
	if (module.address?.type === "dimm") return module.address.slot ?? 0;
	const used = all.flatMap(({ alias }) => (alias?.startsWith(PREFIXES[module.model]) ? [alias] : []));
	return used.length;
}

/** Gives DIMMs without an address the next free slots. */
export function assignMemorySlots({ def }: DefineContext): void {
	if (!hasMemoryHotplug(def)) return;
	const taken = new Set(
		def.devices.memories.flatMap(({ address }) => (address?.type === "dimm" ? [address.slot ?? 0] : [])),
	);
	for (const module of def.devices.memories) {
		if (!isDimm(module) || module.address?.type === "dimm") continue;
		let slot = 0;
		while (taken.has(slot)) slot++;
		if (slot >= (def.maxMemory?.slots ?? 0))
			throw new VirtError("INTERNAL_ERROR", "failed to find an empty memory slot");
		taken.add(slot);
		module.address = { type: "dimm", slot };
	}
}
