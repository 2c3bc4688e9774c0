// The guest's share of the host's block I/O and its limits on single devices: as configured, and in its control group.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import { blockDeviceNumber, type DeviceLimitName, setDeviceLimit } from "@virtkit/host/cgroup/device-limit";
import type { Cgroup } from "@virtkit/host/cgroup/group";
import type { BlkiotuneDef } from "@virtkit/model/domain/blkiotune";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { changeConfig, changeLive, impactOf, oneDefinition } from "./impact.ts";
import { type ParameterType, readParameters } from "./read-parameters.ts";

type DeviceDef = BlkiotuneDef["device"][number];

/** VIR_DOMAIN_BLKIO_DEVICE_*, in the order in which libvirt answers them. */
const DEVICE_FIELDS = {
	device_weight: "weight",
	device_read_iops_sec: "read_iops_sec",
	device_write_iops_sec: "write_iops_sec",
	device_read_bytes_sec: "read_bytes_sec",
	device_write_bytes_sec: "write_bytes_sec",
} as const satisfies Record<string, DeviceLimitName>;

const TYPES: Readonly<Record<string, ParameterType>> = {
	weight: "uint",
	...Object.fromEntries(Object.keys(DEVICE_FIELDS).map((field) => [field, "string" as const])),
};

const isBytes = (name: DeviceLimitName): name is "read_bytes_sec" | "write_bytes_sec" => name.includes("bytes");

function refuseSession(driver: Driver): void {
	if (driver.session) throw new VirtError("CONFIG_UNSUPPORTED", "Block I/O tuning is not available in session mode");
}

function neededGroup(run: Run): Cgroup {
	if (run.cgroups?.guest.has("blkio")) return run.cgroups.guest;
	throw new VirtError("OPERATION_INVALID", "blkio cgroup isn't mounted");
}

function blkioParameters(driver: Driver, domain: QemuDomain, flags: number): TypedParam[] {
	refuseSession(driver);
	const { def, run } = oneDefinition(domain, flags);
	const { weight = 0, device = [] } = def.blkiotune ?? {};
	return [
		param.uint("weight", run ? (neededGroup(run).get("blkioWeight") ?? 0) : weight),
		...Object.entries(DEVICE_FIELDS).map(([field, name]) => {
			const limited = device.filter((one) => one[name]);
			return param.string(field, limited.map((one) => `${one.path},${one[name]}`).join(","));
		}),
	];
}

/** One thing that a client wants. */
type Wish =
	| { readonly weight: number }
	| { readonly name: DeviceLimitName; readonly path: string; readonly value: bigint };

/** Throws INVALID_ARG for what is no list of paths and numbers. */
function readWishes(params: readonly TypedParam[]): Wish[] {
	return [...readParameters(params, TYPES)].flatMap(([field, value]): Wish[] => {
		const name = (DEVICE_FIELDS as Readonly<Record<string, DeviceLimitName>>)[field];
		return name === undefined ? [{ weight: Number(value) }] : readDevices(field, name, String(value));
	});
}

function readDevices(field: string, name: DeviceLimitName, text: string): Wish[] {
	if (text === "") return [];
	const words = text.split(",");
	if (words.length % 2) throw new VirtError("INVALID_ARG", `unable to parse blkio device '${field}' '${text}'`);
	const largest = isBytes(name) ? 2n ** 64n - 1n : 2n ** 32n - 1n;
	return Array.from({ length: words.length / 2 }, (_, index) => {
		const [path = "", number = ""] = words.slice(index * 2);
		if (!/^\d+$/.test(number) || BigInt(number) > largest)
			throw new VirtError("INVALID_ARG", `invalid value '${number}' for parameter '${field}' of device '${path}'`);
		return { name, path, value: BigInt(number) };
	});
}

function keep(def: DomainDef, wish: Wish): void {
	def.blkiotune ??= { device: [] };
	const tune = def.blkiotune;
	if ("weight" in wish) {
		tune.weight = wish.weight;
		return;
	}
	const { name, path, value } = wish;
	let device = tune.device.find((one) => one.path === path);
	if (!device) tune.device.push((device = { path }));
	if (isBytes(name)) device[name] = value;
	else device[name] = Number(value);
	tune.device = tune.device.filter(isLimited);
}

const isLimited = (device: DeviceDef): boolean => Object.values(DEVICE_FIELDS).some((name) => device[name]);

async function setBlkioParameters(
	driver: Driver,
	domain: QemuDomain,
	params: readonly TypedParam[],
	flags: number,
): Promise<void> {
	refuseSession(driver);
	const wishes = readWishes(params);
	const { run, config } = impactOf(domain, flags);
	if (run) {
		const group = neededGroup(run);
		for (const wish of wishes) {
			if ("weight" in wish) group.set("blkioWeight", wish.weight);
			else setDeviceLimit(group, wish.name, blockDeviceNumber(wish.path), wish.value);
			changeLive(driver, domain, run, (def) => keep(def, wish));
		}
	}
	if (config)
		await changeConfig(driver, domain, (def) => {
			for (const wish of wishes) keep(def, wish);
		});
}

export const blkiotuneOperations = (
	driver: Driver,
): Pick<DomainOperations<QemuDomain>, "blkioParameters" | "setBlkioParameters"> => ({
	blkioParameters: (domain, flags) => blkioParameters(driver, domain, flags),
	setBlkioParameters: (domain, params, flags) => setBlkioParameters(driver, domain, params, flags),
});
