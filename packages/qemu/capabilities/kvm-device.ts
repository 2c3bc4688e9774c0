// What /dev/kvm itself tells: how many virtual CPUs a guest may have, how fast the time stamp counter runs.

import { closeSync, openSync } from "node:fs";
import { callLibc } from "@virtkit/host/libc";

// Linux: include/uapi/linux/kvm.h.
const KVM_GET_API_VERSION = 0xae00;
const KVM_API_VERSION = 12;
const KVM_CREATE_VM = 0xae01;
const KVM_CHECK_EXTENSION = 0xae03;
const KVM_CREATE_VCPU = 0xae41;
const KVM_GET_TSC_KHZ = 0xaea3;
const KVM_CAP_NR_VCPUS = 9;
const KVM_CAP_TSC_CONTROL = 60;
const KVM_CAP_GET_TSC_KHZ = 61;
const KVM_CAP_MAX_VCPUS = 66;
/** What a kernel without KVM_CAP_NR_VCPUS has (Documentation/virt/kvm/api.rst, KVM_CREATE_VCPU). */
const OLDEST_LIMIT = 4;

export interface KvmDevice {
	/** Virtual CPUs of one guest at most. */
	readonly maxVcpus: number;
	/** The time stamp counter: its frequency in Hz, and whether a guest can be given another. x86 alone. */
	readonly tsc?: { readonly frequency: number; readonly scaling: boolean };
}

/** Asks /dev/kvm; undefined where it cannot be opened or is something else. */
export function readKvmDevice(path = "/dev/kvm"): KvmDevice | undefined {
	let kvm: number;
	try {
		kvm = openSync(path, "r+");
	} catch {
		return undefined;
	}
	try {
		if (ioctl(kvm, KVM_GET_API_VERSION, 0) !== KVM_API_VERSION) return undefined;
		const maxVcpus = check(kvm, KVM_CAP_MAX_VCPUS) || check(kvm, KVM_CAP_NR_VCPUS) || OLDEST_LIMIT;
		const frequency = check(kvm, KVM_CAP_GET_TSC_KHZ) > 0 ? tscFrequency(kvm) : undefined;
		if (frequency === undefined) return { maxVcpus };
		return { maxVcpus, tsc: { frequency, scaling: check(kvm, KVM_CAP_TSC_CONTROL) > 0 } };
	} finally {
		closeSync(kvm);
	}
}

/** Hz, as a virtual CPU would see it: one is made for the question. */
function tscFrequency(kvm: number): number | undefined {
	const vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm === undefined) return undefined;
	try {
		const vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
		if (vcpu === undefined) return undefined;
		try {
			const khz = ioctl(vcpu, KVM_GET_TSC_KHZ, 0);
			return khz === undefined || khz === 0 ? undefined : khz * 1000;
		} finally {
			closeSync(vcpu);
		}
	} finally {
		closeSync(vm);
	}
}

const check = (kvm: number, extension: number): number => ioctl(kvm, KVM_CHECK_EXTENSION, extension) ?? 0;

/** The result; undefined where the kernel refuses. */
function ioctl(fd: number, request: number, argument: number): number | undefined {
	const result = callLibc("ioctl", fd, request, argument === 0 ? null : BigInt(argument));
	return "value" in result ? result.value : undefined;
}
