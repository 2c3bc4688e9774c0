// Disk names such as vda, sdab, hdc1: which disk of its kind, and which partition.

const NAME = /^(?:fd|hd|vd|sd|xvd|ubd)([a-z]+)(\d*)$/;
const LETTERS = 26;

/** A disk name in its parts. */
export interface DiskName {
	/** Which disk, from 0. */
	readonly index: number;
	/** Which partition; 0 is the whole disk. */
	readonly partition: number;
}

/** Names of NVMe disks: which controller, which of its namespaces, which partition. */
const NVME_NAME = /^nvme(\d{1,9})n([1-9]\d{0,8})(?:p([1-9]\d{0,8}))?$/;

/** Controller and namespace (from 1) that the name of an NVMe disk spells; undefined for any other name. */
export function parseNvmeName(name: string): { readonly controller: number; readonly namespace: number } | undefined {
	const [, controller, namespace] = NVME_NAME.exec(name) ?? [];
	return controller === undefined ? undefined : { controller: Number(controller), namespace: Number(namespace) };
}

/** The parts of a disk name; undefined for what is none. */
export function parseDiskName(name: string): DiskName | undefined {
	const [, controller, , part = "0"] = NVME_NAME.exec(name) ?? [];
	if (controller !== undefined) return { index: Number(controller), partition: Number(part) };
	const [, letters, digits = ""] = NAME.exec(name) ?? [];
	if (letters === undefined || /^0\d/.test(digits)) return undefined;
	let index = 0;
	for (const letter of letters) index = index * LETTERS + letter.charCodeAt(0) - 96;
	const partition = Number(digits);
	return index - 1 <= 0x7fffffff && partition <= 0x7fffffff ? { index: index - 1, partition } : undefined;
}

/** Which disk of its kind the name means, from 0; -1 for what is no disk name. */
export function diskNameIndex(name: string): number {
	return parseDiskName(name)?.index ?? -1;
}
