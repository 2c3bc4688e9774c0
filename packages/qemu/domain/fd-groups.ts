// Descriptors that clients passed for a domain's disks, in groups by name, as long as those clients stay (virDomainFDAssociate).

import { closeSync } from "node:fs";
import type { CallContext } from "@virtkit/core/domain-operations";
import { duplicateDescriptor } from "@virtkit/host/native";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { imageChain } from "../devices/disk-image.ts";

/** Descriptors of one image. */
interface FdGroup {
	readonly fds: readonly number[];
	/** The only descriptor of the group may be written through. */
	readonly writable: boolean;
}

/** What stands for an image whose file is opened already: QEMU knows it as /dev/fdset/SET. */
export interface ImageDescriptors extends FdGroup {
	readonly set: number;
}

/** VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE; _RESTORE 1 says nothing where files have no labels. */
const WRITABLE = 2;

/** See the opening sentence; each domain has one. */
export class FdGroups {
	readonly #groups = new Map<string, FdGroup>();

	/** Keeps copies of `fds` under `name`, instead of what was there before, until the caller's connection ends. */
	associate(name: string, fds: readonly number[], flags: number, context: CallContext): void {
		const group = { fds: copies(fds), writable: (flags & WRITABLE) !== 0 };
		this.#drop(name, this.#groups.get(name));
		this.#groups.set(name, group);
		context.onClose(() => this.#drop(name, group));
	}

	#drop(name: string, group: FdGroup | undefined): void {
		if (group === undefined || this.#groups.get(name) !== group) return;
		this.#groups.delete(name);
		group.fds.forEach(closeSync);
	}

	/**
	 * Copies of the descriptors that the images of `disks` are opened by, by the image's source; sets are numbered from
	 * `firstSet` in libvirt's order. Images whose group is not there are left out. Disposing closes the copies.
	 */
	claim(disks: DomainDef["devices"]["disks"], firstSet = 0): ClaimedDescriptors {
		const claimed = new Map<object, ImageDescriptors>();
		const close = () => {
			for (const { fds } of claimed.values()) fds.forEach(closeSync);
			claimed.clear();
		};
		try {
			for (const { source } of disks.toReversed().flatMap(imageChain)) {
				const group = source.fdgroup === undefined ? undefined : this.#groups.get(source.fdgroup);
				if (group) claimed.set(source, { ...group, fds: copies(group.fds), set: firstSet + claimed.size });
			}
		} catch (error) {
			close();
			throw error;
		}
		return { images: claimed, [Symbol.dispose]: close };
	}
}

/** Descriptors of a start or an attachment. */
export interface ClaimedDescriptors extends Disposable {
	readonly images: ReadonlyMap<object, ImageDescriptors>;
}

function copies(fds: readonly number[]): number[] {
	const made: number[] = [];
	try {
		for (const fd of fds) made.push(duplicateDescriptor(fd));
		return made;
	} catch (error) {
		made.forEach(closeSync);
		throw error;
	}
}
