// Disks, filesystems and controllers of the fixtures: read, completed, checked, and compared with the options they must become.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { devices } from "@virtkit/model/domain/devices";
import { fillIOThreads } from "@virtkit/model/domain/iothreads";
import { COMMON_TYPES, defineContext } from "@virtkit/testing/define-context";
import { formatElement } from "@virtkit/xml/format";
import { parseXml } from "@virtkit/xml/parse";
import { readElement } from "@virtkit/xml/read";
import { assignAddresses } from "../addresses/assign.ts";
import { addDiskControllers, addMachineControllers, assignControllerIndexes } from "../addresses/controllers.ts";
import { CommandLine } from "../command-line/command-line.ts";
import { bootIndexesOf } from "../defaults/boot-index.ts";
import { checkDevice } from "../defaults/check.ts";
import { builtControllers, completeScsiControllers, controller } from "./controller.ts";
import { disk } from "./disk.ts";
import { buildManagedReservations, floppyController } from "./disk-build.ts";
import { numberImages } from "./disk-image.ts";
import type { DeviceEntry } from "./entry.ts";
import { filesystem } from "./filesystem.ts";

const FIXTURES = join(import.meta.dirname, "../../../fixtures/argv/storage");
const ELEMENTS =
	"<iothreads>1</iothreads><memoryBacking><access mode='shared'/></memoryBacking><cpu><numa><cell id='0' cpus='0' memory='1048576'/></numa></cpu>";
const ENTRIES: readonly DeviceEntry<object>[] = [disk, controller, filesystem];

/** Everything that the driver does with these devices, from the document to the options. */
function optionsOf(text: string): string[] {
	const types = { ...COMMON_TYPES, mptsas1068: [], pvscsi: [], "ich9-usb-uhci1": [], "usb-ccid": [] };
	const body = text.replace(/<\/?devices>/g, "");
	const context = { ...defineContext(body, { types, elements: ELEMENTS }) };
	const { def, host } = context;
	Object.assign(host, { secretValue: () => Buffer.from("secret") });
	Object.assign(context.caps, { hasSchema: () => true });
	fillIOThreads(def);
	assignControllerIndexes(def);
	addMachineControllers(context);
	for (const entry of ENTRIES) for (const device of entry.list(def)) entry.complete?.(device, context);
	addDiskControllers(def);
	completeScsiControllers(context);
	assignAddresses(context);
	for (const entry of ENTRIES) for (const device of entry.list(def)) checkDevice(device, entry, context);
	for (const entry of ENTRIES)
		for (const [index, device] of entry.list(def).entries())
			Object.assign(device, { alias: entry.alias(device, index, context) });
	numberImages(def);
	const build = {
		...context,
		command: new CommandLine("qemu"),
		paths: { work: "/work", monitor: "/work/monitor", channels: "/work/channels", log: "/log" },
		dryRun: true,
		bootIndexes: bootIndexesOf(def),
		descriptors: new Map(),
	};
	buildManagedReservations(build);
	for (const entry of [builtControllers, floppyController, disk, filesystem] as readonly DeviceEntry<object>[])
		for (const device of entry.list(def)) entry.build(device, build);
	return build.command.options.map(({ name, value = "" }) =>
		`${name} ${value}`.replace(/"data":"[^"]*"/, '"data":"…"').replace(/"iv":"[^"]*"/, '"iv":"…"'),
	);
}

for (const name of readdirSync(FIXTURES).filter((file) => file.endsWith(".xml"))) {
	const text = readFileSync(join(FIXTURES, name), "utf8");

	test(`the devices of ${name} become the options beside it`, () => {
		const expected = join(FIXTURES, name.replace(/\.xml$/, ".args"));
		const options = optionsOf(text);
		if (process.env["UPDATE_FIXTURES"]) writeFileSync(expected, `${options.join("\n")}\n`);
		assert.deepEqual(options, readFileSync(expected, "utf8").trimEnd().split("\n"));
	});

	test(`${name} is written as it was read`, () => {
		const read = readElement(devices, parseXml(text));
		const written = formatElement("devices", devices, read, { secure: true });
		assert.deepEqual(readElement(devices, parseXml(written)), read);
		assert.equal(formatElement("devices", devices, readElement(devices, parseXml(written)), { secure: true }), written);
	});
}
