// Guests on real KVM: the bundle in the lab's host, with Debian's virsh beside it; see docs/lab.md for the times it takes.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { READY_LINE, SHELL_PROMPT } from "@virtkit/testing/demo-guest";
import { outputOf } from "@virtkit/testing/run";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { type LabResult, runInLab } from "./host.ts";
import { imageObstacle } from "./image.ts";

const BUNDLE = fileURLToPath(new URL("../../tools/bundle.ts", import.meta.url));

const skip = imageObstacle() ?? false;

let result: LabResult = { status: undefined, out: new Map(), console: "" };

before(async () => {
	if (skip !== false) return;
	using share = temporaryFolder("lab-");
	await outputOf(process.execPath, [BUNDLE, share.file("virtkit")], { deadlineMs: 300_000 });
	result = await runInLab(share.path, new URL("kvm-scenario.sh", import.meta.url));
	console.log(result.out.get("times") ?? result.console);
});

/** What the scenario collected under that name. */
function said(name: string): string {
	const text = result.out.get(name);
	assert.ok(text !== undefined, `the scenario did not get to '${name}':\n${result.console}`);
	return text;
}

function assertSaid(name: string, ...patterns: readonly RegExp[]): void {
	for (const pattern of patterns) assert.match(said(name), pattern, `${name}, and the daemon:\n${said("daemon-log")}`);
}

test("the scenario runs to its end", { skip }, () => {
	assert.equal(result.status, 0, result.console);
});

test("'virtkit up' emulates, and says why, until the KVM module is loaded; from then on it takes KVM", { skip }, () => {
	assertSaid("up-without-kvm", /Using emulation \(TCG\), slower than KVM: .*KVM/);
	assertSaid("kvm-device", /^crw-rw---- 1 root kvm /);
	assertSaid("up", /^Using KVM: /m, /Guest 'demo' is starting/);
	assertSaid("demo-list", /demo +running/);
	assertSaid("demo-dominfo", /^State: +running$/m, /^CPU time: +[1-9]/m);
	assertSaid("demo-destroy", /Domain 'demo' destroyed/);
});

test("virsh defines and starts a KVM guest with two CPUs, which reaches its shell and obeys it", { skip }, () => {
	assertSaid("web-xml", /<domain type='kvm'>/);
	assertSaid("web-define", /Domain 'web' defined/);
	assertSaid("web-start", /Domain 'web' started/);
	assertSaid("web-console", new RegExp(READY_LINE), new RegExp(SHELL_PROMPT), /answer 42: Hypervisor detected: KVM/);
	assertSaid("web-argv", /-accel\0kvm\0/);
	assertSaid("web-descriptors", /\/dev\/kvm$/m, /anon_inode:kvm-vcpu:0$/m, /anon_inode:kvm-vcpu:1$/m);
	assertSaid("web-dominfo", /^CPU\(s\): +2$/m, /^State: +running$/m);
});

test("the virtual CPUs are threads that KVM runs, each with its CPU time", { skip }, () => {
	for (const name of ["demo-vcpuinfo", "web-vcpuinfo"]) {
		const times = [...said(name).matchAll(/^CPU time: +([\d.]+)s$/gm)].map(([, seconds]) => Number(seconds));
		assert.equal(times.length, name === "demo-vcpuinfo" ? 1 : 2, said(name));
		assert.ok(
			times.every((seconds) => seconds > 0),
			said(name),
		);
	}
	assertSaid("web-threads", /^CPU 0\/KVM: /m, /^CPU 1\/KVM: /m);
});

test("a guest has its control group, and weight, quota and pins change while it runs", { skip }, () => {
	assertSaid("web-groups", /^qemu-\d+-web\S* cpu\.weight 100$/m);
	assertSaid("web-shares", /^cpu_shares +: 300$/m);
	assertSaid("web-quota", /^vcpu_quota +: 50000$/m);
	assertSaid("web-tuned-groups", /^qemu-\d+-web\S* cpu\.weight 300$/m, /^vcpu0 cpu\.max 50000 100000$/m);
	const thread = /^CPU 0\/KVM: (\d+) Cpus_allowed_list:\s+1 /m.exec(said("web-threads"))?.[1];
	assert.ok(thread !== undefined, said("web-threads"));
	assertSaid("web-tuned-groups", new RegExp(`^vcpu0 threads ${thread} `, "m"));
	assertSaid("web-threads", /^qemu\S*: \d+ Cpus_allowed_list:\s+0 /m);
	assertSaid("web-pins", /^ 0 +1$/m, /^ 1 +0-1$/m);
	assertSaid("web-stats", /cpu\.time=[1-9]/, /vcpu\.1\.time=[1-9]/);
});

test("a network card of the host is given to a running guest, which sees it, and given back to its driver", {
	skip,
}, () => {
	assertSaid("nic-host-before", /^e1000e$/m);
	assertSaid("nic-attach", /Device attached successfully/);
	assertSaid("nic-host-during", /^vfio-pci$/m);
	assertSaid("nic-xml", /<hostdev mode='subsystem' type='pci' managed='yes'>\s*<driver name='vfio'\/>/);
	assertSaid("web-console", /^nic seen/m, /^nic gone/m);
	assertSaid("nic-other", /PCI device \S+ is in use by driver QEMU, domain web/);
	assertSaid("nic-host-after", /^e1000e$/m);
});

test("a guest starts with that card, and its end gives it back", { skip }, () => {
	assertSaid("other-create", /Domain 'other' created/);
	assertSaid("other-host", /^vfio-pci$/m);
	assertSaid("other-destroy", /Domain 'other' destroyed/);
	assertSaid("other-host-after", /^e1000e$/m);
});

test("a USB device of the host is found by what it is, and given to a guest once", { skip }, () => {
	assertSaid("usb-attach", /Device attached successfully/);
	assertSaid("usb-xml", /<address bus='\d+' device='\d+'\/>/);
	assertSaid("usb-second", /device is already in use/);
	assertSaid("usb-detach", /Device detached successfully/);
});

test("a guest that its power button shut down is off, and nothing is left of any", { skip }, () => {
	assertSaid("web-state", /^shut off \(shutdown\)$/m);
	assert.equal(said("leftovers").replace(/^exit status 1\n/m, ""), "");
	assert.equal(said("list").trim(), "");
});
