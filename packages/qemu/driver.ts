// The QEMU/KVM driver: builds its parts, finds again what a former daemon left, and answers for all domains.

import { createHash } from "node:crypto";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import type { ConnectPeer } from "@virtkit/core/migration";
import { CgroupTree } from "@virtkit/host/cgroup/tree";
import { agentOperations } from "./agent/operations.ts";
import { backupOperations } from "./backup/operations.ts";
import { blockOperations } from "./block/operations.ts";
import { CapabilityCache } from "./capabilities/cache.ts";
import { checkpointOperations } from "./checkpoint/operations.ts";
import { configOperations } from "./config/config-operations.ts";
import { defineOperations } from "./config/define-operations.ts";
import { domainCollection } from "./config/domain-collection.ts";
import { xmlOperations } from "./config/xml-operations.ts";
import { graphicsOperations } from "./console/graphics.ts";
import { consoleOperations } from "./console/operations.ts";
import { monitorOperations } from "./control/monitor-command.ts";
import { controlOperations } from "./control/operations.ts";
import type { QemuDomain } from "./domain/domain.ts";
import { DomainRegistry } from "./domain/registry.ts";
import { DefinitionStore } from "./domain/store.ts";
import { Driver } from "./driver-context.ts";
import { factOperations } from "./facts/fact-operations.ts";
import { hostOperations } from "./host-operations.ts";
import { HostView } from "./host-view.ts";
import { hotplugOperations } from "./hotplug/operations.ts";
import { adoptRuns } from "./lifecycle/adopt.ts";
import { startWithHost } from "./lifecycle/autostart.ts";
import { startOperations } from "./lifecycle/start-operations.ts";
import { stopOperations } from "./lifecycle/stop-operations.ts";
import type { Logger } from "./logger.ts";
import { limitOperations } from "./migration/limits.ts";
import { migrationOperations } from "./migration/operations.ts";
import { driverPaths, type InstanceFolders, makeDriverFolders } from "./paths.ts";
import { startBalancer } from "./policy/balancer.ts";
import { saveOperations } from "./save/operations.ts";
import type { DriverSettings } from "./settings.ts";
import { snapshotOperations } from "./snapshot/operations.ts";
import { recoverSnapshots } from "./snapshot/recover.ts";
import { findRunAs } from "./user-ids.ts";

export interface QemuDriverOptions {
	readonly folders: InstanceFolders;
	/** True for a user's own driver: its URI is qemu:///session. */
	readonly session: boolean;
	readonly settings: DriverSettings;
	readonly log: Logger;
	/** The way to other hosts' daemons, for guests that move there by themselves. */
	readonly connectPeer?: ConnectPeer;
}

/** The driver; disposing it lets go of guests, which run on. */
export interface QemuDriver extends Hypervisor<QemuDomain>, AsyncDisposable {}

/** Builds the driver of an instance. Whoever calls holds the instance's lock: two drivers of one instance would fight over its guests. */
export async function createQemuDriver(options: QemuDriverOptions): Promise<QemuDriver> {
	const driver = makeDriver(options);
	for (const stored of driver.store.scan()) addStored(driver, stored);
	await adoptRuns(driver);
	await recoverSnapshots(driver);
	startWithHost(driver);
	const balancer = startBalancer(driver);
	return {
		domains: domainCollection(driver),
		operations: operationsOf(driver),
		host: hostOperations(driver),
		events: driver.events,
		[Symbol.asyncDispose]: () => {
			balancer[Symbol.dispose]();
			return letGo(driver);
		},
	};
}

function makeDriver({ folders, session, settings: given, log, connectPeer }: QemuDriverOptions): Driver {
	const paths = driverPaths(folders);
	makeDriverFolders(paths);
	const settings = { ...given };
	const runAs = findRunAs(settings.user, settings.group);
	const capabilities = new CapabilityCache({
		directory: paths.capabilities,
		onWriteError: (error) => log.warn("cannot keep the capabilities of an emulator", { error }),
		...(runAs ? { uid: runAs.uid, gid: runAs.gid } : {}),
	});
	const store = new DefinitionStore(paths, log);
	const instance = createHash("sha256").update(paths.lib).digest("hex").slice(0, 12);
	return new Driver({
		paths,
		settings,
		log,
		capabilities,
		host: new HostView(paths, settings, capabilities),
		store,
		domains: new DomainRegistry(store),
		cgroups: new CgroupTree({ instance }),
		runAs,
		session,
		connectPeer,
	});
}

function addStored(driver: Driver, stored: ReturnType<DefinitionStore["scan"]>[number]): void {
	try {
		driver.domains.match(stored);
	} catch (error) {
		driver.log.error(`'${driver.store.fileOf(stored.name)}' is left out: ${String(error)}`);
		return;
	}
	const domain = driver.domains.add(stored);
	domain.persistent = true;
	domain.stored = true;
	domain.autostart = stored.autostart;
	domain.autostartOnce = stored.autostartOnce;
}

function operationsOf(driver: Driver): Partial<DomainOperations<QemuDomain>> {
	return {
		...startOperations(driver),
		...stopOperations(driver),
		...defineOperations(driver),
		...xmlOperations(),
		...configOperations(driver),
		...factOperations(driver),
		...saveOperations(driver),
		...migrationOperations(driver),
		...limitOperations(),
		...consoleOperations,
		...graphicsOperations,
		...controlOperations(driver),
		...blockOperations(driver),
		...snapshotOperations(driver),
		...checkpointOperations(driver),
		...backupOperations(driver),
		...hotplugOperations(driver),
		...monitorOperations(driver),
		...agentOperations,
	};
}

/** Closes the monitors; QEMU listens for the next daemon. */
async function letGo(driver: Driver): Promise<void> {
	for (const { run } of driver.domains.all()) {
		if (run === undefined || !run.connected) continue;
		run.beingDestroyed = true;
		run.monitor.close();
	}
	await driver.store.close();
}
