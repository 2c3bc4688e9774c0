// What the answers about the host are made of; read by host-reader.ts, or made up in tests.

/** A host CPU's place. */
export interface CpuPlace {
	readonly id: number;
	readonly socket: number;
	readonly die: number;
	readonly core: number;
	/** Numbers of the CPUs that share its core, itself among them. */
	readonly siblings: readonly number[];
}

/** A NUMA node. */
export interface NumaCell {
	readonly id: number;
	readonly memoryKib: number;
	/** Memory pages by size, as allocated to that size. */
	readonly pages: readonly { readonly sizeKib: number; readonly count: number }[];
	/** Distance to every node, itself included; empty where firmware tells none. */
	readonly distances: readonly { readonly id: number; readonly value: number }[];
	readonly cpus: readonly CpuPlace[];
}

export interface CacheBank {
	readonly id: number;
	readonly level: number;
	readonly type: "code" | "data" | "both";
	readonly sizeKib: number;
	/** As the kernel writes lists: `0-3,8`. */
	readonly cpus: string;
}

/** The processor, as /proc/cpuinfo has it. */
export interface HostProcessor {
	/** The word that CPUID spells; empty where there is no CPUID. */
	readonly vendor: string;
	readonly family: number;
	readonly model: number;
	readonly stepping: number;
	readonly microcode: number | undefined;
	readonly flags: readonly string[];
	readonly physicalAddressBits: number | undefined;
}

export interface HostFacts {
	/** libvirt's name. */
	readonly arch: string;
	readonly uuid: string | undefined;
	readonly processor: HostProcessor;
	/** Counts within the next larger unit. */
	readonly topology: {
		readonly sockets: number;
		readonly dies: number;
		readonly cores: number;
		readonly threads: number;
	};
	readonly cells: readonly NumaCell[];
	/** From the third level on. */
	readonly caches: readonly CacheBank[];
	readonly pageSizesKib: readonly number[];
	readonly suspendTargets: readonly ("suspend_mem" | "suspend_disk" | "suspend_hybrid")[];
	/** Whether devices sit in IOMMU groups. */
	readonly iommu: boolean;
	/** Whether they can be given to guests by VFIO. */
	readonly vfio: boolean;
}
