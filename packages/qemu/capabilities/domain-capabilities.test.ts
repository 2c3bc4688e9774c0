// The answer about guests: made of a real QEMU, and the requests that contradict it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { before } from "node:test";
import { childNamed, elementsOf, textOf, type XmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import {
	cpuModelNames,
	type DomainCapabilityHost,
	type DomainCapabilityRequest,
	formatDomainCapabilities,
} from "./domain-capabilities.ts";
import { EmulatorCapabilities, type EmulatorFacts } from "./emulator.ts";
import { probeEmulator } from "./probe.ts";
import { probeSwtpm } from "./swtpm-probe.ts";

const QEMU = "/usr/bin/qemu-system-x86_64";
const HOST: DomainCapabilityHost = { arch: "x86_64", vfio: false, firmware: [], swtpm: undefined };

let facts: EmulatorFacts;
before(async () => {
	({ facts } = await probeEmulator(QEMU));
});

function answer(
	request: DomainCapabilityRequest = {},
	host: Partial<DomainCapabilityHost> = {},
	changes: Partial<EmulatorFacts> = {},
): XmlElement {
	const emulator = new EmulatorCapabilities({ ...facts, ...changes });
	return parseXml(formatDomainCapabilities(emulator, request, { ...HOST, ...host }));
}

function at(element: XmlElement, ...path: readonly string[]): XmlElement {
	let here: XmlElement | undefined = element;
	for (const name of path) here = here && childNamed(here, name);
	assert.ok(here, `no ${path.join("/")}`);
	return here;
}

function valuesOf(element: XmlElement, name: string): string[] | undefined {
	const found = elementsOf(element).find((one) => one.name === "enum" && one.attributes["name"] === name);
	return found && elementsOf(found).map(textOf);
}

const modeOf = (document: XmlElement, name: string) =>
	elementsOf(at(document, "cpu")).find((mode) => mode.attributes["name"] === name);

test("a guest of q35 with TCG gets q35's devices and TCG's CPUs", () => {
	const document = answer({ virtType: "qemu", machine: "q35" });
	assert.equal(textOf(at(document, "path")), QEMU);
	assert.match(textOf(at(document, "machine")), /^pc-q35-/);
	assert.deepEqual(valuesOf(at(document, "devices", "disk"), "bus"), ["fdc", "scsi", "virtio", "usb", "sata"]);
	assert.deepEqual(valuesOf(at(document, "devices", "disk"), "diskDevice"), ["disk", "cdrom", "floppy", "lun"]);
	assert.equal(modeOf(document, "host-passthrough")?.attributes["supported"], "no");
	const custom = modeOf(document, "custom");
	const qemu64 = custom && elementsOf(custom).find((model) => textOf(model) === "qemu64");
	assert.deepEqual(qemu64?.attributes, { usable: "yes", vendor: "unknown" });
	const names = custom ? elementsOf(custom).map(textOf) : [];
	assert.ok(names.includes("EPYC") && !names.includes("max") && !names.some((name) => /-v\d$/.test(name)));
	const model = modeOf(document, "host-model");
	assert.ok(model && names.includes(textOf(at(model, "model"))));
	assert.equal(at(document, "features", "genid").attributes["supported"], "yes");
	assert.equal(childNamed(at(document, "features"), "hyperv"), undefined);
});

test("a guest of i440fx has its IDE, and no more virtual CPUs than the machine and the kernel allow", () => {
	const kvm = { cpus: [], hyperv: ["vendor-id", "spinlocks", "no-such"] };
	const document = answer(
		{ virtType: "kvm", machine: "pc" },
		{ kvmMaxVcpus: 17, vfio: true },
		{ kvm, kvmRefusal: undefined },
	);
	assert.equal(valuesOf(at(document, "devices", "disk"), "bus")?.[0], "ide");
	assert.equal(at(document, "vcpu").attributes["max"], "17");
	assert.equal(modeOf(document, "host-passthrough")?.attributes["supported"], "yes");
	assert.deepEqual(valuesOf(at(document, "devices", "hostdev"), "pciBackend"), ["default", "vfio"]);
	assert.deepEqual(valuesOf(at(document, "features", "hyperv"), "features"), ["spinlocks", "vendor_id"]);
});

test("the accelerator is chosen by what runs guests", () => {
	const kvm = { cpus: [] };
	assert.equal(textOf(at(answer({}, {}, { kvm, kvmRefusal: undefined }), "domain")), "kvm");
	assert.equal(textOf(at(answer({}, {}, { kvm, kvmRefusal: "broken" }), "domain")), "qemu");
	assert.equal(textOf(at(answer({}, {}, { kvm: undefined }), "domain")), "qemu");
});

test("firmware, TPM, encrypted memory and enclaves show where the host has them", () => {
	const folder = mkdtempSync(join(tmpdir(), "firmware-"));
	try {
		const image = join(folder, "code.fd");
		writeFileSync(image, "");
		const descriptor = (filename: string, features: string[]) => ({
			path: "x",
			interfaces: ["uefi"],
			mapping: { device: "flash" as const, executable: { filename, format: "raw" }, mode: "split" },
			targets: [{ architecture: "x86_64", machines: ["pc-q35-*"] }],
			features,
		});
		const firmware = [descriptor(image, []), descriptor(image, ["requires-smm"]), descriptor("/nonexistent.fd", [])];
		const security = {
			sev: { cbitpos: 51, reducedPhysBits: 1 },
			sgx: { flc: true, sgx1: true, sgx2: false, sections: [{ node: 0, size: 4096 }] },
		};
		const document = answer({ virtType: "qemu", machine: "q35" }, { firmware, swtpm: ["2.0"] }, security);
		assert.deepEqual(valuesOf(at(document, "os"), "firmware"), ["efi"]);
		const loader = at(document, "os", "loader");
		assert.deepEqual(
			elementsOf(loader)
				.filter(({ name }) => name === "value")
				.map(textOf),
			[image],
		);
		assert.deepEqual(valuesOf(loader, "secure"), ["yes", "no"]);
		assert.deepEqual(valuesOf(at(document, "devices", "tpm"), "backendVersion"), ["2.0"]);
		assert.equal(textOf(at(document, "features", "sev", "cbitpos")), "51");
		assert.equal(textOf(at(document, "features", "sgx", "section_size")), "4");
		const plain = answer({ virtType: "qemu", machine: "pc" }, { firmware });
		assert.deepEqual(valuesOf(at(plain, "os"), "firmware"), []);
		assert.deepEqual(valuesOf(at(plain, "devices", "tpm"), "backendModel"), ["passthrough"]);
		assert.equal(valuesOf(at(plain, "devices", "tpm"), "backendVersion"), undefined);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("a request that contradicts the emulator is refused with libvirt's words", () => {
	const refusals: [DomainCapabilityRequest, string][] = [
		[{ arch: "vax" }, "unknown architecture: vax"],
		[{ arch: "aarch64" }, "architecture from emulator 'x86_64' doesn't match given architecture 'aarch64'"],
		[{ machine: "no-such" }, `the machine 'no-such' is not supported by emulator '${QEMU}'`],
		[{ virtType: "xen" }, "unknown virttype: xen"],
		[{ virtType: "kvm" }, `the accel 'kvm' is not supported by '${QEMU}' on this host`],
	];
	for (const [request, detail] of refusals)
		assert.throws(() => answer(request, {}, { kvm: undefined, kvmRefusal: undefined }), {
			code: "INVALID_ARG",
			detail,
		});
	assert.throws(() => answer({ virtType: "kvm" }, {}, { kvm: { cpus: [] }, kvmRefusal: "a test guest got stuck" }), {
		code: "INVALID_ARG",
		detail: `the accel 'kvm' is not supported by '${QEMU}' on this host: a test guest got stuck`,
	});
	assert.equal(textOf(at(answer({ arch: "i686" }), "arch")), "i686");
});

test("CPU models are named for the architectures that name any", () => {
	const emulator = new EmulatorCapabilities(facts);
	const names = cpuModelNames("x86_64", emulator);
	assert.ok(names.includes("Haswell-noTSX-IBRS") && names.includes("486"));
	assert.deepEqual(cpuModelNames("aarch64", emulator), []);
	assert.throws(() => cpuModelNames("riscv64", emulator), { code: "NO_SUPPORT" });
	assert.throws(() => cpuModelNames("vax", emulator), { code: "INVALID_ARG" });
});

test("a host without swtpm emulates no TPM", () => {
	assert.equal(probeSwtpm("/nonexistent/swtpm_setup"), undefined);
	assert.equal(probeSwtpm("/bin/echo"), undefined);
});
