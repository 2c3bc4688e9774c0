// CPU sets as bytes, the lowest CPU in the lowest bit, as libvirt's calls carry them.

/** A CPU set as bytes: as many as it needs, or `length` where given. */
export function encodeCpuMap(cpus: readonly number[], length = Math.ceil((Math.max(-1, ...cpus) + 1) / 8)): Uint8Array {
	const map = new Uint8Array(length);
	for (const cpu of cpus) if (cpu >> 3 < length) map[cpu >> 3] = (map[cpu >> 3] ?? 0) | (1 << (cpu & 7));
	return map;
}

/** The CPUs whose bits are set. */
export function decodeCpuMap(map: Uint8Array): number[] {
	const cpus: number[] = [];
	for (let cpu = 0; cpu < map.length * 8; cpu++) if ((map[cpu >> 3] ?? 0) & (1 << (cpu & 7))) cpus.push(cpu);
	return cpus;
}
