// `-smbios` and `-fw_cfg`: what the guest reads about its machine.

import { VirtError } from "@virtkit/base/errors";
import type { SmbiosDef } from "@virtkit/model/domain/sysinfo";
import type { BuildContext } from "../devices/entry.ts";
import { escapeCommas } from "./command-line.ts";

type Row = Readonly<Record<string, string | undefined>>;

/** `type=1,manufacturer=…`: the values that are there, in the order given. */
function table(type: number, values: Row): string {
	const given = Object.entries(values).flatMap(([name, value]) =>
		value === undefined ? [] : `${name}=${escapeCommas(value)}`,
	);
	return [`type=${type}`, ...given].join(",");
}

function tables({
	bios,
	system,
	baseBoard,
	chassis,
	oemStrings,
}: SmbiosDef): { type: number; of: object; row: string }[] {
	const rows = [];
	if (bios)
		rows.push({
			type: 0,
			of: bios,
			row: table(0, { vendor: bios.vendor, version: bios.version, date: bios.date, release: bios.release }),
		});
	if (system) {
		const { manufacturer, product, version, serial, uuid, sku, family } = system;
		rows.push({ type: 1, of: system, row: table(1, { manufacturer, product, version, serial, uuid, sku, family }) });
	}
	for (const board of baseBoard) {
		const { manufacturer, product, version, serial, asset, location } = board;
		rows.push({ type: 2, of: board, row: table(2, { manufacturer, product, version, serial, asset, location }) });
	}
	if (chassis) {
		const { manufacturer, version, serial, asset, sku } = chassis;
		rows.push({ type: 3, of: chassis, row: table(3, { manufacturer, version, serial, asset, sku }) });
	}
	if (oemStrings?.entry.length)
		rows.push({
			type: 11,
			of: oemStrings,
			row: ["type=11", ...oemStrings.entry.map(({ value }) => `value=${escapeCommas(value)}`)].join(","),
		});
	return rows;
}

/** `-smbios`, where the guest's tables are those of the definition or of the host. */
export function buildSmbios({ command, def, host }: BuildContext): void {
	const mode = def.os.smbios?.mode;
	if (mode === undefined || mode === "emulate") return;
	const source = mode === "host" ? host.smbios : def.sysinfo.find((one): one is SmbiosDef => one.type === "smbios");
	if (!source)
		throw mode === "host"
			? new VirtError("CONFIG_UNSUPPORTED", "Host SMBIOS information is not available")
			: new VirtError("XML_ERROR", `Domain '${def.name}' sysinfo are not available`);
	if (source.baseBoard.length > 1)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`qemu does not support more than one entry to Type 2 in SMBIOS table, and there are ${source.baseBoard.length}`,
		);
	// The host's UUID is its own: the guest's comes from -uuid.
	const shown =
		mode === "host" && source.system ? { ...source, system: { ...source.system, uuid: undefined } } : source;
	for (const { type, of, row } of tables(shown))
		command.from({ element: of, what: `SMBIOS table ${type}` }, () => command.add("-smbios", row));
}

/** `-fw_cfg`. */
export function buildFirmwareData({ command, def }: BuildContext): void {
	for (const one of def.sysinfo) {
		if (one.type !== "fwcfg") continue;
		for (const entry of one.entry) {
			const content =
				entry.value === undefined ? `file=${escapeCommas(entry.file ?? "")}` : `string=${escapeCommas(entry.value)}`;
			command.from({ element: entry, what: `firmware data ${entry.name}` }, () =>
				command.add("-fw_cfg", `name=${entry.name},${content}`),
			);
		}
	}
}
