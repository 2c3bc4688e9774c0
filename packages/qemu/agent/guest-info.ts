// What the guest agent knows of the guest, as typed parameters: users, system, time zone, name, file systems, disks, interfaces.

import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { GuestAgent } from "@virtkit/qmp/guest-agent";
import { QmpError } from "@virtkit/qmp/qmp-error";
import type { QemuDomain } from "../domain/domain.ts";
import { askInterfaces } from "./addresses.ts";
import { withAgent } from "./agent.ts";
import { AgentObject, agentObjects } from "./answer.ts";
import { askFilesystems } from "./file-systems.ts";
import { diskAt, readDiskAddress } from "./guest-disks.ts";

type Ask = (agent: GuestAgent, context: CallContext, def: DomainDef) => Promise<TypedParam[]>;

/** virDomainGuestInfoTypes, each with how it is found out, in the order of its parameters. */
const GROUPS: readonly (readonly [bit: number, ask: Ask])[] = [
	[1, users],
	[2, system],
	[4, timeZone],
	[8, hostName],
	[16, filesystems],
	[32, disks],
	[64, interfaces],
];
const ALL = GROUPS.reduce((sum, [bit]) => sum | bit, 0);

/** Parameters of the system, as the agent calls them too. */
const SYSTEM = [
	"id",
	"name",
	"pretty-name",
	"version",
	"version-id",
	"machine",
	"variant",
	"variant-id",
	"kernel-release",
	"kernel-version",
] as const;

/** A text parameter where there is a text. */
const textIfAny = (field: string, value: string | undefined): TypedParam[] =>
	value === undefined ? [] : [param.string(field, value)];

async function users(agent: GuestAgent, { signal }: CallContext): Promise<TypedParam[]> {
	const command = "guest-get-users";
	const found = agentObjects(command, await agent.executeUntyped(command, undefined, { signal }));
	return [
		param.uint("user.count", found.length),
		...found.flatMap((user, index) => [
			param.string(`user.${index}.name`, user.text("user")),
			...textIfAny(`user.${index}.domain`, user.textIfAny("domain")),
			// The agent has seconds with a fraction, libvirt milliseconds.
			param.ullong(
				`user.${index}.login-time`,
				BigInt.asUintN(64, BigInt(Math.trunc(user.number("login-time") * 1000))),
			),
		]),
	];
}

async function system(agent: GuestAgent, { signal }: CallContext): Promise<TypedParam[]> {
	const command = "guest-get-osinfo";
	const found = new AgentObject(command, await agent.executeUntyped(command, undefined, { signal }));
	return SYSTEM.flatMap((key) => textIfAny(`os.${key}`, found.textIfAny(key)));
}

async function timeZone(agent: GuestAgent, { signal }: CallContext): Promise<TypedParam[]> {
	const command = "guest-get-timezone";
	const found = new AgentObject(command, await agent.executeUntyped(command, undefined, { signal }));
	return [
		...textIfAny("timezone.name", found.textIfAny("zone")),
		param.int("timezone.offset", found.integer("offset", -0x8000_0000, 0x7fff_ffff)),
	];
}

async function hostName(agent: GuestAgent, { signal }: CallContext): Promise<TypedParam[]> {
	const command = "guest-get-host-name";
	const found = new AgentObject(command, await agent.executeUntyped(command, undefined, { signal }));
	return [param.string("hostname", found.text("host-name"))];
}

async function filesystems(agent: GuestAgent, context: CallContext, def: DomainDef): Promise<TypedParam[]> {
	const found = await askFilesystems(agent, context);
	if (found.length === 0) return [];
	const params = found.flatMap(({ name, mountpoint, type, totalBytes, usedBytes, disks: under }, index) => {
		const own = `fs.${index}`;
		return [
			param.string(`${own}.name`, name),
			param.string(`${own}.mountpoint`, mountpoint),
			param.string(`${own}.fstype`, type),
			...(totalBytes === undefined ? [] : [param.ullong(`${own}.total-bytes`, totalBytes)]),
			...(usedBytes === undefined ? [] : [param.ullong(`${own}.used-bytes`, usedBytes)]),
			param.uint(`${own}.disk.count`, under.length),
			...under.flatMap((address, number) => [
				...textIfAny(`${own}.disk.${number}.alias`, diskAt(def, address)?.target.dev),
				...textIfAny(`${own}.disk.${number}.serial`, address.serial),
				...textIfAny(`${own}.disk.${number}.device`, address.node),
			]),
		];
	});
	return [param.uint("fs.count", found.length), ...params];
}

async function disks(agent: GuestAgent, { signal }: CallContext, def: DomainDef): Promise<TypedParam[]> {
	const command = "guest-get-disks";
	const found = agentObjects(command, await agent.executeUntyped(command, undefined, { signal }));
	if (found.length === 0) return [];
	const params = found.flatMap((disk, index) => {
		const own = `disk.${index}`;
		const needs = disk.has("dependencies") ? disk.texts("dependencies") : [];
		const address = disk.objectIfAny("address");
		const place = address && readDiskAddress(address);
		return [
			param.string(`${own}.name`, disk.text("name")),
			param.boolean(`${own}.partition`, disk.boolean("partition")),
			...(needs.length === 0 ? [] : [param.uint(`${own}.dependency.count`, needs.length)]),
			...needs.map((name, number) => param.string(`${own}.dependency.${number}.name`, name)),
			...textIfAny(`${own}.serial`, place?.serial),
			...textIfAny(`${own}.alias`, place && diskAt(def, place)?.target.dev),
			...textIfAny(`${own}.guest_alias`, disk.textIfAny("alias")),
		];
	});
	return [param.uint("disk.count", found.length), ...params];
}

async function interfaces(agent: GuestAgent, context: CallContext): Promise<TypedParam[]> {
	const found = await askInterfaces(agent, context);
	if (found.length === 0) return [];
	const params = found.flatMap(({ name, mac, addresses }, index) => [
		param.string(`if.${index}.name`, name),
		...textIfAny(`if.${index}.hwaddr`, mac),
		param.uint(`if.${index}.addr.count`, addresses.length),
		...addresses.flatMap(({ family, address, prefix }, number) => [
			param.string(`if.${index}.addr.${number}.type`, family),
			param.string(`if.${index}.addr.${number}.addr`, address),
			param.uint(`if.${index}.addr.${number}.prefix`, prefix),
		]),
	]);
	return [param.uint("if.count", found.length), ...params];
}

/** Whether the agent knows no such command, or may not carry it out. */
function isUnsupported(error: unknown): boolean {
	return error instanceof QmpError && ["CommandNotFound", "CommandDisabled"].includes(error.class);
}

/** The groups asked for; with none, what of all of them the agent is able to tell. */
export async function guestInfo(
	domain: QemuDomain,
	types: number,
	_flags: number,
	context: CallContext,
): Promise<readonly TypedParam[]> {
	const unknown = (types & ~ALL) >>> 0;
	if (unknown !== 0)
		throw new VirtError("INVALID_ARG", `unsupported guest information types '0x${unknown.toString(16)}'`);
	const { def } = domain.activeRun().live;
	return await withAgent(domain, async (agent) => {
		const params: TypedParam[] = [];
		for (const [bit, ask] of GROUPS) {
			if (types !== 0 && !(types & bit)) continue;
			try {
				params.push(...(await ask(agent, context, def)));
			} catch (error) {
				if (types !== 0 || !isUnsupported(error)) throw error;
			}
		}
		return params;
	});
}
