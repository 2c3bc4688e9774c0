// A tiny Linux guest that anybody can start at once: a distribution kernel of this host and an initial RAM file system of ours.

import { createHash } from "node:crypto";
import { accessSync, constants, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import * as scripts from "./guest-scripts.ts";
import { buildInitramfs, GUEST_MODULES } from "./initramfs.ts";

/** What the guest prints on its console once its shell is about to start. */
export const READY_LINE = "virtkit-guest: ready";

/** What its shell prints before each command. */
export const SHELL_PROMPT = "virtkit-guest# ";

/** What QEMU boots the guest from. */
export interface DemoGuest {
	readonly kernel: string;
	readonly initrd: string;
	readonly cmdline: string;
	readonly kernelVersion: string;
}

function isReadable(path: string): boolean {
	try {
		accessSync(path, constants.R_OK);
		return true;
	} catch {
		return false;
	}
}

/** Orders "6.1.0-9" before "6.1.0-56". */
const byVersion = new Intl.Collator("en", { numeric: true }).compare;

/** The newest kernel below `root`/boot that can be read and has its modules; undefined when there is none. */
export function findKernel(root = "/"): { readonly path: string; readonly version: string } | undefined {
	let names: string[];
	try {
		names = readdirSync(join(root, "boot"));
	} catch {
		return undefined;
	}
	const versions = names.flatMap((name) => /^vmlinuz-(.+)$/.exec(name)?.[1] ?? []).sort(byVersion);
	for (const version of versions.reverse()) {
		const path = join(root, "boot", `vmlinuz-${version}`);
		if (isReadable(path) && isReadable(join(root, "lib/modules", version, "modules.dep"))) return { path, version };
	}
	return undefined;
}

/** Changes whenever the archive would. */
function cacheKey(version: string, busybox: string): string {
	const { size, mtimeMs } = statSync(busybox);
	const inputs = JSON.stringify([version, busybox, size, mtimeMs, GUEST_MODULES, scripts]);
	return createHash("sha256").update(inputs).digest("hex").slice(0, 16);
}

/** Where Debian's busybox-static and other distributions' static builds put it. */
const BUSYBOX_PATHS = ["/bin/busybox", "/usr/bin/busybox", "/usr/bin/busybox-static", "/usr/sbin/busybox"];

/**
 * Finds kernel and busybox on this host, and builds the archive in `folder` unless it is there already.
 *
 * @throws VirtError OPERATION_FAILED saying which package to install when either is not there.
 */
export function prepareDemoGuest(folder: string): DemoGuest {
	const kernel = findKernel();
	if (kernel === undefined) {
		throw new VirtError(
			"OPERATION_FAILED",
			"no readable Linux kernel with its modules in /boot; install one, on Debian: apt-get install linux-image-amd64",
			{ domain: "NONE" },
		);
	}
	const busybox = BUSYBOX_PATHS.find(isReadable);
	if (busybox === undefined) {
		throw new VirtError("OPERATION_FAILED", "no busybox found; on Debian: apt-get install busybox-static", {
			domain: "NONE",
		});
	}
	const initrd = join(folder, `virtkit-guest-${kernel.version}-${cacheKey(kernel.version, busybox)}.cpio`);
	if (!isReadable(initrd)) {
		mkdirSync(folder, { recursive: true });
		const temporary = `${initrd}.${process.pid}`;
		// The guest's user reads it, whoever that is.
		writeFileSync(temporary, buildInitramfs({ kernelVersion: kernel.version, busybox }), { mode: 0o644 });
		renameSync(temporary, initrd);
	}
	return { kernel: kernel.path, initrd, cmdline: "console=ttyS0 quiet", kernelVersion: kernel.version };
}

export interface DemoDomainOptions {
	readonly name: string;
	readonly uuid?: string;
	/** `kvm` where it works, else `qemu` (emulation). */
	readonly type: "kvm" | "qemu";
	readonly memoryMib?: number;
	readonly vcpus?: number;
	readonly machine?: string;
	readonly emulator?: string;
	/** A display that VNC clients of this host reach. */
	readonly vnc?: boolean;
	/** User-mode networking, which needs no rights. */
	readonly network?: boolean;
	/** Shell command the guest runs once it is ready; holds no quotation mark. */
	readonly run?: string;
	/** Further elements below `<devices>`. */
	readonly devices?: string;
	/** Elements beside `<devices>`, such as `<cpu>`. */
	readonly elements?: string;
}

const escapeXml = (text: string) =>
	text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("'", "&apos;");

const element = (name: string, text: string | undefined) =>
	text === undefined ? "" : `<${name}>${escapeXml(text)}</${name}>`;

/** The domain document of such a guest, as libvirt reads it. */
export function demoDomainXml(guest: DemoGuest, options: DemoDomainOptions): string {
	const { memoryMib = 256, vcpus = 1, machine = "q35" } = options;
	const cmdline = options.run === undefined ? guest.cmdline : `${guest.cmdline} run="${options.run}"`;
	return `<domain type='${options.type}'>
  ${element("name", options.name)}${element("uuid", options.uuid)}
  <memory unit='MiB'>${memoryMib}</memory>
  <vcpu>${vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='${escapeXml(machine)}'>hvm</type>
    ${element("kernel", guest.kernel)}
    ${element("initrd", guest.initrd)}
    ${element("cmdline", cmdline)}
  </os>
  <features><acpi/></features>${options.elements ?? ""}
  <devices>
    ${element("emulator", options.emulator)}
    <serial type='pty'/>
    <console type='pty'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    ${options.network === false ? "" : "<interface type='user'><model type='virtio'/></interface>"}
    ${options.vnc ? "<graphics type='vnc' listen='127.0.0.1'/><video><model type='vga'/></video>" : ""}
    ${options.devices ?? ""}
  </devices>
</domain>
`;
}
