// Names of x86 CPU features: libvirt's, QEMU's and the kernel's (/proc/cpuinfo), and which is which.

/** Features whose names in QEMU differ from libvirt's (libvirt's documents keep older spellings). */
const QEMU_NAMES: Readonly<Record<string, string>> = {
	cmp_legacy: "cmp-legacy",
	ds_cpl: "ds-cpl",
	fxsr_opt: "fxsr-opt",
	kvm_pv_eoi: "kvm-pv-eoi",
	kvm_pv_unhalt: "kvm-pv-unhalt",
	lahf_lm: "lahf-lm",
	nodeid_msr: "nodeid-msr",
	pclmuldq: "pclmulqdq",
	perfctr_core: "perfctr-core",
	perfctr_nb: "perfctr-nb",
	tsc_adjust: "tsc-adjust",
};

const LIBVIRT_NAMES: Readonly<Record<string, string>> = Object.fromEntries(
	Object.entries(QEMU_NAMES).map(([libvirt, qemu]) => [qemu, libvirt]),
);

/** Flags of /proc/cpuinfo whose names in QEMU differ by more than an underscore. */
const FLAGS: Readonly<Record<string, string>> = {
	sse4_1: "sse4.1",
	sse4_2: "sse4.2",
	tsc_deadline_timer: "tsc-deadline",
	cr8_legacy: "cr8legacy",
	pausefilter: "pause-filter",
	avx512_vnni: "avx512vnni",
	avx512_bitalg: "avx512bitalg",
	avx512_vbmi2: "avx512vbmi2",
	// The kernel's word for an invariant TSC (CPUID 0x80000007, EDX bit 8).
	nonstop_tsc: "invtsc",
};

/** Flags that the kernel makes of one CPUID bit on AMD and of another on Intel. */
const VENDOR_FLAGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
	GenuineIntel: { ibrs: "spec-ctrl", ibpb: "spec-ctrl" },
	AuthenticAMD: { stibp: "amd-stibp", ssbd: "amd-ssbd" },
	HygonGenuine: { stibp: "amd-stibp", ssbd: "amd-ssbd" },
};

/** QEMU's name of a feature that a document names. */
export function toQemuFeature(libvirt: string): string {
	return QEMU_NAMES[libvirt] ?? libvirt;
}

/** The name that documents have for a feature of QEMU's. */
export function toLibvirtFeature(qemu: string): string {
	return LIBVIRT_NAMES[qemu] ?? qemu;
}

/**
 * QEMU's names of the features behind the flags of /proc/cpuinfo, of those that `known` has.
 *
 * Flags that the kernel made up itself (`constant_tsc`, `rep_good`) have no counterpart and are left out.
 */
export function featuresOfFlags(flags: readonly string[], vendor: string, known: ReadonlySet<string>): Set<string> {
	const features = new Set<string>();
	for (const flag of flags) {
		const spellings = [VENDOR_FLAGS[vendor]?.[flag], FLAGS[flag], flag.replaceAll("_", "-"), flag];
		const name = spellings.find((spelling) => spelling !== undefined && known.has(spelling));
		if (name !== undefined) features.add(name);
	}
	return features;
}
