// Admission: whether a guest may start, by how far the host's memory and CPUs may be promised beyond what is there.

/** What one guest is promised. */
export interface Claim {
	/** The most memory that it may have, KiB. */
	readonly memoryKib: number;
	readonly vcpus: number;
}

/** What the host has to promise. */
export interface HostCapacity {
	/** Memory that guests can get, KiB: all of it less what is kept and less the pools of huge pages. */
	readonly memoryKib: number;
	readonly cpus: number;
}

/** How far promises may go; undefined for without limit. */
export interface OvercommitRatios {
	readonly memory?: number | undefined;
	readonly cpu?: number | undefined;
}

export interface AdmissionRequest {
	readonly name: string;
	readonly asked: Claim;
	readonly host: HostCapacity;
	/** Those of the guests that run or start. */
	readonly granted: readonly Claim[];
	readonly ratios: OvercommitRatios;
}

/** Sums of promises, as `virtkit host memory` shows them. */
export function committed(granted: readonly Claim[]): Claim {
	return {
		memoryKib: granted.reduce((sum, { memoryKib }) => sum + memoryKib, 0),
		vcpus: granted.reduce((sum, { vcpus }) => sum + vcpus, 0),
	};
}

/** Why the guest may not start, with all figures; undefined where it may. */
export function refuseAdmission({ name, asked, host, granted, ratios }: AdmissionRequest): string | undefined {
	const sum = committed(granted);
	if (ratios.memory !== undefined && sum.memoryKib + asked.memoryKib > host.memoryKib * ratios.memory)
		return [
			`memory for '${name}': it asks for ${formatKib(asked.memoryKib)}, running guests are promised`,
			`${formatKib(sum.memoryKib)}, the host has ${formatKib(host.memoryKib)} for guests and may promise`,
			`${ratios.memory} × that, ${formatKib(host.memoryKib * ratios.memory)} (memory_overcommit_ratio)`,
		].join(" ");
	if (ratios.cpu !== undefined && sum.vcpus + asked.vcpus > host.cpus * ratios.cpu)
		return [
			`CPUs for '${name}': it asks for ${asked.vcpus} virtual CPUs, running guests have ${sum.vcpus}, the host has`,
			`${host.cpus} CPUs and may promise ${ratios.cpu} × that, ${host.cpus * ratios.cpu} (cpu_overcommit_ratio)`,
		].join(" ");
	return undefined;
}

/** `1.5 GiB`, `512 MiB`: for people. */
export function formatKib(kib: number): string {
	if (kib >= 1024 * 1024) return `${round(kib / (1024 * 1024))} GiB`;
	return kib >= 1024 ? `${round(kib / 1024)} MiB` : `${kib} KiB`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
