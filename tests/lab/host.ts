// Boots the lab's host, runs a scenario in it as root, and collects what the scenario wrote.

import { copyFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "@virtkit/testing/run";
import { labImage } from "./image.ts";

/** What a scenario came to. */
export interface LabResult {
	/** The scenario's exit status; undefined when the host did not get to its end. */
	readonly status: number | undefined;
	/** What the scenario wrote to /lab/out/NAME, by name. */
	readonly out: ReadonlyMap<string, string>;
	/** Everything on the host's console. */
	readonly console: string;
}

/** How long the host may take, everything included. */
const DEADLINE_MS = 25 * 60_000;

const HARDWARE = [
	["-accel", "tcg,thread=multi"],
	// A processor with AMD's virtualization, nested paging included, which QEMU emulates.
	["-machine", "q35", "-cpu", "EPYC,+svm", "-smp", "2", "-m", "3072"],
	["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"],
	// Devices to give to guests: a network card alone in its group of the IOMMU, and a USB device.
	["-device", "intel-iommu,intremap=on,caching-mode=on"],
	[
		"-device",
		"pcie-root-port,id=lab-port,chassis=1",
		"-netdev",
		"user,id=lab-net",
		"-device",
		"e1000e,netdev=lab-net,bus=lab-port",
	],
	["-device", "qemu-xhci,id=lab-usb", "-device", "usb-tablet,bus=lab-usb.0"],
].flat();

/**
 * Boots the host with `share` at /lab, runs /lab/scenario.sh and powers it off; the disk forgets what was written to it.
 *
 * `share` is the caller's folder, with what the scenario needs; its `out` folder is read afterwards.
 */
export async function runInLab(share: string, scenario: URL): Promise<LabResult> {
	const { disk, kernel, initrd } = await labImage();
	copyFileSync(new URL("host/boot.sh", import.meta.url), join(share, "boot.sh"));
	copyFileSync(scenario, join(share, "scenario.sh"));
	const { stdout, stderr } = await run(
		"qemu-system-x86_64",
		[
			...HARDWARE,
			...["-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 panic=-1 quiet intel_iommu=on iommu=pt"],
			...["-drive", `file=${disk},format=raw,if=none,id=disk,snapshot=on,cache=unsafe`],
			...["-device", "virtio-blk-pci,drive=disk"],
			...["-virtfs", `local,path=${share},mount_tag=lab,security_model=none,id=lab`],
		],
		{ deadlineMs: DEADLINE_MS },
	);
	const said = stderr.replace(/^.*TCG doesn't support requested feature.*\n/gm, "");
	return { status: readStatus(join(share, "status")), out: readAll(join(share, "out")), console: `${stdout}${said}` };
}

function readStatus(file: string): number | undefined {
	return existsSync(file) ? Number(readFileSync(file, "utf8")) : undefined;
}

function readAll(folder: string): Map<string, string> {
	const names = existsSync(folder) ? readdirSync(folder) : [];
	return new Map(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}
