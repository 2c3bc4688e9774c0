// A paused guest with room to plug devices in, and what QEMU and its definition say of it.

import type { QemuDomain } from "@virtkit/qemu/domain/domain";
import { type TestDriver, tinyGuest } from "./qemu-driver.ts";

/** What must be the same again when a device is gone. */
export interface PlugFacts {
	readonly xml: string;
	/** Ids of QEMU's devices. */
	readonly peripherals: readonly string[];
	readonly objects: readonly string[];
	readonly blockNodes: readonly string[];
	readonly chardevs: readonly string[];
	readonly netdevs: readonly string[];
}

export interface PlugGuest {
	readonly domain: QemuDomain;
	/** The domain of the driver that there is now. */
	again(): QemuDomain;
	facts(): Promise<PlugFacts>;
}

export interface PlugGuestOptions {
	readonly name?: string;
	/** Free PCI Express root ports. */
	readonly ports?: number;
	/** Further devices. */
	readonly devices?: string;
	/** Further elements of the domain. */
	readonly more?: string;
}

/** The document of such a guest: q35, with USB, SCSI and virtio-serial buses. */
export function plugGuestXml({ name = "guest", ports = 10, devices = "", more = "" }: PlugGuestOptions = {}): string {
	const rootPorts = Array.from(
		{ length: ports + 2 },
		(_, index) => `<controller type='pci' index='${index + 1}' model='pcie-root-port'/>`,
	);
	return tinyGuest(name, {
		more,
		devices: `<controller type='pci' index='0' model='pcie-root'/>${rootPorts.join("")}<controller type='scsi' index='0' model='virtio-scsi'/><controller type='virtio-serial' index='0'/>${devices}`,
	})
		.replace("machine='pc'", "machine='q35'")
		.replace("<controller type='usb' model='none'/>", "<controller type='usb' model='qemu-xhci' ports='15'/>");
}

/** Defines and starts such a guest, paused. */
export async function plugGuest(own: TestDriver, options: PlugGuestOptions = {}): Promise<PlugGuest> {
	const domain = await own.define(plugGuestXml(options));
	await own.run("start", domain, 1);
	const again = () => own.driver.domains.byName(domain.name) ?? domain;
	return { domain, again, facts: () => factsOf(own, again()) };
}

async function factsOf(own: TestDriver, domain: QemuDomain): Promise<PlugFacts> {
	const monitor = domain.activeRun().monitor;
	const names = async (path: string) => (await monitor.execute("qom-list", { path })).map(({ name }) => name).sort();
	const nodes = await monitor.execute("query-named-block-nodes", { flat: true });
	const net = String(await monitor.executeUntyped("human-monitor-command", { "command-line": "info network" }));
	return {
		xml: await own.run("xml", domain),
		peripherals: await names("/machine/peripheral"),
		objects: await names("/objects"),
		blockNodes: nodes.map((node) => node["node-name"] ?? "").sort(),
		chardevs: (await monitor.execute("query-chardev")).map(({ label }) => label).sort(),
		netdevs: net.split(/\r?\n/).filter(Boolean),
	};
}
