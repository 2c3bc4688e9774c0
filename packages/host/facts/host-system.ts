// What else a daemon says of its host: its name, whether KVM, an IOMMU and security modules are there.

import { accessSync, closeSync, constants, openSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { errnoOf, errnoText } from "../system-error.ts";
import { HostFiles } from "./host-files.ts";

/** The name the host has for itself. */
export function readHostname(): string {
	return hostname();
}

/** Whether /dev/kvm can be used, and if not, why. */
export type KvmState = { readonly usable: true } | { readonly usable: false; readonly reason: string };

/**
 * Whether this process may open /dev/kvm. Whether KVM can run a guest shows only when QEMU tries: a nested host may
 * have the device and refuse what guests need.
 */
export function readKvmState(root = "/"): KvmState {
	const path = join(root, "dev/kvm");
	try {
		accessSync(path, constants.F_OK);
	} catch {
		return {
			usable: false,
			reason: "/dev/kvm is not there: no hardware virtualization, or its kernel module is not loaded",
		};
	}
	try {
		closeSync(openSync(path, "r+"));
		return { usable: true };
	} catch (error) {
		return { usable: false, reason: `/dev/kvm cannot be opened: ${errnoText(errnoOf(error) ?? 0)}` };
	}
}

/** Whether nested guests may use hardware virtualization; undefined where KVM's module is not loaded. */
export function readNestedKvm(files = new HostFiles()): boolean | undefined {
	for (const module of ["kvm_intel", "kvm_amd"]) {
		const word = files.word(`sys/module/${module}/parameters/nested`);
		if (word !== undefined) return word === "Y" || word === "1";
	}
	return undefined;
}

/** The numbers of the host's IOMMU groups; none without an IOMMU that is on. */
export function readIommuGroups(files = new HostFiles()): number[] {
	return files.numbered("sys/kernel/iommu_groups", "");
}

/** Security modules that confine guests. */
export interface SecurityModules {
	readonly apparmor: boolean;
	/** Undefined where SELinux is off. */
	readonly selinux: "enforcing" | "permissive" | undefined;
	readonly landlock: boolean;
}

/** Which security modules the kernel runs. */
export function readSecurityModules(files = new HostFiles()): SecurityModules {
	const active = (files.word("sys/kernel/security/lsm") ?? "").split(",");
	const enforce = files.word("sys/fs/selinux/enforce");
	return {
		apparmor: files.word("sys/module/apparmor/parameters/enabled") === "Y",
		selinux: enforce === undefined ? undefined : enforce === "1" ? "enforcing" : "permissive",
		landlock: active.includes("landlock"),
	};
}
