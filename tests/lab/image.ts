// Makes the disk, kernel and initial RAM file system of the lab's host from Debian packages, once, and keeps them.

import { createHash } from "node:crypto";
import {
	copyFileSync,
	existsSync,
	globSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { buildInitramfs } from "@virtkit/testing/initramfs";
import { outputOf } from "@virtkit/testing/run";

/** What QEMU boots the lab's host from. */
export interface LabImage {
	readonly disk: string;
	readonly kernel: string;
	readonly initrd: string;
}

/** Packages of the host beside Debian's minimal system, with what each is there for. */
const PACKAGES: Readonly<Record<string, string>> = {
	"linux-image-amd64": "kernel of the host and of its guests",
	kmod: "modprobe",
	udev: "groups of device nodes",
	iproute2: "network interfaces",
	procps: "ps",
	"qemu-system-x86": "runs guests",
	"busybox-static": "programs inside guests",
	"libvirt-clients": "virsh, as Debian ships it",
};

/** What the initial RAM file system needs to reach disk and shared folder. */
const MODULES = ["virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "9p", "9pnet_virtio"];

const DISK_SIZE = "3G";
/** Nobody reads these in the lab. */
const LEFT_OUT = ["man", "doc", "locale"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
const BUILD_DEADLINE_MS = 20 * 60_000;

const readScript = (name: string): string => readFileSync(new URL(`host/${name}`, import.meta.url), "utf8");

/** Images lie beside what the bootstrap brought, or where VIRTKIT_LAB_FOLDER says. */
function imagesFolder(): string {
	return process.env["VIRTKIT_LAB_FOLDER"] ?? join(import.meta.dirname, "../../.virtkit/lab");
}

/** Why no image can be made here; undefined where one is there or can be. */
export function imageObstacle(): string | undefined {
	if (existsSync(imageFolder())) return undefined;
	if (process.arch !== "x64") return "the lab's host is an x86-64 one";
	if (process.getuid?.() !== 0) return "making the lab's disk takes root";
	if (!existsSync("/usr/bin/mmdebstrap")) return "mmdebstrap is not installed";
	return undefined;
}

/** One folder a recipe, so that a changed one makes an image of its own. */
function imageFolder(): string {
	const recipe = JSON.stringify([PACKAGES, MODULES, DISK_SIZE, readScript("initramfs-init.sh")]);
	return join(imagesFolder(), `image-${createHash("sha256").update(recipe).digest("hex").slice(0, 12)}`);
}

/** The image: as it was made before, or made now, which takes minutes. */
export async function labImage(): Promise<LabImage> {
	const folder = imageFolder();
	if (!existsSync(folder)) {
		removeOldImages();
		const fresh = `${folder}.${process.pid}`;
		mkdirSync(fresh, { recursive: true });
		try {
			await build(fresh);
			renameSync(fresh, folder);
		} finally {
			rmSync(fresh, { recursive: true, force: true });
		}
	}
	return { disk: join(folder, "disk"), kernel: join(folder, "kernel"), initrd: join(folder, "initrd") };
}

/** Images of recipes that have changed since. */
function removeOldImages(): void {
	for (const old of globSync("image-*", { cwd: imagesFolder() })) {
		rmSync(join(imagesFolder(), old), { recursive: true, force: true });
	}
}

async function build(folder: string): Promise<void> {
	const root = join(folder, "root");
	await installDebian(root);
	const [version] = readdirSync(join(root, "lib/modules"));
	if (version === undefined) throw new Error("linux-image-amd64 brought no kernel");
	copyFileSync(join(root, "boot", `vmlinuz-${version}`), join(folder, "kernel"));
	writeFileSync(join(folder, "initrd"), labInitramfs(root, version));
	// Without checksums of metadata, which an emulated processor is slow to make.
	const options = ["-q", "-F", "-O", "^metadata_csum", "-E", "lazy_itable_init=1", "-d", root];
	await outputOf("/sbin/mkfs.ext4", [...options, join(folder, "disk"), DISK_SIZE], { deadlineMs: BUILD_DEADLINE_MS });
	rmSync(root, { recursive: true });
}

/** Debian 12 with the packages, from where this host gets its own when it is one. */
async function installDebian(root: string): Promise<void> {
	const candidates = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
	const sources = candidates.filter((file) => existsSync(file) && readFileSync(file, "utf8").includes("bookworm"));
	const options = ["--quiet", "--mode=root", "--variant=minbase", '--aptopt=APT::Install-Recommends "false"'];
	const include = `--include=${Object.keys(PACKAGES).join(",")}`;
	await outputOf("/usr/bin/mmdebstrap", [...options, ...LEFT_OUT, include, "bookworm", root, ...sources], {
		deadlineMs: BUILD_DEADLINE_MS,
	});
}

/** The demo guest's archive, with a first program of the lab's own; of two entries for a path the kernel takes the later. */
function labInitramfs(root: string, kernelVersion: string): Uint8Array {
	const init = { kind: "file", path: "init", data: readScript("initramfs-init.sh"), mode: 0o755 } as const;
	const busybox = join(root, "bin/busybox");
	return buildInitramfs({ kernelVersion, root, busybox, modules: MODULES, extra: [init] });
}
