// The command that does away with a domain's definition, and with the volumes of its disks where that is asked for.

import type { Connection } from "@virtkit/client/sdk/connection";
import type { Domain } from "@virtkit/client/sdk/domain";
import { childNamed, type XmlElement } from "@virtkit/xml/node";
import { type CliContext, CommandError, orFail, SilentFailure } from "../context.ts";
import { flag, optional } from "../grammar/command.ts";
import { type CliCommand, declare, domainOption, exclusive, requires } from "./declare.ts";
import { definitionOf, devicesOf } from "./device-list.ts";

/** VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS */
const WITH_SNAPSHOTS = 2;

/** A volume of a storage pool, and the disk that it is the image of. */
interface DiskVolume {
	readonly vol: { pool: string; name: string; key: string };
	readonly target: string;
	readonly source: string;
}

interface Image {
	readonly target: string;
	readonly source: string;
	readonly pool: string | undefined;
}

const complain = (context: CliContext, text: string): void => context.terminal.err(`error: ${text}\n`);

function imagesOf(disks: readonly XmlElement[]): Image[] {
	return disks.flatMap((disk) => {
		const from = childNamed(disk, "source")?.attributes ?? {};
		const source = from.file ?? from.dir ?? from.name ?? from.dev ?? from.volume;
		const target = childNamed(disk, "target")?.attributes.dev ?? "";
		return source === undefined ? [] : [{ target, source, pool: from.pool }];
	});
}

/** The pool's volume that holds an image; undefined, and why is told, where there is none. */
async function volumeOf(context: CliContext, { rpc }: Connection, image: Image): Promise<DiskVolume | undefined> {
	const { target, source, pool } = image;
	try {
		if (pool === undefined) return { ...image, ...(await rpc.call("STORAGE_VOL_LOOKUP_BY_PATH", { path: source })) };
		const found = await rpc.call("STORAGE_POOL_LOOKUP_BY_NAME", { name: pool }).catch(() => undefined);
		if (found !== undefined)
			return { ...image, ...(await rpc.call("STORAGE_VOL_LOOKUP_BY_NAME", { pool: found.pool, name: source })) };
		complain(context, `Storage pool '${pool}' for volume '${target}' not found.`);
	} catch {
		complain(context, `Storage volume '${target}'(${source}) is not managed by libvirt. Remove it manually.\n`);
	}
	return undefined;
}

/** The volumes of all the domain's disks, or of those that `chosen` names by target or path. */
async function volumesOf(
	context: CliContext,
	domain: Domain,
	chosen: readonly string[] | undefined,
): Promise<DiskVolume[]> {
	if (await domain.isActive()) throw new CommandError("Storage volume deletion is supported only on stopped domains");
	const connection = await context.connection;
	const images = imagesOf(devicesOf(await definitionOf(domain, {}), "disk"));
	const isNamed = (name: string, { target, source }: Image): boolean => name === target || name === source;
	const wanted = images.filter((image) => chosen?.some((name) => isNamed(name, image)) ?? true);
	const volumes: DiskVolume[] = [];
	for (const image of wanted) {
		const volume = await volumeOf(context, connection, image);
		if (volume) volumes.push(volume);
	}
	const unknown = chosen?.filter((name) => !images.some((image) => isNamed(name, image))) ?? [];
	for (const name of unknown) complain(context, `Volume '${name}' was not found in domain's definition.\n`);
	if (unknown.length > 0) throw new SilentFailure();
	return volumes;
}

/** Removes a volume; false, and why is told, where that fails. */
async function removeVolume(
	context: CliContext,
	{ vol, target, source }: DiskVolume,
	{ wipe, flags }: { readonly wipe: boolean; readonly flags: number },
): Promise<boolean> {
	const { rpc } = await context.connection;
	try {
		if (wipe) {
			context.terminal.out(`Wiping volume '${target}'(${source}) ... `);
			await orFail("Failed! Volume not removed.", rpc.call("STORAGE_VOL_WIPE", { vol, flags: 0 }));
			context.say("Done.\n");
		}
		await orFail(
			`Failed to remove storage volume '${target}'(${source})`,
			rpc.call("STORAGE_VOL_DELETE", { vol, flags }),
		);
		context.say(`Volume '${target}'(${source}) removed.`);
		return true;
	} catch (error) {
		complain(context, (error as Error).message);
		return false;
	}
}

const undefine = declare({
	name: "undefine",
	summary: "undefine a domain",
	description: "Undefine an inactive domain, or convert persistent to transient.",
	options: {
		domain: domainOption(),
		"managed-save": flag("remove domain managed state file"),
		storage: optional(
			"remove associated storage volumes (comma separated list of targets or source paths) (see domblklist)",
			{ completes: "disk" },
		),
		"remove-all-storage": flag("remove all associated storage volumes (use with caution)"),
		"delete-storage-volume-snapshots": flag(
			"delete snapshots associated with volume(s), requires --remove-all-storage (must be supported by storage driver)",
		),
		"wipe-storage": flag("wipe data on the removed volumes"),
		"snapshots-metadata": flag("remove all domain snapshot metadata (vm must be inactive)"),
		"checkpoints-metadata": flag("remove all domain checkpoint metadata (vm must be inactive)"),
		nvram: flag("remove nvram file"),
		"keep-nvram": flag("keep nvram file"),
		tpm: flag("remove TPM state"),
		"keep-tpm": flag("keep TPM state"),
	},
	async run(context, args) {
		const { storage, "remove-all-storage": all, "wipe-storage": wipe } = args;
		requires(args, "delete-storage-volume-snapshots", "remove-all-storage");
		exclusive(args, "nvram", "keep-nvram");
		exclusive(args, "tpm", "keep-tpm");
		if (wipe && storage === undefined && !all)
			throw new CommandError("'--wipe-storage' requires '--storage <string>' or '--remove-all-storage'");
		const domain = await context.domain(args.domain);
		if (storage !== undefined && all) throw new CommandError("Specified both --storage and --remove-all-storage");
		const asked = storage !== undefined || all;
		const volumes = asked ? await volumesOf(context, domain, storage?.split(",")) : [];
		const options = {
			managedSave: args["managed-save"],
			snapshotsMetadata: args["snapshots-metadata"],
			checkpointsMetadata: args["checkpoints-metadata"],
			nvram: args.nvram,
			keepNvram: args["keep-nvram"],
			tpm: args.tpm,
			keepTpm: args["keep-tpm"],
		};
		await orFail(`Failed to undefine domain '${domain.name}'`, domain.undefine(options));
		context.say(`Domain '${domain.name}' has been undefined`);
		const flags = args["delete-storage-volume-snapshots"] ? WITH_SNAPSHOTS : 0;
		let failed = false;
		for (const volume of volumes) failed = !(await removeVolume(context, volume, { wipe, flags })) || failed;
		if (failed) throw new SilentFailure();
	},
});

export const undefineCommands: readonly CliCommand[] = [undefine];
