// Rules about features of machine and hypervisor (qemuValidateDomainDefFeatures).

import type { FeaturesDef } from "@virtkit/model/domain/features";
import type { DefineContext } from "../devices/entry.ts";
import { isMachine, isPpc64, isX86 } from "../machine.ts";
import type { DomainRule } from "./domain-rule.ts";

type Feature = keyof FeaturesDef;

const at = ({ def }: DefineContext): object | undefined => def.features;
const rule = (broken: DomainRule["broken"]): DomainRule => ({ code: "CONFIG_UNSUPPORTED", at, broken });

/** A feature that exists on some machines only. */
const only = (feature: Feature, where: (context: DefineContext) => boolean): DomainRule =>
	rule((context) => {
		const { def } = context;
		return def.features?.[feature] !== undefined && !where(context)
			? `The '${feature}' feature is not supported for architecture '${def.os.type.arch}' or machine type '${def.os.type.machine}'`
			: undefined;
	});

/** A feature of the ppc64 machine `pseries`, with the machine property that QEMU must have for it. */
const pseries = (feature: Feature, property?: string, what: string = feature): DomainRule[] => [
	only(feature, ({ def }) => isMachine(def, "pseries")),
	rule(({ def, caps }) =>
		def.features?.[feature] !== undefined &&
		property !== undefined &&
		!caps.hasMachineProperty(def.os.type.machine ?? "", property)
			? `${what} configuration is not supported by this QEMU binary`
			: undefined,
	),
];

export const FEATURE_RULES: readonly DomainRule[] = [
	only("ioapic", ({ def }) => isX86(def)),
	...pseries("hpt"),
	rule(({ def, caps }) =>
		def.features?.hpt?.maxpagesize && !caps.hasMachineProperty(def.os.type.machine ?? "", "cap-hpt-max-page-size")
			? "Configuring the page size for HPT guests is not supported by this QEMU binary"
			: undefined,
	),
	...pseries("htm", "cap-htm", "HTM"),
	...pseries("nested-hv", "cap-nested-hv", "Nested HV"),
	...pseries("ccf-assist", "cap-ccf-assist"),
	...pseries("cfpc", "cap-cfpc"),
	...pseries("sbbc", "cap-sbbc"),
	...pseries("ibs", "cap-ibs"),
	only("gic", ({ def }) => isMachine(def, "armVirt")),
	rule(({ def }) =>
		def.features?.vmport && !isMachine(def, "i440fx") && !isMachine(def, "q35") && !isMachine(def, "isapc")
			? "vmport is not available with this QEMU binary"
			: undefined,
	),
	rule(({ def, caps }) =>
		def.features?.vmcoreinfo?.state && !caps.has("vmcoreinfo")
			? "vmcoreinfo is not available with this QEMU binary"
			: undefined,
	),
	rule(({ def }) =>
		def.features?.apic?.eoi !== undefined && !isX86(def)
			? `The 'eoi' attribute of the 'apic' feature is not supported for architecture '${def.os.type.arch}' or machine type '${def.os.type.machine}'`
			: undefined,
	),
	only("pvspinlock", ({ def }) => isX86(def)),
	only("hyperv", ({ def }) => isX86(def) || isMachine(def, "armVirt")),
	rule(({ def }) =>
		def.features?.pmu?.state === false && isPpc64(def)
			? `PMU is always enabled for architecture '${def.os.type.arch}'`
			: undefined,
	),
	rule(({ def }) => {
		const size = def.features?.tcg?.["tb-cache"];
		if (!size) return undefined;
		if (def.type !== "qemu") return `TCG features are incompatible with domain type '${def.type}'`;
		return size % 1024 === 0 ? undefined : `tb-cache size must be an integer multiple of MiB, and is ${size} KiB`;
	}),
];
